//! Diagnostics: what is wrong with a text, where, and what to write instead. In: facts from the stages. Out: one plain
//! type that `draw` turns into a picture (miette) and `json` into lines for machines. Decides nothing.

pub mod draw;
pub mod fix;
pub mod gitlab;
pub mod json;
pub mod lines;
pub mod pages;
pub(crate) mod problem;
pub mod sarif;
pub mod short;

use serde::{Deserialize, Serialize};

use crate::source::Span;
pub use draw::draw;
pub use json::json;
pub use pages::{codes, page};
pub use short::short;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file still runs.
    Warning,
    /// Nothing runs.
    Error,
}

/// A place with a few words about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there, in a few words.
    pub text: String,
}

/// A change of the text that mends a problem without changing what the scenario means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// By this; empty: it is taken away.
    pub text: String,
}

/// One problem of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable, `scn::stage::slug`; each has a page that `scn explain` prints.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence: what is wrong.
    pub message: String,
    /// The place. Underlined.
    pub primary: Label,
    /// The other places that matter.
    pub secondary: Vec<Label>,
    /// What to write instead.
    pub help: Option<String>,
    /// The change that `scn check --fix` makes, if it is safe to make it.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// An error at a place. `label` says in a few words what stands there.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Label { span, text: label.into() },
            secondary: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// A warning at a place.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message, label) }
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with another code and help, where there are others.
    #[must_use]
    pub fn instead(self, code: Option<&'static str>, help: Option<String>) -> Self {
        Diagnostic { code: code.unwrap_or(self.code), help: help.or(self.help), ..self }
    }

    /// Says which change mends it safely.
    #[must_use]
    pub fn fixed_by(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, text: text.into() });
        self
    }

    /// Marks another place that matters.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }
}
