//! How long a flow over connections waits: `timeout { connect  response  idle }`. In: what the plan says. Out: limits in ns, and whether a
//! connection has been quiet for too long. Waits for nothing itself.

use scn_grammar::quantity::{Dimension, Quantity};

use super::client::CONNECT_LIMIT_NS;
use super::pattern::session::RESPONSE_LIMIT_NS;
use crate::plan::types::PlannedFlow;

/// For a connection and its handshake, ns.
pub fn connect(flow: &PlannedFlow) -> i64 {
    said(flow.timeouts.connect_ns).unwrap_or(CONNECT_LIMIT_NS)
}

/// For each answer that says no limit of its own, ns.
pub fn response(flow: &PlannedFlow) -> i64 {
    said(flow.timeouts.response_ns).unwrap_or(RESPONSE_LIMIT_NS)
}

fn said(limit_ns: Option<u64>) -> Option<i64> {
    limit_ns.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX))
}

/// A limit in words.
pub fn in_words(limit_ns: i64) -> String {
    Quantity::new(Dimension::Duration, limit_ns).to_string()
}

/// When something last came over a connection, and for how long nothing may. Of two of one connection the later is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quiet {
    most_ns: Option<i64>,
    heard_ns: i64,
    /// For how long who listens had stood still in all by then.
    stood_ns: i64,
}

impl Quiet {
    /// Without a limit.
    pub const ENDLESS: Quiet = Quiet { most_ns: None, heard_ns: 0, stood_ns: 0 };

    /// Of a flow's connection that is established now; `stood_ns`: for how long who listens has stood still in all.
    pub fn of(flow: &PlannedFlow, now_ns: i64, stood_ns: i64) -> Quiet {
        Quiet { most_ns: said(flow.timeouts.idle_ns), heard_ns: now_ns, stood_ns }
    }

    /// What it is for one that has stood still for so long in all: what came meanwhile could not be heard, so that time does not count.
    pub fn standing(self, stood_ns: i64) -> Quiet {
        let heard_ns = self.heard_ns.saturating_add(stood_ns - self.stood_ns);
        Quiet { heard_ns, stood_ns, ..self }
    }

    /// There is a limit.
    pub fn is_limited(&self) -> bool {
        self.most_ns.is_some()
    }

    /// Something came; the clock is asked only if that matters. `stood_ns` as in [`Quiet::of`].
    pub fn heard(&mut self, now_ns: impl FnOnce() -> i64, stood_ns: i64) {
        if self.is_limited() {
            (self.heard_ns, self.stood_ns) = (now_ns(), stood_ns);
        }
    }

    /// A limit at this instant, or earlier where the connection will have been quiet for too long.
    pub fn until(&self, at_ns: i64) -> i64 {
        self.most_ns.map_or(at_ns, |most| at_ns.min(self.heard_ns.saturating_add(most)))
    }

    /// What there is to tell if it has been quiet for too long by now.
    pub fn broken(&self, now_ns: i64) -> Option<String> {
        let most = self.most_ns.filter(|most| now_ns >= self.heard_ns.saturating_add(*most))?;
        Some(format!("nothing came over the connection for {}", in_words(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_quiet_from_the_last_that_came() {
        let mut quiet = Quiet { most_ns: Some(2_000_000_000), heard_ns: 100, stood_ns: 0 };
        assert_eq!((quiet.until(i64::MAX), quiet.until(7)), (2_000_000_100, 7));
        assert_eq!(quiet.broken(2_000_000_099), None);
        assert_eq!(quiet.broken(2_000_000_100).as_deref(), Some("nothing came over the connection for 2s"));
        quiet.heard(|| 500, 0);
        assert_eq!((quiet.broken(2_000_000_100), quiet.until(i64::MAX)), (None, 2_000_000_500));
        let mut endless = Quiet::ENDLESS;
        endless.heard(|| panic!("nobody asks"), 7);
        assert_eq!((endless.until(5), endless.broken(i64::MAX)), (5, None));
    }

    #[test]
    fn the_time_in_which_nobody_listened_does_not_count() {
        let mut quiet = Quiet { most_ns: Some(1_000), heard_ns: 100, stood_ns: 50 };
        assert_eq!((quiet.standing(50).until(i64::MAX), quiet.standing(350).until(i64::MAX)), (1_100, 1_400));
        assert_eq!(quiet.standing(350).broken(1_399), None);
        assert!(quiet.standing(350).broken(1_400).is_some());
        assert_eq!(quiet.standing(350).standing(350), quiet.standing(350), "it counts once");
        quiet.heard(|| 2_000, 350);
        assert_eq!((quiet.standing(350).until(i64::MAX), quiet.standing(360).until(i64::MAX)), (3_000, 3_010));
    }
}
