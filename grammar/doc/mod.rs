//! The page of a library or a file of scenarios, as Markdown (CommonMark). In: a checked file with its references. Out: a text: for each
//! public declaration its signature, its `##` lines, what it uses, and its line; for each scenario its parameters and tags. What the file
//! says can't become markup of its own, but for words between backticks.

mod markdown;
mod signature;

use std::collections::BTreeSet;

use crate::diagnostics::lines::Lines;
use crate::expand::Reference;
use crate::source::{FileId, Sources, Span};
use crate::syntax::parse;
use crate::syntax::tree::{Item, ItemKind, ScenarioDecl, ScenarioPart, each};
use markdown::{code, escaped, fenced};
use signature::{one_line, signature};

/// Declarations as other pages show them.
const KINDS: &[&str] = &["a value", "a pattern", "a function", "a topology", "an action", "a check"];

/// The first sentence of documentation, which may stand on several lines; of text without a full stop, its first paragraph.
#[must_use]
pub fn first_sentence(doc: &[String]) -> String {
    let paragraph: Vec<&str> = doc.iter().map(|line| line.trim()).take_while(|line| !line.is_empty()).collect();
    let text = paragraph.join(" ");
    match text.find(". ") {
        Some(stop) => text[..=stop].to_owned(),
        None => text,
    }
}

/// The page of a file; `title` is the name it is used by, `references` are those of [`crate::check_with_references`].
#[must_use]
pub fn page(sources: &Sources, file: FileId, title: &str, references: &[Reference]) -> String {
    let source = sources.get(file);
    let (document, _) = parse(file, &source.text);
    let mut lines = Lines::default();
    let public: Vec<(&Item, &str, &str)> = document
        .items
        .iter()
        .filter_map(|item| item.kind.name().map(|name| (item, item.kind.keyword(), name.text.as_str())))
        .filter(|(item, _, name)| matches!(item.kind, ItemKind::Scenario(_)) || !name.starts_with('_'))
        .collect();
    let mut page = format!("# {}\n", escaped(title));
    if public.is_empty() {
        page.push_str("\nThis file declares nothing for others.\n");
        return page;
    }
    page.push('\n');
    for (item, keyword, name) in &public {
        let summary = first_sentence(&item.doc);
        let first = if summary.is_empty() { summary } else { format!(": {}", escaped(&summary)) };
        page.push_str(&format!("- [{keyword} {}](#{keyword}-{}){first}\n", escaped(name), name.to_lowercase()));
    }
    for (item, keyword, name) in &public {
        let line = lines.places(sources, item.span).0.line;
        page.push_str(&format!("\n## {keyword} {}\n\n", escaped(name)));
        match &item.kind {
            ItemKind::Scenario(scenario) => page.push_str(&scenario_page(&source.text, item, scenario)),
            _ => {
                page.push_str(&fenced(&signature(&source.text, item)));
                page.push_str(&words(&item.doc));
            }
        }
        let used = used(sources, file, item.span, references);
        if !used.is_empty() {
            page.push_str(&format!("\nUses {}.\n", used.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ")));
        }
        page.push_str(&format!("\nSource: {}\n", code(&format!("{}:{line}", source.name))));
    }
    page
}

/// `##` lines as paragraphs, with a blank line before each.
fn words(doc: &[String]) -> String {
    let paragraphs = doc.split(|line| line.trim().is_empty()).filter(|lines| !lines.is_empty());
    paragraphs.map(|lines| format!("\n{}\n", escaped(&lines.join(" ")))).collect()
}

/// What a scenario's head says.
fn scenario_page(text: &str, item: &Item, scenario: &ScenarioDecl) -> String {
    let (mut tags, mut rows) = (Vec::new(), Vec::new());
    each(&scenario.body, &mut |part| match part {
        ScenarioPart::Tags(names) => tags.extend(names.iter().map(|name| code(&name.text))),
        ScenarioPart::Param(param) => rows.push((one_line(text, param.span), escaped(&param.doc.join(" ")))),
        ScenarioPart::Matrix { span, .. } => rows.push((one_line(text, *span), String::new())),
        _ => {}
    });
    let mut page = words(&item.doc).trim_start_matches('\n').to_owned();
    if !tags.is_empty() {
        page.push_str(&format!("\nTags: {}.\n", tags.join(", ")));
    }
    if !rows.is_empty() {
        page.push('\n');
    }
    for (row, doc) in rows {
        let doc = if doc.is_empty() { doc } else { format!(": {doc}") };
        page.push_str(&format!("- {}{doc}\n", code(&row)));
    }
    page
}

/// Names of declarations outside `item` that it uses, those of other files with the file's name.
fn used(sources: &Sources, file: FileId, item: Span, references: &[Reference]) -> BTreeSet<String> {
    let inside = |place: Span| place.file == file && item.start <= place.start && place.end <= item.end;
    let others = references.iter().filter(|found| inside(found.span) && !inside(found.declared) && KINDS.contains(&found.what));
    others
        .map(|found| {
            let name = sources.text(found.declared).to_owned();
            if found.declared.file == file { name } else { format!("{name} ({})", sources.get(found.declared.file).name) }
        })
        .collect()
}

#[cfg(test)]
mod tests;
