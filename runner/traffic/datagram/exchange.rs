//! One transaction of a datagram flow as one end plays it: a datagram for each message. In: a program, what came, the time. Out:
//! datagrams to be sent, or what was not as the pattern says. Waits for nothing itself: whoever holds the socket plays on when a
//! datagram has come or a time is over.
//!
//! What receiving means stands in `take`.

use std::sync::Arc;

use scn_grammar::scenario::pattern::{Side, Varying};
use scn_reports::record::flow::{ConnectionEnd, CorruptionKind, NEVER};

use super::post::Post;
use crate::traffic::ctraffic;
use crate::traffic::draw::Key;
use crate::traffic::frame::{Frame, Header, Way};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::pattern::program::{Act, Operation, Program};
use crate::traffic::pattern::session::{Fault, Identity, MOST_FILLING, SHARED, Sent, compose};
use crate::traffic::registry::Told;

/// Messages of one transaction in one direction: a message's number is the transaction's times this, and its place in it.
pub const MESSAGES: u64 = 1 << 24;
/// Messages of one transaction that came before their turn and wait for it.
const MOST_EARLY: usize = 64;

/// What both ends of a lane know.
pub struct Stage<'a> {
    /// What is played.
    pub program: &'a Program,
    /// Who plays it, and for whom.
    pub identity: &'a Identity,
    /// The run's seed.
    pub seed: u64,
    /// Now.
    pub now_ns: i64,
    /// How long a step waits that does not say it, ns; `i64::MAX`: as long as it takes.
    pub limit_ns: i64,
}

/// What a transaction needs to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A datagram, or its time to be over.
    Message,
    /// Its pause to be over.
    Time,
    /// Nothing: it has done all.
    Nothing,
}

/// A transaction under way. Used again for the next one, so that its buffers are allocated once.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Its number on the lane.
    pub number: u64,
    /// Of a flow to a group: the place of the receiver that it is with.
    pub receiver: u32,
    /// When it was meant to start, ns.
    pub intended_ns: i64,
    /// How late it was released, ns.
    pub lag_ns: u32,
    /// When its first datagram was handed to the kernel, ns; [`NEVER`]: not yet.
    pub sent_ns: i64,
    /// When the last datagram that nothing has answered was sent, ns; [`NEVER`]: there is none.
    pub asked_ns: i64,
    /// Payload sent, bytes.
    pub sent_bytes: u64,
    /// Payload received, bytes.
    pub received_bytes: u64,
    /// When its wait or pause is over, ns; [`NEVER_DUE`]: never, or not until the kernel has what it sent.
    pub wake_ns: i64,
    /// How long its wait for a message may take, ns; `i64::MAX`: as long as it takes.
    limit_ns: i64,
    /// When that would be over had the wait begun when what it sent was written, ns.
    expires_ns: i64,
    /// What it needs to go on.
    pub next: Next,
    /// The last that it did was to send: only the other end knows that it is over.
    pub sent_last: bool,
    /// The node in the last header that came; `u16::MAX`: none.
    pub peer_node: u16,
    /// Messages that came, or are taken out of `early`.
    pub incoming: u32,
    /// Messages that it sent.
    pub outgoing: u32,
    /// Of them, those that the kernel has.
    gone: u32,
    /// The server's word that it has all, which came in a pause.
    pub told: Option<Told>,
    /// Messages before their turn.
    early: Vec<(u32, Vec<u8>)>,
    /// The header of the message in hand, while nothing of that is taken.
    pub(super) header: Option<Header>,
    at: usize,
    turn: u64,
    shared_draws: u64,
    loops: Vec<u64>,
    pub(super) captures: Vec<Vec<u8>>,
    pub(super) held: Vec<u8>,
    pub(super) sent: Sent,
    pub(super) sent_text: Vec<u8>,
    text: Vec<u8>,
    /// Bytes of a count that are still to come.
    pub(super) left: u64,
    /// What is left of a message must be taken by the next step.
    pub(super) strict: bool,
}

impl Exchange {
    /// A place for transactions of a program.
    pub fn new(program: &Program) -> Box<Exchange> {
        Box::new(Exchange {
            number: 0,
            receiver: 0,
            intended_ns: NEVER,
            lag_ns: 0,
            sent_ns: NEVER,
            asked_ns: NEVER,
            sent_bytes: 0,
            received_bytes: 0,
            wake_ns: NEVER_DUE,
            limit_ns: i64::MAX,
            expires_ns: NEVER_DUE,
            next: Next::Nothing,
            sent_last: false,
            peer_node: u16::MAX,
            incoming: 0,
            outgoing: 0,
            gone: 0,
            told: None,
            early: Vec::new(),
            header: None,
            at: 0,
            turn: 0,
            shared_draws: 0,
            loops: Vec::new(),
            captures: vec![Vec::new(); program.captures],
            held: Vec::new(),
            sent: Sent::Nothing,
            sent_text: Vec::new(),
            text: Vec::new(),
            left: 0,
            strict: false,
        })
    }

    /// Forgets the transaction before.
    pub fn begin(&mut self, number: u64, intended_ns: i64, lag_ns: u32) {
        (self.number, self.receiver, self.intended_ns, self.lag_ns) = (number, 0, intended_ns, lag_ns);
        (self.sent_ns, self.asked_ns, self.wake_ns) = (NEVER, NEVER, NEVER_DUE);
        (self.sent_bytes, self.received_bytes, self.next, self.sent_last) = (0, 0, Next::Nothing, false);
        (self.peer_node, self.incoming, self.outgoing) = (u16::MAX, 0, 0);
        (self.gone, self.told) = (0, None);
        (self.at, self.turn, self.shared_draws, self.left, self.strict) = (0, 0, 0, 0, false);
        self.sent = Sent::Nothing;
        self.early.clear();
        self.loops.clear();
        self.captures.iter_mut().for_each(Vec::clear);
    }

    /// Takes a message in that is not the next one, or comes in a pause; `false`: it was there before, or there is no room for it.
    pub fn keep(&mut self, place: u32, message: &[u8]) -> bool {
        let room = self.early.len() < MOST_EARLY && place >= self.incoming && self.early.iter().all(|(known, _)| *known != place);
        if room {
            self.early.push((place, message.to_vec()));
        }
        room
    }

    /// A message of it was handed to the kernel. `true`: it was the last that is written, and the limit begins of what it waits for: an answer or,
    /// where none follows, the other end's word, which may take `limit_ns`.
    pub fn handed(&mut self, place: u32, at_ns: i64, limit_ns: i64) -> bool {
        if self.sent_ns == NEVER {
            self.sent_ns = at_ns;
        }
        self.asked_ns = at_ns;
        self.gone = self.gone.max(place + 1);
        let limit_ns = match self.next {
            Next::Message if self.limit_ns < i64::MAX => self.limit_ns,
            Next::Nothing => limit_ns,
            Next::Message | Next::Time => return false,
        };
        let waits = place + 1 == self.outgoing;
        if waits {
            self.wake_ns = at_ns.saturating_add(limit_ns);
        }
        waits
    }

    /// It waits for a message: the limit begins when the kernel has what this answers. Of a server's nobody asks.
    fn await_message(&mut self, stage: &Stage<'_>, operation: &Operation) {
        self.limit_ns = limit(stage, Some(operation));
        let over_ns = if self.limit_ns == i64::MAX { NEVER_DUE } else { stage.now_ns.saturating_add(self.limit_ns) };
        self.wake_ns = if self.gone < self.outgoing { NEVER_DUE } else { over_ns };
        (self.expires_ns, self.next) = (over_ns, Next::Message);
    }

    /// When it was too long to wait for the kernel, which has nothing of it yet, ns; [`NEVER_DUE`]: it waits on.
    pub fn expires_ns(&self) -> i64 {
        if self.next == Next::Message && self.is_unsent() { self.expires_ns } else { NEVER_DUE }
    }

    /// It has written what it sends, and the kernel has nothing of that.
    pub fn is_unsent(&self) -> bool {
        self.outgoing > 0 && self.gone == 0
    }

    /// It waits for the word of what the kernel has had since before a pause: the limit began then.
    pub fn await_word(&mut self, limit_ns: i64) {
        if self.gone >= self.outgoing {
            self.wake_ns = self.asked_ns.saturating_add(limit_ns);
        }
    }

    /// Plays on with the next message, and its header if that was decoded.
    ///
    /// # Errors
    /// What was not as the pattern says.
    pub fn receive(&mut self, stage: &Stage<'_>, (message, header): (&[u8], Option<Header>), post: &mut Post) -> Result<Next, Box<Fault>> {
        self.incoming += 1;
        self.received_bytes += message.len() as u64;
        self.header = header;
        let mut next = self.play(stage, Some(message), post)?;
        while next == Next::Message
            && let Some(at) = self.early.iter().position(|(place, _)| *place == self.incoming)
        {
            let (_, message) = self.early.swap_remove(at);
            self.incoming += 1;
            self.received_bytes += message.len() as u64;
            self.header = None;
            next = self.play(stage, Some(&message), post)?;
        }
        Ok(next)
    }

    /// Plays on without a message: at the beginning, and after a pause.
    ///
    /// # Errors
    /// What was not as the pattern says.
    pub fn go_on(&mut self, stage: &Stage<'_>, post: &mut Post) -> Result<Next, Box<Fault>> {
        let next = self.play(stage, None, post)?;
        if next == Next::Message
            && let Some(at) = self.early.iter().position(|(place, _)| *place == self.incoming)
        {
            let (_, message) = self.early.swap_remove(at);
            return self.receive(stage, (&message, None), post);
        }
        Ok(next)
    }

    fn play(&mut self, stage: &Stage<'_>, message: Option<&[u8]>, post: &mut Post) -> Result<Next, Box<Fault>> {
        let mut message = message;
        self.wake_ns = NEVER_DUE;
        while let Some(operation) = stage.program.operations.get(self.at) {
            if operation.act.is_receiving() {
                if !self.take(stage, operation, &mut message)? {
                    self.await_message(stage, operation);
                    return Ok(Next::Message);
                }
                self.sent_last = false;
                (self.at, self.turn) = (self.at + 1, self.turn + 1);
                continue;
            }
            (self.at, self.turn) = (self.at + 1, self.turn + 1);
            match &operation.act {
                Act::Loop(count, end) => match self.rounds(stage, count) {
                    0 => self.at = *end,
                    count => self.loops.push(count),
                },
                Act::Choose(ways) => {
                    let drawn = self.shared_key(stage).draw(&Varying::Uniform(0, 999_999_999));
                    let way = ways.iter().find(|(up_to, _)| drawn < *up_to).or(ways.last());
                    self.at = way.map_or(usize::MAX, |(_, start)| *start);
                }
                Act::Jump(to) => self.at = *to,
                Act::Again(begin) => self.again(*begin),
                Act::Pause(duration) => {
                    let pause = i64::try_from(self.drawn(stage, duration)).unwrap_or(i64::MAX);
                    self.wake_ns = stage.now_ns.saturating_add(pause);
                    self.next = Next::Time;
                    return Ok(Next::Time);
                }
                _ => {
                    self.nothing_left(operation, &mut message)?;
                    self.send(stage, operation, post);
                }
            }
        }
        if let Some(operation) = stage.program.operations.last() {
            self.nothing_left(operation, &mut message)?;
        }
        self.next = Next::Nothing;
        Ok(Next::Nothing)
    }

    fn again(&mut self, begin: usize) {
        if let Some(left) = self.loops.last_mut() {
            *left -= 1;
            if *left > 0 {
                self.at = begin;
            } else {
                self.loops.pop();
            }
        }
    }

    fn rounds(&mut self, stage: &Stage<'_>, count: &Varying) -> u64 {
        match count {
            Varying::Fixed(count) => *count,
            drawn => self.shared_key(stage).draw(drawn).min(drawn.most()),
        }
    }

    /// A value of this turn's own.
    fn drawn(&self, stage: &Stage<'_>, varying: &Varying) -> u64 {
        match varying {
            Varying::Fixed(value) => *value,
            varying => stage.identity.key.part(self.number).part(self.turn).draw(varying),
        }
    }

    /// The key of the next draw that both sides make and that must come out alike.
    fn shared_key(&mut self, stage: &Stage<'_>) -> Key {
        self.shared_draws += 1;
        let Identity { flow, connection, .. } = stage.identity;
        let lane = Key::of_seed(stage.seed).part(SHARED).part(u64::from(*flow)).part(u64::from(*connection));
        lane.part(self.number).part(self.shared_draws)
    }

    /// A message must have been taken whole where every byte of it is known.
    fn nothing_left(&self, operation: &Operation, message: &mut Option<&[u8]>) -> Result<(), Box<Fault>> {
        match message.take().filter(|rest| !rest.is_empty() && self.strict) {
            None => Ok(()),
            Some(rest) => {
                Err(fault(operation, format!("the datagram is {} bytes longer than it should be", rest.len()), ConnectionEnd::Mismatch))
            }
        }
    }

    fn send(&mut self, stage: &Stage<'_>, operation: &Operation, post: &mut Post) {
        let before = post.begin();
        match &operation.act {
            Act::SendFrame(size) => {
                let length = stage.identity.filling.unwrap_or_else(|| self.drawn(stage, size)).min(MOST_FILLING) as u32;
                let way = if stage.program.side == Side::Client { Way::Forward } else { Way::Back };
                let Identity { run, flow, connection, node, .. } = *stage.identity;
                let sequence = self.number.wrapping_mul(MESSAGES) + u64::from(self.outgoing);
                if length == 0 {
                    (self.sent, self.sent_text) = (Sent::Text, Vec::new());
                } else {
                    let frame = Frame::new(&Header { way, flow, run, connection, node, sequence, length });
                    frame.append(0, frame.length(), post.bytes());
                    if stage.program.compares {
                        self.sent = Sent::Frame(frame);
                    }
                }
            }
            Act::SendText(pieces) => {
                compose(pieces, &self.captures, stage.identity, &mut self.text);
                post.bytes().extend_from_slice(&self.text);
                self.remember(stage, post, before);
            }
            Act::SendFile(content) => {
                let content: &Arc<[u8]> = content;
                post.bytes().extend_from_slice(content);
                self.remember(stage, post, before);
            }
            Act::SendBack => {
                post.bytes().extend_from_slice(&self.held);
                self.remember(stage, post, before);
            }
            Act::SendBlank(size) => {
                let end = post.bytes().len() + self.drawn(stage, size).clamp(ctraffic::NAME_ROOM as u64, MOST_FILLING) as usize;
                post.bytes().resize(end, 0);
                self.remember(stage, post, before);
            }
            Act::SendNamed => {
                ctraffic::write_name(&stage.identity.server_name, &mut self.held);
                post.bytes().extend_from_slice(&self.held);
                self.remember(stage, post, before);
            }
            // Without a connection there is nothing that could be closed; such patterns are refused.
            _ => return,
        }
        let length = post.end(before, self.number, self.outgoing);
        self.outgoing += 1;
        self.sent_bytes += length as u64;
        self.sent_last = true;
    }

    /// Keeps what was just written, if it comes back.
    fn remember(&mut self, stage: &Stage<'_>, post: &mut Post, from: usize) {
        self.sent = Sent::Text;
        if stage.program.compares {
            self.sent_text.clear();
            self.sent_text.extend_from_slice(&post.bytes()[from..]);
        }
    }

    /// What a wait that is over comes to.
    pub fn late(&self, stage: &Stage<'_>) -> Box<Fault> {
        let limit = limit(stage, stage.program.operations.get(self.at));
        let limit = scn_grammar::quantity::Quantity::new(scn_grammar::quantity::Dimension::Duration, limit);
        self.failed(stage, format!("nothing came within {limit}"), ConnectionEnd::Timeout)
    }

    /// What the network says of the step that it stands at.
    pub fn failed(&self, stage: &Stage<'_>, what: String, end: ConnectionEnd) -> Box<Fault> {
        let operations = &stage.program.operations;
        let step = operations.get(self.at).or(operations.last()).map_or(0, |operation| operation.step);
        Box::new(Fault { step, what, end, corruption: None })
    }
}

/// How long a step waits, ns; `i64::MAX`: as long as it takes.
fn limit(stage: &Stage<'_>, operation: Option<&Operation>) -> i64 {
    let within = operation.and_then(|operation| operation.within_ns);
    within.map_or(stage.limit_ns, |within| i64::try_from(within).unwrap_or(i64::MAX))
}

/// A fault without wrong content.
pub fn fault(operation: &Operation, what: String, end: ConnectionEnd) -> Box<Fault> {
    Box::new(Fault { step: operation.step, what, end, corruption: None })
}

/// A fault of wrong content.
pub fn corrupt(operation: &Operation, kind: CorruptionKind, offset: usize, detail: String) -> Box<Fault> {
    use crate::traffic::pattern::receive;
    receive::corruption(operation, kind, offset, detail)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::traffic::Files;
    use crate::traffic::tests::{filled, pattern, steps, sym};
    use scn_grammar::scenario::pattern::{Pattern, StepKind};

    /// A client's part, and who plays it.
    pub fn played(pattern: &Pattern) -> (Program, Identity) {
        let identity = Identity {
            run: 1,
            flow: 0,
            connection: 0,
            stream: 0,
            node: 0,
            key: Key::of_seed(1),
            client_name: "client".into(),
            server_name: "".into(),
            filling: None,
        };
        (Program::new(pattern, Side::Client, &Files::new()).unwrap(), identity)
    }

    /// At this instant, with a limit of 1000 ns.
    pub fn stage<'a>((program, identity): &'a (Program, Identity), now_ns: i64) -> Stage<'a> {
        Stage { program, identity, seed: 1, now_ns, limit_ns: 1000 }
    }

    #[test]
    fn the_limit_of_an_answer_begins_when_the_kernel_has_what_it_answers() {
        let played = played(&sym(64));
        let (mut exchange, mut post) = (Exchange::new(&played.0), Post::new(0));
        exchange.begin(0, 100, 0);
        assert_eq!(exchange.go_on(&stage(&played, 100), &mut post).unwrap(), Next::Message);
        assert_eq!((exchange.wake_ns, exchange.expires_ns()), (NEVER_DUE, 1100), "no answer is waited for yet");
        assert!(exchange.handed(0, 5000, 1000));
        assert_eq!((exchange.sent_ns, exchange.wake_ns, exchange.expires_ns()), (5000, 6000, NEVER_DUE));
    }

    #[test]
    fn with_several_messages_it_begins_with_the_last() {
        let talk = StepKind::Repeat { count: Varying::Fixed(2), steps: steps(vec![filled(Side::Client, 64)]) };
        let played = played(&pattern(vec![("repeat", talk), ("server sends", filled(Side::Server, 64))]));
        let (mut exchange, mut post) = (Exchange::new(&played.0), Post::new(0));
        exchange.begin(0, 100, 0);
        assert_eq!(exchange.go_on(&stage(&played, 100), &mut post).unwrap(), Next::Message);
        assert_eq!(exchange.outgoing, 2);
        assert!(!exchange.handed(0, 200, 1000));
        assert_eq!((exchange.wake_ns, exchange.expires_ns()), (NEVER_DUE, NEVER_DUE), "what has begun is sent to its end");
        assert!(exchange.handed(1, 9000, 1000));
        assert_eq!((exchange.sent_ns, exchange.wake_ns), (200, 10_000));
    }

    #[test]
    fn a_pause_and_a_wait_without_end_stay_as_they_are() {
        let pause = StepKind::Pause { by: Side::Client, duration: Varying::Fixed(300) };
        let talk = pattern(vec![("client sends", filled(Side::Client, 64)), ("pause", pause), ("server sends", filled(Side::Server, 64))]);
        let played = played(&talk);
        let endless = |now_ns| Stage { limit_ns: i64::MAX, ..stage(&played, now_ns) };
        let (mut exchange, mut post) = (Exchange::new(&played.0), Post::new(0));
        exchange.begin(0, 100, 0);
        assert_eq!(exchange.go_on(&endless(100), &mut post).unwrap(), Next::Time);
        assert!(!exchange.handed(0, 150, 1000));
        assert_eq!((exchange.wake_ns, exchange.expires_ns()), (400, NEVER_DUE));
        assert_eq!(exchange.go_on(&endless(400), &mut post).unwrap(), Next::Message);
        assert_eq!(exchange.wake_ns, NEVER_DUE);
        // Where it ends, and the kernel had all before the pause, it begins after it.
        exchange.begin(1, 500, 0);
        assert_eq!(exchange.go_on(&stage(&played, 500), &mut post).unwrap(), Next::Time);
        assert!(!exchange.handed(0, 550, 1000));
        assert_eq!(exchange.go_on(&stage(&played, 800), &mut post).unwrap(), Next::Message);
        assert_eq!(exchange.wake_ns, 1800);
    }
}
