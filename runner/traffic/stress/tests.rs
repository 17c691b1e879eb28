//! Mixes on loopback: as many streams as they say, all of their seed, silent when paused; and the choice of streams on paper.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use scn_grammar::scenario::flow::{Destination, Load, Reconnect, ToolKind};
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::stress::{Stress as Said, StressTransport};
use scn_grammar::scenario::transport::{Socket, Transport, Wire};
use scn_grammar::scenario::{FlowId, NodeId, StressId};
use scn_grammar::source::Span;
use scn_reports::record::stress::StressCount;

use super::super::tests::{Running, echo_pattern, free_port, load, plan, start_traffic, sym};
use super::mix::{self, Drawn, Mix};
use super::*;
use crate::plan::types::{PlannedFlow, PlannedListener};
use crate::plan::{sample, streams};

pub(super) const MIX: StressId = StressId(0);
const MS: i64 = 1_000_000;

pub(super) fn said(streams: u64) -> Said {
    Said {
        name: "mix".to_owned(),
        doc: String::new(),
        from: vec![NodeId(0)],
        to: Destination::Node(NodeId(1), None),
        streams,
        total: None,
        duration: Varying::Uniform(10_000_000, 40_000_000),
        size: Varying::Uniform(64, 4096),
        rate_nano: None,
        transports: vec![StressTransport::Tcp, StressTransport::Udp],
        tools: Vec::new(),
        ports: None,
        span: Span::default(),
    }
}

/// A plan with one stress of TCP and UDP on loopback; without `served` nobody listens.
pub(super) fn stress(said: Said, served: bool) -> Plan {
    let target = SocketAddr::new([127, 0, 0, 1].into(), free_port());
    let kind = |id: u32, transport: Transport, over_tcp: bool| PlannedFlow {
        transport,
        reconnect: (!over_tcp).then(Reconnect::default),
        backends: vec![NodeId(1)],
        spread_by: None,
        ..sample::flow(
            FlowId(id),
            "mix",
            &target.to_string(),
            echo_pattern(),
            Load { total: over_tcp.then_some(1), transactions: over_tcp.then_some(u64::MAX), rate_nano: said.rate_nano, ..Load::default() },
        )
    };
    let (socket, wire) = (Socket::default(), Wire::Own);
    let kinds = vec![
        kind(1, Transport::Tcp { socket: socket.clone(), wire }, true),
        kind(2, Transport::Udp { socket: socket.clone(), wire }, false),
    ];
    let udp = PlannedListener {
        listener: scn_grammar::scenario::transport::Listener::Udp { socket, wire },
        ..sample::listener(target, echo_pattern())
    };
    let listeners = if served { vec![sample::listener(target, echo_pattern()), udp] } else { Vec::new() };
    let stresses = vec![PlannedStress { stress: said, kinds, starts_at_zero: true }];
    Plan { listeners, stresses, ..plan(sym(64), None, load()) }
}

async fn started(said: Said, served: bool) -> Running {
    let running = start_traffic(stress(said, served)).await;
    assert!(running.traffic.start_stress(MIX, 0));
    assert!(!running.traffic.start_stress(MIX, 0), "it runs");
    running
}

async fn until(running: &mut Running, metric: &str, holds: impl Fn(u64) -> bool) {
    running.traffic.watch(true);
    while !holds(running.traffic.live_stress(MIX, metric).unwrap()) {
        running.until(|notice| *notice == Notice::Changed).await;
    }
    running.traffic.watch(false);
}

async fn stopped(mut running: Running) -> StressSeries {
    running.traffic.stop_stress(MIX, running.clock.now_ns());
    running.until(|notice| *notice == Notice::StressEnded(MIX)).await;
    tokio::time::timeout(std::time::Duration::from_secs(20), running.traffic.finish()).await.expect("in time").stresses.remove(0)
}

pub(super) fn last(series: &StressSeries, what: StressCount) -> u64 {
    series.samples.last().unwrap().counts[what as usize]
}

#[tokio::test]
async fn streams_replace_each_other_and_are_those_of_the_seed() {
    let mut running = started(said(5), true).await;
    until(&mut running, "streams", |streams| streams >= 30).await;
    assert!(running.traffic.live_stress(MIX, "active").unwrap() <= 5);
    let series = stopped(running).await;
    assert!(series.finished && series.failures.is_empty(), "{:?}", series.failures);
    assert!(last(&series, StressCount::Received) > 30);
    assert_eq!((last(&series, StressCount::Failed), last(&series, StressCount::Lost)), (0, 0));
    assert!(last(&series, StressCount::ForwardBytes) >= 64 * last(&series, StressCount::Received));
    assert_eq!(last(&series, StressCount::ForwardBytes), last(&series, StressCount::BackBytes));
    let planned = stress(said(5), true);
    for stream in &series.streams {
        let drawn = mix::draw(&planned.stresses[0], planned.seed, 0, stream.number);
        assert_eq!(stream.size, drawn.size);
        assert_eq!(stream.transport, ["tcp from client", "udp from client"][drawn.kind]);
    }
    let numbers: BTreeSet<u64> = series.streams.iter().map(|stream| stream.number).collect();
    // A place whose stream had not begun when all was stopped has none; five places had the first.
    let left_out = numbers.last().unwrap() + 1 - numbers.len() as u64;
    assert!(left_out < 5 && (0..5).all(|first| numbers.contains(&first)), "{numbers:?}");
}

#[test]
fn what_a_stream_still_waits_for_takes_no_place() {
    let planned = stress(said(2), true).stresses.remove(0);
    let mut mix = Mix::new(&planned);
    mix.start(0);
    let draw = |number| mix::draw(&planned, 1, 0, number);
    assert_eq!(mix.to_start(0, draw).len(), 2);
    mix.began(0, 0);
    mix.began(1, 0);
    assert!(mix.leaves(0) && !mix.leaves(0));
    assert_eq!((mix.active(), mix.to_start(5, draw).len(), mix.is_over()), (1, 1, false));
    mix.over(0, 9, "udp", Some(3), None);
    assert_eq!((mix.to_start(9, draw).len(), mix.to_stop(9).len(), mix.ended.len()), (0, 0, 1));
}

#[tokio::test]
async fn nothing_is_sent_while_a_stress_is_paused() {
    let mut running = started(said(8), true).await;
    until(&mut running, "received", |received| received >= 50).await;
    assert!(running.traffic.pause_stress(MIX, running.clock.now_ns()));
    assert!(!running.traffic.pause_stress(MIX, running.clock.now_ns()), "it is");
    until(&mut running, "active", |active| active == 0).await;
    let (sent, streams) = (running.traffic.live_stress(MIX, "sent"), running.traffic.live_stress(MIX, "streams"));
    // Long enough for each of them to have sent and been replaced many times.
    let (silent_from, silent_to) = (running.clock.now_ns(), running.clock.now_ns() + 300 * MS);
    while running.clock.now_ns() < silent_to {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        assert_eq!((running.traffic.live_stress(MIX, "sent"), running.traffic.live_stress(MIX, "streams")), (sent, streams));
    }
    assert!(running.traffic.resume_stress(MIX, running.clock.now_ns()));
    let before = sent.unwrap();
    until(&mut running, "sent", |sent| sent > before + 50).await;
    let series = stopped(running).await;
    let silent = series.samples.iter().filter(|sample| sample.from_ns >= silent_from && sample.to_ns <= silent_to);
    let silent: Vec<u64> = silent.map(|sample| sample.counts[StressCount::Sent as usize]).collect();
    assert!(silent.len() > 1 && silent.iter().all(|sent| *sent == before), "{before}: {silent:?}");
}

#[tokio::test]
async fn a_stream_that_fails_tells_why_and_its_successor_waits() {
    let mut running = started(said(4), false).await;
    until(&mut running, "failed", |failed| failed >= 8).await;
    let series = stopped(running).await;
    let failed: Vec<_> = series.streams.iter().filter(|stream| stream.cause.is_some()).collect();
    assert_eq!(failed.len() as u64, last(&series, StressCount::Failed));
    for stream in &failed {
        let cause = stream.cause.as_deref().unwrap();
        assert!(cause.contains("refused") || cause.contains("unreachable"), "{cause}");
    }
    assert!(
        failed.iter().any(|stream| stream.transport.starts_with("tcp")) && failed.iter().any(|stream| stream.transport.starts_with("udp"))
    );
    let second = failed.iter().find(|stream| stream.number >= 4).unwrap();
    let first = failed.iter().map(|stream| stream.ended_ns).min().unwrap();
    assert!(second.began_ns >= first + 100 * MS);
    assert!(!series.failures.is_empty());
}

#[tokio::test]
async fn a_total_of_streams_ends_by_itself() {
    let mut running = started(Said { total: Some(12), ..said(4) }, true).await;
    running.until(|notice| *notice == Notice::StressEnded(MIX)).await;
    let series = running.traffic.finish().await.stresses.remove(0);
    assert!(series.finished);
    assert_eq!((last(&series, StressCount::Streams), series.streams.len()), (12, 12));
}

#[tokio::test]
async fn the_number_of_streams_and_their_rate_are_set() {
    let long = Said { duration: Varying::Fixed(60_000_000_000), rate_nano: Some(20_000_000_000), ..said(2) };
    let mut running = started(long, true).await;
    until(&mut running, "active", |active| active == 2).await;
    let turn = |entry, undo, setting, at_ns| Turn { at_ns, entry, undo, what: What::Set(setting, 0) };
    let carried = scn_grammar::scenario::timeline::Setting::Connections(6);
    let now = running.clock.now_ns();
    assert!(running.traffic.set_stress(MIX, turn(0, false, carried, now), StressSetting::Streams(6)));
    until(&mut running, "active", |active| active == 6).await;
    let now = running.clock.now_ns();
    assert!(running.traffic.set_stress(MIX, turn(0, true, carried, now), StressSetting::Streams(6)));
    until(&mut running, "active", |active| active == 2).await;
    let sent = running.traffic.live_stress(MIX, "sent").unwrap();
    let (now, fast) = (running.clock.now_ns(), 1_000_000_000_000);
    let carried = scn_grammar::scenario::timeline::Setting::RateNano(fast);
    assert!(running.traffic.set_stress(MIX, turn(1, false, carried, now), StressSetting::RateNano(fast)));
    until(&mut running, "sent", |now| now >= sent + 400).await;
    let took = running.clock.now_ns() - now;
    // Two streams of 1000 a second; of 20 a second they would have taken 10 s.
    assert!((195 * MS..8_000 * MS).contains(&took), "{took}");
    stopped(running).await;
}

fn drawn(_: u64) -> Drawn {
    Drawn { kind: 0, duration_ns: 1, size: 1 }
}

#[test]
fn what_is_kept_of_streams_is_bounded() {
    let planned = stress(said(3), false).stresses.remove(0);
    let mut mix = Mix::new(&planned);
    assert!(mix.to_start(0, drawn).is_empty(), "it was not started");
    mix.start(0);
    for round in 0..100_000 {
        for (number, _) in mix.to_start(round, drawn) {
            mix.began(number, round);
            mix.over(number, round, "tcp", Some(1), None);
        }
    }
    assert_eq!((mix.ended.len(), mix.streams(), mix.active()), (mix::KEPT_STREAMS, 300_000, 0));
    assert_eq!(mix.ended.back().unwrap().number, 299_999);
    assert_eq!(mix.extremes(), (0, 1));
}

#[test]
fn a_number_that_changes_evenly_is_reached() {
    let planned = stress(said(10), false).stresses.remove(0);
    let mut mix = Mix::new(&planned);
    mix.start(0);
    assert_eq!(mix.to_start(0, drawn).len(), 10);
    mix.set(0, false, StressSetting::Streams(20), 1000, 0);
    assert_eq!(mix.to_start(999, drawn).len(), 9, "a moment before the end");
    assert!(mix.is_gliding(1000), "one is still to start when nothing changes any more");
    assert_eq!(mix.to_start(1000, drawn).len(), 1);
    assert!(!mix.is_gliding(1000));
}

#[test]
fn draws_hang_on_the_number_alone() {
    let planned = stress(said(3), false).stresses.remove(0);
    let of = |seed| (0..50).map(|number| mix::draw(&planned, seed, 0, number)).collect::<Vec<_>>();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    let kinds: BTreeSet<usize> = of(1).iter().map(|drawn| drawn.kind).collect();
    assert_eq!(kinds, BTreeSet::from([0, 1]));
    let mut large = planned.clone();
    (large.stress.size, large.stress.transports) = (Varying::Fixed(1_000_000), vec![StressTransport::Icmp]);
    assert_eq!(mix::draw(&large, 1, 0, 0).size, 65_507, "no packet holds more");
    (large.stress.size, large.stress.transports) = (Varying::Fixed(1), vec![StressTransport::Tcp]);
    assert_eq!(mix::draw(&large, 1, 0, 0).size, 32);
}

#[test]
fn makers_are_drawn_as_likely_as_each_other() {
    let planned = stress(Said { tools: vec![ToolKind::Ping, ToolKind::Iperf3], ..said(3) }, false).stresses.remove(0);
    let mut with_icmp = planned.clone();
    with_icmp.stress.transports = vec![StressTransport::Icmp, StressTransport::Tcp];
    with_icmp.stress.size = Varying::Fixed(1);
    let kinds: Vec<_> = streams::kinds_of_client(&with_icmp.stress).collect();
    let (icmp, tcp) = (StressTransport::Icmp, StressTransport::Tcp);
    assert_eq!(kinds, [(icmp, None), (icmp, Some(ToolKind::Ping)), (tcp, None), (tcp, Some(ToolKind::Iperf3))]);
    let mut drawn = [0; 4];
    for number in 0..4_000 {
        let one = mix::draw(&with_icmp, 3, 0, number);
        drawn[one.kind] += 1;
        assert_eq!(one.size, [1, 16, 32, 32][one.kind], "ping tells no times of less");
    }
    // Of 4000 in four kinds 1000 each; 150 are more than five deviations.
    assert!(drawn.iter().all(|count| (850..1150).contains(count)), "{drawn:?}");
    let mut without = planned.clone();
    without.stress.tools.clear();
    let place = |stress: &PlannedStress, number| {
        let one = mix::draw(stress, 9, 0, number);
        (streams::kinds_of_client(&stress.stress).nth(one.kind).unwrap().0, one.duration_ns, one.size)
    };
    (0..200).for_each(|number| assert_eq!(place(&planned, number), place(&without, number), "tools change nothing else of a stream"));
}
