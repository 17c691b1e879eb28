//! The stream below a client's connection of HTTP/1.1. In: what the connection reads and writes. Out: bytes, as the stream has them. A connection looks for more to read
//! several times a request; a stream that was found empty is not asked again before something came for its task.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::coop::has_budget_remaining;

use crate::traffic::gate::News;
use crate::traffic::tls::Stream;

/// A stream whose reader is woken through a gate, and by nothing else.
pub struct Below {
    stream: Stream,
    emptied: Emptied,
}

/// Whether a stream was found empty, and nothing has come since.
#[derive(Clone)]
pub struct Emptied {
    news: News,
    /// How much had come by then.
    at: Rc<Cell<Option<u64>>>,
}

impl Emptied {
    /// It was.
    pub fn is_so(&self) -> bool {
        self.at.get().is_some_and(|at| at == self.news.count())
    }
}

impl Below {
    /// Of a stream, and of the gate through which all who use it are polled.
    pub fn new(stream: Stream, news: News) -> Below {
        Below { stream, emptied: Emptied { news, at: Rc::default() } }
    }

    /// What is known of it, for others to look at.
    pub fn emptied(&self) -> Emptied {
        self.emptied.clone()
    }
}

impl AsyncRead for Below {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let below = self.get_mut();
        if below.emptied.is_so() {
            return Poll::Pending;
        }
        // What comes meanwhile comes after it.
        let come = below.emptied.news.count();
        let read = Pin::new(&mut below.stream).poll_read(context, room);
        // A task that has had its share of the thread is told to wait, whatever there is.
        let empty = read.is_pending() && has_budget_remaining();
        below.emptied.at.set(empty.then_some(come));
        read
    }
}

impl AsyncWrite for Below {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::gate::Gate;
    use crate::traffic::sockets::Streams;
    use std::future::{Future as _, poll_fn};
    use std::io::Write as _;
    use tokio::net::TcpStream;
    use tokio::task::coop::consume_budget;

    /// The near end of a connection over a gate, and the far one.
    async fn pair() -> (Gate, Below, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        far.set_nodelay(true).unwrap();
        let near = listener.accept().unwrap().0;
        near.set_nonblocking(true).unwrap();
        let near = Stream::plain(TcpStream::from_std(near).unwrap(), Streams::Tcp, false).unwrap();
        let gate = Gate::default();
        let below = Below::new(near, gate.news());
        (gate, below, far)
    }

    fn poll(gate: &Gate, below: &mut Below, context: &Context<'_>) -> Poll<Vec<u8>> {
        gate.pass(context, |own| {
            let mut bytes = [0; 16];
            let mut room = ReadBuf::new(&mut bytes);
            Pin::new(&mut *below).poll_read(own, &mut room).map(|read| read.map(|()| room.filled().to_vec()).unwrap())
        })
    }

    #[tokio::test]
    async fn what_comes_to_an_empty_stream_is_read() {
        let (gate, mut below, mut far) = pair().await;
        let emptied = below.emptied();
        assert!(!emptied.is_so(), "nobody has looked");
        for word in [&b"one"[..], b"two", b"three"] {
            poll_fn(|context| {
                assert!(poll(&gate, &mut below, context).is_pending());
                Poll::Ready(())
            })
            .await;
            assert!(emptied.is_so());
            far.write_all(word).unwrap();
            assert_eq!(poll_fn(|context| poll(&gate, &mut below, context)).await, word);
            assert!(!emptied.is_so(), "there may be more");
        }
        assert!(poll_fn(|context| Poll::Ready(poll(&gate, &mut below, context))).await.is_pending());
        drop(far);
        assert_eq!(poll_fn(|context| poll(&gate, &mut below, context)).await, b"", "the end comes too");
    }

    #[tokio::test]
    async fn a_task_that_had_its_share_does_not_take_the_stream_for_empty() {
        let (gate, mut below, mut far) = pair().await;
        far.write_all(b"word").unwrap();
        // The event loop learns of it.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        let mut spent = false;
        let read = poll_fn(|context| {
            if !std::mem::replace(&mut spent, true) {
                while has_budget_remaining() {
                    assert!(std::pin::pin!(consume_budget()).poll(context).is_ready());
                }
                assert!(poll(&gate, &mut below, context).is_pending());
                assert!(!below.emptied().is_so());
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            poll(&gate, &mut below, context)
        });
        assert_eq!(read.await, b"word");
    }
}
