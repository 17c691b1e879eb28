//! ctraffic's wire, byte by byte: both roles against peers written here from its description alone.

use super::*;
use scn_grammar::scenario::transport::{Listener, Socket, Transport, Wire};
use scn_reports::record::flow::{ConnectionEnd, CorruptionKind};
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::Mutex;

const NAME: &[u8] = b"server";

/// A flow over TCP or UDP to 127.0.0.1, and a service of the same wire if one is wanted.
fn ctraffic(udp: bool, size: u64, served: bool, load: Load) -> Plan {
    let mut plan = plan(sym(64), served.then(|| sym(64)), Load { size: Some(Varying::Fixed(size)), ..load });
    let (socket, wire) = (Socket::default(), Wire::Ctraffic);
    let transport = if udp { Transport::Udp { socket, wire } } else { Transport::Tcp { socket, wire } };
    (plan.flows[0].transport, plan.flows[0].pattern) = (transport, None);
    for listener in &mut plan.listeners {
        let socket = Socket::default();
        listener.listener = if udp { Listener::Udp { socket, wire } } else { Listener::Tcp { socket, backlog: None, wire } };
        listener.pattern = None;
    }
    plan
}

async fn played(plan: Plan) -> FlowSeries {
    let mut running = start(plan).await;
    running.ended().await;
    running.finish().await
}

fn one_connection(transactions: u64) -> Load {
    Load { total: Some(1), transactions: Some(transactions), ..load() }
}

/// Sends a connection's first 64 bytes back with the name over their beginning, and every byte from then on as it is.
fn answer(mut stream: TcpStream, seen: &Mutex<Vec<u8>>) {
    let mut first = [0; 64];
    stream.read_exact(&mut first).unwrap();
    seen.lock().unwrap().extend_from_slice(&first);
    first[..NAME.len()].copy_from_slice(NAME);
    stream.write_all(&first).unwrap();
    let mut bytes = [0; 4096];
    loop {
        let count = stream.read(&mut bytes).unwrap();
        if count == 0 {
            return;
        }
        seen.lock().unwrap().extend_from_slice(&bytes[..count]);
        stream.write_all(&bytes[..count]).unwrap();
    }
}

#[tokio::test]
async fn the_client_sends_zeros_and_then_what_it_got_back() {
    let mut plan = ctraffic(false, 200, false, one_connection(3));
    plan.flows[0].target.set_port(free_port());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    serve_on(plan.flows[0].target.port(), move |stream| answer(stream, &kept));
    let series = played(plan).await;
    assert_eq!((series.items.len(), done(&series)), (3, 3), "{:?}", series.failures);
    assert!(series.items.iter().all(|item| (item.forward_bytes, item.back_bytes) == (200, 200)));
    assert!(series.items.iter().all(|item| item.backend == 1), "the name is that of the second node");
    let seen = seen.lock().unwrap();
    let named = |mut message: Vec<u8>| {
        message[..NAME.len()].copy_from_slice(NAME);
        message
    };
    assert_eq!(seen[..200], vec![0; 200], "the first message is all zero");
    assert_eq!(seen[200..400], named(vec![0; 200]), "the next one holds the name");
    assert_eq!(seen[400..], named(vec![0; 200]));
}

#[tokio::test]
async fn a_plain_echo_server_will_do_and_a_wrong_byte_will_not() {
    let mut plan = ctraffic(false, 100, false, one_connection(4));
    plan.flows[0].target.set_port(free_port());
    let mut messages = 0;
    serve_on(plan.flows[0].target.port(), move |mut stream| {
        let mut message = [0; 100];
        while stream.read_exact(&mut message).is_ok() {
            messages += 1;
            message[99] = u8::from(messages == 3);
            if stream.write_all(&message).is_err() {
                return;
            }
        }
    });
    let series = played(plan).await;
    assert_eq!((series.items.len(), done(&series)), (3, 2), "{:?}", series.failures);
    let wrong = &series.corrupt[0];
    assert_eq!((wrong.kind, wrong.offset), (CorruptionKind::Content, 99));
}

#[tokio::test]
async fn silence_fails_a_message() {
    let mut plan = ctraffic(false, 64, false, one_connection(1));
    plan.flows[0].target.set_port(free_port());
    plan.flows[0].timeouts.response_ns = Some(100_000_000);
    serve_on(plan.flows[0].target.port(), |mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let series = played(plan).await;
    assert_eq!((done(&series), series.connections[0].end), (0, ConnectionEnd::Timeout));
    assert_eq!(series.failures[0].what, "nothing came within 100ms");
    assert!(series.failures[0].step.starts_with("message of ctraffic's wire to 127.0.0.1:"), "{}", series.failures[0].step);
}

#[tokio::test]
async fn the_server_answers_64_bytes_with_its_name_and_then_echoes() {
    let plan = ctraffic(false, 64, true, one_connection(1));
    let target = plan.flows[0].target;
    let mut running = start(plan).await;
    running.ended().await;
    let talk = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(target).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Neither zeros nor in one piece: what is behind the name comes back as it is, and nothing comes before there are 64.
        let sent: Vec<u8> = (0..150).map(|at| at as u8 + 1).collect();
        stream.write_all(&sent[..63]).unwrap();
        stream.write_all(&sent[63..]).unwrap();
        let mut back = vec![0; 150];
        stream.read_exact(&mut back).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        (sent, back, rest)
    });
    let (sent, back, rest) = talk.await.unwrap();
    assert_eq!(&back[..NAME.len()], NAME);
    assert_eq!(back[NAME.len()..], sent[NAME.len()..], "no terminator behind the name");
    assert_eq!(rest, b"", "it closes when the client does");
    let series = running.finish().await;
    assert_eq!(series.failures, [], "a stranger's bytes are no fault of the flow");
}

#[tokio::test]
async fn over_udp_every_answer_has_the_name() {
    let plan = ctraffic(true, 64, true, Load { total: Some(5), ..load() });
    let target = plan.flows[0].target;
    let mut running = start(plan).await;
    running.ended().await;
    let talk = tokio::task::spawn_blocking(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect(target).unwrap();
        [3, 64, 700].map(|size| {
            socket.send(&vec![7; size]).unwrap();
            let mut back = vec![0; 2000];
            let count = socket.recv(&mut back).unwrap();
            back.truncate(count);
            back
        })
    });
    let [short, whole, long] = talk.await.unwrap();
    assert_eq!(short, &NAME[..3]);
    assert_eq!((&whole[..NAME.len()], &whole[NAME.len()..]), (NAME, &[7; 58][..]));
    assert_eq!((&long[..NAME.len()], &long[NAME.len()..]), (NAME, &[7; 694][..]));
    let series = running.finish().await;
    assert_eq!((series.items.len(), done(&series)), (5, 5), "{:?}", series.failures);
    assert!(series.items.iter().all(|item| item.backend == 1));
}

#[tokio::test]
async fn a_datagram_that_gets_no_answer_is_lost_and_a_late_one_is_not_taken_for_the_next() {
    let mut plan = ctraffic(true, 64, false, Load { total: Some(3), ..load() });
    plan.flows[0].timeouts.response_ns = Some(100_000_000);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    plan.flows[0].target = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut message, mut first) = ([0; 2000], None);
        while let Ok((count, from)) = socket.recv_from(&mut message) {
            assert_eq!(message[..count], [0; 64], "zeros");
            match first {
                // Not answered until the next one comes.
                None => first = Some(from),
                Some(late) => {
                    socket.send_to(&[b'l'; 64], late).unwrap();
                    socket.send_to(&message[..count], from).unwrap();
                }
            }
        }
    });
    let series = played(plan).await;
    assert_eq!((series.items.len(), done(&series), series.corrupt.len()), (3, 2, 0), "{:?}", series.failures);
}
