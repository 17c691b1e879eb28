//! Expectations over links and interfaces: windows on samples and between them, moments, what nothing passes for.

use scn_grammar::scenario::{LinkId, NodeId};
use scn_reports::record::NodeRecord;
use scn_reports::record::counted::{Counted, InterfaceRecord, InterfaceSample, KernelCount, LinkSample, WaySample};

use super::*;

fn of_link(name: &str) -> Value {
    of(metrics::OwnerKind::Link, Subject::Link(LinkId(0)), name)
}

fn of_interface(name: &str) -> Value {
    of(metrics::OwnerKind::Interface, Subject::Interface(NodeId(0), "eth0".to_owned()), name)
}

fn of(owner: metrics::OwnerKind, subject: Subject, name: &str) -> Value {
    let row = metrics::find(owner, name.trim_start_matches("back.")).unwrap();
    let (name, dimension, shape) = (name.to_owned(), row.dimension(), row.shape);
    Value::Metric(Metric { subject, name, event: None, dimension, shape, span: Span::default() })
}

/// Samples each second: 100 packets, of which the link loses one from 3 s on; the interface counts the same, and has no carrier at 5 s.
fn run_with(expectations: Vec<Expectation>) -> RunRecord {
    let mut record = run(Vec::new(), expectations);
    record.duration_ns = 8 * S as u64;
    let lost = |second: i64| u64::try_from((second - 3).max(0)).unwrap();
    let way = |second: i64| {
        let mut way = WaySample { queued: u64::from(second == 4), most_queued: u64::from(second == 4) * 7, ..WaySample::default() };
        way.most_at_ns = second * S - 1;
        way.counts[Counted::Sent as usize] = 100 * u64::try_from(second).unwrap();
        way.counts[Counted::Lost as usize] = lost(second);
        way.counts[Counted::Delivered as usize] = way.counts[Counted::Sent as usize] - lost(second);
        way
    };
    let samples = (0..=8).map(|second| LinkSample { at_ns: second * S, ways: [way(second), WaySample::default()] }).collect();
    let (name, engine) = ("wan".to_owned(), "wire".to_owned());
    record.links = vec![LinkRecord { name, ends: [0, 1], engine, impairment: String::new(), account: None, samples }];
    record.nodes = vec![NodeRecord { name: "r1".to_owned(), kind: "router".to_owned(), addresses: Vec::new() }];
    let sample = |second: i64| {
        let mut counts = [0; KernelCount::COUNT];
        counts[KernelCount::TxPackets as usize] = 100 * u64::try_from(second).unwrap();
        let changes = 2 + u32::from(second >= 5) + u32::from(second >= 6);
        InterfaceSample { from_ns: second * S, to_ns: second * S, counts, carrier: second != 5, changes }
    };
    let samples = (0..=8).map(sample).collect();
    record.interfaces = vec![InterfaceRecord { node: 0, name: "eth0".to_owned(), samples, lost: None }];
    record
}

fn ruled(expectation: Expectation) -> Outcome {
    judged(run_with(vec![expectation])).expectations[0].outcome.clone().unwrap()
}

fn verdict_of(expectation: Expectation) -> Verdict {
    ruled(expectation).verdict
}

fn during(from: i64, to: i64, expectation: Expectation) -> Expectation {
    Expectation { from: at(from), to: at(to), ..expectation }
}

fn in_form(form: Form, expectation: Expectation) -> Expectation {
    Expectation { form, ..expectation }
}

#[test]
fn counts_of_a_window_on_samples_are_exact() {
    assert_eq!(verdict_of(that(of_link("sent"), Op::Equal, 800.0)), Verdict::Pass);
    assert_eq!(verdict_of(that(of_link("lost"), Op::Equal, 5.0)), Verdict::Pass);
    assert_eq!(verdict_of(that(of_link("lost"), Op::Equal, 4.0)), Verdict::Fail);
    assert_eq!(verdict_of(during(S, 3 * S, that(of_link("sent"), Op::Equal, 200.0))), Verdict::Pass);
    assert_eq!(verdict_of(during(S, 3 * S, that(of_link("lost"), Op::Equal, 0.0))), Verdict::Pass);
    assert_eq!(verdict_of(that(of_interface("tx_packets"), Op::Equal, 800.0)), Verdict::Pass);
    assert_eq!(verdict_of(during(2 * S, 4 * S, that(of_interface("tx_packets"), Op::Less, 200.0))), Verdict::Fail);
    let outcome = ruled(that(of_link("sent"), Op::Equal, 800.0));
    assert_eq!((outcome.measured.as_str(), outcome.samples), ("wan.sent = 800", 9));
    assert_eq!(ruled(that(of_interface("tx_packets"), Op::Equal, 800.0)).measured, "r1.eth0.tx_packets = 800");
}

#[test]
fn the_distance_of_samples_is_the_error_of_a_window() {
    let between = |operator, limit| during(1_500 * MS, 3 * S, that(of_link("sent"), operator, limit));
    assert_eq!(verdict_of(between(Op::GreaterEqual, 100.0)), Verdict::Pass);
    assert_eq!(verdict_of(between(Op::GreaterEqual, 150.0)), Verdict::Inconclusive);
    assert_eq!(verdict_of(between(Op::GreaterEqual, 201.0)), Verdict::Fail);
    let outcome = ruled(between(Op::GreaterEqual, 150.0));
    assert_eq!(outcome.measured, "wan.sent = 150 ± 50");
    assert!(outcome.reason.starts_with("the error of measurement is larger than the margin"), "{}", outcome.reason);
    // Where nothing happened around the edge there is no error.
    assert_eq!(verdict_of(during(500 * MS, 2_500 * MS, that(of_link("lost"), Op::Equal, 0.0))), Verdict::Pass);
}

#[test]
fn ratios_and_levels_of_links() {
    assert_eq!(verdict_of(during(3 * S, 8 * S, that(of_link("loss"), Op::Equal, 0.01))), Verdict::Pass);
    assert_eq!(verdict_of(that(of_link("loss"), Op::LessEqual, 0.01)), Verdict::Pass);
    assert_eq!(verdict_of(that(of_link("queue.max"), Op::LessEqual, 7.0)), Verdict::Pass);
    assert_eq!(verdict_of(that(of_link("queue.max"), Op::Less, 7.0)), Verdict::Fail);
    let each_second = in_form(Form::Always, that(of_link("loss"), Op::Less, 0.005));
    let outcome = ruled(each_second);
    assert_eq!((outcome.verdict, outcome.decided_ns), (Verdict::Fail, Some(3 * S)));
}

#[test]
fn moments_of_counters_are_those_of_samples() {
    let never = |limit| in_form(Form::Never, that(of_link("lost"), Op::Greater, limit));
    assert_eq!(verdict_of(never(5.0)), Verdict::Pass);
    let outcome = ruled(never(2.0));
    assert_eq!((outcome.verdict, outcome.decided_ns), (Verdict::Fail, Some(6 * S)), "seen for certain at 6 s: {}", outcome.reason);
    assert_eq!(verdict_of(in_form(Form::Always, that(of_link("queued"), Op::LessEqual, 7.0))), Verdict::Pass);
    let burst = ruled(in_form(Form::Always, that(of_link("queued"), Op::Less, 7.0)));
    assert_eq!((burst.verdict, burst.decided_ns), (Verdict::Fail, Some(4 * S - 1)), "at its very instant");
}

#[test]
fn something_comes_true_no_later_than_the_sample_that_shows_it() {
    let within = |limit_ns: i64, stays| Form::Within { limit_ns: limit_ns as u64, after: None, stays };
    let lost = || that(of_link("lost"), Op::GreaterEqual, 1.0);
    assert_eq!(verdict_of(in_form(within(4 * S, false), lost())), Verdict::Pass);
    assert_eq!(verdict_of(in_form(within(4 * S, true), lost())), Verdict::Pass);
    assert_eq!(verdict_of(in_form(within(3_500 * MS, false), lost())), Verdict::Inconclusive, "it was lost between 3 s and 4 s");
    assert_eq!(verdict_of(in_form(within(3_500 * MS, true), lost())), Verdict::Inconclusive);
    assert_eq!(verdict_of(in_form(within(2 * S, false), lost())), Verdict::Fail);
}

#[test]
fn a_carrier_that_went_and_came() {
    let Value::Metric(carrier) = of_interface("carrier") else { unreachable!("it is a metric") };
    let has = |form| Expectation { condition: Condition::Holds(carrier.clone()), form, ..that(of_link("sent"), Op::Equal, 0.0) };
    assert_eq!(verdict_of(has(Form::Whole)), Verdict::Pass);
    let outcome = ruled(has(Form::Always));
    assert_eq!((outcome.verdict, outcome.decided_ns), (Verdict::Fail, Some(5 * S)));
    assert_eq!(verdict_of(during(0, 4 * S, has(Form::Always))), Verdict::Pass);
    assert_eq!(verdict_of(during(0, 4_500 * MS, has(Form::Always))), Verdict::Inconclusive, "it went somewhere after 4 s");
    assert_eq!(outcome.measured, "r1.eth0.carrier is false at 5s");
}

#[test]
fn nothing_passes_without_a_sample() {
    let without = |expectation: Expectation| {
        let mut record = run_with(vec![expectation]);
        record.links[0].samples.clear();
        record.interfaces.clear();
        judged(record).expectations[0].outcome.clone().unwrap()
    };
    let outcome = without(that(of_link("lost"), Op::Equal, 0.0));
    assert_eq!((outcome.verdict, outcome.reason.as_str()), (Verdict::Inconclusive, "the record holds no samples of wan"));
    let outcome = without(that(of_interface("rx_errors"), Op::Equal, 0.0));
    assert_eq!((outcome.verdict, outcome.reason.as_str()), (Verdict::Inconclusive, "the record holds no samples of r1.eth0"));
    let late = during(20 * S, 30 * S, that(of_link("lost"), Op::Equal, 0.0));
    let outcome = ruled(late);
    assert_eq!((outcome.verdict, outcome.reason.as_str()), (Verdict::Inconclusive, "wan has no sample in the window"));
    assert_eq!(verdict_of(that(of_link("delay.p99"), Op::Less, 1e9)), Verdict::Inconclusive, "no packet left");
    assert_eq!(verdict_of(that(of_link("back.loss"), Op::Equal, 0.0)), Verdict::Inconclusive, "no packet came that way");
}

#[test]
fn a_cut_run_and_a_wire_that_cannot_be_trusted_decide_nothing() {
    let cut = |expectation: Expectation| {
        let mut record = run_with(vec![expectation]);
        record.ended = Ended::Timeout("all of it".to_owned());
        judged(record).expectations[0].outcome.clone().unwrap().verdict
    };
    assert_eq!(cut(that(of_link("lost"), Op::LessEqual, 5.0)), Verdict::Inconclusive);
    assert_eq!(cut(that(of_link("lost"), Op::Less, 5.0)), Verdict::Fail, "it only grows");
    assert_eq!(cut(during(0, 4 * S, that(of_link("lost"), Op::LessEqual, 5.0))), Verdict::Pass);
    let doubted = |account: LinkAccount, expectation: Expectation| {
        let mut record = run_with(vec![expectation]);
        record.links[0].account = Some(account);
        judged(record).expectations[0].outcome.clone().unwrap().verdict
    };
    let open = LinkAccount { entered: [800, 0], delivered: [700, 0], ..LinkAccount::default() };
    assert_eq!(doubted(open, that(of_link("lost"), Op::Equal, 5.0)), Verdict::Inconclusive);
    let late = LinkAccount { late_p99_ns: 50 * MS as u64, ..LinkAccount::default() };
    assert_eq!(doubted(late.clone(), that(of_link("queue.max"), Op::Less, 7.0)), Verdict::Inconclusive, "scn may have held them up");
    assert_eq!(doubted(late, that(of_link("lost"), Op::Less, 5.0)), Verdict::Fail, "a count stands");
}
