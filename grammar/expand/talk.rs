//! What both sides of a pattern make of each other: who takes which message, what is left over, who waits in vain. In: steps.
//! Out: `implicit` of texts and `rest` filled in, and problems. Sends nothing: texts are compared as far as they are known beforehand.

use std::collections::{BTreeMap, VecDeque};

use regex::bytes::Regex;

use super::error::ExpandError;
use super::layout::{COURSE_LIMIT, Course, Layout, Op, each_step};
use super::message::{Message, Reading, guess, message, rest_of};
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
    closed: Option<(Span, bool)>,
}

/// Both sides on one course, and what was seen.
struct Talk<'s> {
    layout: &'s Layout<'s>,
    course: &'s Course,
    regexes: &'s BTreeMap<usize, Regex>,
    echoed: Vec<Option<usize>>,
    ends: [End; 2],
    rests: BTreeMap<usize, Rest>,
    /// Which messages were sent, and which of them an `expects` read.
    sent: Vec<bool>,
    read: Vec<bool>,
    problems: Vec<Diagnostic>,
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
pub(super) fn talk(steps: &mut [Step], courses: &[Course], name: &str, span: Span) -> Vec<Diagnostic> {
    let layout = Layout::new(steps);
    let regexes = compile(&layout.ops);
    let mut seen = Seen { rests: BTreeMap::new(), read: vec![false; layout.ops.len()], unread: vec![false; layout.ops.len()] };
    let mut problems: Vec<Diagnostic> = Vec::new();
    let mut followed = 0;
    for course in courses {
        let mut talk = Talk::new(&layout, course, &regexes, followed);
        if talk.problems.is_empty() {
            talk.follow();
        }
        followed = talk.followed;
        let mut found = talk.found();
        found.retain(|found| problems.iter().all(|known| known.primary != found.primary));
        problems.extend(found);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            break;
        }
        seen.take(talk);
    }
    if problems.is_empty() {
        problems.extend(seen.uncertain(&layout));
    }
    if problems.is_empty() && !layout.ops.iter().any(|op| matches!(op, Op::Step(Step { kind: StepKind::Sends { .. }, .. }))) {
        problems.push(ExpandError::NothingSent { pattern: name.to_owned(), span }.into());
    }
    drop(layout);
    each_step(steps, &mut 0, &mut |at, kind| match kind {
        StepKind::Expects { rest, .. } => *rest = seen.rests.get(&at).copied().unwrap_or(Rest::Nothing),
        StepKind::Sends { payload: Payload::Text(_) | Payload::Bytes(_), implicit, .. } => *implicit = !seen.read[at],
        _ => {}
    });
    problems
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
    fn new(layout: &'s Layout<'s>, course: &'s Course, regexes: &'s BTreeMap<usize, Regex>, followed: usize) -> Talk<'s> {
        let (echoed, problems) = sources_of_echoes(layout, course);
        Talk {
            layout,
            course,
            regexes,
            echoed,
            ends: [End::default(), End::default()],
            rests: BTreeMap::new(),
            sent: vec![false; layout.ops.len()],
            read: vec![false; layout.ops.len()],
            problems,
            followed,
            reached: [0; 2],
        }
    }

    /// The problems, with the branches on which they were met.
    fn found(&mut self) -> Vec<Diagnostic> {
        let mut found = std::mem::take(&mut self.problems);
        let branches = self.course.branches(self.layout);
        for (choice, span) in branches.into_iter().enumerate() {
            if self.ends.iter().any(|end| end.visits.contains_key(&choice)) {
                found = found.into_iter().map(|problem| problem.also(span, "when this way is taken")).collect();
            }
        }
        found
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
        match (step(&self.ends[0]), step(&self.ends[1])) {
            (Some(first), Some(second)) => self.problems.push(ExpandError::Deadlock { first, second, first_side, second_side }.into()),
            (Some(span), None) => self.problems.push(ExpandError::NeverSent { waits: first_side, sends: second_side, span }.into()),
            (None, Some(span)) => self.problems.push(ExpandError::NeverSent { waits: second_side, sends: first_side, span }.into()),
            (None, None) => {}
        }
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

    /// Reports a side that acts after it closed.
    fn may_act(&mut self, me: usize, span: Span, sends: bool) -> bool {
        match self.ends[me].closed {
            Some((closed, half)) if sends || !half => {
                let side = if me == 0 { "client" } else { "server" };
                self.problems.push(ExpandError::AfterClose { side, span, closed }.into());
                false
            }
            _ => true,
        }
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

    fn expect(&mut self, side: Side, at: usize, what: &Expected, all: bool) -> bool {
        match what {
            _ if self.reads_a_file(side, at) => false,
            Expected::Size(size) => self.expect_size(side, *size),
            _ => self.continue_reading(side, at, what) || self.read_next(side, at, what, all) || (all && self.read_on(side, at)),
        }
    }

    /// Reports an `expects` whose next message is a file.
    fn reads_a_file(&mut self, side: Side, at: usize) -> bool {
        let front = self.ends[side as usize].queue.front().filter(|message| message.file).map(|message| message.at);
        let (Some(from), Some(Op::Step(step))) = (front, self.layout.ops.get(at)) else { return false };
        if let Some(Op::Step(sent)) = self.layout.ops.get(from) {
            self.problems.push(PatternError::ExpectsFile { side: side_word(side), span: step.span, sent: sent.span }.into());
        }
        true
    }

    /// Takes so many bytes, if they are there.
    fn expect_size(&mut self, side: Side, size: u64) -> bool {
        let end = &self.ends[side as usize];
        let waiting = end.queue.iter().fold(0u64, |sum, m| sum.saturating_add(m.left()));
        let begun = end.reading.as_ref().map_or(0, |r| r.message.left());
        if waiting.saturating_add(begun) < size {
            return false;
        }
        let mut need = size;
        if waiting < size {
            need -= begun;
        }
        self.finish_reading(side);
        let end = &mut self.ends[side as usize];
        while let Some(front) = end.queue.front_mut().filter(|_| need > 0) {
            let taken = front.left().min(need);
            front.taken += taken;
            need -= taken;
            self.read[front.at] = true;
            if front.left() == 0 {
                end.queue.pop_front();
            }
        }
        true
    }

    /// How much of some bytes an `expects` takes, if they match.
    fn matched(&self, at: usize, what: &Expected, bytes: &[u8]) -> Option<usize> {
        match what {
            Expected::Text(template) => {
                let (wanted, _) = guess(template);
                bytes.starts_with(&wanted).then_some(wanted.len())
            }
            Expected::Bytes(wanted) => bytes.starts_with(wanted).then_some(wanted.len()),
            Expected::Regex(_) => self.regexes.get(&at)?.find(bytes).map(|found| found.end()),
            Expected::Line(_) => {
                let end = bytes.iter().position(|b| *b == b'\n')?;
                let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
                self.regexes.get(&at)?.is_match(line).then_some(end + 1)
            }
            Expected::Any | Expected::Size(_) => (!bytes.is_empty()).then_some(bytes.len()),
        }
    }

    /// Reads on in the message of which a part is read, if what is left of it matches.
    fn continue_reading(&mut self, side: Side, at: usize, what: &Expected) -> bool {
        let Some(reading) = &self.ends[side as usize].reading else { return false };
        if matches!(what, Expected::Any) {
            return false;
        }
        let looked = reading.message.rest().len();
        let matched = self.matched(at, what, reading.message.rest()).filter(|length| *length > 0);
        self.looks_at(looked);
        let Some(length) = matched else { return false };
        if let Some(reading) = &mut self.ends[side as usize].reading {
            reading.began = Some(reading.message.taken);
            reading.message.taken += length as u64;
            reading.reader = at;
        }
        true
    }

    /// Begins the next message. If it does not match alone, it may together with those behind it, once all have come.
    fn read_next(&mut self, side: Side, at: usize, what: &Expected, all: bool) -> bool {
        let queue = &self.ends[side as usize].queue;
        let most = if all { queue.len() } else { queue.len().min(1) };
        let mut bytes: Vec<u8> = Vec::new();
        let mut looked = 0;
        let mut chosen = None;
        for (position, message) in queue.iter().take(most).enumerate() {
            let before = bytes.len();
            bytes.extend_from_slice(message.rest());
            looked += bytes.len() + BYTES_A_STEP;
            if self.followed + looked / BYTES_A_STEP > FOLLOWED {
                break;
            }
            if message.content.is_none() && !matches!(what, Expected::Any) {
                break;
            }
            let matched = if message.content.is_none() { usize::try_from(message.left()).ok() } else { self.matched(at, what, &bytes) };
            if let Some(length) = matched {
                chosen = Some((position, length.saturating_sub(before), position == 0));
                break;
            }
        }
        if chosen.is_none() && all && !queue.is_empty() {
            chosen = Some((0, usize::MAX, false));
        }
        self.looks_at(looked);
        let Some((position, length, known)) = chosen else { return false };
        self.finish_reading(side);
        let end = &mut self.ends[side as usize];
        for _ in 0..position {
            if let Some(message) = end.queue.pop_front() {
                self.read[message.at] = true;
            }
        }
        if let Some(mut message) = end.queue.pop_front() {
            self.read[message.at] = true;
            let began = known.then_some(message.taken);
            if length != usize::MAX {
                message.taken += length as u64;
            }
            end.reading = Some(Reading { message, reader: at, began: if length == usize::MAX { Some(0) } else { began } });
        }
        true
    }

    /// Reads on in the message of which a part is read though it seems not to match: it is all there is.
    fn read_on(&mut self, side: Side, at: usize) -> bool {
        match &mut self.ends[side as usize].reading {
            Some(reading) if reading.message.left() > 0 => {
                reading.message.taken = reading.message.length;
                reading.began = None;
                reading.reader = at;
                true
            }
            _ => false,
        }
    }

    /// The message is read: what its last reader did not take is passed over by it.
    fn finish_reading(&mut self, side: Side) {
        let Some(reading) = self.ends[side as usize].reading.take() else { return };
        let rest = match self.layout.ops.get(reading.reader) {
            Some(Op::Step(Step { kind: StepKind::Expects { what, .. }, .. })) => rest_of(&reading, what),
            _ => Rest::Nothing,
        };
        let seen = self.rests.entry(reading.reader).or_insert(rest);
        if *seen != rest {
            *seen = Rest::Nothing;
        }
    }
}
