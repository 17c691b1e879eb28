//! Variants of a scenario: the values of its matrices, combined. In: `matrix` and `except`. Out: which combination a variant is, and
//! which are left out. Expands no variant.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Scope, bare, word};
use super::params::{declared_type, written};
use super::value::Value;
use crate::quantity::{Dimension, Quantity};
use crate::resolve::ResolveError;
use crate::scenario::Param;
use crate::source::Span;
use crate::syntax::tree::{Expr, ExprKind, Name, ScenarioDecl, ScenarioPart, plain};

/// Variants of one scenario: at most so many, those left out by `except` counted.
pub const MATRIX_LIMIT: u64 = 256;

/// Which value each matrix of a scenario has in a variant, and how many it could have.
#[derive(Debug, Default, Clone)]
pub struct Picks {
    /// For each matrix in the order of the text: the position of its value.
    pub positions: Vec<usize>,
    /// For each matrix met: how many values it has.
    pub lengths: Vec<usize>,
}

impl Picks {
    /// The next combination, the last matrix fastest; `false`: there is none.
    pub fn advance(&mut self, lengths: &[usize]) -> bool {
        self.positions.resize(lengths.len(), 0);
        for (position, length) in self.positions.iter_mut().zip(lengths).rev() {
            *position += 1;
            if *position < *length {
                return true;
            }
            *position = 0;
        }
        false
    }
}

/// How many combinations there are.
#[must_use]
pub fn combinations(lengths: &[usize]) -> u64 {
    lengths.iter().fold(1, |product: u64, length| product.saturating_mul(*length as u64))
}

impl<'a> Draft<'_, 'a> {
    /// Takes a matrix in: its name gets the value of this variant.
    pub(super) fn matrix(&mut self, scenario: &'a ScenarioDecl, name: &'a Name, values: &'a Expr) {
        let all = self.matrix_values(scenario, name, values);
        let chosen = all.and_then(|all| self.pick(name, all));
        if let Some((value, set)) = &chosen {
            self.scenario.matrix.push(Param { name: name.text.clone(), value: written(value), set: *set });
        }
        self.introduce(&name.text, name.span, chosen.map(|(value, _)| value));
    }

    /// The value of this variant; the flag: it was picked from outside.
    fn pick(&mut self, name: &Name, all: Vec<Value>) -> Option<(Value, bool)> {
        let place = self.picks.lengths.len();
        let given = self.context.given;
        if let Some(given) = given.get(&name.text) {
            self.picks.lengths.push(1);
            let expr = given.value.as_ref()?;
            let outside = Scope { module: self.scope.module, ..Scope::default() };
            let value = match word(bare(expr)) {
                Some(text) if outside.find(self.context, text).is_none() => Value::Word(text.to_owned()),
                _ => self.context.evaluate(expr, &outside)?,
            };
            if !all.contains(&value) {
                let all = all.iter().map(written).collect::<Vec<_>>().join(", ");
                self.context.raise(ExpandError::NotInMatrix { name: name.text.clone(), all, span: given.span, declared: name.span });
                return None;
            }
            return Some((value, true));
        }
        self.picks.lengths.push(all.len());
        let position = self.picks.positions.get(place).copied().unwrap_or(0);
        all.into_iter().nth(position).map(|value| (value, false))
    }

    /// All values of a matrix. `None`: wrong, which was reported.
    fn matrix_values(&mut self, scenario: &'a ScenarioDecl, name: &Name, values: &Expr) -> Option<Vec<Value>> {
        let param = plain(&scenario.body).find_map(|part| match part {
            ScenarioPart::Param(param) if param.name.text == name.text => Some(param),
            _ => None,
        });
        let kind = param.and_then(|param| declared_type(self.context, param)).flatten();
        let mut found: Vec<(Value, Span)> = Vec::new();
        match &bare(values).kind {
            ExprKind::List(items) => {
                for item in items {
                    let free = word(bare(item)).filter(|text| self.scope.find(self.context, text).is_none());
                    let value = match free {
                        Some(text) => Value::Word(text.to_owned()),
                        None => self.context.evaluate(item, &self.scope)?,
                    };
                    found.push((value, item.span));
                }
            }
            _ => match self.context.evaluate(values, &self.scope)? {
                Value::List(all) => found.extend(all.into_iter().map(|value| (value, values.span))),
                Value::Range(first, last) if first.dimension == Dimension::Count => {
                    let count = last.value.abs_diff(first.value).saturating_add(1);
                    if count > MATRIX_LIMIT {
                        self.too_many_variants(count, values.span);
                        return None;
                    }
                    let all = (first.value..=last.value).map(|value| Value::Quantity(Quantity::new(Dimension::Count, value)));
                    found.extend(all.map(|value| (value, values.span)));
                }
                other => {
                    self.context.wrong_type("a list or a range of counts", &other, values.span);
                    return None;
                }
            },
        }
        if found.is_empty() {
            self.context.raise(ExpandError::EmptyMatrix { why: format!("the matrix `{}` has no value", name.text), span: values.span });
            return None;
        }
        if let (Some(kind), Some(param)) = (kind, param) {
            let typed = found.into_iter().map(|(value, span)| Some((self.context.typed(param, Some(kind), value, span)?, span)));
            found = typed.collect::<Option<_>>()?;
        }
        self.check_values(&found)?;
        Some(found.into_iter().map(|(value, _)| value).collect())
    }

    /// Reports values that stand twice, and words that are noted to compare with.
    fn check_values(&mut self, found: &[(Value, Span)]) -> Option<()> {
        if found.len() as u64 > MATRIX_LIMIT {
            self.too_many_variants(found.len() as u64, found.first().map_or(Span::default(), |(_, span)| *span));
            return None;
        }
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for (value, span) in found {
            if let Some(first) = seen.insert(written(value), *span) {
                self.context.raise(ExpandError::OptionTwice { name: written(value), span: *span, first });
                return None;
            }
            if let Value::Word(word) = value {
                self.context.words.insert(word.clone());
            }
        }
        Some(())
    }

    /// Reports too many variants.
    pub(super) fn too_many_variants(&mut self, count: u64, span: Span) {
        self.context.raise(ExpandError::TooLarge { what: "variants of a scenario", count, limit: MATRIX_LIMIT, span });
    }

    /// Leaves this variant out if the condition of an `except` holds.
    pub(super) fn except(&mut self, condition: &Expr) {
        match self.context.evaluate(condition, &self.scope) {
            Some(Value::Truth(truth)) => self.excluded |= truth,
            Some(other) => self.context.wrong_type("a condition", &other, condition.span),
            None => {}
        }
    }

    /// The name with the values of its matrices: `vip_failover[family=ipv6]`.
    pub(super) fn name_variant(&mut self) {
        if !self.scenario.matrix.is_empty() {
            let values: Vec<String> = self.scenario.matrix.iter().map(|param| format!("{}={}", param.name, param.value)).collect();
            self.scenario.name = format!("{}[{}]", self.scenario.name, values.join(","));
        }
    }
}

impl super::Context<'_> {
    /// A word that stands beside one of a matrix in a comparison.
    pub(super) fn matrix_word(&mut self, text: &str, span: Span) -> Option<Value> {
        if self.words.contains(text) {
            return Some(Value::Word(text.to_owned()));
        }
        let help = crate::resolve::suggest::suggest(text, self.words.iter().map(String::as_str));
        self.raise(ResolveError::UnknownName { name: text.into(), span, help });
        None
    }
}
