//! Nodes, links and interfaces of a scenario, replicas expanded. Addresses that the file does not say are given by the planner.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::NodeId;
pub use super::impairment::{Codel, Delay, DropKind, DropRule, Impairment, Loss, LossSpan, Queue, QueueLimit, Reorder, ReorderBy};
use crate::source::Span;

/// Nodes, links and interfaces.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Topology {
    /// Nodes, routers, bridges, in the order written.
    pub nodes: Vec<Node>,
    /// Links and tunnels, in the order written.
    pub links: Vec<Link>,
    /// Interfaces that stand on others, in the order written.
    pub interfaces: Vec<Interface>,
    /// Routes as written.
    pub routes: Vec<Route>,
    /// `routing manual`: the planner computes no routes.
    pub routing_manual: bool,
}

/// A node, router or bridge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// `client`, or `client[7]` of a replica; `site.hub` of an instance of a topology.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// What it is.
    pub kind: NodeKind,
    /// It forwards packets between its interfaces. Default: a router does, everything else does not.
    pub forwarding: bool,
    /// What every interface of it takes over where the interface says nothing of its own.
    pub settings: Settings,
    /// The name on the machine of an `external bridge` if it is not the node's own (`device "br-lan"`).
    pub device: Option<String>,
    /// Where it stands if not on this machine.
    pub placement: Option<Placement>,
    /// Where it is declared.
    pub span: Span,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Has addresses, does not forward.
    Host,
    /// Has addresses, forwards.
    Router,
    /// Joins links into one broadcast domain.
    Bridge,
    /// A bridge that stands on the machine already: attached to, never changed otherwise.
    ExternalBridge,
    /// The machine's own network, without a namespace. A link to a named interface of it attaches the one that stands there.
    ThisHost,
    /// Another machine.
    Remote,
}

impl NodeKind {
    /// It joins links and has no addresses, services or flows of its own.
    #[must_use]
    pub fn is_bridge(self) -> bool {
        matches!(self, NodeKind::Bridge | NodeKind::ExternalBridge)
    }

    /// It stands outside what the run makes.
    #[must_use]
    pub fn is_external(self) -> bool {
        matches!(self, NodeKind::ExternalBridge | NodeKind::ThisHost | NodeKind::Remote)
    }
}

/// Where a node stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// On the machine that `ssh` reaches by these words (`lab@east.example`).
    Ssh(String),
}

/// What is set at interfaces. Nothing said: the kernel's default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// The hardware address. Only at one interface or a bridge, never at a whole node.
    pub mac: Option<Mac>,
    /// Largest packet of layer 3, in bytes.
    pub mtu: Option<u32>,
    /// VLAN tags of every frame that leaves here, the outermost first; frames without them are not taken.
    pub vlans: Vec<u16>,
    /// Segmentation, receive and checksum offload. `None`: as the link's engine needs it.
    pub offload: Option<bool>,
    /// Kernel settings, in the order written.
    pub sysctls: Vec<Sysctl>,
}

/// One kernel setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sysctl {
    /// `net.ipv4.tcp_ecn`.
    pub key: String,
    /// As it is written to the kernel.
    pub value: String,
    /// Where it is said.
    pub span: Span,
}

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Mac(pub [u8; 6]);

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A link between two nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// As written, or made of its ends: `client--lan`.
    pub name: String,
    /// The name was written.
    pub named: bool,
    /// The `##` lines over it.
    pub doc: String,
    /// What it is.
    pub kind: LinkKind,
    /// First and second end, as written.
    pub ends: [End; 2],
    /// From the first end to the second. A tunnel has none: its packets take what the links below it do.
    pub forward: Impairment,
    /// From the second end to the first.
    pub back: Impairment,
    /// The statement.
    pub span: Span,
}

/// What a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// A wire. With a named interface of [`NodeKind::ThisHost`] at one end and a bridge at the other: that interface as the
    /// bridge's port.
    Wire,
    /// A VXLAN tunnel between two nodes that reach each other by other links.
    Vxlan {
        /// The network identifier, 0 to 16777215. Default: the tunnel's place among the file's tunnels, from 1.
        id: u32,
        /// The UDP port. Default 4789.
        port: u16,
    },
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// Which node.
    pub node: NodeId,
    /// The interface's name, if written.
    pub interface: Option<String>,
    /// Addresses as written, each with its place.
    pub addresses: Vec<(Prefix, Span)>,
    /// What the link, the `interface` statement or the node says, the nearest first.
    pub settings: Settings,
    /// The end as written.
    pub span: Span,
}

/// An interface that stands on others of the same node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Interface {
    /// Which node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// The names of the interfaces it stands on: one, of a bond several. An interface that no file names is called as the
    /// planner does: `eth0`, `eth1` in the order of the links.
    pub on: Vec<String>,
    /// Addresses as written, each with its place.
    pub addresses: Vec<(Prefix, Span)>,
    /// Its settings; [`Settings::vlans`] is empty.
    pub settings: Settings,
    /// The statement.
    pub span: Span,
}

/// What an interface on others is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceKind {
    /// `vlan`: the frames of one tag.
    Vlan {
        /// 1 to 4094.
        id: u16,
    },
    /// `macvlan`: a hardware address of its own on the same wire.
    Macvlan {
        /// Default `bridge`.
        mode: MacvlanMode,
    },
    /// `bond`: several as one.
    Bond {
        /// Default `active_backup`.
        mode: BondMode,
        /// The carrier is looked at this often, ns. Default 100 ms.
        miimon_ns: u64,
    },
}

/// How interfaces of one macvlan parent see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MacvlanMode {
    /// Directly.
    Bridge,
    /// By way of an external switch that sends frames back.
    Vepa,
    /// Not at all.
    Private,
    /// The only one on its parent.
    Passthru,
}

/// How a bond uses its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BondMode {
    /// In turn.
    BalanceRr,
    /// One, the others stand by.
    ActiveBackup,
    /// By a hash of the addresses.
    BalanceXor,
    /// All at once.
    Broadcast,
    /// LACP (802.3ad).
    Lacp,
    /// By load, sending only.
    BalanceTlb,
    /// By load, both ways.
    BalanceAlb,
}

/// An address and the length of its subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Prefix {
    /// The address as written, host bits kept.
    pub address: IpAddr,
    /// Bits of the subnet.
    pub length: u8,
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A route as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// Whose table.
    pub node: NodeId,
    /// Where to.
    pub to: Prefix,
    /// Next hop.
    pub via: IpAddr,
    /// The statement.
    pub span: Span,
}
