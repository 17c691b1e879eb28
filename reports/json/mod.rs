//! `results.json`: what a set of runs came to, for machines. In: suites. Out: one JSON text, versioned, the same for the same
//! input. Holds no series; those are in the records that its paths name.

use serde::Serialize;

use crate::record::capture::CaptureRecord;
use crate::record::flow::Measurement;
use crate::record::process::{CommandRecord, LifeRecord, Output, ProcessRecord};
use crate::record::{Ended, ExpectationKind, LinkAccount, LinkRecord, RunRecord};
use crate::suite::{self, Standing, Suite, SuiteResult};
use crate::words;

/// The name of the format.
pub const FORMAT: &str = "scn-results";
/// Raised when a field changes its meaning.
pub const VERSION: u32 = 1;
/// Last lines of what a program wrote.
const LAST_LINES: usize = 20;

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
    /// Mixes of random streams.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stresses: Vec<Flow<'a>>,
    /// Programs under test; what they wrote in full is in the record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    processes: Vec<Process<'a>>,
    /// Commands of the timeline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<Command<'a>>,
    /// Links of which an account was kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link<'a>>,
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

#[derive(Serialize)]
struct Process<'a> {
    name: &'a str,
    node: &'a str,
    command: &'a str,
    /// It ended and nobody had asked for it.
    failed: bool,
    restarts: u64,
    lives: &'a [LifeRecord],
    cpu_ns: u64,
    /// Bytes.
    peak_memory: u64,
    last_lines: Vec<&'a str>,
}

#[derive(Serialize)]
struct Command<'a> {
    event: Option<&'a str>,
    node: &'a str,
    text: &'a str,
    started_ns: i64,
    ended_ns: Option<i64>,
    status: Option<i32>,
    last_lines: Vec<&'a str>,
}

#[derive(Serialize)]
struct Link<'a> {
    name: &'a str,
    /// The node of the first end, then of the second; each pair of the account counts from there.
    ends: [&'a str; 2],
    account: &'a LinkAccount,
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
        stresses: record.stresses.iter().map(|s| Flow { name: &s.name, description: &s.description, summary: &s.summary }).collect(),
        processes: record.processes.iter().map(|process| program(record, process)).collect(),
        commands: record.commands.iter().map(|one| command(record, one)).collect(),
        links: record.links.iter().filter_map(|one| link(record, one)).collect(),
        captures: &record.captures,
        warnings: &record.warnings,
    }
}

fn node(record: &RunRecord, at: u32) -> &str {
    record.nodes.get(at as usize).map_or("?", |node| node.name.as_str())
}

fn last_lines(output: &Output) -> Vec<&str> {
    output.lines[output.lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| line.text.as_str()).collect()
}

fn program<'a>(record: &'a RunRecord, process: &'a ProcessRecord) -> Process<'a> {
    Process {
        name: &process.name,
        node: node(record, process.node),
        command: &process.command,
        failed: process.failed(),
        restarts: (process.lives.len() as u64).saturating_sub(1),
        lives: &process.lives,
        cpu_ns: process.cpu_ns,
        peak_memory: process.peak_memory,
        last_lines: last_lines(&process.output),
    }
}

fn command<'a>(record: &'a RunRecord, command: &'a CommandRecord) -> Command<'a> {
    Command {
        event: command.event.as_deref(),
        node: node(record, command.node),
        text: &command.text,
        started_ns: command.started_ns,
        ended_ns: command.ended_ns,
        status: command.status,
        last_lines: last_lines(&command.output),
    }
}

fn link<'a>(record: &'a RunRecord, link: &'a LinkRecord) -> Option<Link<'a>> {
    Some(Link { name: &link.name, ends: link.ends.map(|at| node(record, at)), account: link.account.as_ref()? })
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
    fn programs_and_links_are_told_in_short() {
        let mut broken = example::broken();
        let line = broken.processes[0].output.lines[0].clone();
        broken.processes[0].output.lines.extend(vec![line; 50]);
        let records = [broken];
        let suites: Vec<Suite<'_>> = records.iter().map(Suite::ran).collect();
        let value: serde_json::Value = serde_json::from_str(&render(&suites)).unwrap();
        let run = &value["scenarios"][0]["run"];
        let lb = &run["processes"][0];
        assert_eq!((&lb["name"], &lb["node"], &lb["failed"], &lb["restarts"]), (&"lb".into(), &"backup".into(), &true.into(), &0.into()));
        assert_eq!((&lb["lives"][0]["status"], lb["last_lines"].as_array().unwrap().len()), (&1.into(), LAST_LINES));
        assert_eq!((&run["commands"][0]["event"], &run["commands"][0]["ended_ns"]), (&"version".into(), &serde_json::Value::Null));
        let link = &run["links"][0];
        assert_eq!((&link["name"], &link["ends"][0], &link["account"]["lost"][0]), (&"backup-lan".into(), &"backup".into(), &11.into()));
    }

    #[test]
    fn nothing_is_still_valid() {
        let value: serde_json::Value = serde_json::from_str(&render(&[])).unwrap();
        assert_eq!(value["verdict"], "none");
    }
}
