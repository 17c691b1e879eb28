//! THE WORDS: text in; checked, expanded scenarios and diagnostics out.
//!
//! ```text
//! SourceFile --syntax--> Document --resolve, expand--> Scenario
//! ```
//!
//! Nothing here touches files, sockets, clocks or processes: the caller loads the text and hands it over.

/// The parser that pest derives names it.
extern crate alloc;

pub mod declarations;
pub mod diagnostics;
pub mod doc;
pub mod expand;

pub mod format;
pub mod lint;
#[cfg(test)]
mod proofs;
pub mod quantity;
pub mod resolve;
pub mod scenario;
pub mod source;
pub mod standard;
pub mod syntax;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use diagnostics::{Diagnostic, Severity};
pub use expand::Reference;
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
    /// Of [`check_with_references`]: where names are used, and where each is declared, in the order of the texts.
    pub references: Vec<Reference>,
}

/// A text that another one uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedText {
    /// The name to show it by, and one text's only: two texts of one name are taken for the same.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Why a text that is used could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotLoaded {
    /// The code of the problem, where it has one of its own; otherwise that of a file, or of a module, that can't be read.
    pub code: Option<&'static str>,
    /// Why, as the end of a sentence.
    pub reason: String,
    /// What to do.
    pub help: Option<String>,
}

impl From<String> for NotLoaded {
    fn from(reason: String) -> Self {
        NotLoaded { code: None, reason, help: None }
    }
}

impl From<&str> for NotLoaded {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}

/// Loads what a text uses.
pub trait Load {
    /// The text that `use "./file.scn"` names: the path as written, and the name of the file that uses it.
    ///
    /// # Errors
    /// Why it can't be read.
    fn file(&mut self, path: &str, by: &str) -> Result<LoadedText, NotLoaded>;

    /// The text of the module that `use acme.lab` names: its words, and the name of the file that uses it. Those of `std` are
    /// part of the program and not asked for.
    ///
    /// # Errors
    /// Why there is no such module.
    fn module(&mut self, words: &[&str], by: &str) -> Result<LoadedText, NotLoaded>;
}

/// Loads nothing: for texts that stand alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoadNothing;

impl Load for LoadNothing {
    fn file(&mut self, _path: &str, _by: &str) -> Result<LoadedText, NotLoaded> {
        Err("this text stands alone".into())
    }

    fn module(&mut self, _words: &[&str], _by: &str) -> Result<LoadedText, NotLoaded> {
        Err("this text stands alone".into())
    }
}

/// The code of a `-p` that belongs to no scenario of a file; a caller with several files may know better.
pub const UNKNOWN_PARAMETER: &str = "scn::resolve::unknown_parameter";

/// Checks and expands one file. `params` are the values of `-p name=value`, as written; one that belongs to no
/// scenario of the file is the problem [`UNKNOWN_PARAMETER`].
pub fn check(sources: &mut Sources, file: FileId, params: &BTreeMap<String, String>, load: &mut dyn Load) -> Checked {
    check_all(sources, file, params, load, false)
}

/// The same, with every name followed to its declaration: [`Checked::references`].
pub fn check_with_references(sources: &mut Sources, file: FileId, params: &BTreeMap<String, String>, load: &mut dyn Load) -> Checked {
    check_all(sources, file, params, load, true)
}

fn check_all(sources: &mut Sources, file: FileId, params: &BTreeMap<String, String>, load: &mut dyn Load, follow: bool) -> Checked {
    let mut problems = Vec::new();
    let loaded = resolve::load::load_all(sources, file, load, &mut problems);
    let given = expand::params::read_given(sources, params, &mut problems);
    let resolve::Resolved { modules, imported, missing } = resolve::resolve(&loaded, &mut problems);
    if let Some(module) = modules.last() {
        expand::params::check_given(module, &given, &mut problems);
    }
    let mut context = expand::Context::new(sources, &modules, &given);
    if follow {
        let imports = imported.iter();
        context.references =
            Some(imports.map(|i| Reference { span: i.span, declared: i.declared, what: "an import", value: None }).collect());
    }
    let scenarios = expand::expand(&mut context);
    problems.append(&mut context.problems);
    // A name whose use could not be read would only seem unused.
    if let Some(last) = loaded.last()
        && problems.iter().all(|problem| problem.severity == Severity::Warning)
    {
        let text = &sources.get(file).text;
        let (scenarios, looked_up) = (&scenarios, &context.looked_up);
        problems.extend(lint::lint(&lint::Linted { text, document: &last.document, scenarios, looked_up, imported: &imported }));
    }
    let mut references = context.references.take().unwrap_or_default();
    references.retain(|reference| sources.get(reference.span.file).name != resolve::load::SAMPLE);
    references.sort_by_key(|reference| (reference.span, reference.declared));
    references.dedup_by_key(|reference| (reference.span, reference.declared));
    let diagnostics = without_echoes(in_order(problems, file), &missing, sources);
    let fine = diagnostics.iter().all(|diagnostic| diagnostic.severity == Severity::Warning);
    Checked { scenarios: if fine { scenarios } else { Vec::new() }, diagnostics, references }
}

/// Names that are unknown, and what lacks a part. Where a statement or a used file could not be read, what it says is missing, and
/// nothing else is wrong.
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
    "scn::expand::incomplete",
    "scn::expand::nothing_measured",
    "scn::expand::nothing_sent",
    "scn::expand::single_branch",
    "scn::expand::no_expectations",
    "scn::expand::never_sent",
    "scn::expand::deadlock",
    "scn::expand::echo_of_nothing",
    "scn::expand::read_sometimes",
    "scn::expand::branch_ratios",
];

/// Without what only follows from a statement that could not be read, or from a file that could not be used.
fn without_echoes(mut problems: Vec<Diagnostic>, missing: &BTreeSet<(FileId, String)>, sources: &Sources) -> Vec<Diagnostic> {
    let broken = problems.iter().any(|p| p.severity == Severity::Error && p.code.starts_with("scn::syntax::"));
    let all = problems.len();
    problems.retain(|problem| {
        let words = sources.text(problem.primary.span);
        let first = words.split(['.', '(']).next().unwrap_or(words).trim();
        !problem.code.starts_with("scn::resolve::unknown_") || !missing.contains(&(problem.primary.span.file, first.to_owned()))
    });
    if broken || problems.len() < all {
        problems.retain(|problem| !UNKNOWN.contains(&problem.code));
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
