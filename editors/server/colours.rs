//! What each word of a text is, for colours. In: a text cut into statements. Out: semantic tokens, each counted from the one before, as
//! the protocol wants them. Needs no check, so colours follow each key.

use std::collections::BTreeMap;
use std::ops::Range;

use lsp_types::SemanticToken;
use scn_grammar::syntax::scan::{Scan, Statement};
use scn_grammar::words::{self, WordKind};

use crate::outline::{Declared, outline};
use crate::positions::Lines;

/// The sorts of tokens, in the order of their numbers.
pub const SORTS: &[&str] =
    &["comment", "string", "regexp", "number", "keyword", "property", "function", "variable", "parameter", "class", "event", "namespace"];
/// The one modifier.
pub const MODIFIERS: &[&str] = &["declaration"];

/// Words between values, in whatever statement.
const SMALL: &[&str] = &[
    "use", "as", "from", "to", "on", "over", "via", "in", "for", "if", "then", "else", "and", "or", "not", "matches", "within", "after",
    "before", "during", "sampled", "every", "stays", "way", "one", "env", "at", "when", "require", "note", "always", "never",
];

/// The tokens of a text that begin in a part of it. An editor asks for what it shows.
#[must_use]
pub fn tokens(text: &str, scan: &Scan, lines: &Lines, shown: &Range<usize>) -> Vec<SemanticToken> {
    let comments = scan.comments.iter().filter(|comment| shown.contains(&comment.start));
    let mut sorts: Vec<(Range<usize>, &str, bool)> = comments.map(|comment| (comment.clone(), "comment", false)).collect();
    let outline = outline(text, scan);
    let mut names: BTreeMap<&str, Vec<&Declared>> = BTreeMap::new();
    let seen = outline.iter().filter(|declared| declared.scope.start < shown.end && shown.start < declared.scope.end);
    seen.for_each(|declared| names.entry(&declared.name).or_default().push(declared));
    // The scopes of a name do not overlap but for one around them all: the innermost that holds a place begins last.
    names.values_mut().for_each(|all| all.sort_by_key(|declared| declared.scope.start));
    let mut painter = Painter { text, tokens: &scan.tokens, names, shown: shown.clone(), sorts: &mut sorts };
    painter.statements(&scan.statements, &mut Vec::new());
    sorts.sort_by_key(|(range, ..)| range.start);
    counted(text, lines, &sorts)
}

struct Painter<'t> {
    text: &'t str,
    tokens: &'t [Range<usize>],
    /// By name, in the order of the starts of their scopes.
    names: BTreeMap<&'t str, Vec<&'t Declared>>,
    shown: Range<usize>,
    sorts: &'t mut Vec<(Range<usize>, &'static str, bool)>,
}

impl<'t> Painter<'t> {
    fn statements(&mut self, statements: &[Statement], heads: &mut Vec<&'t str>) {
        let known = words::known(heads);
        for statement in statements {
            if statement.head.start >= self.shown.end || statement.whole().end <= self.shown.start {
                continue;
            }
            let head = &statement.head;
            let from = self.tokens.partition_point(|token| token.start < head.start);
            let count = self.tokens[from..].partition_point(|token| token.start < head.end);
            let all = self.tokens;
            let tokens = &all[from..from + count];
            for (at, token) in tokens.iter().enumerate().filter(|(_, token)| self.shown.contains(&token.start)) {
                let before = at.checked_sub(1).map_or("", |at| &self.text[tokens[at].clone()]);
                let after = tokens.get(at + 1).map_or("", |next| &self.text[next.clone()]);
                if let Some((sort, declares)) = self.sort(token, at, before, after, &known) {
                    self.sorts.push((token.clone(), sort, declares));
                }
            }
            if let Some(block) = &statement.block {
                heads.push(self.text.get(head.clone()).unwrap_or(""));
                self.statements(&block.statements, heads);
                heads.pop();
            }
        }
    }

    /// The sort of a token, and whether it declares a name.
    fn sort(&self, token: &Range<usize>, at: usize, before: &str, after: &str, known: &[(&str, WordKind)]) -> Option<(&'static str, bool)> {
        let word = &self.text[token.clone()];
        let first = word.chars().next()?;
        if word.ends_with('"') || first == '"' {
            return Some(("string", false));
        }
        if first == '/' && word.len() > 1 {
            return Some(("regexp", false));
        }
        if first.is_ascii_digit() {
            return Some(("number", false));
        }
        if !(first.is_ascii_alphabetic() || first == '_' || first == '`') {
            return None;
        }
        let declared = self.declared(word.trim_matches('`'), token);
        if let Some(here) = declared.filter(|declared| declared.span == *token) {
            return Some((sort_of(here.what), true));
        }
        if before == "." {
            return Some(if after == "(" { ("function", false) } else { ("property", false) });
        }
        let of_place = known.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind);
        match of_place {
            Some(WordKind::Statement) if at == 0 => return Some(("keyword", false)),
            // A verb stands behind its time, an option behind another one.
            Some(WordKind::Verb) if after != "." => return Some(("keyword", false)),
            Some(WordKind::Option) if at == 0 || declared.is_none() => return Some(("property", false)),
            _ => {}
        }
        if let Some(one) = declared {
            return Some((sort_of(one.what), false));
        }
        if SMALL.contains(&word) || (at == 0 && word == "scn") {
            return Some(("keyword", false));
        }
        (after == "(").then_some(("function", false))
    }
}

impl<'t> Painter<'t> {
    /// What a name means at a token: what the token itself declares, or else the innermost scope's.
    fn declared(&self, name: &str, token: &Range<usize>) -> Option<&'t Declared> {
        let all = self.names.get(name)?;
        let begun = &all[..all.partition_point(|declared| declared.scope.start <= token.start)];
        let mut around = begun.iter().rev().copied().filter(|declared| token.end <= declared.scope.end).peekable();
        let innermost = *around.peek()?;
        let same = around.take_while(|declared| declared.scope == innermost.scope);
        Some(same.into_iter().find(|declared| declared.span == *token).unwrap_or(innermost))
    }
}

fn sort_of(what: &str) -> &'static str {
    match what {
        "a scenario" => "class",
        "a function" | "a pattern" | "an action" | "a check" | "a topology" => "function",
        "a parameter" => "parameter",
        "an event" => "event",
        "a module" => "namespace",
        _ => "variable",
    }
}

/// Each token counted from the one before; one over several lines is cut at their ends.
fn counted(text: &str, lines: &Lines, sorts: &[(Range<usize>, &str, bool)]) -> Vec<SemanticToken> {
    let (mut line, mut column) = (0, 0);
    let mut found = Vec::new();
    for (range, sort, declares) in sorts {
        let mut start = range.start;
        for part in text[range.clone()].split_inclusive('\n') {
            let shown = part.trim_end_matches(['\n', '\r']);
            let at = lines.position(text, start);
            start += part.len();
            let length: usize = shown.chars().map(char::len_utf16).sum();
            if length == 0 {
                continue;
            }
            let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            found.push(SemanticToken {
                delta_line: at.line - line,
                delta_start: if at.line == line { at.character - column } else { at.character },
                length: number(length),
                token_type: number(SORTS.iter().position(|known| known == sort).unwrap_or(0)),
                token_modifiers_bitset: u32::from(*declares),
            });
            (line, column) = (at.line, at.character);
        }
    }
    found
}
