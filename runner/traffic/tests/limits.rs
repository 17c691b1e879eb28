//! How long a flow waits for its server, and how often it comes back.

use super::super::strike::{Blow, Struck};
use super::http::{failures, planned, series_of};
use super::*;
use scn_reports::record::flow::ConnectionEnd;

/// A flow to a server that accepts and says nothing.
async fn unanswered(said: &str) -> FlowSeries {
    let plan = planned(&format!("flow f from client to server {{ {said} }}"));
    let mut held = Vec::new();
    serve_on(plan.flows[0].target.port(), move |stream| held.push(stream));
    series_of(Plan { listeners: Vec::new(), ..plan }).await
}

#[tokio::test]
async fn an_answer_is_awaited_as_long_as_the_flow_says() {
    for over in ["tcp", "http"] {
        let series = unanswered(&format!("over {over}  total 2  timeout {{ response 40ms }}  reconnect after 1ms")).await;
        assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Timeout), "{over}: {:?}", series.connections);
        let what = failures(&series)[0].1;
        assert!(what.ends_with("nothing came within 40ms"), "{over}: {what}");
    }
}

#[tokio::test]
async fn a_limit_is_one_of_each_piece_and_within_one_of_all() {
    use std::io::{Read, Write};
    // It takes 1.2 s in all, 100 ms a piece.
    for (within, told) in [("", None), ("within 300ms", Some("not all of it came within 300ms"))] {
        let plan = planned(&format!(
            "pattern long {{\n client sends \"go\\n\"\n client expects 1200B {within}\n}}
             flow f from client to server {{ over tcp  pattern long  total 1  timeout {{ response 1s }} }}"
        ));
        serve_on(plan.flows[0].target.port(), |mut stream| {
            let _ = stream.read(&mut [0; 8]);
            for _ in 0..12 {
                std::thread::sleep(Duration::from_millis(100));
                let _ = stream.write_all(&[7; 100]);
            }
        });
        let series = series_of(Plan { listeners: Vec::new(), ..plan }).await;
        assert_eq!(failures(&series).first().map(|(_, what)| *what), told);
    }
}

#[tokio::test]
async fn a_quiet_connection_has_broken() {
    for over in ["tcp", "http"] {
        // In a transaction.
        let series = unanswered(&format!("over {over}  total 2  timeout {{ idle 40ms }}  reconnect after 1ms")).await;
        assert!(series.items.iter().all(|item| item.outcome == ItemOutcome::Failed), "{over}");
        assert_eq!(failures(&series)[0].1, "nothing came over the connection for 40ms", "{over}");
        // Between two.
        let mut running = start(planned(&format!(
            "flow f from client to server {{ over {over}  rate 1/m  duration 30s  timeout {{ idle 40ms }}  reconnect after 1ms }}"
        )))
        .await;
        running.at_least("failed_connections", 3).await;
        running.stop().await;
        let series = running.finish().await;
        assert!(series.items.iter().all(|item| item.outcome == ItemOutcome::Done), "{over}");
        let (step, what) = failures(&series)[0];
        assert!(step.starts_with("connection to 127.0.0.1:"), "{step}");
        assert_eq!(what, "nothing came over the connection for 40ms", "{over}");
        let broken = |c: &&scn_reports::record::flow::Connection| c.end == ConnectionEnd::Timeout;
        assert!(series.connections.iter().filter(broken).all(|c| c.closed_ns - c.established_ns >= 40_000_000), "{:?}", series.connections);
    }
}

/// A flow whose client stands still for longer than its connections may be quiet.
async fn frozen(over: &str) {
    const IDLE_NS: i64 = 1_000_000_000;
    let flow = format!("flow f from client to server {{ over {over}  connections 2  rate 100/s  duration 30s  timeout {{ idle 1s }} }}");
    let mut running = start(planned(&flow)).await;
    running.at_least("transactions", 20).await;
    let client = Struck { listeners: vec![], flows: vec![FLOW] };
    let frozen_ns = running.clock.now_ns();
    running.traffic.strike(&client, Blow::Freeze, frozen_ns).await.unwrap();
    while running.clock.now_ns() < frozen_ns + IDLE_NS + IDLE_NS / 10 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    running.traffic.strike(&client, Blow::Thaw, running.clock.now_ns()).await.unwrap();
    let before = running.traffic.live(FLOW).get("transactions").unwrap();
    running.at_least("transactions", before + 40).await;
    running.stop().await;
    let series = running.finish().await;
    assert_eq!((series.connections.len(), failures(&series)), (2, vec![]), "{over}");
}

#[tokio::test]
async fn a_client_that_stands_still_hears_nothing_and_breaks_nothing() {
    tokio::join!(frozen("tcp"), frozen("http"), frozen("http { version 2  streams 2 }"), frozen("quic { streams 2 }"));
}

/// A flow to a port where nobody listens.
fn unserved(said: &str) -> Plan {
    Plan { listeners: Vec::new(), ..planned(&format!("flow f from client to server {{ {said} }}")) }
}

#[tokio::test]
async fn attempts_are_paused_and_limited() {
    let series = series_of(unserved("total 50  reconnect { after 2ms  growth 2  most 5ms  limit 4 }")).await;
    let opened: Vec<i64> = series.connections.iter().map(|c| c.opened_ns).collect();
    let closed: Vec<i64> = series.connections.iter().map(|c| c.closed_ns).collect();
    assert_eq!(opened.len(), 5, "the first and four more");
    for (pause, (next, end)) in [2, 4, 5, 5].into_iter().zip(opened[1..].iter().zip(&closed)) {
        assert!(next - end >= pause * 1_000_000, "{opened:?} {closed:?}");
    }
    let told = failures(&series);
    assert!(
        told.iter().any(|(step, what)| step.starts_with("reconnect to 127.0.0.1:") && *what == "given up after 4 attempts"),
        "{told:?}"
    );
}

#[tokio::test]
async fn without_reconnects_a_flow_goes_on_without_the_connection() {
    let series = series_of(unserved("total 50  reconnect off")).await;
    assert_eq!((series.connections.len(), failures(&series).len()), (1, 1));
    // With a rate too: who is left to be started for?
    let series = series_of(unserved("connections 2  total 100k  rate 1/s  reconnect off")).await;
    assert_eq!(series.connections.len(), 2);
    let mut running = start(unserved("connections 2  duration 30s  reconnect off")).await;
    running.at_least("failed_connects", 2).await;
    // It does not end by itself: what it misses from now on is seen.
    running.stop().await;
    let series = running.finish().await;
    assert_eq!(series.connections.len(), 2);
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Refused));
}
