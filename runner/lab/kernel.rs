//! The kernel engine for links: whatever comes to one outer end in the fabric is redirected to the other, and goes out there by netems that do
//! what the way does. In: outer ends, what each way does and is ever to do, changes, cuts. Out: links that the kernel carries, and their
//! accounts by its counters. Sits where no node's own device is, so that what is lost is lost on the network. What netem can't do the plan
//! has refused, and what this kernel lacks the preflight.

mod count;
pub(super) mod messages;
pub(super) mod netem;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use netlink_packet_core::Nla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage, TcOption, TcStats2};
use scn_grammar::scenario::topology::{Impairment, Loss};
use scn_reports::record::LinkAccount;

use self::count::{Dropped, Reading};
use self::netem::{Level, Tables};
use super::bench::{Bench, Keeper, Request, Step};
use super::error::LabError;
use super::layout::Layout;
use super::namespace::Namespace;
use super::wire::Crossed;
use crate::plan::types::{Engine, Plan};

/// Handles of one generation of netems: a way has two at most.
const HANDLES: u16 = 4;
/// Generations after which handles are used again; the netems of before are long gone.
const GENERATIONS: u16 = 4_000;
/// Counters are read one after the other while frames pass: they are read again for so long, until they fit together.
const FIT_WITHIN: Duration = Duration::from_millis(100);
/// Between two readings.
const READ_AGAIN_AFTER: Duration = Duration::from_micros(500);

/// One way of a link: which netems it goes out by.
struct Way {
    /// The outer end where it goes out.
    out: u32,
    levels: Vec<Level>,
    does: Impairment,
    /// How often its netems were told something.
    told: u64,
    generation: u16,
    /// What netems that a cut replaced had dropped.
    before: Dropped,
    /// It has left something to chance.
    chance: bool,
}

/// A link that the kernel carries.
struct Carried {
    name: String,
    outer: [u32; 2],
    ways: [Way; 2],
    is_cut: bool,
    /// It was cut since the timeline began: what that took the kernel has not counted.
    was_cut: bool,
    /// The readings of the timeline's start.
    since: [Reading; 2],
}

/// All links of a lab that the kernel carries.
pub(crate) struct Kernel {
    keeper: Keeper,
    state: Mutex<State>,
    fabric: usize,
    /// Its netems take seeds; `None`: there is no netem.
    seeded: Option<bool>,
}

struct State {
    links: BTreeMap<usize, Carried>,
    tables: Tables,
    seed: u64,
}

/// Begins to carry a plan's links of this engine, if there are any.
pub(super) fn start(plan: &Plan, layout: &Layout, namespaces: &Arc<Vec<Namespace>>) -> Result<Option<Kernel>, LabError> {
    let mut links = BTreeMap::new();
    for (at, (planned, place)) in plan.links.iter().zip(&layout.links).enumerate() {
        let (Engine::Kernel, Some(outer)) = (place.engine, place.outer) else { continue };
        let way = |end: usize| {
            let does = if end == 0 { planned.forward.clone() } else { planned.back.clone() };
            let levels = netem::levels(planned.stages[end]);
            Way { out: outer[1 - end], levels, chance: leaves_to_chance(&does), does, told: 0, generation: 0, before: Dropped::default() }
        };
        let (name, ways, since) = (planned.name.clone(), [way(0), way(1)], [Reading::default(), Reading::default()]);
        links.insert(at, Carried { name, outer, ways, is_cut: false, was_cut: false, since });
    }
    let Some(fabric) = layout.fabric.filter(|_| !links.is_empty()) else { return Ok(None) };
    let keeper = Keeper::start(Arc::clone(namespaces))?;
    let mut state = State { links, tables: Tables::default(), seed: plan.seed };
    let mut requests = Vec::new();
    for link in state.links.keys().copied().collect::<Vec<usize>>() {
        let outer = state.links[&link].outer;
        requests.extend(outer.map(|end| state.request(link, "make the place where frames come in", messages::ingress(end))));
        requests.extend([0, 1].into_iter().flat_map(|end| state.tell(link, end)));
        requests.extend(state.open(link));
    }
    keeper.call(move |bench| bench.perform(vec![Step::Netlink(fabric, requests)]))??;
    let mut kernel = Kernel { keeper, state: Mutex::new(state), fabric, seeded: None };
    kernel.seeded = kernel.look_for_seed()?;
    Ok(Some(kernel))
}

impl Kernel {
    /// For the record: whether chances can be repeated; `None`: there are none.
    pub(super) fn fact(&self) -> Option<(String, String)> {
        let words = match self.seeded? {
            true => "its chances follow the seed and the order of the packets of each way, of all flows together",
            false => "of this kernel it takes no seed: its losses and delays differ from run to run",
        };
        Some(("netem".to_owned(), words.to_owned()))
    }

    /// Something is done with a link; `None`: it is not the kernel's.
    fn with<T>(&self, link: usize, work: impl FnOnce(&mut State) -> Result<T, LabError>) -> Result<Option<T>, LabError> {
        let mut state = self.state();
        if state.links.contains_key(&link) { work(&mut state).map(Some) } else { Ok(None) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that broke left counters at worst.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, requests: Vec<Request>) -> Result<(), LabError> {
        let fabric = self.fabric;
        self.keeper.call(move |bench| bench.perform(vec![Step::Netlink(fabric, requests)]))?.map(drop)
    }

    /// Cuts a link, with what is on it, or joins it.
    pub(super) fn set_cut(&self, link: usize, cut: bool) -> Result<(), LabError> {
        let change = |state: &mut State| {
            let carried = state.links.get_mut(&link).filter(|carried| carried.is_cut != cut);
            let Some(carried) = carried else { return Ok(()) };
            carried.is_cut = cut;
            if !cut {
                return self.run(state.open(link));
            }
            carried.was_cut = true;
            let outer = carried.outer;
            self.run(outer.map(|end| state.request(link, "stop carrying", messages::no_redirect(end))).into())?;
            // New netems in the place of the old ones, which go with all that they hold.
            let read = self.read(state, link)?;
            let mut requests = Vec::new();
            for (end, read) in read.into_iter().enumerate() {
                if let Some(way) = state.links.get_mut(&link).map(|carried| &mut carried.ways[end]) {
                    way.before = read.dropped;
                    way.generation = (way.generation + 1) % GENERATIONS;
                }
                requests.extend(state.tell(link, end));
            }
            self.run(requests)
        };
        self.with(link, change).map(drop)
    }

    /// Sets what one way does. What is on the way stays there.
    pub(super) fn set(&self, link: usize, end: usize, does: Impairment) -> Result<(), LabError> {
        let change = |state: &mut State| {
            if let Some(carried) = state.links.get_mut(&link) {
                carried.ways[end].chance |= leaves_to_chance(&does);
                carried.ways[end].does = does;
            }
            self.run(state.tell(link, end))
        };
        self.with(link, change).map(drop)
    }

    /// What is counted is counted from now on.
    pub(super) fn count_anew(&self) -> Result<(), LabError> {
        let mut state = self.state();
        let until = Instant::now() + FIT_WITHIN;
        let mut moving: Vec<usize> = state.links.keys().copied().collect();
        let mut before: BTreeMap<usize, [Reading; 2]> = BTreeMap::new();
        while !moving.is_empty() {
            let mut left = Vec::new();
            for link in moving {
                let readings = self.readings(&state, link)?;
                if before.get(&link) != Some(&readings) && Instant::now() < until {
                    left.push(link);
                }
                before.insert(link, readings);
            }
            moving = left;
            std::thread::sleep(READ_AGAIN_AFTER);
        }
        for (link, carried) in &mut state.links {
            carried.was_cut = carried.is_cut;
            carried.since = before.remove(link).unwrap_or_default();
        }
        Ok(())
    }

    /// Frames that came to a link; `None`: it is not the kernel's.
    pub(super) fn crossed(&self, link: usize) -> Result<Option<Crossed>, LabError> {
        let entered = |state: &mut State| {
            let readings = self.readings(state, link)?;
            Ok(Crossed { entered: [readings[0].entered, readings[1].entered], cut: [0, 0] })
        };
        self.with(link, entered)
    }

    /// The account of a link; `None`: it is not the kernel's, or the kernel does not tell.
    pub(super) fn account(&self, link: usize) -> Option<LinkAccount> {
        let account = |state: &mut State| {
            let until = Instant::now() + FIT_WITHIN;
            loop {
                let now = self.readings(state, link)?;
                let Some(carried) = state.links.get(&link) else { return Ok(LinkAccount::default()) };
                let account = count::account(&carried.since, &now, carried.was_cut);
                let fits = account.closes(0) && account.closes(1);
                if fits && !carried.was_cut || Instant::now() >= until {
                    return Ok(LinkAccount { untold: self.untold(carried), ..account });
                }
                std::thread::sleep(READ_AGAIN_AFTER);
                // What a cut took is not counted: there readings fit when nothing moves.
                if fits && self.readings(state, link)? == now {
                    return Ok(LinkAccount { untold: self.untold(carried), ..account });
                }
            }
        };
        self.with(link, account).ok().flatten()
    }

    /// What the kernel does not tell of a link, in words.
    fn untold(&self, carried: &Carried) -> Vec<String> {
        let mut words = vec!["the kernel does not tell how late frames left".to_owned()];
        if carried.was_cut {
            words.push("nor what cuts took: that is the rest of what came in".to_owned());
        }
        if self.seeded == Some(false) && carried.ways.iter().any(|way| way.chance) {
            words.push("its netem takes no seed: another run meets other chances".to_owned());
        }
        words
    }

    fn readings(&self, state: &State, link: usize) -> Result<[Reading; 2], LabError> {
        self.read(state, link).map(|read| read.map(|way| way.reading))
    }

    /// Reads all counters of a link.
    fn read(&self, state: &State, link: usize) -> Result<[Read; 2], LabError> {
        let unfit = || LabError::Plan { what: format!("link {link} is not the kernel's") };
        let Carried { outer, ways, .. } = state.links.get(&link).ok_or_else(unfit)?;
        let question = |way: &Way| (way.out, way.levels.clone(), (0..way.levels.len()).map(|at| way.handle(at)).collect(), way.before);
        let (outer, questions, fabric) = (*outer, [question(&ways[0]), question(&ways[1])], self.fabric);
        self.keeper.call(move |bench| {
            let counters = [bench.counters(fabric, outer[0])?, bench.counters(fabric, outer[1])?];
            let mut read = [Read::default(), Read::default()];
            for (end, (out, levels, handles, before)) in questions.into_iter().enumerate() {
                let handles: Vec<u16> = handles;
                let (drops, holds) = queues(bench, fabric, out, &handles)?;
                let dropped = Dropped::of(&levels, &drops).and(before);
                let (came, went) = (&counters[end], &counters[1 - end]);
                let reading = Reading {
                    entered: came.rx_packets,
                    delivered: went.tx_packets,
                    failed: went.tx_dropped + dropped.failed,
                    lost: dropped.lost,
                    overflowed: dropped.overflowed,
                    holds,
                };
                read[end] = Read { reading, dropped };
            }
            Ok(read)
        })?
    }

    /// Asks the first netem whether it has its seed.
    fn look_for_seed(&self) -> Result<Option<bool>, LabError> {
        let state = self.state();
        let ways = state.links.values().flat_map(|carried| &carried.ways);
        let Some((out, handle)) = ways.filter(|way| !way.levels.is_empty()).map(|way| (way.out, way.handle(0))).next() else {
            return Ok(None);
        };
        let fabric = self.fabric;
        let told = self.keeper.call(move |bench| bench.queue(fabric, messages::question(out, handle)))??;
        Ok(Some(options(&told).is_some_and(|options| netem::has_seed(&options))))
    }

    /// Ends it.
    pub(super) fn stop(&mut self) -> Result<(), LabError> {
        self.keeper.stop()
    }
}

/// Some packets fare otherwise than others.
fn leaves_to_chance(does: &Impairment) -> bool {
    does.loss != Loss::None || does.fixed_delay_ns().is_none()
}

/// What was read of one way.
#[derive(Default)]
struct Read {
    reading: Reading,
    dropped: Dropped,
}

impl Way {
    /// The handle of one of its netems.
    fn handle(&self, level: usize) -> u16 {
        self.generation * HANDLES + 1 + u16::try_from(level).unwrap_or(0)
    }
}

impl State {
    fn request(&self, link: usize, doing: &str, message: RouteNetlinkMessage) -> Request {
        let name = self.links.get(&link).map_or("?", |carried| carried.name.as_str());
        Request { message, place: format!("link {name}"), doing: doing.to_owned() }
    }

    /// Makes the netems of a way, or tells them what the way does now.
    fn tell(&mut self, link: usize, end: usize) -> Vec<Request> {
        let State { links, tables, seed } = self;
        let Some(Carried { name, ways, .. }) = links.get_mut(&link) else { return Vec::new() };
        let way = &mut ways[end];
        let mut told = Vec::with_capacity(way.levels.len());
        for (at, level) in way.levels.iter().enumerate() {
            let options = tables.options(&way.does, *level, netem::seed(*seed, name, end, at, way.told));
            let inside = at.checked_sub(1).map(|outer| way.handle(outer));
            told.push(messages::netem(way.out, way.handle(at), inside, options));
        }
        way.told += 1;
        told.into_iter().map(|message| self.request(link, "tell netem what it does", message)).collect()
    }

    /// Begins to carry what comes in.
    fn open(&self, link: usize) -> Vec<Request> {
        let Some(Carried { outer: [first, second], .. }) = self.links.get(&link) else { return Vec::new() };
        let both = [messages::redirect(*first, *second), messages::redirect(*second, *first)];
        both.map(|message| self.request(link, "carry what comes in", message)).into()
    }
}

/// What the netems of a way have dropped and hold, the outermost first.
fn queues(bench: &mut Bench, fabric: usize, out: u32, handles: &[u16]) -> Result<(Vec<u64>, Vec<u64>), LabError> {
    let mut told = (Vec::new(), Vec::new());
    for handle in handles {
        let queue = bench.queue(fabric, messages::question(out, *handle))?;
        let counts = queue.attributes.iter().find_map(|attribute| match attribute {
            TcAttribute::Stats2(all) => all.iter().find_map(|one| if let TcStats2::Queue(counts) = one { Some(*counts) } else { None }),
            _ => None,
        });
        let counts = counts.unwrap_or_default();
        told.0.push(u64::from(counts.drops));
        told.1.push(u64::from(counts.qlen));
    }
    Ok(told)
}

/// The options that a netem says it has.
fn options(queue: &TcMessage) -> Option<Vec<u8>> {
    let all = queue.attributes.iter().find_map(|attribute| if let TcAttribute::Options(all) = attribute { Some(all) } else { None })?;
    let told = all.iter().find_map(|one| if let TcOption::Other(told) = one { Some(told) } else { None })?;
    let mut bytes = vec![0; told.value_len()];
    told.emit_value(&mut bytes);
    Some(bytes)
}
