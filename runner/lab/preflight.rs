//! Looks before anything is made. In: a plan. Out: warnings, or why the machine cannot run it. Raises the limit of open files.

use std::fs::OpenOptions;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use scn_grammar::scenario::StressId;
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::transport::Transport;
use socket2::{Domain, Protocol, Socket, Type};

use super::enter;
use super::error::LabError;
use super::features;
use super::machine;
use super::process;
use crate::plan::descriptors::most_streams;
use crate::plan::types::{Engine, Plan, PlannedFlow};

/// Descriptors of the lab besides those of namespaces: its threads' sockets, epoll, timer, pipe.
const OWN_DESCRIPTORS: u64 = 32;
/// The number of SCTP among protocols (IANA).
const SCTP: i32 = 132;
/// Descriptors of a program or a command: its guard's socket and two pipes, and the other ends of these while it starts.
const PROGRAM_DESCRIPTORS: u64 = 6;

/// Checks privilege, descriptors and `/proc/sys`, and raises the soft limit of open files to the hard one. Out: warnings.
///
/// # Errors
/// What is missing, and what to do about it. Nothing has been made then.
pub fn preflight(plan: &Plan) -> Result<Vec<String>, LabError> {
    if !enter::privileged() {
        let reason = "the process has no CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW".to_owned();
        return Err(LabError::Forbidden { reason, advice: "Call enter() first, or run as root".to_owned() });
    }
    descriptors(plan)?;
    writable()?;
    machine::check(plan)?;
    features::check(plan)?;
    process::check(plan)?;
    sctp(plan)?;
    process::read_secrets(plan)?;
    let mut warnings = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        warnings.push("one core only: the program will compete with the network it measures".to_owned());
    }
    Ok(warnings)
}

/// What the lab itself keeps open: a namespace and at times a routing socket a node, two taps a wire.
fn own(plan: &Plan) -> u64 {
    let wires = plan.links.iter().filter(|link| link.engine == Engine::Wire).count();
    let programs: usize = plan.processes.iter().map(|process| process.nodes.len()).sum();
    let commands = plan.timeline.iter().filter(|entry| matches!(entry.action, Action::Run { .. })).count();
    // A client and a server, of each stream that a tool may make too.
    let streams = (0..).zip(&plan.stresses).filter(|(_, stress)| !stress.stress.tools.is_empty());
    let streams: u64 = streams.map(|(id, stress)| most_streams(stress, StressId(id), &plan.timeline)).sum();
    let tools = 2 * (plan.flows.iter().filter(|flow| flow.tool.is_some()).count() as u64 + streams);
    2 * (plan.nodes.len() + wires) as u64 + PROGRAM_DESCRIPTORS * ((programs + commands) as u64 + tools) + OWN_DESCRIPTORS
}

fn descriptors(plan: &Plan) -> Result<(), LabError> {
    let failed = |cause: nix::Error| LabError::system("limits", "read or raise the number of open files", &cause.into());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    let needed = plan.descriptors.max(own(plan));
    if needed > hard {
        return Err(LabError::Descriptors { needed, limit: hard });
    }
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(failed)?;
    }
    Ok(())
}

/// A tool that speaks SCTP needs a kernel that does.
fn sctp(plan: &Plan) -> Result<(), LabError> {
    let speaks = |flow: &PlannedFlow| flow.tool.is_some() && matches!(flow.transport, Transport::Sctp { .. });
    if !plan.flows.iter().any(speaks) {
        return Ok(());
    }
    let made = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(SCTP)));
    made.map(drop).map_err(|cause| LabError::system("preflight", "make a socket of SCTP (CONFIG_IP_SCTP, module sctp)", &cause))
}

/// Settings of nodes are files; containers often have them read-only.
fn writable() -> Result<(), LabError> {
    let path = "/proc/sys/net/ipv4/ip_forward";
    let opened = OpenOptions::new().write(true).open(path);
    opened.map(drop).map_err(|cause| LabError::ReadOnly { path: path.to_owned(), cause: cause.to_string() })
}
