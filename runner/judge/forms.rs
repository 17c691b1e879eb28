//! The temporal forms: `always`, `never`, `within D after E`, `and stays`. In: moments with their truth. Out: a ruling. Measures nothing.

use scn_reports::record::Verdict;

use super::moments::Moment;
use super::range::Truth;
use crate::measure::show;

/// A verdict and what decided it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ruling {
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence.
    pub reason: String,
    /// The instant that decided it, ns.
    pub decided_ns: Option<i64>,
    /// The moment to show the values of.
    pub shown: Option<Moment>,
}

impl Ruling {
    pub fn inconclusive(reason: impl Into<String>) -> Self {
        Ruling { verdict: Verdict::Inconclusive, reason: reason.into(), decided_ns: None, shown: None }
    }
}

/// How much of the window was seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    /// The last instant that was seen, ns.
    pub end_ns: i64,
    /// Why the window was not seen to its end; `None`: it was.
    pub cut: Option<String>,
    /// The moments are whole intervals of this length, ns; `None`: they are changes.
    pub interval_ns: Option<i64>,
}

impl Sight {
    fn no_moments(&self) -> Ruling {
        Ruling::inconclusive(match self.interval_ns {
            Some(every) => format!(
                "no whole interval of {} fits into the window",
                show::value(every as f64, scn_grammar::quantity::Dimension::Duration)
            ),
            None => "the window is empty".to_owned(),
        })
    }

    fn place(&self, moment: &Moment) -> String {
        match self.interval_ns {
            Some(_) => format!("in the interval {}..{}", show::instant(moment.from_ns), show::instant(moment.to_ns)),
            None => format!("at {}", show::instant(moment.from_ns)),
        }
    }
}

fn worst(moments: &[Moment]) -> Option<Moment> {
    let told = moments.iter().filter(|m| !m.badness.is_nan());
    told.copied().reduce(|worst, m| if m.badness > worst.badness { m } else { worst }).or(moments.first().copied())
}

/// At every moment. For `never`, the moments are those of the opposite.
pub(super) fn always(moments: &[Moment], sight: &Sight, never: bool) -> Ruling {
    if let Some(first) = moments.iter().find(|m| m.truth == Truth::No) {
        let word = if never { "true" } else { "false" };
        return Ruling {
            verdict: Verdict::Fail,
            reason: format!("it was {word} {}", sight.place(first)),
            decided_ns: Some(first.from_ns),
            shown: worst(&moments.iter().filter(|m| m.truth == Truth::No).copied().collect::<Vec<_>>()),
        };
    }
    let shown = worst(moments);
    if let Some(unknown) = moments.iter().find(|m| m.truth == Truth::Unknown) {
        let reason = format!("it cannot be told {}: no data, or an error of measurement larger than the margin", sight.place(unknown));
        return Ruling { decided_ns: Some(unknown.from_ns), shown: Some(*unknown), ..Ruling::inconclusive(reason) };
    }
    if let Some(cut) = &sight.cut {
        return Ruling { shown, ..Ruling::inconclusive(format!("it held until {}, where {cut}", show::instant(sight.end_ns))) };
    }
    if moments.is_empty() {
        return sight.no_moments();
    }
    let held = if never { "was never true" } else { "held" };
    let reason = match sight.interval_ns {
        Some(_) if moments.len() == 1 => format!("it {held} in the one whole interval of the window"),
        Some(_) => format!("it {held} in all {} whole intervals of the window", moments.len()),
        None => format!("it {held} at every moment of the window"),
    };
    let decided_ns = shown.map(|m| m.from_ns);
    Ruling { verdict: Verdict::Pass, reason, decided_ns, shown }
}

/// The time in which something must come true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Deadline {
    /// Counted from here, ns.
    pub after_ns: i64,
    /// No later than this, ns.
    pub at_ns: i64,
    /// The true instant counted from may lie this much later, ns.
    pub width_ns: i64,
}

impl Deadline {
    fn took(self, since_ns: i64) -> String {
        show::value((since_ns - self.after_ns).max(0) as f64, scn_grammar::quantity::Dimension::Duration)
    }

    fn limit(self) -> String {
        show::value((self.at_ns - self.after_ns) as f64, scn_grammar::quantity::Dimension::Duration)
    }

    /// Pass, or inconclusive when only the event's own width makes the difference; `None`: too late.
    fn judge(self, since_ns: i64) -> Option<Verdict> {
        match since_ns {
            at if at <= self.at_ns => Some(Verdict::Pass),
            at if at <= self.at_ns + self.width_ns => Some(Verdict::Inconclusive),
            _ => None,
        }
    }
}

/// True no later than the deadline.
pub(super) fn within(moments: &[Moment], deadline: Deadline, sight: &Sight) -> Ruling {
    let early = moments.iter().take_while(|m| m.since_ns <= deadline.at_ns);
    let first = moments.iter().find(|m| m.truth == Truth::Yes);
    let judged = first.and_then(|m| Some((m, deadline.judge(m.since_ns)?)));
    if let Some((moment, verdict)) = judged {
        let mut reason =
            format!("it became true {} after that instant, {}", deadline.took(moment.since_ns), show::instant(moment.since_ns));
        if verdict == Verdict::Inconclusive {
            reason.push_str("; it is within the event's own duration of the limit");
        }
        return Ruling { verdict, reason, decided_ns: Some(moment.since_ns), shown: Some(*moment) };
    }
    if let Some(unknown) = early.clone().find(|m| m.truth == Truth::Unknown) {
        let reason = format!("it cannot be told {}: no data, or an error of measurement larger than the margin", sight.place(unknown));
        return Ruling { decided_ns: Some(unknown.since_ns), shown: Some(*unknown), ..Ruling::inconclusive(reason) };
    }
    let shown = early.last().or(moments.last()).copied();
    if sight.end_ns < deadline.at_ns + deadline.width_ns {
        return Ruling { shown, ..Ruling::inconclusive(ended_before(sight, deadline)) };
    }
    if moments.is_empty() {
        return sight.no_moments();
    }
    let later =
        first.map_or_else(|| "and not until the window's end".to_owned(), |m| format!("but only after {}", deadline.took(m.since_ns)));
    let reason = format!("it was not true within {}, {later}", deadline.limit());
    Ruling { verdict: Verdict::Fail, reason, decided_ns: Some(deadline.at_ns), shown }
}

fn ended_before(sight: &Sight, deadline: Deadline) -> String {
    let why = sight.cut.clone().unwrap_or_else(|| "the flow or the window ended".to_owned());
    format!("{why} at {}, before the {} were over", show::instant(sight.end_ns), deadline.limit())
}

/// True no later than the deadline, and from then to the window's end.
pub(super) fn within_and_stays(moments: &[Moment], deadline: Deadline, sight: &Sight) -> Ruling {
    let Some(last) = moments.last() else { return sight.no_moments() };
    let last_false = moments.iter().rposition(|m| m.truth == Truth::No);
    let streak = &moments[last_false.map_or(0, |at| at + 1)..];
    // From when on it is surely true; if that is in time, it does not matter whether it was so before.
    let surely = streak.iter().position(|m| m.truth == Truth::Yes).map_or(streak, |at| &streak[at..]);
    let in_time = surely.first().is_some_and(|first| deadline.judge(first.since_ns) == Some(Verdict::Pass));
    let streak = if in_time { surely } else { streak };
    let Some(first) = streak.first() else {
        if sight.end_ns < deadline.at_ns + deadline.width_ns {
            return Ruling { shown: Some(*last), ..Ruling::inconclusive(ended_before(sight, deadline)) };
        }
        let held_before = moments.iter().any(|m| m.truth == Truth::Yes && m.since_ns <= deadline.at_ns);
        let how = if held_before { "it did not stay true" } else { "it did not become true" };
        let reason = format!("{how}: it was false {} and to the window's end", sight.place(last));
        return Ruling { verdict: Verdict::Fail, reason, decided_ns: Some(last.from_ns.max(deadline.at_ns)), shown: Some(*last) };
    };
    let Some(verdict) = deadline.judge(first.since_ns) else {
        let before = last_false.map(|at| moments[at]).unwrap_or(*first);
        let reason =
            format!("it was true for good only {} after that instant, at {}", deadline.took(first.since_ns), show::instant(first.since_ns));
        let decided_ns = Some(before.from_ns.max(deadline.at_ns));
        return Ruling { verdict: Verdict::Fail, reason, decided_ns, shown: Some(before) };
    };
    if let Some(unknown) = streak.iter().find(|m| m.truth == Truth::Unknown) {
        let reason = format!("it cannot be told {}: no data, or an error of measurement larger than the margin", sight.place(unknown));
        return Ruling { decided_ns: Some(unknown.since_ns), shown: Some(*unknown), ..Ruling::inconclusive(reason) };
    }
    if let Some(cut) = &sight.cut {
        let reason = format!("it stayed true until {}, where {cut}", show::instant(sight.end_ns));
        return Ruling { shown: Some(*last), decided_ns: Some(first.since_ns), ..Ruling::inconclusive(reason) };
    }
    let mut reason = match last_false {
        None => "it was true all the time".to_owned(),
        Some(_) => format!(
            "it was true from {} after that instant ({}) and stayed so",
            deadline.took(first.since_ns),
            show::instant(first.since_ns)
        ),
    };
    if verdict == Verdict::Inconclusive {
        reason.push_str("; it is within the event's own duration of the limit");
    }
    Ruling { verdict, reason, decided_ns: Some(first.since_ns), shown: Some(*last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(story: &[(i64, Truth)], end: i64) -> Vec<Moment> {
        let ends = story.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let moments = story.iter().zip(ends);
        moments
            .map(|((from_ns, truth), to_ns)| Moment { from_ns: *from_ns, to_ns, since_ns: *from_ns, truth: *truth, badness: 0.0 })
            .collect()
    }

    fn sight(end_ns: i64, cut: bool) -> Sight {
        Sight { end_ns, cut: cut.then(|| "the run was cut".to_owned()), interval_ns: None }
    }

    const YES: Truth = Truth::Yes;
    const NO: Truth = Truth::No;
    const UNKNOWN: Truth = Truth::Unknown;

    #[test]
    fn always_takes_the_first_false_moment() {
        let rule = |story: &[(i64, Truth)], cut| always(&moments(story, 100), &sight(100, cut), false);
        assert_eq!(rule(&[(0, YES)], false).verdict, Verdict::Pass);
        assert_eq!(rule(&[(0, YES)], true).verdict, Verdict::Inconclusive);
        assert_eq!(rule(&[(0, YES), (10, UNKNOWN)], false).verdict, Verdict::Inconclusive);
        assert_eq!(rule(&[], false).verdict, Verdict::Inconclusive);
        let failed = rule(&[(0, YES), (10, UNKNOWN), (20, NO), (30, YES)], true);
        assert_eq!((failed.verdict, failed.decided_ns), (Verdict::Fail, Some(20)));
    }

    #[test]
    fn within_takes_the_first_true_moment() {
        let deadline = Deadline { after_ns: 0, at_ns: 50, width_ns: 5 };
        let rule = |story: &[(i64, Truth)], end, cut| within(&moments(story, end), deadline, &sight(end, cut)).verdict;
        assert_eq!(rule(&[(0, NO), (50, YES), (60, NO)], 100, false), Verdict::Pass);
        assert_eq!(rule(&[(0, NO), (53, YES)], 100, false), Verdict::Inconclusive);
        assert_eq!(rule(&[(0, NO), (56, YES)], 100, false), Verdict::Fail);
        assert_eq!(rule(&[(0, NO)], 100, false), Verdict::Fail);
        assert_eq!(rule(&[(0, NO)], 40, false), Verdict::Inconclusive);
        assert_eq!(rule(&[(0, NO), (20, YES)], 40, true), Verdict::Pass);
        assert_eq!(rule(&[(0, NO), (20, UNKNOWN)], 100, false), Verdict::Inconclusive);
        assert_eq!(rule(&[(0, NO), (20, UNKNOWN), (30, YES)], 100, false), Verdict::Pass);
    }

    #[test]
    fn staying_true_is_seen_at_the_end_only() {
        let deadline = Deadline { after_ns: 0, at_ns: 50, width_ns: 0 };
        let rule = |story: &[(i64, Truth)], end, cut| within_and_stays(&moments(story, end), deadline, &sight(end, cut)).verdict;
        // True at first, false once the fault is noticed, true again in time: the failover of the acceptance scenario.
        assert_eq!(rule(&[(0, YES), (10, NO), (40, YES)], 100, false), Verdict::Pass);
        assert_eq!(rule(&[(0, YES)], 100, false), Verdict::Pass);
        assert_eq!(rule(&[(0, YES), (10, NO), (60, YES)], 100, false), Verdict::Fail);
        assert_eq!(rule(&[(0, YES), (10, NO), (40, YES), (90, NO)], 100, false), Verdict::Fail);
        assert_eq!(rule(&[(0, YES), (10, NO), (40, YES)], 100, true), Verdict::Inconclusive);
        assert_eq!(rule(&[(0, YES), (10, NO)], 40, true), Verdict::Inconclusive);
        assert_eq!(rule(&[(0, YES), (10, NO)], 70, true), Verdict::Fail);
        assert_eq!(rule(&[(0, YES), (10, UNKNOWN), (40, YES)], 100, false), Verdict::Inconclusive);
        // What is seen at samples only is unknown between the last false one and the first true one.
        assert_eq!(rule(&[(0, NO), (10, UNKNOWN), (40, YES)], 100, false), Verdict::Pass);
        assert_eq!(rule(&[(0, NO), (10, UNKNOWN), (60, YES)], 100, false), Verdict::Inconclusive);
        assert_eq!(rule(&[(0, NO), (10, UNKNOWN), (40, YES), (50, UNKNOWN), (60, YES)], 100, false), Verdict::Inconclusive);
    }
}
