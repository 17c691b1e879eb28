//! Datagrams on their way to the kernel: written one behind the other, sent together. In: messages. Out: batches, and which of them
//! the kernel took. Opens nothing.

use std::io;
use std::os::fd::BorrowedFd;

use super::socket::{self, BATCH, Departure, Way};

/// Datagrams that the kernel cuts one piece into: `UDP_MAX_SEGMENTS` of linux/udp.h, and what it was in older kernels.
const MOST_SEGMENTS: usize = 128;
const MOST_SEGMENTS_ONCE: usize = 64;
/// Bytes of one piece: what one packet of IP may hold, headers off.
pub const MOST_TOGETHER: usize = 65_000;
/// Datagrams that are gone are forgotten, though others wait behind them, when there are so many, and more than wait.
const MOST_GONE: usize = 1024;

/// A datagram that waits to be sent, or was.
#[derive(Debug, Clone, Copy)]
pub struct Letter {
    from: usize,
    to: usize,
    /// The transaction.
    pub number: u64,
    /// Its place among the transaction's messages of its direction.
    pub place: u32,
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
    /// Several of one size go to the kernel as one, which it cuts: only where there is no prefix.
    pub joins: bool,
    /// The kernel cuts a piece into no more than older kernels do.
    cuts_few: bool,
    /// Why that ended.
    refused: Option<io::Error>,
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
        } else if self.gone > MOST_GONE.max(self.waiting()) {
            let from = self.letters[self.gone].from;
            self.bytes.drain(..from);
            self.letters.drain(..self.gone);
            self.gone = 0;
            for letter in &mut self.letters {
                (letter.from, letter.to) = (letter.from - from, letter.to - from);
            }
        }
        self.bytes.resize(self.bytes.len() + self.prefix, 0);
        self.bytes.len()
    }

    /// Where messages are written.
    pub fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the message that began there; its length.
    pub fn end(&mut self, begun: usize, number: u64, place: u32) -> usize {
        let (from, to, lane, way) = (begun - self.prefix, self.bytes.len(), self.lane, self.way);
        self.letters.push(Letter { from, to, number, place, lane, way });
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
        let mut counts = [0; BATCH];
        let mut pieces = 0;
        let mut at = self.gone;
        while at < self.letters.len() && pieces < BATCH {
            counts[pieces] = self.alike(at);
            at += counts[pieces];
            pieces += 1;
        }
        let mut at = self.gone;
        let departures = counts[..pieces].iter().map(|count| {
            let (first, last) = (self.letters[at], self.letters[at + count - 1]);
            at += count;
            let segment = (*count > 1).then_some((first.to - first.from) as u16);
            Departure { bytes: &self.bytes[first.from..last.to], way: first.way, segment }
        });
        match socket::send(socket, ipv6, departures) {
            Ok(taken) => {
                let count = counts[..taken].iter().sum();
                self.gone += count;
                Ok(count)
            }
            Err(error) if counts[0] > MOST_SEGMENTS_ONCE && is_of_joining(&error) => {
                self.cuts_few = true;
                self.send(socket, ipv6)
            }
            Err(error) if counts[0] > 1 && is_of_joining(&error) => {
                (self.joins, self.refused) = (false, Some(error));
                self.send(socket, ipv6)
            }
            Err(error) => Err(error),
        }
    }

    /// How many letters from this one on can go as one: of one size and way, the last may be shorter.
    fn alike(&self, at: usize) -> usize {
        let first = &self.letters[at];
        let size = first.to - first.from;
        if !self.joins || size == 0 || size > MOST_TOGETHER / 2 {
            return 1;
        }
        let mut count = 1;
        let most = if self.cuts_few { MOST_SEGMENTS_ONCE } else { MOST_SEGMENTS };
        for letter in self.letters[at + 1..].iter().take(most - 1) {
            let length = letter.to - letter.from;
            if letter.way != first.way || length == 0 || length > size || letter.to - first.from > MOST_TOGETHER {
                break;
            }
            count += 1;
            if length < size {
                break;
            }
        }
        count
    }

    /// Why the kernel takes them one by one from now on; told once.
    pub fn refusal(&mut self) -> Option<io::Error> {
        self.refused.take()
    }

    /// The last ones that the kernel took.
    pub fn gone(&self, count: usize) -> &[Letter] {
        &self.letters[self.gone - count..self.gone]
    }

    /// The next one.
    pub fn first(&self) -> Option<Letter> {
        self.letters.get(self.gone).copied()
    }

    /// Gives the next one up.
    pub fn give_up(&mut self) -> Option<Letter> {
        let letter = self.first();
        self.gone += usize::from(letter.is_some());
        letter
    }
}

/// The kernel may refuse a piece that it would have to cut, and take the datagrams.
fn is_of_joining(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIO | libc::EMSGSIZE | libc::EOPNOTSUPP | libc::ENOPROTOOPT))
}

#[cfg(test)]
mod tests {
    use super::super::socket::Arrivals;
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    /// Writes datagrams of these sizes, sends them over loopback and receives them, one by one or joined.
    fn sent(sizes: &[usize], joins: bool, receives_joined: bool) -> (Vec<Vec<u8>>, Post) {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        if receives_joined {
            socket::receive_joined(server.as_fd()).unwrap();
        }
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        let mut post = Post { joins, ..Post::new(0) };
        for (number, size) in sizes.iter().enumerate() {
            let begun = post.begin();
            let end = post.bytes().len() + size;
            post.bytes().resize(end, number as u8);
            post.end(begun, number as u64, 0);
        }
        while post.waiting() > 0 {
            assert!(post.send(client.as_fd(), false).unwrap() > 0);
        }
        let mut arrivals = Arrivals::new();
        let mut came = Vec::new();
        while let Ok(count) = arrivals.receive(server.as_fd()) {
            (0..count).for_each(|at| came.extend(arrivals.pieces(at).map(<[u8]>::to_vec)));
        }
        (came, post)
    }

    #[test]
    fn joined_or_not_each_datagram_arrives_as_it_was_written() {
        let many: Vec<usize> = std::iter::repeat_n(64, 200).chain([1400, 1400, 700, 700, 0, 0, 9, 64, 64, 63]).collect();
        let ought: Vec<Vec<u8>> = many.iter().enumerate().map(|(number, size)| vec![number as u8; *size]).collect();
        for (joins, receives_joined) in [(false, false), (true, false), (false, true), (true, true)] {
            let (came, mut post) = sent(&many, joins, receives_joined);
            assert!(came == ought, "joins {joins}, receives joined {receives_joined}, {} came", came.len());
            assert_eq!((post.joins, post.refusal().is_some()), (joins, false));
        }
    }

    #[test]
    fn what_is_gone_is_forgotten_though_others_wait() {
        let mut post = Post::new(4);
        for number in 0..100_000u64 {
            let begun = post.begin();
            post.bytes().extend_from_slice(&number.to_le_bytes());
            post.end(begun, number, 0);
            if number >= 10 {
                // The kernel takes one, and ten wait.
                post.gone += 1;
                assert_eq!(post.gone(1)[0].number, number - 10);
            }
            let next = post.letters[post.gone];
            assert_eq!(post.bytes[next.from + 4..next.to], next.number.to_le_bytes());
            assert!(post.letters.len() <= MOST_GONE + 12 && post.bytes.len() == 12 * post.letters.len());
        }
    }

    #[test]
    fn what_goes_as_one_is_of_one_size_and_fits() {
        let post = |sizes: &[usize]| {
            let mut post = Post { joins: true, ..Post::new(0) };
            for size in sizes {
                let begun = post.begin();
                let end = post.bytes().len() + size;
                post.bytes().resize(end, 0);
                post.end(begun, 0, 0);
            }
            post.alike(0)
        };
        assert_eq!(post(&[64; 300]), MOST_SEGMENTS);
        assert_eq!(post(&[1400; 64]), MOST_TOGETHER / 1400);
        assert_eq!(post(&[64, 64, 60, 64]), 3, "a shorter one is the last");
        assert_eq!(post(&[64, 65]), 1);
        assert_eq!(post(&[0, 0]), 1, "what is empty goes alone");
        assert_eq!(post(&[60_000, 60_000]), 1);
    }
}
