//! One way of a link, whole: a packet comes and passes the stages, or is taken by one. In: packets with the instants at which they came, the
//! time, changes of what the way does. Out: packets with the instants at which they are to leave, and counts. Reads no clock, sends nothing.

use std::sync::Arc;

use scn_grammar::scenario::topology::{Impairment, ReorderBy};

use super::barrier::Barrier;
use super::compiled::{Compiled, Delays};
use super::counts::Counts;
use super::fate::{Draws, Place, Stage};
use super::filter;
use super::flows::Flows;
use super::headers::Headers;
use super::loss::Losses;
use super::ramp::{self, Share};
use super::shaper::{Shaper, Waiting};
use super::told::{Mark, Taken};
use super::trace::Traces;
use super::transit::Transit;

/// Bytes under way, behind the queue, which has its own limit; what comes on top is lost, and counted as the program's own failure.
const MOST_BYTES: usize = 512 << 20;
/// Packets under way, likewise.
const MOST_PACKETS: usize = 2_000_000;
/// A ramp changes its numbers this often, ns.
const RAMP_STEP_NS: u64 = 1_000_000;

/// A packet as the model needs it.
pub trait Packet {
    /// The Ethernet frame.
    fn frame(&self) -> &[u8];
    /// The frame, to be changed.
    fn frame_mut(&mut self) -> &mut [u8];
    /// Makes what the sender left to its device, so that a change is seen as one.
    fn finish(&mut self);
    /// A stage takes it, and it will be dropped.
    fn taken(&self, _by: Taken) {}
    /// A stage has done something to it.
    fn marked(&self, _with: Mark) {}
}

/// A packet that leaves.
#[derive(Debug)]
pub struct Leaving<T> {
    /// When it was to leave, ns.
    pub due_ns: u64,
    /// It.
    pub packet: T,
}

/// What a way is, whatever is done to it later.
#[derive(Debug, Clone)]
pub struct Nature {
    /// Its chances.
    pub draws: Draws,
    /// Ports that the plan names, as ranges.
    pub ports: Vec<(u16, u16)>,
    /// Packets are judged one by one, now or later: their places in their flows are counted.
    pub judges: bool,
    /// Files that losses and delays come from.
    pub traces: Arc<Traces>,
}

/// An impairment that is changing.
struct Ramp {
    from: Impairment,
    to: Impairment,
    begins_ns: u64,
    ends_ns: u64,
    next_ns: u64,
}

/// One way of a link.
pub struct Way<T> {
    nature: Nature,
    does: Compiled,
    ramp: Option<Ramp>,
    is_cut: bool,
    barriers: Vec<Barrier>,
    flows: Flows,
    losses: Losses,
    /// Delays taken from a trace since it was set.
    traced: u64,
    shaper: Shaper<OnWay<T>>,
    transit: Transit<T>,
    counts: Counts,
}

impl<T: Packet> Way<T> {
    /// Nothing is on it.
    #[must_use]
    pub fn new(nature: Nature, does: Impairment, now_ns: u64) -> Self {
        let does = Compiled::new(does, &nature.traces);
        Way {
            flows: Flows::new(nature.ports.clone()),
            losses: Losses::new(does.loss.clone(), now_ns),
            shaper: Shaper::new(&does.said),
            transit: Transit::new(),
            nature,
            does,
            ramp: None,
            is_cut: false,
            barriers: Vec::new(),
            traced: 0,
            counts: Counts::default(),
        }
    }

    /// What is counted from the start is counted from now on: packets, places in flows, packets and time of losses, steps of traces.
    pub fn begin(&mut self, now_ns: u64) {
        self.counts = Counts { entered: self.queued() as u64, ..Counts::default() };
        self.flows.forget();
        self.losses.set(self.does.loss.clone(), now_ns);
        self.traced = 0;
    }

    /// Sets what the way does, evenly over a time. What is on it stays on it, with the instants that it has.
    pub fn set(&mut self, to: Impairment, over_ns: u64, now_ns: u64) {
        self.step(now_ns);
        self.serve(now_ns);
        let from = std::mem::take(&mut self.does.said);
        let share = Share { done: u64::from(over_ns == 0), all: over_ns.max(1) };
        self.does = Compiled::new(ramp::between(&from, &to, share), &self.nature.traces);
        self.losses.set(self.does.loss.clone(), now_ns);
        self.traced = 0;
        self.shaper.set(&self.does.said, now_ns);
        self.ramp = (over_ns > 0).then(|| Ramp {
            from,
            to,
            begins_ns: now_ns,
            ends_ns: now_ns.saturating_add(over_ns),
            next_ns: now_ns.saturating_add(RAMP_STEP_NS.min(over_ns)),
        });
    }

    /// Takes everything, or no longer; what is on the way when it is cut is taken too.
    pub fn set_cut(&mut self, is_cut: bool) {
        if is_cut && !self.is_cut {
            self.purge(|_| true);
        }
        self.is_cut = is_cut;
    }

    /// Takes what passes from some nodes to others; what is on the way already, too.
    pub fn set_barriers(&mut self, barriers: Vec<Barrier>) {
        if !barriers.is_empty() {
            self.purge(|packet| is_barred(&barriers, &Headers::of(packet.frame()), packet.frame()));
        }
        self.barriers = barriers;
    }

    fn purge(&mut self, is_meant: impl Fn(&T) -> bool) {
        let is_taken = |packet: &T| {
            let is_taken = is_meant(packet);
            if is_taken {
                packet.taken(Taken::Cut);
            }
            is_taken
        };
        self.counts.cut += self.transit.purge(is_taken);
        self.shaper.purge(&mut self.counts, |waiting| is_taken(&waiting.packet));
    }

    /// Packets pass at once and unchanged: they need not be kept. [`Way::passed`] counts them.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.does.is_nothing() && self.is_bare()
    }

    /// Nothing stands in the way but what the impairment does.
    fn is_bare(&self) -> bool {
        !self.is_cut
            && !self.nature.judges
            && self.barriers.is_empty()
            && self.ramp.is_none()
            && self.shaper.is_open()
            && self.transit.len() == 0
    }

    /// Packets came through an open way and went out.
    pub fn passed(&mut self, count: u64) {
        self.counts.entered += count;
    }

    /// Packets that left went out, or could not.
    pub fn sent(&mut self, delivered: u64, cut: u64, failed: u64) {
        self.counts.delivered += delivered;
        self.counts.cut += cut;
        self.counts.failed += failed;
    }

    /// Packets came and were lost before the model saw them.
    pub fn missed(&mut self, count: u64) {
        self.counts.entered += count;
        self.counts.failed += count;
    }

    /// A packet comes. It is made only if it stays on the way, once, or twice if it is doubled. `is_many`: it is several packets that are
    /// not cut apart yet. Out: what took it before it was made; what takes it later it is told itself.
    pub fn arrive(&mut self, at_ns: u64, frame: &[u8], is_many: bool, mut make: impl FnMut() -> T) -> Option<Taken> {
        self.step(at_ns);
        self.counts.entered += 1;
        self.counts.joined += u64::from(is_many && self.nature.judges);
        if !self.nature.judges && self.barriers.is_empty() && self.does.only_delays {
            // Nothing looks into it.
            if self.is_cut {
                self.counts.cut += 1;
                return Some(Taken::Cut);
            }
            let place = Place { flow: 0, index: 0 };
            self.admit(at_ns, place, Stage::Delay, make());
            return None;
        }
        let headers = Headers::of(frame);
        let (place, flow) = self.flows.count(&headers, frame);
        if self.is_cut || is_barred(&self.barriers, &headers, frame) {
            self.counts.cut += 1;
            return Some(Taken::Cut);
        } else if filter::takes(&self.does.said.drops, &headers) {
            self.counts.filtered += 1;
            return Some(Taken::Filtered);
        } else if self.does.said.mtu_black_hole.is_some_and(|most| frame.len().saturating_sub(headers.at) > most as usize) {
            self.counts.oversized += 1;
            return Some(Taken::Oversized);
        } else if self.losses.takes(at_ns, &self.nature.draws, place, flow) {
            self.counts.lost += 1;
            return Some(Taken::Lost);
        }
        let packet = self.corrupted(place, headers.at, make());
        let copy = self.nature.draws.happens(Stage::Duplicate, place, self.does.said.duplicate_nano);
        let copy = copy.then(|| self.corrupted_again(place, headers.at, make()));
        self.admit(at_ns, place, Stage::Delay, packet);
        if let Some(copy) = copy {
            self.counts.duplicated += 1;
            self.admit(at_ns, place, Stage::DelayOfCopy, copy);
        }
        None
    }

    /// The packet with a bit flipped, if its fate is that.
    fn corrupted(&mut self, place: Place, from: usize, packet: T) -> T {
        self.counts.corrupted += u64::from(self.nature.draws.happens(Stage::Corrupt, place, self.does.said.corrupt_nano));
        self.corrupted_again(place, from, packet)
    }

    fn corrupted_again(&self, place: Place, from: usize, mut packet: T) -> T {
        if self.nature.draws.happens(Stage::Corrupt, place, self.does.said.corrupt_nano) {
            packet.finish();
            let frame = packet.frame_mut();
            let bit = self.nature.draws.one_of(Stage::CorruptBit, place, frame.len().saturating_sub(from) * 8);
            if let Some(byte) = frame.get_mut(from + bit / 8) {
                *byte ^= 0x80 >> (bit % 8);
                packet.marked(Mark::Corrupted(from + bit / 8));
            }
        }
        packet
    }

    /// Into the queue, or straight on where there is none.
    fn admit(&mut self, at_ns: u64, place: Place, stage: Stage, packet: T) {
        let packet = OnWay { place, stage, packet };
        if self.shaper.is_open() {
            return self.propagate(at_ns, packet);
        }
        self.serve(at_ns);
        self.shaper.take(at_ns, packet, &mut self.counts);
        self.serve(at_ns);
    }

    /// What has gone through the rate by now is under way.
    fn serve(&mut self, now_ns: u64) {
        while let Some((gone_ns, packet)) = self.shaper.serve(now_ns, &mut self.counts) {
            self.propagate(gone_ns, packet);
        }
    }

    /// The delay of a packet whose last bit has gone, and its order.
    fn propagate(&mut self, from_ns: u64, on_way: OnWay<T>) {
        let OnWay { place, stage, packet } = on_way;
        if self.transit.bytes() + packet.frame().len() > MOST_BYTES || self.transit.len() >= MOST_PACKETS {
            self.counts.failed += 1;
            packet.taken(Taken::Failed);
            return;
        }
        let delay = match &self.does.delays {
            Delays::Drawn(varying) => self.nature.draws.value(stage, place, varying),
            Delays::Trace(delays) => {
                let step = usize::try_from(self.traced % delays.len().max(1) as u64).unwrap_or(0);
                self.traced += 1;
                delays.get(step).copied().unwrap_or(0)
            }
        };
        let due_ns = from_ns.saturating_add(delay);
        let held = self.does.said.reorder.filter(|reorder| self.nature.draws.happens(Stage::Reorder, place, reorder.ratio_nano));
        // A copy follows its own fate: only the packet itself is held back.
        match held.filter(|_| stage == Stage::Delay).map(|reorder| reorder.by) {
            Some(by) => {
                self.counts.reordered += 1;
                packet.marked(Mark::Reordered);
                match by {
                    ReorderBy::Packets(count) => self.transit.enter_late(due_ns, count, 0, packet),
                    ReorderBy::Time(more_ns) => self.transit.enter_late(due_ns, 0, more_ns, packet),
                }
            }
            None => self.transit.enter(due_ns, self.does.said.keep_order, packet),
        }
    }

    /// When something is to be done: a packet leaves, or its last bit has gone, or numbers change under packets that wait.
    #[must_use]
    pub fn next_ns(&self) -> Option<u64> {
        let ramp = self.ramp.as_ref().filter(|_| self.shaper.len() > 0).map(|ramp| ramp.next_ns);
        [self.transit.next_ns(), self.shaper.next_ns(), ramp].into_iter().flatten().min()
    }

    /// The next packet that is to have left by now. Its maker tells [`Way::sent`] what became of it.
    pub fn leave(&mut self, now_ns: u64) -> Option<Leaving<T>> {
        if self.ramp.is_some() {
            self.step(now_ns);
        }
        self.serve(now_ns);
        self.transit.leave(now_ns).map(|(due_ns, packet)| Leaving { due_ns, packet })
    }

    /// The numbers of a ramp as they are now.
    fn step(&mut self, now_ns: u64) {
        let Some(mut ramp) = self.ramp.take_if(|ramp| ramp.next_ns <= now_ns) else { return };
        // What went before goes by the numbers before.
        self.serve(now_ns);
        let all = ramp.ends_ns - ramp.begins_ns;
        let share = Share { done: now_ns.saturating_sub(ramp.begins_ns).min(all), all };
        self.does = Compiled::new(ramp::between(&ramp.from, &ramp.to, share), &self.nature.traces);
        self.losses.adjust(self.does.loss.clone());
        self.shaper.set(&self.does.said, now_ns);
        if share.done < all {
            ramp.next_ns = now_ns.saturating_add(RAMP_STEP_NS).min(ramp.ends_ns);
            self.ramp = Some(ramp);
        }
    }

    /// Packets on the way.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shaper.len() + self.transit.len()
    }

    /// Those that wait for the rate; what is the most is counted anew from here.
    pub fn waiting(&mut self, now_ns: u64) -> Waiting {
        self.step(now_ns);
        self.serve(now_ns);
        self.shaper.waiting(now_ns)
    }

    /// How many wait for the rate at this moment.
    pub fn waits(&mut self, now_ns: u64) -> u64 {
        self.step(now_ns);
        self.serve(now_ns);
        self.shaper.waits()
    }

    /// What was counted.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

fn is_barred(barriers: &[Barrier], headers: &Headers, frame: &[u8]) -> bool {
    barriers.iter().any(|barrier| barrier.takes(headers, frame))
}

/// A packet that waits, with what its delay is drawn by.
struct OnWay<T> {
    place: Place,
    stage: Stage,
    packet: T,
}

impl<T: Packet> Packet for OnWay<T> {
    fn frame(&self) -> &[u8] {
        self.packet.frame()
    }
    fn frame_mut(&mut self) -> &mut [u8] {
        self.packet.frame_mut()
    }
    fn finish(&mut self) {
        self.packet.finish();
    }
    fn taken(&self, by: Taken) {
        self.packet.taken(by);
    }
    fn marked(&self, with: Mark) {
        self.packet.marked(with);
    }
}
