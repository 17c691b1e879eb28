//! Which nodes are kept apart from which at the moment. In: partitions that begin and end, and who has which address. Out: barriers for the
//! ways of links. Touches no kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scn_grammar::scenario::timeline::{Action, Cut};

use crate::emulate::{Barrier, Owners, Side};

/// Barriers of each link, by the end where frames enter.
pub(crate) type Barriers = BTreeMap<usize, [Vec<Barrier>; 2]>;

/// All partitions.
#[derive(Debug, Default)]
pub(super) struct Partitions(Vec<Partition>);

#[derive(Debug)]
struct Partition {
    /// The action, by which it is found when it is undone.
    by: Action,
    /// Nothing passes from the first to the second.
    pairs: BTreeSet<(usize, usize)>,
}

/// From whom to whom nothing passes.
fn pairs(cut: &Cut) -> BTreeSet<(usize, usize)> {
    let there = cut.from.iter().flat_map(|from| cut.to.iter().map(move |to| (from.index(), to.index())));
    let back = there.clone().map(|(from, to)| (to, from));
    if cut.one_way { there.collect() } else { there.chain(back).collect() }
}

impl Partitions {
    /// Nothing is kept apart.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One begins. Out: it keeps apart what was not.
    pub(super) fn begin(&mut self, by: &Action, cut: &Cut) -> bool {
        let pairs = pairs(cut);
        let is_new = !pairs.is_subset(&self.all());
        self.0.push(Partition { by: by.clone(), pairs });
        is_new
    }

    /// One is undone. Out: there was such a one.
    pub(super) fn end(&mut self, by: &Action) -> bool {
        let at = self.0.iter().position(|partition| partition.by == *by);
        at.map(|at| self.0.remove(at)).is_some()
    }

    /// Nothing keeps these apart any more, whoever did. Out: something did.
    pub(super) fn heal(&mut self, cut: &Cut) -> bool {
        let healed = pairs(cut);
        let held = self.0.iter().any(|partition| !partition.pairs.is_disjoint(&healed));
        self.0.iter_mut().for_each(|partition| partition.pairs.retain(|pair| !healed.contains(pair)));
        self.0.retain(|partition| !partition.pairs.is_empty());
        held
    }

    /// All end. Out: there was one.
    pub(super) fn heal_all(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }

    fn all(&self) -> BTreeSet<(usize, usize)> {
        self.0.iter().flat_map(|partition| partition.pairs.iter().copied()).collect()
    }

    /// The barriers of every link. In: who is at the ends of each wire; no bridge speaks or hears.
    pub(super) fn barriers(&self, wires: impl Iterator<Item = (usize, [Option<usize>; 2])>, owners: Owners) -> Barriers {
        let (pairs, owners) = (Arc::new(self.all()), Arc::new(owners));
        let speaks: BTreeSet<usize> = pairs.iter().map(|(from, _)| *from).collect();
        let hears: BTreeSet<usize> = pairs.iter().map(|(_, to)| *to).collect();
        let barrier = |here: Option<usize>, side: Side, of: &BTreeSet<usize>| {
            let here = here.filter(|node| of.contains(node))?;
            Some(Barrier { here, side, pairs: Arc::clone(&pairs), owners: Arc::clone(&owners) })
        };
        let of = |(link, ends): (usize, [Option<usize>; 2])| {
            let way = |from: Option<usize>, to: Option<usize>| {
                [barrier(from, Side::Leaving, &speaks), barrier(to, Side::Arriving, &hears)].into_iter().flatten().collect()
            };
            (link, [way(ends[0], ends[1]), way(ends[1], ends[0])])
        };
        wires.map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::NodeId;

    use super::*;

    fn cut(from: &[u32], to: &[u32], one_way: bool) -> Cut {
        Cut { from: from.iter().copied().map(NodeId).collect(), to: to.iter().copied().map(NodeId).collect(), one_way }
    }

    #[test]
    fn overlapping_partitions_end_one_by_one() {
        let mut all = Partitions::default();
        let (first, second) = (cut(&[0], &[1, 2], false), cut(&[0], &[1], true));
        assert!(all.begin(&Action::Partition(first.clone()), &first));
        assert!(!all.begin(&Action::Partition(second.clone()), &second));
        assert!(all.end(&Action::Partition(first.clone())));
        assert_eq!(all.all(), BTreeSet::from([(0, 1)]));
        assert!(!all.end(&Action::Partition(first)));
        assert!(all.heal(&cut(&[1], &[0], false)) && all.is_empty());
        assert!(!all.heal_all());
    }

    #[test]
    fn one_way_is_barred_where_it_leaves_and_where_it_arrives() {
        let mut all = Partitions::default();
        let cut = cut(&[0], &[1], true);
        all.begin(&Action::Partition(cut.clone()), &cut);
        // Node 0 and node 1 each at a bridge, and node 2.
        let wires = [(0, [Some(0), None]), (1, [None, Some(1)]), (2, [Some(2), None])];
        let barriers = all.barriers(wires.into_iter(), Owners::default());
        let sides = |link: usize, end: usize| barriers[&link][end].iter().map(|barrier| (barrier.here, barrier.side)).collect::<Vec<_>>();
        assert_eq!((sides(0, 0), sides(0, 1)), (vec![(0, Side::Leaving)], vec![]));
        assert_eq!((sides(1, 0), sides(1, 1)), (vec![(1, Side::Arriving)], vec![]));
        assert_eq!((sides(2, 0), sides(2, 1)), (vec![], vec![]));
    }
}
