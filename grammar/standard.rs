//! What the standard library declares, for people who look for it. In: the modules that come with the program. Out: their public
//! declarations with words, heads and sources. Resolves nothing.

use crate::resolve::load::STANDARD;
use crate::source::FileId;
use crate::syntax::parse;
use crate::syntax::tree::{Item, ItemKind};

/// A public declaration of the standard library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `std.patterns`.
    pub module: &'static str,
    /// `sym`.
    pub name: String,
    /// The keyword: `pattern`, `topology`, `action`, `check`, `fn`, `let`.
    pub kind: &'static str,
    /// Its head without the keyword: `sym(size: size = 64B)`; of a `let` or `fn` with its value.
    pub signature: String,
    /// The `##` lines over it.
    pub doc: Vec<String>,
    /// All of it as it is written, without the `##` lines.
    pub source: &'static str,
}

/// The modules: name and text.
pub fn modules() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    STANDARD.iter().map(|(module, _, text)| (*module, *text))
}

/// Every public declaration, module by module in the order of the text.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let of_module = |(module, text): (&'static str, &'static str)| {
        let (document, _) = parse(FileId::default(), text);
        document.items.iter().filter_map(move |item| entry(module, text, item)).collect::<Vec<_>>()
    };
    modules().flat_map(of_module).collect()
}

/// The declarations that a name means: `sym`, `patterns.sym` or `std.patterns.sym`. More than one: several modules have it.
#[must_use]
pub fn find(name: &str) -> Vec<Entry> {
    let full = |entry: &Entry| format!("{}.{}", entry.module, entry.name);
    let mut found = entries();
    found.retain(|entry| {
        let full = full(entry);
        full == name || full.strip_suffix(name).is_some_and(|before| before.ends_with('.'))
    });
    found
}

fn entry(module: &'static str, text: &'static str, item: &Item) -> Option<Entry> {
    let (kind, name) = (item.kind.keyword(), item.kind.name().filter(|_| !matches!(item.kind, ItemKind::Scenario(_)))?);
    if name.text.starts_with('_') {
        return None;
    }
    let source = text.get(item.span.start as usize..item.span.end as usize)?;
    let head = source.strip_prefix(kind)?;
    let head = if matches!(kind, "let" | "fn" | "secret") { head } else { head.split('{').next().unwrap_or(head) };
    let signature = head.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(").replace(" )", ")");
    Some(Entry { module, name: name.text.clone(), kind, signature, doc: item.doc.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_has_its_head_words_and_source() {
        let found = find("sym");
        let [sym] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((sym.module, sym.kind, sym.signature.as_str()), ("std.patterns", "pattern", "sym(size: size = 64B)"));
        assert!(sym.doc[0].starts_with("Both sides"), "{:?}", sym.doc);
        assert!(sym.source.starts_with("pattern sym") && sym.source.ends_with('}'), "{}", sym.source);
        assert_eq!((find("patterns.sym"), find("std.patterns.sym")), (found.clone(), found));
        assert_eq!(find("std.patterns.nothing"), []);
        assert_eq!(find("ym"), []);
    }

    #[test]
    fn private_names_are_not_listed() {
        assert!(entries().iter().all(|entry| !entry.name.starts_with('_')));
        assert!(entries().len() > 60, "{}", entries().len());
        for entry in entries() {
            assert!(!entry.signature.contains('\n') && entry.signature.starts_with(&entry.name), "{entry:?}");
        }
    }
}
