//! The thread that carries frames over wires. In: taps on the outer ends, the model of each way, orders of the lab. Out: frames, never before
//! their time. Makes no links and decides no fate.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::mpsc::Receiver as Orders;

use nix::time::ClockId;
use socket2::Socket;

use super::frame::{Pool, Stored, is_many};
use super::line::{Line, clock_ns, now_ns};
use super::log::{Coming, Witness};
use super::poller::Poller;
use super::receive::Receiver;
use super::send::{BATCH, Sender};
use crate::emulate::Leaving;

/// The number under which the bell is watched.
const BELL: u64 = u64::MAX - 1;
/// A wall clock that has moved against the monotonic one by more than this between two looks was set, ns: the instants that frames carry then
/// say nothing.
const CLOCK_STEP_NS: u64 = 1_000_000;
/// Two looks at the clocks that are farther apart than this were interrupted, ns; they take less than a tenth of it.
const UNINTERRUPTED_NS: u64 = 2000;
/// How often they are looked at, at most.
const LOOKS: usize = 4;
/// Batches of one end that are taken in at once, at most.
const TURNS: usize = 64;
/// Nothing to do.
const NEVER: u64 = u64::MAX;

/// Something to be done between two frames.
pub(crate) type Work = Box<dyn FnOnce(&mut [Line]) + Send>;

/// What the lab wants of the pump.
pub(crate) enum Order {
    /// To take in all that has come and to let out what need not wait: what is done next finds neither.
    Clear,
    /// To do something with the lines, between two frames.
    Do(Work),
    /// To end.
    Stop,
}

/// Lines and what is on them. A way has the number `2 * line + end` of the end where its frames enter.
pub(crate) struct Pump {
    lines: Vec<Line>,
    /// When each way is to be looked at.
    wanted: Vec<u64>,
    /// The same in their order; what is no longer wanted is passed over.
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    poller: Poller,
    receiver: Receiver,
    sender: Sender,
    leaving: Vec<Leaving<Stored>>,
    pool: Rc<Pool>,
    /// How far the wall clock was ahead of the monotonic one when it was last looked at, ns.
    wall_ahead: u64,
    /// When the next look at a line is due; a line that nobody asks for has none.
    look_ns: u64,
    /// When something was last done, if there are looks.
    done_ns: u64,
    orders: Orders<Order>,
    bell: OwnedFd,
}

impl Pump {
    /// `bell`: something to read from it means that there are orders.
    pub(crate) fn new(lines: Vec<Line>, orders: Orders<Order>, bell: OwnedFd) -> io::Result<Self> {
        let poller = Poller::new()?;
        for (number, line) in lines.iter().enumerate() {
            for end in 0..2 {
                poller.watch(line.taps[end].as_raw_fd(), (2 * number + end) as u64)?;
            }
        }
        poller.watch(bell.as_raw_fd(), BELL)?;
        Ok(Pump {
            wanted: vec![NEVER; 2 * lines.len()],
            lines,
            timers: BinaryHeap::new(),
            poller,
            receiver: Receiver::new(),
            sender: Sender::new(),
            leaving: Vec::with_capacity(BATCH),
            pool: Rc::new(Pool::default()),
            wall_ahead: 0,
            look_ns: NEVER,
            done_ns: 0,
            orders,
            bell,
        })
    }

    /// Carries frames until it is told to stop. Out: the taps, to be closed.
    pub(crate) fn run(mut self) -> (io::Result<()>, Vec<Socket>) {
        let result = self.carry();
        (result, self.lines.into_iter().flat_map(|line| line.taps).collect())
    }

    fn carry(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        loop {
            let next = self.timers.peek().map(|Reverse((at, _))| *at);
            let next = next.into_iter().chain((self.look_ns != NEVER).then_some(self.look_ns)).min();
            self.poller.wait(next, next.is_some_and(|at| at <= now_ns()), &mut ready)?;
            self.look();
            if ready.contains(&BELL) && self.obey() {
                return Ok(());
            }
            for number in ready.iter().filter(|number| **number != BELL) {
                self.take_in(*number as usize);
                self.let_out();
            }
            self.let_out();
            if self.look_ns != NEVER {
                self.done_ns = now_ns();
            }
        }
    }

    /// Takes the samples that are due, before anything else is done: what they show has been so since the last thing was.
    fn look(&mut self) {
        if self.look_ns == NEVER || now_ns() < self.look_ns {
            return;
        }
        let at = self.look_ns.max(self.done_ns);
        self.lines.iter_mut().filter(|line| line.look_due_ns().is_some_and(|due| due <= at)).for_each(|line| line.look(at));
        self.plan_looks();
    }

    /// Remembers when the next sample is due.
    fn plan_looks(&mut self) {
        self.look_ns = self.lines.iter().filter_map(Line::look_due_ns).min().unwrap_or(NEVER);
    }

    /// Does what the lab wants; true: it is to end.
    fn obey(&mut self) -> bool {
        let _ = nix::unistd::read(&self.bell, &mut [0; 64]);
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Clear => {
                    (0..self.wanted.len()).for_each(|way| self.take_all_in(way));
                    self.let_out();
                }
                Order::Do(work) => work(&mut self.lines),
                Order::Stop => return true,
            }
        }
        (0..self.wanted.len()).for_each(|way| self.plan(way));
        self.plan_looks();
        false
    }

    /// Remembers when a way is to be looked at.
    fn plan(&mut self, way: usize) {
        let next = self.lines[way / 2].ways[way % 2].next_ns().unwrap_or(NEVER);
        if self.wanted[way] != next {
            self.wanted[way] = next;
            if next != NEVER {
                self.timers.push(Reverse((next, way)));
            }
        }
    }

    /// Takes in all that has come at one end, but does not run after those that come faster.
    fn take_all_in(&mut self, way: usize) {
        for _ in 0..TURNS {
            if self.take_in(way) == 0 {
                break;
            }
        }
    }

    /// Takes in what has come at one end: how many frames of a batch.
    fn take_in(&mut self, way: usize) -> usize {
        let (line, end) = (&mut self.lines[way / 2], way % 2);
        // An end that is down says so once, and has no frames.
        let count = self.receiver.receive(&line.taps[end]).unwrap_or(0);
        if count == 0 {
            return 0;
        }
        let (now, wall_ahead) = clocks_now();
        let was_set = wall_ahead.abs_diff(std::mem::replace(&mut self.wall_ahead, wall_ahead)) > CLOCK_STEP_NS;
        let arrived = |wall: Option<u64>| wall.filter(|_| !was_set).map_or(now, |wall| wall.wrapping_sub(wall_ahead).min(now));
        if line.log.is_none() && line.ways[end].is_open() {
            self.pass(way, count, arrived);
            return count;
        }
        let pool = &self.pool;
        for at in 0..count {
            match self.receiver.frame(at) {
                Some(came) => {
                    let at_ns = arrived(came.arrived_ns);
                    let (header, frame) = (came.header, came.frame);
                    let coming = Coming { end, at_ns, wall_ns: at_ns.wrapping_add(wall_ahead), header, frame };
                    let mut witness = Witness::new(line.log.as_ref(), coming);
                    let stored = || Stored::new(at_ns, *header, frame, pool, witness.ticket());
                    let taken = line.ways[end].arrive(at_ns, frame, is_many(*header), stored);
                    witness.entered(taken);
                }
                None => {
                    line.ways[end].missed(1);
                    line.log.iter().for_each(|log| log.borrow_mut().missed(end, 1));
                }
            }
        }
        self.plan(way);
        count
    }

    /// Sends on what has come at the end of an open way, as it is.
    fn pass(&mut self, way: usize, count: usize, arrived: impl Fn(Option<u64>) -> u64) {
        let (line, end) = (&mut self.lines[way / 2], way % 2);
        let receiver = &self.receiver;
        let came = || (0..count).filter_map(|at| receiver.frame(at));
        let whole = came().count();
        line.ways[end].missed((count - whole) as u64);
        line.ways[end].passed(whole as u64);
        let sent = self.sender.send(&line.taps[1 - end], came().map(|came| (came.header, came.frame)));
        line.ways[end].sent(sent.delivered, sent.down, sent.failed);
        let now = now_ns();
        for (at, came) in came().enumerate() {
            let took = now.saturating_sub(arrived(came.arrived_ns));
            line.late(end, took);
            if let (Some(watch), None) = (&mut line.watch, sent.why_not(at)) {
                watch.left(end, came.frame.len(), took);
            }
        }
    }

    /// Lets out every frame whose time has come.
    fn let_out(&mut self) {
        let now = now_ns();
        while let Some(&Reverse((at, way))) = self.timers.peek() {
            if at > now {
                return;
            }
            self.timers.pop();
            if self.wanted[way] == at {
                self.wanted[way] = NEVER;
                self.let_out_of(way, now);
                self.plan(way);
            }
        }
    }

    fn let_out_of(&mut self, way: usize, now: u64) {
        let (line, end) = (&mut self.lines[way / 2], way % 2);
        loop {
            while self.leaving.len() < BATCH
                && let Some(leaving) = line.ways[end].leave(now)
            {
                self.leaving.push(leaving);
            }
            if self.leaving.is_empty() {
                return;
            }
            let frames = self.leaving.iter().map(|leaving| (&leaving.packet.header, crate::emulate::Packet::frame(&leaving.packet)));
            let sent = self.sender.send(&line.taps[1 - end], frames);
            line.ways[end].sent(sent.delivered, sent.down, sent.failed);
            let gone = now_ns();
            for (at, leaving) in self.leaving.drain(..).enumerate() {
                line.late(end, gone.saturating_sub(leaving.due_ns));
                if let (Some(watch), None) = (&mut line.watch, sent.why_not(at)) {
                    watch.left(end, crate::emulate::Packet::frame(&leaving.packet).len(), gone.saturating_sub(leaving.packet.came_ns));
                }
                leaving.packet.ticket.iter().for_each(|ticket| ticket.left(gone, sent.why_not(at)));
            }
        }
    }
}

/// The monotonic clock, and how far the wall clock is ahead of it, ns. The wall clock is looked at first: an interruption that hit every look
/// makes an arrival later than it was, and no frame leaves before its time.
fn clocks_now() -> (u64, u64) {
    let mut now = now_ns();
    let mut ahead = 0;
    for _ in 0..LOOKS {
        let before = now;
        let wall = clock_ns(ClockId::CLOCK_REALTIME);
        now = now_ns();
        ahead = wall.wrapping_sub(now);
        if now - before < UNINTERRUPTED_NS {
            break;
        }
    }
    (now, ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_look_at_the_clocks_makes_an_arrival_earlier_than_it_was() {
        // The monotonic clock looked at first: each says at least how far the wall clock is ahead.
        let least = (0..10_000)
            .map(|_| {
                let now = now_ns();
                clock_ns(ClockId::CLOCK_REALTIME).wrapping_sub(now)
            })
            .min()
            .unwrap();
        assert!((0..10_000).all(|_| clocks_now().1 <= least));
    }
}
