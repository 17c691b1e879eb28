//! The receiving end of a flow of frames, at one interface: tells each frame's item by its identity, verifies its filling, notes when it came. In: a
//! ring. Out: notes, wrong content, what found no room. It stands from the beginning of the run to its end, whenever the flow sends.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use nix::time::{ClockId, clock_gettime};
use scn_reports::record::flow::{Corruption, CorruptionKind};
use scn_reports::record::packet::Missed;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Watched;
use super::described::{Described, HANDED_OVER};
use super::lane::{Arrival, Lane};
use super::log::Came;
use super::mark::MARK;
use super::ring::{Received, Ring};
use super::template::Template;
use crate::traffic::Notice;
use crate::traffic::control::{Control, Role};
use crate::traffic::datagram::log::Note;
use crate::traffic::frame::filling;
use crate::traffic::worker::Worker;

/// Blocks that are read before others get their turn.
const BLOCKS_IN_A_ROW: u32 = 8;

/// The receiving end.
struct Receiver {
    worker: Rc<Worker>,
    flow: usize,
    node: u16,
    interface: String,
    template: Arc<Template>,
    lane: Option<Arc<Lane>>,
    /// Until when nothing is known to have been missed, ns.
    looked_ns: i64,
    missed: u64,
    /// Those that all look alike are counted from here.
    count: u64,
    told: u64,
}

/// Makes one of a flow's rings, of a socket that is bound to an interface where it arrives, so many frames per second.
pub fn ring(socket: OwnedFd, template: &Template, frames_per_second: u64, rings: usize) -> io::Result<Ring> {
    let longest = if template.described.is_some() { HANDED_OVER } else { template.longest };
    Ring::new(socket, &mut template.filter(), longest, frames_per_second, rings)
}

/// Receives until everything ends.
pub fn listen(worker: &Rc<Worker>, watched: Watched) {
    let Watched { flow, node, interface, ring } = watched;
    let node = node.0 as u16;
    let Some(template) = worker.frames(flow) else { return };
    let control = Rc::new(Control::new(Role::Observer(flow), Some(flow)));
    let member = worker.enlist(&control);
    let task = Rc::clone(worker);
    let looked_ns = worker.pacer.now_ns();
    let receiver =
        Receiver { worker: Rc::clone(worker), flow, node, interface, template, lane: None, looked_ns, missed: 0, count: 0, told: 0 };
    worker.spawn(async move {
        if let Err(error) = receiver.carry_out(&control, ring).await {
            let name = &task.shared.plan.flows[flow].name;
            task.shared.tell(Notice::Broken { what: format!("the receiving socket of flow {name} failed: {error}") });
        }
        task.dismiss(member);
    });
}

impl Receiver {
    async fn carry_out(mut self, control: &Control, ring: Ring) -> io::Result<()> {
        // SAFETY: `Ring` owns its descriptor, always gives the same one, and closes it only when it is dropped, after `AsyncFd` has
        // deregistered it.
        let mut ring = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) }?;
        loop {
            let ready = {
                let mut ready = std::pin::pin!(ring.readable());
                poll_fn(|context| match control.interrupted(context) {
                    Some(_) => Poll::Ready(None),
                    None => ready.as_mut().poll(context).map(Some),
                })
                .await
                .transpose()?
                .map(|mut guard| guard.clear_ready())
                .is_some()
            };
            // What was there before the readiness was taken back is read after it.
            let mut more = true;
            while more {
                more = self.read(ring.get_mut());
                tokio::task::yield_now().await;
            }
            if !ready {
                break;
            }
        }
        ring.get_mut().close()?;
        while self.read(ring.get_mut()) {}
        if self.missed > 0 {
            let shared = &self.worker.shared;
            let (name, node) = (&shared.plan.flows[self.flow].name, &shared.plan.nodes[usize::from(self.node)].name);
            shared.warn(format!(
                "{} frames of flow {name} found no room at {node}.{}: scn did not read them in time; whether frames of then were lost on \
                 their way is not known",
                self.missed, self.interface
            ));
        }
        Ok(())
    }

    /// Reads what has come; whether there may be more.
    fn read(&mut self, ring: &mut Ring) -> bool {
        let mut more = true;
        let before = self.told;
        for _ in 0..BLOCKS_IN_A_ROW {
            // In this order an interruption between the two makes an arrival later than it was, and never earlier than its sending.
            let wall = wall_ns();
            let now = self.worker.pacer.now_ns();
            more = ring.read(|frame| self.take_in(frame, now - (wall - frame.wall_ns)));
            if !more {
                break;
            }
        }
        let now = self.worker.pacer.now_ns();
        let count = ring.missed();
        if count > 0 {
            let missed = Missed { from_ns: self.looked_ns, to_ns: now, count };
            self.worker.parts.borrow_mut()[self.flow].frames.missed.push(missed);
            self.missed += count;
            let shared = &self.worker.shared.flows[self.flow];
            shared.lanes().iter().for_each(|lane| lane.missed(self.looked_ns, now));
        }
        self.looked_ns = now;
        if self.told != before {
            if let Some(lane) = &self.lane {
                lane.sender.wake();
            }
            self.worker.changed();
        }
        more
    }

    fn take_in(&mut self, frame: Received<'_>, at_ns: i64) {
        self.told += 1;
        if let Some(described) = self.template.described {
            return self.take_watched(frame, described, at_ns);
        }
        if !self.template.is_identified() {
            return self.take_unnamed(at_ns);
        }
        let template = Arc::clone(&self.template);
        let begins = |at: &usize| frame.bytes.get(*at..).is_some_and(|bytes| template.whose.begins(bytes));
        let Some(payload) = template.payload_places().find(begins).map(|at| &frame.bytes[at..]) else { return };
        let Some((start, item)) = template.whose.read(payload) else {
            return self.wrong(at_ns, 0, "the identity of a frame is damaged".to_owned());
        };
        let size = template.payload_bytes(item);
        let Some(filled) = payload.get(MARK..size) else {
            return self.wrong(at_ns, payload.len(), format!("item {item}: {} bytes of payload came and not {size}", payload.len()));
        };
        let ought = filling(item, size - MARK);
        if filled != ought {
            let wrong = filled.iter().zip(ought).position(|(a, b)| a != b).unwrap_or(0);
            let detail =
                format!("item {item}, {size} bytes: byte {} is {:#04x} and not {:#04x}", MARK + wrong, filled[wrong], ought[wrong]);
            return self.wrong(at_ns, MARK + wrong, detail);
        }
        let Some(lane) = self.lane(|lane| lane.number as u8 == start) else { return };
        self.noted(Note::forward(lane.number, item, at_ns));
        let live = &self.worker.shared.flows[self.flow].live;
        match lane.came(item) {
            Arrival::First => live.received.fetch_add(1, Ordering::Relaxed),
            Arrival::Copy => live.duplicates.fetch_add(1, Ordering::Relaxed),
            Arrival::Late => live.late.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// A frame of somebody else's, which agrees with what the flow says of it. Whether the flow watched then is known when all is over.
    fn take_watched(&self, frame: Received<'_>, described: Described, at_ns: i64) {
        let payload = u32::try_from(self.template.carried(described, frame.bytes, frame.length)).unwrap_or(u32::MAX);
        let shared = &self.worker.shared.flows[self.flow];
        let starts = shared.starts();
        let mut runs = starts.ongoing.iter().map(|start| (start.from_ns, start.until_ns)).chain(starts.ran_ns.iter().copied());
        let from_ns = runs.find(|(from_ns, to_ns)| (*from_ns..*to_ns).contains(&at_ns)).map(|(from_ns, _)| from_ns);
        drop(starts);
        let paused = |from_ns| shared.turns().since(from_ns).pauses().iter().any(|(from_ns, to_ns)| (*from_ns..*to_ns).contains(&at_ns));
        if from_ns.is_some_and(|from_ns| !paused(from_ns)) {
            shared.live.received.fetch_add(1, Ordering::Relaxed);
        }
        let part = &mut self.worker.parts.borrow_mut()[self.flow];
        part.frames.backend = Some(self.node);
        part.came(Came { at_ns, payload });
    }

    /// A frame that is like all others of its flow.
    fn take_unnamed(&mut self, at_ns: i64) {
        let shared = &self.worker.shared.flows[self.flow];
        let newest = shared.lanes().last().map(|lane| lane.number);
        // Before the flow began it was no frame of it.
        let Some(lane) = newest.and_then(|newest| self.lane(|lane| lane.number == newest)) else { return };
        lane.came_unnamed();
        self.count += 1;
        self.noted(Note::forward(lane.number, self.count, at_ns));
        self.worker.shared.flows[self.flow].live.received.fetch_add(1, Ordering::Relaxed);
    }

    /// The newest start of the flow that fits; the last one is looked at first.
    fn lane(&mut self, fits: impl Fn(&Lane) -> bool) -> Option<Arc<Lane>> {
        if let Some(lane) = self.lane.as_ref().filter(|lane| fits(lane)) {
            return Some(Arc::clone(lane));
        }
        let found = self.worker.shared.flows[self.flow].lanes().iter().rev().find(|lane| fits(lane)).cloned();
        self.lane.clone_from(&found);
        found
    }

    fn noted(&self, note: Note) {
        let part = &mut self.worker.parts.borrow_mut()[self.flow];
        part.frames.backend = Some(self.node);
        part.received(note);
    }

    fn wrong(&self, at_ns: i64, offset: usize, detail: String) {
        self.worker.shared.flows[self.flow].live.corrupt.fetch_add(1, Ordering::Relaxed);
        let part = &mut self.worker.parts.borrow_mut()[self.flow];
        part.failure(&format!("receive at {}", self.interface), None, "a frame with a damaged payload".to_owned(), at_ns);
        let (kind, offset) = (CorruptionKind::Content, u32::try_from(offset).unwrap_or(u32::MAX));
        let connection = self.lane.as_ref().map_or(0, |lane| lane.number);
        part.corruption(Corruption { at_ns, connection, server: true, kind, offset, detail });
    }
}

/// The wall clock, by which the kernel stamps what arrives, ns.
fn wall_ns() -> i64 {
    clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |now| now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}
