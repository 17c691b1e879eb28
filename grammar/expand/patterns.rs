//! Patterns with their arguments: found by name, types checked, each made once for the same arguments. In: calls. Out:
//! [`Pattern`]s. The steps are `steps`' work, the talk between both sides `talk`'s.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::calls::{Given, PATTERN};
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Names, Scope};
use super::layout::{COURSE_LIMIT, Layout};
use super::params::written;
use super::steps::Steps;
use super::talk::User;
use super::value::Type;
use super::{Context, sized, talk};
use crate::diagnostics::Severity;
use crate::quantity::{Dimension, Quantity};
use crate::resolve::PatternRef;
use crate::resolve::load::DEFAULT_PATTERNS;
use crate::scenario::pattern::Pattern;
use crate::source::{FileId, Span};
use crate::syntax::tree::{
    Argument, Block, Call, ItemKind, Nested, ParamDecl, PatternDecl, ScenarioPart, Step, StepKind, Text, TextPart, plain,
};

/// The pattern of a flow that says none.
const DEFAULT_PATTERN: &str = "sym";

/// Patterns already made, by the place of their declaration, the file of the call, who needs them and the values of their parameters.
/// `None`: wrong, which was reported.
pub type Instances = BTreeMap<(Span, FileId, User, Vec<String>), Option<Pattern>>;

impl<'a> Draft<'_, 'a> {
    /// The pattern of a call, or the default one, filled in, for a flow or service that stands at `place`.
    pub(super) fn instance(&mut self, call: Option<&Call>, place: Span, user: User) -> Option<Pattern> {
        let Some(call) = call else {
            let module = self.context.modules.iter().position(|m| m.name == DEFAULT_PATTERNS)?;
            let found = self.context.modules.get(module)?.declarations.patterns.get(DEFAULT_PATTERN).copied()?;
            return self.filled(found, &[], (place, user), Scope { module, ..Scope::default() });
        };
        let scope = self.scope.clone();
        let (found, inner) = self.context.find_declared(&call.path.iter().collect::<Vec<_>>(), &PATTERN, &scope)?;
        self.filled(found, &call.arguments, (call.span, user), inner)
    }

    /// A pattern with its arguments.
    fn filled(&mut self, found: PatternRef<'a>, arguments: &[Argument], (place, user): (Span, User), inner: Scope) -> Option<Pattern> {
        let declaration = found.declaration;
        let chosen = self.context.match_arguments(&declaration.name, &declaration.params, arguments)?;
        let outer = self.scope.clone();
        let (names, name) = self.context.filled_in(declaration, &chosen, place, &outer, &inner)?;
        // Secrets are shown alike: the key holds the values, not their words.
        let values = names.values().map(|binding| format!("{:?}", binding.value)).collect();
        let key = (declaration.name.span, place.file, user, values);
        if let Some(made) = self.instances.get(&key) {
            return made.clone();
        }
        let made = self.context.make_pattern(declaration, (name, names), inner, place.file, user);
        self.instances.insert(key, made.clone());
        made
    }
}

impl Context<'_> {
    /// The values of a pattern's parameters, and the call as it is shown: `sym(1KiB)`.
    fn filled_in(
        &mut self,
        declaration: &PatternDecl,
        chosen: &[Option<&Argument>],
        user: Span,
        outer: &Scope,
        inner: &Scope,
    ) -> Option<(Names, String)> {
        let mut given = Vec::new();
        for argument in chosen {
            given
                .push(argument.map_or(Given::Default, |argument| Given::Value(self.evaluate(&argument.value, outer), argument.value.span)));
        }
        let (names, fine) = self.bind(&declaration.name, &declaration.params, given, user, inner);
        let shown = |param: &ParamDecl| names.get(&param.name.text).and_then(|binding| binding.value.as_ref()).map(written);
        let shown: Vec<String> = declaration.params.iter().filter_map(shown).collect();
        let name = &declaration.name.text;
        let name = if shown.is_empty() { name.clone() } else { format!("{name}({})", shown.join(", ")) };
        fine.then_some((names, name))
    }

    /// Makes a pattern's steps and checks the talk of both sides.
    fn make_pattern(
        &mut self,
        declaration: &PatternDecl,
        (name, names): (String, Names),
        inner: Scope,
        caller: FileId,
        user: User,
    ) -> Option<Pattern> {
        self.used_patterns.insert(declaration.name.span);
        let scope = Scope { layers: inner.layers.into_iter().chain([Rc::new(names)]).collect(), ..inner };
        let mut steps = Steps::new(self, scope, caller).make(declaration)?;
        let courses = match Layout::new(&steps).courses() {
            Ok(courses) => courses,
            Err(count) => {
                let what = "ways through one transaction, the branches of all `choose`s combined";
                self.raise(ExpandError::TooLarge { what, count, limit: COURSE_LIMIT, span: declaration.name.span });
                return None;
            }
        };
        sized::implicit(&mut steps, &courses);
        let found = talk::talk(&mut steps, &courses, &name, declaration.name.span, user);
        let broken = found.problems.iter().any(|problem| problem.severity == Severity::Error);
        found.problems.into_iter().for_each(|problem| self.raise(problem));
        self.failures.extend(found.failures);
        (!broken).then_some(Pattern { name, steps })
    }

    /// A service's pattern for a flow that speaks it too: now both ends are known.
    pub(super) fn spoken_by_both(&mut self, mut pattern: Pattern, place: Span) -> Pattern {
        if let Ok(courses) = Layout::new(&pattern.steps).courses() {
            let found = talk::talk(&mut pattern.steps, &courses, &pattern.name, place, User::Flow);
            self.failures.extend(found.failures);
        }
        pattern
    }

    /// Looks at the patterns of a file that no flow or service uses, with their defaults or sample values.
    pub(super) fn check_unused_patterns(&mut self, position: usize) {
        let Some(module) = self.modules.get(position) else { return };
        let mut unused: Vec<(&PatternDecl, Option<usize>)> =
            module.declarations.patterns.values().filter(|p| p.module == position).map(|p| (p.declaration, None)).collect();
        for (index, scenario) in module.scenarios.iter().enumerate() {
            for part in plain(&scenario.declaration.body) {
                if let ScenarioPart::Item(item) = part
                    && let ItemKind::Pattern(declaration) = &item.kind
                {
                    unused.push((declaration, Some(index)));
                }
            }
        }
        for (declaration, inside) in unused {
            // What a pattern inside a scenario uses of that scenario is known only there.
            let free = inside.is_none() && !self.used_patterns.contains(&declaration.name.span);
            if free {
                self.sample(declaration, position);
            }
        }
        self.raise_failures();
    }

    /// Reports why transactions are certain to fail.
    pub(super) fn raise_failures(&mut self) {
        std::mem::take(&mut self.failures).into_iter().for_each(|failure| self.raise(failure));
    }

    /// Makes a pattern once with sample values for what has no default.
    fn sample(&mut self, declaration: &PatternDecl, module: usize) {
        let scope = Scope { module, ..Scope::default() };
        let samples: Vec<Option<Argument>> =
            declaration.params.iter().map(|p| if p.default.is_none() { sample_argument(p) } else { None }).collect();
        let known = declaration.params.iter().zip(&samples).all(|(p, s)| p.default.is_some() || s.is_some());
        if !known {
            return;
        }
        let chosen: Vec<Option<&Argument>> = samples.iter().map(Option::as_ref).collect();
        let Some((names, name)) = self.filled_in(declaration, &chosen, declaration.name.span, &scope, &scope) else { return };
        let user = if samples.iter().any(Option::is_some) { User::Sample } else { User::Service };
        let (before, file) = (self.errors, declaration.name.span.file);
        self.make_pattern(declaration, (name, names.clone()), scope.clone(), file, user);
        if self.errors == before && decides(&declaration.steps) {
            // What an `if` leaves out with these values is looked at too, but not as one talk.
            let layers = scope.layers.iter().cloned().chain([Rc::new(names)]).collect();
            self.sampling = true;
            Steps::new(self, Scope { layers, ..scope }, file).make(declaration);
            self.sampling = false;
        }
    }
}

/// An `if` stands in a block of steps.
fn decides(block: &Block<Step>) -> bool {
    block.iter().any(|nested| match nested {
        Nested::If(_) => true,
        Nested::For(inner) => decides(&inner.body),
        Nested::Statement(step) => match &step.kind {
            StepKind::Repeat { steps, .. } => decides(steps),
            StepKind::Choose { branches } => branches.iter().any(|branch| decides(&branch.steps)),
            _ => false,
        },
    })
}

/// An argument that fits a parameter's type.
fn sample_argument(param: &ParamDecl) -> Option<Argument> {
    use crate::syntax::tree::{BinaryOperator, Expr, ExprKind};
    let quantity = |dimension, value| ExprKind::Quantity(Quantity::new(dimension, value));
    let kind = match Type::of_word(&param.kind.as_ref()?.text)? {
        Type::Of(Dimension::Count) => quantity(Dimension::Count, 1),
        Type::Of(Dimension::Size) => quantity(Dimension::Size, 64),
        Type::Of(Dimension::Ratio) => quantity(Dimension::Ratio, 500_000_000),
        Type::Of(dimension) => quantity(dimension, 1_000_000_000),
        Type::Text => ExprKind::Text(Text { parts: vec![TextPart::Literal("x".into())] }),
        Type::Bytes => ExprKind::Bytes(vec![0]),
        Type::Address => ExprKind::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1))),
        Type::Prefix => ExprKind::Prefix(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 24),
        Type::Regex => ExprKind::Regex("x".into()),
        Type::Mac => ExprKind::Mac([2, 0, 0, 0, 0, 1]),
        Type::List => ExprKind::List(Vec::new()),
        Type::Truth => ExprKind::Binary(
            BinaryOperator::Equal,
            Box::new(Expr { span: param.span, kind: quantity(Dimension::Count, 1) }),
            Box::new(Expr { span: param.span, kind: quantity(Dimension::Count, 1) }),
        ),
        Type::Thing(_) => return None,
    };
    Some(Argument { name: None, value: Expr { span: param.span, kind } })
}
