//! The event loop on paper: a network and a load without a kernel, and paused time. Order of steps, conditions, undo, cancel,
//! timeout, and what happens when a step fails.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::scenario::expect::{BinaryOperator, Condition, Expectation, Form, Kind, Metric, Shape, Subject, Value};
use scn_grammar::scenario::pattern::Pattern;
use scn_grammar::scenario::process::Signal;
use scn_grammar::scenario::text::Text;
use scn_grammar::scenario::timeline::{Action, Entry, Event, Setting, Target, TimeRef, Victim, When};
use scn_grammar::scenario::{EventId, FlowId, LinkId, Load as FlowLoad, NodeId, ServiceId, StressId};
use scn_grammar::source::Span;
use scn_reports::record::{Ended, EventKind};
use tokio::sync::watch;
use tokio::time::{Duration, Instant};

use super::parts::{Blow, Load, Network, News, Notice, StressOrder, Struck};
use super::timeline::{Driven, Timeline};
use crate::plan::sample;
use crate::plan::turns::Turn;
use crate::plan::types::{Plan, PlannedFlow, VERSION};

const MS: i64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Writes down what it is asked for; refuses what it is told to refuse.
#[derive(Default)]
struct PaperNetwork {
    asked: Vec<String>,
    refuse: Option<&'static str>,
    broken: Option<&'static str>,
    /// What programs will tell, and when.
    news: std::collections::VecDeque<(Instant, News)>,
    /// How long a command takes.
    takes: Duration,
    /// Values of the network, from an instant on.
    values: Vec<(Instant, &'static str, f64)>,
    /// When it was to take note of what is counted.
    looks: Vec<Instant>,
    /// How often a value was asked for.
    asks: std::cell::Cell<u64>,
}

impl Network for PaperNetwork {
    fn apply(&mut self, action: &Action) -> Result<Vec<String>, String> {
        self.asked.push(format!("{action:?}"));
        match self.refuse {
            Some(why) => Err(why.to_owned()),
            None => Ok(Vec::new()),
        }
    }

    fn undo(&mut self, action: &Action) -> Result<Option<Vec<String>>, String> {
        let knows = matches!(action, Action::Impair { .. });
        self.asked.extend(knows.then(|| format!("undo {action:?}")));
        Ok(knows.then(Vec::new))
    }

    fn value(&self, metric: &Metric, regex: Option<&Regex>) -> Option<f64> {
        self.asks.set(self.asks.get() + 1);
        let name = regex.map_or_else(|| metric.name.clone(), |regex| format!("{} matches {regex}", metric.name));
        self.values.iter().rfind(|(at, known, _)| *at <= Instant::now() && **known == name).map(|(_, _, value)| *value)
    }

    fn look(&mut self) {
        self.looks.push(Instant::now());
    }

    fn trouble(&self) -> Option<String> {
        self.broken.map(str::to_owned)
    }

    fn command(&mut self, entry: usize, _: NodeId, command: &Text) {
        self.asked.push(format!("command {entry}: {command}"));
        self.news.push_back((Instant::now() + self.takes, News::Ended(entry)));
    }

    async fn news(&mut self) -> News {
        let Some((at, _)) = self.news.front() else { return std::future::pending().await };
        tokio::time::sleep_until(*at).await;
        self.news.pop_front().unwrap().1
    }
}

/// Flows end when they are stopped, or after a time of their own; `active` steps up at given instants.
struct PaperLoad {
    start: Instant,
    said: Vec<(i64, String)>,
    ends: BTreeMap<i64, FlowId>,
    running: BTreeSet<FlowId>,
    own_end: Option<i64>,
    active: Vec<(i64, u64)>,
    /// The stress runs, and is paused.
    stress: (bool, bool),
    stress_ends: Option<i64>,
}

impl PaperLoad {
    fn new(start: Instant) -> Self {
        PaperLoad {
            start,
            said: vec![],
            ends: BTreeMap::new(),
            running: BTreeSet::new(),
            own_end: None,
            active: vec![],
            stress: (false, false),
            stress_ends: None,
        }
    }

    fn now(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_nanos()).unwrap()
    }
}

impl Load for PaperLoad {
    fn start(&mut self, flow: FlowId, at_ns: i64) -> bool {
        self.said.push((at_ns, format!("start {}", flow.0)));
        self.running.insert(flow);
        if let Some(after) = self.own_end {
            self.ends.insert(at_ns + after, flow);
        }
        true
    }

    fn stop(&mut self, flow: FlowId, at_ns: i64) {
        self.said.push((at_ns, format!("stop {}", flow.0)));
        self.ends.insert(self.now() + MS, flow);
    }

    fn turn(&mut self, flow: FlowId, turn: Turn) {
        self.said.push((turn.at_ns, format!("{:?}{} {}", turn.what, if turn.undo { " ends" } else { "" }, flow.0)));
    }

    fn order(&mut self, stress: StressId, order: StressOrder, at_ns: i64) -> bool {
        let (word, effect) = match order {
            StressOrder::Start => ("start", !std::mem::replace(&mut self.stress.0, true)),
            StressOrder::Stop => ("stop", std::mem::take(&mut self.stress.0)),
            StressOrder::Pause => ("pause", self.stress.0 && !std::mem::replace(&mut self.stress.1, true)),
            StressOrder::Resume => ("resume", std::mem::take(&mut self.stress.1)),
            StressOrder::Set(turn, _) => (if turn.undo { "set back" } else { "set" }, self.stress.0),
        };
        self.said.push((at_ns, format!("{word} stress {}", stress.0)));
        if word == "stop" && effect {
            self.stress_ends = Some(self.now() + MS);
        }
        effect
    }

    fn stress_value(&self, _: StressId, metric: &str) -> Option<u64> {
        (metric == "streams").then_some(if self.stress.0 { 7 } else { 0 })
    }

    fn look(&mut self) {}

    fn close_service(&mut self, service: ServiceId, _: &[NodeId]) {
        self.said.push((self.now(), format!("close {}", service.0)));
    }

    async fn open_service(&mut self, service: ServiceId, _: &[NodeId]) -> Result<(), String> {
        self.said.push((self.now(), format!("open {}", service.0)));
        Ok(())
    }

    async fn strike(&mut self, whom: &Struck, blow: Blow, at_ns: i64) -> Result<Struck, String> {
        let flows: Vec<u32> = whom.flows.iter().map(|flow| flow.0).collect();
        self.said.push((at_ns, format!("{blow:?} listeners {:?} flows {flows:?}", whom.listeners)));
        let met: Vec<FlowId> = whom.flows.iter().copied().filter(|flow| self.running.contains(flow)).collect();
        if let Blow::Kill { .. } = blow {
            let now = self.now();
            self.ends.extend(met.iter().map(|flow| (now, *flow)));
            self.running.retain(|flow| !met.contains(flow));
        }
        Ok(Struck { flows: met, ..whom.clone() })
    }

    fn close(&mut self, listeners: &[usize]) {
        self.said.push((self.now(), format!("close listeners {listeners:?}")));
    }

    async fn open(&mut self, listeners: &[usize]) -> Result<(), String> {
        self.said.push((self.now(), format!("open listeners {listeners:?}")));
        Ok(())
    }

    fn value(&self, _: FlowId, metric: &str) -> Option<u64> {
        let now = self.now();
        (metric == "active").then(|| self.active.iter().rfind(|(at, _)| *at <= now).map_or(0, |(_, value)| *value))
    }

    fn watch(&mut self, _: bool) {}

    async fn notice(&mut self) -> Notice {
        if let Some(at) = self.stress_ends {
            tokio::time::sleep_until(self.start + Duration::from_nanos(u64::try_from(at).unwrap())).await;
            self.stress_ends = None;
            return Notice::StressEnded(StressId(0));
        }
        let change = self.active.iter().map(|(at, _)| *at).find(|at| *at > self.now());
        let end = self.ends.first_key_value().map(|(at, _)| *at);
        match (end, change) {
            (Some(end), change) if change.is_none_or(|change| end <= change) => {
                tokio::time::sleep_until(self.start + Duration::from_nanos(u64::try_from(end).unwrap())).await;
                Notice::Ended(self.ends.remove(&end).unwrap())
            }
            (_, Some(change)) => {
                tokio::time::sleep_until(self.start + Duration::from_nanos(u64::try_from(change).unwrap())).await;
                Notice::Changed
            }
            _ => std::future::pending().await,
        }
    }
}

fn at(offset_ns: i64) -> When {
    When::At(TimeRef { event: None, offset_ns })
}

fn entry(when: When, action: Action, text: &str) -> Entry {
    Entry { when, action, lasts_ns: None, event: None, text: text.to_owned(), called: None, span: Span::default() }
}

fn plan(timeline: Vec<Entry>, load: FlowLoad) -> Plan {
    let started = timeline.iter().any(|e| matches!(e.action, Action::Start(_)));
    let pattern = Pattern { name: "sym".to_owned(), steps: vec![] };
    let flow = PlannedFlow { starts_at_zero: !started, ..sample::flow(FlowId(0), "steady", "10.0.0.2:80", pattern, load) };
    let event = |name: &str| Event { name: name.to_owned(), named: true, span: Span::default() };
    Plan {
        version: VERSION,
        scenario: "paper".to_owned(),
        file: "paper.scn".to_owned(),
        seed: 1,
        timeout_ns: 30 * SECOND,
        tolerance_ns: 5_000_000,
        flows: vec![flow],
        events: vec![event("first"), event("second")],
        timeline,
        ..Plan::default()
    }
}

fn endless() -> FlowLoad {
    FlowLoad::default()
}

fn down() -> Action {
    Action::Down(vec![Target::Link(LinkId(0))])
}

fn active_is(count: i64) -> Condition {
    let metric = Metric {
        subject: Subject::Flow(FlowId(0)),
        name: "active".to_owned(),
        event: None,
        dimension: Dimension::Count,
        shape: Shape::Gauge,
        span: Span::default(),
    };
    let right = Value::Given(Quantity::new(Dimension::Count, count));
    Condition::Compare { operator: BinaryOperator::Equal, left: Value::Metric(metric), right }
}

/// Drives a plan; `arrange` sets the load up.
async fn drive(
    plan: &Plan,
    network: &mut PaperNetwork,
    arrange: impl FnOnce(&mut PaperLoad),
    cancel_at: Option<u64>,
) -> (Driven, PaperLoad) {
    let start = Instant::now();
    let mut load = PaperLoad::new(start);
    arrange(&mut load);
    let (tell, told) = watch::channel(None);
    let line_of = |_: Span| 7;
    let mut observe = |_: super::timeline::Progress<'_>| {};
    let timeline = Timeline::new(plan, network, &mut load, start, &line_of, &mut observe);
    let driven = match cancel_at {
        None => timeline.drive(told).await,
        Some(at) => {
            let canceller = async {
                tokio::time::sleep_until(start + Duration::from_nanos(at)).await;
                tell.send(Some("SIGINT".to_owned())).unwrap();
            };
            tokio::join!(timeline.drive(told), canceller).0
        }
    };
    (driven, load)
}

#[tokio::test(start_paused = true)]
async fn entries_act_in_the_order_of_their_instants_and_of_the_file() {
    let timeline = vec![
        entry(at(20 * MS), down(), "down wan"),
        entry(at(0), Action::Start(vec![FlowId(0)]), "start steady"),
        entry(at(20 * MS), Action::Mark, "mark second"),
        entry(at(50 * MS), Action::Stop(vec![FlowId(0)]), "stop steady"),
    ];
    let (driven, load) = drive(&plan(timeline, endless()), &mut PaperNetwork::default(), |_| {}, None).await;
    let order: Vec<&str> = driven.events.iter().map(|e| e.text.as_str()).collect();
    assert_eq!(order, ["start steady", "down wan", "mark second", "stop steady"]);
    assert_eq!(driven.ended, Ended::Complete);
    assert_eq!(load.said, [(0, "start 0".to_owned()), (50 * MS, "stop 0".to_owned())]);
    assert!(driven.events.iter().all(|e| e.asked_ns >= e.planned_ns && e.asked_ns - e.planned_ns <= 2 * MS), "{:?}", driven.events);
}

/// The plan with its flow's node, and a service and a node on which nothing is.
fn with_nodes(timeline: Vec<Entry>, load: FlowLoad) -> Plan {
    let target = "10.0.0.2:80".parse().unwrap();
    let pattern = Pattern { name: "sym".to_owned(), steps: vec![] };
    let nodes = ["client", "server", "empty"].map(sample::host).to_vec();
    Plan { nodes, listeners: vec![sample::listener(target, pattern)], ..plan(timeline, load) }
}

fn lasting(lasts_ns: u64, entry: Entry) -> Entry {
    Entry { lasts_ns: Some(lasts_ns), ..entry }
}

#[tokio::test(start_paused = true)]
async fn what_runs_on_struck_nodes_is_struck_and_a_restart_starts_it_again() {
    let node = |node: u32| vec![Victim::Node(NodeId(node))];
    let timeline = vec![
        lasting(
            10_000_000,
            entry(at(10 * MS), Action::Kill(vec![Victim::Node(NodeId(0)), Victim::Node(NodeId(1))]), "kill client, server"),
        ),
        entry(at(30 * MS), Action::Freeze(vec![Victim::Service(ServiceId(0), vec![NodeId(1)])]), "freeze store"),
        entry(at(40 * MS), Action::Signal { to: node(1), signal: Signal::Cont }, "signal server SIGCONT"),
        entry(at(50 * MS), Action::Vanish(vec![NodeId(2)]), "vanish empty"),
        entry(at(60 * MS), Action::Kill(node(2)), "kill empty"),
        entry(at(70 * MS), Action::Signal { to: node(0), signal: Signal::Term }, "signal client SIGTERM"),
    ];
    let mut network = PaperNetwork::default();
    let (driven, load) = drive(&with_nodes(timeline, endless()), &mut network, |_| {}, None).await;
    assert_eq!(driven.ended, Ended::Complete, "{driven:?}");
    let said: Vec<&str> = load.said.iter().map(|(_, what)| what.as_str()).collect();
    let kill = "Kill { silently: false } listeners [0] flows [0]";
    assert_eq!(
        said,
        [
            "start 0",
            kill,
            kill,
            "open listeners [0]",
            "start 0",
            "Freeze listeners [0] flows []",
            "Thaw listeners [0] flows []",
            "close listeners []",
            "stop 0"
        ],
    );
    assert_eq!(network.asked.len(), 7, "the network hears of all, for the programs there: {:?}", network.asked);
    assert_eq!(driven.warnings, ["kill empty had no effect: nothing of it runs"]);
    assert_eq!(driven.events[0].until_ns, Some(driven.events[1].asked_ns));
    assert!(driven.cut.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_frozen_flow_does_not_hold_the_run_but_one_that_is_to_start_again_is_cut() {
    let total = FlowLoad { total: Some(1000), ..FlowLoad::default() };
    let client = || vec![Victim::Node(NodeId(0))];
    let freeze = vec![entry(at(10 * MS), Action::Freeze(client()), "freeze client"), entry(at(20 * MS), Action::Mark, "mark last")];
    let (driven, load) = drive(&with_nodes(freeze, total.clone()), &mut PaperNetwork::default(), |_| {}, None).await;
    assert_eq!((driven.ended, driven.cut), (Ended::Complete, vec![]));
    assert!(load.said.contains(&(20 * MS, "stop 0".to_owned())), "{:?}", load.said);
    let kill = vec![lasting(SECOND, entry(at(10 * MS), Action::Kill(client()), "kill client"))];
    let (driven, _) = drive(&with_nodes(kill, total), &mut PaperNetwork::default(), |_| {}, Some(20_000_000)).await;
    assert_eq!((driven.ended, driven.cut), (Ended::Interrupted("SIGINT".to_owned()), vec![FlowId(0)]));
}

#[tokio::test(start_paused = true)]
async fn an_instant_that_hangs_on_a_timed_event_is_fixed_beforehand() {
    let mut failure = entry(at(20 * MS), down(), "down wan");
    failure.event = Some(EventId(0));
    let later = entry(When::At(TimeRef { event: Some(EventId(0)), offset_ns: 5 * MS }), Action::Mark, "mark second");
    let (driven, _) = drive(&plan(vec![later, failure], endless()), &mut PaperNetwork::default(), |_| {}, None).await;
    assert_eq!(driven.events[1].planned_ns, 25 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_fault_with_an_end_is_undone_and_says_when() {
    let mut fault = entry(at(10 * MS), down(), "down wan");
    fault.lasts_ns = Some(30_000_000);
    let mut network = PaperNetwork::default();
    let (driven, _) = drive(&plan(vec![fault], endless()), &mut network, |_| {}, None).await;
    assert_eq!(network.asked.len(), 2);
    assert!(network.asked[1].starts_with("Up"), "{:?}", network.asked);
    assert_eq!(driven.events[1].kind, EventKind::Heal);
    assert_eq!(driven.events[1].planned_ns, 40 * MS);
    assert_eq!(driven.events[0].until_ns, Some(driven.events[1].asked_ns));
}

#[tokio::test(start_paused = true)]
async fn what_was_before_an_impairment_the_network_knows() {
    use scn_grammar::scenario::topology::Impairment;
    let impair = Action::Impair { targets: vec![Target::Link(LinkId(0))], forward: Some(Impairment::delaying(5)), back: None, over_ns: 0 };
    let mut storm = entry(at(10 * MS), impair.clone(), "impair wan");
    storm.lasts_ns = Some(30_000_000);
    let mut network = PaperNetwork::default();
    let (driven, _) = drive(&plan(vec![storm], endless()), &mut network, |_| {}, None).await;
    assert_eq!(network.asked, [format!("{impair:?}"), format!("undo {impair:?}")]);
    assert_eq!((driven.events[0].kind, driven.events[1].kind), (EventKind::Fault, EventKind::Heal));
    assert_eq!(driven.events[0].until_ns, Some(driven.events[1].asked_ns));
}

#[tokio::test(start_paused = true)]
async fn a_condition_acts_when_it_comes_true_and_later_entries_hang_on_it() {
    let mut ready = entry(When::Condition { condition: active_is(200), within_ns: Some(2 * SECOND) }, Action::Mark, "mark ready");
    ready.event = Some(EventId(0));
    let after = entry(When::At(TimeRef { event: Some(EventId(0)), offset_ns: 10 * MS }), down(), "down wan");
    let arrange = |load: &mut PaperLoad| load.active = vec![(0, 100), (35 * MS, 200)];
    let (driven, _) = drive(&plan(vec![ready, after], endless()), &mut PaperNetwork::default(), arrange, None).await;
    assert_eq!(driven.ended, Ended::Complete);
    let ready_at = driven.events[0].asked_ns;
    assert!((35 * MS..38 * MS).contains(&ready_at), "{ready_at}");
    assert_eq!(driven.events[1].planned_ns, ready_at + 10 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_condition_that_never_comes_true_ends_the_run_and_says_so() {
    let ready = entry(When::Condition { condition: active_is(200), within_ns: Some(SECOND) }, Action::Mark, "mark ready");
    let (driven, load) = drive(&plan(vec![ready], endless()), &mut PaperNetwork::default(), |_| {}, None).await;
    let Ended::Failed(why) = &driven.ended else { panic!("{:?}", driven.ended) };
    assert!(why.contains("mark ready") && why.contains("line 7") && why.contains("1.0s"), "{why}");
    assert!(load.said.iter().any(|(_, what)| what == "stop 0"), "flows are stopped all the same: {:?}", load.said);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_ends_the_run_and_stops_the_flows() {
    let mut network = PaperNetwork { refuse: Some("no such interface"), ..PaperNetwork::default() };
    let timeline = vec![entry(at(10 * MS), down(), "down wan"), entry(at(20 * MS), Action::Mark, "mark second")];
    let (driven, load) = drive(&plan(timeline, endless()), &mut network, |_| {}, None).await;
    let Ended::Failed(why) = &driven.ended else { panic!("{:?}", driven.ended) };
    assert!(why.contains("down wan") && why.contains("no such interface"), "{why}");
    assert_eq!(driven.events.len(), 1);
    assert_eq!(driven.events[0].error.as_deref(), Some("no such interface"));
    assert_eq!(load.said.last().unwrap().1, "stop 0");
}

#[tokio::test(start_paused = true)]
async fn a_network_that_breaks_by_itself_ends_the_run() {
    let mut network = PaperNetwork { broken: Some("the wire's thread ended"), ..PaperNetwork::default() };
    let timeline = vec![entry(at(10_000 * MS), Action::Mark, "mark second")];
    let (driven, _) = drive(&plan(timeline, endless()), &mut network, |_| {}, None).await;
    assert_eq!(driven.ended, Ended::Failed("the wire's thread ended".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_run_in_order() {
    let timeline = vec![entry(at(10_000 * MS), Action::Mark, "mark second")];
    let (driven, load) = drive(&plan(timeline, endless()), &mut PaperNetwork::default(), |_| {}, Some(50_000_000)).await;
    assert_eq!(driven.ended, Ended::Interrupted("SIGINT".to_owned()));
    assert!((50 * MS..60 * MS).contains(&driven.end_ns), "{}", driven.end_ns);
    assert_eq!(load.said.last().unwrap().1, "stop 0");
}

#[tokio::test(start_paused = true)]
async fn the_timeout_cuts_the_run_and_says_what_went_on() {
    let mut long = plan(vec![], FlowLoad { total: Some(10), ..endless() });
    long.timeout_ns = SECOND;
    let (driven, _) = drive(&long, &mut PaperNetwork::default(), |_| {}, None).await;
    let Ended::Timeout(why) = &driven.ended else { panic!("{:?}", driven.ended) };
    assert!(why.contains("steady"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_ends_by_itself_ends_the_run() {
    let finite = plan(vec![], FlowLoad { duration_ns: Some(80_000_000), ..endless() });
    let (driven, load) = drive(&finite, &mut PaperNetwork::default(), |load| load.own_end = Some(80 * MS), None).await;
    assert_eq!(driven.ended, Ended::Complete);
    assert!((80 * MS..85 * MS).contains(&driven.end_ns), "{}", driven.end_ns);
    assert_eq!(load.said, [(0, "start 0".to_owned())]);
}

/// A requirement on the one flow's gauge.
fn require(form: Form, active: i64) -> Expectation {
    Expectation {
        name: format!("{active} active"),
        words: String::new(),
        kind: Kind::Require,
        form,
        called: None,
        from: None,
        to: None,
        sampled_every_ns: SECOND,
        condition: active_is(active),
        span: Span::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_flow_that_does_not_run_violates_nothing() {
    let timeline = vec![
        entry(at(10 * MS), Action::Start(vec![FlowId(0)]), "start steady"),
        entry(at(50 * MS), Action::Stop(vec![FlowId(0)]), "stop steady"),
        entry(at(900 * MS), Action::Mark, "mark second"),
    ];
    let mut strict = plan(timeline, endless());
    strict.expectations = vec![require(Form::Always, 1)];
    let arrange = |load: &mut PaperLoad| load.active = vec![(0, 0), (10 * MS, 1), (50 * MS + 500_000, 0)];
    let (driven, _) = drive(&strict, &mut PaperNetwork::default(), arrange, None).await;
    assert_eq!(driven.ended, Ended::Complete);

    // Nor does one whose own duration is over while its connections close.
    let mut finite = plan(vec![entry(at(900 * MS), Action::Mark, "mark second")], FlowLoad { duration_ns: Some(50_000_000), ..endless() });
    finite.expectations = vec![require(Form::Always, 1)];
    let arrange = |load: &mut PaperLoad| (load.active, load.own_end) = (vec![(0, 1), (50 * MS, 0)], Some(80 * MS));
    let (driven, _) = drive(&finite, &mut PaperNetwork::default(), arrange, None).await;
    assert_eq!(driven.ended, Ended::Complete);
}

#[tokio::test(start_paused = true)]
async fn what_a_cut_stopped_was_not_at_its_end() {
    let stop = || entry(at(20 * MS), Action::Stop(vec![FlowId(0)]), "stop steady");
    let timeout = SECOND;
    for (timeline, cut) in [
        (vec![entry(at(5_000 * MS), Action::Mark, "mark second")], true),
        (vec![stop(), entry(at(5_000 * MS), Action::Mark, "mark second")], false),
        (vec![Entry { lasts_ns: Some(5 * SECOND), ..stop() }], true),
    ] {
        let long = Plan { timeout_ns: timeout, ..plan(timeline, endless()) };
        let (driven, _) = drive(&long, &mut PaperNetwork::default(), |_| {}, None).await;
        assert!(matches!(driven.ended, Ended::Timeout(_)), "{:?}", driven.ended);
        assert_eq!(driven.cut, if cut { vec![FlowId(0)] } else { vec![] });
    }
    let (driven, _) = drive(&plan(vec![stop()], endless()), &mut PaperNetwork::default(), |_| {}, None).await;
    assert_eq!((driven.ended, driven.cut), (Ended::Complete, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_violated_requirement_stops_the_run_at_once() {
    let mut strict = plan(vec![entry(at(10_000 * MS), Action::Mark, "mark second")], endless());
    strict.expectations = vec![Expectation {
        name: "nobody is active".to_owned(),
        words: "require always steady.active == 0".to_owned(),
        kind: Kind::Require,
        form: Form::Always,
        called: None,
        from: None,
        to: None,
        sampled_every_ns: SECOND,
        condition: active_is(0),
        span: Span::default(),
    }];
    let arrange = |load: &mut PaperLoad| load.active = vec![(0, 0), (35 * MS, 1)];
    let (driven, _) = drive(&strict, &mut PaperNetwork::default(), arrange, None).await;
    assert_eq!(driven.ended, Ended::Required("nobody is active".to_owned()));
    assert!(driven.end_ns < 100 * MS, "{}", driven.end_ns);
}

fn command() -> Action {
    Action::Run { node: NodeId(0), command: Text::literal("true") }
}

#[tokio::test(start_paused = true)]
async fn the_run_waits_for_its_commands() {
    let mut network = PaperNetwork { takes: Duration::from_millis(300), ..PaperNetwork::default() };
    let (driven, _) = drive(&plan(vec![entry(at(10 * MS), command(), "run on a")], endless()), &mut network, |_| {}, None).await;
    assert_eq!(driven.ended, Ended::Complete);
    assert_eq!(network.asked, ["command 0: true"]);
    assert!(driven.end_ns >= 310 * MS && driven.end_ns < 320 * MS, "{}", driven.end_ns);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_does_not_end_is_cut_by_the_timeout() {
    let mut network = PaperNetwork { takes: Duration::from_secs(3600), ..PaperNetwork::default() };
    let (driven, _) = drive(&plan(vec![entry(at(0), command(), "run on a")], endless()), &mut network, |_| {}, None).await;
    let Ended::Timeout(what) = &driven.ended else { panic!("{:?}", driven.ended) };
    assert!(what.contains("commands still running"), "{what}");
}

#[tokio::test(start_paused = true)]
async fn what_programs_do_is_told_and_an_unexpected_death_breaks_the_run() {
    let now = Instant::now();
    let died = News::Happened { at: (now + Duration::from_millis(40)).into_std(), text: "lb on a ended".to_owned(), kind: EventKind::Stop };
    let mut network = PaperNetwork::default();
    network.news.push_back((now + Duration::from_millis(45), died));
    network.news.push_back((now + Duration::from_millis(50), News::Broken("process lb on a ended unasked".to_owned())));
    let marks = vec![entry(at(42 * MS), Action::Mark, "mark early"), entry(at(900 * MS), Action::Mark, "mark late")];
    let (driven, _) = drive(&plan(marks, endless()), &mut network, |_| {}, None).await;
    assert_eq!(driven.ended, Ended::Failed("process lb on a ended unasked".to_owned()));
    let told: Vec<(&str, i64)> = driven.events.iter().map(|event| (event.text.as_str(), event.planned_ns)).collect();
    assert_eq!(told, [("lb on a ended", 40 * MS), ("mark early", 42 * MS)], "in the order of the instants, and nothing after it");
}

fn carrier(is: bool) -> Condition {
    let (subject, name) = (Subject::Interface(NodeId(0), "eth0".to_owned()), "carrier".to_owned());
    let (event, dimension, shape, span) = (None, Dimension::Count, Shape::Gauge, Span::default());
    let holds = Condition::Holds(Metric { subject, name, event, dimension, shape, span });
    if is { holds } else { Condition::Not(Box::new(holds)) }
}

#[tokio::test(start_paused = true)]
async fn what_tells_no_changes_is_looked_at() {
    let start = Instant::now();
    let wait = When::Condition { condition: carrier(false), within_ns: Some(SECOND) };
    let plan = plan(vec![entry(wait, Action::Mark, "mark first")], endless());
    let mut network = PaperNetwork {
        values: vec![(start, "carrier", 1.0), (start + Duration::from_millis(130), "carrier", 0.0)],
        ..PaperNetwork::default()
    };
    let (driven, _) = drive(&plan, &mut network, |_| {}, None).await;
    assert_eq!(driven.ended, Ended::Complete);
    let seen = driven.events[0].planned_ns;
    assert!((130 * MS..=151 * MS).contains(&seen), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_matches_lets_the_timeline_go_on() {
    let start = Instant::now();
    let Condition::Holds(metric) = carrier(true) else { unreachable!("it holds a truth") };
    let metric = Metric { subject: Subject::Process(scn_grammar::scenario::ProcessId(0)), name: "log".to_owned(), ..metric };
    let ready = Condition::Matches { metric, regex: "^ready".to_owned() };
    let plan = plan(vec![entry(When::Condition { condition: ready, within_ns: None }, Action::Mark, "mark first")], endless());
    let mut network = PaperNetwork {
        values: vec![(start, "log matches ^ready", 0.0), (start + Duration::from_millis(50), "log matches ^ready", 1.0)],
        ..PaperNetwork::default()
    };
    let (driven, _) = drive(&plan, &mut network, |_| {}, None).await;
    assert!((50 * MS..=71 * MS).contains(&driven.events[0].planned_ns), "{:?}", driven.events);
}

#[tokio::test(start_paused = true)]
async fn changes_of_the_traffic_do_not_make_the_network_busy() {
    let start = Instant::now();
    let mut plan = plan(vec![entry(at(200 * MS), Action::Stop(vec![FlowId(0)]), "stop steady")], endless());
    plan.expectations = vec![Expectation { condition: carrier(true), ..require(Form::Always, 0) }];
    let mut network = PaperNetwork { values: vec![(start, "carrier", 1.0)], ..PaperNetwork::default() };
    let change = |load: &mut PaperLoad| load.active = (1..1000).map(|n| (n * MS / 10, 1)).collect();
    let (driven, _) = drive(&plan, &mut network, change, None).await;
    assert_eq!(driven.ended, Ended::Complete);
    let asks = network.asks.get();
    assert!((5..40).contains(&asks), "some 1000 changes, 10 looks: {asks}");
}

#[tokio::test(start_paused = true)]
async fn a_requirement_of_the_network_stops_the_run() {
    let start = Instant::now();
    let mut plan = plan(vec![entry(at(900 * MS), Action::Stop(vec![FlowId(0)]), "stop steady")], endless());
    plan.expectations = vec![Expectation { name: "it is up".to_owned(), condition: carrier(true), ..require(Form::Always, 0) }];
    let mut network = PaperNetwork {
        values: vec![(start, "carrier", 1.0), (start + Duration::from_millis(300), "carrier", 0.0)],
        ..PaperNetwork::default()
    };
    let (driven, _) = drive(&plan, &mut network, |_| {}, None).await;
    assert_eq!(driven.ended, Ended::Required("it is up".to_owned()));
    assert!((300 * MS..400 * MS).contains(&driven.end_ns), "{}", driven.end_ns);
}

#[tokio::test(start_paused = true)]
async fn what_is_counted_is_known_around_named_events() {
    let start = Instant::now();
    let mut failure = entry(at(20 * MS), down(), "down wan");
    failure.event = Some(EventId(0));
    let other = entry(at(40 * MS), Action::Mark, "mark");
    let mut network = PaperNetwork::default();
    drive(&plan(vec![failure, other], endless()), &mut network, |_| {}, None).await;
    let looks: Vec<u128> = network.looks.iter().map(|at| at.duration_since(start).as_millis()).collect();
    assert_eq!(looks, [20, 20, 20], "before it and after it, and when it is done");
}

#[tokio::test(start_paused = true)]
async fn pauses_and_settings_reach_the_flow_by_their_planned_instants_and_end() {
    let steady = || vec![FlowId(0)];
    let rate = Action::Set { flows: steady(), setting: Setting::RateNano(SECOND), over_ns: 0 };
    let timeline = vec![
        entry(at(0), Action::Start(steady()), "start steady"),
        Entry { lasts_ns: Some(30_000_000), ..entry(at(10 * MS), Action::Pause(steady()), "pause steady") },
        entry(at(20 * MS), Action::Pause(steady()), "pause steady"),
        Entry { lasts_ns: Some(50_000_000), ..entry(at(50 * MS), rate.clone(), "set steady.rate 1/s") },
        entry(at(60 * MS), Action::Resume(steady()), "resume steady"),
        entry(at(200 * MS), Action::Stop(steady()), "stop steady"),
        entry(at(210 * MS), rate, "set steady.rate 1/s"),
    ];
    let (driven, load) = drive(&plan(timeline, endless()), &mut PaperNetwork::default(), |_| {}, None).await;
    let said: Vec<(i64, &str)> = load.said.iter().map(|(at, what)| (at / MS, what.as_str())).collect();
    let set = "Set(RateNano(1000000000), 0)";
    assert_eq!(
        said,
        [
            (0, "start 0"),
            (10, "Pause 0"),
            (40, "Resume ends 0"),
            (50, &*format!("{set} 0")),
            (100, &*format!("{set} ends 0")),
            (200, "stop 0")
        ]
    );
    assert_eq!(
        driven.warnings,
        [
            "pause steady had no effect: it is paused already",
            "resume steady had no effect: it is not paused",
            "set steady had no effect: it does not run"
        ]
    );
    assert_eq!(driven.ended, Ended::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_stress_is_started_paused_and_stopped_at_the_end() {
    let mix = || vec![StressId(0)];
    let timeline = vec![
        entry(at(0), Action::StartStress(mix()), "start mix"),
        Entry { lasts_ns: Some(20_000_000), ..entry(at(10 * MS), Action::PauseStress(mix()), "pause mix") },
        entry(at(40 * MS), Action::ResumeStress(mix()), "resume mix"),
    ];
    let mut plan = plan(timeline, endless());
    plan.flows.clear();
    plan.stresses = vec![sample::stress("mix")];
    let (driven, load) = drive(&plan, &mut PaperNetwork::default(), |_| {}, None).await;
    let said: Vec<&str> = load.said.iter().map(|(_, what)| what.as_str()).collect();
    assert_eq!(said, ["start stress 0", "pause stress 0", "resume stress 0", "resume stress 0", "stop stress 0"]);
    assert_eq!(driven.warnings, ["resume mix had no effect: so it was already, or it does not run"]);
    assert_eq!(driven.ended, Ended::Complete);
    plan.stresses[0].starts_at_zero = true;
    plan.timeline.clear();
    let (driven, load) = drive(&plan, &mut PaperNetwork::default(), |_| {}, None).await;
    assert_eq!((load.said.len(), driven.ended), (2, Ended::Complete), "it starts and stops by itself: {:?}", load.said);
}
