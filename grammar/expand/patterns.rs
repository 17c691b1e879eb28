//! Patterns with their arguments: found by name, types checked, each made once for the same arguments. In: calls. Out:
//! [`Pattern`]s. The steps are `steps`' work, the talk between both sides `talk`'s.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::calls::PATTERN;
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Binding, Names, Scope};
use super::params::written;
use super::steps::Steps;
use super::value::{TYPE_WORDS, Type, Value};
use super::{Context, sized, talk};
use crate::quantity::{Dimension, Quantity};
use crate::resolve::load::DEFAULT_PATTERNS;
use crate::resolve::{PatternRef, ResolveError, suggest::suggest};
use crate::scenario::pattern::Pattern;
use crate::source::Span;
use crate::syntax::tree::{Argument, Call, ItemKind, ParamDecl, PatternDecl, ScenarioPart, Text, TextPart, plain};

/// The pattern of a flow that says none.
const DEFAULT_PATTERN: &str = "sym";

/// Patterns already made, by the place of their declaration and their name with arguments. `None`: wrong, which was reported.
pub type Instances = BTreeMap<(Span, String), Option<Pattern>>;

impl<'a> Draft<'_, 'a> {
    /// The pattern of a call, or the default one, filled in. `user` is who needs it.
    pub(super) fn instance(&mut self, call: Option<&Call>, user: Span) -> Option<Pattern> {
        let Some(call) = call else {
            let module = self.context.modules.iter().position(|m| m.name == DEFAULT_PATTERNS)?;
            let found = self.context.modules.get(module)?.declarations.patterns.get(DEFAULT_PATTERN).copied()?;
            return self.filled(found, &[], user, Scope { module, ..Scope::default() });
        };
        let scope = self.scope.clone();
        let (found, inner) = self.context.find_declared(&call.path.iter().collect::<Vec<_>>(), &PATTERN, &scope)?;
        self.filled(found, &call.arguments, call.span, inner)
    }

    /// A pattern with its arguments.
    fn filled(&mut self, found: PatternRef<'a>, arguments: &[Argument], user: Span, inner: Scope) -> Option<Pattern> {
        let declaration = found.declaration;
        let chosen = self.context.match_arguments(&declaration.name, &declaration.params, arguments)?;
        let outer = self.scope.clone();
        let (names, shown) = self.context.argument_values(declaration, &chosen, user, &outer, &inner)?;
        let name = show_call(&declaration.name.text, &shown);
        let key = (declaration.name.span, name.clone());
        if let Some(made) = self.instances.get(&key) {
            return made.clone();
        }
        let made = self.context.make_pattern(declaration, name, names, inner);
        self.instances.insert(key, made.clone());
        made
    }
}

/// `sym(1KiB)`: a name and its arguments.
fn show_call(name: &str, arguments: &[String]) -> String {
    if arguments.is_empty() { name.to_owned() } else { format!("{name}({})", arguments.join(", ")) }
}

impl Context<'_> {
    /// The values of a pattern's parameters and how each is written.
    fn argument_values(
        &mut self,
        declaration: &PatternDecl,
        chosen: &[Option<&Argument>],
        user: Span,
        outer: &Scope,
        inner: &Scope,
    ) -> Option<(Names, Vec<String>)> {
        let mut names = Names::new();
        let mut shown = Some(Vec::new());
        for (param, argument) in declaration.params.iter().zip(chosen) {
            let value = match (argument, &param.default) {
                (Some(argument), _) => {
                    self.evaluate(&argument.value, outer).and_then(|v| self.parameter_value(param, v, argument.value.span))
                }
                (None, Some(default)) => {
                    let scope = Scope { layers: inner.layers.iter().cloned().chain([Rc::new(names.clone())]).collect(), ..*inner };
                    self.evaluate(default, &scope).and_then(|v| self.parameter_value(param, v, default.span))
                }
                (None, None) => {
                    let (pattern, name) = (declaration.name.text.clone(), param.name.text.clone());
                    self.raise(ExpandError::MissingArgument { pattern, name, span: user, declared: param.span });
                    None
                }
            };
            shown = shown.zip(value.as_ref().map(written)).map(|(mut shown, value)| {
                shown.push(value);
                shown
            });
            if let Some(first) = inner.find(self, &param.name.text).map(|b| b.span) {
                self.raise(ResolveError::Redefined { name: param.name.text.clone(), span: param.name.span, first });
            }
            if let Some(first) = names.insert(param.name.text.clone(), Binding { value, span: param.name.span }) {
                self.raise(ResolveError::Redefined { name: param.name.text.clone(), span: param.name.span, first: first.span });
            }
        }
        shown.map(|shown| (names, shown))
    }

    fn parameter_value(&mut self, param: &ParamDecl, value: Value, span: Span) -> Option<Value> {
        let Some(word) = &param.kind else { return Some(value) };
        let Some(kind) = Type::of_word(&word.text) else {
            let help = suggest(&word.text, TYPE_WORDS.iter().copied());
            self.raise(ResolveError::UnknownType { name: word.text.clone(), span: word.span, help });
            return None;
        };
        let found = value.words();
        let typed = value.as_type(kind);
        if typed.is_none() {
            let (name, expected) = (param.name.text.clone(), kind.words());
            self.raise(ExpandError::ParameterType { name, expected, found, span, declared: word.span });
        }
        typed
    }

    /// Makes a pattern's steps and checks the talk of both sides.
    fn make_pattern(&mut self, declaration: &PatternDecl, name: String, names: Names, inner: Scope) -> Option<Pattern> {
        self.used_patterns.insert(declaration.name.span);
        let scope = Scope { layers: inner.layers.into_iter().chain([Rc::new(names)]).collect(), ..inner };
        let mut steps = Steps::new(self, scope).make(declaration)?;
        sized::implicit(&mut steps);
        let found = talk::talk(&mut steps, &name, declaration.name.span);
        let broken = found.iter().any(|problem| !matches!(problem, ExpandError::NeverSent { .. } | ExpandError::NothingSent { .. }));
        found.into_iter().for_each(|problem| self.raise(problem));
        (!broken).then_some(Pattern { name, steps })
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
        if let Some((names, shown)) = self.argument_values(declaration, &chosen, declaration.name.span, &scope, &scope) {
            self.make_pattern(declaration, show_call(&declaration.name.text, &shown), names, scope);
        }
    }
}

/// An argument that fits a parameter's type.
fn sample_argument(param: &ParamDecl) -> Option<Argument> {
    use crate::syntax::tree::{Expr, ExprKind};
    let quantity = |dimension, value| ExprKind::Quantity(Quantity::new(dimension, value));
    let kind = match Type::of_word(&param.kind.as_ref()?.text)? {
        Type::Of(Dimension::Count) => quantity(Dimension::Count, 1),
        Type::Of(Dimension::Size) => quantity(Dimension::Size, 64),
        Type::Of(dimension) => quantity(dimension, 1_000_000_000),
        Type::Text => ExprKind::Text(Text { parts: vec![TextPart::Literal("x".into())] }),
        Type::Bytes => ExprKind::Bytes(vec![0]),
        Type::Address => ExprKind::Address(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1))),
        Type::Prefix => ExprKind::Prefix(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 24),
        Type::Regex => ExprKind::Regex("x".into()),
        Type::Mac => ExprKind::Mac([2, 0, 0, 0, 0, 1]),
        Type::List => ExprKind::List(Vec::new()),
        Type::Truth | Type::Thing(_) => return None,
    };
    Some(Argument { name: None, value: Expr { span: param.span, kind } })
}
