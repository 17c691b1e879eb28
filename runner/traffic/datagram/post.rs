//! Datagrams on their way to the kernel: written one behind the other, sent together. In: messages. Out: batches, and which of them
//! the kernel took. Opens nothing.

use std::io;
use std::os::fd::BorrowedFd;

use super::socket::{self, Departure, Way};

/// A datagram that waits to be sent, or was.
#[derive(Debug, Clone, Copy)]
pub struct Letter {
    from: usize,
    to: usize,
    /// The transaction.
    pub number: u64,
    /// Its place among the transaction's messages of its direction.
    pub place: u32,
    /// When it was written, ns.
    pub at_ns: i64,
    /// The flow and the socket's number in it, as the post was told.
    pub lane: (u16, u32),
    way: Option<Way>,
}

/// Datagrams of one socket.
#[derive(Debug, Default)]
pub struct Post {
    /// Bytes that are kept free before each message, for a header.
    prefix: usize,
    /// Whither the coming messages go; `None`: as the socket is connected.
    pub way: Option<Way>,
    /// Whose they are.
    pub lane: (u16, u32),
    bytes: Vec<u8>,
    letters: Vec<Letter>,
    gone: usize,
}

impl Post {
    /// An empty one.
    pub fn new(prefix: usize) -> Post {
        Post { prefix, ..Post::default() }
    }

    /// Begins a message: the place of its first byte.
    pub fn begin(&mut self) -> usize {
        if self.gone == self.letters.len() {
            self.letters.clear();
            self.bytes.clear();
            self.gone = 0;
        }
        self.bytes.resize(self.bytes.len() + self.prefix, 0);
        self.bytes.len()
    }

    /// Where messages are written.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the message that began there; its length.
    pub fn end(&mut self, begun: usize, number: u64, place: u32, at_ns: i64) -> usize {
        let (from, to, lane, way) = (begun - self.prefix, self.bytes.len(), self.lane, self.way);
        self.letters.push(Letter { from, to, number, place, at_ns, lane, way });
        to - begun
    }

    /// The last message whole, with its prefix, for its header to be written.
    pub fn last(&mut self) -> Option<(u64, &mut [u8])> {
        let letter = self.letters.last()?;
        Some((letter.number, &mut self.bytes[letter.from..letter.to]))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.letters.len() - self.gone
    }

    /// Sends a batch; how many the kernel took.
    pub fn send(&mut self, socket: BorrowedFd<'_>, ipv6: bool) -> io::Result<usize> {
        let departures = self.letters[self.gone..].iter();
        let departures = departures.map(|letter| Departure { bytes: &self.bytes[letter.from..letter.to], way: letter.way });
        let count = socket::send(socket, ipv6, departures)?;
        self.gone += count;
        Ok(count)
    }

    /// The last ones that the kernel took.
    pub fn gone(&self, count: usize) -> &[Letter] {
        &self.letters[self.gone - count..self.gone]
    }

    /// Gives the next one up.
    pub fn give_up(&mut self) -> Option<Letter> {
        let letter = self.letters.get(self.gone).copied();
        self.gone += usize::from(letter.is_some());
        letter
    }
}
