//! From the record's events to the instants that expectations refer to. In: plan and record. Out: instants, or why there is none.
//!
//! An event's instant is when the program asked for it (`asked_ns`); its effect came no later than `done_ns`. The width between the
//! two goes into the error of what is measured from it.

use scn_grammar::scenario::timeline::{Action, TimeRef};
use scn_reports::record::{EventKind, EventRecord, RunRecord};

use crate::measure::{Context, Happening};
use crate::plan::types::Plan;

/// An instant and how far its event's effect may lie behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instant {
    /// ns after the timeline's start.
    pub at_ns: i64,
    /// ns.
    pub width_ns: i64,
}

/// What the metrics need to know of a run.
pub(super) fn context(plan: &Plan, record: &RunRecord) -> Context {
    let find = |name: &str| record.events.iter().find(|event| event.name.as_deref() == Some(name));
    let found: Vec<Option<&EventRecord>> = plan.events.iter().map(|event| find(&event.name)).collect();
    let carried_out = |event: &EventRecord| event.error.is_none().then_some(Happening { asked_ns: event.asked_ns, done_ns: event.done_ns });
    let faults = (0u32..).zip(&found).filter(|(_, event)| event.is_some_and(|e| e.kind == EventKind::Fault)).map(|(id, _)| id);
    let wires = record.links.iter().filter_map(|link| link.account.as_ref()).map(|account| account.late_p99_ns);
    Context {
        events: found.iter().map(|event| event.and_then(carried_out)).collect(),
        names: plan.events.iter().map(|event| event.name.clone()).collect(),
        faults: faults.collect(),
        wire_ns: wires.max().unwrap_or(0) as f64,
        late_entries: record.events.iter().map(|e| (e.asked_ns, e.asked_ns - e.planned_ns)).filter(|(_, late)| *late > 0).collect(),
        cut: record.ended != scn_reports::record::Ended::Complete,
    }
}

/// When the timeline told each flow to stop, ns: its connections close only afterwards.
pub(super) fn stops(plan: &Plan, record: &RunRecord) -> Vec<Vec<i64>> {
    let mut stops = vec![Vec::new(); plan.flows.len()];
    for entry in &plan.timeline {
        let Action::Stop(flows) = &entry.action else { continue };
        let asked = record.events.iter().filter(|e| e.kind == EventKind::Stop && e.text == entry.text).map(|e| e.asked_ns);
        for at in asked {
            for flow in flows {
                if let Some(known) = stops.get_mut(flow.index()) {
                    known.push(at);
                }
            }
        }
    }
    stops
}

/// The instant that a reference means.
pub(super) fn resolve(at: TimeRef, context: &Context, record: &RunRecord) -> Result<Instant, String> {
    let Some(id) = at.event else { return Ok(Instant { at_ns: at.offset_ns, width_ns: 0 }) };
    let name = context.names.get(id.index()).map_or("?", String::as_str);
    if let Some(happening) = context.events.get(id.index()).copied().flatten() {
        return Ok(Instant { at_ns: happening.asked_ns.saturating_add(at.offset_ns), width_ns: happening.width_ns() });
    }
    let error = record.events.iter().filter(|event| event.name.as_deref() == Some(name)).find_map(|event| event.error.as_deref());
    Err(match error {
        Some(error) => format!("the event `{name}` could not be carried out: {error}"),
        None => format!("the event `{name}` did not happen"),
    })
}
