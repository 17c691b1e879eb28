//! Values of options: one reader for each sort of value. In: an option as said, with its scope. Out: the value, or `None` when a
//! problem was reported. Knows no option's meaning.

use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Scope, bare, word};
use super::net_error::NetError;
use super::options::Said;
use super::value::{Type, Value};
use crate::quantity::{BILLION, Dimension, Quantity};
use crate::resolve::suggest::suggest;
use crate::scenario::pattern::Varying;
use crate::scenario::topology::Mac;
use crate::syntax::tree::{Expr, ExprKind};

/// A ratio of 100 %.
pub(super) const WHOLE: i64 = BILLION;
/// The longest time that is said of anything, ns.
pub(super) const DAY_NS: i64 = 24 * 3_600 * BILLION;

/// A dimension and the bounds of its values, both allowed, in base units.
#[derive(Clone, Copy)]
pub(super) struct Bounds(pub Dimension, pub i64, pub i64);

impl Draft<'_, '_> {
    /// Says how an option is written, unless a piece of it could not be read.
    pub(super) fn wrong_form(&mut self, said: &Said<'_>, form: &str) {
        if !said.option.values.iter().any(|value| matches!(value.kind, ExprKind::Broken)) {
            let name = said.option.name.text.clone();
            self.context.raise(ExpandError::OptionForm { name, form: form.into(), span: said.option.span });
        }
    }

    /// The one value of an option without a block.
    pub(super) fn one<'o>(&mut self, said: &Said<'o>, form: &str) -> Option<&'o Expr> {
        match said.option.values.as_slice() {
            [value] if said.option.block.is_empty() => Some(value),
            _ => {
                self.wrong_form(said, form);
                None
            }
        }
    }

    /// A quantity within its bounds, in base units.
    pub(super) fn amount(&mut self, said: &Said<'_>, bounds: Bounds, form: &str) -> Option<u64> {
        let value = self.one(said, form)?;
        self.amount_of(&said.option.name.text, value, bounds, &said.scope)
    }

    /// A value within its bounds, in base units; `name` is the option's.
    pub(super) fn amount_of(&mut self, name: &str, value: &Expr, Bounds(dimension, least, most): Bounds, scope: &Scope) -> Option<u64> {
        self.context.bounded(&format!("`{name}`"), value, dimension, (least, most), scope)
    }

    /// A small count.
    pub(super) fn small<T: TryFrom<u64>>(&mut self, said: &Said<'_>, least: i64, most: i64, form: &str) -> Option<T> {
        T::try_from(self.amount(said, Bounds(Dimension::Count, least, most), form)?).ok()
    }

    /// A quantity that may be drawn anew each time: `20ms`, `10ms..30ms`, `normal(20ms, 2ms)`.
    pub(super) fn varying(&mut self, said: &Said<'_>, bounds: Bounds, form: &str) -> Option<Varying> {
        let value = self.one(said, form)?;
        self.varying_of(&said.option.name.text, value, bounds, &said.scope)
    }

    /// A value that may be drawn anew each time; every constant in it lies within the bounds.
    pub(super) fn varying_of(&mut self, name: &str, expr: &Expr, bounds: Bounds, scope: &Scope) -> Option<Varying> {
        let Bounds(dimension, ..) = bounds;
        let value = self.context.evaluate(expr, scope)?;
        let varying = match value.clone().as_type(Type::Of(dimension)) {
            Some(Value::Quantity(quantity)) => return self.in_bounds(name, quantity.value, bounds, expr).map(Varying::Fixed),
            Some(Value::Range(first, last)) => {
                let (first, last) = (self.in_bounds(name, first.value, bounds, expr), self.in_bounds(name, last.value, bounds, expr));
                return Some(Varying::Uniform(first?, last?));
            }
            Some(Value::Random(_, varying)) => varying,
            _ => {
                self.context.wrong_type(Type::Of(dimension).words(), &value, expr.span);
                return None;
            }
        };
        let constants: Vec<u64> = match &varying {
            Varying::Fixed(a) | Varying::Exponential(a) | Varying::Normal(a, _) | Varying::Pareto(a, _) => vec![*a],
            Varying::Uniform(a, b) => vec![*a, *b],
            Varying::Choice(all) => all.clone(),
        };
        let fine = constants.iter().all(|v| self.in_bounds(name, i64::try_from(*v).unwrap_or(i64::MAX), bounds, expr).is_some());
        fine.then_some(varying)
    }

    fn in_bounds(&mut self, name: &str, value: i64, Bounds(dimension, least, most): Bounds, expr: &Expr) -> Option<u64> {
        if value < least || value > most {
            let shown = |value| Quantity::new(dimension, value).to_string();
            let (what, value, least, most) = (format!("`{name}`"), shown(value), shown(least), shown(most));
            self.context.raise(ExpandError::OutOfRange { what, value, least, most, span: expr.span });
            return None;
        }
        u64::try_from(value).ok()
    }

    /// `on` or `off`, or a condition.
    pub(super) fn switch(&mut self, said: &Said<'_>) -> Option<bool> {
        let form = format!("{} on", said.option.name.text);
        let value = self.one(said, &form)?;
        match self.word_of(value, &said.scope).as_deref() {
            Some("on") => return Some(true),
            Some("off") => return Some(false),
            _ => {}
        }
        if let Some(name) = word(bare(value))
            && said.scope.find(self.context, name).is_none()
        {
            self.unknown_choice(&said.option.name.text, name, value, &["on", "off"]);
            return None;
        }
        match self.context.evaluate(value, &said.scope)? {
            Value::Truth(truth) => Some(truth),
            other => {
                self.context.wrong_type("`on` or `off`", &other, value.span);
                None
            }
        }
    }

    /// The word that an expression is, or that the value it names is.
    pub(super) fn word_of(&mut self, expr: &Expr, scope: &Scope) -> Option<String> {
        let name = word(bare(expr))?;
        match scope.find(self.context, name).map(|binding| &binding.value) {
            Some(Some(Value::Text(text) | Value::Word(text))) => Some(text.clone()),
            Some(_) => None,
            None => Some(name.to_owned()),
        }
    }

    /// What a word of a table stands for.
    pub(super) fn choice<T: Copy>(&mut self, said: &Said<'_>, table: &[(&'static str, T)]) -> Option<T> {
        let first = table.first().map_or("", |(word, _)| *word);
        let form = format!("{} {first}", said.option.name.text);
        let value = self.one(said, &form)?;
        self.choice_of(&said.option.name.text, value, &said.scope, table)
    }

    /// What a word of a table stands for; `name` is the option's.
    pub(super) fn choice_of<T: Copy>(&mut self, name: &str, expr: &Expr, scope: &Scope, table: &[(&'static str, T)]) -> Option<T> {
        let Some(written) = self.word_of(expr, scope) else {
            if let Some(value) = self.context.evaluate(expr, scope) {
                let words: Vec<&str> = table.iter().map(|(word, _)| *word).collect();
                self.context.wrong_type(format!("one of the words {}", words.join(", ")), &value, expr.span);
            }
            return None;
        };
        if let Some((_, meant)) = table.iter().find(|(word, _)| *word == written) {
            return Some(*meant);
        }
        let words: Vec<&str> = table.iter().map(|(word, _)| *word).collect();
        self.unknown_choice(name, &written, expr, &words);
        None
    }

    /// Reports a word that is none of a table's.
    pub(super) fn unknown_choice(&mut self, option: &str, name: &str, expr: &Expr, words: &[&str]) {
        let near = suggest(name, words.iter().copied()).filter(|help| help.starts_with("did"));
        let help = near.or_else(|| Some(format!("write one of {}", words.join(", "))));
        self.context.raise(NetError::UnknownChoice { what: format!("`{option}`"), name: name.into(), span: expr.span, help });
    }

    /// Every value of an option, lists in it taken apart.
    pub(super) fn each_value<'o>(&mut self, said: &Said<'o>, form: &str) -> Option<Vec<&'o Expr>> {
        let mut all = Vec::new();
        for value in &said.option.values {
            match &bare(value).kind {
                ExprKind::List(items) => all.extend(items),
                _ => all.push(value),
            }
        }
        if all.is_empty() || !said.option.block.is_empty() {
            self.wrong_form(said, form);
            return None;
        }
        Some(all)
    }

    /// A text.
    pub(super) fn text(&mut self, said: &Said<'_>, form: &str) -> Option<String> {
        let value = self.one(said, form)?;
        self.text_of(value, &said.scope)
    }

    /// A text without holes that are filled later.
    pub(super) fn text_of(&mut self, expr: &Expr, scope: &Scope) -> Option<String> {
        match self.context.evaluate(expr, scope)? {
            Value::Text(text) => Some(text),
            other => {
                self.context.wrong_type("a text", &other, expr.span);
                None
            }
        }
    }

    /// Several texts.
    pub(super) fn texts(&mut self, said: &Said<'_>, form: &str) -> Option<Vec<String>> {
        let values = self.each_value(said, form)?;
        let texts: Vec<Option<String>> = values.into_iter().map(|value| self.text_of(value, &said.scope)).collect();
        texts.into_iter().collect()
    }

    /// A hardware address that one interface can have.
    pub(super) fn mac(&mut self, said: &Said<'_>) -> Option<Mac> {
        let value = self.one(said, "mac 02:00:00:00:00:01")?;
        let reason = match self.context.evaluate(value, &said.scope)? {
            Value::Mac(mac) if mac == [0; 6] => "the empty address",
            Value::Mac(mac) if mac[0] & 1 == 1 => "the address of a group",
            Value::Mac(mac) => return Some(Mac(mac)),
            other => {
                self.context.wrong_type("a MAC address", &other, value.span);
                return None;
            }
        };
        let address = self.context.words(value.span);
        let help = Some("the first byte of an interface's address is even: `02:00:00:00:00:01`".to_owned());
        self.context.raise(ExpandError::NotAHostAddress { address, what: reason.into(), span: value.span, help });
        None
    }

    /// Reports values before the block of an option that takes only a block.
    pub(super) fn only_block(&mut self, said: &Said<'_>, form: &str) {
        if !said.option.values.is_empty() {
            self.wrong_form(said, form);
        }
    }

    /// Does something with the names of another scope.
    pub(super) fn within_scope<T>(&mut self, scope: &Scope, work: impl FnOnce(&mut Self) -> T) -> T {
        let own = std::mem::replace(&mut self.scope, scope.clone());
        let made = work(self);
        self.scope = own;
        made
    }

    /// A port or a range of ports.
    pub(super) fn port_range(&mut self, expr: &Expr, scope: &Scope) -> Option<(u16, u16)> {
        let ports = self.varying_of("ports", expr, Bounds(Dimension::Count, 1, 65_535), scope)?;
        let (first, last) = match ports {
            Varying::Fixed(port) => (port, port),
            Varying::Uniform(first, last) => (first, last),
            _ => {
                let form = "ports 20000..30000".to_owned();
                self.context.raise(ExpandError::OptionForm { name: "ports".into(), form, span: expr.span });
                return None;
            }
        };
        Some((u16::try_from(first).ok()?, u16::try_from(last).ok()?))
    }
}
