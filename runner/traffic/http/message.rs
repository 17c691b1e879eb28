//! A request as the stream that a session plays a server's side on. In: the request in text form. Out: what the session says: the
//! answer in text form. All of it is in memory: hyper has the connection.

use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::traffic::wire::Transport;

/// The largest request and the largest answer of a pattern, bytes.
pub const MOST: usize = 16 * 1024 * 1024;

/// A request and its answer.
#[derive(Debug)]
pub struct Message {
    socket: RawFd,
    came: Vec<u8>,
    taken: usize,
    /// What was said so far.
    pub said: Vec<u8>,
}

impl Message {
    /// A request that came over this socket.
    pub fn new(socket: RawFd, came: Vec<u8>) -> Message {
        Message { socket, came, taken: 0, said: Vec::new() }
    }

    /// Bytes of the request that nobody has taken.
    pub fn left(&self) -> usize {
        self.came.len() - self.taken
    }
}

/// Goes on with an answer; how much of it was taken.
pub fn append(said: &mut Vec<u8>, bytes: &[u8]) -> io::Result<usize> {
    if said.len() + bytes.len() > MOST {
        let what = format!("an answer of a pattern is of {MOST} bytes at most");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    said.extend_from_slice(bytes);
    Ok(bytes.len())
}

impl AsyncRead for Message {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = room.remaining().min(self.came.len() - self.taken);
        if count == 0 {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the request is over")));
        }
        room.put_slice(&self.came[self.taken..self.taken + count]);
        self.taken += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Message {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(append(&mut self.said, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl Transport for Message {
    fn socket(&self) -> Option<RawFd> {
        Some(self.socket)
    }

    fn abort(&mut self) {
        // Patterns over HTTP do not reset: the plan refuses them.
    }
}
