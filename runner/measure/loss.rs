//! Loss (RFC 7680: sent and not received) and disruptions (loss periods of RFC 3357 with the sustained validation of RFC 6412).
//! In: a series. Out: the loss ratio; the disruptions of a window.

use scn_reports::record::flow::{ItemOutcome, NEVER};

use super::series::{Order, Series};
use super::{Measured, Window};

/// A disruption has at least as many lost items.
const MIN_LOSS: u64 = 3;
/// As many items in a row that arrive end a disruption.
const RECOVER: u64 = 10;
/// Disruptions that are nearer to each other are one, ns.
pub(super) const SETTLE_NS: i64 = 1_000_000_000;

/// Lost items over sent items of a window, both by the instant of sending. Items whose fate was not seen are neither lost nor
/// received: they may all have been lost, which is the error's upper side.
pub(super) fn ratio(flow: &Series<'_>, window: Window) -> Measured {
    let sent = flow.rows(Order::Sent, window).len();
    if sent == 0 {
        return Measured::nothing("nothing was sent in the window");
    }
    let lost = flow.rows(Order::Lost, window);
    let unfinished = flow.rows(Order::Unfinished, window).len();
    let mut measured = Measured::exact(lost.len() as f64 / sent as f64, sent as u64);
    measured.above = unfinished as f64 / sent as f64;
    let note = (unfinished > 0).then(|| format!("the fate of {unfinished} sent transactions was not seen"));
    measured.noted(note)
}

/// A stretch of losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disruption {
    /// When the first lost item was sent, ns.
    pub first_ns: i64,
    /// When the last one was sent, ns.
    pub last_ns: i64,
    /// When the first failure in it was seen, ns.
    pub seen_ns: i64,
    /// Items lost in it.
    pub lost: u64,
    /// From the intended start of each lost item to that of the one after it, in all, ns.
    pub lost_ns: i64,
    /// Items sent in it whose fate was not seen.
    pub unfinished: u64,
    /// When the first item that arrived after it was sent, ns; `None`: none did.
    pub restored_ns: Option<i64>,
    /// Items that arrived in a row since the last loss.
    arrived: u64,
}

impl Disruption {
    /// Two that are one.
    fn join(&mut self, next: Disruption) {
        self.last_ns = next.last_ns;
        self.seen_ns = self.seen_ns.min(next.seen_ns);
        self.lost += next.lost;
        self.lost_ns += next.lost_ns;
        self.unfinished += next.unfinished;
        self.restored_ns = next.restored_ns;
    }
}

/// The disruptions of a window: at least 3 lost items, no 10 items in a row that arrived, and 1 s of quiet between two of them. Of a flow to a
/// group those of one receiver after the other.
pub(super) fn disruptions(flow: &Series<'_>, window: Window) -> Vec<Disruption> {
    flow.receivers().flat_map(|receiver| of_receiver(flow, window, receiver)).collect()
}

fn of_receiver(flow: &Series<'_>, window: Window, receiver: u32) -> Vec<Disruption> {
    let (mut found, mut open): (Vec<Disruption>, Option<Disruption>) = (Vec::new(), None);
    let mut lost_at: Option<i64> = None;
    for row in flow.rows(Order::Sent, window).iter().filter(|row| flow.is_of(**row, receiver)) {
        let item = flow.item(*row);
        if let (Some(at), Some(now)) = (lost_at.take(), &mut open) {
            now.lost_ns += item.intended_ns.saturating_sub(at).max(0);
        }
        match item.outcome {
            ItemOutcome::Failed => {
                lost_at = Some(item.intended_ns);
                let seen = if item.done_ns == NEVER { item.sent_ns } else { item.done_ns };
                let now = open.get_or_insert(Disruption {
                    first_ns: item.sent_ns,
                    last_ns: item.sent_ns,
                    seen_ns: seen,
                    lost: 0,
                    lost_ns: 0,
                    unfinished: 0,
                    restored_ns: None,
                    arrived: 0,
                });
                (now.last_ns, now.seen_ns, now.restored_ns, now.arrived) = (item.sent_ns, now.seen_ns.min(seen), None, 0);
                now.lost += 1;
            }
            ItemOutcome::Done => {
                if let Some(now) = &mut open {
                    now.restored_ns = now.restored_ns.or(Some(item.sent_ns));
                    now.arrived += 1;
                    if now.arrived >= RECOVER {
                        found.extend(open.take());
                    }
                }
            }
            ItemOutcome::Unfinished => {
                if let Some(now) = &mut open {
                    now.unfinished += 1;
                }
            }
            ItemOutcome::Dropped => {}
        }
    }
    if let (Some(at), Some(now)) = (lost_at, &mut open) {
        now.lost_ns += flow.regular_gap_between(at, at) as i64;
    }
    found.extend(open);
    found.retain(|d| d.lost >= MIN_LOSS);
    found.into_iter().fold(Vec::new(), |mut merged: Vec<Disruption>, next| {
        match merged.last_mut() {
            Some(last) if next.first_ns - last.last_ns < SETTLE_NS => last.join(next),
            _ => merged.push(next),
        }
        merged
    })
}
