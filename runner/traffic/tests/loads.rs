//! Shapes of load: what was meant to start is what was started, at the instants fixed beforehand, over connections and by datagrams.

use std::collections::BTreeMap;

use scn_grammar::scenario::flow::{Arrivals, Change, Phase};
use scn_reports::record::flow::ConnectionEnd;

use super::*;
use crate::plan::pace::Pace;

const BILLION: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;

/// Runs a flow with this load to its end.
async fn series_of(load: Load) -> FlowSeries {
    let mut running = start(plan(sym(64), Some(sym(64)), load)).await;
    running.ended().await;
    running.finish().await
}

#[tokio::test]
async fn a_rate_ramps_and_steps() {
    let ramp = Change::Ramp { to: 900 * BILLION, within_ns: 200 * MS };
    let steps = Change::Steps { then: vec![1000 * BILLION, 50 * BILLION], every_ns: 100 * MS };
    for (rate, change, due) in [(100, ramp, 190), (200, steps, 125)] {
        let (rate_nano, rate_change) = (Some(rate * BILLION), Some(change.clone()));
        let series = series_of(Load { connections: 20, rate_nano, rate_change, duration_ns: Some(300 * MS), ..load() }).await;
        let pace = Pace { rate_nano: rate * BILLION, change: Some(change) };
        assert_eq!(intended(&series), (0..due).map(|k| pace.start_ns(k)).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn bursts_start_together() {
    let load = Load { connections: 8, burst: 5, rate_nano: Some(100 * BILLION), duration_ns: Some(120 * MS), ..load() };
    let starts = intended(&series_of(load).await);
    assert_eq!(starts, [vec![0; 5], vec![50_000_000; 5], vec![100_000_000; 5]].concat());
}

#[tokio::test]
async fn poisson_arrivals_are_those_of_the_seed() {
    let random =
        || Load { connections: 20, arrivals: Arrivals::Poisson, rate_nano: Some(500 * BILLION), duration_ns: Some(300 * MS), ..load() };
    let first = intended(&series_of(random()).await);
    assert_eq!(first, intended(&series_of(random()).await));
    // 150 on average: five standard deviations.
    assert!((89..=211).contains(&first.len()), "{}", first.len());
    let gaps: std::collections::BTreeSet<i64> = first.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.len() > first.len() / 2, "no two gaps are alike");
}

#[tokio::test]
async fn connections_with_clocks_of_their_own_keep_them() {
    let own = Load { connections: 4, phase: Phase::Random, rate_nano: Some(200 * BILLION), duration_ns: Some(200 * MS), ..load() };
    let series = series_of(own).await;
    let mut starts: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    series.items.iter().for_each(|item| starts.entry(item.connection).or_default().push(item.intended_ns));
    // Each once in 20 ms, from a moment of its own within the first of them.
    let firsts: Vec<i64> = starts.values().map(|starts| starts[0]).collect();
    assert_eq!(starts.len(), 4);
    assert!(firsts.iter().all(|first| (0..20_000_000).contains(first)) && firsts.iter().min() != firsts.iter().max(), "{firsts:?}");
    for starts in starts.values() {
        assert_eq!(starts.len(), 10);
        assert!(starts.windows(2).all(|pair| (pair[1] - pair[0] - 20_000_000).abs() <= 1), "{starts:?}");
    }
}

#[tokio::test]
async fn a_clock_of_its_own_forgets_no_start_of_a_busy_connection() {
    // A server that never answers: the first start of each connection is all that is ever sent.
    let own = Load { connections: 2, phase: Phase::Random, rate_nano: Some(100 * BILLION), duration_ns: Some(200 * MS), ..load() };
    let mut plan = plan(sym(64), None, own);
    let port = free_port();
    plan.flows[0].target.set_port(port);
    let held = std::sync::Mutex::new(Vec::new());
    serve_on(port, move |stream| held.lock().unwrap().push(stream));
    let mut running = start(plan).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!(series.items.len(), 20);
    assert_eq!(series.items.iter().filter(|item| item.outcome == ItemOutcome::Unfinished && item.sent_ns != NEVER).count(), 2);
    assert_eq!(series.items.iter().filter(|item| item.outcome == ItemOutcome::Dropped).count(), 18, "they waited until the flow's end");
}

#[tokio::test]
async fn a_bandwidth_is_so_many_transactions() {
    // 2 x 1000 bytes each: 100 of them a second make 1.6 Mbit/s.
    let load = Load { connections: 4, bandwidth_bps: Some(1_600_000), duration_ns: Some(200 * MS), ..load() };
    let mut running = start(plan(sym(1000), Some(sym(1000)), load)).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!(intended(&series), (0..20).map(|k| k * 10_000_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn connections_are_opened_by_the_clock() {
    let opened = Load { connections: 1000, total: Some(40), transactions: Some(2), opens_nano: Some(200 * BILLION), ..load() };
    let series = series_of(opened).await;
    assert_eq!((series.connections.len(), done(&series)), (40, 80));
    assert!(series.connections.iter().all(|connection| connection.end == ConnectionEnd::Closed));
    // The first transaction of each is meant to begin when it is opened; the second follows it.
    let clock: std::collections::BTreeSet<i64> = (0..40).map(|k| k * 5_000_000).collect();
    let (first, second): (Vec<&Item>, Vec<&Item>) = series.items.iter().partition(|item| clock.contains(&item.intended_ns));
    assert_eq!((first.len(), second.len()), (40, 40));
    assert!(series.connections.iter().zip(&clock).all(|(connection, meant)| connection.opened_ns >= *meant));
}

#[tokio::test]
async fn what_cannot_be_opened_in_time_is_dropped() {
    // A server that never answers, and at most two at once.
    let opened = Load { connections: 2, transactions: Some(1), opens_nano: Some(100 * BILLION), duration_ns: Some(1_500 * MS), ..load() };
    let mut plan = plan(sym(64), None, opened);
    let port = free_port();
    plan.flows[0].target.set_port(port);
    let held = std::sync::Mutex::new(Vec::new());
    serve_on(port, move |stream| held.lock().unwrap().push(stream));
    let mut running = start(plan).await;
    running.ended().await;
    let series = running.finish().await;
    let dropped = series.items.iter().filter(|item| item.outcome == ItemOutcome::Dropped).count();
    assert_eq!((series.items.len(), series.connections.len()), (150, 2));
    assert_eq!(dropped, 148, "whose patience was over, or who waited until the flow's end");
}

#[tokio::test]
async fn connections_open_by_one_clock_and_transactions_start_by_another() {
    // 2 x 50 bytes each: 250 transactions a second on 125 connections a second, of which each carries two.
    let both = Load {
        connections: 1000,
        total: Some(50),
        transactions: Some(2),
        opens_nano: Some(125 * BILLION),
        bandwidth_bps: Some(200_000),
        ..load()
    };
    let mut running = start(plan(sym(50), Some(sym(50)), both)).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!((series.connections.len(), done(&series)), (50, 100));
    assert_eq!(intended(&series), (0..100).map(|k| k * 4_000_000).collect::<Vec<_>>(), "transactions have their own clock");
    let mut each: BTreeMap<u32, u32> = BTreeMap::new();
    series.items.iter().for_each(|item| *each.entry(item.connection).or_default() += 1);
    assert!(each.len() == 50 && each.values().all(|times| *times == 2), "{each:?}");
    assert!(series.connections.iter().zip(0..).all(|(connection, k)| connection.opened_ns >= k * 8_000_000), "connections have theirs");
}

#[tokio::test]
async fn connections_that_the_clock_opens_keep_clocks_of_their_own() {
    // Ten at most, each of a tenth of 200 transactions a second: one each 50 ms.
    let own = Load {
        connections: 10,
        transactions: Some(1000),
        opens_nano: Some(100 * BILLION),
        bandwidth_bps: Some(160_000),
        phase: Phase::Random,
        duration_ns: Some(400 * MS),
        ..load()
    };
    let mut running = start(plan(sym(50), Some(sym(50)), own)).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!(series.connections.len(), 10);
    let mut starts: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    series.items.iter().for_each(|item| starts.entry(item.connection).or_default().push(item.intended_ns));
    let opens: std::collections::BTreeSet<i64> = (0..10).map(|k| k * 10_000_000).collect();
    for starts in starts.values_mut() {
        starts.sort_unstable();
        assert!(starts.windows(2).all(|pair| (pair[1] - pair[0] - 50_000_000).abs() <= 1), "{starts:?}");
        assert!(opens.iter().any(|open| (*open..open + 50_000_001).contains(&starts[0])), "it begins within its first period: {starts:?}");
    }
    assert_eq!(starts.len(), 10);
}
