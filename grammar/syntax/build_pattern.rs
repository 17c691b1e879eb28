//! Patterns and their steps. In: statements. Out: pieces of the tree. Does not ask whether both sides agree.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Block, Branch, Close, Expr, ExprKind, Nested, PatternDecl, SentAs, Side, Step, StepKind};
use super::words::{EVERYWHERE, Place};
use crate::quantity::Dimension;

impl Builder<'_> {
    /// `pattern NAME(params) { steps }`.
    pub fn pattern(&mut self, statement: &Statement) -> Option<PatternDecl> {
        let head = self.head(Kind::PatternLine, statement);
        let head = head.and_then(|head| Some((self.name_in(&head)?, self.params(&head))));
        let steps = self.steps(statement);
        let (name, params) = head?;
        Some(PatternDecl { name, params, steps })
    }

    fn steps(&mut self, statement: &Statement) -> Block<Step> {
        let steps = self.block(statement);
        self.nested(steps, Place::Pattern, &mut |builder, step, out| {
            if let Some(kind) = builder.step(step) {
                out.push(Nested::Statement(Step { span: builder.whole(step), kind }));
            }
        })
    }

    fn step(&mut self, statement: &Statement) -> Option<StepKind> {
        match self.first_word(statement) {
            "client" | "server" | "pause" => {
                self.no_block(statement);
                let head = self.head(Kind::StepLine, statement)?;
                if let Some(pause) = head.child(Kind::StepPause) {
                    return Some(StepKind::Pause { by: None, duration: self.value_in(pause)? });
                }
                let by = if head.child(Kind::ClientWord).is_some() { Side::Client } else { Side::Server };
                self.side_step(by, head.children.last()?)
            }
            "repeat" => {
                let count = self.head(Kind::RepeatLine, statement).and_then(|head| self.value_in(&head));
                let steps = self.steps(statement);
                Some(StepKind::Repeat { count: count?, steps })
            }
            "choose" => {
                self.bare_head(statement);
                let mut branches = Vec::new();
                for branch in self.block(statement) {
                    branches.extend(self.branch(branch));
                }
                Some(StepKind::Choose { branches })
            }
            _ => {
                self.unknown_statement(statement, Place::Pattern);
                None
            }
        }
    }

    /// `70% { ... }`.
    fn branch(&mut self, statement: &Statement) -> Option<Branch> {
        let word = self.first_word(statement);
        if EVERYWHERE.contains(&word) {
            let (span, word) = (self.first_word_span(statement), word.to_owned());
            let (place, belongs) = (Place::Choose.words(), "around the `choose` or inside one of its ways");
            self.report(SyntaxError::Misplaced { span, word, place, belongs });
            return None;
        }
        if Place::Pattern.statements().contains(&word) && !statement.broken {
            let (span, found) = (self.first_word_span(statement), format!("`{word}`"));
            let wanted = "a share and its steps such as `70% { ... }`".to_owned();
            self.report(SyntaxError::Expected { span, wanted, found, help: None });
            return None;
        }
        let ratio = self.head(Kind::BranchLine, statement).and_then(|head| self.value_in(&head));
        let steps = self.steps(statement);
        let mut ratio = ratio?;
        if !may_be_share(&ratio) {
            let found = format!("`{}`", &self.text[ratio.span.start as usize..ratio.span.end as usize]);
            let help = Some("the ways of a `choose` are taken as often as their shares say; together they make 100%".to_owned());
            self.report(SyntaxError::Expected { span: ratio.span, wanted: "a share such as `70%`".to_owned(), found, help });
            ratio.kind = ExprKind::Broken;
        }
        Some(Branch { ratio, steps, span: self.whole(statement) })
    }

    fn side_step(&mut self, by: Side, verb: &Node) -> Option<StepKind> {
        Some(match verb.kind {
            Kind::Sends => {
                let (sent, what) = match verb.child(Kind::SendsFile) {
                    Some(file) => (SentAs::File, self.value_in(file)?),
                    None if verb.child(Kind::RandomWord).is_some() => (SentAs::Random, self.value_in(verb)?),
                    None => (SentAs::Plain, self.value_in(verb)?),
                };
                StepKind::Sends { by, sent, what }
            }
            Kind::Expects => {
                let line = verb.child(Kind::LineWord).is_some();
                StepKind::Expects { by, line, what: self.value_in(verb), within: self.value_of(verb, Kind::Within) }
            }
            Kind::Echoes => StepKind::Echoes { by },
            Kind::Pauses => StepKind::Pause { by: Some(by), duration: self.value_in(verb)? },
            Kind::Closes => StepKind::Closes { by, how: Close::Close },
            Kind::Resets => StepKind::Closes { by, how: Close::Reset },
            Kind::HalfCloses => StepKind::Closes { by, how: Close::Half },
            _ => return None,
        })
    }
}

/// No literal of another kind; what a name stands for shows later.
fn may_be_share(value: &Expr) -> bool {
    match &value.kind {
        ExprKind::Quantity(quantity) => quantity.dimension == Dimension::Ratio,
        ExprKind::Text(_)
        | ExprKind::Bytes(_)
        | ExprKind::Regex(_)
        | ExprKind::Address(_)
        | ExprKind::Prefix(..)
        | ExprKind::Mac(_)
        | ExprKind::Range(..)
        | ExprKind::List(_) => false,
        _ => true,
    }
}
