//! Windows that can give no data: backward, shorter than an interval, without the event that is counted from, read before anything
//! was sampled. In: an expectation and what is known of the timeline. Out: problems. Knows no measured value.

use super::draft::Draft;
use super::moment_error::MomentError;
use super::timing::show_ns;
use super::windows::Window;
use crate::quantity::BILLION;
use crate::scenario::expect::{Expectation, Form, Metric, Shape};
use crate::scenario::pattern::{Step, StepKind};
use crate::scenario::timeline::TimeRef;
use crate::scenario::{FlowId, flow::Flow};
use crate::source::Span;
use crate::syntax::tree::{ExpectStatement, WindowKind};

/// The shortest interval that can be said, ns.
const SHORTEST_NS: i64 = BILLION / 100;

/// What a window begins or ends with, and where that is written.
type Edge = Option<(TimeRef, Span)>;

impl Draft<'_, '_> {
    /// From one instant to another, ns, if that is known: less than 0 if the second comes first.
    fn distance(&self, from: TimeRef, to: TimeRef) -> Option<i64> {
        if from.event == to.event {
            return to.offset_ns.checked_sub(from.offset_ns);
        }
        self.known_instant(to)?.checked_sub(self.known_instant(from)?)
    }

    /// Reports a window that ends before it begins, or where it begins.
    pub(super) fn check_order(&mut self, statement: &ExpectStatement, window: &Window) {
        let (mut begin, mut end): (Edge, Edge) = (None, None);
        for clause in &statement.clauses {
            match &clause.kind {
                WindowKind::During(from, to) => {
                    begin = window.from.map(|at| (at, from.span));
                    end = window.to.map(|at| (at, to.span));
                }
                WindowKind::Before(to) => end = window.to.map(|at| (at, to.span)),
                WindowKind::After(from) => begin = window.from.map(|at| (at, from.span)),
                WindowKind::Within { after: Some(after), .. } if begin.is_none() => {
                    begin = window.within.and_then(|(_, at, _)| at).map(|at| (at, after.span));
                }
                WindowKind::Within { .. } | WindowKind::Sampled(_) => {}
            }
        }
        let (Some((from, other)), Some((to, span))) = (begin, end) else { return };
        let Some(length) = self.distance(from, to).filter(|length| *length <= 0) else { return };
        let known = self.known_instant(from).zip(self.known_instant(to));
        let known = known.filter(|(from, to)| from != to).map(|(from, to)| (show_ns(from), show_ns(to)));
        self.context.raise(MomentError::BackwardWindow { empty: length == 0, known, span, other });
    }

    /// Warns of `sampled every` where no interval is looked at.
    pub(super) fn check_sampling(&mut self, statement: &ExpectStatement, form: Form, metrics: &[&Metric]) {
        let Some(clause) = statement.clauses.iter().find(|clause| matches!(clause.kind, WindowKind::Sampled(_))) else { return };
        let reason = if form == Form::Whole {
            "a plain expectation looks at the window as a whole"
        } else if metrics.iter().all(|metric| metric.shape != Shape::Interval) {
            "counters and gauges are judged at every change"
        } else {
            return;
        };
        let help = if form == Form::Whole { "say `always` or `never` before the condition, or leave it out" } else { "leave it out" };
        let (verb, reason, help) = ("sampled every".to_owned(), reason.to_owned(), help.to_owned());
        self.context.raise(MomentError::NoEffect { verb, reason, span: clause.span, other: None, help });
    }

    /// Reports windows in which an expectation finds nothing to be judged by.
    pub(super) fn check_extent(&mut self, expectation: &Expectation, window: &Window, metrics: &[&Metric]) {
        let place = window.place.unwrap_or(expectation.span);
        let after = if let Form::Within { after, .. } = expectation.form { after } else { None };
        let (begin, end) = (window.from.or(after), window.to);
        for metric in metrics {
            self.check_event(metric, begin, end, place);
            self.check_read(metric, end);
        }
        let judged_by_intervals = expectation.form != Form::Whole && metrics.iter().any(|metric| metric.shape == Shape::Interval);
        if judged_by_intervals {
            self.check_interval(expectation.sampled_every_ns, metrics, (begin, end), place);
        }
    }

    /// A metric that counts from an event needs it in the window.
    fn check_event(&mut self, metric: &Metric, begin: Option<TimeRef>, end: Option<TimeRef>, place: Span) {
        let Some(event) = metric.event else { return };
        let at = TimeRef { event: Some(event), offset_ns: 0 };
        let early = begin.and_then(|begin| self.distance(begin, at)).is_some_and(|since| since < 0);
        let late = end.and_then(|end| self.distance(at, end)).is_some_and(|left| left <= 0);
        if !early && !late {
            return;
        }
        let Some(entry) = self.scenario.timeline.iter().find(|entry| entry.event == Some(event)) else { return };
        let other = entry.span;
        let name = self.scenario.events.get(event.index()).map_or("", |event| event.name.as_str());
        let reason = format!("`{name}` comes {} it", if early { "before" } else { "after" });
        let thing = format!("`{}({name})`", metric.name);
        self.context.raise(MomentError::OutsideLife { thing, reason, span: place, other });
    }

    /// At least one whole interval fits into the window, as far as all of the flows run in it.
    fn check_interval(&mut self, every_ns: u64, metrics: &[&Metric], window: (Option<TimeRef>, Option<TimeRef>), place: Span) {
        let lives: Vec<_> = metrics.iter().filter_map(|metric| self.life_of(metric.flow()?)).collect();
        let begin = window.0.map_or(Some(0), |begin| self.known_instant(begin));
        let end = window.1.map_or(i64::try_from(self.scenario.timeout_ns).ok(), |end| self.known_instant(end));
        let same = window.0.zip(window.1).and_then(|(begin, end)| self.distance(begin, end));
        let from = begin.into_iter().chain(lives.iter().filter_map(|life| life.from)).max();
        let to = end.into_iter().chain(lives.iter().filter_map(|life| life.to)).min();
        // An edge that is not known makes the window no longer than the other edges say.
        let between = begin.and(end).and(from.zip(to)).and_then(|(from, to)| to.checked_sub(from));
        let Some(length) = between.into_iter().chain(same).min().filter(|length| *length > 0) else { return };
        let every = i64::try_from(every_ns).unwrap_or(i64::MAX);
        if length >= every {
            return;
        }
        let help = if length >= SHORTEST_NS {
            format!("make the window longer, or write `sampled every {}`", show_ns((length / 10).max(SHORTEST_NS)))
        } else {
            "make the window longer".to_owned()
        };
        self.context.raise(MomentError::ShortWindow { every: show_ns(every), length: show_ns(length), span: place, help });
    }

    /// What the kernel tells of a connection is read at its end: a held one has told nothing before.
    fn check_read(&mut self, metric: &Metric, end: Option<TimeRef>) {
        let Some(id) = metric.flow().filter(|_| metric.name.starts_with("tcp.")) else { return };
        let (Some(flow), Some(to)) = (self.scenario.flows.get(id.index()), end.and_then(|end| self.known_instant(end))) else { return };
        let ends = self.life_of(id).map(|life| life.to.unwrap_or_else(|| self.lasts_until()));
        if !holds(flow) || flow.sample_tcp_info_ns.is_some() || ends.is_none_or(|ends| to >= ends) {
            return;
        }
        let (metric_name, flow_name, span) = (metric.name.clone(), flow.name.clone(), metric.span);
        self.context.raise(MomentError::Unsampled { metric: metric_name, flow: flow_name, to: show_ns(to), span });
    }

    /// The run lasts at least so long, ns: to the last instant that is known.
    fn lasts_until(&self) -> i64 {
        let flows = (0u32..).zip(&self.scenario.flows).filter_map(|(id, _)| self.life_of(FlowId(id))?.to);
        self.moments.instants.iter().filter_map(|instant| *instant).chain(flows).max().unwrap_or(0)
    }
}

/// A flow keeps its connections for as long as nothing breaks them.
fn holds(flow: &Flow) -> bool {
    let closes = flow.pattern.as_ref().is_some_and(|pattern| closes(&pattern.steps));
    flow.tool.is_none() && flow.load.total.is_none() && flow.load.transactions.is_none() && !closes
}

/// A step ends the connection.
fn closes(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Closes { .. } => true,
        StepKind::Repeat { steps, .. } => closes(steps),
        StepKind::Choose { branches } => branches.iter().any(|branch| closes(&branch.steps)),
        _ => false,
    })
}
