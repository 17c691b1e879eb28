//! When flows run, as far as it is known before the run, and whether a window shows anything of them. In: the timeline and an
//! expectation. Out: problems. Knows no measured value.

use super::draft::Draft;
use super::moment_error::MomentError;
use super::timing::show_ns;
use super::windows::Window;
use crate::scenario::FlowId;
use crate::scenario::expect::{Expectation, Form, Metric};
use crate::scenario::flow::Load;
use crate::scenario::timeline::{Action, TimeRef};
use crate::source::Span;

/// The first and last instant of a flow, ns; `None`: not known, or no end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    span: Span,
}

/// A percentile of less than this part of the samples that it needs is warned of.
const TOO_FEW: u64 = 4;

impl Draft<'_, '_> {
    /// An instant in ns after the start, if that is known.
    pub(super) fn known_instant(&self, time: TimeRef) -> Option<i64> {
        let base = match time.event {
            None => 0,
            Some(event) => {
                let place = self.scenario.timeline.iter().position(|entry| entry.event == Some(event))?;
                self.moments.instants.get(place).copied().flatten()?
            }
        };
        base.checked_add(time.offset_ns)
    }

    /// When a flow runs. Without a start in the timeline: from the beginning.
    pub(super) fn life_of(&self, flow: FlowId) -> Option<Life> {
        let declared = self.scenario.flows.get(flow.index())?;
        let instant = |place: usize| self.moments.instants.get(place).copied().flatten();
        let mut starts = (self.scenario.timeline.iter().enumerate())
            .filter(|(_, entry)| matches!(&entry.action, Action::Start(flows) if flows.contains(&flow)));
        let (from, span, lasts_ns) = match (starts.next(), starts.next()) {
            (None, _) => (Some(0), declared.span, None),
            (Some((place, entry)), None) => (instant(place), entry.span, entry.lasts_ns),
            // Started several times: nothing simple is known.
            _ => return None,
        };
        let length = declared.load.duration_ns.into_iter().chain(lasts_ns).min().and_then(|ns| i64::try_from(ns).ok());
        let by_itself = from.zip(length).and_then(|(from, length)| from.checked_add(length));
        // A stop whose instant is not known may come earlier than one whose instant is: the end is at the latest then.
        let stops = (self.scenario.timeline.iter().enumerate())
            .filter(|(_, entry)| matches!(&entry.action, Action::Stop(flows) if flows.contains(&flow)))
            .filter_map(|(place, _)| instant(place));
        let to = stops.chain(by_itself).min();
        Some(Life { from, to, span })
    }

    /// Reports a metric whose flow certainly does not run in the expectation's window.
    pub(super) fn check_window(&mut self, expectation: &Expectation, window: &Window, metrics: &[&Metric]) {
        let Some(place) = window.place else { return };
        let first = window.from.and_then(|time| self.known_instant(time));
        let last = window.to.and_then(|time| self.known_instant(time));
        // `within` looks no further than its limit.
        let first = first.or(match expectation.form {
            Form::Within { after: Some(after), .. } => self.known_instant(after),
            _ => None,
        });
        for metric in metrics {
            let Some(flow) = metric.flow() else { continue };
            let Some(life) = self.life_of(flow) else { continue };
            let late = last.zip(life.from).filter(|(last, from)| last <= from);
            let early = first.zip(life.to).filter(|(first, to)| first >= to);
            let reason = match (late, early) {
                (Some((last, from)), _) => format!("it ends at {}, and the flow starts at {}", show_ns(last), show_ns(from)),
                (_, Some((first, to))) => format!("it begins at {}, and the flow ends at {} at the latest", show_ns(first), show_ns(to)),
                _ => continue,
            };
            let name = self.scenario.flows.get(flow.index()).map(|flow| flow.name.clone()).unwrap_or_default();
            self.context.raise(MomentError::OutsideLife { thing: format!("the flow `{name}`"), reason, span: place, other: life.span });
            return;
        }
    }

    /// Warns of a percentile that has fewer samples than it needs to differ from the largest.
    pub(super) fn check_samples(&mut self, window: &Window, metrics: &[&Metric]) {
        for metric in metrics {
            let least = match metric.name.rsplit('.').next() {
                Some("p90") => 10,
                Some("p95") => 20,
                Some("p99") => 100,
                Some("p999") => 1_000,
                _ => continue,
            };
            let Some(flow) = metric.flow().and_then(|flow| self.scenario.flows.get(flow.index()).map(|found| (flow, found))) else {
                continue;
            };
            let (id, found) = flow;
            // What the kernel says of connections is sampled by the clock, what happens once a connection by connections.
            let once = ["connect_time.", "handshake_time.", "reconnect_time."].iter().any(|family| metric.name.starts_with(family));
            if metric.name.starts_with("tcp.") || found.tool.is_some() {
                continue;
            }
            let in_all = if once { found.load.total } else { items_in_all(&found.load) };
            let life = self.life_of(id);
            let from = window.from.map_or(life.and_then(|life| life.from), |time| self.known_instant(time));
            let to = window.to.map_or(life.and_then(|life| life.to), |time| self.known_instant(time));
            let length = from.zip(to).and_then(|(from, to)| to.checked_sub(from)).and_then(|length| u64::try_from(length).ok());
            let fixed_rate = found.load.rate_nano.filter(|_| found.load.rate_change.is_none() && !self.is_set(id) && !once);
            let by_rate = fixed_rate.zip(length).map(|(rate, length)| {
                let items = u128::from(rate) * u128::from(length) / 1_000_000_000_000_000_000;
                u64::try_from(items).unwrap_or(u64::MAX).saturating_add(1)
            });
            let Some(most) = in_all.into_iter().chain(by_rate).min().filter(|most| *most < least / TOO_FEW) else { continue };
            let (metric, span) = (metric.name.clone(), metric.span);
            self.context.raise(MomentError::FewSamples { metric, most, least, span });
        }
    }

    /// The timeline changes a flow while it runs.
    fn is_set(&self, flow: FlowId) -> bool {
        self.scenario.timeline.iter().any(|entry| matches!(&entry.action, Action::Set { flows, .. } if flows.contains(&flow)))
    }
}

/// Items that a flow makes in all, if it says how many.
fn items_in_all(load: &Load) -> Option<u64> {
    load.total?.checked_mul(load.transactions.unwrap_or(1))
}
