//! Topologies. In: statements. Out: pieces of the tree. Looks up no names.

use super::build::Builder;
use super::parser::{Kind, Node};
use super::scan::Statement;
use super::tree::{Block, InterfaceDecl, LinkDecl, LinkEnd, LinkKind, Nested, NodeKind, NodePath, TopologyKind, TopologyStatement};
use super::words::Place;

impl Builder<'_> {
    /// The block of a topology.
    pub fn topology(&mut self, statement: &Statement) -> Block<TopologyStatement> {
        let statements = self.block(statement);
        self.nested(statements, Place::Topology, &mut |builder, inner, out| {
            if let Some(kind) = builder.topology_statement(inner) {
                let (doc, span) = (inner.doc.clone(), builder.whole(inner));
                out.push(Nested::Statement(TopologyStatement { doc, span, kind }));
            }
        })
    }

    fn topology_statement(&mut self, statement: &Statement) -> Option<TopologyKind> {
        if self.is_instance(statement) {
            return self.instance(statement);
        }
        match self.first_word(statement) {
            "node" | "router" | "bridge" | "external" | "host" | "remote" => self.nodes(statement),
            "link" | "vxlan" => self.link(statement),
            "interface" | "vlan" | "bond" | "macvlan" => self.interface(statement),
            "process" => self.process(statement).map(TopologyKind::Process),
            "route" => {
                self.no_block(statement);
                let head = self.head(Kind::RouteLine, statement)?;
                let node = self.node_path(head.child(Kind::EndPoint)?);
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

    /// `dual_homed(4) as site`, `site.dual_homed(4)`, `pair as left`: what follows the first word is no name of a node.
    fn is_instance(&self, statement: &Statement) -> bool {
        let head = &self.text[statement.head.clone()];
        let quoted = head.starts_with('`');
        let word = head[usize::from(quoted)..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let after = head.get(word + 2 * usize::from(quoted)..).unwrap_or("");
        let keyword = !quoted && Place::Topology.statements().contains(&&head[..word]);
        let after_blank = after.trim_start();
        word > 0 && (after.starts_with(['.', '(']) || (!keyword && (after_blank.starts_with("as ") || after_blank.starts_with('('))))
    }

    fn instance(&mut self, statement: &Statement) -> Option<TopologyKind> {
        self.no_block(statement);
        let head = self.head(Kind::InstanceLine, statement)?;
        let call = self.call(&head)?;
        let name = head.child(Kind::InstanceName).and_then(|n| self.indexed_in(n));
        Some(TopologyKind::Call { call, name })
    }

    fn nodes(&mut self, statement: &Statement) -> Option<TopologyKind> {
        let options = self.options(self.optional_block(statement));
        let head = self.head(Kind::NodesLine, statement)?;
        let kind = match head.children.first()?.kind {
            Kind::RouterWord => NodeKind::Router,
            Kind::BridgeWord => NodeKind::Bridge,
            Kind::ExternalWord => NodeKind::ExternalBridge,
            Kind::HostWord => NodeKind::Host,
            Kind::RemoteWord => NodeKind::Remote,
            _ => NodeKind::Node,
        };
        Some(TopologyKind::Nodes { kind, names: self.all_indexed(&head), options })
    }

    fn link(&mut self, statement: &Statement) -> Option<TopologyKind> {
        let options = self.options(self.optional_block(statement));
        let head = self.head(Kind::LinkLine, statement)?;
        let kind = if head.child(Kind::VxlanWord).is_some() { LinkKind::Vxlan } else { LinkKind::Wire };
        let name = head.child(Kind::LinkName).and_then(|n| self.indexed_in(n));
        let mut ends = Vec::with_capacity(2);
        for end in head.children.iter().filter(|c| c.kind == Kind::LinkEnd) {
            ends.push(self.link_end(end)?);
        }
        Some(TopologyKind::Link(LinkDecl { kind, name, ends: ends.try_into().ok()?, options }))
    }

    fn interface(&mut self, statement: &Statement) -> Option<TopologyKind> {
        let options = self.options(self.optional_block(statement));
        let head = self.head(Kind::InterfaceLine, statement)?;
        let kind = self.name(head.children.first()?);
        let end = self.link_end(head.child(Kind::LinkEnd)?)?;
        let on = self.node_paths(&head);
        Some(TopologyKind::Interface(InterfaceDecl { kind, end, on, options }))
    }

    fn link_end(&mut self, node: &Node) -> Option<LinkEnd> {
        let point = self.node_path(node.child(Kind::EndPoint)?);
        let addresses = node.values().map(|v| self.expression(v)).collect();
        Some(LinkEnd { point, addresses, span: self.span(node) })
    }

    /// `client[2].eth0`.
    pub fn node_path(&mut self, node: &Node) -> NodePath {
        NodePath { parts: self.all_indexed(node), span: self.span(node) }
    }

    /// The children that name nodes.
    pub fn node_paths(&mut self, node: &Node) -> Vec<NodePath> {
        node.children.iter().filter(|c| c.kind == Kind::EndPoint).map(|c| self.node_path(c)).collect()
    }
}
