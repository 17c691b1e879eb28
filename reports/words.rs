//! Numbers, instants and names as people read them. In: values of the record. Out: plain text without control characters, the
//! same on every machine. Colours and markup are added by each report.

use crate::record::flow::{FlowRecord, LookUp};
use crate::record::{Ended, RunRecord, Verdict};

/// Text that is safe to show on one line: control characters, and characters that reorder or hide text, are written as escapes.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// A span of time with its unit: `250us`, `353.2ms`, `8.31s`, `2m 05s`.
#[must_use]
pub fn duration(ns: u64) -> String {
    let scaled = |unit: u64, name: &str, digits: usize| {
        let text = format!("{:.digits$}", ns as f64 / unit as f64);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        format!("{text}{name}")
    };
    match ns {
        0 => "0s".to_owned(),
        1..1_000 => format!("{ns}ns"),
        1_000..999_950 => scaled(1_000, "us", 1),
        999_950..999_950_000 => scaled(1_000_000, "ms", 1),
        999_950_000..60_000_000_000 => scaled(1_000_000_000, "s", 2),
        _ => format!("{}m {:02}s", ns / 60_000_000_000, ns / 1_000_000_000 % 60),
    }
}

/// An instant of the timeline, in seconds to the millisecond: `3.200s`, `-0.001s`.
#[must_use]
pub fn instant(ns: i64) -> String {
    format!("{:.3}s", ns as f64 / 1e9)
}

/// A count with thin groups: `1 234 567`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && digits.len() > 4 {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// `1 expectation`, `2 expectations`.
#[must_use]
pub fn plural(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// A measurement's error behind its value: ` ± 2.5ms`, ` (+0 −2.5ms)`, or nothing.
#[must_use]
pub fn error(error: &str) -> String {
    match error {
        "" => String::new(),
        one_sided if one_sided.starts_with('+') => format!(" ({})", visible(one_sided)),
        both => format!(" ± {}", visible(both)),
    }
}

/// The verdict as a word.
#[must_use]
pub fn verdict(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Pass) => "pass",
        Some(Verdict::Inconclusive) => "inconclusive",
        Some(Verdict::Fail) => "fail",
        Some(Verdict::Error) => "error",
        None => "not judged",
    }
}

/// The verdict as a symbol.
#[must_use]
pub fn symbol(verdict: Option<Verdict>, unicode: bool) -> &'static str {
    match (verdict, unicode) {
        (Some(Verdict::Pass), true) => "✓",
        (Some(Verdict::Pass), false) => "+",
        (Some(Verdict::Inconclusive), _) => "?",
        (Some(Verdict::Fail), true) => "×",
        (Some(Verdict::Fail), false) => "x",
        (Some(Verdict::Error), _) => "!",
        (None, true) => "·",
        (None, false) => ".",
    }
}

/// How the run ended, in words; `None` when everything happened as planned.
#[must_use]
pub fn ending(ended: &Ended) -> Option<String> {
    match ended {
        Ended::Complete => None,
        Ended::Timeout(what) => Some(format!("cut by the scenario's timeout; still going on: {}", visible(what))),
        Ended::Required(name) => Some(format!("stopped because a requirement was violated: {}", visible(name))),
        Ended::Interrupted(signal) => Some(format!("interrupted by {}", visible(signal))),
        Ended::Failed(what) => Some(format!("the run itself broke: {}", visible(what))),
    }
}

/// The command that runs the same scenario again with the same choices. Other scenarios of its file are left out.
#[must_use]
pub fn reproduce(record: &RunRecord) -> String {
    let mut command = format!("scn run {} --seed {}", quoted(&record.scenario.file), record.seed);
    for (name, value, set) in &record.scenario.params {
        if *set {
            command.push_str(" -p ");
            command.push_str(&quoted(&format!("{name}={value}")));
        }
    }
    command
}

/// One word of a shell's command line.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:%+,@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if word.chars().any(|c| c.is_control()) {
        let escaped: String =
            word.chars().map(|c| if c == '\'' || c == '\\' { format!("\\{c}") } else { visible(&c.to_string()) }).collect();
        return format!("$'{escaped}'");
    }
    format!("'{}'", visible(word).replace('\'', r"'\''"))
}

/// How many columns of a terminal a text takes: wide characters take two, combining ones none.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// The columns of one character.
#[must_use]
pub fn column(c: char) -> usize {
    match u32::from(c) {
        0x300..=0x36f | 0x200b..=0x200f | 0xfe00..=0xfe0f | 0x20d0..=0x20ff => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 => 2,
        0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// A text in lines of at most `width` columns, broken at spaces; a longer word is broken inside.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let wide = columns(word);
        if used > 0 && used + 1 + wide > width {
            lines.push(String::new());
            used = 0;
        }
        let line_is_open = used > 0;
        if line_is_open {
            push(&mut lines, ' ');
            used += 1;
        }
        for c in word.chars() {
            if used + column(c) > width {
                lines.push(String::new());
                used = 0;
            }
            push(&mut lines, c);
            used += column(c);
        }
    }
    lines
}

fn push(lines: &mut [String], c: char) {
    if let Some(line) = lines.last_mut() {
        line.push(c);
    }
}

/// The first `max` characters of a text, with `…` when there were more.
#[must_use]
pub fn shortened(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

/// Why the series of a flow end early.
pub(crate) fn cut(flow: &crate::record::flow::FlowRecord) -> String {
    match &flow.tool {
        Some(tool) => format!("{} failed", visible(&tool.name)),
        None => "there were too many items".to_owned(),
    }
}

/// Answers of a resolver that are told; the record has all.
const MAX_LOOKUPS: usize = 5;

/// What the name that a flow goes to was found to mean, and when; `None`: it goes to none.
pub(crate) fn lookups(flow: &FlowRecord) -> Option<String> {
    let one = |look: &LookUp| {
        let said = if look.failed.is_empty() { look.found.join(", ") } else { look.failed.clone() };
        format!("{} at {}", visible(&said), instant(look.at_ns))
    };
    let more = flow.lookups.len().saturating_sub(MAX_LOOKUPS);
    let told = flow.lookups.iter().take(MAX_LOOKUPS).map(one).chain((more > 0).then(|| format!("and {more} more")));
    (!flow.lookups.is_empty()).then(|| format!("its name was looked up: {}", told.collect::<Vec<_>>().join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let cases = [
            (0, "0s"),
            (999, "999ns"),
            (250_000, "250us"),
            (1_000_000, "1ms"),
            (353_200_000, "353.2ms"),
            (999_999_999, "1s"),
            (8_310_000_000, "8.31s"),
            (125_000_000_000, "2m 05s"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
        assert_eq!(instant(3_200_000_000), "3.200s");
    }

    #[test]
    fn what_a_name_was_found_to_mean_is_told_and_kept() {
        let mut flow = crate::record::example::passing().flows.remove(0);
        assert_eq!(lookups(&flow), None);
        let plain = serde_json::to_value(&flow).unwrap();
        assert!(plain.get("lookups").is_none(), "records of flows to no name stay as they were");
        flow.lookups = vec![
            LookUp { at_ns: 1_000_000, found: Vec::new(), failed: "Name or service not known".to_owned() },
            LookUp { at_ns: 250_000_000, found: vec!["10.0.0.1".to_owned(), "fd00::1".to_owned()], failed: String::new() },
        ];
        let told = "its name was looked up: Name or service not known at 0.001s; 10.0.0.1, fd00::1 at 0.250s";
        assert_eq!(lookups(&flow).as_deref(), Some(told));
        let json = serde_json::to_value(&flow).unwrap();
        assert_eq!(json["lookups"][1], serde_json::json!({ "at_ns": 250_000_000, "found": ["10.0.0.1", "fd00::1"] }));
        assert_eq!(serde_json::from_value::<FlowRecord>(json).unwrap(), flow);
        flow.lookups = vec![flow.lookups[1].clone(); 7];
        assert!(lookups(&flow).unwrap().ends_with("; and 2 more"));
    }

    #[test]
    fn nothing_that_moves_the_cursor_or_the_order_is_shown() {
        assert_eq!(visible("a\u{1b}[31m\0\r\n\u{202e}é🦀"), "a\\x1b[31m\\x00\\r\\n\\u{202e}é🦀");
    }

    #[test]
    fn lines_keep_their_width() {
        for line in wrap("a rather long sentence with averyveryverylongwordinside it and 🦀🦀🦀🦀🦀🦀🦀🦀", 12) {
            assert!(columns(&line) <= 12, "{line}");
        }
        assert_eq!(wrap("", 10), vec![""]);
    }

    #[test]
    fn words_of_a_command_are_quoted() {
        assert_eq!(quoted("scenarios/failover.scn"), "scenarios/failover.scn");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted("a\nb'c"), r"$'a\nb\'c'");
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(1234), "1234");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
