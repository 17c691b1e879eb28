//! Switches offloads: off those that make of several packets one to send, so that each packet crosses a link alone, or all of them; on what
//! keeps packets in their order. In: the name of an interface in the calling thread's namespace. Out: nothing, or the kernel's refusal. Where
//! packets are only to be alone checksums stay as they are: who changes a packet makes its checksum first.

use std::io;
use std::os::fd::AsRawFd;

use socket2::{Domain, Socket, Type};

/// From `linux/sockios.h` and `linux/ethtool.h`.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GSTRINGS: u32 = 0x1b;
const ETHTOOL_GSSET_INFO: u32 = 0x37;
const ETHTOOL_GFEATURES: u32 = 0x3a;
const ETHTOOL_SFEATURES: u32 = 0x3b;
/// The set of strings that names features.
const FEATURE_NAMES: u32 = 4;
/// Bytes of one name.
const NAME_BYTES: usize = 32;
/// No kernel has more features than this; today's have some 64.
const MOST_FEATURES: usize = 1024;
/// Words before the features of a question.
const HEAD: usize = 2;
/// Words for 32 features in an answer: those that can be changed, that are wanted, that are active, that never change; in an order: those that
/// it is about, and their values.
const ANSWER: usize = 4;
const WISH: usize = 2;

/// Which offloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Those that leave it to the link to cut what is sent into packets.
    Segmentation,
    /// Those, those that join what has come, and checksums.
    All,
}

/// What a plan says of an interface; `None`: its offloads stay as they are.
pub(super) fn wanted(packets_alone: bool, said: Option<bool>) -> Option<Extent> {
    match said {
        Some(false) => Some(Extent::All),
        // The plan refuses it where packets must be alone, but above such an interface: that one cuts them then.
        Some(true) => None,
        None => packets_alone.then_some(Extent::Segmentation),
    }
}

/// Switches offloads of an interface off.
pub(super) fn switch_off(interface: &str, extent: Extent) -> io::Result<()> {
    set(interface, false, |name| segments(name) || (extent == Extent::All && (joins(name) || sums(name))))
}

/// Makes the far end of a wire take packets in by one queue. Without it they wait in a queue of the core that sent them, and when the pump
/// changes the core they overtake each other; a veth pair has that one queue only where its receiver may join packets.
pub(super) fn take_in_by_one_queue(interface: &str) -> io::Result<()> {
    set(interface, true, |name| ["rx-gro", "rx-udp-gro-forwarding"].contains(&name))
}

/// Switches features of an interface on or off, those that can be changed.
fn set(interface: &str, on: bool, is_meant: impl Fn(&str) -> bool) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    let meant: Vec<usize> = (0..).zip(names(&socket, interface)?).filter(|(_, name)| is_meant(name)).map(|(at, _)| at).collect();
    let words = meant.last().map_or(0, |last| last / 32 + 1);
    let before = features(&socket, interface, words)?;
    let bit = |at: usize| 1u32 << (at % 32);
    let can_change = |at: &&usize| before[*at / 32 * ANSWER] & bit(**at) != 0;
    let mut order = vec![0u32; HEAD + words * WISH];
    (order[0], order[1]) = (ETHTOOL_SFEATURES, u32::try_from(words).unwrap_or(0));
    for at in meant.iter().filter(can_change) {
        order[HEAD + at / 32 * WISH] |= bit(*at);
        if on {
            order[HEAD + at / 32 * WISH + 1] |= bit(*at);
        }
    }
    ask(&socket, interface, &mut order)?;
    let after = features(&socket, interface, words)?;
    match meant.iter().filter(can_change).all(|at| (after[at / 32 * ANSWER + 2] & bit(*at) != 0) == on) {
        true => Ok(()),
        false => Err(io::Error::other(if on { "an offload stayed off" } else { "an offload stayed on" })),
    }
}

/// A feature that sends several packets as one.
fn segments(name: &str) -> bool {
    (name.starts_with("tx-") && name.ends_with("-segmentation")) || name == "tx-gso-list"
}

/// A feature that makes one packet of several that have come.
fn joins(name: &str) -> bool {
    name.starts_with("rx-gro") || name == "rx-lro"
}

/// A feature that makes or checks checksums.
fn sums(name: &str) -> bool {
    name.starts_with("tx-checksum-") || name == "rx-checksum"
}

/// The kernel's names of features, by their numbers.
fn names(socket: &Socket, interface: &str) -> io::Result<Vec<String>> {
    // The mask has 64 bits: which of its two words is the lower one depends on the machine.
    let [low, high] = if cfg!(target_endian = "little") { [1 << FEATURE_NAMES, 0] } else { [0, 1 << FEATURE_NAMES] };
    let mut question = [ETHTOOL_GSSET_INFO, 0, low, high, 0];
    ask(socket, interface, &mut question)?;
    let count = (question[4] as usize).min(MOST_FEATURES);
    let mut answer = vec![0u32; 3 + count * NAME_BYTES / 4];
    (answer[0], answer[1], answer[2]) = (ETHTOOL_GSTRINGS, FEATURE_NAMES, u32::try_from(count).unwrap_or(0));
    ask(socket, interface, &mut answer)?;
    let bytes: Vec<u8> = answer[3..].iter().flat_map(|word| word.to_ne_bytes()).collect();
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or(&[])).into_owned();
    Ok(bytes.chunks(NAME_BYTES).map(name).collect())
}

/// How features are, [`ANSWER`] words for each 32 of them.
fn features(socket: &Socket, interface: &str, words: usize) -> io::Result<Vec<u32>> {
    let mut answer = vec![0u32; HEAD + words * ANSWER];
    (answer[0], answer[1]) = (ETHTOOL_GFEATURES, u32::try_from(words).unwrap_or(0));
    ask(socket, interface, &mut answer)?;
    Ok(answer.split_off(HEAD))
}

fn ask(socket: &Socket, interface: &str, words: &mut [u32]) -> io::Result<()> {
    // SAFETY: all zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()).take(room) {
        *to = from.cast_signed() as libc::c_char;
    }
    request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
    // SAFETY: the request and what it points to live through the call; the words hold the number of entries that they have room
    // for, and the kernel reads and writes no more.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_known_by_their_names() {
        for name in ["tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-udp-segmentation", "tx-generic-segmentation", "tx-gso-list"] {
            assert!(segments(name) && !joins(name) && !sums(name), "{name}");
        }
        for name in ["rx-gro", "rx-gro-list", "rx-lro"] {
            assert!(joins(name) && !segments(name) && !sums(name), "{name}");
        }
        for name in ["tx-checksum-ip-generic", "tx-checksum-sctp", "rx-checksum"] {
            assert!(sums(name) && !joins(name) && !segments(name), "{name}");
        }
        assert!(!segments("tx-vlan-hw-insert") && !segments("tx-scatter-gather") && !sums("highdma"));
    }

    #[test]
    fn what_is_said_goes_further_than_what_is_needed() {
        assert_eq!((wanted(false, None), wanted(false, Some(true))), (None, None));
        assert_eq!(wanted(true, Some(true)), None);
        assert_eq!((wanted(true, None), wanted(true, Some(false))), (Some(Extent::Segmentation), Some(Extent::All)));
    }
}
