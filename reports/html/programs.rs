//! Programs under test and commands of the timeline on the page: when they ran, how they ended, what they used, what they wrote last. In: a
//! record. Out: tables for the template. What was written in full is in the files beside the record.

use serde::Serialize;

use crate::record::RunRecord;
use crate::record::process::{CommandRecord, Output, ProcessRecord, Stream};
use crate::{text, words};

/// Programs, and commands, on the page.
const MAX_ROWS: usize = 50;
/// Last lines of an output.
const MAX_LINES: usize = 40;
/// Characters of a line.
const LINE_WIDTH: usize = 400;

#[derive(Serialize)]
pub(super) struct Programs {
    processes: Vec<Program>,
    more_processes: usize,
    commands: Vec<Command>,
    more_commands: usize,
}

#[derive(Serialize)]
struct Program {
    name: String,
    command: String,
    failed: bool,
    started: String,
    ready: String,
    ended: String,
    restarts: u64,
    end: String,
    processor: String,
    memory: String,
    wrote: Option<Wrote>,
}

#[derive(Serialize)]
struct Command {
    name: String,
    text: String,
    node: String,
    failed: bool,
    started: String,
    took: String,
    end: String,
    wrote: Option<Wrote>,
}

/// The last of an output.
#[derive(Serialize)]
struct Wrote {
    summary: String,
    lines: String,
}

/// The view of a record's programs; `None`: it has none.
pub(super) fn view(record: &RunRecord) -> Option<Programs> {
    if record.processes.is_empty() && record.commands.is_empty() {
        return None;
    }
    Some(Programs {
        processes: record.processes.iter().take(MAX_ROWS).map(|process| program(record, process)).collect(),
        more_processes: record.processes.len().saturating_sub(MAX_ROWS),
        commands: record.commands.iter().take(MAX_ROWS).map(|one| command(record, one)).collect(),
        more_commands: record.commands.len().saturating_sub(MAX_ROWS),
    })
}

fn program(record: &RunRecord, process: &ProcessRecord) -> Program {
    let first = process.lives.first();
    let ready = first.and_then(|life| Some(u64::try_from(life.ready_ns?.saturating_sub(life.started_ns)).unwrap_or(0)));
    Program {
        name: words::visible(&text::program_title(record, process)),
        command: words::visible(&process.command),
        failed: process.failed(),
        started: first.map_or_else(|| "never".to_owned(), |life| words::instant(life.started_ns)),
        ready: ready.map_or_else(String::new, words::duration),
        ended: process.lives.last().and_then(|life| life.ended_ns).map_or_else(String::new, words::instant),
        restarts: (process.lives.len() as u64).saturating_sub(1),
        end: process.lives.last().map_or_else(|| "never ran".to_owned(), text::life_end),
        processor: words::duration(process.cpu_ns),
        memory: format!("{:.1}MB", process.peak_memory as f64 / 1e6),
        wrote: wrote(&process.output),
    }
}

fn command(record: &RunRecord, command: &CommandRecord) -> Command {
    let took = command.ended_ns.map(|ended| u64::try_from(ended.saturating_sub(command.started_ns)).unwrap_or(0));
    let status = command.status.map_or_else(|| "ended".to_owned(), |status| format!("status {status}"));
    Command {
        name: words::visible(command.event.as_deref().unwrap_or_default()),
        text: words::visible(&command.text),
        node: words::visible(record.nodes.get(command.node as usize).map_or("?", |node| node.name.as_str())),
        failed: command.ended_ns.is_none(),
        started: words::instant(command.started_ns),
        took: took.map_or_else(String::new, words::duration),
        end: if took.is_some() { status } else { "cut by the run's end".to_owned() },
        wrote: wrote(&command.output),
    }
}

fn wrote(output: &Output) -> Option<Wrote> {
    if output.lines.is_empty() {
        return None;
    }
    let kept = output.lines.len();
    let shown = kept.min(MAX_LINES);
    let all = u64::try_from(kept).unwrap_or(u64::MAX).saturating_add(output.left_out);
    let line = |line: &crate::record::process::Line| {
        let mark = if line.stream == Stream::Errors { '!' } else { ' ' };
        format!("{:>10} {mark} {}\n", words::instant(line.at_ns), words::shortened(&words::visible(&line.text), LINE_WIDTH))
    };
    let summary = match u64::try_from(shown) {
        Ok(shown) if shown == all => format!("what it wrote: {}", words::plural(kept, "line")),
        _ => format!("the last {shown} of {} lines that it wrote", words::count(all)),
    };
    Some(Wrote { summary, lines: output.lines[kept - shown..].iter().map(line).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::record::process::Line;

    #[test]
    fn outputs_are_bounded_and_say_what_is_missing() {
        let text = |n: i64| format!("{n} {}", "x".repeat(1000));
        let line = |n: i64| Line { at_ns: n * 1_000_000, stream: Stream::Output, text: text(n), open: false };
        let output = Output { lines: (0..100).map(line).collect(), left_out: 2000, after: 50 };
        let wrote = wrote(&output).unwrap();
        assert_eq!(wrote.summary, "the last 40 of 2100 lines that it wrote");
        assert!(wrote.lines.starts_with("    0.060s   60 xxx") && wrote.lines.lines().count() == 40, "{}", wrote.lines);
        assert!(wrote.lines.lines().all(|line| line.chars().count() < LINE_WIDTH + 20));
        let few = Output { lines: vec![line(1)], left_out: 0, after: 1 };
        assert_eq!(super::wrote(&few).unwrap().summary, "what it wrote: 1 line");
        assert!(super::wrote(&Output::default()).is_none());
    }

    #[test]
    fn a_program_that_failed_is_told_apart() {
        let mut record = example::broken();
        let programs = view(&record).unwrap();
        let lb = &programs.processes[0];
        assert!(lb.failed && lb.end == "ended unasked with status 1" && lb.ready == "60ms" && lb.restarts == 0, "{}", lb.end);
        assert!(lb.wrote.as_ref().unwrap().lines.contains("0.012s ! cannot bind: \\x1b[31maddress in use"));
        assert_eq!((programs.commands[0].failed, programs.commands[0].end.as_str()), (true, "cut by the run's end"));
        record.processes[0].lives[0].asked = true;
        assert!(!view(&record).unwrap().processes[0].failed);
        record.processes = vec![record.processes[0].clone(); 70];
        assert_eq!(view(&record).unwrap().more_processes, 20);
        assert!(view(&example::failover()).is_none());
    }
}
