//! A client's connection as the stream that a session plays a pattern on. In: what the session sends: requests in text form, one after
//! the other. Out: what it receives: their answers in text form. A request goes out when the session begins to wait; what it leaves of an
//! answer is passed over when it sends the next.

use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::link::{Arriving, Link};
use super::talk::node_of;
use super::{STREAM, form};
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
    /// Whose requests they are, of several who ask over one connection and whose requests belong together.
    stream: Option<u64>,
    asked: Vec<u8>,
    state: State,
    came: Vec<u8>,
    taken: usize,
    /// What was met while nobody waited for it.
    broken: Option<Broken>,
    /// Nothing but the connection's end is waited for.
    ending: bool,
}

impl Exchange {
    /// On a connection.
    pub fn new(link: Link, socket: RawFd, worker: Rc<Worker>, stream: Option<u64>) -> Exchange {
        let (asked, came, state) = (Vec::new(), Vec::new(), State::Asking);
        Exchange { link, node: NOBODY, status: 0, worker, socket, stream, asked, state, came, taken: 0, broken: None, ending: false }
    }

    /// Passes over what the pattern left of the answer; `false`: the connection takes no other request.
    pub fn poll_rest(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Broken>> {
        loop {
            self.came.clear();
            self.taken = 0;
            if self.ending {
                return Poll::Ready(Ok(false));
            }
            if let State::Over = self.state {
                let open = ready!(self.link.poll_reuse(context));
                self.state = State::Asking;
                return Poll::Ready(Ok(open));
            }
            ready!(self.poll_more(context))?;
        }
    }

    /// Sends the request that was said.
    fn ask(&mut self) -> Result<(), String> {
        let mut request = form::request(&self.asked).and_then(|request| self.link.as_it_has_it(request))?;
        if let Some(stream) = self.stream {
            request.headers_mut().insert(STREAM, stream.into());
        }
        self.link.send(request);
        self.asked.clear();
        self.state = State::Asked;
        Ok(())
    }

    /// One step further.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let wrong = |what: String| Poll::Ready(Err(Broken::Io(io::Error::new(io::ErrorKind::InvalidData, what))));
        if let Some(broken) = self.broken.take() {
            return Poll::Ready(Err(broken));
        }
        match &mut self.state {
            State::Asking => self.ask().map_or_else(wrong, |()| Poll::Ready(Ok(()))),
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
            State::Over if self.ending => Poll::Ready(Err(ready!(self.link.poll_end(context)))),
            State::Over => wrong("the answer is over".to_owned()),
        }
    }

    /// Makes room for the next request.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let State::Asking = self.state {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(match ready!(self.poll_rest(context)) {
            Ok(true) => Ok(()),
            Err(Broken::Io(error)) => Err(error),
            Ok(false) | Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        })
    }
}

impl AsyncRead for Exchange {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let exchange = self.get_mut();
        while exchange.taken == exchange.came.len() {
            exchange.came.clear();
            exchange.taken = 0;
            match ready!(exchange.poll_more(context)) {
                Ok(()) if exchange.ending => exchange.came.clear(),
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
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let exchange = self.get_mut();
        ready!(exchange.poll_next(context))?;
        if exchange.asked.len() + bytes.len() > MOST_ASKED {
            let what = format!("a request of a pattern is of {MOST_ASKED} bytes at most");
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        exchange.asked.extend_from_slice(bytes);
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

    fn abort(&mut self) {
        // Patterns over HTTP do not reset: the plan refuses them.
    }

    const MESSAGES: bool = true;

    fn speaks(&mut self) -> bool {
        !matches!(self.state, State::Asking)
    }

    fn listens(&mut self, _untaken: usize) -> Result<bool, String> {
        if matches!(self.state, State::Asking) && !self.asked.is_empty() {
            self.ask()?;
        }
        Ok(false)
    }

    fn awaits_the_end(&mut self) {
        (self.ending, self.taken) = (true, self.came.len());
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Over) && self.taken == self.came.len()
    }

    fn carry_on(&mut self, context: &mut Context<'_>) {
        if matches!(self.state, State::Asked)
            && self.broken.is_none()
            && let Poll::Ready(Err(broken)) = self.poll_more(context)
        {
            self.broken = Some(broken);
        }
    }
}
