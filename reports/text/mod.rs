//! The report on a terminal. In: a record and how the terminal is. Out: text with the verdict first, failed expectations drawn
//! like syntax errors, and the numbers of each flow. Prints nothing itself.

mod capture;
mod flow;
mod problem;
mod program;
mod stress;

pub(crate) use capture::about as capture_words;
pub(crate) use flow::counts;
pub(crate) use problem::{draw as problem, event_words};
pub use program::logs;
pub(crate) use program::{end as life_end, title as program_title};

use crate::record::{ExpectationRecord, RunRecord, Verdict};
use crate::suite::{self, Standing, Suite, SuiteResult};
use crate::words;

/// How the terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// ANSI colours.
    pub colour: bool,
    /// Columns.
    pub width: usize,
    /// Symbols outside ASCII.
    pub unicode: bool,
}

/// What a piece of text is; its colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Good,
    Bad,
    Doubt,
    Broken,
    Faint,
    Strong,
}

impl Style {
    /// Less is not laid out: lines then break on the terminal.
    const LEAST_WIDTH: usize = 40;

    fn width(self) -> usize {
        self.width.clamp(Self::LEAST_WIDTH, 200)
    }

    fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "1;31",
            Tone::Doubt => "1;33",
            Tone::Broken => "1;35",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    fn bar(self) -> &'static str {
        if self.unicode { "│" } else { "|" }
    }

    /// What a report of ours writes outside ASCII, for terminals that cannot show it.
    fn plain(self, text: &str) -> String {
        if self.unicode {
            return text.to_owned();
        }
        text.replace('±', "+-").replace('→', "->").replace('…', "...").replace('\u{202f}', " ").replace('×', "x")
    }
}

fn tone(verdict: Option<Verdict>) -> Tone {
    match verdict {
        Some(Verdict::Pass) => Tone::Good,
        Some(Verdict::Fail) => Tone::Bad,
        Some(Verdict::Inconclusive) => Tone::Doubt,
        Some(Verdict::Error) => Tone::Broken,
        None => Tone::Faint,
    }
}

fn standing_tone(standing: Standing) -> Tone {
    match standing {
        Standing::Judged(verdict) => tone(Some(verdict)),
        _ => Tone::Faint,
    }
}

/// The report of one run. Ends with a newline.
#[must_use]
pub fn render(record: &RunRecord, style: Style) -> String {
    let mut out = headline(&Suite::ran(record), style);
    if let Some(ending) = words::ending(&record.ended) {
        indented(&mut out, style, Tone::Broken, &ending);
    }
    for expectation in record.expectations.iter().filter(|e| !suite::needs_attention(e)) {
        out.push_str(&line(expectation, style));
    }
    for expectation in suite::attention(record) {
        out.push('\n');
        out.push_str(&problem::draw(record, expectation, style));
    }
    flow::failures(&mut out, record, style);
    stress::failures(&mut out, record, style);
    flow::table(&mut out, record, style);
    stress::table(&mut out, record, style);
    program::table(&mut out, record, style);
    capture::table(&mut out, record, style);
    if !record.warnings.is_empty() {
        out.push('\n');
    }
    for warning in &record.warnings {
        let text = format!("warning: {}", words::visible(warning));
        indented(&mut out, style, Tone::Doubt, &text);
    }
    if record.verdict != Some(Verdict::Pass) {
        out.push_str(&format!("\n  {} {}\n", style.paint(Tone::Faint, "again:"), style.plain(&words::reproduce(record))));
    }
    out
}

/// The report of a scenario, whether it ran or not. Ends with a newline.
#[must_use]
pub fn render_suite(suite: &Suite<'_>, style: Style) -> String {
    match &suite.result {
        SuiteResult::Ran(record) => render(record, style),
        SuiteResult::NotRun { why } | SuiteResult::Skipped { why } => {
            let mut out = headline(suite, style);
            indented(&mut out, style, standing_tone(suite.standing()), &words::visible(why));
            out
        }
    }
}

/// One paragraph over several scenarios. Ends with a newline.
#[must_use]
pub fn summary(suites: &[Suite<'_>], style: Style) -> String {
    let order = [
        Standing::Judged(Verdict::Error),
        Standing::Judged(Verdict::Fail),
        Standing::Judged(Verdict::Inconclusive),
        Standing::NotJudged,
        Standing::Skipped,
        Standing::Judged(Verdict::Pass),
    ];
    let counts: Vec<String> = order
        .iter()
        .filter_map(|standing| {
            let count = suites.iter().filter(|suite| suite.standing() == *standing).count();
            (count > 0).then(|| style.paint(standing_tone(*standing), &format!("{count} {}", standing.word())))
        })
        .collect();
    let total: u64 = suites.iter().filter_map(Suite::record).map(whole_ns).sum();
    let mut out = format!("{} in {}: {}\n", words::plural(suites.len(), "scenario"), words::duration(total), counts.join(", "));
    for standing in &order[..4] {
        for suite in suites.iter().filter(|suite| suite.standing() == *standing) {
            let symbol = style.paint(standing_tone(*standing), standing.symbol(style.unicode));
            out.push_str(&format!(
                "  {symbol} {}  {}\n",
                words::visible(suite.scenario),
                style.paint(Tone::Faint, &words::visible(suite.file))
            ));
        }
    }
    if suites.is_empty() {
        out = "no scenario ran\n".to_owned();
    }
    style.plain(&out)
}

/// Set-up, timeline and clean-up together, ns.
fn whole_ns(record: &RunRecord) -> u64 {
    record.setup_ns.saturating_add(record.duration_ns).saturating_add(record.cleanup_ns)
}

/// `× FAIL  vip_failover  8.07s  1 fail, 1 inconclusive, 5 pass  scenarios/failover.scn`
fn headline(suite: &Suite<'_>, style: Style) -> String {
    let standing = suite.standing();
    let verdict = format!("{} {}", standing.symbol(style.unicode), standing.word().to_uppercase());
    let mut parts = vec![style.paint(standing_tone(standing), &verdict), style.paint(Tone::Strong, &words::visible(suite.scenario))];
    if let Some(record) = suite.record() {
        parts.push(words::duration(whole_ns(record)));
        let tally: Vec<String> =
            suite::tally(record).iter().map(|(verdict, count)| format!("{count} {}", words::verdict(*verdict))).collect();
        parts.push(if tally.is_empty() { "no expectations".to_owned() } else { tally.join(", ") });
    }
    parts.push(style.paint(Tone::Faint, &words::visible(suite.file)));
    style.plain(&format!("{}\n", parts.join("  ")))
}

/// One line of an expectation that needs no attention.
fn line(expectation: &ExpectationRecord, style: Style) -> String {
    let verdict = suite::judged(expectation);
    let name = words::visible(&expectation.name);
    let note = if suite::counts(expectation) { "" } else { "note: " };
    let measured = expectation.outcome.as_ref().map_or_else(|| "not judged".to_owned(), |o| words::visible(&o.measured));
    let symbol =
        if note.is_empty() { style.paint(tone(verdict), words::symbol(verdict, style.unicode)) } else { style.paint(Tone::Faint, "i") };
    let (left, right) = (format!("{note}{name}"), style.plain(&measured));
    let room = style.width().saturating_sub(4);
    if words::columns(&left) + 2 + words::columns(&right) <= room {
        let gap = room - words::columns(&left) - words::columns(&right);
        return format!("  {symbol} {left}{}{}\n", " ".repeat(gap), style.paint(Tone::Faint, &right));
    }
    let mut out = String::new();
    for (at, part) in words::wrap(&left, room).iter().enumerate() {
        out.push_str(&if at == 0 { format!("  {symbol} {part}\n") } else { format!("    {part}\n") });
    }
    for part in words::wrap(&right, room) {
        out.push_str(&format!("    {}\n", style.paint(Tone::Faint, &part)));
    }
    out
}

fn indented(out: &mut String, style: Style, tone: Tone, text: &str) {
    for part in words::wrap(&style.plain(text), style.width() - 2) {
        out.push_str(&format!("  {}\n", style.paint(tone, &part)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    const PLAIN: Style = Style { colour: false, width: 100, unicode: true };

    #[test]
    fn no_control_character_of_a_payload_reaches_the_terminal() {
        for record in example::all() {
            for unicode in [true, false] {
                let text = render(&record, Style { unicode, ..PLAIN });
                assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
                assert!(!text.contains('\u{202e}'));
            }
        }
    }

    #[test]
    fn lines_keep_the_width() {
        for width in [40, 60, 80, 120] {
            for record in [example::failover(), example::passing(), example::broken()] {
                let text = render(&record, Style { width, ..PLAIN });
                let again = words::columns(&words::reproduce(&record)) + 9;
                for line in text.lines().skip(1).filter(|line| !line.contains("again:")) {
                    assert!(words::columns(line) <= width.max(again.min(width)), "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn ascii_stays_ascii() {
        let text = render(&example::failover(), Style { unicode: false, ..PLAIN });
        assert!(text.is_ascii(), "{text}");
    }

    #[test]
    fn a_failure_says_all_that_is_needed() {
        let text = render(&example::failover(), PLAIN);
        for needed in [
            "× FAIL  vip_failover",
            "× fail: steady.outage.max < budget",
            "--> scenarios/failover.scn:41:9",
            "expected  < 1ms",
            "measured  steady.outage.max = 353.2ms ± 2.5ms",
            "3.000s  down primary (failure)",
            "no route to host",
            "scn run scenarios/failover.scn --seed 8675309 -p budget=1ms",
        ] {
            assert!(text.contains(needed), "{needed}\n{text}");
        }
    }

    #[test]
    fn colour_only_when_asked() {
        assert!(!render(&example::failover(), PLAIN).contains('\u{1b}'));
        assert!(render(&example::failover(), Style { colour: true, ..PLAIN }).contains("\u{1b}[1;31m"));
    }

    #[test]
    fn a_summary_names_what_did_not_pass() {
        let records = example::all();
        let mut suites: Vec<Suite<'_>> = records.iter().map(Suite::ran).collect();
        suites.push(Suite { file: "x.scn", scenario: "lb", result: SuiteResult::Skipped { why: "no haproxy" }, paths: vec![], folder: "" });
        let text = summary(&suites, PLAIN);
        assert!(text.starts_with("7 scenarios in "), "{text}");
        assert!(text.contains("1 skipped") && text.contains("× vip_failover"), "{text}");
        assert!(render_suite(&suites[6], PLAIN).contains("no haproxy"));
        assert_eq!(summary(&[], PLAIN), "no scenario ran\n");
    }
}
