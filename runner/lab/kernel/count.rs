//! The account of a link by the kernel's counters. In: what interfaces and netems have counted, at two moments. Out: the account between them.
//! Counts nothing itself, and asks nobody.

use scn_reports::record::LinkAccount;

use super::netem::Level;

/// What one way has counted since it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reading {
    /// Frames that came in, at the outer end of their sender.
    pub(super) entered: u64,
    /// Frames that went out, at the outer end of their receiver.
    pub(super) delivered: u64,
    /// Frames that could not go out there.
    pub(super) failed: u64,
    /// Frames that `loss` took.
    pub(super) lost: u64,
    /// Frames that the queue had no place for.
    pub(super) overflowed: u64,
    /// What each netem says that it holds, the outermost first.
    pub(super) holds: Vec<u64>,
}

/// What netems that are gone had dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Dropped {
    pub(super) lost: u64,
    pub(super) overflowed: u64,
    pub(super) failed: u64,
}

impl Dropped {
    /// By the drops of each netem of a way: each counts what those inside of it drop, too.
    pub(super) fn of(levels: &[Level], drops: &[u64]) -> Self {
        let mut dropped = Dropped::default();
        for (at, (level, count)) in levels.iter().zip(drops).enumerate() {
            let own = count.saturating_sub(drops.get(at + 1).copied().unwrap_or(0));
            match (level.loss, level.rate) {
                (true, _) => dropped.lost += own,
                (false, true) => dropped.overflowed += own,
                (false, false) => dropped.failed += own,
            }
        }
        dropped
    }

    pub(super) fn and(self, more: Dropped) -> Dropped {
        Dropped { lost: self.lost + more.lost, overflowed: self.overflowed + more.overflowed, failed: self.failed + more.failed }
    }
}

impl Reading {
    /// Frames that the netems may hold. Some kernels tell of each one's own, others of those inside of it, too.
    fn held(&self) -> [u64; 2] {
        [self.holds.first().copied().unwrap_or(0), self.holds.iter().sum()]
    }

    /// Puts one way's part into an account. `cut`: the link was cut meanwhile, which took what is not elsewhere.
    fn put(&self, since: &Reading, cut: bool, account: &mut LinkAccount, way: usize) {
        account.entered[way] = self.entered.saturating_sub(since.entered) + since.held()[0];
        account.delivered[way] = self.delivered.saturating_sub(since.delivered);
        account.dropped[way] = self.failed.saturating_sub(since.failed);
        account.lost[way] = self.lost.saturating_sub(since.lost);
        account.overflowed[way] = self.overflowed.saturating_sub(since.overflowed);
        let elsewhere: u64 = account.places(way).iter().map(|(_, count)| count).sum();
        let rest = account.entered[way].saturating_sub(elsewhere);
        let [outer, all] = self.held();
        account.queued[way] = if rest == outer { outer } else { all };
        if cut {
            account.queued[way] = outer.min(rest);
            account.cut[way] = rest - account.queued[way];
        }
    }
}

/// The account between two moments.
pub(super) fn account(since: &[Reading; 2], now: &[Reading; 2], cut: bool) -> LinkAccount {
    let mut account = LinkAccount::default();
    for way in 0..2 {
        now[way].put(&since[way], cut, &mut account, way);
    }
    account
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(entered: u64, delivered: u64, lost: u64, holds: &[u64]) -> Reading {
        Reading { entered, delivered, lost, holds: holds.to_vec(), ..Reading::default() }
    }

    fn both(reading: Reading) -> [Reading; 2] {
        [reading, Reading::default()]
    }

    #[test]
    fn what_was_on_the_way_at_the_start_came_in() {
        let since = both(reading(10, 6, 2, &[2]));
        let made = account(&since, &both(reading(110, 95, 12, &[3])), false);
        assert_eq!((made.entered[0], made.delivered[0], made.lost[0], made.queued[0]), (102, 89, 10, 3));
        assert!(made.closes(0) && made.closes(1));
        assert!(!account(&since, &both(reading(110, 94, 12, &[3])), false).closes(0));
    }

    #[test]
    fn what_is_held_is_told_in_two_ways() {
        // Three in the queue, two under way: newer kernels say that the outer netem holds all five.
        for holds in [[3, 2], [5, 2]] {
            let made = account(&both(Reading::default()), &both(reading(10, 5, 0, &holds)), false);
            assert!(made.queued[0] == 5 && made.closes(0), "{holds:?}: {made:?}");
        }
        assert!(!account(&both(Reading::default()), &both(reading(10, 4, 0, &[3, 2])), false).closes(0));
    }

    #[test]
    fn a_cut_takes_the_rest_and_no_more() {
        let made = account(&both(Reading::default()), &both(reading(10, 5, 1, &[1])), true);
        assert_eq!((made.cut[0], made.queued[0]), (3, 1));
        let more = account(&both(Reading::default()), &both(reading(10, 12, 0, &[0])), true);
        assert!(more.cut[0] == 0 && !more.closes(0));
    }

    #[test]
    fn each_netem_counts_the_drops_of_the_one_inside() {
        let stage = |loss, rate, delay| Level { loss, rate, delay };
        let dropped = |levels: &[Level], drops: &[u64]| Dropped::of(levels, drops);
        let both = [stage(true, false, true), stage(false, true, false)];
        assert_eq!(dropped(&both, &[15, 5]), Dropped { lost: 10, overflowed: 5, failed: 0 });
        assert_eq!(dropped(&[stage(true, false, true)], &[7]), Dropped { lost: 7, overflowed: 0, failed: 0 });
        // Who only delays takes nothing but what is too much for the machine.
        assert_eq!(dropped(&[stage(false, false, true), both[1]], &[6, 5]), Dropped { lost: 0, overflowed: 5, failed: 1 });
    }
}
