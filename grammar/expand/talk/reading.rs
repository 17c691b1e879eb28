//! What a side reads of the messages that came: how much an `expects` takes, and what it passes over. In: the talk so far. Out: the
//! talk, read on; problems. Who may act when is the parent's question.

use super::super::matching::{matched, never_matches};
use super::super::message::{Reading, rest_of};
use super::super::pattern_error::PatternError;
use super::super::steps::{other, side_word};
use super::{BYTES_A_STEP, FOLLOWED, Op, Talk};
use crate::scenario::pattern::{Expected, Rest, Side, Step, StepKind};

impl Talk<'_> {
    /// Reads for an `expects`, if what it waits for is there. With `all`, nothing more will come.
    pub(super) fn expect(&mut self, side: Side, at: usize, what: &Expected, all: bool) -> bool {
        match what {
            _ if self.reads_a_file(side, at) => false,
            Expected::Size(size) => self.expect_size(side, *size),
            _ => {
                self.continue_reading(side, at, what)
                    || self.read_next(side, at, what, false)
                    || (all && self.read_what_came(side, at, what))
            }
        }
    }

    /// Nothing more will come: what came is read, in the way in which it fits best.
    fn read_what_came(&mut self, side: Side, at: usize, what: &Expected) -> bool {
        let end = &self.ends[side as usize];
        let begun = end.reading.as_ref().map(|reading| &reading.message);
        let sent = end.queue.front().or(begun.filter(|message| message.left() > 0)).map(|message| message.at);
        if never_matches(what, self.regexes.get(&at), begun, &end.queue)
            && let (Some(Op::Step(step)), Some(Op::Step(sent))) = (self.layout.ops.get(at), sent.and_then(|sent| self.layout.ops.get(sent)))
        {
            let (side, other, line) = (side_word(side), side_word(other(side)), matches!(what, Expected::Line(_)));
            self.failures.push(PatternError::NeverMatches { side, other, line, span: step.span, sent: sent.span }.into());
        }
        self.read_next(side, at, what, true) || self.read_on(side, at)
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

    /// Reads on in the message of which a part is read, if what is left of it matches.
    fn continue_reading(&mut self, side: Side, at: usize, what: &Expected) -> bool {
        let Some(reading) = &self.ends[side as usize].reading else { return false };
        if matches!(what, Expected::Any) {
            return false;
        }
        let looked = reading.message.rest().len();
        let matched = matched(what, self.regexes.get(&at), reading.message.rest()).filter(|length| *length > 0);
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
            let matched =
                if message.content.is_none() { usize::try_from(message.left()).ok() } else { matched(what, self.regexes.get(&at), &bytes) };
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
    pub(super) fn finish_reading(&mut self, side: Side) {
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
