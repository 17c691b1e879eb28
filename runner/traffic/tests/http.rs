//! Requests and answers over HTTP/1.1: what is measured, what is checked, and how connections end.

use super::*;
use scn_reports::record::flow::{ConnectionEnd, CorruptionKind};
use std::io::{Read, Write};
use std::net::TcpStream;

/// A plan of a scenario's text on loopback: `client`, `server`, a link, and what is said.
pub(super) fn planned(said: &str) -> Plan {
    let mut plan =
        sample::plan(&format!("topology {{ node client, server\n link client <-> server }}\n{said}\nexpect {{ f.sent > 0 }}")).unwrap();
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), free_port());
    plan.flows.iter_mut().for_each(|flow| flow.target = address);
    plan.listeners.iter_mut().for_each(|listener| (listener.address, listener.port) = (address.ip(), address.port()));
    plan
}

pub(super) async fn series_of(plan: Plan) -> FlowSeries {
    let mut running = start(plan).await;
    running.ended().await;
    running.finish().await
}

/// What went wrong: step and words.
pub(super) fn failures(series: &FlowSeries) -> Vec<(&str, &str)> {
    series.failures.iter().map(|failure| (failure.step.as_str(), failure.what.as_str())).collect()
}

#[tokio::test]
async fn requests_and_answers_are_filled_counted_and_known_by_their_node() {
    let series = series_of(planned(
        "service web on server { listen http :8080 { path \"/\" { body 1KiB  header \"server\" = \"scn\" } path \"/up/\" { status 201  body 5B } } }
         flow f from client to web { over http { path \"/up/x\"  method PUT  body 3KiB  status 201  header \"accept\" = \"*/*\" }
         connections 2  total 4  transactions 25 }",
    ))
    .await;
    assert_eq!((done(&series), series.items.len(), failures(&series)), (100, 100, vec![]));
    assert_eq!(series.connections.len(), 4);
    assert!(series.connections.iter().all(|c| c.transactions == 25 && c.end == ConnectionEnd::Closed && c.backend == 1));
    assert!(series.items.iter().all(|item| (item.forward_bytes, item.back_bytes, item.backend) == (3072, 5, 1)), "{:?}", series.items[0]);
}

#[tokio::test]
async fn a_flow_to_a_node_is_answered_as_it_expects() {
    let series = series_of(planned("flow f from client to server { over http { method HEAD  status 204 }  total 5 }")).await;
    assert_eq!((done(&series), series.connections.len(), failures(&series)), (5, 5, vec![]));
}

/// The pattern of a page with a form: a text and filling, each way.
const FORM: &str = "pattern form {
    client sends \"POST /form HTTP/1.1\\r\\nHost: ${client.name}\\r\\nContent-Length: 500\\r\\n\\r\\n\"
    server expects /^POST (?<path>\\S+) HTTP\\/1\\.1\\r\\nHost: client\\r\\n(?:[^\\r\\n]+\\r\\n)*\\r\\n/
    client sends 500B
    server sends \"HTTP/1.1 200 OK\\r\\nETag: ${path}\\r\\nContent-Length: 70000\\r\\n\\r\\n\"
    client expects /^HTTP\\/1\\.1 200 OK\\r\\nETag: \\/form\\r\\n(?:[^\\r\\n]+\\r\\n)*\\r\\n/
    server sends 70kB
}
";

#[tokio::test]
async fn a_pattern_is_played_by_both_sides() {
    let series =
        series_of(planned(&format!("{FORM} flow f from client to server over http {{ pattern form  total 3  transactions 10 }}"))).await;
    assert_eq!((done(&series), failures(&series)), (30, vec![]));
    assert!(series.items.iter().all(|item| item.back_bytes > 70_000 && item.forward_bytes > 500 && item.backend == 1));
}

#[tokio::test]
async fn a_head_without_a_body_is_taken_as_it_was_said() {
    let head = "pattern head {\n client sends \"HEAD / HTTP/1.1\\r\\nHost: s1.example.com\\r\\nConnection: keep-alive\\r\\n\\r\\n\"\n
                server sends \"HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nContent-Length: 0\\r\\nConnection: keep-alive\\r\\nETag: \\\"10\\\"\\r\\n\\r\\n\"\n}\n";
    let series =
        series_of(planned(&format!("{head} flow f from client to server over http {{ pattern head  total 2  transactions 3 }}"))).await;
    assert_eq!((done(&series), failures(&series)), (6, vec![]));
}

#[tokio::test]
async fn a_wrong_status_fails_the_request_and_is_told() {
    let series = series_of(planned(
        "service web on server { listen http :8080 { path \"/\" { status 503 } } }
         flow f from client to web { over http { path \"/x?y\" }  total 2 }",
    ))
    .await;
    assert_eq!(done(&series), 0);
    assert_eq!(failures(&series), [("GET /x?y", "got status 503 Service Unavailable, expected 200 to 399")]);
    assert!(series.failures[0].span.is_some() && series.failures[0].count == 2);
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Mismatch));
}

#[tokio::test]
async fn a_pattern_that_is_no_message_fails_with_what_is_missing() {
    let talk = "pattern talk {\n client sends \"hello\\r\\n\"\n server sends \"hello\\r\\n\"\n}\n";
    let series = series_of(planned(&format!("{talk} flow f from client to server over http {{ pattern talk  total 1 }}"))).await;
    assert_eq!(done(&series), 0);
    assert!(series.failures[0].what.contains("no request of HTTP/1.1"), "{:?}", series.failures);
}

/// Asks a service by other means than a flow; the warnings of the run, and what came back.
async fn stranger(said: &str, text: &'static str) -> (Vec<String>, String) {
    let running = start(planned(said)).await;
    let target = running.traffic.shared.plan.listeners[0].port;
    let client = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut came = Vec::new();
        let _ = stream.read_to_end(&mut came);
        String::from_utf8_lossy(&came).into_owned()
    });
    let came = client.await.unwrap();
    (running.traffic.finish().await.warnings, came)
}

#[tokio::test]
async fn what_is_no_request_is_told() {
    let web = "service web on server { listen http :8080 { path \"/\" { body 5B } } }
               flow f from client to web { over http  total 1 }
               timeline { at 1s  start f }";
    let (warnings, came) = stranger(web, "HELO example.com\r\n\r\n").await;
    assert!(came.starts_with("HTTP/1.1 400 "), "{came}");
    let told = |warning: &String| warning.contains("request to web: no request of HTTP/1.1");
    assert!(warnings.iter().any(told), "{warnings:?}");
    let (warnings, came) = stranger(web, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(came.starts_with("HTTP/1.1 200 ") && !warnings.iter().any(told), "{came} {warnings:?}");
}

#[tokio::test]
async fn a_body_that_the_server_does_not_ask_for_is_told() {
    let patterns =
        "pattern asks {\n client sends \"PUT / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 500\\r\\n\\r\\n\"\n client sends 500B\n
                    client expects /^HTTP/\n}\n
                    pattern hears {\n server expects /^PUT \\//\n server sends \"HTTP/1.1 204 No Content\\r\\n\\r\\n\"\n}\n";
    let series = series_of(planned(&format!(
        "{patterns} service web on server {{ listen http :8080  serve hears }}
         flow f from client to web {{ over http  pattern asks  total 2 }}"
    )))
    .await;
    let told = series.failures.iter().find(|failure| failure.step == "answer to PUT /").expect("it is told");
    assert_eq!((told.what.as_str(), told.count), ("500 of 500 bytes of the request's body were not asked for", 2));
}

/// A flow of five connections with a request each against a server written for the test, which gets the connection after each request.
async fn against(said: &str, mut serve: impl FnMut(&mut TcpStream) -> bool + Send + 'static) -> FlowSeries {
    let plan = planned(&format!("flow f from client to server {{ over http {{ {said} }}  total 5  reconnect after 1ms }}"));
    let port = plan.flows[0].target.port();
    serve_on(port, move |mut stream| {
        let mut came = Vec::new();
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            came.extend_from_slice(&piece[..count]);
            if came.ends_with(b"\r\n\r\n") && !serve(&mut stream) {
                break;
            }
        }
    });
    series_of(Plan { listeners: Vec::new(), ..plan }).await
}

fn answer(text: &'static str) -> impl FnMut(&mut TcpStream) -> bool + Send {
    move |stream| stream.write_all(text.as_bytes()).is_ok()
}

#[tokio::test]
async fn answers_of_other_servers_are_taken() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    ] {
        let series = against("", answer(text)).await;
        assert_eq!((done(&series), failures(&series)), (5, vec![]), "{text}");
        assert!(series.items.iter().all(|item| item.back_bytes == 5 && item.backend == u16::MAX), "{text}");
    }
}

#[tokio::test]
async fn what_breaks_an_answer_is_told_as_what_it_is() {
    let early = "the peer closed the connection before the answer was whole";
    let cases: [(&'static str, ConnectionEnd, &str); 4] = [
        ("", ConnectionEnd::EarlyClose, early),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", ConnectionEnd::EarlyClose, early),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nscn-filling: 5\r\n\r\nhello",
            ConnectionEnd::Mismatch,
            "a body of 5 bytes: byte 0 is wrong",
        ),
        ("220 smtp.example.com ready\r\n", ConnectionEnd::Mismatch, "no answer of HTTP/1.1"),
    ];
    for (text, end, what) in cases {
        let series = against("path \"/p\"", move |stream| {
            let _ = stream.write_all(text.as_bytes());
            false
        })
        .await;
        assert_eq!((done(&series), series.failures.len()), (0, 1), "{text}: {:?}", series.failures);
        let failure = &series.failures[0];
        assert!(failure.step == "GET /p" && failure.what.starts_with(what) && failure.count == 5, "{failure:?}");
        assert!(series.connections.iter().all(|c| c.end == end), "{text}: {:?}", series.connections);
        let corrupt = if text.contains("scn-filling") { vec![CorruptionKind::Content; 5] } else { vec![] };
        assert_eq!(series.corrupt.iter().map(|c| c.kind).collect::<Vec<_>>(), corrupt, "{text}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_after_the_flows_own_limit() {
    let mut plan = planned("flow f from client to server { over http  total 1  timeout { response 200ms } }");
    plan.listeners.clear();
    let port = plan.flows[0].target.port();
    let mut held = Vec::new();
    serve_on(port, move |stream| held.push(stream));
    let series = series_of(plan).await;
    assert_eq!(failures(&series), [("GET /", "no whole answer: nothing came within 200ms")]);
    assert_eq!(series.connections[0].end, ConnectionEnd::Timeout);
    let item = &series.items[0];
    assert!(item.done_ns - item.sent_ns >= 200_000_000, "{item:?}");
}

#[tokio::test]
async fn a_connection_that_the_server_ends_after_its_answer_is_succeeded_by_another() {
    let mut plan = planned("flow f from client to server { over http  rate 20/s  duration 400ms }");
    plan.listeners.clear();
    let port = plan.flows[0].target.port();
    serve_on(port, |mut stream| {
        let mut came = Vec::new();
        let mut piece = [0; 1024];
        while !came.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(count @ 1..) => came.extend_from_slice(&piece[..count]),
                _ => return,
            }
        }
        // It is not announced: the client sees it while it waits for its next request's time.
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    });
    let series = series_of(plan).await;
    assert_eq!((done(&series), failures(&series)), (8, vec![]));
    assert!(series.connections.iter().all(|c| c.transactions <= 1 && c.end == ConnectionEnd::Closed), "{:?}", series.connections);
}

/// Reads an answer's head and so many bytes of its body.
fn read_answer(stream: &mut TcpStream, body: usize) -> String {
    let mut came = Vec::new();
    let mut byte = [0];
    while !came.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        came.push(byte[0]);
    }
    stream.read_exact(&mut vec![0; body]).unwrap();
    String::from_utf8(came).unwrap()
}

#[tokio::test]
async fn who_is_under_way_when_a_service_over_http_stops_is_served() {
    for _ in 0..3 {
        let plan = planned(
            "service web on server { listen http :8080 { path \"/\" { body 100B } } }
             flow f from client to web { over http  connections 50  duration 60s }",
        );
        let mut running = start(plan).await;
        running.at_least("transactions", 500).await;
        running.traffic.stop_service(ServiceId(0), &[NodeId(1)]);
        running.at_least("failed_connects", 100).await;
        running.stop().await;
        let series = running.finish().await;
        assert!(series.items.iter().all(|item| item.outcome != ItemOutcome::Failed), "{:?}", series.failures);
    }
}

#[tokio::test]
async fn a_stopped_service_ends_its_connections_after_their_answers() {
    let plan = planned(
        "service web on server { listen http :8080 { path \"/\" { body 100B } } }
         flow f from client to web { over http  connections 1  rate 1/s  duration 60s }",
    );
    let target = plan.flows[0].target;
    let mut running = start(plan).await;
    running.at_least("transactions", 1).await;
    let client = tokio::task::spawn_blocking(move || {
        let open = || {
            let stream = TcpStream::connect(target).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream
        };
        let (mut idle, mut busy) = (open(), open());
        idle.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let head = read_answer(&mut idle, 100);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Scn-Node: server\r\n") && !head.contains("close"), "{head}");
        busy.write_all(b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").unwrap();
        let head = read_answer(&mut busy, 0);
        assert!(head.starts_with("HTTP/1.1 100 "), "the server waits for the body: {head}");
        (idle, busy)
    });
    let (mut idle, mut busy) = client.await.unwrap();
    running.traffic.stop_service(ServiceId(0), &[NodeId(1)]);
    let client = tokio::task::spawn_blocking(move || {
        assert_eq!(idle.read(&mut [0]).unwrap(), 0, "an idle connection ends");
        busy.write_all(b"body").unwrap();
        let head = read_answer(&mut busy, 100);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.to_lowercase().contains("connection: close\r\n"), "{head}");
        assert_eq!(busy.read(&mut [0]).unwrap(), 0, "and the other after its answer");
    });
    client.await.unwrap();
    running.at_least("failed_connects", 1).await;
    running.stop().await;
    let series = running.finish().await;
    // The flow's own connection was idle: it ended in good order, and only the attempts after it failed.
    assert_eq!(series.connections[0].end, ConnectionEnd::Closed);
    assert!(series.items.iter().all(|item| item.outcome != ItemOutcome::Failed), "{:?}", series.failures);
}
