//! Patterns of several requests over HTTP/1.1 and HTTP/2: what both sides play, what fails and how it is told, and who ends the connection.

use super::http::{failures, planned, series_of};
use super::*;
use scn_reports::record::flow::ConnectionEnd;
use std::io::{Read, Write};

/// A user logs in, puts and reads notes of a size drawn anew, and logs out. Each side reads of a head no more than it needs.
const NOTES: &str = r#"pattern notes {
    client sends "POST /login HTTP/1.1\r\nHost: site\r\nContent-Length: 4\r\n\r\n"
    client sends "anna"
    server expects /^POST \/login [\s\S]*\r\n\r\nanna/
    server sends "HTTP/1.1 200 OK\r\nSet-Cookie: id=7\r\nContent-Length: 0\r\n\r\n"
    client expects /Set-Cookie: id=(?<id>\d+)/
    repeat 1..3 {
        pause 1ms..2ms
        client sends "PUT /note HTTP/1.1\r\nHost: site\r\nCookie: 7\r\n\r\n"
        server expects /^PUT \/note [\s\S]*Cookie: 7[\s\S]*?\r\n\r\n/
        client sends random 40B..70kB
        server sends "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
        client expects "HTTP/1.1 201"
        choose {
            50% {
                client sends "GET /note HTTP/1.1\r\nHost: site\r\n\r\n"
                server expects "GET /note "
                server sends "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"
                client expects /^HTTP\/1\.1 200 [\s\S]*?\r\n\r\n/
                server sends 300kB
            }
            50% {
                client sends "HEAD /note HTTP/1.1\r\nHost: site\r\n\r\n"
                server expects "HEAD /note "
                server sends "HTTP/1.1 204 No Content\r\n\r\n"
                client expects "HTTP/1.1 204"
            }
        }
    }
    client sends "GET /logout HTTP/1.1\r\nHost: site\r\n\r\n"
    server expects "GET /logout"
    server sends "HTTP/1.1 303 See Other\r\nLocation: /\r\nContent-Length: 5\r\n\r\n"
    client expects "HTTP/1.1 303"
    server sends "Bye.\n"
}
"#;

#[tokio::test]
async fn sessions_of_several_requests_are_played_by_both_sides() {
    for over in ["http", "http { version 2 }", "http { version 2  streams 4 }"] {
        let series = series_of(planned(&format!(
            "{NOTES}flow f from client to server {{ over {over}  pattern notes  connections 2  total 3  transactions 12 }}"
        )))
        .await;
        assert_eq!((done(&series), failures(&series)), (36, vec![]), "{over}");
        assert_eq!(series.connections.len(), 3, "{over}");
        assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed && c.transactions == 12 && c.backend == 1));
        assert!(series.items.iter().all(|item| item.status == 303 && item.backend == 1), "the last answer's");
        let sent: std::collections::BTreeSet<u32> = series.items.iter().map(|item| item.forward_bytes).collect();
        assert!(sent.len() > 30, "each transaction draws anew, on each stream: {sent:?}");
    }
}

#[tokio::test]
async fn a_head_without_a_length_is_compared_as_it_was_said() {
    let get = r#"client sends "GET / HTTP/1.1\r\nHost: s\r\n\r\n""#;
    for steps in [
        format!(r#"{get} server sends "HTTP/1.1 200 OK\r\n\r\nhello""#),
        format!(r#"{get} server sends "HTTP/1.1 200 OK\r\nX-Word: a\r\n\r\n" server sends 100B"#),
        format!(r#"{get} server sends "HTTP/1.1 200 OK\r\n\r\n" client expects "HTTP/1.1 200 OK\r\n\r\n" server sends random 10B..90kB"#),
        format!(r#"{get} server sends "HTTP/1.1 200 OK\r\n\r\n" client expects "HTTP/1.1 200 OK" server sends "bye""#),
        r#"client sends "POST / HTTP/1.1\r\nHost: s\r\n\r\n" client sends 300B server sends "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n""#.to_owned(),
    ] {
        let steps = steps.replace(" server ", "\n server ").replace(" client ", "\n client ");
        for over in ["http", "http { version 2  streams 2 }"] {
            let flow = format!("flow f from client to server {{ over {over}  pattern page  total 1  transactions 3 }}");
            let series = series_of(planned(&format!("pattern page {{\n {steps}\n}}\n{flow}"))).await;
            assert_eq!((done(&series), failures(&series)), (3, vec![]), "{over}: {steps}");
        }
    }
}

/// Two pages, one after the other.
fn pages(end: &str) -> String {
    format!(
        "pattern pages {{\n client sends \"GET /a HTTP/1.1\\r\\nHost: s\\r\\n\\r\\n\"\n server expects /^GET \\/a /\n
         server sends \"HTTP/1.1 200 OK\\r\\nSet-Cookie: id=7\\r\\nContent-Length: 2\\r\\n\\r\\nhi\"\n
         client expects /Set-Cookie: id=(?<id>\\d+)\\r\\n[\\s\\S]*hi$/\n
         client sends \"GET /b HTTP/1.1\\r\\nHost: s\\r\\nCookie: ${{id}}\\r\\n\\r\\n\"\n server expects /^GET \\/b [\\s\\S]*Cookie: 7\\r\\n/\n
         server sends \"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nho\"\n {end}\n}}\n"
    )
}

#[tokio::test]
async fn either_side_ends_the_connection_after_its_answer() {
    for (version, end) in [
        ("1", "client closes"),
        ("1", "server closes"),
        ("1", "server pauses 1ms\n server closes"),
        ("2", "client closes"),
        ("2", "server closes"),
    ] {
        let over = if version == "1" { "http" } else { "http { version 2 }" };
        let series = series_of(planned(&format!(
            "{}flow f from client to server {{ over {over}  pattern pages  total 6  transactions 5 }}",
            pages(end)
        )))
        .await;
        assert_eq!((done(&series), failures(&series), series.connections.len()), (6, vec![], 6), "{version} {end}");
        assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Closed), "{version} {end}: {:?}", series.connections);
    }
}

#[tokio::test]
async fn an_answer_goes_out_before_the_pause_behind_it() {
    let steps = pages("client expects /ho$/\n server pauses 1h");
    let series = series_of(planned(&format!("{steps}flow f from client to server {{ over http  pattern pages  total 2 }}"))).await;
    assert_eq!((done(&series), failures(&series)), (2, vec![]));
}

#[tokio::test]
async fn a_step_that_fails_is_named_by_the_end_that_saw_it() {
    let asks = pages("client expects /ho$/").replace("pattern pages", "pattern asks");
    let other = |from: &str, to: &str| {
        assert!(asks.contains(from), "{from}");
        format!(
            "{asks}{}service web on server {{ listen http :8080  serve says }}
             flow f from client to web {{ over http  pattern asks  total 2  reconnect after 1ms }}",
            asks.replace("pattern asks", "pattern says").replace(from, to)
        )
    };
    // The client does not get what it expects.
    let series = series_of(planned(&other("\\r\\nho\"", "\\r\\nno\""))).await;
    assert_eq!((done(&series), series.items.len()), (0, 2));
    let told = failures(&series);
    let expected =
        |(step, what): &&(&str, &str)| *step == "client expects /ho$/" && what.starts_with("the answer is over after \"HTTP/1.1 200 OK");
    assert!(told.iter().any(|told| expected(&told)), "{told:?}");
    assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::Mismatch));
    // The server does not.
    let series = series_of(planned(&other("/^GET \\/b ", "/^PUT \\/b "))).await;
    let told = failures(&series);
    assert!(
        told.iter().any(|(step, what)| step.starts_with("server expects /^PUT \\/b ") && what.starts_with("the request is over after")),
        "{told:?}"
    );
    assert!(told.iter().any(|(step, _)| *step == "client expects /ho$/"), "the answer is 400: {told:?}");
    assert!(series.items.iter().all(|item| item.status == 400));
}

#[tokio::test]
async fn a_server_that_goes_away_between_two_requests_fails_the_step_of_the_second() {
    for (said, step) in [("", "client expects /ho$/"), ("Connection: close\r\n", "client sends \"GET /b HTTP/1.1")] {
        let plan = planned(&format!(
            "{}flow f from client to server {{ over http  pattern pages  total 3  reconnect after 1ms }}",
            pages("client expects /ho$/")
        ));
        serve_on(plan.flows[0].target.port(), move |mut stream| {
            let (mut came, mut piece) = (Vec::new(), [0; 1024]);
            while !came.ends_with(b"\r\n\r\n") {
                match stream.read(&mut piece) {
                    Ok(count @ 1..) => came.extend_from_slice(&piece[..count]),
                    _ => return,
                }
            }
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nSet-Cookie: id=7\r\nContent-Length: 2\r\n{said}\r\nhi").as_bytes());
            // What announces nothing takes the second request before it goes.
            let _ = said.is_empty() && stream.read(&mut piece).is_ok();
        });
        let series = series_of(Plan { listeners: Vec::new(), ..plan }).await;
        let [(failed, what)] = failures(&series)[..] else { panic!("{said}: {:?}", series.failures) };
        assert!(done(&series) == 0 && failed.starts_with(step) && what == "the peer closed the connection", "{said}: {failed}: {what}");
        assert!(series.connections.iter().all(|c| c.end == ConnectionEnd::EarlyClose), "{:?}", series.connections);
    }
}

#[tokio::test]
async fn who_is_in_the_midst_of_a_session_when_a_service_stops_is_served_to_its_end() {
    for over in ["http", "http { version 2  streams 3 }"] {
        let steps = pages("client expects /ho$/").replace("client sends \"GET /b", "client pauses 20ms\n client sends \"GET /b");
        let mut running = start(planned(&format!(
            "{steps}service web on server {{ listen http :8080  serve pages }}
             flow f from client to web {{ over {over}  pattern pages  connections 10  duration 60s }}"
        )))
        .await;
        running.at_least("transactions", 30).await;
        running.traffic.stop_service(ServiceId(0), &[NodeId(1)]);
        running.at_least("failed_connects", 20).await;
        running.stop().await;
        let series = running.finish().await;
        let failed = series.items.iter().filter(|item| item.outcome == ItemOutcome::Failed).count();
        assert_eq!(failed, 0, "{over}: {:?}", series.failures);
    }
}

#[tokio::test]
async fn a_body_that_is_not_asked_for_is_told_with_the_step_behind_it() {
    let asks = "pattern asks {\n client sends \"PUT /a HTTP/1.1\\r\\nHost: s\\r\\nContent-Length: 500\\r\\n\\r\\n\"\n client sends 500B\n
         client expects /^HTTP/\n client sends \"GET /b HTTP/1.1\\r\\nHost: s\\r\\n\\r\\n\"\n client expects /^HTTP/\n}\n";
    let hears = "pattern hears {\n server expects /^PUT \\/a /\n server sends \"HTTP/1.1 204 No Content\\r\\n\\r\\n\"\n
         server expects /^GET \\/b /\n server sends \"HTTP/1.1 204 No Content\\r\\n\\r\\n\"\n}\n";
    let series = series_of(planned(&format!(
        "{asks}{hears}service web on server {{ listen http :8080  serve hears }}
         flow f from client to web {{ over http  pattern asks  total 2  reconnect after 1ms }}"
    )))
    .await;
    let told = series.failures.iter().find(|failure| failure.step == "server expects /^GET \\/b /").expect("it is told");
    assert_eq!((told.what.as_str(), told.count), ("500 of 500 bytes of the request's body were not asked for", 2));
}
