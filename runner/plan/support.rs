//! What a scenario asks for that this version plans but can't carry out yet. In: a scenario. Out: one error for each sentence of it that
//! would not happen, so that a run is refused before it begins instead of passing for lack of it.

use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::Scenario;
use scn_grammar::scenario::expect::{Condition, Expectation, Metric, Value};
use scn_grammar::scenario::flow::{Arrivals, Destination, Flow, Phase, Reconnect};
use scn_grammar::scenario::pattern::{Expected, Pattern, Payload, Step, StepKind, Template, TemplatePart};
use scn_grammar::scenario::timeline::{Action, When};
use scn_grammar::scenario::topology::{Link, LinkKind, Node, NodeKind, Settings};
use scn_grammar::scenario::transport::{Listener, Socket, Transport, Wire};
use scn_grammar::source::Span;

use crate::measure::definitions;

/// The code of every problem here.
pub const CODE: &str = "scn::run::not_in_this_version";

/// Everything that the scenario says and this version can't do, in the order of the text.
#[must_use]
pub fn missing(scenario: &Scenario) -> Vec<Diagnostic> {
    let mut missing = Missing::default();
    scenario.topology.nodes.iter().for_each(|node| missing.node(node));
    scenario.topology.links.iter().for_each(|link| missing.link(link));
    for interface in &scenario.topology.interfaces {
        missing.add(interface.span, "an interface upon others (`vlan`, `bond`, `macvlan`)");
    }
    scenario.processes.iter().for_each(|process| missing.add(process.span, "`process`"));
    scenario.stresses.iter().for_each(|stress| missing.add(stress.span, "`stress`"));
    for service in &scenario.services {
        if !listens(&service.listener) {
            missing.add(service.span, format!("a service over {} with these options", service.listener.kind().word()));
        }
        missing.pattern(service.pattern.as_ref(), service.span);
    }
    scenario.flows.iter().for_each(|flow| missing.flow(flow));
    for entry in &scenario.timeline {
        if let Some(what) = action(&entry.action) {
            missing.add(entry.span, what);
        }
        if let When::Condition { condition, .. } = &entry.when {
            missing.condition(condition);
        }
    }
    scenario.expectations.iter().for_each(|expectation| missing.expectation(expectation));
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
            NodeKind::Host | NodeKind::Router | NodeKind::Bridge => {}
            NodeKind::ExternalBridge => self.add(node.span, "`external bridge`"),
            NodeKind::ThisHost => self.add(node.span, "`host`"),
            NodeKind::Remote => self.add(node.span, "`remote`"),
        }
        if node.settings != Settings::default() || node.forwarding != (node.kind == NodeKind::Router) {
            self.add(node.span, "options of a node");
        }
    }

    fn link(&mut self, link: &Link) {
        if link.kind != LinkKind::Wire {
            self.add(link.span, "`vxlan`");
        }
        if link.ends.iter().any(|end| Settings { offload: None, ..end.settings.clone() } != Settings::default()) {
            self.add(link.span, "options of an interface");
        }
    }

    fn flow(&mut self, flow: &Flow) {
        if let Some(tool) = &flow.tool {
            self.add(flow.span, format!("a flow made by {}", tool.kind.word()));
            return;
        }
        match &flow.transport {
            Transport::Tcp { socket, wire: Wire::Own } if *socket == Socket::default() => {}
            Transport::Tcp { .. } => self.add(flow.span, "socket options of a flow"),
            other => self.add(flow.span, format!("a flow over {}", other.kind().word())),
        }
        self.pattern(flow.pattern.as_ref(), flow.span);
        let load = &flow.load;
        let shaped = load.rate_change.is_some()
            || load.opens_nano.is_some()
            || load.bandwidth_bps.is_some()
            || load.arrivals != Arrivals::Constant
            || load.burst > 1
            || load.phase != Phase::Even
            || load.size.is_some();
        if shaped {
            self.add(flow.span, "a load of this shape");
        }
        let plain = |r: &Reconnect| Reconnect { after_ns: r.after_ns, ..Reconnect::default() } == *r;
        if !flow.reconnect.as_ref().is_some_and(plain) {
            self.add(flow.span, "this way to reconnect");
        }
        if flow.timeouts != Default::default() || !flow.source.is_empty() || flow.ports.is_some() {
            self.add(flow.span, "`timeout`, `source` or `ports` of a flow");
        }
        if flow.peer_none || flow.from_interface.is_some() {
            self.add(flow.span, "a flow from an interface or with `peer none`");
        }
        match flow.to {
            Destination::Node(..) | Destination::Service(_) | Destination::Address(..) => {}
            Destination::Interface(..) => self.add(flow.span, "a flow to an interface"),
            Destination::Process(..) => self.add(flow.span, "a flow to a process"),
            Destination::HostName(..) => self.add(flow.span, "a flow to a name that is looked up"),
        }
    }

    /// A pattern that the traffic can't play.
    fn pattern(&mut self, pattern: Option<&Pattern>, span: Span) {
        if pattern.is_some_and(|pattern| has_secret(&pattern.steps)) {
            self.add(span, "a secret in a pattern");
        }
    }

    fn expectation(&mut self, expectation: &Expectation) {
        self.condition(&expectation.condition);
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Compare { left, right, .. } => {
                self.value(left);
                self.value(right);
            }
            Condition::Holds(metric) | Condition::Matches { metric, .. } => self.metric(metric),
            Condition::All(all) | Condition::Any(all) => all.iter().for_each(|one| self.condition(one)),
            Condition::Not(one) => self.condition(one),
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Given(_) => {}
            Value::Metric(metric) => self.metric(metric),
            Value::Arithmetic { left, right, .. } => {
                self.value(left);
                self.value(right);
            }
            Value::Fold { values, .. } => values.iter().for_each(|value| self.value(value)),
        }
    }

    fn metric(&mut self, metric: &Metric) {
        if metric.flow().is_none() || definitions::of(&metric.name).is_none() {
            self.add(metric.span, format!("the metric `{}` of {}", metric.name, metric.subject.kind().words()));
        }
    }
}

/// A text of a step, or of one inside it, holds a secret.
fn has_secret(steps: &[Step]) -> bool {
    let holds = |template: &Template| template.0.iter().any(|part| matches!(part, TemplatePart::Secret(_)));
    steps.iter().any(|step| match &step.kind {
        StepKind::Sends { payload: Payload::Text(text), .. } | StepKind::Expects { what: Expected::Text(text), .. } => holds(text),
        StepKind::Repeat { steps, .. } => has_secret(steps),
        StepKind::Choose { branches } => branches.iter().any(|branch| has_secret(&branch.steps)),
        _ => false,
    })
}

/// A listener of plain TCP.
fn listens(listener: &Listener) -> bool {
    matches!(listener, Listener::Tcp { socket, backlog: None, wire: Wire::Own } if *socket == Socket::default())
}

/// What an action needs that is not there; `None`: it can be carried out.
fn action(action: &Action) -> Option<&'static str> {
    match action {
        Action::Start(_)
        | Action::Stop(_)
        | Action::StopService(..)
        | Action::StartService(..)
        | Action::Down(_)
        | Action::Up(_)
        | Action::Silence(_)
        | Action::Unsilence(_)
        | Action::AddAddress { .. }
        | Action::RemoveAddress { .. }
        | Action::MoveAddress { .. }
        | Action::Impair { .. }
        | Action::Restore(_)
        | Action::Partition(_)
        | Action::Isolate(_)
        | Action::Heal(_)
        | Action::Mark => None,
        Action::Pause(_) | Action::PauseStress(_) => Some("`pause`"),
        Action::Resume(_) | Action::ResumeStress(_) => Some("`resume`"),
        Action::Set { .. } | Action::SetStress { .. } => Some("`set`"),
        Action::StartStress(_) | Action::StopStress(_) => Some("`stress`"),
        Action::StartProcess(_) | Action::StopProcess(_) => Some("`process`"),
        Action::Route { .. } => Some("`route`"),
        Action::Kill(_) => Some("`kill`"),
        Action::Signal { .. } => Some("`signal`"),
        Action::Freeze(_) => Some("`freeze`"),
        Action::Thaw(_) => Some("`thaw`"),
        Action::Restart(_) => Some("`restart`"),
        Action::Vanish(_) => Some("`vanish`"),
        Action::Run { .. } => Some("`run`"),
        Action::Capture { .. } => Some("`capture`"),
    }
}
