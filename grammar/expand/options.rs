//! Blocks of options: each said once, each with the words it takes. In: options of the tree. Out: their values by name.
//! Knows no option's meaning.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::word;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::syntax::tree::{Block, Expr, TreeOption, plain};

/// The options of one kind of block.
pub struct Known {
    /// What has these options, with an article.
    pub what: &'static str,
    /// Those of this version.
    pub built: &'static [&'static str],
    /// Those of the language that this version has not.
    pub later: &'static [&'static str],
}

impl Draft<'_, '_> {
    /// The options of a block by name; what is unknown, not built yet or said twice is reported and left out.
    pub(super) fn options<'o>(&mut self, options: &'o Block<TreeOption>, known: &Known) -> BTreeMap<&'static str, &'o TreeOption> {
        let mut found: BTreeMap<&'static str, &'o TreeOption> = BTreeMap::new();
        for option in plain(options) {
            if self.context.is_full() {
                break;
            }
            let (text, span) = (option.name.text.as_str(), option.name.span);
            if let Some(name) = known.built.iter().find(|name| **name == text) {
                if let Some(first) = found.insert(name, option) {
                    self.context.raise(ExpandError::OptionTwice { name: text.into(), span, first: first.name.span });
                }
            } else if known.later.contains(&text) {
                self.context.raise(ExpandError::NotInThisVersion { what: format!("the option `{text}` of {}", known.what), span });
            } else {
                let help = suggest(text, known.built.iter().copied());
                self.context.raise(ResolveError::UnknownOption { what: known.what, name: text.into(), span, help });
            }
        }
        found
    }

    /// The one value of an option, after the given words: `reconnect after D` with `["after"]`.
    pub(super) fn single<'o>(&mut self, option: &'o TreeOption, words: &[&str], form: &str) -> Option<&'o Expr> {
        let (said, values) = option.values.split_at_checked(words.len()).unwrap_or((&[], &[]));
        let matches = said.iter().map(word).eq(words.iter().map(|w| Some(*w)));
        match values {
            [value] if matches && option.block.is_empty() => Some(value),
            _ => {
                let broken = option.values.iter().any(|v| matches!(v.kind, crate::syntax::tree::ExprKind::Broken));
                if !broken {
                    self.context.raise(ExpandError::OptionForm { name: option.name.text.clone(), form: form.into(), span: option.span });
                }
                None
            }
        }
    }
}
