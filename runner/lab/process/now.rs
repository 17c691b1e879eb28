//! What programs and commands are at this moment, for conditions that are looked at while a run goes on. In: copies of a program, commands, a
//! metric. Out: its value, as the judge will tell it of the record. Starts and ends nothing.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Instant;

use regex::Regex;
use scn_grammar::scenario::expect::{Metric, Subject};

use super::command::{self, Ran};
use super::minder::Order;
use super::output::Store;
use super::{ANSWER_LIMIT, Programs};
use crate::plan::types::Plan;

/// A question to a copy.
pub(super) struct Question {
    /// A text that is asked for, and what it is to match; the log or the output alone.
    pub(super) text: Option<(Regex, bool)>,
    /// Where the answer goes.
    pub(super) tell: Sender<Now>,
}

/// What a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// It runs.
    pub(super) running: bool,
    /// So often it has ended.
    pub(super) exits: u64,
    /// When it last ended, and its status.
    pub(super) last: Option<(Instant, Option<i32>)>,
    /// Resident bytes at the last look; 0 if it does not run.
    pub(super) memory: Option<u64>,
    /// Whether its text matches; `None`: what may match was left out.
    pub(super) matches: Option<bool>,
}

impl Programs {
    /// A metric of a program or a command at this moment: a number, 1 or 0 of a truth and of a text that matches or not. `None`: it is
    /// not known.
    pub(crate) fn value(&self, plan: &Plan, metric: &Metric, regex: Option<&Regex>) -> Option<f64> {
        let name = metric.name.as_str();
        match &metric.subject {
            Subject::Process(process) => {
                let asked = self.copies.iter().filter(|(copy, _)| copy.process == *process).map(|(_, orders)| {
                    let (tell, told) = channel();
                    let text = regex.map(|regex| (regex.clone(), name == "log"));
                    let _ = orders.send(Order::Look(Question { text, tell }));
                    told
                });
                let asked: Vec<_> = asked.collect();
                let until = Instant::now() + ANSWER_LIMIT;
                let answers = asked.iter().map(|told| told.recv_timeout(until.saturating_duration_since(Instant::now())));
                together(&answers.collect::<Result<Vec<Now>, RecvTimeoutError>>().ok()?, name)
            }
            Subject::Output(event) => {
                let entry = plan.timeline.iter().position(|entry| entry.event == Some(*event))?;
                of_command(command::lock(&self.commands).get(&entry)?, name, regex)
            }
            _ => None,
        }
    }
}

/// A metric of all copies of a program.
fn together(copies: &[Now], name: &str) -> Option<f64> {
    let truth = |yes: bool| f64::from(u8::from(yes));
    match name {
        "running" => Some(truth(!copies.is_empty() && copies.iter().all(|copy| copy.running))),
        "exits" => Some(copies.iter().map(|copy| copy.exits).sum::<u64>() as f64),
        "exit" => copies.iter().filter_map(|copy| copy.last).max_by_key(|(at, _)| *at)?.1.map(f64::from),
        "memory" => copies.iter().map(|copy| copy.memory).sum::<Option<u64>>().map(|bytes| bytes as f64),
        "output" | "log" if copies.iter().any(|copy| copy.matches == Some(true)) => Some(1.0),
        "output" | "log" => copies.iter().all(|copy| copy.matches == Some(false)).then_some(0.0),
        _ => None,
    }
}

/// A metric of a command; there is none before its end.
fn of_command(ran: &Ran, name: &str, regex: Option<&Regex>) -> Option<f64> {
    let ended = ran.ended?;
    match name {
        "status" => ran.status.map(f64::from),
        "time" => Some(ended.saturating_duration_since(ran.started).as_nanos() as f64),
        "output" | "log" => matches(&ran.output, regex?, name == "log").map(|yes| f64::from(u8::from(yes))),
        _ => None,
    }
}

/// Whether what was written matches; `None`: what may match was left out.
pub(super) fn matches(store: &Store, regex: &Regex, log: bool) -> Option<bool> {
    let texts = store.texts(log);
    if texts.iter().any(|text| regex.is_match(text)) {
        return Some(true);
    }
    (texts.len() == 1).then_some(false)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lab::process::output::Written;
    use scn_reports::record::process::Stream;

    fn now() -> Now {
        Now { running: true, exits: 0, last: None, memory: Some(10), matches: Some(false) }
    }

    #[test]
    fn copies_are_one_program() {
        let began = Instant::now();
        let ended = |after: u64, status| Now { last: Some((began + Duration::from_secs(after), Some(status))), exits: 1, ..now() };
        assert_eq!(together(&[now(), now()], "running"), Some(1.0));
        assert_eq!(together(&[now(), Now { running: false, ..now() }], "running"), Some(0.0));
        assert_eq!(together(&[], "running"), Some(0.0));
        assert_eq!(together(&[ended(2, 7), ended(1, 9)], "exits"), Some(2.0));
        assert_eq!(together(&[ended(2, 7), ended(1, 9), now()], "exit"), Some(7.0));
        assert_eq!(together(&[now()], "exit"), None, "it has not ended");
        assert_eq!(together(&[now(), now()], "memory"), Some(20.0));
        assert_eq!(together(&[now(), Now { memory: None, ..now() }], "memory"), None, "one was not looked at yet");
        assert_eq!(together(&[now()], "cpu"), None, "it has no value at one moment");
    }

    #[test]
    fn texts_match_if_any_copy_does_and_fail_only_if_all_is_known() {
        let says = |matches| Now { matches, ..now() };
        assert_eq!(together(&[says(Some(false)), says(Some(true))], "log"), Some(1.0));
        assert_eq!(together(&[says(Some(false)), says(Some(false))], "output"), Some(0.0));
        assert_eq!(together(&[says(Some(false)), says(None)], "log"), None);
    }

    #[test]
    fn a_command_has_values_once_it_has_ended() {
        let mut ran = Ran::begun(0);
        let line = |stream, text: &str| Written { at: Instant::now(), stream, text: text.to_owned(), open: false };
        ran.output.add(line(Stream::Output, "errors 0"));
        ran.output.add(line(Stream::Errors, "odd"));
        let regex = Regex::new("odd").unwrap();
        assert_eq!(of_command(&ran, "log", Some(&regex)), None);
        (ran.ended, ran.status) = (Some(ran.started + Duration::from_millis(2)), Some(3));
        assert_eq!(of_command(&ran, "status", None), Some(3.0));
        assert_eq!(of_command(&ran, "time", None), Some(2_000_000.0));
        assert_eq!(of_command(&ran, "log", Some(&regex)), Some(1.0));
        assert_eq!(of_command(&ran, "output", Some(&regex)), Some(0.0), "it stands in the error output");
    }
}
