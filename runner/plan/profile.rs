//! How a number that a load says goes over time: level, evenly from one value to another, or nothing of it while a flow is paused. In: values and
//! instants. Out: the value at an instant; of a rate, the instant at which so many starts are due. Draws nothing and waits for nothing.

use scn_grammar::scenario::flow::Change;

/// Starts are counted in halves of 1e-18, which rates in 1e-9/s times instants in ns come out in without a rest.
const UNITS: u128 = 2_000_000_000_000_000_000;
const UNITS_OF_ONE: f64 = 2e18;

/// A stretch of time in which it goes evenly from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    from_ns: i64,
    /// `i64::MAX`: it never ends, and both values are one.
    to_ns: i64,
    from: u64,
    to: u64,
}

impl Piece {
    fn value(&self, at_ns: i64) -> u64 {
        let (length, at) = (i128::from(self.to_ns) - i128::from(self.from_ns), i128::from(at_ns) - i128::from(self.from_ns));
        let (from, to) = (i128::from(self.from), i128::from(self.to));
        let value = if from == to { from } else { from + (to - from) * at.clamp(0, length) / length.max(1) };
        u64::try_from(value).unwrap_or(0)
    }

    /// What becomes due in it.
    fn units(&self) -> u128 {
        let length = u128::try_from(i128::from(self.to_ns) - i128::from(self.from_ns)).unwrap_or(0);
        (u128::from(self.from) + u128::from(self.to)).saturating_mul(length)
    }

    /// When so much of it is due.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a relative error of 1e-16; it saturates")]
    fn due_ns(&self, units: u128) -> i64 {
        if self.from == self.to {
            let after = units.checked_div(2 * u128::from(self.from));
            return after.and_then(|after| i64::try_from(after).ok()).map_or(i64::MAX, |after| self.from_ns.saturating_add(after));
        }
        // Of the two solutions of `rate t + slope / 2 t^2 = starts` the one that holds for a slope of nothing, too.
        let (rate, length) = (self.from as f64 / 1e18, (self.to_ns - self.from_ns) as f64);
        let slope = (self.to as f64 / 1e18 - rate) / length;
        let starts = units as f64 / UNITS_OF_ONE;
        let root = (rate * rate + 2.0 * slope * starts).max(0.0).sqrt();
        let after = if starts > 0.0 { (2.0 * starts / (rate + root)).floor() } else { 0.0 };
        self.from_ns.saturating_add(after as i64).min(self.to_ns.saturating_sub(1))
    }
}

/// How a number goes over time. Before its beginning it is what it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// In order, without gaps; the last never ends.
    pieces: Vec<Piece>,
    /// What is due before each, counted from the first.
    before: Vec<u128>,
}

impl Profile {
    /// From an instant on one value, or what a flow says that becomes of it.
    #[must_use]
    pub fn new(from_ns: i64, value: u64, change: Option<&Change>) -> Profile {
        let mut profile = Profile { pieces: vec![Piece { from_ns, to_ns: i64::MAX, from: value, to: value }], before: Vec::new() };
        match change {
            None => {}
            Some(Change::Ramp { to, within_ns }) => profile.glide(from_ns, *to, *within_ns),
            Some(Change::Steps { then, every_ns }) => {
                let mut at_ns = from_ns;
                for next in then {
                    at_ns = at_ns.saturating_add_unsigned(*every_ns);
                    profile.glide(at_ns, *next, 0);
                }
            }
        }
        profile.count();
        profile
    }

    /// From an instant on evenly to another value, which stays; what was to come after it is forgotten.
    pub fn glide(&mut self, at_ns: i64, to: u64, over_ns: u64) {
        let from = self.value(at_ns);
        self.cut(at_ns);
        let end_ns = at_ns.saturating_add_unsigned(over_ns);
        if end_ns > at_ns {
            self.pieces.push(Piece { from_ns: at_ns, to_ns: end_ns, from, to });
        }
        self.pieces.push(Piece { from_ns: end_ns, to_ns: i64::MAX, from: to, to });
        self.count();
    }

    /// Ends it at an instant.
    fn cut(&mut self, at_ns: i64) {
        self.pieces.retain(|piece| piece.from_ns < at_ns);
        if let Some(last) = self.pieces.last_mut() {
            (last.to, last.to_ns) = (last.value(at_ns), at_ns);
        }
    }

    /// Forgets what lies before an instant.
    #[must_use]
    pub fn from(mut self, at_ns: i64) -> Profile {
        let value = self.value(at_ns);
        self.pieces.retain(|piece| piece.to_ns > at_ns);
        if let Some(first) = self.pieces.first_mut() {
            (first.from, first.from_ns) = (if first.from_ns < at_ns { value } else { first.from }, at_ns);
        }
        self.count();
        self
    }

    /// Nothing of it in these stretches, in order.
    #[must_use]
    pub fn without(mut self, pauses: &[(i64, i64)]) -> Profile {
        for (pause, resume) in pauses.iter().copied().filter(|(pause, resume)| resume > pause) {
            let cut = |piece: &Piece, from_ns: i64, to_ns: i64| {
                let (from_ns, to_ns) = (piece.from_ns.max(from_ns), piece.to_ns.min(to_ns));
                (from_ns < to_ns).then(|| Piece { from_ns, to_ns, from: piece.value(from_ns), to: piece.value(to_ns) })
            };
            let nothing = |piece: Piece| Piece { from: 0, to: 0, ..piece };
            let parts = self
                .pieces
                .iter()
                .flat_map(|piece| [cut(piece, i64::MIN, pause), cut(piece, pause, resume).map(nothing), cut(piece, resume, i64::MAX)]);
            self.pieces = parts.flatten().collect();
        }
        self.count();
        self
    }

    fn count(&mut self) {
        let mut sum = 0u128;
        self.before.clear();
        for piece in &self.pieces {
            self.before.push(sum);
            sum = sum.saturating_add(piece.units());
        }
    }

    /// The value at an instant.
    #[must_use]
    pub fn value(&self, at_ns: i64) -> u64 {
        let at = self.pieces.partition_point(|piece| piece.from_ns <= at_ns).saturating_sub(1);
        self.pieces.get(at).map_or(0, |piece| piece.value(at_ns.max(piece.from_ns)))
    }

    /// When it next may be another than at an instant; `None`: never. In a glide that is when it is the next whole number.
    #[must_use]
    pub fn changes_after(&self, at_ns: i64) -> Option<i64> {
        let at = self.pieces.partition_point(|piece| piece.from_ns <= at_ns).saturating_sub(1);
        let piece = self.pieces.get(at)?;
        if piece.from == piece.to || at_ns < piece.from_ns {
            return self.pieces.get(at + 1).map(|next| next.from_ns);
        }
        let now = piece.value(at_ns);
        // Where the value is the next one, rounded up to whole ns; rounding of the value may need one more.
        let done = i128::from(now.abs_diff(piece.from)) + 1;
        let length = i128::from(piece.to_ns - piece.from_ns);
        let span = i128::from(piece.to.abs_diff(piece.from));
        let after = (done * length + span - 1) / span;
        let next = i64::try_from(i128::from(piece.from_ns) + after).unwrap_or(i64::MAX);
        Some(next.clamp(at_ns.saturating_add(1), piece.to_ns))
    }

    /// When a start is due, counted from 0 from the beginning on; `i64::MAX`: never.
    #[must_use]
    pub fn start_ns(&self, k: u64) -> i64 {
        self.reached_ns(u128::from(k).saturating_mul(UNITS))
    }

    /// When so many starts are due, whole ones and parts of the next.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and starts are not negative")]
    pub fn due_ns(&self, starts: f64) -> i64 {
        self.reached_ns((starts * UNITS_OF_ONE) as u128)
    }

    fn reached_ns(&self, units: u128) -> i64 {
        // What is due just when it is paused comes after the pause.
        let at = self.before.partition_point(|before| *before <= units).saturating_sub(1);
        self.pieces.get(at).map_or(i64::MAX, |piece| piece.due_ns(units - self.before[at]))
    }

    /// Of a rate: from each of these instants on the longest time between two starts, ns, until the next of them. Pauses have none.
    #[must_use]
    pub fn intervals(&self) -> Vec<(i64, u64)> {
        let some = self.pieces.iter().filter(|piece| piece.from.min(piece.to) > 0);
        some.map(|piece| (piece.from_ns, 1_000_000_000_000_000_000 / piece.from.min(piece.to))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILLION: u64 = 1_000_000_000;
    const S: i64 = 1_000_000_000;

    fn level(rate: u64) -> Profile {
        Profile::new(0, rate * BILLION, None)
    }

    /// Starts before an instant.
    fn due(profile: &Profile, before_ns: i64) -> u64 {
        (0..).take_while(|k| profile.start_ns(*k) < before_ns).count() as u64
    }

    #[test]
    fn a_new_rate_counts_on_from_where_the_old_one_was() {
        let mut profile = level(10);
        profile.glide(2 * S, 100 * BILLION, 0);
        assert_eq!([0, 19, 20, 21, 120].map(|k| profile.start_ns(k) / 1_000_000), [0, 1_900, 2_000, 2_010, 3_000]);
        // A change in the middle of a gap: half of the next start is due then.
        let mut profile = level(10);
        profile.glide(S + 50_000_000, 100 * BILLION, 0);
        assert_eq!(profile.start_ns(11), S + 55_000_000);
        profile.glide(2 * S, 10 * BILLION, 0);
        assert_eq!((profile.value(S), profile.value(2 * S), profile.value(9 * S)), (10 * BILLION, 10 * BILLION, 10 * BILLION));
    }

    #[test]
    fn a_glide_starts_what_lies_under_it() {
        let mut profile = level(10);
        // 20 starts, then 110 in 2 s, then 100 a second.
        profile.glide(2 * S, 100 * BILLION, 2 * BILLION);
        assert_eq!((due(&profile, 2 * S), due(&profile, 4 * S), due(&profile, 5 * S)), (20, 130, 230));
        assert_eq!(profile.value(3 * S), 55 * BILLION);
        // Taken back on the way, it goes on level: 20 + (10 + 55) / 2, then 55 a second.
        profile.glide(3 * S, 55 * BILLION, 0);
        assert_eq!((due(&profile, 3 * S), due(&profile, 5 * S)), (53, 163));
        let all: Vec<i64> = (0..400).map(|k| profile.start_ns(k)).collect();
        assert!(all.is_sorted());
    }

    #[test]
    fn nothing_is_due_in_a_pause_and_nothing_is_left_out() {
        let profile = level(100).without(&[(2 * S, 3 * S), (4 * S + 5_000_000, 5 * S)]);
        assert_eq!((profile.start_ns(199), profile.start_ns(200), profile.start_ns(299)), (1_990_000_000, 3 * S, 3_990_000_000));
        assert_eq!((profile.start_ns(300), profile.start_ns(301)), (4 * S, 5 * S + 5_000_000));
        assert_eq!((due(&profile, 3 * S), due(&profile, 5 * S), due(&profile, 6 * S)), (200, 301, 401));
        let endless = level(100).without(&[(S, i64::MAX)]);
        assert_eq!((endless.start_ns(99), endless.start_ns(100)), (990_000_000, i64::MAX));
        // What is said meanwhile goes on meanwhile.
        let mut ramp = level(10);
        ramp.glide(0, 100 * BILLION, 2 * BILLION);
        let paused = ramp.clone().without(&[(S, 2 * S)]);
        assert_eq!((due(&ramp, 2 * S), due(&paused, 2 * S), paused.value(2 * S)), (110, 33, 100 * BILLION));
    }

    #[test]
    fn what_lies_before_the_beginning_does_not_count() {
        let mut profile = Profile::new(0, 4, None);
        profile.glide(2 * S, 8, 4 * BILLION);
        let profile = profile.from(4 * S);
        assert_eq!((profile.value(0), profile.value(4 * S), profile.value(6 * S)), (6, 6, 8));
        let rate = level(10).from(5 * S);
        assert_eq!((rate.start_ns(0), rate.start_ns(10)), (5 * S, 6 * S));
    }

    #[test]
    fn whole_numbers_change_when_they_are_reached() {
        let mut crew = Profile::new(0, 10, None);
        crew.glide(S, 13, 3 * BILLION);
        let mut at = 0;
        let mut seen = vec![(0, crew.value(0))];
        while let Some(next) = crew.changes_after(at) {
            at = next;
            seen.push((at, crew.value(at)));
        }
        assert_eq!(seen, [(0, 10), (S, 10), (2 * S, 11), (3 * S, 12), (4 * S, 13)]);
        crew.glide(5 * S, 12, BILLION);
        assert_eq!((crew.changes_after(4 * S), crew.changes_after(5 * S), crew.changes_after(6 * S)), (Some(5 * S), Some(6 * S), None));
    }

    #[test]
    fn intervals_are_the_longest_of_each_stretch() {
        let mut profile = level(100);
        profile.glide(S, 10 * BILLION, BILLION);
        let profile = profile.without(&[(3 * S, 4 * S)]);
        assert_eq!(profile.intervals(), [(0, 10_000_000), (S, 100_000_000), (2 * S, 100_000_000), (4 * S, 100_000_000)]);
    }
}
