//! Drop rules and the black hole.

use scn_grammar::scenario::topology::{DropKind, DropRule, Impairment};

use super::{Bench, ethernet, ipv4, ports, udp};

/// IPv6 with this next header and payload.
fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, 64];
    header.extend([0xfd; 32]);
    header.extend(payload);
    ethernet(0x86dd, &header)
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let tagged = |frame: Vec<u8>| [&frame[..12], &[0x81, 0, 0, 7], &frame[12..]].concat();
    let fragment = |mut frame: Vec<u8>| {
        frame[14 + 7] = 100;
        frame
    };
    vec![
        ("arp", ethernet(0x0806, &[0; 28])),
        ("nd", ipv6(58, &[135, 0, 0, 0, 0, 0, 0, 0])),
        ("nd behind options", ipv6(0, &[58, 0, 0, 0, 0, 0, 0, 0, 136, 0, 0, 0])),
        ("ping", ipv4(1, &[8, 0, 0, 0, 0, 1, 0, 1])),
        ("ping6", ipv6(58, &[128, 0, 0, 0, 0, 1, 0, 1])),
        ("tcp 80", ports(6, 40_000, 80, 100)),
        ("tcp from 443", tagged(ports(6, 443, 40_000, 100))),
        ("udp 53", udp_to(53)),
        ("udp 5353, later fragment", fragment(udp_to(5353))),
        ("udp6 53", ipv6(17, &[0, 99, 0, 53, 0, 8, 0, 0])),
        ("sctp 5000", ports(132, 40_000, 5000, 100)),
        ("lldp", ethernet(0x88cc, &[0; 50])),
        ("cut short", vec![1, 2, 3]),
    ]
}

fn udp_to(port: u16) -> Vec<u8> {
    ports(17, 40_000, port, 100)
}

/// Those that a rule takes.
fn taken(kind: DropKind, range: Option<(u16, u16)>) -> Vec<&'static str> {
    let rule = DropRule { kind, ports: range };
    let is_taken = |frame: &[u8]| {
        let mut bench = Bench::new(Impairment { drops: vec![rule], ..Impairment::default() });
        bench.give(0, frame.to_vec());
        bench.drain();
        assert!(bench.way.counts().closes(0));
        bench.way.counts().filtered == 1
    };
    frames().into_iter().filter(|(_, frame)| is_taken(frame)).map(|(name, _)| name).collect()
}

#[test]
fn each_sort_is_told_from_the_others() {
    assert_eq!(taken(DropKind::Arp, None), ["arp"]);
    assert_eq!(taken(DropKind::Nd, None), ["nd", "nd behind options"]);
    assert_eq!(taken(DropKind::Icmp, None), ["ping", "ping6"]);
    assert_eq!(taken(DropKind::Ipv4, None), ["ping", "tcp 80", "tcp from 443", "udp 53", "udp 5353, later fragment", "sctp 5000"]);
    assert_eq!(taken(DropKind::Ipv6, None), ["nd", "nd behind options", "ping6", "udp6 53"]);
    assert_eq!(taken(DropKind::Tcp, None), ["tcp 80", "tcp from 443"]);
    assert_eq!(taken(DropKind::Tcp, Some((80, 90))), ["tcp 80"]);
    assert_eq!(taken(DropKind::Tcp, Some((443, 443))), ["tcp from 443"]);
    assert_eq!(taken(DropKind::Udp, Some((53, 53))), ["udp 53", "udp6 53"]);
    assert_eq!(taken(DropKind::Udp, None), ["udp 53", "udp 5353, later fragment", "udp6 53"]);
    assert_eq!(taken(DropKind::Sctp, Some((5000, 5001))), ["sctp 5000"]);
}

#[test]
fn the_black_hole_takes_what_is_larger() {
    let mut bench = Bench::new(Impairment { mtu_black_hole: Some(1400), ..Impairment::default() });
    bench.give(0, udp(14 + 1400));
    bench.give(1, udp(14 + 1401));
    bench.drain();
    assert_eq!((bench.ids(), bench.way.counts().oversized), (vec![1], 1));
}
