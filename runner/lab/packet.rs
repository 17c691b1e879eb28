//! Raw Ethernet sockets. In: an interface index. Out: sockets, and frames sent. Opens in the calling thread's namespace.

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;

use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

/// Every protocol, in the byte order of the wire.
const ALL: u16 = (libc::ETH_P_ALL as u16).to_be();
/// From `linux/if_packet.h`: frames are preceded by a virtio header, so that offloads pass through.
const PACKET_VNET_HDR: libc::c_int = 15;
/// From `linux/if_packet.h`: what is sent through the interface does not come back as received.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
/// From `asm-generic/socket.h`: received frames carry the instant of their arrival, in ns of the wall clock.
const SO_TIMESTAMPNS: libc::c_int = 35;
/// From `linux/filter.h`: where a filter finds whether a frame came in or goes out.
const PACKET_TYPE: u32 = 0xffff_f004;

/// Room of a flow's socket, bytes.
const FLOW_BUFFER: usize = 4 << 20;
/// Raw sockets are closed by so many threads at a time.
const CLOSING_THREADS: usize = 32;

/// Frames lost because the socket's buffer was full: `struct tpacket_stats`.
#[repr(C)]
#[derive(Default)]
struct PacketStatistics {
    packets: libc::c_uint,
    drops: libc::c_uint,
}

/// A socket that only sends frames.
pub(crate) fn sender() -> io::Result<Socket> {
    // Protocol 0: nothing is received.
    Socket::new(Domain::PACKET, Type::RAW, None)
}

/// A socket that sends whole frames by an interface of the calling thread's namespace, and receives nothing until it is bound to a protocol.
pub(crate) fn at(interface: &str) -> io::Result<Socket> {
    let index = nix::net::if_::if_nametoindex(interface)?;
    let socket = sender()?;
    socket.set_nonblocking(true)?;
    enlarge(&socket, FLOW_BUFFER)?;
    socket.bind(&address(index, 0))?;
    Ok(socket)
}

/// A socket that takes frames out of memory, to no interface yet. With this much room it holds as many as that memory does.
pub(crate) fn express() -> io::Result<Socket> {
    let socket = Socket::new(Domain::from(libc::AF_XDP), Type::RAW.nonblocking(), None)?;
    enlarge(&socket, FLOW_BUFFER)?;
    Ok(socket)
}

/// A socket that gets every frame that comes in at an interface and sends out there; each frame with its virtio header.
pub(crate) fn tap(index: u32, buffer_bytes: usize) -> io::Result<Socket> {
    let socket = receiver(buffer_bytes)?;
    set(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)?;
    socket.bind(&address(index, ALL))?;
    Ok(socket)
}

/// A socket that gets every frame that an interface receives and sends, or only those that it sends; each frame with its virtio header.
pub(crate) fn observer(index: u32, only_sent: bool, buffer_bytes: usize) -> io::Result<Socket> {
    let socket = receiver(buffer_bytes)?;
    if only_sent {
        take_only_sent(&socket)?;
    }
    socket.bind(&address(index, ALL))?;
    Ok(socket)
}

/// A socket that will get frames with their virtio headers, tags and instants once it is bound.
fn receiver(buffer_bytes: usize) -> io::Result<Socket> {
    // Protocol 0: nothing is received before everything is set.
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    socket.set_nonblocking(true)?;
    set(&socket, libc::SOL_PACKET, PACKET_VNET_HDR, 1)?;
    set(&socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
    set(&socket, libc::SOL_SOCKET, SO_TIMESTAMPNS, 1)?;
    enlarge(&socket, buffer_bytes)?;
    Ok(socket)
}

/// Gives a socket so much room, each way.
fn enlarge(socket: &Socket, buffer_bytes: usize) -> io::Result<()> {
    let size = libc::c_int::try_from(buffer_bytes).unwrap_or(libc::c_int::MAX);
    for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        // Only root may go over the machine's limit; others get as much as that.
        if set(socket, libc::SOL_SOCKET, force, size).is_err() {
            set(socket, libc::SOL_SOCKET, plain, size)?;
        }
    }
    Ok(())
}

/// Passes over what a socket's interface receives.
fn take_only_sent(socket: &Socket) -> io::Result<()> {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, PACKET_TYPE),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::from(libc::PACKET_OUTGOING)),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let program = libc::sock_fprog { len: steps.len() as libc::c_ushort, filter: steps.as_mut_ptr() };
    // SAFETY: the program points to living steps and has their number; the kernel copies them during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sends one frame out of an interface.
pub(crate) fn send(socket: &Socket, index: u32, frame: &[u8]) -> io::Result<()> {
    socket.send_to(frame, &address(index, 0)).map(drop)
}

/// Closes raw sockets, many at a time: the kernel takes some 10 ms for each, in which it only waits.
pub(crate) fn close_all(mut sockets: Vec<Socket>) {
    let share = sockets.len().div_ceil(CLOSING_THREADS).max(1);
    std::thread::scope(|scope| {
        while sockets.len() > share {
            let part = sockets.split_off(sockets.len() - share);
            // Where no thread can be had they are closed here.
            let _ = std::thread::Builder::new().spawn_scoped(scope, move || drop(part));
        }
        drop(sockets);
    });
}

/// Frames that a tap lost since this was last asked: its buffer was full.
pub(crate) fn lost(socket: &Socket) -> u64 {
    let mut statistics = PacketStatistics::default();
    let mut length = size_of::<PacketStatistics>() as libc::socklen_t;
    // SAFETY: both pointers point to living values of ours, and `length` is the size of the first.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS, (&raw mut statistics).cast(), &raw mut length)
    };
    if result == 0 { u64::from(statistics.drops) } else { 0 }
}

fn set(socket: &Socket, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the pointer points to a living c_int and the length is its size.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size_of::<libc::c_int>() as libc::socklen_t)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An interface as an address; `protocol` in the byte order of the wire.
fn address(index: u32, protocol: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: the storage is large and aligned enough for every kind of address, and zeroed.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as libc::sa_family_t;
    link.sll_ifindex = index.cast_signed();
    link.sll_protocol = protocol;
    // SAFETY: the storage was just filled as a `sockaddr_ll`, whose size is given.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as libc::socklen_t) }
}
