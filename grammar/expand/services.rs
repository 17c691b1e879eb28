//! Services: where they listen and what they answer. In: declarations. Out: [`Service`]s. Opens nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::draft::Draft;
use super::error::ExpandError;
use super::options::Known;
use super::things::ThingKind;
use super::topology::position;
use super::value::Value;
use crate::quantity::Dimension;
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::{NodeId, Service};
use crate::syntax::tree::{Expr, Listen, Name, ServiceDecl};

/// The transport of this version.
pub(crate) const BUILT: &[&str] = &["tcp"];
/// Transports of the language that this version has not.
pub(crate) const LATER: &[&str] = &["tls", "udp", "icmp", "http", "quic", "sctp", "mptcp", "frames"];
pub(crate) const LISTEN_OPTIONS: Known = Known { what: "`listen tcp`", once: &[], many: &[] };

impl Draft<'_, '_> {
    /// Reports a transport that is not TCP.
    pub(super) fn is_tcp(&mut self, transport: &Name) -> bool {
        let (text, span) = (transport.text.as_str(), transport.span);
        if BUILT.contains(&text) {
            return true;
        }
        if LATER.contains(&text) {
            self.context.raise(ExpandError::NotInThisVersion { what: format!("the transport `{text}`"), span });
        } else {
            let help = suggest(text, BUILT.iter().copied());
            self.context.raise(ResolveError::UnknownTransport { name: text.into(), span, help });
        }
        false
    }

    /// A port between 1 and 65535.
    pub(super) fn port(&mut self, expr: &Expr) -> Option<u16> {
        let port = self.context.bounded("a port", expr, Dimension::Count, (1, 65_535), &self.scope)?;
        u16::try_from(port).ok()
    }

    /// Takes a service in.
    pub(super) fn service(&mut self, service: &ServiceDecl) {
        let slot = self.declare(ThingKind::Service, &service.name, 1);
        let nodes = self.service_nodes(service);
        let what = || format!("the service `{}`", service.name.name.text);
        let listen = match &service.listen {
            Some(listen) => self.listen(listen),
            None => {
                self.context.raise(ExpandError::Incomplete {
                    what: what(),
                    missing: "listens on",
                    span: service.name.span,
                    form: "listen tcp :5003",
                });
                None
            }
        };
        let pattern = match &service.serve {
            Some(call) => self.instance(Some(call), service.name.span),
            None => {
                self.context.raise(ExpandError::Incomplete {
                    what: what(),
                    missing: "answers",
                    span: service.name.span,
                    form: "serve sym(64B)",
                });
                None
            }
        };
        let Some(slot) = slot else { return };
        let (Some(nodes), Some((address, port)), Some(pattern)) = (nodes, listen, pattern) else { return };
        self.define(&slot, position(self.scenario.services.len()));
        let name = slot.name(slot.indices.as_ref().and_then(|indices| indices.first().copied()));
        let span = service.listen.as_ref().map_or(service.span, |listen| listen.span);
        self.check_port(&nodes, address, port, span);
        self.scenario.services.push(Service { name, nodes, address, port, pattern, span: service.span });
    }

    fn service_nodes(&mut self, service: &ServiceDecl) -> Option<Vec<NodeId>> {
        let mut all = Some(Vec::new());
        let mut seen: BTreeMap<NodeId, _> = BTreeMap::new();
        for path in &service.nodes {
            let Some((nodes, _)) = self.nodes_of(path) else {
                all = None;
                continue;
            };
            for node in nodes {
                if !self.is_host(node, path.span, "run a service") {
                    all = None;
                    break;
                }
                if let Some(first) = seen.insert(node, path.span) {
                    let name = self.scenario.topology.nodes[node.index()].name.clone();
                    self.context.raise(ExpandError::OptionTwice { name, span: path.span, first });
                } else if let Some(all) = &mut all {
                    all.push(node);
                }
            }
        }
        all
    }

    fn listen(&mut self, listen: &Listen) -> Option<(Option<IpAddr>, u16)> {
        let tcp = self.is_tcp(&listen.transport);
        if tcp {
            self.options(&listen.options, &LISTEN_OPTIONS);
        }
        let port = self.port(&listen.port);
        let address = match &listen.address {
            None => None,
            Some(expr) => match self.context.evaluate(expr, &self.scope)? {
                Value::Address(address) => Some(address),
                other => {
                    self.context.wrong_type("an address", &other, expr.span);
                    return None;
                }
            },
        };
        tcp.then_some((address, port?))
    }

    /// Reports a port of a node that another service has.
    fn check_port(&mut self, nodes: &[NodeId], address: Option<IpAddr>, port: u16, span: crate::source::Span) {
        let overlap = |other: &Service| other.port == port && (other.address.is_none() || address.is_none() || other.address == address);
        let taken = self.scenario.services.iter().filter(|other| overlap(other)).find_map(|other| {
            let node = other.nodes.iter().find(|node| nodes.contains(node))?;
            Some((self.scenario.topology.nodes[node.index()].name.clone(), other.span))
        });
        if let Some((node, first)) = taken {
            self.context.raise(ExpandError::PortTwice { node, port, span, first });
        }
    }
}
