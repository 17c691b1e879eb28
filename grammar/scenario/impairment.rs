//! What a link does to packets, one way. Each field is one stage; a packet passes them in the order of the fields. In: nothing.
//! Out: the types that the planner, the emulator and the kernel engine read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::Varying;

/// What a link does to packets, one way. The default does nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Impairment {
    /// Packets that never pass.
    pub drops: Vec<DropRule>,
    /// Frames of more bytes than this, the Ethernet header not counted, vanish without a word to the sender.
    pub mtu_black_hole: Option<u32>,
    /// Which packets are lost.
    pub loss: Loss,
    /// This share of packets, in 1e-9, gets one bit flipped after the Ethernet header.
    pub corrupt_nano: u64,
    /// This share of packets, in 1e-9, passes twice.
    pub duplicate_nano: u64,
    /// Bits a second of frames without their checksum, the header included; `None`: as fast as the machine is.
    pub rate_bps: Option<u64>,
    /// Bytes that each frame counts more than it has, for the rate: 24 stands for preamble, gap and checksum of Ethernet. Default 0.
    pub overhead_bytes: u32,
    /// What waits for the rate. Only with a rate.
    pub queue: Queue,
    /// Propagation.
    pub delay: Delay,
    /// Packets never overtake each other by a varying delay. Default true.
    pub keep_order: bool,
    /// Packets that are made to overtake.
    pub reorder: Option<Reorder>,
}

impl Default for Impairment {
    fn default() -> Self {
        Impairment {
            drops: Vec::new(),
            mtu_black_hole: None,
            loss: Loss::None,
            corrupt_nano: 0,
            duplicate_nano: 0,
            rate_bps: None,
            overhead_bytes: 0,
            queue: Queue::default(),
            delay: Delay::Drawn(Varying::Fixed(0)),
            keep_order: true,
            reorder: None,
        }
    }
}

impl Impairment {
    /// One that only delays, by the same time for each packet, in ns.
    #[must_use]
    pub fn delaying(ns: u64) -> Self {
        Impairment { delay: Delay::Drawn(Varying::Fixed(ns)), ..Impairment::default() }
    }

    /// The delay in ns if it is the same for each packet.
    #[must_use]
    pub fn fixed_delay_ns(&self) -> Option<u64> {
        match self.delay {
            Delay::Drawn(Varying::Fixed(ns)) => Some(ns),
            _ => None,
        }
    }

    /// It does nothing to any packet.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Impairment::default()
    }
}

/// How long packets are under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Drawn for each packet, in ns. `jitter` and `distribution` are part of it already.
    Drawn(Varying),
    /// From a file beside the scenario: one duration a line, for each packet the next, from the start again after the last.
    Trace(String),
}

/// Which packets are lost. Packets are counted for each way of a link, from 1, since the loss was set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each with the same probability, in 1e-9.
    Random {
        /// 1 to 1,000,000,000.
        ratio_nano: u64,
    },
    /// Every n-th.
    Every {
        /// At least 1; 1 loses all.
        n: u64,
    },
    /// Two states, good and bad; before each packet the state may change. All in 1e-9.
    GilbertElliott {
        /// Probability of going from good to bad.
        p_nano: u64,
        /// Probability of going from bad to good.
        r_nano: u64,
        /// Loss in the good state. Default 0 %.
        good_nano: u64,
        /// Loss in the bad state. Default 100 %.
        bad_nano: u64,
    },
    /// Exactly these, in ascending order without overlap.
    List(Vec<LossSpan>),
    /// From a file beside the scenario: a `1` for a packet that is lost, a `0` for one that passes, from the start again after the
    /// last.
    Trace(String),
}

/// Packets of a [`Loss::List`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossSpan {
    /// From the first to the last, both lost, counted from 1.
    Packets(u64, u64),
    /// Those sent from the first instant until before the last, in ns since the loss was set.
    Time(u64, u64),
}

/// What waits for the rate; it drops at its tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Queue {
    /// How much waits at most. Default 1000 packets.
    pub limit: QueueLimit,
    /// The limit was written.
    pub said: bool,
    /// Controlled delay; `None`: drop-tail only.
    pub codel: Option<Codel>,
}

/// Packets that a queue holds if nothing is said.
pub const DEFAULT_QUEUE_PACKETS: u64 = 1_000;

impl Default for Queue {
    fn default() -> Self {
        Queue { limit: QueueLimit::Packets(DEFAULT_QUEUE_PACKETS), said: false, codel: None }
    }
}

/// How much waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueLimit {
    /// Bytes of frames.
    Bytes(u64),
    /// Frames.
    Packets(u64),
}

/// CoDel (RFC 8289).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Codel {
    /// Standing delay that is borne, ns. Default 5 ms.
    pub target_ns: u64,
    /// How long it is borne, ns. Default 100 ms.
    pub interval_ns: u64,
    /// Packets that allow it are marked instead of dropped. Default false.
    pub ecn: bool,
}

/// Packets that are made to overtake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reorder {
    /// Share of the packets that are held back, in 1e-9.
    pub ratio_nano: u64,
    /// How long. Default: until one later packet has passed.
    pub by: ReorderBy,
}

/// How long a packet is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReorderBy {
    /// Until so many later ones have passed.
    Packets(u64),
    /// So many ns more than its delay.
    Time(u64),
}

/// Packets that never pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DropRule {
    /// Which.
    pub kind: DropKind,
    /// Only those from or to a port of this range, both included. `None`: all. Only of TCP, UDP and SCTP.
    pub ports: Option<(u16, u16)>,
}

/// Sorts of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DropKind {
    /// ARP.
    Arp,
    /// IPv6 neighbour discovery: solicitations and advertisements.
    Nd,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// ICMP and ICMPv6; ND is not counted.
    Icmp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}
