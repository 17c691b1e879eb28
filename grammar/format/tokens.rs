//! Tokens as the layout sees them. In: the pieces that `scan` cut a text into. Out: the same with operators of several characters in one
//! and a kind on each. Knows literals only by their first character.

use std::ops::Range;

/// What a token is to the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// It begins with a digit: a number, or a piece of an address.
    Number,
    /// A text, bytes or a regex.
    Literal,
    /// `(` and `[`.
    Open,
    /// `)` and `]`.
    Close,
    Comma,
    Colon,
    /// `..`
    Dots,
    /// `=`, comparisons and `<->`.
    Relation,
    /// `+ - * /`
    Arithmetic,
    /// A dot, `%` and everything else.
    Other,
}

/// A piece of a statement that is printed as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
}

impl Token {
    pub fn text<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.end]
    }

    /// A value or a name can end here: a sign after it stands between two operands.
    pub fn ends_operand(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Number | Kind::Literal | Kind::Close | Kind::Other)
    }
}

/// Operators of several characters, the longest first.
const LONG: &[&str] = &["<->", "==", "!=", "<=", ">=", ".."];

/// The tokens of a text.
pub(super) fn tokens(text: &str, pieces: &[Range<usize>]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        if tokens.last().is_some_and(|before| piece.start < before.end) {
            continue;
        }
        let rest = &text[piece.start..];
        let long = if piece.len() == 1 { LONG.iter().find(|long| rest.starts_with(**long)) } else { None };
        let end = long.map_or(piece.end, |long| piece.start + long.len());
        tokens.push(Token { start: piece.start, end, kind: kind_of(&text[piece.start..end]) });
    }
    tokens
}

fn kind_of(token: &str) -> Kind {
    match token {
        "(" | "[" => Kind::Open,
        ")" | "]" => Kind::Close,
        "," => Kind::Comma,
        ":" => Kind::Colon,
        ".." => Kind::Dots,
        "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "<->" => Kind::Relation,
        "+" | "-" | "*" | "/" => Kind::Arithmetic,
        _ if token.ends_with(['"', '/']) => Kind::Literal,
        _ if token.starts_with(|c: char| c.is_ascii_digit()) => Kind::Number,
        _ if token.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '`')) => Kind::Word,
        _ => Kind::Other,
    }
}

/// A token as it is printed: bits per second have one spelling.
pub(super) fn spelling(token: &str, kind: Kind) -> Option<String> {
    if kind != Kind::Number {
        return None;
    }
    let number = token.strip_suffix("bps")?;
    let prefix = number.trim_start_matches(|c: char| c.is_ascii_digit());
    matches!(prefix, "" | "k" | "M" | "G").then(|| format!("{number}bit/s"))
}
