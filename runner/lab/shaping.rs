//! Impairments, partitions and isolations as actions. In: actions of the timeline, and their undoing. Out: what the wires are to do, and what a
//! reader should know. Touches no kernel.

use std::collections::BTreeSet;

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::timeline::{Action, Healed, Target};

use super::error::LabError;
use super::faults::{Cause, Faults, Sort, Todo};
use super::impairments::Oriented;
use crate::emulate::Owners;

impl Faults {
    /// An action that the wires carry out; `None`: it is another.
    pub(super) fn shape(&mut self, action: &Action) -> Option<Result<Todo, LabError>> {
        Some(match action {
            Action::Impair { targets, .. } => self.oriented(targets).map(|links| Todo {
                meets: links.iter().map(|oriented| oriented.link).collect(),
                ways: self.impairments.begin(action, &links),
                ..Todo::default()
            }),
            Action::Restore(targets) => self.oriented(targets).map(|links| {
                let ways = self.impairments.restore(&links);
                let idle = ways.is_empty().then(|| "restore had no effect: it was as the topology says already".to_owned());
                Todo { ways, warnings: idle.into_iter().collect(), ..Todo::default() }
            }),
            Action::Partition(cut) => {
                let is_new = self.partitions.begin(action, cut);
                let known = (!is_new).then(|| "partition had no effect: nothing passed there already".to_owned());
                let nodes: BTreeSet<usize> = cut.from.iter().chain(&cut.to).map(|node| node.index()).collect();
                Ok(Todo {
                    barriers: self.barriers(),
                    meets: self.wires_of(&nodes),
                    warnings: known.into_iter().collect(),
                    ..Todo::default()
                })
            }
            Action::Isolate(nodes) => Ok(self.isolate(nodes)),
            Action::Heal(healed) => Ok(self.end_of_cuts(healed)),
            _ => return None,
        })
    }

    /// Undoes an action that the wires carried out; `None`: it is another.
    pub(super) fn unshape(&mut self, action: &Action) -> Option<Result<Todo, LabError>> {
        Some(match action {
            Action::Impair { targets, .. } => {
                self.oriented(targets).map(|links| Todo { ways: self.impairments.end(action, &links), ..Todo::default() })
            }
            Action::Partition(_) => {
                self.partitions.end(action);
                Ok(Todo { barriers: self.barriers(), ..Todo::default() })
            }
            Action::Isolate(nodes) => Ok(self.join(nodes)),
            _ => return None,
        })
    }

    /// The links of targets, each once, with the way that `forward` means.
    fn oriented(&self, targets: &[Target]) -> Result<Vec<Oriented>, LabError> {
        let mut all = BTreeSet::new();
        for target in targets {
            let (links, ..) = self.links_of(target)?;
            let node = match target {
                Target::Link(_) => None,
                Target::Node(node) | Target::Interface(node, _) => Some(node.index()),
            };
            for link in links.into_iter().filter(|link| self.is_carried(*link)) {
                let ends = &self.layout.links[link].ends;
                all.insert(Oriented { link, reversed: node.is_some_and(|node| ends[0].node != node) });
            }
        }
        // One link by both of its nodes: the later way of speaking of it counts.
        Ok(all.into_iter().collect())
    }

    /// The wires that end at nodes.
    fn wires_of(&self, nodes: &BTreeSet<usize>) -> BTreeSet<usize> {
        let ends = |link: &usize| self.layout.links[*link].ends.iter().any(|end| nodes.contains(&end.node));
        (0..self.layout.links.len()).filter(|link| self.is_carried(*link)).filter(ends).collect()
    }

    /// Each of these nodes is alone.
    fn isolate(&mut self, nodes: &[NodeId]) -> Todo {
        let mut todo = Todo::default();
        let mut changed = Vec::new();
        for node in nodes {
            let mut is_new = false;
            for link in self.wires_of(&BTreeSet::from([node.index()])) {
                let holders = self.holders(link, Sort::Silence);
                if holders.is_empty() {
                    changed.push(link);
                }
                is_new |= holders.insert(Cause::Isolation(node.0));
            }
            if !is_new {
                todo.warnings.push(format!("isolate {} had no effect: it was so already", self.nodes[node.index()].name));
            }
        }
        self.change(&changed, Sort::Silence, true, &mut todo);
        todo
    }

    /// They are so no longer.
    fn join(&mut self, nodes: &[NodeId]) -> Todo {
        let mut todo = Todo::default();
        let mut freed = BTreeSet::new();
        for node in nodes {
            for link in self.wires_of(&BTreeSet::from([node.index()])) {
                if self.holders(link, Sort::Silence).remove(&Cause::Isolation(node.0)) && self.holders(link, Sort::Silence).is_empty() {
                    freed.insert(link);
                }
            }
        }
        let freed: Vec<usize> = freed.into_iter().collect();
        self.change(&freed, Sort::Silence, false, &mut todo);
        todo
    }

    /// Partitions and isolations end.
    fn end_of_cuts(&mut self, healed: &Healed) -> Todo {
        let everyone = || (0u32..).zip(&self.nodes).map(|(id, _)| NodeId(id)).collect::<Vec<_>>();
        let (held, nodes) = match healed {
            Healed::All => {
                let nodes = everyone();
                (self.partitions.heal_all(), nodes)
            }
            Healed::Between(cut) => (self.partitions.heal(cut), Vec::new()),
            Healed::Nodes(nodes) => (false, nodes.clone()),
        };
        let mut todo = self.join(&nodes);
        todo.barriers = self.barriers();
        if !held && todo.cuts.is_empty() {
            todo.warnings.push("heal had no effect: nothing was cut off there".to_owned());
        }
        todo
    }

    /// What every wire bars now.
    pub(super) fn barriers(&self) -> super::partitions::Barriers {
        let wires = (0..self.layout.links.len()).filter(|link| self.is_carried(*link)).map(|link| {
            let ends = &self.layout.links[link].ends;
            (link, [0, 1].map(|end: usize| ends[end].bridge.is_none().then_some(ends[end].node)))
        });
        self.partitions.barriers(wires, self.whose())
    }

    /// Who has which address now.
    fn whose(&self) -> Owners {
        let mut owners = Owners { ranges: self.sources.clone(), ..Owners::default() };
        for (number, node) in self.nodes.iter().enumerate() {
            for interface in &node.interfaces {
                owners.macs.insert(interface.mac, number);
                owners.addresses.extend(interface.addresses.iter().map(|prefix| (prefix.address, number)));
            }
        }
        owners
    }
}
