//! What stands between quotes, slashes and colons: texts, bytes, regexes, addresses. In: a literal as written. Out: its value,
//! or a problem. Knows no statements.

use std::net::IpAddr;

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::NESTING_DEPTH;
use super::tree::{ExprKind, Text, TextPart};

impl Builder<'_> {
    /// A text with its escapes and holes.
    pub fn text(&mut self, node: &Node) -> Text {
        let written = self.words(node);
        let raw = node.kind == Kind::RawText;
        let quote = usize::from(raw);
        let long = written[quote..].starts_with("\"\"\"");
        let around = if long { 3 } else { 1 };
        let (start, end) = (node.start + quote + around, node.end - around);
        let mut pieces = Pieces::default();
        if long {
            for (from, to, line_end) in long_lines(self.text, start, end) {
                self.pieces(from, to, raw, &mut pieces);
                if line_end {
                    pieces.literal.push('\n');
                }
            }
        } else {
            self.pieces(start, end, raw, &mut pieces);
        }
        pieces.finish()
    }

    /// Takes bytes `start..end` of a text apart.
    fn pieces(&mut self, start: usize, end: usize, raw: bool, out: &mut Pieces) {
        let mut at = start;
        while at < end {
            let rest = &self.text[at..end];
            if raw {
                out.literal.push_str(rest);
                return;
            }
            let plain = rest.find(['\\', '$']).unwrap_or(rest.len());
            out.literal.push_str(&rest[..plain]);
            at += plain;
            let rest = &rest[plain..];
            if rest.starts_with("${") {
                at = self.hole(at, end, out);
            } else if rest.starts_with('$') {
                out.literal.push('$');
                at += 1;
            } else if rest.starts_with('\\') {
                at = self.escape(at, end, out);
            }
        }
    }

    /// `${expr}` at `at`; gives the byte after it.
    fn hole(&mut self, at: usize, end: usize, out: &mut Pieces) -> usize {
        let inside = at + 2;
        let Some(length) = self.text[inside..end].find('}') else {
            let span = self.bytes(at, inside);
            self.report(SyntaxError::BadHole { span });
            return end;
        };
        let close = inside + length;
        if nesting(&self.text[inside..close]) > NESTING_DEPTH {
            let span = self.bytes(at, inside);
            self.report(SyntaxError::TooDeep { span, what: "an expression", limit: NESTING_DEPTH });
            let broken = self.broken(at, close + 1);
            out.hole(broken);
            return close + 1;
        }
        let value = match self.read(Kind::Hole, inside, close).as_ref().and_then(|n| n.children.first()) {
            Some(node) => self.expression(node),
            None => self.broken(at, close + 1),
        };
        out.hole(value);
        close + 1
    }

    /// `\n` and its like at `at`; gives the byte after it.
    fn escape(&mut self, at: usize, end: usize, out: &mut Pieces) -> usize {
        let rest = &self.text[at + 1..end];
        let first = rest.chars().next();
        let (length, value) = match first {
            Some('n') => (1, Some('\n')),
            Some('r') => (1, Some('\r')),
            Some('t') => (1, Some('\t')),
            Some('0') => (1, Some('\0')),
            Some(c @ ('\\' | '"' | '$')) => (1, Some(c)),
            Some('x') => {
                let digits = rest.get(1..3).unwrap_or("");
                let value = u8::from_str_radix(digits, 16).ok().filter(|v| *v < 0x80 && digits.len() == 2).map(char::from);
                (if value.is_some() { 3 } else { 1 }, value)
            }
            Some('u') => {
                let close = rest.find('}').filter(|_| rest[1..].starts_with('{'));
                let value = close.and_then(|c| u32::from_str_radix(&rest[2..c], 16).ok()).and_then(char::from_u32);
                (close.map_or(1, |c| c + 1), value)
            }
            other => (other.map_or(0, char::len_utf8), None),
        };
        match value {
            Some(value) => out.literal.push(value),
            None => {
                let span = self.bytes(at, at + 1 + length);
                let written = self.text[at..at + 1 + length].to_owned();
                self.report(SyntaxError::BadEscape { span, written });
            }
        }
        at + 1 + length
    }

    /// `hex"00 11"`.
    pub fn hex(&mut self, node: &Node) -> ExprKind {
        let digits = &self.text[node.start + 4..node.end - 1];
        if let Some(at) = digits.find(|c: char| !c.is_ascii_hexdigit() && !c.is_ascii_whitespace()) {
            let wrong = digits[at..].chars().next().unwrap_or(' ');
            let start = node.start + 4 + at;
            let span = self.bytes(start, start + wrong.len_utf8());
            self.report(SyntaxError::BadBytes { span, reason: format!("`{wrong}` is no hex digit") });
            return ExprKind::Broken;
        }
        let mut bytes = Vec::new();
        for word in digits.split_ascii_whitespace() {
            if word.len() % 2 == 1 {
                let span = self.span(node);
                self.report(SyntaxError::BadBytes { span, reason: format!("`{word}` has an odd number of digits") });
                return ExprKind::Broken;
            }
            bytes.extend((0..word.len()).step_by(2).filter_map(|i| u8::from_str_radix(&word[i..i + 2], 16).ok()));
        }
        ExprKind::Bytes(bytes)
    }

    /// `/^250/`: kept as written. Whether it compiles is asked when the scenario is expanded.
    pub fn regex(&self, node: &Node) -> ExprKind {
        ExprKind::Regex(self.text[node.start + 1..node.end - 1].to_owned())
    }

    /// `10.0.0.1`, `2001:db8::/64`.
    pub fn address(&mut self, node: &Node) -> ExprKind {
        match parse_address(self.words(node)) {
            Ok(kind) => kind,
            Err(reason) => {
                let (span, written) = (self.span(node), self.words(node).to_owned());
                self.report(SyntaxError::BadAddress { span, written, reason });
                ExprKind::Broken
            }
        }
    }

    /// `00:11:22:33:44:55`.
    pub fn mac(&self, node: &Node) -> ExprKind {
        let mut mac = [0; 6];
        for (byte, digits) in mac.iter_mut().zip(self.words(node).split(':')) {
            *byte = u8::from_str_radix(digits, 16).unwrap_or(0);
        }
        ExprKind::Mac(mac)
    }
}

/// An address, or a prefix if a length follows.
fn parse_address(written: &str) -> Result<ExprKind, String> {
    let (address, length) = written.split_once('/').map_or((written, None), |(a, l)| (a, Some(l)));
    let parsed: IpAddr = address.parse().map_err(|_| {
        if address.split(':').count() > 2 && address.split(':').all(|pair| pair.len() == 2) {
            "not an IPv6 address, nor a MAC address of six pairs such as `00:11:22:33:44:55`".to_owned()
        } else if address.contains(':') {
            "not an IPv6 address".to_owned()
        } else {
            "not four numbers from 0 to 255 without leading zeros".to_owned()
        }
    })?;
    let Some(length) = length else { return Ok(ExprKind::Address(parsed)) };
    let most = if parsed.is_ipv4() { 32 } else { 128 };
    let length = length.parse::<u8>().ok().filter(|l| *l <= most).ok_or_else(|| format!("a prefix length goes from 0 to {most}"))?;
    Ok(ExprKind::Prefix(parsed, length))
}

/// How many parentheses, brackets and `if`s may at most be open at one place.
fn nesting(text: &str) -> usize {
    text.bytes().filter(|b| matches!(b, b'(' | b'[')).count() + text.matches("if").count()
}

/// A text that is being put together.
#[derive(Default)]
struct Pieces {
    parts: Vec<TextPart>,
    literal: String,
}

impl Pieces {
    fn hole(&mut self, value: super::tree::Expr) {
        if !self.literal.is_empty() {
            self.parts.push(TextPart::Literal(std::mem::take(&mut self.literal)));
        }
        self.parts.push(TextPart::Hole(value));
    }

    fn finish(mut self) -> Text {
        if !self.literal.is_empty() {
            self.parts.push(TextPart::Literal(self.literal));
        }
        Text { parts: self.parts }
    }
}

/// The lines of a text over lines, as bytes without the common indentation, each with whether a new line follows. The line of
/// the opening quotes, when nothing stands on it, and the blanks before the closing ones do not count.
pub(crate) fn long_lines(text: &str, start: usize, end: usize) -> Vec<(usize, usize, bool)> {
    let mut lines = Vec::new();
    let mut at = start;
    loop {
        let length = text[at..end].find('\n');
        let stop = length.map_or(end, |l| at + l);
        let shown = at + text[at..stop].trim_end_matches('\r').len();
        lines.push((at, if length.is_some() { shown } else { stop }, length.is_some()));
        match length {
            Some(length) => at += length + 1,
            None => break,
        }
    }
    let blank = |line: &(usize, usize, bool)| text[line.0..line.1].trim().is_empty();
    let opening = lines.len() > 1 && lines.first().is_some_and(&blank);
    if opening {
        lines.remove(0);
    }
    if lines.len() > usize::from(!opening) && lines.last().is_some_and(&blank) {
        lines.pop();
    }
    let indent = |line: &(usize, usize, bool)| text[line.0..line.1].bytes().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let counted = lines.iter().skip(usize::from(!opening));
    let common = counted.filter(|l| !blank(l)).map(indent).min().unwrap_or(0);
    let skip = usize::from(!opening);
    for (number, line) in lines.iter_mut().enumerate() {
        if number >= skip {
            line.0 += common.min(indent(line));
        }
    }
    lines
}
