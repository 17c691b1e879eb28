//! The head of a scenario: tags, needs, settings, parameters, matrices, values and declarations of its own, in the order of the text.
//! In: a declaration. Out: the scenario's names. Looks at no topology, flow, timeline or expectation.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::error::ExpandError;
use super::unroll::Decided;
use crate::quantity::{BILLION, Dimension};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::{Need, NeedKind};
use crate::source::Span;
use crate::syntax::tree::{
    self, Block, Expr, FunctionDecl, Item, ItemKind, Name, Nested, PatternDecl, ScenarioDecl, ScenarioPart, Template,
};

/// What stands in a head may be said once.
type Said<'a> = BTreeMap<(&'static str, &'a str), Span>;

/// A part of the head, its place, and its keyword.
fn head_part(part: &ScenarioPart) -> Option<(Span, &'static str)> {
    Some(match part {
        ScenarioPart::Tags(names) => (names.first()?.span, "tags"),
        ScenarioPart::Needs(needs) => (needs.first()?.span, "needs"),
        ScenarioPart::Matrix { span, .. } => (*span, "matrix"),
        ScenarioPart::Except { span, .. } => (*span, "except"),
        ScenarioPart::Setting { name, .. } if name.text == "tolerance" => (name.span, "tolerance"),
        ScenarioPart::Setting { name, .. } => (name.span, "timeout"),
        ScenarioPart::Param(param) => (param.span, "param"),
        ScenarioPart::Item(item) => (item.span, item.kind.keyword()),
        ScenarioPart::Topology(_)
        | ScenarioPart::Service(_)
        | ScenarioPart::Flow(_)
        | ScenarioPart::Process(_)
        | ScenarioPart::Stress(_)
        | ScenarioPart::Timeline(_)
        | ScenarioPart::Expect(_) => return None,
    })
}

/// A part of the head stands somewhere in a block.
fn has_head(block: &Block<ScenarioPart>) -> bool {
    let mut found = false;
    tree::each(block, &mut |part| found |= head_part(part).is_some());
    found
}

impl<'a> Draft<'_, 'a> {
    /// Tags, needs, settings, parameters, matrices, values and declarations.
    pub fn head(&mut self, declaration: &'a ScenarioDecl) {
        let mut said = Said::new();
        self.head_part(declaration, &declaration.body, false, &mut said);
    }

    fn head_part(&mut self, declaration: &'a ScenarioDecl, block: &'a Block<ScenarioPart>, decided: bool, said: &mut Said<'a>) {
        for nested in block {
            match nested {
                Nested::Statement(part) => self.head_statement(declaration, part, decided, said),
                Nested::For(inner) => tree::each(&inner.body, &mut |part| {
                    if let Some((span, what)) = head_part(part) {
                        self.context.raise(ExpandError::NotInBlock { what, block: "a `for`", span });
                    }
                }),
                Nested::If(inner) if has_head(&inner.then) || has_head(&inner.otherwise) => {
                    let scope = self.scope.clone();
                    match self.context.decide(&inner.condition, &scope) {
                        Some(Decided::Then) => self.head_part(declaration, &inner.then, true, said),
                        Some(Decided::Otherwise) => self.head_part(declaration, &inner.otherwise, true, said),
                        Some(Decided::Both) | None => {}
                    }
                }
                Nested::If(_) => {}
            }
        }
    }

    fn head_statement(&mut self, declaration: &'a ScenarioDecl, part: &'a ScenarioPart, decided: bool, said: &mut Said<'a>) {
        let always = matches!(part, ScenarioPart::Matrix { .. } | ScenarioPart::Param(_));
        if let Some((span, what)) = head_part(part).filter(|_| always && decided) {
            self.context.raise(ExpandError::NotInBlock { what, block: "an `if`", span });
            return;
        }
        match part {
            ScenarioPart::Tags(names) => {
                for tag in names {
                    if self.once(said, "tag", tag) {
                        self.scenario.tags.push(tag.text.clone());
                    }
                }
            }
            ScenarioPart::Needs(needs) => {
                for need in needs {
                    self.need(need, said);
                }
            }
            ScenarioPart::Matrix { name, values, .. } => self.matrix(declaration, name, values),
            ScenarioPart::Except { condition, .. } => self.except(condition),
            ScenarioPart::Setting { name, value } => {
                self.once(said, "setting", name);
                self.setting(name, value);
            }
            ScenarioPart::Param(param) => self.param(declaration, param),
            ScenarioPart::Item(item) => self.item(item),
            _ => {}
        }
    }

    /// Notes what may be said once; `false`: it was said before, which is reported.
    fn once(&mut self, said: &mut Said<'a>, what: &'static str, name: &'a Name) -> bool {
        let first = said.insert((what, &name.text), name.span);
        if let Some(first) = first {
            self.context.raise(ExpandError::OptionTwice { name: name.text.clone(), span: name.span, first });
        }
        first.is_none()
    }

    fn need(&mut self, need: &'a tree::Need, said: &mut Said<'a>) {
        let word = need.kind.text.as_str();
        let Some((word, kind)) = NeedKind::WORDS.iter().find(|(known, _)| *known == word) else {
            let help = suggest(word, NeedKind::WORDS.iter().map(|(word, _)| *word));
            self.context.raise(ResolveError::UnknownOption { what: "`needs`", name: word.into(), span: need.kind.span, help });
            return;
        };
        if let Some(first) = said.insert((word, &need.what.value), need.what.span) {
            self.context.raise(ExpandError::OptionTwice { name: need.what.value.clone(), span: need.what.span, first });
            return;
        }
        self.scenario.needs.push(Need { kind: *kind, what: need.what.value.clone(), span: need.span });
    }

    fn setting(&mut self, name: &Name, value: &Expr) {
        match name.text.as_str() {
            "timeout" => {
                if let Some(ns) = self.context.duration("`timeout`", value, 1_000_000, &self.scope) {
                    self.scenario.timeout_ns = ns;
                    self.scenario.timeout_said = true;
                }
            }
            "tolerance" => {
                let bounds = (1_000, 10 * BILLION);
                if let Some(ns) = self.context.bounded("`tolerance`", value, Dimension::Duration, bounds, &self.scope) {
                    self.scenario.tolerance_ns = ns;
                }
            }
            _ => {
                let help = suggest(&name.text, ["timeout", "tolerance"].into_iter());
                self.context.raise(ResolveError::UnknownOption { what: "a scenario", name: name.text.clone(), span: name.span, help });
            }
        }
    }

    /// A value, pattern, function, action or check of the scenario's own.
    fn item(&mut self, item: &'a Item) {
        let name = match &item.kind {
            ItemKind::Let { name, value } => {
                let value = self.context.evaluate(value, &self.scope);
                self.introduce(&name.text, name.span, value);
                return;
            }
            ItemKind::Secret { name, variable } => {
                let value = self.context.secret(name, variable);
                self.introduce(&name.text, name.span, value);
                return;
            }
            ItemKind::Use(_) | ItemKind::Scenario(_) => return,
            ItemKind::Function(FunctionDecl { name, .. }) => {
                self.context.check_function_name(name);
                name
            }
            ItemKind::Pattern(PatternDecl { name, .. })
            | ItemKind::Topology(Template { name, .. })
            | ItemKind::Action(Template { name, .. })
            | ItemKind::Check(Template { name, .. }) => name,
        };
        let text = name.text.as_str();
        let value = self.scope.layers.first().and_then(|layer| layer.get(text)).map(|binding| binding.span);
        let first = self.context.local.place(text).map(|(span, ..)| span).or(value).or_else(|| self.module_place(text));
        match first {
            Some(first) => self.context.raise(ResolveError::Redefined { name: text.into(), span: name.span, first }),
            None => self.context.local.add(item, self.scope.module),
        }
    }
}
