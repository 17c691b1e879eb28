//! Requests and answers over HTTP/2: several at once on one connection, what is checked, and how streams and connections end.

use super::http::{failures, planned, series_of};
use super::*;
use hyper::body::Bytes;
use scn_reports::record::flow::ConnectionEnd;
use std::io::{Read, Write};

/// A service and a flow to it.
const WEB: &str = "service web on server { listen http :8080 { path \"/\" { body 1KiB } path \"/up/\" { status 201  body 5B } } }\n";

#[tokio::test]
async fn requests_share_a_connection_and_are_filled_counted_and_known_by_their_node() {
    let series = series_of(planned(&format!(
        "{WEB} flow f from client to web {{ over http {{ version 2  streams 8  path \"/up/x\"  method PUT  body 200KiB  status 201 }}
         connections 2  total 4  transactions 25 }}"
    )))
    .await;
    assert_eq!((done(&series), series.items.len(), failures(&series)), (100, 100, vec![]));
    assert_eq!(series.connections.len(), 4);
    assert!(series.connections.iter().all(|c| c.transactions == 25 && c.end == ConnectionEnd::Closed && c.backend == 1));
    let seen = |item: &Item| (item.forward_bytes, item.back_bytes, item.backend, item.status);
    assert!(series.items.iter().all(|item| seen(item) == (204_800, 5, 1, 201)), "{:?}", series.items[0]);
    let most =
        series.items.iter().map(|item| series.items.iter().filter(|other| under_way(other, item.sent_ns, item.connection)).count()).max();
    assert_eq!(most, Some(8), "requests under way at once on one connection");
}

fn under_way(item: &Item, at_ns: i64, connection: u32) -> bool {
    item.connection == connection && item.sent_ns <= at_ns && at_ns < item.done_ns
}

#[tokio::test]
async fn starts_of_the_clock_are_taken_by_streams_that_are_free() {
    let pattern = "pattern slow {\n client sends \"GET /${client.name} HTTP/1.1\\r\\nHost: ${client.name}\\r\\n\\r\\n\"
         server expects /^GET \\/client HTTP\\/1\\.1\\r\\nHost: client\\r\\n/\n server pauses 100ms
         server sends \"HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\n\"\n server sends \"fine\"\n client expects /fine$/\n}\n";
    let flow = "flow f from client to server { over http { version 2  streams 20 }  pattern slow  rate 100/s  duration 500ms }";
    let series = series_of(planned(&format!("{pattern} {flow}"))).await;
    // 100 starts a second that each last 100 ms need 10 at once; one connection has them all.
    assert_eq!((series.items.len(), done(&series), failures(&series), series.connections.len()), (50, 50, vec![], 1));
    assert!(series.items.iter().all(|item| item.backend == 1 && item.status == 200));
}

#[tokio::test]
async fn a_wrong_status_fails_the_request_and_the_others_come_to_their_end() {
    let series = series_of(planned(
        "service web on server { listen http :8080 { path \"/\" { status 503 } } }
         flow f from client to web { over http { version 2  streams 3  path \"/x?y\" }  total 2  transactions 9 }",
    ))
    .await;
    assert_eq!((done(&series), series.connections.len()), (0, 2));
    assert_eq!(failures(&series), [("GET /x?y", "got status 503 Service Unavailable, expected 200 to 399")]);
    assert!(series.items.iter().all(|item| item.status == 503 && item.outcome == ItemOutcome::Failed));
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Mismatch));
}

#[tokio::test]
async fn over_tls_both_ends_agree_on_it() {
    let web = "service web on server { listen http :8443 { path \"/\" { body 64KiB } tls { } } }\n";
    let series = series_of(planned(&format!(
        "{web} flow f from client to web {{ over http {{ version 2  streams 4  tls {{ }} }}  total 3  transactions 40 }}"
    )))
    .await;
    assert_eq!((done(&series), failures(&series)), (120, vec![]));
    assert!(series.connections.iter().all(|c| c.handshake_ns > 0));
    // One who has no HTTP/2 is told.
    let old = web.replace("tls { }", "tls { alpn \"http/1.1\" }");
    let series = series_of(planned(&format!("{old} flow f from client to web {{ over http {{ version 2  tls {{ }} }}  total 1 }}"))).await;
    assert_eq!(series.connections[0].end, ConnectionEnd::Tls);
    assert!(series.failures[0].step.starts_with("TLS handshake"), "{:?}", series.failures);
    let silent = "service web on server { listen tls :8443  serve talk }\npattern talk {\n client sends 10B\n server sends 10B\n}\n";
    let series =
        series_of(planned(&format!("{silent} flow f from client to server:8443 {{ over http {{ version 2  tls {{ }} }}  total 1 }}")))
            .await;
    assert_eq!(series.failures[0].what, "the server did not agree on HTTP/2 (ALPN h2)");
}

#[tokio::test]
async fn who_is_under_way_when_a_service_stops_is_served() {
    let plan =
        planned(&format!("{WEB} flow f from client to web {{ over http {{ version 2  streams 5 }}  connections 10  duration 60s }}"));
    let mut running = start(plan).await;
    running.at_least("http.successes", 500).await;
    running.traffic.stop_service(ServiceId(0), &[NodeId(1)]);
    running.at_least("failed_connects", 20).await;
    running.stop().await;
    let series = running.finish().await;
    assert!(series.connections[..10].iter().all(|c| c.end == ConnectionEnd::Closed), "{:?}", series.connections[0]);
    assert!(series.items.iter().all(|item| item.outcome != ItemOutcome::Failed), "{:?}", series.failures);
}

/// A flow against a server that takes two requests at once on a connection, and answers each 200 ms after it came. Out: what the flow saw, and its warnings.
async fn against_a_narrow_one(load: &str) -> (FlowSeries, Vec<String>) {
    let plan = planned(&format!("flow f from client to server {{ over http {{ version 2  streams 8  path \"/p\" }}  {load} }}"));
    let listener = tokio::net::TcpListener::bind(plan.flows[0].target).await.unwrap();
    let server = tokio::spawn(async move {
        loop {
            let stream = listener.accept().await.unwrap().0;
            tokio::spawn(async move {
                let Ok(mut connection) = h2::server::Builder::new().max_concurrent_streams(2).handshake::<_, Bytes>(stream).await else {
                    return;
                };
                while let Some(Ok((_, mut answer))) = connection.accept().await {
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        let _ = answer.send_response(hyper::Response::new(()), true);
                    });
                }
            });
        }
    });
    let mut running = start(Plan { listeners: Vec::new(), ..plan }).await;
    running.ended().await;
    server.abort();
    let mut result = running.finish_all().await;
    (result.flows.remove(0), result.warnings)
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_the_server_takes() {
    // The first is sent before the server has said what it takes; the others are due every 25 ms, and each is answered after 200 ms.
    for (load, ends) in [("rate 40/s  duration 500ms", false), ("rate 40/s  total 1  transactions 6", true)] {
        let (series, warnings) = against_a_narrow_one(load).await;
        assert_eq!(failures(&series), [], "{load}");
        let sent: Vec<&Item> = series.items.iter().filter(|item| item.outcome == ItemOutcome::Done).collect();
        let most = sent.iter().map(|item| sent.iter().filter(|other| under_way(other, item.sent_ns, item.connection)).count()).max();
        assert_eq!(most, Some(2), "{load}");
        let lanes = if ends { 6 } else { 8 };
        assert_eq!(warnings, [format!("the server of f takes 2 requests at once on a connection, not {lanes}")]);
        if ends {
            assert_eq!(sent.len(), 6);
        } else {
            assert_eq!(series.items.len(), 20);
            assert!(
                series.items.iter().all(|item| [ItemOutcome::Done, ItemOutcome::Dropped].contains(&item.outcome)),
                "what was not sent is not lost"
            );
        }
    }
}

#[tokio::test]
async fn what_a_server_takes_is_known_from_the_connection_before() {
    let (series, _) = against_a_narrow_one("total 4  transactions 4").await;
    let failed: Vec<&Item> = series.items.iter().filter(|item| item.outcome == ItemOutcome::Failed).collect();
    assert!(!failed.is_empty() && failed.iter().all(|item| item.connection == 0), "{failed:?}");
    assert!(failures(&series).iter().all(|(_, what)| *what == "the server reset the stream (RST_STREAM, REFUSED_STREAM)"));
    assert_eq!(series.items.iter().filter(|item| item.connection > 0).count(), 12);
}

/// A frame of HTTP/2: type, stream, payload.
fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
}

const SETTINGS: u8 = 4;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

/// A flow with three requests at once against a server written for the test, which answers the first with these bytes and goes.
async fn against(answer: Vec<u8>) -> FlowSeries {
    let plan = planned("flow f from client to server { over http { version 2  streams 3  path \"/p\" }  total 1  transactions 3 }");
    let port = plan.flows[0].target.port();
    serve_on(port, move |mut stream| {
        let mut came = Vec::new();
        let mut piece = [0; 4096];
        // The preface, and then three frames of type 1: HEADERS.
        while headers_in(&came) < 3 {
            let Ok(count @ 1..) = stream.read(&mut piece) else { return };
            came.extend_from_slice(&piece[..count]);
        }
        stream.write_all(&answer).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        while let Ok(1..) = stream.read(&mut piece) {}
    });
    series_of(Plan { listeners: Vec::new(), ..plan }).await
}

fn headers_in(came: &[u8]) -> usize {
    let (mut rest, mut count) = (came.get(24..).unwrap_or_default(), 0);
    while rest.len() >= 9 {
        let length = usize::from(rest[0]) << 16 | usize::from(rest[1]) << 8 | usize::from(rest[2]);
        count += usize::from(rest[3] == 1);
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    count
}

#[tokio::test]
async fn what_breaks_a_request_is_told_as_what_it_is() {
    let words = |numbers: &[u32]| numbers.iter().flat_map(|number| number.to_be_bytes()).collect::<Vec<_>>();
    let early = "the peer closed the connection before the answer was whole";
    let cases = [
        (frame(SETTINGS, 0, &[]), ConnectionEnd::EarlyClose, vec![early]),
        (
            [frame(SETTINGS, 0, &[]), frame(RST_STREAM, 3, &words(&[7]))].concat(),
            ConnectionEnd::Other,
            vec!["the server reset the stream (RST_STREAM, REFUSED_STREAM)", early],
        ),
        (
            [frame(SETTINGS, 0, &[]), frame(GOAWAY, 0, &words(&[1, 0]))].concat(),
            ConnectionEnd::Other,
            vec!["the server ended the connection before it took the request (GOAWAY, NO_ERROR)", early],
        ),
        (
            [frame(SETTINGS, 0, &[]), frame(GOAWAY, 0, &words(&[5, 11]))].concat(),
            ConnectionEnd::Other,
            vec!["the server ended the connection (GOAWAY, ENHANCE_YOUR_CALM)"],
        ),
        (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(), ConnectionEnd::Mismatch, vec!["no answer of HTTP/2: "]),
    ];
    for (answer, end, told) in cases {
        let series = against(answer).await;
        let found = failures(&series);
        assert!(found.iter().all(|(step, _)| *step == "GET /p"), "{found:?}");
        assert!(told.iter().all(|told| found.iter().any(|(_, what)| what.starts_with(told))), "{told:?}: {found:?}");
        assert_eq!((done(&series), series.items.len()), (0, 3), "{found:?}");
        assert_eq!(series.connections.iter().map(|c| c.end).collect::<Vec<_>>(), [end], "{found:?}");
    }
}
