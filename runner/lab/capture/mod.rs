//! Captures: packets of links, interfaces and nodes, written to pcapng files. In: targets and a file's name, their end. Out: files in the folder
//! of the run, and a record of each, which tells what is missing. A wire's pump notes what became of each frame; elsewhere sockets on the interfaces see what is sent and
//! received. What stands in the way of a capture is told and stops nothing else.

mod file;
pub(crate) mod pcapng;
mod places;
pub(crate) mod row;
mod taps;
pub(crate) mod writer;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use nix::time::ClockId;
use scn_grammar::scenario::LinkId;
use scn_grammar::scenario::timeline::{Action, Target};
use scn_reports::record::capture::CaptureRecord;

use self::file::{Bound, CaptureFile, Keeps};
use self::pcapng::Seen;
use self::places::{Places, Wanted};
use self::taps::Taps;
use self::writer::{ALL_BYTES, Writer};
use super::bench::Keeper;
use super::layout::Layout;
use super::wire::log::Out;
use super::wire::{Wires, clock_ns};
use crate::plan::types::Plan;

/// The most that one capture takes of the disk.
const MOST_BYTES: u64 = 256 << 20;

/// The parts of the lab that captures lean on.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) wires: Option<&'a Wires>,
    pub(crate) keeper: &'a Keeper,
}

/// A capture that goes on.
struct Running {
    /// Its number, which is its file's.
    number: usize,
    /// The file's name under the folder.
    name: String,
    /// It is one of the whole run, not of the timeline.
    whole: bool,
    wanted: Wanted,
    began: Instant,
    began_ns: u64,
    taps: Option<Taps>,
    /// What stood in the way, besides the file.
    trouble: Option<String>,
}

/// A capture that has ended, and what its wires saw. Its threads may still have something to write.
struct Ending {
    running: Running,
    seen: Vec<Seen>,
    ended: Instant,
    ended_ns: u64,
}

/// All captures of a run.
pub(crate) struct Captures {
    places: Places,
    /// The scenario, for those who open a file without its record.
    scenario: String,
    /// Where files go, by whoever runs the lab.
    pub(crate) folder: PathBuf,
    writer: Option<Writer>,
    /// Names that were given away.
    names: BTreeSet<String>,
    begun: usize,
    running: Vec<Running>,
    ending: Vec<Ending>,
}

impl Captures {
    pub(crate) fn new(plan: &Plan, layout: &Layout) -> Self {
        Captures {
            places: Places::of(plan, layout),
            scenario: plan.scenario.clone(),
            folder: PathBuf::new(),
            writer: None,
            names: plan.timeline.iter().filter_map(|entry| named(&entry.action)).map(str::to_owned).collect(),
            begun: 0,
            running: Vec::new(),
            ending: Vec::new(),
        }
    }

    /// A capture of the timeline begins; no two name the same file. What stands in its way its record tells.
    pub(crate) fn begin(&mut self, means: Means<'_>, targets: &[Target], to: &str) {
        self.start(means, self.places.wanted(targets), to.to_owned(), false);
    }

    /// Captures every link from now on, each to a file of its own.
    pub(crate) fn begin_whole(&mut self, means: Means<'_>) {
        for link in 0..self.places.links() {
            let wanted = self.places.wanted(&[Target::Link(LinkId(u32::try_from(link).unwrap_or(u32::MAX)))]);
            let plain: String = wanted.words.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect();
            let numbered = |number: usize| if number == 0 { format!("{plain}.pcapng") } else { format!("{plain}-{number}.pcapng") };
            // So many names are given away at most, so that one of these is free.
            let name = (0..=self.names.len()).map(numbered).find(|name| !self.names.contains(name)).unwrap_or_default();
            self.names.insert(name.clone());
            self.start(means, wanted, name, true);
        }
    }

    fn start(&mut self, means: Means<'_>, wanted: Wanted, name: String, whole: bool) {
        let (number, began, began_ns) = (self.begun, Instant::now(), clock_ns(ClockId::CLOCK_REALTIME));
        self.begun += 1;
        let mut header = Vec::new();
        pcapng::section(&mut header, concat!("scn ", env!("CARGO_PKG_VERSION")), &format!("scenario {}: {}", self.scenario, wanted.words));
        let ends = wanted.wires.iter().flat_map(|wire| &wire.ends).map(|(name, about)| (name, about));
        let interfaces = ends.chain(wanted.places.iter().map(|place| (&place.name, &place.about)));
        interfaces.for_each(|(name, about)| pcapng::interface(&mut header, name, about));
        let keeps = if whole { Keeps::Last } else { Keeps::First };
        let file = CaptureFile::create(self.folder.join(&name), header, Bound { bytes: MOST_BYTES, keeps });
        let mut running = Running { number, name, whole, wanted, began, began_ns, taps: None, trouble: None };
        running.trouble = self.open(means, &mut running, file).err();
        self.running.push(running);
    }

    /// Opens everything that a capture reads from.
    fn open(&mut self, means: Means<'_>, running: &mut Running, file: CaptureFile) -> Result<(), String> {
        let writer = match &self.writer {
            Some(writer) => writer,
            None => self.writer.insert(Writer::start(ALL_BYTES).map_err(|cause| format!("its thread could not be started: {cause}"))?),
        };
        writer.open(running.number, file);
        let ends = u32::try_from(2 * running.wanted.wires.len()).unwrap_or(u32::MAX);
        if !running.wanted.places.is_empty() {
            let places = running.wanted.places.iter().map(|place| (place.slot, place.index, place.only_sent)).collect();
            let sockets = means.keeper.call(move |bench| bench.capture(places)).map_err(|error| error.to_string())?;
            let sockets = sockets.map_err(|cause| format!("its sockets could not be opened: {cause}"))?;
            let taps = Taps::start(sockets, running.number, ends, writer.feed());
            running.taps = Some(taps.map_err(|cause| format!("its thread could not be started: {cause}"))?);
        }
        for (interface, wire) in (0..).step_by(2).zip(&running.wanted.wires) {
            let seen = [Seen { began_ns: running.began_ns, ..Seen::default() }; 2];
            let out = Out { file: running.number, interface, feed: writer.feed(), seen };
            means.wires.map_or(Ok(()), |wires| wires.capture(wire.link, out)).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// A capture of the timeline ends. The timeline does not wait until its file is written.
    pub(crate) fn end(&mut self, means: Means<'_>, to: &str) {
        if let Some(at) = self.running.iter().position(|running| !running.whole && running.name == to) {
            let running = self.running.remove(at);
            self.ending.push(detach(means, running));
        }
    }

    /// Waits until the file of a capture that has ended is whole.
    fn close(&mut self, ending: Ending) -> (CaptureRecord, Instant, Instant) {
        let Ending { mut running, mut seen, ended, ended_ns } = ending;
        if let Some(mut taps) = running.taps.take() {
            seen.extend(taps.stop().unwrap_or_else(|| {
                running.trouble.get_or_insert_with(|| "the thread that reads it panicked (a bug in scn)".to_owned());
                vec![Seen { began_ns: running.began_ns, ended_ns, ..Seen::default() }; running.wanted.places.len()]
            }));
        }
        let written = self.writer.as_ref().map(|writer| writer.close(running.number, seen.clone())).unwrap_or_default();
        let record = CaptureRecord {
            file: running.name,
            of: running.wanted.words,
            whole: running.whole,
            began_ns: 0,
            ended_ns: 0,
            came: seen.iter().map(|seen| seen.came).sum(),
            packets: written.packets,
            missed: seen.iter().map(|seen| seen.missed).sum(),
            left_out: written.left_out,
            shortened: written.shortened,
            bytes: written.bytes,
            trouble: running.trouble.or(written.trouble),
        };
        (record, running.began, ended)
    }

    /// Ends all. Out: their records, by the run's clock.
    pub(crate) fn finish(&mut self, means: Means<'_>, ns: &dyn Fn(Instant) -> i64) -> Vec<CaptureRecord> {
        let running = std::mem::take(&mut self.running);
        let mut ending = std::mem::take(&mut self.ending);
        ending.extend(running.into_iter().map(|running| detach(means, running)));
        // In the order in which they began.
        ending.sort_by_key(|ending| ending.running.number);
        let closed: Vec<_> = ending.into_iter().map(|ending| self.close(ending)).collect();
        self.writer = None;
        let timed = |(record, began, ended)| CaptureRecord { began_ns: ns(began), ended_ns: ns(ended), ..record };
        closed.into_iter().map(timed).collect()
    }
}

/// Lets nothing more come to a capture.
fn detach(means: Means<'_>, mut running: Running) -> Ending {
    let (ended, ended_ns) = (Instant::now(), clock_ns(ClockId::CLOCK_REALTIME));
    running.taps.iter().for_each(Taps::ring);
    let nothing = Seen { began_ns: running.began_ns, ended_ns, ..Seen::default() };
    let mut seen = Vec::new();
    for wire in &running.wanted.wires {
        let of_wire = means.wires.map_or(Ok(None), |wires| wires.end_capture(wire.link, running.number));
        let of_wire = of_wire.unwrap_or_else(|error| {
            running.trouble.get_or_insert_with(|| error.to_string());
            None
        });
        seen.extend(of_wire.unwrap_or([nothing; 2]).map(|seen| Seen { ended_ns, ..seen }));
    }
    Ending { running, seen, ended, ended_ns }
}

/// The file that an action names.
fn named(action: &Action) -> Option<&str> {
    if let Action::Capture { to, .. } = action { Some(to) } else { None }
}
