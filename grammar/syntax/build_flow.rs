//! Services and flows. In: statements. Out: pieces of the tree. Does not know which options there are.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Call, Expr, ExprKind, FlowDecl, Listen, Over, ServiceDecl, Target, TargetKind, TreeOption};
use super::words::Place;
use crate::source::Span;

impl Builder<'_> {
    /// `service NAME on NODES { listen ...  serve ... }`.
    pub fn service(&mut self, statement: &Statement) -> Option<ServiceDecl> {
        let head = self.head(Kind::ServiceLine, statement);
        let (mut listen, mut serve) = (None, None);
        for part in self.block(statement) {
            let block = self.options(self.optional_block(part));
            if self.is_later(part, Place::Service) {
                continue;
            }
            let Some(line) = self.head(Kind::ServicePart, part) else { continue };
            for (number, node) in line.children.iter().enumerate() {
                let last = number + 1 == line.children.len();
                self.service_part(node, part, last, &mut listen, &mut serve);
            }
            if let (Some(Kind::Listen), Some(listen), Some(braces)) = (line.children.last().map(|n| n.kind), &mut listen, &part.block) {
                listen.span.end = self.bytes(0, braces.close).end;
                listen.options = block;
            } else {
                self.no_block(part);
            }
        }
        let head = head?;
        let (name, nodes) = (self.name_in(&head)?, self.all_indexed(&head));
        Some(ServiceDecl { doc: statement.doc.clone(), name, nodes, listen, serve, span: self.whole(statement) })
    }

    fn service_part(&mut self, node: &Node, part: &Statement, last: bool, listen: &mut Option<Listen>, serve: &mut Option<Call>) {
        match node.kind {
            Kind::Listen => {
                let new = self.listen(node);
                self.once("`listen`", node, listen.as_ref().map(|l| l.span));
                *listen = listen.take().or(new);
            }
            Kind::Serve => {
                let new = self.call(node);
                self.once("`serve`", node, serve.as_ref().map(|s| s.span));
                *serve = serve.take().or(new);
            }
            _ => {
                if let Some(option) = self.option(node, part, last) {
                    let words = Place::Service.statements();
                    let nearest = super::nearest::nearest(&option.name.text, words.iter().copied()).map(str::to_owned);
                    let (span, word) = (option.name.span, option.name.text);
                    self.report(SyntaxError::UnknownStatement { span, word, place: Place::Service.words(), nearest, words });
                }
            }
        }
    }

    fn listen(&mut self, node: &Node) -> Option<Listen> {
        let transport = self.name_in(node)?;
        let at = node.child(Kind::ListenAt)?;
        let address = self.value_in(at);
        let port = self.value_of(at, Kind::Port)?;
        Some(Listen { transport, address, port, options: Vec::new(), span: self.span(node) })
    }

    /// Reports an entry that stands a second time.
    fn once(&mut self, word: &'static str, node: &Node, first: Option<Span>) {
        if let Some(first) = first {
            let span = self.span(node);
            self.report(SyntaxError::SaidTwice { span, first, word });
        }
    }

    /// `flow NAME from A to B { ... }`.
    pub fn flow(&mut self, statement: &Statement) -> Option<FlowDecl> {
        let head = self.head(Kind::FlowLine, statement);
        let mut over = head.as_ref().and_then(|h| h.child(Kind::FlowOver)).and_then(|o| self.over(o));
        let (mut pattern, mut options) = (None, Vec::new());
        for part in self.optional_block(statement) {
            self.flow_line(part, &mut over, &mut pattern, &mut options);
        }
        let head = head?;
        if let Some(via) = head.child(Kind::FlowVia) {
            self.not_yet(self.span(via), "`via` (a flow made by a real tool)");
            return None;
        }
        let flow_name = head.child(Kind::FlowName)?;
        if let Some(index) = flow_name.child(Kind::Index) {
            self.not_yet(self.span(index), "an index on a flow's own name");
            return None;
        }
        let name = self.name_in(flow_name)?;
        let (from, from_interface) = self.end_point(head.child(Kind::EndPoint)?)?;
        let to = self.target(head.child(Kind::Target)?)?;
        let (doc, span) = (statement.doc.clone(), self.whole(statement));
        Some(FlowDecl { doc, name, from, from_interface, to, over, pattern, options, span })
    }

    fn flow_line(&mut self, part: &Statement, over: &mut Option<Over>, pattern: &mut Option<Call>, options: &mut Vec<TreeOption>) {
        let block = self.options(self.optional_block(part));
        if self.is_later(part, Place::Flow) {
            return;
        }
        let Some(line) = self.head(Kind::FlowPart, part) else { return };
        let end = part.block.as_ref().map(|b| self.bytes(0, b.close).end);
        let mut block = Some(block);
        for (number, node) in line.children.iter().enumerate() {
            let last = number + 1 == line.children.len();
            match node.kind {
                Kind::Over => {
                    self.once("`over`", node, over.as_ref().map(|o| o.span));
                    let mut new = self.over(node);
                    if let (true, Some(end), Some(new)) = (last, end, &mut new) {
                        new.span.end = end;
                        new.options = block.take().unwrap_or_default();
                    }
                    *over = over.take().or(new);
                }
                Kind::PatternUse => {
                    self.once("`pattern`", node, pattern.as_ref().map(|p| p.span));
                    let new = self.call(node);
                    *pattern = pattern.take().or(new);
                    if last {
                        self.no_block(part);
                    }
                }
                _ => {
                    if let Some(mut option) = self.option(node, part, last) {
                        if let (true, Some(end)) = (last, end) {
                            option.span.end = end;
                            option.block = block.take().unwrap_or_default();
                        }
                        options.push(option);
                    }
                }
            }
        }
    }

    fn over(&self, node: &Node) -> Option<Over> {
        Some(Over { transport: self.name_in(node)?, options: Vec::new(), span: self.span(node) })
    }

    fn target(&mut self, node: &Node) -> Option<Target> {
        let port = node.child(Kind::TargetPort).and_then(|p| p.child(Kind::Port)).and_then(|p| self.value_in(p));
        let span = self.span(node);
        let kind = match node.child(Kind::EndPoint) {
            Some(end) => {
                let (name, interface) = self.end_point(end)?;
                if let Some(interface) = interface {
                    self.not_yet(interface.span, "a flow to an interface");
                    return None;
                }
                TargetKind::Name(name)
            }
            None => TargetKind::Address(self.target_address(node)?),
        };
        Some(Target { span, kind, port })
    }

    fn target_address(&mut self, node: &Node) -> Option<Expr> {
        let address = self.value_in(node)?;
        if matches!(address.kind, ExprKind::Prefix(..)) {
            let written = self.text[address.span.start as usize..address.span.end as usize].to_owned();
            let reason = "a flow goes to one address, without `/` and a length".to_owned();
            self.report(SyntaxError::BadAddress { span: address.span, written, reason });
            return None;
        }
        Some(address)
    }
}
