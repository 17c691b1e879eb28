//! `[*]` in conditions: which paths stand for several things, and each way to pick one of each. In: expressions. Out: stars and picks.
//! Looks at no metric.

use std::rc::Rc;

use super::MEASURED_LIMIT;
use super::draft::Draft;
use super::error::ExpandError;
use super::things::{ThingKind, Things};
use super::value::Value;
use crate::scenario::expect::Fold;
use crate::syntax::tree::{Expr, ExprKind, Index, Indexed};

/// Functions that make one number of several.
pub(super) const FOLDS: &[(&str, Fold)] =
    &[("min", Fold::Min), ("max", Fold::Max), ("sum", Fold::Sum), ("mean", Fold::Mean), ("median", Fold::Median)];
/// What has metrics: also nodes, by their interfaces, and events, by the command that was run.
pub(super) const MEASURED: &[ThingKind] =
    &[ThingKind::Flow, ThingKind::Link, ThingKind::Process, ThingKind::Stress, ThingKind::Node, ThingKind::Event];
/// The same in words.
pub(super) const MEASURED_WORDS: &str = "flow, link, process or stress";

/// The fold that a call is, if it is one.
pub(super) fn fold_of(path: &[Indexed]) -> Option<Fold> {
    let [Indexed { name, index: None, .. }] = path else { return None };
    FOLDS.iter().find(|(word, _)| *word == name.text).map(|(_, fold)| *fold)
}

/// The parts of an expression.
pub(super) fn parts(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Range(a, b) | ExprKind::Binary(_, a, b) => vec![a, b],
        ExprKind::If(a, b, c) => vec![a, b, c],
        ExprKind::Negative(a) | ExprKind::Not(a) | ExprKind::Parenthesis(a) => vec![a],
        ExprKind::List(all) => all.iter().collect(),
        ExprKind::Call(_, arguments) => arguments.iter().map(|argument| &argument.value).collect(),
        _ => Vec::new(),
    }
}

/// Several things of which a condition says something about each.
#[derive(Debug, Clone)]
pub(super) struct Star {
    /// The words in the text: what is written the same means the same one.
    pub words: String,
    /// What they are.
    pub kind: ThingKind,
    /// Their ids.
    pub ids: Rc<[u32]>,
}

/// Which of each star's things is meant, by the star's words.
#[derive(Debug, Clone, Default)]
pub(super) struct Picks(Vec<(String, ThingKind, u32)>);

impl Picks {
    /// The one of these things that is meant. `None`: none was picked.
    pub fn of(&self, things: &Things) -> Option<u32> {
        self.named(&things.words).map(|(_, id)| id)
    }

    /// The one that words stand for.
    pub fn named(&self, words: &str) -> Option<(ThingKind, u32)> {
        self.0.iter().rev().find(|(known, ..)| known == words).map(|(_, kind, id)| (*kind, *id))
    }

    /// The names of all that are picked, in the order of the stars.
    pub fn ids(&self) -> impl Iterator<Item = (ThingKind, u32)> + '_ {
        self.0.iter().map(|(_, kind, id)| (*kind, *id))
    }
}

/// Every way to pick one of each star's things, added to what is picked already; the last star changes fastest.
pub(super) fn every_pick<'s>(stars: &'s [Star], before: &Picks) -> impl Iterator<Item = Picks> + use<'s> {
    let (count, before) = (stars.iter().map(|star| star.ids.len()).product::<usize>(), before.clone());
    (0..count).map(move |number| {
        let (mut picks, mut rest) = (before.clone(), number);
        let mut chosen: Vec<(String, ThingKind, u32)> = Vec::with_capacity(stars.len());
        for star in stars.iter().rev() {
            chosen.push((star.words.clone(), star.kind, star.ids[rest % star.ids.len()]));
            rest /= star.ids.len();
        }
        picks.0.extend(chosen.into_iter().rev());
        picks
    })
}

impl Draft<'_, '_> {
    /// The stars of a condition outside its folds. `None`: one of them is wrong, which was reported.
    pub(super) fn stars(&mut self, expr: &Expr) -> Option<Vec<Star>> {
        let mut found: Vec<Star> = Vec::new();
        let mut open = vec![expr];
        while let Some(expr) = open.pop() {
            let path = match &expr.kind {
                ExprKind::Call(path, _) if fold_of(path).is_some() => continue,
                ExprKind::Path(path) => path,
                ExprKind::Call(path, _) if path.len() > 1 => path,
                _ => {
                    open.extend(parts(expr).into_iter().rev());
                    continue;
                }
            };
            if !self.is_star(path) {
                continue;
            }
            let (things, _) = self.thing_and_rest(path, MEASURED, MEASURED_WORDS)?;
            if things.many && found.iter().all(|star| star.words != things.words) {
                found.push(Star { words: things.words, kind: things.kind, ids: things.ids });
            }
        }
        let ways = found.iter().try_fold(1u64, |ways, star| ways.checked_mul(star.ids.len() as u64)).unwrap_or(u64::MAX);
        if ways > MEASURED_LIMIT {
            let what = "ways to take one of each `[*]` of a condition";
            self.context.raise(ExpandError::TooLarge { what, count: ways, limit: MEASURED_LIMIT, span: expr.span });
            return None;
        }
        Some(found)
    }

    /// A path may stand for several things that are measured.
    fn is_star(&self, path: &[Indexed]) -> bool {
        let Some(first) = path.first() else { return false };
        let written = path.iter().any(|part| matches!(part.index, Some(Index::All | Index::Range(..))));
        let bound = self.scope.find(self.context, &first.name.text).and_then(|binding| binding.value.as_ref());
        let many = matches!(bound, Some(Value::Things(things)) if things.many);
        (written || many) && self.thing_kind(path).is_some_and(|kind| MEASURED.contains(&kind))
    }

    /// The name of a thing as it is declared.
    pub(super) fn thing_name(&self, kind: ThingKind, id: u32) -> Option<String> {
        let (at, scenario) = (id as usize, &self.scenario);
        match kind {
            ThingKind::Node => scenario.topology.nodes.get(at).map(|node| node.name.clone()),
            ThingKind::Link => scenario.topology.links.get(at).map(|link| link.name.clone()),
            ThingKind::Flow => scenario.flows.get(at).map(|flow| flow.name.clone()),
            ThingKind::Service => scenario.services.get(at).map(|service| service.name.clone()),
            ThingKind::Process => scenario.processes.get(at).map(|process| process.name.clone()),
            ThingKind::Stress => scenario.stresses.get(at).map(|stress| stress.name.clone()),
            ThingKind::Event => scenario.events.get(at).map(|event| event.name.clone()),
            ThingKind::Instance => None,
        }
    }
}
