//! Flows in words. In: a plan. Out: their lines: where to, how much and when, and the transaction.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::flow::Load;

use super::super::types::{Plan, PlannedFlow};
use super::{Line, duration, name, quantity, steps};

/// Every flow.
pub(super) fn flows(plan: &Plan) -> Vec<Line> {
    plan.flows.iter().map(|one| flow(plan, one)).collect()
}

/// One flow in full.
fn flow(plan: &Plan, flow: &PlannedFlow) -> Line {
    let backends: Vec<&str> = flow.backends.iter().map(|node| name(plan, *node)).collect();
    let backends = backends.join(", ");
    let mut below: Vec<Line> = flow.doc.lines().map(|doc| Line::computed(format!("## {doc}"))).collect();
    below.extend(load(flow));
    if let Some(pattern) = &flow.pattern {
        below.push(Line::pair("transaction", &pattern.name).in_order(steps::lines(&pattern.steps)));
    }
    let from = name(plan, flow.from);
    let words = format!("{} from {from} to {}, answered by {backends}", flow.name, flow.target);
    Line::new(flow.name.clone(), format!("from {from}, answered by {backends}"), words).with(below)
}

fn transactions_words(count: u64) -> String {
    format!("{count} {}", if count == 1 { "transaction" } else { "transactions" })
}

/// A line whose words are its meaning.
fn says(key: &str, words: String) -> Line {
    Line::new(key, words.clone(), words)
}

/// How much, and when.
fn load(flow: &PlannedFlow) -> Vec<Line> {
    let Load { connections, total, transactions, rate_nano, interval_ns, duration_ns, .. } = flow.load.clone();
    let held = format!("{connections} {} at once", if connections == 1 { "connection" } else { "connections" });
    let mut lines = vec![says(
        "connections",
        match (total, transactions) {
            (None, None) => format!("{held}, held, repeating the transaction"),
            (None, Some(each)) => format!("{held}, each replaced after {}", transactions_words(each)),
            (Some(total), each) => format!("{held}, {total} in all, each for {}", transactions_words(each.unwrap_or(1))),
        },
    )];
    lines.push(match rate_nano {
        None => says("rate", "closed loop: a transaction starts when the one before it ends".to_owned()),
        Some(rate) => {
            let every = if flow.interval_ns == 0 { String::new() } else { format!(", one every {}", duration(flow.interval_ns)) };
            let rate = quantity(Dimension::Rate, rate);
            Line::new("rate", rate.clone(), format!("open loop: transactions start at {rate}{every}"))
        }
    });
    if interval_ns > 0 {
        let words = format!("at least {} between a connection and its successor", duration(interval_ns));
        lines.push(Line::new("interval", duration(interval_ns), words));
    }
    if let Some(reconnect) = &flow.reconnect {
        let after = duration(reconnect.after_ns);
        lines.push(Line::new("reconnect", after.clone(), format!("a broken connection is opened anew after {after}")));
    }
    if let Some(every) = flow.sample_tcp_info_ns {
        lines.push(Line::new("sample tcp_info", duration(every), format!("tcp_info is read every {}", duration(every))));
    }
    lines.push(says("start", if flow.starts_at_zero { "starts at 0s".to_owned() } else { "started by the timeline".to_owned() }));
    lines.extend(duration_ns.map(|length| Line::new("duration", duration(length), format!("ends {} after its start", duration(length)))));
    lines
}
