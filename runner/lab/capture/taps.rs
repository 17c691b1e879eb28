//! The thread that reads what interfaces send and receive, for one capture. In: sockets on interfaces. Out: rows for the writer, in the order of
//! their instants, and what each interface saw. Frames that the kernel had no room for are counted, not guessed.
//!
//! A round reads all interfaces. A frame that came before the round is read by its end, and so is all that led to it; a later one waits for
//! the next round, as an interface that was read before may have what led to it.

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
/// Of each interface so often in a round, so that a busy one does not keep the others waiting.
const READS: usize = 16;
/// At the end there are so many rounds at most: what comes then comes after the end.
const LAST_ROUNDS: usize = 256;
/// So many bytes wait for their turn at most; with more, frames of a busy interface may stand behind later ones of others.
const HELD_BYTES: usize = 32 << 20;

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
            let seen = Reader { sockets, seen, file, interface, feed, receiver, held: Held::default() }.read(poller);
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
    held: Held,
}

impl Reader {
    fn read(mut self, mut poller: Poller) -> Vec<Seen> {
        let mut ready = Vec::new();
        let until = loop {
            // Without a poller nothing more can be read; what was missed the kernel has counted. What is held does not wait for a frame.
            if poller.wait(None, !self.held.is_empty(), &mut ready).is_err() || ready.contains(&BELL) {
                break clock_ns(ClockId::CLOCK_REALTIME);
            }
            self.round(u64::MAX);
        };
        for _ in 0..LAST_ROUNDS {
            if self.round(until) {
                break;
            }
        }
        self.hand_on(u64::MAX);
        for (socket, seen) in self.sockets.iter().zip(&mut self.seen) {
            let lost = packet::lost(socket);
            (seen.came, seen.missed, seen.ended_ns) = (seen.came + lost, seen.missed + lost, until);
        }
        packet::close_all(self.sockets);
        self.seen
    }

    /// Reads all interfaces and hands on what no earlier frame can follow any more; nothing that came after `until_ns`. True: nothing waits now.
    fn round(&mut self, until_ns: u64) -> bool {
        // By the clock of the stamps. What an earlier round held is as good: all interfaces are read after it. The clock may be set back.
        let mut sure_ns = self.held.latest_ns().max(clock_ns(ClockId::CLOCK_REALTIME));
        let mut is_all = true;
        for at in 0..self.sockets.len() {
            if let Some(last_ns) = self.take(at, until_ns) {
                is_all = false;
                sure_ns = sure_ns.min(last_ns);
            }
        }
        self.hand_on(if self.held.bytes > HELD_BYTES { u64::MAX } else { sure_ns });
        is_all
    }

    /// Reads what waits at an interface. Out: if more may wait, the instant of the last frame that was read, ns of the wall clock.
    fn take(&mut self, at: usize, until_ns: u64) -> Option<u64> {
        let mut last_ns = None;
        for _ in 0..READS {
            match self.receiver.receive(&self.sockets[at]) {
                Ok(0) => return None,
                Ok(count) => {
                    for number in 0..count {
                        last_ns = self.keep(at, number, until_ns).or(last_ns);
                    }
                    // What waits behind came too late as well.
                    if last_ns > Some(until_ns) {
                        return None;
                    }
                }
                // Of some frames the kernel can't say how they are to be cut apart.
                Err(cause) if cause.raw_os_error() == Some(libc::EINVAL) => {
                    self.seen[at].came += 1;
                    self.seen[at].missed += 1;
                }
                // An interface that goes down says so once, and has what came before.
                Err(_) => {}
            }
        }
        last_ns
    }

    /// Keeps a frame of the last read, unless it came too late. Out: its instant, if it is a frame.
    fn keep(&mut self, at: usize, number: usize, until_ns: u64) -> Option<u64> {
        let Some(came) = self.receiver.frame(number) else {
            self.seen[at].came += 1;
            self.seen[at].missed += 1;
            return None;
        };
        let at_ns = came.arrived_ns.unwrap_or_else(|| clock_ns(ClockId::CLOCK_REALTIME));
        if at_ns <= until_ns {
            let direction = if self.receiver.was_sent(number) { Direction::Out } else { Direction::In };
            let bytes = with_sum(*came.header, came.frame);
            let interface = self.interface + at as u32;
            let row = Row { interface, at_ns, bytes, is_many: is_many(*came.header), said: Said::Seen(direction) };
            self.held.put(at, row);
        }
        Some(at_ns)
    }

    /// Gives the writer what came up to an instant.
    fn hand_on(&mut self, sure_ns: u64) {
        for (at, row) in self.held.up_to(sure_ns) {
            self.seen[at].came += 1;
            if !self.feed.offer(self.file, row) {
                self.seen[at].missed += 1;
            }
        }
    }
}

/// Rows that were read and not yet handed on, each with its socket's position.
#[derive(Default)]
struct Held {
    rows: Vec<(usize, Row)>,
    bytes: usize,
}

impl Held {
    fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn put(&mut self, at: usize, row: Row) {
        self.bytes += row.bytes.len();
        self.rows.push((at, row));
    }

    /// The instant of the latest, ns of the wall clock; 0: none is held.
    fn latest_ns(&self) -> u64 {
        self.rows.iter().map(|(_, row)| row.at_ns).max().unwrap_or(0)
    }

    /// Takes those up to an instant, in the order of their instants.
    fn up_to(&mut self, sure_ns: u64) -> Vec<(usize, Row)> {
        self.rows.sort_by_key(|(_, row)| row.at_ns);
        let later = self.rows.split_off(self.rows.partition_point(|(_, row)| row.at_ns <= sure_ns));
        self.bytes = later.iter().map(|(_, row)| row.bytes.len()).sum();
        std::mem::replace(&mut self.rows, later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(held: &mut Held, at: usize, instants: &[u64]) {
        for at_ns in instants {
            let row = Row { interface: 0, at_ns: *at_ns, bytes: vec![0; 10], is_many: false, said: Said::Seen(Direction::Out) };
            held.put(at, row);
        }
    }

    fn taken(held: &mut Held, sure_ns: u64) -> Vec<(usize, u64)> {
        held.up_to(sure_ns).into_iter().map(|(at, row)| (at, row.at_ns)).collect()
    }

    #[test]
    fn what_may_have_a_forerunner_waits() {
        let mut held = Held::default();
        assert!(held.is_empty() && held.latest_ns() == 0);
        // The second answers at 5 what the first sent at 4, after the first was read.
        put(&mut held, 0, &[1, 3]);
        put(&mut held, 1, &[2, 5]);
        assert_eq!(taken(&mut held, 3), [(0, 1), (1, 2), (0, 3)]);
        assert_eq!((held.latest_ns(), held.bytes), (5, 10));
        put(&mut held, 0, &[4, 6]);
        assert_eq!(taken(&mut held, 5), [(0, 4), (1, 5)]);
        assert_eq!(taken(&mut held, u64::MAX), [(0, 6)]);
        assert!(held.is_empty() && held.bytes == 0);
    }
}
