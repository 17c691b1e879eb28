//! What became of a connection over MPTCP: whether it still is one, or fell back to TCP because the other end, or who is in between, has no
//! MPTCP (RFC 8684, 3.7). In: a client's socket. Out: its state. Changes nothing.

use std::os::fd::RawFd;

/// `SOL_MPTCP`, `MPTCP_INFO` and `MPTCP_INFO_FLAG_FALLBACK` of `linux/mptcp.h`.
const LEVEL: libc::c_int = 284;
const INFO: libc::c_int = 1;
const FELL_BACK: u32 = 1;

/// The head of `struct mptcp_info`, up to its flags.
#[repr(C)]
#[derive(Default)]
struct Info {
    counts: [u8; 8],
    flags: u32,
}

/// A connection fell back to TCP. `None`: the kernel does not tell.
pub fn fell_back(socket: RawFd) -> Option<bool> {
    let mut info = Info::default();
    let mut length = size_of::<Info>() as libc::socklen_t;
    // SAFETY: a number that is no open socket only makes the call fail; `info` is plain integers, any bytes are valid for it, and the
    // kernel writes at most `length` bytes, which is its size.
    let got = unsafe { libc::getsockopt(socket, LEVEL, INFO, (&raw mut info).cast(), &raw mut length) };
    match got {
        0 if length as usize == size_of::<Info>() => Some(info.flags & FELL_BACK != 0),
        0 => None,
        // Later kernels have nothing to tell of one that is TCP alone.
        _ => (std::io::Error::last_os_error().raw_os_error() == Some(libc::EOPNOTSUPP)).then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Protocol, Socket, Type};
    use std::os::fd::AsRawFd as _;

    #[test]
    fn a_connection_tells_whether_it_fell_back() {
        let Ok(client) = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)) else {
            // The scenario's own refusal is tested where the kernel has none.
            return;
        };
        let plain = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        for (server, fallen) in [(Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)).unwrap(), false), (plain, true)] {
            let client =
                if fallen { Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::MPTCP)).unwrap() } else { client.try_clone().unwrap() };
            server.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
            server.listen(1).unwrap();
            client.connect(&server.local_addr().unwrap()).unwrap();
            assert_eq!(fell_back(client.as_raw_fd()), Some(fallen));
        }
        assert_eq!(fell_back(-1), None);
    }
}
