//! Which flow a packet belongs to and how many of it came before, on one way of a link. In: headers. Out: the flow's record. Bounded: when
//! too many flows are known all are forgotten.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::fate::Place;
use super::headers::{Headers, Network};
use crate::traffic::Key;

/// Flows known at once; one more, and all are forgotten and counted from the start.
const MOST_FLOWS: usize = 1 << 18;
/// Ports below this are never given by the kernel to a client (`net.ipv4.ip_local_port_range` of every node).
const FIRST_GIVEN_PORT: u16 = 1024;
/// Stands for a port that the kernel chose.
const GIVEN: u64 = 1 << 20;

/// What is known of a flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow {
    id: u64,
    next: u64,
    /// It is in the bad state of a two-state loss.
    pub(super) bad: bool,
    /// The setting of the loss that `bad` belongs to.
    pub(super) setting: u32,
}

/// The keys are hashes already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |word, byte| (word << 8) | u64::from(*byte));
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

type Table<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// The flows of one way.
#[derive(Debug, Default)]
pub(super) struct Flows {
    /// Ports that the plan names, as ranges.
    named: Vec<(u16, u16)>,
    table: Table<Flow>,
    /// How many flows differ only in ports that the kernel chose.
    alike: Table<u64>,
}

impl Flows {
    /// None yet.
    pub(super) fn new(named: Vec<(u16, u16)>) -> Self {
        Flows { named, ..Flows::default() }
    }

    /// Counts all from the start.
    pub(super) fn forget(&mut self) {
        self.table.clear();
        self.alike.clear();
    }

    /// The flow of a packet, and the packet's place in it. Every call counts one packet.
    pub(super) fn count(&mut self, headers: &Headers, frame: &[u8]) -> (Place, &mut Flow) {
        let key = whole(headers, frame, u64::from);
        if self.table.len() >= MOST_FLOWS && !self.table.contains_key(&key) {
            self.forget();
        }
        if !self.table.contains_key(&key) {
            let id = self.name(headers, frame, key);
            self.table.insert(key, Flow { id, next: 0, bad: false, setting: 0 });
        }
        let flow = self.table.get_mut(&key).expect("it was put there if it was not");
        let place = Place { flow: flow.id, index: flow.next };
        flow.next += 1;
        (place, flow)
    }

    /// A flow's number: what is the same in every run.
    fn name(&mut self, headers: &Headers, frame: &[u8], key: u64) -> u64 {
        let is_named = |port: u16| port < FIRST_GIVEN_PORT || self.named.iter().any(|(from, to)| (*from..=*to).contains(&port));
        // The identifier of an echo is its program's choice, as a client's port is the kernel's; its type stands in the protocol too.
        let is_echo = headers.icmp_type.is_some();
        if headers.ports.is_none_or(|ports| !is_echo && ports.into_iter().all(is_named)) {
            return key;
        }
        let group = whole(headers, frame, |port| if !is_echo && is_named(port) { u64::from(port) } else { GIVEN });
        let before = self.alike.entry(group).or_insert(0);
        let id = Key::from_bits(group).part(*before).bits();
        *before += 1;
        id
    }
}

/// A hash of everything that tells flows apart.
fn whole(headers: &Headers, frame: &[u8], port: impl Fn(u16) -> u64) -> u64 {
    let protocol = u64::from(headers.protocol) << 16 | u64::from(headers.icmp_type.unwrap_or(0));
    let key = match headers.network {
        Network::Ipv4 => Key::of_seed(4).part(protocol),
        Network::Ipv6 => Key::of_seed(6).part(protocol),
        Network::Arp => Key::of_seed(0x0806),
        Network::Other(kind) => Key::of_seed(u64::from(kind) << 32),
    };
    let key = match headers.network {
        Network::Ipv4 => key.part(low(headers.addresses[0]) << 32 | low(headers.addresses[1])),
        Network::Ipv6 => headers.addresses.iter().fold(key, |key, address| key.part(low(*address)).part(low(*address >> 64))),
        Network::Arp | Network::Other(_) => frame
            .get(..12)
            .unwrap_or(frame)
            .chunks(6)
            .fold(key, |key, mac| key.part(mac.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte)))),
    };
    match headers.ports {
        Some([from, to]) => key.part(port(from) << 32 | port(to)).bits(),
        None => key.bits(),
    }
}

/// The last 64 bits.
fn low(number: u128) -> u64 {
    u64::try_from(number & u128::from(u64::MAX)).unwrap_or(0)
}
