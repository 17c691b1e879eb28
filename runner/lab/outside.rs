//! What a run makes and changes on the machine itself. In: a plan, its layout, the machine. Out: the journal of it, and at the end the
//! machine as it was. The network itself is made by `build`.

use netlink_packet_route::RouteNetlinkMessage;

use super::error::LabError;
use super::journal::{self, Change, Open};
use super::journal_undo::{undo, words};
use super::layout::Layout;
use super::machine::Machine;
use super::messages;
use crate::plan::types::Plan;

/// Undone when it goes, however the run ends.
pub(crate) struct Outside {
    open: Option<Open>,
}

impl Outside {
    /// Writes down everything that will be made or changed on the machine; `None`: nothing.
    pub(crate) fn begin(plan: &Plan, layout: &Layout, machine: &Machine) -> Result<Option<Self>, LabError> {
        if machine.first_index == 0 {
            return Ok(None);
        }
        let changes = changes(plan, layout, machine);
        Open::write(&plan.scenario, journal::fresh_run(), changes).map(|open| Some(Outside { open: Some(open) }))
    }

    /// What writes the run's word at an interface that it made.
    pub(crate) fn mark(&self, index: u32) -> RouteNetlinkMessage {
        messages::set_alias(index, &words(self.open.as_ref().map_or("", |open| open.journal.run.as_str())))
    }

    /// Makes the machine as it was. Out: what went wrong; then the journal stays, for `scn clean`.
    pub(crate) fn end(&mut self) -> Vec<LabError> {
        let Some(open) = self.open.take() else { return Vec::new() };
        let (_, mut wrong) = undo(&open.journal);
        if wrong.is_empty()
            && let Err(cause) = open.forget()
        {
            wrong.push(LabError::system(journal::FOLDER, "remove the run's journal", &cause));
        }
        wrong
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        // Whoever wants to hear what went wrong calls `end` before.
        drop(self.end());
    }
}

/// In the order in which they are made.
fn changes(plan: &Plan, layout: &Layout, machine: &Machine) -> Vec<Change> {
    let ports = machine.bridges.values().map(|bridge| Change::Ports { name: bridge.name.clone(), index: bridge.index, mac: bridge.mac });
    let mut changes: Vec<Change> = ports.collect();
    for made in &layout.on_machine {
        changes.push(Change::Made { name: made.name.clone(), index: made.index, mac: made.mac });
    }
    for (index, place) in layout.links.iter().enumerate() {
        for (end, other) in [(0, 1), (1, 0)] {
            let there = &place.ends[end];
            let (Some(standing), Some(bridge)) = (machine.interfaces.get(&(there.node, there.interface)), place.ends[other].bridge) else {
                continue;
            };
            debug_assert!(plan.links[index].ends[end].0.index() == there.node, "ends of links and places are the same");
            changes.push(Change::Joined { name: standing.name.clone(), index: standing.index, mac: standing.mac, bridge });
        }
    }
    changes
}
