//! What both ends of a tool wrote, and where its own time lies on the run's clock. In: lines with the instants at which they were read,
//! starts and ends. Out: words for a failure, and the instant at which the tool's clock began with the limits of that.

/// A line that a program wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was read, ns.
    pub at_ns: i64,
    /// It stands in the error output.
    pub errors: bool,
    /// Without its end.
    pub text: String,
}

/// One end, from its start to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// Before it was started, ns.
    pub started_ns: i64,
    /// When its end was seen, ns.
    pub ended_ns: i64,
    /// Its exit status, of a signal 128 and the signal's number; `None`: nobody saw it.
    pub status: Option<i32>,
    /// What it wrote.
    pub lines: Vec<Line>,
    /// It was told to end, and when, ns.
    pub told_ns: Option<i64>,
    /// It wrote more than is kept.
    pub cut: bool,
}

/// Both ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// The client.
    pub client: End,
    /// The server; `None`: scn started none.
    pub server: Option<End>,
}

/// Lines of a failed program that are shown.
const MOST_LINES: usize = 3;

impl End {
    /// The standard output as one text.
    pub(super) fn output(&self) -> String {
        let lines = self.lines.iter().filter(|line| !line.errors);
        lines.flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }

    /// What it says was wrong, on its error output: the lines that begin with its own name, else the last ones.
    pub(super) fn complaint(&self, program: &str) -> Option<String> {
        let said: Vec<&str> = self.lines.iter().filter(|line| line.errors).map(|line| line.text.trim()).filter(|t| !t.is_empty()).collect();
        let own: Vec<&str> = said.iter().filter_map(|line| line.strip_prefix(program)?.strip_prefix(':')).map(str::trim).collect();
        let shown = if own.is_empty() { &said[said.len().saturating_sub(MOST_LINES)..] } else { &own[..own.len().min(MOST_LINES)] };
        (!shown.is_empty()).then(|| shown.join(" / "))
    }

    /// How it ended, if that tells of a failure.
    pub(super) fn bad_end(&self) -> Option<String> {
        match self.status {
            Some(0) => None,
            Some(status) if status > 128 => Some(format!("signal {}", status - 128)),
            Some(status) => Some(format!("status {status}")),
            None => Some("no status".to_owned()),
        }
    }
}

/// Where a tool's own time 0 lies on the run's clock: not before its start, and so that what it tells last is over when it was read or
/// when the program ended. Out: the middle, and how far the truth may be from it, ns.
pub(super) fn origin(end: &End, told: impl Iterator<Item = (i64, i64)>) -> (i64, i64) {
    // What it told of its own time `own_ns` had happened when it was read at `read_ns`.
    let latest = told.map(|(own_ns, read_ns)| read_ns - own_ns).min().unwrap_or(end.ended_ns).max(end.started_ns);
    let error = (latest - end.started_ns + 1) / 2;
    (end.started_ns + error, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_lies_between_the_start_and_what_was_read_first() {
        let end = End { started_ns: 100, ended_ns: 1000, ..End::default() };
        assert_eq!(origin(&end, [(0, 180), (500, 640)].into_iter()), (120, 20), "640 - 500 is the tighter limit");
        assert_eq!(origin(&end, std::iter::empty()), (550, 450));
        assert_eq!(origin(&end, [(500, 540)].into_iter()), (100, 0), "a clock that ran ahead moves nothing before the start");
    }

    #[test]
    fn a_complaint_is_in_its_own_words() {
        let line = |text: &str, errors| Line { at_ns: 0, errors, text: text.to_owned() };
        let lines = vec![line("x: bad option", true), line("Usage: x", true), line("a", true), line("b", true), line("out", false)];
        let mut end = End { lines, status: Some(1), ..End::default() };
        assert_eq!(end.complaint("x").as_deref(), Some("bad option"));
        assert_eq!(end.complaint("y").as_deref(), Some("Usage: x / a / b"));
        assert_eq!(end.bad_end().as_deref(), Some("status 1"));
        end.lines.clear();
        assert_eq!(end.complaint("x"), None);
    }
}
