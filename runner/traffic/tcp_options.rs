//! Socket options of flows and services over TCP, MPTCP and SCTP: set, and read back, since the kernel may take an option and do otherwise. In: the
//! scenario's options. Out: a socket that has them, or what the kernel refused. What it accepts inherits a listener's. Congestion
//! notification is no option of a socket: the plan sets it for the node.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::scenario::transport::{Listener, Socket, Transport};
use socket2::{SockRef, TcpKeepalive};

use super::TrafficError;
use super::datagram::options::{Options, keep, refused};
use super::sctp_options;
use super::shared::Shared;
use super::sockets::Streams;

/// What kernels before 6.5 say of any segment size that was asked for, until there is a connection.
const UNTOLD_MSS: u32 = 536;

/// The congestion controls that the kernel has, and those of them that need no privilege.
const AVAILABLE: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";
const ALLOWED: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";

/// Connections that may wait to be accepted where nothing is said; the kernel lowers it to the node's `somaxconn`.
const BACKLOG: i32 = 65_535;

/// Those of a flow's connections; `None`: they are no connections of the kernel.
pub fn of_flow(transport: &Transport) -> Option<&Socket> {
    match transport {
        Transport::Tcp { socket, .. } | Transport::Tls { socket, .. } | Transport::Http { socket, .. } => Some(socket),
        Transport::Mptcp { socket } | Transport::Sctp { socket, .. } => Some(socket),
        _ => None,
    }
}

/// Those of a listener, and how many connections may wait at it.
pub fn of_listener(listener: &Listener) -> Option<(&Socket, Option<u32>)> {
    match listener {
        Listener::Tcp { socket, backlog, .. } | Listener::Tls { socket, backlog, .. } | Listener::Http { socket, backlog, .. } => {
            Some((socket, *backlog))
        }
        Listener::Mptcp { socket, backlog } | Listener::Sctp { socket, backlog } => Some((socket, *backlog)),
        _ => None,
    }
}

/// Sets all of them. Without a word of it small segments are sent at once, as transactions need it.
///
/// # Errors
/// The option that the kernel refused, or took and did not keep.
pub fn set(options: &Socket, over: Streams, socket: &SockRef<'_>, ipv6: bool) -> io::Result<()> {
    let Socket {
        congestion,
        nodelay,
        ecn: _,
        keepalive_ns,
        mss,
        dscp: _,
        ttl: _,
        mark: _,
        send_buffer: _,
        receive_buffer: _,
        user_timeout_ns,
    } = options;
    match over {
        Streams::Sctp => sctp_options::set_nodelay(socket, nodelay.unwrap_or(true)).map_err(|error| refused("nodelay", &error))?,
        Streams::Tcp | Streams::Mptcp => {
            socket.set_tcp_nodelay(nodelay.unwrap_or(true)).map_err(|error| refused("nodelay", &error))?;
        }
    }
    let below = Options::of_socket(options);
    if below != Options::default() {
        below.set_common(socket, ipv6)?;
    }
    if let Some(name) = congestion {
        socket.set_tcp_congestion(name.as_bytes()).map_err(|error| no_congestion(name, &error))?;
        let kept = socket.tcp_congestion()?;
        let kept = String::from_utf8_lossy(&kept).trim_end_matches('\0').to_owned();
        if kept != *name {
            return Err(io::Error::other(format!("`congestion`: the kernel made {kept} of {name}")));
        }
    }
    if let (Some(mss), Streams::Sctp) = (mss, over) {
        keep("mss", *mss, sctp_options::set_largest(socket, *mss), || sctp_options::largest(socket))?;
    } else if let Some(mss) = mss {
        let known = || socket.tcp_mss().map(|kept| if kept == UNTOLD_MSS { *mss } else { kept });
        keep("mss", *mss, socket.set_tcp_mss(*mss), known)?;
    }
    if let Some(after) = keepalive_ns.map(Duration::from_nanos) {
        whole("keepalive", after, Duration::from_secs(1), "seconds")?;
        let set = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(after));
        keep("keepalive", seconds(after), set, || socket.tcp_keepalive_time().map(seconds))?;
    }
    if let Some(limit) = user_timeout_ns.map(Duration::from_nanos) {
        whole("user_timeout", limit, Duration::from_millis(1), "milliseconds")?;
        let kept = || socket.tcp_user_timeout().map(|kept| milliseconds(kept.unwrap_or_default()));
        keep("user_timeout", milliseconds(limit), socket.set_tcp_user_timeout(Some(limit)), kept)?;
    }
    Ok(())
}

/// Why a congestion control cannot be had, and which can.
fn no_congestion(name: &str, error: &io::Error) -> io::Error {
    let (why, list) = match error.raw_os_error() {
        Some(libc::ENOENT) => ("this kernel has no such algorithm", AVAILABLE),
        Some(libc::EPERM) => ("only root may take this algorithm", ALLOWED),
        _ => return refused(&format!("congestion {name}"), error),
    };
    let there = std::fs::read_to_string(list).map(|text| text.split_whitespace().collect::<Vec<&str>>().join(", ")).unwrap_or_default();
    let verb = if list == AVAILABLE { "it has" } else { "others may take" };
    let there = if there.is_empty() { there } else { format!("; {verb} {there}") };
    io::Error::new(error.kind(), format!("`congestion {name}`: {why}{there}"))
}

/// Those of a listener. It must not listen yet: who connects before has others.
///
/// # Errors
/// As of [`set`].
pub fn set_at(listener: &Listener, socket: &OwnedFd, ipv6: bool) -> io::Result<()> {
    of_listener(listener).map_or(Ok(()), |(options, _)| set(options, Streams::of(listener.kind()), &SockRef::from(socket), ipv6))
}

/// Lets a listener's socket listen.
///
/// # Errors
/// The kernel's: EADDRINUSE when another listens there.
pub fn listen(listener: &Listener, socket: &OwnedFd) -> io::Result<()> {
    let Some((_, backlog)) = of_listener(listener) else { return Ok(()) };
    SockRef::from(socket).listen(backlog.map_or(BACKLOG, |most| i32::try_from(most).unwrap_or(i32::MAX)))
}

/// Tries the options of every flow on a socket of its own, so that what the kernel refuses is known before anything is sent: a protocol too
/// that the node was told not to have.
///
/// # Errors
/// Whose option was refused, and how.
pub async fn try_all(shared: &Shared) -> Result<(), TrafficError> {
    for flow in &shared.plan.flows {
        let over = Streams::of(flow.transport.kind());
        let worth_it = |options: &&Socket| **options != Socket::default() || over != Streams::Tcp;
        let Some(options) = of_flow(&flow.transport).filter(worth_it) else { continue };
        let refused = |error| TrafficError::Option { owner: flow.name.clone(), error };
        let missing = |error: io::Error| {
            let (word, node) = (flow.transport.kind().word(), shared.node_name(flow.from));
            refused(io::Error::new(error.kind(), format!("`over {word}`: node {node} has no such sockets: {error}")))
        };
        for socket in shared.sockets.streams(flow.from, over, flow.target.is_ipv6(), 1).await.map_err(missing)? {
            set(options, over, &SockRef::from(&socket), flow.target.is_ipv6()).map_err(refused)?;
        }
    }
    Ok(())
}

/// Refuses a duration that the kernel would cut.
fn whole(option: &str, said: Duration, unit: Duration, units: &str) -> io::Result<()> {
    if said.as_nanos().is_multiple_of(unit.as_nanos()) {
        return Ok(());
    }
    let said = Quantity::new(Dimension::Duration, i64::try_from(said.as_nanos()).unwrap_or(i64::MAX));
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("`{option}`: {said} are no whole {units}, in which the kernel counts")))
}

fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};

    fn socket(domain: Domain) -> socket2::Socket {
        socket2::Socket::new(domain, Type::STREAM, None).unwrap()
    }

    #[test]
    fn each_option_is_set_and_read_back() {
        let options = Socket {
            congestion: Some("reno".to_owned()),
            nodelay: Some(false),
            keepalive_ns: Some(7_000_000_000),
            mss: Some(1000),
            dscp: Some(46),
            ttl: Some(9),
            send_buffer: Some(20_000),
            receive_buffer: Some(30_000),
            user_timeout_ns: Some(1_500_000_000),
            ..Socket::default()
        };
        for (domain, ipv6) in [(Domain::IPV4, false), (Domain::IPV6, true)] {
            let socket = socket(domain);
            set(&options, Streams::Tcp, &SockRef::from(&socket), ipv6).unwrap();
            assert!(!socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(7));
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(1500)));
            let (ttl, class) = match ipv6 {
                true => (socket.unicast_hops_v6().unwrap(), socket.tclass_v6().unwrap()),
                false => (socket.ttl_v4().unwrap(), socket.tos_v4().unwrap()),
            };
            assert_eq!((ttl, class), (9, 46 << 2));
            assert!(socket.send_buffer_size().unwrap() >= 40_000 && socket.recv_buffer_size().unwrap() >= 60_000);
        }
        let socket = socket(Domain::IPV4);
        set(&Socket::default(), Streams::Tcp, &SockRef::from(&socket), false).unwrap();
        assert!(socket.tcp_nodelay().unwrap(), "small segments are sent at once if nothing is said");
    }

    #[test]
    fn what_the_kernel_refuses_is_told_by_the_options_name() {
        let refused = |options: Socket| set(&options, Streams::Tcp, &SockRef::from(&socket(Domain::IPV4)), false).unwrap_err().to_string();
        let unknown = refused(Socket { congestion: Some("nosuch".to_owned()), ..Socket::default() });
        let there = std::fs::read_to_string(AVAILABLE).unwrap();
        let there: Vec<&str> = there.split_whitespace().collect();
        assert_eq!(unknown, format!("`congestion nosuch`: this kernel has no such algorithm; it has {}", there.join(", ")));
        let privileged = no_congestion("bbr", &io::Error::from_raw_os_error(libc::EPERM)).to_string();
        assert!(privileged.starts_with("`congestion bbr`: only root may take this algorithm; others may take "), "{privileged}");
        let other = no_congestion("bbr", &io::Error::from_raw_os_error(libc::ENOPROTOOPT)).to_string();
        assert!(other.starts_with("`congestion bbr`: Protocol not available"), "{other}");
        let fraction = refused(Socket { keepalive_ns: Some(1_500_000_000), ..Socket::default() });
        assert_eq!(fraction, "`keepalive`: 1500ms are no whole seconds, in which the kernel counts");
        let fraction = refused(Socket { user_timeout_ns: Some(1_500_500_000), ..Socket::default() });
        assert_eq!(fraction, "`user_timeout`: 1500500us are no whole milliseconds, in which the kernel counts");
        let large = refused(Socket { send_buffer: Some(1 << 30), ..Socket::default() });
        assert!(large.starts_with("`send_buffer`: 1073741824 bytes were asked for, the kernel allows "), "{large}");
    }

    #[test]
    fn what_a_listener_accepts_has_its_options() {
        let said = Socket {
            congestion: Some("reno".to_owned()),
            dscp: Some(10),
            mss: Some(900),
            user_timeout_ns: Some(2_000_000_000),
            ..Socket::default()
        };
        for (domain, address, ipv6) in [(Domain::IPV4, "127.0.0.1:0", false), (Domain::IPV6, "[::]:0", true)] {
            let listening = socket(domain);
            listening.bind(&address.parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
            let port = listening.local_addr().unwrap().as_socket().unwrap().port();
            let said = Socket { nodelay: ipv6.then_some(false), ..said.clone() };
            let listener = Listener::Tcp { socket: said, backlog: Some(3), wire: Default::default() };
            let listening = OwnedFd::from(listening);
            set_at(&listener, &listening, ipv6).unwrap();
            listen(&listener, &listening).unwrap();
            // IPv4 in both cases: a listener of all addresses takes both.
            let client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (accepted, _) = socket2::Socket::from(listening).accept().unwrap();
            assert_eq!(String::from_utf8_lossy(&accepted.tcp_congestion().unwrap()).trim_end_matches('\0'), "reno");
            assert_eq!((accepted.tcp_user_timeout().unwrap(), accepted.tos_v4().unwrap()), (Some(Duration::from_secs(2)), 40));
            assert_eq!(accepted.tcp_nodelay().unwrap(), !ipv6, "small segments are sent at once if nothing is said");
            assert!(SockRef::from(&client).tcp_mss().unwrap() <= 900 && accepted.tcp_mss().unwrap() <= 900);
        }
    }
}
