//! The check of one document with all that it uses, open texts before those on disk. In: a name, the open texts, the disk. Out: texts,
//! problems, and where names lead. Remembers nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::Scenario;
use scn_grammar::source::{FileId, Sources, Span};
use scn_grammar::{Load, LoadedText, NotLoaded, Reference};

use crate::Disk;
use crate::documents::Documents;
use crate::places::{beside, normal};

/// What the check of a document found.
#[derive(Debug)]
pub struct Analysis {
    /// The texts, the document's among them.
    pub sources: Sources,
    /// The document.
    pub file: FileId,
    /// Where names lead.
    pub references: Vec<Reference>,
    /// What is wrong.
    pub problems: Vec<Diagnostic>,
    /// The scenarios; empty when there is an error, and when their plans were looked at.
    pub scenarios: Vec<Scenario>,
}

impl Analysis {
    /// What a place of the document names; at the end of a word too.
    #[must_use]
    pub fn reference_at(&self, byte: usize) -> Option<&Reference> {
        let of = |span: Span| span.file == self.file && (span.start as usize..=span.end as usize).contains(&byte);
        let used = self.references.iter().filter(|reference| of(reference.span));
        used.min_by_key(|reference| (reference.span.end - reference.span.start, reference.value.is_none()))
    }

    /// The declaration whose name stands at a place of the document, with what it is, if something refers to it.
    #[must_use]
    pub fn declared_at(&self, byte: usize) -> Option<&Reference> {
        let of = |span: Span| span.file == self.file && (span.start as usize..=span.end as usize).contains(&byte);
        self.references.iter().filter(|reference| of(reference.declared)).max_by_key(|reference| reference.value.is_some())
    }

    /// Whether the document uses the text of a name, or is it.
    #[must_use]
    pub fn reads(&self, name: &str) -> bool {
        self.files().any(|file| self.sources.get(file).name == name)
    }

    /// Every text of the check.
    pub fn files(&self) -> impl Iterator<Item = FileId> {
        let count = self.sources.len();
        (0..count).filter_map(|at| u32::try_from(at).ok()).map(FileId)
    }
}

/// Checks a document.
pub fn analyse(name: &str, text: Arc<str>, documents: &Documents, disk: &mut dyn Disk) -> Analysis {
    let mut sources = Sources::default();
    let mut problems = Vec::new();
    let file = sources.add(name, text);
    let mut load = Overlay { documents, disk: disk.uses_of(Path::new(name), &mut sources, &mut problems) };
    let checked = scn_grammar::check_with_references(&mut sources, file, &BTreeMap::new(), &mut load);
    problems.extend(checked.diagnostics);
    drop(load);
    Analysis { sources, file, references: checked.references, problems, scenarios: checked.scenarios }
}

/// Open texts before those on disk.
struct Overlay<'a> {
    documents: &'a Documents,
    disk: Box<dyn Load + 'a>,
}

impl Load for Overlay<'_> {
    fn file(&mut self, path: &str, by: &str) -> Result<LoadedText, NotLoaded> {
        // Only whole paths are names of files; a library's text is called otherwise, and its neighbours are the library's.
        if !by.starts_with('/') {
            return self.disk.file(path, by);
        }
        let name = beside(path, by);
        if let Some(open) = self.documents.get(&name) {
            return Ok(LoadedText { name, text: open.text.to_string() });
        }
        let found = self.disk.file(path, by)?;
        let name = if found.name.starts_with('/') { normal(Path::new(&found.name)).to_string_lossy().into_owned() } else { found.name };
        Ok(LoadedText { name, text: found.text })
    }

    fn module(&mut self, words: &[&str], by: &str) -> Result<LoadedText, NotLoaded> {
        self.disk.module(words, by)
    }
}
