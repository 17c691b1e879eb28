//! `scn std list` and `scn std show`: what the standard library declares. In: a module or a name. Out: text or JSON.

use scn_grammar::doc;
use scn_grammar::standard::{self, Entry};
use scn_grammar::syntax::nearest::nearest;

use super::{print, refuse};
use crate::arguments::{Format, StdArguments, StdCommand};
use crate::exit::Exit;

/// Lists declarations, or shows one.
#[must_use]
pub fn std(arguments: &StdArguments) -> Exit {
    match &arguments.command {
        StdCommand::List { module, format } => list(module.as_deref(), *format),
        StdCommand::Show { name } => show(name),
    }
}

/// `patterns` or `std.patterns`.
fn full(module: &str) -> String {
    if module.starts_with("std.") { module.to_owned() } else { format!("std.{module}") }
}

fn list(module: Option<&str>, format: Format) -> Exit {
    let module = module.map(full);
    if let Some(module) = &module
        && standard::modules().all(|(known, _)| known != module)
    {
        return refuse(&unknown("module", module, standard::modules().map(|(known, _)| known)));
    }
    let mut entries = standard::entries();
    entries.retain(|entry| module.as_ref().is_none_or(|module| entry.module == module));
    match format {
        Format::Text => print(&text(&entries)),
        Format::Json => {
            let entries: Vec<_> = entries.iter().map(json).collect();
            print(&format!("{:#}\n", serde_json::json!({"format": "scn-std", "version": 1, "declarations": entries})));
        }
    }
    Exit::Pass
}

/// Module by module: the keyword, the head, and under it the first sentence of the words.
fn text(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut module = "";
    for entry in entries {
        if entry.module != module {
            text.push_str(if module.is_empty() { "" } else { "\n" });
            module = entry.module;
            text.push_str(&format!("{module}\n"));
        }
        text.push_str(&format!("  {} {}\n", entry.kind, entry.signature));
        let summary = doc::first_sentence(&entry.doc);
        text.push_str(&if summary.is_empty() { String::new() } else { format!("      {summary}\n") });
    }
    text
}

fn json(entry: &Entry) -> serde_json::Value {
    serde_json::json!({
        "module": entry.module, "name": entry.name, "kind": entry.kind, "signature": entry.signature, "doc": entry.doc.join("\n"),
    })
}

fn show(name: &str) -> Exit {
    if let Some((_, source)) = standard::modules().find(|(known, _)| *known == full(name)) {
        print(source);
        return Exit::Pass;
    }
    let found = standard::find(name);
    match found.as_slice() {
        [entry] => {
            let doc: String = entry.doc.iter().map(|line| format!("## {line}").trim_end().to_owned() + "\n").collect();
            print(&format!("# use {} ({})\n\n{doc}{}\n", entry.module, entry.name, entry.source));
            Exit::Pass
        }
        [] => {
            let entries = standard::entries();
            let names = entries.iter().map(|entry| entry.name.as_str()).chain(standard::modules().map(|(module, _)| module));
            refuse(&unknown("declaration or module", name, names))
        }
        several => {
            let names: Vec<String> = several.iter().map(|entry| format!("`{}.{}`", entry.module, entry.name)).collect();
            refuse(&format!("`{name}` is declared several times: write {}", names.join(" or ")))
        }
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let hint = nearest(name, known).map_or_else(|| "`scn std list` lists them all".to_owned(), |near| format!("did you mean `{near}`?"));
    format!("the standard library has no {what} `{name}`; {hint}")
}
