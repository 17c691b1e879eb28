//! Templates of topologies, actions and checks: called with their arguments, entered with their own names, checked when nobody calls
//! them. In: calls. Out: the statements of the template, handed to the caller. Expands no statement itself.

use std::rc::Rc;

use super::calls::{ACTION, CHECK, Callable, Given, TOPOLOGY, Written};
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::Scope;
use super::params::declared_type;
use super::things::{Frame, ThingKind};
use super::value::{Type, Value};
use crate::quantity::Dimension;
use crate::resolve::ResolveError;
use crate::source::Span;
use crate::syntax::tree::{
    Argument, Block, Call, ExpectStatement, Expr, ExprKind, Index, Indexed, ParamDecl, Template, TimelineStatement, TopologyStatement,
};

/// Templates that call templates: at most so many within each other.
const CALL_DEPTH: usize = 32;

/// A call takes about as long as so many statements of a loop, and counts as much.
const CALL_COST: u64 = 5;

/// A template with its arguments, ready to be entered.
#[derive(Debug)]
pub struct Called<'a, S> {
    /// The declaration.
    pub template: &'a Template<S>,
    /// Where its names are looked up, its parameters among them.
    pub scope: Scope,
    /// The call.
    pub span: Span,
}

/// The call of a check.
pub type CalledCheck<'a> = Called<'a, ExpectStatement>;
/// The call of an action.
pub type CalledAction<'a> = Called<'a, TimelineStatement>;

/// A template that is being expanded.
#[derive(Debug, Clone)]
pub struct Open {
    /// The name in its declaration.
    pub declared: Span,
    /// Its name.
    pub name: String,
}

impl<'a> Draft<'_, 'a> {
    /// The check that a call names; `what` is the condition of an expectation.
    pub fn called_check(&mut self, what: &Expr) -> Option<CalledCheck<'a>> {
        self.called(&Written::of(what)?, &CHECK)
    }

    /// The condition of an expectation is the call of a check. Reports nothing.
    #[must_use]
    pub fn is_check(&self, what: &Expr) -> bool {
        matches!(super::evaluate::bare(what).kind, ExprKind::Call(..))
            && Written::of(what).is_some_and(|written| self.context.has_declared(&written.path, &CHECK, &self.scope))
    }

    /// The action that the operand of `call` names.
    pub fn called_action(&mut self, what: &Expr) -> Option<CalledAction<'a>> {
        self.called(&Written::of(what)?, &ACTION)
    }

    /// A template with its arguments. `None`: unknown, or the arguments do not fit, which was reported.
    fn called<S>(&mut self, written: &Written<'_>, wanted: &Callable<Template<S>>) -> Option<Called<'a, S>> {
        let scope = self.scope.clone();
        let (found, mut inner) = self.context.find_declared(&written.path, wanted, &scope)?;
        let template = found.declaration;
        let chosen = self.context.match_arguments(&template.name, &template.params, written.arguments)?;
        let given = template.params.iter().zip(chosen).map(|(param, argument)| self.given(param, argument)).collect();
        let (names, _) = self.context.bind(&template.name, &template.params, given, written.span, &inner);
        inner.layers.push(Rc::new(names));
        Some(Called { template, scope: inner, span: written.span })
    }

    /// What a parameter gets: for one that stands for things, what the argument names.
    fn given(&mut self, param: &ParamDecl, argument: Option<&Argument>) -> Given {
        let Some(argument) = argument else { return Given::Default };
        let expr = &argument.value;
        let kind = declared_type(self.context, param).flatten();
        let value = match (kind, &super::evaluate::bare(expr).kind) {
            (Some(Type::Thing(kind)), ExprKind::Path(parts)) => {
                let word = ThingKind::TYPES.iter().find(|(_, found)| *found == kind).map_or("thing", |(word, _)| word);
                self.things_of(parts, &[kind], word).map(Value::Things)
            }
            (None, ExprKind::Path(parts)) if self.thing_kind(parts).is_some() => {
                let all: Vec<ThingKind> = ThingKind::TYPES.iter().map(|(_, kind)| *kind).collect();
                self.things_of(parts, &all, "thing").map(Value::Things)
            }
            _ => self.context.evaluate(expr, &self.scope),
        };
        Given::Value(value, expr.span)
    }

    /// Enters a template: its statements are handed over with its own names in scope. `None`: it is being expanded already, or
    /// templates call each other too deep, which was reported.
    pub fn within<S, R>(&mut self, called: &Called<'a, S>, frame: Frame, run: impl FnOnce(&mut Self, &'a Block<S>) -> R) -> Option<R> {
        let name = &called.template.name;
        if let Some(from) = self.context.open.iter().position(|open| open.declared == name.span) {
            let way = self.context.open[from..].iter().map(|open| open.name.as_str()).chain([name.text.as_str()]);
            let chain = way.collect::<Vec<_>>().join(" -> ");
            self.context.raise(ResolveError::CallCycle { what: "a template", chain, span: called.span, declared: name.span });
            return None;
        }
        if self.context.open.len() >= CALL_DEPTH {
            self.context.raise(ExpandError::TooDeep { span: called.span, limit: CALL_DEPTH });
            return None;
        }
        for _ in 0..CALL_COST {
            if !self.context.count_unrolled(Some(called.span)) {
                return None;
            }
        }
        self.context.open.push(Open { declared: name.span, name: name.text.clone() });
        let outer = std::mem::replace(&mut self.scope, called.scope.clone());
        let result = self.in_frame(frame, |draft| run(draft, &called.template.body));
        self.scope = outer;
        self.context.open.pop();
        Some(result)
    }

    /// The frame of a template that declares its names among those of its caller: a topology without `as`, a check.
    #[must_use]
    pub fn same_frame(&self, scope: &Scope) -> Frame {
        Frame { outer: scope.inside, ..self.context.things.frame().clone() }
    }

    /// The frame of a template whose things are `NAME.thing`. `None`: its index is wrong, which was reported.
    pub fn named_frame(&mut self, name: &Indexed, scope: &Scope) -> Option<Frame> {
        let index = match &name.index {
            None => None,
            Some(Index::One(expr)) => Some(self.context.base_units(expr, Dimension::Count, &self.scope)?),
            Some(Index::All | Index::Range(..)) => {
                let (word, form) = (self.context.words(name.span), format!("as {}[i]", name.name.text));
                self.context.raise(ExpandError::OptionForm { name: word, form, span: name.span });
                return None;
            }
        };
        let outer = self.context.things.frame();
        let word = &name.name.text;
        let shown = index.map_or_else(|| word.clone(), |index| format!("{word}[{index}]"));
        Some(Frame {
            prefix: format!("{}{word}.", outer.prefix),
            shown: format!("{}{shown}.", outer.shown),
            indexed: outer.indexed.iter().copied().chain([index.is_some()]).collect(),
            at: outer.at.iter().copied().chain(index).collect(),
            outer: scope.inside,
        })
    }

    /// The frame of the call of an action: its events are `NAME.event` if it has a name, and nobody else's otherwise. The passes over a
    /// timeline must make the same calls in the same order, each after [`Draft::restart_calls`].
    pub fn action_frame(&mut self, called: &CalledAction<'a>, name: Option<&Indexed>) -> Option<Frame> {
        if let Some(name) = name {
            return self.named_frame(name, &called.scope);
        }
        self.calls += 1;
        let word = &called.template.name.text;
        let outer = self.context.things.frame();
        let shown = if self.calls == 1 { format!("{}{word}.", outer.shown) } else { format!("{}{word}#{}.", outer.shown, self.calls) };
        // `#` begins a comment, so no path can name what is in here.
        Some(Frame { prefix: format!("#{}.", self.calls), shown, indexed: Vec::new(), at: Vec::new(), outer: called.scope.inside })
    }

    /// Begins a pass over a timeline.
    pub fn restart_calls(&mut self) {
        self.calls = 0;
    }

    /// The statements of a topology's template, called with or without `as NAME`. The first pass declares that name.
    pub fn topology_call<R>(
        &mut self,
        call: &Call,
        name: Option<&Indexed>,
        first: bool,
        run: impl FnOnce(&mut Self, &'a Block<TopologyStatement>) -> R,
    ) -> Option<R> {
        let called = self.called(&Written::call(call), &TOPOLOGY);
        let frame = match name {
            None => self.same_frame(&Scope::default()),
            Some(name) => {
                if first {
                    let slot = self.declare(ThingKind::Instance, name, 1)?;
                    self.define(&slot, 0);
                }
                self.named_frame(name, &Scope::default())?
            }
        };
        self.within(&called?, frame, run)
    }
}
