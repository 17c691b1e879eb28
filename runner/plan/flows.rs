//! Where each flow goes. In: flows, listeners, holdings, routes. Out: flows with a target that is there, listens and can be
//! reached. Sends nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use scn_grammar::scenario::flow::{Destination, Flow};
use scn_grammar::scenario::timeline::{Action, Entry};
use scn_grammar::scenario::topology::Prefix;
use scn_grammar::scenario::transport::{Transport, TransportKind};
use scn_grammar::scenario::{FlowId, NodeId, ProcessId, Scenario, ServiceId};

use super::errors::{Findings, PlanError};
use super::graph::Graph;
use super::groups::Spread;
use super::holders::Holders;
use super::listeners::{Listeners, is_host, needs_peer};
use super::network::{FAMILIES, Family, Network};
use super::pace::Pace;
use super::tools;
use super::types::{PlannedFlow, PlannedListener};
use super::walk::Walker;

/// The target of what is sent by no address.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Flows and kinds of streams: a payload says in 16 bits whose it is, and one number means nobody's.
const MOST_FLOWS: usize = 65_000;

fn too_many(scenario: &Scenario) -> PlanError {
    PlanError::TooMany {
        what: "flows and kinds of streams".to_owned(),
        count: scenario.flows.len() as u64,
        limit: MOST_FLOWS as u64,
        span: scenario.flows.last().map_or(scenario.span, |flow| flow.span),
        instead: "let a stress start at fewer nodes",
    }
}

/// What a flow looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// One listener, by its position.
    Listener(usize),
    /// Any of a service's.
    Service(ServiceId),
    /// A node and a port, or none, whoever answers there.
    Place(NodeId, u16),
    /// A port of a program under test, on any of its nodes.
    Process(ProcessId, u16),
}

/// The nearest place of a goal, for every node. Flows of one declaration follow each other: the last answer serves them all.
type Nearest = (Goal, Family, Vec<Option<(NodeId, u32)>>);

/// The search for targets.
pub(crate) struct Targets<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) graph: &'a Graph<'a>,
    pub(crate) holders: &'a Holders,
    pub(crate) listeners: &'a Listeners,
    pub(crate) walker: Walker<'a>,
    /// The routes hold: otherwise a way that is missing is no news.
    pub(crate) routed: bool,
    nearest: Option<Nearest>,
}

impl<'a> Targets<'a> {
    pub(crate) fn new(
        scenario: &'a Scenario,
        graph: &'a Graph<'a>,
        holders: &'a Holders,
        listeners: &'a Listeners,
        walker: Walker<'a>,
        routed: bool,
    ) -> Targets<'a> {
        Targets { scenario, graph, holders, listeners, walker, routed, nearest: None }
    }

    /// Plans every flow; those without a target are reported and left out.
    pub(crate) fn plan_flows(&mut self, work: &mut u64, findings: &mut Findings) -> Vec<PlannedFlow> {
        let started = started_by(&self.scenario.timeline, self.scenario.flows.len());
        let mut flows = Vec::with_capacity(self.scenario.flows.len());
        if self.scenario.flows.len() > MOST_FLOWS {
            findings.add(too_many(self.scenario));
            return flows;
        }
        for (index, flow) in (0u32..).zip(&self.scenario.flows) {
            if !is_host(self.graph, flow.from, "send a flow", flow.span, findings) {
                continue;
            }
            let (group, mut spread_by) = (self.group_of(flow), None);
            let found = match flow.to.clone() {
                _ if group.is_some() => group.transpose().map(|found| {
                    found.map(|(target, spread)| {
                        spread_by = Some(spread.interface);
                        (target, spread.receivers)
                    })
                }),
                _ if matches!(flow.transport, Transport::Frames(_)) => Ok(Some((NOWHERE, Vec::new()))),
                Destination::Address(address, port) => self.find_address(flow, address, port.unwrap_or(0)).map(Some),
                Destination::HostName(_, port) => Ok(Some((SocketAddr::new(NOWHERE.ip(), port.unwrap_or(0)), Vec::new()))),
                Destination::Process(process, port) => self.find_goal(flow, Goal::Process(process, port), work).map(Some),
                Destination::Node(node, port) if flow.peer_none || !needs_peer(flow) => {
                    self.find_goal(flow, Goal::Place(node, port.unwrap_or(0)), work).map(Some)
                }
                Destination::Interface(node, name, port) => {
                    let served = !flow.peer_none && needs_peer(flow);
                    let listens = self.listeners.of_flow[index as usize].map(|listener| self.listeners.list[listener].port);
                    match listens.or(port.or(Some(0)).filter(|_| !served)) {
                        Some(port) => self.find_interface(flow, (node, &name), (port, served)).map(Some),
                        // Reported when listeners were found.
                        None => Ok(None),
                    }
                }
                Destination::Service(service) => self.find_goal(flow, Goal::Service(service), work).map(Some),
                // A flow without a listener was reported when listeners were found.
                Destination::Node(..) => {
                    self.listeners.of_flow[index as usize].map(|listener| self.find_goal(flow, Goal::Listener(listener), work)).transpose()
                }
            };
            match found {
                Ok(Some((mut target, backends))) => {
                    if let Some(port) = self.listeners.of_tool.get(index as usize).copied().flatten() {
                        target.set_port(port);
                    }
                    self.compare_transports(flow, target, &backends, findings);
                    self.answer_sources(flow, target.ip(), &backends, findings);
                    let planned = PlannedFlow { spread_by, ..planned(FlowId(index), flow, target, backends, !started[index as usize]) };
                    findings.extend(tools::check(&planned));
                    flows.push(planned);
                }
                Ok(None) => {}
                Err(problem) => findings.add(problem),
            }
        }
        flows
    }

    /// The receivers of a flow to a group or a broadcast address.
    fn group_of(&self, flow: &Flow) -> Option<Result<(SocketAddr, Spread), PlanError>> {
        let target = match flow.to {
            Destination::Address(address, port) => SocketAddr::new(address, port.unwrap_or(0)),
            Destination::Service(service) => {
                let service = &self.scenario.services[service.index()];
                SocketAddr::new(service.address?, service.port)
            }
            _ => return None,
        };
        Some(self.spread(flow, target)?.map(|spread| (target, spread)))
    }

    /// Who is reached by a flow finds the way back to every range of addresses that it starts from.
    fn answer_sources(&mut self, flow: &Flow, target: IpAddr, backends: &[NodeId], findings: &mut Findings) {
        if matches!(flow.to, Destination::HostName(..)) {
            // Where that is only the run tells.
            return;
        }
        let same = |prefix: &&Prefix| prefix.address.is_ipv4() == target.is_ipv4();
        if let Some(first) = flow.source.first().filter(|_| !flow.source.iter().any(|prefix| same(&prefix))) {
            let (name, network, from) = (flow.name.clone(), Network::of(*first).to_string(), self.graph.name(flow.from).to_owned());
            let ends = format!("it goes to {target}, an address of the other family");
            findings.add(PlanError::NoWayBack { flow: name, network, from, ends, span: flow.span });
        }
        for prefix in flow.source.iter().filter(same).filter(|_| self.routed) {
            let mut ends = None;
            for backend in backends {
                match self.walker.back(*backend, flow.from, prefix.address) {
                    Ok(()) => {
                        ends = None;
                        break;
                    }
                    Err(why) => _ = ends.get_or_insert(why),
                }
            }
            if let Some(ends) = ends {
                let (name, network) = (flow.name.clone(), Network::of(*prefix).to_string());
                let from = self.graph.name(flow.from).to_owned();
                findings.add(PlanError::NoWayBack { flow: name, network, from, ends, span: flow.span });
            }
        }
    }

    /// Warns of a flow that speaks otherwise than the service at its address: meant as a test of bad clients, or a slip.
    fn compare_transports(&self, flow: &Flow, target: SocketAddr, backends: &[NodeId], findings: &mut Findings) {
        let over = flow.transport.kind();
        let multipath = |kind| if kind == TransportKind::Mptcp { TransportKind::Tcp } else { kind };
        let at = |node: &NodeId| self.listeners.at(*node, target.ip(), target.port(), over).map(|listener| &self.listeners.list[listener]);
        let differs = |listener: &&PlannedListener| {
            listener.service.is_some() && flow.tool.is_none() && multipath(listener.listener.kind()) != multipath(over)
        };
        if let Some(listener) = backends.iter().filter_map(at).find(differs) {
            let (service, listens) = (listener.name.clone(), listener.listener.kind().word());
            findings.add(PlanError::OtherTransport { flow: over.word(), target: target.to_string(), service, listens, span: flow.span });
        }
    }

    /// To whoever has an address.
    fn find_address(&mut self, flow: &Flow, address: IpAddr, port: u16) -> Result<(SocketAddr, Vec<NodeId>), PlanError> {
        let holding = self.holders.of(address);
        if holding.is_empty() && self.scenario.topology.nodes.iter().any(|node| node.kind.is_external()) {
            // It may stand outside of what the scenario says.
            return Ok((SocketAddr::new(address, port), Vec::new()));
        }
        if holding.is_empty() {
            let nearest = self.holders.nearest(address).map(|(address, node)| format!("{address} of `{}`", self.graph.name(node)));
            return Err(PlanError::NoSuchAddress { address: address.to_string(), span: flow.span, nearest });
        }
        let backends = self.answering(flow, address, port);
        if backends.is_empty() {
            let nodes: Vec<NodeId> = holding.iter().map(|holding| holding.node).collect();
            let names: Vec<String> = nodes.iter().map(|node| format!("`{}`", self.graph.name(*node))).collect();
            let target = SocketAddr::new(address, port).to_string();
            return Err(PlanError::NobodyListens {
                target,
                nodes: names.join(", "),
                span: flow.span,
                listening: self.what_listens(&nodes, port, flow.transport.kind()),
            });
        }
        match self.reach(flow.from, &backends, address).and_then(|()| self.leave(flow, address, &backends)) {
            Ok(()) => Ok((SocketAddr::new(address, port), backends)),
            Err(ends) => Err(self.unreachable(flow, SocketAddr::new(address, port).to_string(), ends)),
        }
    }

    /// To a service or a peer, at its nearest address; IPv4 if both ends have it and it leads there, else IPv6.
    fn find_goal(&mut self, flow: &Flow, goal: Goal, work: &mut u64) -> Result<(SocketAddr, Vec<NodeId>), PlanError> {
        let (nodes, bound, port) = self.places(goal);
        let mut failure = None;
        for family in FAMILIES {
            let candidates = self.facing(flow, self.candidates(&nodes, bound, family), family);
            let Some(first) = candidates.first().copied() else { continue };
            if !self.starts_in(flow, family) {
                continue;
            }
            let nearest = match flow.from_interface {
                Some(_) => self.graph.nearest(&candidates, work)[flow.from.index()],
                None => self.nearest(goal, family, flow.from, &candidates, work),
            };
            let (node, interface) = nearest.unwrap_or(first);
            let Some(address) = bound.or_else(|| self.graph.address(node.index(), interface, family)) else { continue };
            let backends = match goal {
                Goal::Place(..) | Goal::Process(..) => vec![node],
                Goal::Listener(_) | Goal::Service(_) => self.backends(address, port, flow.transport.kind()),
            };
            match self.reach(flow.from, &backends, address).and_then(|()| self.leave(flow, address, &backends)) {
                Ok(()) => return Ok((SocketAddr::new(address, port), backends)),
                Err(ends) => _ = failure.get_or_insert((SocketAddr::new(address, port).to_string(), ends)),
            }
        }
        if bound.is_none() && nodes.contains(&flow.from) && failure.is_none() {
            // A node without links talks to itself.
            return Ok((SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), vec![flow.from]));
        }
        let names: Vec<String> = nodes.iter().map(|node| format!("`{}`", self.graph.name(*node))).collect();
        let none = || (names.join(", "), self.no_family(flow.from, &nodes));
        let (target, ends) = failure.unwrap_or_else(none);
        Err(self.unreachable(flow, target, ends))
    }

    /// Why two ends have no address of one family.
    fn no_family(&self, from: NodeId, to: &[NodeId]) -> String {
        let alone = |node: &NodeId| FAMILIES.into_iter().all(|family| !self.graph.speaks(*node, family));
        match std::iter::once(&from).chain(to).find(|node| alone(node)) {
            Some(node) => format!("`{}` has no link that gives it an address", self.graph.name(*node)),
            None => "they have addresses of no family in common".to_owned(),
        }
    }

    /// Nodes, bound address and port of a goal.
    fn places(&self, goal: Goal) -> (Vec<NodeId>, Option<IpAddr>, u16) {
        match goal {
            Goal::Listener(index) => {
                let listener = &self.listeners.list[index];
                (vec![listener.node], Some(listener.address).filter(|address| !address.is_unspecified()), listener.port)
            }
            Goal::Service(service) => {
                let service = &self.scenario.services[service.index()];
                (service.nodes.clone(), service.address, service.port)
            }
            Goal::Place(node, port) => (vec![node], None, port),
            Goal::Process(process, port) => (self.scenario.processes[process.index()].nodes.clone(), None, port),
        }
    }

    /// Interfaces by which the goal can be reached in a family, those that have the address from the start if any has.
    fn candidates(&self, nodes: &[NodeId], bound: Option<IpAddr>, family: Family) -> Vec<(NodeId, u32)> {
        if let Some(bound) = bound {
            let holding = self.holders.of(bound).iter().filter(|holding| Family::of(bound) == family && nodes.contains(&holding.node));
            let holding: Vec<_> = holding.collect();
            let starts = holding.iter().any(|holding| holding.at_start);
            return holding.iter().filter(|holding| holding.at_start || !starts).map(|holding| (holding.node, holding.interface)).collect();
        }
        let with = |node: &NodeId| {
            let node = *node;
            let interfaces = (0u32..).zip(&self.graph.interfaces[node.index()]);
            interfaces.filter_map(move |(at, _)| self.graph.address(node.index(), at, family).map(|_| (node, at)))
        };
        nodes.iter().flat_map(with).collect()
    }

    /// The candidate that is the fewest links away.
    fn nearest(&mut self, goal: Goal, family: Family, from: NodeId, candidates: &[(NodeId, u32)], work: &mut u64) -> Option<(NodeId, u32)> {
        if let [only] = candidates {
            return Some(*only);
        }
        let known = self.nearest.take().filter(|known| (known.0, known.1) == (goal, family));
        let (_, _, nearest) = self.nearest.insert(known.unwrap_or_else(|| (goal, family, self.graph.nearest(candidates, work))));
        nearest[from.index()]
    }

    /// Nodes that may answer a flow at an address: our own listeners, or whoever has it where something else answers.
    fn answering(&self, flow: &Flow, address: IpAddr, port: u16) -> Vec<NodeId> {
        let ours = self.backends(address, port, flow.transport.kind());
        if !ours.is_empty() {
            return ours;
        }
        let anyone = flow.peer_none || !needs_peer(flow);
        let runs = |node: &NodeId| self.scenario.processes.iter().any(|process| process.nodes.contains(node));
        let holding = self.holders.of(address).iter().map(|holding| holding.node);
        let mut nodes: Vec<NodeId> = holding.filter(|node| anyone || runs(node)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// Nodes that have an address at some time and listen there, each once, in order.
    pub(crate) fn backends(&self, address: IpAddr, port: u16, over: TransportKind) -> Vec<NodeId> {
        let holding = self.holders.of(address).iter().map(|holding| holding.node);
        let mut nodes: Vec<NodeId> = holding.filter(|node| self.listeners.at(*node, address, port, over).is_some()).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// At least one of them can be reached there and back; otherwise where the way to the first ends.
    pub(crate) fn reach(&mut self, from: NodeId, backends: &[NodeId], address: IpAddr) -> Result<(), String> {
        if !self.routed {
            return Ok(());
        }
        let mut ends = None;
        for backend in backends {
            match self.walker.both_ways(from, *backend, address) {
                Ok(()) => return Ok(()),
                Err(why) => _ = ends.get_or_insert(why),
            }
        }
        Err(ends.unwrap_or_else(|| "nothing of it ever has its address".to_owned()))
    }

    pub(crate) fn unreachable(&self, flow: &Flow, to: String, ends: String) -> PlanError {
        PlanError::Unreachable { flow: flow.name.clone(), from: self.graph.name(flow.from).to_owned(), to, ends, span: flow.span }
    }

    /// What these nodes listen on, for help.
    fn what_listens(&self, nodes: &[NodeId], port: u16, over: TransportKind) -> String {
        let mut words: Vec<String> = Vec::new();
        for node in nodes {
            words.extend(self.listeners.words(*node).map(|words| format!("`{}` on {words}", self.graph.name(*node))));
        }
        let name = nodes.first().map_or("NODE", |node| self.graph.name(*node));
        let declare = format!("declare `service NAME on {name} {{ listen {} :{port}  serve PATTERN }}`", over.word());
        if words.is_empty() { declare } else { format!("there listen: {}; or {declare}", words.join(", ")) }
    }
}

/// By flow: an entry of the timeline starts it.
fn started_by(timeline: &[Entry], flows: usize) -> Vec<bool> {
    let mut started = vec![false; flows];
    for entry in timeline {
        if let Action::Start(list) = &entry.action {
            list.iter().for_each(|flow| started[flow.index()] = true);
        }
    }
    started
}

/// A flow with everything known.
fn planned(id: FlowId, flow: &Flow, target: SocketAddr, backends: Vec<NodeId>, starts_at_zero: bool) -> PlannedFlow {
    PlannedFlow {
        id,
        name: flow.name.clone(),
        doc: flow.doc.clone(),
        from: flow.from,
        target,
        backends,
        spread_by: None,
        pattern: flow.pattern.clone(),
        load: flow.load.clone(),
        interval_ns: interval(flow),
        reconnect: flow.reconnect,
        timeouts: flow.timeouts,
        from_interface: flow.from_interface.clone(),
        to: flow.to.clone(),
        peer_none: flow.peer_none,
        transport: flow.transport.clone(),
        tool: flow.tool.clone(),
        source: flow.source.clone(),
        ports: flow.ports,
        sample_tcp_info_ns: flow.sample_tcp_info_ns,
        starts_at_zero,
        span: flow.span,
    }
}

/// Between two starts at the flow's beginning, ns.
fn interval(flow: &Flow) -> u64 {
    let pace = Pace::of_transactions(&flow.load, flow.pattern.as_ref(), &flow.transport).or_else(|| Pace::of_connections(&flow.load));
    pace.map_or(0, |pace| u64::try_from(Pace { change: None, ..pace }.start_ns(1)).unwrap_or(0))
}
