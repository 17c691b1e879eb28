//! What decided an expectation and what it measured, as outcomes tell it: entries that came late, counts that only the end can decide, the
//! worst outage of several, texts that do not match.

use scn_reports::record::process::{CommandRecord, Line, Output, Stream};

use super::*;

/// A rate of 199/s from 3 s to 4 s, and one of 400/s else. An entry comes 20 ms late, by default the one at 3.2 s.
fn late(expectation: Expectation, at_ns: i64) -> Outcome {
    let mut record = run(vec![failover()], vec![expectation]);
    let event = &mut record.events[2];
    (event.asked_ns, event.done_ns, event.planned_ns) = (at_ns, at_ns + MS, at_ns - 20 * MS);
    judged(record).expectations[0].outcome.clone().unwrap()
}

fn rate(form: Form, operator: Op, limit: f64) -> Expectation {
    Expectation { form, from: at(S), to: at(7 * S), ..expect("rate", operator, limit) }
}

#[test]
fn a_late_entry_excuses_only_what_it_could_have_changed() {
    let during = 3200 * MS;
    for (expectation, at_ns, verdict) in [
        // In 40 ms no more than 16 come.
        (rate(Form::Always, Op::GreaterEqual, 380.0), during, Verdict::Fail),
        (rate(Form::Always, Op::GreaterEqual, 205.0), during, Verdict::Inconclusive),
        (rate(Form::Never, Op::Less, 380.0), during, Verdict::Fail),
        (rate(Form::Never, Op::Less, 205.0), during, Verdict::Inconclusive),
        // What comes after a second changes nothing of what came in it.
        (rate(Form::Always, Op::GreaterEqual, 205.0), 6 * S, Verdict::Fail),
        (Expectation { from: at(3 * S), to: at(4 * S), ..expect("rate", Op::GreaterEqual, 380.0) }, during, Verdict::Fail),
        (Expectation { from: at(3 * S), to: at(4 * S), ..expect("rate", Op::GreaterEqual, 205.0) }, during, Verdict::Inconclusive),
        (Expectation { from: at(3 * S), to: at(4 * S), ..expect("rate", Op::Less, 100.0) }, during, Verdict::Fail),
        (Expectation { from: at(3 * S), to: at(4 * S), ..expect("rate", Op::Less, 190.0) }, during, Verdict::Inconclusive),
        // How much longer something took because of it is not known.
        (before_failure(expect("service.p99", Op::Less, 1e3)), 2 * S, Verdict::Inconclusive),
        (within(expect("rate", Op::GreaterEqual, 500.0), 2 * S, false), during, Verdict::Inconclusive),
    ] {
        let outcome = late(expectation, at_ns);
        assert_eq!(outcome.verdict, verdict, "{outcome:?}");
        assert_eq!(outcome.reason.starts_with("scn itself was late: `move"), verdict == Verdict::Inconclusive, "{outcome:?}");
    }
}

#[test]
fn a_late_entry_lets_nothing_pass() {
    // What passes under a limit may have been too little because scn was late.
    let few = Expectation { from: at(3 * S), to: at(4 * S), ..expect("rate", Op::Less, 380.0) };
    assert_eq!(late(few, 3200 * MS).verdict, Verdict::Inconclusive);
}

#[test]
fn what_only_the_end_can_decide_is_decided_there() {
    let mut record = flow("steady", 8 * S, 10 * MS);
    record.items = regular(0, 8 * S - 10 * MS, 10 * MS, 2 * MS);
    record.connections = vec![open(0), ended(0, 5 * S, ConnectionEnd::Reset)];
    let decided = |expectation| {
        let outcome = outcome(&record, expectation);
        (outcome.verdict, outcome.decided_ns)
    };
    assert_eq!(decided(expect("resets", Op::Equal, 7.0)), (Verdict::Fail, Some(8 * S)));
    assert_eq!(decided(expect("resets", Op::Less, 7.0)), (Verdict::Pass, Some(8 * S)));
    assert_eq!(decided(expect("resets", Op::Equal, 0.0)), (Verdict::Fail, Some(5 * S)), "it never becomes less");
    assert_eq!(decided(expect("resets", Op::Equal, 1.0)), (Verdict::Pass, Some(5 * S)));
}

#[test]
fn the_worst_of_counted_outages_is_a_time() {
    let outcome = outcome(&failover(), expect("outage.count", Op::Equal, 0.0));
    assert_eq!((outcome.verdict, outcome.worst), (Verdict::Fail, Some(("502.5ms".to_owned(), 2_998_500_000))));
}

#[test]
fn a_text_that_does_not_match_is_shown() {
    let row = metrics::find(metrics::OwnerKind::Output, "output").unwrap();
    let (dimension, shape, subject) = (row.dimension(), row.shape, Subject::Output(EventId(NEVER_HAPPENED)));
    let metric = Metric { subject, name: "output".to_owned(), event: None, dimension, shape, span: Span::default() };
    let said = |text: &str, form: Form| {
        let condition = Condition::Matches { metric: metric.clone(), regex: "^200$".to_owned() };
        let mut record = run(Vec::new(), vec![Expectation { condition, form, ..expect("resets", Op::Equal, 0.0) }]);
        let line = |text: &str| Line { at_ns: S, stream: Stream::Output, text: text.to_owned(), open: true };
        let lines: Vec<Line> = Some(text).filter(|text| !text.is_empty()).map(line).into_iter().collect();
        record.commands = vec![CommandRecord {
            event: Some("reboot".to_owned()),
            node: 0,
            text: "run on a \"curl\" as reboot".to_owned(),
            started_ns: S,
            ended_ns: Some(2 * S),
            status: Some(0),
            output: Output { after: 1, lines, left_out: 0 },
        }];
        let outcome = judged(record).expectations[0].outcome.clone().unwrap();
        (outcome.verdict, outcome.measured)
    };
    let fails = |words: &str| (Verdict::Fail, words.to_owned());
    assert_eq!(said("404 Not Found", Form::Whole), fails(r#"reboot.output does not match: "404 Not Found""#));
    assert_eq!(said("404\u{1b}", Form::Always), fails(r#"reboot.output does not match: "404\u{1b}" at 2s"#));
    assert_eq!(said("", Form::Whole), fails("reboot.output is empty"));
    assert_eq!(said("200", Form::Whole), (Verdict::Pass, "reboot.output matches".to_owned()));
}
