//! Makes the network of a plan. In: a plan and its layout. Out: namespaces with everything in them, up. Work is spread over a few
//! threads that end with it; what a failed build had made goes with its descriptors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use scn_grammar::scenario::topology::NodeKind;

use super::bench::{Awaited, Request, await_up, run};
use super::error::LabError;
use super::layout::{BRIDGE_NAME, EndPlace, Layout, LinkPlace};
use super::messages::{self, VethEnd};
use super::namespace::Namespace;
use super::netlink::Netlink;
use super::offload;
use super::sysctl::Settings;
use crate::plan::types::{Plan, PlannedInterface};

/// More threads do not help: the kernel makes interfaces one at a time.
const THREADS: usize = 4;
/// A thread is worth its start for so many nodes.
const NODES_PER_THREAD: usize = 8;
/// Everything has so long to come up.
const UP_WITHIN: Duration = Duration::from_secs(10);
/// The loopback interface of every namespace.
const LOOPBACK: u32 = 1;

/// What a build leaves behind.
pub(crate) struct Built {
    /// By slot.
    pub(crate) namespaces: Arc<Vec<Namespace>>,
    /// Each node's settings and what became of them.
    pub(crate) settings: Vec<(String, Settings)>,
}

/// Makes it all.
pub(crate) fn build(plan: &Plan, layout: &Layout, progress: &dyn Fn(&str)) -> Result<Built, LabError> {
    progress("namespaces");
    let begun = spread((0..layout.slots.len()).map(|slot| (slot, ())).collect(), |slot, ()| begin(plan, layout, slot))?;
    let (namespaces, settings): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
    let namespaces = Arc::new(namespaces);

    progress("links");
    links(plan, layout, &namespaces)?;

    progress("addresses and routes");
    // Bridges last: what nodes say by themselves when they come up would flood through them, to all from all.
    let is_bridge = |slot: &usize| layout.bridges.get(*slot).is_some_and(Option::is_some);
    let (bridges, others): (Vec<_>, Vec<_>) = settings.into_iter().enumerate().partition(|(slot, _)| is_bridge(slot));
    let furnished = |slot: usize, settings: Settings| {
        let settings = furnish(plan, layout, &namespaces[slot], slot, settings)?;
        Ok((slot, settings))
    };
    let mut settings = spread(others, furnished)?;
    settings.extend(spread(bridges, furnished)?);
    settings.sort_by_key(|(slot, _)| *slot);

    progress("carriers");
    let until = Instant::now() + UP_WITHIN;
    let nodes = (0..plan.nodes.len()).map(|slot| (slot, ())).collect();
    spread(nodes, |slot, ()| await_node(plan, layout, &namespaces[slot], slot, until))?;
    let settings = settings.into_iter().map(|(slot, settings)| (layout.slots[slot].clone(), settings)).collect();
    Ok(Built { namespaces, settings })
}

/// Does the same for many slots on a few threads. Out: answers in the order of the inputs, or the first failure in that order.
fn spread<T: Send, U: Send>(inputs: Vec<(usize, T)>, work: impl Fn(usize, T) -> Result<U, LabError> + Sync) -> Result<Vec<U>, LabError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = inputs.len().div_ceil(NODES_PER_THREAD).clamp(1, THREADS.min(cores));
    let share = inputs.len().div_ceil(threads).max(1);
    let mut inputs = inputs.into_iter();
    let work = &work;
    std::thread::scope(|scope| {
        let mut running = Vec::with_capacity(threads);
        for _ in 0..threads {
            let part: Vec<_> = inputs.by_ref().take(share).collect();
            let thread = std::thread::Builder::new().name("scn-build".to_owned());
            let task = move || part.into_iter().map(|(slot, input)| work(slot, input)).collect::<Result<Vec<U>, LabError>>();
            running.push(thread.spawn_scoped(scope, task).map_err(|cause| LabError::system("lab", "start a thread", &cause))?);
        }
        let mut answers = Vec::new();
        for thread in running {
            let panicked = |_| LabError::Closed { thread: "build".to_owned(), why: "It panicked (a bug in scn)".to_owned() };
            answers.extend(thread.join().map_err(panicked)??);
        }
        Ok(answers)
    })
}

/// A namespace with its settings and, for a bridge, the bridge device.
fn begin(plan: &Plan, layout: &Layout, slot: usize) -> Result<(Namespace, Settings), LabError> {
    let place = &layout.slots[slot];
    let namespace = Namespace::create().map_err(|cause| LabError::system(place, "make its network namespace", &cause))?;
    let mut settings = match plan.nodes.get(slot) {
        Some(node) => Settings::of(node.kind, &node.sysctls),
        None => Settings::of(NodeKind::Bridge, &[]),
    };
    settings.write(false);
    if let Some(index) = layout.bridges.get(slot).copied().flatten() {
        let message = messages::bridge(BRIDGE_NAME, index);
        let request = Request { message, place: place.clone(), doing: "make its bridge device".to_owned() };
        run(&mut open(place)?, vec![request])?;
    }
    Ok((namespace, settings))
}

/// A routing socket in the calling thread's namespace.
fn open(place: &str) -> Result<Netlink, LabError> {
    Netlink::open().map_err(|cause| LabError::system(place, "open a netlink socket", &cause))
}

/// All veth pairs, born where they belong, from a namespace that has nothing itself: an index that is used there would be taken
/// for the interface to change.
fn links(plan: &Plan, layout: &Layout, namespaces: &[Namespace]) -> Result<(), LabError> {
    spread(vec![(0, ())], |_, ()| {
        let _empty = Namespace::create().map_err(|cause| LabError::system("lab", "make a network namespace", &cause))?;
        let mut requests = Vec::with_capacity(plan.links.len());
        for (number, place) in layout.links.iter().enumerate() {
            let pairs = match place.outer {
                None => vec![direct(plan, place, namespaces)],
                Some(outer) => wire(plan, layout, place, number, outer, namespaces)?,
            };
            let name = &plan.links[number].name;
            let request = |message| Request { message, place: format!("link {name}"), doing: "make its veth pair".to_owned() };
            requests.extend(pairs.into_iter().map(request));
        }
        run(&mut open("lab")?, requests)
    })?;
    Ok(())
}

/// What the plan says of an end.
fn planned(plan: &Plan, end: EndPlace) -> &PlannedInterface {
    &plan.nodes[end.node].interfaces[end.interface]
}

/// An end at a node, as it is made.
fn at_node<'a>(plan: &'a Plan, end: EndPlace, namespaces: &'a [Namespace]) -> VethEnd<'a> {
    let interface = planned(plan, end);
    VethEnd { name: &interface.name, index: end.index, namespace: namespaces[end.node].fd(), mac: interface.mac }
}

/// One pair from node to node. A port is the near end, which can be born into its bridge.
fn direct(plan: &Plan, place: &LinkPlace, namespaces: &[Namespace]) -> netlink_packet_route::RouteNetlinkMessage {
    let [first, second] = place.ends;
    let (near, far) = if second.bridge.is_some() { (second, first) } else { (first, second) };
    messages::veth(&at_node(plan, near, namespaces), near.bridge, &at_node(plan, far, namespaces))
}

/// Two pairs, with their near ends in the fabric.
fn wire(
    plan: &Plan,
    layout: &Layout,
    place: &LinkPlace,
    number: usize,
    outer: [u32; 2],
    namespaces: &[Namespace],
) -> Result<Vec<netlink_packet_route::RouteNetlinkMessage>, LabError> {
    let fabric = layout.fabric.ok_or_else(|| LabError::Plan { what: "a wire without a fabric".to_owned() })?;
    let pair = |end: usize| {
        let name = format!("w{number}{}", ["a", "b"][end]);
        // Locally administered, unlike any that a plan gives: nobody speaks from here.
        let [_, b, c, d, e, f] = planned(plan, place.ends[end]).mac;
        let near = VethEnd { name: &name, index: outer[end], namespace: namespaces[fabric].fd(), mac: [0x06, b, c, d, e, f] };
        messages::veth(&near, None, &at_node(plan, place.ends[end], namespaces))
    };
    Ok(vec![pair(0), pair(1)])
}

/// Everything inside a node: interfaces up, ports in their bridge, addresses, routes, and settings that had to wait.
fn furnish(plan: &Plan, layout: &Layout, namespace: &Namespace, slot: usize, mut settings: Settings) -> Result<Settings, LabError> {
    let Some(node) = plan.nodes.get(slot) else { return Ok(settings) };
    let place = &node.name;
    namespace.enter().map_err(|cause| LabError::system(place, "enter its network namespace", &cause))?;
    settings.write(true);
    let mut requests = Vec::new();
    let mut ask = |message, doing: String| requests.push(Request { message, place: place.clone(), doing });
    if layout.bridges[slot].is_none() {
        ask(messages::set_up(LOOPBACK, true), "bring lo up".to_owned());
    }
    for (interface, index) in node.interfaces.iter().zip(&layout.interfaces[slot]) {
        if let Some(bridge) = layout.bridges[slot] {
            ask(messages::set_bridge(*index, bridge), format!("make {} a port", interface.name));
        }
        ask(messages::set_up(*index, true), format!("bring {} up", interface.name));
        for address in &interface.addresses {
            ask(messages::add_address(*index, *address), format!("add address {address} to {}", interface.name));
        }
    }
    for route in &node.routes {
        ask(messages::route(route.to, route.via), format!("add the route to {} via {}", route.to, route.via));
    }
    if let Some(bridge) = layout.bridges[slot] {
        ask(messages::set_up(bridge, true), "bring its bridge device up".to_owned());
    }
    run(&mut open(place)?, requests)?;
    for interface in &node.interfaces {
        if let Some(extent) = offload::wanted(plan.links[interface.link.index()].packets_alone, interface.settings.offload) {
            let refused = |cause| LabError::system(format!("{place}.{}", interface.name), "switch its offloads off", &cause);
            offload::switch_off(&interface.name, extent).map_err(refused)?;
        }
    }
    Ok(settings)
}

/// Waits until all interfaces of a node carry frames.
fn await_node(plan: &Plan, layout: &Layout, namespace: &Namespace, slot: usize, until: Instant) -> Result<(), LabError> {
    let node = &plan.nodes[slot];
    namespace.enter().map_err(|cause| LabError::system(&node.name, "enter its network namespace", &cause))?;
    let mut socket = open(&node.name)?;
    for (interface, index) in node.interfaces.iter().zip(&layout.interfaces[slot]) {
        let place = format!("{}.{}", node.name, interface.name);
        let awaited = Awaited { slot, index: *index, port: layout.bridges[slot].is_some(), place: place.clone() };
        if !await_up(&mut socket, &awaited, until)? {
            let doing = format!("bring the interface up within {} s", UP_WITHIN.as_secs());
            let cause = std::io::Error::from_raw_os_error(libc::ETIMEDOUT);
            return Err(LabError::system(place, doing, &cause));
        }
    }
    Ok(())
}
