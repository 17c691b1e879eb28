//! Services. In: statements. Out: pieces of the tree. Does not know which transports and options there are.

use super::build::Builder;
use super::nearest::nearest;
use super::parser::{Kind, Node};
use super::problem::SyntaxError;
use super::scan::Statement;
use super::tree::{Block, Call, Listen, Nested, ServiceDecl, ServicePart};
use super::words::Place;

/// What a service says once.
#[derive(Default)]
struct Said {
    listen: Option<Listen>,
    serve: Option<Call>,
}

impl<'a> Builder<'a> {
    /// `service NAME on NODES { listen ...  serve ... }`.
    pub fn service(&mut self, statement: &Statement) -> Option<ServiceDecl> {
        let head = self.head(Kind::ServiceLine, statement);
        let (mut said, depth) = (Said::default(), self.inside);
        let parts = self.block(statement);
        let under = self.nested(parts, Place::Service, &mut |builder, part, out| builder.service_line(part, depth, &mut said, out));
        let head = head?;
        let (name, nodes) = (self.indexed_in(&head)?, self.node_paths(&head));
        let (doc, span) = (statement.doc.clone(), self.whole(statement));
        Some(ServiceDecl { doc, name, nodes, listen: said.listen, serve: said.serve, under, span })
    }

    /// `depth`: how many `for` and `if` stand around the service.
    fn service_line(&mut self, part: &Statement, depth: usize, said: &mut Said, out: &mut Block<ServicePart>) {
        let Some(line) = self.head(Kind::ServicePart, part) else {
            self.options(self.optional_block(part));
            return;
        };
        for (number, node) in line.children.iter().enumerate() {
            let last = number + 1 == line.children.len();
            let mut again =
                |builder: &mut Builder<'a>, part: &Statement, out: &mut Block<ServicePart>| builder.service_line(part, depth, said, out);
            if self.trailing(node, part, Place::Service, &mut again, out).is_some() {
                continue;
            }
            match node.kind {
                Kind::Listen => {
                    let new = self.listen(node, Some(part).filter(|_| last));
                    if self.inside > depth {
                        out.extend(new.map(|listen| Nested::Statement(ServicePart::Listen(listen))));
                        continue;
                    }
                    self.once("`listen`", node, said.listen.as_ref().map(|l| l.span));
                    said.listen = said.listen.take().or(new);
                }
                Kind::Serve => {
                    if last {
                        self.no_block(part);
                    }
                    let new = self.call(node);
                    if self.inside > depth {
                        out.extend(new.map(|call| Nested::Statement(ServicePart::Serve(call))));
                        continue;
                    }
                    self.once("`serve`", node, said.serve.as_ref().map(|s| s.span));
                    said.serve = said.serve.take().or(new);
                }
                _ => self.no_service_part(node, part, last),
            }
        }
    }

    fn listen(&mut self, node: &Node, statement: Option<&Statement>) -> Option<Listen> {
        let braces = statement.and_then(|s| s.block.as_ref());
        let options = braces.map_or(Vec::new(), |braces| self.options(&braces.statements));
        let transport = self.name_in(node)?;
        let at = node.child(Kind::ListenAt)?;
        let address = self.value_in(at);
        let port = self.value_of(at, Kind::Port)?;
        let span = self.bytes(node.start, braces.map_or(node.end, |braces| braces.close));
        Some(Listen { transport, address, port, options, span })
    }

    fn no_service_part(&mut self, node: &Node, part: &Statement, last: bool) {
        let Some(option) = self.option(node, part, last) else { return };
        let words = Place::Service.statements();
        let nearest = nearest(&option.name.text, words.iter().copied()).map(str::to_owned);
        let (span, word) = (option.name.span, option.name.text);
        self.report(SyntaxError::UnknownStatement { span, word, place: Place::Service.words(), nearest, words });
    }
}
