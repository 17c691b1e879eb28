//! What a request is sent over: a connection of HTTP/1.1, or a place on one of HTTP/2. In: requests. Out: answers as they come, the same
//! whatever is below. Waits for nothing by itself: limits and orders are looked at by who polls.

use std::task::{Context, Poll};

use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};

use super::alone::Alone;
use super::body::Outgoing;
use super::branch::{Branch, Coming};
use super::form;
use crate::traffic::control::Broken;
use crate::traffic::tls::Stream;

/// What carries requests, one at a time.
pub enum Link {
    /// A connection of its own.
    Alone(Box<Alone>),
    /// A stream after the other of a connection that others use too.
    Branch(Box<Branch>),
}

/// The body of an answer.
pub enum Arriving {
    /// Of HTTP/1.1.
    Alone(Incoming),
    /// Of HTTP/2.
    Branch(Coming),
}

impl Link {
    /// HTTP/1.1 on a connected socket.
    pub async fn alone(stream: Stream) -> Result<Link, Broken> {
        Alone::new(stream).await.map(|alone| Link::Alone(Box::new(alone)))
    }

    /// A request of HTTP/1.1 as it is sent over this.
    ///
    /// # Errors
    /// What of it cannot be.
    pub fn as_it_has_it(&self, request: Request<Outgoing>) -> Result<Request<Outgoing>, String> {
        match self {
            Link::Alone(_) => Ok(request),
            Link::Branch(branch) => form::absolute(request, branch.secured),
        }
    }

    /// Sends a request; its answer comes by [`Link::poll_answer`].
    pub fn send(&mut self, request: Request<Outgoing>) {
        match self {
            Link::Alone(alone) => alone.send(request),
            Link::Branch(branch) => branch.send(request),
        }
    }

    /// The head of the answer.
    pub fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Response<Arriving>, Broken>> {
        match self {
            Link::Alone(alone) => alone.poll_answer(context).map_ok(|answer| answer.map(Arriving::Alone)),
            Link::Branch(branch) => branch.poll_answer(context).map_ok(|answer| answer.map(Arriving::Branch)),
        }
    }

    /// The next bytes of its body; `None`: that was all.
    pub fn poll_body(&mut self, context: &mut Context<'_>, body: &mut Arriving) -> Poll<Result<Option<Bytes>, Broken>> {
        match (self, body) {
            (Link::Alone(alone), Arriving::Alone(body)) => alone.poll_body(context, body),
            (Link::Branch(branch), Arriving::Branch(body)) => branch.poll_body(context, body),
            // A body of another link: there is none.
            _ => Poll::Ready(Ok(None)),
        }
    }

    /// Waits, after an answer, until another request can be sent: `true`; or none any more, as the answer may have announced: `false`.
    pub fn poll_reuse(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        match self {
            Link::Alone(alone) => alone.poll_reuse(context),
            Link::Branch(branch) => branch.poll_reuse(context),
        }
    }

    /// How many requests the server takes at once on the connection.
    pub fn most_at_once(&self) -> u64 {
        match self {
            Link::Alone(_) => 1,
            Link::Branch(branch) => branch.most_at_once(),
        }
    }

    /// Waits until the connection ends by itself.
    pub fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        match self {
            Link::Alone(alone) => alone.poll_end(context),
            Link::Branch(branch) => branch.poll_end(context),
        }
    }
}
