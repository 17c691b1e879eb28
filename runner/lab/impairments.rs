//! What each way of each link does at the moment: the topology's, and on top what entries of the timeline have set. In: impairments that begin
//! and end. Out: changes for the wires. An impairment that ends uncovers the one below it; one that is covered ends without a change.

use scn_grammar::scenario::timeline::Action;
use scn_grammar::scenario::topology::Impairment;

/// A way that is to do something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The link's position in the plan.
    pub(crate) link: usize,
    /// The end where its frames enter.
    pub(crate) end: usize,
    /// What it is to do.
    pub(crate) does: Impairment,
    /// Evenly over this long, ns.
    pub(crate) over_ns: u64,
}

/// A link as one target of an action means it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Oriented {
    pub(super) link: usize,
    /// `forward` is from the second end: the node or interface that was named is there.
    pub(super) reversed: bool,
}

/// What one action set on one link.
#[derive(Debug, Clone)]
struct Layer {
    /// The action, by which it is found when it is undone.
    by: Action,
    does: [Option<Impairment>; 2],
}

/// All links.
#[derive(Debug)]
pub(crate) struct Impairments {
    said: Vec<[Impairment; 2]>,
    layers: Vec<Vec<Layer>>,
}

impl Impairments {
    /// As the topology says.
    pub(super) fn new(said: Vec<[Impairment; 2]>) -> Self {
        Impairments { layers: vec![Vec::new(); said.len()], said }
    }

    /// An action begins on these links.
    pub(super) fn begin(&mut self, by: &Action, links: &[Oriented]) -> Vec<Change> {
        let Action::Impair { forward, back, over_ns, .. } = by else { return Vec::new() };
        let mut changes = Vec::new();
        for Oriented { link, reversed } in links {
            let does = if *reversed { [back.clone(), forward.clone()] } else { [forward.clone(), back.clone()] };
            for (end, does) in does.iter().enumerate() {
                changes.extend(does.clone().map(|does| Change { link: *link, end, does, over_ns: *over_ns }));
            }
            self.layers[*link].push(Layer { by: by.clone(), does });
        }
        changes
    }

    /// An action is undone on these links.
    pub(super) fn end(&mut self, by: &Action, links: &[Oriented]) -> Vec<Change> {
        let mut changes = Vec::new();
        for Oriented { link, .. } in links {
            let Some(at) = self.layers[*link].iter().position(|layer| layer.by == *by) else { continue };
            let layer = self.layers[*link].remove(at);
            for end in 0..2 {
                let covered = self.layers[*link][at..].iter().any(|above| above.does[end].is_some());
                if layer.does[end].is_some() && !covered {
                    changes.push(self.now(*link, end));
                }
            }
        }
        changes
    }

    /// Links do what the topology says.
    pub(super) fn restore(&mut self, links: &[Oriented]) -> Vec<Change> {
        let mut changes = Vec::new();
        for Oriented { link, .. } in links {
            let gone = std::mem::take(&mut self.layers[*link]);
            let changed = |end: &usize| gone.iter().any(|layer| layer.does[*end].is_some());
            changes.extend((0..2).filter(changed).map(|end| self.now(*link, end)));
        }
        changes
    }

    /// What a way does now, at once.
    fn now(&self, link: usize, end: usize) -> Change {
        let top = self.layers[link].iter().rev().find_map(|layer| layer.does[end].as_ref());
        Change { link, end, does: top.unwrap_or(&self.said[link][end]).clone(), over_ns: 0 }
    }
}

#[cfg(test)]
mod tests {
    use scn_grammar::scenario::LinkId;
    use scn_grammar::scenario::timeline::Target;

    use super::*;

    fn impair(forward: u64, back: Option<u64>) -> Action {
        let [forward, back] = [Some(forward), back].map(|ns| ns.map(Impairment::delaying));
        Action::Impair { targets: vec![Target::Link(LinkId(0))], forward, back, over_ns: 7 }
    }

    fn delays(changes: &[Change]) -> Vec<(usize, u64, u64)> {
        changes.iter().map(|change| (change.end, change.does.fixed_delay_ns().unwrap(), change.over_ns)).collect()
    }

    const HERE: Oriented = Oriented { link: 0, reversed: false };

    #[test]
    fn what_ends_uncovers_what_was_before() {
        let mut all = Impairments::new(vec![[Impairment::delaying(1), Impairment::delaying(2)]]);
        assert_eq!(delays(&all.begin(&impair(10, None), &[HERE])), [(0, 10, 7)]);
        assert_eq!(delays(&all.begin(&impair(20, Some(30)), &[HERE])), [(0, 20, 7), (1, 30, 7)]);
        // Covered: nothing changes until what covers it ends.
        assert_eq!(delays(&all.end(&impair(10, None), &[HERE])), []);
        assert_eq!(delays(&all.end(&impair(20, Some(30)), &[HERE])), [(0, 1, 0), (1, 2, 0)]);
        assert_eq!(delays(&all.end(&impair(20, Some(30)), &[HERE])), []);
    }

    #[test]
    fn restore_ends_all_of_them() {
        let mut all = Impairments::new(vec![[Impairment::delaying(1), Impairment::delaying(2)]]);
        all.begin(&impair(10, None), &[HERE]);
        all.begin(&impair(20, None), &[HERE]);
        assert_eq!(delays(&all.restore(&[HERE])), [(0, 1, 0)]);
        assert_eq!(delays(&all.restore(&[HERE])), []);
    }

    #[test]
    fn forward_leaves_the_node_that_was_named() {
        let mut all = Impairments::new(vec![[Impairment::default(), Impairment::default()]]);
        assert_eq!(delays(&all.begin(&impair(10, None), &[Oriented { link: 0, reversed: true }])), [(1, 10, 7)]);
    }
}
