//! Datagrams on loopback: both ends' counts agree to the item; what a relay in between drops, copies, holds back, swaps and damages
//! is told as what it is.

use super::*;
use Side::{Client, Server};
use scn_grammar::scenario::transport::{Listener, Socket, Transport, Wire};
use scn_reports::record::packet::{Packet, PacketFate, PacketWay};
use std::collections::HashMap;
use std::net::UdpSocket;

/// A plan of a flow over UDP to 127.0.0.1, whose listener stands at this address.
fn udp(played: Pattern, served: Option<Pattern>, load: Load, stands: Ipv4Addr) -> Plan {
    let mut plan = plan(played, served, load);
    plan.flows[0].transport = Transport::Udp { socket: Socket::default(), wire: Wire::Own };
    plan.flows[0].target.set_port(free_udp_port());
    let port = plan.flows[0].target.port();
    for listener in &mut plan.listeners {
        listener.listener = Listener::Udp { socket: Socket::default(), wire: Wire::Own };
        (listener.address, listener.port) = (stands.into(), port);
    }
    plan
}

fn free_udp_port() -> u16 {
    loop {
        let port = free_port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn paced(rate: u64, total: u64) -> Load {
    Load { rate_nano: Some(rate * 1_000_000_000), total: Some(total), ..load() }
}

async fn played(plan: Plan) -> FlowSeries {
    let mut running = start(plan).await;
    running.ended().await;
    running.finish().await
}

fn packets(series: &FlowSeries) -> &[Packet] {
    &series.datagrams.as_ref().unwrap().packets
}

fn count(series: &FlowSeries, way: PacketWay, fate: PacketFate) -> usize {
    packets(series).iter().filter(|packet| packet.way == way && packet.fate == fate).count()
}

fn failed(series: &FlowSeries) -> usize {
    series.items.iter().filter(|item| item.outcome == ItemOutcome::Failed).count()
}

#[tokio::test]
async fn nobody_looks_where_nothing_answers_and_the_server_is_anothers() {
    let unwatched = |series: &FlowSeries| series.datagrams.as_ref().unwrap().unwatched;
    let one_way = || pattern(vec![("client sends", filled(Client, 1000))]);
    let plan = udp(one_way(), None, paced(1000, 20), Ipv4Addr::LOCALHOST);
    let other = UdpSocket::bind(plan.flows[0].target).unwrap();
    assert!(unwatched(&played(plan).await));
    drop(other);
    assert!(
        !unwatched(&played(udp(one_way(), None, paced(1000, 20), Ipv4Addr::LOCALHOST)).await),
        "the kernel there says that nobody has the port"
    );
    assert!(!unwatched(&played(udp(one_way(), Some(one_way()), paced(1000, 20), Ipv4Addr::LOCALHOST)).await));
    let asked = udp(sym(100), None, paced(1000, 20), Ipv4Addr::LOCALHOST);
    let mute = UdpSocket::bind(asked.flows[0].target).unwrap();
    assert!(!unwatched(&played(asked).await), "an answer is missed");
    drop(mute);
}

#[tokio::test]
async fn both_ends_count_every_datagram() {
    for (pattern, back) in [(sym(100), 500), (pattern(vec![("client sends", filled(Client, 1000))]), 0)] {
        let series = played(udp(pattern.clone(), Some(pattern), paced(1000, 500), Ipv4Addr::LOCALHOST)).await;
        assert_eq!((series.items.len(), done(&series)), (500, 500), "{:?}", series.failures);
        assert_eq!(count(&series, PacketWay::Forward, PacketFate::Arrived), 500);
        assert_eq!(count(&series, PacketWay::Back, PacketFate::Arrived), back);
        assert_eq!(packets(&series).len(), 500 + back, "no other row");
        assert!(packets(&series).iter().all(|packet| packet.received_ns >= packet.sent_ns));
        assert!(series.items.iter().all(|item| item.backend == 1 && item.connection == 0), "the server's node answered");
        assert_eq!(series.connections.len(), 1, "one socket carries what is under way at once");
    }
}

#[tokio::test]
async fn the_last_word_may_come_in_a_pause() {
    let pause = StepKind::Pause { by: Client, duration: Varying::Fixed(5_000_000) };
    let rounds = StepKind::Repeat { count: Varying::Fixed(3), steps: steps(vec![filled(Client, 64), pause]) };
    let talk = pattern(vec![("repeat", rounds)]);
    let series = played(udp(talk.clone(), Some(talk.clone()), paced(200, 40), Ipv4Addr::LOCALHOST)).await;
    assert_eq!((series.items.len(), done(&series)), (40, 40), "{:?}", series.failures);
    assert_eq!(count(&series, PacketWay::Forward, PacketFate::Arrived), 120);
    // Nobody is there: each ends at its limit, that has begun before the last pause.
    let mut plan = udp(talk, None, paced(200, 10), Ipv4Addr::LOCALHOST);
    plan.flows[0].timeouts.response_ns = Some(100_000_000);
    let series = played(plan).await;
    let unseen = series.items.iter().filter(|item| item.outcome == ItemOutcome::Unfinished).count();
    assert_eq!((series.items.len(), failed(&series) + unseen), (10, 10), "{:?}", series.failures);
}

#[tokio::test]
async fn a_transaction_may_have_many_messages_and_pauses() {
    let rounds = StepKind::Repeat {
        count: Varying::Uniform(1, 5),
        steps: steps(vec![
            filled(Client, 64),
            StepKind::Pause { by: Server, duration: Varying::Fixed(2_000_000) },
            filled(Server, 200),
            filled(Server, 40),
        ]),
    };
    let talk = pattern(vec![("repeat", rounds), ("client sends", filled(Client, 32))]);
    let series = played(udp(talk.clone(), Some(talk), paced(500, 100), Ipv4Addr::LOCALHOST)).await;
    assert_eq!((series.items.len(), done(&series)), (100, 100), "{:?}", series.failures);
    let (forward, back) = (count(&series, PacketWay::Forward, PacketFate::Arrived), count(&series, PacketWay::Back, PacketFate::Arrived));
    assert_eq!(back, (forward - 100) * 2, "two answers for each message but the last");
    assert!(forward > 250 && forward < 550, "{forward} messages of 100 transactions with 2 to 6 each");
}

#[tokio::test]
async fn texts_and_echoes_go_one_at_a_time() {
    let text = pattern(vec![
        ("client sends \"who\\r\\n\"", says(Client, "who\r\n")),
        (
            "server expects \"who\"",
            StepKind::Expects { by: Server, what: Expected::Text(literal("who")), within_ns: None, rest: Rest::Line },
        ),
        ("server sends \"me\"", says(Server, "me")),
        ("client expects /m(.)/", expects(Client, Expected::Regex("^m.$".to_owned()))),
        ("client sends", filled(Client, 1)),
        ("server echoes", StepKind::Echoes { by: Server }),
    ]);
    let load = Load { connections: 3, ..paced(300, 150) };
    let series = played(udp(text.clone(), Some(text), load, Ipv4Addr::LOCALHOST)).await;
    assert_eq!((series.items.len(), done(&series)), (150, 150), "{:?}", series.failures);
    assert_eq!(series.connections.len(), 3);
    assert_eq!(count(&series, PacketWay::Forward, PacketFate::Arrived), 300);
    assert_eq!(count(&series, PacketWay::Back, PacketFate::Arrived), 300);
}

#[tokio::test]
async fn a_closed_port_is_told_by_the_network() {
    let series = played(udp(sym(64), None, paced(200, 20), Ipv4Addr::LOCALHOST)).await;
    assert_eq!((series.items.len(), failed(&series)), (20, 20));
    assert_eq!(series.failures.len(), 1, "{:?}", series.failures);
    assert_eq!(series.failures[0].what, "destination port unreachable, says 127.0.0.1");
    assert_eq!(series.failures[0].step, "server sends");
}

#[tokio::test]
async fn an_unanswered_text_goes_on_with_another_socket() {
    let text =
        pattern(vec![("client sends \"a\"", says(Client, "a")), ("server sends \"b\"", sends(Server, Payload::Text(literal("b")), true))]);
    let mut plan = udp(text, None, paced(100, 4), Ipv4Addr::LOCALHOST);
    plan.flows[0].timeouts.response_ns = Some(50_000_000);
    let server = UdpSocket::bind(plan.flows[0].target).unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut bytes, mut ports) = ([0; 16], Vec::new());
        for asked in 0..4 {
            let (_, from) = server.recv_from(&mut bytes).unwrap();
            ports.push(from.port());
            // Every second question gets an answer, a wrong one and no answer in between.
            match asked {
                1 => {}
                2 => drop(server.send_to(b"x", from).unwrap()),
                _ => drop(server.send_to(b"b", from).unwrap()),
            }
        }
        ports
    });
    let series = played(plan).await;
    let ports = answering.join().unwrap();
    assert_eq!((done(&series), failed(&series)), (2, 2), "{:?}", series.failures);
    assert_eq!(ports[0], ports[1]);
    assert!(ports[1] != ports[2] && ports[2] != ports[3], "after a failure another socket asks: {ports:?}");
    assert_eq!(series.connections.len(), 3);
    let whats: Vec<&str> = series.failures.iter().map(|failure| failure.what.as_str()).collect();
    assert!(whats.contains(&"nothing came within 50ms") && whats.contains(&"got \"x\""), "{whats:?}");
}

/// What a relay does to a datagram of a flow, by its number in its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Pass,
    Drop,
    Twice,
    /// After so many more of the same direction.
    After(usize),
    Damage,
}

/// Relays between 127.0.0.1 and 127.0.0.2 on a port until nothing has come for a second; what it did, by direction.
fn relay(port: u16, fate: impl Fn(bool, usize) -> Fate + Send + 'static) -> std::thread::JoinHandle<HashMap<(bool, &'static str), usize>> {
    let near = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").unwrap();
    far.connect(("127.0.0.2", port)).unwrap();
    near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    far.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    std::thread::spawn(move || {
        let mut did: HashMap<(bool, &'static str), usize> = HashMap::new();
        let (mut client, mut counts, mut held) = (None, [0usize; 2], Vec::<(bool, usize, Vec<u8>)>::new());
        let (mut bytes, mut last) = ([0; 2048], Instant::now());
        let send = |back: bool, bytes: &[u8], client: Option<SocketAddr>| match back {
            true => drop(near.send_to(bytes, client.unwrap())),
            false => drop(far.send(bytes)),
        };
        while last.elapsed() < Duration::from_secs(2) {
            for back in [false, true] {
                let came = if back {
                    far.recv(&mut bytes).ok()
                } else {
                    near.recv_from(&mut bytes).ok().map(|(n, from)| {
                        client = Some(from);
                        n
                    })
                };
                let Some(length) = came else { continue };
                last = Instant::now();
                let number = counts[usize::from(back)];
                counts[usize::from(back)] += 1;
                let what = fate(back, number);
                let name = match what {
                    Fate::Pass => "pass",
                    Fate::Drop => "drop",
                    Fate::Twice => "twice",
                    Fate::After(_) => "after",
                    Fate::Damage => "damage",
                };
                *did.entry((back, name)).or_default() += 1;
                match what {
                    Fate::Pass => send(back, &bytes[..length], client),
                    Fate::Drop => {}
                    Fate::Twice => (0..2).for_each(|_| send(back, &bytes[..length], client)),
                    Fate::After(more) => held.push((back, number + more, bytes[..length].to_vec())),
                    Fate::Damage => {
                        bytes[length - 1] ^= 0x10;
                        send(back, &bytes[..length], client);
                    }
                }
                let due: Vec<_> = held.extract_if(.., |(way, at, _)| *way == back && *at <= number).collect();
                due.iter().for_each(|(_, _, bytes)| send(back, bytes, client));
            }
        }
        did
    })
}

#[tokio::test]
async fn what_a_relay_does_is_what_is_counted() {
    let mut plan = udp(sym(100), Some(sym(100)), paced(400, 400), Ipv4Addr::new(127, 0, 0, 2));
    plan.flows[0].timeouts.response_ns = Some(500_000_000);
    // Far apart, so that the answers of one cannot be mistaken for those of another.
    let relay = relay(plan.flows[0].target.port(), |back, number| match (back, number % 40) {
        (false, 5) => Fate::Drop,
        (false, 10) => Fate::Twice,
        (false, 15) => Fate::After(2),
        (true, 20) => Fate::Drop,
        (true, 25) => Fate::Twice,
        (true, 30) => Fate::After(3),
        (true, 35) => Fate::Damage,
        _ => Fate::Pass,
    });
    let series = played(plan).await;
    let did = relay.join().unwrap();
    let of = |back: bool, what: &'static str| did.get(&(back, what)).copied().unwrap_or(0);
    let (forward, back) = (PacketWay::Forward, PacketWay::Back);
    assert_eq!(count(&series, forward, PacketFate::Lost), of(false, "drop"), "{did:?}");
    assert_eq!(count(&series, forward, PacketFate::Copy), of(false, "twice"));
    assert_eq!(count(&series, back, PacketFate::Lost), of(true, "drop"), "{did:?}");
    assert_eq!(count(&series, back, PacketFate::Copy), of(true, "twice"), "a copy of a question is answered once");
    assert_eq!(failed(&series), of(false, "drop") + of(true, "drop") + of(true, "damage"), "{:?}", series.failures);
    assert_eq!(series.corrupt.len(), of(true, "damage"));
    assert_eq!(done(&series) + failed(&series), 400);
    let mut arrived: Vec<&Packet> = packets(&series).iter().filter(|p| p.way == forward && p.fate == PacketFate::Arrived).collect();
    arrived.sort_by_key(|packet| packet.received_ns);
    let overtaken = (1..arrived.len()).filter(|at| arrived[..*at].iter().any(|before| before.sent_ns > arrived[*at].sent_ns)).count();
    assert_eq!(overtaken, of(false, "after"));
}

#[tokio::test]
async fn what_comes_after_the_limit_is_late_and_stays_lost() {
    let mut plan = udp(sym(100), Some(sym(100)), paced(100, 60), Ipv4Addr::new(127, 0, 0, 2));
    plan.flows[0].timeouts.response_ns = Some(100_000_000);
    // The 10th answer comes with the 40th, 300 ms later.
    let relay = relay(plan.flows[0].target.port(), |back, number| if back && number == 10 { Fate::After(30) } else { Fate::Pass });
    let series = played(plan).await;
    relay.join().unwrap();
    assert_eq!((done(&series), failed(&series)), (59, 1), "{:?}", series.failures);
    assert_eq!(series.datagrams.as_ref().unwrap().late_ns.len(), 1);
    assert_eq!(count(&series, PacketWay::Back, PacketFate::Late), 1);
    assert_eq!(count(&series, PacketWay::Back, PacketFate::Copy), 0);
}

#[tokio::test]
async fn a_stop_sees_what_is_under_way_to_its_end() {
    let load = Load { rate_nano: Some(500_000_000_000), ..load() };
    let mut running = start(udp(sym(64), Some(sym(64)), load, Ipv4Addr::LOCALHOST)).await;
    running.at_least("received", 50).await;
    running.stop().await;
    let series = running.finish().await;
    assert_eq!(done(&series), series.items.len(), "{:?}", series.failures);
    assert!(series.finished);
}

#[tokio::test]
async fn a_flow_without_a_rate_goes_as_fast_as_its_answers() {
    let held = Load { total: Some(2000), connections: 4, ..load() };
    let series = played(udp(sym(64), Some(sym(64)), held, Ipv4Addr::LOCALHOST)).await;
    assert_eq!((series.items.len(), done(&series)), (2000, 2000), "{:?}", series.failures);
    assert_eq!(series.connections.len(), 4);
    // With a pause between the items of a socket.
    let paused = Load { total: Some(6), connections: 2, interval_ns: 30_000_000, ..load() };
    let series = played(udp(sym(64), Some(sym(64)), paused, Ipv4Addr::LOCALHOST)).await;
    assert_eq!(done(&series), 6, "{:?}", series.failures);
    for socket in 0..2 {
        let own: Vec<_> = series.items.iter().filter(|item| item.connection == socket).collect();
        assert!(own.windows(2).all(|pair| pair[1].sent_ns - pair[0].done_ns >= 30_000_000), "{own:?}");
    }
}
