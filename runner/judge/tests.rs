//! Records judged whole: every form with its three answers, the acceptance scenario, cut and late runs.

use proptest::prelude::*;
use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::scenario::expect::{BinaryOperator as Op, Condition, Expectation, Fold, Form, Kind, Metric, Subject, Value};
use scn_grammar::scenario::metrics;
use scn_grammar::scenario::pattern::Pattern;
use scn_grammar::scenario::timeline::{Action, Entry, Event, TimeRef, When};
use scn_grammar::scenario::{EventId, FlowId, Load, ProcessId};
use scn_grammar::source::Span;
use scn_reports::record::flow::{ConnectionEnd, Corruption, CorruptionKind, FlowRecord, Item};
use scn_reports::record::{
    Ended, EventKind, EventRecord, ExpectationKind, ExpectationRecord, FORMAT, LinkAccount, LinkRecord, Outcome, RunRecord, ScenarioRecord,
    VERSION, Verdict,
};

use super::{JudgeError, Live, judge};
use crate::measure::build::{MS, S, done, dropped, ended, failover, flow, lost, open, regular, unfinished};
use crate::plan::sample;
use crate::plan::types::{self, Plan, PlannedFlow};

mod counted;
mod decided;

const FAILURE: u32 = 0;
const NEVER_HAPPENED: u32 = 1;

fn metric_of(flow: u32, name: &str, event: Option<u32>) -> Value {
    let row = metrics::find(metrics::OwnerKind::Flow, name).unwrap();
    let (dimension, shape, event) = (row.dimension(), row.shape, event.map(EventId));
    let subject = Subject::Flow(FlowId(flow));
    Value::Metric(Metric { subject, name: name.to_owned(), event, dimension, shape, span: Span::default() })
}

fn given(dimension: Dimension, natural: f64) -> Value {
    Value::Given(Quantity::new(dimension, (natural * dimension.base_per_natural()).round() as i64))
}

fn dimension_of(value: &Value) -> Dimension {
    match value {
        Value::Metric(metric) => metric.dimension,
        Value::Given(quantity) => quantity.dimension,
        Value::Arithmetic { dimension, .. } => *dimension,
        Value::Fold { values, .. } => dimension_of(&values[0]),
    }
}

/// `left operator limit`, over the whole run; the limit in natural units.
fn that(left: Value, operator: Op, limit: f64) -> Expectation {
    let right = given(dimension_of(&left), limit);
    Expectation {
        name: String::new(),
        words: String::new(),
        kind: Kind::Collect,
        form: Form::Whole,
        called: None,
        from: None,
        to: None,
        sampled_every_ns: S as u64,
        condition: Condition::Compare { operator, left, right },
        span: Span::default(),
    }
}

fn expect(name: &str, operator: Op, limit: f64) -> Expectation {
    that(metric_of(0, name, None), operator, limit)
}

fn event(id: u32, offset_ns: i64) -> Option<TimeRef> {
    Some(TimeRef { event: Some(EventId(id)), offset_ns })
}

fn at(offset_ns: i64) -> Option<TimeRef> {
    Some(TimeRef { event: None, offset_ns })
}

fn happened(name: &str, text: &str, kind: EventKind, at_ns: i64) -> EventRecord {
    EventRecord {
        name: (!name.is_empty()).then(|| name.to_owned()),
        text: text.to_owned(),
        kind,
        planned_ns: at_ns,
        asked_ns: at_ns,
        done_ns: at_ns + MS,
        line: 1,
        until_ns: None,
        error: None,
    }
}

fn planned(at: u32, record: &FlowRecord) -> PlannedFlow {
    let pattern = Pattern { name: "sym".to_owned(), steps: Vec::new() };
    let flow = sample::flow(FlowId(at), &record.name, "10.0.0.100:5003", pattern, Load::default());
    PlannedFlow { backends: Vec::new(), interval_ns: record.interval_ns, ..flow }
}

/// An expectation as the engine records it.
fn record_of(expectation: &Expectation) -> ExpectationRecord {
    ExpectationRecord {
        name: expectation.name.clone(),
        words: expectation.words.clone(),
        kind: match expectation.kind {
            Kind::Collect => ExpectationKind::Expect,
            Kind::Require => ExpectationKind::Require,
            Kind::Note => ExpectationKind::Note,
        },
        line: 1,
        column: 1,
        length: 1,
        outcome: None,
    }
}

/// A complete run of 8 s: `failure` at 3 s, the address moves 200 ms later, the flows stop at 8 s.
fn run(flows: Vec<FlowRecord>, expectations: Vec<Expectation>) -> RunRecord {
    let stop = Entry {
        when: When::At(TimeRef { event: None, offset_ns: 8 * S }),
        action: Action::Stop(vec![FlowId(0)]),
        lasts_ns: None,
        event: None,
        text: "stop steady".to_owned(),
        called: None,
        span: Span::default(),
    };
    let plan = Plan {
        version: types::VERSION,
        scenario: "test".to_owned(),
        file: "test.scn".to_owned(),
        seed: 1,
        timeout_ns: 30 * S as u64,
        timeout_said: true,
        tolerance_ns: 5 * MS as u64,
        flows: (0u32..).zip(&flows).map(|(at, flow)| planned(at, flow)).collect(),
        events: ["failure", "reboot"].map(|name| Event { name: name.to_owned(), named: true, span: Span::default() }).to_vec(),
        timeline: vec![stop],
        expectations,
        ..Plan::default()
    };
    RunRecord {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: "0.1.0".to_owned(),
        scenario: ScenarioRecord {
            name: "test".to_owned(),
            doc: String::new(),
            tags: Vec::new(),
            file: "test.scn".to_owned(),
            source: String::new(),
            lines: (1, 1),
            params: Vec::new(),
        },
        seed: 1,
        started: "2026-01-01T00:00:00Z".to_owned(),
        duration_ns: 8 * S as u64,
        setup_ns: 0,
        cleanup_ns: 0,
        ended: Ended::Complete,
        environment: Vec::new(),
        tolerance_ns: plan.tolerance_ns,
        nodes: Vec::new(),
        links: Vec::new(),
        flows,
        stresses: Vec::new(),
        processes: Vec::new(),
        commands: Vec::new(),
        interfaces: Vec::new(),
        captures: Vec::new(),
        events: vec![
            happened("", "start steady", EventKind::Start, 0),
            happened("failure", "down primary", EventKind::Fault, 3 * S),
            happened("", "move 10.0.0.100/24 from primary to backup", EventKind::Change, 3200 * MS),
            happened("", "stop steady", EventKind::Stop, 8 * S),
        ],
        expectations: plan.expectations.iter().map(record_of).collect(),
        warnings: Vec::new(),
        verdict: None,
        plan: serde_json::to_value(&plan).unwrap(),
    }
}

fn judged(mut record: RunRecord) -> RunRecord {
    judge(&mut record).unwrap();
    record
}

fn outcome(flow: &FlowRecord, expectation: Expectation) -> Outcome {
    judged(run(vec![flow.clone()], vec![expectation])).expectations[0].outcome.clone().unwrap()
}

fn verdict(flow: &FlowRecord, expectation: Expectation) -> Verdict {
    outcome(flow, expectation).verdict
}

fn within(expectation: Expectation, limit_ns: i64, stays: bool) -> Expectation {
    Expectation { form: Form::Within { limit_ns: limit_ns as u64, after: event(FAILURE, 0), stays }, ..expectation }
}

fn before_failure(expectation: Expectation) -> Expectation {
    Expectation { to: event(FAILURE, 0), ..expectation }
}

/// The expectations of the acceptance scenario.
fn acceptance(budget: f64) -> Vec<Expectation> {
    vec![
        expect("outage.max", Op::Less, budget),
        within(expect("active", Op::Equal, 200.0), 2 * S, true),
        before_failure(Expectation { form: Form::Always, ..expect("rate", Op::GreaterEqual, 380.0) }),
        before_failure(expect("latency.p99", Op::Less, 20e6)),
        expect("failed_connections", Op::GreaterEqual, 200.0),
        expect("backends", Op::Equal, 2.0),
        Expectation { form: Form::Never, ..expect("corrupt", Op::Greater, 0.0) },
    ]
}

fn outcomes(record: &RunRecord) -> Vec<&Outcome> {
    record.expectations.iter().map(|e| e.outcome.as_ref().unwrap()).collect()
}

#[test]
fn the_acceptance_scenario_passes() {
    let record = judged(run(vec![failover()], acceptance(1500e6)));
    for outcome in outcomes(&record) {
        assert_eq!(outcome.verdict, Verdict::Pass, "{outcome:?}");
    }
    assert_eq!(record.verdict, Some(Verdict::Pass));
    let all = outcomes(&record);
    assert_eq!(all[0].measured, "steady.outage.max = 502.5ms ± 2.5ms");
    assert_eq!(all[0].expected, "< 1500ms");
    assert_eq!(all[0].worst, Some(("502.5ms".to_owned(), 2_998_500_000)));
    assert_eq!(all[0].nearby, [1, 2]);
    assert_eq!(all[0].window_ns, Some((0, 8 * S)));
    assert_eq!(all[1].expected, "== 200 within 2s after failure and stays");
    // The last successor is established 3.4 s + 199 us + 100 ms + 1 ms after the start.
    assert_eq!(all[1].decided_ns, Some(3_501_199_000));
    assert_eq!(all[2].expected, "always >= 380/s");
    assert!(all[2].measured.starts_with("steady.rate = 39"), "{}", all[2].measured);
    assert_eq!(all[5].measured, "steady.backends = 2");
    assert_eq!(all[6].measured, "steady.corrupt = 0 at worst");
    assert!(!record.flows[0].summary.is_empty());
}

#[test]
fn the_acceptance_scenario_fails_for_the_right_reasons() {
    // A budget that is too small shows the measured outage.
    let record = judged(run(vec![failover()], acceptance(1e6)));
    assert_eq!(record.verdict, Some(Verdict::Fail));
    let first = outcomes(&record)[0];
    assert_eq!(
        (first.verdict, first.measured.as_str(), first.expected.as_str()),
        (Verdict::Fail, "steady.outage.max = 502.5ms ± 2.5ms", "< 1ms")
    );
    // Without the move nobody answers again: all attempts run into the void until the end.
    let mut dead = failover();
    dead.items.retain(|item| item.intended_ns < 3 * S);
    dead.items.extend((3 * S..8 * S).step_by(2_500_000).map(|at| if at < 3400 * MS { lost(at, S) } else { dropped(at) }));
    dead.connections.truncate(200);
    dead.connections.iter_mut().for_each(|c| c.end = ConnectionEnd::Timeout);
    let record = judged(run(vec![dead], acceptance(1500e6)));
    let verdicts: Vec<Verdict> = outcomes(&record).iter().map(|o| o.verdict).collect();
    use Verdict::{Fail, Pass};
    assert_eq!(verdicts, [Fail, Fail, Pass, Pass, Pass, Fail, Pass]);
    let outage = outcomes(&record)[0];
    assert!(outage.measured.starts_with("steady.outage.max = 4.999s"), "{}", outage.measured);
    assert!(outage.reason.contains("found no free connection"), "{}", outage.reason);
    assert!(outcomes(&record)[1].reason.starts_with("it did not stay true"), "{}", outcomes(&record)[1].reason);
}

#[test]
fn judging_again_gives_the_same() {
    let once = judged(run(vec![failover()], acceptance(1500e6)));
    assert_eq!(judged(once.clone()), once);
}

#[test]
fn a_plain_comparison_has_three_answers() {
    // T = 10 ms: the outage of 500 ms has an error of 10 ms.
    let mut record = flow("steady", 8 * S, 10 * MS);
    record.items = regular(0, S, 10 * MS, 2 * MS);
    record.items.extend(regular(1500 * MS, 8 * S, 10 * MS, 2 * MS));
    let table = [
        (Op::Less, 520e6, Verdict::Pass),
        (Op::Less, 505e6, Verdict::Inconclusive),
        (Op::Less, 495e6, Verdict::Inconclusive),
        (Op::Less, 480e6, Verdict::Fail),
        (Op::GreaterEqual, 490e6, Verdict::Pass),
        (Op::GreaterEqual, 495e6, Verdict::Inconclusive),
        (Op::Greater, 511e6, Verdict::Fail),
        (Op::Equal, 500e6, Verdict::Inconclusive),
        (Op::NotEqual, 300e6, Verdict::Pass),
    ];
    for (operator, limit, expected) in table {
        assert_eq!(verdict(&record, expect("outage.max", operator, limit)), expected, "{operator:?} {limit}");
    }
    let unclear = outcome(&record, expect("outage.max", Op::Less, 505e6));
    assert!(unclear.reason.contains("error of measurement is larger"), "{}", unclear.reason);
}

#[test]
fn counts_are_exact_and_say_when_they_turned() {
    let mut record = flow("steady", 8 * S, 10 * MS);
    record.items = regular(0, 8 * S - 10 * MS, 10 * MS, 2 * MS);
    record.connections = vec![open(0), ended(0, 5 * S, ConnectionEnd::Reset)];
    assert_eq!(verdict(&record, expect("transactions", Op::Equal, 799.0)), Verdict::Pass);
    let resets = outcome(&record, expect("resets", Op::Equal, 0.0));
    assert_eq!((resets.verdict, resets.decided_ns), (Verdict::Fail, Some(5 * S)));
    assert_eq!(resets.nearby, Vec::<u32>::new());
    assert_eq!(verdict(&record, before_failure(expect("resets", Op::Equal, 0.0))), Verdict::Pass);
    assert_eq!(verdict(&record, Expectation { from: at(5 * S + 1), ..expect("resets", Op::Equal, 0.0) }), Verdict::Pass);
}

#[test]
fn nothing_passes_without_data() {
    let empty = flow("steady", 8 * S, 0);
    for expectation in [
        expect("latency.p99", Op::Less, 1e9),
        expect("loss", Op::Equal, 0.0),
        expect("outage.max", Op::Less, 1e9),
        expect("failed_transactions", Op::Equal, 0.0),
        expect("corrupt", Op::Equal, 0.0),
        Expectation { form: Form::Never, ..expect("corrupt", Op::Greater, 0.0) },
        Expectation { form: Form::Always, ..expect("latency.p50", Op::Less, 1e9) },
    ] {
        let outcome = outcome(&empty, expectation.clone());
        assert_eq!(outcome.verdict, Verdict::Inconclusive, "{:?} {outcome:?}", expectation.condition);
        assert!(!outcome.reason.is_empty());
    }
    let mut never = flow("steady", 8 * S, 0);
    never.ran_ns.clear();
    let outcome = outcome(&never, expect("transactions", Op::Equal, 0.0));
    assert_eq!((outcome.verdict, outcome.reason.as_str()), (Verdict::Inconclusive, "steady never ran"));
}

#[test]
fn an_event_that_did_not_happen_decides_nothing() {
    let record = failover();
    let absent = outcome(&record, Expectation { from: event(NEVER_HAPPENED, 0), ..expect("resets", Op::Equal, 0.0) });
    assert_eq!((absent.verdict, absent.reason.as_str()), (Verdict::Inconclusive, "the event `reboot` did not happen"));
    let metric = that(metric_of(0, "failover_time", Some(NEVER_HAPPENED)), Op::Less, 1e9);
    assert_eq!(verdict(&record, metric), Verdict::Inconclusive);
    let mut failed = run(vec![record], vec![before_failure(expect("resets", Op::Equal, 0.0))]);
    failed.events[1].error = Some("no such link".to_owned());
    let reason = &judged(failed).expectations[0].outcome.clone().unwrap().reason;
    assert_eq!(reason, "the event `failure` could not be carried out: no such link");
}

#[test]
fn failover_time_counts_from_the_event() {
    let record = failover();
    let time = |operator, limit| verdict(&record, that(metric_of(0, "failover_time", Some(FAILURE)), operator, limit));
    assert_eq!(time(Op::Less, 600e6), Verdict::Pass);
    assert_eq!(time(Op::Less, 500e6), Verdict::Inconclusive);
    assert_eq!(time(Op::Less, 499.1e6), Verdict::Inconclusive);
    assert_eq!(time(Op::Less, 499e6), Verdict::Fail);
    let shown = outcome(&record, that(metric_of(0, "failover_time", Some(FAILURE)), Op::Less, 600e6));
    assert_eq!(shown.measured, "steady.failover_time(failure) = 502.5ms (+2.5ms −3.5ms)");
}

#[test]
fn always_and_never_look_at_every_change() {
    let record = failover();
    let always = |expectation| Expectation { form: Form::Always, ..expectation };
    // Between the resets at 3.4 s and the successors' establishing the level falls to 0 and comes back.
    let low = outcome(&record, always(Expectation { from: at(S), ..expect("active", Op::Equal, 200.0) }));
    assert_eq!((low.verdict, low.decided_ns), (Verdict::Fail, Some(3400 * MS)));
    assert_eq!(low.worst, Some(("0".to_owned(), 3400 * MS + 199_000)));
    assert_eq!(low.measured, "steady.active = 0 at 3.400199s");
    assert_eq!(verdict(&record, before_failure(always(Expectation { from: at(S), ..expect("active", Op::Equal, 200.0) }))), Verdict::Pass);
    let never = |expectation| Expectation { form: Form::Never, ..expectation };
    assert_eq!(verdict(&record, never(before_failure(expect("resets", Op::Greater, 0.0)))), Verdict::Pass);
    let resets = outcome(&record, never(expect("resets", Op::Greater, 50.0)));
    // The 51st reset.
    assert_eq!((resets.verdict, resets.decided_ns), (Verdict::Fail, Some(3400 * MS + 50_000)));
    assert_eq!(verdict(&record, never(Expectation { from: event(FAILURE, S), ..expect("resets", Op::Greater, 0.0) })), Verdict::Pass);
}

#[test]
fn corruption_is_seen_wherever_it_is() {
    let mut record = failover();
    record.corrupt =
        vec![Corruption { at_ns: 7 * S, connection: 0, server: false, kind: CorruptionKind::Content, offset: 0, detail: String::new() }];
    let never = outcome(&record, Expectation { form: Form::Never, ..expect("corrupt", Op::Greater, 0.0) });
    assert_eq!((never.verdict, never.decided_ns), (Verdict::Fail, Some(7 * S)));
}

#[test]
fn intervals_count_only_when_they_are_whole() {
    let record = failover();
    let always = |from: i64, to: i64, every: i64| Expectation {
        form: Form::Always,
        from: at(from),
        to: at(to),
        sampled_every_ns: every as u64,
        ..expect("rate", Op::GreaterEqual, 380.0)
    };
    // [1, 2) and [2, 3) are whole; the rest of 3.0..3.5 is not.
    assert_eq!(verdict(&record, always(S, 3500 * MS, S)), Verdict::Pass);
    let failed = outcome(&record, always(S, 4 * S, S));
    assert_eq!((failed.verdict, failed.decided_ns), (Verdict::Fail, Some(3 * S)));
    assert!(failed.measured.ends_with("in 3s..4s"), "{}", failed.measured);
    let none = outcome(&record, always(S, 1900 * MS, S));
    assert_eq!((none.verdict, none.reason.as_str()), (Verdict::Inconclusive, "no whole interval of 1s fits into the window"));
    // An interval without an answer has no latency: nothing passes on it.
    let latency = Expectation { form: Form::Always, sampled_every_ns: 200 * MS as u64, ..expect("latency.p99", Op::Less, 20e6) };
    assert_eq!(verdict(&record, latency), Verdict::Inconclusive);
}

#[test]
fn within_has_a_deadline() {
    let record = failover();
    let all_back = |limit| within(Expectation { from: event(FAILURE, 401 * MS), ..expect("active", Op::Equal, 200.0) }, limit, false);
    assert_eq!(verdict(&record, all_back(502 * MS)), Verdict::Pass);
    // 501.2 ms after the failure, whose own width is 1 ms.
    assert_eq!(verdict(&record, all_back(501 * MS)), Verdict::Inconclusive);
    assert_eq!(verdict(&record, all_back(500 * MS)), Verdict::Fail);
    assert_eq!(verdict(&record, within(expect("active", Op::Equal, 300.0), 2 * S, false)), Verdict::Fail);
    assert_eq!(verdict(&record, within(expect("active", Op::Equal, 300.0), 20 * S, false)), Verdict::Inconclusive);
    assert_eq!(verdict(&record, within(expect("active", Op::Equal, 200.0), 450 * MS, true)), Verdict::Fail);
    assert_eq!(verdict(&record, within(expect("active", Op::Equal, 200.0), 502 * MS, true)), Verdict::Pass);
    // What comes true after an event is counted from the event: 1200 were received before it.
    assert_eq!(verdict(&record, within(expect("received", Op::Greater, 0.0), 400 * MS, false)), Verdict::Fail);
    assert_eq!(verdict(&record, within(expect("received", Op::Greater, 0.0), 600 * MS, false)), Verdict::Pass);
    // Rates by whole intervals after the event: 3..4 is low, 4..5 is full.
    assert_eq!(verdict(&record, within(expect("rate", Op::GreaterEqual, 380.0), 2 * S, true)), Verdict::Pass);
    assert_eq!(verdict(&record, within(expect("rate", Op::GreaterEqual, 380.0), S, false)), Verdict::Fail);
}

fn cut(mut flow: FlowRecord, at_ns: i64, how: Ended, expectation: Expectation) -> RunRecord {
    flow.finished = false;
    flow.ran_ns[0].1 = at_ns;
    let mut record = run(vec![flow], vec![expectation]);
    record.ended = how;
    record.duration_ns = at_ns as u64;
    record.events.retain(|event| event.asked_ns <= at_ns);
    judged(record)
}

#[test]
fn a_cut_run_tells_only_what_cannot_change() {
    let verdict = |expectation: Expectation| {
        let record = cut(failover(), 6 * S, Ended::Timeout("steady was running".to_owned()), expectation);
        let outcome = record.expectations[0].outcome.clone().unwrap();
        assert!(record.verdict >= Some(Verdict::Inconclusive));
        (outcome.verdict, outcome.reason)
    };
    assert_eq!(verdict(expect("resets", Op::Equal, 0.0)).0, Verdict::Fail);
    assert_eq!(verdict(expect("resets", Op::GreaterEqual, 200.0)).0, Verdict::Pass);
    let (open, reason) = verdict(expect("misdelivered", Op::Equal, 0.0));
    assert_eq!(open, Verdict::Inconclusive);
    assert!(reason.contains("cut by its timeout (steady was running)"), "{reason}");
    assert_eq!(verdict(expect("outage.max", Op::Less, 1500e6)).0, Verdict::Inconclusive);
    assert_eq!(verdict(expect("outage.max", Op::Less, 100e6)).0, Verdict::Fail);
    assert_eq!(verdict(expect("latency.p99", Op::Less, 20e6)).0, Verdict::Inconclusive);
    assert_eq!(verdict(before_failure(expect("latency.p99", Op::Less, 20e6))).0, Verdict::Pass);
    assert_eq!(verdict(Expectation { form: Form::Never, ..expect("corrupt", Op::Greater, 0.0) }).0, Verdict::Inconclusive);
    assert_eq!(verdict(within(expect("active", Op::Equal, 200.0), 2 * S, true)).0, Verdict::Inconclusive);
    assert_eq!(verdict(within(expect("active", Op::Equal, 0.0), 2 * S, false)).0, Verdict::Pass);
    assert_eq!(verdict(within(expect("active", Op::Equal, 300.0), 2 * S, false)).0, Verdict::Fail);
    assert_eq!(verdict(within(expect("active", Op::Equal, 300.0), 4 * S, false)).0, Verdict::Inconclusive);
}

#[test]
fn a_flow_that_had_finished_is_not_cut() {
    let mut record = run(vec![failover()], vec![expect("misdelivered", Op::Equal, 0.0)]);
    record.ended = Ended::Timeout("another flow".to_owned());
    let record = judged(record);
    assert_eq!(outcomes(&record)[0].verdict, Verdict::Pass);
    assert_eq!(record.verdict, Some(Verdict::Inconclusive));
}

#[test]
fn a_broken_run_is_an_error_and_a_violated_require_fails() {
    let broken = cut(failover(), 6 * S, Ended::Failed("the wire stopped".to_owned()), expect("corrupt", Op::Equal, 0.0));
    assert_eq!((outcomes(&broken)[0].verdict, broken.verdict), (Verdict::Error, Some(Verdict::Error)));
    assert!(outcomes(&broken)[0].reason.contains("the wire stopped"));
    let certain = cut(failover(), 6 * S, Ended::Failed("the wire stopped".to_owned()), expect("resets", Op::Equal, 0.0));
    assert_eq!(outcomes(&certain)[0].verdict, Verdict::Fail);
    let named = Expectation { name: "few".to_owned(), kind: Kind::Require, ..expect("errors", Op::Less, 1000.0) };
    let required = cut(failover(), 6 * S, Ended::Required("few".to_owned()), named);
    assert_eq!((outcomes(&required)[0].verdict, required.verdict), (Verdict::Fail, Some(Verdict::Fail)));
    assert_eq!(outcomes(&required)[0].decided_ns, Some(6 * S));
}

#[test]
fn links_that_cannot_be_trusted_decide_nothing() {
    let verdict = |account: LinkAccount, expectation: Expectation| {
        let mut record = run(vec![failover()], vec![expectation]);
        let (name, engine) = ("wan".to_owned(), "wire".to_owned());
        let (impairment, account) = (String::new(), Some(account));
        record.links = vec![LinkRecord { name, ends: [0, 1], engine, impairment, account, samples: Vec::new() }];
        let outcome = judged(record).expectations[0].outcome.clone().unwrap();
        (outcome.verdict, outcome.reason)
    };
    let good = || LinkAccount { entered: [10, 5], delivered: [9, 5], lost: [1, 0], ..LinkAccount::default() };
    let passes = || before_failure(expect("latency.p99", Op::Less, 20e6));
    let fails = || before_failure(expect("latency.p99", Op::Less, 1.0));
    assert_eq!((verdict(good(), passes()).0, verdict(good(), fails()).0), (Verdict::Pass, Verdict::Fail));
    let open = LinkAccount { delivered: [8, 5], ..good() };
    let (doubtful, reason) = verdict(open.clone(), passes());
    assert_eq!(doubtful, Verdict::Inconclusive);
    assert!(
        reason.starts_with("the account of link wan, from its first end, does not close: 10 frames came, 9 are accounted for"),
        "{reason}"
    );
    assert_eq!(verdict(open, fails()).0, Verdict::Inconclusive);
    let joined = LinkAccount { joined: [0, 1], ..good() };
    assert_eq!(verdict(joined, passes()).0, Verdict::Inconclusive);
    // What scn lost itself makes nothing better.
    let own = LinkAccount { entered: [11, 5], dropped: [1, 0], ..good() };
    assert_eq!((verdict(own.clone(), passes()).0, verdict(own, fails()).0), (Verdict::Pass, Verdict::Inconclusive));
    let late = LinkAccount { late_p99_ns: 6_000_000, ..good() };
    assert_eq!((verdict(late.clone(), passes()).0, verdict(late.clone(), fails()).0), (Verdict::Pass, Verdict::Inconclusive));
    assert!(verdict(late.clone(), fails()).1.contains("the p99 of link wan's lateness was 6ms, the tolerance is 5ms"));
    assert_eq!(verdict(late, expect("resets", Op::Equal, 0.0)).0, Verdict::Fail, "a plain count hangs on no time");
}

#[test]
fn notes_decide_nothing() {
    let note = Expectation { kind: Kind::Note, ..expect("resets", Op::Equal, 0.0) };
    let record = judged(run(vec![failover()], vec![note]));
    assert_eq!((outcomes(&record)[0].verdict, record.verdict), (Verdict::Fail, Some(Verdict::Pass)));
    assert_eq!(judged(run(vec![failover()], Vec::new())).verdict, Some(Verdict::Pass));
}

#[test]
fn lateness_excuses_only_what_it_may_have_caused() {
    let mut late = failover();
    late.items.iter_mut().for_each(|item| item.lag_ns = 7_000_000);
    for (expectation, expected) in [
        // An outage's error holds the lateness already: what is decided against it stands.
        (expect("outage.max", Op::Less, 1500e6), Verdict::Pass),
        (expect("outage.max", Op::Less, 1e6), Verdict::Fail),
        (expect("outage.max", Op::Less, 500e6), Verdict::Inconclusive),
        // A late program makes latencies longer and loads smaller: short ones and large ones pass all the same.
        (before_failure(expect("latency.p99", Op::Less, 20e6)), Verdict::Pass),
        (before_failure(expect("service.p99", Op::Less, 1e3)), Verdict::Inconclusive),
        (before_failure(expect("rate", Op::GreaterEqual, 380.0)), Verdict::Pass),
        (before_failure(expect("rate", Op::LessEqual, 500.0)), Verdict::Inconclusive),
        (within(expect("active", Op::Equal, 200.0), 2 * S, true), Verdict::Pass),
        (within(expect("active", Op::Equal, 200.0), 100 * MS, true), Verdict::Inconclusive),
        (expect("backends", Op::Equal, 2.0), Verdict::Pass),
        (expect("resets", Op::Equal, 0.0), Verdict::Fail),
        (expect("lag.p99", Op::Less, 5e6), Verdict::Fail),
    ] {
        let outcome = outcome(&late, expectation);
        assert_eq!(outcome.verdict, expected, "{outcome:?}");
    }
    let reason = outcome(&late, before_failure(expect("service.p99", Op::Less, 1e3))).reason;
    assert!(reason.starts_with("scn itself was late: the p99 of steady.lag was 7ms, the tolerance is 5ms"), "{reason}");
    // A late entry of the timeline.
    for (budget, verdict) in [(1500e6, Verdict::Pass), (490e6, Verdict::Inconclusive), (470e6, Verdict::Fail)] {
        let mut record = run(vec![failover()], acceptance(budget));
        record.events[2].planned_ns -= 20 * MS;
        let record = judged(record);
        assert_eq!(outcomes(&record)[0].verdict, verdict, "{:?}", outcomes(&record)[0]);
        assert_eq!(outcomes(&record)[3].verdict, Verdict::Pass);
    }
}

#[test]
fn several_flows_make_one_number() {
    let mut other = failover();
    other.name = "second".to_owned();
    let sum = Value::Arithmetic {
        operator: Op::Add,
        left: Box::new(metric_of(0, "goodput.forward", None)),
        right: Box::new(metric_of(1, "goodput.forward", None)),
        dimension: Dimension::Bandwidth,
    };
    let limited = Expectation { from: at(S), to: at(2 * S), ..that(sum, Op::LessEqual, 6_400_000.0) };
    let most = Value::Fold { fold: Fold::Max, values: vec![metric_of(0, "outage.max", None), metric_of(1, "outage.max", None)] };
    let record = judged(run(vec![failover(), other], vec![limited, that(most, Op::Less, 600e6)]));
    let all = outcomes(&record);
    assert_eq!(
        (all[0].verdict, all[0].measured.as_str()),
        (Verdict::Pass, "steady.goodput.forward = 3.2Mbit/s, second.goodput.forward = 3.2Mbit/s")
    );
    assert_eq!(all[0].expected, "steady.goodput.forward + second.goodput.forward <= 6400kbit/s");
    assert_eq!((all[1].verdict, all[1].expected.as_str()), (Verdict::Pass, "max(steady.outage.max, second.outage.max) < 600ms"));
}

#[test]
fn composed_conditions_merge_their_changes() {
    let compare = |expectation: Expectation| expectation.condition;
    let both = Condition::All(vec![compare(expect("active", Op::Equal, 200.0)), compare(expect("reconnects", Op::Equal, 200.0))]);
    let either = Condition::Any(vec![compare(expect("active", Op::Equal, 200.0)), compare(expect("reconnects", Op::Less, 200.0))]);
    let record = failover();
    let over = |condition, form| outcome(&record, Expectation { condition, form, ..expect("active", Op::Equal, 0.0) });
    let back = over(both, Form::Within { limit_ns: 2 * S as u64, after: event(FAILURE, 0), stays: true });
    assert_eq!((back.verdict, back.decided_ns), (Verdict::Pass, Some(3_501_199_000)));
    let between = over(either, Form::Always);
    assert_eq!((between.verdict, between.decided_ns), (Verdict::Fail, Some(3_500_199_000)));
}

#[test]
fn unfinished_items_are_an_error_bar() {
    let mut record = flow("steady", 8 * S, 10 * MS);
    record.items = regular(0, 8 * S - 100 * MS, 10 * MS, 2 * MS);
    record.items.extend((8 * S - 100 * MS..8 * S).step_by(10_000_000).map(unfinished));
    assert_eq!(verdict(&record, expect("loss", Op::Equal, 0.0)), Verdict::Inconclusive);
    assert_eq!(verdict(&record, expect("loss", Op::LessEqual, 0.02)), Verdict::Pass);
    assert_eq!(verdict(&record, before_failure(expect("loss", Op::Equal, 0.0))), Verdict::Pass);
}

#[test]
fn live_values_answer_what_they_can() {
    let condition = expect("active", Op::Equal, 200.0).condition;
    let live = |condition: &Condition, known: &[(&str, f64)]| {
        let value = |metric: &Metric| known.iter().find(|(name, _)| *name == metric.name).map(|(_, value)| *value);
        Live::new(condition).holds(&|metric, _| value(metric))
    };
    assert_eq!(live(&condition, &[("active", 200.0)]), Some(true));
    assert_eq!(live(&condition, &[("active", 199.0)]), Some(false));
    assert_eq!(live(&condition, &[]), None);
    let either = Condition::Any(vec![condition.clone(), expect("errors", Op::Less, 5.0).condition]);
    assert_eq!(live(&either, &[("errors", 3.0)]), Some(true));
    assert_eq!(live(&either, &[("errors", 7.0)]), None);
    assert!(!Live::new(&condition).is_looked_at(), "flows tell their changes");
    let log = Metric { subject: Subject::Process(ProcessId(0)), name: "log".to_owned(), ..metric_in(&condition) };
    let matches = Condition::Matches { metric: log, regex: "up$".to_owned() };
    let live = Live::new(&matches);
    assert!(live.is_looked_at());
    let says = |text: &'static str| live.holds(&move |_, regex| Some(f64::from(u8::from(regex.unwrap().is_match(text)))));
    assert_eq!((says("is up"), says("is down")), (Some(true), Some(false)));
}

fn metric_in(condition: &Condition) -> Metric {
    condition.metrics()[0].clone()
}

#[test]
fn records_that_cannot_be_judged_say_why() {
    let mut other = run(Vec::new(), Vec::new());
    other.format = "pcap".to_owned();
    assert!(matches!(judge(&mut other), Err(JudgeError::Format(_))));
    let mut newer = run(Vec::new(), Vec::new());
    newer.version = VERSION + 1;
    assert!(matches!(judge(&mut newer), Err(JudgeError::Version(_))));
    let mut odd = run(vec![failover()], acceptance(1e9));
    odd.expectations.pop();
    assert!(matches!(judge(&mut odd), Err(JudgeError::Mismatch { what: "expectations", recorded: 6, planned: 7 })));
    let mut unreadable = run(Vec::new(), Vec::new());
    unreadable.plan = serde_json::json!({ "version": "x" });
    assert!(matches!(judge(&mut unreadable), Err(JudgeError::Plan(_))));
}

/// Better is smaller; errors and failures are equally far from a pass here.
fn passes(record: &RunRecord) -> Vec<bool> {
    outcomes(record).iter().map(|outcome| outcome.verdict == Verdict::Pass).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn unrelated_flows_change_nothing(items in 0usize..200, gap_ms in 1i64..50, lag in 0u32..100_000_000) {
        let alone = judged(run(vec![failover()], acceptance(1500e6)));
        let mut other = flow("other", 8 * S, gap_ms * MS);
        other.items = (0..items as i64).map(|n| Item { lag_ns: lag, ..lost(n * gap_ms * MS % (8 * S), MS) }).collect();
        let beside = judged(run(vec![failover(), other], acceptance(1500e6)));
        prop_assert_eq!(outcomes(&alone), outcomes(&beside));
    }

    #[test]
    fn seeing_less_never_turns_into_a_pass(cut_ms in 1i64..8000) {
        // What a run cut at some instant passes, the whole run passes too.
        let expectations = || {
            let mut all = acceptance(1500e6);
            all.push(expect("outage.max", Op::Less, 300e6));
            all.push(expect("resets", Op::Equal, 0.0));
            all.push(within(expect("active", Op::Equal, 200.0), 300 * MS, true));
            all.push(Expectation { form: Form::Always, ..expect("rate", Op::GreaterEqual, 380.0) });
            all.push(that(metric_of(0, "failover_time", Some(FAILURE)), Op::Less, 300e6));
            all
        };
        let whole = judged(run(vec![failover()], expectations()));
        let at = cut_ms * MS;
        let mut seen = failover();
        seen.items.retain(|item| item.intended_ns < at);
        for item in &mut seen.items {
            if item.done_ns > at {
                *item = unfinished(item.intended_ns);
            }
        }
        seen.connections.retain(|c| c.opened_ns < at);
        for connection in &mut seen.connections {
            if connection.closed_ns > at {
                (connection.closed_ns, connection.end) = (i64::MIN, ConnectionEnd::Open);
            }
            if connection.established_ns > at {
                connection.established_ns = i64::MIN;
            }
        }
        seen.finished = false;
        seen.ran_ns = vec![(0, at)];
        let mut record = run(vec![seen], expectations());
        record.ended = Ended::Interrupted("SIGINT".to_owned());
        record.events.retain(|event| event.asked_ns <= at);
        let record = judged(record);
        for (index, (less, all)) in passes(&record).into_iter().zip(passes(&whole)).enumerate() {
            prop_assert!(!less || all, "expectation {} passes when cut at {} ms: {:?}", index, cut_ms, outcomes(&record)[index]);
        }
    }

    #[test]
    fn a_truncated_series_never_passes_more(cut_ms in 1i64..8000) {
        let whole = judged(run(vec![failover()], acceptance(600e6)));
        let mut seen = failover();
        seen.truncated_at_ns = Some(cut_ms * MS);
        seen.items.retain(|item| item.done_ns <= cut_ms * MS);
        let record = judged(run(vec![seen], acceptance(600e6)));
        for (less, all) in passes(&record).into_iter().zip(passes(&whole)) {
            prop_assert!(!less || all);
        }
    }
}

#[test]
fn a_single_item_is_enough_for_a_verdict() {
    let mut record = flow("steady", 8 * S, 0);
    record.items = vec![done(0, MS)];
    assert_eq!(verdict(&record, expect("transactions", Op::Equal, 1.0)), Verdict::Pass);
    assert_eq!(verdict(&record, expect("loss", Op::Equal, 0.0)), Verdict::Pass);
}
