//! What listens where. In: services, flows, holdings. Out: listeners, with the peers that flows without a service need. Two on
//! one port are refused. Reaches nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use scn_grammar::scenario::flow::{Destination, Flow};
use scn_grammar::scenario::transport::{
    Certificate, HttpPath, HttpRequest, Listener, TlsClient, TlsServer, Transport, TransportKind, Verify, Wire,
};
use scn_grammar::scenario::{NodeId, Scenario, ServiceId};
use scn_grammar::source::Span;

use super::errors::{Findings, PlanError};
use super::graph::Graph;
use super::groups;
use super::holders::Holders;
use super::types::PlannedListener;
use crate::traffic::tools;

/// Ports of peers count up from here.
const FIRST_PEER_PORT: u16 = 20_000;

/// Every address of a node, both families.
const ANYWHERE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// All listeners.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    /// The listeners, those added for flows last.
    pub(crate) list: Vec<PlannedListener>,
    by_port: BTreeMap<(NodeId, u16), Vec<usize>>,
    /// By flow: the listener of a flow to a node.
    pub(crate) of_flow: Vec<Option<usize>>,
    /// By flow: the port on which a tool's server waits for it.
    pub(crate) of_tool: Vec<Option<u16>>,
}

impl Listeners {
    /// The listener that answers at an address and a port of a node.
    pub(crate) fn at(&self, node: NodeId, address: IpAddr, port: u16, over: TransportKind) -> Option<usize> {
        let covers = |listener: &usize| {
            let listener = &self.list[*listener];
            let here = listener.address.is_unspecified() || listener.address == address;
            here && protocol(listener.listener.kind()) == protocol(over)
        };
        self.by_port.get(&(node, port))?.iter().copied().find(covers)
    }

    /// The ports that something listens on at a node.
    pub(crate) fn ports(&self, node: NodeId) -> Vec<u16> {
        self.by_port.range((node, 0)..=(node, u16::MAX)).map(|((_, port), _)| *port).collect()
    }

    /// What listens at a node, for people: `tcp 80`.
    pub(crate) fn words(&self, node: NodeId) -> impl Iterator<Item = String> {
        let of_node = self.by_port.range((node, 0)..=(node, u16::MAX)).flat_map(|(_, list)| list);
        of_node.map(|listener| &self.list[*listener]).map(|listener| format!("{} {}", listener.listener.kind().word(), listener.port))
    }

    /// Something at a node listens on an address that the node does not have at the start.
    pub(crate) fn waits_for_address(&self, node: NodeId, holders: &Holders) -> bool {
        let of_node = self.by_port.range((node, 0)..=(node, u16::MAX)).flat_map(|(_, list)| list);
        of_node.map(|listener| self.list[*listener].address).any(|address| !address.is_unspecified() && !holders.starts_with(node, address))
    }

    /// Takes a listener in, unless its place is taken.
    fn add(&mut self, listener: PlannedListener, graph: &Graph<'_>, findings: &mut Findings) -> Option<usize> {
        let (node, port) = (listener.node, listener.port);
        let place = self.by_port.entry((node, port)).or_default();
        let clashes = |other: &&usize| {
            let other = &self.list[**other];
            let apart = protocol(other.listener.kind()) != protocol(listener.listener.kind());
            let other = other.address;
            !apart && (other.is_unspecified() || listener.address.is_unspecified() || other == listener.address)
        };
        if let Some(first) = place.iter().find(clashes) {
            findings.add(PlanError::PortTwice {
                node: graph.name(node).to_owned(),
                port,
                span: listener.span,
                first: self.list[*first].span,
            });
            return None;
        }
        let index = self.list.len();
        place.push(index);
        self.list.push(listener);
        Some(index)
    }
}

/// Finds every listener.
pub(crate) fn find_listeners(scenario: &Scenario, graph: &Graph<'_>, holders: &Holders, findings: &mut Findings) -> Listeners {
    let mut listeners = Listeners::default();
    for (index, service) in (0u32..).zip(&scenario.services) {
        for node in service.nodes.iter().copied() {
            if !is_host(graph, node, "listen", service.span, findings) {
                continue;
            }
            let heard =
                |address: &IpAddr| holders.has(node, *address) || groups::can_listen(graph, node, *address, service.listener.kind());
            if let Some(address) = service.address.filter(|address| !heard(address)) {
                let (service_name, node) = (service.name.clone(), graph.name(node).to_owned());
                findings.add(PlanError::ListenAddress { service: service_name, node, address: address.to_string(), span: service.span });
            }
            let listener = PlannedListener {
                name: service.name.clone(),
                service: Some(ServiceId(index)),
                node,
                address: service.address.unwrap_or(ANYWHERE),
                port: service.port,
                listener: service.listener.clone(),
                pattern: service.pattern.clone(),
                span: service.span,
            };
            listeners.add(listener, graph, findings);
        }
    }
    let mut peers = Peers { said: said_ports(scenario, holders), next: BTreeMap::new(), of_declaration: BTreeMap::new() };
    for flow in &scenario.flows {
        let listener = match flow.to.clone() {
            _ if flow.peer_none || !needs_peer(flow) => None,
            Destination::Node(node, port) | Destination::Interface(node, _, port)
                if is_host(graph, node, "answer a flow", flow.span, findings) =>
            {
                match port {
                    Some(port) => peer_on(flow, node, port, &mut listeners, graph, findings),
                    None => peers.peer(flow, node, &mut listeners, graph, findings),
                }
            }
            _ => None,
        };
        listeners.of_flow.push(listener);
        let place = tool_place(flow, holders);
        let port = place.and_then(|(node, port)| peers.port_of_tool(flow, (node, port), &mut listeners, graph, findings));
        listeners.of_tool.push(port);
    }
    listeners
}

/// Where a tool's server that scn starts waits for its flow, and on which port if that is said.
fn tool_place(flow: &Flow, holders: &Holders) -> Option<(NodeId, Option<u16>)> {
    flow.tool.as_ref().filter(|tool| tools::has_server(tool.kind) && !flow.peer_none)?;
    match flow.to {
        Destination::Node(node, port) | Destination::Interface(node, _, port) => Some((node, port)),
        Destination::Address(address, port) => holders.of(address).first().map(|holding| (holding.node, port)),
        Destination::Service(_) | Destination::Process(..) | Destination::HostName(..) => None,
    }
}

/// The protocol number (IANA) whose ports a transport takes: TCP, UDP or SCTP.
pub(crate) fn protocol(kind: TransportKind) -> u8 {
    match kind {
        TransportKind::Tcp | TransportKind::Tls | TransportKind::Http | TransportKind::Mptcp => 6,
        TransportKind::Udp | TransportKind::Quic => 17,
        TransportKind::Sctp => 132,
        // No ports of their own.
        TransportKind::Icmp | TransportKind::Frames => 0,
    }
}

/// Bridges neither listen nor send.
pub(crate) fn is_host(graph: &Graph<'_>, node: NodeId, what: &'static str, span: Span, findings: &mut Findings) -> bool {
    let bridge = graph.kind(node.index()).is_bridge();
    if bridge {
        findings.add(PlanError::NotAHost {
            name: graph.name(node).to_owned(),
            what,
            span,
            declared: graph.topology.nodes[node.index()].span,
        });
    }
    !bridge
}

/// Ports that the file names, by node.
fn said_ports(scenario: &Scenario, holders: &Holders) -> BTreeSet<(NodeId, u16)> {
    let mut said = BTreeSet::new();
    for flow in &scenario.flows {
        match flow.to {
            Destination::Node(node, Some(port)) | Destination::Interface(node, _, Some(port)) => _ = said.insert((node, port)),
            Destination::Address(address, Some(port)) => said.extend(holders.of(address).iter().map(|holding| (holding.node, port))),
            Destination::Node(_, None)
            | Destination::Interface(_, _, None)
            | Destination::Address(_, None)
            | Destination::Service(_)
            | Destination::Process(..)
            | Destination::HostName(..) => {}
        }
    }
    said
}

/// The peer that a flow's node needs.
fn peer(flow: &Flow, node: NodeId, port: u16) -> PlannedListener {
    PlannedListener {
        name: format!("peer of {}", declared_name(&flow.name)),
        service: None,
        node,
        address: ANYWHERE,
        port,
        listener: of_peer(&flow.transport),
        pattern: flow.pattern.clone(),
        span: flow.span,
    }
}

/// Whether anything of ours has to listen for a flow: the kernel answers ICMP, a tool brings its own other end, frames need no port.
pub(crate) fn needs_peer(flow: &Flow) -> bool {
    flow.tool.is_none() && !matches!(flow.transport, Transport::Icmp(_) | Transport::Frames(_))
}

/// What answers a flow's transport with the flow's own options.
fn of_peer(transport: &Transport) -> Listener {
    let tls = |client: &TlsClient| TlsServer {
        names: client.name.iter().cloned().collect(),
        certificate: Certificate::Auto,
        versions: client.versions.clone(),
        alpn: client.alpn.clone(),
        ciphers: client.ciphers.clone(),
        resumption: client.resumption,
        verify: Verify::Off,
    };
    let backlog = None;
    match transport.clone() {
        Transport::Tcp { socket, wire } => Listener::Tcp { socket, backlog, wire },
        Transport::Tls { socket, tls: client } => Listener::Tls { socket, backlog, tls: tls(&client) },
        Transport::Udp { socket, wire } => Listener::Udp { socket, wire },
        Transport::Http { socket, http, tls: client } => {
            let paths = http.request.as_ref().map(what_was_asked).into_iter().collect();
            Listener::Http { socket, backlog, paths, tls: client.as_ref().map(tls) }
        }
        Transport::Quic { socket, tls: client, .. } => Listener::Quic { socket, tls: tls(&client) },
        Transport::Sctp { socket, .. } => Listener::Sctp { socket, backlog },
        Transport::Mptcp { socket } => Listener::Mptcp { socket, backlog },
        // Never asked for: see `needs_peer`.
        Transport::Icmp(_) | Transport::Frames(_) => Listener::Udp { socket: Default::default(), wire: Wire::Own },
    }
}

/// The answer of a peer to whatever a flow asks: the status that has to come, without a body.
fn what_was_asked(request: &HttpRequest) -> HttpPath {
    let status = request.status.filter(|status| *status >= 200).unwrap_or(200);
    HttpPath { path: "/".to_owned(), status, headers: Vec::new(), body: None }
}

/// A replica's name without its index: `f` of `f[3]`.
fn declared_name(name: &str) -> &str {
    name.split_once('[').map_or(name, |(declared, _)| declared)
}

/// What answers on a written port of a node: a service, or a peer with this flow's pattern.
fn peer_on(flow: &Flow, node: NodeId, port: u16, listeners: &mut Listeners, graph: &Graph<'_>, findings: &mut Findings) -> Option<usize> {
    let same = |listener: &usize| protocol(listeners.list[*listener].listener.kind()) == protocol(flow.transport.kind());
    let there = listeners.by_port.get(&(node, port)).and_then(|list| list.iter().copied().find(same));
    if let Some(listener) = there {
        let known = &listeners.list[listener];
        if known.service.is_some() || (known.pattern == flow.pattern && known.listener == of_peer(&flow.transport)) {
            return Some(listener);
        }
    }
    listeners.add(peer(flow, node, port), graph, findings)
}

/// Peers on free ports.
struct Peers {
    said: BTreeSet<(NodeId, u16)>,
    /// By node: the next port to try.
    next: BTreeMap<NodeId, u16>,
    /// Replicas of one declaration share the peer of a node.
    of_declaration: BTreeMap<(NodeId, Span), Vec<usize>>,
}

impl Peers {
    /// The peer of a flow to a node without a port.
    fn peer(&mut self, flow: &Flow, node: NodeId, listeners: &mut Listeners, graph: &Graph<'_>, findings: &mut Findings) -> Option<usize> {
        let shared = self.of_declaration.entry((node, flow.span)).or_default();
        let same = |listener: &&usize| -> bool {
            let known = &listeners.list[**listener];
            known.pattern == flow.pattern && known.listener == of_peer(&flow.transport)
        };
        if let Some(listener) = shared.iter().find(same) {
            return Some(*listener);
        }
        let port = self.free_port(flow, node, listeners, graph, findings)?;
        let listener = listeners.add(peer(flow, node, port), graph, findings)?;
        self.of_declaration.entry((node, flow.span)).or_default().push(listener);
        Some(listener)
    }

    /// The next free port of a node.
    fn free_port(&mut self, flow: &Flow, node: NodeId, listeners: &Listeners, graph: &Graph<'_>, findings: &mut Findings) -> Option<u16> {
        let next = self.next.entry(node).or_insert(FIRST_PEER_PORT);
        let free = |port: &u16| !self.said.contains(&(node, *port)) && !listeners.by_port.contains_key(&(node, *port));
        let Some(port) = (*next..=u16::MAX).find(free) else {
            findings.add(PlanError::TooMany {
                what: format!("flows to `{}`", graph.name(node)),
                count: listeners.ports(node).len() as u64 + 1,
                limit: u64::from(u16::MAX - FIRST_PEER_PORT) + 1,
                span: flow.span,
                instead: "let several flows go to one service",
            });
            return None;
        };
        *next = port.saturating_add(1);
        Some(port)
    }

    /// The port of a tool's server: each flow has a server of its own. The kernel gives it to nobody else.
    fn port_of_tool(
        &mut self,
        flow: &Flow,
        (node, said): (NodeId, Option<u16>),
        listeners: &mut Listeners,
        graph: &Graph<'_>,
        findings: &mut Findings,
    ) -> Option<u16> {
        let port = match said {
            Some(port) => port,
            None => self.free_port(flow, node, listeners, graph, findings)?,
        };
        listeners.by_port.entry((node, port)).or_default();
        Some(port)
    }
}
