//! Conditions over measured values. In: expressions. Out: [`Condition`]s, with dimensions checked. The values in them have a file of
//! their own. Measures nothing.

use super::arithmetic::{comparable, is_comparison, verb};
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{DEPTH_LIMIT, bare};
use super::moment_error::MomentError;
use super::stars::{Picks, every_pick};
use super::value::{Value as Known, article};
use crate::quantity::Dimension;
use crate::scenario::expect::{Condition, Shape};
use crate::scenario::metrics::{Measures, MetricRow};
use crate::source::Span;
use crate::syntax::tree::{BinaryOperator, Expr, ExprKind};

impl Draft<'_, '_> {
    /// A condition that an entry waits for: every moment is judged, `[*]` means all of them.
    pub(super) fn watched(&mut self, expr: &Expr) -> Option<Condition> {
        let stars = self.stars(expr)?;
        let condition = if stars.is_empty() {
            self.condition(expr, &Picks::default(), 0)?
        } else {
            let mut all = Vec::new();
            for picks in every_pick(&stars, &Picks::default()) {
                all.push(self.condition(expr, &picks, 0)?);
            }
            Condition::All(all)
        };
        self.only_moments(&condition, "when").then_some(condition)
    }

    /// A condition; `picks` chooses among the things of each `[*]`.
    pub(super) fn condition(&mut self, expr: &Expr, picks: &Picks, depth: usize) -> Option<Condition> {
        let expr = bare(expr);
        if depth > DEPTH_LIMIT {
            self.context.raise(ExpandError::TooDeep { span: expr.span, limit: DEPTH_LIMIT });
            return None;
        }
        match &expr.kind {
            ExprKind::Broken => None,
            ExprKind::Binary(operator @ (BinaryOperator::And | BinaryOperator::Or), left, right) => {
                let (a, b) = (self.condition(left, picks, depth + 1), self.condition(right, picks, depth + 1));
                let both = vec![a?, b?];
                Some(if *operator == BinaryOperator::And { Condition::All(both) } else { Condition::Any(both) })
            }
            ExprKind::Not(inner) => Some(Condition::Not(Box::new(self.condition(inner, picks, depth + 1)?))),
            ExprKind::Binary(operator, left, right) if is_comparison(*operator) => {
                self.comparison(*operator, (left, right), expr.span, picks, depth)
            }
            ExprKind::Binary(BinaryOperator::Matches, left, right) => self.matches(left, right, picks),
            ExprKind::If(chooser, yes, no) => {
                let chosen = if self.chooses(chooser)? { yes } else { no };
                self.condition(chosen, picks, depth + 1)
            }
            _ if self.is_measured(expr, 0) => self.stated(expr, picks, depth),
            _ => {
                match self.context.evaluate(expr, &self.scope)? {
                    Known::Truth(_) => self.context.raise(MomentError::NothingMeasured { span: expr.span }),
                    other => self.context.wrong_type("a condition", &other, expr.span),
                }
                None
            }
        }
    }

    /// The condition of an `if`, which must be known.
    pub(super) fn chooses(&mut self, chooser: &Expr) -> Option<bool> {
        if self.is_measured(chooser, 0) {
            self.context.raise(MomentError::MeasuredChoice { span: chooser.span });
            return None;
        }
        match self.context.evaluate(chooser, &self.scope)? {
            Known::Truth(truth) => Some(truth),
            other => {
                self.context.wrong_type("a condition", &other, chooser.span);
                None
            }
        }
    }

    /// A measured truth that stands alone: `lb.running`.
    fn stated(&mut self, expr: &Expr, picks: &Picks, depth: usize) -> Option<Condition> {
        let found = match self.metric_in(expr, picks) {
            None => article(self.measured(expr, picks, depth + 1)?.1.word()),
            Some(metric) => match metric? {
                (metric, MetricRow { measures: Measures::Truth, .. }) => return Some(Condition::Holds(metric)),
                (_, MetricRow { measures: Measures::Text, .. }) => "a text".to_owned(),
                (metric, _) => article(metric.dimension.word()),
            },
        };
        let help = Some(
            if found == "a text" {
                "say what it must contain: `matches /errors 0/`"
            } else {
                "compare it with something: `== 0`, `< 20ms`"
            }
            .to_owned(),
        );
        self.context.raise(ExpandError::WrongType { expected: "a condition".into(), found, span: expr.span, help });
        None
    }

    /// `counters.output matches /errors 0/`.
    fn matches(&mut self, left: &Expr, right: &Expr, picks: &Picks) -> Option<Condition> {
        let regex = match self.context.evaluate(right, &self.scope) {
            Some(Known::Regex(regex)) => Some(regex),
            Some(other) => {
                self.context.wrong_type("a regex such as `/errors 0/`", &other, right.span);
                None
            }
            None => None,
        };
        let found = match self.metric_in(left, picks) {
            Some(metric) => match metric? {
                (metric, MetricRow { measures: Measures::Text, .. }) => return Some(Condition::Matches { metric, regex: regex? }),
                (_, MetricRow { measures: Measures::Truth, .. }) => "a condition".to_owned(),
                (metric, _) => article(metric.dimension.word()),
            },
            None if self.is_measured(left, 0) => article(self.measured(left, picks, 0)?.1.word()),
            None => self.context.evaluate(left, &self.scope)?.words(),
        };
        let help = Some("texts are the `output` of a `run` and the `output` and `log` of a process".to_owned());
        self.context.raise(ExpandError::WrongType { expected: "a measured text".into(), found, span: left.span, help });
        None
    }

    fn comparison(
        &mut self,
        operator: BinaryOperator,
        sides: (&Expr, &Expr),
        span: Span,
        picks: &Picks,
        depth: usize,
    ) -> Option<Condition> {
        let (left, right) = sides;
        if !self.is_measured(left, 0) && !self.is_measured(right, 0) {
            let fine = self.context.evaluate(left, &self.scope).is_some() & self.context.evaluate(right, &self.scope).is_some();
            if fine {
                self.context.raise(MomentError::NothingMeasured { span });
            }
            return None;
        }
        let (a, b) = (self.measured(left, picks, depth + 1), self.measured(right, picks, depth + 1));
        let ((a, a_dimension), (b, b_dimension)) = (a?, b?);
        if !comparable(a_dimension, b_dimension) {
            self.unlike(operator, (a_dimension, left.span), (b_dimension, right.span), span);
            return None;
        }
        Some(Condition::Compare { operator, left: a, right: b })
    }

    /// Reports two dimensions that do not go together.
    pub(super) fn unlike(&mut self, operator: BinaryOperator, a: (Dimension, Span), b: (Dimension, Span), span: Span) {
        let (left, right) = (article(a.0.word()), article(b.0.word()));
        self.context.raise(ExpandError::DimensionMismatch {
            verb: verb(operator),
            left,
            right,
            operator: span,
            left_span: a.1,
            right_span: b.1,
        });
    }

    /// Reports metrics that need an interval in a condition that is judged at every moment.
    pub(super) fn only_moments(&mut self, condition: &Condition, who: &'static str) -> bool {
        let wrong = condition.metrics().into_iter().find(|metric| metric.shape == Shape::Interval);
        if let Some(metric) = wrong {
            let (metric, span) = (metric.name.clone(), metric.span);
            self.context.raise(MomentError::NeedsMoment { who, metric, span });
            return false;
        }
        true
    }
}
