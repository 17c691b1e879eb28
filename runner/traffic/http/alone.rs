//! A client's connection of HTTP/1.1, driven in place by the task that uses it. In: a connected socket, requests. Out: answers as they come, and
//! how the connection ended. Waits for nothing by itself: limits and orders are looked at by who polls.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::below::{Below, Emptied};
use super::body::Outgoing;
use crate::traffic::control::Broken;
use crate::traffic::gate::Gate;
use crate::traffic::tls::{Stream, handshake};

type Answer = Pin<Box<dyn Future<Output = hyper::Result<Response<Incoming>>>>>;

/// A connection.
pub struct Alone {
    /// Hyper's parts tell each other of every request and of every answer.
    gate: Gate,
    emptied: Emptied,
    parts: Parts,
}

/// What hyper makes of a connection.
struct Parts {
    /// Holds the socket until the link is dropped, also when it has ended.
    connection: Pin<Box<Connection<TokioIo<Below>, Outgoing>>>,
    sender: SendRequest<Outgoing>,
    answer: Option<Answer>,
    /// The last answer is whole, and another request can be sent.
    rests: bool,
    ended: Option<hyper::Result<()>>,
}

impl Alone {
    /// Takes a connected socket.
    pub async fn new(stream: Stream) -> Result<Alone, Broken> {
        let gate = Gate::default();
        let below = Below::new(stream, gate.news());
        let emptied = below.emptied();
        let handshake = Builder::new().title_case_headers(true).handshake(TokioIo::new(below)).await;
        let (sender, connection) = handshake.map_err(|error| broken(&error))?;
        let parts = Parts { connection: Box::pin(connection), sender, answer: None, rests: false, ended: None };
        Ok(Alone { gate, emptied, parts })
    }

    /// Sends a request; its answer comes by [`Alone::poll_answer`].
    pub fn send(&mut self, request: Request<Outgoing>) {
        let parts = &mut self.parts;
        parts.rests = false;
        self.gate.quietly(|| parts.answer = Some(Box::pin(parts.sender.send_request(request))));
    }

    /// The head of the answer.
    pub fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Response<Incoming>, Broken>> {
        self.gate.pass(context, |context| self.parts.poll_answer(context))
    }

    /// The next bytes of its body; `None`: that was all.
    pub fn poll_body(&mut self, context: &mut Context<'_>, body: &mut Incoming) -> Poll<Result<Option<Bytes>, Broken>> {
        self.gate.pass(context, |context| self.parts.poll_body(context, body))
    }

    /// Waits, after an answer, until the connection takes another request: `true`; or is over, as the answer may have announced: `false`.
    pub fn poll_reuse(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        self.parts.answer = None;
        self.gate.pass(context, |context| self.parts.poll_reuse(context))
    }

    /// Waits until the connection ends by itself.
    pub fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        // Before anything is looked at: what comes from now on wakes this task.
        self.gate.register(context);
        // What is at rest ends with what comes from the other end: there is none.
        if self.parts.rests && self.parts.ended.is_none() && self.emptied.is_so() {
            return Poll::Pending;
        }
        self.gate.pass(context, |context| self.parts.poll_end(context))
    }
}

impl Parts {
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Response<Incoming>, Broken>> {
        self.work(context);
        let Some(answer) = &mut self.answer else { return Poll::Ready(Err(Broken::Eof)) };
        match answer.as_mut().poll(context) {
            Poll::Ready(Ok(answer)) => Poll::Ready(Ok(answer)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.why(&error))),
            Poll::Pending if self.ended.is_some() => Poll::Ready(Err(self.end())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_body(&mut self, context: &mut Context<'_>, body: &mut Incoming) -> Poll<Result<Option<Bytes>, Broken>> {
        loop {
            // Most often it came with the head.
            let mut frame = Pin::new(&mut *body).poll_frame(context);
            if frame.is_pending() {
                self.work(context);
                frame = Pin::new(&mut *body).poll_frame(context);
            }
            match frame {
                // Trailers are no part of the body.
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Ok(Some(bytes))),
                    _ => {}
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(self.why(&error))),
                Poll::Ready(None) => return Poll::Ready(Ok(None)),
                Poll::Pending if self.ended.is_some() => return Poll::Ready(Err(self.end())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_reuse(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let mut ready = self.sender.poll_ready(context);
        if ready.is_pending() {
            self.work(context);
            ready = self.sender.poll_ready(context);
        }
        match ready {
            Poll::Ready(ready) => {
                self.rests = ready.is_ok();
                Poll::Ready(self.rests)
            }
            Poll::Pending if self.ended.is_some() => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        self.work(context);
        if self.ended.is_some() { Poll::Ready(self.end()) } else { Poll::Pending }
    }

    /// Lets the connection send and receive.
    fn work(&mut self, context: &mut Context<'_>) {
        if self.ended.is_none()
            && let Poll::Ready(ended) = self.connection.as_mut().poll(context)
        {
            self.ended = Some(ended);
        }
    }

    /// How the connection ended.
    fn end(&self) -> Broken {
        match &self.ended {
            Some(Err(error)) => broken(error),
            Some(Ok(())) | None => Broken::Eof,
        }
    }

    /// Why a request failed: a request that was called off says only that the connection ended, which says why.
    fn why(&self, error: &hyper::Error) -> Broken {
        if error.is_canceled() || error.is_closed() {
            return match broken(error) {
                Broken::Io(error) if error.raw_os_error().is_some() => Broken::Io(error),
                _ => self.end(),
            };
        }
        broken(error)
    }
}

/// What an error of hyper means.
pub fn broken(error: &hyper::Error) -> Broken {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut parse = false;
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_incomplete_message() {
                return Broken::Eof;
            }
            parse |= error.is_parse();
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match (error.raw_os_error(), error.kind()) {
                (Some(number), _) => Broken::Io(io::Error::from_raw_os_error(number)),
                (None, io::ErrorKind::UnexpectedEof) => Broken::Eof,
                (None, kind) => Broken::Io(match handshake::told(error) {
                    Some(told) => io::Error::new(kind, told.clone()),
                    None => io::Error::new(kind, error.to_string()),
                }),
            };
        }
        cause = error.source();
    }
    let kind = if parse { io::ErrorKind::InvalidData } else { io::ErrorKind::Other };
    Broken::Io(io::Error::new(kind, if parse { format!("no answer of HTTP/1.1: {error}") } else { error.to_string() }))
}
