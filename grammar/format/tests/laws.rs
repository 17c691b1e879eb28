//! Laws that hold for every text: the same tokens, the same comments, the same tree, and nothing more to do the second time. In: the
//! project's texts, and these torn apart and put together with other blanks, new lines and semicolons.

use proptest::prelude::*;

use super::corpus::texts;
use super::*;
use crate::syntax::scan::{Scan, Statement, scan};

fn scanned(text: &str) -> Scan {
    let from = if text.starts_with('\u{feff}') { 3 } else { 0 };
    scan(FileId(0), text, from)
}

/// A text's tokens and braces, the end of every statement, and documentation, without what may be rewritten.
fn skeleton(text: &str) -> Vec<String> {
    fn walk(
        text: &str,
        statements: &[Statement],
        pieces: &mut std::iter::Peekable<std::slice::Iter<'_, std::ops::Range<usize>>>,
        out: &mut Vec<String>,
    ) {
        for statement in statements {
            out.extend(statement.doc.iter().map(|doc| format!("## {doc}")));
            while let Some(piece) = pieces.next_if(|piece| piece.start < statement.head.end) {
                let token = &text[piece.clone()];
                let next = pieces.peek().filter(|next| next.start < statement.head.end);
                let next = next.map(|next| (&text[next.start..next.end], text[piece.end..next.start].contains('\n')));
                if token == "," && matches!(next, Some((")" | "]", false))) {
                    continue;
                }
                match token.strip_suffix("bps") {
                    Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => {
                        out.extend([format!("{number}bit"), "/".to_owned(), "s".to_owned()]);
                    }
                    _ if token.contains('\n') => out.push(dedented(token)),
                    _ => out.push(token.to_owned()),
                }
            }
            if let Some(block) = &statement.block {
                out.push("{".to_owned());
                walk(text, &block.statements, pieces, out);
                out.push("}".to_owned());
            }
            out.push("end".to_owned());
        }
    }
    let scan = scanned(text);
    let mut out = Vec::new();
    walk(text, &scan.statements, &mut scan.tokens.iter().peekable(), &mut out);
    out
}

/// A text over lines as the language reads it.
fn dedented(token: &str) -> String {
    let start = token.find('"').unwrap() + 3;
    let lines = crate::syntax::literal::long_lines(token, start, token.len() - 3);
    let read: String = lines.iter().map(|(from, to, ends)| token[*from..*to].to_owned() + if *ends { "\n" } else { "" }).collect();
    format!("{}{read:?}", &token[..start])
}

fn comments(text: &str) -> Vec<String> {
    scanned(text).comments.iter().map(|comment| text[comment.clone()].to_owned()).collect()
}

/// The syntax tree without places, if the text can be read.
fn tree(text: &str) -> Option<String> {
    static PLACES: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| regex::Regex::new(r"Span \{[^}]*\}").unwrap());
    let (document, problems) = syntax::parse(FileId(0), text);
    problems.is_empty().then(|| PLACES.replace_all(&format!("{document:?}"), "").into_owned())
}

/// Pairs of neighbours of which the layout changed whether they touch are beside one of these.
const SIGNS: &str = ",()[]:=<>!+-*/.";

/// Words and literals that touch keep touching, and others stay apart.
fn assert_same_touch(text: &str, laid_out: &str) {
    let pairs = |text: &str| -> Vec<(String, bool)> {
        let scan = scanned(text);
        let pieces = scan.tokens.iter().zip(scan.tokens.iter().skip(1));
        let is_sign = |piece: &std::ops::Range<usize>| SIGNS.contains(&text[piece.clone()]);
        let of_interest = pieces.filter(|(a, b)| !is_sign(a) && !is_sign(b));
        of_interest.map(|(a, b)| (text[a.clone()].to_owned(), a.end == b.start)).filter(|(token, _)| !token.contains('\n')).collect()
    };
    assert_eq!(pairs(text), pairs(laid_out), "{text}");
}

/// Whether the laws hold; `None`: the text is refused, and so has no layout.
fn check(name: &str, text: &str) -> Option<()> {
    let laid_out = layout(FileId(0), text).ok()?;
    assert_eq!(scanned(&laid_out).problems, Vec::new(), "{name}:\n{text}\n---\n{laid_out}");
    assert_eq!(skeleton(&laid_out), skeleton(text), "{name}:\n{text}\n---\n{laid_out}");
    assert_eq!(comments(&laid_out), comments(text), "{name}:\n{text}\n---\n{laid_out}");
    let again = laid(&laid_out);
    assert!(again == laid_out, "{name}: the second time:\n{text}\n---\n{laid_out}\n---\n{again}");
    assert!(laid_out.is_empty() || (laid_out.ends_with('\n') && !laid_out.ends_with("\n\n") && !laid_out.starts_with('\n')), "{name}");
    if !text.contains("\"\"\"") && !text.contains("bps") {
        assert!(!laid_out.contains([' ', '\t']) || laid_out.lines().all(|line| line.trim_end() == line), "{name}:\n{laid_out}");
        // A carriage return inside a comment is the comment's.
        assert!(!laid_out.contains("\n\n\n") && !laid_out.contains("\r\n"), "{name}:\n{laid_out}");
        assert_same_touch(text, &laid_out);
    }
    if let Some(tree_before) = tree(text) {
        assert!(tree(&laid_out).is_some_and(|after| after == tree_before), "{name}:\n{text}\n---\n{laid_out}");
        assert_eq!(format(FileId(0), text).as_ref(), Ok(&laid_out), "{name}");
    }
    Some(())
}

#[test]
fn the_laws_hold_for_every_text_of_the_project() {
    let texts = texts();
    let lawful = texts.iter().filter(|(name, text)| check(name, text).is_some()).count();
    assert!(lawful > 100 && lawful * 10 > texts.len() * 8, "only {lawful} of {} have a layout", texts.len());
}

/// What can stand where blanks stood within a line.
const BLANKS: &[&str] = &["", " ", " ", " ", "  ", "     ", "\t", " \t "];
/// What can stand where a new line stood.
const NEW_LINES: &[&str] = &[
    "\n",
    "\n",
    "\n\n",
    "\n\n\n\n",
    "\r\n",
    "\n\t",
    " \n      ",
    ";",
    " ; ",
    ";\n",
    "\n;\n",
    " ",
    "\n# a comment\n",
    " # at the end\n",
    "\n## said\n",
];

/// The text with other blanks and new lines, as `choices` say, outside texts, regexes and comments.
fn shaken(text: &str, choices: &[u8]) -> String {
    let scan = scanned(text);
    let mut fixed: Vec<_> = scan.tokens.iter().chain(&scan.comments).cloned().collect();
    fixed.sort_by_key(|range| range.start);
    let mut choices = choices.iter().cycle().map(|choice| usize::from(*choice));
    let mut out = String::new();
    let mut at = 0;
    for range in fixed.into_iter().chain(std::iter::once(text.len()..text.len())) {
        let mut rest = &text[at..range.start];
        while let Some(c) = rest.chars().next() {
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            let choice = choices.next().unwrap_or(0);
            if blank == 0 {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            } else {
                let table = if rest[..blank].contains('\n') { NEW_LINES } else { BLANKS };
                // Mostly as it was, so that whole statements survive.
                let kept = if choice % 3 == 0 { table[choice / 3 % table.len()] } else { &rest[..blank] };
                out.push_str(kept);
                rest = &rest[blank..];
            }
        }
        out.push_str(&text[range.clone()]);
        at = range.end;
    }
    out
}

/// A run of lines of a text, so that a case is small.
fn excerpt(text: &str, from: usize, length: usize) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    if lines.len() < 40 {
        return text.to_owned();
    }
    let from = from % lines.len();
    lines[from..(from + length).min(lines.len())].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn the_laws_hold_however_a_text_is_spaced(which in 0usize..10_000, choices in proptest::collection::vec(any::<u8>(), 1..200)) {
        let texts = texts_once();
        let (name, text) = &texts[which % texts.len()];
        check(name, &shaken(text, &choices));
    }

    #[test]
    fn the_laws_hold_for_pieces_of_texts(which in 0usize..10_000, from in 0usize..1_000, length in 1usize..30, choices in proptest::collection::vec(any::<u8>(), 1..50)) {
        let texts = texts_once();
        let (name, text) = &texts[which % texts.len()];
        check(name, &shaken(&excerpt(text, from, length), &choices));
    }

    #[test]
    fn the_laws_hold_for_any_tokens(pieces in proptest::collection::vec(0usize..TOKENS.len(), 0..40)) {
        let text: String = pieces.iter().map(|piece| TOKENS[*piece]).collect();
        check("tokens", &text);
    }

    #[test]
    fn indentation_and_line_ends_of_the_author_count_for_nothing(which in 0usize..10_000, choices in proptest::collection::vec(0usize..9, 1..50)) {
        let texts = texts_once();
        let (name, text) = &texts[which % texts.len()];
        if text.contains("\"\"\"") || layout(FileId(0), text).is_err() {
            return Ok(());
        }
        let mut choices = choices.iter().cycle();
        let mut next = || choices.next().copied().unwrap_or(0);
        let lines = text.lines().map(|line| format!("{}{}{}", " ".repeat(next()), line.trim_start(), ["\n", "  \n", "\r\n", "\t\n"][next() % 4]));
        prop_assert_eq!(laid(&lines.collect::<String>()), laid(text), "{}", name);
    }
}

#[test]
fn a_keyword_behind_the_dots_of_a_range_is_one_however_it_is_spaced() {
    for text in ["let a = 1..else/x/\n", "let a = 1 .. else /x/\n"] {
        let tokens = scanned(text).tokens;
        assert!(tokens.iter().any(|token| &text[token.clone()] == "/x/"), "{text}: a regex follows `else`");
    }
}

fn texts_once() -> &'static [(String, String)] {
    static TEXTS: std::sync::LazyLock<Vec<(String, String)>> = std::sync::LazyLock::new(texts);
    &TEXTS
}

const TOKENS: &[&str] = &[
    " ",
    " ",
    " ",
    "  ",
    "    ",
    "\n",
    "\n",
    "\n\n\n",
    ";",
    "{",
    "}",
    " {",
    "}\n",
    "(",
    ")",
    "[",
    "]",
    ",",
    ":",
    ":",
    "::",
    ".",
    "..",
    "=",
    "==",
    "<->",
    "<",
    "-",
    "-",
    "+",
    "*",
    "/",
    "/x/",
    "10",
    "5",
    "a",
    "ab",
    "fe80",
    "s",
    "10Mbps",
    "1/s",
    "10.0.0.1/24",
    "param",
    "link",
    "use",
    "if",
    "else",
    "as",
    "for",
    "expects ",
    "%",
    "\"x\"",
    "r\"\\\"",
    "\"\"\"\n  a\n b\"\"\"",
    "\"\"\"\n \n\"\"\"",
    "# c\n",
    "## d\n",
    "`if`",
    "é",
    "\t",
    "\r\n",
    "scn 1\n",
    "delay 5ms",
    "within",
    "use\t",
    "use ",
    "matches ",
];
