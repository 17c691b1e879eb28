//! Where connections start from: the interface, addresses and ports that a flow says, in turn. In: a flow's own words, the number of a
//! connection. Out: its socket, bound. Makes no sockets, and gives nodes no addresses: the plan does.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use nix::sys::socket::{setsockopt, sockopt};
use scn_grammar::scenario::topology::Prefix;
use socket2::SockRef;

use crate::plan::types::PlannedFlow;

/// Binds the socket of the connection with this number, of this family, where the flow says what it starts from. A port that is taken is passed over.
///
/// # Errors
/// With the address, and how many ports of the range were tried.
pub fn bind(planned: &PlannedFlow, owner: &impl AsFd, ipv6: bool, number: u32) -> io::Result<()> {
    bind_after(planned, owner, ipv6, number, 0).map(drop)
}

/// The same, after so many ports of the range that turned out to be taken. Out: how many were tried in all.
///
/// # Errors
/// As of [`bind`].
pub fn bind_after(planned: &PlannedFlow, owner: &impl AsFd, ipv6: bool, number: u32, mut tried: u32) -> io::Result<u32> {
    if let (Some(interface), None) = (&planned.from_interface, &planned.spread_by) {
        let bound = SockRef::from(owner).bind_device(Some(interface.as_bytes()));
        bound.map_err(|error| io::Error::new(error.kind(), format!("can't leave by {interface}: {error}")))?;
    }
    let prefixes: Vec<&Prefix> = planned.source.iter().filter(|prefix| prefix.address.is_ipv6() == ipv6).collect();
    if prefixes.is_empty() && planned.ports.is_none() {
        return Ok(tried);
    }
    let addresses: u128 = prefixes.iter().map(|prefix| size(prefix)).fold(0, u128::saturating_add);
    let address = if prefixes.is_empty() { unspecified(ipv6) } else { nth(&prefixes, u128::from(number) % addresses) };
    let socket = SockRef::from(owner);
    let Some((first, last)) = planned.ports else {
        // The kernel chooses the port when it knows where to: as many as there are for each address and target. Sockets without ports know
        // no such option.
        let _ = setsockopt(owner, sockopt::IpBindAddressNoPort, &true);
        return socket.bind(&SocketAddr::new(address, 0).into()).map(|()| tried).map_err(|error| told(&error, address, None));
    };
    // Of datagrams two sockets would have one port then.
    if socket.r#type()? == socket2::Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    let ports = u32::from(last) - u32::from(first) + 1;
    // All addresses with one port, then all with the next.
    let turn = u32::try_from(u128::from(number) / addresses.max(1)).unwrap_or(u32::MAX);
    loop {
        let offset = turn.wrapping_add(tried) % ports;
        let port = first + u16::try_from(offset).unwrap_or(0);
        tried += 1;
        match socket.bind(&SocketAddr::new(address, port).into()) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tried < ports => {}
            result => return result.map(|()| tried).map_err(|error| told(&error, address, Some((first, last, tried)))),
        }
    }
}

/// Says from where.
fn told(error: &io::Error, address: IpAddr, ports: Option<(u16, u16, u32)>) -> io::Error {
    let text = match ports {
        None => format!("can't start from {address}: {error}"),
        Some((first, last, tried)) => {
            format!("can't start from {address} by a port of {first}..{last}, of which {tried} were tried: {error}")
        }
    };
    io::Error::new(error.kind(), text)
}

fn unspecified(ipv6: bool) -> IpAddr {
    if ipv6 { IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) } else { IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED) }
}

/// How many addresses a prefix has.
fn size(prefix: &Prefix) -> u128 {
    let bits = if prefix.address.is_ipv6() { 128 } else { 32 };
    1u128.checked_shl(bits - u32::from(prefix.length)).unwrap_or(u128::MAX)
}

/// The address of this number among those of all prefixes, from 0.
fn nth(prefixes: &[&Prefix], mut number: u128) -> IpAddr {
    for prefix in prefixes {
        let size = size(prefix);
        if number < size {
            return match prefix.address {
                IpAddr::V4(address) => {
                    let base = u128::from(u32::from(address)) & !(size - 1);
                    IpAddr::V4(u32::try_from(base + number).unwrap_or(u32::MAX).into())
                }
                IpAddr::V6(address) => IpAddr::V6(((u128::from(address) & !(size - 1)) + number).into()),
            };
        }
        number -= size;
    }
    prefixes.first().map_or(unspecified(false), |prefix| prefix.address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, length) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
    }

    fn all(texts: &[&str], count: u128) -> Vec<String> {
        let prefixes: Vec<Prefix> = texts.iter().map(|text| prefix(text)).collect();
        let prefixes: Vec<&Prefix> = prefixes.iter().collect();
        (0..count).map(|number| nth(&prefixes, number).to_string()).collect()
    }

    #[test]
    fn a_socket_leaves_by_the_interface_that_is_said() {
        let pattern = scn_grammar::scenario::pattern::Pattern { name: String::new(), steps: Vec::new() };
        let mut flow = crate::plan::sample::flow(scn_grammar::scenario::FlowId(0), "f", "127.0.0.1:9", pattern, Default::default());
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        flow.from_interface = Some("lo".to_owned());
        bind(&flow, &socket, false, 0).unwrap();
        assert_eq!(SockRef::from(&socket).device().unwrap().as_deref(), Some(&b"lo"[..]));
        flow.from_interface = Some("nosuch".to_owned());
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(bind(&flow, &other, false, 0).unwrap_err().to_string().starts_with("can't leave by nosuch: No such device"));
    }

    #[test]
    fn ports_that_were_tried_are_passed_over() {
        let pattern = scn_grammar::scenario::pattern::Pattern { name: String::new(), steps: Vec::new() };
        let mut flow = crate::plan::sample::flow(scn_grammar::scenario::FlowId(0), "f", "127.0.0.1:9", pattern, Default::default());
        let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        let free = (40_000..60_000).find(|port| is_free(*port) && is_free(port + 1)).unwrap();
        flow.ports = Some((free, free + 1));
        let socket = || socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let (one, other) = (socket(), socket());
        assert_eq!(bind_after(&flow, &one, false, 0, 0).unwrap(), 1);
        assert_eq!(bind_after(&flow, &other, false, 0, 1).unwrap(), 2);
        let port = |socket: &socket2::Socket| socket.local_addr().unwrap().as_socket().unwrap().port();
        assert_eq!((port(&one), port(&other)), (free, free + 1));
    }

    #[test]
    fn a_prefix_stands_for_all_its_addresses() {
        assert_eq!(all(&["10.0.0.6/30"], 4), ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"]);
        assert_eq!(all(&["10.0.0.9/32", "10.1.0.0/31"], 3), ["10.0.0.9", "10.1.0.0", "10.1.0.1"]);
        assert_eq!(all(&["fd00::ff/127"], 2), ["fd00::fe", "fd00::ff"]);
        assert_eq!((size(&prefix("10.0.0.0/8")), size(&prefix("::/0")), size(&prefix("fd00::/64"))), (1 << 24, u128::MAX, 1 << 64));
    }
}
