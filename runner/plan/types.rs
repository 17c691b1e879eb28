//! The plan: a scenario with everything computed that does not need the machine. Integers only; one scenario, one seed and one
//! set of settings give the same plan, byte for byte.

use std::net::{IpAddr, SocketAddr};

use schemars::JsonSchema;
use scn_grammar::scenario::expect::Expectation;
use scn_grammar::scenario::flow::{Destination, Load, Reconnect, Timeouts, Tool};
use scn_grammar::scenario::pattern::Pattern;
use scn_grammar::scenario::process::Process;
use scn_grammar::scenario::stress::Stress;
use scn_grammar::scenario::timeline::{Entry, Event};
use scn_grammar::scenario::topology::{Impairment, InterfaceKind, LinkKind, NodeKind, Placement, Prefix, Settings};
use scn_grammar::scenario::transport::{Listener, Transport};
use scn_grammar::scenario::{FlowId, LinkId, Need, NodeId, Param, Secret, ServiceId};
use scn_grammar::source::Span;
use serde::{Deserialize, Serialize};

/// The version of the plan's JSON form.
pub const VERSION: u32 = 1;

/// What will be built, sent, done and judged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The `##` lines over it.
    pub doc: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// The file it stands in.
    pub file: String,
    /// The declaration.
    pub span: Span,
    /// Parameters of this run.
    pub params: Vec<Param>,
    /// The values of its matrices in this variant.
    pub matrix: Vec<Param>,
    /// All randomness comes from it.
    pub seed: u64,
    /// The run is cut after this long, ns.
    pub timeout_ns: u64,
    /// `timeout` was written.
    pub timeout_said: bool,
    /// The program may be this late, ns, `--timing` multiplied in.
    pub tolerance_ns: u64,
    /// Nodes in the scenario's order: an id is a position here.
    pub nodes: Vec<PlannedNode>,
    /// Links in the scenario's order.
    pub links: Vec<PlannedLink>,
    /// Interfaces that stand on others, in the scenario's order: each after those it stands on.
    pub interfaces: Vec<PlannedUpper>,
    /// Listeners, those added for flows last.
    pub listeners: Vec<PlannedListener>,
    /// Flows in the scenario's order.
    pub flows: Vec<PlannedFlow>,
    /// Programs under test, in the scenario's order.
    pub processes: Vec<Process>,
    /// Mixes of random streams, in the scenario's order.
    pub stresses: Vec<PlannedStress>,
    /// What the machine must have, or the scenario is skipped.
    pub needs: Vec<Need>,
    /// Values that are read when the run begins and written nowhere.
    pub secrets: Vec<Secret>,
    /// Named instants.
    pub events: Vec<Event>,
    /// What happens when.
    pub timeline: Vec<Entry>,
    /// What must hold.
    pub expectations: Vec<Expectation>,
    /// File descriptors that the run needs at most at once.
    pub descriptors: u64,
    /// Made for a look at single transactions (`scn run --once`): each flow does one, and nothing is judged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
}

/// A namespace to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedNode {
    /// Its name.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// Host, router or bridge.
    pub kind: NodeKind,
    /// It forwards packets.
    pub forwarding: bool,
    /// What the file sets for the whole node; the interfaces' own settings hold what follows of it for them.
    pub settings: Settings,
    /// The name on the machine of a bridge that stands there, if it is not the node's own.
    pub device: Option<String>,
    /// Where it stands if not on this machine.
    pub placement: Option<Placement>,
    /// Its interfaces, in the order of their links. A bridge has them too, as its ports.
    pub interfaces: Vec<PlannedInterface>,
    /// Its routes beyond those of its own subnets.
    pub routes: Vec<PlannedRoute>,
    /// Ranges of addresses that it takes for its own though no interface has them: clients start from them.
    #[serde(default)]
    pub pools: Vec<Prefix>,
    /// Kernel settings of its namespace, in the order they are written: `net.ipv4.ip_forward`, value. Those that the kernel
    /// lacks are skipped and reported.
    pub sysctls: Vec<(String, String)>,
}

/// An interface to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedInterface {
    /// `eth0`; at most 15 bytes. Ports of a bridge are `port0`, `port1`, ...
    pub name: String,
    /// The file gives the name.
    pub named: bool,
    /// Its link.
    pub link: LinkId,
    /// Which end of the link: 0 or 1.
    pub end: u8,
    /// As the file says, else locally administered, computed from the node's and interface's position.
    pub mac: [u8; 6],
    /// Its addresses; none for ports of a bridge.
    pub addresses: Vec<Prefix>,
    /// So many of the addresses, the first, are written; the rest are given by the planner.
    pub written: u32,
    /// What the file sets at it.
    pub settings: Settings,
}

/// An interface to make upon others of its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedUpper {
    /// Which node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// The names of the interfaces it stands on.
    pub on: Vec<String>,
    /// As the file says, else that of the first interface below it, or of a macvlan one of its own.
    #[serde(default)]
    pub mac: [u8; 6],
    /// Its addresses.
    pub addresses: Vec<Prefix>,
    /// So many of the addresses, the first, are written; the rest are given by the planner.
    #[serde(default)]
    pub written: u32,
    /// What the file sets at it.
    pub settings: Settings,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRoute {
    /// Where to.
    pub to: Prefix,
    /// Next hop; on a subnet of the node.
    pub via: IpAddr,
    /// The file says so; otherwise it was computed.
    pub said: bool,
}

/// A link to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedLink {
    /// Its name.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// A wire or a tunnel.
    pub kind: LinkKind,
    /// The two ends: node, and position in its interfaces.
    pub ends: [(NodeId, u32); 2],
    /// How it is made.
    pub engine: Engine,
    /// Now or by the timeline something is done to single packets: segmentation offloads are off at both ends, so that each packet
    /// crosses alone.
    #[serde(default)]
    pub packets_alone: bool,
    /// From the first end to the second.
    pub forward: Impairment,
    /// From the second end to the first.
    pub back: Impairment,
    /// Of a tunnel: what its packets travel between.
    #[serde(default)]
    pub tunnel: Option<Tunnel>,
    /// Where the kernel is the engine: what each way is ever to do, from the first end and from the second.
    #[serde(default)]
    pub stages: [Stages; 2],
}

/// What the packets of a tunnel travel between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tunnel {
    /// The address of each end's node, in the order of the ends.
    pub between: [IpAddr; 2],
    /// The largest packet inside that passes the links below undivided, in bytes: what an end has that says no `mtu`.
    pub mtu: u32,
}

/// How a link is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// One veth pair from node to node. A fault can strike it only where one end is a bridge: the port is what goes down.
    Direct,
    /// Two veth pairs into a fabric namespace, joined by our own pump: impaired links, and links between nodes that a fault strikes.
    Wire,
    /// The same, joined by the kernel, whose netem does there what the link does to packets.
    Kernel,
}

/// What one way of a link is ever to do, where the kernel does it: each is a netem of its own unless two can be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Stages {
    /// It loses packets.
    pub loss: bool,
    /// It has a rate, and a queue before it.
    pub rate: bool,
    /// It delays packets.
    pub delay: bool,
}

/// Something of ours that listens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedListener {
    /// `store`, or `peer of steady`.
    pub name: String,
    /// The service it stands for; `None`: a peer that the planner added.
    pub service: Option<ServiceId>,
    /// Where.
    pub node: NodeId,
    /// Unspecified (`[::]`, both families): every address of the node.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// What it runs over, with its options.
    pub listener: Listener,
    /// What it plays the server's side of; `None`: the transport answers by itself (HTTP).
    pub pattern: Option<Pattern>,
    /// The declaration of the service, or of the flow that a peer was added for.
    #[serde(default)]
    pub span: Span,
}

/// A mix of random streams with the flows that its streams are runs of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStress {
    /// What the file says.
    #[serde(flatten)]
    pub stress: Stress,
    /// A flow for each client and, of it, for each transport and each of its makers, in their order.
    #[serde(default)]
    pub kinds: Vec<PlannedFlow>,
    /// No entry of the timeline starts it: it starts at 0.
    #[serde(default)]
    pub starts_at_zero: bool,
}

/// A flow with its target computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedFlow {
    /// Its position.
    pub id: FlowId,
    /// Its name.
    pub name: String,
    /// The `##` lines over it.
    pub doc: String,
    /// The client's node.
    pub from: NodeId,
    /// Where it connects to; port 0 where the transport has none, and no address for frames and names.
    pub target: SocketAddr,
    /// Nodes whose listeners may answer there, in order.
    pub backends: Vec<NodeId>,
    /// To a multicast group or a broadcast address: the interface that it leaves by. Then each of `backends` receives, and is counted by
    /// itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread_by: Option<String>,
    /// What one transaction is; `None`: the transport or the tool says it.
    pub pattern: Option<Pattern>,
    /// How much, and when.
    pub load: Load,
    /// Between two intended starts of an open loop at the flow's beginning, ns, rounded down: on average over what is drawn; 0: closed
    /// loop. At a constant rate the k-th start is at `k * 1e18 / rate_nano` ns.
    pub interval_ns: u64,
    /// When a broken connection is opened anew; `None`: never.
    pub reconnect: Option<Reconnect>,
    /// Limits of waiting.
    pub timeouts: Timeouts,
    /// The client's interface, if said.
    pub from_interface: Option<String>,
    /// Where it goes, as the file says it.
    pub to: Destination,
    /// Nothing of ours answers.
    pub peer_none: bool,
    /// What it runs over, with its options.
    pub transport: Transport,
    /// The real tool that makes it.
    pub tool: Option<Tool>,
    /// Prefixes that its clients' addresses are spread over; empty: the node's own address.
    pub source: Vec<Prefix>,
    /// First and last client port; `None`: the kernel chooses.
    pub ports: Option<(u16, u16)>,
    /// tcp_info is read this often, ns.
    pub sample_tcp_info_ns: Option<u64>,
    /// No entry of the timeline starts it: it starts at 0.
    pub starts_at_zero: bool,
    /// The declaration.
    pub span: Span,
}

impl Plan {
    /// The nodes that have an address at the beginning.
    #[must_use]
    pub fn holders(&self, address: IpAddr) -> Vec<NodeId> {
        let has = |of: &[Prefix]| of.iter().any(|prefix| prefix.address == address);
        let holds = |(id, node): &(u32, &PlannedNode)| {
            let upon = self.interfaces.iter().filter(|upper| upper.node.0 == *id);
            node.interfaces.iter().any(|interface| has(&interface.addresses)) || upon.into_iter().any(|upper| has(&upper.addresses))
        };
        (0u32..).zip(&self.nodes).filter(holds).map(|(id, _)| NodeId(id)).collect()
    }
}

impl PlannedFlow {
    /// It sends nothing, and counts the frames of others.
    #[must_use]
    pub fn watches(&self) -> bool {
        self.transport.watches()
    }

    /// The name that is looked up in the client's node while the flow runs; `None`: its target is known beforehand.
    #[must_use]
    pub fn looked_up(&self) -> Option<&str> {
        match &self.to {
            Destination::HostName(name, _) => Some(name),
            _ => None,
        }
    }

    /// The target's host for people and programs: its address, or the name in its place.
    #[must_use]
    pub fn host(&self) -> String {
        self.looked_up().map_or_else(|| self.target.ip().to_string(), str::to_owned)
    }

    /// The target for people: host and port, without a port where there is none.
    #[must_use]
    pub fn place(&self) -> String {
        match (self.looked_up(), self.target.port()) {
            (_, 0) => self.host(),
            (Some(name), port) if name.contains(':') => format!("[{name}]:{port}"),
            (Some(name), port) => format!("{name}:{port}"),
            (None, _) => self.target.to_string(),
        }
    }
}
