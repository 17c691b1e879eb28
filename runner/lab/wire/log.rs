//! What is noted of every frame on a captured wire, from its coming to its end. In: frames as they come, what stages say of them. Out: rows
//! for captures, in the order in which frames came, each once its fate is known. Writes no file. A wire that nobody captures has none.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::super::capture::pcapng::Seen;
use super::super::capture::row::{Fate, Row, Said, Story};
use super::super::capture::writer::Feed;
use super::frame::{HEADER_BYTES, is_many, with_sum};
use super::send::Stopped;
use crate::emulate::{Mark, Taken};

/// Bytes of frames whose fate is not known yet, of one wire; frames that come on top are not noted, and counted as missed.
const PENDING_BYTES: usize = 64 << 20;
/// Frames, likewise.
const PENDING_FRAMES: usize = 1_000_000;

/// A capture of a wire. Its interfaces in the file are one for each end, beginning at `interface`; a frame belongs to the end where it came in.
pub(crate) struct Out {
    /// The capture's number, which is its file's.
    pub(crate) file: usize,
    pub(crate) interface: u32,
    pub(crate) feed: Feed,
    /// By end.
    pub(crate) seen: [Seen; 2],
}

/// A frame and what is known of it.
struct Noted {
    end: usize,
    at_ns: u64,
    wall_ns: u64,
    bytes: Vec<u8>,
    is_many: bool,
    story: Story,
    is_over: bool,
}

/// A frame that comes.
#[derive(Clone, Copy)]
pub(crate) struct Coming<'a> {
    /// The end where it came in.
    pub(crate) end: usize,
    /// When, ns of the monotonic clock.
    pub(crate) at_ns: u64,
    /// When, ns of the wall clock.
    pub(crate) wall_ns: u64,
    pub(crate) header: &'a [u8; HEADER_BYTES],
    pub(crate) frame: &'a [u8],
}

/// The notes of one wire.
#[derive(Default)]
pub(crate) struct Log {
    /// In the order in which they came; the first has the number `first`.
    rows: VecDeque<Noted>,
    first: u64,
    bytes: usize,
    /// Each with the number of the first row that it is to have.
    outs: Vec<(u64, Out)>,
    /// The timeline's start, ns of the monotonic clock, once it is known.
    pub(crate) began_ns: Option<u64>,
}

/// A log that the frames of its wire share.
pub(crate) type Shared = Rc<RefCell<Log>>;

/// By which a frame on the wire finds its row.
pub(crate) struct Ticket {
    log: Shared,
    number: u64,
}

impl Ticket {
    /// Its frame was taken.
    pub(crate) fn taken(&self, by: Taken) {
        self.log.borrow_mut().ended(self.number, Fate::Taken(by));
    }

    /// Something was done to its frame.
    pub(crate) fn marked(&self, with: Mark) {
        if let Some(story) = self.log.borrow_mut().story(self.number) {
            match with {
                Mark::Corrupted(byte) => story.corrupted = Some(byte),
                Mark::Reordered => story.is_reordered = true,
                Mark::Congestion => story.is_marked = true,
            }
        }
    }

    /// Its frame left, or could not; `at_ns` on the monotonic clock.
    pub(crate) fn left(&self, at_ns: u64, why_not: Option<Stopped>) {
        let mut log = self.log.borrow_mut();
        let came = log.row(self.number).map_or(at_ns, |row| row.at_ns);
        let fate = match why_not {
            None => {
                let since = log.began_ns.map(|began| i64::try_from(i128::from(at_ns) - i128::from(began)).unwrap_or(i64::MAX));
                Fate::Delivered { at_ns: since, after_ns: at_ns.saturating_sub(came) }
            }
            Some(Stopped::Down) => Fate::Down,
            Some(Stopped::Failed) => Fate::Taken(Taken::Failed),
        };
        log.ended(self.number, fate);
    }
}

/// What is noted of a frame while it enters the model: rows for it and its copy.
pub(crate) struct Witness<'a> {
    log: Option<&'a Shared>,
    coming: Coming<'a>,
    own: Option<u64>,
    made: bool,
}

impl<'a> Witness<'a> {
    pub(crate) fn new(log: Option<&'a Shared>, coming: Coming<'a>) -> Self {
        let own = log.and_then(|log| log.borrow_mut().note(coming, false));
        Witness { log, coming, own, made: false }
    }

    /// For the frame itself the first time, for its copy then.
    pub(crate) fn ticket(&mut self) -> Option<Ticket> {
        let log = self.log?;
        let number = if std::mem::replace(&mut self.made, true) { log.borrow_mut().note(self.coming, true) } else { self.own };
        number.map(|number| Ticket { log: Rc::clone(log), number })
    }

    /// The frame entered the model, or was taken at once.
    pub(crate) fn entered(self, taken: Option<Taken>) {
        if let (Some(log), Some(number), Some(by)) = (self.log, self.own, taken) {
            log.borrow_mut().ended(number, Fate::Taken(by));
        }
    }
}

impl Log {
    /// A capture begins: it gets what comes from now on.
    pub(crate) fn begin(&mut self, out: Out) {
        self.outs.push((self.first + self.rows.len() as u64, out));
    }

    /// A capture ends: frames whose fate is not known are on the way. Out: what it saw, by end; `None`: it is none of this wire.
    pub(crate) fn end(&mut self, file: usize) -> Option<[Seen; 2]> {
        let at = self.outs.iter().position(|(_, out)| out.file == file)?;
        let (from, mut out) = self.outs.remove(at);
        for (number, row) in (self.first..).zip(&self.rows) {
            if number >= from {
                out.put(row);
            }
        }
        Some(out.seen)
    }

    /// Nobody listens any more.
    pub(crate) fn is_idle(&self) -> bool {
        self.outs.is_empty()
    }

    /// Frames came that nobody could read.
    pub(crate) fn missed(&mut self, end: usize, count: u64) {
        for (_, out) in &mut self.outs {
            out.seen[end].came += count;
            out.seen[end].missed += count;
        }
    }

    fn note(&mut self, coming: Coming<'_>, is_copy: bool) -> Option<u64> {
        if self.outs.is_empty() {
            return None;
        }
        let Coming { end, at_ns, wall_ns, header, frame } = coming;
        if self.bytes + frame.len() > PENDING_BYTES || self.rows.len() >= PENDING_FRAMES {
            self.missed(end, 1);
            return None;
        }
        self.bytes += frame.len();
        let story = Story { is_copy, ..Story::of(Fate::Queued) };
        self.rows.push_back(Noted {
            end,
            at_ns,
            wall_ns,
            bytes: with_sum(*header, frame),
            is_many: is_many(*header),
            story,
            is_over: false,
        });
        Some(self.first + self.rows.len() as u64 - 1)
    }

    fn row(&mut self, number: u64) -> Option<&mut Noted> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.rows.get_mut(at)
    }

    fn story(&mut self, number: u64) -> Option<&mut Story> {
        self.row(number).map(|row| &mut row.story)
    }

    /// The fate of a frame is known: it is handed out once those of all before it are.
    fn ended(&mut self, number: u64, fate: Fate) {
        if let Some(row) = self.row(number) {
            (row.story.fate, row.is_over) = (fate, true);
        }
        while self.rows.front().is_some_and(|row| row.is_over) {
            let Some(row) = self.rows.pop_front() else { return };
            for (from, out) in &mut self.outs {
                if self.first >= *from {
                    out.put(&row);
                }
            }
            self.first += 1;
            self.bytes -= row.bytes.len();
        }
    }
}

impl Out {
    fn put(&mut self, row: &Noted) {
        let seen = &mut self.seen[row.end];
        seen.came += 1;
        let row = Row {
            interface: self.interface + row.end as u32,
            at_ns: row.wall_ns,
            bytes: row.bytes.clone(),
            is_many: row.is_many,
            said: Said::Carried(row.story),
        };
        if !self.feed.offer(self.file, row) {
            seen.missed += 1;
        }
    }
}
