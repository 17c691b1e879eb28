//! Tables of synthetic records with values computed by hand.

use proptest::prelude::*;
use scn_grammar::scenario::EventId;
use scn_grammar::scenario::expect::{Metric, STATISTICS};
use scn_grammar::scenario::metrics::{self, OwnerKind};
use scn_reports::record::flow::{Connection, ConnectionEnd, Corruption, CorruptionKind, FlowRecord, Item, ItemOutcome, NEVER, TcpSample};
use scn_reports::record::packet::{Datagrams, Packet, PacketFate, PacketWay};

use super::build::{MS, S, done, dropped, ended, failover, flow, lost, open, refused, regular, sample, unfinished};
use super::{Context, Happening, Measured, Series, Window, interfaces, links, measure, steps, stresses, summary};

fn metric(name: &str, event: Option<u32>) -> Metric {
    summary::metric(name, event.map(EventId)).unwrap_or_else(|| panic!("{name} is a metric"))
}

fn context() -> Context {
    Context {
        events: vec![Some(Happening { asked_ns: 3 * S, done_ns: 3 * S + MS }), None],
        names: vec!["failure".to_owned(), "never".to_owned()],
        faults: vec![0],
        ..Context::default()
    }
}

fn over(record: &FlowRecord, name: &str, from_ns: i64, to_ns: i64) -> Measured {
    let series = Series::new(record, &[]);
    let window = series.cut(Window { from_ns, to_ns });
    measure(&metric(name, super::tests::event_of(name)), &series, &context(), window)
}

fn event_of(name: &str) -> Option<u32> {
    metrics::find(OwnerKind::Flow, name).is_some_and(|row| row.takes_event).then_some(0)
}

pub(super) fn whole(record: &FlowRecord, name: &str) -> Measured {
    over(record, name, i64::MIN, i64::MAX)
}

pub(super) fn value(record: &FlowRecord, name: &str) -> Option<f64> {
    whole(record, name).value
}

/// 100/s for 10 s, each of 2 ms; items of the second 4..5 are lost after 30 ms; three were dropped and one was never seen again.
fn eventful() -> FlowRecord {
    let mut record = flow("f", 10 * S, 10 * MS);
    record.items = regular(0, 4 * S, 10 * MS, 2 * MS);
    record.items.extend((4 * S..5 * S).step_by(10_000_000).map(|at| lost(at, 30 * MS)));
    record.items.extend([6 * S, 6 * S + 10 * MS, 6 * S + 20 * MS].map(dropped));
    record.items.extend(regular(5 * S, 6 * S, 10 * MS, 2 * MS));
    record.items.extend(regular(6 * S + 30 * MS, 10 * S - 10 * MS, 10 * MS, 2 * MS));
    record.items.push(unfinished(10 * S - 10 * MS));
    record.connections = vec![
        open(0),
        ended(0, 4 * S, ConnectionEnd::Reset),
        Connection { successor_of: 1, ..refused(4 * S + 100 * MS, 4 * S + 101 * MS, ConnectionEnd::Refused) },
        Connection { successor_of: 2, backend: 2, ..open(4 * S + 200 * MS) },
        ended(0, 9 * S, ConnectionEnd::Closed),
        ended(0, 5 * S, ConnectionEnd::Timeout),
    ];
    let revived = record.items.iter().position(|item| item.intended_ns == 5 * S).unwrap();
    record.items[revived].connection = 3;
    record.items[revived].backend = 2;
    let wrong = |kind| Corruption { at_ns: 7 * S, connection: 0, server: true, kind, offset: 3, detail: String::new() };
    record.corrupt = vec![wrong(CorruptionKind::Content), wrong(CorruptionKind::Sequence), wrong(CorruptionKind::Misdelivered)];
    record
}

#[test]
fn counters_of_a_whole_run() {
    let record = eventful();
    let table = [
        ("sent", 997.0),
        ("received", 896.0),
        ("transactions", 896.0),
        ("lost", 100.0),
        ("dropped", 3.0),
        ("failed_transactions", 100.0),
        ("corrupt", 2.0),
        ("misdelivered", 1.0),
        ("connections", 6.0),
        ("failed_connects", 1.0),
        ("failed_connections", 2.0),
        ("errors", 103.0),
        ("reconnects", 2.0),
        ("resets", 1.0),
        ("timeouts", 1.0),
        ("backends", 2.0),
        ("lasting_connections", 1.0),
        ("active", 2.0),
        ("connecting", 0.0),
    ];
    for (name, expected) in table {
        let measured = whole(&record, name);
        assert_eq!((measured.value, measured.error()), (Some(expected), 0.0), "{name}");
    }
}

#[test]
fn events_belong_to_the_instant_they_happen_at() {
    let record = eventful();
    // Sent 4.00..4.99, failed 4.03..5.02; done 2 ms after sending.
    let table = [
        ("lost", 4 * S, 5 * S, 100.0),
        ("lost", 5 * S, 6 * S, 0.0),
        ("failed_transactions", 5 * S, 6 * S, 3.0),
        ("received", 0, 2 * MS, 0.0),
        ("received", 0, 2 * MS + 1, 1.0),
        ("dropped", 6 * S, 6 * S + 10 * MS, 1.0),
        ("resets", 4 * S, 4 * S + 1, 1.0),
        ("resets", 4 * S + 1, 10 * S, 0.0),
        ("active", 0, MS, 0.0),
        ("active", 0, MS + 1, 4.0),
        ("active", 0, 4 * S + 1, 3.0),
        ("connecting", 0, MS, 4.0),
        ("connecting", 0, 4 * S + 100 * MS + 1, 1.0),
    ];
    for (name, from, to, expected) in table {
        assert_eq!(over(&record, name, from, to).value, Some(expected), "{name} in {from}..{to}");
    }
}

#[test]
fn what_ends_after_the_stop_counts_at_the_stop() {
    let mut record = flow("f", 2 * S, 100 * MS);
    record.items = vec![done(S, MS), done(2 * S - MS, 50 * MS)];
    record.connections = vec![ended(0, 2 * S + 5 * MS, ConnectionEnd::Closed)];
    assert_eq!(value(&record, "received"), Some(2.0));
    assert_eq!(value(&record, "rate"), Some(0.5), "but a rate knows only what ended in its time");
    assert_eq!(value(&record, "active"), Some(1.0));
    // The timeline told it to stop before its connections were closed.
    record.ran_ns = vec![(0, 2 * S + 10 * MS)];
    let series = Series::new(&record, &[2 * S]);
    let running = series.running().unwrap();
    assert_eq!(running.to_ns, 2 * S + 1);
    assert_eq!(measure(&metric("active", None), &series, &context(), running).value, Some(1.0));
}

#[test]
fn rates_are_exact_for_their_window() {
    let record = eventful();
    assert_eq!(over(&record, "rate", S, 2 * S).value, Some(100.0));
    assert_eq!(over(&record, "goodput.forward", S, 2 * S).value, Some(800_000.0));
    assert_eq!(over(&record, "goodput.back", S, 2 * S).value, Some(400_000.0));
    // More than an item's row has room for: known if all are alike, else at least so much.
    let mut large = eventful();
    large.items.iter_mut().for_each(|item| item.forward_bytes = u32::MAX);
    large.forward_bytes = Some(8 << 30);
    assert_eq!(over(&large, "goodput.forward", S, 2 * S).value, Some(100.0 * 8.0 * (8u64 << 30) as f64));
    large.forward_bytes = None;
    let least = over(&large, "goodput.forward", S, 2 * S);
    assert_eq!((least.value, least.above), (Some(100.0 * 8.0 * f64::from(u32::MAX)), f64::INFINITY));
    assert_eq!(over(&record, "rate", 4 * S + 100 * MS, 5 * S).value, Some(0.0));
    // 200 were meant for its two seconds; the last 79 of them end in the second after, which is not in the time that counts.
    let mut late = flow("late", 2 * S, 10 * MS);
    late.items = regular(0, 2 * S, 10 * MS, 800 * MS);
    assert_eq!((value(&late, "rate"), value(&late, "received")), (Some(60.5), Some(200.0)));
    // 895 answers of node 1, one of node 2.
    assert_eq!(value(&record, "backends.skew"), Some(895.0 * 2.0 / 896.0));
}

#[test]
fn loss_has_the_unseen_as_its_error() {
    let record = eventful();
    let loss = whole(&record, "loss");
    assert_eq!((loss.value, loss.below, loss.above), (Some(100.0 / 997.0), 0.0, 1.0 / 997.0));
    assert_eq!(over(&record, "loss", 0, 4 * S).value, Some(0.0));
    assert_eq!(over(&record, "loss", 6 * S + 1, 6 * S + 2).value, None);
}

#[test]
fn latency_counts_from_the_intended_start() {
    let mut record = flow("f", S, 100 * MS);
    // Intended every 100 ms; the third was released 20 ms late by the program, the fourth waited 30 ms for a connection.
    let late = |at, wait: i64, lag: i64| Item { sent_ns: at + wait, done_ns: at + wait + 5 * MS, lag_ns: lag as u32, ..done(at, 0) };
    record.items = vec![late(0, 0, 0), late(100 * MS, 0, 0), late(200 * MS, 20 * MS, 20 * MS), late(300 * MS, 30 * MS, 0)];
    assert_eq!(value(&record, "latency.min"), Some(5e6));
    assert_eq!(value(&record, "latency.p50"), Some(5e6));
    assert_eq!(value(&record, "latency.max"), Some(35e6));
    assert_eq!(value(&record, "latency.mean"), Some(17.5e6));
    assert_eq!(value(&record, "service.max"), Some(5e6));
    assert_eq!(value(&record, "lag.max"), Some(20e6));
    // Without the program's lag the 90th percentile is still the fourth; the 75 % one would be 5 ms.
    assert_eq!(whole(&record, "latency.p90").below, 0.0);
    assert_eq!(whole(&record, "latency.mean").below, 5e6);
    assert_eq!(whole(&record, "latency.max").worst, Some((35e6, 335 * MS)));
    assert_eq!(over(&record, "latency.p50", 500 * MS, S).value, None);
}

#[test]
fn connections_take_time() {
    let record = eventful();
    assert_eq!(value(&record, "connect_time.p50"), Some(1e6));
    // Broke at 4 s; the first successor was refused, its own completed a transaction at 5.002 s.
    let reconnect = whole(&record, "reconnect_time.min");
    assert_eq!(reconnect.value, Some(1.002e9));
    // The one that timed out at 5 s was never replaced: at least 5 s.
    let longest = whole(&record, "reconnect_time.max");
    assert_eq!((longest.value, longest.above), (Some(5e9), f64::INFINITY));
    assert_eq!(over(&record, "reconnect_time.max", 0, 4 * S + 1).above, 0.0);
    assert_eq!(over(&record, "reconnect_time.max", 0, S).value, None);
}

#[test]
fn outages_are_gaps_less_the_regular_one() {
    // Items every 10 ms, done 2 ms later; nothing from 1 s to 1.5 s: last 0.992, first 1.502.
    let mut record = flow("f", 3 * S, 10 * MS);
    record.items = regular(0, S, 10 * MS, 2 * MS);
    record.items.extend(regular(1500 * MS, 3 * S, 10 * MS, 2 * MS));
    let longest = whole(&record, "outage.max");
    assert_eq!((longest.value, longest.error()), (Some(500e6), 10e6));
    assert_eq!(longest.worst, Some((500e6, 992 * MS)));
    assert_eq!(value(&record, "outage.tx.max"), Some(500e6));
    assert_eq!(value(&record, "outage.count"), Some(1.0));
    assert_eq!(value(&record, "outage.total"), Some(500e6));
    // The window's edges are boundaries: from 1.2 s nothing came for 302 ms; until 1.3 s nothing for 308 ms.
    assert_eq!(over(&record, "outage.max", 1200 * MS, 2 * S).value, Some(292e6));
    assert_eq!(over(&record, "outage.max", 0, 1300 * MS).value, Some(298e6));
    // A regular run has none.
    assert_eq!(over(&record, "outage.max", 0, 900 * MS).value, Some(0.0));
    assert_eq!(over(&record, "outage.count", 0, 900 * MS).value, Some(0.0));
    // Bins of 100 ms: ten items each; those of 1.0..1.5 have none.
    assert_eq!(value(&record, "outage.rate.max"), Some(500e6));
    assert_eq!(over(&record, "outage.rate.max", 0, 900 * MS).value, Some(0.0));
    // Nothing was lost.
    assert_eq!(value(&record, "outage.loss.max"), Some(0.0));
}

#[test]
fn a_late_program_widens_the_error_of_an_outage() {
    let mut record = flow("f", 3 * S, 10 * MS);
    record.items = regular(0, 3 * S, 10 * MS, 2 * MS);
    record.items.iter_mut().for_each(|item| item.lag_ns = 1_000_000);
    assert_eq!(whole(&record, "outage.max").error(), 11e6);
    // The p99 of the lag exceeds T: its maximum counts.
    record.items.iter_mut().for_each(|item| item.lag_ns = 12_000_000);
    record.items[0].lag_ns = 40_000_000;
    assert_eq!(whole(&record, "outage.max").error(), 50e6);
    let wire = Context { wire_ns: 5e6, ..context() };
    let series = Series::new(&record, &[]);
    assert_eq!(measure(&metric("outage.max", None), &series, &wire, series.running().unwrap()).error(), 55e6);
}

#[test]
fn a_closed_loop_takes_its_median_gap() {
    let mut record = flow("f", 3 * S, 0);
    record.items = regular(0, S, 4 * MS, 3 * MS);
    record.items.extend(regular(2 * S, 3 * S, 4 * MS, 3 * MS));
    // 0.999 to 2.003, less 4 ms.
    assert_eq!(value(&record, "outage.max"), Some(1e9));
    assert_eq!(whole(&record, "outage.max").error(), 4e6);
}

#[test]
fn nothing_received_is_one_long_outage_and_nothing_offered_is_none() {
    let mut record = flow("f", 2 * S, 10 * MS);
    assert_eq!(value(&record, "outage.max"), None);
    record.items = vec![dropped(0)];
    assert_eq!(value(&record, "outage.max"), Some(2e9 - 10e6));
    assert_eq!(over(&record, "outage.max", 3 * S, 4 * S).value, None);
}

#[test]
fn a_disruption_is_losses_without_recovery() {
    let mut record = flow("f", 20 * S, 10 * MS);
    let mut at = 0;
    let mut add = |n: usize, bad: bool| {
        for _ in 0..n {
            record.items.push(if bad { lost(at, MS) } else { done(at, MS) });
            at += 10 * MS;
        }
    };
    // 2 losses are none; 5 with a run of 9 good ones between count as one; 1 s of quiet parts two.
    add(50, false);
    add(2, true);
    add(50, false);
    add(3, true);
    add(9, false);
    add(2, true);
    add(150, false);
    add(4, true);
    add(100, false);
    assert_eq!(value(&record, "outage.loss.max"), Some(50e6));
    let series = Series::new(&record, &[]);
    let found = super::loss::disruptions(&series, series.running().unwrap());
    assert_eq!(found.iter().map(|d| d.lost).collect::<Vec<_>>(), [5, 4]);
    assert_eq!(found[0].restored_ns, Some((50 + 2 + 50 + 3 + 9 + 2) * 10 * MS));
}

/// 10/s for 1 s, then 100/s; what starts between two instants is lost.
fn faster(lost_ns: std::ops::Range<i64>, way_ns: i64) -> FlowRecord {
    let mut record = flow("f", 4 * S, 10 * MS);
    record.intervals_ns = vec![(0, 100_000_000), (S, 10_000_000)];
    let starts = (0..S).step_by(100_000_000).chain((S..4 * S).step_by(10_000_000));
    record.items = starts.map(|at| if lost_ns.contains(&at) { lost(at, S) } else { done(at, way_ns) }).collect();
    record.items.sort_by_key(|item| item.done_ns);
    record
}

#[test]
fn where_the_rate_changes_each_outage_has_the_rate_that_it_was_in() {
    let record = faster(2 * S..2 * S + 500 * MS, MS);
    let by_loss = whole(&record, "outage.loss.max");
    assert_eq!((by_loss.value, by_loss.error()), (Some(500e6), 10e6), "50 items at 100/s");
    let total = whole(&record, "outage.total");
    assert_eq!((total.value, total.error()), (Some(500e6), 10e6));
    let longest = whole(&record, "outage.max");
    assert_eq!((longest.value, longest.below, longest.above), (Some(500e6), 10e6, 10e6));
    // 200 ms are more than three regular gaps there, though not of those before.
    let brief = faster(2 * S..2 * S + 200 * MS, MS);
    assert_eq!((value(&brief, "outage.count"), value(&brief, "outage.total")), (Some(1.0), Some(200e6)));
    // What was lost while it was slow lasted longer.
    assert_eq!(value(&faster(200 * MS..700 * MS, MS), "outage.loss.max"), Some(500e6));
}

#[test]
fn a_long_way_is_no_part_of_a_failover() {
    let mut record = flow("f", 4 * S, 10 * MS);
    let sent = (0..4 * S).step_by(10_000_000);
    record.items = sent.map(|at| if (S..2 * S).contains(&at) { lost(at, S) } else { done(at, 200 * MS) }).collect();
    record.items.sort_by_key(|item| item.done_ns);
    let series = Series::new(&record, &[]);
    let mut context = context();
    context.events[0] = Some(Happening { asked_ns: S, done_ns: S + MS });
    let failover = measure(&metric("failover_time", Some(0)), &series, &context, series.running().unwrap());
    assert_eq!(failover.value, Some(1e9), "from the fault to the sending of what came first, whose way took 200 ms");
}

#[test]
fn goodput_is_uncertain_by_what_a_window_cuts() {
    let mut record = flow("f", 10 * S, 0);
    // One after the other, 3 s each.
    record.items = (0..3).map(|k| Item { forward_bytes: 3_000_000, back_bytes: 0, ..done(3 * S * k, 3 * S) }).collect();
    let cut = over(&record, "goodput.forward", S, 2 * S);
    assert_eq!((cut.value, cut.below, cut.above), (Some(0.0), 0.0, 24e6));
    let end = over(&record, "goodput.forward", 2 * S, 4 * S);
    assert_eq!((end.value, end.below, end.above), (Some(12e6), 12e6, 12e6));
    // The flow's own edges cut nothing.
    let all = whole(&record, "goodput.forward");
    assert_eq!((all.value, all.error()), (Some(7.2e6), 0.0));
    // What is sent one way is under way all at once, and comes one after the other.
    record.items.iter_mut().for_each(|item| item.sent_ns = 0);
    assert_eq!(over(&record, "goodput.forward", S, 2 * S).above, 24e6);
    record.items.iter_mut().for_each(|item| item.back_bytes = 1);
    assert_eq!(over(&record, "goodput.forward", S, 2 * S).above, 72e6);
}

#[test]
fn the_failover_of_the_acceptance_scenario() {
    let record = failover();
    // Last done 2.9985 s (sent 2.9975), first after sent at 3.5025 s, done 3.5035.
    let longest = whole(&record, "outage.max");
    assert_eq!((longest.value, longest.error()), (Some(502.5e6), 2.5e6));
    let failover = whole(&record, "failover_time");
    assert_eq!((failover.value, failover.above, failover.below), (Some(502.5e6), 2.5e6, 3.5e6));
    assert_eq!(value(&record, "time_to_first_loss"), Some(0.0));
    // 160 items were lost until 3.4 s; the 41 after it found no connection.
    assert_eq!(value(&record, "outage.loss.max"), Some(400e6));
    assert_eq!(value(&record, "outage.tx.max"), Some(502.5e6));
    assert_eq!(value(&record, "failed_connections"), Some(200.0));
    assert_eq!(value(&record, "backends"), Some(2.0));
    assert_eq!(value(&record, "active"), Some(200.0));
    // Other estimators agree within their errors.
    let rate = whole(&record, "outage.rate.max");
    assert!((rate.value.unwrap() - 502.5e6).abs() <= rate.error(), "{rate:?}");
}

#[test]
fn a_pause_leaves_a_failover_in_doubt_and_not_without_an_end() {
    // 100/s; what starts from 3 s on is lost, it is paused from 4 s to 6 s, and all is well then.
    let mut record = flow("f", 10 * S, 10 * MS);
    record.items = regular(0, 3 * S, 10 * MS, 2 * MS);
    record.items.extend((3 * S..4 * S).step_by(10_000_000).map(|at| lost(at, 30 * MS)));
    record.items.extend(regular(6 * S, 10 * S, 10 * MS, 2 * MS));
    record.paused_ns = vec![(4 * S, 6 * S)];
    let failover = whole(&record, "failover_time");
    assert!((3e9..3.01e9).contains(&failover.value.unwrap()), "{failover:?}");
    assert!(failover.below >= 2e9 && failover.above < 1e9, "it may have been back while it was paused: {failover:?}");
    // Nothing is lost, but it was paused when the event happened.
    record.items = regular(0, 2 * S, 10 * MS, 2 * MS);
    record.items.extend(regular(5 * S, 10 * S, 10 * MS, 2 * MS));
    record.paused_ns = vec![(2 * S, 5 * S)];
    let failover = whole(&record, "failover_time");
    assert!(failover.value == Some(0.0) && failover.above >= 2e9, "{failover:?}");
}

#[test]
fn a_pause_is_no_outage_nor_is_the_way_of_what_starts_after_it() {
    let mut record = flow("f", 10 * S, 10 * MS);
    record.items = regular(0, 4 * S, 10 * MS, 40 * MS);
    record.items.extend(regular(6 * S, 10 * S - 40 * MS, 10 * MS, 40 * MS));
    record.paused_ns = vec![(4 * S, 6 * S)];
    assert_eq!(over(&record, "outage.max", S, 9 * S).value, Some(0.0));
    assert_eq!(over(&record, "outage.count", S, 9 * S).value, Some(0.0));
    record.paused_ns.clear();
    assert!(over(&record, "outage.max", S, 9 * S).value > Some(1.9e9), "without the pause it is one");
}

#[test]
fn failover_time_without_a_disruption_or_an_end_of_it() {
    let mut record = flow("f", 6 * S, 10 * MS);
    record.items = regular(0, 6 * S, 10 * MS, 2 * MS);
    assert_eq!(value(&record, "failover_time"), Some(0.0));
    let first_loss = whole(&record, "time_to_first_loss");
    assert_eq!((first_loss.value, first_loss.above), (Some(3e9), f64::INFINITY));
    // Not restored by the end.
    record.items.retain(|item| item.intended_ns < 3 * S);
    record.items.extend((3 * S..6 * S).step_by(10_000_000).map(|at| lost(at, 100 * MS)));
    let open = whole(&record, "failover_time");
    assert_eq!((open.value, open.above), (Some(3e9), f64::INFINITY));
    // Already disrupted before the event.
    record.items.retain(|item| item.intended_ns < S);
    assert_eq!(value(&record, "failover_time"), None);
    // The event did not happen.
    let series = Series::new(&record, &[]);
    assert_eq!(measure(&metric("failover_time", Some(1)), &series, &context(), series.running().unwrap()).value, None);
}

#[test]
fn our_own_stalls_make_a_failover_longer_only_perhaps() {
    // 100/s; what is sent in 3.0..3.4 s is lost; the program stands still for 150 ms at 4 s and at 4.9 s.
    let stalled = |at: i64| [4 * S, 4900 * MS].into_iter().find(|from| (*from..from + 150 * MS).contains(&at)).map(|from| from + 150 * MS);
    let mut record = flow("f", 6 * S, 10 * MS);
    record.items = regular(0, 6 * S, 10 * MS, 2 * MS).into_iter().filter(|item| !(3 * S..3400 * MS).contains(&item.intended_ns)).collect();
    for item in &mut record.items {
        if let Some(until) = stalled(item.intended_ns) {
            (item.sent_ns, item.lag_ns, item.done_ns) = (until, (until - item.intended_ns) as u32, until + MS);
        }
    }
    record.items.extend((3 * S..3400 * MS).step_by(10_000_000).map(|at| lost(at, 100 * MS)));
    let failover = whole(&record, "failover_time");
    assert_eq!(failover.value, Some(400e6));
    assert!(failover.above >= 1.65e9 && failover.above < 2e9, "they may have been failures too: {failover:?}");
    assert!(failover.below < 400e6, "{failover:?}");
    // Only stalls: perhaps nothing failed.
    record.items.retain(|item| item.outcome == ItemOutcome::Done);
    record.items.extend((3 * S..3400 * MS).step_by(10_000_000).map(|at| done(at, 2 * MS)));
    record.items.sort_by_key(|item| item.done_ns);
    let failover = whole(&record, "failover_time");
    assert_eq!(failover.value.map(|value| value - failover.below), Some(0.0), "{failover:?}");
}

#[test]
fn reversion_time_counts_from_the_restoring_event_to_the_end_of_the_disruption_under_way() {
    // Everything sent in 2.0..3.4 s is lost; the event at 3 s restores.
    let mut record = flow("f", 6 * S, 10 * MS);
    let kept = |item: &Item| !(2 * S..3400 * MS).contains(&item.intended_ns);
    record.items = regular(0, 6 * S, 10 * MS, 2 * MS).into_iter().filter(kept).collect();
    record.items.extend((2 * S..3400 * MS).step_by(10_000_000).map(|at| lost(at, 100 * MS)));
    assert_eq!(value(&record, "failover_time"), None, "the event is not what failed it");
    assert_eq!(value(&record, "reversion_time"), Some(400e6));
}

#[test]
fn what_is_held_back_and_then_delivered_is_an_outage_too() {
    // TCP keeps what was sent during 3.0..3.6 and delivers it all at 3.6 s: nothing is lost.
    let mut record = flow("f", 6 * S, 10 * MS);
    record.items = regular(0, 6 * S, 10 * MS, 2 * MS);
    for item in &mut record.items {
        if (3 * S..3600 * MS).contains(&item.sent_ns) {
            item.done_ns = 3600 * MS;
        }
    }
    assert_eq!(value(&record, "outage.loss.max"), Some(0.0));
    assert_eq!(value(&record, "outage.max"), Some(598e6));
    assert_eq!(value(&record, "failover_time"), Some(600e6));
}

#[test]
fn tcp_info_is_told_by_end_and_window() {
    let mut record = flow("f", 3 * S, 10 * MS);
    record.connections = vec![open(0), ended(0, 1500 * MS, ConnectionEnd::Reset), open(1600 * MS)];
    record.items = vec![done(0, MS)];
    record.tcp = vec![
        sample(500 * MS, 0, 100, 1),
        sample(500 * MS, 1, 300, 0),
        TcpSample { server: true, ..sample(600 * MS, 0, 9000, 70) },
        sample(1500 * MS, 0, 120, 2),
        sample(1500 * MS, 1, 500, 7),
        sample(2500 * MS, 0, 110, 4),
        TcpSample { delivery_rate: 1000, ..sample(2500 * MS, 2, 90, 5) },
    ];
    assert_eq!(value(&record, "tcp.client.rtt.min"), Some(90_000.0));
    assert_eq!(value(&record, "tcp.client.rtt.max"), Some(500_000.0));
    assert_eq!(value(&record, "tcp.server.rtt.p50"), Some(9e6));
    assert_eq!(value(&record, "tcp.client.delivery_rate.max"), Some(8000.0));
    // 4 + 7 (the broken one's last word) + 5.
    let all = whole(&record, "tcp.client.retransmits");
    assert_eq!((all.value, all.error()), (Some(16.0), 0.0));
    // In 1 s..2 s: 1 → 2 and 0 → 7. Connection 0 may have had its growth before 1 s, and up to 4 by 2 s; 2 up to 5 by 2 s.
    let second = over(&record, "tcp.client.retransmits", S, 2 * S);
    assert_eq!((second.value, second.below), (Some(8.0), 8.0));
    assert_eq!(second.above, 7.0);
    // What a connection had that was opened after a window is nothing to it: up to 2 of connection 0 and 7 of 1 may lie in it, none of 2.
    let early = over(&record, "tcp.client.retransmits", 400 * MS, S);
    assert_eq!((early.value, early.above), (Some(0.0), 9.0));
    assert_eq!(over(&record, "tcp.client.rtt.p50", 0, 100 * MS).value, None);
}

#[test]
fn every_metric_of_the_language_is_measured() {
    let mut record = eventful();
    let told = TcpSample { pacing_rate: 1000, ..sample(S, 0, 100, 1) };
    record.tcp = vec![told, TcpSample { server: true, ..told }];
    record.datagrams = Some(datagrams());
    record.connections[0].handshake_ns = MS / 4;
    record.items[0].status = 200;
    for name in metrics::of(OwnerKind::Flow).map(|row| row.name) {
        let names = match name.strip_suffix('*') {
            Some(family) => STATISTICS.iter().map(|statistic| format!("{family}{statistic}")).collect(),
            None => vec![name.to_owned()],
        };
        for name in names {
            let measured = whole(&record, &name);
            assert!(measured.value.is_some(), "{name}: {:?}", measured.note);
            assert!(!measured.note.unwrap_or_default().contains("does not know"), "{name}");
        }
    }
    assert_eq!(links::names().count(), metrics::of(OwnerKind::Link).count());
    assert_eq!(interfaces::names().count(), metrics::of(OwnerKind::Interface).count());
    assert_eq!(stresses::names().count(), metrics::of(OwnerKind::Stress).count());
}

#[test]
fn the_longest_standstill_is_sure_from_sample_to_sample() {
    let mut record = eventful();
    let at = |at_ns, acked, unacked| TcpSample { bytes_acked: acked, unacked, ..sample(at_ns, 0, 100, 0) };
    record.connections.truncate(1);
    // Idle, then 7 is not acknowledged at 3, 4 and 5 s.
    record.tcp = vec![at(S, 0, 0), at(2 * S, 0, 0), at(3 * S, 7, 1), at(4 * S, 7, 2), at(5 * S, 7, 2), at(6 * S, 9, 0), at(10 * S, 9, 0)];
    let all = whole(&record, "tcp.client.stall.max");
    assert_eq!((all.value, all.below, all.above), (Some(2e9), 0.0, 2e9), "after 2 s, before 6 s");
    assert_eq!(all.worst, Some((2e9, 3 * S)));
    let cut = over(&record, "tcp.client.stall.max", 4 * S, 5 * S);
    assert_eq!((cut.value, cut.above), (Some(1e9), 0.0), "it stood still before and after");
    let idle = over(&record, "tcp.client.stall.max", S, 2 * S);
    assert_eq!((idle.value, idle.above), (Some(0.0), 0.0));
    assert_eq!(whole(&record, "tcp.server.stall.max").value, None);
    assert_eq!(value(&record, "tcp.client.unacked.max"), Some(2.0));
    record.tcp.iter_mut().for_each(|sample| sample.ssthresh = 0x7fff_ffff);
    assert_eq!(value(&record, "tcp.client.ssthresh.p50"), None, "the kernel has none yet");
}

#[test]
fn a_handshake_is_no_part_of_the_connect_time() {
    let mut record = eventful();
    let opened = |record: &FlowRecord| record.connections.iter().filter(|c| c.established_ns != NEVER).count() as u64;
    assert_eq!(whole(&record, "handshake_time.max").note.as_deref(), Some("no handshake was done in the window"));
    record.connections[0].handshake_ns = MS / 4;
    let handshakes = whole(&record, "handshake_time.max");
    assert_eq!((handshakes.value, handshakes.samples), (Some(250_000.0), 1));
    let connects = whole(&record, "connect_time.min");
    assert_eq!((connects.value, connects.samples), (Some(750_000.0), opened(&record)));
    // What a handshake alone opens, as of QUIC, has none.
    let quic = &mut record.connections[0];
    quic.handshake_ns = quic.established_ns - quic.opened_ns;
    assert_eq!(whole(&record, "connect_time.min").samples, opened(&record) - 1);
}

/// Ten datagrams each way, 100 ms apart from 1 s on: one way 10 ms and then each 1 ms more, the other 20 ms; what is done to single ones
/// stands beside them.
fn datagrams() -> Datagrams {
    use PacketFate::{Arrived, Copy, Late, Lost, Unseen};
    use PacketWay::{Back, Forward};
    let mut packets = Vec::new();
    for n in 0..10 {
        let sent = S + n * 100 * MS;
        let row = |way, fate, sent_ns, received_ns, asked_ns| Packet { way, fate, connection: 0, sent_ns, received_ns, asked_ns };
        let arrival = sent + (10 + n) * MS;
        match n {
            3 => packets.push(row(Forward, Lost, sent, NEVER, NEVER)),
            4 => packets.push(row(Forward, Late, sent, sent + 1200 * MS, NEVER)),
            // Overtaken by the two after it.
            6 => packets.push(row(Forward, Arrived, sent, sent + 250 * MS, NEVER)),
            9 => packets.push(row(Forward, Unseen, sent, NEVER, NEVER)),
            _ => {
                packets.push(row(Forward, Arrived, sent, arrival, NEVER));
                packets.push(row(Back, if n == 8 { Lost } else { Arrived }, arrival, if n == 8 { NEVER } else { arrival + 20 * MS }, sent));
            }
        }
        if n == 2 {
            packets.push(row(Forward, Copy, sent, arrival + 5 * MS, NEVER));
            packets.push(row(Back, Copy, arrival, arrival + 25 * MS, NEVER));
            packets.push(row(Back, Copy, arrival, arrival + 26 * MS, NEVER));
        }
    }
    Datagrams { limit_ns: 1_000_000_000, packets, late_ns: vec![2_600 * MS], ..Datagrams::default() }
}

#[test]
fn each_way_of_datagrams_is_counted_by_itself() {
    let mut record = flow("f", 5 * S, 100 * MS);
    record.datagrams = Some(datagrams());
    let value = |name: &str| whole(&record, name).value.unwrap_or_else(|| panic!("{name}"));
    for (name, count) in [
        ("forward.sent", 10.0),
        ("forward.received", 8.0),
        ("forward.lost", 2.0),
        ("forward.late", 1.0),
        ("forward.duplicates", 1.0),
        ("forward.reordered", 2.0),
        ("back.sent", 6.0),
        ("back.received", 5.0),
        ("back.lost", 1.0),
        ("back.late", 0.0),
        ("back.duplicates", 2.0),
        ("back.reordered", 0.0),
        ("duplicates", 3.0),
        ("reordered", 2.0),
        ("late", 1.0),
    ] {
        assert_eq!(value(name), count, "{name}");
    }
    let loss = whole(&record, "forward.loss");
    assert_eq!((loss.value, loss.below, loss.above), (Some(0.2), 0.0, 0.1), "one was not seen");
    assert_eq!(over(&record, "forward.sent", 0, 1_500 * MS).value, Some(5.0), "sent counts at its sending");
    assert_eq!(over(&record, "forward.received", 0, 1_500 * MS).value, Some(3.0), "received at its arrival");
    assert_eq!(over(&record, "forward.reordered", 0, 500 * MS).value, None, "nothing came that could have been overtaken");
    assert_eq!((value("owd.min"), value("owd.max")), (10.0 * MS as f64, 250.0 * MS as f64));
    assert_eq!(value("forward.owd.p50"), 15.0 * MS as f64);
    assert_eq!((value("back.owd.min"), value("back.owd.max")), (20.0 * MS as f64, 20.0 * MS as f64));
    assert_eq!((value("rtt.min"), value("rtt.max")), (30.0 * MS as f64, 37.0 * MS as f64));
    assert_eq!((value("delay_variation.min"), value("delay_variation.max")), (0.0, 240.0 * MS as f64));
    assert_eq!(value("back.delay_variation.max"), 0.0);
    let steps =
        crate::measure::steps(&metric("forward.lost", None), &Series::new(&record, &[]), Window { from_ns: 0, to_ns: 5 * S }).unwrap();
    assert_eq!(steps.changes, [(S + 300 * MS, 1.0), (S + 400 * MS, 2.0)]);
}

#[test]
fn an_echo_has_round_trips_alone() {
    let mut record = flow("f", 5 * S, 100 * MS);
    let row = |fate, asked_ns, received_ns| Packet { way: PacketWay::Round, fate, connection: 0, sent_ns: asked_ns, received_ns, asked_ns };
    let packets = vec![row(PacketFate::Arrived, S, S + 3 * MS), row(PacketFate::Arrived, 2 * S, 2 * S + 8 * MS)];
    record.datagrams = Some(Datagrams { limit_ns: 1_000_000_000, packets, ..Datagrams::default() });
    assert_eq!(whole(&record, "rtt.max").value, Some(8.0 * MS as f64));
    assert_eq!(whole(&record, "delay_variation.max").value, Some(5.0 * MS as f64));
    assert_eq!(whole(&record, "duplicates").value, Some(0.0));
    assert_eq!(whole(&record, "owd.max").value, None);
    assert_eq!(whole(&record, "forward.loss").value, None);
}

#[test]
fn a_truncated_or_cut_series_gives_limits_only() {
    let mut record = eventful();
    record.truncated_at_ns = Some(8 * S);
    let received = whole(&record, "received");
    assert_eq!((received.complete, received.below, received.above), (false, 0.0, f64::INFINITY));
    assert!(over(&record, "received", 0, 8 * S).complete);
    assert_eq!(whole(&record, "latency.p99").below, f64::INFINITY);
    record.truncated_at_ns = None;
    record.finished = false;
    let series = Series::new(&record, &[]);
    let cut = Context { cut: true, ..context() };
    assert!(!measure(&metric("sent", None), &series, &cut, series.running().unwrap()).complete);
    assert!(measure(&metric("sent", None), &series, &cut, Window { from_ns: 0, to_ns: 9 * S }).complete);
}

#[test]
fn two_runs_are_measured_without_the_pause_between_them() {
    let mut record = flow("f", 0, 10 * MS);
    record.ran_ns = vec![(0, S), (3 * S, 4 * S)];
    record.items = regular(0, S, 10 * MS, 2 * MS);
    record.items.extend(regular(3 * S, 4 * S, 10 * MS, 2 * MS));
    assert_eq!(value(&record, "rate"), Some(100.0));
    assert_eq!(value(&record, "outage.max"), Some(0.0));
    assert_eq!(value(&record, "received"), Some(200.0));
}

#[test]
fn steps_change_once_an_instant() {
    let record = eventful();
    let series = Series::new(&record, &[]);
    let window = series.running().unwrap();
    let active = steps(&metric("active", None), &series, window).unwrap();
    let expected = [(MS, 4.0), (4 * S, 3.0), (4 * S + 201 * MS, 4.0), (5 * S, 3.0), (9 * S, 2.0)];
    assert_eq!((active.start, active.changes), (0.0, expected.to_vec()));
    let later = steps(&metric("active", None), &series, Window { from_ns: 4 * S + 1, to_ns: 4 * S + 2 }).unwrap();
    assert_eq!((later.start, later.changes.len()), (3.0, 0));
    let resets = steps(&metric("resets", None), &series, window).unwrap();
    assert_eq!(resets.changes, [(4 * S, 1.0)]);
    assert!(steps(&metric("rate", None), &series, window).is_none());
}

#[test]
fn the_summary_tells_numbers_in_words() {
    let record = failover();
    let series = Series::new(&record, &[]);
    let rows = summary(&series, &context());
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name} is a row"));
    assert_eq!((row("outage.max").value.as_str(), row("outage.max").error.as_str()), ("502.5ms", "2.5ms"));
    assert_eq!(row("failover_time(failure)").value, "502.5ms");
    assert_eq!(row("backends").error, "");
    assert_eq!(row("connect_time.p50").value, "1ms");
    assert!(row("latency.p99").definition.contains("intended"));
    assert!(rows.iter().all(|row| !row.definition.is_empty()));
    let mut never = record.clone();
    never.ran_ns.clear();
    assert!(summary(&Series::new(&never, &[]), &context()).is_empty());
}

proptest! {
    #[test]
    fn parts_add_up_to_the_whole(cuts in proptest::collection::vec(0i64..10_000, 0..6)) {
        let record = eventful();
        let series = Series::new(&record, &[]);
        let mut edges: Vec<i64> = cuts.into_iter().map(|ms| ms * MS).chain([0, 10 * S + 1]).collect();
        edges.sort_unstable();
        for name in ["sent", "received", "lost", "dropped", "errors", "corrupt", "connections", "resets"] {
            let sum: f64 = edges
                .windows(2)
                .map(|pair| steps(&metric(name, None), &series, Window { from_ns: pair[0], to_ns: pair[1] }).unwrap().last())
                .sum();
            prop_assert_eq!(Some(sum), value(&record, name), "{}", name);
        }
    }

    #[test]
    fn an_outage_is_found_within_its_error(
        interval_us in 100i64..20_000, from_ms in 100i64..2000, length_ms in 0i64..1500, service_us in 1i64..500, phase_us in 0i64..20_000,
    ) {
        let (interval, service) = (interval_us * 1000, service_us * 1000);
        let (from, to) = (from_ms * MS, (from_ms + length_ms) * MS);
        let mut record = flow("f", 5 * S, interval);
        // The path is down in [from, to): what is sent in it does not come back.
        let first = phase_us * 1000 % interval;
        record.items = regular(first, 5 * S, interval, service);
        record.items.retain(|item| !(from..to).contains(&item.sent_ns));
        let measured = whole(&record, "outage.max");
        let distance = (measured.value.unwrap() - (to - from) as f64).abs();
        prop_assert!(distance <= measured.error(), "{} off, error {}", distance, measured.error());
    }
}
