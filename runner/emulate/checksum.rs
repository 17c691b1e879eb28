//! Checksums that a sender left to its device: the sum over the payload is still to be made. In: a frame and where its checksum belongs.
//! Out: the frame as it would be on a cable.

/// Makes the checksum of a frame: the ones' complement sum of everything from `start` on, stored at `start + offset`. There the frame holds
/// the sum of the pseudo header already. What lies outside of the frame is left alone.
pub fn complete(frame: &mut [u8], start: usize, offset: usize) {
    let at = start + offset;
    if at + 2 > frame.len() {
        return;
    }
    let mut sum: u64 = 0;
    let mut words = frame[start..].chunks_exact(2);
    for word in &mut words {
        sum += u64::from(u16::from_be_bytes([word[0], word[1]]));
    }
    if let [last] = words.remainder() {
        sum += u64::from(*last) << 8;
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let folded = !u16::try_from(sum).unwrap_or(u16::MAX);
    // Of UDP a sum of nothing but zeros stands for none at all; all ones mean the same.
    let stored = if folded == 0 { u16::MAX } else { folded };
    frame[at..at + 2].copy_from_slice(&stored.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completed_sum_adds_up_to_all_ones() {
        for length in [8usize, 9, 33, 1480] {
            let mut frame: Vec<u8> = (0..14 + length).map(|at| (at * 31 % 251) as u8).collect();
            let pseudo = u16::from_be_bytes([frame[14 + 6], frame[14 + 7]]);
            complete(&mut frame, 14, 6);
            let mut sum = u64::from(pseudo);
            for word in frame[14..].chunks(2) {
                sum += u64::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]));
            }
            while sum >> 16 != 0 {
                sum = (sum & 0xffff) + (sum >> 16);
            }
            assert_eq!(sum, 0xffff, "{length} bytes");
        }
        let mut short = vec![1, 2, 3];
        complete(&mut short, 2, 6);
        assert_eq!(short, [1, 2, 3]);
    }
}
