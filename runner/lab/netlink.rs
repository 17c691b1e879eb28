//! Requests to the kernel's routing socket, in batches, with the kernel's own words when it refuses. In: messages. Out: nothing, or
//! a refusal that says which message it was. Knows no nodes or links. A socket stays in the namespace where it was opened.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_ECHO, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::tc::TcMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use nix::sys::time::TimeVal;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use scn_grammar::scenario::topology::Prefix;

/// Messages in one `send`.
const BATCH_MESSAGES: usize = 64;
/// Bytes in one `send`; the socket's default buffer holds several of these.
const BATCH_BYTES: usize = 32 * 1024;
/// The kernel answers within the `send`; this only bounds a bug.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Room for one answer.
const ANSWER_BYTES: usize = 64 * 1024;
/// The TLV of an extended acknowledgement that holds a text.
const TEXT_ATTRIBUTE: u16 = 1;
/// `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;

/// The kernel's no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Which message of the batch.
    pub(crate) message: usize,
    /// A positive error number.
    pub(crate) errno: i32,
    /// What the kernel adds to it.
    pub(crate) text: Option<String>,
}

impl Refusal {
    fn of(message: usize, cause: &io::Error) -> Self {
        Refusal { message, errno: cause.raw_os_error().unwrap_or(libc::EIO), text: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", io::Error::from_raw_os_error(self.errno))?;
        match &self.text {
            Some(text) => write!(f, " (the kernel says: {text})"),
            None => Ok(()),
        }
    }
}

/// A routing socket.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    answer: Vec<u8>,
}

impl Netlink {
    /// Opens one in the calling thread's namespace.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // Both are missing in old kernels only, and make the messages poorer, nothing else.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        let bound = TimeVal::new(ANSWER_WITHIN.as_secs().cast_signed(), 0);
        setsockopt(&nix_fd(&socket), sockopt::ReceiveTimeout, &bound)?;
        Ok(Netlink { socket, sequence: 0, answer: vec![0; ANSWER_BYTES] })
    }

    /// Does all of it, in order. At the first refusal what follows in later batches is left undone.
    pub(crate) fn run(&mut self, messages: Vec<RouteNetlinkMessage>) -> Result<(), Refusal> {
        self.send_all(messages, flags)
    }

    /// Puts something in the place of what is there.
    pub(crate) fn replace(&mut self, message: RouteNetlinkMessage) -> Result<(), Refusal> {
        self.send_all(vec![message], |_| NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE)
    }

    fn send_all(
        &mut self,
        messages: Vec<RouteNetlinkMessage>,
        flags: impl Fn(&NetlinkMessage<RouteNetlinkMessage>) -> u16,
    ) -> Result<(), Refusal> {
        let mut batch = Vec::with_capacity(BATCH_BYTES);
        let mut first = 0;
        let count = messages.len();
        for (position, message) in messages.into_iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            let mut message = NetlinkMessage::from(message);
            message.header.flags = flags(&message);
            message.header.sequence_number = self.sequence;
            message.finalize();
            let start = batch.len();
            batch.resize(start + message.buffer_len(), 0);
            message.serialize(&mut batch[start..]);
            let full = position + 1 - first == BATCH_MESSAGES || batch.len() >= BATCH_BYTES - 1024;
            if full || position + 1 == count {
                self.exchange(&batch, first, position + 1 - first)?;
                batch.clear();
                first = position + 1;
            }
        }
        Ok(())
    }

    /// Sends a batch and reads one answer for each of its messages.
    fn exchange(&mut self, batch: &[u8], first: usize, count: usize) -> Result<(), Refusal> {
        self.socket.send(batch, 0).map_err(|cause| Refusal::of(first, &cause))?;
        let first_sequence = self.sequence.wrapping_sub(u32::try_from(count - 1).unwrap_or(0));
        let mut answered = 0;
        let mut refusal: Option<Refusal> = None;
        while answered < count {
            for answer in self.receive().map_err(|cause| Refusal::of(first, &cause))? {
                let NetlinkPayload::Error(error) = answer.payload else { continue };
                answered += 1;
                if error.code.is_none() || refusal.is_some() {
                    continue;
                }
                let offset = answer.header.sequence_number.wrapping_sub(first_sequence) as usize;
                refusal = Some(Refusal { message: first + offset, errno: -error.raw_code(), text: text(&error.header) });
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// What the kernel knows of one interface.
    pub(crate) fn link(&mut self, index: u32) -> Result<LinkMessage, Refusal> {
        let mut wanted = LinkMessage::default();
        wanted.header.index = index;
        self.ask(RouteNetlinkMessage::GetLink(wanted), |answer| match answer {
            RouteNetlinkMessage::NewLink(link) => Some(link),
            _ => None,
        })
    }

    /// What the kernel knows of one queue.
    pub(crate) fn queue(&mut self, wanted: TcMessage) -> Result<TcMessage, Refusal> {
        self.ask(RouteNetlinkMessage::GetQueueDiscipline(wanted), |answer| match answer {
            RouteNetlinkMessage::NewQueueDiscipline(queue) => Some(queue),
            _ => None,
        })
    }

    /// Asks for one thing.
    fn ask<T>(&mut self, wanted: RouteNetlinkMessage, take: impl Fn(RouteNetlinkMessage) -> Option<T>) -> Result<T, Refusal> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(wanted);
        // Older kernels tell about a queue only those who listen, and who asks for the echo.
        message.header.flags = NLM_F_REQUEST | NLM_F_ECHO;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(|cause| Refusal::of(0, &cause))?;
        loop {
            for answer in self.receive().map_err(|cause| Refusal::of(0, &cause))? {
                match answer.payload {
                    NetlinkPayload::InnerMessage(answer) => {
                        if let Some(answer) = take(answer) {
                            return Ok(answer);
                        }
                    }
                    NetlinkPayload::Error(error) => {
                        return Err(Refusal { message: 0, errno: -error.raw_code(), text: text(&error.header) });
                    }
                    _ => {}
                }
            }
        }
    }

    /// Some IPv6 address is not usable yet: the kernel takes them up one after the other, after their interfaces.
    pub(crate) fn tentative(&mut self) -> Result<bool, Refusal> {
        let mut wanted = AddressMessage::default();
        wanted.header.family = AddressFamily::Inet6;
        let mut found = false;
        self.dump(RouteNetlinkMessage::GetAddress(wanted), |answer| {
            if let RouteNetlinkMessage::NewAddress(address) = answer {
                found |= address.header.flags.contains(AddressHeaderFlags::Tentative);
            }
        })?;
        Ok(found)
    }

    /// The neighbours that interfaces know or ask for: interface, address, state.
    pub(crate) fn neighbours(&mut self) -> Result<Vec<(u32, IpAddr, NeighbourState)>, Refusal> {
        let mut found = Vec::new();
        self.dump(RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()), |answer| {
            let RouteNetlinkMessage::NewNeighbour(entry) = answer else { return };
            let (index, state) = (entry.header.ifindex, entry.header.state);
            found.extend(entry.attributes.iter().filter_map(neighbour_address).map(|address| (index, address, state)));
        })?;
        Ok(found)
    }

    /// Every interface.
    pub(crate) fn links(&mut self) -> Result<Vec<LinkMessage>, Refusal> {
        let mut found = Vec::new();
        self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), |answer| {
            if let RouteNetlinkMessage::NewLink(link) = answer {
                found.push(link);
            }
        })?;
        Ok(found)
    }

    /// Every address, with the length of its subnet.
    pub(crate) fn addresses(&mut self) -> Result<Vec<Prefix>, Refusal> {
        let mut found = Vec::new();
        self.dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()), |answer| {
            let RouteNetlinkMessage::NewAddress(address) = answer else { return };
            let own = |local: bool| {
                address.attributes.iter().find_map(|attribute| match attribute {
                    AddressAttribute::Local(own) if local => Some(*own),
                    AddressAttribute::Address(own) if !local => Some(*own),
                    _ => None,
                })
            };
            // Of IPv4 the address may be that of a peer.
            let length = address.header.prefix_len;
            found.extend(own(true).or_else(|| own(false)).map(|address| Prefix { address, length }));
        })?;
        Ok(found)
    }

    /// Asks for all of a kind and hands over each.
    fn dump(&mut self, wanted: RouteNetlinkMessage, mut take: impl FnMut(RouteNetlinkMessage)) -> Result<(), Refusal> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(wanted);
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map_err(|cause| Refusal::of(0, &cause))?;
        loop {
            for answer in self.receive().map_err(|cause| Refusal::of(0, &cause))? {
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => take(message),
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(error) => {
                        return Err(Refusal { message: 0, errno: -error.raw_code(), text: text(&error.header) });
                    }
                    _ => {}
                }
            }
        }
    }

    /// The messages of one datagram.
    fn receive(&mut self) -> io::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
        let length = recv(self.socket.as_raw_fd(), &mut self.answer, MsgFlags::empty())?;
        let mut rest = &self.answer[..length];
        let mut messages = Vec::new();
        while rest.len() >= HEADER_BYTES {
            let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
            let size = (message.header.length as usize).next_multiple_of(4).clamp(HEADER_BYTES, rest.len());
            rest = &rest[size..];
            messages.push(message);
        }
        Ok(messages)
    }
}

fn neighbour_address(attribute: &NeighbourAttribute) -> Option<IpAddr> {
    match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    }
}

/// `setsockopt` of nix wants `AsFd`; the socket of netlink-sys has only the raw number.
fn nix_fd(socket: &Socket) -> std::os::fd::BorrowedFd<'_> {
    // SAFETY: the descriptor is open as long as `socket`, from which the result borrows.
    unsafe { std::os::fd::BorrowedFd::borrow_raw(socket.as_raw_fd()) }
}

/// What kind of request a message is.
fn flags(message: &NetlinkMessage<RouteNetlinkMessage>) -> u16 {
    let make = match &message.payload {
        NetlinkPayload::InnerMessage(
            RouteNetlinkMessage::NewLink(_)
            | RouteNetlinkMessage::NewAddress(_)
            | RouteNetlinkMessage::NewRoute(_)
            | RouteNetlinkMessage::NewTrafficFilter(_),
        ) => NLM_F_CREATE | NLM_F_EXCL,
        // A queue that is there by its handle is told anew, another one is put in its place.
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(_) | RouteNetlinkMessage::NewQueueDiscipline(_)) => {
            NLM_F_CREATE | NLM_F_REPLACE
        }
        _ => 0,
    };
    NLM_F_REQUEST | NLM_F_ACK | make
}

/// The text in an extended acknowledgement: after the header of the request stand attributes.
fn text(header: &[u8]) -> Option<String> {
    let mut rest = header.get(HEADER_BYTES..)?;
    while rest.len() >= 4 {
        let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]) & 0x3fff;
        let value = rest.get(4..length)?;
        if kind == TEXT_ATTRIBUTE {
            return Some(String::from_utf8_lossy(value).trim_end_matches('\0').to_owned());
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_words() {
        let mut header = vec![0; HEADER_BYTES];
        header.extend([8, 0, 2, 0, 9, 9, 9, 9]);
        header.extend([9, 0, 1, 0]);
        header.extend(b"no \0\0\0\0\0");
        assert_eq!(text(&header), Some("no".to_owned() + " "));
        assert_eq!(text(&header[..HEADER_BYTES]), None);
        let refusal = Refusal { message: 0, errno: libc::EEXIST, text: Some("taken".into()) };
        assert!(refusal.to_string().contains("File exists") && refusal.to_string().contains("taken"));
    }
}
