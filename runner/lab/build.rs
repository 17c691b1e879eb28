//! Makes the network of a plan. In: a plan and its layout. Out: namespaces with everything in them, up. Work is spread over a few
//! threads that end with it; what a failed build had made goes with its descriptors.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scn_grammar::scenario::topology::NodeKind;

use super::bench::{Awaited, Request, await_up, run};
use super::error::LabError;
use super::furnish::{self, Stage};
use super::layout::{EndPlace, Layout, LinkPlace, Made, hidden_name};
use super::messages::{self, VethEnd};
use super::namespace::Namespace;
use super::netlink::Netlink;
use super::offload;
use super::outside::Outside;
use super::sysctl::{self, Settings};
use crate::plan::types::{Engine, Plan, PlannedInterface};

/// More threads do not help: the kernel makes interfaces one at a time.
const THREADS: usize = 4;
/// A thread is worth its start for so many nodes.
const NODES_PER_THREAD: usize = 8;
/// Between two looks at addresses that are to become usable.
const LOOK_AGAIN_AFTER: Duration = Duration::from_micros(100);
/// Everything has so long to come up.
const UP_WITHIN: Duration = Duration::from_secs(10);

/// What a build leaves behind.
pub(crate) struct Built {
    /// By slot.
    pub(crate) namespaces: Arc<Vec<Namespace>>,
    /// Each node's settings and what became of them.
    pub(crate) settings: Vec<(String, Settings)>,
}

/// Makes it all.
pub(crate) fn build(plan: &Plan, layout: &Layout, outside: Option<&Outside>, progress: &dyn Fn(&str)) -> Result<Built, LabError> {
    progress("namespaces");
    let machine = Namespace::current().map_err(|cause| LabError::system("lab", "open this machine's network namespace", &cause))?;
    let slots = (0..layout.slots.len()).map(|slot| (slot, ())).collect();
    let begun = spread(slots, |slot, ()| begin(plan, layout, slot, &machine))?;
    let (namespaces, settings): (Vec<_>, Vec<_>) = begun.into_iter().unzip();
    let namespaces = Arc::new(namespaces);

    progress("links");
    links(plan, layout, &namespaces)?;
    if let Some(outside) = outside {
        let mark = |made: &Made| Request {
            message: outside.mark(made.index),
            place: made.name.clone(),
            doing: "write the run's word at it".to_owned(),
        };
        // Tunnels are made later, and marked by what the journal says of them alone.
        let tunnels = layout.links.iter().filter(|link| link.fixed).flat_map(|link| link.ends.map(|end| end.wire));
        let tunnels: BTreeSet<u32> = tunnels.collect();
        let marks: Vec<Request> = layout.on_machine.iter().filter(|made| !tunnels.contains(&made.index)).map(mark).collect();
        run(&mut open("this machine")?, marks)?;
        calm(plan, layout);
    }

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
    spread(nodes, |slot, ()| await_node(plan, layout, &namespaces[slot], slot, Stage::First, until))?;
    let tunnels = (0..plan.nodes.len()).filter(|slot| furnish::has_tunnels(plan, *slot)).map(|slot| (slot, ())).collect();
    spread(tunnels, |slot, ()| {
        let place = &plan.nodes[slot].name;
        namespaces[slot].enter().map_err(|cause| LabError::system(place, "enter its network namespace", &cause))?;
        run(&mut open(place)?, furnish::inside(plan, layout, slot, Stage::Tunnels))?;
        await_node(plan, layout, &namespaces[slot], slot, Stage::Tunnels, until)
    })?;
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
fn begin(plan: &Plan, layout: &Layout, slot: usize, machine: &Namespace) -> Result<(Namespace, Settings), LabError> {
    let place = &layout.slots[slot];
    let on_machine = layout.host.get(slot).copied().unwrap_or(false);
    let namespace = if on_machine { machine.again().and_then(|own| own.enter().map(|()| own)) } else { Namespace::create() };
    let namespace = namespace.map_err(|cause| LabError::system(place, "make its network namespace", &cause))?;
    let mut settings = match plan.nodes.get(slot) {
        // The machine's settings are its own.
        Some(_) if on_machine => Settings::default(),
        Some(node) => Settings::of(node.kind, &node.sysctls),
        None => Settings::of(NodeKind::Bridge, &[]),
    };
    settings.write(false);
    let own = plan.nodes.get(slot).is_some_and(|node| node.kind == NodeKind::Bridge);
    if let Some(index) = layout.bridges.get(slot).copied().flatten().filter(|_| own) {
        let (name, mac) = (layout.bridge_name(slot, index), layout.bridge_mac(plan, slot));
        let message = messages::bridge(&name, index, mac, plan.nodes[slot].settings.mtu);
        let request = Request { message, place: place.clone(), doing: "make its bridge device".to_owned() };
        run(&mut open(place)?, vec![request])?;
    }
    Ok((namespace, settings))
}

/// Interfaces of the run on the machine say nothing of their own there, and learn nothing from the run's nodes.
fn calm(plan: &Plan, layout: &Layout) {
    let ports = layout.links.iter().flat_map(|link| &link.ends).filter(|end| end.bridge.is_some()).map(|end| end.wire);
    let bridges = layout.bridges.iter().zip(&plan.nodes).filter(|(_, node)| node.kind == NodeKind::Bridge).filter_map(|(index, _)| *index);
    let silent: BTreeSet<u32> = ports.chain(bridges).collect();
    for made in &layout.on_machine {
        let (key, value) = if silent.contains(&made.index) { ("disable_ipv6", "1") } else { ("accept_ra", "0") };
        // A machine without IPv6 has neither.
        let _ = sysctl::attempt(&format!("net.ipv6.conf.{}.{key}", made.name), value);
    }
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
            if place.fixed {
                continue;
            }
            let pairs = match place.outer {
                None => vec![direct(plan, layout, place, namespaces)],
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
fn at_node<'a>(plan: &'a Plan, layout: &Layout, end: EndPlace, namespaces: &'a [Namespace]) -> VethEnd<'a> {
    let name = if end.wire == end.index { layout.name(plan, end.node, end.interface) } else { Cow::Owned(hidden_name(end.wire)) };
    let (mac, mtu) = (layout.mac(plan, end.node, end.interface), layout.widths[end.node][end.interface].wire);
    VethEnd { name, index: end.wire, namespace: namespaces[end.node].fd(), mac, mtu }
}

/// One pair from node to node. A port is the near end, which can be born into its bridge.
fn direct(plan: &Plan, layout: &Layout, place: &LinkPlace, namespaces: &[Namespace]) -> netlink_packet_route::RouteNetlinkMessage {
    let [first, second] = place.ends;
    let (near, far) = if second.bridge.is_some() { (second, first) } else { (first, second) };
    // What carries tags is no port itself.
    let bridge = near.bridge.filter(|_| near.wire == near.index);
    messages::veth(&at_node(plan, layout, near, namespaces), bridge, &at_node(plan, layout, far, namespaces))
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
        let there = at_node(plan, layout, place.ends[end], namespaces);
        let (name, namespace, mac) = (Cow::Owned(name), namespaces[fabric].fd(), [0x06, b, c, d, e, f]);
        let near = VethEnd { name, index: outer[end], namespace, mac, mtu: there.mtu };
        messages::veth(&near, None, &there)
    };
    Ok(vec![pair(0), pair(1)])
}

/// Everything inside a node: interfaces upon others, settings that had to wait, interfaces up, addresses, routes.
fn furnish(plan: &Plan, layout: &Layout, namespace: &Namespace, slot: usize, mut settings: Settings) -> Result<Settings, LabError> {
    let Some(node) = plan.nodes.get(slot) else { return Ok(settings) };
    let place = &node.name;
    namespace.enter().map_err(|cause| LabError::system(place, "enter its network namespace", &cause))?;
    let stack = furnish::stack(plan, layout, slot);
    if !stack.is_empty() {
        run(&mut open(place)?, stack)?;
    }
    settings.write(true);
    if let Some((key, value, why)) = settings.unmet(sysctl::said(plan, slot)) {
        return Err(LabError::Setting { place: place.clone(), key, value, why });
    }
    run(&mut open(place)?, furnish::inside(plan, layout, slot, Stage::First))?;
    for (at, interface) in node.interfaces.iter().enumerate() {
        // What stood before the run stays as it is.
        if layout.standing.contains(&layout.interfaces[slot][at]) {
            continue;
        }
        let (link, name) = (&plan.links[interface.link.index()], layout.name(plan, slot, at));
        let extent = offload::wanted(link.packets_alone, interface.settings.offload);
        let refused = |cause| LabError::system(format!("{place}.{}", interface.name), "set its offloads", &cause);
        // Where frames get tags the link's own end is below: there packets are cut apart, and come in.
        let below = layout.tags.get(&(slot, at)).and_then(|below| below.first()).map(|index| hidden_name(*index));
        let ends = || below.as_deref().into_iter().chain([name.as_ref()]);
        extent.map_or(Ok(()), |extent| ends().try_for_each(|end| offload::switch_off(end, extent))).map_err(refused)?;
        if link.engine != Engine::Direct && extent != Some(offload::Extent::All) {
            ends().next().map_or(Ok(()), offload::take_in_by_one_queue).map_err(refused)?;
        }
    }
    Ok(settings)
}

/// Waits until all interfaces of a node carry frames.
fn await_node(plan: &Plan, layout: &Layout, namespace: &Namespace, slot: usize, stage: Stage, until: Instant) -> Result<(), LabError> {
    let node = &plan.nodes[slot];
    namespace.enter().map_err(|cause| LabError::system(&node.name, "enter its network namespace", &cause))?;
    let mut socket = open(&node.name)?;
    for (name, _, index) in furnish::interfaces(plan, layout, slot, stage) {
        let of_host = node.kind == NodeKind::ThisHost && layout.standing.contains(&index);
        // A tunnel has no carrier to wait for, and what stands already is waited for as a port.
        if of_host || (stage == Stage::Tunnels && layout.interfaces[slot][..node.interfaces.len()].contains(&index)) {
            continue;
        }
        let place = format!("{}.{name}", node.name);
        let awaited = Awaited { slot, index, port: layout.bridges[slot].is_some(), place: place.clone() };
        if !await_up(&mut socket, &awaited, until)? {
            let doing = format!("bring the interface up within {} s", UP_WITHIN.as_secs());
            let cause = std::io::Error::from_raw_os_error(libc::ETIMEDOUT);
            return Err(LabError::system(place, doing, &cause));
        }
    }
    // A router without its link-local addresses could ask no neighbour, and would ask again a second later.
    while layout.bridges[slot].is_none()
        && !layout.host[slot]
        && socket.tentative().map_err(|refusal| LabError::netlink(&node.name, "look at its addresses", &refusal))?
    {
        if Instant::now() >= until {
            let cause = std::io::Error::from_raw_os_error(libc::ETIMEDOUT);
            return Err(LabError::system(&node.name, format!("take up its IPv6 addresses within {} s", UP_WITHIN.as_secs()), &cause));
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
    Ok(())
}
