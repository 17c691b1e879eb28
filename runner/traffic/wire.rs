//! One end of a connection with its buffers. In: a stream, and a handle that can interrupt. Out: bytes received and not yet taken.
//! Knows nothing of patterns; works over any stream, encrypted or not.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::control::{Broken, Control};
use super::frame::{ALIGNED, Frame};

/// The receive buffer at first, and the size that it grows to by itself, bytes.
const FIRST_BUFFER: usize = 4096;
const GROWS_TO: usize = 256 * 1024;
/// Receive buffers of a thread that are lent to whoever reads next, at most.
const MOST_SPARE: usize = 64;
/// At most so many bytes wait to be taken; what needs more fails.
pub const MOST_WAITING: usize = 1024 * 1024;

thread_local! {
    /// Receive buffers that nobody uses at this moment.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// A stream.
pub trait Transport: AsyncRead + AsyncWrite + Unpin {
    /// The socket under it, for tcp_info; `None`: it is no connection of the kernel.
    fn socket(&self) -> Option<RawFd>;
    /// Makes the coming close abortive (RST, or what stands for it).
    fn abort(&mut self);

    /// It carries messages, of which either end knows when they are over; what follows is for those alone.
    const MESSAGES: bool = false;

    /// This end says something: whether what it has not taken of the message before is passed over.
    fn speaks(&mut self) -> bool {
        false
    }

    /// This end has said all of its message, and `untaken` bytes of the other's wait: whether they are passed over.
    ///
    /// # Errors
    /// What is wrong with either message.
    fn listens(&mut self, _untaken: usize) -> Result<bool, String> {
        Ok(false)
    }

    /// This end waits for the other to end the connection: what it has not taken is passed over.
    fn awaits_the_end(&mut self) {}

    /// All of the message that is read has been taken.
    fn is_over(&self) -> bool {
        false
    }

    /// Goes on while this end waits for nothing but the time.
    fn carry_on(&mut self, _context: &mut Context<'_>) {}
}

/// One end of a connection.
pub struct Wire<S> {
    stream: S,
    control: Rc<Control>,
    received: Vec<u8>,
    start: usize,
    end: usize,
    /// How many bytes have come on the whole, in what is left by [`ALIGNED`].
    phase: u8,
    /// What is to be sent next; kept by the connection so that it is allocated once.
    pub outgoing: Vec<u8>,
    /// The peer has ended its side.
    pub ended: bool,
}

impl<S: Transport> Wire<S> {
    /// A new end; `buffers` are those of an earlier connection, to be used again.
    pub fn new(stream: S, control: Rc<Control>, buffers: Buffers) -> Wire<S> {
        control.socket.set(stream.socket());
        let Buffers { received, mut outgoing } = buffers;
        outgoing.clear();
        Wire { stream, control, received, start: 0, end: 0, phase: 0, outgoing, ended: false }
    }

    /// Closes the connection and gives the buffers back.
    pub fn close(mut self) -> Buffers {
        self.control.socket.set(None);
        Buffers { received: std::mem::take(&mut self.received), outgoing: std::mem::take(&mut self.outgoing) }
    }

    /// Its handle.
    pub fn control(&self) -> &Rc<Control> {
        &self.control
    }

    /// The stream under it.
    pub fn stream(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Makes the close abortive.
    pub fn abort(&mut self) {
        self.stream.abort();
    }

    /// What has come and was not taken.
    pub fn waiting(&self) -> &[u8] {
        &self.received[self.start..self.end]
    }

    /// Takes the first bytes of what waits.
    pub fn take(&mut self, count: usize) {
        self.start += count.min(self.end - self.start);
        if self.start == self.end {
            self.begin_anew();
        }
    }

    /// Takes all of what waits.
    pub fn pass_over(&mut self) {
        self.take(self.end - self.start);
    }

    /// Waits for at least one more byte.
    pub async fn read_more(&mut self) -> Result<(), Broken> {
        poll_fn(|context| self.poll_more(context)).await
    }

    /// One attempt to read; see [`Wire::read_more`].
    pub fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.ended {
            return Poll::Ready(Err(Broken::Eof));
        }
        if let Some(broken) = self.control.interrupted(context) {
            return Poll::Ready(Err(broken));
        }
        self.make_room();
        let mut room = ReadBuf::new(&mut self.received[self.end..]);
        let read = Pin::new(&mut self.stream).poll_read(context, &mut room).map_ok(|()| room.filled().len());
        let count = match read {
            Poll::Ready(Ok(count)) => count,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Io(error))),
            Poll::Pending => {
                self.lend();
                return Poll::Pending;
            }
        };
        if count == 0 {
            self.ended = true;
            return Poll::Ready(Err(Broken::Eof));
        }
        self.end += count;
        self.phase = ((usize::from(self.phase) + count) % ALIGNED) as u8;
        if self.end == self.received.len() && self.received.len() < GROWS_TO {
            self.received.resize(self.received.len() * 2, 0);
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the receive buffer to those who read next, if nothing is in it: many connections wait, few read.
    fn lend(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            let buffer = std::mem::take(&mut self.received);
            SPARE.with_borrow_mut(|spare| {
                if spare.len() < MOST_SPARE && (FIRST_BUFFER..=GROWS_TO).contains(&buffer.len()) {
                    spare.push(buffer);
                }
            });
        }
    }

    /// Nothing waits: what comes next goes to where it lies as it does in the sender's memory, which the kernel copies and this end compares faster.
    fn begin_anew(&mut self) {
        let begin = self.received.as_ptr().align_offset(ALIGNED) + usize::from(self.phase);
        let begin = if begin < self.received.len() { begin } else { 0 };
        (self.start, self.end) = (begin, begin);
    }

    fn make_room(&mut self) {
        if self.received.is_empty() {
            self.received = SPARE.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; FIRST_BUFFER]);
            self.begin_anew();
        }
        if self.end < self.received.len() {
            return;
        }
        if self.start > 0 {
            self.received.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        } else {
            self.received.resize(self.received.len() * 2, 0);
        }
    }

    /// No more than [`MOST_WAITING`] bytes wait.
    pub fn has_room(&self) -> bool {
        self.end - self.start < MOST_WAITING
    }

    /// Sends all of [`Wire::outgoing`].
    pub async fn send_outgoing(&mut self) -> Result<(), Broken> {
        let mut sent = 0;
        poll_fn(|context| {
            while sent < self.outgoing.len() {
                let piece = &self.outgoing[sent..];
                match write_some(&mut self.stream, &self.control, context, piece) {
                    Poll::Ready(Ok(count)) => sent += count,
                    Poll::Ready(Err(broken)) => return Poll::Ready(Err(broken)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            flush(&mut self.stream, &self.control, context)
        })
        .await
    }

    /// The stream takes several pieces by one call.
    pub fn takes_pieces(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Sends bytes of a message from a place on, as many as the stream takes by one call; how many.
    pub async fn send_some(&mut self, frame: &Frame, at: usize) -> Result<usize, Broken> {
        poll_fn(|context| {
            if let Some(broken) = self.control.interrupted(context) {
                return Poll::Ready(Err(broken));
            }
            let (pieces, count) = frame.pieces(at);
            taken::<S>(ready!(Pin::new(&mut self.stream).poll_write_vectored(context, &pieces[..count])))
        })
        .await
    }

    /// Waits until all that was written is with the kernel.
    pub async fn flush(&mut self) -> Result<(), Broken> {
        poll_fn(|context| flush(&mut self.stream, &self.control, context)).await
    }

    /// Sends these bytes.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut sent = 0;
        poll_fn(|context| {
            while sent < bytes.len() {
                sent += match ready!(write_some(&mut self.stream, &self.control, context, &bytes[sent..])) {
                    Ok(count) => count,
                    Err(broken) => return Poll::Ready(Err(broken)),
                };
            }
            flush(&mut self.stream, &self.control, context)
        })
        .await
    }

    /// Ends the sending side; receiving goes on.
    pub async fn end_sending(&mut self) -> Result<(), Broken> {
        poll_fn(|context| match Pin::new(&mut self.stream).poll_shutdown(context) {
            Poll::Ready(ended) => Poll::Ready(ended.map_err(Broken::Io)),
            // An encrypted stream has a last word, for which there may be no room.
            Poll::Pending => self.control.interrupted(context).map_or(Poll::Pending, |broken| Poll::Ready(Err(broken))),
        })
        .await
    }
}

/// One attempt to write, tried before any wait.
fn write_some<S: Transport>(stream: &mut S, control: &Control, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Broken>> {
    if let Some(broken) = control.interrupted(context) {
        return Poll::Ready(Err(broken));
    }
    taken::<S>(ready!(Pin::new(stream).poll_write(context, bytes)))
}

/// What an attempt to write came to.
fn taken<S: Transport>(written: io::Result<usize>) -> Poll<Result<usize, Broken>> {
    match written {
        Ok(0) => Poll::Ready(Err(Broken::Io(io::ErrorKind::WriteZero.into()))),
        Ok(count) => Poll::Ready(Ok(count)),
        // The other end has announced it.
        Err(error) if S::MESSAGES && error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Err(Broken::Eof)),
        Err(error) => Poll::Ready(Err(Broken::Io(error))),
    }
}

/// Waits until all that was written is with the kernel: an encrypted stream may hold some of it back.
fn flush<S: Transport>(stream: &mut S, control: &Control, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
    match Pin::new(stream).poll_flush(context) {
        Poll::Ready(flushed) => Poll::Ready(flushed.map_err(Broken::Io)),
        Poll::Pending => match control.interrupted(context) {
            Some(broken) => Poll::Ready(Err(broken)),
            None => Poll::Pending,
        },
    }
}

/// Buffers between two connections of one place.
#[derive(Default)]
pub struct Buffers {
    received: Vec<u8>,
    outgoing: Vec<u8>,
}
