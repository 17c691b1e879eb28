//! Programs under test. In: statements. Out: pieces of the tree. Runs nothing.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::scan::Statement;
use super::tree::{Block, Nested, ProcessDecl, ProcessPart, ReadyKind};
use super::words::Place;

/// Words that begin statements elsewhere and nothing in a process.
const NO_PROCESS: &[&str] =
    &["use", "param", "scenario", "topology", "service", "process", "flow", "stress", "timeline", "expect", "serve", "listen"];

impl<'a> Builder<'a> {
    /// `process NAME on NODES { ... }`.
    pub fn process(&mut self, statement: &Statement) -> Option<ProcessDecl> {
        let head = self.head(Kind::ProcessLine, statement);
        let parts = self.block(statement);
        let body = self.nested(parts, Place::Process, &mut |builder, part, out| builder.process_line(part, out));
        let head = head?;
        let (name, nodes) = (self.indexed_in(&head)?, self.node_paths(&head));
        Some(ProcessDecl { doc: statement.doc.clone(), name, nodes, body, span: self.whole(statement) })
    }

    fn process_line(&mut self, part: &Statement, out: &mut Block<ProcessPart>) {
        if self.out_of_place(part, Place::Process, NO_PROCESS) {
            return;
        }
        let Some(line) = self.head(Kind::ProcessPart, part) else {
            self.options(self.optional_block(part));
            return;
        };
        for (number, node) in line.children.iter().enumerate() {
            let last = number + 1 == line.children.len();
            let mut again = |builder: &mut Builder<'a>, part: &Statement, out: &mut Block<ProcessPart>| builder.process_line(part, out);
            if self.trailing(node, part, Place::Process, &mut again, out).is_some() {
                continue;
            }
            if node.kind == Kind::Option {
                out.extend(self.option(node, part, last).map(|option| Nested::Statement(ProcessPart::Option(option))));
                continue;
            }
            if last {
                self.no_block(part);
            }
            out.extend(self.process_part(node).map(Nested::Statement));
        }
    }

    fn process_part(&mut self, node: &Node) -> Option<ProcessPart> {
        let span = self.span(node);
        let within = self.value_of(node, Kind::Within);
        let mut values = node.values();
        Some(match node.kind {
            Kind::RunPart => ProcessPart::Run { command: self.expression(values.next()?), span },
            Kind::FilePart => ProcessPart::File { path: self.expression(values.next()?), content: self.expression(values.next()?), span },
            Kind::EnvPart => ProcessPart::Env { name: self.name_in(node)?, value: self.expression(values.next()?), span },
            Kind::ReadyPart => ProcessPart::Ready { kind: self.ready(node.children.first()?)?, within, span },
            Kind::StopPart => ProcessPart::Stop { signal: self.name_in(node)?, within, span },
            _ => return None,
        })
    }

    fn ready(&mut self, node: &Node) -> Option<ReadyKind> {
        Some(match node.kind {
            Kind::ReadyTcp => ReadyKind::Tcp(self.target(node.child(Kind::Target)?)?),
            Kind::ReadyUdp => ReadyKind::Udp(self.target(node.child(Kind::Target)?)?),
            Kind::ReadyLog => ReadyKind::Log(self.value_in(node)?),
            Kind::ReadyRun => ReadyKind::Run(self.value_in(node)?),
            _ => return None,
        })
    }
}
