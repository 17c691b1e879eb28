//! Programs under test on a terminal, and their output as a file. In: a record. Out: a line for each copy with the last that it wrote when it
//! failed; whole outputs with their times. Judges nothing.

use super::{Style, Tone, indented};
use crate::record::RunRecord;
use crate::record::process::{LifeRecord, Output, ProcessRecord, Stream};
use crate::words;

/// Copies shown before the rest is only counted.
const MAX_COPIES: usize = 20;
/// Last lines of one that failed.
const LAST_LINES: usize = 10;

/// Each copy in a line: how it ended, what it used.
pub(super) fn table(out: &mut String, record: &RunRecord, style: Style) {
    if !record.processes.is_empty() {
        out.push('\n');
    }
    for process in record.processes.iter().take(MAX_COPIES) {
        let text = format!("{}: {}", words::visible(&title(record, process)), about(process));
        indented(out, style, if process.failed() { Tone::Broken } else { Tone::Faint }, &text);
        if process.failed() {
            let lines = &process.output.lines;
            for line in &lines[lines.len().saturating_sub(LAST_LINES)..] {
                indented(out, style, Tone::Faint, &format!("  {} {}", style.bar(), words::visible(&line.text)));
            }
        }
    }
    if record.processes.len() > MAX_COPIES {
        out.push_str(&format!("  and {} more\n", words::plural(record.processes.len() - MAX_COPIES, "program")));
    }
}

/// `lb on edge`.
pub(crate) fn title(record: &RunRecord, process: &ProcessRecord) -> String {
    format!("{} on {}", process.name, node(record, process.node))
}

fn node(record: &RunRecord, node: u32) -> &str {
    record.nodes.get(node as usize).map_or("?", |node| node.name.as_str())
}

/// `started twice, ended with status 0, 0.26s of processor time, 12.3MB at most`.
fn about(process: &ProcessRecord) -> String {
    let starts = match process.lives.len() {
        0 => "never ran".to_owned(),
        1 => "started once".to_owned(),
        2 => "started twice".to_owned(),
        more => format!("started {more} times"),
    };
    let mut parts = vec![starts];
    parts.extend(process.lives.last().map(end));
    parts.push(format!("{} of processor time", words::duration(process.cpu_ns)));
    parts.push(format!("{:.1}MB of memory at most", process.peak_memory as f64 / 1e6));
    parts.join(", ")
}

/// `ended unasked with status 1`.
pub(crate) fn end(life: &LifeRecord) -> String {
    let asked = if life.asked { "" } else { " unasked" };
    match life.status {
        Some(status) if status > 128 => format!("ended{asked} with signal {}", status - 128),
        Some(status) => format!("ended{asked} with status {status}"),
        None if life.ended_ns.is_none() => "running still".to_owned(),
        None => format!("ended{asked}"),
    }
}

/// The files that hold the whole outputs of a run: their names and texts.
#[must_use]
pub fn logs(record: &RunRecord) -> Vec<(String, String)> {
    let of_process = |process: &ProcessRecord| (format!("{}@{}.log", process.name, node(record, process.node)), log(&process.output));
    let of_command = |(at, command): (usize, &crate::record::process::CommandRecord)| {
        let name = command.event.clone().unwrap_or_else(|| format!("command {}", at + 1));
        let name: String = name.chars().map(|c| if c.is_alphanumeric() || "-_.[]".contains(c) { c } else { '-' }).take(60).collect();
        (format!("{}-{name}@{}.log", at + 1, node(record, command.node)), log(&command.output))
    };
    record.processes.iter().map(of_process).chain(record.commands.iter().enumerate().map(of_command)).collect()
}

/// An output, each line with its time on the timeline and `!` before what was written to the error output.
fn log(output: &Output) -> String {
    let mut text = String::new();
    for (at, line) in output.lines.iter().enumerate() {
        if at == output.after as usize && output.left_out > 0 {
            text.push_str(&format!("... {} left out ...\n", words::plural(usize::try_from(output.left_out).unwrap_or(usize::MAX), "line")));
        }
        let mark = if line.stream == Stream::Errors { '!' } else { ' ' };
        text.push_str(&format!("{:>12.6} {mark} {}\n", line.at_ns as f64 / 1e9, line.text));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn logs_say_when_and_where_and_what_is_missing() {
        let mut record = example::broken();
        record.processes[0].output.left_out = 7;
        record.processes[0].output.after = 1;
        let logs = logs(&record);
        let names: Vec<&str> = logs.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["lb@backup.log", "1-version@backup.log"]);
        assert_eq!(logs[0].1, "   -0.200000   listening\n... 7 lines left out ...\n    0.012000 ! cannot bind: \u{1b}[31maddress in use\n");
    }
}
