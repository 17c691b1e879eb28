//! Entries that change nothing: the end of what never began, or begins only later. In: the timeline with its instants. Out:
//! warnings. Knows no network.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::error::ExpandError;
use super::moment_error::MomentError;
use crate::scenario::timeline::{Action, Copies, Healed, Target, Victim};
use crate::source::Span;

/// What an entry begins or ends, in a form that can be compared: `("down", link 3)`.
type Mark = (&'static str, char, u32);

/// Instances of nodes that a target may touch, and of links.
struct Touched {
    links: BTreeMap<u32, BTreeSet<u32>>,
}

impl Touched {
    /// The links that a target touches.
    fn of(&self, target: &Target) -> Vec<u32> {
        match target {
            Target::Link(link) => vec![link.0],
            // Which link an interface without a written name has, the planner decides: any of its node may be meant.
            Target::Node(node) | Target::Interface(node, _) => self.links.get(&node.0).into_iter().flatten().copied().collect(),
        }
    }

    fn marks(&self, what: &'static str, targets: &[Target]) -> Vec<Mark> {
        targets.iter().flat_map(|target| self.of(target)).map(|link| (what, 'l', link)).collect()
    }
}

/// Marks of programs, services and nodes.
fn victim_marks(what: &'static str, victims: &[Victim]) -> Vec<Mark> {
    let mark = |victim: &Victim| match victim {
        Victim::Process(Copies { process, nodes }) => {
            std::iter::once((what, 'p', process.0)).chain(nodes.iter().map(|node| (what, 'n', node.0))).collect::<Vec<_>>()
        }
        Victim::Service(service, _) => vec![(what, 's', service.0)],
        Victim::Node(node) => vec![(what, 'n', node.0)],
    };
    victims.iter().flat_map(mark).collect()
}

/// What an entry begins that another may end.
fn begins(action: &Action, touched: &Touched) -> Vec<Mark> {
    match action {
        Action::Down(targets) => touched.marks("down", targets),
        Action::Silence(targets) => touched.marks("silence", targets),
        Action::Impair { targets, .. } => touched.marks("impair", targets),
        Action::Pause(flows) => flows.iter().map(|flow| ("pause", 'f', flow.0)).collect(),
        Action::PauseStress(all) => all.iter().map(|stress| ("pause", 'm', stress.0)).collect(),
        Action::Freeze(victims) => victim_marks("freeze", victims),
        Action::Partition(_) | Action::Isolate(_) => vec![("partition", 'a', 0)],
        Action::StopService(service, _) => vec![("stop", 's', service.0)],
        Action::Kill(victims) => {
            victims.iter().filter_map(|victim| if let Victim::Service(id, _) = victim { Some(("stop", 's', id.0)) } else { None }).collect()
        }
        _ => Vec::new(),
    }
}

/// The verb of an entry that only ends something, what it ends, and the verb that begins that.
fn ends(action: &Action, touched: &Touched) -> Option<(&'static str, Vec<Mark>, &'static str)> {
    Some(match action {
        Action::Up(targets) => ("up", touched.marks("down", targets), "down"),
        Action::Unsilence(targets) => ("unsilence", touched.marks("silence", targets), "silence"),
        Action::Restore(targets) => ("restore", touched.marks("impair", targets), "impair"),
        Action::Resume(flows) => ("resume", flows.iter().map(|flow| ("pause", 'f', flow.0)).collect(), "pause"),
        Action::ResumeStress(all) => ("resume", all.iter().map(|stress| ("pause", 'm', stress.0)).collect(), "pause"),
        Action::Thaw(victims) => ("thaw", victim_marks("freeze", victims), "freeze"),
        Action::Heal(Healed::All | Healed::Between(_) | Healed::Nodes(_)) => {
            ("heal", vec![("partition", 'a', 0)], "partition` or `isolate")
        }
        _ => return None,
    })
}

impl Draft<'_, '_> {
    /// Warns of entries that end what nothing began, or what begins only later.
    pub(super) fn check_effects(&mut self) {
        let mut links: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (id, link) in (0..).zip(&self.scenario.topology.links) {
            for end in &link.ends {
                links.entry(end.node.0).or_default().insert(id);
            }
        }
        let touched = Touched { links };
        // The earliest beginning of each thing: its instant (`None`: not known), and its entry.
        let mut begun: BTreeMap<Mark, (Option<i64>, usize)> = BTreeMap::new();
        for (place, entry) in self.scenario.timeline.iter().enumerate() {
            let instant = self.moments.instants.get(place).copied().flatten();
            for mark in begins(&entry.action, &touched) {
                let first = begun.entry(mark).or_insert((instant, place));
                if (instant, place) < *first {
                    *first = (instant, place);
                }
            }
        }
        let mut problems = Vec::new();
        let mut told: BTreeSet<Span> = BTreeSet::new();
        for (place, entry) in self.scenario.timeline.iter().enumerate() {
            let Some((verb, marks, opposite)) = ends(&entry.action, &touched) else { continue };
            let instant = self.moments.instants.get(place).copied().flatten();
            let before: Vec<&(Option<i64>, usize)> = marks.iter().filter_map(|mark| begun.get(mark)).collect();
            let later =
                |begin: &&&(Option<i64>, usize)| instant.zip(begin.0).is_some_and(|(end, begin_at)| (begin_at, begin.1) > (end, place));
            let (reason, other) = match before.first() {
                None if marks.is_empty() => continue,
                None => (format!("no `{opposite}` comes before it"), None),
                Some(first) if before.iter().filter(later).count() == before.len() => {
                    ("what it ends begins only later".to_owned(), self.scenario.timeline.get(first.1).map(|entry| entry.span))
                }
                Some(_) => continue,
            };
            if told.insert(entry.span) {
                let help = format!("leave it out, or say `{opposite}` before it");
                problems.push(MomentError::NoEffect { verb: verb.into(), reason, span: entry.span, other, help });
            }
        }
        problems.into_iter().for_each(|problem| self.context.raise(problem));
    }

    /// Reports two captures into one file.
    pub(super) fn check_captures(&mut self) {
        let mut files: BTreeMap<&str, Span> = BTreeMap::new();
        let mut problems = Vec::new();
        for entry in &self.scenario.timeline {
            let Action::Capture { to, .. } = &entry.action else { continue };
            if let Some(first) = files.insert(to, entry.span) {
                let message = format!("two captures write the file `{to}`");
                let help = "give each a file of its own".to_owned();
                problems.push(ExpandError::OptionConflict { message, span: entry.span, other: first, help });
            }
        }
        problems.into_iter().for_each(|problem| self.context.raise(problem));
    }
}
