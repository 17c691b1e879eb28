//! The thread that carries frames over all wires of a lab. In: taps on the outer ends, delays, cut flags. Out: frames, never before
//! their time and never out of order, and counts. Makes no links.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use nix::time::{ClockId, clock_gettime};
use socket2::Socket;

use super::account::Counters;
use super::poller::Poller;
use super::receive::Receiver;

/// Frames that may be under way one way; more are dropped.
const QUEUE_FRAMES: usize = 65_536;
/// Bytes that may be under way one way; more are dropped.
const QUEUE_BYTES: usize = 64 << 20;
/// A send that the kernel has no room for is tried again so often.
const SEND_TRIES: u32 = 8;
/// The number under which the end of the pump is watched.
const STOP: u64 = u64::MAX - 1;

/// A wire as the pump sees it.
pub(crate) struct Wire {
    /// Taps on the outer ends.
    pub(crate) taps: Arc<[Socket; 2]>,
    /// Delay of frames from each end, ns.
    pub(crate) delay_ns: [u64; 2],
    /// What is counted.
    pub(crate) counters: Arc<Counters>,
}

/// A frame under way.
struct Frame {
    due_ns: u64,
    entered_in: u64,
    bytes: Box<[u8]>,
}

/// The frames under way in one direction, in the order of their time.
#[derive(Default)]
struct Queue {
    frames: VecDeque<Frame>,
    bytes: usize,
    last_due_ns: u64,
}

/// All wires and what is on them. A direction has the number `2 * wire + end` of the end where its frames enter.
pub(crate) struct Pump {
    wires: Vec<Wire>,
    queues: Vec<Queue>,
    /// The first frame of every queue that has one.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    poller: Poller,
    receiver: Receiver,
    stop: OwnedFd,
}

/// Now on the monotonic clock, ns.
fn now_ns() -> u64 {
    clock_ns(ClockId::CLOCK_MONOTONIC)
}

fn clock_ns(clock: ClockId) -> u64 {
    let now = clock_gettime(clock).expect("these clocks exist on every Linux");
    u64::try_from(now.tv_sec()).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec()).unwrap_or(0)
}

impl Pump {
    /// `stop`: something to read from it ends the pump.
    pub(crate) fn new(wires: Vec<Wire>, stop: OwnedFd) -> io::Result<Self> {
        let poller = Poller::new()?;
        for (number, wire) in wires.iter().enumerate() {
            for end in 0..2 {
                poller.watch(wire.taps[end].as_raw_fd(), (2 * number + end) as u64)?;
            }
        }
        poller.watch(stop.as_raw_fd(), STOP)?;
        let queues = wires.iter().flat_map(|_| [Queue::default(), Queue::default()]).collect();
        Ok(Pump { wires, queues, heads: BinaryHeap::new(), poller, receiver: Receiver::new(), stop })
    }

    /// Carries frames until it is told to stop.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        loop {
            let next = self.heads.peek().map(|Reverse((due, _))| *due);
            self.poller.wait(next, &mut ready)?;
            if ready.contains(&STOP) {
                drop(self.stop);
                return Ok(());
            }
            for number in &ready {
                self.take_in(*number as usize);
            }
            self.let_out();
        }
    }

    /// Takes in what has come at one end.
    fn take_in(&mut self, direction: usize) {
        let (wire, end) = (&self.wires[direction / 2], direction % 2);
        // An end that is down says so once, and has no frames.
        let count = self.receiver.receive(&wire.taps[end]).unwrap_or(0);
        let counters = &wire.counters;
        let now = now_ns();
        let wall_ahead = clock_ns(ClockId::CLOCK_REALTIME).wrapping_sub(now);
        for at in 0..count {
            counters.entered[end].fetch_add(1, Ordering::AcqRel);
            let Some(entered_in) = counters.open() else {
                counters.cut[end].fetch_add(1, Ordering::AcqRel);
                continue;
            };
            let Some(bytes) = self.receiver.frame(at) else {
                counters.dropped[end].fetch_add(1, Ordering::AcqRel);
                continue;
            };
            let arrived = self.receiver.arrived_ns(at).map_or(now, |wall| wall.wrapping_sub(wall_ahead).min(now));
            // A wall clock that was set in between must not hold a frame for longer than the delay.
            let arrived = arrived.max(now.saturating_sub(wire.delay_ns[end].max(1_000_000)));
            let queue = &mut self.queues[direction];
            if wire.delay_ns[end] == 0 && queue.frames.is_empty() {
                deliver(wire, end, bytes, arrived);
                continue;
            }
            if queue.frames.len() >= QUEUE_FRAMES || queue.bytes + bytes.len() > QUEUE_BYTES {
                counters.dropped[end].fetch_add(1, Ordering::AcqRel);
                continue;
            }
            let due_ns = (arrived + wire.delay_ns[end]).max(queue.last_due_ns);
            if queue.frames.is_empty() {
                self.heads.push(Reverse((due_ns, direction)));
            }
            queue.last_due_ns = due_ns;
            queue.bytes += bytes.len();
            queue.frames.push_back(Frame { due_ns, entered_in, bytes: bytes.into() });
        }
    }

    /// Lets out every frame whose time has come.
    fn let_out(&mut self) {
        let now = now_ns();
        while let Some(&Reverse((due, direction))) = self.heads.peek() {
            if due > now {
                return;
            }
            self.heads.pop();
            let (wire, end) = (&self.wires[direction / 2], direction % 2);
            let queue = &mut self.queues[direction];
            if let Some(frame) = queue.frames.pop_front() {
                queue.bytes -= frame.bytes.len();
                if wire.counters.still(frame.entered_in) {
                    deliver(wire, end, &frame.bytes, frame.due_ns);
                } else {
                    wire.counters.cut[end].fetch_add(1, Ordering::AcqRel);
                }
            }
            if let Some(next) = queue.frames.front() {
                self.heads.push(Reverse((next.due_ns, direction)));
            }
        }
    }
}

/// Sends a frame out at the other end.
fn deliver(wire: &Wire, end: usize, bytes: &[u8], due_ns: u64) {
    for _ in 0..SEND_TRIES {
        match wire.taps[1 - end].send(bytes) {
            Ok(_) => {
                wire.counters.late(now_ns().saturating_sub(due_ns));
                wire.counters.delivered[end].fetch_add(1, Ordering::AcqRel);
                return;
            }
            // ENOBUFS: the other end's queue is full for this moment. EAGAIN: our own buffer is.
            Err(cause) if matches!(cause.raw_os_error(), Some(libc::ENOBUFS | libc::EAGAIN | libc::EINTR)) => std::thread::yield_now(),
            // ENETDOWN: the other end is down, or going.
            Err(_) => break,
        }
    }
    wire.counters.dropped[end].fetch_add(1, Ordering::AcqRel);
}
