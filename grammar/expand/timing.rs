//! Instants: a duration from the start (inside a call: from the call), or an event and an offset. In: expressions of times. Out:
//! [`TimeRef`]s; circles, times before the start and after the timeout are reported. Has no clock.

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{DEPTH_LIMIT, bare};
use super::moment_error::MomentError;
use super::things::ThingKind;
use crate::quantity::{Dimension, Quantity};
use crate::resolve::ResolveError;
use crate::scenario::EventId;
use crate::scenario::timeline::{TimeRef, When};
use crate::syntax::tree::{BinaryOperator, Expr, ExprKind, Indexed};

/// Shows a duration in ns as it would be written.
pub(super) fn show_ns(ns: i64) -> String {
    Quantity::new(Dimension::Duration, ns).to_string()
}

impl Draft<'_, '_> {
    /// An instant.
    pub(super) fn instant(&mut self, expr: &Expr) -> Option<TimeRef> {
        let mut found = self.instant_at(expr, 0)?;
        if found.event.is_none() && found.offset_ns < 0 {
            let by = show_ns(found.offset_ns.saturating_neg());
            self.context.raise(MomentError::BeforeStart { span: expr.span, by });
            return None;
        }
        if let Some(base) = self.moments.base.filter(|_| found.event.is_none()) {
            let Some(offset_ns) = base.offset_ns.checked_add(found.offset_ns) else {
                self.context.raise(ExpandError::Overflow { span: expr.span });
                return None;
            };
            found = TimeRef { offset_ns, ..base };
        }
        Some(found)
    }

    fn instant_at(&mut self, expr: &Expr, depth: usize) -> Option<TimeRef> {
        let expr = bare(expr);
        if depth > DEPTH_LIMIT {
            self.context.raise(ExpandError::TooDeep { span: expr.span, limit: DEPTH_LIMIT });
            return None;
        }
        if let ExprKind::Path(parts) = &expr.kind
            && self.is_event(parts)
        {
            let events = self.things_of(parts, &[ThingKind::Event], "event")?;
            if events.many {
                self.context.raise(ResolveError::OnlyOne { name: self.context.words(expr.span), span: expr.span });
                return None;
            }
            return Some(TimeRef { event: events.ids.first().copied().map(EventId), offset_ns: 0 });
        }
        if let ExprKind::Binary(operator @ (BinaryOperator::Add | BinaryOperator::Subtract), left, right) = &expr.kind
            && (self.names_event(left, 0) || self.names_event(right, 0))
        {
            let swapped = *operator == BinaryOperator::Add && !self.names_event(left, 0);
            let (base, offset) = if swapped { (right, left) } else { (left, right) };
            let base = self.instant_at(base, depth + 1);
            let offset = self.context.base_units(offset, Dimension::Duration, &self.scope);
            let (base, offset) = (base?, offset?);
            let sum =
                if *operator == BinaryOperator::Add { base.offset_ns.checked_add(offset) } else { base.offset_ns.checked_sub(offset) };
            let Some(offset_ns) = sum else {
                self.context.raise(ExpandError::Overflow { span: expr.span });
                return None;
            };
            return Some(TimeRef { offset_ns, ..base });
        }
        let offset_ns = self.context.base_units(expr, Dimension::Duration, &self.scope)?;
        Some(TimeRef { event: None, offset_ns })
    }

    /// A path names an event, or can only be meant to.
    fn is_event(&self, path: &[Indexed]) -> bool {
        match (self.thing_kind(path), path) {
            (Some(ThingKind::Event), _) => true,
            (_, [one]) => self.scope.find(self.context, &one.name.text).is_none(),
            _ => false,
        }
    }

    /// An event, or what can only be meant as one, is named somewhere in a sum.
    fn names_event(&self, expr: &Expr, depth: usize) -> bool {
        let expr = bare(expr);
        match &expr.kind {
            _ if depth > DEPTH_LIMIT => false,
            ExprKind::Path(path) => self.is_event(path),
            ExprKind::Binary(BinaryOperator::Add | BinaryOperator::Subtract, left, right) => {
                self.names_event(left, depth + 1) || self.names_event(right, depth + 1)
            }
            _ => false,
        }
    }

    /// Reports events that wait for each other, times before the start and entries after the timeout.
    pub(super) fn check_times(&mut self) {
        let mut maker: Vec<Option<usize>> = vec![None; self.scenario.events.len()];
        for (position, entry) in self.scenario.timeline.iter().enumerate() {
            if let Some(event) = entry.event {
                maker[event.index()] = Some(position);
            }
        }
        // What an entry waits for, and how long after it.
        let waits: Vec<Option<(Option<usize>, i64)>> = (self.scenario.timeline.iter())
            .map(|entry| match &entry.when {
                When::At(time) => match time.event {
                    None => Some((None, time.offset_ns)),
                    Some(event) => maker[event.index()].map(|position| (Some(position), time.offset_ns)),
                },
                When::Condition { .. } => None,
            })
            .collect();
        let mut instants: Vec<Option<Option<i64>>> = vec![None; waits.len()];
        for start in 0..waits.len() {
            self.follow_waits(start, &waits, &mut instants);
        }
        let timeout = i64::try_from(self.scenario.timeout_ns).unwrap_or(i64::MAX);
        // What a loop or `every` repeats is told once.
        let mut told = std::collections::BTreeSet::new();
        for (position, instant) in instants.iter().enumerate() {
            let span = self.scenario.timeline[position].span;
            match instant {
                Some(Some(ns)) if *ns < 0 && told.insert(span) => {
                    self.context.raise(MomentError::BeforeStart { span, by: show_ns(ns.saturating_neg()) })
                }
                Some(Some(ns)) if *ns > timeout && told.insert(span) => {
                    self.context.raise(MomentError::AfterTimeout { span, instant: show_ns(*ns), timeout: show_ns(timeout) });
                }
                _ => {}
            }
        }
        self.moments.instants = instants.into_iter().map(Option::flatten).collect();
    }

    /// Finds the instant of an entry and of those it waits for. `Some(None)`: only known when it runs.
    fn follow_waits(&mut self, start: usize, waits: &[Option<(Option<usize>, i64)>], instants: &mut [Option<Option<i64>>]) {
        let mut way: Vec<usize> = Vec::new();
        let mut on_way = std::collections::BTreeSet::new();
        let mut at = start;
        let mut known = loop {
            if let Some(known) = instants[at] {
                break known;
            }
            if !on_way.insert(at) {
                let circle = way.iter().position(|entry| *entry == at).map_or(&way[..], |from| &way[from..]);
                self.report_circle(circle);
                break None;
            }
            way.push(at);
            match waits[at] {
                Some((Some(before), _)) => at = before,
                Some((None, _)) => break Some(0),
                None => break None,
            }
        };
        for entry in way.into_iter().rev() {
            known = known.zip(waits[entry]).and_then(|(base, (_, offset))| base.checked_add(offset));
            if instants[entry].is_none() {
                instants[entry] = Some(known);
            }
        }
    }

    fn report_circle(&mut self, circle: &[usize]) {
        let (Some(first), Some(last)) = (circle.first(), circle.last()) else { return };
        let timeline = &self.scenario.timeline;
        let name =
            |entry: &usize| timeline[*entry].event.map_or_else(String::new, |event| self.scenario.events[event.index()].name.clone());
        let chain = circle.iter().chain([first]).map(name).collect::<Vec<_>>().join(" -> ");
        let (span, other) = (timeline[*first].span, timeline[*last].span);
        self.context.raise(MomentError::EventCycle { chain, span, other });
    }
}
