//! Tests of traffic on loopback: no namespaces, no privilege, real sockets. Every wait has a bound; none is a fixed sleep.

mod branches;
mod ctraffic;
mod datagrams;
mod http;
mod http2;
mod http_talks;
mod limits;
mod loads;
mod names;
mod patterns;
mod pauses;
mod quic;
mod schedule;
mod tls;
mod trouble;

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use scn_grammar::scenario::flow::Reconnect;
use scn_grammar::scenario::pattern::{Close, Expected, Pattern, Payload, Rest, Side, Step, StepKind, Template, TemplatePart, Varying};
use scn_grammar::scenario::{FlowId, Load, NodeId, ServiceId};
use scn_grammar::source::{FileId, Span};
use scn_reports::record::flow::{Item, ItemOutcome, NEVER};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::secrets::Secrets;
use super::sockets::{Answer, Packets, Sockets, Streams};
use super::{Files, FlowSeries, Notice, Traffic, TrafficResult, open_account};
use crate::engine::clock::Clock;
use crate::plan::sample;
use crate::plan::types::{Plan, PlannedFlow};

/// No test waits longer than this for one thing.
const PATIENCE: Duration = Duration::from_secs(20);
pub const FLOW: FlowId = FlowId(0);

/// The lab on loopback.
struct Loopback;

impl Sockets for Loopback {
    fn streams(&self, _node: NodeId, over: Streams, ipv6: bool, count: usize) -> Answer<Vec<OwnedFd>> {
        Box::pin(async move {
            (0..count)
                .map(|_| {
                    let domain = if ipv6 { socket2::Domain::IPV6 } else { socket2::Domain::IPV4 };
                    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(over.protocol()))?;
                    socket.set_nonblocking(true)?;
                    Ok(OwnedFd::from(socket))
                })
                .collect()
        })
    }

    fn stream_listener(&self, _node: NodeId, over: Streams, address: SocketAddr) -> Answer<OwnedFd> {
        Box::pin(async move {
            let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, Some(over.protocol()))?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            Ok(OwnedFd::from(socket))
        })
    }

    fn packets(&self, _node: NodeId, kind: Packets, count: usize) -> Answer<Vec<OwnedFd>> {
        Box::pin(async move {
            let (domain, sort, protocol) = match kind {
                Packets::Udp { ipv6: false } => (socket2::Domain::IPV4, socket2::Type::DGRAM, socket2::Protocol::UDP),
                Packets::Udp { ipv6: true } => (socket2::Domain::IPV6, socket2::Type::DGRAM, socket2::Protocol::UDP),
                Packets::Echo { ipv6: false } => (socket2::Domain::IPV4, socket2::Type::RAW, socket2::Protocol::ICMPV4),
                Packets::Echo { ipv6: true } => (socket2::Domain::IPV6, socket2::Type::RAW, socket2::Protocol::ICMPV6),
                Packets::Raw { .. } | Packets::Express => return Err(io::Error::from_raw_os_error(libc::EPERM)),
            };
            let one = || -> io::Result<OwnedFd> {
                let socket = socket2::Socket::new(domain, sort, Some(protocol))?;
                socket.set_nonblocking(true)?;
                Ok(OwnedFd::from(socket))
            };
            (0..count).map(|_| one()).collect()
        })
    }

    fn udp_listener(&self, _node: NodeId, address: SocketAddr) -> Answer<OwnedFd> {
        Box::pin(async move { bound(address) })
    }

    fn account_of_udp(&self, _node: NodeId) -> Answer<Vec<File>> {
        Box::pin(async { open_account() })
    }

    fn look_up(&self, _node: NodeId, name: &str, _limit: Duration) -> Answer<Vec<IpAddr>> {
        names::look_up(name)
    }

    fn frames(&self, _node: NodeId, _interface: &str) -> Answer<OwnedFd> {
        // Loopback has no frames that are worth testing.
        Box::pin(async { Err(io::Error::from_raw_os_error(libc::EPERM)) })
    }
}

fn bound(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(OwnedFd::from(socket))
}

/// A port that nobody listens on now: each test gets others, below those that the kernel gives to clients.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + ((std::process::id() % 20_000) as u16 + next) % 20_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn span(start: u32) -> Span {
    Span { file: FileId(0), start, end: start + 1 }
}

/// Steps with their texts; the place of each is its number.
pub fn pattern(steps: Vec<(&str, StepKind)>) -> Pattern {
    let steps = steps.into_iter().zip(0..).map(|((text, kind), n)| Step { span: span(n), text: text.to_owned(), kind }).collect();
    Pattern { name: "test".to_owned(), steps }
}

pub fn steps(kinds: Vec<StepKind>) -> Vec<Step> {
    kinds.into_iter().zip(100..).map(|(kind, n)| Step { span: span(n), text: format!("inner step {n}"), kind }).collect()
}

pub fn sends(by: Side, payload: Payload, implicit: bool) -> StepKind {
    StepKind::Sends { by, payload, implicit }
}

pub fn filled(by: Side, size: u64) -> StepKind {
    sends(by, Payload::Filled(Varying::Fixed(size)), true)
}

pub fn says(by: Side, text: &str) -> StepKind {
    sends(by, Payload::Text(literal(text)), false)
}

pub fn literal(text: &str) -> Template {
    Template(vec![TemplatePart::Literal(text.to_owned())])
}

pub fn expects(by: Side, what: Expected) -> StepKind {
    StepKind::Expects { by, what, within_ns: None, rest: Rest::Nothing }
}

pub fn closes(by: Side, how: Close) -> StepKind {
    StepKind::Closes { by, how }
}

pub fn sym(size: u64) -> Pattern {
    pattern(vec![("client sends", filled(Side::Client, size)), ("server sends", filled(Side::Server, size))])
}

/// The client sends, the server sends the same back.
pub fn echo_pattern() -> Pattern {
    let size = Payload::Filled(Varying::Uniform(32, 65_507));
    pattern(vec![("client sends", sends(Side::Client, size, true)), ("server echoes", StepKind::Echoes { by: Side::Server })])
}

pub fn load() -> Load {
    Load::default()
}

/// A plan of one flow from `client` to `server` on loopback, where a listener plays the server's side of `served`.
pub fn plan(played: Pattern, served: Option<Pattern>, load: Load) -> Plan {
    let port = free_port();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let target = SocketAddr::new(address, port);
    let reconnect = Some(Reconnect { after_ns: 1_000_000, ..Reconnect::default() });
    Plan {
        version: 1,
        scenario: "test".to_owned(),
        file: "test.scn".to_owned(),
        seed: 42,
        timeout_ns: 60_000_000_000,
        tolerance_ns: 5_000_000,
        nodes: ["client", "server", "other"].map(sample::host).to_vec(),
        listeners: served.into_iter().map(|pattern| sample::listener(target, pattern)).collect(),
        flows: vec![PlannedFlow { reconnect, ..sample::flow(FLOW, "steady", &target.to_string(), played, load) }],
        ..Plan::default()
    }
}

/// Traffic that runs, with its clock.
pub struct Running {
    pub traffic: Traffic,
    pub notices: UnboundedReceiver<Notice>,
    pub clock: Clock,
}

pub async fn start(plan: Plan) -> Running {
    start_with(plan, &Files::new()).await
}

pub async fn start_with(plan: Plan, files: &Files) -> Running {
    let running = prepared(plan, files).await;
    running.traffic.start_flow(FLOW, 0);
    running
}

/// Traffic that waits for what is to start.
pub async fn start_traffic(plan: Plan) -> Running {
    prepared(plan, &Files::new()).await
}

async fn prepared(plan: Plan, files: &Files) -> Running {
    let (sender, notices) = unbounded_channel();
    let traffic = Traffic::prepare(Arc::new(plan), files, &Secrets::default(), Arc::new(Loopback), sender).await.unwrap();
    let clock = Clock::starting_at(Instant::now());
    traffic.start_clock(clock);
    Running { traffic, notices, clock }
}

impl Running {
    /// Waits until the flow has ended by itself.
    pub async fn ended(&mut self) {
        self.until(|notice| matches!(notice, Notice::FlowEnded(_))).await;
    }

    pub async fn until(&mut self, wanted: impl Fn(&Notice) -> bool) {
        loop {
            let notice = tokio::time::timeout(PATIENCE, self.notices.recv()).await.expect("in time").expect("traffic runs");
            assert!(!matches!(notice, Notice::Broken { .. }), "{notice:?}");
            if wanted(&notice) {
                return;
            }
        }
    }

    /// Waits until a counter of the flow is at least this.
    pub async fn at_least(&mut self, counter: &str, value: u64) {
        self.traffic.watch(true);
        while self.traffic.live(FLOW).get(counter).unwrap() < value {
            self.until(|notice| *notice == Notice::Changed).await;
        }
        self.traffic.watch(false);
    }

    pub async fn stop(&mut self) {
        self.traffic.stop_flow(FLOW, self.clock.now_ns());
        self.ended().await;
    }

    /// Ends all, checks the accounts, and gives the flow's series.
    pub async fn finish(self) -> FlowSeries {
        self.finish_all().await.flows.remove(0)
    }

    pub async fn finish_all(self) -> TrafficResult {
        let counters =
            ["sent", "received", "lost", "dropped", "failed_transactions", "connections", "failed_connects", "active", "connecting"];
        let traffic = self.traffic;
        let shared = Arc::clone(&traffic.shared);
        let result = tokio::time::timeout(PATIENCE, traffic.finish()).await.expect("in time");
        let live = |name: &str| shared.flows[0].live.get(name).unwrap();
        let series = &result.flows[0];
        let count = |outcome| series.items.iter().filter(|item| item.outcome == outcome).count() as u64;
        let unfinished_sent = series.items.iter().filter(|i| i.outcome == ItemOutcome::Unfinished && i.sent_ns != NEVER).count() as u64;
        let seen = counters.map(live);
        let sent = count(ItemOutcome::Done) + count(ItemOutcome::Failed) + unfinished_sent;
        let refused = series.connections.iter().filter(|c| c.established_ns == NEVER).count() as u64;
        let due = [
            sent,
            count(ItemOutcome::Done),
            count(ItemOutcome::Failed),
            count(ItemOutcome::Dropped),
            count(ItemOutcome::Failed),
            series.connections.len() as u64,
            refused,
            0,
            0,
        ];
        let refused_by_stop = series.connections.iter().filter(|c| c.established_ns == NEVER && (c.end as u8) < 2).count() as u64;
        let mut due = due;
        due[6] -= refused_by_stop;
        assert_eq!(seen, due, "{counters:?}");
        for item in &series.items {
            check_item(item, series);
        }
        result
    }
}

fn check_item(item: &Item, series: &FlowSeries) {
    match item.outcome {
        ItemOutcome::Done | ItemOutcome::Failed => {
            assert!(item.sent_ns != NEVER && item.sent_ns <= item.done_ns, "{item:?}");
            assert!(item.intended_ns <= item.sent_ns, "{item:?}");
            let connection = &series.connections[item.connection as usize];
            assert!(connection.established_ns != NEVER && connection.established_ns <= item.done_ns);
        }
        ItemOutcome::Dropped => assert_eq!((item.sent_ns, item.done_ns, item.connection), (NEVER, NEVER, u32::MAX)),
        ItemOutcome::Unfinished => assert_eq!(item.done_ns, NEVER),
    }
}

pub fn done(series: &FlowSeries) -> usize {
    series.items.iter().filter(|item| item.outcome == ItemOutcome::Done).count()
}

/// The intended instants of all items, in order.
pub fn intended(series: &FlowSeries) -> Vec<i64> {
    let mut all: Vec<i64> = series.items.iter().map(|item| item.intended_ns).collect();
    all.sort_unstable();
    all
}

/// A server written for the test, on a thread: gets each accepted connection.
pub fn serve_on(port: u16, mut serve: impl FnMut(std::net::TcpStream) + Send + 'static) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(io::Result::ok) {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            serve(stream);
        }
    });
}
