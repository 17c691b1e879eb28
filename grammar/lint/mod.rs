//! What is allowed but useless or out of fashion: names that nothing uses, nodes without links, services that nobody reaches, old
//! spellings. In: a file without errors, its scenarios, and which names were looked up. Out: warnings, with a fix where one is safe.
//!
//! When in doubt a lint says nothing: a name counts as unused only if the expansion never looked it up and no word like it stands where it
//! could have been (in a branch that was not taken, say).

mod error;
mod imports;
mod network;
mod spelling;
mod unused;
mod words;

use std::collections::BTreeSet;

use crate::diagnostics::Diagnostic;
use crate::resolve::Imported;
use crate::scenario::Scenario;
use crate::source::Span;
use crate::syntax::tree::Document;
pub use error::LintError;
use words::Words;

/// A file as the lints see it.
pub(crate) struct Linted<'a> {
    /// What it says, as written.
    pub text: &'a str,
    /// What it says, read.
    pub document: &'a Document,
    /// Its scenarios, all variants.
    pub scenarios: &'a [Scenario],
    /// Places of names with the places of their declarations, as the expansion looked them up.
    pub looked_up: &'a BTreeSet<(Span, Span)>,
    /// The names in its `use`s.
    pub imported: &'a [Imported],
}

/// Every warning of a file.
pub(crate) fn lint(file: &Linted<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let words = Words::of(file);
    imports::lint(file, &words, &mut problems);
    unused::lint(file, &words, &mut problems);
    network::lint(file, &mut problems);
    spelling::lint(file, &words, &mut problems);
    problems.into_iter().map(Diagnostic::from).collect()
}
