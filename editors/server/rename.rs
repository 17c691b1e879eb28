//! A new name for what is declared, in all files that use it. In: a declaration with its uses, the new name. Out: the changes, or why not.
//! The changed texts are checked before anything is promised: a name that is taken, or is no name there, is refused.

use std::path::{Path, PathBuf};

use lsp_types::{Range, TextDocumentContentChangeEvent, TextEdit};
use scn_grammar::diagnostics::Severity;

use crate::Disk;
use crate::analysis::{Analysis, analyse};
use crate::cursor::is_word;
use crate::documents::Documents;
use crate::navigate::{Target, Uses, uses, written};
use crate::places::uri_of;

/// The changes of each document, by its name.
pub type Changes = Vec<(String, Vec<TextEdit>)>;

/// The changes that give a declaration a new name.
///
/// # Errors
/// Why it cannot be renamed so, as one sentence.
pub fn rename(
    target: &Target,
    to: &str,
    asked: &Analysis,
    documents: &Documents,
    roots: &[PathBuf],
    disk: &mut dyn Disk,
) -> Result<Changes, String> {
    let valid = to.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && to.chars().all(is_word);
    if !valid {
        return Err(format!("`{to}` is no name: write letters, digits and underscores, and no digit first"));
    }
    changeable(&target.text, &target.word, disk)?;
    if to == target.word {
        return Ok(Vec::new());
    }
    let found = uses(target, asked, documents, roots, disk);
    let changes = changes(&found, target, to, documents, disk)?;
    try_out(&changes, documents, disk)?;
    Ok(changes)
}

/// Whether what a text declares may get another name.
///
/// # Errors
/// Why not.
pub fn changeable(text: &str, word: &str, disk: &dyn Disk) -> Result<(), String> {
    let own = text.starts_with('/') && !disk.is_shown(Path::new(text)) || text.contains(':');
    if own { Ok(()) } else { Err(format!("`{word}` is declared in {text}, which is no file of this project")) }
}

fn changes(found: &Uses, target: &Target, to: &str, documents: &Documents, disk: &dyn Disk) -> Result<Changes, String> {
    let mut all: Changes = Vec::new();
    let mut places: std::collections::BTreeMap<&str, Vec<Range>> = std::collections::BTreeMap::new();
    for (name, spans) in &found.places {
        places.entry(name).or_default().extend(spans.iter().map(|(_, range)| *range));
    }
    if let Some((name, range)) = &found.declared {
        places.entry(name).or_default().push(*range);
    }
    for (name, mut ranges) in places {
        if disk.is_shown(Path::new(name)) {
            continue;
        }
        let text = current(name, documents, disk).ok_or_else(|| format!("{name} cannot be read"))?;
        ranges.sort_by_key(|range| (range.start.line, range.start.character));
        ranges.dedup();
        let edits = ranges.into_iter().map(|range| {
            let old = written(&text, range);
            if old.trim_matches('`') != target.word {
                return Err(format!("{name} changed meanwhile; try again"));
            }
            // Backticks stay: the new name may be a word of the language too.
            let new_text = if old.starts_with('`') { format!("`{to}`") } else { to.to_owned() };
            Ok(TextEdit { range, new_text })
        });
        all.push((name.to_owned(), edits.collect::<Result<_, String>>()?));
    }
    Ok(all)
}

/// The text of a document as it is now.
fn current(name: &str, documents: &Documents, disk: &dyn Disk) -> Option<String> {
    documents.get(name).map(|open| open.text.to_string()).or_else(|| disk.read(Path::new(name)))
}

/// Checks every changed text with the changes made, and refuses what makes a new error.
fn try_out(changes: &Changes, documents: &Documents, disk: &mut dyn Disk) -> Result<(), String> {
    let mut changed = documents.clone();
    for (name, edits) in changes {
        let (Some(text), Some(uri)) = (current(name, documents, disk), uri_of(name)) else { continue };
        changed.open(name.clone(), uri, 0, text);
        // From the end, so that the places before stay where they are.
        let events = edits.iter().rev().map(|edit| TextDocumentContentChangeEvent {
            range: Some(edit.range),
            range_length: None,
            text: edit.new_text.clone(),
        });
        changed.change(name, 0, events.collect());
    }
    for (name, _) in changes {
        let before = current(name, documents, disk).map(|text| errors(&analyse(name, text.into(), documents, disk)));
        let after = changed.get(name).map(|open| open.text.clone()).map(|text| errors(&analyse(name, text, &changed, disk)));
        if let (Some(before), Some(after)) = (before, after)
            && after.len() > before.len()
        {
            let new = after.into_iter().find(|message| !before.contains(message)).unwrap_or_default();
            return Err(format!("with the new name there would be an error: {new}"));
        }
    }
    Ok(())
}

fn errors(analysis: &Analysis) -> Vec<String> {
    analysis.problems.iter().filter(|problem| problem.severity == Severity::Error).map(|problem| problem.message.clone()).collect()
}
