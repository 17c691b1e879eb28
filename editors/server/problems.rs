//! Problems as editors show them. In: the diagnostics of a check. Out: those of each text, by its name. Decides nothing.

use std::collections::BTreeMap;

use lsp_types::{DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString};
use scn_grammar::diagnostics::{Diagnostic, Severity};
use scn_grammar::source::{FileId, Sources, Span};

use crate::Disk;
use crate::places::uri_of;
use crate::positions::Lines;

/// Places in the texts of one check.
pub struct Places<'a> {
    sources: &'a Sources,
    lines: BTreeMap<FileId, Lines>,
}

impl<'a> Places<'a> {
    /// Of these texts.
    #[must_use]
    pub fn new(sources: &'a Sources) -> Self {
        Places { sources, lines: BTreeMap::new() }
    }

    /// A span as a range of its text.
    pub fn range(&mut self, span: Span) -> lsp_types::Range {
        let text = &self.sources.get(span.file).text;
        self.lines.entry(span.file).or_insert_with(|| Lines::of(text)).of_span(text, span)
    }

    /// A span as a place that an editor can open.
    pub fn location(&mut self, span: Span, disk: &mut dyn Disk) -> Option<Location> {
        let name = file_name(self.sources, span.file, disk)?;
        Some(Location { uri: uri_of(&name)?, range: self.range(span) })
    }
}

/// The name of the document that shows a text.
pub fn file_name(sources: &Sources, file: FileId, disk: &mut dyn Disk) -> Option<String> {
    let source = sources.get(file);
    if source.name.starts_with('/') || file == FileId(0) {
        return Some(source.name.clone());
    }
    disk.shown(&source.name, &source.text).map(|path| path.to_string_lossy().into_owned())
}

/// The problems of each document.
pub fn by_document(problems: &[Diagnostic], sources: &Sources, disk: &mut dyn Disk) -> BTreeMap<String, Vec<lsp_types::Diagnostic>> {
    let mut places = Places::new(sources);
    let mut found: BTreeMap<String, Vec<lsp_types::Diagnostic>> = BTreeMap::new();
    for problem in problems {
        let Some(name) = file_name(sources, problem.primary.span.file, disk) else { continue };
        let shown = diagnostic(problem, &mut places, disk);
        found.entry(name).or_default().push(shown);
    }
    found
}

fn diagnostic(problem: &Diagnostic, places: &mut Places<'_>, disk: &mut dyn Disk) -> lsp_types::Diagnostic {
    let mut related = Vec::new();
    for label in &problem.secondary {
        let location = places.location(label.span, disk);
        related.extend(location.map(|location| DiagnosticRelatedInformation { location, message: label.text.clone() }));
    }
    let help = problem.help.as_ref().map_or(String::new(), |help| format!("\nhelp: {help}"));
    lsp_types::Diagnostic {
        range: places.range(problem.primary.span),
        severity: Some(match problem.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(problem.code.to_owned())),
        source: Some("scn".to_owned()),
        message: format!("{}{help}", problem.message),
        related_information: (!related.is_empty()).then_some(related),
        ..lsp_types::Diagnostic::default()
    }
}
