//! Parameters: their values from outside (`-p name=value`), from defaults, and their types. In: texts. Out: values by name.
//! Reads no arguments of the command itself.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Scope, word};
use super::value::{TYPE_WORDS, Type, Value};
use crate::diagnostics::{Diagnostic, Severity};
use crate::resolve::{Module, ResolveError, suggest::suggest};
use crate::scenario::Param;
use crate::source::{Sources, Span};
use crate::syntax::parse;
use crate::syntax::tree::{Expr, ItemKind, ParamDecl, ScenarioDecl, ScenarioPart, plain};

/// A value set from outside.
#[derive(Debug)]
pub struct Given {
    /// The expression; `None`: it could not be read, which was reported.
    pub value: Option<Expr>,
    /// The value, in a text of its own.
    pub span: Span,
    /// The name, in the same text.
    pub name: Span,
}

/// Reads the values of `-p`. Each gets a text of its own, so that diagnostics can show it.
pub fn read_given(sources: &mut Sources, params: &BTreeMap<String, String>, problems: &mut Vec<Diagnostic>) -> BTreeMap<String, Given> {
    params.iter().map(|(name, text)| (name.clone(), read_one(sources, name, text, problems))).collect()
}

/// Reads one value. The text shown (` -p NAME=VALUE`) and the text parsed (`let NAME=VALUE`) have the value at the same place.
fn read_one(sources: &mut Sources, name: &str, text: &str, problems: &mut Vec<Diagnostic>) -> Given {
    const LEAD: u32 = 4;
    let file = sources.add("command line", format!(" -p {name}={text}"));
    let length = |s: &str| u32::try_from(s.len()).unwrap_or(u32::MAX / 2);
    let start = LEAD + length(name) + 1;
    let span = Span { file, start, end: start + length(text) };
    let place = Span { file, start: LEAD, end: start - 1 };
    let (document, found) = parse(file, &format!("let {name}={text}"));
    let broken = found.iter().any(|d| d.severity == Severity::Error && d.primary.span.start >= start);
    let mut value = None;
    if let [item] = document.items.as_slice()
        && let ItemKind::Let { value: expr, name: read } = &item.kind
    {
        value =
            Some(expr.clone()).filter(|expr| !broken && read.text == name && !matches!(expr.kind, crate::syntax::tree::ExprKind::Broken));
    }
    if value.is_none() {
        problems.push(ExpandError::BadParameter { name: name.into(), span }.into());
    }
    Given { value, span, name: place }
}

/// Reports values from outside that no scenario of the file takes.
pub fn check_given(module: &Module<'_>, given: &BTreeMap<String, Given>, problems: &mut Vec<Diagnostic>) {
    let declared: BTreeSet<&str> = module
        .scenarios
        .iter()
        .flat_map(|s| plain(&s.declaration.body))
        .filter_map(|part| match part {
            ScenarioPart::Param(ParamDecl { name, .. }) | ScenarioPart::Matrix { name, .. } => Some(name.text.as_str()),
            _ => None,
        })
        .collect();
    for (name, value) in given {
        if !declared.contains(name.as_str()) {
            let help = suggest(name, declared.iter().copied());
            problems.push(ResolveError::UnknownParameter { name: name.clone(), span: value.name, help }.into());
        }
    }
}

/// The type a declaration names; the inner `None`: it names none. The outer `None`: unknown, which was reported.
pub(super) fn declared_type(context: &mut Context<'_>, param: &ParamDecl) -> Option<Option<Type>> {
    let Some(word) = &param.kind else { return Some(None) };
    if let Some(kind) = Type::of_word(&word.text) {
        return Some(Some(kind));
    }
    let help = suggest(&word.text, TYPE_WORDS.iter().copied());
    context.raise(ResolveError::UnknownType { name: word.text.clone(), span: word.span, help });
    None
}

impl Draft<'_, '_> {
    /// Gives a parameter of the scenario its value. One that a matrix varies gets it there.
    pub(super) fn param(&mut self, scenario: &ScenarioDecl, param: &ParamDecl) {
        let varies = |part: &ScenarioPart| matches!(part, ScenarioPart::Matrix { name, .. } if name.text == param.name.text);
        if plain(&scenario.body).any(varies) {
            self.default_of(param);
            return;
        }
        let value = self.param_value(param);
        if let Some(value) = &value {
            let set = self.context.given.contains_key(&param.name.text);
            self.scenario.params.push(Param { name: param.name.text.clone(), value: written(value), set });
        }
        self.introduce(&param.name.text, param.name.span, value);
    }

    /// The default of a parameter. `None`: there is none, or it is wrong, which was reported.
    fn default_of(&mut self, param: &ParamDecl) -> Option<Value> {
        let kind = declared_type(self.context, param)?;
        let expr = param.default.as_ref()?;
        let value = self.context.evaluate(expr, &self.scope)?;
        self.context.typed(param, kind, value, expr.span)
    }

    fn param_value(&mut self, param: &ParamDecl) -> Option<Value> {
        let kind = declared_type(self.context, param)?;
        let default = match &param.default {
            Some(_) => Some(self.default_of(param)?),
            None => None,
        };
        let given = self.context.given;
        if let Some(given) = given.get(&param.name.text) {
            let expr = given.value.as_ref()?;
            let inferred = kind.or_else(|| default.as_ref().and_then(type_of));
            if let (Some(text), None | Some(Type::Text)) = (self.unknown_word(expr), inferred) {
                self.context.raise(ExpandError::UnquotedParameter { name: param.name.text.clone(), text, span: given.span });
                return None;
            }
            let value = self.context.evaluate(expr, &Scope { module: self.scope.module, ..Scope::default() })?;
            return self.context.typed(param, inferred, value, given.span);
        }
        if default.is_none() {
            let (name, span) = (param.name.text.clone(), param.span);
            self.context.raise(if kind.is_none() {
                ExpandError::UntypedParameter { name, span }
            } else {
                ExpandError::MissingParameter { name, span }
            });
        }
        default
    }
}

impl Draft<'_, '_> {
    /// A word from outside that nothing in the file is called.
    fn unknown_word(&self, expr: &Expr) -> Option<String> {
        let text = word(expr)?;
        let known = self.context.values.get(self.scope.module).is_some_and(|names| names.contains_key(text));
        (!known && !matches!(text, "true" | "false")).then(|| text.to_owned())
    }
}

/// The type of a value, if a parameter can be declared with it.
fn type_of(value: &Value) -> Option<Type> {
    Some(match value {
        Value::Quantity(q) => Type::Of(q.dimension),
        Value::Text(_) => Type::Text,
        Value::Bytes(_) => Type::Bytes,
        Value::Address(_) => Type::Address,
        Value::Prefix(_) => Type::Prefix,
        Value::Regex(_) => Type::Regex,
        Value::Mac(_) => Type::Mac,
        Value::List(_) => Type::List,
        Value::Truth(_) => Type::Truth,
        _ => return None,
    })
}

/// A value as it would be written.
#[must_use]
pub fn written(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}
