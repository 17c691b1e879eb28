//! Blocks of options: each said once (some several times), each with the words it takes. In: options of the tree. Out: their values
//! by name. Knows no option's meaning.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::Scope;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::source::Span;
use crate::syntax::tree::{Block, TreeOption};

/// The options of one kind of block.
pub struct Known {
    /// What has these options, with an article.
    pub what: &'static str,
    /// Those that may be said once.
    pub once: &'static [&'static str],
    /// Those that may be said several times.
    pub many: &'static [&'static str],
}

/// An option as it was said, and where its values are looked up: it may stand in a `for`.
#[derive(Debug, Clone)]
pub struct Said<'o> {
    /// The option.
    pub option: &'o TreeOption,
    /// The scope of its values.
    pub scope: Scope,
}

impl Said<'_> {
    /// Where its keyword stands.
    #[must_use]
    pub fn span(&self) -> Span {
        self.option.name.span
    }
}

/// What a block of options says.
#[derive(Debug, Default)]
pub struct Found<'o> {
    said: BTreeMap<&'static str, Vec<Said<'o>>>,
}

impl<'o> Found<'o> {
    /// An option that may be said once.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Said<'o>> {
        self.said.get(name)?.first()
    }

    /// An option that may be said several times.
    #[must_use]
    pub fn all(&self, name: &str) -> &[Said<'o>] {
        self.said.get(name).map_or(&[], Vec::as_slice)
    }
}

/// How an option is said that others call so, or that belongs elsewhere.
fn said_otherwise(text: &str, known: &Known) -> Option<String> {
    let is = |name: &str| known.once.contains(&name);
    match text {
        "latency" | "lag" if is("delay") => Some("did you mean `delay`?".to_owned()),
        "bandwidth" | "speed" if is("rate") && is("queue") => Some("did you mean `rate`?".to_owned()),
        "via" | "over" if known.what == "a flow" => {
            Some(format!("say it before the block: `flow NAME from a to b {text} {} {{ }}`", if text == "via" { "ping" } else { "udp" }))
        }
        "mtu" | "vlan" | "offload" if is("delay") => Some(format!("`{text}` is said of the link, not of what impairs it")),
        _ => None,
    }
}

impl Draft<'_, '_> {
    /// The options of a block by name; what is unknown or said twice is reported and left out.
    pub(super) fn options<'o>(&mut self, options: &'o Block<TreeOption>, known: &Known) -> Found<'o> {
        self.options_beside(options, known, |_| None)
    }

    /// The same; `elsewhere` tells of a word that is unknown here to which other block it belongs.
    pub(super) fn options_beside<'o>(
        &mut self,
        options: &'o Block<TreeOption>,
        known: &Known,
        elsewhere: impl Fn(&str) -> Option<String>,
    ) -> Found<'o> {
        let mut found = Found::default();
        self.each(options, |draft, option| {
            let (text, span) = (option.name.text.as_str(), option.name.span);
            let once = known.once.iter().find(|name| **name == text);
            let Some(name) = once.or_else(|| known.many.iter().find(|name| **name == text)) else {
                let near = || suggest(text, known.once.iter().chain(known.many).copied());
                let help = said_otherwise(text, known).or_else(|| elsewhere(text)).or_else(near);
                draft.context.raise(ResolveError::UnknownOption { what: known.what, name: text.into(), span, help });
                return;
            };
            let said = found.said.entry(*name).or_default();
            match said.first() {
                Some(first) if once.is_some() => {
                    let first = first.span();
                    draft.context.raise(ExpandError::OptionTwice { name: text.into(), span, first });
                }
                _ => said.push(Said { option, scope: draft.scope.clone() }),
            }
        });
        found
    }
}
