//! Kernel settings of each namespace. In: what a node is and what listens on it. Out: names and values in the order they are
//! written. A new namespace takes some of its settings from the host: what a scenario depends on is said here, never inherited.
//! Settings that a kernel lacks are skipped by the lab and reported.

use scn_grammar::scenario::topology::{Node, Sysctl};

use super::ecn;

/// Bytes that the kernel takes at once for a list of ports.
const LONGEST_LIST: usize = 4000;

/// For hosts and routers, before any interface exists.
const SPEAKERS: &[(&str, &str)] = &[
    // The host's choice (bbr on some machines) would change every bulk flow. Kernels refuse it (EPERM) where the host's
    // tcp_allowed_congestion_control leaves cubic out; TCP_CONGESTION on each socket works there all the same.
    ("net.ipv4.tcp_congestion_control", "cubic"),
    // Kernel default: answers ECN but does not ask for it. Said, since distributions differ.
    ("net.ipv4.tcp_ecn", "2"),
    // 28,000 ports are too few for a node that opens connections fast.
    ("net.ipv4.ip_local_port_range", "1024 65535"),
    // Thousands of clients may connect in one instant; the default queues would drop their SYNs.
    ("net.core.somaxconn", "65535"),
    ("net.ipv4.tcp_max_syn_backlog", "65535"),
    // Ports of closed connections come back after a second, not after a minute.
    ("net.ipv4.tcp_tw_reuse", "1"),
    // A connection must not start with what another one learned: runs would differ.
    ("net.ipv4.tcp_no_metrics_save", "1"),
    // The kernel's own defaults, so that hosts tuned otherwise give the same window.
    ("net.ipv4.tcp_rmem", "4096 131072 33554432"),
    ("net.ipv4.tcp_wmem", "4096 16384 4194304"),
    // Ways there and back may differ: a strict filter would drop what comes the other way.
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    // A node with two interfaces on one wire answers for each address on its own interface only.
    ("net.ipv4.conf.all.arp_ignore", "1"),
    ("net.ipv4.conf.all.arp_announce", "2"),
    // The lab announces addresses itself when they move or a link comes back; the kernel's own announcement when an interface
    // comes up would only flood a large segment while it is made.
    ("net.ipv4.conf.all.arp_notify", "0"),
    // Routes are the plan's: nobody may change them by a redirect.
    ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv4.conf.default.accept_redirects", "0"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
    ("net.ipv6.conf.all.accept_redirects", "0"),
    ("net.ipv6.conf.default.accept_redirects", "0"),
    // Some hosts switch IPv6 off for new namespaces.
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    ("net.ipv6.conf.lo.disable_ipv6", "0"),
    // Duplicate address detection would keep each address unusable for its first second.
    ("net.ipv6.conf.all.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.default.dad_transmits", "0"),
    // Addresses and routes are the plan's: nothing is learned from or asked of neighbours.
    ("net.ipv6.conf.all.accept_ra", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.default.router_solicitations", "0"),
    // IPv4 keeps its addresses when an interface goes down; so does IPv6 with this.
    ("net.ipv6.conf.all.keep_addr_on_down", "1"),
    ("net.ipv6.conf.default.keep_addr_on_down", "1"),
];

/// For routers and hosts: forwarding comes first, since writing it sets other settings back.
const FORWARDING: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

/// For bridges: they have no addresses, so they shall not speak for themselves (router solicitations, multicast reports).
const BRIDGES: &[(&str, &str)] = &[("net.ipv6.conf.all.disable_ipv6", "1"), ("net.ipv6.conf.default.disable_ipv6", "1")];

/// The settings of a node. `ports` are those it listens on, `absent` says that one of them, or of the addresses that its clients
/// start from, is on no interface of it at the start; `ecn` is what its flows and services say of that, `interfaces` what the file says at
/// those.
pub(crate) fn sysctls<'a>(
    node: &'a Node,
    (ports, absent): (&[u16], bool),
    ecn: Option<&'static str>,
    interfaces: impl Iterator<Item = &'a Sysctl>,
) -> Vec<(String, String)> {
    if node.kind.is_external() {
        // It is the machine's own, and stays as it is.
        return Vec::new();
    }
    let bridge = node.kind.is_bridge();
    let table = if bridge { BRIDGES } else { SPEAKERS };
    let mut list: Vec<(String, String)> = Vec::with_capacity(table.len() + 4);
    if !bridge {
        let on = if node.forwarding { "1" } else { "0" };
        list.extend(FORWARDING.iter().map(|name| ((*name).to_owned(), on.to_owned())));
    }
    let value = |(name, value): &(&str, &'static str)| if *name == ecn::SETTING { ecn.unwrap_or(value) } else { value };
    list.extend(table.iter().map(|setting| (setting.0.to_owned(), value(setting).to_owned())));
    // A connection from this node must not take the port of a listener that is closed at the moment.
    let reserved = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    if !ports.is_empty() && reserved.len() <= LONGEST_LIST {
        list.push(("net.ipv4.ip_local_reserved_ports".to_owned(), reserved));
    }
    if absent {
        // It listens before the address comes to it.
        list.push(("net.ipv4.ip_nonlocal_bind".to_owned(), "1".to_owned()));
        list.push(("net.ipv6.ip_nonlocal_bind".to_owned(), "1".to_owned()));
    }
    for said in node.settings.sysctls.iter().chain(interfaces) {
        // What the file says comes last and replaces what would be set without it.
        list.retain(|(key, _)| *key != said.key);
        list.push((said.key.clone(), said.value.clone()));
    }
    list
}
