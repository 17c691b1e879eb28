//! When a place opens a successor to a connection that broke or could not be opened. In: the flow's policy, what became of each
//! connection. Out: the pause before the next attempt, or that it is given up. Waits for nothing itself.

use scn_grammar::scenario::flow::Reconnect;
use scn_grammar::scenario::pattern::Varying;

use super::draw::Key;

/// Shares and factors are in 1e-9.
const NANO: u128 = 1_000_000_000;
/// The part of a place's key that its pauses are drawn from.
const PAUSES: u64 = 0x7061_7573_6573;

/// One place's attempts.
#[derive(Debug, Clone, Copy)]
pub struct Attempts {
    policy: Option<Reconnect>,
    key: Key,
    /// Since a connection was last of use.
    count: u64,
    /// The pause before the next one, ns.
    pause_ns: u64,
    /// Of the whole flow, for the draws.
    drawn: u64,
}

impl Attempts {
    /// None so far; `key` is the place's. Without a policy nothing follows a connection that broke.
    pub fn new(policy: Option<Reconnect>, key: Key) -> Attempts {
        let pause_ns = policy.map_or(0, |policy| policy.after_ns);
        Attempts { policy, key: key.part(PAUSES), count: 0, pause_ns, drawn: 0 }
    }

    /// A connection carried a transaction: what follows when it breaks begins anew.
    pub fn begin_anew(&mut self) {
        self.count = 0;
        self.pause_ns = self.policy.map_or(0, |policy| policy.after_ns);
    }

    /// The pause before the next attempt, ns; `None`: there is none.
    pub fn next(&mut self) -> Option<u64> {
        let policy = self.policy?;
        if self.count >= policy.limit.unwrap_or(u64::MAX) {
            return None;
        }
        self.count += 1;
        self.drawn += 1;
        let pause = self.pause_ns.min(policy.most_ns);
        self.pause_ns = scaled(pause, policy.growth_nano).min(policy.most_ns);
        let spread = scaled(pause, policy.jitter_nano);
        let around = Varying::Uniform(pause.saturating_sub(spread), pause.saturating_add(spread));
        Some(if spread == 0 { pause } else { self.key.part(self.drawn).draw(&around).min(policy.most_ns) })
    }

    /// What is told when there is none; `None`: that is as the flow says.
    pub fn given_up(&self) -> Option<String> {
        let limit = self.policy?.limit?;
        Some(format!("given up after {limit} attempt{}", if limit == 1 { "" } else { "s" }))
    }
}

fn scaled(value: u64, nano: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(nano) / NANO).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn attempts(policy: Reconnect) -> Attempts {
        Attempts::new(Some(policy), Key::of_seed(7))
    }

    #[test]
    fn pauses_grow_to_their_most_and_begin_anew() {
        let mut attempts = attempts(Reconnect { after_ns: 10 * MS, growth_nano: 2_000_000_000, most_ns: 50 * MS, ..Reconnect::default() });
        let pauses: Vec<_> = (0..5).map(|_| attempts.next().unwrap() / MS).collect();
        assert_eq!(pauses, [10, 20, 40, 50, 50]);
        attempts.begin_anew();
        assert_eq!(attempts.next(), Some(10 * MS));
    }

    #[test]
    fn so_many_attempts_and_no_more() {
        let mut attempts = attempts(Reconnect { limit: Some(2), ..Reconnect::default() });
        assert_eq!((attempts.next().is_some(), attempts.next().is_some(), attempts.next()), (true, true, None));
        assert_eq!(attempts.given_up().as_deref(), Some("given up after 2 attempts"));
        attempts.begin_anew();
        assert!(attempts.next().is_some());
        let mut off = Attempts::new(None, Key::of_seed(7));
        assert_eq!((off.next(), off.given_up()), (None, None));
    }

    #[test]
    fn jitter_keeps_within_its_share_and_comes_from_the_seed() {
        let policy = Reconnect { after_ns: 100 * MS, jitter_nano: 100_000_000, ..Reconnect::default() };
        let drawn = || {
            let mut attempts = attempts(policy);
            (0..200).map(|_| attempts.next().unwrap()).collect::<Vec<_>>()
        };
        let pauses = drawn();
        assert_eq!(pauses, drawn());
        assert!(pauses.iter().all(|pause| (90 * MS..=110 * MS).contains(pause)), "{pauses:?}");
        assert!(pauses.iter().any(|pause| *pause < 95 * MS) && pauses.iter().any(|pause| *pause > 105 * MS), "{pauses:?}");
        // At most the longest pause, whatever is drawn.
        let mut capped = attempts(Reconnect { most_ns: 100 * MS, ..policy });
        assert!((0..200).all(|_| capped.next().unwrap() <= 100 * MS));
    }
}
