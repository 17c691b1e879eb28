//! What a call names, and which parameter each argument is for. In: paths and arguments. Out: declarations, and parameters with their
//! values. Enters nothing.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Context;
use super::error::ExpandError;
use super::evaluate::{Binding, Names, Scope};
use super::params::declared_type;
use super::value::{Type, Value, article};
use crate::resolve::load::{is_standard, standard_with};
use crate::resolve::module::Declared;
use crate::resolve::{Declarations, ResolveError, suggest::suggest};
use crate::source::Span;
use crate::syntax::tree::{
    Argument, ExpectStatement, Expr, ExprKind, FunctionDecl, Name, ParamDecl, PatternDecl, Template, TimelineStatement, TopologyStatement,
};

/// A kind of declaration that can be called: its keyword, the word for it, and its table.
pub struct Callable<T> {
    /// `fn`.
    keyword: &'static str,
    /// `function`.
    what: &'static str,
    /// Its declarations.
    table: for<'d, 'a> fn(&'d Declarations<'a>) -> &'d BTreeMap<&'a str, Declared<'a, T>>,
}

/// Patterns.
pub const PATTERN: Callable<PatternDecl> = Callable { keyword: "pattern", what: "pattern", table: |all| &all.patterns };
/// Functions.
pub const FUNCTION: Callable<FunctionDecl> = Callable { keyword: "fn", what: "function", table: |all| &all.functions };
/// Templates of topologies.
pub const TOPOLOGY: Callable<Template<TopologyStatement>> =
    Callable { keyword: "topology", what: "topology", table: |all| &all.topologies };
/// Templates of timelines' entries.
pub const ACTION: Callable<Template<TimelineStatement>> = Callable { keyword: "action", what: "action", table: |all| &all.actions };
/// Templates of expectations.
pub const CHECK: Callable<Template<ExpectStatement>> = Callable { keyword: "check", what: "check", table: |all| &all.checks };

/// A call as it is written: what it names and its arguments.
#[derive(Debug, Clone)]
pub struct Written<'e> {
    /// The words before the parenthesis.
    pub path: Vec<&'e Name>,
    /// What stands in it.
    pub arguments: &'e [Argument],
    /// All of it.
    pub span: Span,
}

impl<'e> Written<'e> {
    /// The call that an expression is: `healthy(own)`, `std.failover.survives(f)`; a bare path is a call without arguments.
    /// `None`: something else.
    #[must_use]
    pub fn of(expr: &'e Expr) -> Option<Self> {
        let (path, arguments): (_, &[Argument]) = match &super::evaluate::bare(expr).kind {
            ExprKind::Call(path, arguments) => (path, arguments),
            ExprKind::Path(path) => (path, &[]),
            _ => return None,
        };
        let plain = path.iter().all(|part| part.index.is_none());
        plain.then(|| Written { path: path.iter().map(|part| &part.name).collect(), arguments, span: expr.span })
    }

    /// The call of a statement.
    #[must_use]
    pub fn call(call: &'e crate::syntax::tree::Call) -> Self {
        Written { path: call.path.iter().collect(), arguments: &call.arguments, span: call.span }
    }
}

/// What a parameter gets.
#[derive(Debug, Clone)]
pub enum Given {
    /// Nothing: its default.
    Default,
    /// An argument's value (`None`: wrong, which was reported), and its place.
    Value(Option<Value>, Span),
}

impl<'a> Context<'a> {
    /// What a path names, without a word about what it does not.
    #[must_use]
    pub fn has_declared<T>(&self, path: &[&Name], wanted: &Callable<T>, scope: &Scope) -> bool {
        let Some((last, before)) = path.split_last() else { return false };
        let Some(module) = self.modules.get(scope.module) else { return false };
        if before.is_empty() {
            let local = scope.inside && (wanted.table)(&self.local).contains_key(last.text.as_str());
            return local || (wanted.table)(&module.declarations).contains_key(last.text.as_str());
        }
        let source = module.qualifiers.get(&qualifier(before)).and_then(|from| self.modules.get(*from));
        source.is_some_and(|source| (wanted.table)(&source.declarations).contains_key(last.text.as_str()))
    }

    /// The declaration that a path names, and where its own names are looked up. Reports what it does not name.
    pub fn find_declared<T>(&mut self, path: &[&Name], wanted: &Callable<T>, scope: &Scope) -> Option<(Declared<'a, T>, Scope)> {
        let (last, before) = path.split_last()?;
        let modules = self.modules;
        let module = modules.get(scope.module)?;
        let name = last.text.as_str();
        if before.is_empty() {
            if scope.inside
                && let Some(found) = (wanted.table)(&self.local).get(name).copied()
            {
                self.refer_declaration(last.span, found.module, name);
                let inner = Scope { module: found.module, layers: scope.layers.first().cloned().into_iter().collect(), inside: true };
                return Some((found, inner));
            }
            let Some(found) = (wanted.table)(&module.declarations).get(name).copied() else {
                self.unknown_declaration(last, wanted, scope);
                return None;
            };
            self.refer_declaration(last.span, found.module, name);
            return Some((found, Scope { module: found.module, ..Scope::default() }));
        }
        let qualifier = qualifier(before);
        let place = before.first().map_or(last.span, |first| first.span.to(last.span));
        let Some(from) = module.qualifiers.get(&qualifier).copied() else {
            if is_standard(&qualifier) {
                self.raise(ResolveError::NotImported { name: qualifier, span: place });
                return None;
            }
            let help = suggest(&qualifier, module.qualifiers.keys().map(String::as_str));
            self.raise(ResolveError::UnknownModule { name: qualifier, span: place, help });
            return None;
        };
        let source = modules.get(from)?;
        let Some(found) = (wanted.table)(&source.declarations).get(name).filter(|found| found.module == from).copied() else {
            if let Some((declared, _, is)) = source.declarations.place(name).filter(|(_, module, _)| *module == from) {
                let wanted = article(wanted.what);
                self.raise(ResolveError::WrongDeclaration { name: name.into(), is, wanted, span: last.span, declared });
                return None;
            }
            let all: Vec<&str> = (wanted.table)(&source.declarations).keys().filter(|name| !name.starts_with('_')).copied().collect();
            let help = suggest(name, all.iter().copied());
            self.raise(ResolveError::UnknownImport { module: source.name.into(), name: name.into(), span: last.span, help });
            return None;
        };
        if name.starts_with('_') {
            let declared = source.declarations.place(name).map_or(last.span, |(span, ..)| span);
            self.raise(ResolveError::Private { name: name.into(), span: last.span, declared });
            return None;
        }
        self.refer_declaration(last.span, from, name);
        Some((found, Scope { module: from, ..Scope::default() }))
    }

    /// Notes that a place names a declaration of a module or, if that has none, of the scenario.
    fn refer_declaration(&mut self, span: Span, module: usize, name: &str) {
        let declared = self.modules.get(module).and_then(|module| module.declarations.place(name)).or_else(|| self.local.place(name));
        if let Some((declared, _, what)) = declared {
            self.refer(span, declared, what, None);
        }
    }

    fn unknown_declaration<T>(&mut self, name: &Name, wanted: &Callable<T>, scope: &Scope) {
        let (text, span) = (name.text.clone(), name.span);
        let module = &self.modules[scope.module];
        let local = scope.inside.then_some(&self.local);
        let other = local.and_then(|local| local.place(&text)).or_else(|| module.declarations.place(&text));
        if let Some((declared, _, is)) = other {
            self.raise(ResolveError::WrongDeclaration { name: text, is, wanted: article(wanted.what), span, declared });
            return;
        }
        let mut known: Vec<&str> = (wanted.table)(&module.declarations).keys().copied().collect();
        known.extend(local.into_iter().flat_map(|local| (wanted.table)(local).keys().copied()));
        if wanted.keyword == "fn" {
            known.extend(super::functions::FUNCTIONS);
        }
        let help = match standard_with(wanted.keyword, &text) {
            Some(module) => Some(format!("add `use {module} ({text})` at the top of the file")),
            None => suggest(&text, known.iter().copied()),
        };
        self.raise(match wanted.keyword {
            "pattern" => ResolveError::UnknownPattern { name: text, span, help },
            "fn" => ResolveError::UnknownFunction { name: text, span, help },
            _ => ResolveError::UnknownTemplate { what: wanted.what, name: text, span, help },
        });
    }

    /// Which argument each parameter gets. `None`: they do not fit, which was reported.
    pub fn match_arguments<'e>(
        &mut self,
        name: &Name,
        params: &[ParamDecl],
        arguments: &'e [Argument],
    ) -> Option<Vec<Option<&'e Argument>>> {
        let mut chosen: Vec<Option<&Argument>> = vec![None; params.len()];
        let mut fine = true;
        for (place, argument) in arguments.iter().enumerate() {
            let found = match &argument.name {
                None if place >= params.len() => {
                    let (name, takes, span) = (name.text.clone(), params.len(), argument.value.span);
                    self.raise(ExpandError::TooManyArguments { name, takes, span });
                    return None;
                }
                None => Some(place),
                Some(label) => params.iter().position(|param| param.name.text == label.text),
            };
            let (Some(position), label) = (found, argument.name.as_ref()) else {
                let Some(label) = &argument.name else { continue };
                fine = false;
                let help = suggest(&label.text, params.iter().map(|param| param.name.text.as_str()));
                let (pattern, declared) = (name.text.clone(), name.span);
                self.raise(ResolveError::UnknownArgument { pattern, name: label.text.clone(), span: label.span, declared, help });
                continue;
            };
            if let Some(label) = label {
                self.refer(label.span, params[position].name.span, "a parameter", None);
            }
            if let Some(first) = chosen[position].replace(argument) {
                fine = false;
                let name = params[position].name.text.clone();
                self.raise(ExpandError::ArgumentTwice { name, span: argument.value.span, first: first.value.span });
            }
        }
        fine.then_some(chosen)
    }

    /// The parameters of a declaration with their values: arguments as their types want them, defaults for the rest. A parameter whose
    /// value is wrong is there without one. The flag: none is wrong.
    pub fn bind(&mut self, name: &Name, params: &[ParamDecl], given: Vec<Given>, user: Span, inner: &Scope) -> (Names, bool) {
        let mut names = Names::new();
        let mut fine = true;
        for (param, given) in params.iter().zip(given) {
            let kind = declared_type(self, param);
            let value = match (given, &param.default) {
                (Given::Value(value, span), _) => value.zip(kind).and_then(|(value, kind)| self.typed(param, kind, value, span)),
                (Given::Default, Some(default)) => {
                    let mut scope = inner.clone();
                    scope.layers.push(Rc::new(names.clone()));
                    let value = self.evaluate(default, &scope);
                    value.zip(kind).and_then(|(value, kind)| self.typed(param, kind, value, default.span))
                }
                (Given::Default, None) => {
                    let (pattern, name) = (name.text.clone(), param.name.text.clone());
                    self.raise(ExpandError::MissingArgument { pattern, name, span: user, declared: param.span });
                    None
                }
            };
            fine &= value.is_some();
            self.check_new(&param.name, inner);
            if let Some(first) = names.insert(param.name.text.clone(), Binding { value, span: param.name.span }) {
                self.raise(ResolveError::Redefined { name: param.name.text.clone(), span: param.name.span, first: first.span });
            }
        }
        (names, fine)
    }

    /// Reports a parameter's or loop's name that is taken where it stands.
    fn check_new(&mut self, name: &Name, scope: &Scope) {
        let first = scope.find(self, &name.text).map(|binding| binding.span);
        let first = first.or_else(|| self.modules.get(scope.module)?.place(&name.text)).filter(|first| *first != name.span);
        if let Some(first) = first {
            self.raise(ResolveError::Redefined { name: name.text.clone(), span: name.span, first });
        }
    }

    /// A value as a parameter's type wants it.
    pub fn typed(&mut self, param: &ParamDecl, kind: Option<Type>, value: Value, span: Span) -> Option<Value> {
        let Some(kind) = kind else { return Some(value) };
        let found = value.words();
        let typed = value.as_type(kind);
        if typed.is_none() {
            let declared = param.kind.as_ref().map_or(param.name.span, |word| word.span);
            let (name, expected) = (param.name.text.clone(), kind.words());
            self.raise(ExpandError::ParameterType { name, expected, found, span, declared });
        }
        typed
    }
}

/// `std.patterns` of the words before a name.
fn qualifier(before: &[&Name]) -> String {
    before.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(".")
}
