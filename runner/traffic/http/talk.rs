//! A client's transactions on one connection: a request and its whole answer each. In: a connected socket, what to ask. Out: what was
//! moved, who answered, what was not as it ought to be. A request said by options is sent as it is; a pattern is played by a session.

use std::cell::Cell;
use std::future::poll_fn;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::HeaderMap;
use scn_grammar::scenario::pattern::Side;
use scn_grammar::source::Span;
use scn_reports::record::flow::{ConnectionEnd, NEVER};

use super::NODE;
use super::check::Check;
use super::exchange::Exchange;
use super::link::{Arriving, Link};
use super::request::Request;
use super::streams;
use crate::plan::http::is_single;
use crate::traffic::control::{Broken, Control};
use crate::traffic::conversation::Conversation;
use crate::traffic::frame::{Header, Way};
use crate::traffic::limits::{self, Quiet};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::session::{Cut, Fault, Identity, Played, Progress, Session, end_of, in_words};
use crate::traffic::registry::NOBODY;
use crate::traffic::wire::{Buffers, Wire};
use crate::traffic::worker::Worker;

/// No step of a pattern.
const NO_STEP: u32 = u32::MAX;

/// A connection of a flow.
pub struct Talk {
    worker: Rc<Worker>,
    control: Rc<Control>,
    identity: Identity,
    limit_ns: i64,
    /// When something last came over the connection.
    heard: Rc<Cell<Quiet>>,
    asks: Asks,
    progress: Progress,
    node: u16,
    status: u16,
    /// The room of the last answer's headers.
    used: HeaderMap,
}

/// What it asks.
enum Asks {
    /// Always the same.
    Request(Box<Link>, Arc<Request>),
    /// What a pattern says.
    Pattern(Box<Session<Exchange>>),
}

impl Talk {
    /// Over what carries requests. `heard` is shared by all who talk over one connection.
    pub fn new(worker: &Rc<Worker>, control: &Rc<Control>, link: Link, socket: RawFd, identity: Identity, heard: Rc<Cell<Quiet>>) -> Talk {
        let flow = identity.flow as usize;
        let limit_ns = limits::response(&worker.shared.plan.flows[flow]);
        let link_is_shared = matches!(link, Link::Branch(_));
        let asks = match worker.request(flow) {
            Some(request) => {
                control.socket.set(Some(socket));
                Asks::Request(Box::new(link), request)
            }
            None => {
                let planned = &worker.shared.plan.flows[flow];
                let several = !is_single(planned.pattern.as_ref());
                let stream = (several && streams(&planned.transport) > 1).then_some(identity.stream);
                let exchange = Exchange::new(link, socket, Rc::clone(worker), stream);
                let wire = Wire::new(exchange, Rc::clone(control), Buffers::default());
                let mut session = Session::new(wire, worker.program(Side::Client, flow), Rc::clone(worker), identity.clone());
                session.patience_ns = limit_ns;
                // Of a connection that others use too the session does not hear all.
                session.quiet = if link_is_shared { Quiet::ENDLESS } else { heard.get() };
                session.ordered = false;
                if several {
                    // Both ends count what is played on a stream.
                    session.own_count = Some(0);
                    session.identity.key = session.identity.key.part(identity.stream);
                }
                Asks::Pattern(Box::new(session))
            }
        };
        let progress = Progress { sent_ns: NEVER, sent_bytes: 0, received_bytes: 0 };
        let (worker, control) = (Rc::clone(worker), Rc::clone(control));
        Talk { worker, control, identity, limit_ns, heard, asks, progress, node: NOBODY, status: 0, used: HeaderMap::new() }
    }

    /// Waits for something to come, within the limit of an answer, from an instant on or from now. What is there already needs no limit, and so no reading of
    /// the clock.
    async fn wait<T>(
        &mut self,
        from_ns: Option<i64>,
        mut poll: impl FnMut(&mut Asks, &mut Context<'_>) -> Poll<Result<T, Broken>>,
    ) -> Result<T, Cut> {
        let (quiet, limit_ns) = (self.quiet(), self.limit_ns);
        let (worker, control, heard, asks) = (&self.worker, &self.control, &self.heard, &mut self.asks);
        // As it would be if nothing had ever stood still.
        let mut limit = None;
        let came = poll_fn(|context| {
            match (control.interrupted(context), limit) {
                (None, _) => {}
                // The limit of something before.
                (Some(Broken::TimedOut), None) => {}
                (Some(Broken::TimedOut), Some(limit)) if goes_on(worker, control, heard.get(), limit) => {}
                (Some(broken), _) => return Poll::Ready(Err(broken)),
            }
            let came = poll(asks, context);
            if came.is_pending() && limit.is_none() {
                let at = from_ns.unwrap_or_else(|| worker.pacer.now_ns()).saturating_add(limit_ns);
                worker.limit(control, quiet.until(at));
                limit = Some(at.saturating_sub(control.stood_ns.get()));
            }
            came
        });
        let came = came.await.map_err(|broken| self.cut(broken))?;
        self.hears();
        Ok(came)
    }

    /// Something came.
    fn hears(&self) {
        let mut quiet = self.heard.get();
        quiet.heard(|| self.worker.pacer.now_ns(), self.control.stood_ns.get());
        self.heard.set(quiet);
    }

    /// A request said by options, and its answer.
    async fn ask(&mut self, request: &Request) -> Result<Played, Cut> {
        let header = self.header(Way::Forward);
        self.progress = Progress { sent_ns: self.worker.pacer.now_ns(), sent_bytes: 0, received_bytes: 0 };
        self.worker.transaction_sent(self.identity.flow);
        let message = request.message(header, std::mem::take(&mut self.used));
        let sent_bytes = message.body().left();
        if let Asks::Request(link, _) = &mut self.asks {
            link.send(message);
        }
        let flow = self.identity.flow as usize;
        self.worker.tell_step(flow, || format!("client sent {} with a body of {sent_bytes}B", request.words));
        let answer = self.wait(Some(self.progress.sent_ns), |asks, context| asks.link().poll_answer(context)).await?;
        self.progress.sent_bytes = sent_bytes;
        self.node = node_of(&self.worker, answer.headers());
        self.status = answer.status().as_u16();
        if let Some(wrong) = request.wrong(answer.status()) {
            return Err(mismatch(wrong));
        }
        let (mut head, mut body) = answer.into_parts();
        self.worker.tell_step(flow, || format!("client received the answer's head: {} {:?}", head.status, head.version));
        let mut check = Check::new(&head.headers, self.header(Way::Back));
        while let Some(bytes) = self.wait(None, |asks, context| asks.link().poll_body(context, &mut body)).await? {
            self.progress.received_bytes += bytes.len() as u64;
            check.take(&bytes);
        }
        if !request.asks_for_the_head()
            && let Some(wrong) = check.finish()
        {
            let fault = Fault { step: NO_STEP, what: wrong.2.clone(), end: ConnectionEnd::Mismatch, corruption: Some(wrong) };
            return Err(Cut::Fault(Box::new(fault)));
        }
        drop::<Arriving>(body);
        // Emptied at once: what they hold is hyper's room to read into.
        head.headers.clear();
        self.used = head.headers;
        let open = self.wait(None, |asks, context| asks.link().poll_reuse(context).map(Ok)).await?;
        Ok(if open { Played::Open } else { Played::Closed })
    }

    /// What a pattern says, and what it leaves of the answer.
    async fn follow(&mut self, number: u64) -> Result<Played, Cut> {
        let Asks::Pattern(session) = &mut self.asks else { return Ok(Played::Closed) };
        session.start_over();
        (session.wire.stream().node, session.wire.stream().status) = (NOBODY, 0);
        let played = session.play(number).await;
        self.progress = session.progress;
        let (exchange, peer) = (session.wire.stream().node, session.peer_node);
        self.status = session.wire.stream().status;
        self.node = if exchange == NOBODY { peer } else { exchange };
        let played = played?;
        let left = session.wire.waiting().len();
        session.wire.take(left);
        self.hears();
        let open = self.wait(None, |asks, context| asks.rest(context)).await?;
        Ok(if open { played } else { Played::Closed })
    }

    /// Who sends to whom on this connection.
    fn header(&self, way: Way) -> Header {
        let Identity { run, flow, connection, node, .. } = self.identity;
        Header { way, flow, run, connection, node, sequence: 0, length: 0 }
    }

    /// What a broken wait means.
    fn cut(&self, broken: Broken) -> Cut {
        let (what, end) = match broken {
            Broken::Aborted => return Cut::Aborted,
            Broken::Eof => ("the peer closed the connection before the answer was whole".to_owned(), ConnectionEnd::EarlyClose),
            Broken::TimedOut => {
                let limit = || format!("no whole answer: nothing came within {}", limits::in_words(self.limit_ns));
                (self.quiet().broken(self.worker.pacer.now_ns()).unwrap_or_else(limit), ConnectionEnd::Timeout)
            }
            Broken::Io(error) => {
                let end = end_of(&error);
                (in_words(end, &error), end)
            }
        };
        Cut::Fault(Box::new(Fault { step: NO_STEP, what, end, corruption: None }))
    }
}

impl Asks {
    fn link(&mut self) -> &mut Link {
        match self {
            Asks::Request(link, _) => link,
            Asks::Pattern(session) => &mut session.wire.stream().link,
        }
    }

    /// Passes over what is left of an answer.
    fn rest(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Broken>> {
        match self {
            Asks::Request(link, _) => link.poll_reuse(context).map(Ok),
            Asks::Pattern(session) => session.wire.stream().poll_rest(context),
        }
    }
}

impl Conversation for Talk {
    async fn play(&mut self, number: u64) -> Result<Played, Cut> {
        let request = match &self.asks {
            Asks::Request(_, request) => Some(Arc::clone(request)),
            Asks::Pattern(_) => None,
        };
        (self.node, self.status) = (NOBODY, 0);
        match request {
            Some(request) => self.ask(&request).await,
            None => self.follow(number).await,
        }
    }

    fn progress(&self) -> Progress {
        self.progress
    }

    fn peer_node(&self) -> u16 {
        self.node
    }

    fn status(&self) -> u16 {
        self.status
    }

    fn know_server(&mut self, name: &str) {
        if let Asks::Pattern(session) = &mut self.asks
            && *session.identity.server_name != *name
        {
            session.identity.server_name = name.into();
        }
    }

    fn speaks_first(&self) -> bool {
        true
    }

    fn most_at_once(&mut self) -> u64 {
        self.asks.link().most_at_once()
    }

    fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        match self.control.interrupted(context) {
            Some(Broken::TimedOut) if goes_on(&self.worker, &self.control, self.heard.get(), NEVER_DUE) => {}
            Some(broken) => return Poll::Ready(broken),
            None => {}
        }
        self.asks.link().poll_end(context)
    }

    fn quiet(&self) -> Quiet {
        let heard = self.heard.get().standing(self.control.stood_ns.get());
        match &self.asks {
            Asks::Request(..) => heard,
            Asks::Pattern(session) => heard.max(session.hush()),
        }
    }

    fn heard(&mut self) {
        self.hears();
        if let Asks::Pattern(session) = &mut self.asks {
            session.hears();
        }
    }

    fn may_end(&self) -> bool {
        true
    }

    fn step(&self, step: u32) -> (String, Option<Span>) {
        let span = self.worker.shared.plan.flows[self.identity.flow as usize].span;
        match &self.asks {
            Asks::Request(_, request) => (request.words.clone(), Some(span)),
            Asks::Pattern(_) if step == NO_STEP => ("the rest of the answer".to_owned(), Some(span)),
            Asks::Pattern(session) => session.program().step(step),
        }
    }

    fn close(self) -> Buffers {
        self.control.socket.set(None);
        Buffers::default()
    }
}

/// Whether a limit that is over was that of a connection over which others have heard something since; it is set anew then. `limit_ns`: the other limit, as it
/// would be if nothing had ever stood still.
fn goes_on(worker: &Worker, control: &Control, quiet: Quiet, limit_ns: i64) -> bool {
    let (now, stood_ns) = (worker.pacer.now_ns(), control.stood_ns.get());
    let (quiet, limit_ns) = (quiet.standing(stood_ns), limit_ns.saturating_add(stood_ns));
    let goes_on = now < limit_ns && quiet.broken(now).is_none();
    if goes_on {
        worker.limit(control, quiet.until(limit_ns));
    }
    goes_on
}

/// The answer is not what was asked for.
fn mismatch(what: String) -> Cut {
    Cut::Fault(Box::new(Fault { step: NO_STEP, what, end: ConnectionEnd::Mismatch, corruption: None }))
}

/// The node that says in its headers that it answers; [`NOBODY`]: none of ours.
pub fn node_of(worker: &Worker, headers: &HeaderMap) -> u16 {
    let Some(name) = headers.get(&NODE) else { return NOBODY };
    let node = worker.shared.plan.nodes.iter().position(|node| node.name.as_bytes() == name.as_bytes());
    node.and_then(|node| u16::try_from(node).ok()).unwrap_or(NOBODY)
}
