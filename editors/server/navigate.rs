//! From uses to declarations and back. In: a document, its check, a byte; for all uses, the checks of other files. Out: places.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lsp_types::Range;
use scn_grammar::source::{Sources, Span};

use crate::Disk;
use crate::analysis::{Analysis, analyse};
use crate::cursor::cut;
use crate::documents::Documents;
use crate::outline::outline;
use crate::places::beside;
use crate::positions::Lines;
use crate::problems::{Places, file_name};

/// Files that are looked through for uses: at most so many.
const MOST_FILES: usize = 2_000;

/// A declaration, wherever it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The name of its text.
    pub text: String,
    /// Its first byte there.
    pub start: u32,
    /// What is declared.
    pub word: String,
}

/// Where the name at a byte is declared; of a module's name in a `use`, the module.
pub fn definition(analysis: &Analysis, byte: usize, disk: &mut dyn Disk) -> Option<lsp_types::Location> {
    let mut places = Places::new(&analysis.sources);
    if let Some(reference) = analysis.reference_at(byte) {
        return places.location(reference.declared, disk);
    }
    let name = used_module(analysis, byte)?;
    let file = analysis.files().find(|file| analysis.sources.get(*file).name == name)?;
    places.location(Span { file, start: 0, end: 0 }, disk)
}

/// The name of the text that the `use` at a byte names.
fn used_module(analysis: &Analysis, byte: usize) -> Option<String> {
    let source = analysis.sources.get(analysis.file);
    let start = source.text[..byte].rfind('\n').map_or(0, |at| at + 1);
    let line = source.text[start..].lines().next()?.trim();
    let from = line.strip_prefix("use ")?.split(['(', ' ']).next()?;
    match from.strip_prefix('"') {
        Some(path) => Some(beside(path.trim_end_matches('"'), &source.name)),
        None => Some(format!("{}.scn", from.replace('.', "/"))),
    }
}

/// The declaration that a byte of a document names or is.
#[must_use]
pub fn target(analysis: &Analysis, byte: usize) -> Option<Target> {
    let place = analysis.reference_at(byte).or_else(|| analysis.declared_at(byte)).map(|reference| reference.declared);
    let place = place.or_else(|| {
        let text = &analysis.sources.get(analysis.file).text;
        let found = outline(text, &cut(text)).into_iter().find(|declared| declared.span.start <= byte && byte <= declared.span.end)?;
        let at = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
        Some(Span { file: analysis.file, start: at(found.span.start), end: at(found.span.end) })
    })?;
    let source = analysis.sources.get(place.file);
    let word = analysis.sources.text(place).trim_matches('`').to_owned();
    (!word.is_empty()).then(|| Target { text: source.name.clone(), start: place.start, word })
}

/// The places of a declaration and of its uses, by document.
#[derive(Debug, Default)]
pub struct Uses {
    /// By the name of the document: first and last byte, and the range.
    pub places: BTreeMap<String, Vec<(Span, Range)>>,
    /// The declaration's.
    pub declared: Option<(String, Range)>,
}

/// Where a declaration is used, in the open texts and the files under the roots.
pub fn uses(target: &Target, asked: &Analysis, documents: &Documents, roots: &[PathBuf], disk: &mut dyn Disk) -> Uses {
    let mut found = Uses::default();
    collect(target, asked, &mut found, disk);
    let own = asked.sources.get(asked.file).name.clone();
    for name in candidates(target, &own, documents, roots, disk) {
        let text = documents.get(&name).map(|open| open.text.clone()).or_else(|| disk.read(Path::new(&name)).map(Into::into));
        let Some(text) = text.filter(|text| name == target.text || text.contains(&target.word)) else { continue };
        let analysis = analyse(&name, text, documents, disk);
        collect(target, &analysis, &mut found, disk);
    }
    for places in found.places.values_mut() {
        places.sort_by_key(|(span, _)| (span.start, span.end));
        places.dedup_by_key(|(span, _)| (span.start, span.end));
    }
    found
}

/// The documents that may use a declaration, but for one that was looked at.
fn candidates(target: &Target, but: &str, documents: &Documents, roots: &[PathBuf], disk: &dyn Disk) -> Vec<String> {
    let mut names: Vec<String> = documents.names().map(str::to_owned).collect();
    let beside = Path::new(&target.text).parent().filter(|_| target.text.starts_with('/') && roots.is_empty());
    for root in roots.iter().map(PathBuf::as_path).chain(beside) {
        names.extend(disk.scenarios_under(root).into_iter().take(MOST_FILES).map(|path| path.to_string_lossy().into_owned()));
    }
    if target.text.starts_with('/') {
        names.push(target.text.clone());
    }
    names.sort();
    names.dedup();
    names.retain(|name| name != but);
    names.truncate(MOST_FILES);
    names
}

/// Adds what one check knows of a declaration.
fn collect(target: &Target, analysis: &Analysis, found: &mut Uses, disk: &mut dyn Disk) {
    let sources = &analysis.sources;
    let is = |span: Span| span.start == target.start && sources.get(span.file).name == target.text;
    let mut places = Places::new(sources);
    // In a matrix or a loop a word may stand for another name: only what is written so is a use of the name.
    let written = |span: Span| sources.text(span).trim_matches('`') == target.word;
    for reference in analysis.references.iter().filter(|reference| is(reference.declared) && written(reference.span)) {
        if let Some(name) = file_name(sources, reference.span.file, disk) {
            let range = places.range(reference.span);
            found.places.entry(name).or_default().push((reference.span, range));
        }
    }
    if found.declared.is_none() {
        found.declared = declaration(target, sources, &mut places, disk);
    }
}

/// The place of the declaration's name.
fn declaration(target: &Target, sources: &Sources, places: &mut Places<'_>, disk: &mut dyn Disk) -> Option<(String, Range)> {
    let count = u32::try_from(sources.len()).ok()?;
    let mut files = (0..count).map(scn_grammar::source::FileId);
    let file = files.find(|file| sources.get(*file).name == target.text)?;
    let text = &sources.get(file).text;
    let start = target.start as usize;
    let quoted = usize::from(text[start..].starts_with('`'));
    let end = u32::try_from(start + target.word.len() + 2 * quoted).ok()?;
    Some((file_name(sources, file, disk)?, places.range(Span { file, start: target.start, end })))
}

/// The text at a range of a document.
#[must_use]
pub fn written(text: &str, range: Range) -> &str {
    let lines = Lines::of(text);
    let (start, end) = (lines.byte(text, range.start), lines.byte(text, range.end));
    text.get(start..end).unwrap_or("")
}
