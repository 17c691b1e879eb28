//! Impaired links on the real kernel: what the model says of packets is what happens to them, and changes lose nothing.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions")]

use std::collections::BTreeSet;
use std::io::{IoSliceMut, Read};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use nix::unistd::Pid;
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::timeline::{Action, Cut, Healed, Target};
use scn_grammar::scenario::topology::{Delay, Impairment, Loss, NodeKind, Queue, QueueLimit, Reorder, ReorderBy};
use scn_grammar::scenario::{LinkId, NodeId};
use scn_reports::record::LinkAccount;
use scn_runner::lab::{Door, KernelLab};
use scn_runner::plan::types::Engine::Wire;

use crate::lab_support::{self, BOUND, Net, connect, echo, in_own_process, inside, pour, serve};

const MS: u64 = 1_000_000;
const SHORT: Duration = Duration::from_millis(300);
/// A receiver that hears nothing for so long has all that comes.
const QUIET: Duration = Duration::from_millis(400);
const PORT: u16 = 5000;

/// a and b with one wire.
fn pair(forward: Impairment, back: Impairment) -> (Net, [NodeId; 2], LinkId) {
    let mut net = Net::new();
    let [a, b] = net.hosts(["a", "b"]);
    let wan = net.link(Wire, [(a, &["10.1.0.1/24", "fd00::1/64"]), (b, &["10.1.0.2/24", "fd00::2/64"])]);
    net.impair(wan, forward, back);
    for host in [a, b] {
        // Nobody speaks by itself.
        net.0.nodes[host.index()].interfaces[0].addresses.truncate(1);
        net.0.nodes[host.index()].sysctls.push(("net.ipv6.conf.all.disable_ipv6".into(), "1".into()));
    }
    (net, [a, b], wan)
}

fn losing(nano: u64) -> Impairment {
    Impairment { loss: Loss::Random { ratio_nano: nano }, ..Impairment::default() }
}

fn account(lab: &KernelLab) -> LinkAccount {
    let account = lab.accounts()[0].clone().unwrap();
    for way in 0..2 {
        assert!(account.closes(way), "{account:?}");
        assert_eq!((account.dropped[way], account.joined[way]), (0, 0), "{account:?}");
    }
    account
}

/// Numbers that came, in their order, each with the instant at which the kernel had it, ns.
type Came = Vec<(u64, u64)>;

/// Receives numbered packets at a node until nothing comes any more; each has its number first and then nothing but sevens.
fn listen(door: &Door, node: NodeId, port: u16) -> std::thread::JoinHandle<Came> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let thread = inside(door, node, move || {
        let socket = UdpSocket::bind(("0.0.0.0", port)).unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        ready.send(()).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
        let (mut buffer, mut space, mut came) = ([0; 2048], nix::cmsg_space!(TimeSpec), Vec::new());
        loop {
            let mut vectors = [IoSliceMut::new(&mut buffer)];
            let Ok(message) = recvmsg::<()>(socket.as_raw_fd(), &mut vectors, Some(&mut space), MsgFlags::empty()) else { return came };
            let stamp =
                message.cmsgs().unwrap().find_map(|one| if let ControlMessageOwned::ScmTimestampns(at) = one { Some(at) } else { None });
            let (stamp, length) = (stamp.unwrap(), message.bytes);
            assert!(buffer[8..length].iter().all(|byte| *byte == 7), "no corrupt packet reaches a program");
            let at = stamp.tv_sec() as u64 * 1_000_000_000 + stamp.tv_nsec() as u64;
            came.push((u64::from_be_bytes(buffer[..8].try_into().unwrap()), at));
            socket.set_read_timeout(Some(QUIET)).unwrap();
        }
    });
    is_ready.recv().unwrap();
    thread
}

/// Sends numbered packets, frames of so many bytes, one each so often; 0: as fast as they go.
fn send(door: &Door, node: NodeId, to: u16, count: u64, frame: usize, every: Duration) -> std::thread::JoinHandle<()> {
    inside(door, node, move || {
        stay(usize::from(to));
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect(("10.1.0.2", to)).unwrap();
        let mut packet = vec![7; frame - 42];
        let start = Instant::now();
        for number in 0..count {
            packet[..8].copy_from_slice(&number.to_be_bytes());
            socket.send(&packet).unwrap();
            while start.elapsed() < every * u32::try_from(number).unwrap() {
                std::thread::yield_now();
            }
        }
    })
}

/// Keeps a thread on one core. What it sends waits there for the kernel to take it in; from another core it would overtake itself before
/// it has reached the link.
fn stay(number: usize) {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let cores: Vec<usize> = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false)).collect();
    let mut one = CpuSet::new();
    one.set(cores[number % cores.len()]).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}

/// Sends and receives.
fn carried(door: &Door, [a, b]: [NodeId; 2], count: u64, frame: usize, every: Duration) -> Came {
    let receiver = listen(door, b, PORT);
    send(door, a, PORT, count, frame, every).join().unwrap();
    receiver.join().unwrap()
}

/// Five standard deviations of a count with this chance.
fn assert_share(count: u64, trials: u64, chance: f64) {
    let (expected, deviation) = (trials as f64 * chance, (trials as f64 * chance * (1.0 - chance)).sqrt());
    assert!((count as f64 - expected).abs() <= 5.0 * deviation, "{count} of {trials}, expected {expected:.0} +- {:.0}", 5.0 * deviation);
}

/// Neighbours know each other, so that nothing but the packets of a test crosses.
fn acquaint(lab: &KernelLab, [a, b]: [NodeId; 2]) {
    let door = lab.door();
    serve(&door, b, "10.1.0.2:80", 2);
    connect(&door, a, "10.1.0.2:80", BOUND).unwrap();
}

#[test]
fn a_share_of_many_packets_is_lost_and_each_is_accounted_for() {
    in_own_process("lab_wire::a_share_of_many_packets_is_lost_and_each_is_accounted_for", || {
        const COUNT: u64 = 100_000;
        let (net, nodes, _) = pair(losing(10_000_000), Impairment::default());
        let lab = net.build();
        acquaint(&lab, nodes);
        let before = account(&lab);
        let came = carried(&lab.door(), nodes, COUNT, 106, Duration::from_micros(20));
        let account = account(&lab);
        let lost = account.lost[0] - before.lost[0];
        assert_eq!(came.len() as u64 + lost, COUNT, "what did not come is what the wire took: {account:?}");
        assert_share(lost, COUNT, 0.01);
        assert!(came.is_sorted_by_key(|(number, _)| *number));
    });
}

#[test]
fn what_came_before_the_beginning_is_not_counted_after_it() {
    in_own_process("lab_wire::what_came_before_the_beginning_is_not_counted_after_it", || {
        let (net, [a, _], _) = pair(Impairment::default(), Impairment::default());
        let lab = net.build();
        let socket = inside(&lab.door(), a, || UdpSocket::bind("0.0.0.0:0").unwrap()).join().unwrap();
        // They get to know each other by a datagram: what a connection has to say at its end may come at any time.
        socket.send_to(&[7; 100], ("10.1.0.2", PORT)).unwrap();
        let until = Instant::now() + BOUND;
        while account(&lab).entered[0] < 2 {
            assert!(Instant::now() < until, "a question for the neighbour and the datagram cross");
            std::thread::yield_now();
        }
        for _ in 0..200 {
            socket.send_to(&[7; 100], ("10.1.0.2", PORT)).unwrap();
            lab.begin(Instant::now()).unwrap();
            assert_eq!(account(&lab).entered[0], 0);
        }
    });
}

#[test]
fn the_same_seed_loses_the_same_packets() {
    in_own_process("lab_wire::the_same_seed_loses_the_same_packets", || {
        let lost = |seed: u64| {
            let (mut net, nodes, _) = pair(losing(100_000_000), losing(100_000_000));
            net.0.seed = seed;
            let lab = net.build();
            let came: BTreeSet<u64> =
                carried(&lab.door(), nodes, 2000, 106, Duration::from_micros(100)).into_iter().map(|(n, _)| n).collect();
            (0..2000).filter(|number| !came.contains(number)).collect::<Vec<u64>>()
        };
        let first = lost(5);
        assert_share(first.len() as u64, 2000, 0.1);
        assert_eq!(first, lost(5));
        assert_ne!(first, lost(6));
    });
}

#[test]
fn a_rate_is_kept_within_two_percent() {
    in_own_process("lab_wire::a_rate_is_kept_within_two_percent", || {
        const FRAME: usize = 1514;
        for (bps, count) in [(1_000_000, 60), (20_000_000, 1000), (200_000_000, 8000)] {
            let queue = Queue { limit: QueueLimit::Packets(10_000), said: true, codel: None };
            let does = Impairment { rate_bps: Some(bps), queue, ..Impairment::default() };
            let (net, nodes, _) = pair(does, Impairment::default());
            // The wire and its receiver have a core, and the sender the other: it must be faster than the link.
            let everywhere = sched_getaffinity(Pid::from_raw(0)).unwrap();
            stay(usize::from(PORT) + 1);
            let lab = net.build();
            acquaint(&lab, nodes);
            let receiver = listen(&lab.door(), nodes[1], PORT);
            sched_setaffinity(Pid::from_raw(0), &everywhere).unwrap();
            send(&lab.door(), nodes[0], PORT, count, FRAME, Duration::ZERO).join().unwrap();
            let queued = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
            let came = receiver.join().unwrap();
            assert_eq!(came.len() as u64, count);
            let account = account(&lab);
            assert!(account.queued == [0, 0]);
            let rate = |at: &[u64]| {
                let took = (at.last().unwrap() - at[0]) as f64 / 1e9;
                ((at.len() - 1) as f64 * (FRAME * 8) as f64 / took, took)
            };
            let came: Vec<u64> = came.iter().map(|(_, at)| *at).collect();
            // Before all was sent the link may have had to wait for its sender.
            let rest = &came[came.partition_point(|at| u128::from(*at) <= queued)..];
            let (measured, error) = if rest.len() as u64 > count / 2 {
                let (measured, took) = rate(rest);
                // The first and the last may each be as late as the wire says that it was.
                (measured, account.late_max_ns as f64 / 1e9 / took)
            } else {
                // A sender that was held up now and then spoils a few pieces of many.
                let mut pieces: Vec<(f64, f64)> = came.chunks(came.len() / 20).map(rate).collect();
                pieces.sort_by(|a, b| a.0.total_cmp(&b.0));
                let (measured, took) = pieces[pieces.len() / 2];
                (measured, account.late_p99_ns as f64 / 1e9 / took)
            };
            println!(
                "{bps} bit/s: {} of {count} after all was sent: measured {measured:.0}, +- {:.3} % for lateness",
                rest.len(),
                error * 100.0
            );
            assert!((measured / bps as f64 - 1.0).abs() < 0.02 + error, "{measured} instead of {bps}");
        }
    });
}

#[test]
fn jitter_keeps_the_order_of_two_flows() {
    in_own_process("lab_wire::jitter_keeps_the_order_of_two_flows", || {
        for keep_order in [true, false] {
            let does = Impairment { delay: Delay::Drawn(Varying::Uniform(MS, 5 * MS)), keep_order, ..Impairment::default() };
            let (net, [a, b], _) = pair(does, Impairment::default());
            let lab = net.build();
            acquaint(&lab, [a, b]);
            let door = lab.door();
            let ports = [PORT, PORT + 1];
            let receivers = ports.map(|port| listen(&door, b, port));
            let senders = ports.map(|port| send(&door, a, port, 2000, 200, Duration::from_micros(200)));
            senders.into_iter().for_each(|sender| sender.join().unwrap());
            for receiver in receivers {
                let came = receiver.join().unwrap();
                assert_eq!(came.len(), 2000);
                assert_eq!(came.is_sorted_by_key(|(number, _)| *number), keep_order);
            }
            let account = account(&lab);
            println!("late: p50 {} us, p99 {} us", account.late_p50_ns / 1000, account.late_p99_ns / 1000);
            assert_eq!(account.late.iter().map(|(_, count)| count).sum::<u64>(), account.delivered.iter().sum::<u64>());
        }
    });
}

#[test]
fn what_is_sent_into_a_cut_is_lost_and_the_rest_stays_in_order() {
    in_own_process("lab_wire::what_is_sent_into_a_cut_is_lost_and_the_rest_stays_in_order", || {
        // Fewer than fill a socket's buffer: they wait for a neighbour who cannot answer.
        const IN_THE_CUT: u64 = 150;
        let (net, nodes, wan) = pair(Impairment::delaying(10 * MS), Impairment::delaying(10 * MS));
        let mut lab = net.build();
        acquaint(&lab, nodes);
        let receiver = listen(&lab.door(), nodes[1], PORT);
        let (sent, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (Arc::clone(&sent), Arc::clone(&stop));
        let sender = inside(&lab.door(), nodes[0], move || {
            let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
            socket.connect(("10.1.0.2", PORT)).unwrap();
            let start = Instant::now();
            while !end.load(Ordering::Relaxed) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let mut packet = [7; 100];
                packet[..8].copy_from_slice(&number.to_be_bytes());
                socket.send(&packet).unwrap();
                while start.elapsed() < Duration::from_micros(200) * u32::try_from(number).unwrap() {
                    std::thread::yield_now();
                }
            }
        });
        let reaches = |number: u64| {
            let until = Instant::now() + BOUND;
            while sent.load(Ordering::Relaxed) < number {
                assert!(Instant::now() < until, "the sender stands still");
                std::thread::yield_now();
            }
            number
        };
        reaches(100);
        lab.apply(&Action::Down(vec![Target::Link(wan)])).unwrap();
        let from = sent.load(Ordering::Relaxed);
        let to = reaches(from + IN_THE_CUT);
        lab.apply(&Action::Up(vec![Target::Link(wan)])).unwrap();
        reaches(sent.load(Ordering::Relaxed) + IN_THE_CUT);
        stop.store(true, Ordering::Relaxed);
        sender.join().unwrap();
        let came = receiver.join().unwrap();
        assert!(came.is_sorted_by_key(|(number, _)| *number));
        assert!(came.iter().all(|(number, _)| !(from..to).contains(number)), "nothing that was sent into the cut comes later");
        let first = came.iter().find(|(number, _)| *number >= to).unwrap().0;
        assert_eq!(came.last().unwrap().0, sent.load(Ordering::Relaxed) - 1);
        assert_eq!(came.iter().filter(|(number, _)| *number >= first).count() as u64, sent.load(Ordering::Relaxed) - first, "none is lost");
    });
}

#[test]
fn corrupt_packets_are_seen_as_such() {
    in_own_process("lab_wire::corrupt_packets_are_seen_as_such", || {
        const COUNT: u64 = 5000;
        let (net, nodes, wan) = pair(Impairment::default(), Impairment::default());
        let mut lab = net.build();
        acquaint(&lab, nodes);
        let before = account(&lab);
        let does = Impairment { corrupt_nano: 200_000_000, ..Impairment::default() };
        lab.apply(&Action::Impair { targets: vec![Target::Link(wan)], forward: Some(does), back: None, over_ns: 0 }).unwrap();
        let came = carried(&lab.door(), nodes, COUNT, 500, Duration::from_micros(50));
        let account = account(&lab);
        // What ends the connection of before may be among them.
        let others = account.delivered[0] - before.delivered[0] - COUNT;
        assert!(others < 10, "{account:?}");
        assert_share(account.corrupted[0], COUNT + others, 0.2);
        // Every changed bit is one of a header or a payload with a checksum.
        let whole = COUNT - account.corrupted[0];
        assert!((whole..=whole + others).contains(&(came.len() as u64)), "{} came: {account:?}", came.len());
    });
}

#[test]
fn copies_arrive_and_are_counted() {
    in_own_process("lab_wire::copies_arrive_and_are_counted", || {
        let (net, nodes, _) = pair(Impairment::default(), Impairment::default());
        let mut lab = net.build();
        acquaint(&lab, nodes);
        let does = Impairment { duplicate_nano: 100_000_000, ..Impairment::delaying(MS) };
        lab.apply(&Action::Impair { targets: vec![Target::Node(nodes[0])], forward: Some(does), back: None, over_ns: 0 }).unwrap();
        let came = carried(&lab.door(), nodes, 3000, 200, Duration::from_micros(50));
        let account = account(&lab);
        assert_eq!(came.len() as u64, 3000 + account.duplicated[0]);
        assert_share(account.duplicated[0], 3000, 0.1);
    });
}

/// Reads what a node pours over TCP.
fn drunk(door: &Door, [a, b]: [NodeId; 2], bytes: usize) -> Vec<u8> {
    pour(door, b, "10.1.0.2:90", bytes);
    let socket = lab_support::socket(door, a, false);
    socket.connect_timeout(&"10.1.0.2:90".parse::<std::net::SocketAddr>().unwrap().into(), BOUND).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(BOUND)).unwrap();
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    came
}

#[test]
fn streams_arrive_whole_over_rough_links_packet_by_packet() {
    in_own_process("lab_wire::streams_arrive_whole_over_rough_links_packet_by_packet", || {
        const BYTES: usize = 3 << 20;
        let rough = || Impairment {
            loss: Loss::Random { ratio_nano: 2_000_000 },
            corrupt_nano: 2_000_000,
            duplicate_nano: 5_000_000,
            reorder: Some(Reorder { ratio_nano: 5_000_000, by: ReorderBy::Packets(2) }),
            ..Impairment::delaying(MS / 2)
        };
        let (net, nodes, _) = pair(rough(), rough());
        let lab = net.build();
        let came = drunk(&lab.door(), nodes, BYTES);
        assert_eq!(came.len(), BYTES);
        assert!(came.iter().enumerate().all(|(at, byte)| *byte == (at % 251) as u8));
        let account = account(&lab);
        assert!(account.delivered[1] as usize >= BYTES / 1448, "each packet crosses alone: {account:?}");
        assert!(account.reordered[1] > 0 && account.corrupted[1] > 0 && account.lost[1] > 0, "{account:?}");
    });
}

#[test]
fn changes_lose_nothing_and_end_as_they_began() {
    in_own_process("lab_wire::changes_lose_nothing_and_end_as_they_began", || {
        let (mut net, nodes, wan) = pair(Impairment::delaying(5 * MS), Impairment::delaying(5 * MS));
        net.0.links[wan.index()].packets_alone = true;
        let mut lab = net.build();
        acquaint(&lab, nodes);
        let door = lab.door();
        let (receiver, sender) = (listen(&door, nodes[1], PORT), send(&door, nodes[0], PORT, 5000, 400, Duration::from_micros(100)));
        let queue = Queue { limit: QueueLimit::Packets(10_000), said: true, codel: None };
        let rates = [50_000_000, 10_000_000, 400_000_000].map(|bps| Impairment { rate_bps: Some(bps), queue, ..Impairment::delaying(MS) });
        let impair = |forward: &Impairment, over_ns| Action::Impair {
            targets: vec![Target::Link(wan)],
            forward: Some(forward.clone()),
            back: None,
            over_ns,
        };
        let actions: Vec<Action> = rates.iter().zip([0, 20 * MS, 0]).map(|(does, over)| impair(does, over)).collect();
        while !sender.is_finished() {
            for action in &actions {
                assert_eq!(lab.apply(action).unwrap().warnings, [""; 0]);
            }
            for action in &actions {
                assert!(lab.undo(action).unwrap().is_some());
            }
        }
        sender.join().unwrap();
        let came = receiver.join().unwrap();
        assert_eq!(came.len(), 5000, "{:?}", lab.accounts());
        assert!(came.is_sorted_by_key(|(number, _)| *number));
        account(&lab);
        let (mut stream, _) = connect(&door, nodes[0], "10.1.0.2:80", BOUND).unwrap();
        let start = Instant::now();
        echo(&mut stream).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(10), "the delay is again what the topology says");
        let restored = lab.apply(&Action::Restore(vec![Target::Link(wan)])).unwrap();
        assert!(restored.warnings[0].contains("had no effect"), "{restored:?}");
    });
}

#[test]
fn an_impairment_that_meets_nothing_is_told() {
    in_own_process("lab_wire::an_impairment_that_meets_nothing_is_told", || {
        let (net, [a, b], wan) = pair(Impairment::default(), Impairment::default());
        let mut lab = net.build();
        let impair = Action::Impair { targets: vec![Target::Link(wan)], forward: Some(losing(1)), back: None, over_ns: 0 };
        lab.apply(&impair).unwrap();
        assert_eq!(lab.effects().unwrap().len(), 1);
        assert!(lab.undo(&impair).unwrap().unwrap().warnings[0].starts_with("impair of a--b had no effect"));
        acquaint(&lab, [a, b]);
        lab.apply(&impair).unwrap();
        connect(&lab.door(), a, "10.1.0.2:80", BOUND).unwrap();
        assert!(lab.effects().unwrap().is_empty());
        assert_eq!(lab.undo(&impair).unwrap().unwrap().warnings, [""; 0]);
    });
}

/// client, server and spare on a bridge, each by a wire; a router beyond the client's link leads to far.
fn town() -> (Net, [NodeId; 3]) {
    let mut net = Net::new();
    let hosts = net.hosts(["client", "server", "spare"]);
    let lan = net.node("lan", NodeKind::Bridge);
    for (at, host) in hosts.into_iter().enumerate() {
        let addresses = [format!("10.1.0.{}/24", at + 1), format!("fd00::{}/64", at + 1)];
        net.link(Wire, [(host, &[&addresses[0], &addresses[1]]), (lan, &[])]);
    }
    (net, hosts)
}

#[test]
fn partitions_keep_sets_apart_and_heal() {
    in_own_process("lab_wire::partitions_keep_sets_apart_and_heal", || {
        let (net, [client, server, spare]) = town();
        let mut lab = net.build();
        let door = lab.door();
        serve(&door, server, "[::]:80", 2);
        serve(&door, spare, "[::]:80", 3);
        let reaches = |from: NodeId, to: &str| connect(&door, from, to, BOUND).is_ok();
        let misses = |from: NodeId, to: &str| connect(&door, from, to, SHORT).is_err();
        let cut = |one_way| Cut { from: vec![client], to: vec![server], one_way };
        for target in ["10.1.0.2:80", "[fd00::2]:80"] {
            assert!(reaches(client, target));
            let partition = Action::Partition(cut(false));
            assert_eq!(lab.apply(&partition).unwrap().warnings, [""; 0]);
            assert!(misses(client, target) && reaches(spare, target) && reaches(client, "10.1.0.3:80"));
            assert!(lab.apply(&Action::Partition(cut(true))).unwrap().warnings[0].contains("had no effect"));
            // One of two that overlap has gone: the other still holds.
            assert_eq!(lab.undo(&partition).unwrap().unwrap().warnings, [""; 0]);
            assert!(misses(client, target));
            lab.apply(&Action::Heal(Healed::Between(cut(false)))).unwrap();
            assert!(reaches(client, target));
        }
        assert!(lab.apply(&Action::Heal(Healed::All)).unwrap().warnings[0].contains("had no effect"));
        // Isolated: from everyone, though not from itself, and its carrier stays.
        lab.apply(&Action::Isolate(vec![server])).unwrap();
        assert!(misses(client, "10.1.0.2:80") && misses(server, "10.1.0.3:80") && reaches(client, "10.1.0.3:80"));
        lab_support::carrier_becomes(&door, server, "eth0", true);
        assert_eq!(lab.undo(&Action::Isolate(vec![server])).unwrap().unwrap().warnings, [""; 0]);
        assert!(reaches(client, "10.1.0.2:80"));
        lab.apply(&Action::Isolate(vec![server])).unwrap();
        assert!(misses(client, "10.1.0.2:80"));
        lab.apply(&Action::Heal(Healed::All)).unwrap();
        assert!(reaches(client, "10.1.0.2:80"));
    });
}

#[test]
fn one_way_partitions_take_one_way_only() {
    in_own_process("lab_wire::one_way_partitions_take_one_way_only", || {
        let (net, [client, server, spare]) = town();
        let mut lab = net.build();
        let door = lab.door();
        serve(&door, server, "[::]:80", 2);
        serve(&door, spare, "[::]:80", 3);
        connect(&door, client, "10.1.0.2:80", BOUND).unwrap();
        lab.apply(&Action::Partition(Cut { from: vec![server], to: vec![client, spare], one_way: true })).unwrap();
        // What the client sends still arrives.
        let receiver = listen(&door, server, PORT);
        send(&door, client, PORT, 100, 200, Duration::from_millis(1)).join().unwrap();
        assert_eq!(receiver.join().unwrap().len(), 100);
        assert!(connect(&door, client, "10.1.0.2:80", SHORT).is_err());
        // An address that moves away from the server is no longer kept apart.
        let prefix = lab_support::prefix("10.1.0.2/24");
        lab.apply(&Action::MoveAddress { prefix, from: server, to: spare, interface: None }).unwrap();
        assert_eq!(connect(&door, client, "10.1.0.2:80", BOUND).unwrap().1, 3);
        let account = lab.accounts();
        assert!(account.iter().flatten().all(|account| account.closes(0) && account.closes(1)), "{account:?}");
    });
}

#[test]
fn tags_cross_a_wire() {
    in_own_process("lab_wire::tags_cross_a_wire", || {
        let mut net = Net::new();
        let [a, b] = net.hosts(["a", "b"]);
        net.link(Wire, [(a, &["10.1.0.1/24"]), (b, &["10.1.0.2/24"])]);
        let lab = net.build();
        let door = lab.door();
        let raw = |door: &Door, node: NodeId| {
            inside(door, node, || {
                let socket = socket2::Socket::new(
                    socket2::Domain::PACKET,
                    socket2::Type::RAW,
                    Some(i32::from((libc::ETH_P_ALL as u16).to_be()).into()),
                )
                .unwrap();
                let index = nix::net::if_::if_nametoindex("eth0").unwrap();
                // SAFETY: all zero bytes are a valid address of this sort.
                let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
                (address.sll_family, address.sll_protocol) = (libc::AF_PACKET as u16, (libc::ETH_P_ALL as u16).to_be());
                address.sll_ifindex = index as i32;
                // SAFETY: the address lives through the call, with its true size.
                let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as u32) };
                assert_eq!(bound, 0);
                socket.set_read_timeout(Some(BOUND)).unwrap();
                socket
            })
            .join()
            .unwrap()
        };
        let (sender, mut receiver) = (raw(&door, a), raw(&door, b));
        // The kernel tells of a tag beside the frame.
        let one: libc::c_int = 1;
        // SAFETY: the pointer points to a living c_int and the length is its size.
        let set = unsafe { libc::setsockopt(receiver.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_AUXDATA, (&raw const one).cast(), 4) };
        assert_eq!(set, 0);
        let mut frame = vec![2, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0x81, 0, 0, 123, 0x88, 0xb5];
        frame.resize(100, 9);
        sender.send(&frame).unwrap();
        let mut buffer = [0; 2048];
        loop {
            let length = receiver.read(&mut buffer).unwrap();
            // Of its own type, so that it is told from what the nodes say by themselves.
            if length == 96 && buffer[12..14] == [0x88, 0xb5] {
                break;
            }
            assert!(length != 100 || buffer[16..18] != [0x88, 0xb5], "a tag is taken off by the kernel");
        }
        let account = lab.accounts()[0].clone().unwrap();
        assert!(account.closes(0) && account.delivered[0] >= 1);
    });
}

#[test]
fn offload_off_means_checksums_too() {
    in_own_process("lab_wire::offload_off_means_checksums_too", || {
        const BYTES: usize = 1 << 20;
        let mut net = Net::new();
        let [a, b] = net.hosts(["a", "b"]);
        net.link(Wire, [(a, &["10.1.0.1/24"]), (b, &["10.1.0.2/24"])]);
        for host in [a, b] {
            net.0.nodes[host.index()].interfaces[0].settings.offload = Some(false);
        }
        let lab = net.build();
        let came = drunk(&lab.door(), [a, b], BYTES);
        assert_eq!(came.len(), BYTES);
        let account = lab.accounts()[0].clone().unwrap();
        assert!(account.delivered[1] as usize >= BYTES / 1448, "{account:?}");
        let told = inside(&lab.door(), a, || std::process::Command::new("ethtool").args(["-k", "eth0"]).output());
        // Where the tool is there it says the same.
        if let Ok(told) = told.join().unwrap() {
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            for line in ["tcp-segmentation-offload: off", "generic-receive-offload: off", "tx-checksumming: off"] {
                assert!(told.contains(line), "{line}:\n{told}");
            }
        }
    });
}

#[test]
fn a_hundred_wires_lose_nothing() {
    in_own_process("lab_wire::a_hundred_wires_lose_nothing", || {
        const WIRES: usize = 100;
        let mut net = Net::new();
        let hub = net.node("hub", NodeKind::Host);
        let mut links = Vec::new();
        for at in 0..WIRES {
            let [leaf] = net.hosts([format!("leaf{at}").as_str()]);
            let (here, there) = (format!("10.2.{at}.1/24"), format!("10.2.{at}.2/24"));
            links.push(net.link(Wire, [(hub, &[&here]), (leaf, &[&there])]));
            net.impair(*links.last().unwrap(), Impairment::delaying(10 * MS), Impairment::delaying(10 * MS));
        }
        let lab = net.build();
        let to_each = |rounds: u64| {
            let sender = inside(&lab.door(), hub, move || {
                let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
                for round in 0..rounds {
                    for at in 0..WIRES {
                        socket.send_to(&round.to_be_bytes(), format!("10.2.{at}.2:9")).unwrap();
                    }
                }
            });
            sender.join().unwrap();
        };
        let all_closed = || {
            let accounts: Vec<LinkAccount> = lab.accounts().into_iter().flatten().collect();
            assert!(accounts.iter().all(|account| account.closes(0) && account.closes(1)), "{accounts:?}");
            accounts
        };
        let until = Instant::now() + BOUND;
        let wait = |is_there: &dyn Fn(usize, &LinkAccount) -> bool| loop {
            let accounts = all_closed();
            if accounts.iter().enumerate().all(|(at, account)| is_there(at, account)) {
                return accounts;
            }
            assert!(Instant::now() < until, "{accounts:?}");
            std::thread::yield_now();
        };
        // The first finds the neighbour, whose answer comes back.
        to_each(1);
        let before = wait(&|_, account| account.delivered[0] > 1 && account.delivered[1] > 0);
        to_each(50);
        wait(&|at, account| account.delivered[0] >= before[at].delivered[0] + 50);
        assert!(lab.destroy().is_empty());
    });
}
