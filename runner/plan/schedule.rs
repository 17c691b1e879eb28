//! When the entries of a timeline act, as far as it is known before the run. In: entries. Out: for each its instant, or what it
//! waits for, and the earliest instant that is possible. Runs nothing.

use std::collections::BTreeMap;

use scn_grammar::scenario::EventId;
use scn_grammar::scenario::timeline::{Entry, When};

use super::errors::{Findings, PlanError};

/// When an entry acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acts {
    /// At this instant, ns after the timeline's start.
    At(u64),
    /// This long (ns) after another entry, by its position, whose instant is not known.
    After(usize, u64),
    /// When its condition holds.
    Condition,
}

/// An entry's place in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When it acts.
    pub acts: Acts,
    /// Not before this, ns after the timeline's start.
    pub earliest_ns: u64,
}

/// Every entry's place in time, by its position: what is known before the run. For a timeline that was planned.
#[must_use]
pub fn moments(timeline: &[Entry]) -> Vec<Moment> {
    find_schedule(timeline, &mut Findings::default())
}

/// Places every entry in time, by its position. Entries that can never act, or not in time, are reported.
pub(crate) fn find_schedule(timeline: &[Entry], findings: &mut Findings) -> Vec<Moment> {
    let waits = Waits::new(timeline);
    let mut moments: Vec<Option<Moment>> = vec![None; timeline.len()];
    // By number of entries: the earliest instant at which all of them have acted.
    let mut all_acted: Vec<Option<u64>> = vec![None; timeline.len() + 1];
    let order = waits.order();
    for task in &order {
        match *task {
            Task::AllBefore(count) => {
                let acted = count.checked_sub(1).map_or(Some(0), |last| Some(all_acted[last]?.max(moments[last]?.earliest_ns)));
                all_acted[count] = acted;
            }
            Task::Entry(index) => {
                let found = moment(&timeline[index], waits.makers[index], &moments, all_acted[index]);
                moments[index] = Some(found.unwrap_or_else(|reason| {
                    findings.add(PlanError::UnknowableTime { span: timeline[index].span, reason });
                    Moment { acts: Acts::At(0), earliest_ns: 0 }
                }));
            }
        }
    }
    if let Some((one, other)) = waits.ring(&moments) {
        findings.add(PlanError::CircularTime { span: timeline[one].span, other: timeline[other].span });
    }
    let unknown = Moment { acts: Acts::Condition, earliest_ns: 0 };
    moments.into_iter().map(|moment| moment.unwrap_or(unknown)).collect()
}

/// The moment of an entry whose predecessors have theirs; the error says why there is none.
fn moment(entry: &Entry, maker: Option<usize>, moments: &[Option<Moment>], before: Option<u64>) -> Result<Moment, String> {
    let When::At(time) = &entry.when else {
        return Ok(Moment { acts: Acts::Condition, earliest_ns: before.unwrap_or(0) });
    };
    let maker = maker.and_then(|maker| Some((maker, moments[maker]?)));
    let base = match (time.event, maker) {
        (None, _) => 0,
        (Some(_), Some((_, Moment { acts: Acts::At(at), .. }))) => at,
        (Some(_), None) => return Ok(Moment { acts: Acts::Condition, earliest_ns: 0 }),
        (Some(_), Some((maker, Moment { earliest_ns, .. }))) => {
            let offset = u64::try_from(time.offset_ns).map_err(|_| "nobody knows beforehand when the event will be".to_owned())?;
            return Ok(Moment { acts: Acts::After(maker, offset), earliest_ns: earliest_ns.saturating_add(offset) });
        }
    };
    let at = base.checked_add_signed(time.offset_ns).ok_or_else(|| "that is before the start".to_owned())?;
    Ok(Moment { acts: Acts::At(at), earliest_ns: at })
}

/// A step of finding the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// An entry, by its position.
    Entry(usize),
    /// That the first so many entries have acted: what a condition waits for.
    AllBefore(usize),
}

/// What waits for what.
struct Waits<'a> {
    timeline: &'a [Entry],
    /// By entry: the entry that makes the event it counts from.
    makers: Vec<Option<usize>>,
}

impl<'a> Waits<'a> {
    fn new(timeline: &'a [Entry]) -> Waits<'a> {
        let mut made: BTreeMap<EventId, usize> = BTreeMap::new();
        for (index, entry) in timeline.iter().enumerate() {
            if let Some(event) = entry.event {
                made.entry(event).or_insert(index);
            }
        }
        let maker = |entry: &Entry| match &entry.when {
            When::At(time) => time.event.and_then(|event| made.get(&event).copied()),
            When::Condition { .. } => None,
        };
        Waits { timeline, makers: timeline.iter().map(maker).collect() }
    }

    /// What a task waits for.
    fn of(&self, task: Task) -> Vec<Task> {
        match task {
            Task::AllBefore(0) => Vec::new(),
            Task::AllBefore(count) => vec![Task::AllBefore(count - 1), Task::Entry(count - 1)],
            Task::Entry(index) => match self.timeline[index].when {
                When::At(_) => self.makers[index].map(Task::Entry).into_iter().collect(),
                When::Condition { .. } => vec![Task::AllBefore(index)],
            },
        }
    }

    /// A task as a number: entries first.
    fn number(&self, task: Task) -> usize {
        match task {
            Task::Entry(index) => index,
            Task::AllBefore(count) => self.timeline.len() + count,
        }
    }

    /// Every task that waits for none that waits for it, each after those it waits for.
    fn order(&self) -> Vec<Task> {
        let count = self.timeline.len();
        let tasks: Vec<Task> = (0..count).map(Task::Entry).chain((0..=count).map(Task::AllBefore)).collect();
        let mut open = vec![0usize; tasks.len()];
        let mut followers: Vec<Vec<Task>> = vec![Vec::new(); tasks.len()];
        for task in &tasks {
            for before in self.of(*task) {
                open[self.number(*task)] += 1;
                followers[self.number(before)].push(*task);
            }
        }
        let mut order: Vec<Task> = tasks.iter().copied().filter(|task| open[self.number(*task)] == 0).collect();
        let mut next = 0;
        while let Some(task) = order.get(next).copied() {
            next += 1;
            for follower in std::mem::take(&mut followers[self.number(task)]) {
                let left = &mut open[self.number(follower)];
                *left -= 1;
                if *left == 0 {
                    order.push(follower);
                }
            }
        }
        order
    }

    /// Two entries of a ring, if there is one: the first of them in the file, and what it waits for.
    fn ring(&self, moments: &[Option<Moment>]) -> Option<(usize, usize)> {
        let stuck = |index: &usize| moments[*index].is_none();
        let waits_for = |index: usize| match self.timeline[index].when {
            When::At(_) => self.makers[index],
            When::Condition { .. } => (0..index).find(stuck),
        };
        // Whoever follows the waiting for as many steps as there are entries is in the ring.
        let mut at = (0..moments.len()).find(stuck)?;
        for _ in 0..moments.len() {
            at = waits_for(at)?;
        }
        let mut first = at;
        let mut step = waits_for(at)?;
        while step != at {
            first = first.min(step);
            step = waits_for(step)?;
        }
        Some((first, waits_for(first)?))
    }
}
