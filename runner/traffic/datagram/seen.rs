//! Which of the last transactions of a socket are over: tells a copy from what is new. In: numbers, roughly ascending. Out: whether
//! one was there before. Older ones than it can hold count as over.

use std::collections::VecDeque;

/// Words of 64 numbers that are kept.
const MOST_WORDS: usize = 4096;

/// A window over numbers.
#[derive(Debug, Default)]
pub struct Seen {
    words: VecDeque<u64>,
    /// The number of the first word.
    first: u64,
}

impl Seen {
    /// Whether a number was noted.
    pub fn has(&self, number: u64) -> bool {
        match (number / 64).checked_sub(self.first) {
            None => true,
            Some(at) => usize::try_from(at).ok().and_then(|at| self.words.get(at)).is_some_and(|word| word >> (number % 64) & 1 == 1),
        }
    }

    /// Notes a number.
    pub fn note(&mut self, number: u64) {
        let Some(at) = (number / 64).checked_sub(self.first) else { return };
        let over = at.saturating_sub(MOST_WORDS as u64 - 1);
        if over > 0 {
            self.words.drain(..usize::try_from(over).unwrap_or(usize::MAX).min(self.words.len()));
            self.first += over;
        }
        let at = (at - over) as usize;
        if self.words.len() <= at {
            self.words.resize(at + 1, 0);
        }
        self.words[at] |= 1 << (number % 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_nothing_else() {
        let mut seen = Seen::default();
        for number in (0..2_000_000).step_by(3) {
            assert!(!seen.has(number), "{number}");
            seen.note(number);
            assert!(seen.has(number) && !seen.has(number + 1));
        }
        assert!(seen.has(1), "what is older than the window is over");
        seen.note(u64::MAX / 2);
        assert!(seen.has(1_999_998) && !seen.has(u64::MAX / 2 + 1));
    }
}
