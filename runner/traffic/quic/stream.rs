//! A bidirectional stream of a connection, as patterns are played on it. In: a connection of quinn's. Out: bytes as they were sent. What was said last on a stream arrives
//! before its connection is closed, if whoever closes it waits for that.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ends::{ABORTED, ABORTED_REASON, Gone};
use crate::traffic::wire::Transport;

/// Both ways of it.
pub type Both = (SendStream, RecvStream);
type Ending = Pin<Box<dyn Future<Output = ()>>>;
/// What becomes one.
pub type Opening = Pin<Box<dyn Future<Output = Result<Both, ConnectionError>>>>;

/// Streams of one connection that were closed at this end and whose peers have not got everything yet.
#[derive(Clone, Default)]
pub struct Endings {
    awaited: Rc<RefCell<FuturesUnordered<Ending>>>,
    /// The connection has other streams: it outlives one that is reset.
    several: bool,
}

impl Endings {
    /// Of a connection with several streams, or with one.
    pub fn of(several: bool) -> Endings {
        Endings { several, ..Endings::default() }
    }

    /// Waits until all that was said has arrived, or never will.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut endings = self.awaited.borrow_mut();
        while ready!(endings.poll_next_unpin(context)).is_some() {}
        Poll::Ready(())
    }
}

/// A stream.
pub struct Stream {
    connection: Connection,
    state: State,
    endings: Endings,
    /// It was reset at this end: nothing of it has to arrive.
    reset: bool,
}

enum State {
    Open(Both),
    /// Nobody has sent on it: whoever does opens it.
    Unopened {
        theirs: Opening,
        ours: Option<Opening>,
    },
    /// The connection ended before.
    Lost(ConnectionError),
}

impl Stream {
    /// One that is open.
    pub fn open(connection: &Connection, both: Both, endings: &Endings) -> Stream {
        Stream { connection: connection.clone(), state: State::Open(both), endings: endings.clone(), reset: false }
    }

    /// One that is opened by whoever sends first.
    pub fn unopened(connection: &Connection, endings: &Endings) -> Stream {
        let accepting = connection.clone();
        Stream::opened_by(connection, Box::pin(async move { accepting.accept_bi().await }), endings)
    }

    /// One that the peer opens so.
    pub fn opened_by(connection: &Connection, theirs: Opening, endings: &Endings) -> Stream {
        Stream { connection: connection.clone(), state: State::Unopened { theirs, ours: None }, endings: endings.clone(), reset: false }
    }

    /// Opens it from this end.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<&mut SendStream>> {
        if let State::Unopened { ours, .. } = &mut self.state {
            let connection = &self.connection;
            let ours = ours.get_or_insert_with(|| {
                let opening = connection.clone();
                Box::pin(async move { opening.open_bi().await })
            });
            self.state = match ready!(ours.as_mut().poll(context)) {
                Ok(both) => State::Open(both),
                Err(error) => State::Lost(error),
            };
        }
        match &mut self.state {
            State::Open((send, _)) => Poll::Ready(Ok(send)),
            State::Lost(error) => Poll::Ready(Err(Gone::Connection(error.clone()).error())),
            State::Unopened { .. } => Poll::Pending,
        }
    }

    /// Receives on it, once it is there.
    fn poll_receive(&mut self, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<Result<(), Gone>> {
        if let State::Unopened { theirs, .. } = &mut self.state {
            self.state = match ready!(theirs.as_mut().poll(context)) {
                Ok(both) => State::Open(both),
                Err(error) => State::Lost(error),
            };
        }
        match &mut self.state {
            State::Open((_, receive)) => receive.poll_read_buf(context, room).map_err(Gone::from),
            State::Lost(error) => Poll::Ready(Err(Gone::Connection(error.clone()))),
            State::Unopened { .. } => Poll::Pending,
        }
    }
}

impl Transport for Stream {
    fn socket(&self) -> Option<RawFd> {
        None
    }

    fn abort(&mut self) {
        if !self.endings.several {
            return self.connection.close(ABORTED, ABORTED_REASON);
        }
        if let State::Open((send, receive)) = &mut self.state {
            // What is over already needs no reset.
            let _ = send.reset(ABORTED);
            let _ = receive.stop(ABORTED);
            self.reset = true;
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(self.get_mut().poll_receive(context, room)) {
            Err(gone) if gone.is_orderly() => Poll::Ready(Ok(())),
            received => Poll::Ready(received.map_err(Gone::error)),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let send = ready!(self.get_mut().poll_open(context))?;
        Pin::new(send).poll_write(context, bytes).map_err(|error| Gone::from(error).error())
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let send = ready!(self.get_mut().poll_open(context))?;
        // One that is finished already is as it shall be.
        let _ = send.finish();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let State::Open((send, _)) = &mut self.state else { return };
        if self.reset {
            return;
        }
        let _ = send.finish();
        let arrived = send.stopped();
        self.endings.awaited.borrow_mut().push(Box::pin(async move {
            // Of a connection that is lost nothing arrives any more.
            let _ = arrived.await;
        }));
    }
}
