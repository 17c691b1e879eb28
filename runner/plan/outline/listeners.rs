//! What listens, in words: services and the peers of flows. In: a plan. Out: their lines with the options of the transport. What answers
//! is named; its steps stand at the flows.

use scn_grammar::scenario::transport::{HttpPath, Listener};

use super::super::types::{Plan, PlannedListener};
use super::http::{body, headers};
use super::transports::{socket, tls_server, wire};
use super::{Line, name, steps};

/// What listens.
pub(super) fn listeners(plan: &Plan) -> Vec<Line> {
    plan.listeners.iter().map(|one| listener(plan, one)).collect()
}

fn listener(plan: &Plan, listener: &PlannedListener) -> Line {
    let PlannedListener { name: called, service, node, address, port, listener, pattern, span: _ } = listener;
    let place = if address.is_unspecified() { "every address".to_owned() } else { address.to_string() };
    let key = format!("{called} on {}", name(plan, *node));
    let serves = pattern.as_ref().map_or_else(String::new, |pattern| format!(", serves {}", pattern.name));
    let says = format!("{} port {port} of {place}{serves}", word(listener));
    let words = format!("{key}: {says}");
    let mut below = options(listener);
    if service.is_some() {
        // The server's own steps are told only to a review: the flow that talks to it shows the same talk.
        below.extend(pattern.iter().map(|pattern| Line::hidden("serves").in_order(steps::lines(&pattern.steps, steps::Server::Ours))));
    }
    match service {
        Some(_) => Line::new(key, says, words).with(below),
        None => Line::computed(words).with(below),
    }
}

/// The transport's word; `https` for HTTP over TLS.
fn word(listener: &Listener) -> &'static str {
    match listener {
        Listener::Http { tls: Some(_), .. } => "https",
        other => other.kind().word(),
    }
}

fn options(listener: &Listener) -> Vec<Line> {
    let waits = |backlog: &Option<u32>| backlog.map(|backlog| Line::pair("backlog", backlog.to_string()));
    match listener {
        Listener::Tcp { socket: of, backlog, wire: form } => socket(of).into_iter().chain(waits(backlog)).chain(wire(*form)).collect(),
        Listener::Tls { socket: of, backlog, tls } => socket(of).into_iter().chain(waits(backlog)).chain(tls_server(tls)).collect(),
        Listener::Udp { socket: of, wire: form } => socket(of).into_iter().chain(wire(*form)).collect(),
        Listener::Http { socket: of, backlog, paths, tls } => {
            let over = tls.iter().flat_map(tls_server);
            socket(of).into_iter().chain(waits(backlog)).chain(over).chain(paths.iter().map(path)).collect()
        }
        Listener::Quic { socket: of, tls } => socket(of).into_iter().chain(tls_server(tls)).collect(),
        Listener::Sctp { socket: of, backlog } | Listener::Mptcp { socket: of, backlog } => {
            socket(of).into_iter().chain(waits(backlog)).collect()
        }
    }
}

fn path(path: &HttpPath) -> Line {
    let HttpPath { path, status, headers: added, body: answer } = path;
    let says = format!("status {status}, {}", answer.as_ref().map_or_else(|| "no body".to_owned(), body));
    let key = format!("path {}", super::words::quoted(path));
    Line::new(key.clone(), says.clone(), format!("{key}: {says}")).with(headers(added))
}
