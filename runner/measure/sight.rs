//! What the receiving end of a flow of frames or datagrams could see: nothing where nobody looks, how many but not which where all frames are alike, and less
//! than came where its kernel had no room. In: a series. Out: why a metric has no value, and how far the truth may lie from one that it has.

use scn_grammar::scenario::metrics;
use scn_reports::record::flow::ItemOutcome;
use scn_reports::record::packet::{Datagrams, Missed};

use super::series::{Order, Series};
use super::{Measured, Window};

/// Known at the sending end alone.
const OF_SENDER: &[&str] = &["sent", "dropped"];
/// What needs to know which frame came.
const OF_WHICH: &[&str] = &[
    "late",
    "duplicates",
    "reordered",
    "corrupt",
    "misdelivered",
    "outage.tx.max",
    "outage.loss.max",
    "failover_time",
    "reversion_time",
    "time_to_first_loss",
];
const OF_WHICH_FAMILIES: &[&str] = &["owd", "delay_variation", "latency", "service"];

/// The family of a metric that has statistics.
fn family(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Why a metric of a flow cannot be known; `None`: it can.
pub(super) fn blind(flow: &Series<'_>, name: &str) -> Option<String> {
    let datagrams = flow.record.datagrams.as_ref()?;
    if datagrams.received_only {
        let expected = metrics::watched().find(|(watched, _)| *watched == name).map(|(_, expected)| expected);
        return match expected {
            None => Some(format!("{} only watches: nothing of it is sent", flow.record.name)),
            Some(true) if flow.record.interval_ns == 0 => {
                Some(format!("nothing says how often the frames of {} are expected", flow.record.name))
            }
            Some(_) => None,
        };
    }
    if datagrams.unwatched && !OF_SENDER.contains(&name) && family(name) != "lag" {
        return Some(format!("nobody of scn's looks where what {} sends arrives", flow.record.name));
    }
    let which = OF_WHICH.contains(&name) || OF_WHICH_FAMILIES.contains(&family(name));
    (datagrams.alike && which)
        .then(|| format!("the frames of {} have no room for an identity of 16 bytes: which of them came is not known", flow.record.name))
}

/// Widens a value by what was not seen.
pub(super) fn widen(measured: &mut Measured, flow: &Series<'_>, name: &str, window: Window) {
    let Some(datagrams) = &flow.record.datagrams else { return };
    let loses = matches!(name, "lost" | "loss" | "errors" | "failed_transactions");
    let whole = flow.running().is_some_and(|running| window.from_ns <= running.from_ns && running.to_ns <= window.to_ns);
    if datagrams.alike && loses && !whole && flow.record.items.iter().any(|item| item.outcome == ItemOutcome::Failed) {
        (measured.below, measured.above) = (f64::INFINITY, f64::INFINITY);
        measured.note = Some("frames that are all alike were lost: in which part of the run is not known".to_owned());
        return;
    }
    let inside = |from_ns: i64, to_ns: i64| from_ns < window.to_ns && window.from_ns <= to_ns;
    thrown_away(measured, datagrams, name, window);
    let missed: u64 = datagrams.missed.iter().filter(|missed| inside(missed.from_ns, missed.to_ns)).map(|missed| missed.count).sum();
    if missed == 0 || OF_SENDER.contains(&name) || family(name) == "lag" {
        return;
    }
    match name {
        "lost" | "errors" | "failed_transactions" => measured.above += flow.rows(Order::Unfinished, window).len() as f64,
        // The share of those whose fate was not seen is its error already.
        "loss" => {}
        "received" | "transactions" | "duplicates" | "reordered" | "late" | "corrupt" | "misdelivered" => measured.above += missed as f64,
        _ if name.starts_with("outage.") => measured.below = f64::INFINITY,
        _ => (measured.below, measured.above) = (f64::INFINITY, f64::INFINITY),
    }
    measured.note = Some(format!("{missed} frames found no room at the receiver: scn did not read them in time"));
}

/// Widens a value by what found no room in scn's own sockets: it counts as lost, though the network had brought it.
fn thrown_away(measured: &mut Measured, datagrams: &Datagrams, name: &str, window: Window) {
    let limit_ns = i64::try_from(datagrams.limit_ns).unwrap_or(i64::MAX);
    let inside = |missed: &&Missed| missed.from_ns.saturating_sub(limit_ns) < window.to_ns && window.from_ns <= missed.to_ns;
    let count: u64 = datagrams.thrown_away.iter().filter(inside).map(|missed| missed.count).sum();
    if count == 0 {
        return;
    }
    let what = name.strip_prefix("forward.").or(name.strip_prefix("back.")).unwrap_or(name);
    match what {
        "lost" | "errors" | "failed_transactions" | "timeouts" => measured.below += count as f64,
        "loss" => measured.below += count as f64 / measured.samples.max(1) as f64,
        "received" | "transactions" => measured.above += count as f64,
        _ if what.starts_with("outage.") => measured.below = f64::INFINITY,
        _ if matches!(family(what), "rate" | "goodput") => measured.above = f64::INFINITY,
        _ => return,
    }
    let note = format!("at least {count} datagrams found no room in scn's own sockets: it did not read them in time");
    measured.note = Some(measured.note.take().map_or(note.clone(), |other| format!("{other}; {note}")));
}

#[cfg(test)]
mod tests {
    use scn_reports::record::flow::{Connection, FlowRecord, NEVER};
    use scn_reports::record::packet::{Datagrams, Missed};

    use super::*;
    use crate::measure::build::{MS, S, done, flow, lost, open, unfinished};
    use crate::measure::{Context, measure, steps, summary};

    fn measured(record: &FlowRecord, name: &str, from_ns: i64, to_ns: i64) -> Measured {
        let metric = summary::metric(name, None).unwrap();
        measure(&metric, &Series::new(record, &[]), &Context::default(), Window { from_ns, to_ns })
    }

    fn record(datagrams: Datagrams) -> FlowRecord {
        let mut record = flow("f", 5 * S, 100 * MS);
        record.items = vec![done(S, MS), lost(2 * S, S), unfinished(3 * S), done(4 * S, MS)];
        record.datagrams = Some(datagrams);
        record
    }

    #[test]
    fn where_nobody_looks_only_what_was_sent_is_known() {
        let record = record(Datagrams { unwatched: true, ..Datagrams::default() });
        assert_eq!(measured(&record, "sent", 0, 5 * S).value, Some(4.0));
        assert_eq!(measured(&record, "dropped", 0, 5 * S).value, Some(0.0));
        for name in ["received", "lost", "loss", "rate", "goodput.forward", "duplicates", "outage.max", "latency.p99"] {
            assert_eq!(measured(&record, name, 0, 5 * S).value, None, "{name}");
        }
        let metric = summary::metric("lost", None).unwrap();
        assert!(steps(&metric, &Series::new(&record, &[]), Window { from_ns: 0, to_ns: 5 * S }).is_none());
    }

    #[test]
    fn who_only_watches_knows_what_came_and_nothing_of_a_sender() {
        let watched = |record: &mut FlowRecord| {
            record.datagrams = Some(Datagrams { received_only: true, ..Datagrams::default() });
            record.items.iter_mut().for_each(|item| (item.sent_ns, item.intended_ns) = (NEVER, item.done_ns));
        };
        let mut record = flow("f", 5 * S, 100 * MS);
        record.items = vec![done(S, MS), done(2 * S, MS), done(2 * S + 100 * MS, MS)];
        watched(&mut record);
        assert_eq!(measured(&record, "received", 0, 6 * S).value, Some(3.0));
        assert_eq!(measured(&record, "rate", 0, 5 * S).value, Some(0.6));
        let gap = measured(&record, "outage.max", 0, 5 * S);
        assert_eq!((gap.value, gap.worst.map(|worst| worst.1)), (Some((2899 * MS - 100 * MS) as f64), Some(2 * S + 101 * MS)));
        for name in ["sent", "lost", "loss", "dropped", "errors", "corrupt", "owd.p50", "latency.p99", "outage.loss.max", "outage.tx.max"] {
            assert_eq!(measured(&record, name, 0, 5 * S).value, None, "{name}");
        }
        let names: Vec<String> = summary(&Series::new(&record, &[]), &Context::default()).into_iter().map(|row| row.name).collect();
        let all: Vec<&str> = metrics::watched().map(|(name, _)| name).collect();
        assert!(names.iter().all(|name| all.contains(&name.as_str())) && names.len() == all.len(), "{names:?}");
        // Nothing came at all: that lasted as long as it watched.
        record.items.clear();
        record.connections = vec![Connection { established_ns: 0, ..open(0) }];
        assert_eq!(measured(&record, "received", 0, 6 * S).value, Some(0.0));
        assert_eq!(measured(&record, "outage.max", 0, 6 * S).value, Some((5 * S - 100 * MS) as f64));
        record.interval_ns = 0;
        assert_eq!(measured(&record, "outage.max", 0, 6 * S).value, None, "nothing says how often they ought to come");
    }

    #[test]
    fn of_frames_that_are_alike_it_is_known_how_many_came() {
        let record = record(Datagrams { alike: true, ..Datagrams::default() });
        assert_eq!(measured(&record, "received", 0, 6 * S).value, Some(2.0));
        let whole = measured(&record, "lost", 0, 6 * S);
        assert_eq!((whole.value, whole.above), (Some(1.0), 0.0));
        let part = measured(&record, "loss", 0, 3 * S);
        assert!(part.above.is_infinite() && part.note.unwrap().contains("in which part"));
        for name in ["duplicates", "reordered", "late", "owd.p50", "delay_variation.max", "latency.p99", "outage.tx.max"] {
            assert_eq!(measured(&record, name, 0, 6 * S).value, None, "{name}");
        }
    }

    #[test]
    fn what_found_no_room_widens_what_it_could_change() {
        let missed = vec![Missed { from_ns: 3 * S, to_ns: 3 * S + 5 * MS, count: 7 }];
        let record = record(Datagrams { missed, ..Datagrams::default() });
        let received = measured(&record, "received", 0, 6 * S);
        assert_eq!((received.value, received.below, received.above), (Some(2.0), 0.0, 7.0));
        let loss = measured(&record, "loss", 0, 6 * S);
        assert_eq!((loss.value, loss.above), (Some(0.25), 0.25));
        assert_eq!(measured(&record, "lost", 0, 6 * S).above, 1.0);
        assert!(measured(&record, "outage.max", 0, 6 * S).below.is_infinite());
        assert_eq!(measured(&record, "sent", 0, 6 * S).above, 0.0);
        assert_eq!(measured(&record, "received", 0, 2 * S).above, 0.0, "it was later");
    }

    #[test]
    fn what_scn_itself_threw_away_may_not_have_been_lost_by_the_network() {
        let thrown_away = vec![Missed { from_ns: 2 * S, to_ns: 2 * S + 5 * MS, count: 1 }];
        let record = record(Datagrams { thrown_away, ..Datagrams::default() });
        let loss = measured(&record, "loss", 0, 6 * S);
        assert_eq!((loss.value, loss.below), (Some(0.25), 0.25));
        assert!(loss.note.unwrap().contains("at least 1 datagrams found no room in scn's own sockets"));
        assert_eq!(measured(&record, "lost", 0, 6 * S).below, 1.0);
        assert_eq!(measured(&record, "received", 0, 6 * S).above, 1.0);
        assert!(measured(&record, "outage.max", 0, 6 * S).below.is_infinite());
        assert_eq!(measured(&record, "sent", 0, 6 * S).above, 0.0);
        assert_eq!(measured(&record, "lost", 3 * S, 6 * S).below, 0.0, "it was before");
    }
}
