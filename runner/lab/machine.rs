//! What stands on this machine already and a plan touches: an external bridge, the machine's own network, interfaces of it. In: a plan.
//! Out: where these are now, or why the plan cannot have them. Only looks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use scn_grammar::scenario::topology::{NodeKind, Prefix};

use super::enter::{self, Privilege};
use super::error::LabError;
use super::messages::holds;
use super::netlink::Netlink;
use crate::plan::types::{Plan, PlannedNode};

/// Runs at the same time begin to count their interfaces so far apart.
const APART: u32 = 1 << 12;
/// So many runs are told apart by their process.
const RUNS: u32 = 1 << 16;

/// An interface that stands on the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Its index.
    pub(crate) index: u32,
    /// Its name.
    pub(crate) name: String,
    /// Its hardware address.
    pub(crate) mac: [u8; 6],
    /// Its largest packet, in bytes.
    pub(crate) mtu: u32,
    /// The bridge or bond it belongs to.
    master: Option<u32>,
    /// It is up.
    up: bool,
    /// It is a bridge.
    bridge: bool,
}

/// What a plan touches of the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machine {
    /// Indexes of the lab begin here; 0: nothing of the machine is touched.
    pub(crate) first_index: u32,
    /// By node: external bridges.
    pub(crate) bridges: BTreeMap<usize, Standing>,
    /// By node and interface: what links attach.
    pub(crate) interfaces: BTreeMap<(usize, usize), Standing>,
}

impl Machine {
    /// Looks at what a plan touches, from a thread in the machine's own network.
    pub(crate) fn look(plan: &Plan) -> Result<Self, LabError> {
        if !plan.nodes.iter().any(touches) {
            return Ok(Machine::default());
        }
        let failed = |cause: &std::io::Error| LabError::system("this machine", "look at its interfaces", cause);
        let mut socket = Netlink::open().map_err(|cause| failed(&cause))?;
        let all = socket.links().map_err(|refusal| LabError::netlink("this machine", "look at its interfaces", &refusal))?;
        let all: Vec<Standing> = all.iter().map(standing).collect();
        let highest = all.iter().map(|one| one.index).max().unwrap_or(0);
        let mut machine = Machine { first_index: highest + 1 + std::process::id() % RUNS * APART, ..Machine::default() };
        for (index, node) in plan.nodes.iter().enumerate() {
            match node.kind {
                NodeKind::ExternalBridge => {
                    machine.bridges.insert(index, bridge(node, &all)?);
                }
                NodeKind::ThisHost => {
                    for (position, interface) in node.interfaces.iter().enumerate().filter(|(_, interface)| interface.named) {
                        machine.interfaces.insert((index, position), attached(&interface.name, &node.name, &all)?);
                    }
                    clashes(node, &mut socket)?;
                }
                NodeKind::Host | NodeKind::Router | NodeKind::Bridge | NodeKind::Remote => {}
            }
        }
        Ok(machine)
    }
}

/// A node is, or is made of, what stands on the machine.
pub(crate) fn touches(node: &PlannedNode) -> bool {
    matches!(node.kind, NodeKind::ExternalBridge | NodeKind::ThisHost)
}

/// Only root may touch the machine, and only what is there.
///
/// # Errors
/// What is missing.
pub(crate) fn check(plan: &Plan) -> Result<(), LabError> {
    let Some(node) = plan.nodes.iter().find(|node| touches(node)) else { return Ok(()) };
    if enter::current() != Privilege::Root {
        return Err(LabError::NeedsRoot { node: node.name.clone() });
    }
    Machine::look(plan).map(drop)
}

/// What netlink tells of an interface.
pub(crate) fn standing(link: &LinkMessage) -> Standing {
    let up = link.header.flags.contains(LinkFlags::Up);
    let mut found = Standing { index: link.header.index, name: String::new(), mac: [0; 6], mtu: 0, master: None, up, bridge: false };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => found.name.clone_from(name),
            LinkAttribute::Address(mac) => found.mac = mac.as_slice().try_into().unwrap_or_default(),
            LinkAttribute::Mtu(mtu) => found.mtu = *mtu,
            LinkAttribute::Controller(master) => found.master = Some(*master).filter(|master| *master != 0),
            LinkAttribute::LinkInfo(infos) => found.bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge)),
            _ => {}
        }
    }
    found
}

impl Standing {
    /// The index of the bridge or bond that it belongs to.
    pub(crate) fn master(&self) -> Option<u32> {
        self.master
    }
}

/// The bridge of an `external bridge`.
fn bridge(node: &PlannedNode, all: &[Standing]) -> Result<Standing, LabError> {
    let device = node.device.as_deref().unwrap_or(&node.name);
    let outside = |why: String| LabError::Outside { what: format!("`external bridge {}`", node.name), why };
    let bridges: Vec<&str> = all.iter().filter(|one| one.bridge).map(|one| one.name.as_str()).collect();
    let known = if bridges.is_empty() { "it has no bridge".to_owned() } else { format!("its bridges are: {}", bridges.join(", ")) };
    match all.iter().find(|one| one.name == device) {
        None => Err(outside(format!("this machine has no interface `{device}`; {known}"))),
        Some(one) if !one.bridge => Err(outside(format!("`{device}` is no bridge; {known}"))),
        Some(one) if !one.up => Err(outside(format!("`{device}` is down, and is not changed; bring it up: ip link set {device} up"))),
        Some(one) => Ok(one.clone()),
    }
}

/// An interface of the machine that becomes a port.
fn attached(name: &str, node: &str, all: &[Standing]) -> Result<Standing, LabError> {
    let outside = |why: String| LabError::Outside { what: format!("`{node}.{name}`"), why };
    let known = || all.iter().filter(|one| one.name != "lo").map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
    match all.iter().find(|one| one.name == name) {
        None => Err(outside(format!("this machine has no interface `{name}`; it has: {}", known()))),
        Some(one) if one.master.is_some() => Err(outside(format!("`{name}` belongs to another bridge or bond already, and stays there"))),
        Some(one) if !one.up => Err(outside(format!("`{name}` is down, and is not changed; bring it up: ip link set {name} up"))),
        Some(one) => Ok(one.clone()),
    }
}

/// The addresses that the machine gets for the run are apart from those it has.
fn clashes(node: &PlannedNode, socket: &mut Netlink) -> Result<(), LabError> {
    let planned = node.interfaces.iter().flat_map(|interface| &interface.addresses).copied();
    let planned: Vec<Prefix> = planned.chain(node.routes.iter().map(|route| route.to)).collect();
    let known = socket.addresses().map_err(|refusal| LabError::netlink("this machine", "look at its addresses", &refusal))?;
    let same = |one: &Prefix, other: &Prefix| {
        let (wide, narrow) = if one.length <= other.length { (one, other) } else { (other, one) };
        one.address.is_ipv4() == other.address.is_ipv4() && holds(*wide, narrow.address)
    };
    let local = |prefix: &&Prefix| match prefix.address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    };
    for there in known.iter().filter(|prefix| !local(prefix)) {
        if let Some(clash) = planned.iter().find(|prefix| same(prefix, there)) {
            let why = format!("{clash} is of a subnet that this machine is on with {there}; write other addresses");
            return Err(LabError::Outside { what: format!("`host {}`", node.name), why });
        }
    }
    Ok(())
}
