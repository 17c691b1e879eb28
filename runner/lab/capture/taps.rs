//! The thread that reads what interfaces send and receive, for one capture. In: sockets on interfaces. Out: rows for the writer, in the order of
//! their instants as far as they wait together, and what each interface saw. Frames that the kernel had no room for are counted, not guessed.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread::JoinHandle;

use nix::time::ClockId;
use socket2::Socket;

use super::pcapng::{Direction, Seen};
use super::row::{Row, Said};
use super::writer::Feed;
use crate::lab::packet;
use crate::lab::wire::clock_ns;
use crate::lab::wire::frame::{is_many, with_sum};
use crate::lab::wire::poller::Poller;
use crate::lab::wire::receive::Receiver;

/// The number under which the bell is watched.
const BELL: u64 = u64::MAX - 1;
/// At the end each interface is read so often at most: what comes then comes after the end.
const LAST_READS: usize = 4096;
/// Of each interface so often in a row, so that a busy one does not keep the others waiting.
const READS: usize = 16;

/// The thread's handle.
pub(crate) struct Taps {
    bell: OwnedFd,
    thread: Option<JoinHandle<Vec<Seen>>>,
}

impl Taps {
    /// Reads from sockets whose interfaces stand in the file in the same order, the first as `interface`.
    pub(crate) fn start(sockets: Vec<Socket>, file: usize, interface: u32, feed: Feed) -> io::Result<Self> {
        let (heard, bell) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC | nix::fcntl::OFlag::O_NONBLOCK)?;
        let poller = Poller::new()?;
        for (number, socket) in (0..).zip(&sockets) {
            poller.watch(socket.as_raw_fd(), number)?;
        }
        poller.watch(heard.as_raw_fd(), BELL)?;
        let began = Seen { began_ns: clock_ns(ClockId::CLOCK_REALTIME), ..Seen::default() };
        let thread = std::thread::Builder::new().name("scn-taps".to_owned()).spawn(move || {
            let (seen, receiver) = (vec![began; sockets.len()], Receiver::telling_origins());
            let seen = Reader { sockets, seen, file, interface, feed, receiver, rows: Vec::new() }.read(poller);
            drop(heard);
            seen
        })?;
        Ok(Taps { bell, thread: Some(thread) })
    }

    /// Lets it end; [`Taps::stop`] waits. Many end faster at a time.
    pub(crate) fn ring(&self) {
        // A full pipe rings as well.
        let _ = nix::unistd::write(&self.bell, &[1]);
    }

    /// Ends it. Out: what each interface saw; `None`: the thread panicked.
    pub(crate) fn stop(&mut self) -> Option<Vec<Seen>> {
        self.ring();
        self.thread.take()?.join().ok()
    }
}

impl Drop for Taps {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

struct Reader {
    sockets: Vec<Socket>,
    seen: Vec<Seen>,
    file: usize,
    interface: u32,
    feed: Feed,
    receiver: Receiver,
    /// Read and not yet handed on, each with its socket's position.
    rows: Vec<(usize, Row)>,
}

impl Reader {
    fn read(mut self, mut poller: Poller) -> Vec<Seen> {
        let mut ready = Vec::new();
        let until = loop {
            // Without a poller nothing more can be read; what was missed the kernel has counted.
            if poller.wait(None, false, &mut ready).is_err() || ready.contains(&BELL) {
                break clock_ns(ClockId::CLOCK_REALTIME);
            }
            for number in &ready {
                self.take(*number as usize, READS, u64::MAX);
            }
            self.hand_on();
        };
        for at in 0..self.sockets.len() {
            self.take(at, LAST_READS, until);
            self.hand_on();
            let lost = packet::lost(&self.sockets[at]);
            let seen = &mut self.seen[at];
            (seen.came, seen.missed, seen.ended_ns) = (seen.came + lost, seen.missed + lost, until);
        }
        packet::close_all(self.sockets);
        self.seen
    }

    /// Reads what waits at an interface, and nothing that came after `until_ns`.
    fn take(&mut self, at: usize, reads: usize, until_ns: u64) {
        for _ in 0..reads {
            let count = match self.receiver.receive(&self.sockets[at]) {
                Ok(0) => return,
                Ok(count) => count,
                Err(cause) => {
                    // An interface that goes down says so once. Of some frames the kernel can't say how they are to be cut apart.
                    if cause.raw_os_error() == Some(libc::EINVAL) {
                        self.seen[at].came += 1;
                        self.seen[at].missed += 1;
                        continue;
                    }
                    return;
                }
            };
            let mut is_over = false;
            for number in 0..count {
                is_over |= self.keep(at, number, until_ns);
            }
            if is_over {
                return;
            }
        }
    }

    /// Keeps a frame of the last read; true: it came too late.
    fn keep(&mut self, at: usize, number: usize, until_ns: u64) -> bool {
        let Some(came) = self.receiver.frame(number) else {
            self.seen[at].came += 1;
            self.seen[at].missed += 1;
            return false;
        };
        let at_ns = came.arrived_ns.unwrap_or_else(|| clock_ns(ClockId::CLOCK_REALTIME));
        if at_ns > until_ns {
            return true;
        }
        let direction = if self.receiver.was_sent(number) { Direction::Out } else { Direction::In };
        let bytes = with_sum(*came.header, came.frame);
        let interface = self.interface + at as u32;
        self.rows.push((at, Row { interface, at_ns, bytes, is_many: is_many(*came.header), said: Said::Seen(direction) }));
        false
    }

    /// Gives the writer what was read, in the order of its instants.
    fn hand_on(&mut self) {
        self.rows.sort_by_key(|(_, row)| row.at_ns);
        for (at, row) in self.rows.drain(..) {
            self.seen[at].came += 1;
            if !self.feed.offer(self.file, row) {
                self.seen[at].missed += 1;
            }
        }
    }
}
