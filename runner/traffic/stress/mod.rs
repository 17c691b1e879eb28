//! Mixes of random streams: keeps as many alive as they say, and counts what they do. In: starts and stops from the engine, ends of streams from
//! workers and from who makes those of tools. Out: starts of runs, one a stream, of the flows that the planner made for its kinds; samples of the counts.
//! Sends nothing itself.
//!
//! A stream is a run of a flow like any other; what is kept of it are counts, so that hours of it take no more room than minutes.
//!
//! ```text
//! Traffic --start, pause--> Stress (Mix: which streams) --Command::Start--> worker --> run of a flow
//!                              ^                                                        |
//!                              +------------ began, over, items ------------------------+
//! ```

pub mod made;
pub mod mix;
#[cfg(test)]
mod tests;
pub mod told;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use scn_grammar::scenario::timeline::StressSetting;
use scn_grammar::scenario::{FlowId, StressId};
use scn_reports::record::flow::{Item, ItemOutcome};
use scn_reports::record::stress::{StreamRecord, StressCount, StressSample};

use super::flow::Run;
use super::series::{FailureKind, FlowSeries};
use super::shared::{Command, FlowStart, Shared};
use super::worker::Worker;
use super::{Notice, Traffic, datagram};
use crate::lab::grid::Samples;
use crate::measure::histogram;
use crate::plan::turns::{Turn, What};
use crate::plan::types::{Plan, PlannedStress};
use mix::{Drawn, Mix};
use told::Sums;

/// One stream, as the workers know it.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Whose it is: a position among the plan's stresses.
    pub stress: usize,
    /// Its number.
    pub number: u64,
    /// How long it lives, ns.
    pub duration_ns: u64,
    /// Payload of each of its messages, bytes.
    pub size: u64,
    fate: Arc<Fate>,
}

/// How a stream went.
#[derive(Debug, Default)]
struct Fate {
    cause: Mutex<Option<String>>,
    answered: AtomicU64,
}

/// A stress, as all workers know it.
pub struct Stress {
    position: usize,
    /// The first of its kinds among all flows.
    first: usize,
    mix: Mutex<Mix>,
    failed: AtomicU64,
    forward: AtomicU64,
    back: AtomicU64,
    latency: Mutex<Histogram<u64>>,
    /// Locked before all else that is counted.
    samples: Mutex<Samples<StressSample>>,
    /// What tools told of streams that are over.
    sums: Mutex<Sums>,
    /// What went wrong in streams of tools.
    failures: Mutex<Vec<FailureKind>>,
    told: AtomicBool,
}

/// What was measured of a stress.
#[derive(Debug, Default)]
pub struct StressSeries {
    /// When it ran: start and stop.
    pub ran_ns: Vec<(i64, i64)>,
    /// It did all that it had to, or was stopped.
    pub finished: bool,
    /// Its counts over time.
    pub samples: Vec<StressSample>,
    /// The last streams.
    pub streams: Vec<StreamRecord>,
    /// What went wrong, most frequent first.
    pub failures: Vec<FailureKind>,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A plan among whose flows are the kinds of its stresses, behind its own.
pub fn with_kinds(plan: Arc<Plan>) -> Arc<Plan> {
    if plan.stresses.is_empty() {
        return plan;
    }
    let kinds: Vec<_> = plan.stresses.iter().flat_map(|stress| stress.kinds.iter().cloned()).collect();
    let mut plan = Plan::clone(&plan);
    plan.flows.extend(kinds);
    Arc::new(plan)
}

/// The stresses of a plan that [`with_kinds`] made.
pub fn of_plan(plan: &Plan) -> Vec<Stress> {
    let kinds: usize = plan.stresses.iter().map(|stress| stress.kinds.len()).sum();
    let mut first = plan.flows.len().saturating_sub(kinds);
    let stress = |(position, planned): (usize, &PlannedStress)| {
        let stress = Stress {
            position,
            first,
            mix: Mutex::new(Mix::new(planned)),
            failed: AtomicU64::new(0),
            forward: AtomicU64::new(0),
            back: AtomicU64::new(0),
            latency: Mutex::new(histogram::empty()),
            samples: Mutex::new(Samples::every(SPACING_NS)),
            sums: Mutex::default(),
            failures: Mutex::default(),
            told: AtomicBool::new(true),
        };
        first += planned.kinds.len();
        stress
    };
    plan.stresses.iter().enumerate().map(stress).collect()
}

/// Between two samples, ns.
const SPACING_NS: i64 = 50_000_000;

impl Stress {
    /// The first of its kinds among all flows.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Starts what is to start, stops what is too many, and tells the engine when all is over.
    fn keep_going(&self, shared: &Shared, now_ns: i64, from_ns: i64) {
        let planned = &shared.plan.stresses[self.position];
        let mut mix = open(&self.mix);
        let stops = mix.to_stop(now_ns);
        let starts = mix.to_start(now_ns, |number| mix::draw(planned, shared.plan.seed, self.position, number));
        // Under the lock, so that no stop overtakes a start on its way to a worker.
        for (number, drawn) in stops {
            match made::by_tool(shared, self.flow(drawn)) {
                Some(_) => self.unmake(shared, number),
                None => shared.send(number, Command::StopStream(self.flow(drawn), number, now_ns)),
            }
        }
        for (number, drawn) in starts {
            if let Some(kind) = made::by_tool(shared, self.flow(drawn)) {
                self.make(shared, (number, drawn), kind, from_ns);
                continue;
            }
            let Drawn { duration_ns, size, .. } = drawn;
            let stream = Stream { stress: self.position, number, duration_ns, size, fate: Arc::default() };
            let tickets = Arc::new(AtomicU64::new(1));
            shared.send(
                number,
                Command::Start(
                    self.flow(drawn),
                    FlowStart { at_ns: from_ns, number, tickets, stream: Some(stream), names: Arc::default() },
                ),
            );
        }
        let over = mix.is_over() && !mix.ran_ns.is_empty();
        if over && mix.runs() {
            mix.stop(now_ns);
        }
        drop(mix);
        if over && !self.told.swap(true, Ordering::SeqCst) {
            shared.tell(Notice::StressEnded(StressId(u32::try_from(self.position).unwrap_or(u32::MAX))));
        }
    }

    fn flow(&self, drawn: Drawn) -> FlowId {
        FlowId(u32::try_from(self.first + drawn.kind).unwrap_or(u32::MAX))
    }

    /// Its counts now, without what tools told.
    fn counts(&self, shared: &Shared) -> [u64; StressCount::COUNT] {
        let kinds = shared.plan.stresses[self.position].kinds.len();
        let live = &shared.flows[self.first..self.first + kinds];
        let sum = |name: &str| live.iter().filter_map(|flow| flow.live.get(name)).sum();
        let mut counts = [0; StressCount::COUNT];
        counts[StressCount::Streams as usize] = open(&self.mix).streams();
        counts[StressCount::Failed as usize] = self.failed.load(Ordering::SeqCst);
        counts[StressCount::Sent as usize] = sum("sent");
        counts[StressCount::Received as usize] = sum("received");
        counts[StressCount::Lost as usize] = sum("lost");
        counts[StressCount::ForwardBytes as usize] = self.forward.load(Ordering::Relaxed);
        counts[StressCount::BackBytes as usize] = self.back.load(Ordering::Relaxed);
        counts
    }

    /// A sample, between two readings of a clock.
    fn look(&self, shared: &Shared, now_ns: impl Fn() -> i64) {
        // What a tool tells meanwhile comes either before all of this or after.
        let mut samples = open(&self.samples);
        let from_ns = now_ns();
        let counts = self.counts(shared);
        let (least_active, most_active, active) = {
            let mut mix = open(&self.mix);
            let (least, most) = mix.extremes();
            (least, most, mix.active())
        };
        let latency = {
            let mut kept = open(&self.latency);
            let steps = kept.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect();
            kept.reset();
            steps
        };
        let to_ns = now_ns();
        let mut sample = StressSample { from_ns, to_ns, counts, doubts: Vec::new(), active, least_active, most_active, latency };
        open(&self.sums).count_into(&mut sample);
        samples.put(from_ns, sample);
    }

    /// A message of a stream ended.
    pub fn item(&self, item: &Item) {
        if item.outcome != ItemOutcome::Done {
            return;
        }
        self.forward.fetch_add(u64::from(item.forward_bytes), Ordering::Relaxed);
        self.back.fetch_add(u64::from(item.back_bytes), Ordering::Relaxed);
        let took = u64::try_from(item.done_ns.saturating_sub(item.intended_ns)).unwrap_or(0);
        open(&self.latency).saturating_record(took);
    }
}

impl Run {
    /// Something went wrong: if it is a stream, this is why, unless something went wrong before.
    pub fn fails(&self, step: &str, what: &str) {
        if let Some(stream) = &self.stream {
            open(&stream.fate.cause).get_or_insert_with(|| format!("{step}: {what}"));
        }
    }

    /// A message came back.
    pub fn is_answered(&self) {
        if let Some(stream) = &self.stream {
            stream.fate.answered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Worker {
    /// The stress that a flow is a kind of.
    pub fn stress_of(&self, flow: usize) -> Option<&Stress> {
        let stresses = &self.shared.stresses;
        let at = stresses.partition_point(|stress| stress.first <= flow).checked_sub(1)?;
        Some(&stresses[at])
    }

    /// A stream begins.
    pub fn stream_began(self: &Rc<Self>, stream: &Stream) {
        open(&self.shared.stresses[stream.stress].mix).began(stream.number, self.pacer.now_ns());
        self.changed();
    }

    /// A stream's time is over. Its successor comes though its last answers may not, but not at once behind one that has failed.
    pub fn stream_leaves(self: &Rc<Self>, stream: &Stream) {
        if open(&stream.fate.cause).is_some() && stream.fate.answered.load(Ordering::Relaxed) == 0 {
            return;
        }
        let (stress, now_ns) = (&self.shared.stresses[stream.stress], self.pacer.now_ns());
        let leaves = open(&stress.mix).leaves(stream.number);
        if leaves && !self.finishing.get() {
            self.changed();
            stress.keep_going(&self.shared, now_ns, now_ns);
        }
    }

    /// A stream is over, and its successor may come.
    pub fn stream_ended(self: &Rc<Self>, flow: usize, stream: &Stream) {
        let (stress, now_ns) = (&self.shared.stresses[stream.stress], self.pacer.now_ns());
        let planned = &self.shared.plan.flows[flow];
        let answered = stream.fate.answered.load(Ordering::Relaxed);
        // Datagrams may be lost; a stream of them has failed when nothing of it came back.
        let cause = open(&stream.fate.cause).take().filter(|_| answered == 0 || !datagram::carries(planned));
        let over = format!("{} from {}", planned.transport.kind().word(), self.shared.node_name(planned.from));
        let (from_ns, failed) = open(&stress.mix).over(stream.number, now_ns, &over, Some(answered), cause);
        stress.failed.fetch_add(u64::from(failed), Ordering::SeqCst);
        self.changed();
        if !self.finishing.get() {
            stress.keep_going(&self.shared, now_ns, from_ns);
        }
    }

    /// Looks at all stresses again and again, for as long as the worker lives.
    pub async fn watch_stresses(self: &Rc<Self>) {
        while !self.finishing.get() {
            let now_ns = self.pacer.now_ns();
            let mut next_ns = now_ns.saturating_add(SPACING_NS);
            for stress in &self.shared.stresses {
                let due_ns = open(&stress.samples).due_ns();
                if due_ns <= now_ns && now_ns >= 0 {
                    stress.look(&self.shared, || self.pacer.now_ns());
                }
                next_ns = next_ns.min(open(&stress.samples).due_ns());
                if open(&stress.mix).is_gliding(now_ns) {
                    stress.keep_going(&self.shared, now_ns, now_ns);
                    next_ns = next_ns.min(now_ns.saturating_add(GLIDE_NS));
                }
            }
            self.pacer.sleep_until(next_ns.max(now_ns.saturating_add(1_000_000))).await;
        }
    }
}

/// How often the number of streams is looked at while it changes evenly, ns.
const GLIDE_NS: i64 = 10_000_000;

impl Traffic {
    /// Starts a stress; `false`: it runs already.
    pub fn start_stress(&self, stress: StressId, at_ns: i64) -> bool {
        let Some(stress) = self.shared.stresses.get(stress.index()) else { return false };
        let starts = open(&stress.mix).start(at_ns);
        if starts {
            stress.told.store(false, Ordering::SeqCst);
            stress.keep_going(&self.shared, at_ns, at_ns);
        }
        starts
    }

    /// Stops a stress with all its streams; their messages under way may end. `false`: it does not run.
    pub fn stop_stress(&self, stress: StressId, at_ns: i64) -> bool {
        self.end_streams(stress, at_ns, |mix| mix.stop(at_ns))
    }

    /// Ends all streams of a stress and starts none; `false`: so it is already.
    pub fn pause_stress(&self, stress: StressId, at_ns: i64) -> bool {
        self.end_streams(stress, at_ns, Mix::pause)
    }

    fn end_streams(&self, stress: StressId, at_ns: i64, order: impl FnOnce(&mut Mix) -> bool) -> bool {
        let Some(stress) = self.shared.stresses.get(stress.index()) else { return false };
        let mut mix = open(&stress.mix);
        let done = order(&mut mix);
        let made = mix.alive().filter(|(_, drawn, _)| made::by_tool(&self.shared, stress.flow(*drawn)).is_some());
        made.for_each(|(number, ..)| stress.unmake(&self.shared, number));
        drop(mix);
        let kinds = self.shared.plan.stresses[stress.position].kinds.len();
        for kind in 0..kinds {
            let flow = stress.flow(Drawn { kind, duration_ns: 0, size: 0 });
            self.all(|| Command::Stop(flow, at_ns));
        }
        stress.keep_going(&self.shared, at_ns, at_ns);
        done
    }

    /// Streams start again; `false`: it was not paused.
    pub fn resume_stress(&self, stress: StressId, at_ns: i64) -> bool {
        let Some(stress) = self.shared.stresses.get(stress.index()) else { return false };
        let done = open(&stress.mix).resume();
        stress.keep_going(&self.shared, at_ns, at_ns);
        done
    }

    /// Another number of streams, or another rate of each; `false`: it does not run.
    pub fn set_stress(&self, stress: StressId, turn: Turn, setting: StressSetting) -> bool {
        let Some(stress) = self.shared.stresses.get(stress.index()) else { return false };
        let What::Set(_, over_ns) = turn.what else { return false };
        let mut mix = open(&stress.mix);
        if !mix.runs() {
            return false;
        }
        mix.set(turn.entry, turn.undo, setting, over_ns, turn.at_ns);
        drop(mix);
        if let StressSetting::RateNano(_) = setting {
            for kind in 0..self.shared.plan.stresses[stress.position].kinds.len() {
                self.turn_flow(stress.flow(Drawn { kind, duration_ns: 0, size: 0 }), turn);
            }
        }
        stress.keep_going(&self.shared, turn.at_ns, turn.at_ns);
        true
    }

    /// A counter or gauge of a stress at this moment, by its metric's name.
    #[must_use]
    pub fn live_stress(&self, stress: StressId, metric: &str) -> Option<u64> {
        self.shared.seen();
        let stress = self.shared.stresses.get(stress.index())?;
        let count = match metric {
            "active" => return Some(open(&stress.mix).active()),
            "streams" => StressCount::Streams,
            "failed" => StressCount::Failed,
            // What tools count is known when a stream is over.
            _ if !self.shared.plan.stresses[stress.position].stress.tools.is_empty() => return None,
            "sent" => StressCount::Sent,
            "received" => StressCount::Received,
            "lost" => StressCount::Lost,
            _ => return None,
        };
        Some(stress.counts(&self.shared)[count as usize])
    }

    /// Takes note of what stresses count at this moment.
    pub fn look(&self) {
        if let Some(clock) = self.shared.clock.get() {
            self.shared.stresses.iter().for_each(|stress| stress.look(&self.shared, || clock.now_ns()));
        }
    }

    /// What stresses did, of the series of their kinds; `now_ns`: when everything was ended.
    pub(super) fn take_stresses(&self, kinds: Vec<FlowSeries>, now_ns: i64) -> Vec<StressSeries> {
        let mut kinds = kinds.into_iter();
        let stresses = self.shared.stresses.iter().zip(&self.shared.plan.stresses);
        let series = stresses.map(|(stress, planned)| {
            let lost = stress.give_up(&self.shared, now_ns);
            if lost > 0 {
                let name = &planned.stress.name;
                self.shared.warn(format!("{lost} streams of {name} that tools made did not end in time: what they told is lost"));
            }
            let mut mix = open(&stress.mix);
            let finished = !mix.runs();
            mix.stop(now_ns);
            let of_tools = FlowSeries { failures: std::mem::take(&mut open(&stress.failures)), ..FlowSeries::default() };
            let failures = joined(kinds.by_ref().take(planned.kinds.len()).chain([of_tools]));
            let samples = open(&stress.samples).kept().to_vec();
            let (ran_ns, streams) = (std::mem::take(&mut mix.ran_ns), std::mem::take(&mut mix.ended).into());
            StressSeries { ran_ns, finished, samples, streams, failures }
        });
        series.collect()
    }
}

/// What went wrong in all kinds of a stress, most frequent first.
fn joined(kinds: impl Iterator<Item = FlowSeries>) -> Vec<FailureKind> {
    let mut all: BTreeMap<(String, String), FailureKind> = BTreeMap::new();
    for kind in kinds.flat_map(|series| series.failures) {
        let key = (kind.step.clone(), kind.what.clone());
        match all.get_mut(&key) {
            Some(known) => {
                known.count += kind.count;
                (known.first_ns, known.last_ns) = (known.first_ns.min(kind.first_ns), known.last_ns.max(kind.last_ns));
            }
            None => _ = all.insert(key, kind),
        }
    }
    let mut failures: Vec<FailureKind> = all.into_values().collect();
    failures.sort_by(|a, b| b.count.cmp(&a.count).then(a.first_ns.cmp(&b.first_ns)));
    failures
}
