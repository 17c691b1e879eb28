//! A counter or gauge over time: its value at the window's start and after each change, and how well it is known. In: instants. Out: steps.
//! Judges nothing.

/// The value of a counter or gauge over a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Steps {
    /// The value at the window's first instant, before anything happens in it.
    pub start: f64,
    /// Changes in the order of their instants: the instant, ns, and the value from then on. One entry an instant.
    pub changes: Vec<(i64, f64)>,
    /// Where the value truly lies from an instant on, in order: the instant, ns, not less than, not more than. Before the first, and where
    /// there are none, it is exact.
    pub limits: Vec<(i64, f64, f64)>,
}

impl Steps {
    /// Known exactly.
    #[must_use]
    pub fn of(start: f64, changes: Vec<(i64, f64)>) -> Self {
        Steps { start, changes, limits: Vec::new() }
    }

    /// Where the value truly lies at an instant; `None`: it is exact.
    #[must_use]
    pub fn limits_at(&self, at_ns: i64) -> Option<(f64, f64)> {
        let next = self.limits.partition_point(|(from, ..)| *from <= at_ns);
        self.limits[..next].last().map(|(_, low, high)| (*low, *high))
    }

    /// From single differences, in any order. Those of one instant are one change.
    #[must_use]
    pub fn new(start: f64, mut differences: Vec<(i64, f64)>) -> Self {
        differences.sort_by_key(|(at, _)| *at);
        let (mut changes, mut value): (Vec<(i64, f64)>, f64) = (Vec::with_capacity(differences.len()), start);
        for (at, difference) in differences {
            value += difference;
            match changes.last_mut() {
                Some(last) if last.0 == at => last.1 = value,
                _ => changes.push((at, value)),
            }
        }
        Steps::of(start, changes)
    }

    /// The value at the end.
    #[must_use]
    pub fn last(&self) -> f64 {
        self.changes.last().map_or(self.start, |(_, value)| *value)
    }
}
