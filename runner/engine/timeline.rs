//! The event loop: carries out the timeline against a network and a load, from the start to the end of the last flow. In: a plan,
//! the parts, a cancel signal. Out: what happened, and how it ended. Builds nothing and judges nothing.

mod loads;
mod strikes;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use regex::Regex;
use scn_grammar::scenario::expect::{Metric, Subject};
use scn_grammar::scenario::timeline::{Action, When};
use scn_grammar::scenario::{FlowId, StressId};
use scn_grammar::source::Span;
use scn_reports::record::{Ended, EventKind, EventRecord};
use tokio::sync::watch;
use tokio::time::Instant;

use super::kind::kind_of;
use super::parts::{Load, Network, News, Notice};
use super::schedule::{Due, Schedule, undo_of};
use super::watch::Requires;
use crate::judge;
use crate::plan::types::Plan;

/// After a stop, connections finish their transaction within a limit of the traffic's; a flow that says nothing this long after
/// is a fault of the program.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How often the observer hears of the run.
const TICK: Duration = Duration::from_millis(200);
/// Conditions over things that tell no changes are looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Everything that can happen to a run. There is no other way in.
enum Event {
    /// The next timed thing is due.
    Due,
    /// The traffic tells something.
    Notice(Notice),
    /// Programs or commands have something to tell.
    News(News),
    /// Time to look at what tells no changes.
    Look,
    /// Somebody wants the run to end.
    Cancelled,
    /// Time to tell the observer.
    Tick,
}

/// What the observer is told while the timeline runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A step before or after the timeline.
    Step(&'a str),
    /// Something happened.
    Event(&'a EventRecord),
    /// Time goes by: now, and the instant of the last known entry, ns.
    Tick {
        /// Now.
        now_ns: i64,
        /// The last timed thing that is known.
        last_ns: i64,
        /// A line about the flows: `steady 200 active, 1204 done, 3 failed`.
        flows: &'a str,
    },
    /// The run is over and its network stays; the observer must not wait.
    Held(super::hold::Look<'a>),
}

/// How the timeline went.
#[derive(Debug)]
pub struct Driven {
    /// What happened, in order.
    pub events: Vec<EventRecord>,
    /// How it ended.
    pub ended: Ended,
    /// Things a reader should know.
    pub warnings: Vec<String>,
    /// Flows that had not come to their end when the run was cut: they were stopped for that alone, or were to start again.
    pub cut: Vec<FlowId>,
    /// Stresses that ran when the run was cut.
    pub cut_stresses: Vec<StressId>,
    /// When it ended, ns.
    pub end_ns: i64,
}

/// What a flow is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlowState {
    Waiting,
    Running,
    Stopping,
    Ended,
}

/// The loop's state.
pub struct Timeline<'a, N, L> {
    plan: &'a Plan,
    network: &'a mut N,
    load: &'a mut L,
    start: Instant,
    schedule: Schedule<'a>,
    flows: Vec<FlowState>,
    /// Starts of each that have not come to their end.
    starts: Vec<u32>,
    /// When each was started last, ns.
    started_ns: Vec<i64>,
    events: Vec<EventRecord>,
    /// What each of `events` did.
    actions: Vec<Option<Action>>,
    warnings: Vec<String>,
    /// Commands that have not ended.
    commands: usize,
    requires: Requires<'a>,
    /// Flows whose clients a fault of the timeline ended, until they start again.
    killed: BTreeSet<FlowId>,
    /// Flows whose clients stand still.
    frozen: BTreeSet<FlowId>,
    /// Flows that are paused, and the entries that paused them.
    paused: BTreeMap<FlowId, usize>,
    /// What the stresses are doing.
    stresses: Vec<FlowState>,
    /// Stresses that are paused.
    held: BTreeSet<StressId>,
    /// The condition that is watched, since when, ns.
    watching: Option<(usize, i64)>,
    /// It, made ready.
    condition: Option<judge::Live<'a>>,
    /// What tells no changes is looked at now.
    looks: bool,
    /// It is looked at again then, if anything asks for it.
    next_look: Instant,
    /// When the observer hears of the run again, however much happens until then.
    next_tick: Instant,
    line_of: &'a dyn Fn(Span) -> u32,
    observe: &'a mut dyn FnMut(Progress<'_>),
}

impl<'a, N: Network, L: Load> Timeline<'a, N, L> {
    /// A timeline about to start at `start`. `line_of` gives the line of a place.
    pub fn new(
        plan: &'a Plan,
        network: &'a mut N,
        load: &'a mut L,
        start: Instant,
        line_of: &'a dyn Fn(Span) -> u32,
        observe: &'a mut dyn FnMut(Progress<'_>),
    ) -> Self {
        Timeline {
            plan,
            network,
            load,
            start,
            schedule: Schedule::new(&plan.timeline),
            flows: vec![FlowState::Waiting; plan.flows.len()],
            starts: vec![0; plan.flows.len()],
            started_ns: vec![0; plan.flows.len()],
            events: Vec::new(),
            actions: Vec::new(),
            warnings: Vec::new(),
            commands: 0,
            requires: Requires::new(if plan.once { &[] } else { &plan.expectations }),
            killed: BTreeSet::new(),
            frozen: BTreeSet::new(),
            paused: BTreeMap::new(),
            held: BTreeSet::new(),
            stresses: vec![FlowState::Waiting; plan.stresses.len()],
            watching: None,
            condition: None,
            looks: true,
            next_look: start,
            next_tick: start + TICK,
            line_of,
            observe,
        }
    }

    fn now_ns(&self) -> i64 {
        self.ns_of(Instant::now())
    }

    fn ns_of(&self, at: Instant) -> i64 {
        match at.checked_duration_since(self.start) {
            Some(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            None => -i64::try_from((self.start - at).as_nanos()).unwrap_or(i64::MAX),
        }
    }

    fn instant(&self, at_ns: i64) -> Instant {
        self.start + Duration::from_nanos(u64::try_from(at_ns).unwrap_or(0))
    }

    /// Runs to the end. Never fails: what goes wrong is in [`Driven::ended`].
    pub async fn drive(mut self, mut cancel: watch::Receiver<Option<String>>) -> Driven {
        tokio::time::sleep_until(self.start).await;
        self.start_unnamed_flows();
        let ended = loop {
            if let Some(ended) = self.act().await {
                break ended;
            }
            if self.is_over() {
                break Ended::Complete;
            }
            let event = self.next_event(&mut cancel).await;
            // The traffic may tell of many changes a millisecond, and what it does not tell of costs more to look at.
            self.looks = !matches!(event, Event::Notice(Notice::Changed));
            match event {
                Event::Due => {}
                Event::Look => self.next_look = Instant::now() + LOOK_EVERY,
                Event::Notice(Notice::Ended(flow)) => self.ended(flow),
                Event::Notice(Notice::StressEnded(stress)) => self.stresses[stress.index()] = FlowState::Ended,
                Event::Notice(Notice::Changed) => {}
                Event::Notice(Notice::Told(what)) => (self.observe)(Progress::Step(&what)),
                Event::Notice(Notice::Broken(what)) => break Ended::Failed(what),
                Event::News(News::Happened { at, text, kind }) => self.happened(at.into(), text, kind),
                Event::News(News::Ended(_)) => self.commands = self.commands.saturating_sub(1),
                Event::News(News::Broken(what)) => break Ended::Failed(what),
                Event::Cancelled => break Ended::Interrupted(cancel.borrow().clone().unwrap_or_default()),
                Event::Tick => {
                    self.next_tick = Instant::now() + TICK;
                    self.tell();
                }
            }
        };
        let cut = self.not_ended();
        let cut_stresses = self.stresses_not_ended();
        self.stop_all().await;
        self.mark_healed();
        // What programs did is told a moment later than it happened.
        self.events.sort_by_key(|event| event.asked_ns);
        let end_ns = self.now_ns();
        Driven { events: self.events, ended, warnings: self.warnings, cut, cut_stresses, end_ns }
    }

    /// Waits for whatever comes first.
    async fn next_event(&mut self, cancel: &mut watch::Receiver<Option<String>>) -> Event {
        let timeout_ns = i64::try_from(self.plan.timeout_ns).unwrap_or(i64::MAX);
        let limit = self.condition_limit().map_or(timeout_ns, |at| at.min(timeout_ns));
        let due = self.schedule.next_instant().map_or(limit, |at| at.min(limit));
        let due = self.requires.next_edge(self.now_ns()).map_or(due, |edge| due.min(edge));
        tokio::select! {
            biased;
            Ok(_) = cancel.wait_for(Option::is_some) => Event::Cancelled,
            () = tokio::time::sleep_until(self.instant(due)) => Event::Due,
            notice = self.load.notice() => Event::Notice(notice),
            news = self.network.news() => Event::News(news),
            () = tokio::time::sleep_until(self.next_look), if self.is_looking() => Event::Look,
            () = tokio::time::sleep_until(self.next_tick) => Event::Tick,
        }
    }

    /// Flows that the timeline never names start with it.
    fn start_unnamed_flows(&mut self) {
        for flow in &self.plan.flows {
            if flow.starts_at_zero {
                self.start_flow(flow.id, 0);
            }
        }
        self.start_unnamed_stresses();
    }

    /// Starts a flow. One whose transactions of an earlier start are still ending runs anew beside them; one that runs goes on.
    fn start_flow(&mut self, flow: FlowId, at_ns: i64) {
        if self.load.start(flow, at_ns) {
            self.starts[flow.index()] += 1;
            self.started_ns[flow.index()] = at_ns;
            self.flows[flow.index()] = FlowState::Running;
            self.killed.remove(&flow);
            self.frozen.remove(&flow);
            self.paused.remove(&flow);
        }
    }

    /// One start of a flow has come to its end.
    fn ended(&mut self, flow: FlowId) {
        let starts = &mut self.starts[flow.index()];
        *starts = starts.saturating_sub(1);
        if *starts == 0 {
            self.flows[flow.index()] = FlowState::Ended;
        }
    }

    /// Does all that is due; `Some` ends the run.
    async fn act(&mut self) -> Option<Ended> {
        while let Some(due) = self.schedule.take(self.now_ns()) {
            if let Err(why) = self.carry_out(&due).await {
                return Some(Ended::Failed(why));
            }
        }
        if let Some(trouble) = self.network.trouble() {
            return Some(Ended::Failed(trouble));
        }
        // Before anything is looked at: a change that comes after the look is told.
        self.load.watch(self.schedule.watched().is_some() || self.requires.any());
        if let Some(ended) = self.look_at_condition().await {
            return Some(ended);
        }
        let now = self.now_ns();
        let happened = |event| self.schedule.happened(event);
        let value = |metric: &Metric, regex: Option<&Regex>| self.value(metric, regex);
        if let Some(name) = self.requires.violated(now, self.looks, &happened, &value, &|flow| self.runs(flow)) {
            return Some(Ended::Required(name));
        }
        if now >= i64::try_from(self.plan.timeout_ns).unwrap_or(i64::MAX) {
            return Some(Ended::Timeout(self.still_going_on()));
        }
        self.stop_endless_flows(now);
        None
    }

    /// When the watched condition must have come true.
    fn condition_limit(&self) -> Option<i64> {
        let (entry, since) = self.watching?;
        let When::Condition { within_ns, .. } = &self.plan.timeline[entry].when else { return None };
        within_ns.map(|within| since.saturating_add_unsigned(within))
    }

    /// Sees whether the watched condition holds, and acts if so.
    async fn look_at_condition(&mut self) -> Option<Ended> {
        loop {
            let watched = self.schedule.watched();
            if watched != self.watching.map(|(entry, _)| entry) {
                self.watching = watched.map(|entry| (entry, self.now_ns()));
                self.condition = watched.and_then(|entry| match &self.plan.timeline[entry].when {
                    When::Condition { condition, .. } => Some(judge::Live::new(condition)),
                    _ => None,
                });
            }
            let (entry, since) = self.watching?;
            let now = self.now_ns();
            if self.holds() {
                let due = self.schedule.came_true(entry, now);
                self.watching = None;
                if let Err(why) = self.carry_out(&due).await {
                    return Some(Ended::Failed(why));
                }
                continue;
            }
            let limit = self.condition_limit()?;
            return (now >= limit).then(|| {
                let entry = &self.plan.timeline[entry];
                let waited = Duration::from_nanos(u64::try_from(now - since).unwrap_or(0));
                let line = (self.line_of)(entry.span);
                Ended::Failed(format!("the condition of `{}` (line {line}) did not come true within {waited:.1?}", entry.text))
            });
        }
    }

    /// The watched condition holds, as far as it is looked at now.
    fn holds(&self) -> bool {
        let Some(condition) = self.condition.as_ref().filter(|condition| self.looks || !condition.is_looked_at()) else { return false };
        condition.holds(&|metric, regex| self.value(metric, regex)) == Some(true)
    }

    /// Something that tells no changes is asked for.
    fn is_looking(&self) -> bool {
        self.requires.is_looking() || (self.watching.is_some() && self.condition.as_ref().is_some_and(judge::Live::is_looked_at))
    }

    fn value(&self, metric: &Metric, regex: Option<&Regex>) -> Option<f64> {
        match metric.subject {
            Subject::Flow(flow) => self.load.value(flow, &metric.name).map(|value| value as f64),
            Subject::Stress(stress) => self.load.stress_value(stress, &metric.name).map(|value| value as f64),
            _ => self.network.value(metric, regex),
        }
    }

    /// Carries out an entry or its undo and records it.
    async fn carry_out(&mut self, due: &Due) -> Result<(), String> {
        let entry = &self.plan.timeline[due.entry];
        let undone = if due.undo { undo_of(&entry.action) } else { None };
        let action = if due.undo { undone.as_ref() } else { Some(&entry.action) };
        // What is counted is known right before and right after whatever windows may begin or end at, and nothing is done between the two.
        let named = entry.event.is_some();
        if named {
            self.look();
        }
        let asked_ns = self.now_ns();
        if named {
            self.look();
        }
        let result = match action {
            Some(Action::Run { node, command }) => {
                self.commands += 1;
                self.network.command(due.entry, *node, command);
                Ok(())
            }
            Some(action) if due.undo => self.undo(&entry.action, action, due).await,
            Some(action) => self.perform(action, due).await,
            None => Ok(()),
        };
        let done_ns = self.now_ns();
        if named {
            self.look();
        }
        let (name, text) = match (&entry.event, due.undo) {
            (Some(event), false) => (Some(self.plan.events[event.index()].name.clone()), entry.text.clone()),
            (_, true) => (None, format!("end of {}", entry.text)),
            (None, false) => (None, entry.text.clone()),
        };
        let record = EventRecord {
            name,
            text,
            kind: action.map_or(EventKind::Mark, kind_of),
            planned_ns: due.at_ns,
            asked_ns,
            done_ns,
            line: if due.undo { 0 } else { (self.line_of)(entry.span) },
            until_ns: None,
            error: result.as_ref().err().cloned(),
        };
        tracing::debug!(text = record.text, planned_ns = record.planned_ns, asked_ns, done_ns, error = record.error, "acted");
        (self.observe)(Progress::Event(&record));
        self.events.push(record);
        self.actions.push(action.cloned());
        self.schedule.acted(due, asked_ns, done_ns);
        result.map_err(|why| format!("`{}` could not be done: {why}", entry.text))
    }

    /// Takes note of all that is counted.
    fn look(&mut self) {
        self.network.look();
        self.load.look();
    }

    /// Records what a program did.
    fn happened(&mut self, at: Instant, text: String, kind: EventKind) {
        let at_ns = self.ns_of(at);
        let event = EventRecord {
            name: None,
            text,
            kind,
            planned_ns: at_ns,
            asked_ns: at_ns,
            done_ns: at_ns,
            line: 0,
            until_ns: None,
            error: None,
        };
        (self.observe)(Progress::Event(&event));
        self.events.push(event);
        self.actions.push(None);
    }

    /// Undoes an action: the network by what it knows was before, or else by the action that is its contrary.
    async fn undo(&mut self, of: &Action, by: &Action, due: &Due) -> Result<(), String> {
        match self.network.undo(of)? {
            Some(warnings) => {
                self.warnings.extend(warnings);
                Ok(())
            }
            None => self.perform(by, due).await,
        }
    }

    async fn perform(&mut self, action: &Action, due: &Due) -> Result<(), String> {
        let at_ns = due.at_ns;
        if self.change_load(action, due) {
            return Ok(());
        }
        match action {
            Action::Start(flows) => {
                for flow in flows {
                    self.start_flow(*flow, at_ns);
                }
            }
            Action::Stop(flows) => {
                for flow in flows {
                    self.stop_flow(*flow, at_ns);
                }
            }
            Action::StopService(service, nodes) => self.load.close_service(*service, nodes),
            Action::StartService(service, nodes) => {
                self.tell_network(action)?;
                self.load.open_service(*service, nodes).await?;
            }
            Action::Mark => {}
            Action::Kill(_) | Action::Vanish(_) | Action::Freeze(_) | Action::Thaw(_) | Action::Restart(_) | Action::Signal { .. } => {
                self.tell_network(action)?;
                self.strike(action, at_ns).await?;
            }
            // What the lab can't do it says; `plan::support` told before the run.
            _ => self.tell_network(action)?,
        }
        Ok(())
    }

    fn tell_network(&mut self, action: &Action) -> Result<(), String> {
        self.warnings.extend(self.network.apply(action)?);
        Ok(())
    }

    /// Whether a flow runs, as the judge will see it: from its start to its stop, or to the end of its `duration`.
    fn runs(&self, flow: FlowId) -> bool {
        let over = |duration| self.now_ns() >= self.started_ns[flow.index()].saturating_add_unsigned(duration);
        self.flows[flow.index()] == FlowState::Running && !self.plan.flows[flow.index()].load.duration_ns.is_some_and(over)
    }

    fn stop_flow(&mut self, flow: FlowId, at_ns: i64) {
        match self.flows[flow.index()] {
            FlowState::Running => {
                self.load.stop(flow, at_ns);
                self.flows[flow.index()] = FlowState::Stopping;
            }
            FlowState::Waiting => {
                self.warnings.push(format!("flow `{}` was stopped before it was started", self.plan.flows[flow.index()].name));
            }
            FlowState::Stopping | FlowState::Ended => {}
        }
    }

    /// A flow that says neither `total` nor `duration` and that no entry stops runs to the scenario's end: that is here, when the
    /// timeline is over and every other flow has ended.
    fn stop_endless_flows(&mut self, now_ns: i64) {
        if !self.schedule.is_over() {
            return;
        }
        // Nobody lets those go on that stand still now.
        let endless = |flow: FlowId| {
            let load = &self.plan.flows[flow.index()].load;
            self.frozen.contains(&flow) || (load.duration_ns.is_none() && (load.total.is_none() || self.paused.contains_key(&flow)))
        };
        let busy = self.plan.flows.iter().any(|f| match self.flows[f.id.index()] {
            FlowState::Running => !endless(f.id),
            FlowState::Stopping => true,
            FlowState::Waiting | FlowState::Ended => false,
        });
        if !busy && !self.stresses_are_busy() {
            let running = |f: &FlowId| self.flows[f.index()] == FlowState::Running && endless(*f);
            let flows: Vec<FlowId> = self.plan.flows.iter().map(|f| f.id).filter(running).collect();
            flows.into_iter().for_each(|f| self.stop_flow(f, now_ns));
            self.stop_stresses(now_ns);
        }
    }

    fn is_over(&self) -> bool {
        let over = |state: &FlowState| matches!(state, FlowState::Ended | FlowState::Waiting);
        let nothing_runs = self.flows.iter().chain(&self.stresses).all(over);
        // Who looks at single transactions waits for nothing that comes after the last of them.
        let seen = || self.plan.once && self.not_ended().is_empty() && self.stresses_not_ended().is_empty();
        nothing_runs && (self.schedule.is_over() && self.commands == 0 || seen())
    }

    /// Flows that would have gone on: those that run, and those that the rest of the timeline starts.
    fn not_ended(&self) -> Vec<FlowId> {
        let to_start = self.schedule.to_come().filter_map(|(entry, undo)| {
            let action = &self.plan.timeline[entry].action;
            match if undo { undo_of(action) } else { Some(action.clone()) } {
                Some(Action::Start(flows)) => Some(flows),
                Some(again @ Action::Restart(_)) => Some(self.to_restart(&again)),
                _ => None,
            }
        });
        let to_start: BTreeSet<FlowId> = to_start.flatten().collect();
        let goes_on = |flow: &FlowId| self.flows[flow.index()] == FlowState::Running || to_start.contains(flow);
        self.plan.flows.iter().map(|flow| flow.id).filter(goes_on).collect()
    }

    /// Stops what still runs and waits for it, within a limit.
    async fn stop_all(&mut self) {
        let now = self.now_ns();
        for index in 0..self.flows.len() {
            if self.flows[index] == FlowState::Running {
                self.stop_flow(self.plan.flows[index].id, now);
            }
        }
        self.stop_stresses(now);
        let limit = Instant::now() + STOP_LIMIT;
        let mut open: BTreeSet<usize> = (0..self.flows.len()).filter(|i| self.flows[*i] == FlowState::Stopping).collect();
        while !open.is_empty() || self.stresses.contains(&FlowState::Stopping) {
            match tokio::time::timeout_at(limit, self.load.notice()).await {
                Ok(Notice::Ended(flow)) => {
                    self.ended(flow);
                    if self.flows[flow.index()] == FlowState::Ended {
                        open.remove(&flow.index());
                    }
                }
                Ok(Notice::StressEnded(stress)) => self.stresses[stress.index()] = FlowState::Ended,
                Ok(Notice::Changed) => {}
                Ok(Notice::Told(what)) => (self.observe)(Progress::Step(&what)),
                Ok(Notice::Broken(what)) => self.warnings.push(what),
                Err(_) => {
                    let stresses = self.stresses.iter().zip(&self.plan.stresses).filter(|(state, _)| **state == FlowState::Stopping);
                    let names = open.iter().map(|i| self.plan.flows[*i].name.as_str());
                    let names: Vec<&str> = names.chain(stresses.map(|(_, stress)| stress.stress.name.as_str())).collect();
                    self.warnings.push(format!("these flows did not end within {STOP_LIMIT:?} of their stop: {}", names.join(", ")));
                    break;
                }
            }
        }
    }
}
