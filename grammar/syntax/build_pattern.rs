//! Patterns and their steps. In: statements. Out: pieces of the tree. Does not ask whether both sides agree.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::scan::Statement;
use super::tree::{Close, PatternDecl, Side, Step, StepKind};
use super::words::Place;

impl Builder<'_> {
    /// `pattern NAME(params) { steps }`.
    pub fn pattern(&mut self, statement: &Statement) -> Option<PatternDecl> {
        let head = self.head(Kind::PatternLine, statement);
        let head = head.and_then(|head| Some((self.name_in(&head)?, self.params(&head))));
        let steps = self.steps(statement);
        let (name, params) = head?;
        Some(PatternDecl { name, params, steps })
    }

    fn steps(&mut self, statement: &Statement) -> Vec<Step> {
        let mut steps = Vec::new();
        for step in self.block(statement) {
            if let Some(kind) = self.step(step) {
                steps.push(Step { span: self.whole(step), kind });
            }
        }
        steps
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
            _ => {
                self.unknown_statement(statement, Place::Pattern);
                None
            }
        }
    }

    fn side_step(&mut self, by: Side, verb: &Node) -> Option<StepKind> {
        Some(match verb.kind {
            Kind::Sends => {
                if let Some(file) = verb.child(Kind::SendsFile) {
                    self.not_yet(self.span(file), "sending a `file`");
                    return None;
                }
                StepKind::Sends { by, random: verb.child(Kind::RandomWord).is_some(), what: self.value_in(verb)? }
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
