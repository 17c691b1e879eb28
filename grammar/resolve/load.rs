//! Brings in what a file uses. In: a parsed file and the caller's loader. Out: every file of the check, each after those it uses.
//! Opens nothing itself; the standard library is part of the program.

use std::collections::BTreeMap;

use super::ResolveError;
use super::suggest::suggest;
use crate::diagnostics::Diagnostic;
use crate::expand::error::ExpandError;
use crate::source::{FileId, Sources, Span};
use crate::syntax::parse;
use crate::syntax::tree::{Document, ItemKind, Name, Use, UseFrom};
use crate::{Load, LoadedText, NotLoaded};

/// Files that use files that use files: at most so many.
const CHAIN_LIMIT: usize = 64;
/// Files of one check: at most so many.
const FILE_LIMIT: usize = 1_000;

/// The standard library: module, name to show, text. Made of the files in `stdlib/`.
pub const STANDARD: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/stdlib.rs"));

/// The text with one of each sort of thing, for templates that nobody calls.
pub const SAMPLE: &str = "std/sample";
/// The module with the pattern of flows that say none.
pub const DEFAULT_PATTERNS: &str = "std/patterns.scn";

/// One file of the check.
#[derive(Debug)]
pub struct Loaded {
    /// The name to show it by.
    pub name: String,
    /// What it says.
    pub document: Document,
    /// For each `use` in the order of the text: the position of the file it names; `None`: not found, which was reported.
    pub uses: Vec<Option<usize>>,
}

/// Files in the order in which they were finished, and the way to the one being loaded.
struct Loading<'a> {
    sources: &'a mut Sources,
    load: &'a mut dyn Load,
    problems: &'a mut Vec<Diagnostic>,
    done: Vec<Loaded>,
    positions: BTreeMap<String, usize>,
    chain: Vec<String>,
}

/// Parses a file and everything it uses. The file itself comes last, the standard patterns first.
pub fn load_all(sources: &mut Sources, file: FileId, load: &mut dyn Load, problems: &mut Vec<Diagnostic>) -> Vec<Loaded> {
    let name = sources.get(file).name.clone();
    let mut loading = Loading { sources, load, problems, done: Vec::new(), positions: BTreeMap::new(), chain: Vec::new() };
    if let Some((_, shown, text)) = STANDARD.iter().find(|(_, shown, _)| *shown == DEFAULT_PATTERNS) {
        loading.take(shown, text);
    }
    loading.file(file, &name);
    let templates =
        |item: &crate::syntax::tree::Item| matches!(item.kind, ItemKind::Topology(_) | ItemKind::Action(_) | ItemKind::Check(_));
    if loading.done.last().is_some_and(|checked| checked.document.items.iter().any(templates)) {
        loading.take(SAMPLE, include_str!("../expand/sample.scn"));
        let last = loading.done.len() - 1;
        loading.done.swap(last, last - 1);
    }
    loading.done
}

/// A module of this name comes with the program.
#[must_use]
pub fn is_standard(name: &str) -> bool {
    STANDARD.iter().any(|(module, ..)| *module == name)
}

/// The module of the standard library that declares a name with a keyword: `pattern`, `check`.
#[must_use]
pub fn standard_with(keyword: &str, name: &str) -> Option<&'static str> {
    let declares = |line: &str| {
        let rest = line.strip_prefix(keyword).and_then(|rest| rest.strip_prefix(' ')).and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    };
    STANDARD.iter().find(|(.., text)| text.lines().any(declares)).map(|(module, ..)| *module)
}

/// `topologies` of `./topologies.scn`: the word a file is qualified with.
pub(crate) fn stem(path: &str) -> Option<&str> {
    let last = path.rsplit('/').next()?;
    let stem = last.strip_suffix(".scn").unwrap_or(last);
    let plain =
        stem.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && stem.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then_some(stem)
}

impl Loading<'_> {
    /// Adds a text and parses it with what it uses.
    fn take(&mut self, name: &str, text: &str) -> usize {
        let file = self.sources.add(name, text);
        self.file(file, name)
    }

    /// Parses a text and what it uses.
    fn file(&mut self, file: FileId, name: &str) -> usize {
        let text = self.sources.get(file).text.clone();
        let (document, found) = parse(file, &text);
        self.problems.extend(found);
        self.chain.push(name.to_owned());
        let used: Vec<Use> =
            document.items.iter().filter_map(|i| if let ItemKind::Use(used) = &i.kind { Some(used.clone()) } else { None }).collect();
        let uses = used.iter().map(|used| self.used(used, name)).collect();
        self.chain.pop();
        self.done.push(Loaded { name: name.to_owned(), document, uses });
        self.positions.insert(name.to_owned(), self.done.len() - 1);
        self.done.len() - 1
    }

    /// The position of what a `use` names.
    fn used(&mut self, used: &Use, by: &str) -> Option<usize> {
        match &used.from {
            UseFrom::Module(words) => self.module(words, by),
            UseFrom::File(path) => self.other_file(&path.value, path.span, by),
        }
    }

    /// A module of the standard library or of a dependency.
    fn module(&mut self, words: &[Name], by: &str) -> Option<usize> {
        let (first, last) = (words.first()?, words.last()?);
        let (name, span) = (words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join("."), first.span.to(last.span));
        if first.text != "std" {
            let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            return match self.load.module(&words, by) {
                Ok(found) => self.other(found, span),
                Err(NotLoaded { code, reason, help }) => {
                    let problem: Diagnostic = ResolveError::UnreadableModule { name, reason, span }.into();
                    self.problems.push(problem.instead(code, help));
                    None
                }
            };
        }
        let Some((_, shown, text)) = STANDARD.iter().find(|(module, ..)| *module == name) else {
            let help = suggest(&name, STANDARD.iter().map(|(module, ..)| *module));
            self.problems.push(ResolveError::UnknownModule { name, span, help }.into());
            return None;
        };
        Some(match self.positions.get(*shown) {
            Some(position) => *position,
            None => self.take(shown, text),
        })
    }

    /// A file beside the one that uses it.
    fn other_file(&mut self, path: &str, span: Span, by: &str) -> Option<usize> {
        match self.load.file(path, by) {
            Ok(found) => self.other(found, span),
            Err(NotLoaded { code, reason, help }) => {
                let problem: Diagnostic = ResolveError::UnreadableFile { name: path.into(), reason, span }.into();
                self.problems.push(problem.instead(code, help));
                None
            }
        }
    }

    /// Takes in what another file uses, once.
    fn other(&mut self, LoadedText { name, text }: LoadedText, span: Span) -> Option<usize> {
        if let Some(position) = self.positions.get(&name) {
            return Some(*position);
        }
        if let Some(start) = self.chain.iter().position(|open| *open == name) {
            let mut chain: Vec<&str> = self.chain[start..].iter().map(String::as_str).collect();
            chain.push(&name);
            self.problems.push(ResolveError::ImportCycle { chain: chain.join(" -> "), span }.into());
            return None;
        }
        let (files, limit) =
            if self.chain.len() >= CHAIN_LIMIT { (self.chain.len() + 1, CHAIN_LIMIT) } else { (self.done.len() + 1, FILE_LIMIT) };
        if files > limit {
            self.problems
                .push(ExpandError::TooLarge { what: "files that use each other", count: files as u64, limit: limit as u64, span }.into());
            return None;
        }
        Some(self.take(&name, &text))
    }
}
