//! What the kernel hands to a flow's receiver: a classic BPF program that lets only frames of this flow pass. In: a template. Out: the program. The
//! kernel takes the outermost tag off a received frame, and an interface of a VLAN takes its own, so that the bytes behind the tags may stand at
//! several places.

use super::template::Template;

/// Bytes of a frame that are compared, where it has no identity.
pub(super) const COMPARED: usize = 256;
/// Bytes of the two hardware addresses, and of a tag.
pub(super) const MACS: usize = 12;
pub(super) const TAG: usize = 4;
/// From linux/filter.h: where a program finds the tag that was taken off, and whether there was one.
pub(super) const TAKEN_OFF: u32 = 0xffff_f000 + 44;
pub(super) const WAS_TAKEN_OFF: u32 = 0xffff_f000 + 48;
/// Bits of a tag that are the VLAN's number.
const NUMBER: u32 = 0x0fff;

/// A program of the kernel's filter.
#[derive(Default)]
pub struct Program(pub Vec<libc::sock_filter>);

impl Program {
    pub(super) fn step(&mut self, code: u32, jump: (u8, u8), k: u32) {
        self.0.push(libc::sock_filter { code: code as u16, jt: jump.0, jf: jump.1, k });
    }

    fn load(&mut self, at: usize) {
        self.step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (0, 0), at as u32);
    }

    pub(super) fn load_about(&mut self, what: u32) {
        self.step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (0, 0), what);
    }

    pub(super) fn answer(&mut self, pass: bool) {
        self.step(libc::BPF_RET | libc::BPF_K, (0, 0), if pass { u32::MAX } else { 0 });
    }

    /// Jumps to a place that is not known yet; where the jump stands.
    pub(super) fn jump(&mut self) -> usize {
        self.step(libc::BPF_JMP | libc::BPF_JA, (0, 0), 0);
        self.0.len() - 1
    }

    /// Jumps land here.
    pub(super) fn lands(&mut self, jumps: &[usize]) {
        for at in jumps {
            self.0[*at].k = (self.0.len() - at - 1) as u32;
        }
    }

    /// Goes on if what was loaded has this in these bits; nothing passes otherwise.
    pub(super) fn must_be(&mut self, mask: u32, value: u32) {
        if mask != u32::MAX {
            self.step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, (0, 0), mask);
        }
        self.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (1, 0), value & mask);
        self.answer(false);
    }

    /// Goes on if what was loaded has this in these bits; the step that jumps otherwise, to where [`Program::differing_land`] says.
    fn unless_differing(&mut self, mask: u32, value: u32) -> usize {
        if mask != u32::MAX {
            self.step(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, (0, 0), mask);
        }
        self.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (0, 0), value & mask);
        self.0.len() - 1
    }

    /// What differs goes on here: no more than 255 steps on, which what is compared of one frame never takes.
    fn differing_land(&mut self, jumps: &[usize]) {
        for at in jumps {
            self.0[*at].jf = (self.0.len() - at - 1) as u8;
        }
    }
}

impl Template {
    /// Where the payload may begin in a received frame, the nearest first.
    pub fn payload_places(&self) -> impl Iterator<Item = usize> + '_ {
        let tags = self.tags.len();
        (0..=tags).map(move |inside| self.payload_at - TAG * (tags - inside))
    }

    /// The program that lets the flow's frames pass.
    pub fn filter(&self) -> Program {
        match self.described {
            Some(described) => self.by_description(described),
            None if self.is_identified() => self.by_identity(),
            None => self.by_headers(),
        }
    }

    /// A frame too short for a place ends the program, so that the nearest is looked at first.
    fn by_identity(&self) -> Program {
        let mut program = Program::default();
        let [first, second] = self.whose.words();
        for place in self.payload_places() {
            program.load(place);
            program.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (0, 3), first);
            program.load(place + 4);
            program.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (0, 1), second);
            program.answer(true);
        }
        program.answer(false);
        program
    }

    /// Every bit that is the same in all frames of the flow, as far as [`COMPARED`], with each number of tags off. The most come first: a frame
    /// too short for a place ends the program. The eight tags that a frame may have make fewer than half of the 4096 steps that the kernel takes.
    fn by_headers(&self) -> Program {
        let mut program = Program::default();
        for off in (0..=self.tags.len()).rev() {
            let mut differing = self.last_tag_off(off, &mut program);
            let without_tags = |bytes: &[u8]| [&bytes[..MACS], &bytes[MACS + TAG * off..]].concat();
            let (mut bytes, mut certain) = (without_tags(&self.bytes), without_tags(&self.certain));
            let length = bytes.len().min(COMPARED);
            bytes.truncate(length);
            certain.truncate(length);
            // The last word begins where it has four bytes.
            for at in (0..length / 4).map(|word| word * 4).chain((length % 4 > 0).then(|| length - 4)) {
                let word = |bytes: &[u8]| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
                if word(&certain) != 0 {
                    program.load(at);
                    differing.push(program.unless_differing(word(&certain), word(&bytes)));
                }
            }
            program.answer(true);
            program.differing_land(&differing);
        }
        program.answer(false);
        program
    }

    /// The innermost of the tags that are off was taken off by the kernel, which knows its number, or is gone, as behind an interface of its VLAN;
    /// the steps that jump where it is neither.
    fn last_tag_off(&self, off: usize, program: &mut Program) -> Vec<usize> {
        program.load_about(WAS_TAKEN_OFF);
        let Some(last) = off.checked_sub(1) else {
            program.must_be(u32::MAX, 0);
            return Vec::new();
        };
        // The kernel takes off tags of these two types; one of another type it leaves where it is.
        let at = MACS + TAG * last;
        if !matches!(self.bytes.get(at..at + 2), Some([0x81, 0x00] | [0x88, 0xa8])) {
            return vec![program.unless_differing(u32::MAX, 0)];
        }
        let Some(number) = self.tags[last] else { return Vec::new() };
        // Gone: past the three steps of its number.
        program.step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (3, 0), 0);
        program.load_about(TAKEN_OFF);
        vec![program.unless_differing(NUMBER, u32::from(number))]
    }
}

#[cfg(test)]
impl Program {
    /// Runs it as the kernel does on a frame and the tag of a VLAN (802.1Q) that was taken off.
    pub fn passes(&self, frame: &[u8], taken_off: Option<u16>) -> bool {
        let (mut at, mut register, mut x) = (0, 0u32, 0u32);
        let read = |at: u32, bytes: usize| {
            let found = frame.get(at as usize..at as usize + bytes)?;
            Some(found.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
        };
        loop {
            let libc::sock_filter { code, jt, jf, k } = self.0[at];
            let code = u32::from(code);
            at += 1;
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            const WORD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
            let loaded = match code {
                WORD if k == TAKEN_OFF => Some(u32::from(taken_off.unwrap_or(0))),
                WORD if k == WAS_TAKEN_OFF => Some(u32::from(taken_off.is_some())),
                WORD if k == TAKEN_OFF + 16 => Some(if taken_off.is_some() { 0x8100 } else { 0 }),
                WORD => read(k, 4),
                _ if code == libc::BPF_LD | libc::BPF_H | libc::BPF_ABS => read(k, 2),
                _ if code == libc::BPF_LD | libc::BPF_B | libc::BPF_ABS => read(k, 1),
                _ if code == libc::BPF_LD | libc::BPF_H | libc::BPF_IND => read(x + k, 2),
                _ if code == libc::BPF_LD | libc::BPF_B | libc::BPF_IND => read(x + k, 1),
                _ if code == libc::BPF_ALU | libc::BPF_AND | libc::BPF_K => Some(register & k),
                _ if code == libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K => Some(register >> k),
                _ if code == libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X => Some(register + x),
                _ => Some(register),
            };
            let Some(loaded) = loaded else { return false };
            register = loaded;
            match code {
                _ if code == libc::BPF_RET | libc::BPF_K => return k != 0,
                _ if code == libc::BPF_LDX | libc::BPF_W | libc::BPF_IMM => x = k,
                _ if code == libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH => match read(k, 1) {
                    Some(byte) => x = (byte & 0xf) * 4,
                    None => return false,
                },
                _ if code == libc::BPF_MISC | libc::BPF_TAX => x = register,
                _ if code == libc::BPF_JMP | libc::BPF_JA => at += k as usize,
                _ if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => at += jump(register == k),
                _ if code == libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K => at += jump(register > k),
                _ if code == libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K => at += jump(register >= k),
                _ => assert!(code & 0x07 == libc::BPF_LD || code & 0x07 == libc::BPF_ALU, "what does {code:#x} do?"),
            }
        }
    }
}
