//! One expectation to its outcome. In: the flows, the events, an expectation. Out: its outcome in words and numbers.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{Expectation, Form, Subject};
use scn_reports::record::{Ended, Outcome, RunRecord, Verdict};

use super::condition::Ready;
use super::evidence::{Asked, Evidence};
use super::forms::{self, Deadline, Ruling, Sight};
use super::instants::{self, Instant};
use super::moments::{Moment, Question, range};
use super::range::{Range, Truth};
use super::{lateness, links, nearby, words};
use crate::measure::{Measured, Series, Window, show};

/// All that expectations are judged by.
pub(super) struct Court<'a> {
    /// The run.
    pub record: &'a RunRecord,
    /// What was measured in it.
    pub evidence: Evidence<'a>,
}

/// The instants that an expectation names.
struct Times {
    from: Option<Instant>,
    to: Option<Instant>,
    after: Option<Instant>,
}

/// An expectation's window and what was found in it.
struct Finding {
    ruling: Ruling,
    measured: Vec<Measured>,
    window: Option<Window>,
    /// How many moments were judged, by the temporal forms.
    moments: Option<u64>,
}

impl Finding {
    /// It cannot be told.
    fn doubt(&mut self, why: &str, but: &str) {
        let otherwise = if self.ruling.verdict == Verdict::Fail { "fail" } else { "pass" };
        self.ruling.verdict = Verdict::Inconclusive;
        self.ruling.reason = format!("{why}; {but} it would be a {otherwise}: {}", self.ruling.reason);
    }
}

impl Court<'_> {
    /// The outcome of an expectation.
    pub fn judge(&self, expectation: &Expectation) -> Outcome {
        let ready = Ready::new(&expectation.condition);
        let mut finding = self.find(expectation, &ready);
        self.excuse_lateness(expectation, &ready, &mut finding);
        self.excuse_links(&ready, &mut finding);
        self.regard_the_end(expectation, &mut finding.ruling);
        let name = |subject: &Subject| self.evidence.name(subject);
        let decided_ns = finding.ruling.decided_ns;
        let worst = finding.measured.iter().zip(&ready.metrics).find_map(|(m, metric)| {
            let (value, at) = m.worst?;
            Some((show::value(value, of_worst(metric)), at))
        });
        let shown = finding.ruling.shown.filter(|_| expectation.form != Form::Whole);
        let text = |metric: &Asked<'_>| {
            let until_ns = shown.map(|moment| moment.from_ns).or(finding.window.map(|window| window.to_ns.saturating_sub(1)))?;
            self.evidence.text(metric, until_ns)
        };
        let mut measured = words::measured(&ready, &finding.measured, self.evidence.context, &name, &text);
        if let Some(moment) = shown {
            let held = matches!(expectation.form, Form::Always | Form::Never) && finding.ruling.verdict == Verdict::Pass;
            measured.push_str(&if held {
                " at worst".to_owned()
            } else if ready.is_momentary() {
                format!(" at {}", show::instant(moment.from_ns))
            } else {
                format!(" in {}..{}", show::instant(moment.from_ns), show::instant(moment.to_ns))
            });
        }
        Outcome {
            verdict: finding.ruling.verdict,
            measured,
            expected: words::expected(expectation, &ready, self.evidence.context, &name),
            reason: finding.ruling.reason,
            samples: finding.moments.unwrap_or_else(|| finding.measured.iter().map(|m| m.samples).sum()),
            window_ns: finding.window.map(|window| (window.from_ns, self.last_instant(&ready, window))),
            decided_ns,
            worst: worst.or_else(|| shown_as_worst(&ready, &finding.measured, shown)),
            nearby: decided_ns.map(|at| nearby(self.record, at)).unwrap_or_default(),
        }
    }

    /// A window's end for people: a stop's own instant belongs to it.
    fn last_instant(&self, ready: &Ready<'_>, window: Window) -> i64 {
        let running = ready.flows().into_iter().filter_map(|flow| self.evidence.flows.get(flow.index())?.running());
        if running.into_iter().any(|running| running.to_ns == window.to_ns) { window.to_ns - 1 } else { window.to_ns }
    }

    fn times(&self, expectation: &Expectation) -> Result<Times, String> {
        let resolve = |at: Option<_>| at.map(|at| instants::resolve(at, self.evidence.context, self.record)).transpose();
        let after = if let Form::Within { after, .. } = expectation.form { after } else { None };
        Ok(Times { from: resolve(expectation.from)?, to: resolve(expectation.to)?, after: resolve(after)? })
    }

    fn find(&self, expectation: &Expectation, ready: &Ready<'_>) -> Finding {
        let nothing = |reason: String| Finding { ruling: Ruling::inconclusive(reason), measured: Vec::new(), window: None, moments: None };
        if let Some(unknown) = ready.flows().into_iter().find(|flow| flow.index() >= self.evidence.flows.len()) {
            return nothing(format!("the record has no flow {}", unknown.0));
        }
        let times = match self.times(expectation) {
            Ok(times) => times,
            Err(reason) => return nothing(reason),
        };
        // What comes true after an event is counted from the event, unless the window says otherwise.
        let begin = times.from.or(times.after);
        let bounds = Window { from_ns: begin.map_or(i64::MIN, |i| i.at_ns), to_ns: times.to.map_or(i64::MAX, |i| i.at_ns) };
        for subject in ready.subjects() {
            let name = self.evidence.name(subject);
            if self.evidence.runs(subject).is_empty() {
                return nothing(match subject {
                    Subject::Output(_) => format!("the command of {name} did not end"),
                    Subject::Link(_) | Subject::Interface(..) => format!("the record holds no samples of {name}"),
                    _ => format!("{name} never ran"),
                });
            }
            if self.evidence.cut(subject, bounds).is_empty() {
                let what = match subject {
                    Subject::Link(_) | Subject::Interface(..) => "has no sample",
                    _ => "did not run",
                };
                return nothing(format!("{name} {what} in the window{}", self.how_it_ended()));
            }
        }
        if expectation.form == Form::Whole {
            return self.whole(ready, bounds);
        }
        self.over_time(expectation, ready, bounds, &times)
    }

    /// `, and the run was cut`: for windows that may have come later.
    fn how_it_ended(&self) -> String {
        self.cut().map_or_else(String::new, |cut| format!(": {cut}"))
    }

    /// Why the run was cut, if it was.
    fn cut(&self) -> Option<String> {
        match &self.record.ended {
            Ended::Complete => None,
            Ended::Timeout(what) => Some(format!("the run was cut by its timeout ({what})")),
            Ended::Required(name) => Some(format!("the run was stopped because `{name}` was violated")),
            Ended::Interrupted(signal) => Some(format!("the run was interrupted by {signal}")),
            Ended::Failed(what) => Some(format!("the run broke: {what}")),
        }
    }

    /// Over the window as a whole; each flow's own start and stop cut it.
    fn whole(&self, ready: &Ready<'_>, bounds: Window) -> Finding {
        let of = |metric: &Asked<'_>| self.measure(metric, bounds);
        let measured: Vec<Measured> = ready.metrics.iter().map(of).collect();
        let windows = ready.subjects().into_iter().map(|subject| self.evidence.cut(subject, bounds));
        let window = windows.reduce(|a, b| Window { from_ns: a.from_ns.min(b.from_ns), to_ns: a.to_ns.max(b.to_ns) });
        let values: Vec<Range> = measured.iter().map(range).collect();
        let truth = ready.holds(&values);
        let mut ruling = match truth {
            Truth::Yes => Ruling { verdict: Verdict::Pass, ..Ruling::inconclusive("it holds") },
            Truth::No => Ruling { verdict: Verdict::Fail, ..Ruling::inconclusive("it does not hold") },
            Truth::Unknown => Ruling::inconclusive(self.why_unknown(ready, &measured)),
        };
        if truth != Truth::Unknown {
            let error = measured.iter().any(|m| m.error() > 0.0);
            if error {
                ruling.reason.push_str(", even with the error of measurement against it");
            }
            let notes: Vec<&str> = measured.iter().filter_map(|m| m.note.as_deref()).collect();
            if !notes.is_empty() {
                ruling.reason.push_str(&format!("; {}", notes.join("; ")));
            }
        }
        ruling.decided_ns = match window {
            Some(window) if ready.is_momentary() && truth != Truth::Unknown => self.turning_point(ready, window, truth),
            Some(window) => measured.iter().find_map(|m| m.worst).map(|(_, at)| at).or(Some(window.to_ns.saturating_sub(1))),
            None => None,
        };
        Finding { ruling, measured, window, moments: None }
    }

    fn measure(&self, metric: &Asked<'_>, bounds: Window) -> Measured {
        let mut measured = self.evidence.measure(metric, bounds);
        let ends = self.evidence.runs(&metric.subject).last().map(|(_, end)| *end);
        // What a program or a link would have done in a run that was not cut, nobody knows.
        let lasts = match metric.subject {
            Subject::Process(_) | Subject::Link(_) | Subject::Interface(..) => true,
            Subject::Stress(_) => self.evidence.stresses.was_cut(&metric.subject),
            _ => false,
        };
        if lasts && self.evidence.context.cut && ends.is_none_or(|end| bounds.to_ns > end) {
            measured.complete = false;
            measured.above = f64::INFINITY;
            if crate::measure::growth(&metric.name, metric.shape) != crate::measure::Growth::Up {
                measured.below = f64::INFINITY;
            }
        }
        measured
    }

    fn why_unknown(&self, ready: &Ready<'_>, measured: &[Measured]) -> String {
        if let Some((metric, m)) = ready.metrics.iter().zip(measured).find(|(_, m)| m.value.is_none()) {
            let why = m.note.as_deref().unwrap_or("there was nothing to measure");
            return format!("no data for {}.{}: {why}", self.evidence.name(&metric.subject), metric.name);
        }
        if let Some((metric, m)) = ready.metrics.iter().zip(measured).find(|(_, m)| !m.complete) {
            let series = metric.flow().and_then(|flow| self.evidence.flows.get(flow.index()));
            let why = series.map_or_else(|| self.cut(), |series| self.not_whole(series));
            let why = why.unwrap_or_else(|| "the window was not seen to its end".to_owned());
            let sofar = m.value.map_or_else(String::new, |value| format!("; so far {}", show::value(value, metric.dimension)));
            return format!("{why}, before the window's end{sofar}");
        }
        let notes: Vec<&str> = measured.iter().filter_map(|m| m.note.as_deref()).collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        format!("the error of measurement is larger than the margin{notes}")
    }

    /// Why a flow's series do not reach its end.
    fn not_whole(&self, series: &Series<'_>) -> Option<String> {
        let record = series.record;
        let why = record.tool.as_ref().map_or_else(
            || "more transactions than a record keeps".to_owned(),
            |tool| format!("{} failed: {}", tool.name, record.failures.first().map_or("", |failure| failure.what.as_str())),
        );
        let truncated = record.truncated_at_ns.map(|at| format!("the series of {} end at {}: {why}", record.name, show::instant(at)));
        truncated.or_else(|| self.cut())
    }

    /// When a condition over counters and gauges took its final truth. What had it all the time could have changed until the end.
    fn turning_point(&self, ready: &Ready<'_>, window: Window, truth: Truth) -> Option<i64> {
        let question = Question { ready, evidence: &self.evidence, window, judged_from_ns: window.from_ns, every_ns: 1 };
        let moments = question.moments();
        let last_other = moments.iter().rposition(|m| m.truth != truth);
        match last_other {
            Some(at) => moments.get(at + 1).or(moments.last()).map(|moment| moment.from_ns),
            None => Some(window.to_ns.saturating_sub(1)),
        }
    }

    /// `always`, `never`, `within`: over the time in which everything was there.
    fn over_time(&self, expectation: &Expectation, ready: &Ready<'_>, bounds: Window, times: &Times) -> Finding {
        let never = expectation.form == Form::Never;
        let window = ready.subjects().into_iter().fold(bounds, |window, subject| self.evidence.cut(subject, window));
        if window.is_empty() {
            let ruling = Ruling::inconclusive("what is measured was not there at the same time in the window");
            return Finding { ruling, measured: Vec::new(), window: None, moments: None };
        }
        let judged_from_ns = times.after.map_or(window.from_ns, |after| after.at_ns.max(window.from_ns));
        let every_ns = i64::try_from(expectation.sampled_every_ns).unwrap_or(i64::MAX);
        let question = Question { ready, evidence: &self.evidence, window, judged_from_ns, every_ns };
        let mut moments = question.moments();
        if never {
            for moment in &mut moments {
                (moment.truth, moment.badness) = (moment.truth.not(), -moment.badness);
            }
        }
        let sight = self.sight(ready, window, (!ready.is_momentary()).then_some(every_ns));
        let mut ruling = match expectation.form {
            Form::Within { limit_ns, stays, .. } => {
                let after = times.after.unwrap_or(Instant { at_ns: window.from_ns, width_ns: 0 });
                let limit = i64::try_from(limit_ns).unwrap_or(i64::MAX);
                let at_ns = after.at_ns.saturating_add(limit);
                let deadline = Deadline { after_ns: after.at_ns, at_ns, width_ns: after.width_ns };
                if stays { forms::within_and_stays(&moments, deadline, &sight) } else { forms::within(&moments, deadline, &sight) }
            }
            _ => forms::always(&moments, &sight, never),
        };
        let measured = ruling.shown.map(|moment| question.values(&moment)).unwrap_or_default();
        if ruling.verdict == Verdict::Pass
            && let Some(missing) = self.missing_evidence(ready, window)
        {
            ruling = Ruling { shown: ruling.shown, ..Ruling::inconclusive(missing) };
        }
        Finding { ruling, measured, window: Some(window), moments: Some(moments.len() as u64) }
    }

    /// A metric that had nothing to be counted on: no expectation passes on it.
    fn missing_evidence(&self, ready: &Ready<'_>, window: Window) -> Option<String> {
        if !ready.is_momentary() {
            return None;
        }
        ready.metrics.iter().find_map(|metric| {
            let measured = self.measure(metric, window);
            let why = measured.note.unwrap_or_default();
            measured.value.is_none().then(|| format!("no data for {}.{}: {why}", self.evidence.name(&metric.subject), metric.name))
        })
    }

    fn sight(&self, ready: &Ready<'_>, window: Window, interval_ns: Option<i64>) -> Sight {
        let flows = ready.flows();
        let series = flows.iter().filter_map(|flow| self.evidence.flows.get(flow.index()));
        let unseen = series.into_iter().find(|series| !series.saw_whole(window, self.evidence.context.cut));
        let cut = unseen.map(|series| self.not_whole(series).unwrap_or_else(|| "the run was cut".to_owned()));
        let reaches_end = |subject: &&Subject| self.evidence.runs(subject).last().is_none_or(|(_, end)| window.to_ns > *end);
        let others = ready.subjects().into_iter().filter(|subject| match subject {
            Subject::Flow(_) => false,
            Subject::Stress(_) => self.evidence.stresses.was_cut(subject),
            _ => true,
        });
        let cut = cut.or_else(|| if others.into_iter().any(|subject| reaches_end(&subject)) { self.cut() } else { None });
        Sight { end_ns: window.to_ns, cut, interval_ns }
    }

    /// A late program decides nothing that depends on time.
    fn excuse_lateness(&self, expectation: &Expectation, ready: &Ready<'_>, finding: &mut Finding) {
        let Some(window) = finding.window else { return };
        let metrics: Vec<_> = ready.metrics.iter().map(|asked| asked.metric).collect();
        if !lateness::may_have_caused(finding.ruling.verdict, &metrics, expectation) {
            return;
        }
        // What crosses links and interfaces is of all flows.
        let of_all = ready.subjects().iter().any(|subject| matches!(subject, Subject::Link(_) | Subject::Interface(..)));
        let flows: Vec<&Series<'_>> = if of_all {
            self.evidence.flows.iter().collect()
        } else {
            ready.flows().into_iter().filter_map(|flow| self.evidence.flows.get(flow.index())).collect()
        };
        let tolerance_ns = self.record.tolerance_ns;
        let entries = || {
            let why = lateness::of_entries(&self.record.events, window, tolerance_ns)?;
            (!self.fails_in_time(expectation, ready, finding, window)).then_some(why)
        };
        let excuse = lateness::of_flows(&flows, window, tolerance_ns).or_else(entries);
        let excuse = excuse.or_else(|| if of_packets(ready) { links::late(self.record) } else { None });
        if let Some(excuse) = excuse {
            finding.doubt(&excuse, "in time");
        }
    }

    /// Whether it fails however the late entries of the timeline changed the loads that it speaks of. An entry changes nothing before its
    /// time, and of what came afterwards it changes what came in its lateness. `always` and `never` fail at one moment already.
    fn fails_in_time(&self, expectation: &Expectation, ready: &Ready<'_>, finding: &Finding, window: Window) -> bool {
        let metrics: Vec<_> = ready.metrics.iter().map(|asked| asked.metric).collect();
        if finding.ruling.verdict != Verdict::Fail || !lateness::is_limited(&metrics) {
            return false;
        }
        let fails = |stretch: Window, measured: &[Measured], truth: Truth| {
            let late_ns = lateness::together_ns(&self.record.events, window, stretch.to_ns, self.record.tolerance_ns);
            lateness::holds(ready, &self.evidence, measured, stretch, late_ns) == truth
        };
        let failed = match expectation.form {
            Form::Whole => return fails(window, &finding.measured, Truth::No),
            Form::Within { .. } => return false,
            Form::Always => Truth::No,
            Form::Never => Truth::Yes,
        };
        let every_ns = i64::try_from(expectation.sampled_every_ns).unwrap_or(i64::MAX);
        let question = Question { ready, evidence: &self.evidence, window, judged_from_ns: window.from_ns, every_ns };
        let first = finding.ruling.decided_ns.map(|from_ns| {
            let to_ns = from_ns.saturating_add(every_ns);
            Moment { from_ns, to_ns, since_ns: to_ns, truth: Truth::No, badness: f64::NAN }
        });
        first
            .into_iter()
            .chain(finding.ruling.shown)
            .any(|moment| fails(Window { from_ns: moment.from_ns, to_ns: moment.to_ns }, &question.values(&moment), failed))
    }

    /// Links that can't be trusted, or that lost packets of themselves, decide nothing about flows and about links.
    fn excuse_links(&self, ready: &Ready<'_>, finding: &mut Finding) {
        if !of_packets(ready) {
            return;
        }
        if let Some(spoiled) = links::spoiled(self.record, finding.ruling.verdict) {
            finding.doubt(&spoiled, "otherwise");
        }
    }

    /// How the run ended decides what is still open.
    fn regard_the_end(&self, expectation: &Expectation, ruling: &mut Ruling) {
        match &self.record.ended {
            Ended::Required(name) if *name == expectation.name && ruling.verdict != Verdict::Fail => {
                let end = i64::try_from(self.record.duration_ns).unwrap_or(i64::MAX);
                ruling.verdict = Verdict::Fail;
                ruling.reason = format!("it was violated while the run went on, which stopped the run at {}", show::instant(end));
                ruling.decided_ns = Some(end);
            }
            Ended::Failed(what) if ruling.verdict == Verdict::Inconclusive => {
                ruling.verdict = Verdict::Error;
                ruling.reason = format!("the run broke ({what}) before it could be told: {}", ruling.reason);
            }
            _ => {}
        }
    }
}

/// It speaks of what crosses links.
fn of_packets(ready: &Ready<'_>) -> bool {
    ready
        .subjects()
        .iter()
        .any(|subject| matches!(subject, Subject::Flow(_) | Subject::Link(_) | Subject::Interface(..) | Subject::Stress(_)))
}

/// What the worst sample of a metric is: of outages that are counted it is the longest.
fn of_worst(metric: &Asked<'_>) -> Dimension {
    if metric.name == "outage.count" { Dimension::Duration } else { metric.dimension }
}

/// For counters and gauges the shown moment is the worst sample.
fn shown_as_worst(ready: &Ready<'_>, measured: &[Measured], shown: Option<Moment>) -> Option<(String, i64)> {
    let (metric, measured) = (ready.metrics.first()?, measured.first()?);
    Some((show::value(measured.value?, metric.dimension), shown?.from_ns))
}
