//! Explicit congestion notification, said by flows and services over TCP. The kernel has no such option of a socket: it is a setting of the
//! node, which all must agree on. In: flows, listeners, nodes. Out: the setting's value by node, or who says otherwise. Writes nothing.

use scn_grammar::scenario::topology::Sysctl;
use scn_grammar::scenario::transport::{Listener, Socket, Transport};
use scn_grammar::scenario::{NodeId, Scenario};
use scn_grammar::source::Span;

use super::errors::{Findings, PlanError};
use super::listeners::Listeners;

/// The kernel's name of it.
pub(crate) const SETTING: &str = "net.ipv4.tcp_ecn";

/// What a node's flows and services say of it, each with its place.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    /// Its flows ask for it.
    asks: Option<(bool, Span)>,
    /// Its services take it.
    takes: Option<(bool, Span)>,
}

impl Said {
    /// 0: neither asked for nor taken. 1: both. 2: taken where a client asks.
    fn value(self) -> Option<&'static str> {
        match (self.asks.map(|said| said.0), self.takes.map(|said| said.0)) {
            (None, None) => None,
            (Some(true), _) => Some("1"),
            (_, Some(false)) => Some("0"),
            (Some(false), _) | (None, Some(true)) => Some("2"),
        }
    }

    /// Two places that cannot both have their way.
    fn conflict(self) -> Option<(Span, Span)> {
        match (self.asks, self.takes) {
            (Some((true, one)), Some((false, other))) => Some((one.max(other), one.min(other))),
            _ => None,
        }
    }
}

/// The setting of each node; `None`: nobody says anything of it.
pub(crate) fn find_ecn(scenario: &Scenario, listeners: &Listeners, findings: &mut Findings) -> Vec<Option<&'static str>> {
    let mut said = vec![Said::default(); scenario.topology.nodes.len()];
    let name = |node: NodeId| scenario.topology.nodes[node.index()].name.clone();
    let clash = |node, span, other| PlanError::EcnOfNode { node: name(node), span, other };
    for flow in scenario.flows.iter().filter(|flow| flow.tool.is_none()) {
        let Some(on) = of_flow(&flow.transport).and_then(|socket| socket.ecn) else { continue };
        if let Err(other) = agree(&mut said[flow.from.index()].asks, on, flow.span) {
            findings.add(clash(flow.from, flow.span, other));
        }
    }
    for listener in &listeners.list {
        let Some(on) = of_listener(&listener.listener).and_then(|socket| socket.ecn) else { continue };
        if let Err(other) = agree(&mut said[listener.node.index()].takes, on, listener.span) {
            findings.add(clash(listener.node, listener.span, other));
        }
    }
    for (node, (said, planned)) in (0u32..).map(NodeId).zip(said.iter().zip(&scenario.topology.nodes)) {
        let written = planned.settings.sysctls.iter().find(|sysctl: &&Sysctl| sysctl.key == SETTING);
        let against = written.filter(|sysctl| said.value().is_some_and(|value| value != sysctl.value)).map(|sysctl| sysctl.span);
        let place = said.asks.or(said.takes).map(|said| said.1);
        if let Some((span, other)) = said.conflict().or(place.zip(against)) {
            findings.add(clash(node, span, other));
        }
        if let (true, Some(span)) = (planned.kind.is_external(), place) {
            findings.add(clash(node, span, planned.span));
        }
    }
    said.into_iter().map(Said::value).collect()
}

/// Says the same as the first who said anything; else where that was.
fn agree(slot: &mut Option<(bool, Span)>, on: bool, span: Span) -> Result<(), Span> {
    let first = *slot.get_or_insert((on, span));
    if first.0 == on { Ok(()) } else { Err(first.1) }
}

fn of_flow(transport: &Transport) -> Option<&Socket> {
    match transport {
        Transport::Tcp { socket, .. } | Transport::Tls { socket, .. } | Transport::Http { socket, .. } | Transport::Mptcp { socket } => {
            Some(socket)
        }
        _ => None,
    }
}

fn of_listener(listener: &Listener) -> Option<&Socket> {
    match listener {
        Listener::Tcp { socket, .. } | Listener::Tls { socket, .. } | Listener::Http { socket, .. } | Listener::Mptcp { socket, .. } => {
            Some(socket)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::sample;
    use crate::plan::types::Plan;

    fn planned(nodes: &str, flows: &str) -> Result<Plan, Vec<&'static str>> {
        sample::plan(&format!(
            "topology {{\n node b, c\n{nodes}\n link a <-> b\n link a <-> c\n}}\n{flows}\nexpect {{ f.transactions == 1 }}"
        ))
    }

    /// The setting at a node.
    fn at<'a>(plan: &'a Plan, node: &str) -> &'a str {
        let node = plan.nodes.iter().find(|planned| planned.name == node).unwrap();
        &node.sysctls.iter().find(|(name, _)| name == super::SETTING).unwrap().1
    }

    #[test]
    fn the_nodes_of_a_flow_get_what_it_says() {
        let plan = planned("node a", "flow f from a to b { over tcp { ecn on }  total 1 }\nflow g from a to c { total 1 }").unwrap();
        assert_eq!((at(&plan, "a"), at(&plan, "b"), at(&plan, "c")), ("1", "2", "2"));
        let plan = planned("node a", "flow f from a to b { over tcp { ecn off }  total 1 }").unwrap();
        assert_eq!((at(&plan, "a"), at(&plan, "b")), ("2", "0"));
    }

    #[test]
    fn nobody_can_say_otherwise() {
        let refused = |nodes, flows| planned(nodes, flows).unwrap_err();
        let both = "flow f from a to b { over tcp { ecn on }  total 1 }\nflow g from a to c { over tcp { ecn off }  total 1 }";
        assert_eq!(refused("node a", both), ["scn::plan::ecn_of_node"]);
        let own = "flow f from a to b { over tcp { ecn on }  total 1 }";
        assert_eq!(refused("node a { sysctl \"net.ipv4.tcp_ecn\" = 0 }", own), ["scn::plan::ecn_of_node"]);
        let back = "flow f from a to b { over tcp { ecn on }  total 1 }\nflow g from c to a { over tcp { ecn off }  total 1 }";
        assert_eq!(refused("node a", back), ["scn::plan::ecn_of_node"]);
    }
}
