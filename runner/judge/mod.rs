//! From expectations and numbers to verdicts. In: a run record with its plan. Out: the same record with its verdicts and its flows'
//! numbers in words. Pure: the same record gives the same verdicts.
//!
//! An answer has three values: a comparison holds surely, surely not, or its error is larger than its margin. What was not seen to
//! its end is told as far as it can be: a counter that only grows may already be too large.

mod condition;
mod evidence;
mod forms;
mod instants;
mod lateness;
mod links;
mod moments;
mod range;
mod rule;
#[cfg(test)]
mod tests;
mod words;

use scn_reports::record::{Ended, ExpectationKind, FORMAT, Outcome, RunRecord, VERSION, Verdict};
use thiserror::Error;

pub use condition::Live;

use crate::measure::interfaces::Interfaces;
use crate::measure::links::Links;
use crate::measure::programs::Programs;
use crate::measure::stresses::{self, Stresses};
use crate::measure::{self, Series};
use crate::plan::types::Plan;

/// Events that are shown as near to a deciding instant, at most.
const MAX_NEARBY: usize = 5;
/// How near, ns.
const NEARBY_NS: i64 = 1_000_000_000;

/// Why a record cannot be judged.
#[derive(Debug, Error)]
pub enum JudgeError {
    /// It is something else.
    #[error("this is no run record: its format is `{0}`, expected `{FORMAT}`")]
    Format(String),
    /// It was written by a newer scn.
    #[error("the record has version {0}, this scn reads version {VERSION}: judge it with the scn that wrote it, or a newer one")]
    Version(u32),
    /// Its plan cannot be read.
    #[error("the record's plan cannot be read: {0}")]
    Plan(#[from] serde_json::Error),
    /// Plan and record do not belong together.
    #[error("the record does not fit its plan: {what}: {recorded} in the record, {planned} in the plan")]
    Mismatch {
        /// What is counted.
        what: &'static str,
        /// How many the record has.
        recorded: usize,
        /// How many the plan has.
        planned: usize,
    },
}

/// Judges a record: every expectation's outcome, the verdict over all, and each flow's numbers in words. Judging again gives the
/// same.
///
/// # Errors
/// When the record or its plan cannot be read, or do not belong together.
pub fn judge(record: &mut RunRecord) -> Result<(), JudgeError> {
    if record.format != FORMAT {
        return Err(JudgeError::Format(record.format.clone()));
    }
    if record.version > VERSION {
        return Err(JudgeError::Version(record.version));
    }
    let plan: Plan = serde::Deserialize::deserialize(&record.plan)?;
    fits("expectations", record.expectations.len(), plan.expectations.len())?;
    fits("flows", record.flows.len(), plan.flows.len())?;
    fits("stresses", record.stresses.len(), plan.stresses.len())?;

    let context = instants::context(&plan, record);
    let stops = instants::stops(&plan, record);
    let (outcomes, summaries) = {
        let flows: Vec<Series<'_>> = record.flows.iter().zip(&stops).map(|(flow, stops)| Series::new(flow, stops)).collect();
        let programs = Programs::new(record, &context.names);
        let (links, interfaces) = (Links::new(&record.links), Interfaces::new(record));
        let stresses = Stresses::new(&record.stresses);
        let evidence = evidence::Evidence { flows: &flows, links, interfaces, stresses, programs, context: &context };
        let court = rule::Court { record, evidence };
        let outcomes: Vec<Outcome> = plan.expectations.iter().map(|expectation| court.judge(expectation)).collect();
        let summaries: Vec<_> = flows.iter().map(|flow| measure::summary(flow, &context)).collect();
        (outcomes, summaries)
    };
    for (expectation, outcome) in record.expectations.iter_mut().zip(outcomes) {
        expectation.outcome = Some(if plan.once { not_judged(outcome) } else { outcome });
    }
    for (flow, summary) in record.flows.iter_mut().zip(summaries) {
        flow.summary = summary;
    }
    for stress in &mut record.stresses {
        stress.summary = stresses::summary(stress);
    }
    let verdict = over_all(record);
    record.verdict = Some(if plan.once { verdict.max(Verdict::Inconclusive) } else { verdict });
    Ok(())
}

/// The outcome in a run that was made for a look at single transactions: what holds of one says nothing of the load that was asked for.
fn not_judged(outcome: Outcome) -> Outcome {
    let reason = "not judged: in a run with `--once` each flow does one transaction".to_owned();
    Outcome { verdict: Verdict::Inconclusive, reason, decided_ns: None, worst: None, nearby: Vec::new(), ..outcome }
}

fn fits(what: &'static str, recorded: usize, planned: usize) -> Result<(), JudgeError> {
    if recorded == planned { Ok(()) } else { Err(JudgeError::Mismatch { what, recorded, planned }) }
}

/// The worst of all expectations that count, and of how the run ended.
fn over_all(record: &RunRecord) -> Verdict {
    let ended = match record.ended {
        Ended::Complete => Verdict::Pass,
        Ended::Timeout(_) | Ended::Interrupted(_) => Verdict::Inconclusive,
        Ended::Required(_) => Verdict::Fail,
        Ended::Failed(_) => Verdict::Error,
    };
    let counting = record.expectations.iter().filter(|e| e.kind != ExpectationKind::Note);
    counting.filter_map(|e| e.outcome.as_ref()).map(|outcome| outcome.verdict).fold(ended, Verdict::max)
}

/// Events near an instant, nearest first chosen, in the order of the record.
fn nearby(record: &RunRecord, instant_ns: i64) -> Vec<u32> {
    let distances = (0u32..).zip(&record.events).map(|(at, event)| (event.asked_ns.abs_diff(instant_ns), at));
    let mut near: Vec<(u64, u32)> = distances.filter(|(distance, _)| *distance <= NEARBY_NS.unsigned_abs()).collect();
    near.sort_unstable();
    near.truncate(MAX_NEARBY);
    let mut events: Vec<u32> = near.into_iter().map(|(_, at)| at).collect();
    events.sort_unstable();
    events
}
