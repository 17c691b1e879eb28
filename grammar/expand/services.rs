//! Services: where they listen, with what, and what they answer. In: declarations. Out: [`Service`]s. Opens nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::draft::Draft;
use super::error::ExpandError;
use super::net_error::NetError;
use super::options::{Found, Known};
use super::talk::User;
use super::things::ThingKind;
use super::topology::position;
use super::transport_options::LISTEN_ROWS;
use super::transports::Carrier;
use super::value::Value;
use crate::quantity::Dimension;
use crate::scenario::transport::{Listener, TransportKind, Wire};
use crate::scenario::{NodeId, Service};
use crate::syntax::tree::{Expr, Listen, NodePath, ServiceDecl};

/// Every option of `listen`, of whatever transport.
pub(crate) const LISTEN_OPTIONS: Known = Known {
    what: "`listen`",
    once: &[
        "backlog",
        "congestion",
        "nodelay",
        "ecn",
        "keepalive",
        "mss",
        "dscp",
        "ttl",
        "mark",
        "send_buffer",
        "receive_buffer",
        "user_timeout",
        "wire",
        "name",
        "certificate",
        "verify",
        "versions",
        "alpn",
        "ciphers",
        "resumption",
        "tls",
    ],
    many: &["path"],
};
/// Services of one scenario: at most so many.
const SERVICE_LIMIT: u64 = 10_000;

/// Where and with what a service listens.
struct Opened {
    listener: Listener,
    address: Option<IpAddr>,
    port: u16,
}

impl<'a> Draft<'_, 'a> {
    /// A port between 1 and 65535.
    pub(super) fn port(&mut self, expr: &Expr) -> Option<u16> {
        let port = self.context.bounded("a port", expr, Dimension::Count, (1, 65_535), &self.scope)?;
        u16::try_from(port).ok()
    }

    /// Takes a service in.
    pub(super) fn service(&mut self, service: &'a ServiceDecl) {
        let service = &*self.decided_service(service);
        let slot = self.declare(ThingKind::Service, &service.name, 1);
        let before = self.context.errors;
        let nodes = self.placed_on(&service.nodes, "run a service");
        let opened = match &service.listen {
            Some(listen) => self.listen(listen),
            None => {
                self.incomplete(service, "listens on", "listen tcp :5003");
                None
            }
        };
        let own_answer = opened.as_ref().map(|opened| match &opened.listener {
            Listener::Http { paths, .. } => !paths.is_empty(),
            Listener::Tcp { wire, .. } | Listener::Udp { wire, .. } => *wire == Wire::Ctraffic,
            _ => false,
        });
        let pattern = match (&service.serve, own_answer) {
            (Some(call), Some(true)) => {
                let what = format!("`{}`, which answers by itself,", service.name.name.text);
                let said = service.listen.as_ref().map(|listen| listen.span);
                self.context.raise(NetError::NoPattern { what, span: call.span, said });
                None
            }
            (Some(call), _) => self.instance(Some(call), service.name.span, User::Service),
            (None, Some(false)) => {
                let http = opened.as_ref().is_some_and(|opened| opened.listener.kind() == TransportKind::Http);
                self.incomplete(service, "answers", if http { "path \"/\" { body 1KiB }" } else { "serve sym(64B)" });
                None
            }
            (None, _) => None,
        };
        let (Some(slot), Some(nodes), Some(opened)) = (slot, nodes, opened) else { return };
        if self.context.errors > before {
            return;
        }
        let there = self.scenario.services.len() as u64;
        if there >= SERVICE_LIMIT {
            let (count, limit) = (there + 1, SERVICE_LIMIT);
            self.context.raise(ExpandError::TooLarge { what: "services", count, limit, span: service.span });
            return;
        }
        self.define(&slot, position(self.scenario.services.len()));
        let name = slot.name(slot.indices.as_ref().and_then(|indices| indices.first().copied()));
        let span = service.listen.as_ref().map_or(service.span, |listen| listen.span);
        self.check_port(&nodes, &opened, span);
        let Opened { listener, address, port } = opened;
        let doc = service.doc.join("\n");
        self.scenario.services.push(Service { name, doc, nodes, address, port, listener, pattern, span: service.span });
    }

    fn incomplete(&mut self, service: &ServiceDecl, missing: &'static str, form: &'static str) {
        let what = format!("the service `{}`", service.name.name.text);
        self.context.raise(ExpandError::Incomplete { what, missing, span: service.name.span, form });
    }

    /// The hosts that something stands on, each once.
    pub(super) fn placed_on(&mut self, paths: &[NodePath], what: &'static str) -> Option<Vec<NodeId>> {
        let mut all = Some(Vec::new());
        let mut seen: BTreeMap<NodeId, _> = BTreeMap::new();
        for path in paths {
            let Some((nodes, _)) = self.nodes_of(path) else {
                all = None;
                continue;
            };
            for node in nodes {
                if !self.is_host(node, path.span, what) {
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

    fn listen(&mut self, listen: &Listen) -> Option<Opened> {
        let kind = self.transport_kind(&listen.transport);
        let found = self.options(&listen.options, &LISTEN_OPTIONS);
        let port = self.port(&listen.port);
        let address = match &listen.address {
            None => Some(None),
            Some(expr) => match self.context.evaluate(expr, &self.scope) {
                Some(Value::Address(address)) => Some(Some(address)),
                Some(other) => {
                    self.context.wrong_type("an address", &other, expr.span);
                    None
                }
                None => None,
            },
        };
        let listener = self.listener(kind?, &found, listen)?;
        Some(Opened { listener, address: address?, port: port? })
    }

    fn listener(&mut self, kind: TransportKind, found: &Found<'_>, listen: &Listen) -> Option<Listener> {
        let span = listen.transport.span;
        if matches!(kind, TransportKind::Icmp | TransportKind::Frames) {
            let help = "a node answers echoes by itself, and frames arrive at an interface: a service needs neither".to_owned();
            self.context.raise(NetError::NoPort { transport: kind.word().into(), span, help });
            return None;
        }
        self.check_rows(found, LISTEN_ROWS, Carrier { kind, tool: None, said: Some(span) });
        let socket = self.socket(found);
        let backlog = found.get("backlog").and_then(|said| self.small(said, 1, 1 << 20, "backlog 1024"));
        Some(match kind {
            TransportKind::Tls => Listener::Tls { socket, backlog, tls: self.tls_server(found) },
            TransportKind::Udp => Listener::Udp { socket, wire: self.wire(found) },
            TransportKind::Http => {
                let tls = found.get("tls").map(|said| {
                    self.only_block(said, "tls { name \"www.example.com\" }");
                    let inner = self.inner(said, &super::sockets::TLS_OPTIONS);
                    self.tls_server(&inner)
                });
                Listener::Http { socket, backlog, paths: self.http_paths(found), tls }
            }
            TransportKind::Quic => Listener::Quic { socket, tls: self.tls_server(found) },
            TransportKind::Sctp => Listener::Sctp { socket, backlog },
            TransportKind::Mptcp => Listener::Mptcp { socket, backlog },
            _ => Listener::Tcp { socket, backlog, wire: self.wire(found) },
        })
    }

    /// Reports a port of a node that another service has.
    fn check_port(&mut self, nodes: &[NodeId], opened: &Opened, span: crate::source::Span) {
        let (address, port, family) = (opened.address, opened.port, port_space(opened.listener.kind()));
        let overlap = |other: &Service| {
            other.port == port
                && port_space(other.listener.kind()) == family
                && (other.address.is_none() || address.is_none() || other.address == address)
        };
        let taken = self.scenario.services.iter().filter(|other| overlap(other)).find_map(|other| {
            let node = other.nodes.iter().find(|node| nodes.contains(node))?;
            Some((self.scenario.topology.nodes[node.index()].name.clone(), other.span))
        });
        if let Some((node, first)) = taken {
            self.context.raise(ExpandError::PortTwice { node, port, span, first });
        }
    }
}

/// Transports that share ports: those over TCP, those over UDP, SCTP.
fn port_space(kind: TransportKind) -> u8 {
    match kind {
        TransportKind::Udp | TransportKind::Quic => 1,
        TransportKind::Sctp => 2,
        _ => 0,
    }
}
