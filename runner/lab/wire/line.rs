//! One wire as the pump has it: its taps, its two ways, and how late the pump was. In: frames, changes. Out: frames, the account. Waits for
//! nothing.

use hdrhistogram::Histogram;
use nix::time::{ClockId, clock_gettime};
use scn_reports::record::LinkAccount;
use scn_reports::record::counted::LinkSample;
use socket2::Socket;

use super::super::capture::pcapng::Seen;
use super::super::packet;
use super::frame::Stored;
use super::log::{Out, Shared};
use super::watch::Watch;
use crate::emulate::{Counts, Waiting, Way};

/// Lateness is kept with this many significant digits.
const DIGITS: u8 = 2;
/// Lateness beyond this is kept as this, ns.
const LATEST_NS: u64 = 60_000_000_000;
/// The first step of the histogram in the record, ns; each further is twice as large.
const FIRST_STEP_NS: u64 = 1_000;

/// A wire.
pub(crate) struct Line {
    /// On its outer ends.
    pub(crate) taps: [Socket; 2],
    /// From the first end, from the second.
    pub(crate) ways: [Way<Stored>; 2],
    late: Histogram<u64>,
    /// While somebody captures it.
    pub(crate) log: Option<Shared>,
    /// Where somebody asks for what it does over time.
    pub(crate) watch: Option<Box<Watch>>,
    began_ns: Option<u64>,
    /// Frames that were on each way then.
    began_with: [u64; 2],
}

/// Now on the monotonic clock, ns.
pub(crate) fn now_ns() -> u64 {
    clock_ns(ClockId::CLOCK_MONOTONIC)
}

pub(crate) fn clock_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock).expect("these clocks exist on every Linux");
    u64::try_from(now.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec()).unwrap_or(0)
}

impl Line {
    /// `watched`: somebody asks for what it does over time.
    pub(crate) fn new(taps: [Socket; 2], ways: [Way<Stored>; 2], watched: bool) -> Self {
        let late = Histogram::new_with_bounds(1, LATEST_NS, DIGITS).expect("constant bounds that the histogram takes");
        Line { taps, ways, late, log: None, watch: watched.then(|| Box::new(Watch::new())), began_ns: None, began_with: [0; 2] }
    }

    /// Remembers how much later than meant a frame went out one way, ns.
    pub(crate) fn late(&mut self, way: usize, ns: u64) {
        self.late.saturating_record(ns.max(1));
        if let Some(watch) = &mut self.watch {
            watch.late(way, ns);
        }
    }

    /// Takes a sample of what it does, if somebody asks for that; nothing has happened since `at_ns`.
    pub(crate) fn look(&mut self, at_ns: u64) {
        if self.watch.is_none() {
            return;
        }
        self.count_lost();
        let seen = self.ways.each_mut().map(|way| {
            let waiting = way.waiting(at_ns);
            (*way.counts(), waiting)
        });
        if let Some(watch) = &mut self.watch {
            watch.look(at_ns, seen);
        }
    }

    /// When the next sample is due, on the monotonic clock.
    pub(crate) fn look_due_ns(&self) -> Option<u64> {
        self.watch.as_ref()?.due_ns()
    }

    /// What it has counted at this moment, and at the first sample.
    pub(crate) fn counted(&mut self) -> Option<[LinkSample; 2]> {
        self.count_lost();
        let now_ns = now_ns();
        let seen = self.ways.each_mut().map(|way| {
            let now = way.waits(now_ns);
            (*way.counts(), Waiting { now, ..Waiting::default() })
        });
        self.watch.as_ref()?.now(seen)
    }

    /// What is counted from the timeline's start is counted from this instant, ns.
    pub(crate) fn begin(&mut self, at_ns: u64) {
        self.count_lost();
        self.began_ns = Some(at_ns);
        self.log.iter().for_each(|log| log.borrow_mut().began_ns = Some(at_ns));
        self.ways.iter_mut().for_each(|way| way.begin(at_ns));
        self.began_with = [0, 1].map(|end| self.ways[end].counts().entered);
        self.late.reset();
        if let Some(watch) = &mut self.watch {
            watch.begin(at_ns);
            self.look(now_ns());
        }
    }

    /// Nothing has come since the timeline began.
    pub(crate) fn at_rest(&self) -> bool {
        self.ways.iter().zip(self.began_with).all(|(way, before)| way.counts().entered == before)
    }

    /// What the kernel could not keep for us came in, too.
    fn count_lost(&mut self) {
        for end in 0..2 {
            let lost = packet::lost(&self.taps[end]);
            self.ways[end].missed(lost);
            self.log.iter().for_each(|log| log.borrow_mut().missed(end, lost));
        }
    }

    /// A capture begins.
    pub(crate) fn capture(&mut self, out: Out) {
        // What was lost before is none of it.
        self.count_lost();
        let mut log = self.log.get_or_insert_default().borrow_mut();
        log.began_ns = self.began_ns;
        log.begin(out);
    }

    /// A capture ends. Out: what it saw, by end; `None`: it had not begun.
    pub(crate) fn end_capture(&mut self, file: usize) -> Option<[Seen; 2]> {
        self.count_lost();
        let log = self.log.clone()?;
        let seen = log.borrow_mut().end(file);
        self.log.take_if(|log| log.borrow().is_idle());
        seen
    }

    /// The account as the record has it.
    pub(crate) fn account(&mut self) -> LinkAccount {
        self.count_lost();
        let both = |of: fn(&Counts) -> u64| [of(self.ways[0].counts()), of(self.ways[1].counts())];
        let quantile = |share| if self.late.is_empty() { 0 } else { self.late.value_at_quantile(share) };
        LinkAccount {
            entered: both(|counts| counts.entered),
            duplicated: both(|counts| counts.duplicated),
            delivered: both(|counts| counts.delivered),
            cut: both(|counts| counts.cut),
            filtered: both(|counts| counts.filtered),
            oversized: both(|counts| counts.oversized),
            lost: both(|counts| counts.lost),
            overflowed: both(|counts| counts.overflowed),
            managed: both(|counts| counts.managed),
            dropped: both(|counts| counts.failed),
            queued: [0, 1].map(|end: usize| self.ways[end].queued() as u64),
            corrupted: both(|counts| counts.corrupted),
            reordered: both(|counts| counts.reordered),
            marked: both(|counts| counts.marked),
            joined: both(|counts| counts.joined),
            late_p50_ns: quantile(0.5),
            late_p99_ns: quantile(0.99),
            late_max_ns: if self.late.is_empty() { 0 } else { self.late.max() },
            late: self.steps(),
            untold: Vec::new(),
        }
    }

    /// The histogram in steps that double: upper end in ns, count; steps without any are left out.
    fn steps(&self) -> Vec<(u64, u64)> {
        let steps = self.late.iter_log(FIRST_STEP_NS, 2.0);
        let steps = steps.map(|step| (step.value_iterated_to() + 1, step.count_since_last_iteration()));
        steps.filter(|(_, count)| *count > 0).collect()
    }
}
