//! Flows in words. In: a plan. Out: their lines: where to, over what, how much and when, how they wait and reconnect, and the transaction.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::flow::{Destination, Reconnect, Timeouts, Tool};

use super::super::types::{Plan, PlannedFlow, PlannedListener};
use super::words::{doc, duration, nodes, option, ports, quantity, quoted};
use super::{Line, load, name, steps, transports};

/// Every flow.
pub(super) fn flows(plan: &Plan) -> Vec<Line> {
    plan.flows.iter().map(|one| flow(plan, one)).collect()
}

/// One flow in full.
fn flow(plan: &Plan, flow: &PlannedFlow) -> Line {
    let PlannedFlow {
        id: _,
        name: called,
        doc: says,
        from,
        target,
        backends,
        spread_by,
        pattern,
        load: amount,
        interval_ns,
        reconnect,
        timeouts,
        from_interface,
        to,
        peer_none,
        transport,
        tool,
        source,
        ports: from_ports,
        sample_tcp_info_ns,
        starts_at_zero,
        span: _,
    } = flow;
    let mut below: Vec<Line> = doc(says).collect();
    below.push(Line::pair("over", transports::word(transport)).with(transports::options(transport)));
    below.extend(tool.as_ref().map(made_by));
    below.extend(peer_none.then(|| Line::pair("peer", "none: whatever answers is not scn's")));
    if !source.is_empty() {
        below.push(Line::pair("source", source.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")));
    }
    option(&mut below, "ports", *from_ports, ports);
    below.extend(load::load(amount, *interval_ns, transport, tool.is_some()));
    if tool.is_none() && transport.kind().has_connections() {
        below.push(reconnects(*reconnect));
    }
    below.extend(waits(*timeouts));
    if let Some(every) = sample_tcp_info_ns {
        below.push(Line::new("sample tcp_info", duration(*every), format!("tcp_info is read every {}", duration(*every))));
    }
    let start = if *starts_at_zero { "starts at 0s" } else { "started by the timeline" };
    below.push(Line::new("start", start, start));
    if let Some(pattern) = pattern {
        let server = if answers(plan, flow) { steps::Server::Ours } else { steps::Server::Other };
        below.push(Line::pair("transaction", &pattern.name).in_order(steps::lines(&pattern.steps, server)));
    }
    let from = from_interface.as_ref().map_or_else(|| name(plan, *from).to_owned(), |at| format!("{}.{at}", name(plan, *from)));
    let answered = match spread_by {
        _ if backends.is_empty() => String::new(),
        Some(interface) => format!(", by {interface} to each of {}", nodes(plan, backends)),
        None => format!(", answered by {}", nodes(plan, backends)),
    };
    let goal = goal(plan, to);
    let at = match (target.ip(), target.port()) {
        (ip, _) if ip.is_unspecified() => String::new(),
        (ip, 0) => format!(" at {ip}"),
        _ => format!(" at {target}"),
    };
    Line::new(called.clone(), format!("from {from} to {goal}{answered}"), format!("{called} from {from} to {goal}{at}{answered}"))
        .with(below)
}

/// A listener of the plan is at the flow's other end.
fn answers(plan: &Plan, flow: &PlannedFlow) -> bool {
    let there = |listener: &PlannedListener| listener.port == flow.target.port() && flow.backends.contains(&listener.node);
    !flow.peer_none && plan.listeners.iter().any(there)
}

/// Where a flow goes, as the file says it.
pub(super) fn goal(plan: &Plan, to: &Destination) -> String {
    let with = |port: &Option<u16>| port.map(|port| format!(":{port}")).unwrap_or_default();
    match to {
        Destination::Node(node, port) => format!("{}{}", name(plan, *node), with(port)),
        Destination::Interface(node, interface, port) => format!("{}.{interface}{}", name(plan, *node), with(port)),
        Destination::Service(service) => {
            let found = plan.listeners.iter().find(|listener| listener.service == Some(*service));
            found.map_or("a service", |listener| listener.name.as_str()).to_owned()
        }
        Destination::Process(process, port) => {
            format!("{}:{port}", plan.processes.get(process.index()).map_or("?", |process| process.name.as_str()))
        }
        Destination::Address(address, port) => match port {
            Some(port) => std::net::SocketAddr::new(*address, *port).to_string(),
            None => address.to_string(),
        },
        Destination::HostName(name, port) => format!("{}{}", quoted(name), with(port)),
    }
}

fn made_by(tool: &Tool) -> Line {
    let Tool { kind, arguments } = tool;
    let words: Vec<String> = std::iter::once(kind.word().to_owned()).chain(arguments.iter().map(|word| quoted(word))).collect();
    Line::pair("via", words.join(" "))
}

/// When a broken connection is opened anew.
fn reconnects(reconnect: Option<Reconnect>) -> Line {
    let Some(Reconnect { after_ns, growth_nano, most_ns, jitter_nano, limit }) = reconnect else {
        return Line::new("reconnect", "off", "a broken connection is not opened anew");
    };
    let mut says = duration(after_ns);
    if growth_nano != 1_000_000_000 {
        says.push_str(&format!(
            ", each pause {} times the one before, at most {}",
            quantity(Dimension::Number, growth_nano),
            duration(most_ns)
        ));
    }
    if jitter_nano > 0 {
        says.push_str(&format!(", give or take {}", super::words::ratio(jitter_nano)));
    }
    if let Some(limit) = limit {
        says.push_str(&format!(", {} at most", super::words::count(limit, "attempt", "attempts")));
    }
    Line::new("reconnect", says.clone(), format!("a broken connection is opened anew after {says}"))
}

fn waits(timeouts: Timeouts) -> Vec<Line> {
    let Timeouts { connect_ns, response_ns, idle_ns } = timeouts;
    let mut lines = Vec::new();
    option(&mut lines, "timeout connect", connect_ns, duration);
    option(&mut lines, "timeout response", response_ns, duration);
    option(&mut lines, "timeout idle", idle_ns, duration);
    lines
}
