//! The receiving half of a session: waits for what the pattern says, verifies it, takes it. In: an operation. Out: done, or the
//! fault with the first bytes that came.

use regex::bytes::Regex;
use scn_grammar::scenario::pattern::{Close, Rest, Side};
use scn_reports::record::flow::{ConnectionEnd, CorruptionKind};

use super::program::{Act, Operation, Piece};
use super::session::{Cut, Fault, Sent, Session, compose, end_of, shown};
use crate::traffic::control::Broken;
use crate::traffic::ctraffic;
use crate::traffic::frame::{Frame, HEADER, Header, MAGIC, UNKNOWN_CONNECTION, UNKNOWN_FLOW, Way};
use crate::traffic::pacer::NEVER_DUE;
use crate::traffic::told;
use crate::traffic::wire::{MOST_WAITING, Transport};

/// At most so many bytes are kept to be sent back.
const MOST_HELD: usize = 16 * 1024 * 1024;

/// The limit of one operation; set when it first has to wait.
struct Limit {
    ns: i64,
    /// When it is over for one that has never stood still: each instant of standing still puts it off.
    at_ns: Option<i64>,
}

impl<S: Transport> Session<S> {
    /// Carries a receiving operation out.
    pub(super) async fn take(&mut self, operation: &Operation) -> Result<(), Cut> {
        self.listen(operation)?;
        let ns = operation.within_ns.map_or(self.response_limit(), |within| i64::try_from(within).unwrap_or(i64::MAX));
        let mut limit = Limit { ns, at_ns: None };
        self.came = false;
        if self.program.keeps && !matches!(operation.act, Act::SendBack) {
            self.held.clear();
        }
        let taken = match &operation.act {
            Act::TakeFrame(size) => return self.take_frame(operation, *size, &mut limit).await,
            Act::TakeEcho => return self.take_echo(operation, &mut limit).await,
            Act::TakeFile(content) => return self.take_content(operation, content, &mut limit).await,
            Act::TakeNamed => return self.take_named(operation, &mut limit).await,
            Act::TakeCount(count) => return self.take_count(operation, *count, &mut limit).await,
            Act::TakeText(pieces) => self.take_text(operation, pieces, &mut limit).await?,
            Act::TakeRegex(regex, groups) => self.take_regex(operation, regex, groups, &mut limit).await?,
            Act::TakeLine(regex, groups) => self.take_line(operation, regex.as_deref(), groups, &mut limit).await?,
            _ => {
                self.need(operation, 1, &mut limit).await?;
                self.wire.waiting().len()
            }
        };
        self.accept(operation, taken)?;
        match self.take_rest(operation, taken, &mut limit).await {
            // Whoever is in between may have made the message shorter.
            Err(Cut::Fault(_)) if self.wire.stream().is_over() => {
                self.wire.pass_over();
                Ok(())
            }
            passed => passed,
        }
    }

    /// Waits until at least so many bytes are there.
    async fn need(&mut self, operation: &Operation, count: usize, limit: &mut Limit) -> Result<(), Cut> {
        while self.wire.waiting().len() < count {
            self.more(operation, limit).await?;
        }
        Ok(())
    }

    /// Waits for at least one byte more.
    async fn more(&mut self, operation: &Operation, limit: &mut Limit) -> Result<(), Cut> {
        if !self.wire.has_room() {
            return Err(Cut::Fault(Box::new(Fault {
                step: operation.step,
                what: format!("no match in {MOST_WAITING} bytes that begin with {}", shown(self.wire.waiting())),
                end: ConnectionEnd::Mismatch,
                corruption: None,
            })));
        }
        self.wait(limit).await.map_err(|broken| self.fault(operation, broken))?;
        self.hears();
        self.came = true;
        if operation.within_ns.is_none() {
            // The limit is one of each piece, not of all.
            limit.at_ns = None;
        }
        Ok(())
    }

    /// Waits for at least one byte more. What others of the same connection hear meanwhile keeps it from being quiet.
    async fn wait(&mut self, limit: &mut Limit) -> Result<(), Broken> {
        loop {
            self.set_limit(limit);
            match self.wire.read_more().await {
                Err(Broken::TimedOut) if self.company.is_some() && self.goes_on(limit) => {}
                read => return read,
            }
        }
    }

    /// A limit that is over was not that of the operation, and the connection is not quiet.
    fn goes_on(&self, limit: &Limit) -> bool {
        let now = self.worker.pacer.now_ns();
        limit.at_ns.is_some_and(|at| now < at.saturating_add(self.stood_ns())) && self.hush().broken(now).is_none()
    }

    /// Sets the limit of an operation when it first has to wait, and that of a quiet connection whenever it has to.
    fn set_limit(&mut self, limit: &mut Limit) {
        let known = limit.at_ns;
        let quiet = self.hush();
        if known.is_some() && !quiet.is_limited() {
            return;
        }
        let never = limit.ns == i64::MAX;
        let stood_ns = self.stood_ns();
        let first = || if never { NEVER_DUE } else { self.worker.pacer.now_ns().saturating_add(limit.ns) };
        let at = known.map_or_else(first, |known| known.saturating_add(stood_ns));
        limit.at_ns = Some(at.saturating_sub(stood_ns));
        self.worker.limit(self.wire.control(), quiet.until(at));
    }

    /// Takes the first bytes of what waits, and keeps them if they are sent back later.
    fn accept(&mut self, operation: &Operation, count: usize) -> Result<(), Cut> {
        if self.program.keeps {
            if self.held.len() + count > MOST_HELD {
                return Err(Cut::Fault(Box::new(Fault {
                    step: operation.step,
                    what: format!("more than {MOST_HELD} bytes to send back"),
                    end: ConnectionEnd::Mismatch,
                    corruption: None,
                })));
            }
            self.held.extend_from_slice(&self.wire.waiting()[..count]);
        }
        if self.worker.is_looked_at() {
            self.seen = told::payload(&self.wire.waiting()[..count]);
        }
        if let Some(last) = self.wire.waiting()[..count].last() {
            self.last_taken = *last;
        }
        self.progress.received_bytes += count as u64;
        self.wire.take(count);
        Ok(())
    }

    async fn take_text(&mut self, operation: &Operation, pieces: &[Piece], limit: &mut Limit) -> Result<usize, Cut> {
        // Nothing is being sent while something is awaited: the outgoing buffer is free.
        let mut text = std::mem::take(&mut self.wire.outgoing);
        compose(pieces, &self.captures, &self.identity, &mut text);
        let result = loop {
            let waiting = self.wire.waiting();
            let both = waiting.len().min(text.len());
            if waiting[..both] != text[..both] {
                break Err(self.mismatch(operation, waiting));
            }
            if both == text.len() {
                break Ok(both);
            }
            if let Err(cut) = self.more(operation, limit).await {
                break Err(cut);
            }
        };
        self.wire.outgoing = text;
        result
    }

    async fn take_regex(
        &mut self,
        operation: &Operation,
        regex: &Regex,
        groups: &[(usize, usize)],
        limit: &mut Limit,
    ) -> Result<usize, Cut> {
        loop {
            if !self.wire.waiting().is_empty()
                && let Some(end) = capture(regex, self.wire.waiting(), groups, &mut self.captures)
            {
                return Ok(end);
            }
            if let Err(cut) = self.more(operation, limit).await {
                // Something came, and then nothing more: that is what it came to.
                return Err(match cut {
                    Cut::Fault(fault) if fault.end == ConnectionEnd::Timeout && !self.wire.waiting().is_empty() => {
                        self.mismatch(operation, self.wire.waiting())
                    }
                    other => other,
                });
            }
        }
    }

    async fn take_line(
        &mut self,
        operation: &Operation,
        regex: Option<&Regex>,
        groups: &[(usize, usize)],
        limit: &mut Limit,
    ) -> Result<usize, Cut> {
        let mut searched = 0;
        let feed = loop {
            let waiting = self.wire.waiting();
            if let Some(at) = waiting[searched..].iter().position(|byte| *byte == b'\n') {
                break searched + at;
            }
            searched = waiting.len();
            self.more(operation, limit).await?;
        };
        let line = &self.wire.waiting()[..feed];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(regex) = regex
            && capture(regex, line, groups, &mut self.captures).is_none()
        {
            return Err(self.mismatch(operation, &self.wire.waiting()[..=feed]));
        }
        Ok(feed + 1)
    }

    /// Passes over what belongs to the message that matched.
    async fn take_rest(&mut self, operation: &Operation, taken: usize, limit: &mut Limit) -> Result<(), Cut> {
        match operation.rest {
            Rest::Nothing => Ok(()),
            Rest::Line => {
                if self.ended_in_a_line_feed(operation, taken) {
                    return Ok(());
                }
                let mut searched = 0;
                loop {
                    let waiting = self.wire.waiting();
                    if let Some(at) = waiting[searched..].iter().position(|byte| *byte == b'\n') {
                        return self.accept(operation, searched + at + 1);
                    }
                    searched = waiting.len();
                    self.more(operation, limit).await?;
                }
            }
            Rest::Message(length) => self.skim(operation, length.saturating_sub(taken as u64), limit).await,
        }
    }

    /// The match that was just taken ended in a line feed.
    fn ended_in_a_line_feed(&self, operation: &Operation, taken: usize) -> bool {
        match &operation.act {
            Act::TakeLine(..) => true,
            _ => taken > 0 && self.last_taken == b'\n',
        }
    }

    /// Takes so many bytes, whatever they are.
    async fn skim(&mut self, operation: &Operation, count: u64, limit: &mut Limit) -> Result<(), Cut> {
        let mut left = count;
        while left > 0 {
            self.need(operation, 1, limit).await?;
            let now = self.wire.waiting().len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.accept(operation, now)?;
            left -= now as u64;
        }
        Ok(())
    }

    async fn take_count(&mut self, operation: &Operation, count: u64, limit: &mut Limit) -> Result<(), Cut> {
        if count >= HEADER as u64 {
            self.need(operation, 1, limit).await?;
            if self.wire.waiting()[0] == MAGIC {
                self.need(operation, HEADER, limit).await?;
                if Header::decode(self.wire.waiting()).is_some_and(|header| u64::from(header.length) == count) {
                    return self.take_frame(operation, Some(count), limit).await;
                }
            }
        }
        self.skim(operation, count, limit).await
    }

    /// Waits for the end of the other side.
    pub(super) async fn take_end(&mut self, operation: &Operation, how: Close) -> Result<(), Cut> {
        self.listen(operation)?;
        if S::MESSAGES {
            self.wire.pass_over();
            self.wire.stream().awaits_the_end();
        }
        let mut limit = Limit { ns: self.response_limit(), at_ns: None };
        if self.wire.waiting().is_empty() {
            match self.wait(&mut limit).await {
                Err(Broken::Eof) => return Ok(()),
                Err(Broken::Io(error)) if how == Close::Reset && end_of(&error) == ConnectionEnd::Reset => return Ok(()),
                Err(broken) => return Err(self.fault(operation, broken)),
                Ok(()) => {}
            }
        }
        Err(self.mismatch(operation, self.wire.waiting()))
    }

    /// Receives what a file holds and verifies every byte.
    async fn take_content(&mut self, operation: &Operation, content: &[u8], limit: &mut Limit) -> Result<(), Cut> {
        let mut at = 0;
        while at < content.len() {
            self.need(operation, 1, limit).await?;
            let waiting = self.wire.waiting();
            let count = waiting.len().min(content.len() - at);
            if let Some(wrong) = waiting.iter().zip(&content[at..at + count]).position(|(a, b)| a != b) {
                let detail = format!("not what the file holds, from byte {} on: {}", at + wrong, shown(&waiting[wrong..]));
                return Err(corrupt(operation, CorruptionKind::Content, at + wrong, detail));
            }
            self.accept(operation, count)?;
            at += count;
        }
        Ok(())
    }

    /// Finds out which connection of which flow this is, if it is not known: a server behind a proxy reads it from the header of the
    /// client's first filling, without taking it.
    pub(super) async fn know_the_client(&mut self, operation: &Operation) -> Result<(), Cut> {
        let known = self.identity.flow != UNKNOWN_FLOW && self.identity.connection != UNKNOWN_CONNECTION;
        if known || self.program.side == Side::Client {
            return Ok(());
        }
        let mut limit = Limit { ns: self.response_limit(), at_ns: None };
        self.need(operation, 1, &mut limit).await?;
        let mut header = None;
        if self.wire.waiting()[0] == MAGIC {
            self.need(operation, HEADER, &mut limit).await?;
            header = Header::decode(self.wire.waiting()).filter(|header| header.way == Way::Forward && header.run == self.identity.run);
        }
        let Some(header) = header else {
            return Err(Cut::Fault(Box::new(Fault {
                step: operation.step,
                what: format!(
                    "which way the client takes is not known: it came through something that changed its address, and what it sent \
                     is no filling of {HEADER}B or more: {}",
                    shown(self.wire.waiting())
                ),
                end: ConnectionEnd::Mismatch,
                corruption: None,
            })));
        };
        self.identity.flow = header.flow;
        self.identity.connection = header.connection;
        Ok(())
    }

    /// Compares what comes with what this side sent last.
    async fn take_echo(&mut self, operation: &Operation, limit: &mut Limit) -> Result<(), Cut> {
        let sent = self.sent;
        let length = match &sent {
            Sent::Nothing => 0,
            Sent::Frame(frame) => frame.length(),
            Sent::Text => self.sent_text.len(),
        };
        let mut at = 0;
        while at < length {
            self.need(operation, 1, limit).await?;
            let waiting = self.wire.waiting();
            let count = waiting.len().min(length - at);
            let wrong = match &sent {
                Sent::Frame(frame) => frame.first_wrong(at, &waiting[..count]),
                _ => {
                    let expected = &self.sent_text[at..at + count];
                    waiting.iter().zip(expected).position(|(a, b)| a != b).map(|wrong| at + wrong)
                }
            };
            if let Some(wrong) = wrong {
                let detail = format!("an echo differs from what was sent, from byte {wrong} on: {}", shown(&waiting[wrong - at..]));
                return Err(corrupt(operation, CorruptionKind::Content, wrong, detail));
            }
            self.accept(operation, count)?;
            at += count;
        }
        Ok(())
    }

    /// Receives what this side sent last; the first time with the name of who answers over its beginning.
    async fn take_named(&mut self, operation: &Operation, limit: &mut Limit) -> Result<(), Cut> {
        let (length, room) = (self.sent_text.len(), if self.called.is_none() { ctraffic::NAME_ROOM } else { 0 });
        let mut begun = Vec::new();
        let mut at = 0;
        let wrong = loop {
            if at == length {
                break None;
            }
            self.need(operation, 1, limit).await?;
            let waiting = self.wire.waiting();
            let count = waiting.len().min(length - at);
            let named = room.saturating_sub(at).min(count);
            begun.extend_from_slice(&waiting[..named]);
            let sent = &self.sent_text[at + named..at + count];
            if let Some(wrong) = waiting[named..count].iter().zip(sent).position(|(a, b)| a != b) {
                break Some((at + named + wrong, shown(&waiting[named + wrong..])));
            }
            self.accept(operation, count)?;
            at += count;
        };
        let wrong = wrong.or_else(|| ctraffic::name(&begun).err().map(|wrong| (wrong, shown(&begun[wrong..]))));
        if let Some((wrong, seen)) = wrong {
            let detail = format!("an answer differs from what was sent, from byte {wrong} on: {seen}");
            return Err(corrupt(operation, CorruptionKind::Content, wrong, detail));
        }
        if let (None, Ok(name)) = (&self.called, ctraffic::name(&begun)) {
            self.peer_node = ctraffic::node(&self.worker.shared.plan, name);
            self.called = Some(name.to_vec());
        }
        Ok(())
    }

    /// Receives one message of filling and verifies every byte.
    async fn take_frame(&mut self, operation: &Operation, size: Option<u64>, limit: &mut Limit) -> Result<(), Cut> {
        self.need(operation, 1, limit).await?;
        let first = self.wire.waiting()[0];
        let short = size.map_or((first as usize) < HEADER && first > 0, |size| size < HEADER as u64);
        let way = if self.program.side == Side::Client { Way::Back } else { Way::Forward };
        let header = if short {
            let length = size.map_or(u32::from(first), |size| size as u32);
            Header {
                way,
                flow: self.identity.flow,
                run: self.identity.run,
                connection: self.identity.connection,
                node: u16::MAX,
                sequence: self.incoming,
                length,
            }
        } else {
            self.take_header(operation, size, way, limit).await?
        };
        self.incoming += 1;
        let frame = Frame::new(&header);
        let mut at = 0;
        while at < frame.length() {
            self.need(operation, 1, limit).await?;
            let waiting = self.wire.waiting();
            let count = waiting.len().min(frame.length() - at);
            if let Some(wrong) = frame.first_wrong(at, &waiting[..count]) {
                let detail = format!(
                    "message {} of {} bytes: byte {wrong} is {:#04x} and not {:#04x}",
                    header.sequence,
                    frame.length(),
                    waiting[wrong - at],
                    frame.piece(wrong)[0]
                );
                return Err(corrupt(operation, CorruptionKind::Content, wrong, detail));
            }
            self.accept(operation, count)?;
            at += count;
        }
        Ok(())
    }

    /// Looks at a message's header, without taking it.
    async fn take_header(&mut self, operation: &Operation, size: Option<u64>, way: Way, limit: &mut Limit) -> Result<Header, Cut> {
        while self.wire.waiting().len() < HEADER {
            // Bytes that cannot become a header are shown at once, not after a wait for more.
            if self.wire.waiting()[0] != MAGIC && !self.one_byte_off(size) {
                break;
            }
            self.more(operation, limit).await?;
        }
        let Identified { flow, run, connection, sequence } = self.expected();
        let Some(header) = Header::decode(self.wire.waiting()) else {
            return Err(self.damaged_header(operation, size, way));
        };
        let known = |ours: u32, theirs: u32, unknown: u32| ours == theirs || ours == unknown || theirs == unknown;
        if header.run != run
            || header.way != way
            || !known(u32::from(flow), u32::from(header.flow), u32::from(UNKNOWN_FLOW))
            || !known(connection, header.connection, UNKNOWN_CONNECTION)
        {
            let detail = format!(
                "expected run {run:08x} flow {flow} connection {connection}, came run {:08x} flow {} connection {}",
                header.run, header.flow, header.connection
            );
            return Err(corrupt(operation, CorruptionKind::Misdelivered, 0, detail));
        }
        if self.ordered && header.sequence != sequence {
            let detail = format!("expected message {sequence}, came message {}", header.sequence);
            return Err(corrupt(operation, CorruptionKind::Sequence, 0, detail));
        }
        if size.is_some_and(|size| size != u64::from(header.length)) {
            return Err(self.mismatch(operation, self.wire.waiting()));
        }
        if self.program.side == Side::Server && (flow == UNKNOWN_FLOW || connection == UNKNOWN_CONNECTION) {
            self.identity.flow = header.flow;
            self.identity.connection = header.connection;
        }
        self.peer_node = header.node;
        Ok(header)
    }

    fn expected(&self) -> Identified {
        let identity = &self.identity;
        Identified { flow: identity.flow, run: identity.run, connection: identity.connection, sequence: self.incoming }
    }

    /// The header that ought to come, as far as this side knows.
    fn ought(&self, size: Option<u64>, way: Way) -> Header {
        let waiting = self.wire.waiting();
        let byte = |at: usize| waiting.get(at).copied().unwrap_or(0);
        Header {
            way,
            flow: self.identity.flow,
            run: self.identity.run,
            connection: self.identity.connection,
            // Only the sender knows these two: believe what came.
            node: u16::from_le_bytes([byte(12), byte(13)]),
            sequence: self.incoming,
            length: size.map_or(u32::from_le_bytes([byte(24), byte(25), byte(26), byte(27)]), |size| size as u32),
        }
    }

    /// What came is nearly the header that ought to come: most of the bytes that are there agree.
    fn one_byte_off(&self, size: Option<u64>) -> bool {
        let way = if self.program.side == Side::Client { Way::Back } else { Way::Forward };
        let ought = self.ought(size, way).encode();
        let waiting = self.wire.waiting();
        let seen = waiting.len().min(24);
        let agree = waiting.iter().zip(&ought).take(seen).filter(|(a, b)| a == b).count();
        agree * 4 >= seen * 3
    }

    fn damaged_header(&self, operation: &Operation, size: Option<u64>, way: Way) -> Cut {
        let waiting = self.wire.waiting();
        if waiting[0] != MAGIC && !self.one_byte_off(size) {
            return self.mismatch(operation, waiting);
        }
        let ought = self.ought(size, way).encode();
        let wrong = waiting.iter().zip(&ought).position(|(a, b)| a != b).unwrap_or(HEADER - 1);
        let detail =
            format!("the header of message {} is damaged at byte {wrong}: {}", self.incoming, shown(&waiting[..waiting.len().min(HEADER)]));
        corrupt(operation, CorruptionKind::Content, wrong, detail)
    }
}

/// What a header must agree with.
struct Identified {
    flow: u16,
    run: u32,
    connection: u32,
    sequence: u64,
}

fn corrupt(operation: &Operation, kind: CorruptionKind, offset: usize, detail: String) -> Cut {
    Cut::Fault(corruption(operation, kind, offset, detail))
}

/// Wrong content, as a fault of a step.
pub(in crate::traffic) fn corruption(operation: &Operation, kind: CorruptionKind, offset: usize, detail: String) -> Box<Fault> {
    Box::new(Fault {
        step: operation.step,
        what: match kind {
            CorruptionKind::Content => "wrong content".to_owned(),
            CorruptionKind::Misdelivered => "the payload of another run, flow or connection".to_owned(),
            CorruptionKind::Sequence => "another message's payload".to_owned(),
        },
        end: ConnectionEnd::Mismatch,
        corruption: Some((kind, u32::try_from(offset).unwrap_or(u32::MAX), detail)),
    })
}

/// The end of a regex's first match, its named groups kept.
pub(in crate::traffic) fn capture(regex: &Regex, text: &[u8], groups: &[(usize, usize)], captures: &mut [Vec<u8>]) -> Option<usize> {
    if groups.is_empty() {
        return regex.find(text).map(|found| found.end());
    }
    let found = regex.captures(text)?;
    for (group, name) in groups {
        captures[*name].clear();
        if let Some(value) = found.get(*group) {
            captures[*name].extend_from_slice(value.as_bytes());
        }
    }
    found.get(0).map(|whole| whole.end())
}
