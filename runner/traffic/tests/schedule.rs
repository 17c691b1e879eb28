//! When things start and how many there are: totals, rates, durations, stops.

use super::*;
use crate::plan::pace::Pace;
use scn_reports::record::flow::ConnectionEnd;

const BILLION: u64 = 1_000_000_000;

/// When the k-th start at a constant rate is meant to be.
fn intended(from_ns: i64, k: u64, rate_nano: u64) -> i64 {
    from_ns + Pace { rate_nano, change: None }.start_ns(k)
}

#[tokio::test]
async fn an_open_loop_starts_exactly_what_is_due() {
    let load = Load { connections: 5, rate_nano: Some(700 * BILLION), duration_ns: Some(300_000_000), ..load() };
    let mut running = start(plan(sym(64), Some(sym(64)), load)).await;
    running.ended().await;
    let series = running.finish().await;
    let mut starts: Vec<i64> = series.items.iter().map(|item| item.intended_ns).collect();
    starts.sort_unstable();
    assert_eq!(starts, (0..210).map(|k| intended(0, k, 700 * BILLION)).collect::<Vec<_>>());
    assert!(series.items.iter().all(|i| i.outcome == ItemOutcome::Done || i.outcome == ItemOutcome::Unfinished));
    assert_eq!(series.ran_ns, vec![(0, 300_000_000)]);
    assert!(series.finished);
    assert_eq!(series.connections.len(), 5);
}

#[tokio::test]
async fn a_stop_accounts_for_every_start_before_it() {
    let load = Load { connections: 4, rate_nano: Some(1_000 * BILLION), ..load() };
    let mut running = start(plan(sym(64), Some(sym(64)), load)).await;
    running.at_least("transactions", 100).await;
    let stop = running.clock.now_ns();
    running.traffic.stop_flow(FLOW, stop);
    running.ended().await;
    let series = running.finish().await;
    let due = (0..).map(|k| intended(0, k, 1_000 * BILLION)).take_while(|at| *at < stop).count();
    assert_eq!(series.items.len(), due);
    assert_eq!(series.ran_ns, vec![(0, stop)]);
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed));
}

#[tokio::test]
async fn totals_are_exact_in_closed_and_open_loops() {
    for (total, connections) in [(1, 1), (7, 3), (50, 8), (3, 10)] {
        let load = Load { total: Some(total), connections, ..load() };
        let mut running = start(plan(sym(64), Some(sym(64)), load)).await;
        running.ended().await;
        let series = running.finish().await;
        assert_eq!((series.connections.len() as u64, done(&series) as u64), (total, total));
    }
    let load = Load { total: Some(6), transactions: Some(3), connections: 2, ..load() };
    let mut running = start(plan(sym(64), Some(sym(64)), load.clone())).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!((series.connections.len(), done(&series)), (6, 18));
    let load = Load { total: Some(9), connections: 2, rate_nano: Some(500 * BILLION), ..load };
    let mut running = start(plan(sym(64), Some(sym(64)), Load { transactions: None, ..load.clone() })).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!((series.connections.len(), done(&series), series.items.len()), (9, 9, 9));
    let load = Load { total: Some(5), transactions: Some(3), connections: 2, rate_nano: Some(500 * BILLION), ..load };
    let mut running = start(plan(sym(64), Some(sym(64)), load)).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!((series.connections.len(), done(&series), series.items.len()), (5, 15, 15));
}

#[tokio::test]
async fn starts_without_a_free_connection_are_dropped_not_lost() {
    // A server that never answers: each connection holds one transaction for ever, and all other starts find none free.
    let mut plan = plan(sym(64), None, Load { connections: 2, rate_nano: Some(100 * BILLION), duration_ns: Some(1_500_000_000), ..load() });
    let port = free_port();
    plan.flows[0].target.set_port(port);
    let held = std::sync::Mutex::new(Vec::new());
    serve_on(port, move |stream| held.lock().unwrap().push(stream));
    let mut running = start(plan).await;
    running.ended().await;
    let series = running.finish().await;
    let count = |outcome| series.items.iter().filter(|item| item.outcome == outcome).count();
    assert_eq!(series.items.len(), 150);
    let unfinished_sent = series.items.iter().filter(|i| i.outcome == ItemOutcome::Unfinished && i.sent_ns != NEVER).count();
    assert_eq!((count(ItemOutcome::Done), count(ItemOutcome::Failed), unfinished_sent), (0, 0, 2));
    // Their patience of a second was over, or the flow was.
    assert_eq!(count(ItemOutcome::Dropped), 148);
}

#[tokio::test]
async fn a_flow_can_be_started_again() {
    let load = Load { connections: 2, ..load() };
    let mut running = start(plan(sym(64), Some(sym(64)), load)).await;
    running.at_least("connections", 2).await;
    running.stop().await;
    running.traffic.start_flow(FLOW, running.clock.now_ns());
    running.at_least("connections", 4).await;
    running.stop().await;
    let series = running.finish().await;
    assert_eq!((series.ran_ns.len(), series.connections.len()), (2, 4));
}

#[tokio::test]
async fn a_flow_starts_again_beside_what_its_stop_left_under_way() {
    // A server that never answers: the stopped transactions take all of their second to end.
    let mut plan = plan(sym(64), None, Load { connections: 2, ..load() });
    let port = free_port();
    plan.flows[0].target.set_port(port);
    let held = std::sync::Mutex::new(Vec::new());
    serve_on(port, move |stream| held.lock().unwrap().push(stream));
    let mut running = start(plan).await;
    running.at_least("sent", 2).await;
    let stop = running.clock.now_ns();
    running.traffic.stop_flow(FLOW, stop);
    assert!(running.traffic.start_flow(FLOW, stop + 1));
    assert!(!running.traffic.start_flow(FLOW, stop + 2), "it runs");
    running.at_least("sent", 4).await;
    running.ended().await;
    running.stop().await;
    let series = running.finish().await;
    assert_eq!((series.connections.len(), series.ran_ns.len()), (4, 2));
    assert_eq!((series.ran_ns[0], series.ran_ns[1].0), ((0, stop), stop + 1));
    assert!(series.finished);
}

#[tokio::test]
async fn the_end_of_the_run_leaves_open_what_is_open() {
    let mut running = start(plan(sym(64), Some(sym(64)), Load { connections: 3, ..load() })).await;
    running.at_least("transactions", 50).await;
    let series = running.finish().await;
    assert!(!series.finished);
    assert_eq!(series.ran_ns.len(), 1);
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Open && c.closed_ns == NEVER));
}

#[tokio::test]
async fn tcp_info_is_read_at_both_ends() {
    let mut plan = plan(sym(1000), Some(sym(1000)), Load { connections: 3, ..load() });
    plan.flows[0].sample_tcp_info_ns = Some(2_000_000);
    let mut running = start(plan).await;
    running.at_least("transactions", 3000).await;
    running.stop().await;
    let series = running.finish().await;
    for connection in 0..3 {
        for server in [false, true] {
            let samples: Vec<_> = series.tcp.iter().filter(|s| s.connection == connection && s.server == server).collect();
            assert!(samples.len() >= 2, "connection {connection}, server {server}: {} samples", samples.len());
            assert!(samples.last().unwrap().bytes_received > 0 && samples.last().unwrap().cwnd > 0);
        }
    }
    assert!(series.tcp.is_sorted_by_key(|sample| sample.at_ns));
}
