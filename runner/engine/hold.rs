//! A network that stays for a look when its run is over. In: which runs, who may end the look. Out: what an observer is told meanwhile. Makes
//! nothing, and takes nothing down.

use std::time::Duration;

use scn_reports::record::{RunRecord, Verdict};
use tokio::sync::watch;

use super::timeline::Progress;
use crate::lab::KernelLab;
use crate::lab::held::Held;
use crate::plan::types::Plan;

/// Which networks stay, and until when.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Those of which runs.
    pub which: Which,
    /// Changes when the user says so; closed: nobody can.
    pub lines: watch::Receiver<u64>,
    /// No longer than this.
    pub limit: Option<Duration>,
}

/// Which runs' networks stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Of those that did not pass.
    NotPassed,
    /// Of all.
    All,
}

/// What an observer is told when a network stays.
#[derive(Debug)]
pub struct Look<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// How it can be entered.
    pub held: &'a Held,
    /// What came of the run.
    pub result: Result<&'a RunRecord, &'a str>,
}

impl Look<'_> {
    /// The run did what was expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.result.is_ok_and(|record| record.verdict == Some(Verdict::Pass))
    }
}

impl Hold {
    /// Whether the network of a run with this verdict stays.
    #[must_use]
    pub(super) fn is_for(&self, verdict: Option<Verdict>) -> bool {
        self.which == Which::All || verdict != Some(Verdict::Pass)
    }

    /// Leaves a lab as it is until somebody lets it go. `cancel` ends it too.
    pub(super) async fn hold(
        mut self,
        lab: &KernelLab,
        plan: &Plan,
        result: Result<&RunRecord, &str>,
        mut cancel: watch::Receiver<Option<String>>,
        observe: &mut dyn FnMut(Progress<'_>),
    ) {
        let held = match lab.hold(plan) {
            Ok(held) => held,
            Err(error) => return observe(Progress::Step(&format!("its network cannot be held: {error}"))),
        };
        // What was typed before is no answer.
        self.lines.mark_unchanged();
        observe(Progress::Held(Look { scenario: &plan.scenario, held: &held, result }));
        let lines = &mut self.lines;
        let line = async {
            if lines.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let over = async {
            match self.limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = cancel.wait_for(Option::is_some) => {}
            () = line => {}
            () = over => {}
        }
    }
}
