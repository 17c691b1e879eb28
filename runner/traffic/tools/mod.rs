//! Flows that other people's programs make. In: a planned flow. Out: the command lines of both ends; and of what they wrote, how much
//! arrived when, in the flow's own series. Starts nothing: the lab runs the programs, the engine brings both together.
//!
//! A tool is one file: what it is asked (the arguments of both ends), which options are its own, what it cannot do, and how its output is
//! read. Its row stands in `TOOLS`; which metrics it gives stands in the language's table of metrics.

mod iperf;
mod iperf3;
mod netperf;
mod options;
mod overtime;
mod ping;
mod placed;
mod series;
mod stream;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::flow::{Destination, Load, Timeouts, Tool, ToolKind};
use scn_grammar::scenario::transport::Transport;

use crate::plan::types::{Plan, PlannedFlow};

use options::Options;
pub use placed::{End, Heard, Line};
pub use series::series;
pub use stream::{counts, drawn, outcome, untold};

/// Between two reports of a tool, ms; of runs that last longer than [`LONG_S`] a whole second.
const REPORT_MS: u64 = 100;
/// Runs of more seconds have fewer reports.
const LONG_S: u64 = 600;

/// What a tool is asked to do.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// Where to: an address; of a name only its port.
    pub target: std::net::SocketAddr,
    /// The name that the tool looks up.
    pub name: Option<&'a str>,
    /// How much and how long.
    pub load: &'a Load,
    /// Over what, with its options.
    pub transport: &'a Transport,
    /// How long it waits.
    pub timeouts: Timeouts,
    /// The interface that its packets leave by.
    pub interface: Option<&'a str>,
    /// Further arguments, as the scenario says them.
    pub arguments: &'a [String],
}

/// A row of the table.
struct Row {
    kind: ToolKind,
    /// The program of the server's end; `None`: the target's kernel answers.
    server: Option<Side>,
    /// The client's arguments but for those that the scenario adds.
    client: fn(&Work<'_>) -> Vec<String>,
    /// What follows the scenario's own arguments.
    last: &'static [&'static str],
    /// Its options.
    options: Options,
    /// What it cannot do of what it is asked, each with what to write instead.
    beyond: fn(&Work<'_>) -> Vec<(String, &'static str)>,
    /// Whether it ends by itself after the flow's `duration` or `total`; otherwise it is told to.
    ends: fn(&Work<'_>) -> bool,
    /// Reads what both ends wrote.
    read: fn(&Work<'_>, &Heard) -> Told,
}

/// The server's end of a tool.
struct Side {
    program: &'static str,
    arguments: fn(&Work<'_>) -> Vec<String>,
    /// It ends when its client does.
    ends: bool,
    /// It takes clients at a UDP port, otherwise of TCP.
    udp: fn(&Work<'_>) -> bool,
}

/// All tools.
const TOOLS: [&Row; 4] = [&iperf3::ROW, &iperf::ROW, &ping::ROW, &netperf::ROW];

/// What a tool told, on the run's clock.
#[derive(Debug, Clone, Default, PartialEq)]
struct Told {
    /// Reports of both ends.
    reports: Vec<scn_reports::record::tool::Report>,
    /// What may be lost, and may have come without being counted.
    unsure: Vec<scn_reports::record::tool::Report>,
    /// Echoes that it sent one by one.
    echoes: Vec<ping::Echo>,
    /// What the client's kernel told of its connections, by their places among `streams`.
    tcp: Vec<scn_reports::record::flow::TcpSample>,
    /// Connections that carried payload: both ends' addresses.
    streams: Vec<(String, String)>,
    /// What went wrong, in its words, and when.
    errors: Vec<(i64, String)>,
    /// It did not come to its own end: what happened after its last words nobody knows.
    cut_short: bool,
    /// It surely sent nothing.
    silent: bool,
    /// Its instants may be so far from the truth, ns.
    error_ns: i64,
}

/// A command line: the program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Command {
    /// As people read it.
    #[must_use]
    pub fn words(&self) -> String {
        std::iter::once(self.program).chain(self.arguments.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

/// How both ends of a flow are started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// The client.
    pub client: Command,
    /// The server; `None`: it is not scn's to start.
    pub server: Option<ServerCommand>,
    /// The client is told to end so long after its start, ns: when its time is over, or some time later if it should have ended by itself;
    /// `None`: it ends by itself, or when the flow is stopped.
    pub stop_after_ns: Option<u64>,
}

/// How a server is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCommand {
    /// Its command line.
    pub command: Command,
    /// It ends when its client does; otherwise it is told to.
    pub ends: bool,
    /// It takes clients at a UDP port, otherwise of TCP.
    pub udp: bool,
}

/// Streams at once, of tools that take `-P`.
fn streams(work: &Work<'_>) -> u64 {
    let mut said = work.arguments.iter();
    while let Some(word) = said.next() {
        let value = match word.as_str() {
            "-P" | "--parallel" => said.next().map(String::as_str),
            other => other.strip_prefix("--parallel=").or(other.strip_prefix("-P")),
        };
        if let Some(count) = value.and_then(|value| value.parse().ok()) {
            return u64::max(count, 1);
        }
    }
    work.load.connections.max(1)
}

fn row(kind: ToolKind) -> &'static Row {
    TOOLS.into_iter().find(|row| row.kind == kind).unwrap_or(&iperf3::ROW)
}

fn work<'a>(flow: &'a PlannedFlow, tool: &'a Tool) -> Work<'a> {
    Work {
        target: flow.target,
        name: flow.looked_up(),
        load: &flow.load,
        transport: &flow.transport,
        timeouts: flow.timeouts,
        interface: flow.from_interface.as_deref(),
        arguments: &tool.arguments,
    }
}

/// The programs that a tool is: the client's, and the server's if it has one.
#[must_use]
pub fn programs(kind: ToolKind) -> (&'static str, Option<&'static str>) {
    (kind.word(), row(kind).server.as_ref().map(|side| side.program))
}

/// How the ends of a flow are started. `serves`: scn starts the server too. `None`: no tool makes it.
#[must_use]
pub fn commands(flow: &PlannedFlow, serves: bool) -> Option<Commands> {
    let tool = flow.tool.as_ref()?;
    let (row, work) = (row(tool.kind), work(flow, tool));
    let mut arguments = (row.client)(&work);
    arguments.extend(tool.arguments.iter().cloned());
    // What the scenario says of the test itself comes after the two strokes that it wrote.
    let last = if tool.arguments.iter().any(|word| word == "--") { row.last.get(1..).unwrap_or(&[]) } else { row.last };
    arguments.extend(last.iter().map(|word| (*word).to_owned()));
    let server = row.server.as_ref().filter(|_| serves).map(|side| {
        let command = Command { program: side.program, arguments: (side.arguments)(&work) };
        ServerCommand { command, ends: side.ends, udp: (side.udp)(&work) }
    });
    let stop_after_ns = overtime::stop_after(row, &work);
    Some(Commands { client: Command { program: tool.kind.word(), arguments }, server, stop_after_ns })
}

/// Arguments of the scenario that the tool is given already, or that would make its output unreadable: each with the reason.
#[must_use]
pub fn clashes(flow: &PlannedFlow) -> Vec<(String, String)> {
    let Some(tool) = &flow.tool else { return Vec::new() };
    let (row, work) = (row(tool.kind), work(flow, tool));
    row.options.clashes(&(row.client)(&work), &tool.arguments)
}

/// What the tool cannot do of what the flow says, each with what to write instead.
#[must_use]
pub fn beyond(flow: &PlannedFlow) -> Vec<(String, &'static str)> {
    let Some(tool) = &flow.tool else { return Vec::new() };
    (row(tool.kind).beyond)(&work(flow, tool))
}

/// What tools make in a run: flows, and kinds of streams.
pub fn made(plan: &Plan) -> impl Iterator<Item = &PlannedFlow> {
    let kinds = plan.stresses.iter().flat_map(|stress| &stress.kinds);
    plan.flows.iter().chain(kinds).filter(|flow| flow.tool.is_some())
}

/// Whether a tool has a server, which takes a port.
#[must_use]
pub fn has_server(kind: ToolKind) -> bool {
    row(kind).server.is_some()
}

/// The node on which scn starts the server of a flow's tool; `None`: nowhere.
#[must_use]
pub fn serves(flow: &PlannedFlow) -> Option<NodeId> {
    flow.tool.as_ref().filter(|tool| has_server(tool.kind) && !flow.peer_none)?;
    let own = matches!(flow.to, Destination::Node(..) | Destination::Interface(..) | Destination::Address(..));
    flow.backends.first().copied().filter(|_| own)
}

impl Work<'_> {
    /// The target's address, or the name that stands for it.
    fn host(&self) -> String {
        self.name.map_or_else(|| self.target.ip().to_string(), str::to_owned)
    }

    /// Reports come every so many seconds, as tools write it.
    fn every(&self) -> String {
        let long = self.load.duration_ns.is_some_and(|ns| ns > LONG_S * 1_000_000_000);
        if long { "1".to_owned() } else { (REPORT_MS as f64 / 1000.0).to_string() }
    }

    /// The flow's `duration` if it is a whole number of seconds.
    fn whole_seconds(&self) -> Option<u64> {
        self.load.duration_ns.filter(|ns| ns % 1_000_000_000 == 0).map(|ns| ns / 1_000_000_000)
    }

    /// The size of one message, bytes.
    fn size(&self) -> Option<u64> {
        match self.load.size {
            Some(scn_grammar::scenario::pattern::Varying::Fixed(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The scenario's arguments hold one of these options.
    fn says(&self, names: &[&str]) -> bool {
        self.arguments.iter().any(|word| names.contains(&word.split('=').next().unwrap_or("")))
    }

    /// The socket options of its transport.
    fn socket(&self) -> Option<&scn_grammar::scenario::transport::Socket> {
        match self.transport {
            Transport::Tcp { socket, .. } | Transport::Udp { socket, .. } | Transport::Sctp { socket, .. } => Some(socket),
            _ => None,
        }
    }

    fn is_udp(&self) -> bool {
        matches!(self.transport, Transport::Udp { .. })
    }
}

/// What no tool does that has a constant rate, whatever it is.
fn changing(work: &Work<'_>) -> Vec<(String, &'static str)> {
    let mut beyond = Vec::new();
    if work.load.rate_change.is_some() || work.load.bandwidth_change.is_some() {
        beyond.push(("a rate that changes".to_owned(), "say one rate, or let scn make the flow"));
    }
    if work.load.size.is_some() && work.size().is_none() {
        beyond.push(("sizes that vary".to_owned(), "say one size, or let scn make the flow"));
    }
    beyond
}

/// Words of a command line.
fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.into_iter().map(str::to_owned).collect()
}
