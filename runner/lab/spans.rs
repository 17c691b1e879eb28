//! From a plan's links to the wires that carry them: what each way is and does, and which ports the plan names. In: a plan, its layout, the
//! traces. Out: wires, started. Decides nothing that the plan has not.

use std::sync::Arc;

use super::error::LabError;
use super::layout::{Layout, LinkPlace};
use super::namespace::Namespace;
use super::wire::{Span, Wires};
use crate::emulate::{Draws, Nature, Traces};
use crate::plan::measured;
use crate::plan::types::{Engine, Plan};

/// Starts the pumps if there is anything to carry.
pub(super) fn start(
    plan: &Plan,
    layout: &Layout,
    traces: &Arc<Traces>,
    namespaces: &Arc<Vec<Namespace>>,
) -> Result<Option<Wires>, LabError> {
    let Some(fabric) = layout.fabric else { return Ok(None) };
    let ports = named_ports(plan);
    let counted = measured::links(&plan.expectations, &plan.timeline);
    let span = |(link, place): (usize, &LinkPlace)| {
        let planned = &plan.links[link];
        let nature = |end: usize| Nature {
            draws: Draws::new(plan.seed, &planned.name, end),
            ports: ports.clone(),
            judges: planned.packets_alone,
            traces: Arc::clone(traces),
        };
        let does = [planned.forward.clone(), planned.back.clone()];
        let watched = counted.keys().any(|id| id.index() == link);
        let outer = place.outer.filter(|_| place.engine == Engine::Wire);
        outer.map(|outer| Span { link, outer, natures: [nature(0), nature(1)], does, watched })
    };
    let spans: Vec<Span> = layout.links.iter().enumerate().filter_map(span).collect();
    if spans.is_empty() { Ok(None) } else { Wires::start(namespaces, fabric, spans).map(Some) }
}

/// Ports that are the same in every run, as ranges.
fn named_ports(plan: &Plan) -> Vec<(u16, u16)> {
    let listeners = plan.listeners.iter().map(|listener| (listener.port, listener.port));
    let targets = plan.flows.iter().map(|flow| (flow.target.port(), flow.target.port()));
    let clients = plan.flows.iter().filter_map(|flow| flow.ports);
    let mut ports: Vec<(u16, u16)> = listeners.chain(targets).chain(clients).filter(|(from, _)| *from > 0).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}
