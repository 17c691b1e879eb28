//! What programs and commands left behind, as it is recorded. In: their reports. Out: records with all instants on the run's clock.

use std::collections::BTreeMap;
use std::time::Instant;

use scn_reports::record::process::{CommandRecord, LifeRecord, ProcessRecord};

use super::command::Ran;
use super::minder;
use super::spec::Copy;
use crate::plan::types::Plan;

/// What all of them left behind.
#[derive(Default)]
pub(crate) struct Report {
    /// Copies of programs, in the order of the file.
    pub(super) copies: Vec<(Copy, minder::Report)>,
    /// Commands by their entries.
    pub(super) commands: BTreeMap<usize, Ran>,
}

impl Report {
    /// As it is recorded; `ns` tells an instant on the run's clock.
    pub(crate) fn record(self, plan: &Plan, ns: &dyn Fn(Instant) -> i64) -> (Vec<ProcessRecord>, Vec<CommandRecord>) {
        let copies = self.copies.into_iter().map(|(copy, left)| process(copy, left, ns)).collect();
        let commands = self.commands.into_iter().filter_map(|(entry, ran)| command(plan, entry, ran, ns)).collect();
        (copies, commands)
    }
}

fn process(copy: Copy, left: minder::Report, ns: &dyn Fn(Instant) -> i64) -> ProcessRecord {
    let life = |past: minder::Past| LifeRecord {
        started_ns: ns(past.started),
        ready_ns: past.ready.map(ns),
        ended_ns: past.ended.map(ns),
        status: past.status,
        asked: past.asked,
    };
    ProcessRecord {
        process: copy.process.0,
        name: copy.name,
        node: copy.node.0,
        command: copy.command,
        lives: left.lives.into_iter().map(life).collect(),
        usage: left.looks.into_iter().map(|(at, cpu_ns, memory)| (ns(at), cpu_ns, memory)).collect(),
        usage_until_ns: left.looks_until.map(ns),
        cpu_ns: left.cpu_ns,
        peak_memory: left.peak,
        output: left.output.record(ns),
    }
}

fn command(plan: &Plan, entry: usize, ran: Ran, ns: &dyn Fn(Instant) -> i64) -> Option<CommandRecord> {
    let entry = plan.timeline.get(entry)?;
    let event = entry.event.and_then(|event| plan.events.get(event.index())).map(|event| event.name.clone());
    Some(CommandRecord {
        event,
        node: u32::try_from(ran.node).ok()?,
        text: entry.text.clone(),
        started_ns: ns(ran.started),
        ended_ns: ran.ended.map(ns),
        status: ran.status,
        output: ran.output.record(ns),
    })
}
