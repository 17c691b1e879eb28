//! Which option each transport and each tool has: the one table that the checker, the reference and completion read. In: nothing.
//! Out: rows. Reads no option.

use crate::scenario::flow::ToolKind::{self, Iperf, Iperf3, Netperf, Ping};
use crate::scenario::transport::TransportKind::{self, Frames, Http, Icmp, Mptcp, Quic, Sctp, Tcp, Tls, Udp};

/// An option of flows or services.
#[derive(Debug, Clone, Copy)]
pub struct OptionRow {
    /// Its keyword.
    pub name: &'static str,
    /// How it is written.
    pub form: &'static str,
    /// The transports that have it; empty: only tools do.
    pub transports: &'static [TransportKind],
    /// The tools that have it; of a flow `via` one of them, both the tool and its transport must have it.
    pub tools: &'static [ToolKind],
}

const ALL: &[TransportKind] = &[Tcp, Tls, Udp, Icmp, Http, Quic, Sctp, Mptcp, Frames];
const SOCKETS: &[TransportKind] = &[Tcp, Tls, Udp, Http, Quic, Sctp, Mptcp];
const PACKETS: &[TransportKind] = &[Tcp, Tls, Udp, Icmp, Http, Quic, Sctp, Mptcp];
const CONNECTED: &[TransportKind] = &[Tcp, Tls, Http, Quic, Sctp, Mptcp];
const STREAMS: &[TransportKind] = &[Tcp, Tls, Http, Sctp, Mptcp];
const KERNEL_TCP: &[TransportKind] = &[Tcp, Tls, Http, Mptcp];
const SECURED: &[TransportKind] = &[Tls, Quic];

const fn row(name: &'static str, form: &'static str, transports: &'static [TransportKind], tools: &'static [ToolKind]) -> OptionRow {
    OptionRow { name, form, transports, tools }
}

/// What stands in a flow beside `over` and `pattern`.
pub const FLOW_ROWS: &[OptionRow] = &[
    row("connections", "connections 200", PACKETS, &[Iperf3, Iperf]),
    row("total", "total 500", ALL, &[Ping]),
    row("transactions", "transactions 3", CONNECTED, &[]),
    row("rate", "rate 400/s", ALL, &[Ping]),
    row("opens", "opens 100/s", CONNECTED, &[]),
    row("bandwidth", "bandwidth 80Mbit/s", &[Tcp, Tls, Udp, Http, Quic, Sctp, Mptcp, Frames], &[Iperf3, Iperf]),
    row("arrivals", "arrivals poisson", ALL, &[]),
    row("burst", "burst 10", ALL, &[]),
    row("phase", "phase random", SOCKETS, &[]),
    row("interval", "interval 1s", PACKETS, &[]),
    row("duration", "duration 10s", ALL, &[Iperf3, Iperf, Ping, Netperf]),
    row("size", "size 56B", &[Tcp, Udp, Icmp, Sctp], &[Iperf3, Iperf, Ping, Netperf]),
    row("source", "source 10.1.0.0/16", PACKETS, &[]),
    row("ports", "ports 20000..30000", SOCKETS, &[]),
    row("reconnect", "reconnect after 100ms", CONNECTED, &[]),
    row("timeout", "timeout { connect 2s  response 1s }", PACKETS, &[Ping]),
    row("sample", "sample tcp_info every 100ms", KERNEL_TCP, &[]),
    row("peer", "peer none", ALL, &[Iperf3, Iperf, Netperf]),
    row("frame", "frame { ipv4 { ttl 9 } }", &[Frames], &[]),
    row("arguments", "arguments \"--parallel 4\"", &[], &[Iperf3, Iperf, Ping, Netperf]),
];

/// What stands in the block of `over`.
pub const OVER_ROWS: &[OptionRow] = &[
    row("congestion", "congestion bbr", KERNEL_TCP, &[Iperf3]),
    row("nodelay", "nodelay on", STREAMS, &[Iperf3]),
    row("ecn", "ecn on", KERNEL_TCP, &[]),
    row("keepalive", "keepalive 10s", KERNEL_TCP, &[]),
    row("mss", "mss 1400", STREAMS, &[Iperf3, Iperf]),
    row("dscp", "dscp 46", PACKETS, &[Iperf3, Ping]),
    row("ttl", "ttl 64", PACKETS, &[Ping]),
    row("mark", "mark 7", PACKETS, &[Ping]),
    row("send_buffer", "send_buffer 1MiB", SOCKETS, &[]),
    row("receive_buffer", "receive_buffer 1MiB", SOCKETS, &[]),
    row("user_timeout", "user_timeout 5s", KERNEL_TCP, &[]),
    row("wire", "wire ctraffic", &[Tcp, Udp], &[]),
    row("df", "df on", &[Icmp], &[Ping]),
    row("watch", "watch on", &[Frames], &[]),
    row("name", "name \"www.example.com\"", SECURED, &[]),
    row("verify", "verify on", SECURED, &[]),
    row("versions", "versions [1.3]", &[Tls], &[]),
    row("alpn", "alpn \"h2\", \"http/1.1\"", SECURED, &[]),
    row("ciphers", "ciphers \"TLS_AES_128_GCM_SHA256\"", SECURED, &[]),
    row("resumption", "resumption on", SECURED, &[]),
    row("certificate", "certificate auto", SECURED, &[]),
    row("version", "version 2", &[Http], &[]),
    row("streams", "streams 10", &[Http, Quic, Sctp], &[]),
    row("method", "method POST", &[Http], &[]),
    row("path", "path \"/\"", &[Http], &[]),
    row("header", "header \"accept\" = \"text/html\"", &[Http], &[]),
    row("body", "body 1KiB", &[Http], &[]),
    row("status", "status 200", &[Http], &[]),
    row("tls", "tls { verify on }", &[Http], &[]),
];

/// What stands in the block of `listen`.
pub const LISTEN_ROWS: &[OptionRow] = &[
    row("backlog", "backlog 1024", STREAMS, &[]),
    row("congestion", "congestion bbr", KERNEL_TCP, &[]),
    row("nodelay", "nodelay on", STREAMS, &[]),
    row("ecn", "ecn on", KERNEL_TCP, &[]),
    row("keepalive", "keepalive 10s", KERNEL_TCP, &[]),
    row("mss", "mss 1400", STREAMS, &[]),
    row("dscp", "dscp 46", SOCKETS, &[]),
    row("ttl", "ttl 64", SOCKETS, &[]),
    row("mark", "mark 7", SOCKETS, &[]),
    row("send_buffer", "send_buffer 1MiB", SOCKETS, &[]),
    row("receive_buffer", "receive_buffer 1MiB", SOCKETS, &[]),
    row("user_timeout", "user_timeout 5s", KERNEL_TCP, &[]),
    row("wire", "wire ctraffic", &[Tcp, Udp], &[]),
    row("name", "name \"www.example.com\"", SECURED, &[]),
    row("certificate", "certificate auto", SECURED, &[]),
    row("verify", "verify on", SECURED, &[]),
    row("versions", "versions [1.3]", &[Tls], &[]),
    row("alpn", "alpn \"h2\", \"http/1.1\"", SECURED, &[]),
    row("ciphers", "ciphers \"TLS_AES_128_GCM_SHA256\"", SECURED, &[]),
    row("resumption", "resumption off", SECURED, &[]),
    row("path", "path \"/\" { body 1KiB }", &[Http], &[]),
    row("tls", "tls { name \"www.example.com\" }", &[Http], &[]),
];

/// What stands in the block of `tls` in HTTP.
pub const TLS_ROWS: &[&str] = &["name", "verify", "versions", "alpn", "ciphers", "resumption", "certificate"];

/// The transports that tools know; the first is what a tool uses if nothing is said.
pub const TOOL_TRANSPORTS: &[(ToolKind, &[TransportKind])] =
    &[(Iperf3, &[Tcp, Udp, Sctp]), (Iperf, &[Tcp, Udp]), (Ping, &[Icmp]), (Netperf, &[Tcp, Udp, Sctp])];
/// The tools with the words they are written with.
pub const TOOLS: &[(&str, ToolKind)] = &[("iperf3", Iperf3), ("iperf", Iperf), ("ping", Ping), ("netperf", Netperf)];

/// The transports a tool knows.
#[must_use]
pub fn of_tool(tool: ToolKind) -> &'static [TransportKind] {
    TOOL_TRANSPORTS.iter().find(|(kind, _)| *kind == tool).map_or(&[], |(_, transports)| transports)
}

/// Words as a message lists them: `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn listed(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_option_stands_once_and_belongs_to_something() {
        for rows in [FLOW_ROWS, OVER_ROWS, LISTEN_ROWS] {
            for (position, row) in rows.iter().enumerate() {
                assert!(!row.transports.is_empty() || !row.tools.is_empty(), "{} belongs to nothing", row.name);
                assert!(rows[..position].iter().all(|before| before.name != row.name), "{} stands twice", row.name);
                assert!(row.form.starts_with(row.name), "{}: {}", row.name, row.form);
            }
        }
    }

    #[test]
    fn a_tool_has_no_option_that_all_its_transports_lack() {
        for row in FLOW_ROWS.iter().chain(OVER_ROWS) {
            for tool in row.tools {
                let kinds = of_tool(*tool);
                assert!(
                    row.transports.is_empty() || kinds.iter().any(|kind| row.transports.contains(kind)),
                    "{} of {}",
                    row.name,
                    tool.word()
                );
            }
        }
    }
}
