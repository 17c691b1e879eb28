//! A place's connection of QUIC: its handshake, its streams side by side, its end. In: a UDP socket from the lab. Out: how the connection ended. What was said last is let
//! arrive beside the connection's successor, as a kernel does for TCP.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::task::Poll;

use scn_grammar::scenario::pattern::Side;
use scn_reports::record::flow::ConnectionEnd;

use super::connect::{Refusal, refusal};
use super::{Open, Place};
use crate::traffic::control::{Broken, Control, Order};
use crate::traffic::conversation::Conversation as _;
use crate::traffic::datagram::Options;
use crate::traffic::limits::{self, Quiet};
use crate::traffic::origins;
use crate::traffic::pattern::session::{Identity, Session};
use crate::traffic::quic::{self, LINGER_NS, Link, Opening, SETTLE_NS};
use crate::traffic::tls;
use crate::traffic::wire::{Buffers, Wire};

impl Place<'_> {
    /// Opens a connection; `Err(None)`: it was told to give up.
    pub(super) async fn shake_hands(&self, socket: OwnedFd, open: &mut Open) -> Result<Link, Option<Refusal>> {
        let (worker, flow) = (self.worker, self.run.flow);
        let planned = &worker.shared.plan.flows[flow];
        let failed = |error: io::Error| Some(refusal(&error));
        let (Some(client), Some(config)) = (worker.tls.client(flow), worker.quic.client(flow)) else {
            return Err(failed(io::Error::other("there is no configuration of QUIC for it")));
        };
        let options = Options::of_flow(&planned.transport);
        options.set(&socket, self.target.is_ipv6()).map_err(failed)?;
        origins::bind(planned, &socket, self.target.is_ipv6(), open.number).map_err(failed)?;
        let socket = socket2::Socket::from(socket);
        self.connect_and_tell(&socket, open).map_err(failed)?;
        let dscp = options.dscp.unwrap_or_default();
        let mut opening = Opening::begin(socket.into(), dscp, config, self.target, &client.name()).map_err(failed)?;
        let limit_ns = limits::connect(planned);
        worker.limit(self.control, worker.pacer.now_ns().saturating_add(limit_ns));
        let shaken = poll_fn(|context| match self.control.interrupted(context) {
            // An order to close is reason enough to give up an attempt.
            None if self.control.order() != Order::Go => Poll::Ready(Err(Broken::Aborted)),
            None => opening.poll(context).map_err(Broken::Io),
            Some(broken) => Poll::Ready(Err(broken)),
        })
        .await;
        match shaken {
            Ok(connection) => Ok(opening.link(connection)),
            Err(broken) => {
                if !self.control.is_killed() {
                    opening.give_up().await;
                }
                Err(self.no_handshake(broken, client, limit_ns))
            }
        }
    }

    /// Why there is no connection.
    fn no_handshake(&self, broken: Broken, client: &tls::Client, limit_ns: i64) -> Option<Refusal> {
        let error = match broken {
            Broken::Aborted => return None,
            Broken::TimedOut | Broken::Eof => {
                let what = format!("no handshake was done within {}", limits::in_words(limit_ns));
                return Some(Refusal { step: None, end: ConnectionEnd::ConnectTimeout, what });
            }
            Broken::Io(error) => error,
        };
        let Some(gone) = quic::told(&error) else { return Some(refusal(&error)) };
        let step = || Some(client.step_of("QUIC", self.target));
        let what = if gone.is_of_certificate() { client.with_places(gone.to_string()) } else { gone.to_string() };
        Some(match gone.end() {
            ConnectionEnd::Timeout => Refusal { step: None, end: ConnectionEnd::ConnectTimeout, what },
            ConnectionEnd::Refused => Refusal { step: None, end: ConnectionEnd::Refused, what },
            end => Refusal { step: step(), end, what },
        })
    }

    /// Transactions on the streams of an established connection, until it ends.
    pub(super) async fn over_quic(&mut self, mut link: Link, open: &Open, identity: &Identity, quiet: Quiet) -> ConnectionEnd {
        let (worker, flow) = (self.worker, self.run.flow);
        let planned = &worker.shared.plan.flows[flow];
        let program = worker.program(Side::Client, flow);
        let controls = self.controls(open, quic::streams(planned));
        let streams = match link.streams(controls.len(), program.speaks_first) {
            Ok(streams) => streams,
            Err(error) => {
                open.others.borrow_mut().clear();
                link.close().await;
                return self.lane(open).idle_break(Broken::Io(error), Quiet::ENDLESS);
            }
        };
        let company = (controls.len() > 1).then(|| Rc::new(Cell::new(quiet)));
        let talks = controls.iter().zip(streams).zip(0..).map(|((control, stream), number)| {
            control.connection.set(open.number);
            let wire = Wire::new(stream, Rc::clone(control), Buffers::default());
            let identity = Identity { stream: number, ..identity.clone() };
            let mut session = Session::new(wire, Rc::clone(&program), Rc::clone(worker), identity);
            session.patience_ns = limits::response(planned);
            match &company {
                Some(company) => session.company = Some(Rc::clone(company)),
                None => session.quiet = quiet,
            }
            session.own_count = Some(0);
            session
        });
        let carry = |context: &mut std::task::Context<'_>| {
            link.poll(context);
            Poll::Pending
        };
        let done = self.side_by_side(open, &controls, talks.collect(), carry).await;
        let end = self.closes(open);
        done.into_iter().for_each(|talk| drop(talk.close()));
        // Who was told to end at once, or with everything else, waits for nothing.
        if end == ConnectionEnd::Closed && self.control.order() < Order::Abort && !worker.finishing.get() {
            self.linger(link);
        } else if !self.control.is_killed() {
            link.close().await;
        }
        end
    }

    /// Closes a connection when all that was said on it has arrived, and its socket when what was on its way has come: a port that is closed at once would answer
    /// that with errors.
    fn linger(&self, mut link: Link) {
        let control = Rc::new(Control::new(self.run.role(), None));
        let member = self.worker.enlist(&control);
        let worker = Rc::clone(self.worker);
        self.worker.spawn(async move {
            let lingering = async {
                worker.limit(&control, worker.pacer.now_ns().saturating_add(SETTLE_NS));
                poll_fn(|context| {
                    if control.interrupted(context).is_some() {
                        return Poll::Ready(());
                    }
                    link.poll(context);
                    link.poll_settled(context)
                })
                .await;
                if control.is_killed() {
                    return;
                }
                link.close().await;
                worker.limit(&control, worker.pacer.now_ns().saturating_add(LINGER_NS));
                poll_fn(|context| {
                    if control.interrupted(context).is_some() {
                        return Poll::Ready(());
                    }
                    link.poll(context);
                    if link.is_drained() { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            };
            control.carry(lingering).await;
            worker.dismiss(member);
        });
    }
}
