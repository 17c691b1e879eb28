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

type Both = (SendStream, RecvStream);
type Ending = Pin<Box<dyn Future<Output = ()>>>;
type Opening = Pin<Box<dyn Future<Output = Result<Both, ConnectionError>>>>;

/// Streams of one connection that were closed at this end and whose peers have not got everything yet.
#[derive(Clone, Default)]
pub struct Endings(Rc<RefCell<FuturesUnordered<Ending>>>);

impl Endings {
    /// Waits until all that was said has arrived, or never will.
    pub fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut endings = self.0.borrow_mut();
        while ready!(endings.poll_next_unpin(context)).is_some() {}
        Poll::Ready(())
    }
}

/// A stream.
pub struct Stream {
    connection: Connection,
    state: State,
    endings: Endings,
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
        Stream { connection: connection.clone(), state: State::Open(both), endings: endings.clone() }
    }

    /// One that is opened by whoever sends first.
    pub fn unopened(connection: &Connection, endings: &Endings) -> Stream {
        let accepting = connection.clone();
        let theirs: Opening = Box::pin(async move { accepting.accept_bi().await });
        Stream { connection: connection.clone(), state: State::Unopened { theirs, ours: None }, endings: endings.clone() }
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

    fn abort(&self) {
        self.connection.close(ABORTED, ABORTED_REASON);
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
        let _ = send.finish();
        let arrived = send.stopped();
        self.endings.0.borrow_mut().push(Box::pin(async move {
            // Of a connection that is lost nothing arrives any more.
            let _ = arrived.await;
        }));
    }
}
