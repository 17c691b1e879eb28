//! The server's side of a pattern with several requests: a session that outlives each of them. In: requests of one client as they come. Out:
//! their answers, and what was wrong with them. It is carried on by the connection's task.
//!
//! All requests of a connection are one visit; a client that has several transactions of such a pattern under way at once tells them apart
//! by a header.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::os::fd::RawFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::http::request::Parts;
use hyper::rt::Executor as _;
use hyper::{Method, Response, StatusCode};
use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::ConnectionEnd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{mpsc, oneshot};

use super::body::Outgoing;
use super::message::append;
use super::server::{MOST_STREAMS, Read, Site, refusal, words};
use super::tasks::Tasks;
use super::{STREAM, form};
use crate::traffic::control::{Broken, Control, Order, Role};
use crate::traffic::frame::Way;
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::session::{Cut, Fault, Identity, Played, Session};
use crate::traffic::wire::{Buffers, Transport, Wire};
use crate::traffic::worker::Worker;

/// Requests of one visit that wait for the one before.
const MOST_WAITING: usize = 1;

/// An answer.
pub struct Answered {
    /// The message.
    pub message: Response<Outgoing>,
    /// The transaction is over with it.
    pub last: bool,
    /// So is the connection, says the pattern.
    pub closes: bool,
}

impl Answered {
    /// One that ends its transaction.
    pub fn last(message: Response<Outgoing>) -> Answered {
        Answered { message, last: true, closes: false }
    }
}

/// The visits of one connection.
pub struct Visits {
    tasks: Tasks,
    doors: RefCell<BTreeMap<u64, mpsc::Sender<Asked>>>,
    members: RefCell<Vec<(u64, Rc<Control>)>>,
    under_way: Cell<usize>,
    /// Requests that wait for their answer.
    asked: Cell<usize>,
    closing: Cell<bool>,
}

/// A request that waits for its answer.
struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A request.
struct Asked {
    text: Vec<u8>,
    /// Bytes of the text that are its body.
    body: usize,
    method: Method,
    words: String,
    reply: oneshot::Sender<Answered>,
}

/// The stream that a session plays a visit on.
struct Visit {
    requests: mpsc::Receiver<Asked>,
    /// The request that is to be answered.
    now: Option<Asked>,
    taken: usize,
    said: Vec<u8>,
    /// The last request in words.
    words: String,
}

impl Visits {
    /// None yet; they will be carried on there.
    pub fn new(tasks: Tasks) -> Visits {
        let (doors, members) = (RefCell::default(), RefCell::default());
        Visits { tasks, doors, members, under_way: Cell::new(0), asked: Cell::new(0), closing: Cell::new(false) }
    }

    /// A transaction is not over.
    pub fn are_under_way(&self) -> bool {
        self.under_way.get() > 0
    }

    /// A pattern ends the connection, and all answers are given.
    pub fn is_closing(&self) -> bool {
        self.closing.get() && self.asked.get() == 0
    }

    /// The client has ended the connection, or an order does.
    pub fn end(&self, worker: &Worker, order: Order) {
        self.doors.borrow_mut().clear();
        for (member, control) in self.members.borrow_mut().drain(..) {
            worker.dismiss(member);
            control.give(order);
        }
    }
}

impl Site {
    /// Answers a request of a visit.
    pub(super) async fn visit(self: &Rc<Self>, head: &Parts, read: Read) -> Answered {
        let stream = head.headers.get(STREAM).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        let door = self.door(stream.filter(|stream| *stream < u64::from(MOST_STREAMS)).unwrap_or(0));
        let (reply, answered) = oneshot::channel();
        self.visits.asked.set(self.visits.asked.get() + 1);
        let _waiting = Waiting(&self.visits.asked);
        let mut text = form::request_head(head);
        text.extend_from_slice(&read.bytes);
        let asked = Asked { text, body: read.bytes.len(), method: head.method.clone(), words: words(head), reply };
        // A visit that came to an end by a failure answers nothing any more.
        let taken = door.send(asked).await.is_ok();
        let answered = if taken { answered.await.ok() } else { None };
        answered.unwrap_or_else(|| Answered::last(refusal(StatusCode::BAD_REQUEST)))
    }

    /// Where the requests of a visit are handed in; it begins with the first.
    fn door(self: &Rc<Self>, stream: u64) -> mpsc::Sender<Asked> {
        if let Some(door) = self.visits.doors.borrow().get(&stream).filter(|door| !door.is_closed()) {
            return door.clone();
        }
        let (door, requests) = mpsc::channel(MOST_WAITING);
        self.visits.doors.borrow_mut().insert(stream, door.clone());
        let control = Rc::new(Control::new(Role::Server(self.listener), None));
        let member = self.worker.enlist(&control);
        self.visits.members.borrow_mut().push((member, Rc::clone(&control)));
        let header = self.header(Way::Forward);
        let identity = Identity { stream, ..self.identity((header.flow, header.connection)) };
        self.visits.tasks.execute(stay(Rc::clone(self), control, identity, requests));
        door
    }
}

/// Plays the server, transaction by transaction, until the client ends the connection or something fails.
async fn stay(site: Rc<Site>, control: Rc<Control>, identity: Identity, requests: mpsc::Receiver<Asked>) {
    let (worker, visits) = (&site.worker, &site.visits);
    let visit = Visit { requests, now: None, taken: 0, said: Vec::new(), words: String::new() };
    let wire = Wire::new(visit, Rc::clone(&control), Buffers::default());
    let mut session = Session::new(wire, worker.program(Side::Server, site.listener), Rc::clone(worker), identity);
    session.ordered = false;
    session.own_count = Some(0);
    while poll_fn(|context| match control.interrupted(context) {
        Some(Broken::Aborted) => Poll::Ready(false),
        _ => session.wire.stream().poll_wanted(context),
    })
    .await
    {
        visits.under_way.set(visits.under_way.get() + 1);
        session.start_over();
        let played = session.play(0).await;
        worker.limit(&control, NEVER_DUE);
        let goes_on = conclude(&site, &mut session, played);
        visits.under_way.set(visits.under_way.get() - 1);
        if !goes_on {
            return;
        }
    }
}

/// Gives the last answer of a transaction, or tells why there is none; `false`: the visit is over.
fn conclude(site: &Site, session: &mut Session<Visit>, played: Result<Played, Cut>) -> bool {
    let closes = matches!(played, Ok(Played::Closed)) && !session.wire.ended;
    let untaken = session.wire.waiting().len();
    let answered = match played {
        Ok(played) => session.wire.stream().answer(untaken, true, closes).map(|()| played).map_err(|what| {
            let fault = Fault { step: u32::MAX, what, end: ConnectionEnd::Mismatch, corruption: None };
            Cut::Fault(Box::new(fault))
        }),
        Err(cut) => Err(cut),
    };
    session.wire.pass_over();
    match answered {
        Ok(played) => {
            site.visits.closing.set(site.visits.closing.get() || closes);
            played == Played::Open
        }
        Err(Cut::Aborted) => false,
        Err(Cut::Fault(fault)) => {
            let (step, span) = session.program().step(fault.step);
            let step = if step.is_empty() { format!("answer to {}", session.wire.stream().words) } else { step };
            site.worker.wrong((session.identity.flow, session.identity.connection), (&step, span), Side::Server, *fault);
            false
        }
    }
}

impl Visit {
    /// Waits until there is a request to answer; `false`: there will be none.
    fn poll_wanted(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        if self.now.is_none() {
            self.now = ready!(self.requests.poll_recv(context));
            self.taken = 0;
            if let Some(asked) = &mut self.now {
                self.words = std::mem::take(&mut asked.words);
            }
        }
        Poll::Ready(self.now.is_some())
    }

    /// Hands the answer over. `untaken` bytes of the request came and were not asked for.
    fn answer(&mut self, untaken: usize, last: bool, closes: bool) -> Result<(), String> {
        let Some(asked) = self.now.take() else { return Ok(()) };
        let unread = (untaken + asked.text.len() - self.taken).min(asked.body);
        if unread > 0 {
            return Err(format!("{unread} of {} bytes of the request's body were not asked for", asked.body));
        }
        let message = form::response(&self.said, &asked.method)?;
        self.said.clear();
        // Who has gone away meanwhile hears nothing.
        let _ = asked.reply.send(Answered { message, last, closes });
        Ok(())
    }
}

impl AsyncRead for Visit {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, room: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let visit = self.get_mut();
        // Nothing read is the end of a stream.
        if !ready!(visit.poll_wanted(context)) {
            return Poll::Ready(Ok(()));
        }
        let came = visit.now.as_ref().map_or(&[][..], |asked| &asked.text[visit.taken..]);
        let some = &came[..came.len().min(room.remaining())];
        if some.is_empty() {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the request is over")));
        }
        room.put_slice(some);
        visit.taken += some.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Visit {
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

impl Transport for Visit {
    // The connection's own handle has it.
    fn socket(&self) -> Option<RawFd> {
        None
    }

    fn abort(&mut self) {
        // Patterns over HTTP do not reset: the plan refuses them.
    }

    const MESSAGES: bool = true;

    fn listens(&mut self, untaken: usize) -> Result<bool, String> {
        if self.said.is_empty() {
            return Ok(false);
        }
        self.answer(untaken, false, false).map(|()| true)
    }

    fn is_over(&self) -> bool {
        self.now.as_ref().is_some_and(|asked| asked.text.len() == self.taken)
    }
}
