//! HTTP/1.1 and HTTP/2 in real namespaces, as root and as an ordinary user, against real programs: HAProxy between both ends, nginx as a server,
//! curl and h2load as clients.

use crate::built::{Ended, Place, User, scenario, skip, until_told};

/// Both users, where they can be had.
pub fn places() -> Vec<Place> {
    [User::Own, User::Ordinary].into_iter().filter_map(Place::of).collect()
}

/// Runs a scenario that must pass; `None`, said as a skip, where a program is missing.
pub fn passes(place: &Place, name: &str, text: &str) -> Option<serde_json::Value> {
    place.write(&format!("{name}.scn"), text);
    let ended: Ended = until_told(|| place.scn(&["run", &format!("{name}.scn")]));
    if ended.code == Some(4) {
        skip(&format!("{name}: {}", ended.stdout));
        return None;
    }
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
    let mut records = std::fs::read_dir(place.path().join("scn-results")).unwrap().map(|entry| entry.unwrap().path());
    let record = records.find(|path| path.to_string_lossy().ends_with(".run.json")).expect("a record");
    Some(serde_json::from_str(&std::fs::read_to_string(record).unwrap()).unwrap())
}

/// What went wrong in a flow: step and words.
pub fn failures(record: &serde_json::Value, flow: &str) -> Vec<(String, String)> {
    let flow = record["flows"].as_array().unwrap().iter().find(|f| f["name"] == flow).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    flow["failures"].as_array().unwrap().iter().map(|f| (text(&f["step"]), text(&f["what"]))).collect()
}

#[test]
fn a_server_dies_behind_haproxy_and_no_request_fails() {
    for place in places() {
        let Some(record) = passes(&place, "haproxy", &scenario("haproxy.scn")) else { return };
        assert_eq!(record["warnings"], serde_json::json!([]));
        assert_eq!(failures(&record, "visitors"), []);
    }
}

/// nginx answers some paths, and keeps a connection for 50 requests.
const NGINX: &str = r#"scn 1
scenario to_nginx {
    needs tool nginx
    timeout 30s
    topology {
        node client, web
        link client 10.1.0.10/24 <-> web 10.1.0.1/24
    }
    process site on web {
        file "nginx.conf" = """
            user root;
            daemon off;
            worker_processes 1;
            pid /run/nginx.pid;
            error_log stderr info;
            events {
                worker_connections 512;
            }
            http {
                access_log off;
                client_body_temp_path /run/body;
                proxy_temp_path /run/proxy;
                fastcgi_temp_path /run/fastcgi;
                uwsgi_temp_path /run/uwsgi;
                scgi_temp_path /run/scgi;
                keepalive_requests 50;
                server {
                    listen 8080;
                    location / {
                        return 200 "hello\\n";
                    }
                    location /moved {
                        return 302 /;
                    }
                    location /gone {
                        return 410;
                    }
                    location /mirror {
                        return 201 "$request_method $http_x_word $content_length $host";
                    }
                }
                server {
                    listen 8082 http2;
                    location / {
                        return 200 "$server_protocol $host";
                    }
                    location /mirror {
                        return 201 "$request_method $http_x_word $content_length $host";
                    }
                }
            }
            """
        run "nginx -e stderr -c ${dir}/nginx.conf"
        ready tcp 10.1.0.1:8080 within 5s
        stop SIGQUIT within 3s
    }
    pattern mirrored {
        client sends "PUT /mirror HTTP/1.1\r\nHost: site\r\nX-Word: ${client.name}\r\nContent-Length: 4\r\n\r\n"
        client sends "body"
        client expects /^HTTP\/1\.1 201 Created\r\n(?:[^\r\n]+\r\n)*\r\nPUT client 4 site/
    }
    # A session on one connection: what nginx sets is said back to it.
    pattern tour {
        client sends "GET / HTTP/1.1\r\nHost: site\r\n\r\n"
        client expects /^HTTP\/1\.1 200 /
        repeat 1..3 {
            client sends "PUT /mirror HTTP/1.1\r\nHost: site\r\nX-Word: again\r\n\r\n"
            client sends random 40B..100kB
            client expects /\r\n\r\nPUT again \d+ site$/
            pause 1ms
        }
        client sends "HEAD /gone HTTP/1.1\r\nHost: site\r\n\r\n"
        client expects "HTTP/1.1 410"
        client closes
    }
    pattern again {
        repeat 2 {
            client sends "PUT /mirror HTTP/1.1\r\nHost: site\r\nX-Word: again\r\n\r\n"
            client sends 10kB
            client expects /\r\n\r\nPUT again 10000 site$/
        }
    }
    flow toured from client to site:8080 over http { pattern tour  total 5 }
    flow second_tour from client to site:8082 { over http { version 2  streams 3 }  pattern again  total 2  transactions 9 }
    flow held   from client to site:8080 over http { rate 200/s  connections 2  total 2  transactions 120 }
    flow each   from client to site:8080 over http { total 60  connections 3 }
    flow moved  from client to site:8080 { over http { path "/moved" }  total 3 }
    flow gone   from client to site:8080 { over http { path "/gone"  status 410 }  total 3 }
    flow filled from client to site:8080 { over http { path "/mirror"  method POST  body 10KiB  header "x-word" = "a b" }  total 3 }
    flow wrong  from client to site:8080 { over http { path "/gone" }  total 3 }
    flow put    from client to site:8080 over http { pattern mirrored  total 3  transactions 5 }
    flow crowd  from client to site:8082 { over http { version 2  streams 10 }  total 3  transactions 40 }
    flow paced  from client to site:8082 { over http { version 2  streams 4 }  rate 200/s  total 1  transactions 120 }
    flow bodies from client to site:8082 { over http { version 2  streams 3  path "/mirror"  method POST  body 100KiB }  total 2  transactions 6 }
    flow second from client to site:8082 { over http { version 2  streams 2 }  pattern mirrored  total 2  transactions 6 }
    flow old    from client to site:8080 { over http { version 2 }  total 2  reconnect after 1ms }
    expect {
        each.transactions == 60
        each.connections == 60
        each.failed_connections == 0
        moved.transactions == 3
        gone.transactions == 3
        filled.transactions == 3
        wrong.failed_transactions == 3
        put.transactions == 15
        crowd.transactions == 120
        crowd.http.successes == 120
        crowd.failed_connections == 0
        crowd.connections == 3
        # nginx ends a connection of HTTP/2 after 50 requests too, and says so: those that it does not take any more fail.
        paced.transactions >= 50
        paced.failed_connections <= 1
        bodies.transactions == 12
        second.transactions == 12
        old.failed_transactions == 2
        gone.http.client_errors == 3
        moved.http.redirects == 3
        held.failed_transactions == 0
        held.failed_connections == 0
        held.transactions == 100
        held.backends == 0
        toured.transactions == 5
        toured.connections == 5
        toured.http.client_errors == 5
        toured.errors == 0
        second_tour.transactions == 18
        second_tour.errors == 0
    }
}
"#;

#[test]
fn nginx_answers_and_ends_connections_in_its_own_order() {
    for place in places() {
        let Some(record) = passes(&place, "nginx", NGINX) else { return };
        let wrong = ("GET /gone".to_owned(), "got status 410 Gone, expected 200 to 399".to_owned());
        assert_eq!(failures(&record, "wrong"), [wrong]);
        for flow in ["each", "moved", "gone", "filled", "put", "crowd", "bodies", "second", "toured", "second_tour"] {
            assert_eq!(failures(&record, flow), [], "{flow}");
        }
        let ended = "the server ended the connection before it took the request (GOAWAY, NO_ERROR)";
        assert!(failures(&record, "paced").iter().all(|(step, what)| step == "GET /" && what == ended), "{:?}", failures(&record, "paced"));
        let [(_, told)] = failures(&record, "old").try_into().expect("one kind of failure");
        assert!(told.starts_with("no answer of HTTP/2: "), "{told}");
    }
}

/// curl asks services of scn: by path, and one that plays a pattern.
const CURL: &str = r#"scn 1
use std.patterns (http_get)
scenario from_curl {
    needs tool curl, tool h2load
    timeout 30s
    topology {
        node client, server
        link client 10.1.0.10/24 <-> server 10.1.0.1/24
    }
    service web on server {
        listen http :8080 {
            path "/text"  { body "hello\n"  header "x-word" = "a b" }
            path "/big/"  { body 3MiB  status 203 }
            path "/empty" { status 204 }
        }
    }
    service pages on server { listen http :8081  serve http_get("/", 2KiB) }
    pattern pages {
        server expects /^GET \/login /
        server sends "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nin\n"
        server expects /^GET \/page /
        server sends "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npage\n"
        server closes
    }
    pattern leaf {
        server expects /^GET \/page /
        server sends "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npage\n"
        server closes
    }
    service sessions on server { listen http :8082  serve pages }
    service leaves on server { listen http :8083  serve leaf }
    service safe on server { listen http :8443 { path "/text" { body "safe\n" } tls { name "server" } } }
    flow f from client to web { over http { path "/text" }  total 1 }
    timeline {
        at 0ms    run on client "curl -sS -i http://10.1.0.1:8080/text http://10.1.0.1:8080/text?x=1" as text
        at 100ms  run on client "curl -sS -o /dev/null -w '%{http_code} %{size_download} %{num_connects}' -d 12345 http://10.1.0.1:8080/big/x" as big
        at 200ms  run on client "curl -sS -I http://10.1.0.1:8080/big/" as head
        at 300ms  run on client "curl -sS -o /dev/null -w '%{http_code} %{size_download}' http://10.1.0.1:8080/empty" as empty
        at 400ms  run on client "curl -sS -o /dev/null -w '%{http_code}' http://10.1.0.1:8080/none" as none
        at 500ms  run on client "curl -sS -o /dev/null -w '%{http_code} %{size_download}' http://10.1.0.1:8081/" as played
        at 600ms  run on client "curl -sS -o /dev/null -w '%{http_code}' -X DELETE http://10.1.0.1:8081/" as refused
        at 610ms  run on client "curl -sS -i --http2-prior-knowledge http://10.1.0.1:8080/text" as second
        at 620ms  run on client "curl -sS --http2-prior-knowledge -o /dev/null -w '%{http_version} %{http_code} %{size_download}' --data-binary @/bin/sh http://10.1.0.1:8080/big/x" as posted
        at 630ms  run on client "curl -sS --http2-prior-knowledge -o /dev/null -w '%{http_version} %{http_code} %{size_download}' http://10.1.0.1:8081/" as paged
        at 640ms  run on client "curl -sSk -w '%{http_version}' https://10.1.0.1:8443/text" as secure
        at 650ms  run on client "curl -sSk --http1.1 -w '%{http_version}' https://10.1.0.1:8443/text" as older
        at 660ms  run on client "h2load -n 300 -c 3 -m 20 http://10.1.0.1:8080/text" as load
        at 670ms  run on client "curl -sS -i http://10.1.0.1:8082/login http://10.1.0.1:8082/page" as session
        at 680ms  run on client "curl -sS --http2-prior-knowledge -w '%{http_version}' http://10.1.0.1:8083/page" as newer
        at 690ms  run on client "curl -sS -o /dev/null -w '%{http_code}' http://10.1.0.1:8082/page" as early
        when load.status == 0 within 10s  stop web  as over
        at over + 100ms  run on client "curl -sS http://10.1.0.1:8080/text" as stopped
    }
    expect {
        f.transactions == 1
        text.output matches /HTTP\/1\.1 200 OK\r?\n(?:[^\r\n]+\r?\n)*X-Word: a b\r?\n/
        text.output matches /Scn-Node: server/
        text.output matches /hello\n[\s\S]*hello/
        big.output matches /^203 3145728 1/
        head.output matches /Content-Length: 3145728/
        empty.output matches /^204 0/
        none.output matches /^404/
        played.output matches /^200 2048/
        refused.output matches /^400/
        second.output matches /^HTTP\/2 200 ?\r?\n(?:[^\r\n]+\r?\n)*x-word: a b\r?\n/
        second.output matches /scn-node: server/
        posted.output matches /^2 203 3145728/
        paged.output matches /^2 200 2048/
        secure.output matches /^safe\n2/
        older.output matches /^safe\n1\.1/
        load.output matches /300 succeeded, 0 failed, 0 errored/
        session.output matches /^HTTP\/1\.1 200 OK\r?\n(?:[^\r\n]+\r?\n)*\r?\nin\nHTTP\/1\.1 200 OK\r?\n(?:[^\r\n]+\r?\n)*Connection: close\r?\n(?:[^\r\n]+\r?\n)*\r?\npage/
        newer.output matches /^page\n2/
        early.output matches /^400/
        stopped.status == 7
    }
}
"#;

#[test]
fn curl_is_answered() {
    for place in places() {
        if passes(&place, "curl", CURL).is_none() {
            return;
        }
    }
}

#[test]
fn what_http_cannot_do_here_is_refused_before_anything_is_made() {
    let place = Place::new();
    let whole = "scn 1\npattern greeted {\n server sends \"hi\\r\\n\"\n client sends \"ho\\r\\n\"\n}\npattern halved {\n client sends \"GET / HTTP/1.1\\r\\n\\r\\n\"\n client half closes\n server sends \"HTTP/1.1 200 OK\\r\\n\\r\\n\"\n}\nscenario s {\n topology { node a, b\n link a <-> b }\n \
                 flow f from a to b FLOW\n expect { f.sent > 0 }\n}\n";
    for (flow, words) in [
        ("over http { pattern halved  total 1 }", "a pattern over `http` that half closes"),
        ("over http { pattern greeted  total 1 }", "a pattern over `http` that the server begins"),
    ] {
        place.write("s.scn", whole.replace("FLOW", flow));
        let ended = place.scn(&["run", "s.scn", "--message-format", "short"]);
        assert_eq!(ended.code, Some(2), "{flow}: {ended:?}");
        assert!(ended.stderr.contains("not_in_this_version") && ended.stderr.contains(words), "{words}: {}", ended.stderr);
    }
}
