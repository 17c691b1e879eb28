//! What a report over several scenarios is told: one suite a scenario, run or not. In: records and reasons. Out: verdicts and
//! counts that every report shares. Renders nothing.

use crate::record::{ExpectationKind, ExpectationRecord, RunRecord, Verdict};

/// One scenario of an invocation.
#[derive(Debug, Clone)]
pub struct Suite<'a> {
    /// The file, as it was named on the command line, with `/` between folders.
    pub file: &'a str,
    /// The scenario's name, with matrix values.
    pub scenario: &'a str,
    /// What became of it.
    pub result: SuiteResult<'a>,
    /// Files written for it: what it is (`record`, `html`, ...) and its path.
    pub paths: Vec<(&'a str, &'a str)>,
    /// The folder of its record, as readers of reports name it; empty: not known, or where they are themselves.
    pub folder: &'a str,
}

/// What became of a scenario.
#[derive(Debug, Clone)]
pub enum SuiteResult<'a> {
    /// There is a record.
    Ran(&'a RunRecord),
    /// It should have run and could not.
    NotRun {
        /// What was in the way, in words.
        why: &'a str,
    },
    /// It was not to run here.
    Skipped {
        /// What is missing, in words.
        why: &'a str,
    },
}

/// The outcome of a suite: a verdict, or one of the states without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Not to be run here.
    Skipped,
    /// It ran and nobody judged it.
    NotJudged,
    /// It ran, or could not run (an error).
    Judged(Verdict),
}

impl<'a> Suite<'a> {
    /// A suite of a record.
    #[must_use]
    pub fn ran(record: &'a RunRecord) -> Self {
        Suite {
            file: &record.scenario.file,
            scenario: &record.scenario.name,
            result: SuiteResult::Ran(record),
            paths: Vec::new(),
            folder: "",
        }
    }

    /// The same with the folder where its record lies.
    #[must_use]
    pub fn in_folder(self, folder: &'a str) -> Self {
        Suite { folder, ..self }
    }

    /// Its record, if it ran.
    #[must_use]
    pub fn record(&self) -> Option<&'a RunRecord> {
        match self.result {
            SuiteResult::Ran(record) => Some(record),
            _ => None,
        }
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match self.result {
            SuiteResult::Ran(record) => record.verdict.map_or(Standing::NotJudged, Standing::Judged),
            SuiteResult::NotRun { .. } => Standing::Judged(Verdict::Error),
            SuiteResult::Skipped { .. } => Standing::Skipped,
        }
    }
}

impl Standing {
    /// As a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Standing::Skipped => "skipped",
            Standing::NotJudged => "not judged",
            Standing::Judged(verdict) => crate::words::verdict(Some(verdict)),
        }
    }

    /// As a symbol.
    #[must_use]
    pub fn symbol(self, unicode: bool) -> &'static str {
        match self {
            Standing::Skipped => "-",
            Standing::NotJudged => crate::words::symbol(None, unicode),
            Standing::Judged(verdict) => crate::words::symbol(Some(verdict), unicode),
        }
    }
}

/// The verdict over several suites: the worst; `None` when nothing was judged.
#[must_use]
pub fn overall(suites: &[Suite<'_>]) -> Option<Verdict> {
    suites
        .iter()
        .filter_map(|suite| match suite.standing() {
            Standing::Judged(verdict) => Some(verdict),
            _ => None,
        })
        .max()
}

/// The verdict of an expectation, if it was judged.
#[must_use]
pub fn judged(expectation: &ExpectationRecord) -> Option<Verdict> {
    expectation.outcome.as_ref().map(|outcome| outcome.verdict)
}

/// Whether an expectation counts towards the verdict. A `note` does not.
#[must_use]
pub fn counts(expectation: &ExpectationRecord) -> bool {
    expectation.kind != ExpectationKind::Note
}

/// Whether a reader should look at an expectation: it counts, was judged, and did not pass. Why nothing could be judged is said
/// once, for the whole run.
#[must_use]
pub fn needs_attention(expectation: &ExpectationRecord) -> bool {
    counts(expectation) && judged(expectation).is_some_and(|verdict| verdict != Verdict::Pass)
}

/// `5 pass, 1 fail, 1 inconclusive`, of the expectations that count; empty when there are none.
#[must_use]
pub fn tally(record: &RunRecord) -> Vec<(Option<Verdict>, usize)> {
    let of = |wanted| record.expectations.iter().filter(|e| counts(e) && judged(e) == wanted).count();
    [Some(Verdict::Error), Some(Verdict::Fail), Some(Verdict::Inconclusive), None, Some(Verdict::Pass)]
        .into_iter()
        .map(|verdict| (verdict, of(verdict)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Expectations in the order in which a reader needs them: the worst first, then as in the file.
#[must_use]
pub fn attention(record: &RunRecord) -> Vec<&ExpectationRecord> {
    let mut list: Vec<&ExpectationRecord> = record.expectations.iter().filter(|e| needs_attention(e)).collect();
    let rank = |e: &ExpectationRecord| match judged(e) {
        Some(Verdict::Fail) => 0,
        Some(Verdict::Error) => 1,
        _ => 2,
    };
    list.sort_by_key(|e| rank(e));
    list
}
