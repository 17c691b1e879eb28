//! What a run left behind of programs under test and of commands. In: nothing. Out: the types. All instants are in ns after the timeline's
//! start; programs start before it.

use serde::{Deserialize, Serialize};

/// One copy of a program under test.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// Position in the plan's list of programs.
    pub process: u32,
    /// Its name.
    pub name: String,
    /// Position in [`super::RunRecord::nodes`].
    pub node: u32,
    /// The command line, as the file says it.
    pub command: String,
    /// From each start to its end, in order.
    pub lives: Vec<LifeRecord>,
    /// What it used, as it was looked at: when, processor time since the first start in ns, resident memory in bytes.
    pub usage: Vec<(i64, u64, u64)>,
    /// From this instant on it was not looked at any more: a record keeps so many looks.
    pub usage_until_ns: Option<i64>,
    /// Processor time in all, ns.
    pub cpu_ns: u64,
    /// Its largest process at its largest, bytes.
    pub peak_memory: u64,
    /// What it wrote.
    pub output: Output,
}

impl ProcessRecord {
    /// It ended and nobody had asked for it.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.lives.iter().any(|life| life.ended_ns.is_some() && !life.asked)
    }
}

/// From a start to an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeRecord {
    /// When it was started.
    pub started_ns: i64,
    /// When it was ready.
    pub ready_ns: Option<i64>,
    /// When it ended; `None`: it was not seen to end.
    pub ended_ns: Option<i64>,
    /// Its exit status, of a signal 128 and its number.
    pub status: Option<i32>,
    /// The scenario or the run's end asked for the end.
    pub asked: bool,
}

/// A command of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// The name of its event.
    pub event: Option<String>,
    /// Position in [`super::RunRecord::nodes`].
    pub node: u32,
    /// The entry, as written.
    pub text: String,
    /// When it was started.
    pub started_ns: i64,
    /// When it ended; `None`: the run ended before.
    pub ended_ns: Option<i64>,
    /// Its exit status, of a signal 128 and its number.
    pub status: Option<i32>,
    /// What it wrote.
    pub output: Output,
}

/// What was written: the first lines and the last ones.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Output {
    /// The lines that were kept, in order.
    pub lines: Vec<Line>,
    /// So many lines are left out.
    pub left_out: u64,
    /// They stood behind so many of the kept ones.
    pub after: u32,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it was read.
    pub at_ns: i64,
    /// Where it was written to.
    pub stream: Stream,
    /// Without its end.
    pub text: String,
    /// It has no end: whoever wrote it closed the stream behind it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// The text that lines make, each with whether it is open. A line end stands behind each but the last, if that is open: what is behind
/// another one was written by somebody else.
#[must_use]
pub fn text_of<'a>(lines: impl Iterator<Item = (&'a str, bool)>) -> String {
    let (mut text, mut last_is_open) = (String::new(), false);
    for (line, open) in lines {
        text.push_str(line);
        text.push('\n');
        last_is_open = open;
    }
    if last_is_open {
        text.pop();
    }
    text
}

/// Where a line was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error output.
    Errors,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_open_only_if_its_record_says_so() {
        let closed = r#"{"at_ns":5,"stream":"output","text":"200"}"#;
        let mut line: Line = serde_json::from_str(closed).unwrap();
        assert!(!line.open, "records of before say nothing of it");
        assert_eq!(serde_json::to_string(&line).unwrap(), closed);
        line.open = true;
        let open = r#"{"at_ns":5,"stream":"output","text":"200","open":true}"#;
        assert_eq!(serde_json::to_string(&line).unwrap(), open);
        assert_eq!(serde_json::from_str::<Line>(open).unwrap(), line);
    }

    #[test]
    fn only_the_last_line_may_have_no_end() {
        assert_eq!(text_of([("a", false), ("b", true)].into_iter()), "a\nb");
        assert_eq!(text_of([("a", true), ("b", false)].into_iter()), "a\nb\n");
        assert_eq!(text_of([].into_iter()), "");
    }
}
