//! Plays one side of a pattern over a connection, transaction by transaction. In: a program, a wire, an identity. Out: done, or
//! which step failed and how. What receiving means stands in `receive`.

use std::cell::Cell;
use std::fmt::Write as _;
use std::future::{Future as _, poll_fn};
use std::rc::Rc;
use std::sync::Arc;

use scn_grammar::scenario::pattern::{Close, Side, Varying};
use scn_reports::record::flow::{ConnectionEnd, CorruptionKind, NEVER};

use super::program::{Act, Operation, Piece, Program};
use crate::traffic::control::Broken;
use crate::traffic::ctraffic;
use crate::traffic::draw::Key;
use crate::traffic::frame::{Frame, Header, Way};
use crate::traffic::limits::{self, Quiet};
use crate::traffic::quic;
use crate::traffic::secrets;
use crate::traffic::tls::handshake;
use crate::traffic::told;
use crate::traffic::wire::{Transport, Wire};
use crate::traffic::worker::Worker;

/// A side that waits for the other, or for room to send, gives up after this long without `within`. The client alone; a server
/// waits as long as its client does.
pub const RESPONSE_LIMIT_NS: i64 = 10_000_000_000;
/// The longest filling; longer draws are cut to it.
pub const MOST_FILLING: u64 = 1 << 30;
/// Filling up to this length is copied together: that costs less than a list of its pieces.
const COMPOSED: usize = 4096;
/// Filling up to this length is sent by one write.
const IN_ONE: usize = 64 * 1024;
/// The part of the seed that draws of both sides come from.
pub(in crate::traffic) const SHARED: u64 = 0x7368_6172_6564;
/// So many bytes of what came are shown in a failure.
const SHOWN: usize = 64;

/// Who this end is, and whom it serves.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The run.
    pub run: u32,
    /// The flow; [`crate::traffic::frame::UNKNOWN_FLOW`] while it is not known.
    pub flow: u16,
    /// The connection, as the client numbers them.
    pub connection: u32,
    /// Which stream of the connection; 0: the first, or the connection has none.
    pub stream: u64,
    /// This end's node.
    pub node: u16,
    /// What draws depend on.
    pub key: Key,
    /// The client's node.
    pub client_name: Rc<str>,
    /// The server's node; empty while it is not known.
    pub server_name: Rc<str>,
    /// All its filling has this length, bytes, whatever the pattern says; `None`: what the pattern says.
    pub filling: Option<u64>,
}

impl Identity {
    /// The length of a filling: drawn, unless it is one for all.
    pub fn length(&self, key: Key, size: &Varying) -> u64 {
        self.filling.unwrap_or_else(|| key.draw(size)).min(MOST_FILLING)
    }
}

/// A transaction that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// The connection can carry the next one.
    Open,
    /// The pattern ended the connection.
    Closed,
}

/// Why one was not.
#[derive(Debug)]
pub enum Cut {
    /// Ordered.
    Aborted,
    /// Not as the pattern says.
    Fault(Box<Fault>),
}

/// What was not as the pattern says.
#[derive(Debug)]
pub struct Fault {
    /// The step, as a position in the program's.
    pub step: u32,
    /// What happened.
    pub what: String,
    /// What it means for the connection.
    pub end: ConnectionEnd,
    /// Wrong content: sort, offset, in words.
    pub corruption: Option<(CorruptionKind, u32, String)>,
}

/// What this side sent last.
#[derive(Debug, Clone, Copy)]
pub(in crate::traffic) enum Sent {
    Nothing,
    Frame(Frame),
    Text,
}

/// What one transaction moved so far.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// When the first byte was handed to the kernel; [`NEVER`]: not yet.
    pub sent_ns: i64,
    /// Payload sent, bytes.
    pub sent_bytes: u64,
    /// Payload received, bytes.
    pub received_bytes: u64,
}

/// One side of one connection.
pub struct Session<S> {
    /// The connection.
    pub wire: Wire<S>,
    /// Who.
    pub identity: Identity,
    /// The node in the last header that came; `u16::MAX`: none.
    pub peer_node: u16,
    /// Of the transaction that is played, or was last.
    pub progress: Progress,
    /// A client waits so long for each answer, ns.
    pub patience_ns: i64,
    /// How long nothing may come, and when something last came.
    pub quiet: Quiet,
    /// The same of all who share its connection, which somebody else watches; `None`: it has one of its own.
    pub company: Option<Rc<Cell<Quiet>>>,
    /// Transactions so far, where a stream of a connection counts its own; `None`: who plays them counts.
    pub own_count: Option<u64>,
    /// Messages of filling are numbered over the whole connection, and come in this order.
    pub ordered: bool,
    pub(super) program: Rc<Program>,
    /// The worker that it runs on.
    pub worker: Rc<Worker>,
    pub(super) incoming: u64,
    /// The last byte that was taken.
    pub(super) last_taken: u8,
    pub(super) captures: Vec<Vec<u8>>,
    pub(super) held: Vec<u8>,
    pub(super) sent: Sent,
    pub(super) sent_text: Vec<u8>,
    /// On ctraffic's wire: what the server calls itself; `None`: it has not answered yet.
    pub(super) called: Option<Vec<u8>>,
    outgoing: u64,
    loops: Vec<u64>,
    /// Draws of this transaction that both sides make.
    shared_draws: u64,
    half_closed: bool,
    /// Something has come in the step that receives now.
    pub(super) came: bool,
    /// Where each step is told: the first bytes of what this one sent or took.
    pub(super) seen: String,
}

impl<S: Transport> Session<S> {
    /// A session on a new connection.
    pub fn new(wire: Wire<S>, program: Rc<Program>, worker: Rc<Worker>, identity: Identity) -> Session<S> {
        Session {
            wire,
            identity,
            peer_node: u16::MAX,
            progress: Progress { sent_ns: NEVER, sent_bytes: 0, received_bytes: 0 },
            patience_ns: RESPONSE_LIMIT_NS,
            quiet: Quiet::ENDLESS,
            company: None,
            own_count: None,
            ordered: true,
            captures: vec![Vec::new(); program.captures],
            program,
            worker,
            incoming: 0,
            last_taken: 0,
            held: Vec::new(),
            sent: Sent::Nothing,
            sent_text: Vec::new(),
            called: None,
            outgoing: 0,
            loops: Vec::new(),
            shared_draws: 0,
            half_closed: false,
            came: false,
            seen: String::new(),
        }
    }

    /// The program that it plays.
    pub fn program(&self) -> &Rc<Program> {
        &self.program
    }

    /// How long nothing may come over its connection, and when something last came. The time in which it stood still does not count.
    pub fn hush(&self) -> Quiet {
        self.company.as_ref().map_or(self.quiet, |company| company.get()).standing(self.stood_ns())
    }

    /// For how long it has stood still in all, ns.
    pub(super) fn stood_ns(&self) -> i64 {
        self.wire.control().stood_ns.get()
    }

    /// Something has come; the clock is asked only if that matters.
    pub fn hears(&mut self) {
        let stood_ns = self.stood_ns();
        self.quiet.heard(|| self.worker.pacer.now_ns(), stood_ns);
        if let Some(company) = &self.company {
            let mut quiet = company.get();
            quiet.heard(|| self.worker.pacer.now_ns(), stood_ns);
            company.set(quiet);
        }
    }

    /// Numbers the messages of filling from 0 again.
    pub fn start_over(&mut self) {
        self.incoming = 0;
        self.outgoing = 0;
        self.peer_node = u16::MAX;
    }

    /// Forgets the transaction before.
    fn begin(&mut self, program: &Program) {
        self.progress = Progress { sent_ns: NEVER, sent_bytes: 0, received_bytes: 0 };
        if !program.speaks_first && program.side == Side::Client {
            // The server speaks first: the transaction is under way as soon as this side waits for it.
            self.progress.sent_ns = self.worker.pacer.now_ns();
            self.worker.transaction_sent(self.identity.flow);
        }
        self.captures.iter_mut().for_each(Vec::clear);
        self.loops.clear();
        self.shared_draws = 0;
    }

    /// Plays one transaction; `number` counts those of the connection from 0.
    pub async fn play(&mut self, number: u64) -> Result<Played, Cut> {
        let number = match &mut self.own_count {
            Some(count) => std::mem::replace(count, *count + 1),
            None => number,
        };
        let program = Rc::clone(&self.program);
        self.begin(&program);
        let key = self.identity.key.part(number);
        let (mut at, mut turn) = (if number == 0 { 0 } else { program.later }, 0u64);
        while let Some(operation) = program.operations.get(at) {
            at += 1;
            turn += 1;
            match &operation.act {
                Act::Loop(count, end) => match self.rounds(operation, count, number).await? {
                    0 => at = *end,
                    count => self.loops.push(count),
                },
                Act::Choose(ways) => at = self.way(operation, ways, number).await?,
                Act::Jump(to) => at = *to,
                Act::Again(begin) => {
                    if let Some(left) = self.loops.last_mut() {
                        *left -= 1;
                        if *left > 0 {
                            at = *begin;
                        } else {
                            self.loops.pop();
                        }
                    }
                }
                Act::Pause(duration) => {
                    let pause = i64::try_from(key.part(turn).draw(duration)).unwrap_or(i64::MAX);
                    self.tell(operation, || format!("pauses {}", limits::in_words(pause)));
                    self.pause(operation, pause, at).await?;
                }
                Act::Close(Close::Half) => {
                    self.half_closed = true;
                    self.wire.end_sending().await.map_err(|broken| self.fault(operation, broken))?;
                }
                Act::Close(how) => {
                    self.tell(operation, || "closes".to_owned());
                    if *how == Close::Reset {
                        self.wire.abort();
                    }
                    return Ok(Played::Closed);
                }
                Act::PeerCloses(how) => {
                    self.take_end(operation, *how).await?;
                    if *how != Close::Half {
                        return Ok(Played::Closed);
                    }
                }
                act if act.is_receiving() => {
                    let before = self.progress.received_bytes;
                    self.take(operation).await?;
                    self.tell_bytes(operation, "received", self.progress.received_bytes - before);
                }
                _ => {
                    let before = self.progress.sent_bytes;
                    self.say(operation, key.part(turn)).await?;
                    self.tell_bytes(operation, "sent", self.progress.sent_bytes - before);
                }
            }
        }
        if turn > 0 && self.progress.sent_bytes == 0 && self.progress.received_bytes == 0 {
            // A transaction that moves nothing must not keep the worker to itself.
            tokio::task::yield_now().await;
        }
        Ok(if self.half_closed || self.wire.ended { Played::Closed } else { Played::Open })
    }

    /// Tells a step, where each is told.
    fn tell(&self, operation: &Operation, what: impl FnOnce() -> String) {
        self.worker.tell_step(self.identity.flow as usize, || {
            let side = if self.program.side == Side::Client { "client" } else { "server" };
            format!("{side} {}  [{}]", what(), self.program.step(operation.step).0)
        });
    }

    /// Tells how much a step moved.
    fn tell_bytes(&mut self, operation: &Operation, verb: &str, bytes: u64) {
        let seen = std::mem::take(&mut self.seen);
        let seen = if seen.is_empty() { seen } else { format!(": {seen}") };
        self.tell(operation, || format!("{verb} {bytes}B{seen}"));
    }

    /// Carries a sending operation out.
    async fn say(&mut self, operation: &Operation, key: Key) -> Result<(), Cut> {
        if self.wire.stream().speaks() {
            self.wire.pass_over();
        }
        match &operation.act {
            Act::SendFrame(size) => return self.send_frame(operation, self.identity.length(key, size).max(1) as u32).await,
            Act::SendFile(content) => {
                let content = Arc::clone(content);
                return self.send_file(operation, &content).await;
            }
            Act::SendText(pieces) => self.compose(pieces),
            Act::SendBlank(size) => {
                let size = key.draw(size).clamp(ctraffic::NAME_ROOM as u64, MOST_FILLING);
                self.wire.outgoing.clear();
                self.wire.outgoing.extend_from_slice(self.called.as_deref().unwrap_or_default());
                self.wire.outgoing.resize(size as usize, 0);
            }
            _ => {
                self.wire.outgoing.clear();
                self.wire.outgoing.extend_from_slice(&self.held);
                if matches!(operation.act, Act::SendNamed) {
                    ctraffic::write_name(&self.identity.server_name, &mut self.wire.outgoing);
                }
            }
        }
        self.send_composed(operation).await
    }

    /// Waits, and goes on at an operation then: a message that is whole by then does not wait.
    async fn pause(&mut self, operation: &Operation, pause_ns: i64, next: usize) -> Result<(), Cut> {
        if S::MESSAGES && !self.program.sends_next(next) {
            self.listen(operation)?;
        }
        let until = self.worker.pacer.now_ns().saturating_add(pause_ns);
        let (control, worker) = (Rc::clone(self.wire.control()), Rc::clone(&self.worker));
        let mut rest = std::pin::pin!(worker.rest(&control, until));
        let rested = poll_fn(|context| {
            self.wire.stream().carry_on(context);
            rest.as_mut().poll(context)
        });
        if rested.await { Ok(()) } else { Err(Cut::Aborted) }
    }

    /// What this side has said is a whole message.
    pub(super) fn listen(&mut self, operation: &Operation) -> Result<(), Cut> {
        let untaken = self.wire.waiting().len();
        match self.wire.stream().listens(untaken) {
            Ok(false) => Ok(()),
            Ok(true) => {
                self.wire.pass_over();
                Ok(())
            }
            Err(what) => {
                let fault = Fault { step: operation.step, what, end: ConnectionEnd::Mismatch, corruption: None };
                Err(Cut::Fault(Box::new(fault)))
            }
        }
    }

    /// How often a loop goes round.
    async fn rounds(&mut self, operation: &Operation, count: &Varying, number: u64) -> Result<u64, Cut> {
        if let Varying::Fixed(count) = count {
            return Ok(*count);
        }
        Ok(self.shared_key(operation, number).await?.draw(count).min(count.most()))
    }

    /// The operation at which a choice goes on.
    async fn way(&mut self, operation: &Operation, ways: &[(u64, usize)], number: u64) -> Result<usize, Cut> {
        let drawn = self.shared_key(operation, number).await?.draw(&Varying::Uniform(0, 999_999_999));
        let way = ways.iter().find(|(up_to, _)| drawn < *up_to).or(ways.last());
        Ok(way.map_or(usize::MAX, |(_, start)| *start))
    }

    /// The key of the next draw that both sides make and that must come out alike.
    async fn shared_key(&mut self, operation: &Operation, number: u64) -> Result<Key, Cut> {
        self.know_the_client(operation).await?;
        self.shared_draws += 1;
        let Identity { flow, connection, stream, .. } = self.identity;
        let connection = Key::of_seed(self.worker.shared.plan.seed).part(SHARED).part(u64::from(flow)).part(u64::from(connection));
        let stream = if stream == 0 { connection } else { connection.part(SHARED).part(stream) };
        Ok(stream.part(number).part(self.shared_draws))
    }

    async fn send_file(&mut self, operation: &Operation, content: &[u8]) -> Result<(), Cut> {
        self.sent = Sent::Text;
        if self.program.compares {
            self.sent_text.clear();
            self.sent_text.extend_from_slice(content);
        }
        for piece in content.chunks(IN_ONE) {
            self.begin_send();
            self.wire.send(piece).await.map_err(|broken| self.fault(operation, broken))?;
        }
        self.progress.sent_bytes += content.len() as u64;
        Ok(())
    }

    async fn send_frame(&mut self, operation: &Operation, length: u32) -> Result<(), Cut> {
        let way = if self.program.side == Side::Client { Way::Forward } else { Way::Back };
        let Identity { run, flow, connection, node, .. } = self.identity;
        let frame = Frame::new(&Header { way, flow, run, connection, node, sequence: self.outgoing, length });
        self.outgoing += 1;
        self.sent = Sent::Frame(frame);
        let sent = if frame.length() > COMPOSED && self.wire.takes_pieces() {
            self.send_pieces(&frame).await
        } else {
            self.send_copied(&frame).await
        };
        sent.map_err(|broken| self.fault(operation, broken))?;
        self.progress.sent_bytes += frame.length() as u64;
        Ok(())
    }

    /// Sends a message from where its bytes lie.
    async fn send_pieces(&mut self, frame: &Frame) -> Result<(), Broken> {
        let mut at = 0;
        while at < frame.length() {
            self.begin_send();
            at += self.wire.send_some(frame, at).await?;
        }
        self.wire.flush().await
    }

    /// Sends a message whose beginning is put together first: as one piece, where pieces are seen.
    async fn send_copied(&mut self, frame: &Frame) -> Result<(), Broken> {
        let mut at = frame.length().min(IN_ONE);
        self.wire.outgoing.clear();
        frame.append(0, at, &mut self.wire.outgoing);
        self.begin_send();
        self.wire.send_outgoing().await?;
        while at < frame.length() {
            self.begin_send();
            let piece = frame.piece(at);
            self.wire.send(piece).await?;
            at += piece.len();
        }
        Ok(())
    }

    /// Sends what stands in the outgoing buffer.
    async fn send_composed(&mut self, operation: &Operation) -> Result<(), Cut> {
        self.sent = Sent::Text;
        if self.program.compares {
            self.sent_text.clear();
            self.sent_text.extend_from_slice(&self.wire.outgoing);
        }
        self.begin_send();
        if self.worker.is_looked_at() {
            self.seen = told::payload(&self.wire.outgoing);
        }
        self.wire.send_outgoing().await.map_err(|broken| self.fault(operation, broken))?;
        self.progress.sent_bytes += self.wire.outgoing.len() as u64;
        Ok(())
    }

    fn begin_send(&mut self) {
        let now = self.worker.pacer.now_ns();
        if self.progress.sent_ns == NEVER {
            self.progress.sent_ns = now;
            if self.program.side == Side::Client {
                self.worker.transaction_sent(self.identity.flow);
            }
        }
        let quiet = self.quiet.standing(self.stood_ns());
        self.worker.limit(self.wire.control(), quiet.until(now.saturating_add(self.patience_ns)));
    }

    fn compose(&mut self, pieces: &[Piece]) {
        compose(pieces, &self.captures, &self.identity, &mut self.wire.outgoing);
    }

    /// What a broken wait means in a step.
    pub(super) fn fault(&self, operation: &Operation, broken: Broken) -> Cut {
        let seen = if self.wire.waiting().is_empty() { String::new() } else { format!(" after {}", shown(self.wire.waiting())) };
        let (what, end) = match broken {
            Broken::Aborted => return Cut::Aborted,
            Broken::Eof => (format!("the peer closed the connection{seen}"), ConnectionEnd::EarlyClose),
            Broken::TimedOut => {
                if let Some(what) = self.hush().broken(self.worker.pacer.now_ns()) {
                    return Cut::Fault(Box::new(Fault { step: operation.step, what, end: ConnectionEnd::Timeout, corruption: None }));
                }
                let limit = operation.within_ns.map_or(self.response_limit(), |within| i64::try_from(within).unwrap_or(i64::MAX));
                let limit = scn_grammar::quantity::Quantity::new(scn_grammar::quantity::Dimension::Duration, limit);
                let what = match (seen.is_empty(), self.came, operation.within_ns) {
                    (false, ..) => format!("no more{seen} within {limit}"),
                    (true, true, Some(_)) => format!("not all of it came within {limit}"),
                    (true, true, None) => format!("the rest of it did not come: nothing within {limit}"),
                    (true, false, _) => format!("nothing came within {limit}"),
                };
                (what, ConnectionEnd::Timeout)
            }
            Broken::Io(error) => {
                let end = end_of(&error);
                (format!("{}{seen}", in_words(end, &error)), end)
            }
        };
        Cut::Fault(Box::new(Fault { step: operation.step, what, end, corruption: None }))
    }

    /// The limit of a step that says none, ns.
    pub(super) fn response_limit(&self) -> i64 {
        match self.program.side {
            Side::Client => self.patience_ns.saturating_add(self.program.allowance_ns),
            Side::Server => i64::MAX,
        }
    }

    /// What came is not what was waited for.
    pub(super) fn mismatch(&self, operation: &Operation, got: &[u8]) -> Cut {
        Cut::Fault(Box::new(Fault {
            step: operation.step,
            what: format!("got {}", shown(got)),
            end: ConnectionEnd::Mismatch,
            corruption: None,
        }))
    }
}

/// Fills a text's holes.
pub(in crate::traffic) fn compose(pieces: &[Piece], captures: &[Vec<u8>], identity: &Identity, to: &mut Vec<u8>) {
    to.clear();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) => to.extend_from_slice(bytes),
            Piece::ClientName => to.extend_from_slice(identity.client_name.as_bytes()),
            Piece::ServerName => to.extend_from_slice(identity.server_name.as_bytes()),
            Piece::Capture(name) => to.extend_from_slice(captures.get(*name).map_or(&[], Vec::as_slice)),
        }
    }
}

/// The first bytes of something, in quotes and escaped, without what is secret in them.
pub(in crate::traffic) fn shown(bytes: &[u8]) -> String {
    let mut text = format!("\"{}\"", secrets::first_masked(bytes, SHOWN).escape_ascii());
    if bytes.len() > SHOWN {
        let _ = write!(text, " and {} bytes more", bytes.len() - SHOWN);
    }
    text
}

/// How an error of an established connection ends it.
pub fn end_of(error: &std::io::Error) -> ConnectionEnd {
    if let Some(gone) = quic::told(error) {
        return gone.end();
    }
    match error.raw_os_error() {
        Some(libc::ECONNRESET | libc::EPIPE | libc::ECONNABORTED) => ConnectionEnd::Reset,
        Some(libc::ETIMEDOUT) => ConnectionEnd::Timeout,
        Some(libc::EHOSTUNREACH | libc::ENETUNREACH | libc::ENETDOWN | libc::EHOSTDOWN) => ConnectionEnd::Unreachable,
        Some(libc::ECONNREFUSED) => ConnectionEnd::Refused,
        // Not the kernel's word: that of TLS, or what came has not the form that it must have.
        None if handshake::told(error).is_some() => ConnectionEnd::Tls,
        None if error.kind() == std::io::ErrorKind::InvalidData => ConnectionEnd::Mismatch,
        _ => ConnectionEnd::Other,
    }
}

/// The same in words.
pub fn in_words(end: ConnectionEnd, error: &std::io::Error) -> String {
    match end {
        _ if quic::told(error).is_some() => error.to_string(),
        ConnectionEnd::Reset => "connection reset by the peer".to_owned(),
        ConnectionEnd::Timeout => "the kernel gave up: no acknowledgement came".to_owned(),
        ConnectionEnd::Unreachable => "the network said: unreachable".to_owned(),
        ConnectionEnd::Refused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}
