//! One end's notes of many datagrams, in little room: transactions of one datagram each that left or came together, one nanosecond after the other, are
//! one row. In: notes in the order of what happened. Out: the same notes, in that order.

use scn_reports::record::flow::NEVER;

use super::exchange::MESSAGES;
use super::log::Note;

/// Notes of datagrams, each of the next transaction and a nanosecond after the one before.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: Note,
    count: u32,
}

impl Stretch {
    fn note(&self, at: u32) -> Note {
        let sequence = self.first.sequence.wrapping_add(u64::from(at) * MESSAGES);
        Note { sequence, at_ns: self.first.at_ns + i64::from(at), ..self.first }
    }

    /// Whether a note is the next one.
    fn goes_on(&self, note: &Note) -> bool {
        // What answers a question has an instant of its own besides.
        self.first.asked_ns == NEVER && self.count < u32::MAX && self.note(self.count) == *note
    }
}

/// Notes in the order in which they were made.
#[derive(Debug, Default)]
pub struct Notes {
    stretches: Vec<Stretch>,
    count: usize,
}

impl Notes {
    /// Adds one.
    pub fn push(&mut self, note: Note) {
        self.count += 1;
        match self.stretches.last_mut() {
            Some(last) if last.goes_on(&note) => last.count += 1,
            _ => self.stretches.push(Stretch { first: note, count: 1 }),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Takes another end's in.
    pub fn join(&mut self, other: Notes) {
        self.count += other.count;
        self.stretches.extend(other.stretches);
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Note> {
        self.stretches.iter().flat_map(|stretch| (0..stretch.count).map(|at| stretch.note(at)))
    }

    /// In the order of sockets, ways and numbers.
    pub fn into_sorted(self) -> Vec<Note> {
        let mut all = Vec::with_capacity(self.count);
        all.extend(self.iter());
        all.sort_unstable();
        all
    }
}

impl FromIterator<Note> for Notes {
    fn from_iter<T: IntoIterator<Item = Note>>(notes: T) -> Notes {
        let mut all = Notes::default();
        notes.into_iter().for_each(|note| all.push(note));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_together_is_one_row_and_comes_out_as_it_went_in() {
        let note = |number: u64, at_ns| Note::forward(3, number * MESSAGES, at_ns);
        let mut all: Vec<Note> = (0..1000).map(|n| note(n, 50 + n as i64)).collect();
        // A gap in time, one in the numbers, another socket, the other way, a second message of one transaction, an answer, a copy.
        all.extend([
            note(1000, 1051),
            note(1002, 1052),
            Note { connection: 4, ..note(1003, 1053) },
            Note { back: true, ..note(1004, 1054) },
        ]);
        all.extend([Note::forward(3, 1004 * MESSAGES + 1, 1055), Note { asked_ns: 7, ..note(1005, 1056) }]);
        all.extend([note(1006, 1057), note(1006, 1058)]);
        let notes: Notes = all.iter().copied().collect();
        assert_eq!(notes.iter().collect::<Vec<_>>(), all);
        assert_eq!((notes.len(), notes.stretches.len()), (all.len(), 9));
        let mut joined = Notes::default();
        joined.join(notes);
        all.sort_unstable();
        assert_eq!(joined.into_sorted(), all);
    }
}
