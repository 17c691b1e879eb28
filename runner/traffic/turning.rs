//! What the timeline does to a run of a flow on one worker: pauses, new rates, more or fewer connections. In: the flow's turns. Out: the run's course,
//! and wake-ups. Opens nothing but places; what a pause means for a connection stands with the connections.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use scn_grammar::scenario::timeline::Setting;
use tokio::sync::Notify;

use super::control::{Control, Order};
use super::flow::{self, Run};
use super::pacer::NEVER_DUE;
use super::starts::Course;
use super::worker::Worker;
use crate::plan::pace::{self, Pace};
use crate::plan::profile::Profile;
use crate::plan::turns::Turns;
use crate::plan::types::PlannedFlow;

/// How a run goes, as far as it is known now.
pub struct Turning {
    /// When its transactions, items or connections start; `None`: in a closed loop.
    pub course: Option<Course>,
    /// When transactions start on connections that the clock opens; `None`: they follow each other, or the flow's course is theirs.
    pub transactions: Option<Course>,
    pauses: RefCell<Vec<(i64, i64)>>,
    connections: RefCell<Profile>,
    interval: RefCell<Profile>,
    /// Raised when any of that has changed.
    version: Cell<u64>,
    /// Places that open connections, by their numbers.
    places: RefCell<Vec<(u64, Rc<Control>)>>,
    next_place: Cell<u64>,
    crew: Rc<Notify>,
    has_crew: Cell<bool>,
}

/// What a setting makes the rate of a flow's transactions or items, in 1e-9/s; `None`: it is of something else.
pub fn rate_of(flow: &PlannedFlow, setting: &Setting) -> Option<u64> {
    match setting {
        Setting::RateNano(rate) => Some((*rate).max(1)),
        Setting::BandwidthBps(bps) => pace::rate_of_bandwidth(*bps, &flow.load, flow.pattern.as_ref(), &flow.transport),
        Setting::OpensNano(_) | Setting::Connections(_) | Setting::IntervalNs(_) => None,
    }
}

/// The same of its connections.
fn opens_of(setting: &Setting) -> Option<u64> {
    if let Setting::OpensNano(rate) = setting { Some((*rate).max(1)) } else { None }
}

fn connections_of(setting: &Setting) -> Option<u64> {
    if let Setting::Connections(count) = setting { Some(*count) } else { None }
}

fn interval_of(setting: &Setting) -> Option<u64> {
    if let Setting::IntervalNs(interval) = setting { Some(*interval) } else { None }
}

/// The starts of a flow over time: of its connections or of its transactions; `None`: they follow each other in a closed loop.
pub fn profile(flow: &PlannedFlow, from_ns: i64, turns: &Turns) -> Option<Profile> {
    let Some(pace) = Pace::of_connections(&flow.load) else { return transactions(flow, from_ns, turns) };
    let profile = turns.shape(pace.profile(from_ns), opens_of).from(from_ns);
    Some(profile.without(&turns.pauses()))
}

/// The starts of a flow's transactions or items over time; `None`: they follow each other in a closed loop.
fn transactions(flow: &PlannedFlow, from_ns: i64, turns: &Turns) -> Option<Profile> {
    let pace = Pace::of_transactions(&flow.load, flow.pattern.as_ref(), &flow.transport)?;
    let profile = turns.shape(pace.profile(from_ns), |setting| rate_of(flow, setting)).from(from_ns);
    Some(profile.without(&turns.pauses()))
}

/// The same where connections have a clock too.
fn beside_openings(flow: &PlannedFlow, from_ns: i64, turns: &Turns) -> Option<Profile> {
    flow.load.opens_nano.and_then(|_| transactions(flow, from_ns, turns))
}

impl Turning {
    /// Of a run that starts at an instant.
    pub fn new(flow: &PlannedFlow, from_ns: i64) -> Turning {
        let known = |profile: Option<Profile>| profile.map(|profile| Rc::new(RefCell::new(profile)));
        Turning {
            course: known(profile(flow, from_ns, &Turns::default())),
            transactions: known(beside_openings(flow, from_ns, &Turns::default())),
            pauses: RefCell::default(),
            connections: RefCell::new(Profile::new(from_ns, flow.load.connections.max(1), None)),
            interval: RefCell::new(Profile::new(from_ns, flow.load.interval_ns, None)),
            version: Cell::new(0),
            places: RefCell::default(),
            next_place: Cell::new(0),
            crew: Rc::default(),
            has_crew: Cell::new(false),
        }
    }

    /// Raised when the course has changed: what was asked for before may be otherwise now.
    pub fn version(&self) -> u64 {
        self.version.get()
    }
}

impl Run {
    /// Takes over what is known of the flow's turns.
    pub fn turn(self: &Rc<Self>, worker: &Rc<Worker>) {
        let planned = &worker.shared.plan.flows[self.flow];
        let turns = worker.shared.flows[self.flow].turns().since(if self.stream.is_some() { i64::MIN } else { self.from_ns });
        let turning = &self.turning;
        if let (Some(course), Some(profile)) = (&turning.course, profile(planned, self.from_ns, &turns)) {
            *course.borrow_mut() = profile;
        }
        if let (Some(course), Some(profile)) = (&turning.transactions, beside_openings(planned, self.from_ns, &turns)) {
            *course.borrow_mut() = profile;
        }
        *turning.pauses.borrow_mut() = turns.pauses();
        let connections = Profile::new(self.from_ns, planned.load.connections.max(1), None);
        *turning.connections.borrow_mut() = turns.shape(connections, connections_of);
        *turning.interval.borrow_mut() = turns.shape(Profile::new(self.from_ns, planned.load.interval_ns, None), interval_of);
        turning.version.set(turning.version.get() + 1);
        self.wake();
        worker.members().iter().filter(|control| control.role == self.role()).for_each(|control| control.wake());
        if turns.sets(connections_of) && planned.load.opens_nano.is_none() {
            turning.crew.notify_one();
            if !turning.has_crew.replace(true) {
                let (worker, run) = (Rc::clone(worker), Rc::clone(self));
                tokio::task::spawn_local(async move { follow_connections(&worker, &run).await });
            }
        }
    }

    /// It is paused at an instant: until when, as far as that is known.
    pub fn paused_until(&self, now_ns: i64) -> Option<i64> {
        let pauses = self.turning.pauses.borrow();
        pauses.iter().find(|(from, to)| (*from..*to).contains(&now_ns)).map(|(_, to)| *to)
    }

    /// It is paused now: until when, as far as that is known. Of a flow that never is the clock is not asked.
    pub fn paused(&self, worker: &Worker) -> Option<i64> {
        let never = self.turning.pauses.borrow().is_empty();
        if never { None } else { self.paused_until(worker.pacer.now_ns()) }
    }

    /// Waits while it is paused; nothing is done of what the task may have been ordered meanwhile.
    pub async fn while_paused(&self, worker: &Worker, control: &Control) {
        while control.order() == Order::Go
            && let Some(until) = self.paused(worker)
        {
            let version = self.turning.version();
            worker.rest_while(control, until, |order| order == Order::Go && version == self.turning.version()).await;
        }
    }

    /// Least pause between a connection's end and its successor's start, ns.
    pub fn interval_ns(&self, now_ns: i64) -> u64 {
        self.turning.interval.borrow().value(now_ns)
    }

    /// Connections that are to be alive at once, on this worker.
    pub fn connections(&self, now_ns: i64) -> u64 {
        flow::share(self.turning.connections.borrow().value(now_ns), self.part.0, self.part.1)
    }

    /// A place for connections, under the next number.
    pub fn add_place(&self, control: &Rc<Control>) -> u64 {
        let number = self.turning.next_place.get();
        self.turning.next_place.set(number + 1);
        self.turning.places.borrow_mut().push((number, Rc::clone(control)));
        number * self.part.1 as u64 + self.part.0 as u64
    }

    /// A place that opens no more connections.
    pub fn remove_place(&self, control: &Rc<Control>) {
        self.turning.places.borrow_mut().retain(|(_, other)| !Rc::ptr_eq(other, control));
    }
}

/// Opens and closes places as the timeline says, for as long as the run lasts.
async fn follow_connections(worker: &Rc<Worker>, run: &Rc<Run>) {
    let crew = Rc::clone(&run.turning.crew);
    loop {
        // Before the first places are there, the run opens them.
        let now = worker.pacer.now_ns();
        if run.over.get() || worker.finishing.get() || now >= run.until_ns() {
            return;
        }
        let next = if now < run.from_ns || !run.has_opened.get() {
            run.from_ns.max(now.saturating_add(1_000_000))
        } else {
            let wanted = usize::try_from(run.connections(now)).unwrap_or(usize::MAX);
            let there: Vec<Rc<Control>> = {
                let places = run.turning.places.borrow();
                places.iter().filter(|(_, control)| control.order() == Order::Go).map(|(_, control)| Rc::clone(control)).collect()
            };
            // The last that came are the first to go, each after its transaction.
            there.iter().skip(wanted).for_each(|control| control.give(Order::Drain));
            if wanted > there.len() {
                flow::open_places(worker, run, wanted - there.len()).await;
            }
            run.turning.connections.borrow().changes_after(now).unwrap_or(NEVER_DUE)
        };
        let mut sleep = std::pin::pin!(worker.pacer.sleep_until(next.min(run.until_ns())));
        let mut told = std::pin::pin!(crew.notified());
        poll_fn(|context| {
            if told.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            sleep.as_mut().poll(context)
        })
        .await;
    }
}

/// From, to, ns.
type Pauses = Vec<(i64, i64)>;
/// From an instant on, both ns.
type Intervals = Vec<(i64, u64)>;

/// What is left of stretches of time without the pauses in them, which stand in order.
pub fn unpaused(ran_ns: &[(i64, i64)], paused_ns: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut left = Vec::new();
    for (from_ns, to_ns) in ran_ns.iter().copied() {
        let mut at_ns = from_ns;
        for (pause_ns, resume_ns) in paused_ns.iter().copied().filter(|(pause, resume)| *pause < to_ns && from_ns < *resume) {
            left.push((at_ns, pause_ns));
            at_ns = resume_ns;
        }
        left.push((at_ns, to_ns));
    }
    left.retain(|(from_ns, to_ns)| from_ns < to_ns);
    left
}

/// When a flow was paused, and how far its intended starts lay apart, over the times in which it ran.
pub fn told(flow: &PlannedFlow, turns: &Turns, ran_ns: &[(i64, i64)]) -> (Pauses, Intervals) {
    let (mut paused, mut intervals) = (Vec::new(), Vec::new());
    for (from_ns, to_ns) in ran_ns.iter().copied() {
        let turns = turns.since(from_ns);
        let cut = turns.pauses().into_iter().map(|(from, to)| (from.max(from_ns), to.min(to_ns)));
        paused.extend(cut.filter(|(from, to)| from < to));
        // Connections that the clock opens say nothing of the transactions on them.
        if let Some(profile) = transactions(flow, from_ns, &turns) {
            intervals.extend(profile.intervals().into_iter().filter(|(at, _)| *at <= to_ns));
        }
    }
    let first = intervals.first().map(|(_, interval)| *interval);
    if intervals.iter().all(|(_, interval)| Some(*interval) == first) {
        intervals.clear();
    }
    (paused, intervals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_taken_out_of_the_time_in_which_a_flow_ran() {
        let ran = [(0, 10), (20, 30)];
        assert_eq!(unpaused(&ran, &[]), ran);
        assert_eq!(unpaused(&ran, &[(2, 3), (5, 10), (20, 21)]), [(0, 2), (3, 5), (21, 30)]);
    }
}
