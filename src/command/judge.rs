//! `scn judge` and `scn report`: from stored records alone, without a second run.

use std::path::Path;
use std::time::SystemTime;

use scn_reports::suite::Suite;
use scn_reports::{html, json, junit, text};
use scn_runner::judge as judging;

use super::{print, refuse, style, tell};
use crate::arguments::RecordArguments;
use crate::exit::Exit;
use crate::results;

/// Reads records, judges them anew if asked to, and writes the reports that are asked for; the text goes to standard output.
#[must_use]
pub fn judge(arguments: &RecordArguments, anew: bool) -> Exit {
    let mut records = match results::read_records(&arguments.records) {
        Ok(records) => records,
        Err(why) => return refuse(&why),
    };
    for (path, record) in &mut records {
        if anew && let Err(error) = judging::judge(record) {
            return refuse(&format!("{} cannot be judged: {error}", path.display()));
        }
    }
    let folders: Vec<_> = records.iter().map(|(path, _)| path.parent().unwrap_or(Path::new("")).to_string_lossy()).collect();
    let suites: Vec<Suite<'_>> = records.iter().zip(&folders).map(|((_, record), folder)| Suite::ran(record).in_folder(folder)).collect();
    let json_to_stdout = arguments.json.as_deref() == Some(Path::new("-"));
    for record in records.iter().map(|(_, record)| record) {
        let page = text::render(record, style());
        if json_to_stdout { tell(page.trim_end()) } else { print(&page) }
    }
    let written = write_reports(&suites, arguments.junit.as_deref(), arguments.html.as_deref(), arguments.json.as_deref());
    let verdict = records.iter().filter_map(|(_, r)| r.verdict).map(Exit::of_verdict).fold(Exit::Pass, Exit::worst);
    match written {
        Ok(()) if anew => verdict,
        Ok(()) => Exit::Pass,
        Err(why) => {
            tell(&format!("error: {why}"));
            Exit::Machine
        }
    }
}

/// Writes the reports that have a place; all are tried, the first error is told.
///
/// # Errors
/// One sentence.
pub fn write_reports(
    suites: &[Suite<'_>],
    junit_file: Option<&Path>,
    html_file: Option<&Path>,
    json_file: Option<&Path>,
) -> Result<(), String> {
    let mut first = Ok(());
    let mut note = |result: Result<(), String>| {
        if first.is_ok() {
            first = result;
        }
    };
    if let Some(path) = junit_file {
        let (hostname, now) = (results::hostname(), results::timestamp(SystemTime::now()));
        note(results::write(path, &junit::render(suites, junit::Written { hostname: &hostname, at: &now })));
    }
    if let Some(path) = html_file {
        note(html::render(suites).map_err(|error| error.to_string()).and_then(|text| results::write(path, &text)));
        note(results::write(&path.with_file_name("scn-report.css"), html::STYLE));
    }
    if let Some(path) = json_file {
        let text = json::render(suites);
        if path == Path::new("-") { print(&text) } else { note(results::write(path, &text)) }
    }
    first
}
