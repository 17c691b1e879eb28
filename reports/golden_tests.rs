//! Golden pages: the stored records in `tests/reports/` and what every report makes of them, byte for byte. With
//! `SCN_GOLDEN=write` the tests write the files instead; the difference is then read and committed. The page itself is not kept:
//! it is checked for what it must hold, and `SCN_GOLDEN=write` leaves it in the build's folder to be looked at.

use std::path::{Path, PathBuf};

use crate::record::{self, RunRecord, example};
use crate::suite::{Suite, SuiteResult};
use crate::{html, json, junit, text};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reports")
}

fn writes() -> bool {
    std::env::var("SCN_GOLDEN").is_ok_and(|value| value == "write")
}

fn golden(name: &str, text: &str) {
    let path = folder().join(name);
    if writes() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    if text != wanted {
        let at =
            text.lines().zip(wanted.lines()).position(|(a, b)| a != b).unwrap_or_else(|| text.lines().count().min(wanted.lines().count()));
        panic!(
            "{name} differs at line {}:\n  now    {:?}\n  golden {:?}\nrun the tests with SCN_GOLDEN=write, and read the difference",
            at + 1,
            text.lines().nth(at),
            wanted.lines().nth(at)
        );
    }
}

fn cases() -> Vec<(&'static str, RunRecord)> {
    vec![
        ("failover", example::failover()),
        ("two_nodes", example::passing()),
        ("hostile", example::hostile()),
        ("broken", example::broken()),
    ]
}

/// The record as it is stored: reports start from files.
fn stored(name: &str, record: &RunRecord) -> RunRecord {
    let file = format!("{name}.run.json");
    golden(&file, &record::to_json(record));
    record::read(&std::fs::read(folder().join(file)).unwrap()).unwrap()
}

#[test]
fn reports_of_stored_records() {
    let style = text::Style { colour: false, width: 100, unicode: true };
    let written = junit::Written { hostname: "lab-7", at: "2026-07-28T10:00:00Z" };
    let records: Vec<RunRecord> = cases().iter().map(|(name, record)| stored(name, record)).collect();
    for ((name, _), record) in cases().iter().zip(&records) {
        golden(&format!("{name}.txt"), &text::render(record, style));
        golden(&format!("{name}.xml"), &junit::render(&[Suite::ran(record)], written));
    }
    let mut suites: Vec<Suite<'_>> = records.iter().map(Suite::ran).collect();
    suites[0].paths = vec![("record", "scn-results/vip_failover.run.json"), ("html", "scn-results/report.html")];
    suites.push(Suite {
        file: "scenarios/lb.scn",
        scenario: "lb",
        result: SuiteResult::Skipped { why: "no tool haproxy" },
        paths: vec![],
        folder: "",
    });
    suites.push(Suite {
        file: "scenarios/wan.scn",
        scenario: "wan",
        result: SuiteResult::NotRun { why: "user namespaces are forbidden on this machine" },
        paths: vec![],
        folder: "",
    });
    golden("several.txt", &text::summary(&suites, style));
    golden("several.xml", &junit::render(&suites, written));
    golden("several.json", &json::render(&suites));
    if writes() {
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/pages");
        std::fs::create_dir_all(&pages).unwrap();
        std::fs::write(pages.join(html::STYLE_FILE), html::STYLE).unwrap();
        std::fs::write(pages.join("several.html"), html::render(&suites).unwrap()).unwrap();
        std::fs::write(pages.join("ring.html"), html::render(&[Suite::ran(&example::network())]).unwrap()).unwrap();
        for ((name, _), record) in cases().iter().zip(&records) {
            std::fs::write(pages.join(format!("{name}.html")), html::render(&[Suite::ran(record)]).unwrap()).unwrap();
        }
    }
}

/// Records whose numbers make no sense still have their reports: a damaged file must not bring the program down.
#[test]
fn reports_of_senseless_numbers() {
    let mut state = 99;
    for round in 0..40 {
        let mut record = example::failover();
        example::scramble(&mut record.flows[0], &mut state, round);
        let extreme = [i64::MIN, i64::MAX, 0, -1, 1][round % 5];
        record.flows[0].ran_ns = vec![(extreme, i64::MAX), (i64::MIN, extreme), (5, 1)];
        record.flows[0].interval_ns = u64::MAX;
        record.duration_ns = [u64::MAX, 0, 1, 8_000_000_000][round % 4];
        record.setup_ns = u64::MAX;
        for event in &mut record.events {
            (event.planned_ns, event.asked_ns, event.done_ns, event.until_ns) = (extreme, -extreme.max(-5), extreme, Some(extreme));
        }
        for outcome in record.expectations.iter_mut().filter_map(|e| e.outcome.as_mut()) {
            outcome.window_ns = Some((i64::MAX, extreme));
            outcome.decided_ns = Some(extreme);
            outcome.samples = u64::MAX;
        }
        for expectation in &mut record.expectations {
            (expectation.line, expectation.column, expectation.length) = (41, [0, 1, u32::MAX][round % 3], [0, u32::MAX][round % 2]);
        }
        let suites = [Suite::ran(&record)];
        let texts = [
            text::render(&record, text::Style { colour: true, width: round, unicode: false }),
            junit::render(&suites, junit::Written { hostname: "", at: "never" }),
            html::render(&suites).unwrap(),
            json::render(&suites),
        ];
        assert!(texts.iter().all(|text| !text.is_empty()));
    }
}
