//! Flows and stress. In: statements. Out: pieces of the tree. Does not know which options there are.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Block, Call, Expr, ExprKind, FlowDecl, Indexed, Name, Nested, Over, StressDecl, Target, TargetKind, TreeOption};
use super::words::Place;
use crate::source::Span;

/// What a flow says once.
#[derive(Default)]
struct Said {
    over: Option<Over>,
    pattern: Option<Call>,
}

/// Words that begin statements elsewhere and nothing in a flow.
const NO_FLOW: &[&str] = &["use", "param", "scenario", "topology", "service", "flow", "stress", "timeline", "expect", "serve", "listen"];

impl<'a> Builder<'a> {
    /// `flow NAME from A to B { ... }`.
    pub fn flow(&mut self, statement: &Statement) -> Option<FlowDecl> {
        let head = self.head(Kind::FlowLine, statement);
        let over = head.as_ref().and_then(|h| self.only(h, Kind::FlowOver, "`over`")).and_then(|o| self.over(o, None));
        let via = head.as_ref().and_then(|h| self.only(h, Kind::FlowVia, "`via`")).and_then(|v| self.name_in(v));
        let mut said = Said { over, pattern: None };
        let depth = self.inside;
        let options = self.nested(self.optional_block(statement), Place::Flow, &mut |builder, part, out| {
            builder.flow_line(part, depth, &mut said, out);
        });
        let head = head?;
        let name = self.indexed_in(&head)?;
        let from = self.node_path(head.child(Kind::EndPoint)?);
        let to = self.target(head.child(Kind::Target)?)?;
        let (doc, span) = (statement.doc.clone(), self.whole(statement));
        Some(FlowDecl { doc, name, from, to, via, over: said.over, pattern: said.pattern, options, span })
    }

    /// `depth`: how many `for` and `if` stand around the flow.
    fn flow_line(&mut self, part: &Statement, depth: usize, said: &mut Said, out: &mut Block<TreeOption>) {
        if self.out_of_place(part, Place::Flow, NO_FLOW) {
            return;
        }
        let Some(line) = self.head(Kind::FlowPart, part) else {
            self.options(self.optional_block(part));
            return;
        };
        for (number, node) in line.children.iter().enumerate() {
            let last = number + 1 == line.children.len();
            let braced = Some(part).filter(|_| last);
            let mut again =
                |builder: &mut Builder<'a>, part: &Statement, out: &mut Block<TreeOption>| builder.flow_line(part, depth, said, out);
            if self.trailing(node, part, Place::Flow, &mut again, out).is_some() {
                continue;
            }
            match node.kind {
                Kind::Over => {
                    let new = self.over(node, braced);
                    self.over_said(node, new, depth, said, out);
                }
                Kind::PatternUse => {
                    if last {
                        self.no_block(part);
                    }
                    let new = self.call(node);
                    self.pattern_said(node, new, depth, said, out);
                }
                _ => out.extend(self.option(node, part, last).map(Nested::Statement)),
            }
        }
    }

    fn over_said(&mut self, node: &Node, new: Option<Over>, depth: usize, said: &mut Said, out: &mut Block<TreeOption>) {
        if self.inside == depth {
            self.once("`over`", node, said.over.as_ref().map(|o| o.span));
            said.over = said.over.take().or(new);
        } else if let Some(over) = new {
            let span = over.transport.span;
            let path = ExprKind::Path(vec![Indexed { name: over.transport, index: None, span }]);
            let name = self.keyword("over", node);
            out.push(Nested::Statement(TreeOption { name, values: vec![Expr { span, kind: path }], block: over.options, span: over.span }));
        }
    }

    fn pattern_said(&mut self, node: &Node, new: Option<Call>, depth: usize, said: &mut Said, out: &mut Block<TreeOption>) {
        if self.inside == depth {
            self.once("`pattern`", node, said.pattern.as_ref().map(|p| p.span));
            said.pattern = said.pattern.take().or(new);
        } else if let Some(call) = new {
            let (name, values) = (self.keyword("pattern", node), vec![self.call_value(call)]);
            out.push(Nested::Statement(TreeOption { name, values, block: Vec::new(), span: self.span(node) }));
        }
    }

    /// The word that a node begins with.
    fn keyword(&self, word: &str, node: &Node) -> Name {
        Name { text: word.to_owned(), span: self.bytes(node.start, node.start + word.len()), quoted: false }
    }

    /// `over tcp`, with the block of its statement.
    fn over(&mut self, node: &Node, statement: Option<&Statement>) -> Option<Over> {
        let braces = statement.and_then(|s| s.block.as_ref());
        let options = braces.map_or(Vec::new(), |braces| self.options(&braces.statements));
        let span = self.bytes(node.start, braces.map_or(node.end, |braces| braces.close));
        Some(Over { transport: self.name_in(node)?, options, span })
    }

    /// `stress NAME from A to B { ... }`.
    pub fn stress(&mut self, statement: &Statement) -> Option<StressDecl> {
        let head = self.head(Kind::StressLine, statement);
        let block = self.block(statement);
        let options = self.options(block);
        let head = head?;
        let name = self.indexed_in(&head)?;
        let from = self.node_path(head.child(Kind::EndPoint)?);
        let to = self.target(head.child(Kind::Target)?)?;
        Some(StressDecl { doc: statement.doc.clone(), name, from, to, options, span: self.whole(statement) })
    }

    /// Reports an entry that stands a second time.
    pub fn once(&mut self, word: &'static str, node: &Node, first: Option<Span>) {
        if let Some(first) = first {
            let span = self.span(node);
            self.report(SyntaxError::SaidTwice { span, first, word });
        }
    }

    /// The one child of a kind; reports a second.
    pub fn only<'n>(&mut self, node: &'n Node, kind: Kind, word: &'static str) -> Option<&'n Node> {
        let mut all = node.children.iter().filter(|c| c.kind == kind);
        let first = all.next()?;
        if let Some(second) = all.next() {
            let (span, first) = (self.span(second), self.span(first));
            self.report(SyntaxError::SaidTwice { span, first, word });
        }
        Some(first)
    }

    /// `lb:80`, `10.0.0.1:80`.
    pub fn target(&mut self, node: &Node) -> Option<Target> {
        let port = node.child(Kind::TargetPort).and_then(|p| p.child(Kind::Port)).and_then(|p| self.value_in(p));
        let span = self.span(node);
        let kind = match node.child(Kind::EndPoint) {
            Some(end) => TargetKind::Name(self.node_path(end)),
            None => TargetKind::Address(self.target_address(node)?),
        };
        Some(Target { span, kind, port })
    }

    fn target_address(&mut self, node: &Node) -> Option<Expr> {
        let address = self.value_in(node)?;
        if matches!(address.kind, ExprKind::Prefix(..)) {
            let written = self.text[address.span.start as usize..address.span.end as usize].to_owned();
            let reason = "one address goes here, without `/` and a length".to_owned();
            self.report(SyntaxError::BadAddress { span: address.span, written, reason });
            return None;
        }
        Some(address)
    }
}
