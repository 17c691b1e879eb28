//! What receiving means where a message is a datagram: verifies it, takes it. In: an operation and what is left of a message. Out:
//! taken, or a message more is needed, or what is wrong.

use regex::bytes::Regex;
use scn_grammar::scenario::pattern::{Rest, Side};
use scn_reports::record::flow::{ConnectionEnd, CorruptionKind};

use super::exchange::{Exchange, MESSAGES, Stage, corrupt, fault};
use crate::traffic::ctraffic;
use crate::traffic::frame::{Frame, HEADER, Header, MAGIC, UNKNOWN_CONNECTION, UNKNOWN_FLOW, Way};
use crate::traffic::pattern::program::{Act, Operation, Piece};
use crate::traffic::pattern::receive::capture;
use crate::traffic::pattern::session::{Fault, Sent, compose, shown};

impl Exchange {
    /// Carries a receiving operation out; `false`: it needs another message.
    pub(super) fn take(&mut self, stage: &Stage<'_>, operation: &Operation, message: &mut Option<&[u8]>) -> Result<bool, Box<Fault>> {
        let Some(bytes) = message.filter(|rest| !rest.is_empty() || self.takes_nothing(operation)) else { return Ok(false) };
        if stage.program.keeps && self.left == 0 {
            self.held.clear();
        }
        self.strict = matches!(operation.act, Act::TakeFrame(_) | Act::TakeCount(_) | Act::TakeFile(_) | Act::TakeEcho | Act::TakeNamed);
        let taken = match &operation.act {
            Act::TakeFrame(size) => self.take_frame(stage, operation, *size, bytes)?,
            Act::TakeCount(count) => {
                if self.left == 0 {
                    self.left = *count;
                    if *count >= HEADER as u64 && Header::decode(bytes).is_some_and(|header| u64::from(header.length) == *count) {
                        self.take_frame(stage, operation, Some(*count), bytes)?;
                    }
                }
                let taken = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= taken as u64;
                taken
            }
            Act::TakeText(pieces) => self.take_text(stage, operation, pieces, bytes)?,
            Act::TakeRegex(regex, groups) => capture(regex, bytes, groups, &mut self.captures).ok_or_else(|| mismatch(operation, bytes))?,
            Act::TakeLine(regex, groups) => self.take_line(operation, regex.as_deref(), groups, bytes)?,
            Act::TakeFile(content) => take_exactly(operation, bytes, content, "not what the file holds")?,
            Act::TakeEcho => self.take_echo(operation, bytes)?,
            Act::TakeNamed => self.take_named(operation, bytes)?,
            _ => bytes.len(),
        };
        if stage.program.keeps {
            self.held.extend_from_slice(&bytes[..taken]);
        }
        self.header = None;
        let rest = &bytes[taken..];
        *message = Some(rest).filter(|rest| !rest.is_empty());
        if self.left > 0 {
            return Ok(false);
        }
        self.pass_over(operation, &bytes[..taken], message);
        Ok(true)
    }

    /// An empty message is what this one waits for.
    fn takes_nothing(&self, operation: &Operation) -> bool {
        matches!(operation.act, Act::TakeEcho)
    }

    /// Passes over what belongs to the message that matched; a datagram's end is a message's end.
    fn pass_over(&self, operation: &Operation, taken: &[u8], message: &mut Option<&[u8]>) {
        let Some(rest) = *message else { return };
        let skipped = match operation.rest {
            Rest::Nothing => 0,
            Rest::Line if matches!(operation.act, Act::TakeLine(..)) || taken.last() == Some(&b'\n') => 0,
            Rest::Line => rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1),
            Rest::Message(length) => usize::try_from(length.saturating_sub(taken.len() as u64)).unwrap_or(usize::MAX).min(rest.len()),
        };
        *message = Some(&rest[skipped..]).filter(|rest| !rest.is_empty());
    }

    fn take_text(&mut self, stage: &Stage<'_>, operation: &Operation, pieces: &[Piece], bytes: &[u8]) -> Result<usize, Box<Fault>> {
        let mut text = Vec::new();
        compose(pieces, &self.captures, stage.identity, &mut text);
        if bytes.starts_with(&text) { Ok(text.len()) } else { Err(mismatch(operation, bytes)) }
    }

    fn take_line(
        &mut self,
        operation: &Operation,
        regex: Option<&Regex>,
        groups: &[(usize, usize)],
        bytes: &[u8],
    ) -> Result<usize, Box<Fault>> {
        let feed = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| mismatch(operation, bytes))?;
        let line = &bytes[..feed];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match regex.map(|regex| capture(regex, line, groups, &mut self.captures)) {
            Some(None) => Err(mismatch(operation, &bytes[..=feed])),
            _ => Ok(feed + 1),
        }
    }

    /// Compares what came with what this side sent last.
    fn take_echo(&self, operation: &Operation, bytes: &[u8]) -> Result<usize, Box<Fault>> {
        let length = match &self.sent {
            Sent::Nothing => 0,
            Sent::Frame(frame) => frame.length(),
            Sent::Text => self.sent_text.len(),
        };
        let seen = &bytes[..bytes.len().min(length)];
        let wrong = match &self.sent {
            Sent::Frame(frame) => frame.first_wrong(0, seen),
            _ => seen.iter().zip(&self.sent_text).position(|(a, b)| a != b),
        };
        let wrong = wrong.or((seen.len() < length).then_some(seen.len()));
        match wrong {
            None => Ok(length),
            Some(wrong) => {
                let detail = format!("an echo differs from what was sent, from byte {wrong} on: {}", shown(&bytes[wrong..]));
                Err(corrupt(operation, CorruptionKind::Content, wrong, detail))
            }
        }
    }

    /// Compares what came with the zeros that this side sent; a name may stand over their beginning.
    fn take_named(&self, operation: &Operation, bytes: &[u8]) -> Result<usize, Box<Fault>> {
        let length = self.sent_text.len();
        if bytes.len() < length {
            let what = format!("a datagram of {} bytes came and not of {length}", bytes.len());
            return Err(fault(operation, what, ConnectionEnd::Mismatch));
        }
        match ctraffic::name(&bytes[..length]) {
            Ok(_) => Ok(length),
            Err(wrong) => {
                let detail = format!("an answer differs from what was sent, from byte {wrong} on: {}", shown(&bytes[wrong..]));
                Err(corrupt(operation, CorruptionKind::Content, wrong, detail))
            }
        }
    }

    /// Verifies one datagram of filling.
    fn take_frame(&mut self, stage: &Stage<'_>, operation: &Operation, size: Option<u64>, bytes: &[u8]) -> Result<usize, Box<Fault>> {
        let way = if stage.program.side == Side::Client { Way::Back } else { Way::Forward };
        let identity = stage.identity;
        let ought = Header {
            way,
            flow: identity.flow,
            run: identity.run,
            connection: identity.connection,
            node: u16::MAX,
            sequence: self.number.wrapping_mul(MESSAGES) + u64::from(self.incoming.saturating_sub(1)),
            length: size.map_or(bytes.len() as u32, |size| size as u32),
        };
        let frame = if size.unwrap_or(bytes.len() as u64) < HEADER as u64 {
            Frame::new(&ought)
        } else {
            let head = bytes.first_chunk();
            let header = self.header.take().or_else(|| Header::decode(bytes));
            let Some((header, head)) = header.zip(head) else {
                if bytes[0] != MAGIC {
                    return Err(mismatch(operation, bytes));
                }
                let detail = format!("the header of a datagram is damaged: {}", shown(&bytes[..bytes.len().min(HEADER)]));
                return Err(corrupt(operation, CorruptionKind::Content, 0, detail));
            };
            self.identified(operation, &ought, &header)?;
            self.peer_node = header.node;
            Frame::received(&header, *head)
        };
        if frame.length() != bytes.len() || size.is_some_and(|size| size != bytes.len() as u64) {
            let wanted = size.unwrap_or(frame.length() as u64);
            return Err(fault(operation, format!("a datagram of {} bytes came and not of {wanted}", bytes.len()), ConnectionEnd::Mismatch));
        }
        match frame.first_wrong(0, bytes) {
            None => Ok(bytes.len()),
            Some(wrong) => {
                let (number, is, should) = (self.number, bytes[wrong], frame.piece(wrong)[0]);
                let detail = format!("transaction {number}, {} bytes: byte {wrong} is {is:#04x} and not {should:#04x}", bytes.len());
                Err(corrupt(operation, CorruptionKind::Content, wrong, detail))
            }
        }
    }

    fn identified(&self, operation: &Operation, ought: &Header, came: &Header) -> Result<(), Box<Fault>> {
        let known = |ours: u32, theirs: u32, unknown: u32| ours == theirs || ours == unknown || theirs == unknown;
        if came.run != ought.run
            || came.way != ought.way
            || !known(u32::from(ought.flow), u32::from(came.flow), u32::from(UNKNOWN_FLOW))
            || !known(ought.connection, came.connection, UNKNOWN_CONNECTION)
        {
            let detail = format!(
                "expected run {:08x} flow {} socket {}, came run {:08x} flow {} socket {}",
                ought.run, ought.flow, ought.connection, came.run, came.flow, came.connection
            );
            return Err(corrupt(operation, CorruptionKind::Misdelivered, 0, detail));
        }
        if came.sequence != ought.sequence {
            let words = |sequence: u64| format!("message {} of transaction {}", sequence % MESSAGES, sequence / MESSAGES);
            let detail = format!("expected {}, came {}", words(ought.sequence), words(came.sequence));
            return Err(corrupt(operation, CorruptionKind::Sequence, 0, detail));
        }
        Ok(())
    }
}

/// A whole message that must be exactly this.
fn take_exactly(operation: &Operation, bytes: &[u8], content: &[u8], not: &str) -> Result<usize, Box<Fault>> {
    let seen = &bytes[..bytes.len().min(content.len())];
    let wrong = seen.iter().zip(content).position(|(a, b)| a != b).or((seen.len() < content.len()).then_some(seen.len()));
    match wrong {
        None => Ok(content.len()),
        Some(wrong) => {
            Err(corrupt(operation, CorruptionKind::Content, wrong, format!("{not}, from byte {wrong} on: {}", shown(&bytes[wrong..]))))
        }
    }
}

/// What came is not what was waited for.
fn mismatch(operation: &Operation, got: &[u8]) -> Box<Fault> {
    fault(operation, format!("got {}", shown(got)), ConnectionEnd::Mismatch)
}
