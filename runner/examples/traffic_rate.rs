//! How fast traffic is on loopback: transactions per second and CPU time of one transaction, both ends. In: connections, bytes, seconds,
//! on the command line. Out: one line. Judges nothing.
#![expect(clippy::print_stdout, reason = "a program that prints its result")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scn_grammar::scenario::flow::{Destination, Reconnect, Timeouts};
use scn_grammar::scenario::pattern::{Pattern, Payload, Side, Step, StepKind, Varying};
use scn_grammar::scenario::topology::{NodeKind, Settings};
use scn_grammar::scenario::transport::{Listener, Transport};
use scn_grammar::scenario::{FlowId, Load, NodeId};
use scn_grammar::source::Span;
use scn_reports::record::flow::ItemOutcome;
use scn_runner::engine::clock::Clock;
use scn_runner::plan::types::{Plan, PlannedFlow, PlannedListener, PlannedNode};
use scn_runner::traffic::sockets::{Answer, Sockets};
use scn_runner::traffic::{Files, Traffic};

struct Loopback;

impl Sockets for Loopback {
    fn tcp(&self, _node: NodeId, _ipv6: bool, count: usize) -> Answer<Vec<OwnedFd>> {
        let socket = || {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            Ok(OwnedFd::from(socket))
        };
        Box::pin(async move { (0..count).map(|_| socket()).collect() })
    }

    fn tcp_listener(&self, _node: NodeId, address: SocketAddr) -> Answer<OwnedFd> {
        Box::pin(async move {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&address.into())?;
            socket.listen(4096)?;
            Ok(socket.into())
        })
    }
}

fn plan(connections: u64, size: u64, rate: u64) -> Plan {
    let span = Span::default();
    let sends = |by| {
        let kind = StepKind::Sends { by, payload: Payload::Filled(Varying::Fixed(size)), implicit: true };
        Step { span, text: format!("{by:?} sends"), kind }
    };
    let pattern = Pattern { name: format!("sym({size}B)"), steps: vec![sends(Side::Client), sends(Side::Server)] };
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = 19_731;
    let node = |name: &str| PlannedNode {
        name: name.to_owned(),
        doc: String::new(),
        kind: NodeKind::Host,
        forwarding: false,
        settings: Settings::default(),
        device: None,
        placement: None,
        interfaces: vec![],
        routes: vec![],
        pools: vec![],
        sysctls: vec![],
    };
    let listener = PlannedListener {
        name: "peer".to_owned(),
        service: None,
        node: NodeId(1),
        address,
        port,
        listener: Listener::default(),
        pattern: Some(pattern.clone()),
    };
    let rate_nano = (rate > 0).then(|| rate * 1_000_000_000);
    let load = Load { connections, rate_nano, ..Load::default() };
    let flow = PlannedFlow {
        id: FlowId(0),
        name: "f".to_owned(),
        doc: String::new(),
        from: NodeId(0),
        target: SocketAddr::new(address, port),
        backends: vec![NodeId(1)],
        pattern: Some(pattern),
        load,
        interval_ns: 0,
        reconnect: Some(Reconnect::default()),
        timeouts: Timeouts::default(),
        from_interface: None,
        to: Destination::Node(NodeId(1), None),
        peer_none: false,
        transport: Transport::default(),
        tool: None,
        source: vec![],
        ports: None,
        sample_tcp_info_ns: None,
        starts_at_zero: true,
        span,
    };
    Plan {
        version: 1,
        scenario: "rate".to_owned(),
        seed: 1,
        nodes: vec![node("client"), node("server")],
        listeners: vec![listener],
        flows: vec![flow],
        ..Plan::default()
    }
}

fn cpu_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("the process can read its own usage");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let number = |at, default| std::env::args().nth(at).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (connections, size, seconds, rate) = (number(1, 100), number(2, 1024), number(3, 3), number(4, 0));
    let (notices, _held) = tokio::sync::mpsc::unbounded_channel();
    let plan = Arc::new(plan(connections, size, rate));
    let traffic = Traffic::prepare(plan, &Files::new(), Arc::new(Loopback), notices).await.expect("port 19731 is free");
    let clock = Clock::starting_at(Instant::now());
    traffic.start_clock(clock);
    traffic.start_flow(FlowId(0), clock.now_ns());
    let before = cpu_seconds();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let cpu = cpu_seconds() - before;
    let series = traffic.finish().await.flows.remove(0);
    let items: Vec<_> = series.items.iter().filter(|i| i.outcome == ItemOutcome::Done).collect();
    let percentiles = |mut values: Vec<i64>| {
        values.sort_unstable();
        let at = |share: f64| values.get((values.len() as f64 * share) as usize).map_or(0.0, |v| *v as f64 / 1000.0);
        format!("p50 {:.0} p99 {:.0} p99.9 {:.0} us", at(0.5), at(0.99), at(0.999))
    };
    let latency = percentiles(items.iter().map(|i| i.done_ns - i.intended_ns).collect());
    let lag = percentiles(items.iter().map(|i| i64::from(i.lag_ns)).collect());
    let count = items.len() as f64;
    println!(
        "{connections} connections, {size} bytes: {:.0} transactions/s, {:.2} us CPU each, latency {latency}, lag {lag}, {:?}",
        count / seconds as f64,
        cpu * 1e6 / count.max(1.0),
        series.failures
    );
}
