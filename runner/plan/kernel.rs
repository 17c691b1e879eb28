//! Which links the kernel impairs, where the user asks for it. In: how links are made, and everything that each way is ever to do. Out: the
//! links that the wire was to carry are the kernel's, with the stages of their ways; or a refusal for each thing that netem does otherwise
//! than the model, or not at all. What netem is told is the lab's matter.

use std::collections::{BTreeMap, BTreeSet};

use scn_grammar::scenario::LinkId;
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::timeline::{Action, Entry, Target};
use scn_grammar::scenario::topology::{Delay, Impairment, Loss, QueueLimit};
use scn_grammar::source::Span;

use super::engines::Making;
use super::errors::{Findings, PlanError};
use super::graph::Graph;
use super::types::{Engine, Stages};
use crate::emulate::quantiles;

/// netem counts bytes a second: below this many bits the rounding would show.
const LEAST_RATE_BPS: u64 = 1_000;
/// netem's queue has a 32-bit limit, and one place of it is the packet that is being sent.
const MOST_QUEUED: u64 = u32::MAX as u64 - 1;
/// netem keeps the spread of a delay in 31 bits of ns, times up to four.
const MOST_SPREAD_NS: f64 = 8.5e9;
/// Enough values of a distribution to see how wide it is in netem's table of 16384.
const TABLE: usize = 16_384;
/// A Pareto distribution with a longer tail would lose too much of its mean at the end of netem's table. In 1e-9.
const LEAST_PARETO_SHAPE_NANO: u64 = 2_000_000_000;

/// What one way is to do at some time, with its place; `None`: from the start, as the link says.
struct State<'a> {
    does: &'a Impairment,
    at: Option<Span>,
}

/// Something that can't be: what, why, and what else to write.
type Beyond = (&'static str, &'static str, &'static str);

/// Gives the wires to the kernel.
pub(super) fn take_over(
    making: &mut [Making],
    timeline: &[Entry],
    counted: &BTreeMap<LinkId, (String, Span)>,
    graph: &Graph<'_>,
    findings: &mut Findings,
) {
    let links = &graph.topology.links;
    for made in making.iter_mut().filter(|made| made.engine == Engine::Wire) {
        made.engine = Engine::Kernel;
    }
    for (link, (metric, span)) in counted.iter().filter(|(link, _)| making[link.index()].engine == Engine::Kernel) {
        let (what, of) = (format!("`{metric}`"), &links[link.index()]);
        let why = "its queues tell what they did only when the run is over";
        let instead = "look at the metrics of flows or interfaces, or ";
        findings.add(PlanError::KernelCannot { what, link: of.name.clone(), why, instead, span: *span, declared: Some(of.span) });
    }
    let mut states: Vec<[Vec<State<'_>>; 2]> =
        links.iter().map(|link| [&link.forward, &link.back].map(|does| vec![State { does, at: None }])).collect();
    for entry in timeline {
        let named = |link: usize| links[link].name.clone();
        let refuse = |what: &str, why, instead, link| {
            let (what, link, declared) = (what.to_owned(), named(link), Some(links[link].span));
            PlanError::KernelCannot { what, link, why, instead, span: entry.span, declared }
        };
        match &entry.action {
            Action::Impair { targets, forward, back, over_ns } => {
                for (link, reversed) in targets.iter().flat_map(|target| links_of(target, graph)) {
                    if making[link].engine != Engine::Kernel {
                        continue;
                    }
                    if *over_ns > 0 {
                        findings.add(refuse("`over`", "it changes its queues in one step", "write several entries, or ", link));
                    }
                    for (does, way) in [(forward, usize::from(reversed)), (back, usize::from(!reversed))] {
                        states[link][way].extend(does.iter().map(|does| State { does, at: Some(entry.span) }));
                    }
                }
            }
            Action::Partition(cut) => {
                let near = cut.from.iter().chain(&cut.to).flat_map(|node| graph.linked(*node));
                let near = near.map(|interface| interface.link.index()).find(|link| making[*link].engine == Engine::Kernel);
                let why = "its queues do not tell packets apart by whom they come from";
                findings.extend(near.map(|link| refuse("`partition`", why, "cut links by `silence` or nodes by `isolate`, or ", link)));
            }
            _ => {}
        }
    }
    for (at, ways) in states.iter().enumerate() {
        if making[at].engine != Engine::Kernel {
            continue;
        }
        let mut said = BTreeSet::new();
        for (way, states) in ways.iter().enumerate() {
            making[at].stages[way] = stages(states);
            let problems = states.iter().flat_map(|state| beyond(state.does).into_iter().map(|beyond| (beyond, state.at)));
            for ((what, why, instead), place) in problems.chain(changed(states)) {
                let span = place.unwrap_or(links[at].span);
                if said.insert((what, span)) {
                    let (what, link, declared) = (what.to_owned(), links[at].name.clone(), place.map(|_| links[at].span));
                    findings.add(PlanError::KernelCannot { what, link, why, instead, span, declared });
                }
            }
        }
    }
}

/// The links of a target that is known to be there, each with whether `forward` means the way from its second end.
fn links_of(target: &Target, graph: &Graph<'_>) -> Vec<(usize, bool)> {
    let reversed = |link: usize, node: usize| graph.topology.links[link].ends[0].node.index() != node;
    let of = |node: scn_grammar::scenario::NodeId, name: Option<&str>| {
        let meant = graph.linked(node).iter().filter(|interface| name.is_none_or(|name| interface.name == name));
        meant.map(|interface| (interface.link.index(), reversed(interface.link.index(), node.index()))).collect()
    };
    match target {
        Target::Link(link) => vec![(link.index(), false)],
        Target::Node(node) => of(*node, None),
        Target::Interface(node, name) => of(*node, Some(name)),
    }
}

/// What a way is ever to do.
fn stages(states: &[State<'_>]) -> Stages {
    let any = |is: fn(&Impairment) -> bool| states.iter().any(|state| is(state.does));
    Stages {
        loss: any(|does| does.loss != Loss::None),
        rate: any(|does| does.rate_bps.is_some()),
        delay: any(|does| does.fixed_delay_ns() != Some(0)),
    }
}

/// A rate that does not stay: netem gives each packet its instant when it comes, so what waits would go on at the old rate.
fn changed(states: &[State<'_>]) -> Option<(Beyond, Option<Span>)> {
    let shape = |does: &Impairment| does.rate_bps.map(|rate| (rate, does.overhead_bytes, does.queue.limit));
    let first = states.first().map(|state| shape(state.does))?;
    let other = states.iter().find(|state| shape(state.does) != first)?;
    let why = "what waits when a rate or its queue changes would go on at the old rate";
    let instead = "let the link and each `impair` of it say the same `rate` and `queue`, or ";
    Some((("another `rate`", why, instead), other.at))
}

/// All of an impairment that netem does otherwise than the model, or not at all.
fn beyond(does: &Impairment) -> Vec<Beyond> {
    let Impairment {
        drops,
        mtu_black_hole,
        loss,
        corrupt_nano,
        duplicate_nano,
        rate_bps,
        overhead_bytes,
        queue,
        delay,
        keep_order: _,
        reorder,
    } = does;
    let mut found: Vec<Beyond> = Vec::new();
    let mut unless = |fits: bool, beyond: Beyond| {
        if !fits {
            found.push(beyond);
        }
    };
    unless(drops.is_empty(), ("`drop`", "netem does not tell sorts of packets apart", ""));
    unless(mtu_black_hole.is_none(), ("`mtu_black_hole`", "netem does not look at the size of packets", ""));
    let by_chance = "netem loses by chance only";
    match loss {
        Loss::None | Loss::Random { .. } | Loss::GilbertElliott { .. } => {}
        Loss::Every { .. } => unless(false, ("`loss every`", by_chance, "")),
        Loss::List(_) => unless(false, ("`loss list`", by_chance, "")),
        Loss::Trace(_) => unless(false, ("`loss trace`", by_chance, "")),
    }
    unless(
        *corrupt_nano == 0,
        ("`corrupt`", "netem flips bits of the Ethernet header too, and none of what a packet keeps outside of its first piece", ""),
    );
    unless(*duplicate_nano == 0, ("`duplicate`", "netem does not tell how many copies it made, so the link's account would not close", ""));
    if let Some(rate) = rate_bps {
        unless(*rate >= LEAST_RATE_BPS, ("a `rate` below 1kbit/s", "netem counts whole bytes a second", ""));
        unless(i32::try_from(*overhead_bytes).is_ok(), ("this `overhead`", "netem has 31 bits for it", ""));
        match queue.limit {
            QueueLimit::Packets(most) => unless(most <= MOST_QUEUED, ("this `queue`", "netem has 32 bits for its limit", "")),
            QueueLimit::Bytes(_) => unless(false, ("a `queue` in bytes", "netem's queue counts packets", "write it in packets, or ")),
        }
        unless(queue.codel.is_none(), ("`codel`", "netem's queue only drops at its tail", ""));
        let evened = "netem delays before its queue, where the rate would even out what varies";
        unless(does.fixed_delay_ns().is_some(), ("a delay that varies beside a `rate`", evened, "give one of them to another link, or "));
    }
    match delay {
        Delay::Trace(_) => unless(false, ("`delay trace`", "netem draws each delay by chance", "")),
        Delay::Drawn(Varying::Pareto(_, shape)) if *shape < LEAST_PARETO_SHAPE_NANO => {
            unless(false, ("a Pareto delay of a shape below 2", "its tail is longer than netem's tables", ""));
        }
        Delay::Drawn(Varying::Fixed(_)) => {}
        Delay::Drawn(varying) => {
            let table = quantiles(varying, TABLE);
            let spread = table.last().zip(table.first()).map_or(0.0, |(last, first)| (last - first) / 2.0);
            unless(spread <= MOST_SPREAD_NS, ("a delay that varies so much", "netem keeps the spread in 31 bits of ns", ""));
        }
    }
    unless(reorder.is_none(), ("`reorder`", "netem lets packets overtake by sending them at once, and does not hold others back", ""));
    found
}
