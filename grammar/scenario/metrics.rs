//! Everything that can be measured: names, units, how a value is told over time, what has it, one sentence each. In: nothing. Out: the
//! one table that the checker, the reference, hover, completion and reports read. Measures nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flow::ToolKind;
use super::transport::TransportKind;
use crate::quantity::Dimension;

/// What a metric is over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// A number that only grows while a window runs: judged at every change.
    Counter,
    /// A level that goes up and down: judged at every change.
    Gauge,
    /// Needs an interval: rates, ratios, percentiles, outages.
    Interval,
}

/// What a metric's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measures {
    /// A number with a dimension.
    Number(Dimension),
    /// True or false: stands alone as a condition.
    Truth,
    /// A text: only for `matches`.
    Text,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnerKind {
    /// A flow.
    Flow,
    /// A link, both ways together or one of them.
    Link,
    /// An interface of a node.
    Interface,
    /// A program under test.
    Process,
    /// A mix of streams.
    Stress,
    /// What `run ... as NAME` gave.
    Output,
}

impl OwnerKind {
    /// All of them, in the order of the reference.
    pub const ALL: &'static [OwnerKind] =
        &[OwnerKind::Flow, OwnerKind::Link, OwnerKind::Interface, OwnerKind::Process, OwnerKind::Stress, OwnerKind::Output];

    /// With its article.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            OwnerKind::Flow => "a flow",
            OwnerKind::Link => "a link",
            OwnerKind::Interface => "an interface",
            OwnerKind::Process => "a process",
            OwnerKind::Stress => "a stress",
            OwnerKind::Output => "the output of `run`",
        }
    }
}

/// What a flow must be to have a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// It runs over one of these.
    pub transports: &'static [TransportKind],
    /// Or it is made by one of these tools.
    pub tools: &'static [ToolKind],
    /// The other end answers.
    pub replies: bool,
    /// The other end is the program's own, not a process, a foreign address or nobody.
    pub own_server: bool,
    /// It makes a TLS handshake.
    pub handshake: bool,
    /// Of a tool: it counts single packets or datagrams, not bytes of a stream.
    pub single: bool,
    /// Whether a flow that only watches has it.
    pub watched: Watched,
}

/// Whether a flow of frames that sends nothing has a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It needs a sender.
    Never,
    /// It has.
    Always,
    /// It has if it says how often frames are expected.
    Expected,
}

/// What has a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Flows that are so.
    Flow(Needs),
    /// Links, `wan.dropped`, and each way of them, `wan.forward.dropped`.
    Link,
    /// Interfaces.
    Interface,
    /// Programs under test.
    Process,
    /// Mixes of streams.
    Stress,
    /// Commands of the timeline.
    Output,
}

impl Owner {
    /// The sort of thing.
    #[must_use]
    pub fn kind(self) -> OwnerKind {
        match self {
            Owner::Flow(_) => OwnerKind::Flow,
            Owner::Link => OwnerKind::Link,
            Owner::Interface => OwnerKind::Interface,
            Owner::Process => OwnerKind::Process,
            Owner::Stress => OwnerKind::Stress,
            Owner::Output => OwnerKind::Output,
        }
    }
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricRow {
    /// `outage.max`; `*` in `latency.*` stands for one of [`STATISTICS`].
    pub name: &'static str,
    /// What its value is.
    pub measures: Measures,
    /// How it is told over time.
    pub shape: Shape,
    /// What has it.
    pub owner: Owner,
    /// It counts from an event in parentheses: `failover_time(failure)`.
    pub takes_event: bool,
    /// One sentence, with the standard that names it.
    pub doc: &'static str,
}

impl MetricRow {
    /// The dimension of its number; of a truth and of a text `Count`.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        match self.measures {
            Measures::Number(dimension) => dimension,
            Measures::Truth | Measures::Text => Dimension::Count,
        }
    }

    /// A full name is one of this row: `latency.p99` of `latency.*`.
    #[must_use]
    pub fn fits(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(family) => name.strip_prefix(family).is_some_and(|statistic| STATISTICS.contains(&statistic)),
            None => self.name == name,
        }
    }
}

/// What can stand for `*` in [`METRICS`].
pub const STATISTICS: &[&str] = &["min", "mean", "p50", "p90", "p95", "p99", "p999", "max"];

/// The row of a metric. A link's `forward.` and `back.` are taken off before.
#[must_use]
pub fn find(owner: OwnerKind, name: &str) -> Option<&'static MetricRow> {
    METRICS.iter().find(|row| row.owner.kind() == owner && row.fits(name))
}

/// The metrics of flows that only watch, with whether each needs to know how often frames are expected.
pub fn watched() -> impl Iterator<Item = (&'static str, bool)> {
    let of = |row: &MetricRow| match row.owner {
        Owner::Flow(needs) => Some(needs.watched).filter(|watched| *watched != Watched::Never),
        _ => None,
    };
    METRICS.iter().filter_map(move |row| Some((row.name, of(row)? == Watched::Expected)))
}

/// The rows of one sort of thing.
pub fn of(owner: OwnerKind) -> impl Iterator<Item = &'static MetricRow> {
    METRICS.iter().filter(move |row| row.owner.kind() == owner)
}

use Dimension::{Bandwidth, Count, Duration, Rate, Ratio, Size};
use Shape::{Counter, Gauge, Interval};
use ToolKind::{Iperf, Iperf3, Netperf, Ping};
use TransportKind::{Frames, Http, Icmp, Mptcp, Quic, Sctp, Tcp, Tls, Udp};

const ANY: &[TransportKind] = &[Tcp, Tls, Udp, Icmp, Http, Quic, Sctp, Mptcp, Frames];
const TALKS: &[TransportKind] = &[Tcp, Tls, Udp, Icmp, Http, Quic, Sctp, Mptcp];
const CONNECTED: &[TransportKind] = &[Tcp, Tls, Http, Quic, Sctp, Mptcp];
const DIALLED: &[TransportKind] = &[Tcp, Tls, Http, Sctp, Mptcp];
const SERVED: &[TransportKind] = &[Tcp, Tls, Udp, Http, Quic, Sctp, Mptcp];
const ON_TCP: &[TransportKind] = &[Tcp, Tls, Http, Mptcp];
const PACKETS: &[TransportKind] = &[Udp, Icmp, Frames];
const ALL_TOOLS: &[ToolKind] = &[Iperf3, Iperf, Ping, Netperf];
const STREAM_TOOLS: &[ToolKind] = &[Iperf3, Iperf, Netperf];
const COUNTING_TOOLS: &[ToolKind] = &[Iperf3, Iperf, Ping];

/// Flows over these transports.
const fn over(transports: &'static [TransportKind]) -> Needs {
    Needs { transports, tools: &[], replies: false, own_server: false, handshake: false, single: false, watched: Watched::Never }
}

impl Needs {
    const fn tools(self, tools: &'static [ToolKind]) -> Needs {
        Needs { tools, ..self }
    }
    const fn replies(self) -> Needs {
        Needs { replies: true, ..self }
    }
    const fn own_server(self) -> Needs {
        Needs { own_server: true, ..self }
    }
    const fn single(self) -> Needs {
        Needs { single: true, ..self }
    }
    const fn handshake(self) -> Needs {
        Needs { handshake: true, ..self }
    }
    const fn watched(self) -> Needs {
        Needs { watched: Watched::Always, ..self }
    }
    const fn expected(self) -> Needs {
        Needs { watched: Watched::Expected, ..self }
    }
}

const fn flow(name: &'static str, dimension: Dimension, shape: Shape, needs: Needs, doc: &'static str) -> MetricRow {
    MetricRow { name, measures: Measures::Number(dimension), shape, owner: Owner::Flow(needs), takes_event: false, doc }
}

const fn from_event(name: &'static str, doc: &'static str) -> MetricRow {
    MetricRow { takes_event: true, ..flow(name, Duration, Interval, over(ANY).tools(&[Ping]), doc) }
}

const fn number(owner: Owner, name: &'static str, dimension: Dimension, shape: Shape, doc: &'static str) -> MetricRow {
    MetricRow { name, measures: Measures::Number(dimension), shape, owner, takes_event: false, doc }
}

const fn truth(owner: Owner, name: &'static str, doc: &'static str) -> MetricRow {
    MetricRow { name, measures: Measures::Truth, shape: Gauge, owner, takes_event: false, doc }
}

const fn text(owner: Owner, name: &'static str, doc: &'static str) -> MetricRow {
    MetricRow { name, measures: Measures::Text, shape: Gauge, owner, takes_event: false, doc }
}

/// Everything that can be measured, in the order of the reference.
#[rustfmt::skip]
pub const METRICS: &[MetricRow] = &[
    // Items of a flow: transactions, and packets and frames of flows without any.
    flow("sent", Count, Counter, over(ANY).tools(COUNTING_TOOLS).single(), "Items whose first byte was handed to the kernel."),
    flow("received", Count, Counter, over(ANY).tools(COUNTING_TOOLS).single().watched(), "Items that came back (one way: arrived) whole and verified."),
    flow("lost", Count, Counter, over(ANY).tools(COUNTING_TOOLS).single(), "Items that were sent and failed or never came, counted when they were sent (RFC 7680)."),
    flow("loss", Ratio, Interval, over(ANY).tools(COUNTING_TOOLS).single(), "Lost over sent items (RFC 7680); those whose fate was not seen are its error."),
    flow("late", Count, Counter, over(PACKETS), "Items that came after they had been counted as lost."),
    flow("duplicates", Count, Counter, over(PACKETS).tools(&[Ping]), "Copies of an item's packets beyond their first, either way (RFC 5560)."),
    flow("reordered", Count, Counter, over(PACKETS).tools(&[Iperf3, Iperf]), "Packets that arrived after a later one of their way and socket (RFC 4737)."),
    flow("dropped", Count, Counter, over(ANY), "Due items that could not be sent in time: never sent, not lost."),
    flow("corrupt", Count, Counter, over(ANY), "Payloads with a wrong byte or of another item."),
    flow("misdelivered", Count, Counter, over(ANY), "Payloads of another run, flow or connection."),
    flow("transactions", Count, Counter, over(TALKS), "Transactions completed as the pattern says."),
    flow("failed_transactions", Count, Counter, over(TALKS), "Transactions that were not as the pattern says, or whose connection broke."),
    flow("errors", Count, Counter, over(ANY).tools(ALL_TOOLS), "Failed transactions, failed connects and failed connections together; of a tool its own errors."),
    flow("rate", Rate, Interval, over(ANY).tools(&[Ping]).watched(), "Items completed per second of the flow's running time."),
    flow("goodput.forward", Bandwidth, Interval, over(ANY).tools(STREAM_TOOLS).watched(), "Payload delivered from client to server, bits per second."),
    flow("goodput.back", Bandwidth, Interval, over(TALKS).tools(STREAM_TOOLS), "Payload delivered from server to client, bits per second."),
    // One way of a datagram flow.
    flow("forward.sent", Count, Counter, over(&[Udp]).own_server(), "Datagrams that the client sent."),
    flow("forward.received", Count, Counter, over(&[Udp]).own_server(), "Datagrams that the server received, copies not counted."),
    flow("forward.lost", Count, Counter, over(&[Udp]).own_server(), "Datagrams lost from client to server (RFC 7680)."),
    flow("forward.loss", Ratio, Interval, over(&[Udp]).own_server(), "Lost over sent datagrams from client to server (RFC 7680)."),
    flow("forward.late", Count, Counter, over(&[Udp]).own_server(), "Datagrams that reached the server after they had been counted as lost."),
    flow("forward.duplicates", Count, Counter, over(&[Udp]).own_server(), "Copies that the server received (RFC 5560)."),
    flow("forward.reordered", Count, Counter, over(&[Udp]).own_server(), "Datagrams that reached the server after a later one (RFC 4737)."),
    flow("forward.owd.*", Duration, Interval, over(&[Udp]).own_server(), "One-way delay from client to server (RFC 7679)."),
    flow("forward.delay_variation.*", Duration, Interval, over(&[Udp]).own_server(), "One-way delay from client to server over its least (RFC 5481)."),
    flow("back.sent", Count, Counter, over(&[Udp]).own_server().replies(), "Datagrams that the server sent."),
    flow("back.received", Count, Counter, over(&[Udp]).own_server().replies(), "Datagrams that the client received, copies not counted."),
    flow("back.lost", Count, Counter, over(&[Udp]).own_server().replies(), "Datagrams lost from server to client (RFC 7680)."),
    flow("back.loss", Ratio, Interval, over(&[Udp]).own_server().replies(), "Lost over sent datagrams from server to client (RFC 7680)."),
    flow("back.late", Count, Counter, over(&[Udp]).own_server().replies(), "Datagrams that reached the client after they had been counted as lost."),
    flow("back.duplicates", Count, Counter, over(&[Udp]).own_server().replies(), "Copies that the client received (RFC 5560)."),
    flow("back.reordered", Count, Counter, over(&[Udp]).own_server().replies(), "Datagrams that reached the client after a later one (RFC 4737)."),
    flow("back.owd.*", Duration, Interval, over(&[Udp]).own_server().replies(), "One-way delay from server to client (RFC 7679)."),
    flow("back.delay_variation.*", Duration, Interval, over(&[Udp]).own_server().replies(), "One-way delay from server to client over its least (RFC 5481)."),
    // Connections.
    flow("connections", Count, Counter, over(CONNECTED), "Connections opened in all, attempts included."),
    flow("active", Count, Gauge, over(CONNECTED), "Connections established and not ended, at one moment."),
    flow("connecting", Count, Gauge, over(CONNECTED), "Connections being opened, at one moment."),
    flow("failed_connects", Count, Counter, over(CONNECTED), "Attempts that never became a connection: refused, unreachable, without answer, a failed handshake."),
    flow("failed_connections", Count, Counter, over(CONNECTED), "Established connections that ended otherwise than planned."),
    flow("lasting_connections", Count, Interval, over(CONNECTED), "Connections that lived through the whole window."),
    flow("reconnects", Count, Counter, over(CONNECTED), "Connections opened in place of broken ones."),
    flow("resets", Count, Counter, over(CONNECTED), "Connections that the peer reset."),
    flow("timeouts", Count, Counter, over(CONNECTED), "Connections given up for lack of an answer."),
    // Times.
    flow("latency.*", Duration, Interval, over(TALKS), "From a transaction's intended start to its end; waiting for a free connection counts."),
    flow("service.*", Duration, Interval, over(TALKS), "From a transaction's first byte sent to its end."),
    flow("connect_time.*", Duration, Interval, over(DIALLED), "From `connect` to the connection being established, less the TLS handshake."),
    flow("handshake_time.*", Duration, Interval, over(&[Tls, Http, Quic]).handshake(), "From the start of the TLS handshake to its end (RFC 8446; of QUIC RFC 9001)."),
    flow("reconnect_time.*", Duration, Interval, over(CONNECTED), "From a connection's break to the first completed transaction of its successor."),
    flow("rtt.*", Duration, Interval, over(&[Udp, Icmp]).replies().tools(&[Ping]), "From a packet being sent to its answer being received (RFC 2681)."),
    flow("owd.*", Duration, Interval, over(&[Udp, Frames]).own_server(), "One-way delay from client to server (RFC 7679)."),
    flow("delay_variation.*", Duration, Interval, over(PACKETS).tools(&[Iperf3, Iperf, Ping]), "Delay over the least delay of the window (RFC 5481); of ICMP and ping the round trip's, of iperf its own jitter (RFC 3550)."),
    flow("lag.*", Duration, Interval, over(ANY), "How late scn itself released items."),
    // Interruptions.
    flow("outage.max", Duration, Interval, over(ANY).tools(&[Ping]).expected(), "Longest time without a received item, less the regular time between two (RFC 6414, timestamp-based, receiver)."),
    flow("outage.total", Duration, Interval, over(ANY).tools(&[Ping]).expected(), "Sum of the outages of at least 3 regular gaps and 10 ms (RFC 6414)."),
    flow("outage.count", Count, Interval, over(ANY).tools(&[Ping]).expected(), "Number of outages of at least 3 regular gaps and 10 ms (RFC 6414)."),
    flow("outage.loss.max", Duration, Interval, over(ANY), "Items lost in one disruption times the regular time between two (RFC 6414, packet-loss-based; RFC 3357). Not of a closed loop that lost some: it waits while nothing comes."),
    flow("outage.tx.max", Duration, Interval, over(ANY), "Longest time between the sending of two items that came back, less the regular time (RFC 6414, timestamp-based, sender)."),
    flow("outage.rate.max", Duration, Interval, over(ANY).expected(), "Longest time with less than 95 % of the offered rate, in bins (RFC 6412, rate-derived)."),
    from_event("failover_time", "From the event to the sending of the first item that came back after the disruption (RFC 6414)."),
    from_event("reversion_time", "From the restoring event to the sending of the first item that came back after the disruption (RFC 6414)."),
    from_event("time_to_first_loss", "From the event to the sending of the first lost item."),
    // Who answered.
    flow("backends", Count, Counter, over(SERVED), "Distinct nodes that answered."),
    flow("backends.skew", Ratio, Interval, over(SERVED), "Largest share of the answers over the mean share of the nodes that answered."),
    flow("http.successes", Count, Counter, over(&[Http]), "Answers with a status of 200 to 299 (RFC 9110)."),
    flow("http.redirects", Count, Counter, over(&[Http]), "Answers with a status of 300 to 399 (RFC 9110)."),
    flow("http.client_errors", Count, Counter, over(&[Http]), "Answers with a status of 400 to 499 (RFC 9110)."),
    flow("http.server_errors", Count, Counter, over(&[Http]), "Answers with a status of 500 to 599 (RFC 9110)."),
    // What the kernel says of TCP connections.
    flow("tcp.client.rtt.*", Duration, Interval, over(ON_TCP).tools(&[Iperf3]), "Smoothed round-trip time by the client's kernel (RFC 6298)."),
    flow("tcp.client.rttvar.*", Duration, Interval, over(ON_TCP), "Mean deviation of the round-trip time by the client's kernel (RFC 6298)."),
    flow("tcp.client.min_rtt.*", Duration, Interval, over(ON_TCP), "Least round-trip time seen by the client's kernel."),
    flow("tcp.client.cwnd.*", Count, Interval, over(ON_TCP).tools(&[Iperf3]), "Congestion window of the client, segments (RFC 5681)."),
    flow("tcp.client.ssthresh.*", Count, Interval, over(ON_TCP), "Slow-start threshold of the client, segments (RFC 5681)."),
    flow("tcp.client.unacked.*", Count, Interval, over(ON_TCP), "Segments of the client that are sent and not acknowledged."),
    flow("tcp.client.retransmits", Count, Interval, over(ON_TCP).tools(&[Iperf3]), "Segments that the client's kernel sent again."),
    flow("tcp.client.lost.*", Count, Interval, over(ON_TCP), "Segments that the client's kernel takes for lost, at one moment."),
    flow("tcp.client.reordering.*", Count, Interval, over(ON_TCP), "Reordering that the client's kernel reckons with, segments."),
    flow("tcp.client.bytes_acked", Size, Interval, over(ON_TCP), "Bytes that the client's kernel had acknowledged (RFC 4898)."),
    flow("tcp.client.bytes_received", Size, Interval, over(ON_TCP), "Bytes that the client's kernel received (RFC 4898)."),
    flow("tcp.client.delivery_rate.*", Bandwidth, Interval, over(ON_TCP), "Delivery rate by the client's kernel."),
    flow("tcp.client.pacing_rate.*", Bandwidth, Interval, over(ON_TCP), "Rate that the client's kernel paces its segments to."),
    flow("tcp.client.ca_state.*", Count, Interval, over(ON_TCP), "Congestion state of the client: 0 open, 1 disorder, 2 window reduced, 3 recovery, 4 loss."),
    flow("tcp.client.stall.max", Duration, Interval, over(ON_TCP), "Longest time in which the client had data under way and none was acknowledged."),
    flow("tcp.server.rtt.*", Duration, Interval, over(ON_TCP).own_server(), "Smoothed round-trip time by the server's kernel (RFC 6298)."),
    flow("tcp.server.rttvar.*", Duration, Interval, over(ON_TCP).own_server(), "Mean deviation of the round-trip time by the server's kernel (RFC 6298)."),
    flow("tcp.server.min_rtt.*", Duration, Interval, over(ON_TCP).own_server(), "Least round-trip time seen by the server's kernel."),
    flow("tcp.server.cwnd.*", Count, Interval, over(ON_TCP).own_server(), "Congestion window of the server, segments (RFC 5681)."),
    flow("tcp.server.ssthresh.*", Count, Interval, over(ON_TCP).own_server(), "Slow-start threshold of the server, segments (RFC 5681)."),
    flow("tcp.server.unacked.*", Count, Interval, over(ON_TCP).own_server(), "Segments of the server that are sent and not acknowledged."),
    flow("tcp.server.retransmits", Count, Interval, over(ON_TCP).own_server(), "Segments that the server's kernel sent again."),
    flow("tcp.server.lost.*", Count, Interval, over(ON_TCP).own_server(), "Segments that the server's kernel takes for lost, at one moment."),
    flow("tcp.server.reordering.*", Count, Interval, over(ON_TCP).own_server(), "Reordering that the server's kernel reckons with, segments."),
    flow("tcp.server.bytes_acked", Size, Interval, over(ON_TCP).own_server(), "Bytes that the server's kernel had acknowledged (RFC 4898)."),
    flow("tcp.server.bytes_received", Size, Interval, over(ON_TCP).own_server(), "Bytes that the server's kernel received (RFC 4898)."),
    flow("tcp.server.delivery_rate.*", Bandwidth, Interval, over(ON_TCP).own_server(), "Delivery rate by the server's kernel."),
    flow("tcp.server.pacing_rate.*", Bandwidth, Interval, over(ON_TCP).own_server(), "Rate that the server's kernel paces its segments to."),
    flow("tcp.server.ca_state.*", Count, Interval, over(ON_TCP).own_server(), "Congestion state of the server: 0 open, 1 disorder, 2 window reduced, 3 recovery, 4 loss."),
    flow("tcp.server.stall.max", Duration, Interval, over(ON_TCP).own_server(), "Longest time in which the server had data under way and none was acknowledged."),
    // Links.
    number(Owner::Link, "sent", Count, Counter, "Packets that were given to the link."),
    number(Owner::Link, "delivered", Count, Counter, "Packets that left the link at its other end, copies counted."),
    number(Owner::Link, "dropped", Count, Counter, "Packets that the queue had no place for, or that its management dropped."),
    number(Owner::Link, "lost", Count, Counter, "Packets that the link's `loss` took."),
    number(Owner::Link, "cut", Count, Counter, "Packets that a silence, a partition, a `drop`, an MTU black hole or an end that was down took."),
    number(Owner::Link, "duplicated", Count, Counter, "Copies that the link's `duplicate` made."),
    number(Owner::Link, "corrupted", Count, Counter, "Packets that the link's `corrupt` changed."),
    number(Owner::Link, "reordered", Count, Counter, "Packets that the link's `reorder` held back."),
    number(Owner::Link, "loss", Ratio, Interval, "Lost over sent packets."),
    number(Owner::Link, "bandwidth", Bandwidth, Interval, "Frames delivered, bits per second, headers included."),
    number(Owner::Link, "queued", Count, Gauge, "Packets that wait for the link's rate, at one moment."),
    number(Owner::Link, "queue.max", Count, Interval, "Most packets that waited at once."),
    number(Owner::Link, "delay.*", Duration, Interval, "From a packet being given to the link to its leaving, waiting included."),
    number(Owner::Link, "lag.*", Duration, Interval, "How late scn itself let packets leave."),
    // Interfaces.
    number(Owner::Interface, "rx_packets", Count, Counter, "Packets received, by the kernel's count."),
    number(Owner::Interface, "tx_packets", Count, Counter, "Packets sent, by the kernel's count."),
    number(Owner::Interface, "rx_bytes", Size, Counter, "Bytes received, by the kernel's count."),
    number(Owner::Interface, "tx_bytes", Size, Counter, "Bytes sent, by the kernel's count."),
    number(Owner::Interface, "rx_errors", Count, Counter, "Bad packets received, by the kernel's count."),
    number(Owner::Interface, "tx_errors", Count, Counter, "Packets that could not be sent, by the kernel's count."),
    number(Owner::Interface, "rx_dropped", Count, Counter, "Packets received and dropped, by the kernel's count."),
    number(Owner::Interface, "tx_dropped", Count, Counter, "Packets dropped before they were sent, by the kernel's count."),
    truth(Owner::Interface, "carrier", "The interface has a carrier."),
    // Programs under test.
    truth(Owner::Process, "running", "The program runs, on all its nodes."),
    number(Owner::Process, "exits", Count, Counter, "Times that the program ended, whoever asked for it."),
    number(Owner::Process, "exit", Count, Gauge, "Its last exit status; of a signal 128 and the signal's number."),
    number(Owner::Process, "cpu", Ratio, Interval, "Processor time over time; 100% is one core."),
    number(Owner::Process, "memory", Size, Gauge, "Resident memory of all its processes."),
    text(Owner::Process, "output", "What it wrote to its standard output."),
    text(Owner::Process, "log", "What it wrote to its standard output and error output."),
    // Mixes of streams.
    number(Owner::Stress, "streams", Count, Counter, "Streams started in all."),
    number(Owner::Stress, "active", Count, Gauge, "Streams alive, at one moment."),
    number(Owner::Stress, "failed", Count, Counter, "Streams that ended by an error."),
    number(Owner::Stress, "sent", Count, Counter, "Messages and packets sent by all streams."),
    number(Owner::Stress, "received", Count, Counter, "Messages and packets that came back whole."),
    number(Owner::Stress, "lost", Count, Counter, "Messages and packets that were sent and never came back."),
    number(Owner::Stress, "loss", Ratio, Interval, "Lost over sent messages and packets."),
    number(Owner::Stress, "rate", Rate, Interval, "Messages and packets that came back per second."),
    number(Owner::Stress, "goodput.forward", Bandwidth, Interval, "Payload delivered from clients to servers, bits per second."),
    number(Owner::Stress, "goodput.back", Bandwidth, Interval, "Payload delivered from servers to clients, bits per second."),
    number(Owner::Stress, "latency.*", Duration, Interval, "From a message being sent to its answer."),
    // Commands of the timeline.
    text(Owner::Output, "output", "What the command wrote to its standard output."),
    text(Owner::Output, "log", "What the command wrote to its standard output and error output."),
    number(Owner::Output, "status", Count, Gauge, "Its exit status; of a signal 128 and the signal's number."),
    number(Owner::Output, "time", Duration, Gauge, "How long the command ran."),
];
