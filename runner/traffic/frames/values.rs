//! What the fields of a header hold from frame to frame. In: a field, the number of an item. Out: a number. The same item has the same values,
//! whenever and wherever it is asked for.

use std::net::IpAddr;

use scn_grammar::scenario::frame::Field;
use scn_grammar::scenario::topology::Mac;

use crate::traffic::draw::Key;

/// What stands in a field, as a number of so many bits as the field has.
pub trait Number {
    /// The number.
    fn number(&self) -> u128;
}

impl Number for u64 {
    fn number(&self) -> u128 {
        u128::from(*self)
    }
}

impl Number for Mac {
    fn number(&self) -> u128 {
        self.0.iter().fold(0, |number, byte| number << 8 | u128::from(*byte))
    }
}

impl Number for IpAddr {
    fn number(&self) -> u128 {
        match self {
            IpAddr::V4(address) => u128::from(u32::from(*address)),
            IpAddr::V6(address) => u128::from(*address),
        }
    }
}

/// A field that is not always the same.
#[derive(Debug, Clone)]
pub enum Values {
    /// The first and so many in all, then from the start again.
    Counting(u128, u128),
    /// Any of so many from the first on.
    Random(u128, u128, Key),
    /// One of these.
    Choice(Vec<u128>, Key),
}

/// What a field holds.
#[derive(Debug, Clone)]
pub enum Held {
    /// Always the same.
    Fixed(u128),
    /// Something else from frame to frame.
    Varying(Values),
}

impl Held {
    /// What a field of the scenario says; a key makes its draws.
    pub fn of<T: Number>(field: &Field<T>, key: Key) -> Held {
        let count = |first: &T, last: &T| last.number().saturating_sub(first.number()).saturating_add(1);
        match field {
            Field::Fixed(value) => Held::Fixed(value.number()),
            Field::Counting(first, last) if count(first, last) == 1 => Held::Fixed(first.number()),
            Field::Counting(first, last) => Held::Varying(Values::Counting(first.number(), count(first, last))),
            Field::Random(first, last) => Held::Varying(Values::Random(first.number(), count(first, last), key)),
            Field::Choice(values) => match values.as_slice() {
                [] => Held::Fixed(0),
                [only] => Held::Fixed(only.number()),
                _ => Held::Varying(Values::Choice(values.iter().map(Number::number).collect(), key)),
            },
        }
    }
}

impl Values {
    /// Of an item.
    pub fn at(&self, item: u64) -> u128 {
        match self {
            Values::Counting(first, count) => match u64::try_from(*count) {
                Ok(count) => first + u128::from(item % count),
                Err(_) => first + u128::from(item) % count,
            },
            Values::Random(first, count, key) => first + below(key.part(item), *count),
            Values::Choice(values, key) => values[usize::try_from(below(key.part(item), values.len() as u128)).unwrap_or(0)],
        }
    }
}

/// A number below this one, each equally likely.
fn below(key: Key, count: u128) -> u128 {
    match u64::try_from(count) {
        Ok(count) => (u128::from(key.bits()) * u128::from(count)) >> 64,
        Err(_) => (u128::from(key.bits()) << 64 | u128::from(key.part(1).bits())) % count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(field: &Field<u64>) -> Vec<u128> {
        match Held::of(field, Key::of_seed(1)) {
            Held::Fixed(value) => vec![value],
            Held::Varying(values) => (0..1000).map(|item| values.at(item)).collect(),
        }
    }

    #[test]
    fn fields_vary_as_they_say() {
        assert_eq!(of(&Field::Fixed(7)), [7]);
        assert_eq!(of(&Field::Counting(5, 5)), [5]);
        let counted = of(&Field::Counting(10, 12));
        assert_eq!(counted[..7], [10, 11, 12, 10, 11, 12, 10]);
        let random = of(&Field::Random(3, 6));
        assert!(random.iter().all(|value| (3..=6).contains(value)) && (3..=6).all(|value| random.contains(&value)));
        let chosen = of(&Field::Choice(vec![1, 5]));
        assert!(chosen.contains(&1) && chosen.contains(&5) && chosen.iter().all(|value| [1, 5].contains(value)));
    }

    #[test]
    fn addresses_count_too() {
        let (first, last) = ("2001:db8::".parse::<IpAddr>().unwrap(), "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse().unwrap());
        let Held::Varying(values) = Held::of(&Field::Counting(first, last), Key::of_seed(1)) else { panic!("it counts") };
        assert_eq!(values.at(3), first.number() + 3);
        let Held::Varying(values) = Held::of(&Field::Random(first, last), Key::of_seed(1)) else { panic!("it is drawn") };
        assert!((0..100).all(|item| (first.number()..=last.number()).contains(&values.at(item))));
    }
}
