//! What can be written at a place. In: a document, its last check, a byte. Out: words with what they mean, the likeliest first. Offers what
//! the tables and the declarations hold; whether it fits in the end is the check's question.

use lsp_types::{CompletionItem, CompletionItemKind, Documentation, MarkupContent, MarkupKind};
use scn_grammar::quantity::{Dimension, parse_literal, units_of};
use scn_grammar::syntax::scan::Scan;
use scn_grammar::words::{self, Word, WordKind};

use crate::analysis::Analysis;
use crate::cursor::{Cursor, cursor, cut, path_before};
use crate::hover::measured;
use crate::outline::{Declared, outline};
use crate::places::beside;

/// What can stand at a byte.
#[must_use]
pub fn complete(text: &str, scan: &Scan, analysis: Option<&Analysis>, byte: usize) -> Vec<CompletionItem> {
    let at = cursor(text, scan, byte);
    if at.quoted {
        return Vec::new();
    }
    let typed = at.word.start..byte;
    let place = Place { text, at: &at, typed: typed.start, outline: outline(text, scan), analysis };
    let head = text.get(at.start.min(typed.start)..typed.start).unwrap_or("").trim_start();
    if text[typed.clone()].starts_with(|c: char| c.is_ascii_digit()) {
        return place.units(byte);
    }
    if head.starts_with("use ") && at.heads.is_empty() {
        return place.imports(head);
    }
    if text[..typed.start].ends_with('.') {
        return place.members();
    }
    match head.split_whitespace().next_back() {
        Some("over") => simple(words::transports(), CompletionItemKind::ENUM_MEMBER, "a transport"),
        Some("via") if head.starts_with("flow") || head.starts_with("via") => {
            simple(words::tools(), CompletionItemKind::ENUM_MEMBER, "a tool")
        }
        Some(last) if last.ends_with(':') && place.takes_types(head) => {
            simple(words::types().iter().copied(), CompletionItemKind::TYPE_PARAMETER, "a type")
        }
        _ => place.words(head),
    }
}

struct Place<'a> {
    text: &'a str,
    at: &'a Cursor<'a>,
    /// Where the word begins that is being written.
    typed: usize,
    outline: Vec<Declared>,
    analysis: Option<&'a Analysis>,
}

fn item(label: &str, kind: CompletionItemKind, detail: &str, doc: &str, rank: u8) -> CompletionItem {
    let documentation =
        (!doc.is_empty()).then(|| Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value: doc.to_owned() }));
    CompletionItem {
        label: label.to_owned(),
        kind: Some(kind),
        detail: (!detail.is_empty()).then(|| detail.to_owned()),
        documentation,
        sort_text: Some(format!("{rank}{label}")),
        ..CompletionItem::default()
    }
}

fn simple<'w>(words: impl Iterator<Item = &'w str>, kind: CompletionItemKind, detail: &str) -> Vec<CompletionItem> {
    words.map(|word| item(word, kind, detail, "", 0)).collect()
}

/// A declaration as it is offered.
fn offered(declared: &Declared, rank: u8) -> CompletionItem {
    let kind = match declared.what {
        "a function" | "a pattern" | "an action" | "a check" | "a topology" => CompletionItemKind::FUNCTION,
        "an event" => CompletionItemKind::EVENT,
        "a module" | "an instance of a topology" => CompletionItemKind::MODULE,
        "a value" => CompletionItemKind::CONSTANT,
        _ => CompletionItemKind::VARIABLE,
    };
    item(&declared.name, kind, declared.what, &declared.doc.join("\n"), rank)
}

impl Place<'_> {
    /// After a number: the units of what is expected, otherwise all.
    fn units(&self, byte: usize) -> Vec<CompletionItem> {
        let part = |c: char| c.is_ascii_alphanumeric() || ".%/".contains(c);
        let start = self.text[..byte].rfind(|c| !part(c)).map_or(0, |at| at + self.text[at..].chars().next().map_or(1, char::len_utf8));
        let written = &self.text[start..byte];
        let written = written.rsplit("..").next().unwrap_or(written);
        let number = written.find(|c: char| c.is_ascii_alphabetic() || c == '%' || c == '/').map_or(written, |at| &written[..at]);
        let expected = self.expected();
        let all = [Dimension::Duration, Dimension::Size, Dimension::Bandwidth, Dimension::Rate, Dimension::Ratio];
        let wanted: Vec<Dimension> = expected.map_or(all.to_vec(), |one| vec![one]);
        let unit = |dimension: Dimension| {
            units_of(dimension).into_iter().map(move |unit| CompletionItem {
                // The editor takes the word before the cursor, digits too, as what is replaced.
                filter_text: Some(format!("{number}{unit}")),
                insert_text: Some(format!("{}{unit}", number.rsplit('.').next().unwrap_or(number))),
                ..item(&format!("{number}{unit}"), CompletionItemKind::UNIT, dimension.word(), "", 0)
            })
        };
        wanted.into_iter().flat_map(unit).collect()
    }

    /// The dimension that the statement expects of a number: that of the metric it is compared with, or of its option.
    fn expected(&self) -> Option<Dimension> {
        let head = self.text.get(self.at.start..self.typed)?;
        let compared =
            head.trim_end_matches(|c: char| c.is_ascii_digit() || ". ".contains(c)).trim_end_matches(['<', '>', '=', '!']).trim_end();
        if compared.len() < head.trim_end().len() && head.contains(['<', '>', '=']) {
            let path = path_before(compared, compared.len());
            if let Some((what, name)) = measured(self.text, &self.outline, &path, self.typed) {
                return words::dimension_of(what, &name);
            }
        }
        let known = words::known(&self.at.heads);
        let option = head.split_whitespace().rev().find(|word| known.iter().any(|(name, _)| name == word))?;
        if option == "at" || option == "every" || option == "when" {
            return Some(Dimension::Duration);
        }
        let form = words::explain(&self.at.heads, option)?.form;
        form.split_whitespace().skip(1).find_map(|word| parse_literal(word).ok()).map(|quantity| quantity.dimension)
    }

    /// In a `use`: modules, and what they declare.
    fn imports(&self, head: &str) -> Vec<CompletionItem> {
        let said = head["use ".len()..].trim_start();
        if let Some((from, _)) = said.split_once('(') {
            return self.exported(from.trim()).map(|text| exports(&text)).unwrap_or_default();
        }
        let modules = words::standard_modules().map(|(name, _)| name);
        match said.split_once('.') {
            None => simple(std::iter::once("std"), CompletionItemKind::MODULE, "the library that comes with scn"),
            Some(("std", _)) => simple(modules.filter_map(|name| name.strip_prefix("std.")), CompletionItemKind::MODULE, "a module"),
            Some(_) => Vec::new(),
        }
    }

    /// The text of what `use` names: `std.patterns`, `"./x.scn"`, `acme.lab`.
    fn exported(&self, from: &str) -> Option<String> {
        if let Some((_, text)) = words::standard_modules().find(|(name, _)| *name == from) {
            return Some(text.to_owned());
        }
        let analysis = self.analysis?;
        let own = &analysis.sources.get(analysis.file).name;
        let library = from.split_once('.').unwrap_or((from, from));
        let is = |name: &str| match from.strip_prefix('"') {
            Some(path) => name == beside(path.trim_end_matches('"'), own),
            // `acme 1.2.0/lab.scn`
            None => name.split(' ').next() == Some(library.0) && name.ends_with(&format!("/{}.scn", library.1.replace('.', "/"))),
        };
        analysis.files().map(|file| analysis.sources.get(file)).find(|source| is(&source.name)).map(|source| source.text.to_string())
    }

    /// After a dot: what a module declares, or what can be measured of a thing.
    fn members(&self) -> Vec<CompletionItem> {
        let path = path_before(self.text, self.typed);
        if let Some((what, begun)) = measured(self.text, &self.outline, &path, self.typed) {
            let begun = if begun.is_empty() { begun } else { format!("{begun}.") };
            let ways = ["forward", "back"].into_iter().filter(|_| what == "a link" && begun.is_empty() && path.len() == 1);
            let ways = ways.map(|way| item(way, CompletionItemKind::FIELD, "one way of the link", "", 1));
            let metrics = words::metrics_of(what).into_iter().filter_map(|metric| {
                let rest = metric.name.strip_prefix(&begun)?;
                Some(item(rest, CompletionItemKind::FIELD, &metric.form, &metric.doc, 0))
            });
            return metrics.chain(ways).collect();
        }
        self.module_of(&path).and_then(|from| self.exported(&from)).map(|text| exports(&text)).unwrap_or_default()
    }

    /// What the `use` of a qualifier names.
    fn module_of(&self, path: &[&str]) -> Option<String> {
        let qualifier = path.join(".");
        let uses = self.text.lines().map(str::trim).filter_map(|line| line.strip_prefix("use "));
        for used in uses {
            let (from, alias) = used.split_once(" as ").map_or((used, None), |(from, alias)| (from, Some(alias.trim())));
            let from = from.split('(').next().unwrap_or(from).trim();
            let last = from.trim_matches('"').rsplit(['.', '/']).find(|word| *word != "scn");
            let called = alias.is_some_and(|alias| alias == qualifier) || alias.is_none() && last == Some(&qualifier) || from == qualifier;
            if called {
                return Some(from.to_owned());
            }
        }
        None
    }

    /// Whether a type stands behind the colon: in a parameter.
    fn takes_types(&self, head: &str) -> bool {
        let first = head.split_whitespace().next().unwrap_or("");
        first == "param" || ["fn", "pattern", "topology", "action", "check"].contains(&first) && head.contains('(')
    }

    /// The words of the language and the names that can stand here.
    fn words(&self, head: &str) -> Vec<CompletionItem> {
        let starts = head.is_empty();
        let known = words::beginning(&self.at.heads);
        let options = known.iter().any(|word| word.kind == WordKind::Option);
        let of_place = known.into_iter().filter(|word| match word.kind {
            WordKind::Statement => starts,
            WordKind::Verb => true,
            // Options may stand behind one another on a line.
            WordKind::Option | WordKind::Metric => starts || options,
        });
        let mut items: Vec<CompletionItem> = of_place.map(|word| of_language(&word)).collect();
        if self.at.heads.is_empty() && starts {
            return items;
        }
        let visible =
            self.outline.iter().filter(|d| d.scope.start <= self.typed && self.typed <= d.scope.end && d.span.start != self.typed);
        let rank = u8::from(starts);
        items.extend(visible.filter(|declared| declared.what != "a scenario").map(|declared| offered(declared, rank)));
        if !starts {
            items.extend(simple(words::functions(), CompletionItemKind::FUNCTION, "a function"));
            items.extend(self.imported());
        }
        items.sort_by(|a, b| a.sort_text.cmp(&b.sort_text));
        items.dedup_by(|a, b| a.label == b.label);
        items
    }

    /// The names that a `use` brings in.
    fn imported(&self) -> Vec<CompletionItem> {
        let uses = self.text.lines().map(str::trim).filter_map(|line| line.strip_prefix("use "));
        let mut found = Vec::new();
        for used in uses {
            let from = used.split(" as ").next().unwrap_or(used);
            match from.split_once('(') {
                Some((_, names)) => {
                    let names = names.trim_end().trim_end_matches(')').split(',').map(str::trim).filter(|name| !name.is_empty());
                    found.extend(simple(names, CompletionItemKind::FUNCTION, "imported"));
                }
                None if used == from => {
                    let last = from.trim().trim_matches('"').rsplit(['.', '/']).find(|word| *word != "scn");
                    found.extend(simple(last.into_iter(), CompletionItemKind::MODULE, "a module"));
                }
                None => {}
            }
        }
        found
    }
}

/// What another file may use of a text.
fn exports(text: &str) -> Vec<CompletionItem> {
    let scan = cut(text);
    let outline = outline(text, &scan);
    let top = outline.iter().filter(|d| d.scope == (0..text.len()) && !d.name.starts_with('_'));
    top.filter(|d| !["a scenario", "a module"].contains(&d.what))
        .map(|declared| {
            let mut found = offered(declared, 0);
            found.detail = text.get(declared.head.clone()).map(|head| head.split_whitespace().collect::<Vec<_>>().join(" "));
            found
        })
        .collect()
}

/// A word of the language as it is offered.
fn of_language(word: &Word) -> CompletionItem {
    let kind = match word.kind {
        WordKind::Option => CompletionItemKind::PROPERTY,
        WordKind::Metric => CompletionItemKind::FIELD,
        WordKind::Statement | WordKind::Verb => CompletionItemKind::KEYWORD,
    };
    item(&word.name, kind, &word.form, &word.doc, 0)
}
