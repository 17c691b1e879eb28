//! TLS in real namespaces, as root and as an ordinary user: what tshark reads in a capture, and other people's ends: openssl s_server and
//! s_client, nginx, curl.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::built::{Place, finish, repository, scenario, skip, until_told};
use crate::http::{failures, passes, places};

/// Says so and gives `false` where a program is missing.
fn there_is(program: &str, argument: &str) -> bool {
    let there = Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success());
    if !there {
        skip(&format!("there is no {program}"));
    }
    there
}

/// The handshakes in a capture: of each message that passes the filter, its fields.
fn handshakes(file: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-r"]).arg(file);
    for port in ["443", "8443", "4430"] {
        tshark.args(["-d", &format!("tcp.port=={port},tls")]);
    }
    tshark.args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let ended = finish(&mut tshark);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn the_tls_scenario_passes_and_tshark_reads_the_same_in_its_packets() {
    if !there_is("tshark", "--version") {
        return;
    }
    for place in places() {
        place.write("tls.scn", scenario("tls.scn"));
        let ended = until_told(|| place.scn(&["run", "tls.scn", "--capture", "all"]));
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        let capture = place.path().join("scn-results/tls.tls.captures/link-access.pcapng");
        let fields = [
            "tcp.dstport",
            "tls.handshake.extensions_server_name",
            "tls.handshake.extensions_alpn_str",
            "tls.handshake.extensions.supported_version",
        ];
        let hellos = handshakes(&capture, "tls.handshake.type == 1", &fields);
        let asked = |port: &str, name: &str, alpn: &str, versions: &str| {
            hellos.iter().filter(|fields| **fields == [port, name, alpn, versions]).count()
        };
        let (both, old) = ("0x0304,0x0303", "0x0303");
        assert_eq!(asked("443", "shop.example.com", "orders/1", both), 60, "{hellos:?}");
        assert_eq!(asked("4430", "shop.example.com", "http/1.1", both), 6, "{hellos:?}");
        assert_eq!(asked("8443", "staff.example.com", "", both), 15 + 10 + 3, "{hellos:?}");
        assert_eq!(asked("443", "shop.example.org", "", both), 3, "{hellos:?}");
        assert_eq!(asked("443", "shop.example.com", "", old), 3, "{hellos:?}");
        assert_eq!(asked("443", "shop.example.com", "mail", both), 3, "{hellos:?}");
        let answers = handshakes(&capture, "tls.handshake.type == 2", &["tcp.srcport", "tls.handshake.extensions.supported_version"]);
        let answered = |port: &str, version: &str| answers.iter().filter(|fields| **fields == [port, version]).count();
        // Who is refused for a name or a protocol is answered first.
        assert_eq!((answered("443", "0x0304"), answered("4430", "0x0304"), answered("8443", "")), (66, 6, 28), "{answers:?}");
        // A certificate is shown in each full handshake of TLS 1.2, where it can be read: not where a session is resumed.
        let shown = handshakes(&capture, "tls.handshake.type == 11 && tcp.srcport == 8443", &["tcp.stream"]);
        assert_eq!(shown.len(), 1 + 10 + 3, "the clerk's sessions are resumed");
        assert_eq!(handshakes(&capture, "_ws.malformed", &["frame.number"]), Vec::<Vec<String>>::new());
    }
}

#[test]
fn a_crowd_is_served_and_an_impostor_refused() {
    for place in places() {
        let text = fs::read_to_string(repository("tests/language/acceptance/tls_crowd.scn")).unwrap();
        let Some(record) = passes(&place, "tls_crowd", &text) else { return };
        assert_eq!(failures(&record, "crowd"), []);
        assert_eq!(failures(&record, "impostor").len(), 1);
    }
}

/// Certificates of an authority, for a server and for a client, beside a scenario and in a folder that nodes see; `None`, said as a
/// skip, without openssl.
fn certificates(place: &Place) -> Option<tempfile::TempDir> {
    if !there_is("openssl", "version") {
        return None;
    }
    // Nodes have a /tmp of their own.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let openssl = |arguments: &str| {
        let ended = finish(Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()));
        assert_eq!(ended.code, Some(0), "{arguments}: {ended:?}");
    };
    openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=authority");
    openssl("req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -days 30 -subj /CN=another");
    for (name, key, names) in [
        ("site", "rsa:2048", "subjectAltName=DNS:site.example.com,IP:10.1.0.1\nextendedKeyUsage=serverAuth\n"),
        ("visitor", "ec -pkeyopt ec_paramgen_curve:prime256v1", "subjectAltName=DNS:visitor\nextendedKeyUsage=clientAuth\n"),
    ] {
        fs::write(folder.path().join("names"), names).unwrap();
        openssl(&format!("req -newkey {key} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(&format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out {name}.pem -extfile names"));
    }
    for file in ["ca.pem", "other.pem", "site.pem", "site.key", "visitor.pem", "visitor.key"] {
        let path = folder.path().join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::copy(&path, place.path().join(file)).unwrap();
    }
    Some(folder)
}

/// Runs a scenario with two nodes, which must pass; `DIR` in it stands for the folder of the certificates.
fn partners(place: &Place, name: &str, body: &str) -> Option<serde_json::Value> {
    let folder = certificates(place)?;
    let head = "scn 1\nscenario tls_partner {\n needs tool openssl, tool curl, tool nginx\n timeout 30s\n topology {\n node client, server\n link client 10.1.0.10/24 <-> server 10.1.0.1/24\n }\n";
    passes(place, name, &format!("{head}{body}\n}}\n").replace("DIR", &folder.path().display().to_string()))
}

/// openssl's server turns each line around.
const TO_OPENSSL: &str = r#"
    process old on server {
        run "openssl s_server -accept 10.1.0.1:4433 -cert DIR/site.pem -key DIR/site.key -tls1_2 -rev -quiet -alpn turn"
        ready tcp 10.1.0.1:4433 within 5s
    }
    process new on server {
        run "openssl s_server -accept 10.1.0.1:4434 -cert DIR/site.pem -key DIR/site.key -tls1_3 -rev -quiet -Verify 1 -verify_return_error -CAfile DIR/ca.pem"
        ready tcp 10.1.0.1:4434 within 5s
    }
    pattern turned {
        client sends "hello ${client.name}\n"
        client expects "tneilc olleh\n"
    }
    flow known   from client to old:4433 { over tls { name "site.example.com"  verify "ca.pem"  alpn "turn" }  pattern turned  total 3  transactions 4 }
    flow address from client to old:4433 { over tls { verify "ca.pem"  versions [1.2] }  pattern turned  total 2 }
    flow blind   from client to old:4433 { over tls { name "nobody.example.com"  verify off }  pattern turned  total 2 }
    flow wary    from client to old:4433 { over tls { name "site.example.com"  verify "other.pem" }  pattern turned  total 2 }
    flow own     from client to old:4433 { over tls { name "site.example.com" }  pattern turned  total 2 }
    flow modern  from client to old:4433 { over tls { verify off  versions [1.3] }  pattern turned  total 2 }
    flow shown   from client to new:4434 { over tls { verify "ca.pem"  certificate "visitor.pem", "visitor.key" }  pattern turned  total 3 }
    flow nameless from client to new:4434 { over tls { verify "ca.pem" }  pattern turned  total 2 }
    expect {
        known.transactions == 12
        known.errors == 0
        address.transactions == 2
        blind.transactions == 2
        wary.failed_connects == 2
        own.failed_connects == 2
        modern.failed_connects == 2
        shown.transactions == 3
        nameless.transactions == 0
        nameless.errors >= 2
    }
"#;

#[test]
fn openssl_serves_flows() {
    for place in places() {
        let Some(record) = partners(&place, "to_openssl", TO_OPENSSL) else { return };
        for flow in ["known", "address", "blind", "shown"] {
            assert_eq!(failures(&record, flow), [], "{flow}");
        }
        let told = |flow: &str| failures(&record, flow).remove(0);
        let (step, what) = told("wary");
        assert_eq!(step, "TLS handshake with 10.1.0.1:4433 as site.example.com");
        assert_eq!(what, "invalid peer certificate: UnknownIssuer (verified by other.pem)");
        assert_eq!(told("own").1, "invalid peer certificate: UnknownIssuer (verified by the run's own authority)");
        assert_eq!(told("modern").1, "received fatal alert: ProtocolVersion");
        let refused = failures(&record, "nameless");
        assert!(refused.iter().any(|(_, what)| what.contains("received fatal alert: CertificateRequired")), "{refused:?}");
    }
}

/// nginx over TLS, with a certificate for its name.
const TO_NGINX: &str = r#"
    process site on server {
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
                server {
                    listen 8443 ssl;
                    ssl_certificate DIR/site.pem;
                    ssl_certificate_key DIR/site.key;
                    ssl_protocols TLSv1.2 TLSv1.3;
                    location / {
                        return 200 "$ssl_protocol $ssl_server_name $ssl_session_reused $ssl_cipher\\n";
                    }
                }
            }
            """
        run "nginx -e stderr -c ${dir}/nginx.conf"
        ready tcp 10.1.0.1:8443 within 5s
        stop SIGQUIT within 3s
    }
    pattern asked {
        client sends "GET / HTTP/1.1\r\nHost: site\r\n\r\n"
        client expects /\r\n\r\nTLSv1\.[23] site\.example\.com [r.] [A-Z0-9_-]+\n/
    }
    flow held from client to site:8443 { over http { tls { name "site.example.com"  verify "ca.pem" } }  rate 100/s  total 2  connections 2  transactions 50 }
    flow each from client to site:8443 { over http { tls { name "site.example.com"  verify "ca.pem"  versions [1.2] } }  connections 3  total 30 }
    flow seen from client to site:8443 { over http { tls { name "site.example.com"  verify "ca.pem" } }  pattern asked  total 3 }
    flow wrong from client to site:8443 { over http { tls { name "site.example.org"  verify "ca.pem" } }  total 3 }
    expect {
        held.transactions == 100
        held.errors == 0
        each.transactions == 30
        each.errors == 0
        seen.transactions == 3
        wrong.failed_connects == 3
    }
"#;

#[test]
fn nginx_serves_requests_over_tls() {
    for place in places() {
        let Some(record) = partners(&place, "to_nginx", TO_NGINX) else { return };
        let (step, what) = failures(&record, "wrong").remove(0);
        assert_eq!(step, "TLS handshake with 10.1.0.1:8443 as site.example.org");
        assert!(what.contains("certificate not valid for name \"site.example.org\"") && what.ends_with("(verified by ca.pem)"), "{what}");
    }
}

/// openssl's client and curl at services of scn, with a certificate from files.
const FROM_OTHERS: &str = r#"
    pattern greeted {
        client sends "hello\n"
        server expects "hello\n"
        server sends "goodbye\n"
        server closes
    }
    service plain on server { listen tls :443 { certificate "site.pem", "site.key"  alpn "greet/2", "greet/1" }  serve greeted }
    service guarded on server { listen tls :444 { certificate "site.pem", "site.key"  verify "ca.pem" }  serve greeted }
    service full on server { listen tls :445 { certificate "site.pem", "site.key"  resumption off }  serve greeted }
    service web on server { listen http :8443 { tls { certificate "site.pem", "site.key"  alpn "http/1.1" }  path "/" { body "hello\n" } } }
    flow f from client to web { over http { tls { name "site.example.com"  verify "ca.pem" } }  total 1 }
    timeline {
        at 0ms    run on client "sh -c 'echo hello | openssl s_client -connect 10.1.0.1:443 -servername site.example.com -verify_hostname site.example.com -CAfile DIR/ca.pem -verify_return_error -alpn greet/1 -ign_eof 2>&1'" as known
        at 300ms  run on client "sh -c 'echo hello | openssl s_client -connect 10.1.0.1:443 -tls1_2 -sess_out /tmp/s12 -ign_eof 2>&1; echo hello | openssl s_client -connect 10.1.0.1:443 -tls1_2 -sess_in /tmp/s12 -ign_eof 2>&1 | grep -a -e ^New, -e ^Reused, -e goodbye'" as again
        at 700ms  run on client "sh -c 'echo hello | openssl s_client -connect 10.1.0.1:445 -tls1_2 -sess_out /tmp/s45 -ign_eof 2>&1 | grep -a -v Session-ID; echo hello | openssl s_client -connect 10.1.0.1:445 -tls1_2 -sess_in /tmp/s45 -ign_eof 2>&1 | grep -a -e ^Reused,'" as never
        at 1100ms run on client "sh -c 'echo hello | openssl s_client -connect 10.1.0.1:444 -cert DIR/visitor.pem -key DIR/visitor.key -ign_eof 2>&1'" as shown
        at 1300ms run on client "sh -c 'echo hello | openssl s_client -connect 10.1.0.1:444 -tls1_2 -ign_eof 2>&1'" as nameless
        at 1500ms run on client "sh -c 'echo hello | openssl s_client -connect 10.1.0.1:443 -alpn mail -ign_eof 2>&1'" as unknown
        at 1700ms run on client "curl -sS -v --cacert DIR/ca.pem --resolve site.example.com:8443:10.1.0.1 https://site.example.com:8443/ https://site.example.com:8443/?x" as fetched
        at 2s     run on client "curl -sS --cacert DIR/other.pem --resolve site.example.com:8443:10.1.0.1 https://site.example.com:8443/" as wary
        at 2200ms run on client "curl -sS -k -o /dev/null -w '%{http_code} %{ssl_verify_result}' --tls-max 1.2 https://10.1.0.1:8443/" as older
    }
    expect {
        f.transactions == 1
        known.output matches /Verification: OK|Verify return code: 0 \(ok\)/
        known.output matches /ALPN protocol: greet\/1/
        known.output matches /TLSv1\.3/
        known.output matches /goodbye/
        again.output matches /Reused, TLSv1\.2[\s\S]*goodbye|goodbye[\s\S]*Reused, TLSv1\.2/
        never.output matches /goodbye/
        not (never.output matches /Reused,/)
        shown.output matches /goodbye/
        nameless.output matches /alert certificate required|handshake failure|alert bad certificate/
        not (nameless.output matches /goodbye/)
        unknown.output matches /no application protocol/
        fetched.status == 0
        fetched.output matches /hello\n[\s\S]*hello/
        wary.status == 60
        older.output matches /^200/
    }
"#;

#[test]
fn openssl_and_curl_are_served() {
    for place in places() {
        let Some(record) = partners(&place, "from_others", FROM_OTHERS) else { return };
        let warnings = record["warnings"].to_string();
        assert!(warnings.contains("TLS handshake at guarded on server: peer sent no certificates"), "{warnings}");
    }
}

#[test]
fn what_cannot_be_had_is_told_before_anything_is_made() {
    let place = Place::new();
    let text = |over: &str| {
        format!(
            "scn 1\nscenario s {{\n topology {{ node a, b\n link a <-> b }}\n flow f from a to b {{ over {over}  total 1 }}\n expect {{ f.transactions == 1 }}\n}}\n"
        )
    };
    place.write("empty.pem", "nothing\n");
    for (over, code, words) in [
        ("tls { verify \"missing.pem\" }", 2, "missing.pem can't be read"),
        ("tls { verify \"empty.pem\" }", 5, "TLS of f: empty.pem holds no certificate"),
        (
            "tls { versions [1.2]  ciphers \"TLS_AES_256_GCM_SHA384\" }",
            5,
            "none of TLS_AES_256_GCM_SHA384 is of the versions that are said",
        ),
        ("tls { ciphers \"TLS_AES_256_GCM_SHA385\" }", 2, "did you mean `TLS_AES_256_GCM_SHA384`"),
    ] {
        place.write("s.scn", text(over));
        let ended = place.scn(&["run", "s.scn"]);
        assert!(ended.stderr.contains(words) || ended.stdout.contains(words), "{over}: {ended:?}");
        assert_eq!(ended.code, Some(code), "{over}: {ended:?}");
    }
}
