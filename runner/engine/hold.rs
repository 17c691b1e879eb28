//! A network that stays for a look when its run is over. In: which runs, who may end the look. Out: what an observer is told meanwhile. Makes
//! nothing, and takes nothing down.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use scn_reports::record::{RunRecord, Verdict};
use tokio::sync::watch;

use super::timeline::Progress;
use crate::lab::KernelLab;
use crate::lab::held::Held;
use crate::lab::held::terminal::{Heard, is_in_background, listen, wait_for_line};
use crate::plan::types::Plan;

/// As many lines that were typed before are passed over; a terminal keeps fewer.
const MOST_TYPED: usize = 4096;

/// Which networks stay, and until when.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Those of which runs.
    pub which: Which,
    /// Enter at this terminal lets them go. It is read only while a network stays. `None`: there is no terminal.
    pub terminal: Option<Arc<OwnedFd>>,
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
    /// How it can be entered, or why it does not stay.
    pub held: Result<&'a Held, &'a str>,
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
        self,
        lab: &KernelLab,
        plan: &Plan,
        result: Result<&RunRecord, &str>,
        mut cancel: watch::Receiver<Option<String>>,
        observe: &mut dyn FnMut(Progress<'_>),
    ) {
        let held = match lab.hold(plan) {
            Ok(held) => held,
            Err(error) => return observe(Progress::Held(Look { scenario: &plan.scenario, held: Err(&error.to_string()), result })),
        };
        if let Some(terminal) = &self.terminal {
            // What was typed before is no answer.
            for _ in 0..MOST_TYPED {
                if listen(terminal) != Heard::Line {
                    break;
                }
            }
        }
        observe(Progress::Held(Look { scenario: &plan.scenario, held: Ok(&held), result }));
        let over = async {
            match self.limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = cancel.wait_for(Option::is_some) => {}
            () = self.line() => {}
            () = over => {}
        }
    }

    /// Another program has the terminal, so that nobody's Enter reaches this one.
    #[must_use]
    pub fn is_in_background(&self) -> bool {
        self.terminal.as_deref().is_some_and(is_in_background)
    }

    /// Waits for a line, or for the end that Ctrl-D gives. If there is no terminal (any more), the limit alone ends the look.
    async fn line(&self) {
        let heard = match &self.terminal {
            Some(terminal) => wait_for_line(terminal).await,
            None => Heard::Gone,
        };
        if heard == Heard::Gone && self.limit.is_some() {
            std::future::pending::<()>().await;
        }
    }
}
