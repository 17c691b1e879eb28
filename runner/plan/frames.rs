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
        if frame.watch {
            continue;
        }
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

#[cfg(test)]
mod tests {
    use crate::plan::sample::plan;

    fn planned(link: &str, frame: &str) -> Result<(), Vec<&'static str>> {
        let text = format!(
            "topology {{\n node a, b\n link a.eth0 10.0.0.1/24 <-> b.eth0 10.0.0.2/24 {{ {link} }}\n}}\n\
             flow f from a.eth0 to b.eth0 over frames {{\n frame {{\n{frame}\n}}\n total 9\n}}\nexpect {{ f.sent == 9 }}"
        );
        plan(&text).map(drop)
    }

    #[test]
    fn a_frame_is_as_long_as_its_interface_takes() {
        let refused = Err(vec!["scn::plan::frame_too_long"]);
        for (link, fits, too_long) in [
            ("", "payload 1500B", "payload 1501B"),
            (
                "",
                "vlan 7\nipv4 { ttl 1 }\nudp { destination 7 }\npayload 9B..1472B",
                "vlan 7\nipv4 { ttl 1 }\nudp { destination 7 }\npayload 9B..1473B",
            ),
            (
                "",
                "vlan [7, 8]\nipv6 { hop_limit 1 }\ntcp { source 1 }\npayload 1436B",
                "vlan [7, 8]\nipv6 { hop_limit 1 }\ntcp { source 1 }\npayload 1437B",
            ),
            ("mtu 100", "payload random 100B", "payload random 101B"),
            (
                "mtu 110",
                "lacp { actor { key 1 } }",
                "payload \"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0\"",
            ),
        ] {
            assert_eq!(planned(link, fits), Ok(()), "{fits}");
            assert_eq!(planned(link, too_long), refused, "{too_long}");
        }
    }
}
