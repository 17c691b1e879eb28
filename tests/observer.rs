//! The reported outage against an independent observer: a raw socket in the client's namespace that notes when the kernel received
//! each data segment of a server. It shares nothing with scn but the wire.

use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockProtocol, SockType, recvmsg, setsockopt, socket, sockopt,
};

use crate::built::{Ended, LIMIT, Place, collect, is_root, scenario, skip, until_told};

/// The client of `failover.scn`, and its service's port.
const CLIENT: [u8; 4] = [10, 0, 0, 10];
const PORT: u16 = 5003;
/// Between two intended starts of `failover.scn`: 400 a second.
const INTERVAL: Duration = Duration::from_micros(2500);

#[test]
fn the_reported_outage_is_what_an_observer_sees() {
    if !is_root() {
        return skip("entering another process's network namespace needs root");
    }
    let place = Place::new();
    place.write("failover.scn", scenario("failover.scn"));
    let seen = std::cell::RefCell::new(Vec::new());
    let ended = until_told(|| {
        let (ended, arrivals) = beside(place.command(&["run", "failover.scn"]), CLIENT, is_answer);
        *seen.borrow_mut() = arrivals;
        ended
    });
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let seen = seen.into_inner();
    let gap = seen.windows(2).map(|pair| pair[1] - pair[0]).max().expect("the observer saw traffic");
    let seen_outage = gap.saturating_sub(INTERVAL);
    let (reported, error) = reported(&place);
    let difference = reported.abs_diff(seen_outage);
    println!("reported {reported:?} ± {error:?}, observed {seen_outage:?} over {} segments", seen.len());
    assert!(difference <= error, "reported {reported:?} ± {error:?}, observed {seen_outage:?}");
}

/// Runs a command of scn to its end, and meanwhile notes when the kernel received each frame that is wanted in the namespace of the node
/// with an address.
pub fn beside(mut command: std::process::Command, address: [u8; 4], wanted: fn(&[u8]) -> bool) -> (Ended, Vec<Duration>) {
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let process = child.id();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let observer = scope.spawn(|| observe(process, &over, address, wanted));
        let ended = collect(child);
        over.store(true, Ordering::Release);
        (ended, observer.join().unwrap())
    })
}

/// The arrival times of frames, as the kernel stamped them.
fn observe(process: u32, over: &AtomicBool, address: [u8; 4], wanted: fn(&[u8]) -> bool) -> Vec<Duration> {
    let socket = raw_socket_at(process, over, address);
    let mut seen = Vec::new();
    let mut frame = [0u8; 2048];
    while !over.load(Ordering::Acquire) {
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        let mut parts = [IoSliceMut::new(&mut frame)];
        let Ok(message) = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty()) else { continue };
        let stamp = message.cmsgs().expect("the buffer holds one stamp").find_map(|c| match c {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        });
        let length = message.bytes;
        if wanted(&frame[..length]) {
            seen.push(stamp.expect("stamps were asked for"));
        }
    }
    seen
}

/// Whether a frame is an IPv4 TCP segment from the service to the client that carries data.
fn is_answer(frame: &[u8]) -> bool {
    let Some(packet) = frame.get(14..).filter(|_| frame.get(12..14) == Some(&[8, 0])) else { return false };
    if packet.len() < 40 || packet[9] != 6 || packet[16..20] != CLIENT {
        return false;
    }
    let header = usize::from(packet[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    let segment = &packet[header..];
    let data = total - header - usize::from(segment[12] >> 4) * 4;
    u16::from_be_bytes([segment[0], segment[1]]) == PORT && data > 0
}

/// Finds, among the namespaces that the process holds, the one with the address, and listens in it.
fn raw_socket_at(process: u32, over: &AtomicBool, address: [u8; 4]) -> OwnedFd {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline && !over.load(Ordering::Acquire) {
        let entries = fs::read_dir(format!("/proc/{process}/fd")).map(|e| e.filter_map(Result::ok).collect::<Vec<_>>()).unwrap_or_default();
        for entry in entries {
            let is_namespace = fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("net:["));
            if is_namespace && let Ok(file) = fs::File::open(entry.path()) {
                // A thread of its own, so that no other test finds itself in that namespace.
                let found = std::thread::spawn(move || enter_if_there(&file, address)).join().unwrap();
                if let Some(socket) = found {
                    return socket;
                }
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no namespace of the runner has the address");
}

fn enter_if_there(namespace: &fs::File, address: [u8; 4]) -> Option<OwnedFd> {
    setns(namespace, CloneFlags::CLONE_NEWNET).ok()?;
    let wanted = std::net::Ipv4Addr::from(address);
    let mut addresses = nix::ifaddrs::getifaddrs().ok()?;
    addresses.find(|a| a.address.is_some_and(|a| a.as_sockaddr_in().is_some_and(|a| a.ip() == wanted)))?;
    let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll).expect("root may listen");
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("the kernel stamps packets");
    setsockopt(&socket, sockopt::RcvBuf, &(4 << 20)).expect("a larger buffer");
    let limit = nix::sys::time::TimeVal::new(0, 100_000);
    setsockopt(&socket, sockopt::ReceiveTimeout, &limit).expect("a limit for waiting");
    Some(socket)
}

/// The outage and its error as the record says them: `steady.outage.max = 353.2ms ± 2.5ms`.
fn reported(place: &Place) -> (Duration, Duration) {
    let record: serde_json::Value = serde_json::from_str(&place.read("scn-results/failover.vip_failover.run.json")).unwrap();
    let expectations = record["expectations"].as_array().unwrap();
    let outage = expectations.iter().find(|e| e["words"].as_str().unwrap().contains("outage.max")).unwrap();
    measured(outage["outcome"]["measured"].as_str().unwrap())
}

/// A value and its error as a record says them: `steady.outage.max = 353.2ms ± 2.5ms`.
pub fn measured(measured: &str) -> (Duration, Duration) {
    let (value, error) =
        measured.split_once("= ").unwrap().1.split_once(" ± ").unwrap_or_else(|| panic!("no error is stated in `{measured}`"));
    (duration(value), duration(error))
}

fn duration(text: &str) -> Duration {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or_else(|| panic!("`{text}` has no unit"));
    let scale = match &text[unit..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        other => panic!("`{other}` is no unit of time"),
    };
    Duration::from_secs_f64(text[..unit].trim().parse::<f64>().unwrap() * scale)
}
