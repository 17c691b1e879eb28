//! JUnit XML: one suite a scenario, one case an expectation. In: suites. Out: XML text. Names of suites and cases never hold a
//! measured value, so that a test keeps its history. A run is one measurement that all its expectations share: each case carries
//! an equal share of the run's time, and their sum is the run's.

mod detail;
mod sanitise;

use junit_report::{Duration, OffsetDateTime, ReportBuilder, TestCase, TestCaseBuilder, TestSuite};
use time::format_description::well_known::Rfc3339;

use crate::record::{Ended, ExpectationRecord, RunRecord, Verdict};
use crate::suite::{self, Suite, SuiteResult};
use crate::words;
use sanitise::{capped, three_decimals, xml_attribute, xml_text};

/// A case's output is cut in the middle when it is longer, bytes.
pub const MAX_OUTPUT: usize = 64 * 1024;
/// The case of a scenario without expectations, of a run that broke, and of one that could not begin.
pub const WHOLE_RUN: &str = "runs to its end";

/// Where and when the report is written: what the records of scenarios that never ran cannot tell.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The machine's name.
    pub hostname: &'a str,
    /// RFC 3339; the time of suites that did not run.
    pub at: &'a str,
}

/// The whole report.
#[must_use]
pub fn render(suites: &[Suite<'_>], written: Written<'_>) -> String {
    let mut report = ReportBuilder::new();
    for suite in suites {
        report.add_testsuite(testsuite(suite, written));
    }
    let mut out = Vec::new();
    report.build().write_xml(&mut out).expect("writing to memory does not fail");
    let mut xml = three_decimals(&String::from_utf8(out).expect("the writer is given UTF-8 only"));
    xml.push('\n');
    xml
}

fn testsuite(suite: &Suite<'_>, written: Written<'_>) -> TestSuite {
    let names = Names::of(suite);
    let mut out = TestSuite::new(&names.suite);
    // Left alone, the package would be `testsuite/NAME`, and readers would put it before the name.
    out.package = String::new();
    out.hostname = xml_attribute(written.hostname);
    let started = suite.record().map_or(written.at, |record| &record.started);
    out.timestamp = timestamp(started);
    match &suite.result {
        SuiteResult::Ran(record) => {
            out.add_testcases(cases(suite, record, &names));
            out.set_system_out(&output(suite, record));
        }
        SuiteResult::NotRun { why } => {
            let case = trouble("scn.error", WHOLE_RUN, why, &format!("{why}\n"), Duration::ZERO, false);
            out.add_testcase(names.put_on(case));
        }
        SuiteResult::Skipped { why } => {
            let case = TestCase::skipped_with_cause(WHOLE_RUN, "scn.skipped", &xml_attribute(why));
            out.add_testcase(names.put_on(case));
        }
    }
    out
}

/// The instant in UTC; the epoch for what is no instant, or none that the writer can print.
fn timestamp(text: &str) -> OffsetDateTime {
    let parsed = OffsetDateTime::parse(text, &Rfc3339).ok().and_then(|at| at.checked_to_offset(time::UtcOffset::UTC));
    parsed.filter(|at| (1..=9999).contains(&at.year())).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// What identifies a suite and its cases: constant from run to run.
struct Names {
    suite: String,
    class: String,
    file: String,
}

impl Names {
    fn of(suite: &Suite<'_>) -> Self {
        let path = suite.file.strip_suffix(".scn").unwrap_or(suite.file);
        // A dot separates packages for readers; parts of the path that only lead elsewhere say nothing.
        let mut parts: Vec<String> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).map(str::to_owned).collect();
        parts.push(suite.scenario.to_owned());
        Names {
            suite: xml_attribute(&parts.join("/")),
            class: xml_attribute(&parts.iter().map(|part| part.replace('.', "_")).collect::<Vec<_>>().join(".")),
            file: xml_attribute(suite.file),
        }
    }

    fn put_on(&self, mut case: TestCase) -> TestCase {
        case.set_classname(&self.class);
        case.set_filepath(&self.file);
        case
    }
}

/// What is known of the run, and last the files that belong to it: readers look for them there.
fn output(suite: &Suite<'_>, record: &RunRecord) -> String {
    xml_text(&format!("{}{}", capped(&detail::of_run(record), MAX_OUTPUT), detail::attachments(suite, record)))
}

/// One case for each expectation that counts, and one for the run where that says more.
fn cases(suite: &Suite<'_>, record: &RunRecord, names: &Names) -> Vec<TestCase> {
    let counted: Vec<&ExpectationRecord> = record.expectations.iter().filter(|e| suite::counts(e)).collect();
    let worst_case = counted.iter().map(|e| suite::judged(e).unwrap_or(Verdict::Error)).max();
    let unexplained = record.verdict.unwrap_or(Verdict::Error) > worst_case.unwrap_or(Verdict::Pass);
    let whole = counted.is_empty() || unexplained;

    let total_ms = record.setup_ns.saturating_add(record.duration_ns).saturating_add(record.cleanup_ns).saturating_add(500_000) / 1_000_000;
    let total_ms = i64::try_from(total_ms).unwrap_or(i64::MAX);
    let count = i64::try_from(counted.len() + usize::from(whole)).unwrap_or(1);
    let share = |at: usize| {
        let rest = if at == 0 { total_ms % count } else { 0 };
        Duration::milliseconds(total_ms / count + rest)
    };

    let mut list = Vec::new();
    if whole {
        list.push(names.put_on(whole_run(suite, record, share(0))));
    }
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for expectation in counted {
        let mut name = xml_attribute(&expectation.name);
        let again = seen.entry(name.clone()).or_insert(0);
        *again += 1;
        if *again > 1 {
            name = format!("{name} ({again})");
        }
        list.push(names.put_on(case(suite, record, expectation, &name, share(list.len()))));
    }
    list
}

/// The run as a case: did it end as planned?
fn whole_run(suite: &Suite<'_>, record: &RunRecord, share: Duration) -> TestCase {
    let why = words::ending(&record.ended);
    let kind = match (record.verdict, &record.ended) {
        (Some(Verdict::Pass), Ended::Complete) => return TestCase::success(WHOLE_RUN, share),
        (Some(Verdict::Fail), _) => "scn.fail",
        (Some(Verdict::Inconclusive), _) | (Some(Verdict::Pass), Ended::Timeout(_) | Ended::Interrupted(_)) => "scn.inconclusive",
        _ => "scn.error",
    };
    let why = why.unwrap_or_else(|| match record.verdict {
        None => "the run was not judged".to_owned(),
        verdict => format!("the run's verdict is {}", words::verdict(verdict)),
    });
    let mut case = trouble(kind, WHOLE_RUN, &why, &detail::of_run(record), share, kind == "scn.fail");
    let files = detail::attachments(suite, record);
    if !files.is_empty() {
        case.set_system_out(&xml_text(&files));
    }
    case
}

fn case(suite: &Suite<'_>, record: &RunRecord, expectation: &ExpectationRecord, name: &str, share: Duration) -> TestCase {
    let message = detail::message(record, expectation);
    let (kind, failed) = match suite::judged(expectation) {
        Some(Verdict::Pass) => return TestCase::success(name, share),
        Some(Verdict::Fail) => ("scn.fail", true),
        Some(Verdict::Inconclusive) => ("scn.inconclusive", false),
        Some(Verdict::Error) | None => ("scn.error", false),
    };
    let mut case = trouble(kind, name, &message, &detail::of_expectation(record, expectation), share, failed);
    case.set_system_out(&output(suite, record));
    case
}

/// A case that did not pass: a failure of what was tested, or an error of the test itself; never both. Its body begins with the
/// message, because some readers show only the body and others only the message.
fn trouble(kind: &str, name: &str, message: &str, body: &str, share: Duration, failed: bool) -> TestCase {
    let message = xml_attribute(&words::shortened(message, 2000));
    let body = xml_text(&capped(&format!("{message}\n\n{body}"), MAX_OUTPUT));
    let mut builder =
        if failed { TestCaseBuilder::failure(name, share, kind, &message) } else { TestCaseBuilder::error(name, share, kind, &message) };
    builder.set_trace(&body);
    builder.build()
}

#[cfg(test)]
mod tests;
