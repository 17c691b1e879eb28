//! What workers measured on a flow, and how their parts become one series. In: rows as they end. Out: [`FlowSeries`]. Judges
//! nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;

use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::source::Span;
use scn_reports::record::flow::{Connection, Corruption, Item, ItemOutcome, LookUp, MAX_ITEMS, NEVER, TcpSample};
use scn_reports::record::packet::{Datagrams, Missed, Packet, PacketFate};
use scn_reports::record::tool::ToolRecord;

use super::datagram::log::{Log, Note};
use super::deliveries::{self, Delivery};
use super::frames::log as frames;
use super::runs::Runs;
use super::secrets;

/// Kinds of failures that are kept; what comes after is counted under [`OTHER`].
const MAX_FAILURES: usize = 50;
/// Rows of each sort that a flow keeps. Where one sort is full, the whole series ends there and says so: what comes later is
/// judged by nobody.
const MAX_CORRUPTIONS: usize = 100_000;
const MAX_SAMPLES: usize = 10_000_000;
const MAX_CONNECTIONS: usize = 5_000_000;
const MAX_PACKETS: usize = 2 * MAX_ITEMS;
/// Changes of what a name means that are kept; later ones are in the connections' targets and in the failures.
const MAX_LOOKUPS: usize = 1000;
/// The kind of failures beyond the first kinds.
const OTHER: &str = "other failures";

/// Everything that traffic measured on one flow; the fields are those of the record's flow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowSeries {
    /// When it ran: start and stop.
    pub ran_ns: Vec<(i64, i64)>,
    /// When it was paused: from, to.
    pub paused_ns: Vec<(i64, i64)>,
    /// From each of these instants on the longest time between two intended starts, ns; empty: it never changed.
    pub intervals_ns: Vec<(i64, u64)>,
    /// It did all of its `total`, or its `duration` was over, or it was stopped.
    pub finished: bool,
    /// The items end here because there were too many.
    pub truncated_at_ns: Option<i64>,
    /// Every transaction, in the order of their ends; those without an end last.
    pub items: Vec<Item>,
    /// Every connection, in the order of their openings.
    pub connections: Vec<Connection>,
    /// Samples in the order of their instants.
    pub tcp: Vec<TcpSample>,
    /// What went wrong, most frequent first.
    pub failures: Vec<FailureKind>,
    /// Wrong content.
    pub corrupt: Vec<Corruption>,
    /// What became of each datagram; `None`: the flow has connections.
    pub datagrams: Option<Datagrams>,
    /// What the real program told that made it; `None`: scn made it.
    pub tool: Option<ToolRecord>,
    /// What the name that it goes to was found to mean, each time that this was another than before.
    pub lookups: Vec<LookUp>,
}

/// A kind of failure; the record's form has the line in place of the span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureKind {
    /// The step as written, or `connect to 10.0.0.100:5003`.
    pub step: String,
    /// What happened.
    pub what: String,
    /// The step's place; `None`: it has none.
    pub span: Option<Span>,
    /// How often.
    pub count: u64,
    /// When first, ns.
    pub first_ns: i64,
    /// When last, ns.
    pub last_ns: i64,
}

/// One worker's part of a flow. Connections carry the numbers that they were opened under.
#[derive(Debug, Default)]
pub struct Part {
    items: Runs<Item>,
    /// Only what went wrong is kept.
    of_streams: bool,
    workers: usize,
    truncated_at_ns: Option<i64>,
    connections: Vec<(u32, Connection)>,
    tcp: Vec<TcpSample>,
    failures: BTreeMap<(String, String), FailureKind>,
    corrupt: Vec<Corruption>,
    log: Log,
    lookups: Vec<LookUp>,
    /// What servers had whole of what nothing answers.
    delivered: Vec<Delivery>,
    /// Of a flow of frames: what it notes besides.
    pub frames: frames::Log,
}

impl Part {
    /// An empty part of a flow that so many workers measure.
    pub fn new(workers: usize) -> Part {
        Part { workers, ..Part::default() }
    }

    /// A part of a flow whose runs are streams: what they do is counted, and what went wrong is kept.
    pub fn of_streams(workers: usize) -> Part {
        Part { of_streams: true, ..Part::new(workers) }
    }

    /// A transaction ended, at this time.
    pub fn item(&mut self, item: Item, now_ns: i64) {
        if self.has_room(self.items.len(), MAX_ITEMS, now_ns) {
            self.items.push(item);
        }
    }

    /// A connection ended.
    pub fn connection(&mut self, number: u32, connection: Connection) {
        if self.has_room(self.connections.len(), MAX_CONNECTIONS, connection.opened_ns) {
            self.connections.push((number, connection));
        }
    }

    /// A server received a transaction whole that it does not answer.
    pub fn delivered(&mut self, delivery: Delivery) {
        if self.has_room(self.delivered.len(), MAX_ITEMS, delivery.at_ns) {
            self.delivered.push(delivery);
        }
    }

    /// The kernel told of a connection.
    pub fn tcp(&mut self, sample: TcpSample) {
        if self.has_room(self.tcp.len(), MAX_SAMPLES, sample.at_ns) {
            self.tcp.push(sample);
        }
    }

    /// A datagram was sent.
    pub fn sent(&mut self, note: Note) {
        if self.has_room(self.log.sent.len(), MAX_PACKETS, note.at_ns) {
            self.log.sent.push(note);
        }
    }

    /// A frame was sent.
    pub fn departed(&mut self, departure: frames::Departure) {
        if self.has_room(self.frames.sent.len(), MAX_ITEMS, departure.sent_ns) {
            self.frames.sent.push(departure);
        }
    }

    /// A frame came that is watched.
    pub fn came(&mut self, came: frames::Came) {
        if self.has_room(self.frames.came.len(), MAX_ITEMS, came.at_ns) {
            self.frames.came.push(came);
        }
    }

    /// A datagram was received.
    pub fn received(&mut self, note: Note) {
        if self.has_room(self.log.received.len(), MAX_PACKETS, note.at_ns) {
            self.log.received.push(note);
        }
    }

    /// A packet came back from an end that takes no notes.
    pub fn round(&mut self, packet: Packet) {
        if self.has_room(self.log.rounds.len(), MAX_PACKETS, packet.received_ns) {
            self.log.rounds.push(packet);
        }
    }

    /// An answer came to what had been counted as lost.
    pub fn late(&mut self, at_ns: i64) {
        if self.has_room(self.log.late_ns.len(), MAX_PACKETS, at_ns) {
            self.log.late_ns.push(at_ns);
        }
    }

    /// The kernel threw datagrams away at a socket of this flow, for nobody read them in time.
    pub fn thrown_away(&mut self, missed: Missed) {
        let full = self.log.thrown_away.len() >= MAX_CORRUPTIONS / self.workers.max(1);
        match self.log.thrown_away.last_mut().filter(|_| full) {
            // One doubt that is longer is no reason to end the series.
            Some(last) => (last.to_ns, last.count) = (last.to_ns.max(missed.to_ns), last.count.saturating_add(missed.count)),
            None if self.of_streams => {}
            None => self.log.thrown_away.push(missed),
        }
    }

    /// Whether a sort of which there are so many rows takes another; if not, the series ends here.
    fn has_room(&mut self, rows: usize, most: usize, now_ns: i64) -> bool {
        let room = rows < most / self.workers.max(1) && !self.of_streams;
        if !room && !self.of_streams {
            self.truncated_at_ns = Some(self.truncated_at_ns.map_or(now_ns, |at| at.min(now_ns)));
        }
        room
    }

    /// Something went wrong.
    pub fn failure(&mut self, step: &str, span: Option<Span>, what: String, at_ns: i64) {
        let full = self.failures.len() >= MAX_FAILURES;
        let key = (secrets::masked(step.to_owned()), secrets::masked(what));
        let (key, span) = if full && !self.failures.contains_key(&key) { ((OTHER.to_owned(), String::new()), None) } else { (key, span) };
        let kind = FailureKind { step: key.0.clone(), what: key.1.clone(), span, count: 0, first_ns: at_ns, last_ns: at_ns };
        let kind = self.failures.entry(key).or_insert(kind);
        kind.count += 1;
        kind.last_ns = at_ns;
    }

    /// The name that the flow goes to was looked up, at this time.
    pub fn looked_up(&mut self, at_ns: i64, answer: Result<&[IpAddr], &str>) {
        let found = answer.unwrap_or_default().iter().map(ToString::to_string).collect();
        let look = LookUp { at_ns, found, failed: answer.err().unwrap_or_default().to_owned() };
        if self.lookups.len() < MAX_LOOKUPS && self.lookups.last().is_none_or(|last| !says_the_same(last, &look)) {
            self.lookups.push(look);
        }
    }

    /// A payload was wrong.
    pub fn corruption(&mut self, mut corruption: Corruption) {
        corruption.detail = secrets::masked(corruption.detail);
        if self.has_room(self.corrupt.len(), MAX_CORRUPTIONS, corruption.at_ns) {
            self.corrupt.push(corruption);
        }
    }
}

/// Puts the workers' parts of a flow together. `datagrams`: of a flow without connections, how long an answer may take and when the
/// ends stopped to listen, both ns. `watched_ns`: of a flow that sends nothing, when it looked.
pub fn merge(parts: Vec<Part>, datagrams: Option<(i64, i64)>, watched_ns: Option<&[(i64, i64)]>) -> FlowSeries {
    let mut series = FlowSeries::default();
    let (mut items, mut connections) = (Runs::default(), Vec::new());
    let mut log = Log::default();
    let mut delivered = Vec::new();
    let mut frames = frames::Log::default();
    let mut failures: BTreeMap<(String, String), FailureKind> = BTreeMap::new();
    for part in parts {
        series.truncated_at_ns = match (series.truncated_at_ns, part.truncated_at_ns) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        items.join(part.items);
        connections.extend(part.connections);
        series.tcp.extend(part.tcp);
        series.corrupt.extend(part.corrupt);
        log.join(part.log);
        series.lookups.extend(part.lookups);
        delivered.extend(part.delivered);
        frames.join(part.frames);
        for (key, kind) in part.failures {
            failures
                .entry(key)
                .and_modify(|known| {
                    known.count += kind.count;
                    known.first_ns = known.first_ns.min(kind.first_ns);
                    known.last_ns = known.last_ns.max(kind.last_ns);
                })
                .or_insert(kind);
        }
    }
    series.items = items.into_rows();
    if let Some((limit_ns, until_ns)) = datagrams {
        let (datagrams, items) = both_ends(log, frames, (limit_ns, until_ns), watched_ns);
        failures.extend(never_came(items.iter().filter(|item| item.outcome == ItemOutcome::Failed), limit_ns));
        series.items.extend(items);
        series.datagrams = Some(datagrams);
    }
    deliveries::settle(&mut series.items, delivered, &connections);
    connections.sort_by_key(|(number, connection)| (connection.opened_ns, *number));
    let positions = positions(&connections);
    let position = |number: u32| positions.get(number as usize).copied().unwrap_or(u32::MAX);
    for (_, connection) in &mut connections {
        connection.successor_of = position(connection.successor_of);
    }
    series.connections = connections.into_iter().map(|(_, connection)| connection).collect();
    if let Some(cut) = series.truncated_at_ns {
        series.items.retain(|item| item.done_ns <= cut);
    }
    series.items.iter_mut().for_each(|item| item.connection = position(item.connection));
    series.items.sort_by_key(|item| (item.done_ns == NEVER, item.done_ns, item.intended_ns));
    series.tcp.iter_mut().for_each(|sample| sample.connection = position(sample.connection));
    series.tcp.sort_by_key(|sample| sample.at_ns);
    series.corrupt.iter_mut().for_each(|corruption| corruption.connection = position(corruption.connection));
    series.corrupt.sort_by_key(|corruption| corruption.at_ns);
    if let Some(datagrams) = &mut series.datagrams {
        if let Some(cut) = series.truncated_at_ns {
            datagrams.packets.retain(|packet| packet.sent_ns <= cut);
        }
        datagrams.packets.iter_mut().for_each(|packet| packet.connection = position(packet.connection));
    }
    series.lookups.sort_by_key(|look| look.at_ns);
    series.lookups.dedup_by(|next, before| says_the_same(before, next));
    series.lookups.truncate(MAX_LOOKUPS);
    series.failures = failures.into_values().collect();
    series.failures.sort_by(|a, b| b.count.cmp(&a.count).then(a.first_ns.cmp(&b.first_ns)));
    series.failures.truncate(MAX_FAILURES);
    series
}

/// What became of each datagram, by the notes of both ends; and of frames the items, which only both ends together know.
fn both_ends(
    mut log: Log,
    mut frames: frames::Log,
    (limit_ns, until_ns): (i64, i64),
    watched_ns: Option<&[(i64, i64)]>,
) -> (Datagrams, Vec<Item>) {
    let (mut late_ns, mut thrown_away) = (std::mem::take(&mut log.late_ns), std::mem::take(&mut log.thrown_away));
    thrown_away.sort_by_key(|missed| missed.from_ns);
    let (missed, alike, unwatched) = (std::mem::take(&mut frames.missed), frames.alike, frames.unwatched);
    let (packets, items) = if let Some(watched_ns) = watched_ns {
        (Vec::new(), frames.into_watched(watched_ns))
    } else if frames.sent.is_empty() {
        (log.into_packets(limit_ns, until_ns), Vec::new())
    } else {
        frames.missed.clone_from(&missed);
        let rows = frames.into_rows(log, limit_ns, until_ns);
        late_ns.extend(rows.packets.iter().filter(|packet| packet.fate == PacketFate::Late).map(|packet| packet.received_ns));
        (rows.packets, rows.items)
    };
    late_ns.sort_unstable();
    let (limit_ns, received_only) = (u64::try_from(limit_ns).unwrap_or(0), watched_ns.is_some());
    let datagrams = Datagrams { limit_ns, packets, late_ns, missed, thrown_away, alike, unwatched, received_only };
    (datagrams, items)
}

/// The kind of failure of frames that did not come.
fn never_came<'i>(lost: impl Iterator<Item = &'i Item> + Clone, limit_ns: i64) -> Option<((String, String), FailureKind)> {
    let limit = Quantity::new(Dimension::Duration, limit_ns);
    let (step, what) = ("arrive".to_owned(), format!("it did not come within {limit}"));
    let (first_ns, last_ns) = (lost.clone().map(|item| item.done_ns).min()?, lost.clone().map(|item| item.done_ns).max()?);
    let kind = FailureKind { step: step.clone(), what: what.clone(), span: None, count: lost.count() as u64, first_ns, last_ns };
    Some(((step, what), kind))
}

/// A name means what it meant before.
fn says_the_same(before: &LookUp, next: &LookUp) -> bool {
    (&before.found, &before.failed) == (&next.found, &next.failed)
}

/// From the number that a connection was opened under to its place in the order of openings.
fn positions(connections: &[(u32, Connection)]) -> Vec<u32> {
    let most = connections.iter().map(|(number, _)| *number as usize + 1).max().unwrap_or(0);
    let mut positions = vec![u32::MAX; most];
    for (place, (number, _)) in connections.iter().enumerate() {
        positions[*number as usize] = u32::try_from(place).unwrap_or(u32::MAX);
    }
    positions
}
