//! Options of sockets, TLS and the other transports in words. In: what a flow or a service runs over. Out: a line for each option that
//! is said.

use scn_grammar::scenario::transport::{Certificate, Icmp, Socket, TlsClient, TlsServer, TlsVersion, Transport, Verify, Wire};

use super::http::http;
use super::words::{duration, on_off, option, quoted, size};
use super::{Line, frames};

/// What a flow runs over, by the word of the language; `https` for HTTP over TLS.
pub(super) fn word(transport: &Transport) -> &'static str {
    match transport {
        Transport::Http { tls: Some(_), .. } => "https",
        other => other.kind().word(),
    }
}

/// The options of what a flow runs over.
pub(super) fn options(transport: &Transport) -> Vec<Line> {
    let streams_of = |streams: u64| (streams != 1).then(|| Line::pair("streams", format!("{streams} of a connection at once")));
    match transport {
        Transport::Tcp { socket: of, wire: form } | Transport::Udp { socket: of, wire: form } => {
            socket(of).into_iter().chain(wire(*form)).collect()
        }
        Transport::Tls { socket: of, tls } => socket(of).into_iter().chain(tls_client(tls)).collect(),
        Transport::Icmp(of) => icmp(*of),
        Transport::Http { socket: of, http: asks, tls } => {
            socket(of).into_iter().chain(tls.iter().flat_map(tls_client)).chain(http(asks)).collect()
        }
        Transport::Quic { socket: of, tls, streams } => socket(of).into_iter().chain(tls_client(tls)).chain(streams_of(*streams)).collect(),
        Transport::Sctp { socket: of, streams } => socket(of).into_iter().chain(streams_of(*streams)).collect(),
        Transport::Mptcp { socket: of } => socket(of),
        Transport::Frames(frame) => frames::frame(frame),
    }
}

/// Options of a socket.
pub(super) fn socket(socket: &Socket) -> Vec<Line> {
    let Socket { congestion, nodelay, ecn, keepalive_ns, mss, dscp, ttl, mark, send_buffer, receive_buffer, user_timeout_ns } = socket;
    let mut lines = Vec::new();
    option(&mut lines, "congestion", congestion.as_deref(), str::to_owned);
    option(&mut lines, "nodelay", *nodelay, |on| on_off(on).to_owned());
    option(&mut lines, "ecn", *ecn, |on| on_off(on).to_owned());
    option(&mut lines, "keepalive", *keepalive_ns, duration);
    option(&mut lines, "mss", *mss, |mss| size(u64::from(mss)));
    option(&mut lines, "dscp", *dscp, |dscp| dscp.to_string());
    option(&mut lines, "ttl", *ttl, |ttl| ttl.to_string());
    option(&mut lines, "mark", *mark, |mark| mark.to_string());
    option(&mut lines, "send_buffer", *send_buffer, size);
    option(&mut lines, "receive_buffer", *receive_buffer, size);
    option(&mut lines, "user_timeout", *user_timeout_ns, duration);
    lines
}

/// The form of messages, where it is not the program's own.
pub(super) fn wire(wire: Wire) -> Option<Line> {
    match wire {
        Wire::Own => None,
        Wire::Ctraffic => Some(Line::pair("wire", "ctraffic")),
    }
}

fn icmp(icmp: Icmp) -> Vec<Line> {
    let Icmp { ttl, dont_fragment, dscp, mark } = icmp;
    let mut lines = Vec::new();
    option(&mut lines, "ttl", ttl, |ttl| ttl.to_string());
    option(&mut lines, "df", Some(dont_fragment).filter(|on| *on), |on| on_off(on).to_owned());
    option(&mut lines, "dscp", dscp, |dscp| dscp.to_string());
    option(&mut lines, "mark", mark, |mark| mark.to_string());
    lines
}

fn tls_client(tls: &TlsClient) -> Vec<Line> {
    let TlsClient { name, verify, versions, alpn, ciphers, resumption, certificate } = tls;
    let mut lines = Vec::new();
    option(&mut lines, "name", name.as_deref(), quoted);
    lines.push(Line::pair("verify", verify_words(verify)));
    lines.extend(agreed(versions, alpn, ciphers));
    lines.push(Line::pair("resumption", on_off(*resumption)));
    option(&mut lines, "certificate", certificate.as_ref(), certificate_words);
    lines
}

/// The server's side of TLS.
pub(super) fn tls_server(tls: &TlsServer) -> Vec<Line> {
    let TlsServer { names, certificate, versions, alpn, ciphers, resumption, verify } = tls;
    let mut lines = Vec::new();
    if !names.is_empty() {
        lines.push(Line::pair("name", names.join(", ")));
    }
    lines.push(Line::pair("certificate", certificate_words(certificate)));
    lines.extend(agreed(versions, alpn, ciphers));
    lines.push(Line::pair("resumption", on_off(*resumption)));
    lines.push(Line::pair("clients", format!("verify {}", verify_words(verify))));
    lines
}

/// What both ends have to agree on.
fn agreed(versions: &[TlsVersion], alpn: &[String], ciphers: &[String]) -> Vec<Line> {
    let version = |version: &TlsVersion| match version {
        TlsVersion::V12 => "1.2",
        TlsVersion::V13 => "1.3",
    };
    let mut lines = vec![Line::pair("versions", versions.iter().map(version).collect::<Vec<_>>().join(", "))];
    if !alpn.is_empty() {
        lines.push(Line::pair("alpn", alpn.join(", ")));
    }
    if !ciphers.is_empty() {
        lines.push(Line::pair("ciphers", ciphers.join(", ")));
    }
    lines
}

fn verify_words(verify: &Verify) -> String {
    match verify {
        Verify::On => "on, by the run's own authority".to_owned(),
        Verify::Off => "off".to_owned(),
        Verify::File(file) => format!("by {}", quoted(file)),
    }
}

fn certificate_words(certificate: &Certificate) -> String {
    match certificate {
        Certificate::Auto => "made for the run".to_owned(),
        Certificate::Files { certificate, key } => format!("{} with the key {}", quoted(certificate), quoted(key)),
    }
}
