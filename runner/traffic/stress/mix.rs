//! Which streams of a stress are alive, and which come next. In: what the timeline orders, ends of streams, the time. Out: streams to start and to stop.
//! Every choice hangs on a stream's number alone, never on the time. Starts nothing itself.

use std::collections::{BTreeMap, VecDeque};

use scn_grammar::scenario::flow::ToolKind;
use scn_grammar::scenario::stress::StressTransport;
use scn_grammar::scenario::timeline::StressSetting;
use scn_reports::record::stress::StreamRecord;

use super::super::draw::Key;
use crate::plan::profile::Profile;
use crate::plan::streams;
use crate::plan::types::PlannedStress;

/// The part of the seed that streams come from.
const STREAMS: u64 = 0x7374_7265_7373;
/// After a stream that failed the next one waits so long, so that a refusal is not asked for as fast as it can be had, ns.
const AFTER_FAILURE_NS: i64 = 100_000_000;
/// So many streams that ended are kept one by one; all of them are counted.
pub const KEPT_STREAMS: usize = 200;

/// What was drawn for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Which of its kinds it is: a position.
    pub kind: usize,
    /// How long it lives, ns.
    pub duration_ns: u64,
    /// Payload of each of its messages, bytes.
    pub size: u64,
}

/// Draws a stream by its number.
pub fn draw(planned: &PlannedStress, seed: u64, stress: usize, number: u64) -> Drawn {
    let key = Key::of_seed(seed).part(STREAMS).part(stress as u64).part(number);
    let among = |part: u64, count: usize| usize::try_from(key.part(part).bits() % (count.max(1) as u64)).unwrap_or(0);
    let stress = &planned.stress;
    let from = among(0, stress.from.len());
    let over = stress.transports.get(among(1, stress.transports.len())).copied().unwrap_or(StressTransport::Tcp);
    let maker = streams::makers(stress, over).nth(among(4, streams::makers(stress, over).count())).flatten();
    let of_client: Vec<(StressTransport, Option<ToolKind>)> = streams::kinds_of_client(stress).collect();
    let kind = of_client.iter().position(|kind| *kind == (over, maker)).unwrap_or(0);
    let (least, most) = match over {
        StressTransport::Tcp | StressTransport::Sctp => (streams::SMALLEST, u64::MAX),
        StressTransport::Udp => (streams::SMALLEST, streams::LARGEST),
        StressTransport::Icmp if maker == Some(ToolKind::Ping) => (streams::SMALLEST_OF_PING, streams::LARGEST),
        StressTransport::Icmp => (1, streams::LARGEST),
    };
    let size = key.part(3).draw(&stress.size).clamp(least, most);
    Drawn { kind: from * of_client.len() + kind, duration_ns: key.part(2).draw(&stress.duration).max(1), size }
}

/// A stream that is alive, or about to be.
#[derive(Debug, Clone)]
struct Alive {
    drawn: Drawn,
    began_ns: Option<i64>,
    /// It was told to end.
    ending: bool,
    /// Its time is over, and it only waits for its last answers: its place is free.
    leaving: bool,
}

/// Settings of the number of streams: the entry, and the value before it.
type Former = Vec<(usize, u64)>;

/// How a stress stands.
#[derive(Debug)]
pub struct Mix {
    alive: BTreeMap<u64, Alive>,
    next: u64,
    total: Option<u64>,
    streams: Profile,
    former: Former,
    runs: bool,
    paused: bool,
    began: u64,
    /// Fewest and most alive since somebody looked.
    extremes: (u64, u64),
    /// The last that ended.
    pub ended: VecDeque<StreamRecord>,
    /// When it ran: start and stop, ns.
    pub ran_ns: Vec<(i64, i64)>,
}

impl Mix {
    /// Before its start.
    pub fn new(planned: &PlannedStress) -> Mix {
        Mix {
            alive: BTreeMap::new(),
            next: 0,
            total: planned.stress.total,
            streams: Profile::new(i64::MIN / 2, planned.stress.streams, None),
            former: Vec::new(),
            runs: false,
            paused: false,
            began: 0,
            extremes: (0, 0),
            ended: VecDeque::new(),
            ran_ns: Vec::new(),
        }
    }

    /// It starts; `false`: it runs.
    pub fn start(&mut self, at_ns: i64) -> bool {
        let starts = !self.runs;
        if starts {
            (self.runs, self.paused) = (true, false);
            self.ran_ns.push((at_ns, i64::MAX));
        }
        starts
    }

    /// It stops with all its streams; `false`: it did not run.
    pub fn stop(&mut self, at_ns: i64) -> bool {
        if let Some(last) = self.ran_ns.last_mut().filter(|_| self.runs) {
            last.1 = at_ns.max(last.0);
        }
        self.alive.values_mut().for_each(|stream| stream.ending = true);
        std::mem::take(&mut self.runs)
    }

    /// All its streams end and none starts; `false`: so it is already, or it does not run.
    pub fn pause(&mut self) -> bool {
        self.alive.values_mut().for_each(|stream| stream.ending = true);
        self.runs && !std::mem::replace(&mut self.paused, true)
    }

    /// Streams start again; `false`: they do, or it does not run.
    pub fn resume(&mut self) -> bool {
        self.runs && std::mem::take(&mut self.paused)
    }

    /// Other numbers of streams, by an entry of the timeline or its end.
    pub fn set(&mut self, entry: usize, undo: bool, setting: StressSetting, over_ns: u64, at_ns: i64) {
        let StressSetting::Streams(count) = setting else { return };
        if !undo {
            self.former.push((entry, self.streams.value(at_ns)));
            return self.streams.glide(at_ns, count, over_ns);
        }
        let Some(at) = self.former.iter().position(|(known, _)| *known == entry) else { return };
        let (_, before) = self.former.remove(at);
        match self.former.get_mut(at) {
            Some((_, above)) => *above = before,
            None => self.streams.glide(at_ns, before, 0),
        }
    }

    /// Streams that are to start now: their numbers, in order.
    pub fn to_start(&mut self, now_ns: i64, draw: impl Fn(u64) -> Drawn) -> Vec<(u64, Drawn)> {
        let mut starts = Vec::new();
        let wanted = usize::try_from(self.streams.value(now_ns)).unwrap_or(usize::MAX);
        while self.runs && !self.paused && self.places() < wanted && self.total.is_none_or(|total| self.next < total) {
            let drawn = draw(self.next);
            self.alive.insert(self.next, Alive { drawn, began_ns: None, ending: false, leaving: false });
            starts.push((self.next, drawn));
            self.next += 1;
        }
        starts
    }

    /// Streams that are too many now, the last that came first: each is told once.
    pub fn to_stop(&mut self, now_ns: i64) -> Vec<(u64, Drawn)> {
        let wanted = usize::try_from(self.streams.value(now_ns)).unwrap_or(usize::MAX);
        let going_on = self.going_on();
        let last = self.alive.iter_mut().rev().filter(|(_, stream)| !stream.ending && !stream.leaving);
        let too_many = last.take(going_on.saturating_sub(wanted));
        too_many
            .map(|(number, stream)| {
                stream.ending = true;
                (*number, stream.drawn)
            })
            .collect()
    }

    /// The number of streams is still changing, or is not what it has become.
    pub fn is_gliding(&self, now_ns: i64) -> bool {
        let wanted = usize::try_from(self.streams.value(now_ns)).unwrap_or(usize::MAX);
        let going_on = self.going_on();
        let may_start = !self.paused && self.total.is_none_or(|total| self.next < total);
        let differs = going_on > wanted || (may_start && self.places() < wanted);
        self.runs && (differs || self.streams.changes_after(now_ns).is_some())
    }

    /// Places that are taken.
    fn places(&self) -> usize {
        self.alive.values().filter(|stream| !stream.leaving).count()
    }

    /// Streams that nobody told to end, and whose time is not over.
    fn going_on(&self) -> usize {
        self.alive.values().filter(|stream| !stream.ending && !stream.leaving).count()
    }

    /// A stream's time is over: what it still waits for takes no place. `false`: that is known.
    pub fn leaves(&mut self, number: u64) -> bool {
        let leaves = self.alive.get_mut(&number).is_some_and(|stream| !std::mem::replace(&mut stream.leaving, true));
        self.count();
        leaves
    }

    /// A stream begins, however late; one that was told to end before never did.
    pub fn began(&mut self, number: u64, now_ns: i64) {
        if let Some(stream) = self.alive.get_mut(&number).filter(|stream| !stream.ending) {
            stream.began_ns = Some(now_ns);
            self.began += 1;
        }
        self.count();
    }

    /// A stream that a tool makes began, or could not. Its program runs, or did, whatever it was told meanwhile.
    pub fn ran(&mut self, number: u64, at_ns: i64) {
        if let Some(stream) = self.alive.get_mut(&number).filter(|stream| stream.began_ns.is_none()) {
            stream.began_ns = Some(at_ns);
            self.began += 1;
        }
        self.count();
    }

    /// Those that are alive or about to be, with when each began if it did, ns.
    pub fn alive(&self) -> impl Iterator<Item = (u64, Drawn, Option<i64>)> {
        self.alive.iter().map(|(number, stream)| (*number, stream.drawn, stream.began_ns))
    }

    /// A stream is over. Out: when its successor may start, and whether it counts as failed.
    pub fn over(&mut self, number: u64, now_ns: i64, transport: &str, answered: Option<u64>, cause: Option<String>) -> (i64, bool) {
        let Some(stream) = self.alive.remove(&number) else { return (now_ns, false) };
        self.count();
        let failed = cause.is_some();
        if let Some(began_ns) = stream.began_ns {
            self.ended.push_back(StreamRecord {
                number,
                transport: transport.to_owned(),
                size: stream.drawn.size,
                began_ns,
                ended_ns: now_ns,
                received: answered,
                cause,
            });
            if self.ended.len() > KEPT_STREAMS {
                self.ended.pop_front();
            }
        }
        (if failed { now_ns.saturating_add(AFTER_FAILURE_NS) } else { now_ns }, failed)
    }

    fn count(&mut self) {
        let now = self.active();
        self.extremes = (self.extremes.0.min(now), self.extremes.1.max(now));
    }

    /// Streams alive now.
    pub fn active(&self) -> u64 {
        self.alive.values().filter(|stream| stream.began_ns.is_some() && !stream.leaving).count() as u64
    }

    /// Fewest and most alive since this was asked last.
    pub fn extremes(&mut self) -> (u64, u64) {
        let now = self.active();
        std::mem::replace(&mut self.extremes, (now, now))
    }

    /// Streams that began.
    pub fn streams(&self) -> u64 {
        self.began
    }

    /// Nothing of it is alive, and nothing will come: it was stopped, or has started all.
    pub fn is_over(&self) -> bool {
        self.alive.is_empty() && (!self.runs || self.total.is_some_and(|total| self.next >= total))
    }

    /// It runs: it was started and not stopped.
    pub fn runs(&self) -> bool {
        self.runs
    }
}
