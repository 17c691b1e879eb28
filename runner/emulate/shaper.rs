//! The queue before a rate, and the rate. In: packets with the instant at which they come. Out: packets with the instant at which their
//! last bit has gone. Time is the caller's, so that a late caller changes nothing: each packet begins when the one before ended.

use std::collections::VecDeque;

use scn_grammar::scenario::topology::{Impairment, QueueLimit};

use super::codel::{Control, Ruling};
use super::counts::Counts;
use super::headers::mark_congestion;
use super::told::{Mark, Taken};
use super::way::Packet;

const NS_PER_SECOND: u128 = 1_000_000_000;

struct Queued<T> {
    since_ns: u64,
    packet: T,
}

/// How many packets wait for the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// At this moment.
    pub now: u64,
    /// The most at once since it was last asked.
    pub most: u64,
    /// When that was, ns.
    pub most_at_ns: u64,
}

/// A packet whose bits are going out.
struct Sending<T> {
    ends_ns: u64,
    packet: T,
}

/// One queue with its rate.
pub(super) struct Shaper<T> {
    rate_bps: Option<u64>,
    overhead: u64,
    limit: QueueLimit,
    codel: Option<Control>,
    waiting: VecDeque<Queued<T>>,
    /// Of frames that wait.
    bytes: u64,
    sending: Option<Sending<T>>,
    /// When the last packet had gone.
    free_ns: u64,
    /// What rounding to whole ns left over, in bit-ns below one bit.
    remainder: u128,
    /// The longest that the queue was, and when.
    most: (u64, u64),
}

impl<T: Packet> Shaper<T> {
    pub(super) fn new(setting: &Impairment) -> Self {
        let mut shaper = Shaper {
            rate_bps: None,
            overhead: 0,
            limit: setting.queue.limit,
            codel: None,
            waiting: VecDeque::new(),
            bytes: 0,
            sending: None,
            free_ns: 0,
            remainder: 0,
            most: (0, 0),
        };
        shaper.set(setting, 0);
        shaper
    }

    /// Another rate or limit. What waits goes on waiting, also what is more than the new limit; of what is being sent the rest goes at
    /// the new rate.
    pub(super) fn set(&mut self, setting: &Impairment, now_ns: u64) {
        if self.rate_bps != setting.rate_bps {
            if let (Some(sending), Some(before)) = (&mut self.sending, self.rate_bps) {
                let left = u128::from(sending.ends_ns.saturating_sub(now_ns)) * u128::from(before);
                let left = setting.rate_bps.map_or(0, |rate| left / u128::from(rate.max(1)));
                sending.ends_ns = now_ns.min(sending.ends_ns) + u64::try_from(left).unwrap_or(u64::MAX / 2);
            }
            self.remainder = 0;
        }
        self.rate_bps = setting.rate_bps;
        self.overhead = u64::from(setting.overhead_bytes);
        self.limit = setting.queue.limit;
        match (&mut self.codel, setting.queue.codel) {
            (Some(control), Some(codel)) => control.set(codel),
            (control, codel) => *control = codel.map(Control::new),
        }
    }

    /// Packets here, the one being sent included.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.sending.is_some())
    }

    /// Nothing is here and nothing would be held up.
    pub(super) fn is_open(&self) -> bool {
        self.rate_bps.is_none() && self.len() == 0
    }

    /// When the next packet has gone.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.sending.as_ref().map(|sending| sending.ends_ns)
    }

    /// A packet comes. Everything that left before must have been taken out by [`Shaper::serve`]. `false`: there is no place for it.
    pub(super) fn take(&mut self, at_ns: u64, packet: T, counts: &mut Counts) -> bool {
        let length = packet.frame().len() as u64;
        // The one that goes out at once does not wait.
        let full = match self.limit {
            QueueLimit::Packets(most) => self.waiting.len() as u64 >= most,
            QueueLimit::Bytes(most) => self.bytes + length > most,
        };
        if full && self.sending.is_some() {
            counts.overflowed += 1;
            packet.taken(Taken::Overflowed);
            return false;
        }
        self.bytes += length;
        self.waiting.push_back(Queued { since_ns: at_ns, packet });
        if self.sending.is_none() {
            self.begin(self.free_ns.max(at_ns), counts);
        }
        if self.waits() > self.most.0 {
            self.most = (self.waits(), at_ns);
        }
        true
    }

    /// Those that wait, the one being sent not included.
    pub(super) fn waits(&self) -> u64 {
        self.waiting.len() as u64
    }

    /// The same, and the most since this was last asked.
    pub(super) fn waiting(&mut self, now_ns: u64) -> Waiting {
        let now = self.waits();
        let (most, most_at_ns) = std::mem::replace(&mut self.most, (now, now_ns));
        Waiting { now, most, most_at_ns }
    }

    /// Hands out the next that has gone by now, with its instant.
    pub(super) fn serve(&mut self, now_ns: u64, counts: &mut Counts) -> Option<(u64, T)> {
        let sending = self.sending.take_if(|sending| sending.ends_ns <= now_ns)?;
        self.free_ns = sending.ends_ns;
        self.begin(self.free_ns, counts);
        Some((sending.ends_ns, sending.packet))
    }

    /// The next packet begins.
    fn begin(&mut self, now_ns: u64, counts: &mut Counts) {
        while let Some(Queued { since_ns, mut packet }) = self.waiting.pop_front() {
            let length = packet.frame().len() as u64;
            self.bytes -= length;
            let starts_ns = now_ns.max(since_ns);
            if starts_ns > self.free_ns {
                self.remainder = 0;
            }
            if let Some(control) = &mut self.codel
                && control.judge(starts_ns, starts_ns - since_ns, self.bytes) == Ruling::Drop
            {
                if !(control.marks() && mark_congestion(packet.frame_mut())) {
                    counts.managed += 1;
                    packet.taken(Taken::Managed);
                    continue;
                }
                control.marked();
                counts.marked += 1;
                packet.marked(Mark::Congestion);
            }
            let ends_ns = starts_ns + self.duration(length);
            self.sending = Some(Sending { ends_ns, packet });
            return;
        }
        self.codel.iter_mut().for_each(Control::emptied);
    }

    /// How long the bits of a frame go out, ns; what is less than one is kept for the next.
    fn duration(&mut self, length: u64) -> u64 {
        let Some(rate) = self.rate_bps else { return 0 };
        let rate = u128::from(rate.max(1));
        let work = u128::from((length + self.overhead) * 8) * NS_PER_SECOND + self.remainder;
        self.remainder = work % rate;
        u64::try_from(work / rate).unwrap_or(u64::MAX / 2)
    }

    /// Takes out what a cut or a partition takes.
    pub(super) fn purge(&mut self, counts: &mut Counts, mut is_taken: impl FnMut(&T) -> bool) {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| !is_taken(&waiting.packet));
        counts.cut += (before - self.waiting.len()) as u64;
        self.bytes = self.waiting.iter().map(|waiting| waiting.packet.frame().len() as u64).sum();
        if let Some(sending) = self.sending.take_if(|sending| is_taken(&sending.packet)) {
            counts.cut += 1;
            // It had its time all the same: nothing else goes out before it would have gone.
            self.free_ns = sending.ends_ns;
            self.begin(self.free_ns, counts);
        }
    }
}
