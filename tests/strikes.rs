//! Services and flows of scn itself that the timeline kills, freezes and lets vanish, as root and as an ordinary user: what the record says, and what
//! somebody sees who listens at the client.

use serde_json::Value;

use crate::built::{Ended, Place, User, is_root, skip, until_told};
use crate::observer::beside;

const CLIENT: [u8; 4] = [10, 0, 0, 10];
const PORT: u16 = 5003;

/// Two nodes, with a service and a flow over each transport that this version runs.
fn scenario(body: &str) -> String {
    format!(
        "scn 1
use std.patterns (sym)

scenario strikes {{
    timeout 40s
    topology {{
        node client, server
        link client 10.0.0.10/24 <-> server 10.0.0.1/24
    }}
    service store on server {{ listen tcp :{PORT}  serve sym(64B) }}
    service web on server {{ listen http :8080 {{ path \"/\" {{ body 64B }} }} }}
    service echo on server {{ listen udp :5004  serve sym(64B) }}
    service fast on server {{ listen quic :4433  serve sym(64B) }}
    flow bytes from client to store {{ connections 4  rate 100/s  reconnect after 20ms }}
    flow pages from client to web {{ over http  connections 4  rate 100/s  reconnect after 20ms }}
    flow grams from client to echo over udp {{ rate 100/s }}
    flow swift from client to fast over quic {{ connections 4  rate 100/s  reconnect after 20ms }}
    flow pings from client to server over icmp {{ rate 100/s }}
{body}
}}
"
    )
}

fn run(place: &Place, body: &str) -> (Ended, Value) {
    place.write("strikes.scn", scenario(body));
    let ended = until_told(|| place.scn(&["run", "strikes.scn", "--timing", "ci"]));
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
    let record = serde_json::from_str(&place.read("scn-results/strikes.strikes.run.json")).expect("a record is JSON");
    (ended, record)
}

fn places() -> Vec<Place> {
    [User::Own, User::Ordinary].into_iter().filter_map(Place::of).collect()
}

fn warns(record: &Value, words: &str) -> bool {
    record["warnings"].as_array().expect("warnings").iter().any(|warning| warning.as_str().is_some_and(|text| text.contains(words)))
}

/// What went wrong with a flow in a step of this name, and how often.
fn failure<'a>(record: &'a Value, flow: &str, what: &str) -> Option<&'a Value> {
    let flows = record["flows"].as_array().expect("flows");
    let failures = flows.iter().find(|f| f["name"] == flow).expect("the flow")["failures"].as_array().expect("failures");
    failures.iter().find(|failure| failure["what"].as_str().is_some_and(|text| text.contains(what)))
}

#[test]
fn what_is_frozen_goes_on_where_it_stood() {
    for place in places() {
        let (_, record) = run(
            &place,
            "    timeline {
        at 1s   freeze server for 500ms   as ice
        at 3005ms  freeze client for 1500ms  as frost
        at 6s   mark last
        at 6s   freeze web
        at 6s   freeze web, store, echo for 100ms
        at 6s   thaw web
        at 6s   thaw web
    }
    expect {
        bytes.errors == 0          before last
        pages.errors == 0          before last
        grams.errors == 0          before frost
        swift.errors == 0          before last
        pings.lost == 0            before frost      \"the kernel answers for a node that stands still\"
        bytes.outage.max >= 450ms  before frost
        pages.outage.max >= 450ms  before frost
        grams.outage.max >= 450ms  before frost
        swift.outage.max >= 450ms  before frost
        bytes.dropped == 0         before frost
        bytes.outage.max >= 1400ms during frost..last
        pages.outage.max >= 1400ms during frost..last
        grams.outage.max >= 1400ms during frost..last
        swift.outage.max >= 1400ms during frost..last
        pings.outage.max >= 1400ms during frost..last
        bytes.dropped >= 40        during frost..last  \"what waits longer than a second is dropped\"
        pages.dropped >= 40        during frost..last
        grams.dropped >= 40        during frost..last
        pings.dropped >= 40        during frost..last
        bytes.active == 4          during frost + 100ms..last
        swift.active == 4          during frost + 100ms..last
    }",
        );
        assert!(warns(&record, "thaw web on server had no effect: it did not stand still"), "{}", record["warnings"]);
        assert!(warns(&record, "freeze web on server had no effect"), "{}", record["warnings"]);
        assert!(!warns(&record, "found no room"), "what was not read was asked for: {}", record["warnings"]);
    }
}

#[test]
fn what_is_killed_ends_at_once_and_starts_anew() {
    for place in places() {
        let (ended, record) = run(
            &place,
            "    timeline {
        at 1s      kill store, web, echo, fast for 500ms  as death
        at 3s      kill client                      as murder
        murder + 1s     restart client              as again
        again + 1s      restart server              as both
        both + 1s       signal server SIGSTOP       as stopped
        stopped + 300ms signal server SIGCONT       as goes_on
        # What crosses a closing connection fails: nothing is under way when the end is asked for, but what is long begun.
        goes_on + 900ms pause bytes, pages, swift for 200ms
        goes_on + 1s    signal server SIGTERM       as term
        term + 500ms    kill store                  as idle
        idle + 500ms    stop bytes, pages, grams, pings, swift
    }
    expect {
        bytes.errors == 0               before death
        pages.errors == 0               before death
        grams.errors == 0               before death
        bytes.failed_connections == 4   during death..murder
        swift.failed_connections == 0   during death..death + 500ms  \"nobody hears of it\"
        swift.resets == 4               during death..murder         \"who returns knows no connection of before\"
        bytes.failed_connects > 0       during death..murder   \"its listener is gone\"
        pages.failed_connects > 0       during death..murder
        grams.lost > 0                  during death..murder
        pings.lost == 0                 during death..death + 1900ms
        bytes.failed_connections == 4   during murder..again
        bytes.active == 4               within 1s after again
        bytes.transactions > 50         during again..both
        pages.transactions > 50         during again..both
        grams.transactions > 50         during again..both
        swift.transactions > 50         during again..both
        pings.transactions > 50         during again..both
        bytes.failed_connections >= 4   during both..stopped
        bytes.failed_transactions == 0  during stopped..idle  \"who is stopped goes on, and who is asked to end does so in good order\"
        bytes.outage.max >= 250ms       during stopped..term
        bytes.failed_connects > 0       during term..idle + 400ms
    }",
        );
        let killed = failure(&record, "bytes", "its own client was killed").unwrap_or_else(|| panic!("{ended:?}"));
        assert_eq!(killed["count"], 4, "{killed}");
        assert!(warns(&record, "kill store on server had no effect: nothing of it runs"), "{}", record["warnings"]);
        let flow = &record["flows"][0];
        assert_eq!(flow["ran_ns"].as_array().expect("runs").len(), 2, "a client that starts anew is a second run");
        let events = record["events"].as_array().expect("events");
        let death = events.iter().find(|event| event["name"] == "death").expect("an event");
        assert!(
            death["until_ns"].as_i64() > death["done_ns"].as_i64() && death["done_ns"].as_i64() >= death["asked_ns"].as_i64(),
            "{death}"
        );
    }
}

#[test]
fn a_client_that_never_comes_back_does_not_hold_the_run() {
    let place = Place::new();
    let (_, record) = run(
        &place,
        "    flow some from client to store { rate 10/s  total 1000 }
    flow others from client to store { rate 10/s  total 1000 }
    timeline {
        at 500ms  freeze client
        at 1s     kill client
        at 1s     start others
        at 1500ms freeze client
        at 2s     mark last
    }
    expect {
        some.transactions < 20
        others.transactions < 20
    }",
    );
    assert_eq!(record["ended"]["how"], "complete", "{}", record["ended"]);
    assert!(record["duration_ns"].as_u64().expect("a duration") < 20_000_000_000);
}

#[test]
fn a_node_on_which_nothing_runs_is_told() {
    let place = Place::new();
    let (_, record) = run(
        &place,
        "    topology {
        node other
        link other 10.9.0.1/24 <-> client 10.9.0.2/24
    }
    timeline {
        at 100ms  kill other
        at 150ms  signal server SIGCONT
        at 200ms  mark last
    }
    expect { pings.lost == 0 }",
    );
    assert!(warns(&record, "kill other had no effect: nothing of it runs"), "{}", record["warnings"]);
    assert!(warns(&record, "signal server had no effect: it did not stand still"), "{}", record["warnings"]);
}

/// The frames that an observer at the client saw which end a connection, and the record.
fn ends_seen(body: &str) -> Option<(usize, Value)> {
    if !is_root() {
        skip("entering another process's network namespace needs root");
        return None;
    }
    let place = Place::new();
    place.write("strikes.scn", scenario(body));
    let seen = std::cell::Cell::new(0);
    let ended = until_told(|| {
        let (ended, arrivals) = beside(place.command(&["run", "strikes.scn", "--timing", "ci"]), CLIENT, is_end);
        seen.set(arrivals.len());
        ended
    });
    assert_eq!(ended.code, Some(0), "{ended:?}");
    Some((seen.get(), serde_json::from_str(&place.read("scn-results/strikes.strikes.run.json")).expect("a record is JSON")))
}

#[test]
fn an_observer_sees_a_killed_services_connections_end() {
    // Standing still it leaves what came unread, so that its kernel resets the connections when it is killed.
    let body = "    timeline {
        at 1s     freeze store
        at 1500ms kill store   as death
        at 3s     stop bytes, pages, grams, pings, swift
    }
    expect {
        bytes.resets >= 4            during death..death + 1s
        bytes.errors == 0            before death
        bytes.failed_connections == 4
    }";
    let Some((seen, _)) = ends_seen(body) else { return };
    assert!(seen > 4, "four connections, and each attempt after that: {seen} ends were seen");
}

#[test]
fn an_observer_sees_nothing_of_a_node_that_vanishes() {
    let body = "    timeline {
        at 1s     vanish server   as gone
        at 3s     stop bytes, pages, grams, pings, swift
    }
    expect {
        bytes.errors == 0           before gone
        bytes.transactions > 50     before gone
        bytes.transactions == 0     during gone + 100ms..gone + 1900ms
        pages.transactions == 0     during gone + 100ms..gone + 1900ms
        grams.transactions == 0     during gone + 100ms..gone + 1900ms
        swift.transactions == 0     during gone + 100ms..gone + 1900ms
        pings.transactions == 0     during gone + 100ms..gone + 1900ms
        bytes.resets == 0
        bytes.failed_connects == 0
        swift.active == 4           during gone..gone + 1900ms
        bytes.active == 4           during gone..gone + 1900ms  \"nobody has told the client\"
    }";
    let Some((seen, _)) = ends_seen(body) else { return };
    assert_eq!(seen, 0, "nobody is told that the node is gone");
}

#[test]
fn an_observer_hears_nothing_of_clients_that_vanish() {
    if !is_root() {
        return skip("entering another process's network namespace needs root");
    }
    let place = Place::new();
    let body = "    timeline {
        at 1s  vanish client for 1s   as gone
        gone + 3s  stop bytes, pages, grams, pings, swift
    }
    expect {
        bytes.failed_connections == 4  during gone..gone + 900ms
        bytes.transactions > 50        after gone + 2s
        grams.transactions > 50        after gone + 2s
        swift.transactions > 50        after gone + 2s
        pings.transactions > 50        after gone + 2s
    }";
    place.write("strikes.scn", scenario(body));
    let seen = std::cell::RefCell::new(Vec::new());
    let ended = until_told(|| {
        let (ended, arrivals) = beside(place.command(&["run", "strikes.scn", "--timing", "ci"]), [10, 0, 0, 1], comes_from_client);
        *seen.borrow_mut() = arrivals;
        ended
    });
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let seen = seen.into_inner();
    let gap = seen.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().expect("the observer saw traffic");
    assert!(gap.as_millis() >= 900, "a second without a frame: {gap:?}");
}

/// An IPv4 TCP segment.
fn segment(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    let packet = frame.get(14..).filter(|_| frame.get(12..14) == Some(&[8, 0]))?;
    let header = usize::from(packet.first()? & 15) * 4;
    let segment = packet.get(header..).filter(|segment| segment.len() >= 20 && packet[9] == 6)?;
    Some((packet, segment))
}

/// A segment of the service to the client that ends a connection: FIN or RST.
fn is_end(frame: &[u8]) -> bool {
    segment(frame).is_some_and(|(packet, segment)| {
        packet[16..20] == CLIENT && u16::from_be_bytes([segment[0], segment[1]]) == PORT && segment[13] & 0b101 != 0
    })
}

/// Any packet of IPv4 that the client has sent.
fn comes_from_client(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[8, 0]) && frame.get(26..30) == Some(&CLIENT)
}
