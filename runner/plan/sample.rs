//! Parts of plans for the tests of this crate: the plainest of each kind, to be changed where a test needs more. In: names and what
//! plays. Out: parts of a plan. Plans nothing.

use std::collections::BTreeMap;

use scn_grammar::check;
use scn_grammar::scenario::flow::{Destination, Load, Reconnect, Timeouts};
use scn_grammar::scenario::pattern::{Pattern, Varying};
use scn_grammar::scenario::stress::{Stress, StressTransport};
use scn_grammar::scenario::topology::{NodeKind, Settings};
use scn_grammar::scenario::transport::{Listener, Transport};
use scn_grammar::scenario::{FlowId, NodeId, ServiceId};
use scn_grammar::source::{Sources, Span};

use super::types::{Plan, PlannedFlow, PlannedListener, PlannedNode, PlannedStress};

/// The plan of what stands in a scenario, or the codes of what is wrong with it.
pub(crate) fn plan(scenario: &str) -> Result<Plan, Vec<&'static str>> {
    let mut sources = Sources::default();
    let file = sources.add("test.scn", format!("scn 1\nscenario s {{\n{scenario}\n}}\n"));
    let checked = check(&mut sources, file, &BTreeMap::new(), &mut scn_grammar::LoadNothing);
    assert!(checked.scenarios.len() == 1, "{:#?}", checked.diagnostics);
    let planned = super::plan(&checked.scenarios[0], &super::Settings { seed: 1, timing: 1, ..super::Settings::default() });
    planned.map(|planned| planned.plan).map_err(|problems| problems.iter().map(|problem| problem.code).collect())
}

/// A host without interfaces.
pub(crate) fn host(name: &str) -> PlannedNode {
    PlannedNode {
        name: name.to_owned(),
        doc: String::new(),
        kind: NodeKind::Host,
        forwarding: false,
        settings: Settings::default(),
        device: None,
        placement: None,
        interfaces: Vec::new(),
        routes: Vec::new(),
        pools: Vec::new(),
        sysctls: Vec::new(),
    }
}

/// A flow over TCP from the first node to the second that starts at 0.
pub(crate) fn flow(id: FlowId, name: &str, target: &str, pattern: Pattern, load: Load) -> PlannedFlow {
    PlannedFlow {
        id,
        name: name.to_owned(),
        doc: String::new(),
        from: NodeId(0),
        target: target.parse().expect("an address and a port"),
        backends: vec![NodeId(1)],
        spread_by: None,
        pattern: Some(pattern),
        load,
        interval_ns: 0,
        reconnect: Some(Reconnect::default()),
        timeouts: Timeouts::default(),
        from_interface: None,
        to: Destination::Node(NodeId(1), None),
        peer_none: false,
        transport: Transport::default(),
        tool: None,
        source: Vec::new(),
        ports: None,
        sample_tcp_info_ns: None,
        starts_at_zero: true,
        span: Span::default(),
    }
}

/// What plays the server's side on the second node, over TCP.
pub(crate) fn listener(target: std::net::SocketAddr, pattern: Pattern) -> PlannedListener {
    PlannedListener {
        name: "store".to_owned(),
        service: Some(ServiceId(0)),
        node: NodeId(1),
        address: target.ip(),
        port: target.port(),
        listener: Listener::default(),
        pattern: Some(pattern),
        span: Span::default(),
    }
}

/// A mix of streams that the timeline starts.
pub(crate) fn stress(name: &str) -> PlannedStress {
    let stress = Stress {
        name: name.to_owned(),
        doc: String::new(),
        from: vec![NodeId(0)],
        to: Destination::Node(NodeId(1), None),
        streams: 10,
        total: None,
        duration: Varying::Fixed(1_000_000_000),
        size: Varying::Fixed(64),
        rate_nano: None,
        transports: vec![StressTransport::Tcp],
        tools: Vec::new(),
        ports: None,
        span: Span::default(),
    };
    PlannedStress { stress, kinds: Vec::new(), starts_at_zero: false }
}
