//! Counters: how often something happened in a window. In: a series. Out: a count, exact, or its steps.
//!
//! `sent`, `received`, `lost`, `dropped`, `corrupt`, `misdelivered`, `transactions`, `failed_transactions`, `errors`, `connections`,
//! `failed_connects`, `failed_connections`, `reconnects`, `resets`, `timeouts`, `backends`, `http.*`.

use std::collections::BTreeMap;

use scn_reports::record::flow::{Connection, ConnectionEnd, CorruptionKind, NEVER};

use super::series::{Order, Series};
use super::{Measured, Steps, Window};

/// How a counter finds what it counts.
enum Source {
    /// Items of an order.
    Items(Order),
    /// Instants of connections.
    Connections(fn(&Connection) -> Option<i64>),
    /// Answers with a status of this hundred (HTTP).
    Answers(u16),
    /// Wrong content of these kinds.
    Content(&'static [CorruptionKind]),
}

fn sources(name: &str) -> Option<&'static [Source]> {
    Some(match name {
        "sent" => &[Source::Items(Order::Sent)],
        "received" | "transactions" => &[Source::Items(Order::Done)],
        "lost" => &[Source::Items(Order::Lost)],
        "dropped" => &[Source::Items(Order::Dropped)],
        "failed_transactions" => &[Source::Items(Order::Failed)],
        "corrupt" => &[Source::Content(&[CorruptionKind::Content, CorruptionKind::Sequence])],
        "misdelivered" => &[Source::Content(&[CorruptionKind::Misdelivered])],
        "connections" => &[Source::Connections(opened)],
        "failed_connects" => &[Source::Connections(failed_to_connect)],
        "failed_connections" => &[Source::Connections(broke)],
        "reconnects" => &[Source::Connections(succeeded_another)],
        "resets" => &[Source::Connections(was_reset)],
        "timeouts" => &[Source::Connections(timed_out)],
        "http.successes" => &[Source::Answers(2)],
        "http.redirects" => &[Source::Answers(3)],
        "http.client_errors" => &[Source::Answers(4)],
        "http.server_errors" => &[Source::Answers(5)],
        "errors" => &[Source::Items(Order::Failed), Source::Connections(failed_to_connect), Source::Connections(broke)],
        _ => return None,
    })
}

fn known(instant: i64) -> Option<i64> {
    (instant != NEVER).then_some(instant)
}

fn opened(connection: &Connection) -> Option<i64> {
    known(connection.opened_ns)
}

fn ended_badly(connection: &Connection) -> bool {
    !matches!(connection.end, ConnectionEnd::Open | ConnectionEnd::Closed)
}

/// Never established, and not because the flow was stopped.
fn failed_to_connect(connection: &Connection) -> Option<i64> {
    (connection.established_ns == NEVER && ended_badly(connection)).then(|| known(connection.closed_ns).unwrap_or(connection.opened_ns))
}

/// Established, then ended otherwise than planned.
pub(super) fn broke(connection: &Connection) -> Option<i64> {
    let broken = connection.established_ns != NEVER && ended_badly(connection);
    broken.then(|| known(connection.closed_ns).unwrap_or(connection.established_ns))
}

fn succeeded_another(connection: &Connection) -> Option<i64> {
    (connection.successor_of != u32::MAX).then_some(connection.opened_ns)
}

fn was_reset(connection: &Connection) -> Option<i64> {
    (connection.end == ConnectionEnd::Reset).then(|| known(connection.closed_ns)).flatten()
}

fn timed_out(connection: &Connection) -> Option<i64> {
    matches!(connection.end, ConnectionEnd::Timeout | ConnectionEnd::ConnectTimeout).then(|| known(connection.closed_ns)).flatten()
}

/// The instants of transactions whose answer had a status for which this holds.
fn answered(flow: &Series<'_>, window: Window, wanted: impl Fn(u16) -> bool) -> Vec<i64> {
    let of = |order: Order| {
        let rows = flow.rows(order, window).iter().filter(|row| wanted(flow.item(**row).status));
        rows.map(|row| flow.instant(order, *row)).collect::<Vec<_>>()
    };
    [of(Order::Done), of(Order::Failed)].concat()
}

/// The instants of what a source counts in a window.
fn instants(flow: &Series<'_>, source: &Source, window: Window) -> Vec<i64> {
    let inside = |at: &i64| (window.from_ns..window.to_ns).contains(at);
    let counted = |at: i64| flow.counted_at(at);
    match source {
        Source::Items(order) => flow.rows(*order, window).iter().map(|row| flow.instant(*order, *row)).collect(),
        Source::Answers(hundred) => answered(flow, window, |status| status / 100 == *hundred),
        Source::Connections(instant) => flow.record.connections.iter().filter_map(instant).map(counted).filter(inside).collect(),
        Source::Content(kinds) => {
            let wrong = flow.record.corrupt.iter().filter(|c| kinds.contains(&c.kind));
            wrong.map(|c| counted(c.at_ns)).filter(inside).collect()
        }
    }
}

/// The first answer of each node in a window.
fn first_answers(flow: &Series<'_>, window: Window) -> Vec<i64> {
    let mut first: BTreeMap<u16, i64> = BTreeMap::new();
    for row in flow.rows(Order::Done, window) {
        let backend = flow.item(*row).backend;
        if backend != u16::MAX {
            first.entry(backend).or_insert_with(|| flow.instant(Order::Done, *row));
        }
    }
    first.into_values().collect()
}

/// Counters of what goes wrong: none of it is no good news where nothing could have gone wrong.
fn could_have_happened(flow: &Series<'_>, name: &str, window: Window) -> Result<(), String> {
    let tried = !flow.record.items.is_empty() || !flow.record.connections.is_empty();
    match name {
        "corrupt" | "misdelivered" => {
            // Of a connection something may have come before it failed; a datagram that failed is one that did not come, or a wrong one,
            // which then is counted.
            let orders: &[Order] = if flow.record.datagrams.is_some() { &[Order::Done] } else { &[Order::Done, Order::Failed] };
            let received = orders.iter().any(|order| !flow.rows(*order, window).is_empty());
            if received { Ok(()) } else { Err("nothing was received whose content could be wrong".to_owned()) }
        }
        _ if name.starts_with("http.") && answered(flow, window, |status| status != 0).is_empty() => {
            Err(format!("{} got no answer that has a status", flow.record.name))
        }
        "lost" if flow.rows(Order::Sent, window).is_empty() => Err("nothing was sent that could be lost".to_owned()),
        "lost" | "dropped" | "failed_transactions" | "errors" | "failed_connects" | "failed_connections" | "resets" | "timeouts"
            if !tried =>
        {
            Err(format!("{} attempted nothing", flow.record.name))
        }
        _ => Ok(()),
    }
}

/// The count of a window, exact.
pub(super) fn count(flow: &Series<'_>, name: &str, window: Window) -> Measured {
    let counted = match sources(name) {
        Some([Source::Items(order)]) => flow.rows(*order, window).len(),
        Some(sources) => sources.iter().map(|source| instants(flow, source, window).len()).sum(),
        None if name == "backends" => first_answers(flow, window).len(),
        None => return Measured::nothing(format!("this version does not know how to measure `{name}`")),
    };
    match could_have_happened(flow, name, window) {
        Err(why) if counted == 0 => Measured::nothing(why),
        _ => Measured::exact(counted as f64, counted as u64),
    }
}

/// Every change of a counter in a window, counted from the window's start.
pub(super) fn steps(flow: &Series<'_>, name: &str, window: Window) -> Option<Steps> {
    let instants: Vec<i64> = match sources(name) {
        Some(sources) => sources.iter().flat_map(|source| instants(flow, source, window)).collect(),
        None if name == "backends" => first_answers(flow, window),
        None => return None,
    };
    Some(Steps::new(0.0, instants.into_iter().map(|at| (at, 1.0)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::build::{S, done, flow, lost};
    use scn_reports::record::flow::Item;

    #[test]
    fn content_that_nobody_received_is_not_found_to_be_whole() {
        let mut record = flow("f", 10 * S, 0);
        record.datagrams = Some(Default::default());
        record.items = vec![lost(S, 5), lost(2 * S, 5)];
        let window = Window { from_ns: 0, to_ns: 10 * S };
        assert_eq!(count(&Series::new(&record, &[]), "corrupt", window).value, None);
        record.items.push(done(3 * S, 5));
        assert_eq!(count(&Series::new(&record, &[]), "corrupt", window).value, Some(0.0));
    }

    #[test]
    fn answers_are_counted_by_their_status_when_they_were_whole_or_failed() {
        let mut record = flow("f", 10 * S, 0);
        let of = |item: Item, status| Item { status, ..item };
        record.items = vec![of(done(S, 5), 200), of(done(2 * S, 5), 302), of(lost(3 * S, 5), 503), of(done(4 * S, 5), 204), lost(5 * S, 5)];
        let series = Series::new(&record, &[]);
        let counted = |name: &str, from: i64| count(&series, name, Window { from_ns: from * S, to_ns: 10 * S }).value;
        assert_eq!(counted("http.successes", 0), Some(2.0));
        assert_eq!(counted("http.successes", 2), Some(1.0));
        assert_eq!((counted("http.redirects", 0), counted("http.server_errors", 0)), (Some(1.0), Some(1.0)));
        assert_eq!(counted("http.client_errors", 0), Some(0.0));
        assert_eq!(counted("http.client_errors", 5), None, "nothing was answered that could have been one");
        let steps = steps(&series, "http.server_errors", Window { from_ns: 0, to_ns: 10 * S }).expect("a counter");
        assert_eq!(format!("{steps:?}"), format!("{:?}", Steps::new(0.0, vec![(3 * S + 5, 1.0)])));
    }
}
