//! What the timeline does to flows and stresses while they run: pauses, other values of their load, starts and stops of stresses. In: actions. Out: orders
//! to the load, and warnings where nothing changed. Knows no schedules of flows.

use std::collections::BTreeSet;

use scn_grammar::scenario::timeline::{Action, Setting, StressSetting};
use scn_grammar::scenario::{FlowId, StressId};

use super::{FlowState, Timeline, undo_of};
use crate::engine::parts::{Load, Network, StressOrder};
use crate::engine::schedule::Due;
use crate::plan::turns::{Turn, What};

impl<N: Network, L: Load> Timeline<'_, N, L> {
    /// Carries an action out, if it is one of these.
    pub(super) fn change_load(&mut self, action: &Action, due: &Due) -> bool {
        if let Some((_, flows)) = Turn::of(action, due.entry, due.undo, due.at_ns) {
            flows.iter().for_each(|flow| self.turn(*flow, action, due));
            return true;
        }
        let (stresses, order) = match action {
            Action::StartStress(stresses) => (stresses, StressOrder::Start),
            Action::StopStress(stresses) => (stresses, StressOrder::Stop),
            Action::PauseStress(stresses) => (stresses, StressOrder::Pause),
            Action::ResumeStress(stresses) => (stresses, StressOrder::Resume),
            Action::SetStress { stresses, setting, over_ns } => {
                let carried = match setting {
                    StressSetting::Streams(count) => Setting::Connections(*count),
                    StressSetting::RateNano(rate) => Setting::RateNano(*rate),
                };
                let turn = Turn { at_ns: due.at_ns, entry: due.entry, undo: due.undo, what: What::Set(carried, *over_ns) };
                (stresses, StressOrder::Set(turn, *setting))
            }
            _ => return false,
        };
        stresses.iter().for_each(|stress| self.order(*stress, order, due.at_ns));
        true
    }

    fn turn(&mut self, flow: FlowId, action: &Action, due: &Due) {
        let name = &self.plan.flows[flow.index()].name;
        // The contrary action undoes a pause; what an entry began, its own end ends.
        let undone = due.undo && !matches!(action, Action::Set { .. });
        let own = if undone { &self.plan.timeline[due.entry].action } else { action };
        let Some((turn, _)) = Turn::of(own, due.entry, due.undo, due.at_ns) else { return };
        let (verb, why) = match turn.what {
            What::Pause => ("pause", self.paused.contains_key(&flow).then_some("it is paused already")),
            What::Resume => {
                // The end of an entry ends only the pause that the entry began.
                let paused = self.paused.get(&flow).is_some_and(|by| !due.undo || *by == due.entry);
                ("resume", (!paused).then_some("it is not paused"))
            }
            What::Set(..) => ("set", None),
        };
        let why = if self.runs(flow) { why } else { Some("it does not run") };
        if let Some(why) = why {
            // What ends with its entry and ended before is no slip of the file.
            if !due.undo {
                self.warnings.push(format!("{verb} {name} had no effect: {why}"));
            }
            return;
        }
        match turn.what {
            What::Pause => _ = self.paused.insert(flow, due.entry),
            What::Resume => _ = self.paused.remove(&flow),
            What::Set(..) => {}
        }
        self.load.turn(flow, turn);
    }

    fn order(&mut self, stress: StressId, order: StressOrder, at_ns: i64) {
        let effect = self.load.order(stress, order, at_ns);
        let state = &mut self.stresses[stress.index()];
        let verb = match order {
            StressOrder::Start => "start",
            StressOrder::Stop => "stop",
            StressOrder::Pause => "pause",
            StressOrder::Resume => "resume",
            StressOrder::Set(..) => "set",
        };
        if matches!(order, StressOrder::Start | StressOrder::Resume) {
            self.held.remove(&stress);
        }
        match order {
            StressOrder::Start if effect => *state = FlowState::Running,
            StressOrder::Stop if effect => *state = FlowState::Stopping,
            StressOrder::Pause if effect => _ = self.held.insert(stress),
            _ => {}
        }
        if !effect {
            let name = &self.plan.stresses[stress.index()].stress.name;
            self.warnings.push(format!("{verb} {name} had no effect: so it was already, or it does not run"));
        }
    }

    /// Stresses that the timeline never names start with it.
    pub(super) fn start_unnamed_stresses(&mut self) {
        for (index, stress) in (0u32..).zip(&self.plan.stresses) {
            if stress.starts_at_zero {
                self.order(StressId(index), StressOrder::Start, 0);
            }
        }
    }

    /// A stress that has a `total` still works on it, or one is about to end.
    pub(super) fn stresses_are_busy(&self) -> bool {
        self.stresses.iter().zip(&self.plan.stresses).zip(0..).any(|((state, stress), id)| match state {
            // Nobody lets those go on that are paused now.
            FlowState::Running => stress.stress.total.is_some() && !self.held.contains(&StressId(id)),
            FlowState::Stopping => true,
            FlowState::Waiting | FlowState::Ended => false,
        })
    }

    /// Stresses that would have gone on: those that run, and those that the rest of the timeline starts.
    pub(super) fn stresses_not_ended(&self) -> Vec<StressId> {
        let to_start = self.schedule.to_come().filter_map(|(entry, undo)| {
            let action = &self.plan.timeline[entry].action;
            match if undo { undo_of(action) } else { Some(action.clone()) } {
                Some(Action::StartStress(stresses)) => Some(stresses),
                _ => None,
            }
        });
        let to_start: BTreeSet<StressId> = to_start.flatten().chain(self.running_stresses()).collect();
        to_start.into_iter().collect()
    }

    /// The stresses that run.
    pub(super) fn running_stresses(&self) -> Vec<StressId> {
        let running = (0..).zip(&self.stresses).filter(|(_, state)| **state == FlowState::Running);
        running.map(|(id, _)| StressId(id)).collect()
    }

    /// Stops the stresses that run.
    pub(super) fn stop_stresses(&mut self, at_ns: i64) {
        self.running_stresses().into_iter().for_each(|stress| self.order(stress, StressOrder::Stop, at_ns));
    }
}
