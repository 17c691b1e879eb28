//! Rows of what happened, in little room: at a high rate many rows differ from the one before by one step alone, and a stretch of such rows is kept as
//! its first one and their number. In: rows in the order of what happened. Out: the same rows, in that order. Memory that is touched for the
//! first time costs more than the rest of a row's way. Judges and sorts nothing.

use scn_reports::record::flow::{Item, NEVER};

/// A row that others may follow in a stretch.
pub trait Row: Copy + PartialEq {
    /// The row so many places behind this one in a stretch; `None`: none follows such a row.
    fn behind(&self, places: u32) -> Option<Self>;
}

/// The next item of those that started by one reading of the clock, and went and came together.
impl Row for Item {
    fn behind(&self, places: u32) -> Option<Item> {
        let later = |at_ns| at_ns + i64::from(places);
        let known = self.sent_ns != NEVER && self.done_ns != NEVER;
        known.then(|| Item { sent_ns: later(self.sent_ns), done_ns: later(self.done_ns), ..*self })
    }
}

/// Rows in the order in which they were added.
#[derive(Debug, Clone)]
pub struct Runs<R> {
    firsts: Vec<R>,
    /// Of those that others follow: the place, and how many.
    followed: Vec<(usize, u32)>,
    count: usize,
}

impl<R> Default for Runs<R> {
    fn default() -> Runs<R> {
        Runs { firsts: Vec::new(), followed: Vec::new(), count: 0 }
    }
}

impl<R: Row> Runs<R> {
    /// Adds one.
    pub fn push(&mut self, row: R) {
        self.count += 1;
        let Some((last, place)) = self.firsts.last().zip(self.firsts.len().checked_sub(1)) else { return self.firsts.push(row) };
        let known = self.followed.last_mut().filter(|(at, count)| *at == place && *count < u32::MAX - 1);
        let following = known.as_ref().map_or(0, |(_, count)| *count);
        if last.behind(following + 1) != Some(row) {
            self.firsts.push(row);
        } else if let Some((_, count)) = known {
            *count += 1;
        } else {
            self.followed.push((place, 1));
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Adds another's.
    pub fn join(&mut self, other: Runs<R>) {
        if self.count == 0 {
            *self = other;
            return;
        }
        let before = self.firsts.len();
        self.firsts.extend(other.firsts);
        self.followed.extend(other.followed.into_iter().map(|(place, count)| (before + place, count)));
        self.count += other.count;
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = R> {
        let mut followed = self.followed.iter().peekable();
        self.firsts.iter().enumerate().flat_map(move |(place, first)| {
            let count = followed.next_if(|(at, _)| *at == place).map_or(0, |(_, count)| *count);
            std::iter::once(*first).chain((1..=count).filter_map(|places| first.behind(places)))
        })
    }

    /// All of them.
    pub fn into_rows(self) -> Vec<R> {
        if self.followed.is_empty() {
            return self.firsts;
        }
        let mut all = Vec::with_capacity(self.count);
        all.extend(self.iter());
        all
    }
}

impl<R: Row> FromIterator<R> for Runs<R> {
    fn from_iter<T: IntoIterator<Item = R>>(rows: T) -> Runs<R> {
        let mut all = Runs::default();
        rows.into_iter().for_each(|row| all.push(row));
        all
    }
}

#[cfg(test)]
pub mod tests {
    use scn_reports::record::flow::ItemOutcome;

    use super::*;

    /// The rows come out as they went in, and this many were kept.
    pub fn come_out_as_they_went_in<R: Row + std::fmt::Debug>(all: &[R], firsts: usize) {
        let rows: Runs<R> = all.iter().copied().collect();
        assert_eq!((rows.len(), rows.firsts.len()), (all.len(), firsts));
        assert_eq!(rows.iter().collect::<Vec<_>>(), all);
        let mut twice = rows.clone();
        twice.join(rows);
        assert_eq!((twice.len(), twice.into_rows()), (2 * all.len(), [all, all].concat()));
    }

    #[test]
    fn items_that_go_together_are_one_row() {
        let item = |intended_ns, at_ns| Item {
            intended_ns,
            sent_ns: at_ns,
            done_ns: at_ns + 500,
            lag_ns: 7,
            connection: 1,
            backend: 2,
            outcome: ItemOutcome::Done,
            status: 0,
            forward_bytes: 64,
            back_bytes: 0,
        };
        let mut all: Vec<Item> = (0..16).map(|n| item(10, 100 + n)).collect();
        all.extend((16..32).map(|n| item(20, 100 + n)));
        // Another size, one that was not sent, one that nobody saw end.
        all.extend([Item { forward_bytes: 65, ..item(20, 132) }, Item { sent_ns: NEVER, ..item(20, 133) }]);
        all.extend([Item { done_ns: NEVER, ..item(20, 134) }, item(20, 135), item(20, 136)]);
        come_out_as_they_went_in(&all, 6);
    }
}
