//! Programs under test and mixes of random streams in words. In: a plan. Out: their lines. The lines of a file are shown up to a bound and
//! all of them are compared.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::process::{Content, Probe, ProbeTarget, Process, ProcessFile, Ready, Stop};
use scn_grammar::scenario::stress::{Stress, StressTransport};

use super::super::types::{Plan, PlannedStress};
use super::words::{count, doc, duration, hex, nodes, option, ports, quantity, size, text, varying};
use super::{Line, flows, name};

/// Lines of a file that are printed.
const SHOWN_LINES: usize = 12;

/// Programs under test.
pub(super) fn processes(plan: &Plan) -> Vec<Line> {
    plan.processes.iter().map(|one| process(plan, one)).collect()
}

fn process(plan: &Plan, process: &Process) -> Line {
    let Process { name: called, doc: says, nodes: on, command, files, env, ready, stop, span: _ } = process;
    let mut below: Vec<Line> = doc(says).collect();
    below.extend(files.iter().map(file));
    below.extend(env.iter().map(|(name, value)| Line::pair(&format!("env {name} ="), text(value))));
    below.push(Line::pair("run", text(command)));
    below.extend(ready.as_ref().map(|ready| Line::pair("ready", ready_words(plan, ready))));
    let Stop { signal, within_ns } = stop;
    below.push(Line::pair("stop", format!("{signal}, SIGKILL after {}", duration(*within_ns))));
    let on = nodes(plan, on);
    Line::new(called.clone(), format!("on {on}"), format!("{called} on {on}")).with(below)
}

/// A file with its size and its first lines. Lines with holes are told with the holes; a secret as `***`.
fn file(file: &ProcessFile) -> Line {
    let ProcessFile { path, content, span: _ } = file;
    let key = format!("file {}", super::words::quoted(path));
    match content {
        Content::Text(content) => {
            let content = content.to_string();
            let all: Vec<&str> = content.lines().collect();
            let says = format!("{}, {}", count(all.len() as u64, "line", "lines"), size(content.len() as u64));
            let line = |(at, line): (usize, &&str)| {
                let words = line.escape_debug().to_string();
                if at < SHOWN_LINES { Line::about(format!("| {words}")) } else { Line::hidden(words) }
            };
            let mut below: Vec<Line> = all.iter().enumerate().map(line).collect();
            let more = all.len().saturating_sub(SHOWN_LINES);
            below.extend((more > 0).then(|| Line::computed(format!("... {}", count(more as u64, "more line", "more lines")))));
            Line::new(key.clone(), "", format!("{key}: {says}")).in_order(below)
        }
        Content::Bytes(bytes) => {
            let says = size(bytes.len() as u64);
            Line::new(key.clone(), hex(bytes), format!("{key}: {says}, {}", hex(bytes)))
        }
    }
}

fn ready_words(plan: &Plan, ready: &Ready) -> String {
    let Ready { probe, within_ns, span: _ } = ready;
    let target = |target: &ProbeTarget| match target {
        ProbeTarget::Address(address, port) => std::net::SocketAddr::new(*address, *port).to_string(),
        ProbeTarget::Node(node, port) => format!("{}:{port}", name(plan, *node)),
    };
    let probe = match probe {
        Probe::Tcp(of) => format!("tcp {}", target(of)),
        Probe::Udp(of) => format!("udp {}", target(of)),
        Probe::Log(regex) => format!("log /{regex}/"),
        Probe::Run(command) => format!("run {}", text(command)),
    };
    format!("{probe} within {}", duration(*within_ns))
}

/// Mixes of random streams.
pub(super) fn stresses(plan: &Plan) -> Vec<Line> {
    plan.stresses.iter().map(|one| stress(plan, one)).collect()
}

fn stress(plan: &Plan, stress: &PlannedStress) -> Line {
    // Where its kinds go their peers say, which stand among the listeners.
    let PlannedStress { stress, kinds: _, starts_at_zero: _ } = stress;
    let Stress {
        name: called,
        doc: says,
        from,
        to,
        streams,
        total,
        duration: length,
        size: bytes,
        rate_nano,
        transports,
        tools,
        ports: at,
        span: _,
    } = stress;
    let mut below: Vec<Line> = doc(says).collect();
    below.push(Line::new("streams", streams.to_string(), format!("{} alive at once", count(*streams, "stream", "streams"))));
    option(&mut below, "total", *total, |total| total.to_string());
    below.push(Line::pair("duration", varying(length, Dimension::Duration)));
    below.push(Line::pair("size", varying(bytes, Dimension::Size)));
    below.push(match rate_nano {
        Some(rate) => Line::pair("rate", format!("{} of each stream", quantity(Dimension::Rate, *rate))),
        None => Line::new("rate", "closed loop", "closed loop: a message follows the answer to the one before"),
    });
    below.push(Line::pair("transports", transports.iter().map(transport).collect::<Vec<_>>().join(", ")));
    if !tools.is_empty() {
        below.push(Line::pair("tools", tools.iter().map(|tool| tool.word()).collect::<Vec<_>>().join(", ")));
    }
    option(&mut below, "ports", *at, ports);
    let says = format!("from {} to {}", nodes(plan, from), flows::goal(plan, to));
    Line::new(called.clone(), says.clone(), format!("{called} {says}")).with(below)
}

/// A mix in one line: `from client[1..3] to sut, 10 streams over tcp, udp, icmp`.
pub fn stress_words(plan: &Plan, stress: &Stress) -> String {
    let over: Vec<&str> = stress.transports.iter().map(transport).collect();
    let streams = count(stress.streams, "stream", "streams");
    format!("from {} to {}, {streams} over {}", nodes(plan, &stress.from), flows::goal(plan, &stress.to), over.join(", "))
}

fn transport(transport: &StressTransport) -> &'static str {
    match transport {
        StressTransport::Tcp => "tcp",
        StressTransport::Udp => "udp",
        StressTransport::Icmp => "icmp",
        StressTransport::Sctp => "sctp",
    }
}
