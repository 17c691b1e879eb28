//! What readers of JUnit files rely on, checked with a strict parser on harmless and hostile records.

use super::*;
use crate::record::example;

const WRITTEN: Written<'_> = Written { hostname: "lab-7", at: "2026-07-28T10:00:00Z" };

fn xml(records: &[RunRecord]) -> String {
    let suites: Vec<Suite<'_>> = records.iter().map(Suite::ran).collect();
    render(&suites, WRITTEN)
}

#[test]
fn every_report_is_strict_xml() {
    for record in example::all() {
        let text = xml(&[record]);
        roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    }
    roxmltree::Document::parse(&render(&[], WRITTEN)).unwrap();
}

#[test]
fn names_are_stable_and_say_where() {
    let text = xml(&[example::failover()]);
    let doc = roxmltree::Document::parse(&text).unwrap();
    let suite = doc.descendants().find(|n| n.has_tag_name("testsuite")).unwrap();
    assert_eq!(suite.attribute("name"), Some("scenarios/failover/vip_failover"));
    assert_eq!(suite.attribute("package"), Some(""));
    assert_eq!(suite.attribute("hostname"), Some("lab-7"));
    assert_eq!(suite.attribute("timestamp"), Some("2026-07-28T09:41:07.25Z"));
    assert_eq!((suite.attribute("tests"), suite.attribute("failures"), suite.attribute("errors")), (Some("7"), Some("1"), Some("1")));
    assert_eq!(suite.attribute("time"), Some("8.066"));
    let cases: Vec<_> = suite.children().filter(|n| n.has_tag_name("testcase")).collect();
    assert_eq!(cases[0].attribute("name"), Some("clients notice the failover for less than 1ms"));
    assert!(cases.iter().all(|c| c.attribute("classname") == Some("scenarios.failover.vip_failover")));
    assert!(cases.iter().all(|c| c.attribute("file") == Some("scenarios/failover.scn")));
    let sum: f64 = cases.iter().map(|c| c.attribute("time").unwrap().parse::<f64>().unwrap()).sum();
    assert!((sum - 8.066).abs() < 1e-9);
    assert!(cases.iter().all(|c| c.attribute("time").unwrap().split_once('.').unwrap().1.len() == 3));
}

#[test]
fn a_case_fails_in_one_way_only_and_its_body_begins_with_the_message() {
    for record in example::all() {
        let text = xml(&[record]);
        let doc = roxmltree::Document::parse(&text).unwrap();
        for case in doc.descendants().filter(|n| n.has_tag_name("testcase")) {
            let bad: Vec<_> = case.children().filter(|n| ["failure", "error", "skipped"].contains(&n.tag_name().name())).collect();
            assert!(bad.len() <= 1);
            for node in bad {
                let message = node.attribute("message").unwrap();
                let body: String = node.children().filter_map(|n| n.text()).collect();
                assert!(body.starts_with(message), "{message}\n{body}");
                assert!(node.attribute("type").unwrap().starts_with("scn."));
            }
        }
    }
}

#[test]
fn a_failure_holds_the_excerpt_and_the_way_to_run_it_again() {
    let text = xml(&[example::failover()]);
    let doc = roxmltree::Document::parse(&text).unwrap();
    let failure = doc.descendants().find(|n| n.has_tag_name("failure")).unwrap();
    assert!(failure.text().unwrap().contains("41 │         steady.outage.max < budget"));
    let out = failure.parent().unwrap().children().find(|n| n.has_tag_name("system-out")).unwrap();
    assert!(out.text().unwrap().contains("scn run scenarios/failover.scn --seed 8675309 -p budget=1ms"));
}

#[test]
fn names_of_cases_differ() {
    let mut record = example::failover();
    record.expectations.iter_mut().for_each(|e| e.name = "the same".to_owned());
    let text = xml(&[record]);
    let doc = roxmltree::Document::parse(&text).unwrap();
    let names: std::collections::BTreeSet<_> =
        doc.descendants().filter(|n| n.has_tag_name("testcase")).map(|n| n.attribute("name").unwrap()).collect();
    assert_eq!(names.len(), 7);
}

#[test]
fn a_broken_run_still_has_its_cases() {
    let text = xml(&[example::broken(), example::empty()]);
    let doc = roxmltree::Document::parse(&text).unwrap();
    let suites: Vec<_> = doc.descendants().filter(|n| n.has_tag_name("testsuite")).collect();
    assert_eq!((suites[0].attribute("tests"), suites[0].attribute("errors")), (Some("7"), Some("7")));
    assert_eq!(suites[0].attribute("name"), Some("scenarios/failover/cut[family=ipv6,rate=0.5]"));
    let case = suites[0].children().find(|n| n.has_tag_name("testcase")).unwrap();
    assert_eq!(case.attribute("classname"), Some("scenarios.failover.cut[family=ipv6,rate=0_5]"));
    assert_eq!((suites[1].attribute("name"), suites[1].attribute("tests")), (Some("nothing/nothing"), Some("1")));
}

#[test]
fn a_bad_end_that_no_expectation_shows_has_its_own_case() {
    let mut record = example::passing();
    record.ended = Ended::Interrupted("SIGINT".to_owned());
    record.verdict = Some(Verdict::Inconclusive);
    let text = xml(&[record]);
    let doc = roxmltree::Document::parse(&text).unwrap();
    let error = doc.descendants().find(|n| n.has_tag_name("error")).unwrap();
    assert_eq!(error.parent().unwrap().attribute("name"), Some(WHOLE_RUN));
    assert_eq!(error.attribute("type"), Some("scn.inconclusive"));
}

#[test]
fn scenarios_that_did_not_run_are_there() {
    let suites = [
        Suite {
            file: "/a/../b.scn",
            scenario: "x",
            result: SuiteResult::NotRun { why: "user namespaces are forbidden \u{1b}[1m]]>" },
            paths: vec![],
            folder: "",
        },
        Suite { file: "c.scn", scenario: "y", result: SuiteResult::Skipped { why: "no tool haproxy" }, paths: vec![], folder: "" },
    ];
    let text = render(&suites, WRITTEN);
    let doc = roxmltree::Document::parse(&text).unwrap();
    let found: Vec<_> = doc.descendants().filter(|n| n.has_tag_name("testsuite")).collect();
    assert_eq!((found[0].attribute("name"), found[0].attribute("errors")), (Some("a/b/x"), Some("1")));
    assert_eq!(found[1].attribute("timestamp"), Some("2026-07-28T10:00:00Z"));
    assert!(doc.descendants().any(|n| n.has_tag_name("skipped") && n.attribute("message") == Some("no tool haproxy")));
}

#[test]
fn a_huge_output_is_capped() {
    let mut record = example::failover();
    record.warnings = vec!["w".repeat(1_000_000)];
    assert!(xml(&[record]).len() < 600_000);
}

#[test]
fn odd_instants_are_the_epoch() {
    for text in ["", "never", "9999-12-31T23:59:59-23:00", "0000-01-01T00:00:00+23:00"] {
        assert_eq!(timestamp(text), OffsetDateTime::UNIX_EPOCH, "{text}");
    }
}
