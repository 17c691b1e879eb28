//! What streams of a stress are made of: a flow for each of its clients, each transport and each maker, of which each stream is a run. In: stresses. Out:
//! flows for the planner, which finds their targets and peers as those of any other, and the stresses with them. Chooses no stream: that is the run's.

use std::borrow::Cow;

use scn_grammar::expand::transport_options::of_tool;
use scn_grammar::scenario::flow::{Destination, Flow, Load, Reconnect, Timeouts, Tool, ToolKind};
use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind, Varying};
use scn_grammar::scenario::stress::{Stress, StressTransport};
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::transport::{Icmp, Socket, Transport, Wire};
use scn_grammar::scenario::{NodeId, Scenario};

use super::types::{PlannedFlow, PlannedStress};
use crate::traffic::tools::has_server;

/// Largest payload of a datagram and of an echo request, bytes; a stream for which more is drawn sends this.
pub const LARGEST: u64 = 65_507;
/// Smallest payload that tells whose it is, bytes; a stream of TCP or UDP for which less is drawn sends this.
pub const SMALLEST: u64 = 32;
/// Smallest payload of which ping tells how long its echo took, bytes.
pub const SMALLEST_OF_PING: u64 = 16;

/// Who makes streams over a transport, each equally likely: scn itself, which is `None` and comes first, and each tool that knows it.
pub fn makers(stress: &Stress, over: StressTransport) -> impl Iterator<Item = Option<ToolKind>> {
    let tools = stress.tools.iter().copied().filter(move |tool| of_tool(*tool).contains(&over.kind()));
    std::iter::once(None).chain(tools.map(Some))
}

/// Kinds of streams that start at one client, in the order in which the planner makes them.
pub fn kinds_of_client(stress: &Stress) -> impl Iterator<Item = (StressTransport, Option<ToolKind>)> {
    stress.transports.iter().flat_map(|over| makers(stress, *over).map(|maker| (*over, maker)))
}

/// A scenario among whose flows are the kinds of its stresses, behind its own.
pub(crate) fn with_kinds(scenario: &Scenario) -> Cow<'_, Scenario> {
    if scenario.stresses.is_empty() {
        return Cow::Borrowed(scenario);
    }
    let kinds: Vec<Flow> = scenario.stresses.iter().flat_map(|stress| kinds(scenario, stress)).collect();
    let mut scenario = scenario.clone();
    scenario.flows.extend(kinds);
    Cow::Owned(scenario)
}

/// Takes the kinds of stresses out of planned flows again.
pub(crate) fn take_out(scenario: &Scenario, flows: &mut Vec<PlannedFlow>) -> Vec<PlannedStress> {
    let mut kinds = flows.split_off(scenario.flows.len().min(flows.len())).into_iter();
    let stress = |(index, stress): (usize, &Stress)| PlannedStress {
        kinds: kinds.by_ref().take(stress.from.len() * kinds_of_client(stress).count()).collect(),
        starts_at_zero: !scenario.timeline.iter().any(|entry| match &entry.action {
            Action::StartStress(started) => started.iter().any(|id| id.index() == index),
            _ => false,
        }),
        stress: stress.clone(),
    };
    scenario.stresses.iter().enumerate().map(stress).collect()
}

/// A flow for each client and, of it, for each transport and maker.
fn kinds(scenario: &Scenario, stress: &Stress) -> Vec<Flow> {
    let port = stress.ports.map(|ports| free_port(scenario, &stress.to, ports));
    let of_client = |from: &NodeId| {
        let from = *from;
        kinds_of_client(stress).map(move |(over, maker)| {
            let own = kind(stress, from, over, port);
            match maker {
                None => own,
                Some(tool) => by_tool(stress, own, tool),
            }
        })
    };
    stress.from.iter().flat_map(of_client).collect()
}

/// The same made by a tool. How long each run of it lasts and how large its messages are the run draws; only what holds for all of them is said here.
fn by_tool(stress: &Stress, own: Flow, tool: ToolKind) -> Flow {
    let duration_ns = match stress.duration {
        Varying::Fixed(ns) if has_server(tool) => Some(ns),
        _ => None,
    };
    Flow {
        tool: Some(Tool { kind: tool, arguments: Vec::new() }),
        pattern: None,
        reconnect: None,
        load: Load { rate_nano: stress.rate_nano, duration_ns, ..Load::default() },
        ..own
    }
}

/// The first of these ports on which nothing else of the scenario listens, or the first of all.
fn free_port(scenario: &Scenario, to: &Destination, (first, last): (u16, u16)) -> u16 {
    let (Destination::Node(node, _) | Destination::Interface(node, ..)) = to else { return first };
    let listens = |port: &u16| {
        let service = scenario.services.iter().any(|service| service.port == *port && service.nodes.contains(node));
        service
            || scenario.flows.iter().any(|flow| matches!(flow.to, Destination::Node(other, Some(said)) if (other, said) == (*node, *port)))
    };
    (first..=last).find(|port| !listens(port)).unwrap_or(first)
}

fn kind(stress: &Stress, from: NodeId, over: StressTransport, port: Option<u16>) -> Flow {
    let (size, socket) = (stress.size.clone(), Socket::default());
    let wire = Wire::Own;
    // Which transports there is a run for `support` says.
    let transport = match over {
        StressTransport::Tcp | StressTransport::Sctp => Transport::Tcp { socket, wire },
        StressTransport::Udp => Transport::Udp { socket, wire },
        StressTransport::Icmp => Transport::Icmp(Icmp::default()),
    };
    let connected = matches!(over, StressTransport::Tcp | StressTransport::Sctp);
    let port = port.filter(|_| over != StressTransport::Icmp);
    Flow {
        name: stress.name.clone(),
        doc: String::new(),
        from,
        from_interface: None,
        to: match &stress.to {
            Destination::Node(node, _) => Destination::Node(*node, port),
            Destination::Interface(node, interface, _) => Destination::Interface(*node, interface.clone(), port),
            other => other.clone(),
        },
        peer_none: false,
        transport,
        tool: None,
        pattern: (over != StressTransport::Icmp).then(|| echo(stress, &size, if connected { u64::MAX } else { LARGEST })),
        load: Load {
            // A stream over TCP is one connection, and ends with it.
            total: connected.then_some(1),
            transactions: connected.then_some(u64::MAX),
            rate_nano: stress.rate_nano,
            size: (over == StressTransport::Icmp).then_some(size),
            ..Load::default()
        },
        reconnect: (!connected).then(Reconnect::default),
        timeouts: Timeouts::default(),
        source: Vec::new(),
        ports: None,
        sample_tcp_info_ns: None,
        span: stress.span,
    }
}

/// The client sends, the server sends the same back.
fn echo(stress: &Stress, size: &Varying, most: u64) -> Pattern {
    let size = Varying::Uniform(size.least().clamp(SMALLEST, most), size.most().clamp(SMALLEST, most));
    let step = |text: &str, kind| Step { span: stress.span, text: text.to_owned(), kind };
    let sends = StepKind::Sends { by: Side::Client, payload: Payload::Filled(size), implicit: false };
    Pattern {
        name: "echo".to_owned(),
        steps: vec![step("client sends a message", sends), step("server echoes", StepKind::Echoes { by: Side::Server })],
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    const LINK: &str = "topology { node a, b\n link a <-> b }\nflow f from a to b { total 1 }\nexpect { mix.failed == 0 }";

    #[test]
    fn tools_make_kinds_beside_scn_itself() {
        let said = "stress mix from a to b { transports [tcp, icmp]  tools [ping, iperf3]  rate 5/s  ports 5001..5009 }";
        let plan = sample::plan(&format!("{LINK}\n{said}")).unwrap();
        let kinds =
            plan.stresses[0].kinds.iter().map(|kind| (kind.transport.kind().word(), kind.tool.as_ref().map(|tool| tool.kind.word())));
        let all = [("tcp", None), ("tcp", Some("iperf3")), ("icmp", None), ("icmp", Some("ping"))];
        assert_eq!(kinds.collect::<Vec<_>>(), all, "each over the transports that it knows, scn first");
        assert!(plan.stresses[0].kinds.iter().all(|kind| kind.load.rate_nano == Some(5_000_000_000)));
        assert_eq!(plan.listeners.iter().filter(|listener| listener.port == 5001).count(), 1, "a tool brings its own other end");
        assert_eq!(plan.flows.len(), 1);
    }

    #[test]
    fn what_a_tool_cannot_do_is_told_of_its_streams_too() {
        let said = |options: &str| sample::plan(&format!("{LINK}\nstress mix from a to b {{ {options} }}"));
        assert_eq!(said("transports [tcp]  tools [netperf]").unwrap_err(), ["scn::plan::tool_limit"]);
        assert!(said("transports [tcp]  tools [netperf]  duration 2s").is_ok());
        assert_eq!(said("transports [icmp]  tools [ping]  rate 2000/s").unwrap_err(), ["scn::plan::tool_limit"]);
    }
}
