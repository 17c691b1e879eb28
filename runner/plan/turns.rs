//! What the timeline does to a flow while it runs: pauses, and new values of its load. In: entries of the timeline, as far as their instants are known
//! before the run, and those that come to pass in it. Out: when the flow is paused, and how each value goes over time. Carries nothing out.

use scn_grammar::scenario::FlowId;
use scn_grammar::scenario::timeline::{Action, Entry, Setting};

use super::profile::Profile;
use super::schedule::{self, Acts};

/// What becomes of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Nothing new starts.
    Pause,
    /// It goes on.
    Resume,
    /// A value of its load is another, evenly over so many ns; undone, the value before.
    Set(Setting, u64),
}

/// Something that is done to a flow at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// When it was meant to be, ns.
    pub at_ns: i64,
    /// The entry of the timeline.
    pub entry: usize,
    /// It is the end of what the entry does.
    pub undo: bool,
    /// What is done.
    pub what: What,
}

impl Turn {
    /// What an entry does to flows, or the end of it; `None`: nothing of this sort.
    #[must_use]
    pub fn of(action: &Action, entry: usize, undo: bool, at_ns: i64) -> Option<(Turn, &[FlowId])> {
        let (what, flows) = match action {
            Action::Pause(flows) => (if undo { What::Resume } else { What::Pause }, flows),
            Action::Resume(flows) => (if undo { What::Pause } else { What::Resume }, flows),
            Action::Set { flows, setting, over_ns } => (What::Set(*setting, *over_ns), flows),
            _ => return None,
        };
        Some((Turn { at_ns, entry, undo, what }, flows))
    }
}

/// All that is done to a flow, in the order of its instants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turns(Vec<Turn>);

/// By flow: what is known before the run to be done to it.
#[must_use]
pub fn known(timeline: &[Entry], flows: usize) -> Vec<Turns> {
    let mut known = vec![Turns::default(); flows];
    for (index, (entry, moment)) in timeline.iter().zip(schedule::moments(timeline)).enumerate() {
        let Acts::At(at_ns) = moment.acts else { continue };
        let at_ns = i64::try_from(at_ns).unwrap_or(i64::MAX);
        let end_ns = entry.lasts_ns.map(|lasts| at_ns.saturating_add_unsigned(lasts));
        for (undo, at_ns) in [(false, Some(at_ns)), (true, end_ns)] {
            let Some((turn, whose)) = at_ns.and_then(|at_ns| Turn::of(&entry.action, index, undo, at_ns)) else { continue };
            for flow in whose {
                if let Some(turns) = known.get_mut(flow.index()) {
                    turns.add(turn);
                }
            }
        }
    }
    known
}

/// Most connections that a flow is ever set to; `None`: nothing sets them.
#[must_use]
pub fn most_connections(timeline: &[Entry], flow: FlowId) -> Option<u64> {
    let set = timeline.iter().filter_map(|entry| match &entry.action {
        Action::Set { flows, setting: Setting::Connections(count), .. } if flows.contains(&flow) => Some(*count),
        _ => None,
    });
    set.max()
}

impl Turns {
    /// Takes a turn in; `false`: it was known.
    pub fn add(&mut self, turn: Turn) -> bool {
        if self.0.iter().any(|known| (known.entry, known.undo) == (turn.entry, turn.undo)) {
            return false;
        }
        // Entries of one instant act in the order of the file, and what ends after what begins.
        let order = |turn: &Turn| (turn.at_ns, turn.undo, turn.entry);
        let at = self.0.partition_point(|known| order(known) <= order(&turn));
        self.0.insert(at, turn);
        true
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those from an instant on: what was done before a flow started is none of its doing.
    #[must_use]
    pub fn since(&self, at_ns: i64) -> Turns {
        Turns(self.0.iter().copied().filter(|turn| turn.at_ns >= at_ns).collect())
    }

    /// When it is paused: from, to; `i64::MAX`: nothing resumes it.
    #[must_use]
    pub fn pauses(&self) -> Vec<(i64, i64)> {
        let mut pauses = Vec::new();
        let mut since: Option<(i64, usize)> = None;
        for turn in &self.0 {
            match (turn.what, since) {
                (What::Pause, None) => since = Some((turn.at_ns, turn.entry)),
                // The end of an entry ends only the pause that the entry began.
                (What::Resume, Some((from, by))) if !turn.undo || turn.entry == by => {
                    since = None;
                    pauses.push((from, turn.at_ns));
                }
                _ => {}
            }
        }
        pauses.extend(since.map(|(from, _)| (from, i64::MAX)));
        pauses.retain(|(from, to)| to > from);
        pauses
    }

    /// What becomes of a value by those settings that speak of it. Undone, a setting uncovers what was below it; one that a later setting covers
    /// ends unseen.
    #[must_use]
    pub fn shape(&self, mut profile: Profile, value_of: impl Fn(&Setting) -> Option<u64>) -> Profile {
        // By entry: the value before it.
        let mut former: Vec<(usize, u64)> = Vec::new();
        for turn in &self.0 {
            let What::Set(setting, over_ns) = &turn.what else { continue };
            let Some(value) = value_of(setting) else { continue };
            if !turn.undo {
                former.push((turn.entry, profile.value(turn.at_ns)));
                profile.glide(turn.at_ns, value, *over_ns);
                continue;
            }
            let Some(at) = former.iter().position(|(entry, _)| *entry == turn.entry) else { continue };
            let (_, before) = former.remove(at);
            match former.get_mut(at) {
                Some((_, above)) => *above = before,
                None => profile.glide(turn.at_ns, before, 0),
            }
        }
        profile
    }

    /// Some of them set what `value_of` tells.
    #[must_use]
    pub fn sets(&self, value_of: impl Fn(&Setting) -> Option<u64>) -> bool {
        self.0.iter().any(|turn| matches!(&turn.what, What::Set(setting, _) if value_of(setting).is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(at_ns: i64, entry: usize, undo: bool, what: What) -> Turn {
        Turn { at_ns, entry, undo, what }
    }

    fn set(at_ns: i64, entry: usize, value: u64) -> Turn {
        turn(at_ns, entry, false, What::Set(Setting::Connections(value), 0))
    }

    fn connections(setting: &Setting) -> Option<u64> {
        match setting {
            Setting::Connections(count) => Some(*count),
            _ => None,
        }
    }

    fn all(turns: &[Turn]) -> Turns {
        let mut all = Turns::default();
        turns.iter().for_each(|turn| assert!(all.add(*turn)));
        all
    }

    #[test]
    fn a_pause_ends_by_the_first_resume() {
        let turns = [(10, What::Pause), (12, What::Pause), (20, What::Resume), (25, What::Resume), (30, What::Pause)];
        let turns: Vec<Turn> = turns.iter().enumerate().map(|(entry, (at, what))| turn(*at, entry, false, *what)).collect();
        let all = all(&turns);
        assert_eq!(all.pauses(), [(10, 20), (30, i64::MAX)]);
        assert_eq!(all.since(15).pauses(), [(30, i64::MAX)], "it was paused before it started");
    }

    #[test]
    fn the_end_of_an_entry_ends_only_its_own_pause() {
        let end = |at, entry| turn(at, entry, true, What::Resume);
        let both = all(&[turn(10, 0, false, What::Pause), turn(20, 1, false, What::Pause), end(30, 1), end(60, 0)]);
        assert_eq!(both.pauses(), [(10, 60)], "the second had no effect, nor has its end");
    }

    #[test]
    fn a_turn_is_taken_in_once_and_in_its_place() {
        let mut turns = all(&[set(30, 2, 7), set(10, 0, 3)]);
        assert!(!turns.add(set(11, 0, 3)), "known before the run");
        assert!(turns.add(set(20, 1, 5)));
        let profile = turns.shape(Profile::new(0, 1, None), connections);
        assert_eq!([0, 10, 20, 30].map(|at| profile.value(at)), [1, 3, 5, 7]);
        assert!(turns.sets(connections) && !turns.sets(|_| None));
    }

    #[test]
    fn undone_a_setting_uncovers_what_was_below_it() {
        let end = |at, entry, value| Turn { undo: true, ..set(at, entry, value) };
        let undone = all(&[set(10, 0, 3), end(20, 0, 3)]).shape(Profile::new(0, 1, None), connections);
        assert_eq!([5, 15, 20].map(|at| undone.value(at)), [1, 3, 1]);
        let covered = all(&[set(10, 0, 3), set(15, 1, 5), end(20, 0, 3), end(30, 1, 5)]);
        let covered = covered.shape(Profile::new(0, 1, None), connections);
        assert_eq!([12, 17, 22, 30, 40].map(|at| covered.value(at)), [3, 5, 5, 1, 1]);
    }
}
