//! When each entry of the timeline acts. In: the plan's timeline, and the instants of events as they happen. Out: what is due.
//! Pure: knows no clock.

use std::collections::BTreeMap;

use scn_grammar::scenario::EventId;
use scn_grammar::scenario::timeline::{Action, Entry, Healed, Victim, When};

/// One thing to do at an instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When it was meant to happen, ns.
    pub at_ns: i64,
    /// Entries of one instant act in the order of the file; undos come after them.
    pub order: usize,
    /// The entry.
    pub entry: usize,
    /// Its end rather than itself.
    pub undo: bool,
}

/// Where the timeline stands.
#[derive(Debug)]
pub struct Schedule<'a> {
    entries: &'a [Entry],
    due: BTreeMap<Due, ()>,
    /// Entries whose instant hangs on an event that has not happened.
    waiting: Vec<usize>,
    /// Entries that watch a condition, in the order of the file.
    conditions: Vec<usize>,
    acted: Vec<bool>,
    happened: BTreeMap<EventId, i64>,
}

impl<'a> Schedule<'a> {
    /// The schedule at the timeline's start. Instants that hang on timed entries only are fixed here, beforehand.
    #[must_use]
    pub fn new(entries: &'a [Entry]) -> Self {
        let planned = planned_instants(entries);
        let mut schedule = Schedule {
            entries,
            due: BTreeMap::new(),
            waiting: vec![],
            conditions: vec![],
            acted: vec![false; entries.len()],
            happened: BTreeMap::new(),
        };
        for (index, entry) in entries.iter().enumerate() {
            match (&entry.when, planned[index]) {
                (When::Condition { .. }, _) => schedule.conditions.push(index),
                (When::At(_), Some(at_ns)) => schedule.add(index, at_ns, false),
                (When::At(_), None) => schedule.waiting.push(index),
            }
        }
        schedule
    }

    fn add(&mut self, entry: usize, at_ns: i64, undo: bool) {
        let order = if undo { self.entries.len() + entry } else { entry };
        self.due.insert(Due { at_ns, order, entry, undo }, ());
    }

    /// The instant of the next timed thing.
    #[must_use]
    pub fn next_instant(&self) -> Option<i64> {
        self.due.first_key_value().map(|(due, ())| due.at_ns)
    }

    /// Takes the first thing that is due at `now_ns`.
    pub fn take(&mut self, now_ns: i64) -> Option<Due> {
        if self.next_instant()? > now_ns {
            return None;
        }
        self.due.pop_first().map(|(due, ())| due)
    }

    /// Notes that an entry acted: its undo, and entries that hang on its event, become due. `asked_ns` is the event's instant. What lasts a time
    /// lasts it from `done_ns` on: begun late on a busy machine it does not end the sooner.
    pub fn acted(&mut self, due: &Due, asked_ns: i64, done_ns: i64) {
        let entry = &self.entries[due.entry];
        if due.undo {
            return;
        }
        self.acted[due.entry] = true;
        if let Some(lasts) = entry.lasts_ns {
            // What is done to flows counts from the instant that was meant, however late they heard of it.
            let from_ns = if is_of_load(&entry.action) { due.at_ns } else { done_ns.max(due.at_ns) };
            self.add(due.entry, from_ns.saturating_add_unsigned(lasts), true);
        }
        let Some(event) = entry.event else { return };
        self.happened.insert(event, asked_ns);
        let (ready, waiting) = self.waiting.iter().copied().partition(|index| match &self.entries[*index].when {
            When::At(at) => at.event == Some(event),
            When::Condition { .. } => false,
        });
        self.waiting = waiting;
        for index in Vec::<usize>::from_iter(ready) {
            if let When::At(at) = &self.entries[index].when {
                self.add(index, asked_ns.saturating_add(at.offset_ns), false);
            }
        }
    }

    /// The condition that is being watched: the first one whose predecessors in the file that hang on no later thing have acted.
    #[must_use]
    pub fn watched(&self) -> Option<usize> {
        let first = *self.conditions.first()?;
        self.acted[..first].iter().all(|acted| *acted).then_some(first)
    }

    /// Takes a condition that has come true at `at_ns` off the list.
    pub fn came_true(&mut self, entry: usize, at_ns: i64) -> Due {
        self.conditions.retain(|index| *index != entry);
        Due { at_ns, order: entry, entry, undo: false }
    }

    /// When an event happened, if it did.
    #[must_use]
    pub fn happened(&self, event: EventId) -> Option<i64> {
        self.happened.get(&event).copied()
    }

    /// Entries that have not acted, and (`true`) acted ones whose end has not come.
    pub fn to_come(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        let later = self.waiting.iter().chain(&self.conditions).map(|entry| (*entry, false));
        self.due.keys().map(|due| (due.entry, due.undo)).chain(later)
    }

    /// Everything has acted and is undone.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.due.is_empty() && self.waiting.is_empty() && self.conditions.is_empty()
    }
}

/// The instants that are known before the run: of entries that hang on the start, or on events of such entries. `None`: it
/// hangs on a condition.
#[must_use]
pub fn planned_instants(entries: &[Entry]) -> Vec<Option<i64>> {
    let makers: BTreeMap<EventId, usize> = entries.iter().enumerate().filter_map(|(i, e)| Some((e.event?, i))).collect();
    let mut planned = vec![None; entries.len()];
    // Each round fixes at least one more entry, so there are at most as many rounds as entries.
    for _ in 0..entries.len() {
        let mut changed = false;
        for (index, entry) in entries.iter().enumerate() {
            let When::At(at) = &entry.when else { continue };
            if planned[index].is_some() {
                continue;
            }
            let base = match at.event {
                None => Some(0),
                Some(event) => makers.get(&event).and_then(|maker| planned[*maker]),
            };
            planned[index] = base.map(|base: i64| base.saturating_add(at.offset_ns));
            changed |= planned[index].is_some();
        }
        if !changed {
            break;
        }
    }
    planned
}

/// It changes how flows go on, which they know by its planned instant.
fn is_of_load(action: &Action) -> bool {
    matches!(action, Action::Pause(_) | Action::Resume(_) | Action::Set { .. })
}

/// What undoes an action; `None`: nothing has to.
#[must_use]
pub fn undo_of(action: &Action) -> Option<Action> {
    Some(match action.clone() {
        Action::Start(flows) => Action::Stop(flows),
        Action::Stop(flows) => Action::Start(flows),
        Action::Pause(flows) => Action::Resume(flows),
        Action::Resume(flows) => Action::Pause(flows),
        Action::StartStress(stresses) => Action::StopStress(stresses),
        Action::StopStress(stresses) => Action::StartStress(stresses),
        Action::PauseStress(stresses) => Action::ResumeStress(stresses),
        Action::ResumeStress(stresses) => Action::PauseStress(stresses),
        // The value before comes back: which that is the flows know.
        set @ (Action::Set { .. } | Action::SetStress { .. }) => set,
        Action::StopService(service, nodes) => Action::StartService(service, nodes),
        Action::StartService(service, nodes) => Action::StopService(service, nodes),
        Action::StopProcess(copies) => Action::StartProcess(copies),
        Action::StartProcess(copies) => Action::StopProcess(copies),
        Action::Kill(victims) => Action::Restart(victims),
        Action::Vanish(nodes) => Action::Restart(nodes.into_iter().map(Victim::Node).collect()),
        Action::Freeze(victims) => Action::Thaw(victims),
        Action::Thaw(victims) => Action::Freeze(victims),
        Action::Down(targets) => Action::Up(targets),
        Action::Up(targets) => Action::Down(targets),
        Action::Silence(targets) => Action::Unsilence(targets),
        Action::Unsilence(targets) => Action::Silence(targets),
        // What was before these only the network knows, so it undoes them; the contrary stands for it in the record.
        Action::Impair { targets, .. } => Action::Restore(targets),
        Action::Partition(cut) => Action::Heal(Healed::Between(cut)),
        Action::Isolate(nodes) => Action::Heal(Healed::Nodes(nodes)),
        // The one before comes back: which that is only the network knows, so it undoes it.
        Action::Route { nodes, to, .. } => Action::Route { nodes, to, via: None },
        Action::AddAddress { prefix, node, .. } => Action::RemoveAddress { address: prefix.address, node },
        Action::MoveAddress { prefix, from, to, .. } => Action::MoveAddress { prefix, from: to, to: from, interface: None },
        // It ends by its file, which it names itself.
        Action::Capture { targets, to } => Action::Capture { targets, to },
        // The checker refuses `for D` with the others: of `remove` the subnet's length is not said there.
        _ => return None,
    })
}
