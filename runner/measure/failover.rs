//! Failover and reversion time (RFC 6414: from the fault to the service's return) and the time to the first loss. In: a series, an
//! event. Out: durations with their error, which holds the event's own width (asked to done).

use scn_reports::record::flow::NEVER;

use super::distribution::Family;
use super::outage::{self, By, Gap};
use super::series::{Order, Series};
use super::{Context, Happening, Measured, Window, loss};

/// An event by its name, if it happened.
type Event<'a> = Option<(&'a str, Option<Happening>)>;

/// Something that failed, and when it was back.
#[derive(Debug, Clone, Copy)]
struct Failure {
    begin_ns: i64,
    /// It had begun before the event.
    before: bool,
    restored_ns: Option<i64>,
    /// When it was back if all that follows closely is of it, also what may be no failure at all.
    latest_ns: Option<i64>,
    /// It is no gap that is counted only with the error of measurement in its favour.
    sure: bool,
}

impl Failure {
    fn new(begin_ns: i64, before: bool, restored_ns: Option<i64>, sure: bool) -> Self {
        Failure { begin_ns, before, restored_ns, latest_ns: restored_ns, sure }
    }

    /// One with what follows within the time in which a service settles. A stall of the program itself looks like a gap: what may be no
    /// failure makes another longer only perhaps.
    fn join(mut self, next: Failure) -> Self {
        let follows = |until: Option<i64>| until.is_none_or(|at| next.begin_ns - at < loss::SETTLE_NS);
        let (surely, perhaps) = (next.sure && follows(self.restored_ns), follows(self.latest_ns));
        let later = |a: Option<i64>, b: Option<i64>| a.zip(b).map(|(a, b)| a.max(b));
        if perhaps {
            self.before |= next.before && next.begin_ns == self.begin_ns;
        }
        // What may be none at all may not be the first.
        if perhaps || (next.sure && !self.sure) {
            self.latest_ns = later(self.latest_ns, next.latest_ns);
        }
        if surely {
            self.restored_ns = later(self.restored_ns, next.restored_ns);
            self.sure = true;
        }
        self
    }
}

fn happened<'a>(flow: &Series<'_>, window: Window, event: Event<'a>) -> Result<(&'a str, Happening), Measured> {
    let (name, happening) = event.ok_or_else(|| Measured::nothing("the metric names no event"))?;
    let happening = happening.ok_or_else(|| Measured::nothing(format!("`{name}` did not happen")))?;
    if !(window.from_ns..window.to_ns).contains(&happening.asked_ns) {
        return Err(Measured::nothing(format!("`{name}` lies outside the window in which {} was measured", flow.record.name)));
    }
    Ok((name, happening))
}

/// Which of an event's two times is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// `failover_time(E)`: E is the fault; what failed before it is not its work.
    Fault,
    /// `reversion_time(E)`: E restores; the disruption that it ends is under way, or switching back makes a new one.
    Restoral,
}

/// `failover_time(E)` and `reversion_time(E)`: S(first received after the disruption) − E, for the first disruption that begins
/// at or after E, or for `reversion_time` the one under way at E.
///
/// A disruption is one of losses, or a counted gap between received items (which sees what was only held back); those that
/// follow within 1 s are one with it, those that may be our own stalls only perhaps, which is in the error. An item that was held back and
/// then delivered restores at its arrival, any other at its sending. Nothing failed: 0. Not restored by the window's end: at least the time
/// until then.
pub(super) fn restored_after(flow: &Series<'_>, context: &Context, window: Window, event: Event<'_>, kind: After) -> Measured {
    let (name, happening) = match happened(flow, window, event) {
        Ok(event) => event,
        Err(nothing) => return nothing,
    };
    let event_ns = happening.asked_ns;
    let after = Window { from_ns: event_ns, ..window };
    let samples = flow.rows(Order::Done, after).len() as u64;
    if samples == 0 && flow.rows(Order::Intended, after).is_empty() {
        return Measured::nothing(format!("{} offered nothing after `{name}`", flow.record.name));
    }
    let error = outage::error_ns(flow, context, window);
    let error = (error, error + happening.width_ns() as f64);
    let Some(failure) = first_failure(flow, window, event_ns, error.0) else {
        let mut measured = Measured::exact(0.0, samples);
        // While it was paused nothing could fail that it would have noticed.
        let paused = flow.record.paused_ns.iter().find(|(from, to)| (*from..*to).contains(&event_ns));
        measured.above = error.0 + paused.map_or(0.0, |(_, to)| ((*to).min(window.to_ns) - event_ns) as f64);
        return measured.noted(Some(format!("nothing failed after `{name}`")));
    };
    if failure.before && kind == After::Fault {
        return Measured::nothing(format!("{} was already disrupted when `{name}` happened", flow.record.name));
    }
    let mut measured = match failure.restored_ns {
        Some(restored) => Measured::about((restored - event_ns).max(0) as f64, error.0, samples),
        None => {
            let end = flow.runs.last().map_or(window.to_ns, |run| run.1.min(window.to_ns));
            let mut measured = Measured::about((end - event_ns).max(0) as f64, error.0, samples);
            measured.above = f64::INFINITY;
            measured.noted(Some("it was not restored by the window's end".to_owned()))
        }
    };
    measured.below = error.1 + paused_in(flow, event_ns, failure.restored_ns.unwrap_or(window.to_ns));
    let value = measured.value.unwrap_or(0.0);
    // It may have lasted longer, or have been none.
    measured.above += match (failure.restored_ns, failure.latest_ns) {
        (Some(restored), Some(latest)) => (latest - restored) as f64,
        _ => f64::INFINITY,
    };
    if !failure.sure {
        measured.below = measured.below.max(value);
    }
    measured.worst(Some((value, failure.restored_ns.unwrap_or(window.to_ns))))
}

/// The first failure that ends after an event, joined with those that follow it closely. `error_ns`: of a gap.
fn first_failure(flow: &Series<'_>, window: Window, event_ns: i64, error_ns: f64) -> Option<Failure> {
    let before = Window { from_ns: flow.runs.first().map_or(window.from_ns, |run| run.0), to_ns: window.to_ns };
    let lost = loss::disruptions(flow, before).into_iter();
    let mut failures: Vec<Failure> = lost
        .filter(|d| d.restored_ns.is_none_or(|at| at > event_ns))
        .map(|d| Failure::new(d.first_ns.max(event_ns), d.seen_ns < event_ns, d.restored_ns, true))
        .collect();
    let trip_ns = outage::median_ns(flow, Family::Service);
    outage::gaps(flow, before, By::Received, |gap| {
        let threshold = gap.threshold_ns;
        if gap.outage_ns >= threshold && gap.to_ns > event_ns {
            let before = ((event_ns - gap.from_ns) as f64) > threshold + gap.regular_ns;
            let restored_ns = end_of(flow, gap, trip_ns).or_else(|| after_pause(flow, gap.to_ns, window.to_ns));
            failures.push(Failure::new(gap.from_ns.max(event_ns), before, restored_ns, gap.outage_ns - error_ns >= threshold));
        }
    });
    failures.sort_by_key(|f| f.begin_ns);
    failures.into_iter().reduce(Failure::join)
}

/// When something first came after a pause had cut a gap.
fn after_pause(flow: &Series<'_>, edge_ns: i64, to_ns: i64) -> Option<i64> {
    flow.record.paused_ns.iter().find(|(from, _)| *from == edge_ns)?;
    let row = flow.rows(Order::Done, Window { from_ns: edge_ns, to_ns }).first()?;
    Some(flow.instant(Order::Done, *row))
}

/// How much of a stretch it was paused, ns: what was back in it nobody saw.
fn paused_in(flow: &Series<'_>, from_ns: i64, to_ns: i64) -> f64 {
    let parts = flow.record.paused_ns.iter().map(|(from, to)| ((*to).min(to_ns) - (*from).max(from_ns)).max(0));
    parts.sum::<i64>() as f64
}

/// When a gap's service was back: the sending of the item that ended it, or its arrival if it had been held back: it was on its way for longer than
/// others are, ns, or was sent before the gap.
fn end_of(flow: &Series<'_>, gap: Gap, trip_ns: i64) -> Option<i64> {
    gap.ended_by.map(|row| {
        let item = flow.item(row);
        let late_ns = item.done_ns.saturating_sub(item.sent_ns).saturating_sub(trip_ns);
        let held_back = item.sent_ns == NEVER || late_ns as f64 > gap.threshold_ns || item.sent_ns.saturating_add(trip_ns) < gap.from_ns;
        if held_back { item.done_ns } else { item.sent_ns }
    })
}

/// `time_to_first_loss(E)`: S(first lost item) − E. Items under way at the event count with 0. Nothing lost: at least the time to
/// the window's end.
pub(super) fn first_loss_after(flow: &Series<'_>, context: &Context, window: Window, event: Event<'_>) -> Measured {
    let (name, happening) = match happened(flow, window, event) {
        Ok(event) => event,
        Err(nothing) => return nothing,
    };
    let event_ns = happening.asked_ns;
    let sent = flow.rows(Order::Sent, Window { from_ns: event_ns, ..window }).len() as u64;
    if sent == 0 {
        return Measured::nothing(format!("nothing was sent after `{name}`"));
    }
    let lost = flow.rows(Order::Lost, Window { from_ns: i64::MIN, ..window }).iter().map(|row| flow.item(*row));
    let first = lost.filter(|item| item.sent_ns >= event_ns || item.done_ns >= event_ns).map(|item| item.sent_ns).min();
    let error = outage::error_ns(flow, context, window);
    match first {
        Some(at) => {
            let value = (at - event_ns).max(0) as f64;
            let measured = Measured::about(value, error, sent).worst(Some((value, at)));
            Measured { below: error + happening.width_ns() as f64, ..measured }
        }
        None => {
            let end = flow.runs.last().map_or(window.to_ns, |run| run.1.min(window.to_ns));
            let measured = Measured::about((end - event_ns).max(0) as f64, error, sent);
            Measured { above: f64::INFINITY, ..measured }.noted(Some(format!("nothing was lost after `{name}`")))
        }
    }
}
