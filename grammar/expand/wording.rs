//! Statements in their own words, for people: as written, on one line, with the values of loops and parameters of templates in place
//! of their names. In: a place and the expressions in it. Out: text. Computes nothing.

use super::draft::Draft;
use super::evaluate::DEPTH_LIMIT;
use super::stars::{Picks, parts};
use super::value::Value;
use crate::source::Span;
use crate::syntax::tree::{Block, Expr, ExprKind, Index, Indexed, Nested, Operand, TreeOption, Verb};

/// What stands at a place instead of what is written there.
type Changes = Vec<(Span, String)>;

impl Draft<'_, '_> {
    /// The words of a place in which these expressions stand.
    pub(super) fn words_with(&self, span: Span, exprs: &[&Expr], picks: Option<&Picks>) -> String {
        let mut changes = Changes::new();
        exprs.iter().for_each(|expr| self.change(expr, picks, &mut changes, 0));
        self.changed(span, changes)
    }

    /// The words of a verb.
    pub(super) fn verb_words(&self, verb: &Verb) -> String {
        let mut changes = Changes::new();
        for operand in &verb.operands {
            if let Operand::Value(expr) = operand {
                self.change(expr, None, &mut changes, 0);
            }
        }
        self.change_options(&verb.options, &mut changes, 0);
        self.changed(verb.span, changes)
    }

    fn change_options(&self, options: &Block<TreeOption>, changes: &mut Changes, depth: usize) {
        for nested in options {
            if let Nested::Statement(option) = nested
                && depth < DEPTH_LIMIT
            {
                option.values.iter().for_each(|value| self.change(value, None, changes, 0));
                self.change_options(&option.block, changes, depth + 1);
            }
        }
    }

    fn change(&self, expr: &Expr, picks: Option<&Picks>, changes: &mut Changes, depth: usize) {
        if depth > DEPTH_LIMIT {
            return;
        }
        if let ExprKind::Path(path) | ExprKind::Call(path, _) = &expr.kind {
            self.change_path(path, picks, changes, depth);
        }
        parts(expr).into_iter().for_each(|part| self.change(part, picks, changes, depth + 1));
    }

    fn change_path(&self, path: &[Indexed], picks: Option<&Picks>, changes: &mut Changes, depth: usize) {
        if let Some((span, name)) = picks.and_then(|picks| self.picked(path, picks)) {
            changes.push((span, name));
            return;
        }
        if let Some(first) = path.first()
            && let Some(value) = self.inner_value(&first.name.text)
        {
            match value {
                Value::Things(things) => changes.push((first.name.span, things.words.clone())),
                other if path.len() == 1 => changes.push((first.name.span, other.to_string())),
                Value::Word(word) => changes.push((first.name.span, word.clone())),
                _ => {}
            }
        }
        for index in path.iter().filter_map(|part| part.index.as_ref()) {
            match index {
                Index::All => {}
                Index::One(expr) => self.change(expr, None, changes, depth + 1),
                Index::Range(a, b) => [a, b].into_iter().for_each(|expr| self.change(expr, None, changes, depth + 1)),
            }
        }
    }

    /// The value of a name of a loop or of a template's parameter.
    fn inner_value(&self, name: &str) -> Option<&Value> {
        let inner = self.scope.layers.get(self.moments.plain_layers..)?;
        inner.iter().rev().find_map(|layer| layer.get(name))?.value.as_ref()
    }

    /// The thing that a path with `[*]` stands for now: the place of its name with the index, and its own name.
    fn picked(&self, path: &[Indexed], picks: &Picks) -> Option<(Span, String)> {
        let (first, bound) = (path.first()?, path.first().and_then(|first| self.inner_value(&first.name.text)));
        if let Some(Value::Things(things)) = bound {
            let id = picks.of(things)?;
            return Some((first.name.span, self.thing_name(things.kind, id)?));
        }
        // The longest beginning of the path that was picked by its words.
        (1..=path.len()).rev().find_map(|used| {
            let span = first.span.to(path.get(used - 1)?.span);
            let (kind, id) = picks.named(&self.context.words(span))?;
            Some((span, self.thing_name(kind, id)?))
        })
    }

    fn changed(&self, span: Span, mut changes: Changes) -> String {
        changes.sort_by_key(|(place, _)| place.start);
        let text = self.context.sources.text(span);
        let (mut made, mut at) = (String::with_capacity(text.len()), span.start);
        for (place, new) in changes {
            if place.file != span.file || place.start < at || place.end > span.end {
                continue;
            }
            made.push_str(self.context.sources.text(Span { start: at, end: place.start, ..span }));
            made.push_str(&new);
            at = place.end;
        }
        made.push_str(self.context.sources.text(Span { start: at, ..span }));
        made.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
