//! Fields of headers that may change from one frame to the next. In: an option as said. Out: a [`Field`]. Knows no header.

use std::net::IpAddr;

use super::addresses::{last, network};
use super::draft::Draft;
use super::error::ExpandError;
use super::evaluate::{Scope, bare};
use super::options::{Found, Said};
use super::value::Value;
use crate::quantity::{Dimension, Quantity};
use crate::scenario::frame::Field;
use crate::scenario::pattern::Varying;
use crate::scenario::topology::Mac;
use crate::syntax::tree::{Expr, ExprKind};

/// Values of one field to choose from: at most so many.
const CHOICE_LIMIT: usize = 10_000;

/// What a field holds.
pub(super) trait Held: Sized + Clone + PartialOrd {
    /// One value, or `None` when a problem was reported. `most` bounds numbers.
    fn of(draft: &mut Draft<'_, '_>, value: &Value, expr: &Expr, most: u64) -> Option<Self>;
    /// A value that stands for several by itself: the first and the last.
    fn range(value: &Value) -> Option<(Self, Self)>;
    /// As it is written.
    fn shown(&self) -> String;
}

impl Held for u64 {
    fn of(draft: &mut Draft<'_, '_>, value: &Value, expr: &Expr, most: u64) -> Option<u64> {
        let number = match value {
            Value::Quantity(quantity) if quantity.dimension == Dimension::Count => u64::try_from(quantity.value).ok(),
            // `hex"88 b5"`: as it stands on the wire.
            Value::Bytes(bytes) if (1..=4).contains(&bytes.len()) => {
                Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
            other => {
                draft.context.wrong_type("a count or bytes", other, expr.span);
                return None;
            }
        };
        if number.is_none_or(|number| number > most) {
            let (what, value, least, most) = ("this field".to_owned(), value.to_string(), "0".to_owned(), most.to_string());
            draft.context.raise(ExpandError::OutOfRange { what, value, least, most, span: expr.span });
            return None;
        }
        number
    }

    fn range(_: &Value) -> Option<(u64, u64)> {
        None
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Held for Mac {
    fn of(draft: &mut Draft<'_, '_>, value: &Value, expr: &Expr, _: u64) -> Option<Mac> {
        match value {
            Value::Mac(mac) => Some(Mac(*mac)),
            other => {
                draft.context.wrong_type("a MAC address", other, expr.span);
                None
            }
        }
    }

    fn range(_: &Value) -> Option<(Mac, Mac)> {
        None
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Held for IpAddr {
    /// `most` is 4 or 6: the family.
    fn of(draft: &mut Draft<'_, '_>, value: &Value, expr: &Expr, most: u64) -> Option<IpAddr> {
        match value {
            Value::Address(address) if address.is_ipv4() == (most == 4) => Some(*address),
            Value::Address(_) => {
                let expected = format!("an IPv{most} address");
                let found = format!("an IPv{} address", if most == 4 { 6 } else { 4 });
                draft.context.raise(ExpandError::WrongType { expected, found, span: expr.span, help: None });
                None
            }
            other => {
                draft.context.wrong_type(format!("an IPv{most} address"), other, expr.span);
                None
            }
        }
    }

    fn range(value: &Value) -> Option<(IpAddr, IpAddr)> {
        match value {
            Value::Prefix(prefix) => Some((network(*prefix), last(*prefix))),
            _ => None,
        }
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Draft<'_, '_> {
    /// A number up to `most`.
    pub(super) fn number_field(&mut self, found: &Found<'_>, name: &str, most: u64) -> Option<Field<u64>> {
        let said = found.get(name)?;
        self.field(said, most)
    }

    /// A hardware address.
    pub(super) fn mac_field(&mut self, found: &Found<'_>, name: &str) -> Option<Field<Mac>> {
        let said = found.get(name)?;
        self.field(said, 0)
    }

    /// An address of a family, 4 or 6.
    pub(super) fn address_field(&mut self, found: &Found<'_>, name: &str, family: u64) -> Option<Field<IpAddr>> {
        let said = found.get(name)?;
        self.field(said, family)
    }

    /// `7`, `1..1000`, `random 1..1000`, `choice(1, 2)`, `[1, 2]`.
    pub(super) fn field<T: Held>(&mut self, said: &Said<'_>, most: u64) -> Option<Field<T>> {
        let name = &said.option.name.text;
        let form = format!("{name} 7`, `{name} 1..1000` or `{name} random 1..1000");
        let (random, expr) = match said.option.values.as_slice() {
            [expr] => (false, expr),
            [word, expr] if self.word_of(word, &said.scope).as_deref() == Some("random") => (true, expr),
            _ => {
                self.wrong_form(said, &form);
                return None;
            }
        };
        if !said.option.block.is_empty() {
            self.wrong_form(said, &form);
            return None;
        }
        match self.field_of(expr, &said.scope, most)? {
            Field::Counting(first, last) if random => Some(Field::Random(first, last)),
            Field::Fixed(_) | Field::Choice(_) if random => {
                self.wrong_form(said, &form);
                None
            }
            field => Some(field),
        }
    }

    fn field_of<T: Held>(&mut self, expr: &Expr, scope: &Scope, most: u64) -> Option<Field<T>> {
        match &bare(expr).kind {
            ExprKind::Range(first, last) => {
                let (a, b) = (self.held::<T>(first, scope, most), self.held::<T>(last, scope, most));
                return self.counting(a?, b?, expr);
            }
            ExprKind::List(items) => {
                if items.is_empty() || items.len() > CHOICE_LIMIT {
                    let (what, count, limit) = ("values of one field", items.len() as u64, CHOICE_LIMIT as u64);
                    self.context.raise(ExpandError::TooLarge { what, count, limit, span: expr.span });
                    return None;
                }
                let held: Vec<Option<T>> = items.iter().map(|item| self.held(item, scope, most)).collect();
                return held.into_iter().collect::<Option<Vec<T>>>().map(Field::Choice);
            }
            _ => {}
        }
        let value = self.context.evaluate(expr, scope)?;
        let count = |value: u64| Value::Quantity(Quantity::new(Dimension::Count, i64::try_from(value).unwrap_or(i64::MAX)));
        match &value {
            Value::Random(Dimension::Count, Varying::Uniform(a, b)) => {
                let (a, b) = (T::of(self, &count(*a), expr, most)?, T::of(self, &count(*b), expr, most)?);
                Some(Field::Random(a, b))
            }
            Value::Random(Dimension::Count, Varying::Choice(all)) => {
                let held: Vec<Option<T>> = all.iter().map(|one| T::of(self, &count(*one), expr, most)).collect();
                held.into_iter().collect::<Option<Vec<T>>>().map(Field::Choice)
            }
            Value::Range(a, b) => {
                let (a, b) = (T::of(self, &Value::Quantity(*a), expr, most)?, T::of(self, &Value::Quantity(*b), expr, most)?);
                self.counting(a, b, expr)
            }
            _ => match T::range(&value) {
                Some((a, b)) => {
                    T::of(self, &first_of(&value), expr, most)?;
                    self.counting(a, b, expr)
                }
                None => T::of(self, &value, expr, most).map(Field::Fixed),
            },
        }
    }

    fn held<T: Held>(&mut self, expr: &Expr, scope: &Scope, most: u64) -> Option<T> {
        let value = self.context.evaluate(expr, scope)?;
        T::of(self, &value, expr, most)
    }

    fn counting<T: Held>(&mut self, first: T, last: T, expr: &Expr) -> Option<Field<T>> {
        if first > last {
            let (first, last) = (first.shown(), last.shown());
            self.context.raise(ExpandError::BackwardRange { first, last, span: expr.span });
            return None;
        }
        Some(Field::Counting(first, last))
    }
}

/// The address of a prefix, to be checked like one.
fn first_of(value: &Value) -> Value {
    match value {
        Value::Prefix(prefix) => Value::Address(prefix.address),
        other => other.clone(),
    }
}
