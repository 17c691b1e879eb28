//! Which packets a link loses. In: the option `loss`. Out: a [`Loss`]. Loses nothing.

use super::draft::Draft;
use super::error::ExpandError;
use super::options::Said;
use super::reading::{Bounds, DAY_NS, WHOLE};
use super::value::Value;
use crate::quantity::{BILLION, Dimension};
use crate::resolve::{ResolveError, suggest::suggest};
use crate::scenario::topology::{Loss, LossSpan};
use crate::source::Span;
use crate::syntax::tree::{Argument, Expr, ExprKind, Indexed};

/// The largest number of a packet that a loss names.
const PACKET_LIMIT: i64 = 1_000_000_000_000;
/// A list of losses has at most so many entries.
const SPAN_LIMIT: usize = 10_000;
/// The parameters of `gilbert_elliott` in the order of their places, with their defaults.
const GILBERT_ELLIOTT: [(&str, Option<u64>); 4] = [("p", None), ("r", None), ("good", Some(0)), ("bad", Some(BILLION.unsigned_abs()))];
const FORM: &str = "loss 1%";

impl Draft<'_, '_> {
    /// `loss 1%`, `loss every 100`, `loss gilbert_elliott(p: 1%, r: 10%)`, `loss list [3, 7..9]`, `loss trace "file"`.
    pub(super) fn loss(&mut self, said: &Said<'_>) -> Option<Loss> {
        let values = said.option.values.as_slice();
        let kind = values.first().and_then(|first| self.word_of(first, &said.scope));
        match (kind.as_deref(), values) {
            (_, [one]) if matches!(&one.kind, ExprKind::Call(path, _) if is_model(path)) => {
                let ExprKind::Call(_, arguments) = &one.kind else { return None };
                self.gilbert_elliott(said, arguments, one.span)
            }
            (Some("every"), [_, n]) => {
                let n = self.amount_of("loss", n, Bounds(Dimension::Count, 1, PACKET_LIMIT), &said.scope)?;
                Some(Loss::Every { n })
            }
            (Some("list"), [_, list]) => self.loss_list(said, list),
            (Some("trace"), [_, file]) => Some(Loss::Trace(self.text_of(file, &said.scope)?)),
            (Some(other), [_]) if said.scope.find(self.context, other).is_none() => {
                let first = values.first()?;
                self.unknown_choice("loss", other, first, &["every", "list", "trace", "gilbert_elliott"]);
                None
            }
            (_, [_]) => {
                let ratio_nano = self.amount(said, Bounds(Dimension::Ratio, 0, WHOLE), FORM)?;
                Some(if ratio_nano == 0 { Loss::None } else { Loss::Random { ratio_nano } })
            }
            _ => {
                self.wrong_form(said, "loss 1%`, `loss every 100` or `loss list [3, 7..9]");
                None
            }
        }
    }

    fn gilbert_elliott(&mut self, said: &Said<'_>, arguments: &[Argument], span: Span) -> Option<Loss> {
        let mut values: [Option<u64>; 4] = [None; 4];
        let mut first: [Option<Span>; 4] = [None; 4];
        let mut fine = true;
        for (place, argument) in arguments.iter().enumerate() {
            let position = match &argument.name {
                None => place,
                Some(name) => match GILBERT_ELLIOTT.iter().position(|(known, _)| *known == name.text) {
                    Some(position) => position,
                    None => {
                        let help = suggest(&name.text, GILBERT_ELLIOTT.iter().map(|(known, _)| *known));
                        self.context.raise(ResolveError::UnknownName { name: name.text.clone(), span: name.span, help });
                        fine = false;
                        continue;
                    }
                },
            };
            let Some((name, _)) = GILBERT_ELLIOTT.get(position) else {
                let (name, takes) = ("gilbert_elliott".to_owned(), GILBERT_ELLIOTT.len());
                self.context.raise(ExpandError::TooManyArguments { name, takes, span: argument.value.span });
                return None;
            };
            if let Some(first) = first[position] {
                self.context.raise(ExpandError::ArgumentTwice { name: (*name).into(), span: argument.value.span, first });
                fine = false;
            }
            first[position] = Some(argument.value.span);
            values[position] = self.amount_of(name, &argument.value, Bounds(Dimension::Ratio, 0, WHOLE), &said.scope);
            fine &= values[position].is_some();
        }
        for ((name, default), value) in GILBERT_ELLIOTT.iter().zip(&mut values) {
            *value = value.or(*default);
            if value.is_none() && fine {
                let (pattern, declared) = ("gilbert_elliott".to_owned(), said.span());
                self.context.raise(ExpandError::MissingArgument { pattern, name: (*name).into(), span, declared });
            }
        }
        let [p_nano, r_nano, good_nano, bad_nano] = values;
        let (p_nano, r_nano, good_nano, bad_nano) = (p_nano?, r_nano?, good_nano?, bad_nano?);
        fine.then_some(Loss::GilbertElliott { p_nano, r_nano, good_nano, bad_nano })
    }

    fn loss_list(&mut self, said: &Said<'_>, list: &Expr) -> Option<Loss> {
        let items = match self.context.evaluate(list, &said.scope)? {
            Value::List(items) => items,
            other => {
                self.context.wrong_type("a list of packets, `[3, 7..9]`, or of times, `[1s..2s]`", &other, list.span);
                return None;
            }
        };
        if items.len() > SPAN_LIMIT {
            let (what, count, limit) = ("losses of one list", items.len() as u64, SPAN_LIMIT as u64);
            self.context.raise(ExpandError::TooLarge { what, count, limit, span: list.span });
            return None;
        }
        let mut spans: Vec<(Dimension, u64, u64)> = Vec::with_capacity(items.len());
        for item in items {
            let (first, last) = match &item {
                Value::Quantity(one) if one.dimension == Dimension::Count => (*one, *one),
                Value::Range(first, last) if matches!(first.dimension, Dimension::Count | Dimension::Duration) => (*first, *last),
                other => {
                    self.context.wrong_type("a packet's number, a range of them, or a range of times", other, list.span);
                    return None;
                }
            };
            let (least, most) = if first.dimension == Dimension::Count { (1, PACKET_LIMIT) } else { (0, DAY_NS) };
            if first.value < least || last.value > most {
                let shown = |value| crate::quantity::Quantity::new(first.dimension, value).to_string();
                let (what, value, least, most) = ("a place in the list".to_owned(), item.to_string(), shown(least), shown(most));
                self.context.raise(ExpandError::OutOfRange { what, value, least, most, span: list.span });
                return None;
            }
            spans.push((first.dimension, first.value.unsigned_abs(), last.value.unsigned_abs()));
        }
        for pair in spans.windows(2) {
            let [(a, _, last), (b, first, _)] = pair else { continue };
            if a != b || last >= first {
                let message = if a == b { "these losses are not in ascending order" } else { "one list can't hold packets and times" };
                let help = "write each loss once, the first first: `[3, 7..9]`".to_owned();
                let (span, other) = (list.span, said.span());
                self.context.raise(ExpandError::OptionConflict { message: message.into(), span, other, help });
                return None;
            }
        }
        let span = |(dimension, first, last): &(Dimension, u64, u64)| match dimension {
            Dimension::Count => LossSpan::Packets(*first, *last),
            _ => LossSpan::Time(*first, *last),
        };
        Some(Loss::List(spans.iter().map(span).collect()))
    }
}

/// `gilbert_elliott`.
fn is_model(path: &[Indexed]) -> bool {
    matches!(path, [one] if one.index.is_none() && one.name.text == "gilbert_elliott")
}
