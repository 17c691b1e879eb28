//! Flows over QUIC: what is measured of them, what patterns do on streams, what is told of handshakes that fail, and of servers that end, are killed and stand still.

use super::super::strike::{Blow, Struck};
use super::http::{failures, planned, series_of};
use super::*;
use scn_reports::record::flow::ConnectionEnd;

const BOTH: &str = "pattern both(size: size) {\n client sends size\n server sends size\n}\n";

#[tokio::test]
async fn transactions_and_handshakes_are_counted() {
    let series = series_of(planned(&format!(
        "{BOTH}service web on server {{ listen quic :443 {{ name \"www.example.com\" }}  serve both(100kB) }}
         flow f from client to web {{ over quic {{ name \"www.example.com\" }}  connections 2  total 4  transactions 5 }}"
    )))
    .await;
    assert_eq!((done(&series), failures(&series)), (20, vec![]));
    assert_eq!(series.connections.len(), 4);
    for c in &series.connections {
        assert!(c.handshake_ns > 0 && c.established_ns - c.handshake_ns >= c.opened_ns, "{c:?}");
        assert_eq!((c.end, c.transactions, c.backend), (ConnectionEnd::Closed, 5, 1));
        assert!(c.local.starts_with("127.0.0.1:") && c.remote.starts_with("127.0.0.1:"), "{c:?}");
    }
    assert!(series.items.iter().all(|item| (item.forward_bytes, item.back_bytes) == (100_000, 100_000)));
    assert!(series.tcp.is_empty(), "it is no connection of TCP");
}

#[tokio::test]
async fn patterns_are_played_as_over_tcp() {
    for (name, steps) in [
        ("halved", "client sends \"all\"\n client half closes\n server sends \"well\""),
        ("greeted", "server sends \"hi\"\n client sends \"ho\"\n client closes"),
        ("said", "client sends 200kB\n client closes"),
        ("parted", "client sends \"bye\"\n server sends 200kB\n server closes"),
        ("dropped", "client sends \"bye\"\n server expects \"bye\"\n server resets"),
        ("mixed", "choose { 50% { client sends \"a\"\n server sends \"b\" } 50% { server sends \"c\"\n client sends \"d\" } }"),
    ] {
        let series = series_of(planned(&format!(
            "pattern {name} {{\n {steps}\n}}\nflow f from client to server {{ over quic  pattern {name}  total 8 }}"
        )))
        .await;
        assert_eq!((done(&series), failures(&series)), (8, vec![]), "{name}");
        assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed), "{name}: {:?}", series.connections);
    }
}

#[tokio::test]
async fn a_server_that_speaks_first_does_so_in_each_transaction() {
    let series = series_of(planned(
        "pattern news {\n server sends 3kB\n}\nflow f from client to server { over quic  pattern news  connections 2  total 4  transactions 10 }",
    ))
    .await;
    assert_eq!((done(&series), failures(&series)), (40, vec![]));
    assert!(series.items.iter().all(|item| item.back_bytes == 3000));
}

#[tokio::test]
async fn streams_of_a_connection_carry_transactions_side_by_side() {
    let drawn = "pattern drawn {\n choose { 50% { client sends 40B..9kB } 50% { repeat 1..4 { client sends 64B } } }\n pause 20ms\n server sends 40B..2kB\n}\n";
    let series = series_of(planned(&format!(
        "{drawn}flow f from client to server {{ over quic {{ streams 8 }}  pattern drawn  connections 2  total 4  transactions 40 }}"
    )))
    .await;
    assert_eq!((done(&series), failures(&series)), (160, vec![]));
    assert_eq!(series.connections.len(), 4);
    let of = |number: u32| series.items.iter().filter(move |item| item.connection == number);
    for number in 0..4 {
        let at_once = |at: i64| of(number).filter(|item| item.sent_ns <= at && at < item.done_ns).count();
        let most = of(number).map(|item| at_once(item.sent_ns)).max().unwrap();
        assert!((5..=8).contains(&most), "{most} at once");
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_leaves_the_others_alone() {
    for end in ["client sends 33B\n server resets", "client resets"] {
        let mixed = format!(
            "pattern mixed {{\n choose {{\n 50% {{ client sends 40B\n server sends 40B\n {end} }}\n
             50% {{ client sends 64B\n server pauses 100ms\n server sends 90kB }} }}\n}}\n"
        );
        let series = series_of(planned(&format!(
            "{mixed}flow f from client to server {{ over quic {{ streams 8 }}  pattern mixed  total 4  transactions 8 }}"
        )))
        .await;
        assert_eq!((failures(&series), series.connections.len()), (vec![], 4), "{end}");
        assert!(series.items.iter().all(|item| item.outcome == ItemOutcome::Done), "{end}");
        assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed), "{end}: {:?}", series.connections);
        let (short, long): (Vec<&Item>, Vec<&Item>) = series.items.iter().partition(|item| item.back_bytes == 40);
        let outlived = |long: &Item| short.iter().any(|item| item.connection == long.connection && item.done_ns < long.done_ns);
        assert!(long.into_iter().any(outlived), "{end}: some are under way when another is reset");
    }
}

#[tokio::test]
async fn streams_of_a_connection_are_quiet_together() {
    let flow = "over quic { streams 4 }  connections 2  total 2  transactions 4  timeout { idle 1s }  reconnect after 1ms";
    // One stream alone waits for longer than that; there is always another that hears something.
    let lively = "pattern lively {\n client sends 64B\n choose { 50% { server pauses 1500ms\n server sends 64B } 50% { repeat 60 { server sends 64B\n server pauses 30ms } } }\n}\n";
    let series = series_of(planned(&format!("{lively}flow f from client to server {{ pattern lively  {flow} }}"))).await;
    let alone = |c: u32| series.items.iter().filter(|item| item.connection == c && item.back_bytes == 64).count();
    assert!(alone(0) + alone(1) > 0, "some waited for longer");
    assert_eq!((done(&series), failures(&series)), (8, vec![]));
    let silent = "pattern silent {\n client sends \"a\"\n server expects \"a\"\n server pauses 5s\n server sends \"b\"\n}\n";
    let series = series_of(planned(&format!("{silent}flow f from client to server {{ pattern silent  {flow} }}"))).await;
    assert_eq!(done(&series), 0);
    assert!(failures(&series).iter().all(|(_, what)| *what == "nothing came over the connection for 1s"), "{:?}", series.failures);
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Timeout), "{:?}", series.connections);
}

#[tokio::test]
async fn streams_take_the_starts_of_their_connections_own_clock() {
    for over in ["quic", "http"] {
        let (said, pattern) = if over == "quic" { ("quic { streams 6 }", "pattern slow") } else { ("http { version 2  streams 6 }", "") };
        let slow = "pattern slow {\n client sends 40B\n server pauses 50ms\n server sends 40B\n}\n";
        let series = series_of(planned(&format!(
            "{slow}flow f from client to server {{ over {said}  {pattern}  connections 2  rate 100/s  phase random  duration 1s }}"
        )))
        .await;
        // Each connection has 50 starts, one each 20ms from an instant of its own.
        assert_eq!((failures(&series), series.connections.len()), (vec![], 2), "{over}");
        let mut starts: Vec<i64> = series.items.iter().map(|item| item.intended_ns).collect();
        starts.sort_unstable();
        assert!((99..=101).contains(&starts.len()), "{over}: {}", starts.len());
        assert!(starts.windows(2).all(|pair| pair[0] < pair[1]), "{over}: no start is taken twice");
    }
}

#[tokio::test]
async fn a_server_begins_on_streams_that_it_opens() {
    let news = "pattern news {\n choose { 50% { server sends 3kB } 50% { repeat 1..3 { server sends 40B } } }\n server pauses 30ms\n client sends 64B\n server sends 64B\n}\n";
    let flow = "flow f from client to server { over quic { streams 6 }  pattern news  connections 2";
    let series = series_of(planned(&format!("{news}{flow}  total 4  transactions 30 }}"))).await;
    assert_eq!((done(&series), failures(&series), series.connections.len()), (120, vec![], 4));
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed && c.transactions == 30), "{:?}", series.connections);
    let series = series_of(planned(&format!("{news}{flow}  rate 100/s  duration 500ms }}"))).await;
    assert_eq!((done(&series), failures(&series), series.connections.len()), (50, vec![], 2));
}

#[tokio::test]
async fn sessions_names_and_certificates_of_clients_are_those_of_tls() {
    let series = series_of(planned(&format!(
        "{BOTH}service web on server {{ listen quic :443 {{ name \"a.example.com\"  alpn \"x/2\", \"x/1\"  verify on  ciphers \"TLS_CHACHA20_POLY1305_SHA256\" }}  serve both(64B) }}
         flow f from client to web {{ over quic {{ name \"a.example.com\"  alpn \"x/1\"  certificate auto  resumption on }}  total 5 }}"
    )))
    .await;
    assert_eq!((done(&series), failures(&series)), (5, vec![]));
}

/// A flow of three connections to a service, of which none is established.
async fn refused(over: &str, listen: &str) -> FlowSeries {
    let series = series_of(planned(&format!(
        "{BOTH}service web on server {{ listen quic :443 {{ {listen} }}  serve both(64B) }}
         flow f from client to web {{ over quic {{ {over} }}  total 3  reconnect after 1ms }}"
    )))
    .await;
    assert_eq!((done(&series), series.connections.len()), (0, 3));
    series
}

#[tokio::test]
async fn handshakes_that_fail_are_told_in_the_words_of_each_end() {
    let series = refused("name \"www.example.org\"", "name \"www.example.com\"").await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Tls && c.established_ns == NEVER && c.handshake_ns == 0));
    let [(step, what)] = failures(&series)[..] else { panic!("{:?}", series.failures) };
    assert!(step.starts_with("QUIC handshake with 127.0.0.1:") && step.ends_with(" as www.example.org"), "{step}");
    assert!(what.starts_with("invalid peer certificate: certificate not valid for name \"www.example.org\""), "{what}");
    assert!(what.ends_with("(the certificate of web was made for the run; verified by the run's own authority)"), "{what}");
    let series = refused("alpn \"h3\"", "alpn \"doq\"").await;
    let told = failures(&series);
    assert!(
        told.iter().any(|(step, what)| step.starts_with("QUIC handshake with") && *what == "received fatal alert: NoApplicationProtocol"),
        "{told:?}"
    );
    assert!(
        told.iter().any(|(step, what)| *step == "QUIC handshake at web on server" && *what == "peer doesn't support any known protocol"),
        "{told:?}"
    );
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Tls), "{:?}", series.connections);
    // As in TLS 1.3 the client is done before the server has looked at its certificate.
    let series = refused("", "verify on").await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Tls), "{:?}", series.connections);
    let told = failures(&series);
    assert!(told.contains(&("QUIC handshake at web on server", "peer sent no certificates")), "{told:?}");
    assert!(told.iter().any(|(_, what)| *what == "received fatal alert: CertificateRequired"), "{told:?}");
}

#[tokio::test]
async fn nobody_and_somebody_else_there_differ() {
    let to_nobody = |said: &str| Plan {
        listeners: Vec::new(),
        ..planned(&format!("flow f from client to server {{ over quic  total 2  {said}  reconnect after 1ms }}"))
    };
    let series = series_of(to_nobody("")).await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Refused && c.established_ns == NEVER), "{:?}", series.connections);
    let [(step, what)] = failures(&series)[..] else { panic!("{:?}", series.failures) };
    assert!(step.starts_with("connect to 127.0.0.1:"), "{step}");
    assert_eq!(what, "connection refused");
    let plan = to_nobody("timeout { connect 50ms }");
    let _silent = std::net::UdpSocket::bind(plan.flows[0].target).unwrap();
    let series = series_of(plan).await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::ConnectTimeout), "{:?}", series.connections);
    assert_eq!(failures(&series)[0].1, "no handshake was done within 50ms");
}

#[tokio::test]
async fn limits_hold_on_streams_too() {
    let slow = "pattern slow {\n client sends \"a\"\n server expects \"a\"\n server pauses 5s\n server sends \"b\"\n}\n";
    let series = series_of(planned(&format!(
        "{slow}flow f from client to server {{ over quic  pattern slow  total 2  timeout {{ idle 40ms }}  reconnect after 1ms }}"
    )))
    .await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Timeout), "{:?}", series.connections);
    assert_eq!(failures(&series)[0].1, "nothing came over the connection for 40ms");
}

/// A flow that goes on, over two connections.
fn lasting(said: &str) -> Plan {
    planned(&format!(
        "{BOTH}service web on server {{ listen quic :443  serve both(64B) }}
         flow f from client to web {{ over quic  connections 2  rate 200/s  duration 30s  {said}  reconnect after 1ms }}"
    ))
}

#[tokio::test]
async fn a_service_that_is_stopped_closes_its_connections_and_turns_clients_away() {
    let mut running = start(lasting("")).await;
    running.at_least("transactions", 20).await;
    running.traffic.stop_service(ServiceId(0), &[NodeId(1)]);
    running.at_least("failed_connects", 4).await;
    running.traffic.start_service(ServiceId(0), &[NodeId(1)]).await.unwrap();
    let before = running.traffic.live(FLOW).get("transactions").unwrap();
    running.at_least("transactions", before + 20).await;
    running.stop().await;
    let series = running.finish().await;
    let ends: Vec<ConnectionEnd> = series.connections.iter().filter(|c| c.established_ns != NEVER).map(|c| c.end).collect();
    assert!(ends.iter().filter(|end| **end == ConnectionEnd::EarlyClose).count() >= 2, "{ends:?}");
    assert!(ends.iter().all(|end| matches!(end, ConnectionEnd::EarlyClose | ConnectionEnd::Closed)), "{ends:?}");
    let turned_away = series.connections.iter().filter(|c| c.established_ns == NEVER);
    assert!(turned_away.filter(|c| c.end == ConnectionEnd::Refused).count() >= 4, "{:?}", series.connections);
    assert!(failures(&series).iter().any(|(_, what)| what.starts_with("the peer closed the connection")), "{:?}", series.failures);
}

#[tokio::test]
async fn who_returns_after_being_killed_knows_no_connection_of_before() {
    let mut running = start(lasting("timeout { response 20s }")).await;
    running.at_least("transactions", 20).await;
    let server = Struck { listeners: vec![0], flows: vec![] };
    let met = running.traffic.strike(&server, Blow::Kill { silently: false }, running.clock.now_ns()).await.unwrap();
    assert_eq!(met, server);
    // Nobody heard of it.
    assert_eq!(running.traffic.live(FLOW).get("active"), Some(2));
    assert_eq!(running.traffic.live(FLOW).get("failed_connections"), Some(0));
    running.traffic.open_again(&[0]).await.unwrap();
    running.at_least("failed_connections", 2).await;
    let before = running.traffic.live(FLOW).get("transactions").unwrap();
    running.at_least("transactions", before + 20).await;
    running.stop().await;
    let series = running.finish().await;
    let resets = series.connections.iter().filter(|c| c.end == ConnectionEnd::Reset).count();
    assert_eq!(resets, 2, "{:?}", series.connections);
    let told = failures(&series);
    assert!(told.iter().any(|(_, what)| what.starts_with("stateless reset: the peer does not know the connection")), "{told:?}");
}

#[tokio::test]
async fn what_stands_still_answers_nothing_and_goes_on() {
    let mut running = start(lasting("timeout { response 20s }")).await;
    running.at_least("transactions", 20).await;
    let server = Struck { listeners: vec![0], flows: vec![] };
    running.traffic.strike(&server, Blow::Freeze, running.clock.now_ns()).await.unwrap();
    // A start is dropped when it has found no free connection for a second: both have had one under way for so long.
    running.at_least("dropped", 1).await;
    let still = running.traffic.live(FLOW).get("transactions").unwrap();
    running.at_least("dropped", 20).await;
    assert_eq!(running.traffic.live(FLOW).get("transactions"), Some(still));
    running.traffic.strike(&server, Blow::Thaw, running.clock.now_ns()).await.unwrap();
    running.at_least("transactions", still + 20).await;
    running.stop().await;
    let series = running.finish().await;
    assert_eq!((series.connections.len(), failures(&series)), (2, vec![]));
    let held = |item: &&Item| item.outcome == ItemOutcome::Done && item.done_ns - item.sent_ns > 900_000_000;
    assert_eq!(series.items.iter().filter(held).count(), 2);
}

#[tokio::test]
async fn a_killed_client_is_silent_and_a_stopped_one_says_goodbye() {
    let plan = lasting("");
    let mut running = start(plan).await;
    running.at_least("transactions", 20).await;
    let client = Struck { listeners: vec![], flows: vec![FLOW] };
    running.traffic.strike(&client, Blow::Kill { silently: false }, running.clock.now_ns()).await.unwrap();
    let series = running.finish().await;
    assert_eq!(series.connections.iter().filter(|c| c.end == ConnectionEnd::Other).count(), 2, "{:?}", series.connections);
    let mut running = start(lasting("")).await;
    running.at_least("transactions", 20).await;
    running.stop().await;
    let series = running.finish().await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed), "{:?}", series.connections);
}
