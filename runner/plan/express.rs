//! Which flows of frames may go to their interface the short way (AF_XDP), past everything of their node that looks at what leaves it. In: a plan. Out:
//! whether one may. Asks no kernel, which may have no such way.

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::topology::{LinkKind, NodeKind};
use scn_grammar::scenario::transport::Transport;

use super::datagrams;
use super::types::{Plan, PlannedFlow};

/// The flow sends whole frames by a plain interface of a node that the run makes, so many that it gains by it, and nothing there could miss them: what
/// goes this way is seen by no capture at the sender, and passes no queue and no filter of its node. Where it arrives everything sees it.
pub(crate) fn may_go(plan: &Plan, flow: &PlannedFlow) -> bool {
    let Some(name) = &flow.from_interface else { return false };
    let node = &plan.nodes[flow.from.index()];
    let Some(interface) = node.interfaces.iter().find(|interface| interface.name == *name) else { return false };
    let link = &plan.links[interface.link.index()];
    let made = |node: NodeId| !plan.nodes[node.index()].kind.is_external() && plan.nodes[node.index()].placement.is_none();
    let plain = matches!(node.kind, NodeKind::Host | NodeKind::Router)
        && interface.settings.vlans.is_empty()
        && link.kind == LinkKind::Wire
        && link.ends.iter().all(|(node, _)| made(*node));
    let sends = flow.tool.is_none() && matches!(flow.transport, Transport::Frames(_)) && !flow.watches();
    sends && plain && datagrams::is_near(flow) && datagrams::may_be_joined(plan) && !has_programs(plan, flow.from)
}

/// Descriptors that such flows have beside those of other flows: they keep the socket of the long way.
pub(crate) fn descriptors(plan: &Plan) -> u64 {
    plan.flows.iter().filter(|flow| may_go(plan, flow)).count() as u64
}

/// Programs run on a node, which may look at anything. Of the tools of flows nobody asks where.
fn has_programs(plan: &Plan, node: NodeId) -> bool {
    let runs = |action: &Action| matches!(action, Action::Run { node: at, .. } if *at == node);
    let mut flows = plan.flows.iter().chain(plan.stresses.iter().flat_map(|stress| &stress.kinds));
    plan.processes.iter().any(|process| process.nodes.contains(&node))
        || plan.timeline.iter().any(|entry| runs(&entry.action))
        || flows.any(|flow| flow.tool.is_some())
}

#[cfg(test)]
mod tests {
    use super::may_go;
    use crate::plan::sample;
    use crate::plan::types::Plan;

    const NODES: &str = "node a, b";
    const LINK: &str = "link l: a.eth0 <-> b.eth0";

    fn plan(nodes: &str, link: &str, from: &str, load: &str, rest: &str) -> Plan {
        let text = format!(
            "topology {{\n{nodes}\n{link}\n}}\nflow f from {from} to b.eth0 over frames {{ frame {{ ipv4 {{ ttl 9 }} }}  {load} }}\n\
             {rest}\nexpect {{ f.sent > 0 }}"
        );
        sample::plan(&text).expect("it can be planned")
    }

    /// Whether the first flow may.
    fn may(nodes: &str, link: &str, from: &str, load: &str, rest: &str) -> bool {
        let plan = plan(nodes, link, from, load, rest);
        may_go(&plan, &plan.flows[0])
    }

    #[test]
    fn the_short_way_takes_a_descriptor_beside_the_long_one() {
        let needs = |from| plan(NODES, LINK, from, "duration 1s", "").descriptors;
        assert_eq!(needs("a.eth0"), needs("a") + 1);
    }

    #[test]
    fn frames_go_the_short_way_where_they_are_many() {
        let load = |load| may(NODES, LINK, "a.eth0", load, "");
        assert!(load("duration 1s"));
        assert!(load("total 100"), "as fast as it can");
        assert!(load("rate 400k/s  duration 1s"));
        assert!(load("rate 20k/s  duration 1s"));
        assert!(!load("rate 19k/s  duration 1s"));
        assert!(!may(NODES, LINK, "a", "duration 1s", ""), "the kernel routes them");
    }

    #[test]
    fn frames_go_the_long_way_where_somebody_may_look_at_them() {
        let beside = |rest| may(NODES, LINK, "a.eth0", "duration 1s", rest);
        assert!(beside("process p on b { run \"true\" }"), "where they arrive everything is seen");
        assert!(!beside("process p on a { run \"true\" }"));
        assert!(!beside("timeline { at 0s  run on a \"true\" }"));
        assert!(beside("timeline { at 0s  run on b \"true\" }"));
        assert!(!beside("process p on a { run \"true\" }\ntimeline { at 1s  start p }"), "it comes later");
        assert!(!beside("timeline { at 0s  capture l to \"l.pcapng\" }"));
        assert!(!beside("timeline { at 1s  capture b to \"b.pcapng\" }"));
        assert!(!beside("flow p from a to b via ping { total 1  rate 1/s }"));
        assert!(!beside("stress s from b to a { streams 1  duration 1s  tools [iperf3] }"));
        let watch = "flow w from b.eth0 to a.eth0 { over frames { watch on }  frame { lldp { } }  duration 1s }";
        assert!(beside(watch), "it looks at what others send");
        assert!(!beside("expect { a.eth0.tx_packets > 0 }"));
    }

    #[test]
    fn frames_go_the_long_way_where_a_link_is_more_than_a_wire() {
        let over = |nodes, link| may(nodes, link, "a.eth0", "duration 1s", "");
        assert!(over("node a, b\nbridge lan", "link a.eth0 <-> lan\nlink lan <-> b.eth0"));
        assert!(!over(NODES, "link l: a.eth0 <-> b.eth0 { loss 1% }"));
        assert!(!over(NODES, "link l: a.eth0 <-> b.eth0 { offload off }"));
        assert!(!over(NODES, "link l: a.eth0 <-> b.eth0\ninterface a.eth0 { vlan 7 }\ninterface b.eth0 { vlan 7 }"));
    }

    #[test]
    fn frames_go_the_long_way_where_faults_look_at_single_frames() {
        let struck = |nodes, link, what: &str| may(nodes, link, "a.eth0", "duration 1s", &format!("timeline {{ at 1s for 1s  {what} }}"));
        let bridged = |what| struck("node a, b\nbridge lan", "link l: a.eth0 <-> lan\nlink r: lan <-> b.eth0", what);
        assert!(bridged("down l"), "a port of a bridge goes down");
        assert!(bridged("silence r"), "so it does, and keeps its carrier");
        assert!(!struck(NODES, LINK, "down l"), "a wire does");
        assert!(!bridged("impair r { loss 1% }"));
        assert!(!bridged("impair l { delay 1ms }"));
        assert!(!bridged("partition [a] from [b]"));
        assert!(!bridged("isolate b"));
    }
}
