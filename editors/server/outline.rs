//! What a text declares, by its words alone. In: a text cut into statements. Out: each name with its place, sort and documentation. Follows
//! no `use` and checks nothing, so it works on texts that are half written.

use std::ops::Range;

use scn_grammar::syntax::scan::{Scan, Statement};

use crate::cursor::is_word;

/// A name and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The name, without backticks.
    pub name: String,
    /// Where it stands, with backticks.
    pub span: Range<usize>,
    /// What it is, as the check says it: `a flow`, `a pattern`.
    pub what: &'static str,
    /// The words of its statement before the braces.
    pub head: Range<usize>,
    /// Its whole statement.
    pub whole: Range<usize>,
    /// Where it is known.
    pub scope: Range<usize>,
    /// The `##` lines over it.
    pub doc: Vec<String>,
}

/// Statements whose second word is the name, where declarations stand, and what it is.
const NAMED: &[(&str, &str)] = &[
    ("let", "a value"),
    ("param", "a parameter"),
    ("matrix", "a parameter"),
    ("secret", "a value"),
    ("fn", "a function"),
    ("pattern", "a pattern"),
    ("topology", "a topology"),
    ("action", "an action"),
    ("check", "a check"),
    ("scenario", "a scenario"),
    ("service", "a service"),
    ("flow", "a flow"),
    ("process", "a process"),
    ("stress", "a stress"),
];
/// Statements that have parameters in parentheses.
const TEMPLATES: &[&str] = &["fn", "pattern", "topology", "action", "check"];
/// Statements of a topology that name nodes.
const NODES: &[&str] = &["node", "router", "bridge", "host", "remote"];

/// What stands around a statement.
#[derive(Clone)]
struct Around<'t> {
    /// The first word of the statement whose block it stands in, but for `for` and `if`; empty at top level.
    keyword: &'t str,
    /// Where its names are known.
    scope: Range<usize>,
}

/// Everything that a text declares, in the order of the text.
#[must_use]
pub fn outline(text: &str, scan: &Scan) -> Vec<Declared> {
    let mut outline = Outline { text, tokens: &scan.tokens, found: Vec::new() };
    outline.statements(&scan.statements, &Around { keyword: "", scope: 0..text.len() });
    outline.found
}

struct Outline<'t> {
    text: &'t str,
    tokens: &'t [Range<usize>],
    found: Vec<Declared>,
}

impl<'t> Outline<'t> {
    fn statements(&mut self, statements: &[Statement], around: &Around<'t>) {
        for statement in statements {
            let tokens = self.tokens_in(&statement.head);
            let first = tokens.first().map_or("", |token| self.word(token));
            self.statement(statement, &tokens, first, around);
            let Some(block) = &statement.block else { continue };
            let own = first == "scenario" || TEMPLATES.contains(&first) && tokens.len() > 1 && around.keyword != "flow";
            let inner = Around {
                keyword: if ["for", "if", "else"].contains(&first) { around.keyword } else { first },
                scope: if own { statement.whole() } else { around.scope.clone() },
            };
            self.statements(&block.statements, &inner);
        }
    }

    /// The tokens of some words.
    fn tokens_in(&self, head: &Range<usize>) -> Vec<Range<usize>> {
        let from = self.tokens.partition_point(|token| token.start < head.start);
        self.tokens[from..].iter().take_while(|token| token.start < head.end).cloned().collect()
    }

    fn word(&self, token: &Range<usize>) -> &'t str {
        self.text.get(token.clone()).unwrap_or("")
    }

    /// What one statement declares.
    fn statement(&mut self, statement: &Statement, tokens: &[Range<usize>], first: &str, around: &Around<'t>) {
        let second = tokens.get(1);
        if first == "for" {
            self.add(second, "a value", statement, statement.whole());
            return;
        }
        match around.keyword {
            "" | "scenario" => {
                if let Some((_, what)) = NAMED.iter().find(|(keyword, _)| *keyword == first) {
                    self.add(second, what, statement, around.scope.clone());
                }
                if TEMPLATES.contains(&first) {
                    self.parameters(tokens, statement);
                }
                if first == "use" {
                    self.alias(tokens, "a module", statement, around);
                }
            }
            "topology" => {
                let nodes = usize::from(first == "external");
                if tokens.get(nodes).is_some_and(|token| NODES.contains(&self.word(token))) {
                    self.list(&tokens[nodes + 1..], "a node", statement, around);
                } else if ["link", "vxlan"].contains(&first) && self.is_named(tokens) {
                    self.add(second, "a link", statement, around.scope.clone());
                } else if first == "process" {
                    self.add(second, "a process", statement, around.scope.clone());
                } else {
                    self.alias(tokens, "an instance of a topology", statement, around);
                }
            }
            "timeline" | "action" => {
                let marks = tokens.iter().position(|token| self.word(token) == "mark");
                match marks {
                    Some(at) => self.add(tokens.get(at + 1), "an event", statement, around.scope.clone()),
                    None => self.alias(tokens, "an event", statement, around),
                }
            }
            _ => {}
        }
    }

    /// `link NAME:`, `link NAME[i]:`.
    fn is_named(&self, tokens: &[Range<usize>]) -> bool {
        let mut after = tokens.iter().skip(2).map(|token| self.word(token));
        let next = after.next();
        let next = if next == Some("[") { after.skip_while(|word| *word != "]").nth(1) } else { next };
        next == Some(":")
    }

    /// `... as NAME`.
    fn alias(&mut self, tokens: &[Range<usize>], what: &'static str, statement: &Statement, around: &Around<'t>) {
        if let Some(at) = tokens.iter().rposition(|token| self.word(token) == "as") {
            self.add(tokens.get(at + 1), what, statement, around.scope.clone());
        }
    }

    /// `a, b[1..50], c`.
    fn list(&mut self, tokens: &[Range<usize>], what: &'static str, statement: &Statement, around: &Around<'t>) {
        let (mut depth, mut fresh) = (0_usize, true);
        for token in tokens {
            match self.word(token) {
                "[" => depth += 1,
                "]" => depth = depth.saturating_sub(1),
                "," if depth == 0 => fresh = true,
                _ if depth == 0 && fresh => {
                    self.add(Some(token), what, statement, around.scope.clone());
                    fresh = false;
                }
                _ => {}
            }
        }
    }

    /// The parameters in a template's parentheses.
    fn parameters(&mut self, tokens: &[Range<usize>], statement: &Statement) {
        let mut depth = 0_usize;
        for (at, token) in tokens.iter().enumerate() {
            let begins = match self.word(token) {
                "(" | "[" => {
                    depth += 1;
                    depth == 1
                }
                ")" | "]" => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return;
                    }
                    false
                }
                "," => depth == 1,
                _ => false,
            };
            if begins {
                self.add(tokens.get(at + 1), "a parameter", statement, statement.whole());
            }
        }
    }

    /// Adds a name, if the token is one.
    fn add(&mut self, token: Option<&Range<usize>>, what: &'static str, statement: &Statement, scope: Range<usize>) {
        let Some(span) = token.cloned() else { return };
        let name = self.word(&span).trim_matches('`');
        if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_word) {
            let (head, whole, doc) = (statement.head.clone(), statement.whole(), statement.doc.clone());
            self.found.push(Declared { name: name.to_owned(), span, what, head, whole, scope, doc });
        }
    }
}

/// What a name means at a byte: of several the one known in the least part of the text.
#[must_use]
pub fn named<'o>(outline: &'o [Declared], name: &str, byte: usize) -> Option<&'o Declared> {
    let known = outline.iter().filter(|declared| declared.name == name && declared.scope.start <= byte && byte <= declared.scope.end);
    known.min_by_key(|declared| declared.scope.end - declared.scope.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::cut;

    #[test]
    fn finds_what_is_declared() {
        let text = "scn 1\nuse std.failover as fo\nlet a = 1\n## Says so.\npattern p(size: size = 1KiB, n = [1, 2]) {\n}\nscenario s {\n\
            param b: count = 2\ntopology { node x, y[1..2]; external bridge br\n link wan[i]: x <-> y[1]\n link x <-> y[2]\n net(3) as site }\n\
            for i in 1..2 { flow f[i] from x to y { pattern p } }\ntimeline { at 1s down x as failure; at 2s mark done }\n}\n";
        let found = outline(text, &cut(text));
        let shown: Vec<String> = found.iter().map(|d| format!("{} {}", d.what, d.name)).collect();
        let expected = [
            "a module fo",
            "a value a",
            "a pattern p",
            "a parameter size",
            "a parameter n",
            "a scenario s",
            "a parameter b",
            "a node x",
            "a node y",
            "a node br",
            "a link wan",
            "an instance of a topology site",
            "a value i",
            "a flow f",
            "an event failure",
            "an event done",
        ];
        assert_eq!(shown, expected);
        assert_eq!(found[2].doc, ["Says so."]);
        assert!(found.iter().all(|declared| text[declared.span.clone()] == declared.name));
        assert!(named(&found, "x", text.find("down").unwrap()).is_some() && named(&found, "x", 3).is_none());
    }
}
