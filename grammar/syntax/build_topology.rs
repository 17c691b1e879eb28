//! Topologies, and options in blocks. In: statements. Out: pieces of the tree. Does not know which options there are.

use super::build::Builder;
use super::expected;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Expr, ExprKind, Indexed, LinkDecl, LinkEnd, NodeKind, TopologyKind, TopologyStatement, TreeOption};
use super::words::Place;
use crate::quantity::{nearest_unit, parse_literal};

impl Builder<'_> {
    /// The block of a topology.
    pub fn topology(&mut self, statement: &Statement) -> Vec<TopologyStatement> {
        let mut statements = Vec::new();
        for inner in self.block(statement) {
            if let Some(kind) = self.topology_statement(inner) {
                statements.push(TopologyStatement { doc: inner.doc.clone(), span: self.whole(inner), kind });
            }
        }
        statements
    }

    fn topology_statement(&mut self, statement: &Statement) -> Option<TopologyKind> {
        match self.first_word(statement) {
            "node" | "router" | "bridge" => {
                let options = self.options(self.optional_block(statement));
                let head = self.head(Kind::NodesLine, statement)?;
                let kind = match head.children.first()?.kind {
                    Kind::RouterWord => NodeKind::Router,
                    Kind::BridgeWord => NodeKind::Bridge,
                    _ => NodeKind::Node,
                };
                Some(TopologyKind::Nodes { kind, names: self.all_indexed(&head), options })
            }
            "link" => {
                let options = self.options(self.optional_block(statement));
                let head = self.head(Kind::LinkLine, statement)?;
                let name = head.child(Kind::LinkName).and_then(|n| self.name_in(n));
                let mut ends = Vec::with_capacity(2);
                for end in head.children.iter().filter(|c| c.kind == Kind::LinkEnd) {
                    ends.push(self.link_end(end)?);
                }
                Some(TopologyKind::Link(LinkDecl { name, ends: ends.try_into().ok()?, options }))
            }
            "route" => {
                self.no_block(statement);
                let head = self.head(Kind::RouteLine, statement)?;
                let node = self.indexed(head.child(Kind::Indexed)?)?;
                let mut values = head.values();
                let (to, via) = (values.next()?, values.next()?);
                Some(TopologyKind::Route { node, to: self.expression(to), via: self.expression(via) })
            }
            "routing" => {
                self.no_block(statement);
                let head = self.head(Kind::RoutingLine, statement)?;
                Some(TopologyKind::Routing(self.name_in(&head)?))
            }
            _ => {
                self.unknown_statement(statement, Place::Topology);
                None
            }
        }
    }

    fn link_end(&mut self, node: &Node) -> Option<LinkEnd> {
        let (end, interface) = self.end_point(node.child(Kind::EndPoint)?)?;
        let addresses = node.values().map(|v| self.expression(v)).collect();
        Some(LinkEnd { node: end, interface, addresses, span: self.span(node) })
    }

    /// `client[2].eth0`: the node and the interface.
    pub fn end_point(&mut self, node: &Node) -> Option<(Indexed, Option<super::tree::Name>)> {
        Some((self.indexed(node.child(Kind::Indexed)?)?, self.name_in(node)))
    }

    /// A block of options.
    pub fn options(&mut self, statements: &[Statement]) -> Vec<TreeOption> {
        let mut options = Vec::new();
        for statement in statements {
            let block = self.options(self.optional_block(statement));
            if self.is_later(statement, Place::Options) {
                continue;
            }
            let Some(head) = self.head(Kind::OptionsLine, statement) else { continue };
            let mut line: Vec<TreeOption> =
                head.children.iter().enumerate().filter_map(|(i, o)| self.option(o, statement, i + 1 == head.children.len())).collect();
            if let (Some(last), Some(braces)) = (line.last_mut(), &statement.block) {
                last.span.end = self.bytes(0, braces.close).end;
                last.block = block;
            }
            options.append(&mut line);
        }
        options
    }

    /// One option. The last of a statement may have a block instead of values.
    pub fn option(&mut self, node: &Node, statement: &Statement, last: bool) -> Option<TreeOption> {
        let name = node.children.first().map(|n| self.name(n))?;
        // `delay 20 ms`: no option is called like a unit.
        if let Some((number, unit)) = expected::unit_after_blank(self.text, &statement.head, node.start)
            && is_or_means_unit(number, unit)
        {
            let span = self.bytes(node.start, node.start + unit.len());
            self.report(expected::unit_problem(span, number, unit));
            return None;
        }
        let mut values = Vec::with_capacity(1);
        for child in &node.children[1..] {
            values.push(if child.kind == Kind::SmallWord { self.small_word(child) } else { self.expression(child) });
        }
        if values.is_empty() && !(last && statement.block.is_some()) {
            self.missing_value(node, statement);
            return None;
        }
        Some(TreeOption { name, values, block: Vec::new(), span: self.span(node) })
    }

    /// `after`, `every`: kept as a path of one word.
    fn small_word(&self, node: &Node) -> Expr {
        let (name, span) = (self.name(node), self.span(node));
        Expr { span, kind: ExprKind::Path(vec![Indexed { name, index: None, span }]) }
    }

    fn missing_value(&mut self, node: &Node, statement: &Statement) {
        let word = self.words(node);
        let after = &self.text[node.end..statement.head.end];
        let token = after.split_whitespace().next().unwrap_or("");
        let found = if token.is_empty() { "the end of the statement".to_owned() } else { format!("`{token}`") };
        let (span, wanted) = (self.span(node), format!("a value after `{word}`"));
        self.report(SyntaxError::Expected { span, wanted, found, help: None });
    }
}

/// A unit, or what is not quite one: `ms`, `sec`.
fn is_or_means_unit(number: &str, word: &str) -> bool {
    parse_literal(&format!("{number}{word}")).is_ok() || nearest_unit(word).is_some()
}
