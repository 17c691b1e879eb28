//! Sockets of multicast groups and broadcasts: joins what a service listens on, lets a flow's datagrams leave by its interface. In: sockets,
//! the plan. Out: sockets that are ready. Sends nothing.
//!
//! Each receiver of a flow has a row of its own in the flow's table of connections; those of one socket follow each other in the order of the
//! plan's receivers, and what comes of a datagram at one of them is an item of its row.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use socket2::{InterfaceIndexOrAddress, SockRef};

use super::options::{Options, keep, refused};
use super::socket::Way;
use crate::plan::types::{Plan, PlannedFlow, PlannedListener};

/// The nodes that receive a flow, if it goes to a group: none otherwise.
pub fn receivers(flow: &PlannedFlow) -> Vec<u16> {
    let to_group = flow.spread_by.is_some();
    flow.backends.iter().filter(|_| to_group).map(|node| node.0 as u16).collect()
}

/// A node's place among the receivers.
pub fn place(flow: &PlannedFlow, node: u16) -> Option<u32> {
    flow.spread_by.as_ref()?;
    let at = flow.backends.iter().position(|receiver| receiver.0 == u32::from(node))?;
    u32::try_from(at).ok()
}

/// A group whose address means something on one link only (RFC 4291): nothing can be bound to it on several.
pub fn is_of_link(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_multicast() && v6.octets()[1] & 15 <= 2)
}

/// What a listener's socket is bound to.
pub fn bound(address: IpAddr) -> IpAddr {
    if is_of_link(address) { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { address }
}

/// Joins the group that a service listens on, on every interface of its node that has an address of that family.
///
/// # Errors
/// The kernel's, with the interface.
pub fn join(plan: &Plan, listener: &PlannedListener, socket: &OwnedFd) -> io::Result<()> {
    let (address, plain) = (listener.address, SockRef::from(socket));
    if address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        // Of IPv4 such a socket would not hear what is sent to all hosts, as one of IPv4 does.
        plain.set_multicast_all_v4(true)?;
    }
    if !address.is_multicast() {
        return Ok(());
    }
    let links = plan.nodes.get(listener.node.index()).into_iter().flat_map(|node| &node.interfaces);
    let links = links.map(|interface| (&interface.name, &interface.addresses));
    let upper = plan.interfaces.iter().filter(|upper| upper.node == listener.node).map(|upper| (&upper.name, &upper.addresses));
    let speaks = links.chain(upper).filter(|(_, own)| own.iter().any(|prefix| prefix.address.is_ipv6() == address.is_ipv6()));
    for (name, _) in speaks {
        let told = |error: io::Error| io::Error::new(error.kind(), format!("can't join {address} on {name}: {error}"));
        let index = index_of(socket.as_fd(), name).map_err(told)?;
        match address {
            IpAddr::V4(v4) => plain.join_multicast_v4_n(&v4, &InterfaceIndexOrAddress::Index(index)).map_err(told)?,
            IpAddr::V6(v6) => plain.join_multicast_v6(&v6, index).map_err(told)?,
        }
    }
    match address {
        IpAddr::V4(_) => plain.set_multicast_all_v4(false),
        IpAddr::V6(_) => plain.set_multicast_all_v6(false),
    }
}

/// Makes a flow's socket send to its group: by the interface, with the time to live that is said. A group's datagrams live for one hop if
/// nothing is said.
///
/// # Errors
/// What the kernel refused, or took and did not keep.
pub fn prepare(flow: &PlannedFlow, socket: &OwnedFd) -> io::Result<()> {
    let Some(interface) = &flow.spread_by else { return Ok(()) };
    let plain = SockRef::from(socket);
    plain.bind_device(Some(interface.as_bytes())).map_err(|error| refused(interface, &error))?;
    let target = flow.target.ip();
    if !target.is_multicast() {
        return plain.set_broadcast(true).map_err(|error| refused("broadcast", &error));
    }
    let Some(ttl) = Options::of_flow(&flow.transport).ttl.map(u32::from) else { return Ok(()) };
    match target {
        IpAddr::V4(_) => keep("ttl", ttl, plain.set_multicast_ttl_v4(ttl), || plain.multicast_ttl_v4()),
        IpAddr::V6(_) => keep("ttl", ttl, plain.set_multicast_hops_v6(ttl), || plain.multicast_hops_v6()),
    }
}

/// The way to the group: such a socket is not connected, for each receiver answers from an address of its own.
pub fn way(flow: &PlannedFlow) -> Way {
    Way { peer: flow.target, own: IpAddr::V4(Ipv4Addr::UNSPECIFIED), interface: 0 }
}

/// Gives a flow's socket its port; the address that others see it by.
///
/// # Errors
/// The kernel's.
pub fn bind(plan: &Plan, flow: &PlannedFlow, socket: &SockRef<'_>) -> io::Result<Option<SocketAddr>> {
    let of_socket = || Ok::<_, io::Error>(socket.local_addr()?.as_socket());
    let unspecified = if flow.target.is_ipv6() { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
    if of_socket()?.is_none_or(|local| local.port() == 0) {
        socket.bind(&SocketAddr::new(unspecified, 0).into())?;
    }
    let seen = |local: SocketAddr| if local.ip().is_unspecified() { own_address(plan, flow).unwrap_or(unspecified) } else { local.ip() };
    Ok(of_socket()?.map(|local| SocketAddr::new(seen(local), local.port())))
}

/// The address by which a flow's interface sends.
fn own_address(plan: &Plan, flow: &PlannedFlow) -> Option<IpAddr> {
    let interfaces = plan.nodes.get(flow.from.index())?.interfaces.iter().map(|interface| (&interface.name, &interface.addresses));
    let upper = plan.interfaces.iter().filter(|upper| upper.node == flow.from).map(|upper| (&upper.name, &upper.addresses));
    let (_, own) = interfaces.chain(upper).find(|(name, _)| Some(*name) == flow.spread_by.as_ref())?;
    own.iter().map(|prefix| prefix.address).find(|address| address.is_ipv6() == flow.target.is_ipv6())
}

/// The number of an interface in the socket's own namespace.
fn index_of(socket: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    // SAFETY: an `ifreq` is a name and a union of integers, for which all zeros are valid.
    let mut asked = unsafe { std::mem::zeroed::<libc::ifreq>() };
    if name.len() >= asked.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, byte) in asked.ifr_name.iter_mut().zip(name.bytes()) {
        *to = byte as libc::c_char;
    }
    // SAFETY: the kernel reads the name, which ends with a zero, and writes the number, both in `asked`, which lives through the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFINDEX as _, &raw mut asked) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call wrote this member of the union.
    Ok(unsafe { asked.ifr_ifru.ifru_ifindex }.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn interfaces_are_found_by_name_in_the_sockets_namespace() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(index_of(socket.as_fd(), "lo").unwrap(), 1);
        assert_eq!(index_of(socket.as_fd(), "none").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert_eq!(index_of(socket.as_fd(), "a_name_of_sixteen").unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }

    #[test]
    fn groups_of_a_link_are_known_by_their_scope() {
        let of_link = |text: &str| is_of_link(text.parse().unwrap());
        assert!(of_link("ff02::1") && of_link("ff12::1") && of_link("ff01::5"));
        assert!(!of_link("ff05::1") && !of_link("ff0e::1") && !of_link("224.0.0.1") && !of_link("fe80::1"));
        assert_eq!(bound("ff02::7".parse().unwrap()), "::".parse::<IpAddr>().unwrap());
    }
}
