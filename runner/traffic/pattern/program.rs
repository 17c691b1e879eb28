//! A pattern as one side carries it out: a flat list of operations, regexes compiled. In: a `Pattern` and a side. Out: a
//! [`Program`]. Runs nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::bytes::{Regex, RegexBuilder};
use scn_grammar::scenario::pattern::{
    Branch, Close, Expected, Pattern, Payload, PayloadFile, Rest, Side, Step, StepKind, Template, TemplatePart, Varying,
};
use scn_grammar::source::Span;

/// A compiled regex may take so many bytes.
const REGEX_SIZE: usize = 4 * 1024 * 1024;

/// What the files hold that patterns send.
pub type Files = BTreeMap<PayloadFile, Arc<[u8]>>;

/// One side's part of a pattern.
#[derive(Debug, Clone)]
pub struct Program {
    /// Whose part.
    pub side: Side,
    /// In order; loops by jumps.
    pub operations: Vec<Operation>,
    /// Where a connection's transactions begin after its first.
    pub later: usize,
    /// The steps that operations belong to: text and place.
    pub steps: Vec<(String, Span)>,
    /// How many names captures have.
    pub captures: usize,
    /// This side sends before it receives anything.
    pub speaks_first: bool,
    /// This side receives something.
    pub receives: bool,
    /// What is received must be kept, because it is sent back later.
    pub keeps: bool,
    /// What is sent must be kept, because it comes back.
    pub compares: bool,
    /// The longest that the other side may pause within one transaction, ns.
    pub allowance_ns: i64,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// A position in the steps.
    pub step: u32,
    /// At most this long, ns.
    pub within_ns: Option<u64>,
    /// What is passed over after it.
    pub rest: Rest,
    /// What it does.
    pub act: Act,
}

/// What an operation does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends filling.
    SendFrame(Varying),
    /// Sends a text.
    SendText(Vec<Piece>),
    /// Sends what a file holds.
    SendFile(Arc<[u8]>),
    /// Receives and verifies filling of this size, if it is always the same.
    TakeFrame(Option<u64>),
    /// Receives so many bytes.
    TakeCount(u64),
    /// Receives exactly this.
    TakeText(Vec<Piece>),
    /// Receives to a match; groups and the captures they fill.
    TakeRegex(Box<Regex>, Groups),
    /// Receives what a file holds.
    TakeFile(Arc<[u8]>),
    /// Receives a line, which matches if there is something to match.
    TakeLine(Option<Box<Regex>>, Groups),
    /// Receives at least one byte.
    TakeAny,
    /// Receives what this side sent last.
    TakeEcho,
    /// Sends back what was received last.
    SendBack,
    /// Sends a message of ctraffic's wire.
    SendBlank(Varying),
    /// Receives it, with the name of who answers.
    TakeNamed,
    /// Sends back what was received last, with this node's name over its beginning.
    SendNamed,
    /// Waits, ns.
    Pause(Varying),
    /// Begins a loop: how often, and the operation after its end.
    Loop(Varying, usize),
    /// Ends a loop: its first operation.
    Again(usize),
    /// Goes on at one of these operations. The numbers are the shares of the branches up to and with this one, in 1e-9.
    Choose(Vec<(u64, usize)>),
    /// Goes on at this operation.
    Jump(usize),
    /// Ends the connection, or this side of it.
    Close(Close),
    /// The other side does.
    PeerCloses(Close),
}

/// Named groups of a regex, and the captures that they fill.
pub type Groups = Vec<(usize, usize)>;

/// A piece of a text.
#[derive(Debug, Clone)]
pub enum Piece {
    /// As it stands.
    Bytes(Vec<u8>),
    /// The client's node.
    ClientName,
    /// The server's node.
    ServerName,
    /// What was captured under this name.
    Capture(usize),
}

/// What the other side sent last, and whether this side's script has taken it.
#[derive(Clone, Copy)]
struct Last<'a> {
    payload: Option<&'a Payload>,
    taken: bool,
}

struct Compiler<'a> {
    program: Program,
    names: Vec<String>,
    last: Last<'a>,
    files: &'a Files,
}

impl Program {
    /// One side's part of a pattern.
    ///
    /// # Errors
    /// A regex that does not compile or a file that is not there, as a sentence that names it.
    pub fn new(pattern: &Pattern, side: Side, files: &Files) -> Result<Program, String> {
        let program = Program {
            side,
            operations: Vec::new(),
            later: 0,
            steps: Vec::new(),
            captures: 0,
            speaks_first: false,
            receives: false,
            keeps: false,
            compares: false,
            allowance_ns: 0,
        };
        let mut compiler = Compiler { program, names: Vec::new(), last: Last { payload: None, taken: true }, files };
        compiler.steps(&pattern.steps)?;
        let mut program = compiler.program;
        program.captures = compiler.names.len();
        program.keeps = program.operations.iter().any(|o| matches!(o.act, Act::SendBack));
        program.compares = program.operations.iter().any(|o| matches!(o.act, Act::TakeEcho));
        program.receives = program.operations.iter().any(|o| o.act.is_receiving());
        let (sends, receives) = next_acts(&program.operations, 0);
        // Where either end may begin, both must be told: the server that it may speak, the client's start to the server.
        program.speaks_first = if side == Side::Server { sends || !receives } else { !receives };
        program.allowance_ns = pauses(&pattern.steps, side);
        Ok(program)
    }

    /// What it does next, from this operation on, may be to send.
    pub fn sends_next(&self, from: usize) -> bool {
        next_acts(&self.operations, from).0
    }

    /// A step by its number: its text and its place.
    pub fn step(&self, step: u32) -> (String, Option<Span>) {
        self.steps.get(step as usize).map_or((String::new(), None), |(text, span)| (text.clone(), Some(*span)))
    }
}

impl Act {
    /// It waits for bytes, or for their end.
    pub fn is_receiving(&self) -> bool {
        matches!(
            self,
            Act::TakeFrame(_)
                | Act::TakeCount(_)
                | Act::TakeText(_)
                | Act::TakeRegex(..)
                | Act::TakeLine(..)
                | Act::TakeAny
                | Act::TakeEcho
                | Act::TakeFile(_)
                | Act::TakeNamed
                | Act::PeerCloses(_)
        )
    }

    /// It sends bytes, or their end.
    fn sends(&self) -> bool {
        matches!(self, Act::SendFrame(_) | Act::SendText(_) | Act::SendFile(_) | Act::SendBack | Act::Close(_))
    }
}

/// Whether the next thing that a side does, from this operation on, may be to send, and to receive.
fn next_acts(operations: &[Operation], from: usize) -> (bool, bool) {
    let (mut sends, mut receives) = (false, false);
    let (mut next, mut seen) = (vec![from], vec![false; operations.len()]);
    while let Some(at) = next.pop() {
        let Some(operation) = operations.get(at).filter(|_| !seen[at]) else { continue };
        seen[at] = true;
        match &operation.act {
            act if act.sends() => sends = true,
            act if act.is_receiving() => receives = true,
            Act::Choose(ways) => next.extend(ways.iter().map(|(_, start)| *start)),
            Act::Jump(to) => next.push(*to),
            Act::Again(begin) => next.extend([*begin, at + 1]),
            Act::Loop(count, end) => {
                next.extend((count.least() == 0).then_some(*end));
                next.extend((count.most() > 0).then_some(at + 1));
            }
            _ => next.push(at + 1),
        }
    }
    (sends, receives)
}

/// The longest that the side opposite to this one pauses in a transaction.
fn pauses(steps: &[Step], side: Side) -> i64 {
    let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    steps.iter().fold(0i64, |sum, step| {
        let more = match &step.kind {
            StepKind::Pause { by, duration } if *by != side => whole(duration.most()),
            StepKind::Repeat { count, steps } => pauses(steps, side).saturating_mul(whole(count.most())),
            StepKind::Choose { branches } => branches.iter().map(|branch| pauses(&branch.steps, side)).max().unwrap_or(0),
            _ => 0,
        };
        sum.saturating_add(more)
    })
}

impl<'a> Compiler<'a> {
    fn steps(&mut self, steps: &'a [Step]) -> Result<(), String> {
        for step in steps {
            let number = u32::try_from(self.program.steps.len()).map_err(|_| "the pattern has more than 2^32 steps".to_owned())?;
            self.program.steps.push((step.text.clone(), step.span));
            self.step(step, number)?;
        }
        Ok(())
    }

    fn push(&mut self, step: u32, act: Act) {
        self.program.operations.push(Operation { step, within_ns: None, rest: Rest::Nothing, act });
    }

    fn step(&mut self, step: &'a Step, number: u32) -> Result<(), String> {
        let side = self.program.side;
        match &step.kind {
            StepKind::Sends { by, payload, .. } if *by == side => {
                let act = match payload {
                    Payload::Filled(size) | Payload::Random(size) => Act::SendFrame(size.clone()),
                    Payload::Text(text) => Act::SendText(self.pieces(text)?),
                    Payload::Bytes(bytes) => Act::SendText(vec![Piece::Bytes(bytes.clone())]),
                    Payload::File(file) => Act::SendFile(self.content(file)?),
                };
                self.push(number, act);
            }
            StepKind::Sends { payload, implicit, .. } => {
                self.last = Last { payload: Some(payload), taken: *implicit };
                if *implicit {
                    let act = self.takes(payload)?;
                    self.push(number, act);
                }
            }
            StepKind::Expects { by, what, within_ns, rest } if *by == side => {
                let act = self.expects(what)?;
                self.last.taken = true;
                self.program.operations.push(Operation { step: number, within_ns: *within_ns, rest: *rest, act });
            }
            StepKind::Expects { .. } => {}
            StepKind::Echoes { by } if *by == side => {
                if !self.last.taken {
                    let act = self.last.payload.map_or(Ok(Act::TakeAny), |payload| self.takes(payload))?;
                    self.push(number, act);
                    self.last.taken = true;
                }
                self.push(number, Act::SendBack);
            }
            StepKind::Echoes { .. } => {
                self.push(number, Act::TakeEcho);
                self.last = Last { payload: None, taken: true };
            }
            StepKind::Pause { by, duration } if *by == side => self.push(number, Act::Pause(duration.clone())),
            StepKind::Pause { .. } => {}
            StepKind::Repeat { count, steps } => {
                let begin = self.program.operations.len();
                self.push(number, Act::Loop(count.clone(), 0));
                self.steps(steps)?;
                self.push(number, Act::Again(begin + 1));
                let end = self.program.operations.len();
                self.program.operations[begin].act = Act::Loop(count.clone(), end);
            }
            StepKind::Choose { branches } => self.choose(number, branches)?,
            StepKind::Closes { by, how } if *by == side => self.push(number, Act::Close(*how)),
            StepKind::Closes { how, .. } => self.push(number, Act::PeerCloses(*how)),
        }
        Ok(())
    }

    fn choose(&mut self, number: u32, branches: &'a [Branch]) -> Result<(), String> {
        let choice = self.program.operations.len();
        self.push(number, Act::Choose(Vec::new()));
        let before = self.last;
        let (mut ways, mut leaves, mut lasts, mut sum) = (Vec::new(), Vec::new(), Vec::new(), 0u64);
        for branch in branches {
            sum = sum.saturating_add(branch.share_nano);
            ways.push((sum, self.program.operations.len()));
            self.last = before;
            self.steps(&branch.steps)?;
            lasts.push(self.last);
            leaves.push(self.program.operations.len());
            self.push(number, Act::Jump(0));
        }
        let after = self.program.operations.len();
        for leave in leaves {
            self.program.operations[leave].act = Act::Jump(after);
        }
        self.program.operations[choice].act = Act::Choose(ways);
        self.last = one_of(&lasts);
        Ok(())
    }

    fn content(&self, file: &PayloadFile) -> Result<Arc<[u8]>, String> {
        self.files.get(file).cloned().ok_or_else(|| format!("the file {} was not read", file.path))
    }

    /// How a payload of the other side is received where the script does not say it.
    fn takes(&mut self, payload: &Payload) -> Result<Act, String> {
        Ok(match payload {
            Payload::Filled(size) | Payload::Random(size) => Act::TakeFrame(fixed(size)),
            Payload::Bytes(bytes) => Act::TakeText(vec![Piece::Bytes(bytes.clone())]),
            Payload::Text(Template(parts)) if parts.iter().any(|p| matches!(p, TemplatePart::Capture(_) | TemplatePart::ServerName)) => {
                self.takes_unknown(parts)
            }
            Payload::Text(text) => Act::TakeText(self.pieces(text)?),
            Payload::File(file) => Act::TakeFile(self.content(file)?),
        })
    }

    /// A text with holes that only its sender can fill: to its line's end if it is one line, else as its known parts stand. One
    /// that ends in a hole has no end that could be seen: what has come is it.
    fn takes_unknown(&mut self, parts: &[TemplatePart]) -> Act {
        let Some(TemplatePart::Literal(end)) = parts.last() else { return Act::TakeAny };
        let feeds = parts.iter().map(|part| if let TemplatePart::Literal(text) = part { text.matches('\n').count() } else { 0 });
        if feeds.sum::<usize>() == 1 && end.ends_with('\n') {
            return Act::TakeLine(None, Vec::new());
        }
        let known = parts.iter().map(|part| match part {
            TemplatePart::Literal(text) => regex::escape(text),
            _ => "(?s:.*?)".to_owned(),
        });
        let regex = RegexBuilder::new(&format!(r"\A{}", known.collect::<String>())).size_limit(REGEX_SIZE).build();
        regex.map_or(Act::TakeAny, |regex| Act::TakeRegex(Box::new(regex), Vec::new()))
    }

    fn expects(&mut self, what: &Expected) -> Result<Act, String> {
        Ok(match what {
            Expected::Size(size) => {
                let sent = if self.last.taken { None } else { self.last.payload };
                match sent {
                    Some(Payload::Filled(Varying::Fixed(sent)) | Payload::Random(Varying::Fixed(sent))) if sent == size => {
                        Act::TakeFrame(Some(*size))
                    }
                    _ => Act::TakeCount(*size),
                }
            }
            Expected::Text(text) => Act::TakeText(self.pieces(text)?),
            Expected::Bytes(bytes) => Act::TakeText(vec![Piece::Bytes(bytes.clone())]),
            Expected::Regex(regex) => {
                let (regex, groups) = self.regex(regex)?;
                Act::TakeRegex(regex, groups)
            }
            Expected::Line(regex) => {
                let (regex, groups) = self.regex(regex)?;
                Act::TakeLine(Some(regex), groups)
            }
            Expected::Any => Act::TakeAny,
        })
    }

    fn regex(&mut self, text: &str) -> Result<(Box<Regex>, Groups), String> {
        let regex = RegexBuilder::new(text).size_limit(REGEX_SIZE).build().map_err(|e| format!("the regex /{text}/: {e}"))?;
        let mut groups = Vec::new();
        for (group, name) in regex.capture_names().enumerate() {
            if let Some(name) = name {
                groups.push((group, self.name(name)));
            }
        }
        Ok((Box::new(regex), groups))
    }

    fn pieces(&mut self, Template(parts): &Template) -> Result<Vec<Piece>, String> {
        let piece = |part: &TemplatePart| {
            Ok(match part {
                TemplatePart::Literal(text) => Piece::Bytes(text.clone().into_bytes()),
                TemplatePart::ClientName => Piece::ClientName,
                TemplatePart::ServerName => Piece::ServerName,
                TemplatePart::Capture(name) => Piece::Capture(self.name(name)),
                TemplatePart::Secret(name) => return Err(format!("the secret `{name}` was not filled in (a bug in scn)")),
            })
        };
        parts.iter().map(piece).collect()
    }

    fn name(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }
}

/// What was sent last whichever branch was taken.
fn one_of<'a>(lasts: &[Last<'a>]) -> Last<'a> {
    let Some(first) = lasts.first().copied() else { return Last { payload: None, taken: true } };
    let alike = lasts.iter().all(|last| last.taken == first.taken && last.payload == first.payload);
    if alike { first } else { Last { payload: None, taken: lasts.iter().all(|last| last.taken) } }
}

fn fixed(size: &Varying) -> Option<u64> {
    match size {
        Varying::Fixed(size) => Some((*size).max(1)),
        _ => None,
    }
}
