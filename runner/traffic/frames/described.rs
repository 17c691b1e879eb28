//! Frames of others that a flow only watches: which of them agree with its description. In: a template that holds what is said and nothing
//! else. Out: the program by which the kernel picks them, and what each carries. Makes no frame.
//!
//! The length of some headers the frame itself tells (IPv4's, TCP's): the register X holds how far what follows them lies behind the place that it
//! would have behind headers of no length.

use std::ops::Range;

use scn_grammar::scenario::frame::{Frame, Network as Layer, Segment as Carried, VlanTag};

use super::filter::{COMPARED, MACS, Program, TAG, TAKEN_OFF, WAS_TAKEN_OFF};
use super::template::{IPV6_HEADER, Patch, Template};
use super::values::Values;

/// Bytes of a frame that are handed over: no headers are longer.
pub const HANDED_OVER: usize = 256;
/// From linux/filter.h: where a program finds the type of the tag that was taken off.
const TYPE_TAKEN_OFF: u32 = 0xffff_f000 + 60;
/// Types of tags that the kernel takes off.
const TAKEN: [u16; 2] = [0x8100, 0x88a8];
/// Bytes of the least headers, and of those of UDP and ICMP.
const IPV4_HEADER: usize = 20;
const TCP_HEADER: usize = 20;
const SHORT_HEADER: usize = 8;
/// Bits of a word of IPv4 that tell how far into its packet a fragment begins.
const FRAGMENT: u32 = 0x1fff;

/// What of a description no field says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Described {
    /// The kernel takes the outermost of the tags off that are said.
    taken_off: bool,
    /// It takes off none: none stands there, or one of another type.
    untagged: bool,
    /// It carries TCP.
    tcp: bool,
    /// It has no payload.
    whole: bool,
}

/// Where two bytes of a frame stand, or the one that is its last.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// So far from its beginning.
    At(usize),
    /// So far behind what X tells.
    Behind(usize),
    /// Beside the frame: what the kernel took off.
    Beside(u32),
}

impl Described {
    /// Of a frame that is said.
    pub fn of(frame: &Frame) -> Described {
        let taken = |tag: &VlanTag| tag.ethertype.is_none_or(|kind| TAKEN.contains(&kind));
        let taken_off = frame.vlans.first().is_some_and(taken);
        let inside = frame.network.is_some()
            || frame.payload.is_some()
            || frame.ethernet.as_ref().is_some_and(|ethernet| ethernet.ethertype.is_some());
        Described {
            taken_off,
            untagged: !taken_off && (inside || !frame.vlans.is_empty()),
            tcp: matches!(frame.segment, Some(Carried::Tcp(_))),
            whole: matches!(frame.network, Some(Layer::Arp(_) | Layer::Lldp(_) | Layer::Lacp(_))),
        }
    }

    /// Bytes of tags that are not in the frame any more.
    fn off(self) -> usize {
        if self.taken_off { TAG } else { 0 }
    }
}

impl Template {
    /// The program that lets pass what agrees with the description.
    pub(super) fn by_description(&self, described: Described) -> Program {
        let mut program = Program::default();
        if described.taken_off || described.untagged {
            program.load_about(WAS_TAKEN_OFF);
            program.must_be(u32::MAX, u32::from(described.taken_off));
        }
        let behind = self.network.map_or(usize::MAX, |network| network.at + if network.ipv6 { IPV6_HEADER } else { IPV4_HEADER });
        self.compare(&mut program, described, 0..behind);
        let has_payload = self.bytes.len() > self.payload_at;
        if let Some(network) = self.network.filter(|_| self.segment.is_some() || has_payload) {
            let at = network.at - described.off();
            if network.ipv6 {
                program.step(libc::BPF_LDX | libc::BPF_W | libc::BPF_IMM, (0, 0), 0);
            } else {
                // What follows the first fragment begins with no header.
                load(&mut program, Place::At(at + 6), 2);
                program.must_be(FRAGMENT, 0);
                program.step(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, (0, 0), at as u32);
            }
            self.compare(&mut program, described, behind..self.payload_at);
            if let Some(segment) = self.segment.filter(|_| described.tcp && has_payload) {
                // The upper half of a byte counts words of four.
                load(&mut program, self.place(described, segment.at + 12), 1);
                program.step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, (0, 0), 0xf0);
                program.step(libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K, (0, 0), 2);
                program.step(libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X, (0, 0), 0);
                program.step(libc::BPF_MISC | libc::BPF_TAX, (0, 0), 0);
            }
            self.compare(&mut program, described, self.payload_at..usize::MAX);
        }
        program.step(libc::BPF_RET | libc::BPF_K, (0, 0), HANDED_OVER as u32);
        program
    }

    /// Where what stands at a place of the template stands in a frame that is received.
    fn place(&self, described: Described, at: usize) -> Place {
        let tcp = if described.tcp && at >= self.payload_at { TCP_HEADER } else { 0 };
        match self.network {
            _ if described.taken_off && at == MACS => Place::Beside(TYPE_TAKEN_OFF),
            _ if described.taken_off && at == MACS + 2 => Place::Beside(TAKEN_OFF),
            _ if at < MACS => Place::At(at),
            Some(network) if network.ipv6 && at >= network.at + IPV6_HEADER => Place::Behind(at - described.off() - tcp),
            Some(network) if !network.ipv6 && at >= network.at + IPV4_HEADER => Place::Behind(at - described.off() - IPV4_HEADER - tcp),
            _ => Place::At(at - described.off()),
        }
    }

    /// Compares everything that is said of a part of the template.
    fn compare(&self, program: &mut Program, described: Described, part: Range<usize>) {
        let end = part.end.min(self.bytes.len()).min(self.payload_at + COMPARED);
        for at in (part.start..end).step_by(2) {
            let size = (end - at).min(2);
            let number = |bytes: &[u8]| bytes[at..at + size].iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
            if number(&self.certain) != 0 {
                load(program, self.place(described, at), size);
                program.must_be(number(&self.certain), number(&self.bytes));
            }
        }
        for patch in self.patches.iter().filter(|patch| part.contains(&patch.at)) {
            let words = Words::of(patch);
            let load = |program: &mut Program, word: usize| {
                load(program, self.place(described, patch.at + 2 * word), 2);
                program.step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, (0, 0), words.masks[word]);
            };
            words.one_of(program, &patch.values, &load);
        }
    }

    /// Payload of a frame that was let pass, bytes: what lies behind the headers that are said. `length`: of the whole frame.
    pub fn carried(&self, described: Described, bytes: &[u8], length: usize) -> usize {
        if described.whole {
            return 0;
        }
        let byte = |at: usize| bytes.get(at).copied().map_or(0, usize::from);
        let word = |at: usize| byte(at) << 8 | byte(at + 1);
        let Some(network) = self.network else { return length.saturating_sub(self.payload_at - described.off()) };
        let at = network.at - described.off();
        let (header, packet) = match network.ipv6 {
            true => (IPV6_HEADER, Some(word(at + 4)).filter(|length| *length > 0).map(|length| length + IPV6_HEADER)),
            false => ((byte(at) & 0xf) * 4, Some(word(at + 2)).filter(|length| *length > 0)),
        };
        let above = match self.segment {
            None => 0,
            Some(_) if described.tcp => (byte(at + header + 12) >> 4) * 4,
            Some(_) => SHORT_HEADER,
        };
        // Of segments that an offload has joined the packet may be too long to tell its length.
        packet.unwrap_or(length.saturating_sub(at)).saturating_sub(header + above)
    }
}

fn load(program: &mut Program, place: Place, bytes: usize) {
    let size = if bytes == 1 { libc::BPF_B } else { libc::BPF_H };
    match place {
        Place::At(at) => program.step(libc::BPF_LD | size | libc::BPF_ABS, (0, 0), at as u32),
        Place::Behind(at) => program.step(libc::BPF_LD | size | libc::BPF_IND, (0, 0), at as u32),
        Place::Beside(what) => program.load_about(what),
    }
}

/// A field as whole words of 16 bits, the highest first.
struct Words {
    /// The bits of each that are the field's.
    masks: Vec<u32>,
    shift: u32,
}

/// Loads the bits of a field in one of its words.
type Load<'l> = dyn Fn(&mut Program, usize) + 'l;

impl Words {
    fn of(patch: &Patch) -> Words {
        let masks = split(patch.mask, patch.width / 2);
        Words { masks, shift: patch.shift }
    }

    /// A value of the field as it stands in its words.
    fn value(&self, value: u128) -> Vec<u32> {
        split(value << self.shift, self.masks.len())
    }

    /// Goes on if the field holds what it may; nothing passes otherwise.
    fn one_of(&self, program: &mut Program, values: &Values, load: &Load<'_>) {
        match values {
            Values::Counting(first, count) | Values::Random(first, count, _) => {
                let last = first.saturating_add(count.saturating_sub(1));
                self.within(program, &self.value(*first), (libc::BPF_JGT, true), load);
                self.within(program, &self.value(last), (libc::BPF_JGE, false), load);
            }
            Values::Choice(values, _) => {
                let mut found = Vec::new();
                for value in values {
                    let mut other = Vec::new();
                    for (word, value) in self.value(*value).into_iter().enumerate() {
                        load(program, word);
                        program.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (1, 0), value);
                        other.push(program.jump());
                    }
                    found.push(program.jump());
                    program.lands(&other);
                }
                program.answer(false);
                program.lands(&found);
            }
        }
    }

    /// Goes on if the field is a limit, or lies on its right side: the first word that differs tells. `beyond`: how a word is compared with that of
    /// the limit, and which answer means that it lies there.
    fn within(&self, program: &mut Program, limit: &[u32], beyond: (u32, bool), load: &Load<'_>) {
        let (compare, means) = beyond;
        let mut inside = Vec::new();
        for (word, limit) in limit.iter().enumerate() {
            load(program, word);
            program.step(libc::BPF_JMP | compare | libc::BPF_K, if means { (0, 1) } else { (1, 0) }, *limit);
            inside.push(program.jump());
            program.must_be(u32::MAX, *limit);
        }
        program.lands(&inside);
    }
}

/// A number as so many words of 16 bits, the highest first.
fn split(number: u128, words: usize) -> Vec<u32> {
    (0..words).rev().map(|word| (number >> (16 * word)) as u32 & 0xffff).collect()
}
