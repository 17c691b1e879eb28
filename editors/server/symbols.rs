//! The shape of a text: its declarations as a tree, and what can be folded. In: a text cut into statements. Out: symbols and ranges.

use lsp_types::{DocumentSymbol, FoldingRange, FoldingRangeKind, SymbolKind};
use scn_grammar::syntax::scan::{Scan, Statement};

use crate::outline::{Declared, outline};
use crate::positions::Lines;

/// The declarations of a text, those inside others under them.
#[must_use]
pub fn symbols(text: &str, scan: &Scan, lines: &Lines) -> Vec<DocumentSymbol> {
    let declared = outline(text, scan);
    // Parameters and the names of loops stand in their statement and would only hide the rest.
    let shown: Vec<&Declared> = declared.iter().filter(|d| d.what != "a module" && !text[d.whole.clone()].starts_with("for ")).collect();
    let mut rest = shown.as_slice();
    under(&mut rest, text.len(), text, lines)
}

/// The declarations that begin before a byte, each with those inside it.
fn under(rest: &mut &[&Declared], end: usize, text: &str, lines: &Lines) -> Vec<DocumentSymbol> {
    let mut found = Vec::new();
    while let Some((first, others)) = rest.split_first() {
        if first.span.start >= end {
            break;
        }
        *rest = others;
        // Names of one statement (`node a, b`) stand beside each other; what a statement's braces and parentheses hold is under its name.
        let one = others.first().is_some_and(|next| next.whole == first.whole && next.what == first.what);
        let children = if one { Vec::new() } else { under(rest, first.whole.end, text, lines) };
        found.push(symbol(first, children, text, lines));
    }
    found
}

fn symbol(declared: &Declared, children: Vec<DocumentSymbol>, text: &str, lines: &Lines) -> DocumentSymbol {
    let range = lines.range(text, declared.whole.start, declared.whole.end);
    #[expect(deprecated, reason = "the protocol's type has the old field `deprecated`, which has to be named")]
    DocumentSymbol {
        name: declared.name.clone(),
        detail: Some(declared.what.trim_start_matches("an ").trim_start_matches("a ").to_owned()),
        kind: kind(declared.what),
        tags: None,
        deprecated: None,
        range,
        selection_range: lines.range(text, declared.span.start, declared.span.end),
        children: (!children.is_empty()).then_some(children),
    }
}

/// The nearest kind of the protocol.
fn kind(what: &str) -> SymbolKind {
    match what {
        "a scenario" => SymbolKind::CLASS,
        "a function" | "a pattern" | "an action" | "a check" => SymbolKind::FUNCTION,
        "a topology" | "an instance of a topology" => SymbolKind::MODULE,
        "a value" => SymbolKind::CONSTANT,
        "an event" => SymbolKind::EVENT,
        "a link" => SymbolKind::INTERFACE,
        "a flow" | "a stress" => SymbolKind::METHOD,
        "a service" | "a process" | "a node" => SymbolKind::OBJECT,
        _ => SymbolKind::VARIABLE,
    }
}

/// Blocks over several lines, and several lines of comments.
#[must_use]
pub fn folds(text: &str, scan: &Scan, lines: &Lines) -> Vec<FoldingRange> {
    let mut found = Vec::new();
    blocks(&scan.statements, lines, &mut found);
    let mut comments: Vec<(usize, usize)> = Vec::new();
    for comment in &scan.comments {
        let line = lines.line(comment.start);
        let alone = text[..comment.start].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
        match comments.last_mut() {
            Some((_, last)) if alone && *last + 1 == line => *last = line,
            _ if alone => comments.push((line, line)),
            _ => {}
        }
    }
    found.extend(
        comments.into_iter().filter(|(first, last)| last > first).map(|(first, last)| fold(first, last, FoldingRangeKind::Comment)),
    );
    found.sort_by_key(|fold| (fold.start_line, fold.end_line));
    found
}

fn blocks(statements: &[Statement], lines: &Lines, found: &mut Vec<FoldingRange>) {
    for statement in statements {
        let Some(block) = &statement.block else { continue };
        let (first, last) = (lines.line(block.open), lines.line(block.close.saturating_sub(1)));
        // The closing brace stays in sight.
        if last > first + 1 {
            found.push(fold(first, last - 1, FoldingRangeKind::Region));
        }
        blocks(&block.statements, lines, found);
    }
}

fn fold(first: usize, last: usize, kind: FoldingRangeKind) -> FoldingRange {
    let number = |line: usize| u32::try_from(line).unwrap_or(u32::MAX);
    FoldingRange { start_line: number(first), end_line: number(last), kind: Some(kind), ..FoldingRange::default() }
}
