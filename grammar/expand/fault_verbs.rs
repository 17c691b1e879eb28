//! Verbs on links and on what nodes hear of each other: cuts, impairments, partitions. In: operands. Out: [`Action`]s.

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::word;
use super::verbs::{Done, Wrong, flat};
use crate::scenario::NodeId;
use crate::scenario::timeline::{Action, Cut, Healed, Target};
use crate::source::Span;
use crate::syntax::tree::{Expr, Verb};

/// Takes `one way` off the end of a partition's second set.
fn one_way<'v, 'e>(to: &'v [&'e Expr]) -> (&'v [&'e Expr], bool) {
    match to {
        [before @ .., one, way] if word(one) == Some("one") && word(way) == Some("way") => (before, true),
        _ => (to, false),
    }
}

impl Draft<'_, '_> {
    /// What several operands name, each of them looked at.
    fn targets(&mut self, what: &[&Expr]) -> Result<Vec<Target>, Wrong> {
        let mut targets: Vec<Target> = Vec::new();
        let mut fine = true;
        for expr in flat(what) {
            match self.fault_targets(expr)? {
                Some(more) => targets.extend(more),
                None => fine = false,
            }
        }
        if fine { Ok(targets) } else { Err(Wrong::Reported) }
    }

    pub(super) fn fault(&mut self, verb: &str, what: &[&Expr]) -> Done {
        let targets = self.targets(what)?;
        Ok(vec![match verb {
            "down" => Action::Down(targets),
            "up" => Action::Up(targets),
            "silence" => Action::Silence(targets),
            "unsilence" => Action::Unsilence(targets),
            _ => Action::Restore(targets),
        }])
    }

    pub(super) fn impair(&mut self, what: &[&Expr], over: Option<&Expr>, verb: &Verb) -> Done {
        let targets = self.targets(what);
        let over_ns = match over {
            Some(over) => self.context.duration("`over`", over, 0, &self.scope),
            None => Some(0),
        };
        let tunnel = targets.as_ref().is_ok_and(|targets| self.names_tunnel(targets, verb.span));
        if verb.options.is_empty() {
            return Err(Wrong::Form);
        }
        let ways = self.impair_ways(&verb.options);
        let (targets, Some(over_ns), Some(ways)) = (targets?, over_ns, ways) else { return Err(Wrong::Reported) };
        if tunnel {
            return Err(Wrong::Reported);
        }
        Ok(vec![Action::Impair { targets, forward: ways.forward, back: ways.back, over_ns }])
    }

    /// Reports a tunnel among links that are to be impaired: its packets take what the links below it do.
    fn names_tunnel(&mut self, targets: &[Target], span: Span) -> bool {
        let links = &self.scenario.topology.links;
        let tunnel = targets.iter().find_map(|target| match target {
            Target::Link(id) => links.get(id.index()).filter(|link| link.kind != crate::scenario::topology::LinkKind::Wire),
            _ => None,
        });
        let Some(tunnel) = tunnel else { return false };
        let (message, other) = (format!("the tunnel `{}` has no impairment of its own", tunnel.name), tunnel.span);
        let help = "impair the links below it".to_owned();
        self.context.raise(ExpandError::OptionConflict { message, span, other, help });
        true
    }

    /// Hosts that several operands name.
    fn hosts(&mut self, what: &[&Expr], can: &'static str) -> Result<Option<Vec<NodeId>>, Wrong> {
        let mut nodes: Vec<NodeId> = Vec::new();
        let mut fine = true;
        for expr in flat(what) {
            match self.hosts_in(expr, can)? {
                Some(more) => nodes.extend(more),
                None => fine = false,
            }
        }
        Ok(fine.then_some(nodes))
    }

    /// Two sets of nodes without a node in common.
    fn sides(&mut self, from: &[&Expr], to: &[&Expr]) -> Result<Cut, Wrong> {
        let (to, one_way) = one_way(to);
        let place = |all: &[&Expr]| Some(all.first()?.span.to(all.last()?.span));
        let (Some(first), Some(second)) = (place(from), place(to)) else { return Err(Wrong::Form) };
        let (from, to) = (self.hosts(from, "be cut off by a partition")?, self.hosts(to, "be cut off by a partition")?);
        let (Some(from), Some(to)) = (from, to) else { return Err(Wrong::Reported) };
        if from.is_empty() || to.is_empty() {
            return Err(Wrong::Form);
        }
        if let Some(both) = from.iter().find(|node| to.contains(node)) {
            let name = self.scenario.topology.nodes.get(both.index()).map(|node| node.name.clone()).unwrap_or_default();
            let (message, help) = (format!("`{name}` is on both sides"), "leave it out of one of them".to_owned());
            self.context.raise(ExpandError::OptionConflict { message, span: second, other: first, help });
            return Err(Wrong::Reported);
        }
        Ok(Cut { from, to, one_way })
    }

    pub(super) fn partition(&mut self, from: &[&Expr], to: &[&Expr]) -> Done {
        Ok(vec![Action::Partition(self.sides(from, to)?)])
    }

    pub(super) fn heal_between(&mut self, from: &[&Expr], to: &[&Expr]) -> Done {
        Ok(vec![Action::Heal(Healed::Between(self.sides(from, to)?))])
    }

    pub(super) fn heal_nodes(&mut self, nodes: &[&Expr]) -> Done {
        let nodes = self.hosts(nodes, "be healed")?.ok_or(Wrong::Reported)?;
        Ok(vec![Action::Heal(Healed::Nodes(nodes))])
    }

    /// `isolate` and `vanish`.
    pub(super) fn nodes_alone(&mut self, verb: &str, nodes: &[&Expr]) -> Done {
        let vanishes = verb == "vanish";
        let nodes = self.hosts(nodes, if vanishes { "vanish" } else { "be isolated" })?.ok_or(Wrong::Reported)?;
        Ok(vec![if vanishes { Action::Vanish(nodes) } else { Action::Isolate(nodes) }])
    }
}
