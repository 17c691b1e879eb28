//! A frame described layer by layer, with fields that may change from one frame to the next. A field that is not said is what the
//! layer around it and the flow's ends give; lengths and checksums are always computed. In: nothing. Out: the types.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::Varying;
use super::topology::Mac;

/// One frame, layer by layer from the outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Frame {
    /// Ethernet. `None`: from an interface, the addresses of both ends; otherwise the kernel routes the packet and makes it.
    pub ethernet: Option<Ethernet>,
    /// VLAN tags, the outermost first.
    pub vlans: Vec<VlanTag>,
    /// What the frame carries; `None`: the payload alone, with Ethernet's experimental type 0x88b5.
    pub network: Option<Network>,
    /// What the packet carries.
    pub segment: Option<Segment>,
    /// What follows the last header. Default: what an identity of the flow and item needs.
    pub payload: Option<FramePayload>,
    /// `watch on`: nothing is sent. The frames of others are received that have these layers, and in their fields what is said of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub watch: bool,
}

/// A field of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Field<T> {
    /// Always this.
    Fixed(T),
    /// `A..B`: the first, the next and so on to the second, then from the start again.
    Counting(T, T),
    /// `random A..B`: any from the first to the second, both included, equally likely.
    Random(T, T),
    /// `choice(A, B)` and `[A, B]`: one of these, equally likely.
    Choice(Vec<T>),
}

/// Ethernet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ethernet {
    /// Default: the interface's.
    pub source: Option<Field<Mac>>,
    /// Default: the other end's; of LLDP and LACP their group's.
    pub destination: Option<Field<Mac>>,
    /// The type; default: what the next layer has.
    pub ethertype: Option<Field<u64>>,
}

/// A VLAN tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VlanTag {
    /// 0 to 4095.
    pub id: Field<u64>,
    /// 0 to 7. Default 0.
    pub priority: Option<Field<u64>>,
    /// Default false.
    pub drop_eligible: Option<bool>,
    /// The tag's own type. Default 0x8100; of the outer ones of a stack 0x88a8.
    pub ethertype: Option<u16>,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// ARP.
    Arp(Arp),
    /// LLDP.
    Lldp(Lldp),
    /// LACP.
    Lacp(Lacp),
    /// IPv4.
    Ipv4(Ipv4),
    /// IPv6.
    Ipv6(Ipv6),
}

/// ARP for IPv4 over Ethernet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arp {
    /// 1 a request, 2 a reply. Default 1.
    pub operation: Option<Field<u64>>,
    /// Default: the interface's.
    pub sender_mac: Option<Field<Mac>>,
    /// Default: the interface's first.
    pub sender_address: Option<Field<IpAddr>>,
    /// Default: zero in a request, the other end's in a reply.
    pub target_mac: Option<Field<Mac>>,
    /// Default: the other end's first.
    pub target_address: Option<Field<IpAddr>>,
}

/// LLDP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lldp {
    /// The chassis, as a name of its own. Default: the node's name.
    pub chassis: Option<String>,
    /// The port, as an interface's name. Default: the interface's.
    pub port: Option<String>,
    /// Seconds that it holds. Default 120.
    pub ttl_s: Option<u16>,
    /// The system's name.
    pub system: Option<String>,
    /// The system's description.
    pub description: Option<String>,
}

/// LACP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Lacp {
    /// Who sends.
    pub actor: LacpEnd,
    /// What it knows of the other end.
    pub partner: LacpEnd,
}

/// One end in LACP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct LacpEnd {
    /// The system. Default: of the actor the interface's address, of the partner zero.
    pub system: Option<Field<Mac>>,
    /// The system's priority. Default 65535.
    pub system_priority: Option<Field<u64>>,
    /// The key. Default 1.
    pub key: Option<Field<u64>>,
    /// The port's priority. Default 255.
    pub port_priority: Option<Field<u64>>,
    /// The port. Default 1.
    pub port: Option<Field<u64>>,
    /// The state's bits: activity 1, timeout 2, aggregation 4, synchronization 8, collecting 16, distributing 32, defaulted 64,
    /// expired 128. Default: of the actor 0x3d, of the partner 0.
    pub state: Option<Field<u64>>,
}

/// IPv4.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ipv4 {
    /// Default: the first of the flow's start.
    pub source: Option<Field<IpAddr>>,
    /// Default: the first of the flow's end.
    pub destination: Option<Field<IpAddr>>,
    /// Default 64.
    pub ttl: Option<Field<u64>>,
    /// 0 to 63. Default 0.
    pub dscp: Option<Field<u64>>,
    /// 0 to 3. Default 0.
    pub ecn: Option<Field<u64>>,
    /// Default 0.
    pub identification: Option<Field<u64>>,
    /// Default false.
    pub dont_fragment: Option<bool>,
    /// The protocol; default: the next layer's, 253 without one.
    pub protocol: Option<Field<u64>>,
}

/// IPv6.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ipv6 {
    /// Default: the first of the flow's start.
    pub source: Option<Field<IpAddr>>,
    /// Default: the first of the flow's end.
    pub destination: Option<Field<IpAddr>>,
    /// Default 64.
    pub hop_limit: Option<Field<u64>>,
    /// 0 to 63. Default 0.
    pub dscp: Option<Field<u64>>,
    /// 0 to 3. Default 0.
    pub ecn: Option<Field<u64>>,
    /// 0 to 1048575. Default 0.
    pub flow_label: Option<Field<u64>>,
    /// The next header; default: the next layer's, 253 without one.
    pub next_header: Option<Field<u64>>,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// ICMP in IPv4.
    Icmp(IcmpHeader),
    /// ICMPv6 in IPv6.
    Icmpv6(IcmpHeader),
    /// UDP.
    Udp(UdpHeader),
    /// TCP.
    Tcp(TcpHeader),
}

/// ICMP and ICMPv6.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct IcmpHeader {
    /// Default: an echo request, 8 in ICMP, 128 in ICMPv6.
    pub kind: Option<Field<u64>>,
    /// Default 0.
    pub code: Option<Field<u64>>,
    /// Default 1.
    pub identifier: Option<Field<u64>>,
    /// Default: counts from 1.
    pub sequence: Option<Field<u64>>,
}

/// UDP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct UdpHeader {
    /// Default 49152.
    pub source: Option<Field<u64>>,
    /// Default 9 (discard).
    pub destination: Option<Field<u64>>,
}

/// TCP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TcpHeader {
    /// Default 49152.
    pub source: Option<Field<u64>>,
    /// Default 9 (discard).
    pub destination: Option<Field<u64>>,
    /// Default 0.
    pub sequence: Option<Field<u64>>,
    /// Default 0.
    pub acknowledgement: Option<Field<u64>>,
    /// Default: SYN alone.
    pub flags: Option<TcpFlags>,
    /// Default 65535.
    pub window: Option<Field<u64>>,
}

/// The flags of TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[expect(clippy::struct_excessive_bools, reason = "TCP has these flags")]
#[expect(missing_docs, reason = "the names say it")]
pub struct TcpFlags {
    pub fin: bool,
    pub syn: bool,
    pub rst: bool,
    pub psh: bool,
    pub ack: bool,
    pub urg: bool,
    pub ece: bool,
    pub cwr: bool,
}

/// What follows the last header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FramePayload {
    /// So many bytes of numbered filling.
    Filled(Varying),
    /// So many bytes that do not compress.
    Random(Varying),
    /// These bytes.
    Bytes(Vec<u8>),
}
