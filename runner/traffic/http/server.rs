//! The server's side: takes requests on a connection and answers them until the client ends it, or the service is stopped. In: an
//! accepted connection. Out: answers by path or by pattern, and what was wrong with requests, put down to the flow they belong to. Patterns
//! of several requests are played in `visit`.
//!
//! A service that is stopped ends its connections after their answer, which says so (`Connection: close`), and those that are idle
//! when requests on their way have had time to come.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::error::Error;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use nix::sys::socket::{MsgFlags, recv};
use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::ConnectionEnd;

use super::body::Outgoing;
use super::branch::WINDOW;
use super::check::{Check, Wrong};
use super::message::{MOST, Message};
use super::tasks::{Streams, Tasks};
use super::visit::{Answered, Visits};
use super::{CLOSES, NODE, form};
use crate::plan::http::is_single;
use crate::traffic::control::{Control, Order};
use crate::traffic::draw::Key;
use crate::traffic::frame::{Header, UNKNOWN_CONNECTION, UNKNOWN_FLOW, Way};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::session::{Cut, Fault, Identity, Session};
use crate::traffic::registry::Entry;
use crate::traffic::tls::Stream;
use crate::traffic::wire::{Buffers, Wire};
use crate::traffic::worker::Worker;

/// A service that is stopped answers what is on its way already: an idle connection ends this much later, ns.
const GRACE_NS: i64 = 10_000_000;

/// Requests of one connection of HTTP/2 that are under way at once; a flow asks no more.
pub(super) const MOST_STREAMS: u32 = 10_000;

/// One connection.
pub(super) struct Site {
    pub worker: Rc<Worker>,
    control: Rc<Control>,
    pub listener: usize,
    addresses: (SocketAddr, SocketAddr),
    socket: RawFd,
    entry: RefCell<Option<Arc<Entry>>>,
    /// Requests so far.
    number: Cell<u64>,
    /// Its requests are answered each by itself.
    single: bool,
    pub visits: Visits,
}

/// A body that was read.
pub(super) struct Read {
    pub bytes: Vec<u8>,
    wrong: Option<Wrong>,
    whose: (u16, u32),
}

/// Serves a connection to its end.
pub async fn serve(worker: &Rc<Worker>, listener: usize, control: &Rc<Control>, stream: Stream, addresses: (SocketAddr, SocketAddr)) {
    let socket = stream.socket();
    control.socket.set(Some(socket));
    let tasks = Tasks::default();
    let site = Rc::new(Site {
        worker: Rc::clone(worker),
        control: Rc::clone(control),
        listener,
        addresses,
        socket,
        entry: RefCell::default(),
        number: Cell::new(0),
        single: is_single(worker.shared.plan.listeners[listener].pattern.as_ref()),
        visits: Visits::new(tasks.clone()),
    });
    let service = service_fn(|request| {
        let site = Rc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    let mut builder = auto::Builder::new(tasks.clone());
    // A client that ended its side still gets its answer. An answer is what the file says it is: no date.
    builder.http1().half_close(true).title_case_headers(true).auto_date_header(false);
    builder.http2().auto_date_header(false).max_concurrent_streams(MOST_STREAMS);
    builder.http2().initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut streams = Streams::of(tasks);
    let over = poll_fn(|context| {
        control.register(context);
        match control.order() {
            Order::Go => match streams.go_on(connection.as_mut(), context) {
                Poll::Ready(ended) => {
                    ended.unwrap_or_else(|error| site.not_understood(error.as_ref()));
                    Poll::Ready(true)
                }
                Poll::Pending if site.visits.is_closing() => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            },
            order => Poll::Ready(order >= Order::Abort),
        }
    });
    if !over.await {
        let mut grace = pin!(worker.pacer.sleep_until(worker.pacer.now_ns().saturating_add(GRACE_NS)));
        let mut told = false;
        poll_fn(|context| {
            control.register(context);
            if control.order() >= Order::Abort || streams.go_on(connection.as_mut(), context).is_ready() {
                return Poll::Ready(());
            }
            // What the kernel has already is on its way to this task, which a busy worker has not told yet.
            let mut stays = || site.visits.are_under_way() || grace.as_mut().poll(context).is_pending() || has_come(socket);
            if told || (!site.visits.is_closing() && stays()) {
                return Poll::Pending;
            }
            // Of a connection on which nobody asked yet hyper would wait for the first request.
            if site.number.get() == 0 {
                return Poll::Ready(());
            }
            told = true;
            connection.as_mut().graceful_shutdown();
            streams.go_on(connection.as_mut(), context).map(|_| ())
        })
        .await;
    }
    site.recognise();
    site.visits.end(worker, control.order());
    poll_fn(|context| {
        streams.finish(context);
        Poll::Ready(())
    })
    .await;
    worker.sample(control);
    control.socket.set(None);
}

/// Something waits to be read.
fn has_come(socket: RawFd) -> bool {
    recv(socket, &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT).is_ok_and(|count| count > 0)
}

impl Site {
    /// Finds out whom it serves. Behind a proxy that is known of a request alone, if at all.
    fn recognise(&self) {
        if self.control.flow.get().is_some() {
            return;
        }
        let Some(entry) = self.worker.shared.registry.find(self.addresses.0, self.addresses.1) else { return };
        entry.backend.store(self.node(), Ordering::Relaxed);
        self.control.flow.set(Some(entry.flow as usize));
        self.control.connection.set(entry.connection);
        *self.entry.borrow_mut() = Some(entry);
    }

    /// What came is no request: it was answered with an error, and the connection ended.
    fn not_understood(&self, error: &(dyn Error + 'static)) {
        let (mut cause, mut version) = (Some(error), None);
        while let Some(error) = cause {
            if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
                version = Some("HTTP/1.1");
            }
            if error.downcast_ref::<h2::Error>().is_some_and(h2::Error::is_library) {
                version = Some("HTTP/2");
            }
            cause = error.source();
        }
        let Some(version) = version else { return };
        self.recognise();
        let whose = self.entry.borrow().as_ref().map_or((UNKNOWN_FLOW, UNKNOWN_CONNECTION), |entry| (entry.flow, entry.connection));
        let step = format!("request to {}", self.worker.shared.plan.listeners[self.listener].name);
        let fault = Fault { step: 0, what: format!("no request of {version}: {error}"), end: ConnectionEnd::Mismatch, corruption: None };
        self.worker.wrong(whose, (&step, None), Side::Server, fault);
    }

    fn node(&self) -> u16 {
        self.worker.shared.plan.listeners[self.listener].node.0 as u16
    }

    /// Who sends what way on this connection.
    pub fn header(&self, way: Way) -> Header {
        let entry = self.entry.borrow();
        let (flow, connection) = entry.as_ref().map_or((UNKNOWN_FLOW, UNKNOWN_CONNECTION), |entry| (entry.flow, entry.connection));
        Header { way, flow, run: self.worker.shared.run, connection, node: self.node(), sequence: 0, length: 0 }
    }

    /// Answers one request.
    async fn answer(self: &Rc<Self>, request: Request<Incoming>) -> Response<Outgoing> {
        self.recognise();
        let number = self.number.replace(self.number.get() + 1);
        let (mut head, body) = request.into_parts();
        // Of HTTP/2 the request itself says where it goes; below it is as one of HTTP/1.1.
        if let (Some(host), false) = (head.uri.authority(), head.headers.contains_key(HOST))
            && let Ok(host) = HeaderValue::from_str(host.as_str())
        {
            head.headers.insert(HOST, host);
        }
        let answers = self.worker.answers(self.listener);
        let keep = answers.is_none();
        let read = match self.read(&head, body, keep).await {
            Ok(read) => read,
            Err(status) => return self.signed(Answered::last(refusal(status)), head.version),
        };
        if let Some(wrong) = read.wrong {
            let fault = Fault { step: 0, what: wrong.2.clone(), end: ConnectionEnd::Mismatch, corruption: Some(wrong) };
            self.worker.wrong(read.whose, (&words(&head), None), Side::Server, fault);
            return self.signed(Answered::last(refusal(StatusCode::BAD_REQUEST)), head.version);
        }
        let answered = match answers {
            Some(answers) => Answered::last(answers.message(&head.method, &head.uri, self.header(Way::Back))),
            None if self.single => Answered::last(self.play(number, &head, read).await),
            None => self.visit(&head, read).await,
        };
        self.signed(answered, head.version)
    }

    /// Reads a request's body to its end.
    async fn read(&self, head: &Parts, mut body: Incoming, keep: bool) -> Result<Read, StatusCode> {
        let mut check = Check::new(&head.headers, self.header(Way::Forward));
        let mut bytes = Vec::new();
        while let Some(piece) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
            // A client that goes away in the midst of its request gets no answer; hyper knows.
            let Ok(piece) = piece.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
            check.take(&piece);
            if keep && bytes.len() + piece.len() > MOST {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            if keep {
                bytes.extend_from_slice(&piece);
            }
        }
        let whose = check.whose();
        Ok(Read { bytes, wrong: check.finish(), whose })
    }

    /// Plays the pattern's server on one request.
    async fn play(&self, number: u64, head: &Parts, read: Read) -> Response<Outgoing> {
        let identity = self.identity(read.whose);
        let (mut came, body) = (form::request_head(head), read.bytes.len());
        came.extend(read.bytes);
        let wire = Wire::new(Message::new(self.socket, came), Rc::clone(&self.control), Buffers::default());
        let mut session = Session::new(wire, self.worker.program(Side::Server, self.listener), Rc::clone(&self.worker), identity);
        session.ordered = false;
        let played = session.play(number).await;
        self.worker.limit(&self.control, NEVER_DUE);
        let fault = match played {
            Ok(_) if unread(&mut session, body) > 0 => {
                let what = format!("{} of {body} bytes of the request's body were not asked for", unread(&mut session, body));
                Box::new(Fault { step: u32::MAX, what, end: ConnectionEnd::Mismatch, corruption: None })
            }
            Ok(_) => match form::response(&session.wire.stream().said, &head.method) {
                Ok(answer) => return answer,
                Err(what) => Box::new(Fault { step: u32::MAX, what, end: ConnectionEnd::Mismatch, corruption: None }),
            },
            // The connection ends with the order.
            Err(Cut::Aborted) => return refusal(StatusCode::SERVICE_UNAVAILABLE),
            Err(Cut::Fault(fault)) => fault,
        };
        let (step, span) = session.program().step(fault.step);
        let step = if step.is_empty() { format!("answer to {}", words(head)) } else { step };
        self.worker.wrong((session.identity.flow, session.identity.connection), (&step, span), Side::Server, *fault);
        refusal(StatusCode::BAD_REQUEST)
    }

    /// This end of what is played with a client of this flow and connection.
    pub fn identity(&self, (flow, connection): (u16, u32)) -> Identity {
        let shared = &self.worker.shared;
        let key = self.entry.borrow().as_ref().map(|entry| Key::from_bits(entry.key));
        let client = shared.plan.flows.get(flow as usize).map_or("", |flow| shared.node_name(flow.from));
        Identity {
            run: shared.run,
            flow,
            connection,
            stream: 0,
            node: self.node(),
            key: key.unwrap_or_else(|| Key::of_seed(shared.plan.seed).part(u64::from(self.addresses.0.port()))),
            client_name: client.into(),
            server_name: shared.node_name(shared.plan.listeners[self.listener].node).into(),
            filling: None,
        }
    }

    /// Says who answers, and whether it is the last time: HTTP/2 says that of the connection, not in an answer.
    fn signed(&self, answered: Answered, version: Version) -> Response<Outgoing> {
        let ends = answered.closes || (answered.last && self.control.order() != Order::Go);
        let mut answer = answered.message;
        if version == Version::HTTP_2 {
            answer.headers_mut().remove(CONNECTION);
        } else if ends && answer.headers().get(CONNECTION).is_none_or(|said| said != "close") {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            answer.headers_mut().insert(CLOSES, HeaderValue::from_static("1"));
        }
        let shared = &self.worker.shared;
        let name = shared.node_name(shared.plan.listeners[self.listener].node);
        if let Ok(name) = HeaderValue::from_str(name) {
            answer.headers_mut().insert(&NODE, name);
        }
        answer
    }
}

/// Bytes of a request's body that a pattern has left. What it leaves of the head is as whoever is in between has made it.
fn unread(session: &mut Session<Message>, body: usize) -> usize {
    (session.wire.waiting().len() + session.wire.stream().left()).min(body)
}

/// A request in words: `GET /`.
pub(super) fn words(head: &Parts) -> String {
    format!("{} {}", head.method, head.uri.path_and_query().map_or("*", |target| target.as_str()))
}

/// An answer to what cannot be answered; a connection of HTTP/1.1 ends with it.
pub(super) fn refusal(status: StatusCode) -> Response<Outgoing> {
    let mut answer = Response::new(Outgoing::Bytes(Default::default()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
