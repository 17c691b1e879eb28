//! The run's only clock: monotonic, counted from the timeline's start. In: nothing. Out: instants in ns. Sleeps nowhere.

use std::time::{Duration, Instant};

/// The run's clock. Copies tell the same time.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose zero is `start` (the timeline's start; it may lie a little ahead).
    #[must_use]
    pub fn starting_at(start: Instant) -> Self {
        Clock { start }
    }

    /// Nanoseconds after the timeline's start; negative before it.
    #[must_use]
    pub fn now_ns(&self) -> i64 {
        self.ns_of(Instant::now())
    }

    /// Nanoseconds from the timeline's start to an instant; negative before it.
    #[must_use]
    pub fn ns_of(&self, now: Instant) -> i64 {
        match now.checked_duration_since(self.start) {
            Some(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            None => -i64::try_from(self.start.duration_since(now).as_nanos()).unwrap_or(i64::MAX),
        }
    }

    /// The instant of a time on this clock.
    #[must_use]
    pub fn instant(&self, at_ns: i64) -> Instant {
        let distance = Duration::from_nanos(at_ns.unsigned_abs());
        if at_ns >= 0 { self.start + distance } else { self.start.checked_sub(distance).unwrap_or(self.start) }
    }
}
