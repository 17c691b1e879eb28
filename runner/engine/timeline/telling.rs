//! What the timeline tells of itself: how it goes, what a cut ended, which faults were healed. In: its state. Out: words and marks. Carries
//! nothing out.

use scn_reports::record::EventKind;

use super::{FlowState, Progress, Timeline};
use crate::engine::parts::{Load, Network};
use crate::engine::schedule::undo_of;

impl<N: Network, L: Load> Timeline<'_, N, L> {
    /// What a timeout cut.
    pub(super) fn still_going_on(&self) -> String {
        let mut parts = Vec::new();
        let running = self.flows.iter().zip(&self.plan.flows).filter(|(s, _)| matches!(s, FlowState::Running | FlowState::Stopping));
        let running: Vec<String> = running.map(|(_, flow)| format!("`{}`", flow.name)).collect();
        if !running.is_empty() {
            parts.push(format!("flows still running: {}", running.join(", ")));
        }
        if self.commands > 0 {
            parts.push("commands still running".to_owned());
        }
        if let Some((entry, _)) = self.watching {
            parts.push(format!("still waiting for the condition of `{}`", self.plan.timeline[entry].text));
        } else if !self.schedule.is_over() {
            parts.push("entries of the timeline had not come yet".to_owned());
        }
        parts.join("; ")
    }

    /// Gives each fault the instant at which a later event ended it.
    pub(super) fn mark_healed(&mut self) {
        for (index, action) in self.actions.iter().enumerate() {
            if self.events[index].kind != EventKind::Fault {
                continue;
            }
            let Some(healing) = action.as_ref().and_then(undo_of) else { continue };
            let later = self.actions.iter().enumerate().skip(index + 1);
            let heal = later.filter(|(_, action)| action.as_ref() == Some(&healing)).map(|(at, _)| at).next();
            self.events[index].until_ns = heal.map(|at| self.events[at].asked_ns);
        }
    }

    /// Tells the observer how it goes.
    pub(super) fn tell(&mut self) {
        let (now_ns, last_ns) = (self.now_ns(), self.schedule.next_instant().unwrap_or(0));
        let value = |flow, metric| self.load.value(flow, metric).unwrap_or(0);
        let lines: Vec<String> = self
            .plan
            .flows
            .iter()
            .filter(|f| matches!(self.flows[f.id.index()], FlowState::Running | FlowState::Stopping))
            .map(|f| {
                let (active, done, failed) = (value(f.id, "active"), value(f.id, "transactions"), value(f.id, "failed_transactions"));
                format!("{} {active} active, {done} done, {failed} failed", f.name)
            })
            .collect();
        (self.observe)(Progress::Tick { now_ns, last_ns, flows: &lines.join(" · ") });
    }
}
