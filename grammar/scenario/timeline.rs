//! What happens when: entries with ids instead of names. `every`, `for` and `call` are expanded: each entry here acts once. In:
//! nothing. Out: the types that the planner, the engine and the lab read.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expect::Condition;
use super::impairment::Impairment;
use super::process::Signal;
use super::text::Text;
use super::topology::Prefix;
use super::{EventId, FlowId, LinkId, NodeId, ProcessId, ServiceId, StressId};
use crate::source::Span;

/// An instant with a name; the entry that makes it points here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its name: `failure`, `tick[3]`, `flap.cut` of an entry inside a call. If nobody named it, the words of its entry.
    pub name: String,
    /// The file names it. Otherwise only entries that came of the same statement refer to it.
    pub named: bool,
    /// Where it is named, or the entry.
    pub span: Span,
}

/// An instant: an event's, or the timeline's start, and an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeRef {
    /// `None`: the timeline's start.
    pub event: Option<EventId>,
    /// Nanoseconds after it, or before if negative.
    pub offset_ns: i64,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// When.
    pub when: When,
    /// What.
    pub action: Action,
    /// Undone after this long, in ns. Only of an action that has an undo ([`Action::has_undo`]).
    pub lasts_ns: Option<u64>,
    /// The event it makes.
    pub event: Option<EventId>,
    /// As written, for people: `down primary`.
    pub text: String,
    /// The call that it came of, as written, for people: `flap(wan)`. `None`: it stands in the scenario's own timeline.
    pub called: Option<String>,
    /// The statement.
    pub span: Span,
}

/// When an entry acts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At an instant.
    At(TimeRef),
    /// As soon as the condition holds, watched from the moment when every entry before it in the file has acted.
    Condition {
        /// What must hold. Uses counters and gauges only.
        condition: Condition,
        /// Fails the run (error) when it did not come true in this time, in ns; `None`: the scenario's timeout.
        within_ns: Option<u64>,
    },
}

/// What an entry does. Lists are never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "entries are few, and plain variants read better than boxes")]
pub enum Action {
    /// Starts flows.
    Start(Vec<FlowId>),
    /// Stops flows.
    Stop(Vec<FlowId>),
    /// Holds flows: connections stay, no transaction starts, and those that were due meanwhile are not made up for.
    Pause(Vec<FlowId>),
    /// Lets them go on.
    Resume(Vec<FlowId>),
    /// Changes flows while they run; undone, the value before comes back.
    Set {
        /// Which.
        flows: Vec<FlowId>,
        /// What of them, and to which value.
        setting: Setting,
        /// Evenly over this long, ns; 0: at once.
        over_ns: u64,
    },
    /// Starts mixes of streams.
    StartStress(Vec<StressId>),
    /// Stops them with all their streams.
    StopStress(Vec<StressId>),
    /// Ends all their streams and starts none.
    PauseStress(Vec<StressId>),
    /// Starts streams again.
    ResumeStress(Vec<StressId>),
    /// Changes mixes of streams while they run; undone, the value before comes back.
    SetStress {
        /// Which.
        stresses: Vec<StressId>,
        /// What of them, and to which value.
        setting: StressSetting,
        /// Evenly over this long, ns; 0: at once.
        over_ns: u64,
    },
    /// Closes a service's listener on these nodes, and each connection after its current transaction.
    StopService(ServiceId, Vec<NodeId>),
    /// Opens it again.
    StartService(ServiceId, Vec<NodeId>),
    /// Ends programs under test by their stop signal.
    StopProcess(Vec<Copies>),
    /// Starts programs that ended.
    StartProcess(Vec<Copies>),
    /// Takes the carrier away.
    Down(Vec<Target>),
    /// Gives it back.
    Up(Vec<Target>),
    /// Drops everything without a sign.
    Silence(Vec<Target>),
    /// Ends that.
    Unsilence(Vec<Target>),
    /// Sets the whole impairment of the ways that it names; undone, the one before comes back. `forward` of a link is from its first
    /// end to its second; of a node or an interface it is what leaves there.
    Impair {
        /// Which.
        targets: Vec<Target>,
        /// The new one this way; `None`: stays as it is.
        forward: Option<Impairment>,
        /// The new one that way; `None`: stays as it is.
        back: Option<Impairment>,
        /// Numbers change evenly over this long, ns, the rest at its start; 0: at once.
        over_ns: u64,
    },
    /// Sets what the topology says.
    Restore(Vec<Target>),
    /// Nothing passes from one set of nodes to the other. The sets have no node in common.
    Partition(Cut),
    /// Nothing passes between these nodes and any other.
    Isolate(Vec<NodeId>),
    /// Ends partitions and isolations.
    Heal(Healed),
    /// Gives a node an address, on the interface whose subnet holds it or on the one named; neighbours are told.
    AddAddress {
        /// What.
        prefix: Prefix,
        /// To whom.
        node: NodeId,
        /// Where, if said.
        interface: Option<String>,
    },
    /// Takes an address from a node.
    RemoveAddress {
        /// Which.
        address: IpAddr,
        /// From whom.
        node: NodeId,
    },
    /// Takes an address from one node and gives it to another.
    MoveAddress {
        /// What.
        prefix: Prefix,
        /// From whom.
        from: NodeId,
        /// To whom.
        to: NodeId,
        /// Where at the new one, if said.
        interface: Option<String>,
    },
    /// Sets or takes a route; undone, the one before comes back.
    Route {
        /// Whose tables.
        nodes: Vec<NodeId>,
        /// Where to.
        to: Prefix,
        /// The next hop; `None`: `off`, no route there.
        via: Option<IpAddr>,
    },
    /// Ends at once and without asking; undone by a restart.
    Kill(Vec<Victim>),
    /// Sends a signal to programs.
    Signal {
        /// To whom. Services and the clients of flows know SIGKILL, SIGSTOP, SIGCONT and SIGTERM.
        to: Vec<Victim>,
        /// Which.
        signal: Signal,
    },
    /// Stops the programs where they are, connections open (SIGSTOP of all their processes).
    Freeze(Vec<Victim>),
    /// Lets them go on.
    Thaw(Vec<Victim>),
    /// Ends what still runs, and starts it anew.
    Restart(Vec<Victim>),
    /// Everything on these nodes ends at once, and their peers hear nothing of it; undone by a restart.
    Vanish(Vec<NodeId>),
    /// Runs a command on a node. Its output and status are known by the entry's event.
    Run {
        /// Where.
        node: NodeId,
        /// For `sh -c`.
        command: Text,
    },
    /// Writes packets to a file from now on; undone, it ends.
    Capture {
        /// Whose packets.
        targets: Vec<Target>,
        /// The file's path under the run's folder, without `..`.
        to: String,
    },
    /// Only makes an event.
    Mark,
}

impl Action {
    /// `for D` may stand with it.
    #[must_use]
    pub fn has_undo(&self) -> bool {
        !matches!(
            self,
            Action::RemoveAddress { .. }
                | Action::Restore(_)
                | Action::Heal(_)
                | Action::Signal { .. }
                | Action::Restart(_)
                | Action::Run { .. }
                | Action::Mark
        )
    }
}

/// What `set` changes of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// `rate`, in 1e-9/s, at least 1.
    RateNano(u64),
    /// `opens`, in 1e-9/s, at least 1.
    OpensNano(u64),
    /// `bandwidth`, in bit/s, at least 1.
    BandwidthBps(u64),
    /// `connections`, at least 1.
    Connections(u64),
    /// `interval`, ns.
    IntervalNs(u64),
}

/// What `set` changes of a mix of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StressSetting {
    /// `streams`, at least 1.
    Streams(u64),
    /// `rate` of each stream, in 1e-9/s, at least 1.
    RateNano(u64),
}

/// A program under test on some of its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Copies {
    /// Which.
    pub process: ProcessId,
    /// Where; never empty.
    pub nodes: Vec<NodeId>,
}

/// What `kill`, `freeze` and their like act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Victim {
    /// A program under test.
    Process(Copies),
    /// A service on some of its nodes, with its connections.
    Service(ServiceId, Vec<NodeId>),
    /// Everything that runs on a node.
    Node(NodeId),
}

/// Two sets of nodes that are cut off from each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cut {
    /// One side.
    pub from: Vec<NodeId>,
    /// The other side.
    pub to: Vec<NodeId>,
    /// Only what goes from the first to the second is dropped.
    pub one_way: bool,
}

/// What `heal` ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Healed {
    /// All partitions and isolations.
    All,
    /// What is cut between these, both ways or one.
    Between(Cut),
    /// The isolation of these.
    Nodes(Vec<NodeId>),
}

/// What a fault strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Every link of a node.
    Node(NodeId),
    /// One link.
    Link(LinkId),
    /// The link of one interface.
    Interface(NodeId, String),
}
