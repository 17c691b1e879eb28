//! What stands between two tokens of one line. In: a statement's tokens. Out: a gap before each. Never joins or parts two tokens
//! unless the language takes both; prints nothing.

use super::tokens::{Kind, Token};

/// What stands before a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Nothing.
    None,
    /// One blank.
    One,
    /// As written: nothing, a blank, or several, which are a column of the author's. At least so many.
    Written(usize),
}

impl Gap {
    /// Whether the tokens will stand apart, if in the source they do or do not touch.
    fn parts(self, touch: bool) -> bool {
        match self {
            Gap::None => false,
            Gap::One => true,
            Gap::Written(least) => least > 0 || !touch,
        }
    }
}

/// Words that stand inside an option; any other word after an option's first value begins the next one.
const INSIDE_OPTIONS: &[&str] = &["after", "every", "within", "from", "until", "and", "or", "not", "if", "then", "else", "matches"];

/// Gives each token of a statement the gap before it. `options`: the statement stands among options, several of which may share a line.
pub(super) fn gaps(text: &str, tokens: &[Token], options: bool, gaps: &mut Vec<Gap>) {
    gaps.clear();
    let mut walk = Walk { text, tokens, open: Vec::new(), literal: false, unary: false, slash_in_literal: false, label: false };
    gaps.extend((0..tokens.len()).map(|at| walk.step(at)));
    if options {
        part_options(text, tokens, gaps);
    }
}

/// What is known of the tokens before the present one.
struct Walk<'a> {
    text: &'a str,
    tokens: &'a [Token],
    /// The parentheses and brackets that are open.
    open: Vec<u8>,
    /// The tokens that touch each other here began as a number or an address does: a `/` among them may belong to a literal.
    literal: bool,
    /// The token before is the sign of the value that follows.
    unary: bool,
    /// The token before is a `/` that may belong to a literal.
    slash_in_literal: bool,
    /// The token before is the `:` after a name that is being declared or given a value.
    label: bool,
}

impl Walk<'_> {
    fn step(&mut self, at: usize) -> Gap {
        let token = self.tokens[at];
        let gap = match at.checked_sub(1).map(|before| self.tokens[before]) {
            None => Gap::None,
            Some(before) => match self.between(at, before, token) {
                Gap::Written(least) if !self.open.is_empty() => {
                    if before.end == token.start && least == 0 {
                        Gap::None
                    } else {
                        Gap::One
                    }
                }
                gap => gap,
            },
        };
        self.remember(at, token, gap);
        gap
    }

    fn between(&self, at: usize, before: Token, token: Token) -> Gap {
        use Kind::{Arithmetic, Close, Colon, Comma, Dots, Open, Relation};
        match (before.kind, token.kind) {
            (Open, _) | (_, Close | Comma) => Gap::None,
            (Comma, _) => Gap::One,
            (Dots, Dots) => Gap::Written(0),
            (_, Dots) => self.around(at),
            (Dots, _) => self.around(at - 1),
            (Arithmetic, _) if self.unary || self.slash_in_literal => Gap::None,
            (Relation, _) | (_, Relation) => Gap::Written(1),
            (Colon, _) if self.label => Gap::Written(1),
            (Arithmetic, _) => Gap::One,
            (_, Arithmetic) if self.is_sign(at) => Gap::Written(0),
            (_, Arithmetic) if self.is_slash_of_literal(at) => Gap::None,
            (_, Arithmetic) => Gap::One,
            (_, Colon) if self.is_label(at) => Gap::None,
            (_, Open) if self.tokens[0].text(self.text) == "use" => Gap::One,
            _ => Gap::Written(0),
        }
    }

    /// A token touches the one before it.
    fn touches(&self, at: usize) -> bool {
        at > 0 && self.tokens.get(at).is_some_and(|token| self.tokens[at - 1].end == token.start)
    }

    /// `a..b` stays as it is; a blank on one side of the dots becomes one on both.
    fn around(&self, dots: usize) -> Gap {
        let kind = |at: usize| self.tokens.get(at).map(|token| token.kind);
        let begins = matches!(dots.checked_sub(1).and_then(kind), None | Some(Kind::Open | Kind::Comma | Kind::Dots));
        let ends = matches!(kind(dots + 1), None | Some(Kind::Close | Kind::Comma | Kind::Dots));
        if (begins || self.touches(dots)) && (ends || self.touches(dots + 1)) { Gap::None } else { Gap::One }
    }

    /// A token that touches the one before it and begins a value.
    fn is_touching_operand(&self, at: usize) -> bool {
        self.touches(at) && matches!(self.tokens[at].kind, Kind::Word | Kind::Number | Kind::Literal | Kind::Open | Kind::Other)
    }

    /// A `-` that belongs to what follows: `-5ms`, and among values `a -1`.
    fn is_sign(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1).map(|before| self.tokens[before]) else { return true };
        self.tokens[at].text(self.text) == "-" && (!before.ends_operand() || (!self.touches(at) && self.is_touching_operand(at + 1)))
    }

    /// A `/` that touches both its neighbours in what may be `10.0.0.1/24` or `100/s`.
    fn is_slash_of_literal(&self, at: usize) -> bool {
        let after = self.tokens.get(at + 1).is_some_and(|after| matches!(after.kind, Kind::Word | Kind::Number));
        after && self.literal && self.tokens[at].text(self.text) == "/" && self.touches(at) && self.touches(at + 1)
    }

    /// A `:` after a name, of a parameter, an argument or a link, and not one inside an address.
    fn is_label(&self, at: usize) -> bool {
        if at == 0 || self.tokens[at - 1].kind != Kind::Word {
            return false;
        }
        let place = match self.open.last() {
            Some(b'(') => at >= 2 && matches!(self.tokens[at - 2].kind, Kind::Open | Kind::Comma),
            Some(_) => false,
            None => at == 2 && matches!(self.tokens[0].text(self.text), "param" | "link" | "vxlan"),
        };
        let kinds = (at + 1..self.tokens.len()).take_while(|next| self.touches(*next)).map(|next| self.tokens[next].kind);
        let mut run = kinds.take_while(|kind| matches!(kind, Kind::Word | Kind::Number | Kind::Other | Kind::Colon));
        place && run.all(|kind| kind != Kind::Colon)
    }

    fn remember(&mut self, at: usize, token: Token, gap: Gap) {
        let apart = gap.parts(self.touches(at));
        let fresh = at.checked_sub(1).is_none_or(|before| {
            matches!(self.tokens[before].kind, Kind::Open | Kind::Comma | Kind::Relation | Kind::Dots)
                || (self.tokens[before].kind == Kind::Arithmetic && !self.slash_in_literal)
        });
        let slash_in_literal = token.kind == Kind::Arithmetic && gap == Gap::None && self.is_slash_of_literal(at);
        self.unary = token.kind == Kind::Arithmetic && self.is_sign(at);
        self.label = token.kind == Kind::Colon && gap == Gap::None && self.is_label(at);
        self.slash_in_literal = slash_in_literal;
        self.literal = match token.kind {
            Kind::Colon | Kind::Number => true,
            Kind::Close | Kind::Literal => false,
            _ => self.literal && !apart && !fresh,
        };
        match token.kind {
            Kind::Open => self.open.push(self.text.as_bytes()[token.start]),
            Kind::Close => drop(self.open.pop()),
            _ => {}
        }
    }
}

/// Two blanks before every option but the first of a line. An option is a word, its first value, and what follows up to the next word
/// that no small word, comma or operator asks for.
fn part_options(text: &str, tokens: &[Token], gaps: &mut [Gap]) {
    if tokens.first().is_none_or(|first| matches!(first.text(text), "for" | "if" | "else")) {
        return;
    }
    let (mut depth, mut has_value) = (0usize, false);
    for at in 1..tokens.len() {
        let (before, token) = (tokens[at - 1], tokens[at]);
        let apart = gaps[at].parts(before.end == token.start);
        let small = |token: Token| INSIDE_OPTIONS.contains(&token.text(text));
        let port_follows = tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Colon);
        let starts = depth == 0
            && has_value
            && apart
            && token.kind == Kind::Word
            && before.ends_operand()
            && !port_follows
            && !small(before)
            && !small(token);
        if starts {
            gaps[at] = Gap::Written(2);
            if matches!(token.text(text), "for" | "if") {
                return;
            }
        }
        has_value = !starts && (has_value || apart) && !(small(token) && depth == 0 && !has_value);
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
}
