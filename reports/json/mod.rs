//! `results.json`: what a set of runs came to, for machines. In: suites. Out: one JSON text, versioned, the same for the same
//! input. Holds no series; those are in the records that its paths name.

use serde::Serialize;

use crate::record::capture::CaptureRecord;
use crate::record::flow::Measurement;
use crate::record::{Ended, ExpectationKind, RunRecord};
use crate::suite::{self, Standing, Suite, SuiteResult};
use crate::words;

/// The name of the format.
pub const FORMAT: &str = "scn-results";
/// Raised when a field changes its meaning.
pub const VERSION: u32 = 1;

#[derive(Serialize)]
struct Results<'a> {
    format: &'a str,
    version: u32,
    /// `pass`, `inconclusive`, `fail`, `error`, or `none` when nothing was judged.
    verdict: &'a str,
    counts: Counts,
    scenarios: Vec<Scenario<'a>>,
}

#[derive(Serialize, Default)]
struct Counts {
    pass: usize,
    fail: usize,
    inconclusive: usize,
    error: usize,
    skipped: usize,
    not_judged: usize,
}

#[derive(Serialize)]
struct Scenario<'a> {
    scenario: &'a str,
    file: &'a str,
    verdict: &'a str,
    /// Why there is no record, or how the run was cut; absent after a whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    paths: std::collections::BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run<'a>>,
}

#[derive(Serialize)]
struct Run<'a> {
    program: &'a str,
    seed: u64,
    started: &'a str,
    duration_ns: u64,
    ended: &'a Ended,
    reproduce: String,
    params: std::collections::BTreeMap<&'a str, &'a str>,
    expectations: Vec<Expectation<'a>>,
    flows: Vec<Flow<'a>>,
    /// Their files count from the folder of the record.
    #[serde(skip_serializing_if = "<[CaptureRecord]>::is_empty")]
    captures: &'a [CaptureRecord],
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Expectation<'a> {
    name: &'a str,
    words: &'a str,
    kind: ExpectationKind,
    line: u32,
    column: u32,
    verdict: &'a str,
    measured: Option<&'a str>,
    expected: Option<&'a str>,
    reason: Option<&'a str>,
    samples: Option<u64>,
    decided_ns: Option<i64>,
}

#[derive(Serialize)]
struct Flow<'a> {
    name: &'a str,
    description: &'a str,
    summary: &'a [Measurement],
}

/// The summary of a set of runs, indented, with a newline at its end.
#[must_use]
pub fn render(suites: &[Suite<'_>]) -> String {
    let mut counts = Counts::default();
    for suite in suites {
        *match suite.standing().word() {
            "pass" => &mut counts.pass,
            "fail" => &mut counts.fail,
            "inconclusive" => &mut counts.inconclusive,
            "error" => &mut counts.error,
            "skipped" => &mut counts.skipped,
            _ => &mut counts.not_judged,
        } += 1;
    }
    let results = Results {
        format: FORMAT,
        version: VERSION,
        verdict: suite::overall(suites).map_or("none", |verdict| words::verdict(Some(verdict))),
        counts,
        scenarios: suites.iter().map(scenario).collect(),
    };
    let mut text = serde_json::to_string_pretty(&results).expect("texts, numbers and lists can be said in JSON");
    text.push('\n');
    text
}

fn scenario<'a>(suite: &'a Suite<'a>) -> Scenario<'a> {
    Scenario {
        scenario: suite.scenario,
        file: suite.file,
        verdict: match suite.standing() {
            Standing::NotJudged => "none",
            standing => standing.word(),
        },
        why: match &suite.result {
            SuiteResult::Ran(record) => words::ending(&record.ended),
            SuiteResult::NotRun { why } | SuiteResult::Skipped { why } => Some((*why).to_owned()),
        },
        paths: suite.paths.iter().copied().collect(),
        run: suite.record().map(run),
    }
}

fn run(record: &RunRecord) -> Run<'_> {
    Run {
        program: &record.program,
        seed: record.seed,
        started: &record.started,
        duration_ns: record.duration_ns,
        ended: &record.ended,
        reproduce: words::reproduce(record),
        params: record.scenario.params.iter().map(|(name, value, _)| (name.as_str(), value.as_str())).collect(),
        expectations: record
            .expectations
            .iter()
            .map(|e| {
                let outcome = e.outcome.as_ref();
                Expectation {
                    name: &e.name,
                    words: &e.words,
                    kind: e.kind,
                    line: e.line,
                    column: e.column,
                    verdict: outcome.map_or("none", |o| words::verdict(Some(o.verdict))),
                    measured: outcome.map(|o| o.measured.as_str()),
                    expected: outcome.map(|o| o.expected.as_str()),
                    reason: outcome.map(|o| o.reason.as_str()),
                    samples: outcome.map(|o| o.samples),
                    decided_ns: outcome.and_then(|o| o.decided_ns),
                }
            })
            .collect(),
        flows: record.flows.iter().map(|f| Flow { name: &f.name, description: &f.description, summary: &f.summary }).collect(),
        captures: &record.captures,
        warnings: &record.warnings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn it_reads_back_and_counts() {
        let records = example::all();
        let mut suites: Vec<Suite<'_>> = records.iter().map(Suite::ran).collect();
        suites.push(Suite {
            file: "a.scn",
            scenario: "later",
            result: SuiteResult::Skipped { why: "no tool haproxy" },
            paths: vec![],
            folder: "",
        });
        suites[0].paths.push(("record", "scn-results/vip_failover.run.json"));
        let value: serde_json::Value = serde_json::from_str(&render(&suites)).unwrap();
        assert_eq!(value["verdict"], "error");
        assert_eq!(value["counts"]["skipped"], 1);
        assert_eq!(value["counts"]["error"], 2);
        assert_eq!(value["scenarios"][0]["paths"]["record"], "scn-results/vip_failover.run.json");
        assert_eq!(value["scenarios"][0]["run"]["expectations"][0]["verdict"], "fail");
        assert_eq!(value["scenarios"][6]["why"], "no tool haproxy");
    }

    #[test]
    fn nothing_is_still_valid() {
        let value: serde_json::Value = serde_json::from_str(&render(&[])).unwrap();
        assert_eq!(value["verdict"], "none");
    }
}
