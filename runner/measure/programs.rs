//! Programs under test and commands of the timeline: whether they run, how they ended, what they use, what they wrote. In: their records. Out:
//! values over a window, or every change in it. What a program uses was looked at now and then: between two looks its processor time is
//! known within limits, and its memory is that of the look before.

use regex::Regex;
use scn_grammar::scenario::expect::{Metric, Shape, Subject};
use scn_reports::record::RunRecord;
use scn_reports::record::process::{CommandRecord, Line, Output, ProcessRecord, Stream, text_of};

use super::{Measured, Steps, Window};

/// Lines times bytes up to which a text is searched anew after each of its lines; a longer one is taken to go on matching once it does.
const SEARCH_LIMIT: usize = 1 << 28;
/// Letters of what was found that are shown.
const SHOWN: usize = 60;
/// Letters of a text that are shown of its beginning, and as many of its end.
const SHOWN_OF_TEXT: usize = 90;

/// What a record says of programs and commands.
#[derive(Debug, Clone, Copy)]
pub struct Programs<'a> {
    processes: &'a [ProcessRecord],
    commands: &'a [CommandRecord],
    /// The timeline's end, ns.
    end_ns: i64,
    /// The names of events by their ids.
    events: &'a [String],
}

impl<'a> Programs<'a> {
    /// Of a record; `events` are the plan's names of events.
    #[must_use]
    pub fn new(record: &'a RunRecord, events: &'a [String]) -> Self {
        let end_ns = i64::try_from(record.duration_ns).unwrap_or(i64::MAX);
        Programs { processes: &record.processes, commands: &record.commands, end_ns, events }
    }

    /// The copies of a program.
    fn copies(&self, subject: &Subject) -> Vec<&'a ProcessRecord> {
        match subject {
            Subject::Process(id) => self.processes.iter().filter(|process| process.process == id.0).collect(),
            _ => Vec::new(),
        }
    }

    fn command(&self, subject: &Subject) -> Option<&'a CommandRecord> {
        let Subject::Output(event) = subject else { return None };
        let name = self.events.get(event.index())?;
        self.commands.iter().find(|command| command.event.as_ref() == Some(name))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self, subject: &Subject) -> String {
        match subject {
            Subject::Output(event) => self.events.get(event.index()).cloned(),
            _ => self.copies(subject).first().map(|copy| copy.name.clone()),
        }
        .unwrap_or_else(|| "?".to_owned())
    }

    /// When there is something to be measured, with the last instant: of a program the whole timeline, of a command from its end on.
    #[must_use]
    pub fn there(&self, subject: &Subject) -> Option<(i64, i64)> {
        if matches!(subject, Subject::Output(_)) {
            return Some((self.command(subject)?.ended_ns?, self.end_ns));
        }
        (!self.copies(subject).is_empty()).then_some((0, self.end_ns))
    }

    /// A value over a window. A text's value is whether it matches.
    #[must_use]
    pub fn measure(&self, metric: &Metric, regex: Option<&Regex>, window: Window) -> Measured {
        if metric.shape == Shape::Interval {
            return self.cpu(&metric.subject, window);
        }
        let Some(steps) = self.steps(metric, regex, window) else {
            return Measured::nothing(format!("this version does not know how to measure `{}`", metric.name));
        };
        let value = steps.last();
        let measured =
            if value.is_nan() { Measured::nothing(unknown(&metric.name)) } else { Measured::exact(value, 1 + steps.changes.len() as u64) };
        measured.noted(if value.is_nan() { Some(unknown(&metric.name).to_owned()) } else { self.found(metric, regex, window) })
    }

    /// Every change in a window; not a number: nothing is known. `None`: it cannot be told at one moment.
    #[must_use]
    pub fn steps(&self, metric: &Metric, regex: Option<&Regex>, window: Window) -> Option<Steps> {
        let copies = self.copies(&metric.subject);
        if let Some(command) = self.command(&metric.subject) {
            let constant = |value: Option<f64>| Some(Steps::of(value.unwrap_or(f64::NAN), Vec::new()));
            return match metric.name.as_str() {
                "status" => constant(command.status.map(f64::from)),
                "time" => constant(command.ended_ns.map(|ended| (ended - command.started_ns) as f64)),
                _ => constant(Some(truth(&command.output, &metric.name, regex?, i64::MAX))),
            };
        }
        Some(match metric.name.as_str() {
            "running" => running(&copies, window),
            "exits" => exits(&copies, window),
            "exit" => last_exit(&copies, window),
            "memory" => memory(&copies, window),
            "output" | "log" => matching(&copies, &metric.name, regex?, window),
            _ => return None,
        })
    }

    /// What of a text matches, for people.
    fn found(&self, metric: &Metric, regex: Option<&Regex>, window: Window) -> Option<String> {
        let regex = regex?;
        let command = self.command(&metric.subject).map(|command| (&command.output, i64::MAX));
        let copies = self.copies(&metric.subject).into_iter().map(|copy| (&copy.output, window.to_ns - 1));
        let mut texts = command.into_iter().chain(copies).flat_map(|(output, until)| parts(output, &metric.name, until));
        let found = texts.find_map(|text| regex.find(&text).map(|found| found.as_str().chars().take(SHOWN).collect::<String>()))?;
        Some(format!("found {found:?}"))
    }

    /// What a text was at an instant, for people: its beginning and its end. Of several copies it is that of the first which wrote
    /// something; empty: none did.
    #[must_use]
    pub fn text(&self, metric: &Metric, until_ns: i64) -> String {
        let command = self.command(&metric.subject).map(|command| (&command.output, i64::MAX));
        let copies = self.copies(&metric.subject).into_iter().map(|copy| (&copy.output, until_ns));
        let mut texts = command.into_iter().chain(copies).map(|(output, until)| parts(output, &metric.name, until));
        let Some(parts) = texts.find(|parts| parts.iter().any(|part| !part.is_empty())) else { return String::new() };
        let count: usize = parts.iter().map(|part| part.chars().count()).sum();
        if parts.len() == 1 && count <= 2 * SHOWN_OF_TEXT {
            return format!("{:?}", parts[0]);
        }
        let begin: String = parts.iter().flat_map(|part| part.chars()).take(SHOWN_OF_TEXT).collect();
        let end: String = parts.iter().flat_map(|part| part.chars()).skip(count.saturating_sub(SHOWN_OF_TEXT)).collect();
        format!("{begin:?} ... {end:?}")
    }

    /// Processor time over time.
    fn cpu(&self, subject: &Subject, window: Window) -> Measured {
        let copies = self.copies(subject);
        if copies.iter().any(|copy| copy.usage_until_ns.is_some_and(|until| until < window.to_ns)) {
            return Measured::nothing("a record keeps so many looks at a program, and the window goes on after them");
        }
        let length = window.length_ns() as f64;
        if copies.is_empty() || length == 0.0 {
            return Measured::nothing("there was no time to measure in");
        }
        let (mut value, mut low, mut high, mut looks) = (0.0, 0.0, 0.0, 0);
        for copy in copies {
            let (from, to) = (used(copy, window.from_ns), used(copy, window.to_ns));
            value += to.1 - from.1;
            low += (to.0 - from.2).max(0.0);
            high += to.2 - from.0;
            looks += copy.usage.iter().filter(|(at, ..)| (window.from_ns..window.to_ns).contains(at)).count() as u64;
        }
        let (value, low, high) = (value / length, low / length, high / length);
        Measured { below: (value - low).max(0.0), above: (high - value).max(0.0), ..Measured::exact(value, looks) }
    }
}

fn unknown(name: &str) -> &'static str {
    match name {
        "exit" => "it had not ended",
        "status" | "time" => "the command did not end",
        "memory" => "it was not looked at yet",
        _ => "lines of its output were left out, and the kept ones do not match",
    }
}

/// Processor time used until an instant, ns: at least, probably, at most.
fn used(copy: &ProcessRecord, at_ns: i64) -> (f64, f64, f64) {
    let next = copy.usage.partition_point(|(when, ..)| *when <= at_ns);
    let before = next.checked_sub(1).map_or((i64::MIN, 0), |at| (copy.usage[at].0, copy.usage[at].1));
    let total = copy.usage.last().map_or(0, |(_, cpu_ns, _)| *cpu_ns).max(copy.cpu_ns);
    match copy.usage.get(next) {
        Some((when, cpu_ns, _)) if before.0 > i64::MIN => {
            let share = (at_ns - before.0) as f64 / (when - before.0).max(1) as f64;
            (before.1 as f64, before.1 as f64 + share * (cpu_ns - before.1) as f64, *cpu_ns as f64)
        }
        Some((_, cpu_ns, _)) => (0.0, 0.0, *cpu_ns as f64),
        None => (before.1 as f64, before.1 as f64, total as f64),
    }
}

/// Steps of levels of several copies put together.
fn together(levels: Vec<Vec<(i64, f64)>>, window: Window, value: impl Fn(&[f64]) -> f64) -> Steps {
    let mut now = vec![f64::NAN; levels.len()];
    let mut changes: Vec<(i64, usize, f64)> =
        levels.iter().enumerate().flat_map(|(copy, steps)| steps.iter().map(move |(at, level)| (*at, copy, *level))).collect();
    changes.sort_by_key(|(at, ..)| *at);
    let mut steps = Steps::of(value(&now), Vec::new());
    for (at, copy, level) in changes {
        if at >= window.to_ns {
            break;
        }
        now[copy] = level;
        let level = value(&now);
        match steps.changes.last_mut() {
            _ if at <= window.from_ns => steps.start = level,
            Some(last) if last.0 == at => last.1 = level,
            _ => steps.changes.push((at, level)),
        }
    }
    steps
}

fn running(copies: &[&ProcessRecord], window: Window) -> Steps {
    let level = |copy: &&ProcessRecord| {
        let life = |life: &scn_reports::record::process::LifeRecord| {
            std::iter::once((life.started_ns, 1.0)).chain(life.ended_ns.map(|ended| (ended, 0.0)))
        };
        copy.lives.iter().flat_map(life).collect()
    };
    together(copies.iter().map(level).collect(), window, |levels| f64::from(u8::from(levels.iter().all(|level| *level == 1.0))))
}

/// When each life of any copy ended, and with which status, in order.
fn ends(copies: &[&ProcessRecord]) -> Vec<(i64, Option<i32>)> {
    let mut ends: Vec<_> =
        copies.iter().flat_map(|copy| copy.lives.iter().filter_map(|life| Some((life.ended_ns?, life.status)))).collect();
    ends.sort_by_key(|(at, _)| *at);
    ends
}

fn exits(copies: &[&ProcessRecord], window: Window) -> Steps {
    let inside = ends(copies).into_iter().filter(|(at, _)| (window.from_ns..window.to_ns).contains(at));
    Steps::new(0.0, inside.map(|(at, _)| (at, 1.0)).collect())
}

fn last_exit(copies: &[&ProcessRecord], window: Window) -> Steps {
    let statuses = ends(copies).into_iter().map(|(at, status)| (at, status.map_or(f64::NAN, f64::from))).collect();
    together(vec![statuses], window, |levels| levels[0])
}

fn memory(copies: &[&ProcessRecord], window: Window) -> Steps {
    let level = |copy: &&ProcessRecord| {
        let looks = copy.usage.iter().map(|(at, _, bytes)| (*at, *bytes as f64));
        let ended = copy.lives.iter().filter_map(|life| life.ended_ns).map(|at| (at, 0.0));
        // Looks after the last that was kept are not known.
        looks.chain(ended).chain(copy.usage_until_ns.map(|at| (at, f64::NAN))).collect()
    };
    together(copies.iter().map(level).collect(), window, |levels| levels.iter().sum())
}

/// Whether any copy's text matches, from line to line.
fn matching(copies: &[&ProcessRecord], name: &str, regex: &Regex, window: Window) -> Steps {
    let level = |copy: &&ProcessRecord| -> Vec<(i64, f64)> {
        let output = &copy.output;
        let mut instants: Vec<i64> = output.lines.iter().map(|line| line.at_ns).filter(|at| *at < window.to_ns).collect();
        instants.sort_unstable();
        instants.dedup();
        let at = |instant: i64| truth(output, name, regex, instant);
        let mut levels = vec![(window.from_ns, at(window.from_ns))];
        instants.retain(|instant| *instant > window.from_ns);
        let bytes: usize = output.lines.iter().map(|line| line.text.len()).sum();
        if instants.len().saturating_mul(bytes) > SEARCH_LIMIT {
            let first = instants.partition_point(|instant| at(*instant) != 1.0);
            levels.extend(instants.get(first).map(|instant| (*instant, 1.0)));
        } else {
            levels.extend(instants.into_iter().map(|instant| (instant, at(instant))));
        }
        levels.dedup_by(|next, before| next.1 == before.1);
        levels
    };
    let any = |levels: &[f64]| {
        if levels.contains(&1.0) {
            return 1.0;
        }
        if levels.iter().any(|level| level.is_nan()) { f64::NAN } else { 0.0 }
    };
    together(copies.iter().map(level).collect(), window, any)
}

/// Whether what was written until an instant, that included, matches: 1, 0, or not a number where lines are left out.
fn truth(output: &Output, name: &str, regex: &Regex, until_ns: i64) -> f64 {
    let texts = parts(output, name, until_ns);
    if texts.iter().any(|text| regex.is_match(text)) {
        return 1.0;
    }
    if texts.len() > 1 { f64::NAN } else { 0.0 }
}

/// What was written until an instant: one text, or two with a gap between them.
fn parts(output: &Output, name: &str, until_ns: i64) -> Vec<String> {
    let (head, tail) = output.lines.split_at((output.after as usize).min(output.lines.len()));
    let text = |lines: &[Line]| {
        let told = lines.iter().filter(|line| line.at_ns <= until_ns && (name == "log" || line.stream == Stream::Output));
        text_of(told.map(|line| (line.text.as_str(), line.open)))
    };
    let gap = output.left_out > 0 && tail.first().is_none_or(|line| line.at_ns <= until_ns);
    if gap { vec![text(head), text(tail)] } else { vec![text(&output.lines)] }
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::expect::{Metric, Subject};
    use scn_grammar::scenario::metrics::{self, OwnerKind};
    use scn_grammar::scenario::{EventId, ProcessId};
    use scn_reports::record::process::LifeRecord;

    use super::*;
    use crate::measure::build::{MS, S};

    fn metric(subject: Subject, name: &str) -> Metric {
        let kind = if matches!(subject, Subject::Output(_)) { OwnerKind::Output } else { OwnerKind::Process };
        let row = metrics::find(kind, name).unwrap();
        Metric { subject, name: name.to_owned(), event: None, dimension: row.dimension(), shape: row.shape, span: Default::default() }
    }

    fn life(started_ns: i64, ended_ns: i64, status: i32) -> LifeRecord {
        LifeRecord { started_ns, ready_ns: None, ended_ns: Some(ended_ns), status: Some(status), asked: true }
    }

    fn line(at_ns: i64, stream: Stream, text: &str) -> Line {
        Line { at_ns, stream, text: text.to_owned(), open: false }
    }

    /// Two copies of one program: the first dies at 3 s and is back at 4 s, the second runs all the time.
    fn record() -> Left {
        let lines = vec![line(-MS, Stream::Output, "listening"), line(2 * S, Stream::Errors, "odd"), line(5 * S, Stream::Output, "done")];
        let first = ProcessRecord {
            lives: vec![life(-S, 3 * S, 137), life(4 * S, 12 * S, 0)],
            usage: vec![(-S, 0, 10), (0, 1_000_000_000, 20), (2 * S, 2_000_000_000, 30), (10 * S, 4_000_000_000, 40)],
            output: Output { lines, left_out: 0, after: 3 },
            ..ProcessRecord::default()
        };
        let second = ProcessRecord { lives: vec![life(-S, 12 * S, 0)], usage: vec![(-S, 0, 5), (9 * S, 0, 5)], ..ProcessRecord::default() };
        let command = CommandRecord {
            event: Some("counters".to_owned()),
            node: 0,
            text: String::new(),
            started_ns: S,
            ended_ns: Some(2 * S),
            status: Some(3),
            output: Output { lines: vec![line(S, Stream::Output, "errors 0")], left_out: 0, after: 1 },
        };
        Left { processes: vec![first, second], commands: vec![command] }
    }

    struct Left {
        processes: Vec<ProcessRecord>,
        commands: Vec<CommandRecord>,
    }

    fn of<'a>(left: &'a Left, events: &'a [String]) -> Programs<'a> {
        Programs { processes: &left.processes, commands: &left.commands, end_ns: 8 * S, events }
    }

    fn whole() -> Window {
        Window { from_ns: 0, to_ns: 8 * S + 1 }
    }

    #[test]
    fn running_exits_and_statuses_know_every_instant() {
        let (record, events) = (record(), vec!["counters".to_owned()]);
        let programs = of(&record, &events);
        let lb = Subject::Process(ProcessId(0));
        let steps = |name: &str| programs.steps(&metric(lb.clone(), name), None, whole()).unwrap();
        assert_eq!(steps("running"), Steps::of(1.0, vec![(3 * S, 0.0), (4 * S, 1.0)]));
        assert_eq!(steps("exits"), Steps::of(0.0, vec![(3 * S, 1.0)]), "the end of the run does not count");
        assert!(steps("exit").start.is_nan() && steps("exit").changes == [(3 * S, 137.0)]);
        assert_eq!(steps("memory"), Steps::of(25.0, vec![(2 * S, 35.0), (3 * S, 5.0)]));
        let before = Window { from_ns: 0, to_ns: S };
        let measured = programs.measure(&metric(lb.clone(), "exit"), None, before);
        assert_eq!((measured.value, measured.note.as_deref()), (None, Some("it had not ended")));
        assert_eq!(programs.there(&lb), Some((0, 8 * S)));
        assert_eq!(programs.there(&Subject::Process(ProcessId(7))), None);
    }

    #[test]
    fn processor_time_has_the_error_of_the_looks() {
        let record = record();
        let programs = of(&record, &[]);
        let cpu = |from_ns, to_ns| programs.measure(&metric(Subject::Process(ProcessId(0)), "cpu"), None, Window { from_ns, to_ns });
        let exact = cpu(0, 2 * S);
        assert_eq!(exact.value, Some(0.5), "1 s of processor time in 2 s");
        // Until 1 s: at least nothing, at most all of the second; the looks at the other copy allow nothing.
        let between = cpu(0, S);
        assert_eq!((between.value, between.below, between.above), (Some(0.5), 0.5, 0.5));
    }

    #[test]
    fn texts_match_from_the_line_on_that_matches() {
        let (mut record, events) = (record(), vec!["counters".to_owned()]);
        let lb = Subject::Process(ProcessId(0));
        let matching = |record: &Left, subject: &Subject, name: &str, regex: &str| {
            of(record, &events).steps(&metric(subject.clone(), name), Some(&Regex::new(regex).unwrap()), whole()).unwrap()
        };
        assert_eq!(matching(&record, &lb, "log", "odd"), Steps::of(0.0, vec![(2 * S, 1.0)]));
        assert_eq!(matching(&record, &lb, "output", "odd"), Steps::of(0.0, vec![]), "it stands in the error output");
        assert_eq!(matching(&record, &lb, "output", r"listening\ndone"), Steps::of(0.0, vec![(5 * S, 1.0)]));
        assert_eq!(matching(&record, &lb, "output", r"listening\n$"), Steps::of(1.0, vec![(5 * S, 0.0)]));
        let counters = Subject::Output(EventId(0));
        assert_eq!(matching(&record, &counters, "output", "errors 0").last(), 1.0);
        assert_eq!(matching(&record, &counters, "output", "errors [1-9]").last(), 0.0);
        assert_eq!(of(&record, &events).there(&counters), Some((2 * S, 8 * S)));
        record.processes[0].output.left_out = 5;
        record.processes[0].output.after = 1;
        assert!(matching(&record, &lb, "log", "missing").last().is_nan(), "it may have stood in what was left out");
        assert_eq!(matching(&record, &lb, "log", "done").last(), 1.0);
        record.commands[0].ended_ns = None;
        assert_eq!(of(&record, &events).there(&counters), None);
    }

    #[test]
    fn a_text_ends_where_the_program_ended_it() {
        let (mut record, events) = (record(), vec!["counters".to_owned()]);
        let counters = metric(Subject::Output(EventId(0)), "output");
        let matches =
            |record: &Left, regex: &str| of(record, &events).steps(&counters, Some(&Regex::new(regex).unwrap()), whole()).unwrap().last();
        assert_eq!((matches(&record, "^errors 0$"), matches(&record, "^errors 0\n$")), (0.0, 1.0));
        record.commands[0].output.lines[0].open = true;
        assert_eq!((matches(&record, "^errors 0$"), matches(&record, "^errors 0\n$")), (1.0, 0.0));
        // What comes behind it stands on a line of its own: another life of the program wrote it, or it stands in the error output.
        record.commands[0].output.lines.push(line(2 * S, Stream::Output, "errors 1"));
        assert_eq!(matches(&record, "^errors 0\nerrors 1\n$"), 1.0);
    }

    #[test]
    fn texts_are_shown_with_their_beginning_and_their_end() {
        let (mut record, events) = (record(), vec!["counters".to_owned()]);
        let shown = |record: &Left, subject: Subject, name: &str, until_ns| of(record, &events).text(&metric(subject, name), until_ns);
        let (lb, counters) = (Subject::Process(ProcessId(0)), Subject::Output(EventId(0)));
        assert_eq!(shown(&record, counters.clone(), "output", S), r#""errors 0\n""#);
        assert_eq!(shown(&record, lb.clone(), "log", 3 * S), r#""listening\nodd\n""#);
        assert_eq!(shown(&record, lb.clone(), "output", 3 * S), r#""listening\n""#);
        assert_eq!(shown(&record, lb, "output", -S), "", "nothing was written yet");
        record.commands[0].output.lines = vec![line(S, Stream::Output, &format!("begin {} end", "x".repeat(500)))];
        let long = shown(&record, counters, "output", S);
        assert!(long.starts_with("\"begin xxx") && long.contains("xxx\" ... \"xxx") && long.ends_with("xxx end\\n\""), "{long}");
        assert!(long.chars().count() < 200, "{long}");
    }
}
