//! What a scenario asks for that this version plans but can't carry out yet. In: a scenario. Out: one error for each sentence of it that
//! would not happen, so that a run is refused before it begins instead of passing for lack of it.

use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::expect::{Condition, Metric, Subject};
use scn_grammar::scenario::flow::{Destination, Flow, Tool};
use scn_grammar::scenario::stress::{Stress, StressTransport};
use scn_grammar::scenario::timeline::{Action, StressSetting, Victim, When};
use scn_grammar::scenario::topology::{Node, NodeKind};
use scn_grammar::scenario::transport::{Listener, Transport};
use scn_grammar::scenario::{FlowId, NodeId, Scenario, StressId};
use scn_grammar::source::Span;

use super::datagrams;
use super::http;
use super::multihomed;
use super::pace::Pace;

/// The code of every problem here.
pub const CODE: &str = "scn::run::not_in_this_version";

/// Everything that the scenario says and this version can't do, in the order of the text.
#[must_use]
pub fn missing(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut missing = Missing::default();
    scenario.topology.nodes.iter().for_each(|node| missing.node(node));
    scenario.stresses.iter().for_each(|stress| missing.stress(stress, &scenario.topology.nodes));
    for service in &scenario.services {
        if let Listener::Http { .. } = &service.listener {
            http::beyond(service.pattern.as_ref()).into_iter().for_each(|what| missing.add(service.span, what));
        }
        let beyond = multihomed::service(service.listener.kind(), service.pattern.as_ref());
        beyond.into_iter().for_each(|what| missing.add(service.span, what));
        if let Listener::Udp { .. } = service.listener {
            datagrams::beyond(service.pattern.as_ref()).into_iter().for_each(|what| missing.add(service.span, what));
        }
    }
    scenario.flows.iter().for_each(|flow| missing.flow(flow, &scenario.topology.nodes));
    for entry in &scenario.timeline {
        let beyond = strikes_streams(&entry.action, scenario).or_else(|| turns(&entry.action, scenario));
        if let Some(what) = beyond.or_else(|| multihomed::action(&entry.action, scenario)) {
            missing.add(entry.span, what);
        }
        if let When::Condition { condition, .. } = &entry.when {
            for (metric, tool) in of_tools(scenario, condition) {
                let what = format!("the metric `{metric}` of {tool} in a condition of the timeline");
                missing.add(entry.span, what);
            }
            for metric in datagrams::untold(condition) {
                missing.add(entry.span, format!("the metric `{metric}` in a condition of the timeline"));
            }
        }
    }
    missing.found.sort_by_key(|problem| problem.primary.span);
    missing.found.dedup();
    missing.found
}

#[derive(Default)]
struct Missing {
    found: Vec<Diagnostic>,
}

impl Missing {
    fn add(&mut self, span: Span, what: impl Into<String>) {
        let message = format!("this version of scn checks and plans {}, but can't run it", what.into());
        let help = "run another scenario of the file with `--filter`; `scn check` and `scn plan` work for this one";
        self.found.push(Diagnostic::error(CODE, span, message, "can't be carried out").help(help));
    }

    fn node(&mut self, node: &Node) {
        match node.kind {
            NodeKind::Host | NodeKind::Router | NodeKind::Bridge | NodeKind::ExternalBridge | NodeKind::ThisHost => {}
            NodeKind::Remote => self.add(node.span, "`remote`"),
        }
    }

    fn stress(&mut self, stress: &Stress, nodes: &[Node]) {
        let to = match stress.to {
            Destination::Node(node, _) => Some(node),
            _ => None,
        };
        let here = |node: &NodeId| nodes.get(node.index()).is_some_and(|node| node.kind == NodeKind::ThisHost);
        if let Some(tool) = stress.tools.first().filter(|_| stress.from.iter().chain(to.as_ref()).any(here)) {
            self.add(stress.span, format!("a stress with streams made by {} at this machine itself", tool.word()));
        }
        if stress.transports.contains(&StressTransport::Sctp) {
            self.add(stress.span, "a stress with streams over sctp");
        }
    }

    fn flow(&mut self, flow: &Flow, nodes: &[Node]) {
        if let Some(tool) = &flow.tool {
            return self.tool(flow, tool, nodes);
        }
        match &flow.transport {
            Transport::Tcp { .. } | Transport::Tls { .. } => {}
            Transport::Udp { .. } => {
                let sized = datagrams::too_long(flow.load.size.as_ref());
                datagrams::beyond(flow.pattern.as_ref()).into_iter().chain(sized).for_each(|what| self.add(flow.span, what));
            }
            Transport::Icmp(_) | Transport::Frames(_) | Transport::Mptcp { .. } => {}
            Transport::Sctp { .. } => {
                let beyond = multihomed::flow(&flow.transport, flow.pattern.as_ref());
                beyond.into_iter().for_each(|what| self.add(flow.span, what));
            }
            Transport::Http { .. } => {
                http::flow(flow).into_iter().for_each(|what| self.add(flow.span, what));
            }
            Transport::Quic { streams, .. } => {
                if *streams > 1 && flow.pattern.as_ref().is_some_and(datagrams::either_begins) {
                    self.add(flow.span, "a pattern that either end may begin, with `streams` over `quic`");
                }
            }
        }
        let load = &flow.load;
        let pace = Pace::of_transactions(load, flow.pattern.as_ref(), &flow.transport);
        if load.bandwidth_bps.is_some() && pace.is_none() {
            self.add(flow.span, "`bandwidth` of transactions whose size only the run tells (say a `rate`)");
        }
        let frames = matches!(flow.transport, Transport::Frames(_));
        if let (Destination::HostName(..), true) = (&flow.to, frames) {
            self.add(flow.span, "a flow of frames to a name that is looked up");
        }
    }

    /// A flow that a tool makes. What the tool itself can't do the planner told.
    fn tool(&mut self, flow: &Flow, tool: &Tool, nodes: &[Node]) {
        let to = match flow.to {
            Destination::Node(node, _) | Destination::Interface(node, ..) => Some(node),
            _ => None,
        };
        let here = |node: &NodeId| nodes.get(node.index()).is_some_and(|node| node.kind == NodeKind::ThisHost);
        if [Some(flow.from), to].iter().flatten().any(here) {
            self.add(flow.span, format!("a flow made by {} at this machine itself", tool.kind.word()));
        }
    }
}

/// The metrics of a condition that a tool tells when it has ended, each with what it makes.
fn of_tools(scenario: &Scenario, condition: &Condition) -> Vec<(String, String)> {
    let flow = |flow: FlowId| Some(format!("a flow made by {}", scenario.flows.get(flow.index())?.tool.as_ref()?.kind.word()));
    let stress =
        |stress: StressId| Some(format!("a stress with streams made by {}", scenario.stresses.get(stress.index())?.tools.first()?.word()));
    let made = |metric: &Metric| match metric.subject {
        Subject::Flow(id) => flow(id),
        // How many there are is known at once.
        Subject::Stress(id) if !["streams", "active", "failed"].contains(&metric.name.as_str()) => stress(id),
        _ => None,
    };
    condition.metrics().into_iter().filter_map(|metric| Some((metric.name.clone(), made(metric)?))).collect()
}

/// What would turn a flow whose schedule is not of the kind that can be turned.
fn turns(action: &Action, scenario: &Scenario) -> Option<&'static str> {
    let flows = match action {
        Action::SetStress { stresses, setting: StressSetting::RateNano(_), .. } => {
            let made = stresses.iter().any(|stress| !scenario.stresses[stress.index()].tools.is_empty());
            return made.then_some("`set` of the rate of a stress with streams made by tools");
        }
        Action::Pause(flows) | Action::Resume(flows) => flows.as_slice(),
        Action::Set { flows, .. } => flows.as_slice(),
        _ => return None,
    };
    let by_tool = flows.iter().any(|flow| scenario.flows[flow.index()].tool.is_some());
    by_tool.then_some("`pause`, `resume` or `set` of a flow that a tool makes")
}

/// What strikes the clients of streams: which of its streams then die, and which come after them, is not thought out.
fn strikes_streams(action: &Action, scenario: &Scenario) -> Option<&'static str> {
    let (victims, what): (&[Victim], _) = match action {
        Action::Kill(victims) => (victims, "`kill` of a node where a stress starts"),
        Action::Freeze(victims) | Action::Thaw(victims) => (victims, "`freeze` of a node where a stress starts"),
        Action::Restart(victims) => (victims, "`restart` of a node where a stress starts"),
        Action::Signal { to, .. } => (to, "`signal` to a node where a stress starts"),
        Action::Vanish(nodes) => {
            let starts = scenario.stresses.iter().any(|stress| stress.from.iter().any(|from| nodes.contains(from)));
            return starts.then_some("`vanish` of a node where a stress starts");
        }
        _ => return None,
    };
    let starts = |victim: &Victim| match victim {
        Victim::Node(node) => scenario.stresses.iter().any(|stress| stress.from.contains(node)),
        Victim::Process(_) | Victim::Service(..) => false,
    };
    victims.iter().any(starts).then_some(what)
}
