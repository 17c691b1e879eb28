//! Where a cursor stands: the statement, the braces around it, the word and the path before it. In: a text cut into statements, a byte.
//! Out: what completion and hover need to know. Works on texts that are half written.

use std::ops::Range;

use scn_grammar::source::FileId;
use scn_grammar::syntax::scan::{Scan, Statement, scan};

/// What is written around a cursor.
#[derive(Debug)]
pub struct Cursor<'a> {
    /// The words before each pair of braces around it, the outermost first.
    pub heads: Vec<&'a str>,
    /// Where the statement before it or around it begins; its own byte if none is begun.
    pub start: usize,
    /// The word it stands in or behind: letters, digits, underscores.
    pub word: Range<usize>,
    /// In a comment, a text or a regex.
    pub quoted: bool,
}

/// Cuts a text into statements.
#[must_use]
pub fn cut(text: &str) -> Scan {
    let from = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    scan(FileId(0), text, from)
}

/// Part of a word.
pub fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The word around a byte.
#[must_use]
pub fn word_at(text: &str, byte: usize) -> Range<usize> {
    let start = text[..byte].rfind(|c| !is_word(c)).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
    let end = text[byte..].find(|c| !is_word(c)).map_or(text.len(), |at| byte + at);
    start..end
}

/// The words with dots between them that end at a byte: `steady.latency.` before the cursor is `steady`, `latency`, without indices.
#[must_use]
pub fn path_before(text: &str, dot: usize) -> Vec<&str> {
    let (mut words, mut end) = (Vec::new(), dot);
    // A name has few parts; more are not looked at.
    for _ in 0..16 {
        let before = text[..end].strip_suffix('.').unwrap_or(&text[..end]);
        let before = if before.ends_with(']') { &before[..before.rfind('[').unwrap_or(0)] } else { before };
        let start = before.rfind(|c| !is_word(c)).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        if start == before.len() {
            break;
        }
        words.push(&before[start..]);
        end = start;
        if !text[..end].ends_with('.') {
            break;
        }
    }
    words.reverse();
    words
}

/// What is written around a byte.
#[must_use]
pub fn cursor<'a>(text: &'a str, scan: &Scan, byte: usize) -> Cursor<'a> {
    let mut heads = Vec::new();
    let mut statements: &[Statement] = &scan.statements;
    let mut start = byte;
    while let Some(statement) = statements.iter().take_while(|s| s.head.start <= byte).last() {
        match &statement.block {
            Some(block) if byte > block.open && byte < block.close => {
                heads.push(text.get(statement.head.clone()).unwrap_or(""));
                statements = &block.statements;
            }
            Some(block) if byte >= block.close => break,
            _ => {
                // Blanks behind a statement on its line belong to it.
                let between = text.get(statement.head.end..byte).unwrap_or("");
                if byte <= statement.head.end || (statement.block.is_none() && between.chars().all(|c| c == ' ' || c == '\t')) {
                    start = statement.head.start;
                }
                break;
            }
        }
    }
    // Blanks at a comment's end are a part of it.
    let blank = |from: usize| text.get(from..byte).is_some_and(|between| between.chars().all(|c| c == ' ' || c == '\t'));
    let commented = scan.comments.iter().any(|comment| comment.start < byte && (byte <= comment.end || blank(comment.end)));
    let token = scan.tokens.iter().find(|token| token.start < byte && byte < token.end);
    let in_text = token.is_some_and(|token| {
        let written = &text[token.clone()];
        let hole = text[token.start..byte].rfind("${").is_some_and(|at| !text[token.start + at..byte].contains('}'));
        (written.starts_with(['"', '/']) || written.ends_with('"')) && !hole
    });
    Cursor { heads, start, word: word_at(text, byte), quoted: commented || in_text || is_unclosed(text, byte) }
}

/// Whether a byte stands in a text that its line does not close.
fn is_unclosed(text: &str, byte: usize) -> bool {
    let start = text[..byte].rfind('\n').map_or(0, |at| at + 1);
    let end = text[byte..].find('\n').map_or(text.len(), |at| byte + at);
    let quotes = |part: &str| part.matches('"').count() - part.matches("\\\"").count();
    !text[start..end].contains("\"\"\"") && quotes(&text[start..end]) % 2 == 1 && quotes(&text[start..byte]) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(marked: &str) -> (String, usize) {
        let byte = marked.find('|').unwrap();
        (marked.replacen('|', "", 1), byte)
    }

    #[test]
    fn tells_the_braces_and_the_word() {
        let (text, byte) = at("scn 1\nscenario s {\n  flow f from a to b {\n    ra|\n  }\n}\n");
        let scan = cut(&text);
        let found = cursor(&text, &scan, byte);
        assert_eq!(found.heads, ["scenario s", "flow f from a to b"]);
        assert_eq!((&text[found.word.clone()], found.quoted), ("ra", false));
        assert_eq!(found.start, byte - 2);
    }

    #[test]
    fn tells_comments_and_texts() {
        for (marked, quoted) in [
            ("scn 1 # a|\n", true),
            ("let a = \"x|y\"\n", true),
            ("let a = \"x${b|}\"\n", false),
            ("let a = |\n", false),
            ("let ä = \"ä|", true),
        ] {
            let (text, byte) = at(marked);
            assert_eq!(cursor(&text, &cut(&text), byte).quoted, quoted, "{marked}");
        }
    }

    #[test]
    fn reads_paths_backwards() {
        for (text, path) in
            [("x < steady.latency.", &["steady", "latency"][..]), ("f[2].tcp.", &["f", "tcp"]), ("ä.", &[]), (".", &[]), ("f[*", &[])]
        {
            assert_eq!(path_before(text, text.len()), path, "{text}");
        }
    }
}
