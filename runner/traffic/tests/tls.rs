//! Flows over TLS: what is measured of them, what is told of handshakes that fail, what waits and gives up.

use super::http::{failures, planned, series_of};
use super::*;
use scn_reports::record::flow::ConnectionEnd;
use std::io::{Read, Write};
use std::net::TcpStream;

#[tokio::test]
async fn transactions_and_handshakes_are_counted() {
    let series = series_of(planned(
        "pattern both(size: size) {\n client sends size\n server sends size\n}
         service web on server { listen tls :443 { name \"www.example.com\" }  serve both(100kB) }
         flow f from client to web { over tls { name \"www.example.com\" }  connections 2  total 4  transactions 5 }",
    ))
    .await;
    assert_eq!((done(&series), failures(&series)), (20, vec![]));
    assert_eq!(series.connections.len(), 4);
    for c in &series.connections {
        assert!(c.handshake_ns > 0 && c.established_ns - c.handshake_ns >= c.opened_ns, "{c:?}");
        assert_eq!((c.end, c.transactions, c.backend), (ConnectionEnd::Closed, 5, 1));
    }
    assert!(series.items.iter().all(|item| (item.forward_bytes, item.back_bytes) == (100_000, 100_000)));
    assert!(series.tcp.iter().any(|sample| sample.server) && series.tcp.iter().any(|sample| !sample.server));
}

#[tokio::test]
async fn patterns_end_connections_as_over_tcp() {
    let halved = "pattern halved {\n client sends \"all\"\n client half closes\n server sends \"well\"\n}\n";
    let greeted = "pattern greeted {\n server sends \"hi\"\n client sends \"ho\"\n client closes\n}\n";
    for (pattern, over) in [("halved", "tls"), ("greeted", "tls { versions [1.2] }")] {
        let text = format!("{halved}{greeted}flow f from client to server {{ over {over}  pattern {pattern}  total 3 }}");
        let series = series_of(planned(&text)).await;
        assert_eq!((done(&series), failures(&series)), (3, vec![]), "{pattern}");
        assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed));
    }
}

#[tokio::test]
async fn http_runs_over_it() {
    let series = series_of(planned(
        "service web on server { listen http :8443 { tls { alpn \"http/1.1\" }  path \"/\" { body 200kB } } }
         flow f from client to web { over http { tls { alpn \"http/1.1\" } }  total 2  transactions 5 }",
    ))
    .await;
    assert_eq!((done(&series), failures(&series)), (10, vec![]));
    assert!(series.connections.iter().all(|c| c.handshake_ns > 0) && series.items.iter().all(|item| item.back_bytes == 200_000));
}

#[tokio::test]
async fn a_refused_certificate_is_a_failed_connect_that_tells_why() {
    let series = series_of(planned(
        "pattern both(size: size) {\n client sends size\n server sends size\n}
         service web on server { listen tls :443 { name \"www.example.com\" }  serve both(64B) }
         flow f from client to web { over tls { name \"www.example.org\" }  total 3  reconnect after 1ms }",
    ))
    .await;
    assert_eq!((series.items.len(), series.connections.len()), (0, 3));
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Tls && c.established_ns == NEVER && c.handshake_ns == 0));
    let [(step, what)] = failures(&series)[..] else { panic!("{:?}", series.failures) };
    assert!(step.starts_with("TLS handshake with 127.0.0.1:") && step.ends_with(" as www.example.org"), "{step}");
    assert!(what.starts_with("invalid peer certificate: certificate not valid for name \"www.example.org\""), "{what}");
    assert!(what.ends_with("(the certificate of web was made for the run; verified by the run's own authority)"), "{what}");
    assert!(series.failures[0].span.is_some());
}

#[tokio::test]
async fn a_server_tells_what_it_has_against_a_client() {
    let series = series_of(planned(
        "pattern both(size: size) {\n client sends size\n server sends size\n}
         service web on server { listen tls :443 { verify on }  serve both(64B) }
         flow f from client to web { over tls { versions [1.2] }  total 2  reconnect after 1ms }",
    ))
    .await;
    assert!(series.items.is_empty() && series.connections.iter().all(|c| c.end == ConnectionEnd::Tls));
    let told = failures(&series);
    let there = told.iter().find(|(step, _)| *step == "TLS handshake at web on server").expect("the server's word");
    assert_eq!(there.1, "peer sent no certificates");
    assert!(told.iter().any(|(_, what)| *what == "received fatal alert: CertificateRequired"), "{told:?}");
}

#[tokio::test]
async fn with_1_3_a_server_refuses_a_client_after_its_handshake() {
    let series = series_of(planned(
        "pattern both(size: size) {\n client sends size\n server sends size\n}
         service web on server { listen tls :443 { verify on }  serve both(64B) }
         flow f from client to web { over tls { versions [1.3] }  total 2  reconnect after 1ms }",
    ))
    .await;
    assert_eq!(done(&series), 0);
    assert!(series.connections.iter().all(|c| c.established_ns != NEVER && c.end != ConnectionEnd::Closed), "{:?}", series.connections);
    assert!(failures(&series).contains(&("TLS handshake at web on server", "peer sent no certificates")), "{:?}", series.failures);
}

/// A flow of two connections over TLS to a server written for the test.
async fn against(said: &str, serve: impl FnMut(TcpStream) + Send + 'static) -> FlowSeries {
    let plan = planned(&format!("flow f from client to server {{ over tls  total 2  reconnect after 1ms\n{said}\n}}"));
    serve_on(plan.flows[0].target.port(), serve);
    series_of(Plan { listeners: Vec::new(), ..plan }).await
}

#[tokio::test]
async fn servers_without_tls_are_found_out() {
    let series = against("", |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    })
    .await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Tls), "{:?}", series.connections);
    assert_eq!(failures(&series)[0].1, "received corrupt message of type InvalidContentType");
    let series = against("", |mut stream| drop(stream.read(&mut [0; 1024]))).await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::EarlyClose), "{:?}", series.connections);
    assert_eq!(failures(&series)[0].1, "the peer closed the connection before the handshake was done");
}

#[tokio::test]
async fn a_server_that_is_silent_in_the_handshake_is_given_up() {
    let mut held = Vec::new();
    let series = against("timeout { connect 50ms }", move |stream| held.push(stream)).await;
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::ConnectTimeout), "{:?}", series.connections);
    assert_eq!(failures(&series)[0].1, "the connection and its handshake were not done within 50ms");
}
