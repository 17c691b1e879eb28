//! What both sides of a pattern make of each other: who takes which message, what is left over, who waits in vain. In: steps.
//! Out: `implicit` of texts and `rest` filled in, and problems. Sends nothing: texts are compared as far as they are known beforehand.

mod reading;

use std::collections::{BTreeMap, VecDeque};

use regex::bytes::Regex;

use super::error::ExpandError;
use super::layout::{COURSE_LIMIT, Course, Layout, Op, each_step};
use super::message::{Message, Reading, message};
use super::pattern_error::PatternError;
use super::steps::{other, side_word};
use crate::diagnostics::{Diagnostic, Severity};
use crate::scenario::pattern::{Close, Expected, Payload, Rest, Side, Step, StepKind};
use crate::source::Span;

/// The talk is followed for at most so many steps of both sides; every [`BYTES_A_STEP`] bytes looked at count as one more.
const FOLLOWED: usize = 200_000;
/// So many bytes are as much work as a step.
const BYTES_A_STEP: usize = 64;
/// So many times a repetition is followed before it is known to go on like that.
const SETTLED: u64 = 2;
/// The same where branches take turns.
const SETTLED_TURNS: u64 = 2 * COURSE_LIMIT;

/// One side on its way through the steps.
#[derive(Default)]
struct End {
    at: usize,
    loops: Vec<(usize, u64)>,
    /// How often each choice was met.
    visits: BTreeMap<usize, u64>,
    queue: VecDeque<Message>,
    reading: Option<Reading>,
    /// This side ended the connection here; the flag: only its own way.
    closed: Option<(Span, bool)>,
    /// This side saw the other end the connection, likewise.
    ended: Option<(Span, bool)>,
}

/// What was found out about the talk.
pub(super) struct Found {
    /// Problems of the pattern.
    pub(super) problems: Vec<Diagnostic>,
    /// Why every transaction fails, which a scenario may be about.
    pub(super) failures: Vec<Diagnostic>,
}

/// For whom a pattern is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// A flow that scn itself answers.
    Flow,
    /// A flow that something else answers: a real program, or nobody.
    Alone,
    /// A service, or whoever will: either end may be something else.
    Service,
    /// Nobody yet, with values that were made up.
    Sample,
}

/// Both sides on one course, and what was seen.
struct Talk<'s> {
    layout: &'s Layout<'s>,
    course: &'s Course,
    regexes: &'s BTreeMap<usize, Regex>,
    told: [bool; 2],
    echoed: Vec<Option<usize>>,
    ends: [End; 2],
    rests: BTreeMap<usize, Rest>,
    /// Which messages were sent, and which of them an `expects` read.
    sent: Vec<bool>,
    read: Vec<bool>,
    problems: Vec<Diagnostic>,
    /// What is certain to fail, though the talk can be followed on.
    failures: Vec<Diagnostic>,
    /// A side waits in vain: nothing behind that was followed.
    cut_short: bool,
    followed: usize,
    /// How far each side came.
    reached: [usize; 2],
}

/// What was seen on all courses.
struct Seen {
    rests: BTreeMap<usize, Rest>,
    read: Vec<bool>,
    unread: Vec<bool>,
}

/// Follows both sides at once, on every course. Fills in [`Rest`]s and the `implicit` of texts that nobody reads.
pub(super) fn talk(steps: &mut [Step], courses: &[Course], name: &str, span: Span, user: User) -> Found {
    let layout = Layout::new(steps);
    let told = told(&layout, user);
    let regexes = compile(&layout.ops);
    let mut seen = Seen { rests: BTreeMap::new(), read: vec![false; layout.ops.len()], unread: vec![false; layout.ops.len()] };
    let (mut problems, mut failures): (Vec<Diagnostic>, Vec<Diagnostic>) = (Vec::new(), Vec::new());
    let (mut followed, mut cut_short) = (0, false);
    for course in courses {
        let mut talk = Talk::new(&layout, course, &regexes, told, followed);
        if talk.problems.is_empty() {
            talk.follow();
        }
        followed = talk.followed;
        cut_short |= talk.cut_short;
        let (found, failing) = (std::mem::take(&mut talk.problems), std::mem::take(&mut talk.failures));
        talk.hand_over(found, &mut problems);
        talk.hand_over(failing, &mut failures);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            break;
        }
        seen.take(talk);
    }
    if problems.is_empty() && !cut_short {
        problems.extend(seen.uncertain(&layout));
    }
    let sends = |op: &Op<'_>| matches!(op, Op::Step(Step { kind: StepKind::Sends { .. }, .. }));
    if problems.is_empty() && told[0] == told[1] && !layout.ops.iter().any(sends) {
        problems.push(ExpandError::NothingSent { pattern: name.to_owned(), span }.into());
    }
    if !problems.is_empty() || user == User::Sample {
        failures.clear();
    }
    drop(layout);
    each_step(steps, &mut 0, &mut |at, kind| match kind {
        StepKind::Expects { rest, .. } => *rest = seen.rests.get(&at).copied().unwrap_or(Rest::Nothing),
        StepKind::Sends { payload: Payload::Text(_) | Payload::Bytes(_), implicit, .. } => *implicit = !seen.read[at],
        _ => {}
    });
    Found { problems, failures }
}

impl Seen {
    /// Takes in what was seen on one course.
    fn take(&mut self, talk: Talk<'_>) {
        for (reader, rest) in talk.rests {
            let seen = self.rests.entry(reader).or_insert(rest);
            if *seen != rest {
                *seen = Rest::Nothing;
            }
        }
        for (at, sent) in talk.sent.iter().enumerate() {
            self.read[at] |= talk.read[at];
            self.unread[at] |= *sent && !talk.read[at];
        }
    }

    /// Messages that are read on some courses and not on others: at run time nobody could tell who takes them.
    fn uncertain(&self, layout: &Layout<'_>) -> Vec<Diagnostic> {
        let both = layout.ops.iter().enumerate().filter(|(at, _)| self.read[*at] && self.unread[*at]);
        both.filter_map(|(_, op)| match op {
            Op::Step(Step { kind: StepKind::Sends { by, .. }, span, .. }) => {
                Some(PatternError::ReadSometimes { side: side_word(other(*by)), span: *span }.into())
            }
            _ => None,
        })
        .collect()
    }
}

/// The regexes of all `expects`. They were compiled before without trouble.
fn compile(ops: &[Op<'_>]) -> BTreeMap<usize, Regex> {
    let mut regexes = BTreeMap::new();
    for (at, op) in ops.iter().enumerate() {
        if let Op::Step(Step { kind: StepKind::Expects { what: Expected::Regex(source) | Expected::Line(source), .. }, .. }) = op
            && let Ok(regex) = Regex::new(source)
        {
            regexes.insert(at, regex);
        }
    }
    regexes
}

/// Of which sides the pattern says what they do. Where either end may be something else, one that has no step is.
fn told(layout: &Layout<'_>, user: User) -> [bool; 2] {
    let by = |op: &Op<'_>| match op {
        Op::Step(Step { kind: StepKind::Sends { by, .. } | StepKind::Expects { by, .. }, .. }) => Some(*by),
        Op::Step(Step { kind: StepKind::Echoes { by } | StepKind::Closes { by, .. }, .. }) => Some(*by),
        _ => None,
    };
    let acts = |side: Side| layout.ops.iter().any(|op| by(op) == Some(side));
    match user {
        User::Flow => [true; 2],
        User::Alone => [true, false],
        User::Service | User::Sample => [acts(Side::Client), acts(Side::Server)],
    }
}

/// For each echo of a course the send that it sends back: the other side's last one before it.
fn sources_of_echoes(layout: &Layout<'_>, course: &Course) -> (Vec<Option<usize>>, Vec<Diagnostic>) {
    let (mut last, mut sources, mut problems) = ([None; 2], vec![None; layout.ops.len()], Vec::new());
    course.walk(layout, &mut |at, _| {
        let Some(Op::Step(step)) = layout.ops.get(at) else { return };
        match &step.kind {
            StepKind::Sends { by, .. } => last[*by as usize] = Some(at),
            StepKind::Echoes { by } => {
                sources[at] = last[other(*by) as usize];
                if sources[at].is_none() {
                    problems
                        .push(ExpandError::EchoOfNothing { side: side_word(*by), other: side_word(other(*by)), span: step.span }.into());
                }
            }
            _ => {}
        }
    });
    (sources, problems)
}

impl<'s> Talk<'s> {
    /// Both sides at the beginning of a course, after so many steps on others.
    fn new(layout: &'s Layout<'s>, course: &'s Course, regexes: &'s BTreeMap<usize, Regex>, told: [bool; 2], followed: usize) -> Talk<'s> {
        let (echoed, problems) = sources_of_echoes(layout, course);
        Talk {
            layout,
            course,
            regexes,
            told,
            echoed,
            ends: [End::default(), End::default()],
            rests: BTreeMap::new(),
            sent: vec![false; layout.ops.len()],
            read: vec![false; layout.ops.len()],
            problems,
            failures: Vec::new(),
            cut_short: false,
            followed,
            reached: [0; 2],
        }
    }

    /// Adds what is not known yet of some problems, with the branches on which they were met.
    fn hand_over(&self, mut found: Vec<Diagnostic>, known: &mut Vec<Diagnostic>) {
        let branches = self.course.branches(self.layout);
        for (choice, span) in branches.into_iter().enumerate() {
            if self.ends.iter().any(|end| end.visits.contains_key(&choice)) {
                found = found.into_iter().map(|problem| problem.also(span, "when this way is taken")).collect();
            }
        }
        found.retain(|found| known.iter().all(|known| known.primary != found.primary));
        known.extend(found);
    }
}

impl Talk<'_> {
    /// Lets both sides go on until neither can.
    fn follow(&mut self) {
        loop {
            let mut moved = false;
            for side in [Side::Client, Side::Server] {
                while self.followed < FOLLOWED && self.problems.is_empty() {
                    // At the end of each repetition the other side has its turn.
                    let turn = matches!(self.layout.ops.get(self.ends[side as usize].at), Some(Op::End(_)));
                    if !self.advance(side, false) {
                        break;
                    }
                    moved = true;
                    if turn {
                        break;
                    }
                }
                self.skip_repetitions();
            }
            if !self.problems.is_empty() {
                return;
            }
            // Both wait for more: what came is then all that there is to read.
            let stuck = !moved;
            if stuck && !self.advance(Side::Client, true) && !self.advance(Side::Server, true) {
                break;
            }
            if !self.problems.is_empty() {
                return;
            }
            if self.followed >= FOLLOWED {
                self.not_followed();
                return;
            }
        }
        for side in [Side::Client, Side::Server] {
            self.finish_reading(side);
        }
        self.waiting();
    }

    /// Both sides are about to repeat the same steps, nothing is on its way, and it was so before: the repetitions between are
    /// like those that were followed.
    fn skip_repetitions(&mut self) {
        let [a, b] = &mut self.ends;
        let quiet = a.queue.is_empty() && b.queue.is_empty() && a.closed.is_none() && b.closed.is_none();
        let Some(Op::Repeat(count, _)) = self.layout.ops.get(a.at) else { return };
        let count = self.course.count(count);
        // Where branches take turns, all of them must have had theirs.
        let settled = if self.course.turning { SETTLED_TURNS } else { SETTLED };
        if !quiet || a.at != b.at || a.loops != b.loops {
            return;
        }
        for end in [a, b] {
            if let Some((_, left)) = end.loops.last_mut().filter(|(head, left)| *head == end.at && count - *left >= settled) {
                *left = (*left).min(1);
            }
        }
    }

    /// Counts the work of looking at so many bytes.
    fn looks_at(&mut self, bytes: usize) {
        self.followed = self.followed.saturating_add(bytes / BYTES_A_STEP);
    }

    /// Reports texts that nobody can tell the reader of, because they lie behind too much talk.
    fn not_followed(&mut self) {
        let seen = self.reached[0].min(self.reached[1]);
        let unknown = self.layout.ops.iter().skip(seen + 1).find_map(|op| match op {
            Op::Step(Step { kind: StepKind::Sends { payload: Payload::Text(_) | Payload::Bytes(_), .. }, span, .. }) => Some(*span),
            Op::Step(Step { kind: StepKind::Expects { what, .. }, span, .. }) if !matches!(what, Expected::Size(_)) => Some(*span),
            _ => None,
        });
        if let Some(span) = unknown {
            let (what, count) = ("steps of talk before this one", self.followed as u64);
            self.problems.push(ExpandError::TooLarge { what, count, limit: FOLLOWED as u64, span }.into());
        }
    }

    /// Reports sides that still wait.
    fn waiting(&mut self) {
        let step = |end: &End| if let Some(Op::Step(step)) = self.layout.ops.get(end.at) { Some(step.span) } else { None };
        let (first_side, second_side) = ("client", "server");
        let [told_client, told_server] = self.told;
        match (step(&self.ends[0]), step(&self.ends[1])) {
            // What a side does of which the pattern says nothing nobody knows.
            (Some(first), Some(second)) if told_client && told_server => {
                self.problems.push(ExpandError::Deadlock { first, second, first_side, second_side }.into())
            }
            (Some(span), None) if told_server => self.waits_in_vain((first_side, second_side), span),
            (None, Some(span)) if told_client => self.waits_in_vain((second_side, first_side), span),
            _ => {}
        }
    }

    /// Reports a side that waits for what the other never sends.
    fn waits_in_vain(&mut self, (waits, sends): (&'static str, &'static str), span: Span) {
        self.cut_short = true;
        self.failures.push(ExpandError::NeverSent { waits, sends, span }.into());
    }

    /// One step of one side; `false`: it waits or is done. With `all`, nothing more will come before it goes on.
    fn advance(&mut self, side: Side, all: bool) -> bool {
        self.followed += 1;
        let me = side as usize;
        let at = self.ends[me].at;
        self.reached[me] = self.reached[me].max(at);
        let Some(op) = self.layout.ops.get(at).copied() else { return false };
        let step = match op {
            Op::Repeat(count, after) => {
                self.repeat(me, at, self.course.count(count), after);
                return true;
            }
            Op::End(to) | Op::Leave(to) => {
                self.ends[me].at = to;
                return true;
            }
            Op::Choose(choice) => {
                let visits = self.ends[me].visits.entry(choice).or_default();
                let visit = *visits;
                *visits += 1;
                self.ends[me].at = self.course.way(self.layout, choice, visit);
                return true;
            }
            Op::Step(step) => step,
        };
        let done = match &step.kind {
            StepKind::Sends { by, payload, .. } if *by == side => {
                let message = message(at, payload);
                self.send(me, message, step.span)
            }
            StepKind::Sends { implicit: true, payload: Payload::Filled(_) | Payload::Random(_) | Payload::File(_), .. } => {
                self.take_message(side, at)
            }
            StepKind::Echoes { by } if *by == side => {
                let message = self.echo(at);
                self.send(me, message, step.span)
            }
            StepKind::Echoes { .. } => self.take_message(side, at),
            StepKind::Expects { by, what, .. } if *by == side => self.may_act(me, step.span, false) && self.expect(side, at, what, all),
            StepKind::Closes { by, how } if *by == side => {
                if self.ends[me].closed.is_none_or(|(_, half)| half) {
                    self.ends[me].closed = Some((step.span, *how == Close::Half));
                }
                true
            }
            StepKind::Closes { how, .. } => {
                if self.ends[me].ended.is_none_or(|(_, half)| half) {
                    self.ends[me].ended = Some((step.span, *how == Close::Half));
                }
                true
            }
            _ => true,
        };
        if done {
            self.ends[me].at += 1;
        }
        done
    }

    fn repeat(&mut self, me: usize, at: usize, count: u64, after: usize) {
        let end = &mut self.ends[me];
        if end.loops.last().is_none_or(|(head, _)| *head != at) {
            end.loops.push((at, count));
        }
        let again = end.loops.last_mut().filter(|(_, left)| *left > 0).map(|(_, left)| *left -= 1).is_some();
        if again {
            end.at += 1;
        } else {
            end.loops.pop();
            end.at = after;
        }
    }

    /// Reports a side that acts after it closed, or after it waited for the other's end: it reads before that, and sends only where
    /// the other closed its own way alone.
    fn may_act(&mut self, me: usize, span: Span, sends: bool) -> bool {
        let own = self.ends[me].closed.filter(|(_, half)| sends || !half);
        let others = self.ends[me].ended.filter(|(_, half)| !sends || !half);
        let Some((closed, _)) = own.or(others) else { return true };
        let side = if me == 0 { "client" } else { "server" };
        self.problems.push(ExpandError::AfterClose { side, span, closed }.into());
        false
    }

    fn send(&mut self, me: usize, message: Message, span: Span) -> bool {
        if self.may_act(me, span, true) {
            self.looks_at(message.content.as_ref().map_or(0, Vec::len));
            self.sent[message.at] = true;
            self.ends[1 - me].queue.push_back(message);
            return true;
        }
        false
    }

    fn echo(&self, at: usize) -> Message {
        let source = self.echoed[at].and_then(|source| self.layout.ops.get(source).map(|op| (source, op)));
        match source {
            Some((_, Op::Step(Step { kind: StepKind::Sends { payload, .. }, .. }))) => Message { at, ..message(at, payload) },
            _ => Message { at, content: None, literal: false, length: 0, file: false, taken: 0 },
        }
    }

    /// Takes the message of a step as a whole, and with it what came before and nobody read.
    fn take_message(&mut self, side: Side, at: usize) -> bool {
        let found = self.ends[side as usize].queue.iter().position(|message| message.at == at);
        let Some(found) = found else { return false };
        self.finish_reading(side);
        self.ends[side as usize].queue.drain(..=found);
        true
    }
}
