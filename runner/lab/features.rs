//! Whether the kernel can make what a plan asks for, by trying it in a namespace that is gone afterwards. In: a plan. Out: the first thing
//! that it can't make, in words. Leaves nothing behind.

use std::io;

use netlink_packet_route::RouteNetlinkMessage;
use scn_grammar::scenario::topology::{BondMode, InterfaceKind, LinkKind, MacvlanMode};
use scn_grammar::scenario::transport::TransportKind;
use socket2::{Domain, Socket, Type};

use super::error::LabError;
use super::kernel;
use super::messages::{self, VethEnd};
use super::namespace::Namespace;
use super::netlink::Netlink;
use super::stacks::{self, Fresh};
use super::sysctl;
use crate::plan::types::{Engine, Plan, Stages};
use crate::traffic::sockets::Streams;

/// A sort of interface or queue that not every kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
    /// Tags of VLANs.
    Vlan,
    /// Several interfaces as one.
    Bond,
    /// Several hardware addresses on one wire.
    Macvlan,
    /// Tunnels.
    Vxlan,
    /// What comes in at one interface goes out at another.
    Redirect,
    /// Delay, loss and rate by the kernel.
    Netem,
    /// TCP over several ways.
    Mptcp,
    /// Sockets of SCTP.
    Sctp,
}

/// A feature, the words for people, the kernel's option, its module, and the name by which a scenario needs it.
pub(crate) type Known = (Feature, &'static str, &'static str, &'static str, &'static str);

/// All of them.
pub(crate) const FEATURES: [Known; 8] = [
    (Feature::Vlan, "a VLAN interface", "CONFIG_VLAN_8021Q", "8021q", "vlan"),
    (Feature::Bond, "a bond", "CONFIG_BONDING", "bonding", "bonding"),
    (Feature::Macvlan, "a macvlan", "CONFIG_MACVLAN", "macvlan", "macvlan"),
    (Feature::Vxlan, "a VXLAN tunnel", "CONFIG_VXLAN", "vxlan", "vxlan"),
    (
        Feature::Redirect,
        "a link that the kernel carries (`--engine kernel`)",
        "CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32 and CONFIG_NET_ACT_MIRRED",
        "act_mirred",
        "mirred",
    ),
    (Feature::Netem, "a link that the kernel impairs (`--engine kernel`)", "CONFIG_NET_SCH_NETEM", "sch_netem", "netem"),
    (Feature::Mptcp, "a flow or service over MPTCP", "CONFIG_MPTCP", "mptcp", "mptcp"),
    (Feature::Sctp, "a flow or service over SCTP", "CONFIG_IP_SCTP", "sctp", "sctp"),
];

/// Indexes in the namespace of the trial.
const NEAR: u32 = 11;
const FAR: u32 = 12;
const TRIED: u32 = 13;

/// Checks that the kernel has all that the plan's interfaces and settings are.
///
/// # Errors
/// The first that is missing, with the kernel's option.
pub(crate) fn check(plan: &Plan) -> Result<(), LabError> {
    let wanted = wanted(plan);
    for (feature, what, option, module, need) in FEATURES.iter().filter(|(feature, ..)| wanted.contains(feature)) {
        works(*feature).map_err(|cause| match feature {
            Feature::Redirect | Feature::Netem => LabError::Engine { what, option, module, need, cause },
            _ => LabError::Feature { what, option, module, need, cause },
        })?;
    }
    if (0..plan.nodes.len()).all(|node| sysctl::said(plan, node).next().is_none()) {
        return Ok(());
    }
    apart(|| settings(plan))?
}

/// The kernel can make such interfaces; otherwise its words.
pub(crate) fn works(feature: Feature) -> Result<(), String> {
    apart(|| attempt(feature)).unwrap_or_else(|error| Err(error.to_string()))
}

/// A need names one of these, and the kernel can make it: one that is built in shows no module.
pub(crate) fn has(need: &str) -> bool {
    FEATURES.iter().any(|(feature, .., name)| *name == need && works(*feature).is_ok())
}

/// Runs something on a thread in a namespace of its own.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("scn-trial".to_owned()).spawn_scoped(scope, || {
            let _gone_afterwards = Namespace::create()?;
            Ok::<T, io::Error>(work())
        });
        let thread = thread.map_err(|cause| LabError::system("preflight", "start a thread", &cause))?;
        let done =
            thread.join().map_err(|_| LabError::Closed { thread: "trial".to_owned(), why: "It panicked (a bug in scn)".to_owned() })?;
        done.map_err(|cause| LabError::system("preflight", "make a network namespace", &cause))
    })
}

/// What a plan is made of.
fn wanted(plan: &Plan) -> Vec<Feature> {
    let tagged = plan.nodes.iter().flat_map(|node| &node.interfaces).any(|interface| !interface.settings.vlans.is_empty());
    let tunnel = plan.links.iter().any(|link| matches!(link.kind, LinkKind::Vxlan { .. }));
    let upon = plan.interfaces.iter().map(|upper| match upper.kind {
        InterfaceKind::Vlan { .. } => Feature::Vlan,
        InterfaceKind::Macvlan { .. } => Feature::Macvlan,
        InterfaceKind::Bond { .. } => Feature::Bond,
    });
    let kernel = || plan.links.iter().filter(|link| link.engine == Engine::Kernel);
    let carries = kernel().next().map(|_| Feature::Redirect);
    let impairs = kernel().any(|link| link.stages != [Stages::default(); 2]).then_some(Feature::Netem);
    let of_flows = plan.flows.iter().filter(|flow| flow.tool.is_none()).map(|flow| flow.transport.kind());
    let over = of_flows.chain(plan.listeners.iter().map(|listener| listener.listener.kind()));
    let over = over.filter_map(|kind| match kind {
        TransportKind::Mptcp => Some(Feature::Mptcp),
        TransportKind::Sctp => Some(Feature::Sctp),
        _ => None,
    });
    let upon = upon.chain(carries).chain(impairs).chain(over);
    let mut wanted: Vec<Feature> = upon.chain(tagged.then_some(Feature::Vlan)).chain(tunnel.then_some(Feature::Vxlan)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Makes one in the calling thread's namespace, which has nothing.
fn attempt(feature: Feature) -> Result<(), String> {
    let socket = |over: Streams| {
        let made = Socket::new(Domain::IPV4, Type::STREAM, Some(over.protocol()));
        made.map(drop).map_err(|cause| cause.to_string())
    };
    match feature {
        Feature::Mptcp => return socket(Streams::Mptcp),
        Feature::Sctp => return socket(Streams::Sctp),
        _ => {}
    }
    let own = Namespace::current().map_err(|cause| cause.to_string())?;
    let mut socket = Netlink::open().map_err(|cause| cause.to_string())?;
    let fresh = Fresh { name: "tried", index: TRIED, mac: [2, 0, 0, 0, 0, 3], mtu: None };
    let end =
        |name: &'static str, index, low| VethEnd { name: name.into(), index, namespace: own.fd(), mac: [2, 0, 0, 0, 0, low], mtu: None };
    let pair = messages::veth(&end("near", NEAR, 1), None, &end("far", FAR, 2));
    let local = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let messages: Vec<RouteNetlinkMessage> = match feature {
        Feature::Vlan => vec![pair, stacks::vlan(&fresh, NEAR, 1, false)],
        Feature::Macvlan => vec![pair, stacks::macvlan(&fresh, NEAR, MacvlanMode::Bridge)],
        Feature::Bond => vec![stacks::bond(&fresh, BondMode::ActiveBackup, 100_000_000)],
        Feature::Vxlan => vec![stacks::vxlan(&fresh, 1, 4789, local, local)],
        Feature::Redirect => vec![pair, kernel::messages::ingress(NEAR), kernel::messages::redirect(NEAR, FAR)],
        Feature::Netem => vec![pair, kernel::messages::netem(NEAR, 1, None, kernel::netem::plain())],
        Feature::Mptcp | Feature::Sctp => Vec::new(),
    };
    socket.run(messages).map_err(|refusal| refusal.to_string())
}

/// Tries the settings that the file says. One of an interface is tried where the kernel keeps what new interfaces begin with.
fn settings(plan: &Plan) -> Result<(), LabError> {
    let mut tried = std::collections::BTreeSet::new();
    for (node, planned) in plan.nodes.iter().enumerate() {
        for said in sysctl::said(plan, node) {
            let known = planned.interfaces.iter().map(|interface| &interface.name);
            let upon = plan.interfaces.iter().filter(|upper| upper.node.index() == node).map(|upper| &upper.name);
            let general = known.chain(upon).fold(said.key.clone(), |key, name| key.replace(&format!(".{name}."), ".default."));
            if tried.insert((general.clone(), said.value.clone()))
                && let Err(why) = sysctl::attempt(&general, &said.value)
            {
                let (place, key, value) = (planned.name.clone(), said.key.clone(), said.value.clone());
                return Err(LabError::Setting { place, key, value, why });
            }
        }
    }
    Ok(())
}
