//! Blocks of options: each said once, each with the words it takes. In: options of the tree. Out: their values by name.
//! Knows no option's meaning.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Scope, word};
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

/// An option and where its names are looked up.
pub struct Said<'o> {
    /// The option.
    pub option: &'o TreeOption,
    /// Where its names are looked up.
    pub scope: Scope,
}

/// The options of one block.
pub struct Found<'o>(BTreeMap<&'static str, Vec<Said<'o>>>);

impl<'o> Found<'o> {
    /// The option of a name.
    pub fn get(&self, name: &str) -> Option<&Said<'o>> {
        self.0.get(name)?.first()
    }

    /// All options of a name, in the order of the text.
    pub fn all(&self, name: &str) -> &[Said<'o>] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// Options that may stand several times.
const REPEATED: &[&str] = &["path", "header", "sysctl", "vlan", "drop"];

impl Draft<'_, '_> {
    /// The options of a block by name; what is unknown or said twice is reported and left out.
    pub(super) fn options<'o>(&mut self, options: &'o Block<TreeOption>, known: &Known) -> Found<'o> {
        let mut found: BTreeMap<&'static str, Vec<Said<'o>>> = BTreeMap::new();
        for option in plain(options) {
            if self.context.is_full() {
                break;
            }
            let (text, span) = (option.name.text.as_str(), option.name.span);
            if let Some(name) = known.built.iter().find(|name| **name == text) {
                let all = found.entry(name).or_default();
                if let Some(first) = all.first().filter(|_| !REPEATED.contains(name)) {
                    self.context.raise(ExpandError::OptionTwice { name: text.into(), span, first: first.option.name.span });
                } else {
                    all.push(Said { option, scope: self.scope.clone() });
                }
            } else {
                let help = suggest(text, known.built.iter().copied());
                self.context.raise(ResolveError::UnknownOption { what: known.what, name: text.into(), span, help });
            }
        }
        Found(found)
    }
}
