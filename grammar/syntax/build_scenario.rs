//! What stands in a scenario. In: statements. Out: pieces of the tree. Looks up no names.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Block, Name, Need, Nested, ScenarioPart};
use super::words::Place;
use crate::source::Spanned;

impl Builder<'_> {
    /// The block of a scenario.
    pub fn scenario_body(&mut self, statement: &Statement) -> Block<ScenarioPart> {
        let statements = self.block(statement);
        self.nested(statements, Place::Scenario, &mut |builder, part, out| builder.scenario_part(part, out))
    }

    /// One statement of a scenario.
    pub fn scenario_part(&mut self, statement: &Statement, out: &mut Block<ScenarioPart>) {
        let part = match self.first_word(statement) {
            "tags" | "needs" | "timeout" | "tolerance" | "param" | "matrix" | "except" => {
                self.no_block(statement);
                self.setting(statement)
            }
            "let" | "fn" | "secret" | "pattern" | "action" | "check" => self.item(statement).map(ScenarioPart::Item),
            "topology" => {
                self.bare_head(statement);
                Some(ScenarioPart::Topology(self.topology(statement)))
            }
            "service" => self.service(statement).map(ScenarioPart::Service),
            "process" => self.process(statement).map(ScenarioPart::Process),
            "flow" => self.flow(statement).map(ScenarioPart::Flow),
            "stress" => self.stress(statement).map(ScenarioPart::Stress),
            "timeline" => {
                self.bare_head(statement);
                Some(ScenarioPart::Timeline(self.timeline(statement)))
            }
            "expect" => {
                self.bare_head(statement);
                Some(ScenarioPart::Expect(self.expectations(statement)))
            }
            _ => {
                self.unknown_statement(statement, Place::Scenario);
                None
            }
        };
        out.extend(part.map(Nested::Statement));
    }

    /// A statement of one line.
    fn setting(&mut self, statement: &Statement) -> Option<ScenarioPart> {
        let span = self.whole(statement);
        Some(match self.first_word(statement) {
            "tags" => {
                let head = self.head(Kind::TagsLine, statement)?;
                ScenarioPart::Tags(self.names_in(&head))
            }
            "needs" => {
                let head = self.head(Kind::NeedsLine, statement)?;
                let needs = head.children.iter().filter(|c| c.kind == Kind::Need);
                ScenarioPart::Needs(needs.filter_map(|need| self.need(need)).collect())
            }
            "param" => {
                let head = self.head(Kind::ParamLine, statement)?;
                let mut param = self.param(head.child(Kind::Param)?)?;
                param.doc.clone_from(&statement.doc);
                param.span = span;
                ScenarioPart::Param(param)
            }
            "matrix" => {
                let head = self.head(Kind::MatrixLine, statement)?;
                ScenarioPart::Matrix { name: self.name_in(&head)?, values: self.value_in(&head)?, span }
            }
            "except" => {
                let head = self.head(Kind::ExceptLine, statement)?;
                ScenarioPart::Except { condition: self.value_in(&head)?, span }
            }
            _ => {
                let head = self.head(Kind::SettingLine, statement)?;
                let (name, value) = (self.name(head.children.first()?), self.value_in(&head)?);
                ScenarioPart::Setting { name, value }
            }
        })
    }

    /// `tool haproxy`, `kernel "sch_netem"`.
    fn need(&mut self, node: &Node) -> Option<Need> {
        let [kind, what] = node.children.as_slice() else { return None };
        let kind: Name = self.name(kind);
        let span = self.span(what);
        let what = if what.kind == Kind::Text { self.plain_text(what, "a name without `${}`")? } else { self.name(what).text };
        Some(Need { kind, what: Spanned::new(what, span), span: self.span(node) })
    }

    /// A head that is its keyword alone.
    pub fn bare_head(&mut self, statement: &Statement) {
        if self.first_word(statement) == "topology" && !statement.broken && self.text[statement.head.clone()].trim() != "topology" {
            let span = self.head_span(statement);
            self.report(SyntaxError::NamedTopology { span });
            return;
        }
        self.head(Kind::BareLine, statement);
    }
}
