//! THE WORDS: text in; checked, expanded scenarios and diagnostics out.
//!
//! ```text
//! SourceFile --syntax--> Document --resolve, expand--> Scenario
//! ```
//!
//! Nothing here touches files, sockets, clocks or processes: the caller loads the text and hands it over.

pub mod diagnostics;
pub mod expand;
#[cfg(test)]
mod proofs;
pub mod quantity;
pub mod resolve;
pub mod scenario;
pub mod source;
pub mod syntax;

use std::collections::BTreeMap;

use diagnostics::{Diagnostic, Severity};
use scenario::Scenario;
use source::{FileId, Sources};

/// The language reference, as Markdown: what this version runs and what each sentence means.
pub const REFERENCE: &str = include_str!("REFERENCE.md");

/// How many errors, and how many warnings, of one check are told.
pub const MOST_PROBLEMS: usize = 200;

/// What the check of one file found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Its scenarios in the order of the text; empty when there is an error.
    pub scenarios: Vec<Scenario>,
    /// Everything that is wrong or odd, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Loads what a file uses. `by` is the name of the file that says `use`; the answer is the name to show and the text, or why it could
/// not be had. Names to show are unique, and come back as `by` when the text itself uses something.
pub trait Loader {
    /// The file of a `use "./file.scn"`, its path as written.
    ///
    /// # Errors
    /// Why it could not be read.
    fn file(&mut self, path: &str, by: &str) -> Result<(String, String), String>;

    /// The file of a `use acme.lab`: its words, of which the first is not `std`.
    ///
    /// # Errors
    /// Why there is no such module.
    fn module(&mut self, words: &[&str], by: &str) -> Result<(String, String), String>;
}

/// A loader of files that knows no libraries.
impl<F: FnMut(&str, &str) -> Result<(String, String), String>> Loader for F {
    fn file(&mut self, path: &str, by: &str) -> Result<(String, String), String> {
        self(path, by)
    }

    fn module(&mut self, _: &[&str], _: &str) -> Result<(String, String), String> {
        Err("no libraries are at hand here".to_owned())
    }
}

/// The code of a `-p` that belongs to no scenario of a file; a caller with several files may know better.
pub const UNKNOWN_PARAMETER: &str = "scn::resolve::unknown_parameter";

/// Checks and expands one file. `params` are the values of `-p name=value`, as written; one that belongs to no
/// scenario of the file is the problem [`UNKNOWN_PARAMETER`].
pub fn check(sources: &mut Sources, file: FileId, params: &BTreeMap<String, String>, load: &mut dyn Loader) -> Checked {
    let mut problems = Vec::new();
    let loaded = resolve::load::load_all(sources, file, load, &mut problems);
    let given = expand::params::read_given(sources, params, &mut problems);
    let modules = resolve::resolve(&loaded, &mut problems);
    if let Some(module) = modules.last() {
        expand::params::check_given(module, &given, &mut problems);
    }
    let mut context = expand::Context::new(sources, &modules, &given);
    let scenarios = expand::expand(&mut context);
    problems.append(&mut context.problems);
    let diagnostics = without_echoes(in_order(problems, file));
    let fine = diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning);
    Checked { scenarios: if fine { scenarios } else { Vec::new() }, diagnostics }
}

/// Names that are unknown. Where a statement could not be read, what it declares is missing, and nothing is wrong with its name.
const UNKNOWN: &[&str] = &[
    "scn::resolve::unknown_node",
    "scn::resolve::unknown_destination",
    "scn::resolve::unknown_event",
    "scn::resolve::unknown_flow",
    "scn::resolve::unknown_interface",
    "scn::resolve::unknown_name",
    "scn::resolve::unknown_pattern",
    "scn::resolve::unknown_startable",
    "scn::resolve::unknown_target",
    "scn::expand::nothing_measured",
    "scn::expand::no_expectations",
];

/// Without what only follows from a statement that could not be read.
fn without_echoes(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if problems.iter().any(|p| p.severity == Severity::Error && p.code.starts_with("scn::syntax::")) {
        problems.retain(|p| !UNKNOWN.contains(&p.code));
    }
    problems
}

/// Each problem once, those of the checked file first, in the order of the text; at most [`MOST_PROBLEMS`] of each severity.
fn in_order(mut problems: Vec<Diagnostic>, file: FileId) -> Vec<Diagnostic> {
    problems.sort_by(|a, b| {
        let key = |d: &Diagnostic| (d.primary.span.file != file, d.primary.span.file, d.primary.span.start, d.primary.span.end);
        key(a).cmp(&key(b)).then_with(|| a.code.cmp(b.code)).then_with(|| a.message.cmp(&b.message))
    });
    problems.dedup_by(|a, b| a.code == b.code && a.primary.span == b.primary.span && a.message == b.message);
    let (mut errors, mut warnings, mut hidden) = (0, 0, None);
    problems.retain(|problem| {
        let count = if problem.severity == Severity::Error { &mut errors } else { &mut warnings };
        *count += 1;
        if *count == MOST_PROBLEMS + 1 && problem.severity == Severity::Error {
            hidden = Some(problem.primary.span);
        }
        *count <= MOST_PROBLEMS
    });
    problems.extend(hidden.map(|span| expand::error::ExpandError::TooMany { span, limit: MOST_PROBLEMS }.into()));
    problems
}
