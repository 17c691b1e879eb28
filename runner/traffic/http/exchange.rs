//! A client's connection as the stream that a session plays a pattern on. In: what the session sends: one request in text form. Out:
//! what it receives: the answer in text form. The request goes out when the session begins to wait.

use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::form;
use super::link::{Arriving, Link};
use super::talk::node_of;
use crate::traffic::control::Broken;
use crate::traffic::registry::NOBODY;
use crate::traffic::wire::Transport;
use crate::traffic::worker::Worker;

/// The largest request of a pattern, bytes.
const MOST_ASKED: usize = 16 * 1024 * 1024;

/// Where an exchange is.
enum State {
    /// The session says what to ask.
    Asking,
    /// It is asked.
    Asked,
    /// The head of the answer came.
    Answered(Arriving),
    /// All of it came.
    Over,
}

/// A connection.
pub struct Exchange {
    /// The connection below.
    pub link: Link,
    /// The node that answered last; [`NOBODY`]: none of ours.
    pub node: u16,
    /// The status of the last answer; 0: none came.
    pub status: u16,
    worker: Rc<Worker>,
    socket: RawFd,
    asked: Vec<u8>,
    state: State,
    came: Vec<u8>,
    taken: usize,
}

impl Exchange {
    /// On a connection.
    pub fn new(link: Link, socket: RawFd, worker: Rc<Worker>) -> Exchange {
        let (asked, came) = (Vec::new(), Vec::new());
        Exchange { link, node: NOBODY, status: 0, worker, socket, asked, state: State::Asking, came, taken: 0 }
    }

    /// Passes over what the pattern left of the answer; `false`: the connection takes no other request.
    pub fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Broken>> {
        loop {
            self.came.clear();
            self.taken = 0;
            if let State::Over = self.state {
                let open = ready!(self.link.poll_reuse(context));
                self.state = State::Asking;
                return Poll::Ready(Ok(open));
            }
            ready!(self.poll_more(context))?;
        }
    }

    /// One step further.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let wrong = |what: String| Poll::Ready(Err(Broken::Io(io::Error::new(io::ErrorKind::InvalidData, what))));
        match &mut self.state {
            State::Asking => match form::request(&self.asked).and_then(|request| self.link.as_it_has_it(request)) {
                Ok(request) => {
                    self.link.send(request);
                    self.asked.clear();
                    self.state = State::Asked;
                    Poll::Ready(Ok(()))
                }
                Err(what) => wrong(what),
            },
            State::Asked => {
                let (head, body) = ready!(self.link.poll_answer(context))?.into_parts();
                self.node = node_of(&self.worker, &head.headers);
                self.status = head.status.as_u16();
                self.came.extend(form::response_head(head.status, &head.headers));
                self.state = State::Answered(body);
                Poll::Ready(Ok(()))
            }
            State::Answered(body) => {
                match ready!(self.link.poll_body(context, body))? {
                    Some(bytes) => self.came.extend_from_slice(&bytes),
                    None => self.state = State::Over,
                }
                Poll::Ready(Ok(()))
            }
            State::Over => wrong("the answer is over".to_owned()),
        }
    }
}

impl AsyncRead for Exchange {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let exchange = self.get_mut();
        while exchange.taken == exchange.came.len() {
            exchange.came.clear();
            exchange.taken = 0;
            match ready!(exchange.poll_more(context)) {
                Ok(()) => {}
                Err(Broken::Io(error)) => return Poll::Ready(Err(error)),
                // Nothing read is the end of a stream. Orders and limits are the session's own.
                Err(Broken::Eof | Broken::TimedOut | Broken::Aborted) => return Poll::Ready(Ok(())),
            }
        }
        let some = &exchange.came[exchange.taken..];
        let some = &some[..some.len().min(room.remaining())];
        room.put_slice(some);
        exchange.taken += some.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Exchange {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !matches!(self.state, State::Asking) || self.asked.len() + bytes.len() > MOST_ASKED {
            let what = format!("a request of a pattern is sent before its answer, and is of {MOST_ASKED} bytes at most");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        self.asked.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl Transport for Exchange {
    fn socket(&self) -> Option<RawFd> {
        Some(self.socket)
    }

    fn abort(&self) {
        // Patterns over HTTP neither close nor reset: the plan refuses them.
    }
}
