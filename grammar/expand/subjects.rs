//! Metrics of conditions: what is measured, and what of it. In: paths such as `steady.outage.max`, `wan.forward.dropped`,
//! `r1.eth0.rx_packets`. Out: [`Metric`]s with their row of the table. Whether a flow can measure it is `capability`'s question.

use super::draft::Draft;
use super::moment_error::MomentError;
use super::stars::{MEASURED, MEASURED_WORDS, Picks};
use super::things::{ThingKind, Things};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::expect::{Metric, Subject};
use crate::scenario::metrics::{self, MetricRow, OwnerKind, STATISTICS};
use crate::scenario::{EventId, FlowId, LinkId, NodeId, ProcessId, StressId};
use crate::source::Span;
use crate::syntax::tree::{Argument, Indexed};

/// Stands for a thing whose own problem was reported, so that the rest of a condition is checked too.
const WRONG: u32 = u32::MAX;

/// The words of the ways of a link.
const WAYS: &[&str] = &["forward", "back"];

/// What a path starts with, and the words of its metric.
struct Head<'p> {
    subject: Subject,
    rest: &'p [Indexed],
    kind: ThingKind,
    words: String,
}

impl Draft<'_, '_> {
    /// A metric by its path; with `arguments` in parentheses.
    pub(super) fn metric(
        &mut self,
        path: &[Indexed],
        arguments: Option<&[Argument]>,
        span: Span,
        picks: &Picks,
    ) -> Option<(Metric, &'static MetricRow)> {
        let Head { subject, rest, kind, words } = self.thing_at_head(path, picks)?;
        if rest.is_empty() {
            self.needs_metric(kind, &words, path.first()?.span);
            return None;
        }
        let place = rest.first().zip(rest.last()).map_or(span, |(a, b)| a.span.to(b.span));
        if let Some(part) = rest.iter().find(|part| part.index.is_some()) {
            let (name, declared) = (part.name.text.clone(), path.first()?.span);
            self.context.raise(ResolveError::NotReplicated { name, span: part.span, declared });
            return None;
        }
        let name = rest.iter().map(|part| part.name.text.as_str()).collect::<Vec<_>>().join(".");
        let owner = subject.kind();
        let way = WAYS.iter().find_map(|way| name.strip_prefix(way)?.strip_prefix('.')).filter(|_| owner == OwnerKind::Link);
        let Some(row) = metrics::find(owner, way.unwrap_or(&name)) else {
            self.unknown_metric(owner, name, place);
            return None;
        };
        let event = self.metric_event(row, arguments, span)?;
        if !self.count_measured(span) {
            return None;
        }
        let metric = Metric { subject, name, event, dimension: row.dimension(), shape: row.shape, span };
        self.can_measure(&metric, row, place).then_some((metric, row))
    }

    /// What a path starts with.
    fn thing_at_head<'p>(&mut self, path: &'p [Indexed], picks: &Picks) -> Option<Head<'p>> {
        let first = path.first()?;
        let Some(kind) = self.thing_kind(path) else {
            let known = self.context.things.visible(MEASURED, "");
            let help = suggest(&first.name.text, known.iter().map(String::as_str));
            self.context.raise(ResolveError::UnknownFlow { name: first.name.text.clone(), span: first.name.span, help });
            return None;
        };
        let before = self.context.errors;
        let Some((things, rest)) = self.thing_and_rest(path, MEASURED, MEASURED_WORDS) else {
            // What a flow that is itself wrong would measure is looked at all the same.
            let wrong = kind == ThingKind::Flow && self.context.errors == before;
            let (subject, rest, words) = (Subject::Flow(FlowId(WRONG)), path.get(1..)?, first.name.text.clone());
            return wrong.then_some(Head { subject, rest, kind, words });
        };
        let id = if things.many { picks.of(&things) } else { None }.or_else(|| things.ids.first().copied())?;
        let (kind, words) = (things.kind, things.words.clone());
        let (subject, rest) = match kind {
            ThingKind::Flow => (Subject::Flow(FlowId(id)), rest),
            ThingKind::Link => (Subject::Link(LinkId(id)), rest),
            ThingKind::Process => (Subject::Process(ProcessId(id)), rest),
            ThingKind::Stress => (Subject::Stress(StressId(id)), rest),
            ThingKind::Event => (self.output_of(EventId(id), &things, rest, path)?, rest),
            _ => {
                let Some((interface, rest)) = rest.split_first() else {
                    self.needs_metric(kind, &words, first.span);
                    return None;
                };
                self.interface(NodeId(id), &interface.name)?;
                (Subject::Interface(NodeId(id), interface.name.text.clone()), rest)
            }
        };
        Some(Head { subject, rest, kind, words })
    }

    /// The output of the command that an event's entry runs.
    fn output_of(&mut self, event: EventId, things: &Things, rest: &[Indexed], path: &[Indexed]) -> Option<Subject> {
        if self.moments.runs.contains(&event) || event.0 == WRONG || rest.is_empty() {
            return Some(Subject::Output(event));
        }
        let span = path.first()?.span.to(path.last()?.span);
        let (metric, thing) =
            (rest.iter().map(|part| part.name.text.as_str()).collect::<Vec<_>>().join("."), format!("the event `{}`", things.words));
        let reason = "its entry runs no command".to_owned();
        let help = Some("only `run on NODE \"command\" as NAME` gives an output".to_owned());
        self.context.raise(MomentError::NotMeasured { metric, thing, reason, span, help });
        None
    }

    /// The event a metric counts from. The outer `None`: wrong, which was reported.
    fn metric_event(&mut self, row: &MetricRow, arguments: Option<&[Argument]>, span: Span) -> Option<Option<EventId>> {
        let (metric, takes) = (row.name.to_owned(), row.takes_event);
        match (takes, arguments) {
            (false, None) => Some(None),
            (true, Some([Argument { name: None, value }])) => {
                let time = self.instant(value)?;
                if time.event.is_none() || time.offset_ns != 0 {
                    self.context.raise(MomentError::MetricEvent { metric, takes, span: value.span });
                    return None;
                }
                Some(time.event)
            }
            _ => {
                self.context.raise(MomentError::MetricEvent { metric, takes, span });
                None
            }
        }
    }

    fn unknown_metric(&mut self, owner: OwnerKind, name: String, span: Span) {
        let family = format!("{name}.");
        let members: Vec<&str> = metrics::of(owner).filter_map(|row| row.name.strip_prefix(&family)).collect();
        if !members.is_empty() {
            let all = if members == ["*"] { STATISTICS.join(", ") } else { members.join(", ").replace('*', STATISTICS[0]) };
            self.context.raise(MomentError::NeedsStatistic { metric: name, all, span });
            return;
        }
        let elsewhere: Vec<&str> = (OwnerKind::ALL.iter())
            .filter(|other| **other != owner && metrics::find(**other, &name).is_some())
            .map(|other| other.words())
            .collect();
        let all: Vec<String> = metrics::of(owner)
            .flat_map(|row| match row.name.strip_suffix('*') {
                Some(family) => STATISTICS.iter().map(|s| format!("{family}{s}")).collect(),
                None => vec![row.name.to_owned()],
            })
            .collect();
        let near = suggest(&name, all.iter().map(String::as_str)).filter(|help| help.starts_with("did"));
        let has = || (!elsewhere.is_empty()).then(|| format!("{} has it", elsewhere.join(" and ")));
        let few = || suggest(&name, all.iter().map(String::as_str));
        let help = near.or_else(has).or_else(few).or_else(|| Some("`scn help language` lists them under \"Metrics\"".to_owned()));
        self.context.raise(ResolveError::UnknownMetric { of: owner.words(), name, span, help });
    }
}
