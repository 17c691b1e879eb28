//! Frames that their interface does not take. In: flows of frames, interfaces. Out: problems. Makes no frame.

use scn_grammar::scenario::Scenario;
use scn_grammar::scenario::flow::Flow;
use scn_grammar::scenario::frame::{Frame, FramePayload, Lldp, Network, Segment};
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::transport::Transport;

use super::errors::{Findings, PlanError};
use super::graph::Graph;
use super::names::Interfaces;

/// Bytes of a payload that only says who it is.
const IDENTITY: u64 = 16;
/// Bytes of a tag; the kernel lets one pass beyond what an interface takes.
const TAG: u64 = 4;

/// Refuses frames that are longer than the interface by which they are to leave takes.
pub(crate) fn check_frames(scenario: &Scenario, graph: &Graph<'_>, interfaces: &Interfaces, findings: &mut Findings) {
    for flow in &scenario.flows {
        let Transport::Frames(frame) = &flow.transport else { continue };
        // What stands on the machine already is as large as it is.
        let Some(name) = flow.from_interface.as_ref().filter(|_| !graph.kind(flow.from.index()).is_external()) else { continue };
        let all = graph.interfaces[flow.from.index()].iter().zip(0u32..);
        let Some((_, position)) = all.into_iter().find(|(interface, _)| interface.name == *name) else { continue };
        let mtu = interfaces.mtu(flow.from, position);
        let bytes = longest(frame).saturating_add((frame.vlans.len() as u64).saturating_sub(1).saturating_mul(TAG));
        if bytes > u64::from(mtu) {
            findings.add(too_long(flow, bytes, format!("{}.{name}", graph.name(flow.from)), mtu));
        }
    }
}

fn too_long(flow: &Flow, bytes: u64, interface: String, mtu: u32) -> PlanError {
    PlanError::FrameTooLong { flow: flow.name.clone(), bytes, interface, mtu, span: flow.span }
}

/// The longest frame, as far as it is known beforehand, without its Ethernet header and tags, in bytes.
fn longest(frame: &Frame) -> u64 {
    let network = match &frame.network {
        None => 0,
        Some(Network::Arp(_)) => 28,
        Some(Network::Lldp(lldp)) => told(lldp),
        Some(Network::Lacp(_)) => 110,
        Some(Network::Ipv4(_)) => 20,
        Some(Network::Ipv6(_)) => 40,
    };
    let segment = match &frame.segment {
        None => 0,
        Some(Segment::Icmp(_) | Segment::Icmpv6(_) | Segment::Udp(_)) => 8,
        Some(Segment::Tcp(_)) => 20,
    };
    let whole = matches!(frame.network, Some(Network::Arp(_) | Network::Lldp(_) | Network::Lacp(_)));
    let payload = match &frame.payload {
        Some(FramePayload::Filled(size) | FramePayload::Random(size)) => match size {
            Varying::Fixed(_) | Varying::Uniform(..) | Varying::Choice(_) => size.most(),
            // A draw without an end is told by the kernel if it ever is too long.
            _ => 0,
        },
        Some(FramePayload::Bytes(bytes)) => bytes.len() as u64,
        None if whole => 0,
        None => IDENTITY,
    };
    network + segment + payload
}

/// Bytes of what LLDP tells: each part has a head of two, a name its kind; the seconds and the end.
fn told(lldp: &Lldp) -> u64 {
    let Lldp { chassis, port, ttl_s: _, system, description } = lldp;
    let text = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() as u64);
    3 + text(chassis) + 3 + text(port) + 4 + text(system) + text(description) + 4 + 2
}
