//! What is to run where: the plan's programs, one copy a node, with their texts filled in. In: a plan, and the secrets of the run. Out:
//! copies, nodes with their `/etc/hosts`, programs that the machine must have. Starts nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use regex::Regex;
use scn_grammar::scenario::process::{Content, Probe, ProbeTarget, Process, Signal};
use scn_grammar::scenario::text::{Text, TextPart};
use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::topology::NodeKind;
use scn_grammar::scenario::{NodeId, ProcessId};

use super::super::error::LabError;
use super::message::Start;
use super::room::FOLDER;
use super::tool::Part;
use crate::plan::types::Plan;
use crate::traffic::secrets::Secrets;
use crate::traffic::tools;

/// One copy of a program under test.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    /// Which program.
    pub(crate) process: ProcessId,
    /// Where.
    pub(crate) node: NodeId,
    /// Its name.
    pub(crate) name: String,
    /// The node's name.
    pub(crate) on: String,
    /// What is started.
    pub(super) start: Start,
    /// The command line as it may be shown.
    pub(crate) command: String,
    /// When it counts as ready.
    pub(super) ready: Option<Ready>,
    /// First this signal.
    pub(super) stop: Signal,
    /// SIGKILL after this long, ns.
    pub(super) stop_ns: u64,
}

/// When a copy counts as ready.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    /// What is looked at.
    pub(super) look: Look,
    /// How long it may take, ns.
    pub(super) within_ns: u64,
}

/// What is looked at.
#[derive(Debug, Clone)]
pub(super) enum Look {
    /// A connection is taken there.
    Tcp(SocketAddr),
    /// The port is bound there.
    Udp(SocketAddr),
    /// A line of output matches.
    Log(Regex),
    /// A command ends with 0.
    Run(Start),
}

/// Reads the secrets of a plan from the environment.
pub(crate) fn read_secrets(plan: &Plan) -> Result<Secrets, LabError> {
    let value = |secret: &scn_grammar::scenario::Secret| match std::env::var(&secret.variable) {
        Ok(value) => Ok((secret.name.clone(), value)),
        Err(_) => Err(LabError::NoSecret { name: secret.name.clone(), variable: secret.variable.clone() }),
    };
    plan.secrets.iter().map(value).collect::<Result<_, _>>().map(Secrets::new)
}

/// A text with its holes filled.
fn fill(secrets: &Secrets, text: &Text, folder: &str, node: &str) -> String {
    let part = |part: &TextPart| match part {
        TextPart::Literal(text) => text.clone(),
        TextPart::Dir => folder.to_owned(),
        TextPart::NodeName => node.to_owned(),
        TextPart::Secret(name) => secrets.value(name).to_owned(),
    };
    text.0.iter().map(part).collect()
}

/// Every copy of every program, in the order of the file.
pub(super) fn copies(plan: &Plan, secrets: &Secrets) -> Result<Vec<Copy>, LabError> {
    let each = (0u32..).zip(&plan.processes);
    each.flat_map(|(id, process)| process.nodes.iter().map(move |node| copy(plan, secrets, ProcessId(id), process, *node))).collect()
}

fn copy(plan: &Plan, secrets: &Secrets, id: ProcessId, process: &Process, node: NodeId) -> Result<Copy, LabError> {
    let on = &plan.nodes[node.index()].name;
    let folder = format!("{FOLDER}/{}", plain(&process.name));
    let fill = |text: &Text| fill(secrets, text, &folder, on);
    let content = |content: &Content| match content {
        Content::Text(text) => fill(text).into_bytes(),
        Content::Bytes(bytes) => bytes.clone(),
    };
    let mut env = environment();
    env.extend(process.env.iter().map(|(name, value)| (name.clone(), fill(value))));
    let start = Start {
        node: node.index(),
        command: fill(&process.command),
        folder: folder.clone(),
        files: process.files.iter().map(|file| (file.path.clone(), content(&file.content))).collect(),
        env: env.into_iter().collect(),
    };
    let ready = process.ready.as_ref().map(|ready| {
        let look = match &ready.probe {
            Probe::Tcp(target) => Look::Tcp(address(plan, *target)?),
            Probe::Udp(target) => Look::Udp(address(plan, *target)?),
            Probe::Log(regex) => Look::Log(Regex::new(regex).map_err(|cause| LabError::Plan { what: cause.to_string() })?),
            Probe::Run(command) => Look::Run(Start { command: fill(command), files: Vec::new(), ..start.clone() }),
        };
        Ok::<_, LabError>(Ready { look, within_ns: ready.within_ns })
    });
    Ok(Copy {
        process: id,
        node,
        name: process.name.clone(),
        on: on.clone(),
        command: process.command.to_string(),
        ready: ready.transpose()?,
        stop: process.stop.signal,
        stop_ns: process.stop.within_ns,
        start,
    })
}

/// A command of the timeline.
pub(super) fn command(plan: &Plan, secrets: &Secrets, node: NodeId, command: &Text) -> Start {
    let command = fill(secrets, command, FOLDER, &plan.nodes[node.index()].name);
    Start { node: node.index(), command, folder: FOLDER.to_owned(), files: Vec::new(), env: environment().into_iter().collect() }
}

/// The runner's own environment, in which programs of administrators are found by everybody.
fn environment() -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> =
        std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?))).collect();
    all.insert("PATH".to_owned(), super::search::path());
    all
}

/// `lb[2]`: `lb-2`, which a shell takes for one word; no other name is the same.
pub(crate) fn plain(name: &str) -> String {
    name.replace('[', "-").replace(']', "")
}

/// Where a probe looks.
fn address(plan: &Plan, target: ProbeTarget) -> Result<SocketAddr, LabError> {
    match target {
        ProbeTarget::Address(address, port) => Ok(SocketAddr::new(address, port)),
        ProbeTarget::Node(node, port) => {
            let found = addresses(plan, node.index()).next();
            let what = || format!("a program is ready at node {}, which has no address", node.0);
            Ok(SocketAddr::new(found.ok_or_else(|| LabError::Plan { what: what() })?, port))
        }
    }
}

/// The addresses of a node, in the order of its interfaces.
fn addresses(plan: &Plan, node: usize) -> impl Iterator<Item = IpAddr> + '_ {
    let upper = plan.interfaces.iter().filter(move |upper| upper.node.index() == node).flat_map(|upper| &upper.addresses);
    plan.nodes[node].interfaces.iter().flat_map(|interface| &interface.addresses).chain(upper).map(|prefix| prefix.address)
}

/// `/etc/hosts` of a run: this machine's own names, and every node at each of its addresses.
pub(super) fn hosts(plan: &Plan) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_owned();
    for (at, node) in plan.nodes.iter().enumerate() {
        let short = plain(&node.name);
        let names = if short == node.name { short } else { format!("{} {short}", node.name) };
        for address in addresses(plan, at) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{address} {names}");
        }
    }
    text
}

/// Nodes in which something can run: those with a network of their own.
pub(super) fn all_nodes(plan: &Plan) -> BTreeSet<NodeId> {
    (0u32..).zip(&plan.nodes).filter(|(_, node)| has_network(node.kind)).map(|(at, _)| NodeId(at)).collect()
}

/// A network of its own.
fn has_network(kind: NodeKind) -> bool {
    matches!(kind, NodeKind::Host | NodeKind::Router)
}

/// Nodes on which something of the kind runs, or looks names up.
pub(crate) fn nodes(plan: &Plan) -> BTreeSet<NodeId> {
    let commands = plan.timeline.iter().filter_map(|entry| match &entry.action {
        Action::Run { node, .. } => Some(*node),
        _ => None,
    });
    let tools = tools::made(plan).flat_map(|flow| std::iter::once(flow.from).chain(tools::serves(flow)));
    let own = |node: &NodeId| plan.nodes.get(node.index()).is_some_and(|node| has_network(node.kind));
    let named = plan.flows.iter().filter(|flow| flow.looked_up().is_some()).map(|flow| flow.from);
    let named = named.chain(of_streams(plan)).filter(own);
    plan.processes.iter().flat_map(|process| process.nodes.iter().copied()).chain(commands).chain(tools).chain(named).collect()
}

/// Clients of streams to a name.
fn of_streams(plan: &Plan) -> impl Iterator<Item = NodeId> + '_ {
    plan.stresses.iter().flat_map(|stress| &stress.kinds).filter(|flow| flow.looked_up().is_some()).map(|flow| flow.from)
}

/// Whether a flow goes to a name, which is looked up beside the programs.
pub(super) fn looks_names_up(plan: &Plan) -> bool {
    plan.flows.iter().any(|flow| flow.looked_up().is_some()) || of_streams(plan).next().is_some()
}

impl Part {
    /// A program of a flow's tool, in a folder of its own. It speaks the language that scn reads.
    pub(crate) fn new(plan: &Plan, node: NodeId, flow: &str, command: &tools::Command) -> Self {
        let mut env = environment();
        env.insert("LC_ALL".to_owned(), "C".to_owned());
        let quoted = |word: &str| format!("'{}'", word.replace('\'', "'\\''"));
        let words = std::iter::once(command.program).chain(command.arguments.iter().map(String::as_str)).map(quoted);
        let line = std::iter::once("exec".to_owned()).chain(words).collect::<Vec<_>>().join(" ");
        let folder = format!("{FOLDER}/flow-{}", plain(flow));
        let start = Start { node: node.index(), command: line, folder, files: Vec::new(), env: env.into_iter().collect() };
        let on = &plan.nodes[node.index()].name;
        Part { node, command: format!("{} (on {on})", command.words()), start }
    }
}

/// The number of a signal on this machine.
pub(super) fn number(signal: Signal) -> i32 {
    match signal {
        Signal::Hup => libc::SIGHUP,
        Signal::Int => libc::SIGINT,
        Signal::Quit => libc::SIGQUIT,
        Signal::Abrt => libc::SIGABRT,
        Signal::Kill => libc::SIGKILL,
        Signal::Usr1 => libc::SIGUSR1,
        Signal::Usr2 => libc::SIGUSR2,
        Signal::Pipe => libc::SIGPIPE,
        Signal::Alrm => libc::SIGALRM,
        Signal::Term => libc::SIGTERM,
        Signal::Cont => libc::SIGCONT,
        Signal::Stop => libc::SIGSTOP,
        Signal::Tstp => libc::SIGTSTP,
        Signal::Winch => libc::SIGWINCH,
    }
}

/// A program that does nothing about this signal ends by it.
pub(super) fn ends(signal: Signal) -> bool {
    !matches!(signal, Signal::Cont | Signal::Stop | Signal::Tstp | Signal::Winch)
}
