//! What goes wrong is told as what it is: refusals, resets, early ends, silence, rudeness, damage on the way.

use super::*;
use Side::{Client, Server};
use scn_reports::record::flow::{ConnectionEnd, CorruptionKind};
use std::io::{Read, Write};
use std::net::TcpStream;

/// A flow to a server written for the test.
async fn against(played: Pattern, load: Load, serve: impl FnMut(TcpStream) + Send + 'static) -> FlowSeries {
    let mut plan = plan(played, None, load);
    let port = free_port();
    plan.flows[0].target.set_port(port);
    serve_on(port, serve);
    let mut running = start(plan).await;
    running.ended().await;
    running.finish().await
}

fn five() -> Load {
    Load { total: Some(5), ..load() }
}

/// All five failed with this end; gives the only kind of failure.
fn all_failed(series: &FlowSeries, end: ConnectionEnd) -> &super::super::FailureKind {
    assert_eq!((series.items.len(), done(series)), (5, 0), "{:?}", series.failures);
    assert!(series.items.iter().all(|item| item.outcome == ItemOutcome::Failed));
    assert!(series.connections.iter().all(|c| c.end == end), "{:?}", series.connections);
    assert_eq!(series.failures.iter().map(|f| f.count).sum::<u64>(), 5, "{:?}", series.failures);
    let succeeds: Vec<u32> = series.connections.iter().map(|c| c.successor_of).collect();
    assert_eq!(succeeds, [u32::MAX, 0, 1, 2, 3]);
    &series.failures[0]
}

#[tokio::test]
async fn a_rude_server_is_quoted_with_the_step() {
    let rude = pattern(vec![
        ("server sends", says(Server, "554 go away\r\n")),
        (
            "client expects \"220\" within 500ms",
            StepKind::Expects { by: Client, what: Expected::Text(literal("220")), within_ns: Some(500_000_000), rest: Rest::Line },
        ),
    ]);
    let mut running = start(plan(rude.clone(), Some(rude), five())).await;
    running.ended().await;
    let series = running.finish().await;
    let failure = all_failed(&series, ConnectionEnd::Mismatch);
    assert_eq!(failure.step, "client expects \"220\" within 500ms");
    assert_eq!(failure.what, r#"got "554 go away\r\n""#);
    assert_eq!(failure.span.unwrap().start, 1);
    assert_eq!(series.failures.len(), 1);
}

#[tokio::test]
async fn a_refused_connection_is_refused() {
    let mut running = start(plan(sym(64), None, five())).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!((series.items.len(), series.connections.len()), (0, 5));
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Refused && c.established_ns == NEVER && c.closed_ns != NEVER));
    assert!(series.failures[0].step.starts_with("connect to 127.0.0.1:"), "{:?}", series.failures);
    assert_eq!((series.failures[0].what.as_str(), series.failures[0].count), ("connection refused", 5));
}

#[tokio::test]
async fn an_early_close_a_reset_and_silence_differ() {
    let series = against(sym(64), five(), |mut stream| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(&[7; 3]);
    })
    .await;
    // Three bytes and the end: closed early, or not what a payload looks like, whichever is seen first.
    assert!(series.items.iter().all(|item| item.outcome == ItemOutcome::Failed));
    let series = against(sym(64), five(), |mut stream| drop(stream.read(&mut [0; 64]))).await;
    assert_eq!(all_failed(&series, ConnectionEnd::EarlyClose).what, "the peer closed the connection");
    let series = against(sym(64), five(), |mut stream| {
        let _ = stream.read(&mut [0; 64]);
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    })
    .await;
    assert_eq!(all_failed(&series, ConnectionEnd::Reset).what, "connection reset by the peer");
    let silent = pattern(vec![
        ("client sends", filled(Client, 64)),
        (
            "client expects any within 20ms",
            StepKind::Expects { by: Client, what: Expected::Any, within_ns: Some(20_000_000), rest: Rest::Nothing },
        ),
    ]);
    let held = std::sync::Mutex::new(Vec::new());
    let series = against(silent, five(), move |stream| held.lock().unwrap().push(stream)).await;
    assert_eq!(all_failed(&series, ConnectionEnd::Timeout).what, "nothing came within 20ms");
    assert!(series.items.iter().all(|item| item.done_ns - item.sent_ns >= 20_000_000));
}

#[tokio::test]
async fn an_idle_connection_that_breaks_is_seen_at_once() {
    let load = Load { rate_nano: Some(1_000_000_000 / 10), duration_ns: Some(5_000_000_000), ..load() };
    let mut plan = plan(sym(64), None, load);
    let port = free_port();
    plan.flows[0].target.set_port(port);
    serve_on(port, |mut stream| drop(stream.read(&mut [0; 64])));
    let mut running = start(plan).await;
    // The first start, at 0 s, breaks one; the successors have nothing to do for ten seconds, and end by the peer's read limit only.
    running.at_least("failed_connections", 1).await;
    running.at_least("reconnects", 1).await;
    running.stop().await;
    let series = running.finish().await;
    assert_eq!(series.connections[0].end, ConnectionEnd::EarlyClose);
    assert_eq!(series.connections[1].successor_of, 0);
}

/// A proxy that changes one byte of what the client sends, counted from 0, on every connection.
fn damaging_proxy(port: u16, to: SocketAddr, back: bool, at: usize) {
    serve_on(port, move |client| {
        let server = TcpStream::connect(to).unwrap();
        let pump = move |mut from: TcpStream, mut to: TcpStream, damage: Option<usize>| {
            let (mut buffer, mut seen) = ([0; 4096], 0);
            while let Ok(count) = from.read(&mut buffer) {
                if count == 0 {
                    break;
                }
                if let Some(at) = damage.filter(|at| (seen..seen + count).contains(at)) {
                    buffer[at - seen] ^= 0x20;
                }
                seen += count;
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(std::net::Shutdown::Both);
            let _ = from.shutdown(std::net::Shutdown::Both);
        };
        let (from_client, to_client) = (client.try_clone().unwrap(), client);
        let (from_server, to_server) = (server.try_clone().unwrap(), server);
        std::thread::spawn(move || pump(from_client, to_server, (!back).then_some(at)));
        std::thread::spawn(move || pump(from_server, to_client, back.then_some(at)));
    });
}

#[tokio::test]
async fn damage_on_the_way_is_found_at_its_byte() {
    for (back, at) in [(true, 700), (true, 5), (true, 0), (false, 700), (false, 33), (false, 9)] {
        let mut plan = plan(sym(1024), Some(sym(1024)), five());
        let port = free_port();
        damaging_proxy(port, plan.flows[0].target, back, at);
        plan.flows[0].target.set_port(port);
        let mut running = start(plan).await;
        running.ended().await;
        let corrupt = running.traffic.live(FLOW).get("corrupt").unwrap();
        let series = running.finish().await;
        assert_eq!(done(&series), 0, "byte {at}, back {back}");
        // A header of the client's that is damaged leaves the server no way to tell whose it was: there is a proxy in between.
        let known = back || at >= 32;
        assert_eq!(corrupt, if known { 5 } else { 0 }, "byte {at}, back {back}: {:?}", series.failures);
        for corruption in &series.corrupt {
            assert_eq!((corruption.kind, corruption.server), (CorruptionKind::Content, !back));
            assert_eq!(corruption.offset as usize, at);
        }
    }
}

#[tokio::test]
async fn behind_a_proxy_the_header_tells_who_answered() {
    let mut plan = plan(sym(1024), Some(sym(1024)), five());
    let port = free_port();
    damaging_proxy(port, plan.flows[0].target, true, usize::MAX);
    plan.flows[0].target.set_port(port);
    let mut running = start(plan).await;
    running.ended().await;
    let series = running.finish().await;
    assert_eq!(done(&series), 5);
    assert!(series.items.iter().all(|item| item.backend == 1));
    assert!(series.tcp.iter().any(|sample| sample.server));
}

#[tokio::test]
async fn an_answer_to_somebody_else_is_misdelivered() {
    // Answers with what the client sent itself: ours, but not a server's.
    let series = against(sym(64), five(), |mut stream| {
        let mut bytes = [0; 64];
        let _ = stream.read_exact(&mut bytes);
        let _ = stream.write_all(&bytes);
        let _ = stream.read(&mut bytes);
    })
    .await;
    all_failed(&series, ConnectionEnd::Mismatch);
    assert!(series.corrupt.iter().all(|c| c.kind == CorruptionKind::Misdelivered));
    assert_eq!(series.corrupt.len(), 5);
}

#[tokio::test]
async fn a_server_that_mangles_an_echo_is_found() {
    let echo = pattern(vec![
        ("client sends", sends(Client, Payload::Text(literal("hello")), false)),
        ("server echoes", StepKind::Echoes { by: Server }),
    ]);
    let series = against(echo, five(), |mut stream| {
        let mut bytes = [0; 5];
        let _ = stream.read_exact(&mut bytes);
        let _ = stream.write_all(b"heLlo");
        let _ = stream.read(&mut bytes);
    })
    .await;
    all_failed(&series, ConnectionEnd::Mismatch);
    assert!(series.corrupt.iter().all(|c| c.offset == 2), "{:?}", series.corrupt);
}

#[tokio::test]
async fn a_broken_connection_still_tells_its_tcp_info() {
    let series = against(sym(64), five(), |mut stream| drop(stream.read(&mut [0; 64]))).await;
    assert_eq!(series.tcp.len(), 5);
    assert!(series.tcp.iter().all(|sample| sample.bytes_acked >= 64));
}

#[tokio::test]
async fn a_stopped_service_closes_after_the_transaction_and_comes_back() {
    let mut running = start(plan(sym(64), Some(sym(64)), Load { connections: 2, ..load() })).await;
    running.at_least("transactions", 20).await;
    running.traffic.stop_service(ServiceId(0), &[NodeId(1)]);
    running.at_least("failed_connects", 4).await;
    assert_eq!(running.traffic.live(FLOW).get("active"), Some(0));
    running.traffic.start_service(ServiceId(0), &[NodeId(1)]).await.unwrap();
    running.at_least("active", 2).await;
    running.stop().await;
    let series = running.finish().await;
    assert!(series.connections.iter().filter(|c| c.end == ConnectionEnd::Refused).count() >= 4);
}

#[tokio::test]
async fn a_service_stops_and_starts_at_one_instant() {
    let mut running = start(plan(sym(64), Some(sym(64)), Load { connections: 2, ..load() })).await;
    running.at_least("transactions", 20).await;
    for _ in 0..20 {
        running.traffic.stop_service(ServiceId(0), &[NodeId(1)]);
        running.traffic.start_service(ServiceId(0), &[NodeId(1)]).await.unwrap();
    }
    running.at_least("connections", 4).await;
    running.stop().await;
    running.finish().await;
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let plan = plan(sym(64), Some(sym(64)), load());
    let _taken = std::net::TcpListener::bind(plan.flows[0].target).unwrap();
    let (sender, _notices) = unbounded_channel();
    let error =
        Traffic::prepare(Arc::new(plan), &Files::new(), &Secrets::default(), Arc::new(Loopback), sender).await.err().unwrap().to_string();
    assert!(error.starts_with("store cannot listen on 127.0.0.1:") && error.contains("at node server: Address already in use"), "{error}");
}

#[tokio::test]
async fn a_stranger_is_served_and_counted_apart() {
    let talk = pattern(vec![
        ("client sends", says(Client, "hi\n")),
        ("server expects", expects(Server, Expected::Line("hi".to_owned()))),
        ("server sends", says(Server, "ho\n")),
    ]);
    let plan = plan(talk.clone(), Some(talk), Load { total: Some(1), ..load() });
    let target = plan.flows[0].target;
    let mut running = start(plan).await;
    running.ended().await;
    let answer = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(target).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = [0; 3];
        stream.write_all(b"hi\n").unwrap();
        stream.read_exact(&mut answer).unwrap();
        answer
    });
    assert_eq!(&answer.await.unwrap(), b"ho\n");
    let result = running.finish_all().await;
    assert_eq!(result.flows[0].connections.len(), 1);
    assert!(result.warnings[0].starts_with("1 connections came from peers"), "{:?}", result.warnings);
}
