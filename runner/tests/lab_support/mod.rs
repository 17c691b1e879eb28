//! For tests of the lab: plans by hand, each test in a process of its own that may make namespaces, traffic by blocking sockets.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "test code outside of test functions")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use scn_grammar::scenario::topology::{Impairment, LinkKind, NodeKind, Prefix, Settings};
use scn_grammar::scenario::{LinkId, NodeId};
use scn_runner::lab::{Door, KernelLab};
use scn_runner::plan::types::{Engine, Plan, PlannedInterface, PlannedLink, PlannedNode, PlannedRoute, Stages, VERSION};
use scn_runner::traffic::sockets::{Sockets, Streams};

/// Nothing in a test takes longer than this.
pub const BOUND: Duration = Duration::from_secs(10);
const INSIDE: &str = "SCN_LAB_TEST_INSIDE";

/// Runs a test in a process of its own, as root or in a user namespace. Where neither is allowed the test is skipped, aloud.
pub fn in_own_process(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--include-ignored"]).env(INSIDE, "1");
    // SAFETY: between fork and exec the child has one thread; it makes system calls and writes three small files.
    unsafe { command.pre_exec(|| scn_runner::lab::enter().map(drop).map_err(|_| std::io::Error::from_raw_os_error(libc::EPERM))) };
    match command.status() {
        Ok(status) => assert!(status.success(), "{name} failed in its own process"),
        Err(cause) => {
            let privilege = scn_runner::lab::doctor().into_iter().find(|finding| finding.name == "privilege").unwrap();
            let reason = format!("no namespaces for this user ({cause}): {}. {}", privilege.detail, privilege.advice);
            assert!(std::env::var_os("SCN_NO_SKIP").is_none(), "skipped, which SCN_NO_SKIP forbids: {reason}");
            println!("skipped: {reason}");
        }
    }
}

pub fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

/// A plan that grows.
pub struct Net(pub Plan);

impl Net {
    pub fn new() -> Self {
        Net(Plan {
            version: VERSION,
            scenario: "test".into(),
            file: "test.scn".into(),
            seed: 1,
            timeout_ns: 1,
            tolerance_ns: 1,
            descriptors: 100,
            ..Plan::default()
        })
    }

    pub fn node(&mut self, name: &str, kind: NodeKind) -> NodeId {
        let sysctls = match kind {
            NodeKind::Router => vec![("net.ipv4.ip_forward".into(), "1".into()), ("net.ipv6.conf.all.forwarding".into(), "1".into())],
            _ => vec![],
        };
        self.0.nodes.push(PlannedNode {
            name: name.into(),
            doc: String::new(),
            kind,
            forwarding: kind == NodeKind::Router,
            settings: Settings::default(),
            device: None,
            placement: None,
            interfaces: vec![],
            routes: vec![],
            pools: vec![],
            sysctls,
        });
        NodeId(u32::try_from(self.0.nodes.len() - 1).unwrap())
    }

    pub fn hosts<const N: usize>(&mut self, names: [&str; N]) -> [NodeId; N] {
        names.map(|name| self.node(name, NodeKind::Host))
    }

    pub fn link(&mut self, engine: Engine, ends: [(NodeId, &[&str]); 2]) -> LinkId {
        let link = LinkId(u32::try_from(self.0.links.len()).unwrap());
        let mut made = [(NodeId(0), 0); 2];
        for (end, (node, addresses)) in ends.into_iter().enumerate() {
            let planned = &mut self.0.nodes[node.index()];
            let position = u32::try_from(planned.interfaces.len()).unwrap();
            let word = if planned.kind == NodeKind::Bridge { "port" } else { "eth" };
            let [high, low] = u16::try_from(node.0).unwrap().to_be_bytes();
            planned.interfaces.push(PlannedInterface {
                name: format!("{word}{position}"),
                named: false,
                link,
                end: end as u8,
                mac: [2, 0, high, low, (position >> 8) as u8, position as u8],
                addresses: addresses.iter().map(|text| prefix(text)).collect(),
                written: addresses.len() as u32,
                settings: Settings::default(),
            });
            made[end] = (node, position);
        }
        let name = format!("{}--{}", self.0.nodes[ends[0].0.index()].name, self.0.nodes[ends[1].0.index()].name);
        let (forward, back) = (Impairment::default(), Impairment::default());
        self.0.links.push(PlannedLink {
            name,
            doc: String::new(),
            kind: LinkKind::Wire,
            ends: made,
            engine,
            packets_alone: false,
            forward,
            back,
            tunnel: None,
            stages: [Stages::default(); 2],
        });
        link
    }

    pub fn delay(&mut self, link: LinkId, each_way: Duration) {
        let delay_ns = u64::try_from(each_way.as_nanos()).unwrap();
        self.0.links[link.index()].forward = Impairment::delaying(delay_ns);
        self.0.links[link.index()].back = Impairment::delaying(delay_ns);
    }

    /// What a link does each way; each packet crosses it alone.
    pub fn impair(&mut self, link: LinkId, forward: Impairment, back: Impairment) {
        let planned = &mut self.0.links[link.index()];
        (planned.forward, planned.back, planned.packets_alone) = (forward, back, true);
    }

    pub fn route(&mut self, node: NodeId, to: &str, via: &str) {
        self.0.nodes[node.index()].routes.push(PlannedRoute { to: prefix(to), via: via.parse().unwrap(), said: true });
    }

    pub fn build(&self) -> KernelLab {
        KernelLab::build(&self.0, &Arc::default(), &|_| {}).unwrap()
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// An unconnected socket in a node.
pub fn socket(door: &Door, node: NodeId, ipv6: bool) -> socket2::Socket {
    let mut made = wait(door.streams(node, Streams::Tcp, ipv6, 1)).unwrap();
    let socket = socket2::Socket::from(made.remove(0));
    assert!(socket.nonblocking().unwrap());
    socket.set_nonblocking(false).unwrap();
    socket
}

/// Does something on a thread in a node's namespace: for sockets that the door does not make.
pub fn inside<R: Send + 'static>(door: &Door, node: NodeId, work: impl FnOnce() -> R + Send + 'static) -> std::thread::JoinHandle<R> {
    /// From `linux/sockios.h`: the namespace of a socket, as a descriptor.
    const SIOCGSKNS: libc::Ioctl = 0x894c;
    let door_socket = socket(door, node, false);
    // SAFETY: this ioctl takes no argument; the result is checked before it is owned.
    let raw = unsafe { libc::ioctl(door_socket.as_raw_fd(), SIOCGSKNS) };
    assert!(raw >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
    let namespace = unsafe { std::os::fd::OwnedFd::from_raw_fd(raw) };
    std::thread::spawn(move || {
        nix::sched::setns(&namespace, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        work()
    })
}

/// A socket of a node that listens.
fn listening(door: &Door, node: NodeId, address: &str) -> TcpListener {
    let socket = socket2::Socket::from(wait(door.stream_listener(node, Streams::Tcp, address.parse().unwrap())).unwrap());
    socket.listen(16).unwrap();
    socket.into()
}

/// Answers every connection with the node's own word, then echoes. Ends with the process.
pub fn serve(door: &Door, node: NodeId, address: &str, word: u8) {
    let listener = listening(door, node, address);
    listener.set_nonblocking(false).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                stream.set_nodelay(true).unwrap();
                let _ = stream.write_all(&[word]);
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
            });
        }
    });
}

/// Sends the first connection so many bytes, each its position's remainder by 251, and closes it.
pub fn pour(door: &Door, node: NodeId, address: &str, bytes: usize) {
    let listener = listening(door, node, address);
    listener.set_nonblocking(false).unwrap();
    let data: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
    std::thread::spawn(move || {
        listener.accept().unwrap().0.write_all(&data).unwrap();
    });
}

/// Connects from a node and gives the stream and the word of who answered.
pub fn connect(door: &Door, from: NodeId, to: &str, within: Duration) -> std::io::Result<(TcpStream, u8)> {
    let to: SocketAddr = to.parse().unwrap();
    let socket = socket(door, from, to.is_ipv6());
    socket.connect_timeout(&to.into(), within)?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(within))?;
    let mut word = [0];
    stream.read_exact(&mut word)?;
    Ok((stream, word[0]))
}

/// One byte there and back.
pub fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(&[7])?;
    stream.read_exact(&mut [0])
}

/// The interface's flags in a node, as programs there see them.
fn interface_flags(door: &Door, node: NodeId, interface: &str) -> i32 {
    let socket = socket(door, node, false);
    // SAFETY: all zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: the request lives through the call and is of the type that this ioctl takes.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the kernel has filled in this field.
    i32::from(unsafe { request.ifr_ifru.ifru_flags })
}

/// The interface has carrier within the bound, or has lost it.
pub fn carrier_becomes(door: &Door, node: NodeId, interface: &str, wanted: bool) {
    let until = std::time::Instant::now() + BOUND;
    loop {
        let flags = interface_flags(door, node, interface);
        assert_ne!(flags & libc::IFF_UP, 0, "{interface} itself stays up");
        if (flags & libc::IFF_RUNNING != 0) == wanted {
            return;
        }
        assert!(std::time::Instant::now() < until, "carrier of {interface} never became {wanted}");
        std::thread::yield_now();
    }
}

/// Descriptors of this process that hold a network namespace, or a packet or netlink socket.
pub fn kernel_descriptors() -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    entries
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .filter(|to| {
            let to = to.to_string_lossy();
            to.starts_with("net:") || to.starts_with("socket:") || to.contains("eventpoll") || to.contains("timerfd")
        })
        .count()
}

/// Names of this process's threads.
pub fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok()).map(|name| name.trim().to_owned()).collect()
}

/// An address of this kind in words.
pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
