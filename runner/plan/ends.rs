//! When flows and the run end. In: flows, the timeline and its schedule. Out: problems with flows that never end, and a warning
//! when the timeout cuts the run for certain. Plans nothing.

use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::scenario::flow::{Arrivals, Phase};
use scn_grammar::scenario::timeline::{Action, Entry};
use scn_grammar::scenario::{Flow, Scenario};
use scn_grammar::source::Span;

use super::errors::{Findings, PlanError};
use super::pace::Pace;
use super::schedule::{Acts, Moment};

/// What the timeline does with one flow.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// The first entry that starts it.
    start: Option<usize>,
    /// An entry stops it.
    stops: bool,
}

/// Checks every flow's end and the timeout.
pub(crate) fn check_ends(scenario: &Scenario, moments: &[Moment], findings: &mut Findings) {
    let told = told(&scenario.timeline, scenario.flows.len());
    let mut longest: Option<(u64, String, Span)> = None;
    let mut needs = |until: u64, what: String, span: Span| {
        if longest.as_ref().is_none_or(|(known, _, _)| *known < until) {
            longest = Some((until, what, span));
        }
    };
    for (flow, told) in scenario.flows.iter().zip(&told) {
        let begins = told.start.map_or(0, |start| moments[start].earliest_ns);
        let bounded = flow.load.total.is_some() || flow.load.duration_ns.is_some();
        if !bounded && !told.stops && !something_later(scenario, moments, told.start, begins) {
            findings.add(PlanError::EndlessFlow { flow: flow.name.clone(), total: !flow.transport.watches(), span: flow.span });
        }
        if let Some(length) = least_length(flow).filter(|_| !told.stops) {
            needs(begins.saturating_add(length), format!("the flow `{}`", flow.name), flow.span);
        }
    }
    for (entry, moment) in scenario.timeline.iter().zip(moments) {
        // That it never happens was told when the file was checked.
        if moment.earliest_ns > scenario.timeout_ns && matches!(moment.acts, Acts::At(_)) {
            continue;
        }
        let until = moment.earliest_ns.saturating_add(entry.lasts_ns.unwrap_or(0));
        needs(until, format!("the entry `{}`", entry.text), entry.span);
    }
    if let Some((needed, what, span)) = longest.filter(|(needed, _, _)| *needed > scenario.timeout_ns) {
        let words = |ns: u64| Quantity::new(Dimension::Duration, i64::try_from(ns).unwrap_or(i64::MAX)).to_string();
        findings.add(PlanError::TimeoutTooShort { timeout: words(scenario.timeout_ns), needed: words(needed), what, span });
    }
}

/// By flow: what the timeline does with it.
fn told(timeline: &[Entry], flows: usize) -> Vec<Told> {
    let mut told = vec![Told::default(); flows];
    for (index, entry) in timeline.iter().enumerate() {
        match &entry.action {
            Action::Start(list) => {
                for flow in list {
                    let told = &mut told[flow.index()];
                    told.start.get_or_insert(index);
                    told.stops |= entry.lasts_ns.is_some();
                }
            }
            Action::Stop(list) => list.iter().for_each(|flow| told[flow.index()].stops = true),
            _ => {}
        }
    }
    told
}

/// An entry acts, or is undone, after a flow's start: the flow ends with the last one.
fn something_later(scenario: &Scenario, moments: &[Moment], start: Option<usize>, begins: u64) -> bool {
    scenario.timeline.iter().zip(moments).enumerate().any(|(index, (entry, moment))| {
        let until = moment.earliest_ns.saturating_add(entry.lasts_ns.unwrap_or(0));
        Some(index) != start && (until > begins || moment.acts == Acts::Condition)
    })
}

/// The least time that a flow runs when nothing stops it, ns.
fn least_length(flow: &Flow) -> Option<u64> {
    let load = &flow.load;
    if load.duration_ns.is_some() {
        return load.duration_ns;
    }
    // Random gaps may be short.
    if load.arrivals == Arrivals::Poisson {
        return None;
    }
    let (pace, starts) = match Pace::of_connections(load) {
        Some(pace) => (pace, load.total?),
        None => {
            let pace = Pace::of_transactions(load, flow.pattern.as_ref(), &flow.transport)?;
            (pace, load.total?.saturating_mul(load.transactions.unwrap_or(1)))
        }
    };
    // Bursts and clocks that begin at random may start the last ones as much earlier.
    let together = load.burst.saturating_mul(if load.phase == Phase::Random { load.connections } else { 1 });
    u64::try_from(pace.start_ns(starts.saturating_sub(together))).ok()
}
