//! How many datagrams a node's kernel threw away for want of room, by its own account of UDP: what a socket counts as thrown away holds those with
//! a wrong checksum too. In: the files of that account. Out: a limit to what sockets count. Knows no sockets.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::sync::{Mutex, MutexGuard, PoisonError};

use scn_grammar::scenario::NodeId;

use crate::traffic::sockets::Sockets;

/// The accounts of a run's nodes.
#[derive(Debug, Default)]
pub struct Overflows {
    nodes: Mutex<BTreeMap<NodeId, Overflow>>,
}

impl Overflows {
    /// Keeps the account of a node from now on, if it is not kept yet: before the sockets are there that it is to limit.
    pub async fn watch(&self, sockets: &dyn Sockets, node: NodeId) {
        let known = self.nodes().contains_key(&node);
        if !known {
            let files = sockets.account_of_udp(node).await.unwrap_or_default();
            self.nodes().entry(node).or_insert_with(|| Overflow::of(files));
        }
    }

    /// Of so many datagrams that the kernel has thrown away at a socket of a node, those for which there may have been no room. Where the kernel
    /// does not tell, the socket is believed.
    pub fn limit(&self, node: NodeId, thrown_away: u32) -> u32 {
        if thrown_away == 0 {
            return 0;
        }
        self.nodes().get(&node).map_or(thrown_away, |overflow| overflow.limit(thrown_away))
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<NodeId, Overflow>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account of a namespace since an instant.
#[derive(Debug, Default)]
struct Overflow {
    /// They stay those of the namespace in which they were opened; empty: nobody knows.
    files: Vec<File>,
    /// What they told first.
    first: u64,
}

impl Overflow {
    fn of(files: Vec<File>) -> Overflow {
        match read(&files).ok().and_then(|text| found_no_room(&text)) {
            Some(first) => Overflow { files, first },
            None => Overflow::default(),
        }
    }

    fn limit(&self, thrown_away: u32) -> u32 {
        let now = read(&self.files).ok().and_then(|text| found_no_room(&text));
        now.map_or(thrown_away, |now| thrown_away.min(u32::try_from(now.saturating_sub(self.first)).unwrap_or(u32::MAX)))
    }
}

/// Opens the account of the calling thread's namespace. Without IPv6 there is one file only.
///
/// # Errors
/// Those of /proc, which may not be there.
pub fn open_account() -> io::Result<Vec<File>> {
    // Not /proc/net: that is the main thread's.
    let ipv4 = File::open("/proc/thread-self/net/snmp")?;
    match File::open("/proc/thread-self/net/snmp6") {
        Ok(ipv6) => Ok(vec![ipv4, ipv6]),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![ipv4]),
        Err(error) => Err(error),
    }
}

/// What the files say at this moment, one after the other.
fn read(files: &[File]) -> io::Result<String> {
    let mut text = String::new();
    for mut file in files {
        file.rewind()?;
        file.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Datagrams of UDP, over IPv4 and IPv6, that found no room: in the buffer of their socket, or in what all sockets may hold. `None`: an older
/// kernel, which does not count the latter, or no account at all.
fn found_no_room(text: &str) -> Option<u64> {
    let of_ipv4 = |name: &str| {
        // The names stand in one line, their values in the next.
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp:"));
        let (names, values) = (lines.next()?, lines.next()?);
        let (_, value) = names.split_whitespace().zip(values.split_whitespace()).find(|(found, _)| *found == name)?;
        value.parse::<u64>().ok()
    };
    let of_ipv6 = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(char::is_whitespace));
        lines.find(|(found, _)| *found == name).and_then(|(_, value)| value.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    let ipv4 = of_ipv4("RcvbufErrors")?.saturating_add(of_ipv4("MemErrors")?);
    Some(ipv4.saturating_add(of_ipv6("Udp6RcvbufErrors")).saturating_add(of_ipv6("Udp6MemErrors")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const ACCOUNT: &str = "\
Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 900
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 800 1 60 900 7 0 50 0 3
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 90 0 0 0 90
Udp6InErrors                    \t40
Udp6RcvbufErrors                \t20
Udp6InCsumErrors                \t9
Udp6MemErrors                   \t100
UdpLite6RcvbufErrors            \t90
";

    #[test]
    fn counts_what_found_no_room_and_no_wrong_checksum() {
        assert_eq!(found_no_room(ACCOUNT), Some(7 + 3 + 20 + 100));
        let (ipv4, _) = ACCOUNT.split_once("Udp6").unwrap();
        assert_eq!(found_no_room(ipv4), Some(10), "without IPv6");
        assert_eq!(found_no_room(&ACCOUNT.replace(" MemErrors", "")), None, "an older kernel");
        assert_eq!(found_no_room(""), None);
    }

    #[test]
    fn a_socket_is_believed_up_to_the_account_of_its_node() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snmp");
        std::fs::write(&path, ACCOUNT).unwrap();
        let [known, unknown] = [0, 1].map(NodeId);
        let overflows = Overflows::default();
        overflows.nodes().insert(known, Overflow::of(vec![File::open(&path).unwrap()]));
        assert_eq!(overflows.limit(known, 55), 0, "all of them had a wrong checksum");
        let later = ACCOUNT.replace("Udp: 800 1 60 900 7", "Udp: 800 1 62 900 9");
        File::options().write(true).open(&path).unwrap().write_all(later.as_bytes()).unwrap();
        assert_eq!([0, 1, 55].map(|thrown_away| overflows.limit(known, thrown_away)), [0, 1, 2]);
        overflows.nodes().insert(unknown, Overflow::of(Vec::new()));
        assert_eq!([unknown, NodeId(2)].map(|node| overflows.limit(node, 55)), [55, 55], "where nobody knows");
    }

    #[test]
    fn the_account_of_a_kernel_can_be_read_again() {
        let files = open_account().unwrap();
        for _ in 0..2 {
            assert!(read(&files).unwrap().contains("\nUdp: "));
        }
    }
}
