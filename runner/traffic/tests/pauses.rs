//! What the timeline does to flows while they run: pauses, other rates, more and fewer connections. What is known before the run holds to the start.

use scn_grammar::scenario::expect::Condition;
use scn_grammar::scenario::flow::Phase;
use scn_grammar::scenario::timeline::{Action, Entry, Setting, TimeRef, When};

use super::*;
use crate::plan::turns::Turn;

const BILLION: u64 = 1_000_000_000;
const MS: i64 = 1_000_000;

fn entry(at_ns: i64, lasts_ns: Option<u64>, action: Action) -> Entry {
    let when = When::At(TimeRef { event: None, offset_ns: at_ns });
    Entry { when, action, lasts_ns, event: None, text: String::new(), called: None, span: Span::default() }
}

fn pause(at_ns: i64, lasts_ns: u64) -> Entry {
    entry(at_ns, Some(lasts_ns), Action::Pause(vec![FLOW]))
}

fn set(at_ns: i64, lasts_ns: Option<u64>, setting: Setting, over_ns: u64) -> Entry {
    entry(at_ns, lasts_ns, Action::Set { flows: vec![FLOW], setting, over_ns })
}

/// Runs a flow with this load and timeline until it ends by itself.
async fn series_of(load: Load, timeline: Vec<Entry>) -> FlowSeries {
    let mut running = start(Plan { timeline, ..plan(sym(64), Some(sym(64)), load) }).await;
    running.ended().await;
    running.finish().await
}

fn open_loop(rate: u64, length_ms: u64) -> Load {
    Load { connections: 20, rate_nano: Some(rate * BILLION), duration_ns: Some(length_ms * 1_000_000), ..load() }
}

#[tokio::test]
async fn an_open_loop_goes_on_after_a_pause_where_it_was() {
    for phase in [Phase::Even, Phase::Random] {
        let load = Load { phase, ..open_loop(200, 300) };
        let series = series_of(load, vec![pause(100 * MS, 100_000_000)]).await;
        let starts = intended(&series);
        // 100 ms at 200/s, nothing for as long, 100 ms more; clocks of their own are within a period of it.
        if phase == Phase::Even {
            let expected: Vec<i64> = (0..20).chain(40..60).map(|k| k * 5 * MS).collect();
            assert_eq!(starts, expected);
        }
        assert_eq!(starts.len(), 40, "{phase:?}: {starts:?}");
        assert!(starts.iter().all(|at| !(100 * MS..200 * MS).contains(at)));
        assert!(series.items.iter().all(|item| item.outcome != ItemOutcome::Dropped));
        assert_eq!((series.paused_ns.clone(), series.ran_ns.clone()), (vec![(100 * MS, 200 * MS)], vec![(0, 300 * MS)]));
        assert!(series.intervals_ns.is_empty(), "the rate is the same");
        assert_eq!(series.connections.len(), 20, "connections stay");
    }
}

#[tokio::test]
async fn a_closed_loop_begins_nothing_while_it_is_paused() {
    let load = Load { connections: 3, duration_ns: Some(300_000_000), ..load() };
    let series = series_of(load, vec![pause(100 * MS, 100_000_000)]).await;
    let starts = intended(&series);
    assert!(starts.iter().all(|at| !(100 * MS..200 * MS).contains(at)));
    let (before, after) = (starts.iter().filter(|at| **at < 100 * MS).count(), starts.iter().filter(|at| **at >= 200 * MS).count());
    assert!(before > 3 && after > 3, "{before} {after}");
    assert_eq!(series.connections.len(), 3);
}

#[tokio::test]
async fn no_connection_is_opened_while_a_flow_is_paused() {
    let opens =
        Load { connections: 1000, transactions: Some(1), opens_nano: Some(100 * BILLION), duration_ns: Some(300_000_000), ..load() };
    let series = series_of(opens, vec![pause(100 * MS, 100_000_000)]).await;
    assert_eq!(intended(&series), (0..10).chain(20..30).map(|k| k * 10 * MS).collect::<Vec<_>>());
    let short = Load { total: Some(100_000), interval_ns: 1_000_000, duration_ns: Some(300_000_000), ..load() };
    let series = series_of(short, vec![pause(100 * MS, 100_000_000)]).await;
    assert!(series.connections.iter().all(|connection| !(101 * MS..200 * MS).contains(&connection.opened_ns)), "but for one on its way");
    assert!(series.connections.iter().filter(|connection| connection.opened_ns >= 200 * MS).count() > 1);
}

#[tokio::test]
async fn a_rate_is_set_glides_and_comes_back() {
    // 10 starts, 20 at twice the rate, 10 again.
    let series = series_of(open_loop(100, 300), vec![set(100 * MS, Some(100_000_000), Setting::RateNano(200 * BILLION), 0)]).await;
    let expected = (0..10).map(|k| k * 10).chain((0..20).map(|k| 100 + k * 5)).chain((0..10).map(|k| 200 + k * 10));
    assert_eq!(intended(&series), expected.map(|ms| ms * MS).collect::<Vec<_>>());
    assert_eq!(series.intervals_ns, [(0, 10_000_000), (100 * MS, 5_000_000), (200 * MS, 10_000_000)]);
    // From 100/s to 300/s within 100 ms: 20 starts; then 30 in 100 ms.
    let series = series_of(open_loop(100, 300), vec![set(100 * MS, None, Setting::RateNano(300 * BILLION), 100_000_000)]).await;
    let starts = intended(&series);
    let until = |ms: i64| starts.iter().filter(|at| **at < ms * MS).count();
    assert_eq!((until(100), until(200), until(300)), (10, 30, 60));
    // 64 bytes each way: 100 of them a second are 102.4 kbit/s.
    let load = Load { bandwidth_bps: Some(102_400), rate_nano: None, ..open_loop(1, 200) };
    let series = series_of(load, vec![set(100 * MS, None, Setting::BandwidthBps(204_800), 0)]).await;
    assert_eq!(intended(&series).len(), 30);
}

#[tokio::test]
async fn what_comes_unforeseen_counts_from_its_instant() {
    let timeline = vec![Entry {
        when: When::Condition { condition: Condition::All(Vec::new()), within_ns: None },
        ..set(0, None, Setting::RateNano(1_000 * BILLION), 0)
    }];
    let mut running = start(Plan { timeline: timeline.clone(), ..plan(sym(64), Some(sym(64)), open_loop(100, 400)) }).await;
    running.at_least("transactions", 5).await;
    let at_ns = running.clock.now_ns();
    let (turn, _) = Turn::of(&timeline[0].action, 0, false, at_ns).unwrap();
    running.traffic.turn_flow(FLOW, turn);
    running.ended().await;
    let series = running.finish().await;
    let starts = intended(&series);
    // All that is due by both rates, but for a start that was released on the way of the order.
    let due = at_ns as f64 / 1e7 + (400 * MS - at_ns) as f64 / 1e6;
    assert!((starts.len() as f64 - due).abs() <= 2.0, "{} {due}", starts.len());
    assert!(starts.windows(2).filter(|pair| pair[0] > at_ns).all(|pair| (pair[1] - pair[0] - MS).abs() <= 1));
}

#[tokio::test]
async fn connections_come_and_go() {
    let load = Load { connections: 2, duration_ns: Some(400_000_000), ..load() };
    let more = set(100 * MS, Some(200_000_000), Setting::Connections(5), 30_000_000);
    let series = series_of(load, vec![more]).await;
    assert_eq!(series.connections.len(), 5);
    let opened: Vec<i64> = series.connections.iter().map(|connection| connection.opened_ns).collect();
    assert!(opened[..2].iter().all(|at| *at < 100 * MS) && opened[2..].iter().zip([110, 120, 130]).all(|(at, due)| *at >= due * MS));
    let mut closed: Vec<i64> = series.connections.iter().map(|connection| connection.closed_ns).collect();
    closed.sort_unstable();
    assert!(closed[2] < 400 * MS && closed[0] >= 300 * MS, "the three that came last go first: {closed:?}");
    assert!(closed[3] >= 400 * MS);
}

#[tokio::test]
async fn an_interval_is_set() {
    let load = Load { total: Some(100_000), interval_ns: 10_000_000, duration_ns: Some(400_000_000), ..load() };
    let series = series_of(load, vec![set(200 * MS, None, Setting::IntervalNs(50_000_000), 0)]).await;
    let opened: Vec<i64> = series.connections.iter().map(|connection| connection.opened_ns).collect();
    let gaps = opened.windows(2).map(|pair| (pair[0], pair[1] - pair[0]));
    // A pause that had begun before goes on as it was.
    assert!(gaps.clone().all(|(at, gap)| gap >= if at >= 200 * MS { 50 * MS } else { 10 * MS }), "{opened:?}");
    let before = gaps.clone().filter(|(at, _)| *at < 190 * MS).count();
    assert!(before > 2 && gaps.filter(|(at, _)| *at >= 200 * MS).count() <= 4, "{opened:?}");
}

#[tokio::test]
async fn a_pause_is_no_quiet_that_breaks_a_connection() {
    let load = Load { connections: 2, rate_nano: Some(100 * BILLION), duration_ns: Some(400_000_000), ..load() };
    let mut plan = Plan { timeline: vec![pause(50 * MS, 300_000_000)], ..plan(sym(64), Some(sym(64)), load) };
    plan.flows[0].timeouts.idle_ns = Some(150_000_000);
    let mut running = start(plan).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!((series.connections.len(), series.items.len(), series.failures.len()), (2, 10, 0), "{:?}", series.failures);
}
