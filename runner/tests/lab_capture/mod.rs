//! Captures on the real kernel: exactly the packets that were sent, with what became of each, and nothing left behind.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions")]

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use scn_grammar::scenario::timeline::{Action, Target};
use scn_grammar::scenario::topology::{Impairment, Loss, Reorder, ReorderBy};
use scn_grammar::scenario::{LinkId, NodeId};
use scn_reports::record::LinkAccount;
use scn_reports::record::capture::CaptureRecord;
use scn_runner::lab::{Door, KernelLab};
use scn_runner::plan::types::Engine::{self, Direct, Wire};

use crate::lab_support::{BOUND, Net, connect, in_own_process, inside, kernel_descriptors, serve, threads};

const PORT: u16 = 5000;
/// A receiver that hears nothing for so long has all that comes.
const QUIET: Duration = Duration::from_millis(400);

/// A frame of a file.
#[derive(Debug)]
struct Kept {
    interface: u32,
    at_ns: u64,
    bytes: Vec<u8>,
    comment: String,
    /// 1: in, 2: out.
    flags: u32,
}

impl Kept {
    /// The number in a datagram to the port, if it is one.
    fn number(&self) -> Option<u64> {
        let udp = self.bytes.get(12..14) == Some(&[8, 0]) && self.bytes.get(23) == Some(&17);
        (udp && self.bytes[36..38] == PORT.to_be_bytes()).then(|| u64::from_be_bytes(self.bytes[42..50].try_into().unwrap()))
    }

    fn is_copy(&self) -> bool {
        self.comment.contains("copy made by duplicate")
    }

    /// The first word of the comment.
    fn fate(&self) -> &str {
        self.comment.split([' ', ':']).next().unwrap()
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The frames of a file, and for each interface what its statistics say came and was missed.
fn read(path: &Path) -> (Vec<Kept>, Vec<(u64, u64)>) {
    let bytes = std::fs::read(path).unwrap();
    let (mut kept, mut seen, mut at) = (Vec::new(), Vec::new(), 0);
    while at < bytes.len() {
        let length = number(&bytes, at + 4) as usize;
        let block = &bytes[at..at + length];
        assert_eq!(number(block, length - 4) as usize, length);
        match number(block, 0) {
            6 => {
                let size = number(block, 20) as usize;
                let mut frame = Kept {
                    interface: number(block, 8),
                    at_ns: u64::from(number(block, 12)) << 32 | u64::from(number(block, 16)),
                    bytes: block[28..28 + size].to_vec(),
                    comment: String::new(),
                    flags: 0,
                };
                for (code, value) in options(&block[28 + size.next_multiple_of(4)..length - 4]) {
                    match code {
                        1 => frame.comment = String::from_utf8(value.to_vec()).unwrap(),
                        2 => frame.flags = number(value, 0),
                        _ => {}
                    }
                }
                kept.push(frame);
            }
            5 => {
                let counts: BTreeMap<u16, &[u8]> = options(&block[20..length - 4]).into_iter().collect();
                let count = |code: u16| u64::from_le_bytes(counts[&code].try_into().unwrap());
                seen.push((count(4), count(5)));
            }
            _ => {}
        }
        at += length;
    }
    (kept, seen)
}

fn options(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 4 {
        let (code, length) = (u16::from_le_bytes([bytes[0], bytes[1]]), usize::from(u16::from_le_bytes([bytes[2], bytes[3]])));
        if code == 0 {
            break;
        }
        found.push((code, &bytes[4..4 + length]));
        bytes = &bytes[4 + length.next_multiple_of(4)..];
    }
    found
}

/// a and b with one link; nobody speaks by itself.
fn pair(engine: Engine) -> (Net, [NodeId; 2], LinkId) {
    let mut net = Net::new();
    let [a, b] = net.hosts(["a", "b"]);
    let link = net.link(engine, [(a, &["10.1.0.1/24"]), (b, &["10.1.0.2/24"])]);
    for host in [a, b] {
        net.0.nodes[host.index()].sysctls.push(("net.ipv6.conf.all.disable_ipv6".into(), "1".into()));
    }
    (net, [a, b], link)
}

/// Sends numbered datagrams from a and receives them at b until nothing comes any more. Out: the numbers that came.
fn carried(door: &Door, [a, b]: [NodeId; 2], numbers: std::ops::Range<u64>) -> Vec<u64> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let receiver = inside(door, b, move || {
        let socket = UdpSocket::bind(("0.0.0.0", PORT)).unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        ready.send(()).unwrap();
        let (mut buffer, mut came) = ([0; 2048], Vec::new());
        while let Ok(length) = socket.recv(&mut buffer) {
            assert_eq!(length, 200);
            came.push(u64::from_be_bytes(buffer[..8].try_into().unwrap()));
            socket.set_read_timeout(Some(QUIET)).unwrap();
        }
        came
    });
    is_ready.recv().unwrap();
    send(door, a, numbers);
    receiver.join().unwrap()
}

fn send(door: &Door, from: NodeId, numbers: std::ops::Range<u64>) {
    let sender = inside(door, from, move || {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect(("10.1.0.2", PORT)).unwrap();
        let start = Instant::now();
        for (at, number) in (0..).zip(numbers) {
            let mut datagram = [7; 200];
            datagram[..8].copy_from_slice(&number.to_be_bytes());
            // A refusal of the other side is told to the next that sends.
            let _ = socket.send(&datagram);
            while start.elapsed() < Duration::from_micros(100) * at {
                std::thread::yield_now();
            }
        }
    });
    sender.join().unwrap();
}

fn capture(targets: Vec<Target>, to: &str) -> Action {
    Action::Capture { targets, to: to.into() }
}

fn finish(lab: &mut KernelLab) -> Vec<CaptureRecord> {
    let start = Instant::now();
    lab.finish_captures(&|at| i64::try_from(at.saturating_duration_since(start).as_nanos()).unwrap())
}

fn assert_account(record: &CaptureRecord, seen: &[(u64, u64)], kept: &[Kept]) {
    assert_eq!(record.trouble, None);
    assert_eq!(record.came, record.packets + record.missed + record.left_out, "{record:?}");
    assert_eq!(record.packets, kept.len() as u64);
    assert_eq!(record.came, seen.iter().map(|(came, _)| came).sum::<u64>());
    assert_eq!((record.missed, record.left_out), (0, 0), "{record:?}");
}

/// What the comments say of the frames that came in at one end is what the wire counted there.
fn assert_as_counted(account: &LinkAccount, kept: &[Kept], end: usize) {
    let rows = || kept.iter().filter(|frame| frame.interface as usize == end);
    let of_fate = |fate: &str| rows().filter(|frame| frame.fate() == fate).count() as u64;
    let of_mark = |mark: &str| rows().filter(|frame| frame.comment.contains(mark)).count() as u64;
    assert_eq!(rows().count() as u64, account.entered[end] + account.duplicated[end], "{account:?}");
    for (fate, count) in [
        ("delivered", account.delivered),
        ("cut", account.cut),
        ("filtered", account.filtered),
        ("lost", account.lost),
        ("overflowed", account.overflowed),
        ("dropped", account.dropped),
        ("queued", account.queued),
    ] {
        assert_eq!(of_fate(fate), count[end], "{fate} at end {end}: {account:?}");
    }
    assert_eq!(of_mark("; copy made by duplicate"), account.duplicated[end]);
    assert_eq!(of_mark("; reordered"), account.reordered[end]);
    assert_eq!(rows().filter(|frame| frame.comment.contains("; corrupted") && !frame.is_copy()).count() as u64, account.corrupted[end]);
}

#[test]
fn a_wire_tells_the_fate_of_each_packet() {
    in_own_process("lab_capture::a_wire_tells_the_fate_of_each_packet", || {
        const COUNT: u64 = 2000;
        const CUT: u64 = 100;
        let folder = tempfile::tempdir().unwrap();
        let (mut net, nodes, link) = pair(Wire);
        let rough = Impairment {
            loss: Loss::Random { ratio_nano: 50_000_000 },
            corrupt_nano: 20_000_000,
            duplicate_nano: 50_000_000,
            reorder: Some(Reorder { ratio_nano: 10_000_000, by: ReorderBy::Packets(2) }),
            ..Impairment::delaying(3_000_000)
        };
        net.impair(link, rough, Impairment::delaying(1_000_000));
        let mut lab = net.build();
        lab.capture_into(folder.path().to_owned());
        lab.apply(&capture(vec![Target::Link(link)], "wan.pcapng")).unwrap();
        lab.begin(Instant::now()).unwrap();
        // A connection has all it needs again, by what is sent twice.
        let door = lab.door();
        serve(&door, nodes[1], "10.1.0.2:80", 2);
        connect(&door, nodes[0], "10.1.0.2:80", BOUND).unwrap();
        let came = carried(&door, nodes, 0..COUNT);
        // Another capture of the same wire sees only what comes now.
        lab.apply(&capture(vec![Target::Link(link), Target::Link(link)], "sub/cut.pcapng")).unwrap();
        lab.apply(&Action::Silence(vec![Target::Link(link)])).unwrap();
        send(&door, nodes[0], COUNT..COUNT + CUT);
        let until = Instant::now() + BOUND;
        while lab.accounts()[0].as_ref().unwrap().cut[0] < CUT {
            assert!(Instant::now() < until, "{:?}", lab.accounts());
            std::thread::yield_now();
        }
        assert!(lab.undo(&capture(vec![], "sub/cut.pcapng")).unwrap().is_some());
        let records = finish(&mut lab);
        let account = lab.accounts()[0].clone().unwrap();
        assert!((0..2).all(|way| account.closes(way) && account.dropped[way] == 0), "{account:?}");
        assert_eq!(
            records.iter().map(|record| record.file.as_str()).collect::<Vec<_>>(),
            ["wan.pcapng", "sub/cut.pcapng"],
            "in the order in which they began"
        );

        let (kept, seen) = read(&folder.path().join("wan.pcapng"));
        assert_account(&records[0], &seen, &kept);
        assert_as_counted(&account, &kept, 0);
        assert_as_counted(&account, &kept, 1);
        assert!(account.lost[0] > 0 && account.corrupted[0] > 0 && account.reordered[0] > 0, "{account:?}");
        assert!(kept.is_sorted_by_key(|frame| frame.at_ns), "in the order in which they came");
        let sent: Vec<u64> = kept.iter().filter(|frame| !frame.is_copy()).filter_map(Kept::number).collect();
        assert_eq!(sent, (0..COUNT + CUT).collect::<Vec<u64>>(), "each that was sent, once");
        let good = |frame: &&Kept| frame.fate() == "delivered" && !frame.comment.contains("corrupted");
        let mut told: Vec<u64> = kept.iter().filter(good).filter_map(Kept::number).collect();
        let mut came = came;
        told.sort_unstable();
        came.sort_unstable();
        assert_eq!(told, came, "what is said to be delivered is what came");

        let (kept, seen) = read(&folder.path().join("sub/cut.pcapng"));
        assert_account(&records[1], &seen, &kept);
        let cut: Vec<u64> = kept.iter().filter(|frame| frame.fate() == "cut").filter_map(Kept::number).collect();
        assert_eq!(cut, (COUNT..COUNT + CUT).collect::<Vec<u64>>());
    });
}

/// An ARP request with a tag, as `0x8100` or `0x88a8`.
fn tagged(kind: u16) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 0]);
    frame.extend(kind.to_be_bytes());
    frame.extend([0, 123, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.resize(64, 9);
    frame
}

#[test]
fn interfaces_tell_what_they_send_and_receive() {
    in_own_process("lab_capture::interfaces_tell_what_they_send_and_receive", || {
        const COUNT: u64 = 1000;
        let folder = tempfile::tempdir().unwrap();
        let (net, [a, b], link) = pair(Direct);
        let mut lab = net.build();
        let (descriptors, before) = (kernel_descriptors(), threads().len());
        lab.capture_into(folder.path().to_owned());
        lab.apply(&capture(vec![Target::Link(link)], "link.pcapng")).unwrap();
        lab.apply(&capture(vec![Target::Node(b), Target::Interface(b, "eth0".into())], "node.pcapng")).unwrap();
        let door = lab.door();
        let came = carried(&door, [a, b], 0..COUNT);
        assert_eq!(came, (0..COUNT).collect::<Vec<u64>>());
        let frames = [tagged(0x8100), tagged(0x88a8)];
        let to_send = frames.clone();
        let sender = inside(&door, a, move || {
            let socket = socket2::Socket::new(socket2::Domain::PACKET, socket2::Type::RAW, None).unwrap();
            let index = nix::net::if_::if_nametoindex("eth0").unwrap();
            for frame in to_send {
                // SAFETY: all zero bytes are a valid address of this kind.
                let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
                address.sll_family = libc::AF_PACKET as u16;
                address.sll_ifindex = index.cast_signed();
                // SAFETY: both pointers are to living values, with their true sizes.
                let sent = unsafe {
                    let size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
                    libc::sendto(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0, (&raw const address).cast(), size)
                };
                assert_eq!(sent, frame.len() as isize, "{}", std::io::Error::last_os_error());
            }
        });
        sender.join().unwrap();
        let records = finish(&mut lab);
        assert_eq!(records.iter().map(|record| record.of.as_str()).collect::<Vec<_>>(), ["link a--b", "node b, interface b.eth0"]);

        let (kept, seen) = read(&folder.path().join("link.pcapng"));
        assert_account(&records[0], &seen, &kept);
        assert_eq!(seen.len(), 2, "one for each end");
        let numbers: Vec<u64> = kept.iter().filter(|frame| frame.interface == 0).filter_map(Kept::number).collect();
        assert_eq!(numbers, (0..COUNT).collect::<Vec<u64>>(), "each once, though both ends see it");
        assert!(kept.iter().all(|frame| frame.flags == 2 && frame.comment.is_empty()));

        let (kept, seen) = read(&folder.path().join("node.pcapng"));
        assert_account(&records[1], &seen, &kept);
        assert_eq!(seen.len(), 1, "the interface once, though two things name it");
        let numbers: Vec<u64> = kept.iter().filter(|frame| frame.flags == 1).filter_map(Kept::number).collect();
        assert_eq!(numbers, (0..COUNT).collect::<Vec<u64>>());
        for frame in &frames {
            assert_eq!(kept.iter().filter(|kept| kept.bytes == *frame).count(), 1, "the tag stands where it was");
        }
        assert!(!threads().iter().any(|name| name == "scn-taps" || name == "scn-capture"), "{:?}", threads());
        assert_eq!((kernel_descriptors(), threads().len()), (descriptors, before));
    });
}

#[test]
fn a_place_that_cannot_be_written_stops_nothing() {
    in_own_process("lab_capture::a_place_that_cannot_be_written_stops_nothing", || {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        for engine in [Wire, Direct] {
            let (net, nodes, link) = pair(engine);
            let mut lab = net.build();
            lab.capture_into(folder.path().join("file"));
            lab.apply(&capture(vec![Target::Link(link)], "x.pcapng")).unwrap();
            let came = carried(&lab.door(), nodes, 0..50);
            assert_eq!(came.len(), 50);
            let record = finish(&mut lab).remove(0);
            assert!(record.trouble.as_ref().unwrap().contains("file/x.pcapng could not be written"), "{record:?}");
            assert!(record.packets == 0 && record.came >= 50 && record.left_out == record.came, "{record:?}");
            assert!(record.incomplete().is_some());
        }
    });
}
