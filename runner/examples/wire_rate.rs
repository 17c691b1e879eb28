//! What the wire carries, measured in namespaces of its own: `cargo run --release -p scn-runner --example wire_rate [SECONDS [CASE]]`. Prints one
//! JSON object a case (those whose name contains CASE); `tests/bench/all.py wire` makes a table of it beside plain veth. Needs root, or user
//! namespaces.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for whoever works on the wire")]

#[path = "../tests/lab_support/mod.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod lab_support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lab_support::{Net, inside};
use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::topology::{Impairment, Loss, Queue, QueueLimit};
use scn_reports::record::LinkAccount;
use scn_runner::lab::KernelLab;
use scn_runner::plan::types::Engine;

const MS: u64 = 1_000_000;
/// One buffer of a stream.
const CHUNK: usize = 256 << 10;
/// Datagrams of one system call.
const BATCH: usize = 32;

/// Two nodes and a link between them.
fn pair(engine: Engine, does: Option<Impairment>) -> (KernelLab, [NodeId; 2]) {
    let mut net = Net::new();
    let [a, b] = net.hosts(["a", "b"]);
    let link = net.link(engine, [(a, &["10.1.0.1/24"]), (b, &["10.1.0.2/24"])]);
    for host in [a, b] {
        let large = |name: &str, value: &str| (format!("net.ipv4.{name}"), value.to_owned());
        net.0.nodes[host.index()].sysctls.extend([large("tcp_wmem", "4096 16384 67108864"), large("tcp_rmem", "4096 131072 67108864")]);
    }
    if let Some(does) = does {
        let only_delays = does.fixed_delay_ns().is_some_and(|ns| does == Impairment::delaying(ns));
        let planned = &mut net.0.links[link.index()];
        (planned.forward, planned.back, planned.packets_alone) = (does.clone(), does, !only_delays);
    }
    (net.build(), [a, b])
}

/// CPU seconds of the wire's threads so far.
fn pump_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok()).filter(|stat| stat.contains("(scn-pump)"));
    let ticks = stats.map(|stat| {
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
    });
    // SAFETY: sysconf takes no pointers.
    ticks.sum::<f64>() / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64
}

/// A buffer that begins at a page: copies to other places are slow on some processors.
fn buffer() -> (Vec<u8>, usize) {
    let bytes = vec![7; CHUNK + 4096];
    let start = bytes.as_ptr().align_offset(4096);
    (bytes, start)
}

/// Gigabits a second of one TCP stream.
fn stream(lab: &KernelLab, [a, b]: [NodeId; 2], lasting: Duration) -> f64 {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let receiver = inside(&lab.door(), b, move || {
        let listener = TcpListener::bind("0.0.0.0:5001").unwrap();
        ready.send(()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        let (mut bytes, start) = buffer();
        let (begun, mut came) = (Instant::now(), 0);
        while let Ok(count @ 1..) = stream.read(&mut bytes[start..start + CHUNK]) {
            came += count;
        }
        came as f64 * 8.0 / begun.elapsed().as_secs_f64() / 1e9
    });
    is_ready.recv().unwrap();
    let sender = inside(&lab.door(), a, move || {
        let mut stream = TcpStream::connect("10.1.0.2:5001").unwrap();
        let (bytes, start) = buffer();
        let begun = Instant::now();
        while begun.elapsed() < lasting {
            stream.write_all(&bytes[start..start + CHUNK]).unwrap();
        }
    });
    sender.join().unwrap();
    receiver.join().unwrap()
}

/// Small datagrams: how many a second were sent, and how many came.
fn datagrams(lab: &KernelLab, [a, b]: [NodeId; 2], lasting: Duration) -> (f64, f64) {
    let (stop, came) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (stopped, count) = (Arc::clone(&stop), Arc::clone(&came));
    let (ready, is_ready) = std::sync::mpsc::channel();
    let receiver = inside(&lab.door(), b, move || {
        let socket = UdpSocket::bind("0.0.0.0:5002").unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        ready.send(()).unwrap();
        let mut buffers = [[0u8; 64]; BATCH];
        let mut vectors: Vec<libc::iovec> =
            buffers.iter_mut().map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: 64 }).collect();
        let mut headers = headers(&mut vectors);
        while !stopped.load(Ordering::Relaxed) {
            let (socket, flags) = (std::os::fd::AsRawFd::as_raw_fd(&socket), libc::MSG_WAITFORONE as _);
            // SAFETY: the headers point to vectors and buffers that live through the call, with their true sizes.
            let got = unsafe { libc::recvmmsg(socket, headers.as_mut_ptr(), BATCH as u32, flags, std::ptr::null_mut()) };
            count.fetch_add(u64::try_from(got).unwrap_or(0), Ordering::Relaxed);
        }
    });
    is_ready.recv().unwrap();
    let sender = inside(&lab.door(), a, move || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect("10.1.0.2:5002").unwrap();
        // 64 bytes with all headers.
        let payload = [7u8; 22];
        let mut vectors = vec![libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() }; BATCH];
        let mut headers = headers(&mut vectors);
        let (begun, mut sent) = (Instant::now(), 0u64);
        while begun.elapsed() < lasting {
            let socket = std::os::fd::AsRawFd::as_raw_fd(&socket);
            // SAFETY: as above; the kernel only reads the payload.
            let went = unsafe { libc::sendmmsg(socket, headers.as_mut_ptr(), BATCH as u32, 0) };
            sent += u64::try_from(went).unwrap_or(0);
        }
        sent as f64 / begun.elapsed().as_secs_f64()
    });
    let sent = sender.join().unwrap();
    // What is still on its way comes within the receiver's own patience.
    std::thread::sleep(Duration::from_millis(300));
    stop.store(true, Ordering::Relaxed);
    receiver.join().unwrap();
    (sent, came.load(Ordering::Relaxed) as f64 / lasting.as_secs_f64())
}

fn headers(vectors: &mut [libc::iovec]) -> Vec<libc::mmsghdr> {
    let header = |vector: &mut libc::iovec| {
        // SAFETY: all zero bytes are a valid header.
        let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        header
    };
    vectors.iter_mut().map(header).collect()
}

fn accounts(lab: &KernelLab) -> Vec<LinkAccount> {
    let accounts: Vec<LinkAccount> = lab.accounts().into_iter().flatten().collect();
    assert!(accounts.iter().all(|account| account.closes(0) && account.closes(1)), "{accounts:?}");
    accounts
}

fn losing() -> Impairment {
    Impairment { loss: Loss::Random { ratio_nano: 10_000_000 }, ..Impairment::default() }
}

/// A row of the result.
fn row(name: &str, numbers: &[(&str, f64)]) {
    let numbers: Vec<String> = numbers.iter().map(|(name, value)| format!("\"{name}\": {value:.3}")).collect();
    println!("{{\"case\": \"{name}\", {}}}", numbers.join(", "));
}

/// The user wants to see this case.
fn is_wanted(case: &str) -> bool {
    std::env::args().nth(2).is_none_or(|part| case.contains(&part))
}

fn streams(lasting: Duration) {
    let cases = [
        ("veth", Engine::Direct, None),
        ("wire, nothing", Engine::Wire, Some(Impairment::default())),
        ("wire, delay 1ms", Engine::Wire, Some(Impairment::delaying(MS))),
        ("wire, delay 10ms", Engine::Wire, Some(Impairment::delaying(10 * MS))),
        ("wire, rate 1Gbit/s", Engine::Wire, Some(Impairment { rate_bps: Some(1_000_000_000), ..Impairment::default() })),
    ];
    for (name, engine, does) in cases.into_iter().filter(|(name, ..)| is_wanted(&format!("tcp over {name}"))) {
        let (lab, nodes) = pair(engine, does);
        let before = pump_seconds();
        let rate = stream(&lab, nodes, lasting);
        let busy = (pump_seconds() - before) / lasting.as_secs_f64();
        let late = accounts(&lab).first().map_or(0.0, |account| account.late_p99_ns as f64 / 1e3);
        let lost = accounts(&lab).first().map_or(0.0, |account| account.dropped.iter().sum::<u64>() as f64);
        row(&format!("tcp over {name}"), &[("gbit_s", rate), ("pump_cores", busy), ("late_p99_us", late), ("dropped", lost)]);
    }
}

fn packets(lasting: Duration) {
    let cases = [("veth", Engine::Direct, None), ("wire, loss 1%", Engine::Wire, Some(losing()))];
    for (name, engine, does) in cases.into_iter().filter(|(name, ..)| is_wanted(&format!("64 B over {name}"))) {
        let (lab, nodes) = pair(engine, does);
        let before = pump_seconds();
        let (sent, came) = datagrams(&lab, nodes, lasting);
        let cpu = pump_seconds() - before;
        let account = accounts(&lab).pop().unwrap_or_default();
        let carried = account.entered[0].saturating_sub(account.dropped[0]) as f64;
        let each = if carried > 0.0 { cpu / carried * 1e6 } else { 0.0 };
        let numbers = [
            ("sent_kpps", sent / 1e3),
            ("carried_kpps", carried / lasting.as_secs_f64() / 1e3),
            ("came_kpps", came / 1e3),
            ("pump_us_each", each),
        ];
        row(&format!("64 B over {name}"), &numbers);
    }
}

/// Waits until all are known as neighbours: what waits for them would go out at once.
fn meet(targets: &[SocketAddr]) {
    let begun = Instant::now();
    let known = || std::fs::read_to_string("/proc/thread-self/net/arp").unwrap().lines().filter(|line| line.contains(" 0x2 ")).count();
    while known() < targets.len() {
        assert!(begun.elapsed() < Duration::from_secs(30), "some are never known");
        // A socket of its own each, so that none waits for another.
        targets.iter().for_each(|target| drop(UdpSocket::bind("0.0.0.0:0").unwrap().send_to(&[7], target)));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One datagram each so often over each of so many links: how late the wire was.
fn paced(name: &str, links: usize, every: Duration, lasting: Duration, does: &Impairment) {
    if !is_wanted(name) {
        return;
    }
    let mut net = Net::new();
    let [hub] = net.hosts(["hub"]);
    for at in 0..links {
        let [leaf] = net.hosts([format!("leaf{at}").as_str()]);
        let (here, there) = (format!("10.2.{at}.1/24"), format!("10.2.{at}.2/24"));
        let link = net.link(Engine::Wire, [(hub, &[&here]), (leaf, &[&there])]);
        net.impair(link, does.clone(), does.clone());
    }
    let lab = net.build();
    let targets: Vec<SocketAddr> = (0..links).map(|at| format!("10.2.{at}.2:9").parse().unwrap()).collect();
    let known = targets.clone();
    inside(&lab.door(), hub, move || meet(&known)).join().unwrap();
    lab.begin(Instant::now()).unwrap();
    let sender = inside(&lab.door(), hub, move || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        let (begun, mut round, mut sent) = (Instant::now(), 0u32, 0u64);
        while begun.elapsed() < lasting {
            targets.iter().for_each(|target| sent += u64::from(socket.send_to(&[7; 22], target).is_ok()));
            round += 1;
            std::thread::sleep((every * round).saturating_sub(begun.elapsed()));
        }
        sent as f64 / begun.elapsed().as_secs_f64()
    });
    let (before, begun) = (pump_seconds(), Instant::now());
    let sent = sender.join().unwrap();
    let busy = (pump_seconds() - before) / begun.elapsed().as_secs_f64();
    let accounts = accounts(&lab);
    let worst = |of: fn(&LinkAccount) -> u64| accounts.iter().map(of).max().unwrap_or(0) as f64;
    let numbers = [
        ("sent_kpps", sent / 1e3),
        ("late_p50_us", worst(|account| account.late_p50_ns) / 1e3),
        ("late_p99_us", worst(|account| account.late_p99_ns) / 1e3),
        ("late_max_us", worst(|account| account.late_max_ns) / 1e3),
        ("dropped", accounts.iter().map(|account| account.dropped.iter().sum::<u64>()).sum::<u64>() as f64),
        ("pump_cores", busy),
    ];
    row(name, &numbers);
}

/// Datagrams in frames of 1514 bytes, faster than the link's rate: how far from it they arrive.
fn rates(lasting: Duration) {
    const FRAME: usize = 1514;
    for mbit in [1u64, 10, 100, 1000] {
        let name = format!("rate {mbit} Mbit/s, frames of {FRAME} bytes");
        if !is_wanted(&name) {
            continue;
        }
        let queue = Queue { limit: QueueLimit::Packets(1_000_000), said: true, codel: None };
        let (lab, [a, b]) = pair(Engine::Wire, Some(Impairment { rate_bps: Some(mbit * 1_000_000), queue, ..Impairment::default() }));
        let count = (mbit as f64 * 1e6 * lasting.as_secs_f64() / (FRAME * 8) as f64) as u64;
        let (ready, is_ready) = std::sync::mpsc::channel();
        let receiver = inside(&lab.door(), b, move || {
            let socket = UdpSocket::bind("0.0.0.0:5003").unwrap();
            socket2::SockRef::from(&socket).set_recv_buffer_size(16 << 20).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            ready.send(()).unwrap();
            // Only the number of each is read.
            let mut numbers = [[0u8; 8]; BATCH];
            let mut vectors: Vec<libc::iovec> =
                numbers.iter_mut().map(|number| libc::iovec { iov_base: number.as_mut_ptr().cast(), iov_len: 8 }).collect();
            let (mut headers, mut ends) = (headers(&mut vectors), None);
            // What this socket had no room for is missed, and does not mind: frames are known by their numbers.
            loop {
                let (socket, flags) = (std::os::fd::AsRawFd::as_raw_fd(&socket), libc::MSG_WAITFORONE as _);
                // SAFETY: the headers point to vectors and numbers that live through the call, with their true sizes.
                let got = unsafe { libc::recvmmsg(socket, headers.as_mut_ptr(), BATCH as u32, flags, std::ptr::null_mut()) };
                let Ok(got @ 1..) = usize::try_from(got) else { break };
                let (at, number) = (Instant::now(), u64::from_be_bytes(numbers[got - 1]));
                let (first, _) = *ends.get_or_insert(((number, at), (number, at)));
                ends = Some((first, (number, at)));
            }
            let ((first, from), (last, to)) = ends.unwrap();
            (last - first) as f64 * (FRAME * 8) as f64 / (to - from).as_secs_f64()
        });
        is_ready.recv().unwrap();
        inside(&lab.door(), a, move || meet(&["10.1.0.2:9".parse().unwrap()])).join().unwrap();
        lab.begin(Instant::now()).unwrap();
        let sender = inside(&lab.door(), a, move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            // Many with one system call; the kernel cuts them apart before they reach the wire.
            nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::UdpGsoSegment, &(FRAME as i32 - 42)).unwrap();
            let mut packets = [7; BATCH * (FRAME - 42)];
            // A little faster than the link, but not so fast that the kernel drops before it.
            let each = Duration::from_nanos((FRAME * 8) as u64 * 1000 / mbit * 10 / 11);
            let begun = Instant::now();
            for first in (0..count).step_by(BATCH) {
                for (packet, number) in packets.chunks_mut(FRAME - 42).zip(first..) {
                    packet[..8].copy_from_slice(&number.to_be_bytes());
                }
                socket.send_to(&packets, "10.1.0.2:5003").unwrap();
                std::thread::sleep((each * u32::try_from(first).unwrap()).saturating_sub(begun.elapsed()));
            }
        });
        sender.join().unwrap();
        let measured = receiver.join().unwrap();
        let account = accounts(&lab).pop().unwrap_or_default();
        let (late, dropped) = (account.late_p99_ns as f64 / 1e3, account.dropped[0] as f64);
        row(&name, &[("error_percent", (measured / (mbit as f64 * 1e6) - 1.0) * 100.0), ("late_p99_us", late), ("dropped", dropped)]);
    }
}

fn main() {
    scn_runner::lab::enter().unwrap();
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3.0);
    let lasting = Duration::from_secs_f64(seconds);
    streams(lasting);
    packets(lasting);
    rates(lasting);
    paced("1 link at 200 packets/s, delay 10ms", 1, Duration::from_millis(5), lasting, &Impairment::delaying(10 * MS));
    let rough = Impairment { loss: Loss::Random { ratio_nano: 10_000_000 }, ..Impairment::delaying(10 * MS) };
    paced("100 links at 1000 packets/s each, delay 10ms, loss 1%", 100, Duration::from_millis(1), lasting, &rough);
}
