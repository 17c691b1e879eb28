//! What real tools told of streams that are over, put into the counts of their stress. In: amounts with the stretches of time in which they came, samples.
//! Out: samples that say how much had come by then and what is not known of that. Keeps none of the amounts.
//!
//! A tool tells of a stretch how much came in it. By a sample within the stretch it is counted as if it had come evenly, and what may be otherwise is
//! the sample's doubt; by any sample behind it all of it is counted, without any.

use scn_reports::record::stress::{Doubt, StressCount, StressSample};

use crate::measure::histogram;

/// Something that a tool told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// What of.
    pub what: StressCount,
    /// How much came, or at most may have come.
    pub count: u64,
    /// None of it came before this instant, ns.
    pub from_ns: i64,
    /// All of it had come by this instant, ns.
    pub to_ns: i64,
    /// It came. Otherwise it may have come or not, and nobody will ever tell.
    pub sure: bool,
}

/// How long an answer took, and when it came, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// When.
    pub at_ns: i64,
    /// How long.
    pub took_ns: u64,
}

/// Sums of what is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// What came.
    came: [u64; StressCount::COUNT],
    /// What may have come.
    may: [u64; StressCount::COUNT],
}

impl Sums {
    fn take(&mut self, amount: &Amount) {
        let sums = if amount.sure { &mut self.came } else { &mut self.may };
        let sum = &mut sums[amount.what as usize];
        *sum = sum.saturating_add(amount.count);
    }

    /// What came of a count.
    pub fn came(&self, what: usize) -> u64 {
        self.came[what]
    }

    /// Counts them into a sample behind all of them.
    pub fn count_into(&self, sample: &mut StressSample) {
        for what in 0..StressCount::COUNT {
            sample.counts[what] = sample.counts[what].saturating_add(self.came[what]);
            if self.may[what] > 0 {
                let doubt = doubt(sample, what);
                doubt.begun = doubt.begun.saturating_add(self.may[what]);
                doubt.past = doubt.past.saturating_add(self.may[what]);
            }
        }
    }
}

/// The doubt of a count at a sample.
fn doubt(sample: &mut StressSample, what: usize) -> &mut Doubt {
    let at = sample.doubts.iter().position(|doubt| doubt.count == what).unwrap_or_else(|| {
        sample.doubts.push(Doubt { count: what, ..Doubt::default() });
        sample.doubts.len() - 1
    });
    &mut sample.doubts[at]
}

/// Counts amounts into the samples of their time, and into the sums that those to come begin with.
pub fn fold(samples: &mut [StressSample], sums: &mut Sums, mut amounts: Vec<Amount>) {
    amounts.retain(|amount| amount.count > 0);
    amounts.sort_by_key(|amount| amount.from_ns);
    let first = amounts.first().map_or(i64::MAX, |amount| amount.from_ns);
    let at = samples.partition_point(|sample| sample.to_ns <= first);
    let mut waiting = amounts.iter().peekable();
    let (mut open, mut over) = (Vec::new(), Sums::default());
    for sample in &mut samples[at..] {
        while let Some(amount) = waiting.next_if(|amount| amount.from_ns < sample.to_ns) {
            open.push(amount);
        }
        open.retain(|amount| {
            let goes_on = amount.to_ns > sample.from_ns;
            if !goes_on {
                over.take(amount);
            }
            goes_on
        });
        over.count_into(sample);
        open.iter().for_each(|amount| count_part(amount, sample));
    }
    amounts.iter().for_each(|amount| sums.take(amount));
}

/// Counts the part of an amount that has come by a sample in the midst of it.
fn count_part(amount: &Amount, sample: &mut StressSample) {
    let (what, instant) = (amount.what as usize, sample.to_ns);
    if !amount.sure {
        let doubt = doubt(sample, what);
        doubt.begun = doubt.begun.saturating_add(amount.count);
        return;
    }
    let gone = u128::from(instant.saturating_sub(amount.from_ns).max(0).unsigned_abs());
    let length = u128::from(amount.to_ns.saturating_sub(amount.from_ns).max(1).unsigned_abs());
    let part = u64::try_from(u128::from(amount.count) * gone.min(length) / length).unwrap_or(amount.count);
    sample.counts[what] = sample.counts[what].saturating_add(part);
    let doubt = doubt(sample, what);
    doubt.below = doubt.below.saturating_add(part);
    doubt.above = doubt.above.saturating_add(amount.count - part);
}

/// Counts answers into the samples that come next after them. Out: those behind the last sample.
pub fn fold_answers(samples: &mut [StressSample], answers: Vec<Answer>) -> Vec<Answer> {
    let steps = histogram::empty();
    let mut behind = Vec::new();
    for answer in answers {
        let at = samples.partition_point(|sample| sample.to_ns < answer.at_ns);
        let Some(sample) = samples.get_mut(at) else {
            behind.push(answer);
            continue;
        };
        let step = steps.highest_equivalent(answer.took_ns.clamp(histogram::FINEST_NS, histogram::LONGEST_NS));
        match sample.latency.binary_search_by_key(&step, |(upper, _)| *upper) {
            Ok(known) => sample.latency[known].1 += 1,
            Err(place) => sample.latency.insert(place, (step, 1)),
        }
    }
    behind
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: usize = StressCount::Sent as usize;

    fn samples() -> Vec<StressSample> {
        let sample = |at: i64| StressSample { from_ns: at * 50, to_ns: at * 50 + 1, ..StressSample::default() };
        (0..8).map(sample).collect()
    }

    fn amount(count: u64, from_ns: i64, to_ns: i64, sure: bool) -> Amount {
        Amount { what: StressCount::Sent, count, from_ns, to_ns, sure }
    }

    /// Of the count and each doubt of each sample.
    fn sent(samples: &[StressSample]) -> Vec<(u64, u64, u64, u64, u64)> {
        let of = |sample: &StressSample| {
            let doubt = sample.doubts.iter().find(|doubt| doubt.count == SENT).copied().unwrap_or_default();
            (sample.counts[SENT], doubt.below, doubt.above, doubt.begun, doubt.past)
        };
        samples.iter().map(of).collect()
    }

    #[test]
    fn what_came_in_a_stretch_is_in_doubt_within_it_alone() {
        let (mut samples, mut sums) = (samples(), Sums::default());
        // The second begins where the first is not over, as reports with an error do.
        fold(&mut samples, &mut sums, vec![amount(100, 160, 260, true), amount(10, 90, 190, true)]);
        let told = [(0, 0, 0), (0, 0, 0), (1, 1, 9), (6, 6, 4), (51, 41, 59), (101, 91, 9), (110, 0, 0), (110, 0, 0)];
        assert_eq!(sent(&samples), told.map(|(count, below, above)| (count, below, above, 0, 0)));
        assert_eq!(sums.came(SENT), 110);
        let mut next = StressSample::default();
        next.counts[SENT] = 7;
        sums.count_into(&mut next);
        assert_eq!((next.counts[SENT], next.doubts.len()), (117, 0), "on top of what others counted");
        assert!(samples[7].doubts.iter().all(|doubt| doubt.count != SENT || *doubt == Doubt::default()));
    }

    #[test]
    fn an_instant_is_in_no_doubt() {
        let (mut samples, mut sums) = (samples(), Sums::default());
        fold(&mut samples, &mut sums, vec![amount(1, 120, 120, true), amount(1, 150, 150, true)]);
        assert!(samples.iter().all(|sample| sample.doubts.is_empty()));
        assert_eq!(samples.iter().map(|sample| sample.counts[SENT]).collect::<Vec<_>>(), [0, 0, 0, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn what_nobody_told_is_a_doubt_of_its_time() {
        let (mut samples, mut sums) = (samples(), Sums::default());
        fold(&mut samples, &mut sums, vec![amount(1000, 110, 220, false)]);
        let told = [(0, 0), (0, 0), (0, 0), (1000, 0), (1000, 0), (1000, 1000), (1000, 1000), (1000, 1000)];
        assert_eq!(sent(&samples), told.map(|(begun, past)| (0, 0, 0, begun, past)));
        let mut next = StressSample::default();
        sums.count_into(&mut next);
        assert_eq!((next.doubts[0].begun, next.doubts[0].past), (1000, 1000));
    }

    #[test]
    fn answers_belong_to_the_next_sample() {
        let mut samples = samples();
        samples[2].latency = vec![(2_047, 1)];
        let answer = |at_ns, took_ns| Answer { at_ns, took_ns };
        let behind = fold_answers(&mut samples, vec![answer(60, 2_000), answer(101, 2_040), answer(102, 9_000), answer(999, 5)]);
        assert_eq!(samples[2].latency, [(2_047, 3)]);
        assert_eq!(samples[3].latency.len(), 1);
        assert_eq!(behind, [answer(999, 5)]);
    }
}
