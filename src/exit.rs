//! What the command's exit codes mean: one enum, the numbers in one place.

use scn_reports::record::Verdict;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything passed, or the question was answered.
    Pass,
    /// An expectation failed.
    Fail,
    /// A scenario is invalid or asks for what this version can't carry out, or the command line is wrong: nothing ran.
    Invalid,
    /// Something could not be told, and nothing failed.
    Inconclusive,
    /// The selection matched no scenario, or every one it matched was skipped for what the machine lacks: nothing ran. Beside a
    /// scenario that ran a skipped one does not count.
    NothingSelected,
    /// The lab or the machine failed.
    Machine,
    /// A fault of scn itself.
    Internal,
    /// Ended by SIGINT, after clean-up and reports.
    Interrupted,
    /// Ended by SIGTERM, after clean-up and reports.
    Terminated,
    /// The status of the command that `scn exec` ran in a node, or what the shell says where it could not be run.
    Of(u8),
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Pass => 0,
            Exit::Fail => 1,
            Exit::Invalid => 2,
            Exit::Inconclusive => 3,
            Exit::NothingSelected => 4,
            Exit::Machine => 5,
            Exit::Internal => 70,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::Of(status) => status,
        }
    }

    /// The exit of a verdict.
    #[must_use]
    pub fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Exit::Pass,
            Verdict::Inconclusive => Exit::Inconclusive,
            Verdict::Fail => Exit::Fail,
            Verdict::Error => Exit::Machine,
        }
    }

    /// Of two, the one that the command ends with: an interrupt before the machine's failure before a failed expectation before
    /// one that could not be told.
    #[must_use]
    pub fn worst(self, other: Exit) -> Exit {
        let rank = |exit: Exit| match exit {
            Exit::Pass => 0,
            Exit::NothingSelected => 1,
            Exit::Inconclusive => 2,
            Exit::Fail => 3,
            Exit::Invalid => 4,
            Exit::Machine => 5,
            Exit::Internal => 6,
            Exit::Terminated => 7,
            Exit::Interrupted => 8,
            // It stands alone.
            Exit::Of(_) => 9,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_what_could_not_be_told() {
        assert_eq!(Exit::Inconclusive.worst(Exit::Fail), Exit::Fail);
        assert_eq!(Exit::Fail.worst(Exit::Inconclusive), Exit::Fail);
        assert_eq!(Exit::Pass.worst(Exit::Pass), Exit::Pass);
        assert_eq!(Exit::Machine.worst(Exit::Interrupted).code(), 130);
    }
}
