//! Timelines and expectations: every verb, every form of time, every sort of thing that is measured.

use super::{checked, checked_with};
use crate::diagnostics::short;
use crate::scenario::Scenario;
use crate::scenario::expect::{Condition, Kind, Subject, Value};
use crate::scenario::metrics::{METRICS, Measures, OwnerKind, STATISTICS, find};
use crate::scenario::timeline::{Action, When};

const MS: i64 = 1_000_000;

/// A scenario with one of everything.
fn text(before: &str, timeline: &str, expect: &str) -> String {
    format!(
        r#"scn 1
{before}
scenario s {{
    topology {{
        node a, b, c[1..2]
        bridge lan
        link wan: a.eth0 <-> lan
        link b 10.0.0.1/24 <-> lan
        link c[*] <-> lan
    }}
    process lb on b, a {{ run "sleep 60" }}
    service www on a, b {{ listen tcp :80  serve std_reply }}
    flow f from c[*] to b {{ rate 100/s }}
    flow g from a to www {{ connections 2  duration 60s }}
    flow u from a to b over udp {{ pattern std_reply  rate 50/s }}
    flow oneway from a to b over udp {{ pattern only  rate 50/s }}
    flow tool from a to b via iperf3 {{ duration 5s }}
    stress mix from c[*] to b {{ streams 3 }}
    timeline {{
{timeline}
    }}
    expect {{
{expect}
    }}
    pattern std_reply {{ client sends 10B
        server sends 10B }}
    pattern only {{ client sends 10B }}
}}
"#
    )
}

fn made(before: &str, timeline: &str, expect: &str) -> Scenario {
    let (sources, mut found) = checked(&text(before, timeline, expect));
    assert!(found.diagnostics.is_empty(), "{}", short(&found.diagnostics, &sources));
    found.scenarios.remove(0)
}

/// The codes that are raised, without the warning of a scenario that expects nothing.
fn codes(before: &str, timeline: &str, expect: &str) -> Vec<&'static str> {
    let (_, found) = checked(&text(before, timeline, expect));
    found.diagnostics.iter().map(|d| d.code).collect()
}

const FINE: &str = "        g.resets == 0";

fn actions(timeline: &str) -> Vec<Action> {
    made("", timeline, FINE).timeline.into_iter().map(|entry| entry.action).collect()
}

/// When an entry acts, in ms after the start, if it counts from there.
fn at_ms(scenario: &Scenario) -> Vec<(i64, &str)> {
    let when = |entry: &crate::scenario::timeline::Entry| match entry.when {
        When::At(time) => time.offset_ns / MS,
        When::Condition { .. } => -1,
    };
    scenario.timeline.iter().map(|entry| (when(entry), entry.text.as_str())).collect()
}

#[test]
fn every_verb_is_understood() {
    let all = [
        ("start f[*], mix, g", 3),
        ("start www on b", 1),
        ("stop lb on a", 1),
        ("stop f[1]", 1),
        ("set f[*].rate 200/s over 5s", 1),
        ("set g.connections 5", 1),
        ("set mix.streams 9", 1),
        ("down wan, b", 1),
        ("silence c[*]", 1),
        ("impair wan { loss 5%  delay 20ms }", 1),
        ("impair a.eth0 over 2s { forward { delay 20ms } }", 1),
        ("partition [a] from [b, c[1]] one way", 1),
        ("isolate b", 1),
        ("vanish b", 1),
        ("add 10.0.0.9/24 to a", 1),
        ("remove 10.0.0.1/24 from b", 1),
        ("move 10.0.0.1/24 from b to a", 1),
        ("route a 0.0.0.0/0 via 10.0.0.1", 1),
        ("route a 0.0.0.0/0 off", 1),
        ("kill lb on a", 1),
        ("kill b", 1),
        ("signal lb SIGHUP", 1),
        ("freeze lb", 1),
        ("restart lb, www", 1),
        ("run on b \"ip -s link\" as out", 1),
        ("capture wan, b to \"wan.pcapng\"", 1),
        ("mark here", 1),
    ];
    for (verb, count) in all {
        assert_eq!(actions(&format!("at 1s   {verb}")).len(), count, "{verb}");
    }
    for pair in [
        "down wan|up a",
        "silence wan|unsilence wan",
        "impair wan { loss 1% }|restore wan",
        "pause g, mix|resume g, mix",
        "freeze lb|thaw lb",
        "isolate a|heal",
        "partition [a] from [b]|heal [a] from [b]",
        "isolate a|heal a",
    ] {
        let (first, second) = pair.split_once('|').unwrap();
        assert!(actions(&format!("at 1s   {first}\nat 2s   {second}")).len() >= 2, "{pair}");
    }
    let some = actions("at 1s   impair wan { forward { delay 20ms } }");
    assert!(matches!(&some[0], Action::Impair { forward: Some(_), back: None, over_ns: 0, .. }), "{some:?}");
    let some = actions("at 1s   set f[1].rate 200/s over 5s");
    assert!(matches!(&some[0], Action::Set { over_ns: 5_000_000_000, .. }), "{some:?}");
}

#[test]
fn verbs_that_can_not_be_are_reported() {
    let all = [
        ("set f[1].connections 0", "scn::expand::out_of_range"),
        ("set u.connections 3", "scn::expand::nothing_to_set"),
        ("set g.rate 3/s", "scn::expand::nothing_to_set"),
        ("set tool.rate 3/s", "scn::expand::nothing_to_set"),
        ("set g.rat 3/s", "scn::resolve::unknown_option"),
        ("down lan.eth7", "scn::resolve::unknown_interface"),
        ("down g", "scn::resolve::wrong_kind"),
        ("start lan", "scn::resolve::wrong_kind"),
        ("start f[1] on a", "scn::expand::verb_form"),
        ("start www on c[1]", "scn::resolve::unknown_node"),
        ("partition [a] from [a, b]", "scn::expand::option_conflict"),
        ("partition [a] from [lan]", "scn::expand::not_a_host"),
        ("isolate lan", "scn::expand::not_a_host"),
        ("impair wan", "scn::expand::verb_form"),
        ("signal lb SIGNOTHING", "scn::expand::unknown_choice"),
        ("signal www SIGHUP", "scn::expand::signal_of_nobody"),
        ("signal c[1] SIGUSR1", "scn::expand::signal_of_nobody"),
        ("signal lan SIGKILL", "scn::expand::not_a_host"),
        ("run on c[*] \"true\"", "scn::resolve::only_one"),
        ("capture wan to \"../x.pcapng\"", "scn::expand::capture_path"),
        ("capture wan to \"x.pcap\"", "scn::expand::capture_path"),
        ("route a 0.0.0.0/0 via ::1", "scn::expand::mixed_families"),
        ("up wan", "scn::expand::no_effect"),
        ("heal", "scn::expand::no_effect"),
        ("resume g", "scn::expand::no_effect"),
        ("call nothing()", "scn::resolve::unknown_template"),
    ];
    for (verb, code) in all {
        assert_eq!(codes("", &format!("at 1s   {verb}"), FINE), [code], "{verb}");
    }
    for verb in ["remove 10.0.0.1/24 from b", "run on a \"true\"", "mark x", "restart lb", "signal lb SIGHUP"] {
        assert_eq!(codes("", &format!("at 1s for 2s   {verb}"), FINE), ["scn::expand::nothing_to_undo"], "{verb}");
    }
    assert_eq!(codes("", "at 2s   up wan\nat 3s   down wan", FINE), ["scn::expand::no_effect"]);
    assert_eq!(codes("", "at 2s   capture wan to \"x.pcapng\"\nat 3s   capture b to \"x.pcapng\"", FINE), ["scn::expand::option_conflict"]);
}

#[test]
fn every_acts_at_each_instant_and_names_events() {
    let scenario = made("", "at 1s   down wan   as cut\nevery 500ms from cut to cut + 1s   mark tick\ntick[2] + 1s   up wan", FINE);
    let names: Vec<&str> = scenario.events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["cut", "tick[1]", "tick[2]", "tick[3]"]);
    assert_eq!(at_ms(&scenario), [(1000, "down wan"), (0, "mark tick"), (500, "mark tick"), (1000, "mark tick"), (1000, "up wan")]);
    assert_eq!(codes("", "at 1s   down wan   as cut\nevery 1s from cut to 9s   mark tick", FINE), ["scn::expand::uncountable"]);
    assert_eq!(codes("", "every 1s from 9s to 1s   mark tick", FINE), ["scn::expand::backward_range"]);
    assert_eq!(codes("", "every 1ns from 1s to 9s   mark tick", FINE), ["scn::expand::too_large"]);
}

#[test]
fn loops_name_events_by_index() {
    let scenario = made("", "for i in 1..2 { at i * 1s   stop f[i]   as end[i] }\nend[2] + 1s   down wan", FINE);
    assert_eq!(at_ms(&scenario), [(1000, "stop f[1]"), (2000, "stop f[2]"), (1000, "down wan")]);
}

const FLAP: &str = "action flap(what: link, down: duration = 100ms) {
    at 0s   down what   as cut
    cut + down   up what
    at 1s   mark over
}";

#[test]
fn a_call_counts_from_its_entry() {
    let scenario = made(FLAP, "at 2s   call flap(wan)   as first\nfirst.cut + 3s   call flap(wan, down: 200ms)", FINE);
    let shown = at_ms(&scenario);
    assert_eq!(shown[..4], [(2000, "call flap(wan)"), (2000, "down wan"), (100, "up wan"), (3000, "mark over")]);
    assert_eq!(shown[4..], [(3000, "down wan"), (200, "up wan"), (4000, "mark over")]);
    assert_eq!(scenario.timeline[1].called.as_deref(), Some("flap(wan)"));
    let names: Vec<&str> = scenario.events.iter().map(|event| event.name.as_str()).collect();
    assert!(names.contains(&"first.cut") && names.contains(&"first"), "{names:?}");
    // An entry that waits has an instant only as an event.
    let scenario = made(FLAP, "when g.active == 2   call flap(wan)", FINE);
    assert!(!scenario.events[scenario.timeline[0].event.unwrap().index()].named);
    assert!(matches!(scenario.timeline[1].when, When::At(time) if time.event == scenario.timeline[0].event));
}

#[test]
fn a_call_can_be_undone() {
    let cut = "action cut(what: link) { at 500ms   down what }";
    let scenario = made(cut, "at 2s for 2s   call cut(wan)", FINE);
    assert_eq!(scenario.timeline[0].lasts_ns, Some(1_500_000_000));
    assert_eq!(codes(cut, "at 2s for 400ms   call cut(wan)", FINE), ["scn::expand::undo_in_call"]);
    assert_eq!(codes("action m() { at 0s   mark x }", "at 2s for 400ms   call m()", FINE), ["scn::expand::nothing_to_undo"]);
}

#[test]
fn checks_take_word_window_and_text_of_their_call() {
    let check = "check calm(f: flow, least: rate) {
    f.resets == 0   \"quiet\"
    always f.rate >= least sampled every 2s
    f.sent > 5 before 9s
}";
    let scenario = made(
        check,
        "at 1s   down wan   as cut",
        "        note calm(f[1], 10/s) during 2s..4s  \"first\"\n        calm(f[2], 20/s)\n        calm(f[1], 3/s)",
    );
    let names: Vec<&str> = scenario.expectations.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names[..3], ["first: quiet", "first: always f[1].rate >= 10/s sampled every 2s", "first: f[1].sent > 5 before 9s"]);
    assert_eq!(names[3], "quiet (calm(f[2], 20/s))");
    assert_eq!(names[6], "quiet (calm(f[1], 3/s))");
    assert_eq!(scenario.expectations[4].words, "always f[2].rate >= 20/s sampled every 2s");
    let first = &scenario.expectations[0];
    assert_eq!(
        (first.kind, first.from.map(|t| t.offset_ns / MS), first.to.map(|t| t.offset_ns / MS)),
        (Kind::Note, Some(2000), Some(4000))
    );
    let third = &scenario.expectations[2];
    assert_eq!((third.from, third.to.map(|t| t.offset_ns / MS)), (None, Some(9000)));
    assert_eq!(scenario.expectations[1].sampled_every_ns, 2_000_000_000);
    assert_eq!(codes(check, "at 1s   mark x", "        always calm(f[1], 3/s)"), ["scn::expand::option_conflict"]);
}

#[test]
fn everything_measured_is_found() {
    let expect = "        wan.forward.dropped == 0
        wan.queue.max < 10
        a.eth0.rx_packets > 0
        lb.running
        not lb.running after 5s
        lb.log matches /ready/
        out.output matches /errors 0/
        out.status == 0
        mix.active <= 3
        u.rtt.p50 < 10ms
        u.back.loss == 0%
        oneway.owd.max < 10ms
        tool.goodput.forward > 1Mbit/s
        median(f[*].outage.max) < 2s
        f[1].goodput.forward + f[2].goodput.forward <= 50Mbit/s";
    let scenario = made("", "at 1s   run on a \"true\"   as out", expect);
    let subject = |number: usize| match &scenario.expectations[number].condition {
        Condition::Compare { left: Value::Metric(metric), .. } | Condition::Holds(metric) | Condition::Matches { metric, .. } => {
            metric.subject.kind()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(subject(0), OwnerKind::Link);
    assert_eq!(
        (subject(2), subject(3), subject(6), subject(8)),
        (OwnerKind::Interface, OwnerKind::Process, OwnerKind::Output, OwnerKind::Stress)
    );
    assert!(matches!(&scenario.expectations[4].condition, Condition::Not(_)));
    assert!(
        matches!(&scenario.expectations[2].condition, Condition::Compare { left: Value::Metric(m), .. } if matches!(&m.subject, Subject::Interface(_, name) if name == "eth0"))
    );
}

#[test]
fn what_can_not_be_measured_is_reported() {
    let all = [
        ("g.handshake_time.p50 < 1ms", "scn::expand::not_measured"),
        ("g.rtt.p50 < 1ms", "scn::expand::not_measured"),
        ("oneway.rtt.p50 < 1ms", "scn::expand::not_measured"),
        ("u.active == 1", "scn::expand::not_measured"),
        ("u.tcp.client.rtt.p50 < 1ms", "scn::expand::not_measured"),
        ("tool.latency.p50 < 1ms", "scn::expand::not_measured"),
        ("cut.output matches /x/", "scn::expand::not_measured"),
        ("wan.loss.p50 < 1ms", "scn::resolve::unknown_metric"),
        ("lb.runing", "scn::resolve::unknown_metric"),
        ("wan == 3", "scn::expand::needs_metric"),
        ("lb.running == 1", "scn::expand::wrong_type"),
        ("lb.log == 1", "scn::expand::wrong_type"),
        ("g.sent matches /x/", "scn::expand::wrong_type"),
        ("lb.log matches \"x\"", "scn::expand::wrong_type"),
        ("lb.log matches /(/", "scn::expand::bad_regex"),
        ("lb.cpu", "scn::expand::wrong_type"),
        ("if g.sent > 1 then g.resets == 0 else g.resets > 0", "scn::expand::measured_choice"),
        ("g.sent > 5 after 70s", "scn::expand::outside_life"),
        ("require g.latency.p50 < 1s", "scn::expand::needs_moment"),
        ("g.sent < 1s", "scn::expand::dimension_mismatch"),
        ("f[1].latency.p99 < 1s during 1s..1100ms", "scn::expand::few_samples"),
    ];
    for (expect, code) in all {
        assert_eq!(codes("", "at 1s   down wan   as cut", &format!("        {expect}")), [code], "{expect}");
    }
}

#[test]
fn several_stars_mean_each_with_each() {
    let scenario =
        made("", "at 1s   down wan", "        f[*].loss <= 1%\n        f[*].sent >= f[1..2].received\n        sum(f[*].sent) > 5");
    let words: Vec<&str> = scenario.expectations.iter().map(|e| e.words.as_str()).collect();
    assert_eq!(words[..2], ["f[1].loss <= 1%", "f[2].loss <= 1%"]);
    assert_eq!(
        words[2..6],
        ["f[1].sent >= f[1].received", "f[1].sent >= f[2].received", "f[2].sent >= f[1].received", "f[2].sent >= f[2].received"]
    );
    assert_eq!(words[6], "sum(f[*].sent) > 5");
}

#[test]
fn loops_and_choices_stand_in_expect() {
    let (sources, found) = checked_with(
        "test.scn",
        &text(
            "let strict = 1 < 2",
            "at 1s   down wan",
            "        for i in 1..2 { f[i].loss <= 1% }\n        if strict { g.resets == 0 } else { g.resets < 5 }",
        ),
        &[],
        &[],
    );
    assert!(found.diagnostics.is_empty(), "{}", short(&found.diagnostics, &sources));
    let words: Vec<&str> = found.scenarios[0].expectations.iter().map(|e| e.words.as_str()).collect();
    assert_eq!(words, ["f[1].loss <= 1%", "f[2].loss <= 1%", "g.resets == 0"]);
}

#[test]
fn the_table_of_metrics_is_sound() {
    for row in METRICS {
        let name = row.name.replace('*', STATISTICS[0]);
        assert_eq!(find(row.owner.kind(), &name).map(|found| found.name), Some(row.name), "two rows for {name}");
        assert!(row.doc.ends_with('.') && !row.doc.contains('\n'), "{name}");
        assert!(!row.takes_event || matches!(row.measures, Measures::Number(_)));
    }
}
