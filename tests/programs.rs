//! Runs with real programs under test, as root and as an ordinary user: starting, readiness, faults, output, ends, and what is said when one
//! fails.

use serde_json::Value;

use crate::built::{Ended, Place, User, scenario, skip, until_told};

/// Both users, where they can be had.
fn places() -> Vec<Place> {
    [User::Own, User::Ordinary].into_iter().filter_map(Place::of).collect()
}

fn assert_passes(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
}

/// The record of the only scenario of `programs.scn`.
fn record(place: &Place) -> Value {
    serde_json::from_str(&place.read("scn-results/programs.programs.run.json")).expect("a record is JSON")
}

/// What a program or command of the record wrote.
fn output(of: &Value) -> Vec<String> {
    let lines = of["output"]["lines"].as_array().expect("an output has lines");
    lines.iter().map(|line| line["text"].as_str().expect("a line has a text").to_owned()).collect()
}

/// Two nodes on a link, `client` and `edge`, and what else the scenario holds.
fn two_nodes(body: &str) -> String {
    let head = "scn 1\n\nsecret token from env SCN_TEST_TOKEN\n\npattern talk {\n client sends \"hello\\n\"\n server expects \"hello\\n\"\n \
                server sends \"hello\\n\"\n client expects \"hello\\n\"\n}\n\n";
    let topology = "topology {\n node client, edge\n link client 10.1.0.10/24 <-> edge 10.1.0.1/24\n}\n";
    format!("{head}scenario programs {{\n timeout 30s\n{topology}{body}\n}}\n")
}

/// A server that sends back what comes to port 80, on `edge`.
const ECHO: &str = r#"
process echo on edge {
    file "lib/echo.py" = """
        import os, signal, socket, threading
        signal.signal(signal.SIGHUP, lambda *_: print("reread", flush=True))
        def serve(connection):
            while data := connection.recv(65536):
                connection.sendall(data)
        listener = socket.create_server(("", 80))
        print("listening on", os.environ["PLACE"], socket.gethostname(), socket.gethostbyname("client"), flush=True)
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()
        """
    env PLACE = "${node.name} with ${token}"
    run "python3 ${dir}/lib/echo.py"
    ready log /^listening/ within 10s
}
flow steady from client to echo:80 { pattern talk  connections 4  rate 200/s  reconnect after 20ms }
"#;

fn run(place: &Place, body: &str) -> Ended {
    place.write("programs.scn", two_nodes(body));
    let mut command = place.command(&["run", "programs.scn"]);
    crate::built::finish(command.env("SCN_TEST_TOKEN", "s3cret"))
}

#[test]
fn the_scenarios_with_real_programs_pass() {
    for place in places() {
        for file in ["vrrp.scn", "balancer.scn"] {
            place.write(file, scenario(file));
            let ended = until_told(|| place.scn(&["run", file]));
            if ended.code == Some(4) {
                skip(&format!("{file}: {}", ended.stdout));
                continue;
            }
            assert_passes(&ended);
        }
    }
}

/// How soon another way is found hangs on what the routers see: a link that falls, or nothing at all.
#[test]
fn routing_daemons_find_another_way() {
    for place in places() {
        for file in ["ospf.scn", "bgp.scn"] {
            place.write(file, scenario(file));
            // They wait for the timers of routers nearly all the time, and disturb each other little.
            let ended = until_told(|| place.scn(&["run", "--jobs", "3", file]));
            if ended.code == Some(4) {
                skip(&format!("{file}: {}", ended.stdout));
                continue;
            }
            assert_passes(&ended);
        }
    }
}

#[test]
fn a_program_is_struck_and_comes_back() {
    let body = format!(
        "{ECHO}\ntimeline {{\n at 0s start steady\n at 500ms for 300ms freeze echo as ice\n at 1500ms signal echo SIGHUP\n \
         at 2s for 200ms kill echo as death\n at 3500ms stop echo as order\n at 3900ms kill echo\n at 4s start echo\n at 4500ms stop steady\n}}\n\
         expect {{\n steady.outage.max >= 250ms during ice..ice + 1s\n steady.failed_connects > 0 after death\n \
         steady.failed_transactions == 0 before death\n echo.exits == 2\n echo.exit == 143\n echo.running\n \
         never not echo.running before death\n echo.exits == 1 within 500ms after death\n echo.output matches /reread/\n echo.memory > 1MiB\n echo.cpu < 200%\n}}\n"
    );
    for place in places() {
        let ended = until_told(|| run(&place, &body));
        assert_passes(&ended);
        let record = record(&place);
        let process = &record["processes"][0];
        let lives = process["lives"].as_array().unwrap();
        let ends: Vec<(i64, bool)> = lives.iter().map(|l| (l["status"].as_i64().unwrap(), l["asked"].as_bool().unwrap())).collect();
        assert_eq!(ends[..2], [(137, true), (143, true)], "{process}");
        assert!(lives.len() >= 3 && lives.iter().all(|life| life["ready_ns"].is_i64()), "{process}");
        let lines = output(process);
        assert!(lines.contains(&"listening on edge with *** edge 10.1.0.10".to_owned()), "{lines:?}");
        let warnings = record["warnings"].to_string();
        assert!(warnings.contains("kill echo on edge had no effect: it does not run"), "{warnings}");
        let texts: Vec<&str> = record["events"].as_array().unwrap().iter().map(|event| event["text"].as_str().unwrap()).collect();
        for text in ["echo on edge ended with signal 9", "echo on edge is ready", "echo on edge ended with signal 15"] {
            assert!(texts.contains(&text), "{text} is missing in {texts:?}");
        }
        let everything = place.read("scn-results/programs.programs.run.json") + &place.read("scn-results/report.html") + &ended.stdout;
        assert!(!everything.contains("s3cret"), "a secret is written nowhere");
        let log = place.read("scn-results/programs.programs.logs/echo@edge.log");
        assert!(log.contains("listening on edge with ***") && log.contains("reread"), "{log}");
    }
}

#[test]
fn a_node_vanishes_without_a_word() {
    let body = format!(
        "{ECHO}\ntimeline {{\n at 0s start steady\n at 1s for 1s vanish edge as gone\n at 5s stop steady\n}}\nexpect {{\n \
         steady.failed_transactions == 0 before gone + 900ms\n steady.failed_connections == 0 before gone + 900ms\n \
         steady.transactions == 0 during gone + 100ms..gone + 900ms\n steady.transactions > 100 after gone + 2500ms\n echo.exits == 1\n}}\n"
    );
    for place in places() {
        assert_passes(&until_told(|| run(&place, &body)));
    }
}

#[test]
fn programs_go_to_the_background_and_are_found_again() {
    let body = r#"
        process daemon on client {
            run "setsid sh -c 'trap \"\" HUP; while :; do sleep 1; done' & echo 'in the background' >&2"
            ready run "pgrep -f '[w]hile :'" within 5s
            stop SIGINT within 200ms
        }
        process names on edge {
            run "exec python3 -c 'import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((\"10.1.0.1\", 53)); time.sleep(99)'"
            ready udp 10.1.0.1:53 within 10s
        }
        flow steady from client to edge { rate 10/s }
        timeline {
            at 0s     start steady
            at 100ms  run on client "pgrep -c -f '[w]hile :'; cat /proc/sys/kernel/hostname; echo $$; exit 3"  as before
            at 300ms  stop daemon
            at 800ms  run on client "pgrep -c -f '[w]hile :'; ls /run/scn"  as after_stop
            at 900ms  restart daemon
            at 1200ms  run on edge "echo lost; sleep 0.3 & echo also >&2"  as quick
            at 2s     stop steady
        }
        expect {
            before.status == 3
            before.output matches /^[1-9]\d*\nclient\n/
            after_stop.output matches /^0\n/
            after_stop.output matches /daemon/
            quick.time < 300ms
            quick.log matches /also/
            not quick.output matches /also/
            daemon.exits == 1
            daemon.log matches /in the background/
            names.running
        }
        "#;
    for place in places() {
        let ended = until_told(|| run(&place, body));
        assert_passes(&ended);
        let record = record(&place);
        assert_eq!(
            record["processes"][0]["lives"][0]["status"], 137,
            "it does not hear SIGINT in the background: {}",
            record["processes"][0]
        );
    }
}

#[test]
fn an_unexpected_death_breaks_the_run_with_its_last_words() {
    for place in places() {
        let body = "process daemon on edge { run \"echo 'no config' >&2; sleep 0.5; exit 3\" }\nflow steady from client to edge { rate 10/s \
                    duration 5s }\nexpect { daemon.running }";
        let ended = run(&place, body);
        assert_eq!(ended.code, Some(5), "{ended:?}");
        assert!(ended.stdout.contains("process daemon on edge ended unasked with status 3; it wrote last: no config"), "{ended:?}");
        let record = record(&place);
        assert_eq!((&record["verdict"], &record["ended"]["how"]), (&"error".into(), &"failed".into()));
        assert_eq!(record["processes"][0]["lives"][0]["asked"], false);
    }
}

#[test]
fn a_program_that_does_not_start_ends_the_run_with_its_words() {
    let place = Place::new();
    let flow = "flow steady from client to edge { rate 10/s  duration 1s }\nexpect { steady.loss == 0% }";
    for (process, words) in [
        ("run \"no-such-program --x\"", "process `p` starts `no-such-program`, which is not on this machine's search path"),
        ("run \"/tmp/own\"", "nodes have a `/run` and a `/tmp` of their own"),
        (
            "run \"sleep 9\"  ready log /up/ within 300ms",
            "was not ready within 300ms: no line of its output matched /up/; it wrote nothing",
        ),
        ("run \"sleep 9\"  ready tcp 10.1.0.1:7 within 300ms", "nothing took a connection at 10.1.0.1:7"),
        ("run \"sleep 9\"  ready udp 10.1.0.1:7 within 300ms", "nothing bound 10.1.0.1:7 over udp"),
        ("run \"sleep 9\"  ready run \"exit 2\" within 300ms", "`exit 2` did not end with 0"),
        ("run \"echo broken; exit 4\"  ready tcp 10.1.0.1:7", "ended with status 4 before it was ready; it wrote last: broken"),
    ] {
        let ended = run(&place, &format!("process p on edge {{ {process} }}\n{flow}"));
        assert_eq!(ended.code, Some(5), "{ended:?}");
        assert!(ended.stderr.contains(words), "{words}\n{}", ended.stderr);
    }
    place.write("programs.scn", two_nodes(&format!("process p on edge {{ run \"echo ${{token}}\" }}\n{flow}")));
    let ended = place.scn(&["run", "programs.scn"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("SCN_TEST_TOKEN, which is not set"), "{ended:?}");
}
