//! Builds scenarios for tests without a file: nodes and links by words, flows and entries by values. Every statement gets a span
//! of its own, so that problems can be told apart.

use std::collections::BTreeMap;
use std::net::IpAddr;

use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::flow::{Reconnect, Timeouts};
use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind, Varying};
use scn_grammar::scenario::timeline::{Action, Entry, Event, TimeRef, When};
use scn_grammar::scenario::topology::{self, End, Impairment, Link, LinkKind, Node, NodeKind, Prefix, Route, Topology};
use scn_grammar::scenario::transport::{Listener, Transport};
use scn_grammar::scenario::{Destination, EventId, Flow, FlowId, Load, NodeId, Scenario, Service};
use scn_grammar::source::{FileId, Span};

use super::super::types::Plan;
use super::super::{EngineChoice, Planned, Settings, plan};

/// A scenario in the making.
pub struct Build {
    pub scenario: Scenario,
    ids: BTreeMap<String, NodeId>,
    next: u32,
}

pub fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

pub fn sym(size: u64) -> Pattern {
    let step = |by| Step {
        span: Span::default(),
        text: String::new(),
        kind: StepKind::Sends { by, payload: Payload::Filled(Varying::Fixed(size)), implicit: true },
    };
    Pattern { name: format!("sym({size}B)"), steps: vec![step(Side::Client), step(Side::Server)] }
}

/// Nodes and links: `build("host a, b; bridge lan", "a 10.0.0.1/24 - lan; b.eth7 - lan")`.
pub fn build(nodes: &str, links: &str) -> Build {
    let scenario = Scenario {
        name: "test".into(),
        doc: String::new(),
        tags: Vec::new(),
        file: "test.scn".into(),
        span: Span::default(),
        params: Vec::new(),
        matrix: Vec::new(),
        needs: Vec::new(),
        secrets: Vec::new(),
        timeout_ns: 60_000_000_000,
        timeout_said: false,
        tolerance_ns: 5_000_000,
        topology: Topology::default(),
        services: Vec::new(),
        flows: Vec::new(),
        processes: Vec::new(),
        stresses: Vec::new(),
        events: Vec::new(),
        timeline: Vec::new(),
        expectations: Vec::new(),
    };
    let mut build = Build { scenario, ids: BTreeMap::new(), next: 1 };
    for statement in nodes.split(';').map(str::trim).filter(|statement| !statement.is_empty()) {
        let (kind, names) = statement.split_once(' ').unwrap();
        let kind = match kind {
            "host" => NodeKind::Host,
            "router" => NodeKind::Router,
            "bridge" => NodeKind::Bridge,
            other => panic!("{other}"),
        };
        for name in names.split(',') {
            build.node(name.trim(), kind);
        }
    }
    for link in links.split(';').map(str::trim).filter(|link| !link.is_empty()) {
        build.link(link);
    }
    build
}

impl Build {
    pub fn span(&mut self) -> Span {
        self.next += 10;
        Span { file: FileId(0), start: self.next, end: self.next + 5 }
    }

    pub fn node(&mut self, name: &str, kind: NodeKind) -> NodeId {
        let span = self.span();
        self.scenario.topology.nodes.push(Node {
            name: name.into(),
            doc: String::new(),
            kind,
            forwarding: kind == NodeKind::Router,
            settings: topology::Settings::default(),
            device: None,
            placement: None,
            span,
        });
        let id = NodeId(u32::try_from(self.scenario.topology.nodes.len() - 1).unwrap());
        self.ids.insert(name.into(), id);
        id
    }

    pub fn id(&self, name: &str) -> NodeId {
        self.ids[name]
    }

    pub fn end(&mut self, node: NodeId, interface: Option<&str>, addresses: &[&str]) -> End {
        let addresses = addresses.iter().map(|text| (prefix(text), self.span())).collect();
        End { node, interface: interface.map(str::to_owned), addresses, settings: topology::Settings::default(), span: self.span() }
    }

    pub fn join(&mut self, ends: [End; 2]) -> &mut Link {
        let name = format!("link{}", self.scenario.topology.links.len());
        let span = self.span();
        let (forward, back) = (Impairment::default(), Impairment::default());
        let (doc, kind) = (String::new(), LinkKind::Wire);
        self.scenario.topology.links.push(Link { name, named: false, doc, kind, ends, forward, back, span });
        self.scenario.topology.links.last_mut().unwrap()
    }

    fn link(&mut self, text: &str) {
        let ends: Vec<End> = text
            .split(" - ")
            .map(|end| {
                let mut words = end.split([' ', ',']).filter(|word| !word.is_empty());
                let place = words.next().unwrap();
                let (node, interface) = place.split_once('.').map_or((place, None), |(node, interface)| (node, Some(interface)));
                let node = self.id(node);
                self.end(node, interface, &words.collect::<Vec<_>>())
            })
            .collect();
        self.join(ends.try_into().unwrap());
    }

    pub fn route(mut self, node: &str, to: &str, via: &str) -> Self {
        let (node, span) = (self.id(node), self.span());
        self.scenario.topology.routes.push(Route { node, to: prefix(to), via: via.parse().unwrap(), span });
        self
    }

    pub fn service(mut self, name: &str, nodes: &[&str], address: Option<&str>, port: u16) -> Self {
        let nodes = nodes.iter().map(|node| self.id(node)).collect();
        let address = address.map(|address| address.parse::<IpAddr>().unwrap());
        let span = self.span();
        let (doc, listener) = (String::new(), Listener::default());
        self.scenario.services.push(Service { name: name.into(), doc, nodes, address, port, listener, pattern: Some(sym(64)), span });
        self
    }

    /// A flow of ten connections.
    pub fn flow(self, name: &str, from: &str, to: Destination) -> Self {
        self.flow_with(name, from, to, |load| load.total = Some(10))
    }

    pub fn flow_with(mut self, name: &str, from: &str, to: Destination, change: impl FnOnce(&mut Load)) -> Self {
        let mut load = Load::default();
        change(&mut load);
        let (from, span) = (self.id(from), self.span());
        self.scenario.flows.push(Flow {
            name: name.into(),
            doc: String::new(),
            from,
            from_interface: None,
            to,
            peer_none: false,
            transport: Transport::default(),
            tool: None,
            pattern: Some(sym(64)),
            load,
            reconnect: Some(Reconnect::default()),
            timeouts: Timeouts::default(),
            source: Vec::new(),
            ports: None,
            sample_tcp_info_ns: None,
            span,
        });
        self
    }

    /// A flow from a node to a node.
    pub fn talk(self, from: &str, to: &str) -> Self {
        let to = Destination::Node(self.id(to), None);
        let name = format!("f{}", self.scenario.flows.len());
        self.flow(&name, from, to)
    }

    fn event(&mut self, name: &str) -> EventId {
        let span = self.span();
        self.scenario.events.push(Event { name: name.into(), named: true, span });
        EventId(u32::try_from(self.scenario.events.len() - 1).unwrap())
    }

    pub fn entry(mut self, when: When, action: Action, event: Option<&str>) -> Self {
        let event = event.map(|name| match self.scenario.events.iter().position(|event| event.name == name) {
            Some(known) => EventId(u32::try_from(known).unwrap()),
            None => self.event(name),
        });
        let span = self.span();
        self.scenario.timeline.push(Entry { when, action, lasts_ns: None, event, text: "an entry".into(), called: None, span });
        self
    }

    /// An entry so many ms after the start.
    pub fn at(self, ms: i64, action: Action) -> Self {
        self.entry(When::At(TimeRef { event: None, offset_ns: ms * 1_000_000 }), action, None)
    }

    pub fn plan(&self) -> Result<Planned, Vec<Diagnostic>> {
        plan(&self.scenario, &Settings { seed: 7, timing: 1, ..Settings::default() })
    }

    /// The plan where the user asks for the kernel.
    pub fn by_kernel(&self) -> Result<Planned, Vec<Diagnostic>> {
        plan(&self.scenario, &Settings { engine: EngineChoice::Kernel, ..Settings::default() })
    }

    pub fn good(&self) -> Plan {
        self.plan().unwrap_or_else(|problems| panic!("{problems:#?}")).plan
    }

    /// The codes of what is wrong.
    pub fn codes(&self) -> Vec<&'static str> {
        self.plan().map_or_else(|problems| problems.iter().map(|problem| problem.code).collect(), |planned| panic!("{:#?}", planned.plan))
    }

    /// The only problem.
    pub fn problem(&self) -> Diagnostic {
        let problems = self.plan().map_or_else(|problems| problems, |planned| panic!("{:#?}", planned.plan));
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.into_iter().next().unwrap()
    }
}

/// The addresses of a node, in order.
pub fn addresses(plan: &Plan, node: &str) -> Vec<String> {
    let node = plan.nodes.iter().find(|planned| planned.name == node).unwrap();
    node.interfaces.iter().flat_map(|interface| &interface.addresses).map(ToString::to_string).collect()
}

/// The routes of a node, in order.
pub fn routes(plan: &Plan, node: &str) -> Vec<String> {
    let node = plan.nodes.iter().find(|planned| planned.name == node).unwrap();
    node.routes.iter().map(|route| format!("{} via {}", route.to, route.via)).collect()
}

/// A flow's position as an id.
pub fn flow_id(index: u32) -> FlowId {
    FlowId(index)
}
