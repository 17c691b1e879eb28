//! A plan for a look at single transactions: each flow opens one connection, or sends one item, and does one transaction. In: a plan. Out: the
//! same, so cut down. Judges nothing: what such a run measures says nothing of the load that the scenario asks for.

use scn_grammar::scenario::expect::{Condition, Subject};
use scn_grammar::scenario::flow::{Load, ToolKind};
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::timeline::{Action, Entry, When};

use super::types::{Plan, PlannedFlow};

/// A tool is left to run for no longer, ns: none of them makes a shorter report.
const TOOL_NS: u64 = 1_000_000_000;

/// Cuts a plan down.
pub fn reduce(plan: &mut Plan) {
    plan.once = true;
    plan.flows.iter_mut().for_each(flow);
    for stress in &mut plan.stresses {
        (stress.stress.streams, stress.stress.total) = (1, Some(1));
        if !stress.stress.tools.is_empty() {
            stress.stress.duration = Varying::Fixed(TOOL_NS);
        }
        stress.kinds.iter_mut().for_each(flow);
    }
    plan.timeline.iter_mut().for_each(entry);
}

fn flow(flow: &mut PlannedFlow) {
    // Who only watches looks as long as ever.
    if flow.watches() {
        return;
    }
    let said = &flow.load;
    let tool = flow.tool.as_ref().map(|tool| tool.kind);
    flow.load = Load {
        total: tool.is_none_or(|tool| tool == ToolKind::Ping).then_some(1),
        transactions: (tool.is_none() && flow.transport.kind().has_connections()).then_some(1),
        duration_ns: tool.filter(|tool| *tool != ToolKind::Ping).map(|_| said.duration_ns.map_or(TOOL_NS, |ns| ns.min(TOOL_NS))),
        size: said.size.clone(),
        ..Load::default()
    };
    flow.interval_ns = 0;
    // One attempt: why it failed is what is looked for.
    flow.reconnect = None;
}

/// No load is changed, and none is waited for: what it was to come to it never comes to.
fn entry(entry: &mut Entry) {
    if matches!(entry.action, Action::Set { .. } | Action::SetStress { .. }) {
        (entry.action, entry.lasts_ns) = (Action::Mark, None);
    }
    if let When::Condition { condition, .. } = &mut entry.when
        && condition.metrics().iter().any(|metric| matches!(metric.subject, Subject::Flow(_) | Subject::Stress(_)))
    {
        *condition = Condition::All(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_flow_does_one_transaction_and_no_load_is_waited_for() {
        let mut plan = sample::plan(
            "topology {
                node a, b
                link a <-> b
            }
            flow held from a to b { connections 20  rate 100/s  duration 5s  reconnect after 10ms }
            flow asked from a to b over udp { rate 10/s..100/s within 2s  duration 4s }
            flow pinged from a to b via ping { rate 10/s  duration 9s }
            flow bulk from a to b via iperf3 { duration 9s }
            flow endless from a to b via iperf3
            timeline {
                at 1s set held.rate 50/s for 1s
                when held.active == 20 within 1s  mark ready
            }
            expect { held.transactions > 5 }",
        )
        .unwrap();
        reduce(&mut plan);
        let loads: Vec<_> = plan.flows.iter().map(|f| (f.load.total, f.load.transactions, f.load.duration_ns, f.interval_ns)).collect();
        assert_eq!(
            loads,
            [
                (Some(1), Some(1), None, 0),
                (Some(1), None, None, 0),
                (Some(1), None, None, 0),
                (None, None, Some(TOOL_NS), 0),
                (None, None, Some(TOOL_NS), 0)
            ]
        );
        assert!(plan.flows.iter().all(|f| f.load.connections == 1 && f.load.rate_nano.is_none() && f.load.rate_change.is_none()));
        assert!(plan.once && plan.flows[0].reconnect.is_none());
        assert_eq!((&plan.timeline[0].action, plan.timeline[0].lasts_ns), (&Action::Mark, None));
        let When::Condition { condition, .. } = &plan.timeline[1].when else { panic!("{:?}", plan.timeline) };
        assert_eq!(*condition, Condition::All(Vec::new()));
    }
}
