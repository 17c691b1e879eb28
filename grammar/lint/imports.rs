//! Imports that nothing uses. In: a file's `use`s and words. Out: warnings, and how to take each import out. Fixes only what stands alone
//! on its line, without comments in it.

use super::words::Words;
use super::{LintError, Linted};
use crate::source::Span;
use crate::syntax::tree::{Item, ItemKind, Use, UseFrom};

/// Looks at every `use`.
pub(super) fn lint(file: &Linted<'_>, words: &Words<'_>, problems: &mut Vec<LintError>) {
    for item in &file.document.items {
        if let ItemKind::Use(used) = &item.kind {
            one(file, words, item, used, problems);
        }
    }
}

fn one(file: &Linted<'_>, words: &Words<'_>, item: &Item, used: &Use, problems: &mut Vec<LintError>) {
    let outside = |place: Span| place.start >= item.span.end || place.end <= item.span.start;
    let declared = |name: Span| file.imported.iter().find(|import| import.span == name).map_or(name, |import| import.declared);
    let needed: Vec<bool> = used.names.iter().map(|name| words.is_used(&name.text, declared(name.span), outside)).collect();
    let qualified = qualifier(used).is_some_and(|word| words.places(&word).iter().any(|word| word.before_dot && outside(word.span)));
    if !needed.contains(&true) {
        if !qualified {
            let name = module(used);
            problems.push(LintError::UnusedImport { name, span: item.span, fix: whole_line(file.text, item) });
            return;
        }
        if !used.names.is_empty() {
            // The qualifier stays, so the names can't be taken out without their parentheses.
            let name = used.names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(", ");
            let span = used.names.iter().fold(used.names[0].span, |all, name| all.to(name.span));
            problems.push(LintError::UnusedImport { name, span, fix: None });
        }
        return;
    }
    let mut kept: Option<Span> = None;
    for (position, (name, needed)) in used.names.iter().zip(needed).enumerate() {
        if needed {
            kept = Some(name.span);
            continue;
        }
        // A comma goes with the name: the one before it if a name stays there, else the one after it.
        let cut = match (position.checked_sub(1), used.names.get(position + 1)) {
            (Some(before), _) if kept.is_some() => Span { start: used.names[before].span.end, ..name.span },
            (_, Some(next)) => Span { end: next.span.start, ..name.span },
            _ => name.span,
        };
        let fix = slice(file.text, cut).filter(|text| !text.contains('#')).map(|_| (cut, String::new()));
        problems.push(LintError::UnusedImport { name: name.text.clone(), span: name.span, fix });
    }
}

/// The last word before a dot by which the module is known, if it is.
fn qualifier(used: &Use) -> Option<String> {
    match (&used.alias, &used.from) {
        (Some(alias), _) => Some(alias.text.clone()),
        _ if !used.names.is_empty() => None,
        (None, UseFrom::Module(words)) => words.last().map(|word| word.text.clone()),
        (None, UseFrom::File(path)) => crate::resolve::load::stem(&path.value).map(str::to_owned),
    }
}

/// The module as written.
fn module(used: &Use) -> String {
    match &used.from {
        UseFrom::Module(words) => words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join("."),
        UseFrom::File(path) => path.value.clone(),
    }
}

/// The line of a statement with its end, if nothing else stands there.
fn whole_line(text: &str, item: &Item) -> Option<(Span, String)> {
    let (start, end) = (item.span.start as usize, item.span.end as usize);
    let before = text.get(..start)?;
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(end..)?;
    let next = rest.find('\n').map_or(rest.len(), |at| at + 1);
    let alone = before[line..].trim().is_empty() && rest[..next].trim().is_empty();
    let plain = item.doc.is_empty() && !text.get(start..end)?.contains('#');
    let place = |byte: usize| u32::try_from(byte).ok();
    let span = Span { start: place(line)?, end: place(end + next)?, ..item.span };
    (alone && plain).then(|| (span, String::new()))
}

fn slice(text: &str, span: Span) -> Option<&str> {
    text.get(span.start as usize..span.end as usize)
}
