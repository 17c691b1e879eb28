//! When what a client sends one way over a connection was delivered: the client sees no more of it than that its kernel took it. In: what the
//! server of this run noted, the client's items. Out: items that end when the server had all of them. Measures nothing.

use std::collections::BTreeMap;

use scn_grammar::scenario::pattern::{Side, Step, StepKind};
use scn_grammar::scenario::transport::TransportKind;
use scn_reports::record::flow::{Connection, ConnectionEnd, Item, ItemOutcome, NEVER};

use crate::plan::types::{Plan, PlannedFlow};

/// A transaction that a server had received whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// The connection, as the client numbers them.
    pub connection: u32,
    /// Which of the connection's transactions.
    pub number: u32,
    /// When, ns.
    pub at_ns: i64,
}

/// The items of a flow end when they are delivered: its pattern has no answer, and the server is the program's own.
pub fn are_noted(plan: &Plan, flow: &PlannedFlow) -> bool {
    let kind = flow.transport.kind();
    let connected = matches!(kind, TransportKind::Tcp | TransportKind::Tls | TransportKind::Mptcp | TransportKind::Sctp);
    let one_way = || flow.pattern.as_ref().is_some_and(|pattern| !answers(&pattern.steps));
    let serves = |node| {
        let here = |listener: &&crate::plan::types::PlannedListener| listener.node == node && listener.port == flow.target.port();
        plan.listeners.iter().filter(here).any(|listener| listener.listener.kind() == kind)
    };
    let own = || !flow.backends.is_empty() && flow.backends.iter().all(|node| serves(*node));
    connected && flow.tool.is_none() && flow.looked_up().is_none() && one_way() && own()
}

/// The server does something that the client sees.
fn answers(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Sends { by, .. } | StepKind::Echoes { by } => *by == Side::Server,
        StepKind::Repeat { steps, .. } => answers(steps),
        StepKind::Choose { branches } => branches.iter().any(|branch| answers(&branch.steps)),
        // The client sees the server close.
        StepKind::Closes { by, .. } => *by == Side::Server,
        StepKind::Expects { by, .. } => *by == Side::Client,
        StepKind::Pause { .. } => false,
    })
}

/// Ends items when they were delivered. What was not is lost if its connection broke, and nobody knows otherwise. Where no connection of the flow met
/// a server of this run, as behind a proxy, items stay as the client saw them.
pub fn settle(items: &mut [Item], mut delivered: Vec<Delivery>, connections: &[(u32, Connection)]) {
    if delivered.is_empty() {
        return;
    }
    delivered.sort_unstable();
    let breaks = |row: &&(u32, Connection)| row.1.closed_ns != NEVER && !matches!(row.1.end, ConnectionEnd::Open | ConnectionEnd::Closed);
    let broken: BTreeMap<u32, i64> = connections.iter().filter(breaks).map(|(number, row)| (*number, row.closed_ns)).collect();
    let mut rows: Vec<usize> = (0..items.len()).filter(|row| items[*row].sent_ns != NEVER).collect();
    rows.sort_by_key(|row| (items[*row].connection, items[*row].sent_ns));
    let (mut last, mut number) = (u32::MAX, 0);
    for row in rows {
        let item = &mut items[row];
        number = if item.connection == last { number + 1 } else { 0 };
        last = item.connection;
        if item.outcome != ItemOutcome::Done {
            continue;
        }
        let found = delivered.binary_search_by_key(&(last, number), |delivery| (delivery.connection, delivery.number));
        match (found, broken.get(&last)) {
            (Ok(at), _) => item.done_ns = delivered[at].at_ns.max(item.sent_ns),
            (Err(_), Some(at)) => *item = Item { outcome: ItemOutcome::Failed, done_ns: item.sent_ns.max(*at), forward_bytes: 0, ..*item },
            (Err(_), None) => *item = Item { outcome: ItemOutcome::Unfinished, done_ns: NEVER, forward_bytes: 0, ..*item },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::build::{MS, done, ended, open};

    #[test]
    fn items_end_when_they_are_delivered_or_not_at_all() {
        let sent = |connection: u32, at: i64| Item { connection, ..done(at * MS, 0) };
        let all = [sent(7, 1), sent(3, 1), sent(7, 2), sent(3, 2), sent(7, 3)];
        let connections = [(7, ended(0, 50 * MS, ConnectionEnd::Reset)), (3, open(0))];
        let delivery = |connection, number, at: i64| Delivery { connection, number, at_ns: at * MS };
        let mut items = all;
        settle(&mut items, vec![delivery(3, 0, 9), delivery(7, 1, 20), delivery(7, 0, 10)], &connections);
        let told = items.map(|item| (item.connection, item.outcome, item.done_ns.max(-1) / MS));
        use ItemOutcome::{Done, Failed, Unfinished};
        assert_eq!(told, [(7, Done, 10), (3, Done, 9), (7, Done, 20), (3, Unfinished, 0), (7, Failed, 50)]);
        let mut items = all;
        settle(&mut items, Vec::new(), &connections);
        assert_eq!(items, all, "another server tells nothing");
    }
}
