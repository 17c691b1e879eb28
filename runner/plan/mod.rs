//! From scenario to plan: addresses, routes, ports, the schedule. In: a `Scenario` and the run's settings. Out: a [`types::Plan`]
//! with warnings, or diagnostics. Pure: one scenario, one seed and one set of settings give the same plan, byte for byte.

mod addresses;
pub(crate) mod datagrams;
pub(crate) mod descriptors;
pub mod diff;
mod domains;
pub mod dot;
mod ecn;
mod ends;
mod engines;
mod errors;
pub(crate) mod express;
mod flows;
mod frames;
mod graph;
mod groups;
mod holders;
pub(crate) mod http;
mod kernel;
mod leaving;
mod listeners;
pub mod measured;
mod multihomed;
mod names;
pub(crate) mod network;
pub mod once;
pub mod outline;
pub mod pace;
mod payload;
pub mod picture;
mod pool;
pub mod print;
pub mod profile;
mod readiness;
pub mod review;
mod routes;
#[cfg(test)]
pub(crate) mod sample;
pub mod schedule;
pub mod schema;
mod sources;
pub mod streams;
pub mod support;
mod sysctls;
mod tools;
mod tunnels;
pub mod turns;
pub mod types;
mod uppers;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use scn_grammar::diagnostics::Diagnostic;
use scn_grammar::scenario::Scenario;
use scn_grammar::scenario::timeline::Entry;
use scn_grammar::scenario::topology::{Link, Node, Prefix};

use engines::Making;
use errors::Findings;
pub use errors::PlanError;
use graph::Graph;
use holders::Holders;
use listeners::Listeners;
use names::Interfaces;
use sources::Pool;
use types::{Plan, PlannedFlow, PlannedInterface, PlannedLink, PlannedNode, PlannedRoute, PlannedStress, PlannedUpper, Tunnel, VERSION};

/// What a run adds to its scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// All randomness comes from it.
    pub seed: u64,
    /// The scenario's tolerance is multiplied by this: 1, or more on slow machines.
    pub timing: u32,
    /// Who carries out what links do to packets.
    pub engine: EngineChoice,
}

/// Who carries out what links do to packets. A link that nothing ever touches is a plain veth pair whatever is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// As the planner likes: the wire, which can do everything.
    #[default]
    Auto,
    /// Our own pump in user space.
    Wire,
    /// The kernel's netem; what it can't do as the model says is refused.
    Kernel,
}

impl Settings {
    /// The factor of `--timing ci`.
    pub const TIMING_CI: u32 = 4;
}

impl Default for Settings {
    fn default() -> Self {
        Settings { seed: 0, timing: 1, engine: EngineChoice::Auto }
    }
}

/// A plan and what is odd about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// Warnings, in the order of the text.
    pub warnings: Vec<Diagnostic>,
    /// Links that the searches for routes and targets looked at. Bounds the work without a clock.
    pub work: u64,
}

/// Plans a scenario.
///
/// # Errors
/// Everything that makes the scenario impossible to build or to run, with warnings, in the order of the text.
pub fn plan(scenario: &Scenario, settings: &Settings) -> Result<Planned, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let mut work = 0;
    let mut interfaces = names::name_interfaces(&scenario.topology, &mut findings);
    if findings.failed() {
        return Err(findings.sorted());
    }
    let mut domains = domains::find_domains(&scenario.topology, &interfaces, &mut findings);
    addresses::give_addresses(scenario, &mut domains, &mut interfaces, &mut findings);
    if findings.failed() {
        return Err(findings.sorted());
    }
    let pools = sources::beyond_interfaces(sources::find_pools(scenario), &interfaces);
    sources::check_pools(&pools, scenario, &domains, &interfaces, &mut findings);
    let graph = Graph::new(&scenario.topology, &domains, &interfaces);
    let routes = routes::give_routes(scenario, &graph, &pools, &mut work, &mut findings);
    let routed = !findings.failed();
    let counted = measured::links(&scenario.expectations, &scenario.timeline);
    let mut engines = engines::choose_engines(&scenario.timeline, &counted, &graph, &mut findings);
    if settings.engine == EngineChoice::Kernel {
        kernel::take_over(&mut engines, &scenario.timeline, &counted, &graph, &mut findings);
    }
    frames::check_frames(scenario, &graph, &interfaces, &mut findings);
    measured::check_interfaces(&scenario.expectations, &scenario.timeline, &graph, &mut findings);
    let (holders, timeline) = holders::find_holders(&scenario.timeline, &graph, &mut findings);
    readiness::check_readiness(scenario, &graph, &holders, &mut findings);
    let whole = streams::with_kinds(scenario);
    let listeners = listeners::find_listeners(&whole, &graph, &holders, &mut findings);
    let ecn = ecn::find_ecn(scenario, &listeners, &mut findings);
    let moments = schedule::find_schedule(&scenario.timeline, &mut findings);
    ends::check_ends(scenario, &moments, &mut findings);
    let later = routes::with_timeline(&routes, &scenario.timeline, &graph, &mut findings);
    let mut walker = walk::Walker::new(&graph, &routes).led_by(led(scenario));
    if let Some(later) = &later {
        walker = walker.or(walk::Walker::new(&graph, later).led_by(led(scenario)));
    }
    let tunnels = if routed { tunnels::find_tunnels(&graph, &interfaces, &mut walker, &mut findings) } else { Vec::new() };
    let mut flows = flows::Targets::new(&whole, &graph, &holders, &listeners, walker, routed).plan_flows(&mut work, &mut findings);
    if findings.failed() {
        return Err(findings.sorted());
    }
    let stresses = streams::take_out(scenario, &mut flows);
    let nodes = nodes(scenario, &interfaces, routes, &pools, &listeners, &holders, &ecn);
    let links = links(scenario, &interfaces, &engines, &tunnels);
    let network = Network { nodes, links, interfaces: uppers(scenario, &interfaces) };
    let plan = assemble(scenario, *settings, network, listeners, (flows, stresses), timeline);
    Ok(Planned { plan, warnings: findings.sorted(), work })
}

/// Nodes whose programs may speak a routing protocol: where the planner is not to compute routes, those with a program.
fn led(scenario: &Scenario) -> BTreeSet<usize> {
    let nodes = scenario.processes.iter().flat_map(|process| &process.nodes);
    nodes.filter(|_| scenario.topology.routing_manual).map(|node| node.index()).collect()
}

/// Namespaces to make.
fn nodes(
    scenario: &Scenario,
    interfaces: &Interfaces,
    routes: Vec<Vec<PlannedRoute>>,
    pools: &[Pool],
    listeners: &Listeners,
    holders: &Holders,
    ecn: &[Option<&'static str>],
) -> Vec<PlannedNode> {
    let planned = |(index, (node, routes)): (usize, (&Node, Vec<PlannedRoute>))| {
        let id = names::node_id(index);
        let all: &[PlannedInterface] = &interfaces.of_node[index];
        let own: Vec<Prefix> = pools.iter().filter(|pool| pool.node == id).map(|pool| pool.network.prefix()).collect();
        // A socket binds to an IPv4 address of a pool by its route, but not to one of IPv6.
        let absent = listeners.waits_for_address(id, holders) || own.iter().any(|pool| pool.address.is_ipv6());
        let said = all.iter().flat_map(|interface| &interface.settings.sysctls);
        let sysctls = sysctls::sysctls(node, (&listeners.ports(id), absent), ecn[index], said);
        PlannedNode {
            name: node.name.clone(),
            doc: node.doc.clone(),
            kind: node.kind,
            forwarding: node.forwarding,
            settings: node.settings.clone(),
            device: node.device.clone(),
            placement: node.placement.clone(),
            interfaces: all[..interfaces.linked[index]].to_vec(),
            routes,
            pools: own,
            sysctls,
        }
    };
    scenario.topology.nodes.iter().zip(routes).enumerate().map(planned).collect()
}

/// Links to make.
fn links(scenario: &Scenario, interfaces: &Interfaces, engines: &[Making], tunnels: &[Option<Tunnel>]) -> Vec<PlannedLink> {
    let parts = scenario.topology.links.iter().zip(&interfaces.of_link).zip(engines).zip(tunnels);
    let planned = |(((link, ends), making), tunnel): (((&Link, &_), &Making), &Option<Tunnel>)| PlannedLink {
        name: link.name.clone(),
        doc: link.doc.clone(),
        kind: link.kind,
        ends: *ends,
        engine: making.engine,
        packets_alone: making.packets_alone,
        forward: link.forward.clone(),
        back: link.back.clone(),
        tunnel: *tunnel,
        stages: making.stages,
    };
    parts.map(planned).collect()
}

/// Interfaces upon others, each after those below it.
fn uppers(scenario: &Scenario, interfaces: &Interfaces) -> Vec<PlannedUpper> {
    let planned = |upper: &uppers::Upper| {
        let declared = &scenario.topology.interfaces[upper.statement];
        let planned = &interfaces.of_node[upper.node.index()][upper.position as usize];
        PlannedUpper {
            node: upper.node,
            name: planned.name.clone(),
            kind: declared.kind,
            on: declared.on.clone(),
            mac: planned.mac,
            addresses: planned.addresses.clone(),
            written: planned.written,
            settings: planned.settings.clone(),
        }
    };
    interfaces.uppers.iter().map(planned).collect()
}

/// What is built.
struct Network {
    nodes: Vec<PlannedNode>,
    links: Vec<PlannedLink>,
    interfaces: Vec<PlannedUpper>,
}

/// Puts the parts together.
fn assemble(
    scenario: &Scenario,
    settings: Settings,
    network: Network,
    listeners: Listeners,
    (flows, stresses): (Vec<PlannedFlow>, Vec<PlannedStress>),
    timeline: Vec<Entry>,
) -> Plan {
    let Network { nodes, links, interfaces } = network;
    let descriptors = descriptors::descriptors(&nodes, &links, &listeners.list, (&flows, &stresses), &timeline);
    let mut plan = Plan {
        version: VERSION,
        scenario: scenario.name.clone(),
        doc: scenario.doc.clone(),
        tags: scenario.tags.clone(),
        file: scenario.file.clone(),
        span: scenario.span,
        params: scenario.params.clone(),
        matrix: scenario.matrix.clone(),
        seed: settings.seed,
        timeout_ns: scenario.timeout_ns,
        timeout_said: scenario.timeout_said,
        tolerance_ns: scenario.tolerance_ns.saturating_mul(u64::from(settings.timing)),
        nodes,
        links,
        interfaces,
        listeners: listeners.list,
        flows,
        processes: scenario.processes.clone(),
        stresses,
        needs: scenario.needs.clone(),
        secrets: scenario.secrets.clone(),
        events: scenario.events.clone(),
        timeline,
        expectations: scenario.expectations.clone(),
        descriptors,
        once: false,
    };
    plan.descriptors = plan.descriptors.saturating_add(express::descriptors(&plan));
    plan
}
