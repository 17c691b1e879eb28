//! Patterns with their arguments: found by name, types checked, each made once for the same arguments. In: calls. Out:
//! [`Pattern`]s. The steps are `steps`' work, the talk between both sides `talk`'s.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Binding, Names, Scope};
use super::params::written;
use super::layout::{COURSE_LIMIT, Layout};
use super::steps::Steps;
use super::value::{TYPE_WORDS, Type, Value};
use super::{Context, sized, talk};
use crate::diagnostics::Severity;
use crate::quantity::{Dimension, Quantity};
use crate::resolve::load::{DEFAULT_PATTERNS, is_standard};
use crate::resolve::{PatternRef, ResolveError, suggest::suggest};
use crate::scenario::pattern::Pattern;
use crate::source::{FileId, Span};
use crate::syntax::tree::{
    Argument, Block, Call, ItemKind, Name, Nested, ParamDecl, PatternDecl, ScenarioPart, Step, StepKind, Text, TextPart, plain,
};

/// The pattern of a flow that says none.
const DEFAULT_PATTERN: &str = "sym";

/// Patterns already made, by the place of their declaration, the file of the call and the values of their parameters. `None`: wrong, which was reported.
pub type Instances = BTreeMap<(Span, FileId, Vec<String>), Option<Pattern>>;

impl<'a> Draft<'_, 'a> {
    /// The pattern of a call, or the default one, filled in. `user` is who needs it.
    pub(super) fn instance(&mut self, call: Option<&Call>, user: Span) -> Option<Pattern> {
        let Some(call) = call else {
            let module = self.context.modules.iter().position(|m| m.name == DEFAULT_PATTERNS)?;
            let found = self.context.modules.get(module)?.patterns.get(DEFAULT_PATTERN).copied()?;
            return self.filled(found, &[], user, Scope { module, layers: Vec::new() });
        };
        let found = self.find_pattern(&call.path)?;
        let own = self.patterns.contains_key(found.declaration.name.text.as_str()) && found.module == self.scope.module;
        let layers = if own { self.scope.layers.clone() } else { Vec::new() };
        self.filled(found, &call.arguments, call.span, Scope { module: found.module, layers })
    }

    fn find_pattern(&mut self, path: &[Name]) -> Option<PatternRef<'a>> {
        let (last, before) = path.split_last()?;
        let modules = self.context.modules;
        let module = modules.get(self.scope.module)?;
        let name = last.text.as_str();
        if before.is_empty() {
            if let Some(found) = self.patterns.get(name).or_else(|| module.patterns.get(name)) {
                return Some(*found);
            }
            let known: Vec<&str> = self.patterns.keys().chain(module.patterns.keys()).copied().collect();
            let standard = modules.iter().find(|m| m.name == DEFAULT_PATTERNS).is_some_and(|m| m.patterns.contains_key(name));
            let help = if standard {
                Some(format!("add `use std.patterns ({name})` at the top of the file"))
            } else {
                suggest(name, known.iter().copied())
            };
            self.context.raise(ResolveError::UnknownPattern { name: name.into(), span: last.span, help });
            return None;
        }
        let qualifier = before.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(".");
        let place = before.first().map_or(last.span, |first| first.span.to(last.span));
        let Some(from) = module.qualifiers.get(&qualifier).copied() else {
            if is_standard(&qualifier) {
                self.context.raise(ResolveError::NotImported { name: qualifier, span: place });
                return None;
            }
            let help = suggest(&qualifier, module.qualifiers.keys().map(String::as_str));
            self.context.raise(ResolveError::UnknownModule { name: qualifier, span: place, help });
            return None;
        };
        let source = modules.get(from)?;
        match source.patterns.get(name).filter(|p| p.module == from) {
            Some(found) if name.starts_with('_') => {
                self.context.raise(ResolveError::Private { name: name.into(), span: last.span, declared: found.declaration.name.span });
                None
            }
            Some(found) => Some(*found),
            None => {
                let help = suggest(name, source.patterns.keys().copied());
                self.context.raise(ResolveError::UnknownImport { module: source.name.into(), name: name.into(), span: last.span, help });
                None
            }
        }
    }

    /// A pattern with its arguments.
    fn filled(&mut self, found: PatternRef<'a>, arguments: &[Argument], user: Span, inner: Scope) -> Option<Pattern> {
        let declaration = found.declaration;
        let chosen = self.match_arguments(declaration, arguments)?;
        let outer = self.scope.clone();
        let (names, shown) = self.context.argument_values(declaration, &chosen, user, &outer, &inner)?;
        let name = show_call(&declaration.name.text, &shown);
        // Secrets are shown alike: the key holds the values, not their words.
        let values = names.values().map(|binding| format!("{:?}", binding.value)).collect();
        let key = (declaration.name.span, user.file, values);
        if let Some(made) = self.instances.get(&key) {
            return made.clone();
        }
        let made = self.context.make_pattern(declaration, name, names, inner, user.file);
        self.instances.insert(key, made.clone());
        made
    }

    /// Which argument each parameter gets.
    fn match_arguments<'e>(&mut self, declaration: &PatternDecl, arguments: &'e [Argument]) -> Option<Vec<Option<&'e Argument>>> {
        let (params, name) = (&declaration.params, &declaration.name);
        let mut chosen: Vec<Option<&Argument>> = vec![None; params.len()];
        let mut fine = true;
        for (place, argument) in arguments.iter().enumerate() {
            let position = match &argument.name {
                None if place >= params.len() => {
                    fine = false;
                    self.context.raise(ExpandError::TooManyArguments {
                        name: name.text.clone(),
                        takes: params.len(),
                        span: argument.value.span,
                    });
                    break;
                }
                None => place,
                Some(label) => match params.iter().position(|p| p.name.text == label.text) {
                    Some(position) => position,
                    None => {
                        fine = false;
                        let help = suggest(&label.text, params.iter().map(|p| p.name.text.as_str()));
                        let (pattern, declared) = (name.text.clone(), name.span);
                        self.context.raise(ResolveError::UnknownArgument {
                            pattern,
                            name: label.text.clone(),
                            span: label.span,
                            declared,
                            help,
                        });
                        continue;
                    }
                },
            };
            if let Some(first) = chosen[position] {
                fine = false;
                let parameter = params[position].name.text.clone();
                self.context.raise(ExpandError::ArgumentTwice { name: parameter, span: argument.value.span, first: first.value.span });
            }
            chosen[position] = Some(argument);
        }
        fine.then_some(chosen)
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
                    let scope =
                        Scope { module: inner.module, layers: inner.layers.iter().cloned().chain([Rc::new(names.clone())]).collect() };
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
    fn make_pattern(&mut self, declaration: &PatternDecl, name: String, names: Names, inner: Scope, caller: FileId) -> Option<Pattern> {
        self.used_patterns.insert(declaration.name.span);
        let scope = Scope { module: inner.module, layers: inner.layers.into_iter().chain([Rc::new(names)]).collect() };
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
        let found = talk::talk(&mut steps, &courses, &name, declaration.name.span);
        let broken = found.iter().any(|problem| problem.severity == Severity::Error);
        found.into_iter().for_each(|problem| self.raise(problem));
        (!broken).then_some(Pattern { name, steps })
    }

    /// Looks at the patterns of a file that no flow or service uses, with their defaults or sample values.
    pub(super) fn check_unused_patterns(&mut self, position: usize) {
        let Some(module) = self.modules.get(position) else { return };
        let mut unused: Vec<(&PatternDecl, Option<usize>)> =
            module.patterns.values().filter(|p| p.module == position).map(|p| (p.declaration, None)).collect();
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
        let scope = Scope { module, layers: Vec::new() };
        let samples: Vec<Option<Argument>> =
            declaration.params.iter().map(|p| if p.default.is_none() { sample_argument(p) } else { None }).collect();
        let known = declaration.params.iter().zip(&samples).all(|(p, s)| p.default.is_some() || s.is_some());
        if !known {
            return;
        }
        let chosen: Vec<Option<&Argument>> = samples.iter().map(Option::as_ref).collect();
        let Some((names, shown)) = self.argument_values(declaration, &chosen, declaration.name.span, &scope, &scope) else { return };
        let (before, file) = (self.errors, declaration.name.span.file);
        self.make_pattern(declaration, show_call(&declaration.name.text, &shown), names.clone(), scope.clone(), file);
        if self.errors == before && decides(&declaration.steps) {
            // What an `if` leaves out with these values is looked at too, but not as one talk.
            let layers = scope.layers.into_iter().chain([Rc::new(names)]).collect();
            self.sampling = true;
            Steps::new(self, Scope { module, layers }, file).make(declaration);
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
