//! Arithmetic and comparison of quantities with their dimensions. In: two quantities. Out: one, or why not. Exact: rounds only
//! where the result's base unit is coarser than the value, to the nearest. Knows no places.

use std::cmp::Ordering;

use crate::quantity::{BILLION, Dimension, Quantity};
use crate::syntax::tree::BinaryOperator;

/// Why two quantities can't be combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Their dimensions do not go together.
    Dimensions,
    /// The result needs more than 63 bits.
    Overflow,
    /// The right side is zero.
    DivisionByZero,
}

/// The dimension of `a operator b` for the four arithmetic operators; `None`: they do not go together.
#[must_use]
pub fn result_dimension(operator: BinaryOperator, a: Dimension, b: Dimension) -> Option<Dimension> {
    use Dimension::{Bandwidth, Count, Duration, Number, Rate, Ratio, Size};
    let plain = |d: Dimension| matches!(d, Count | Number);
    match operator {
        BinaryOperator::Add | BinaryOperator::Subtract => match (a, b) {
            _ if a == b => Some(a),
            (Count, Number) | (Number, Count) => Some(Number),
            _ => None,
        },
        BinaryOperator::Multiply => match (a, b) {
            (Count, Count) => Some(Count),
            _ if plain(a) && plain(b) => Some(Number),
            // Kept exact: what was meant as a count is made one where it is needed.
            (Ratio, Count) | (Count, Ratio) => Some(Number),
            (Ratio, other) | (other, Ratio) => Some(other),
            _ if plain(a) => Some(b),
            _ if plain(b) => Some(a),
            (Bandwidth, Duration) | (Duration, Bandwidth) => Some(Size),
            (Rate, Duration) | (Duration, Rate) => Some(Number),
            (Rate, Size) | (Size, Rate) => Some(Bandwidth),
            _ => None,
        },
        BinaryOperator::Divide => match (a, b) {
            _ if a == b => Some(Number),
            _ if plain(a) && plain(b) => Some(Number),
            _ if plain(b) || b == Ratio => Some(a),
            (Size, Duration) => Some(Bandwidth),
            (Size, Bandwidth) => Some(Duration),
            (Bandwidth, Size) => Some(Rate),
            (Bandwidth, Rate) => Some(Size),
            (Count | Number, Duration) => Some(Rate),
            (Count | Number, Rate) => Some(Duration),
            _ => None,
        },
        _ => None,
    }
}

/// `true` when the two can be compared.
#[must_use]
pub fn comparable(a: Dimension, b: Dimension) -> bool {
    a == b || result_dimension(BinaryOperator::Add, a, b).is_some()
}

/// What one base unit is: ten to the first power, times eight (a byte in bits) to the second, of the natural unit in seconds and bits.
fn base(dimension: Dimension) -> (i32, i32) {
    match dimension {
        Dimension::Count | Dimension::Bandwidth => (0, 0),
        Dimension::Size => (0, 1),
        Dimension::Number | Dimension::Duration | Dimension::Rate | Dimension::Ratio => (-9, 0),
    }
}

/// Computes `a operator b`.
///
/// # Errors
/// When the dimensions do not go together, the result is too large, or `b` divides and is zero.
pub fn combine(operator: BinaryOperator, a: Quantity, b: Quantity) -> Result<Quantity, Trouble> {
    let dimension = result_dimension(operator, a.dimension, b.dimension).ok_or(Trouble::Dimensions)?;
    let (left, right) = (i128::from(a.value), i128::from(b.value));
    let ((ka, ma), (kb, mb), (kr, mr)) = (base(a.dimension), base(b.dimension), base(dimension));
    let (over, under) = match operator {
        BinaryOperator::Add | BinaryOperator::Subtract => {
            let (left, right) = (same_base(a, dimension)?, same_base(b, dimension)?);
            let sum = if operator == BinaryOperator::Add { left + right } else { left - right };
            return fit(dimension, sum);
        }
        BinaryOperator::Multiply => scaled(left.checked_mul(right).ok_or(Trouble::Overflow)?, 1, ka + kb - kr, ma + mb - mr)?,
        _ if right == 0 => return Err(Trouble::DivisionByZero),
        _ => scaled(left, right, ka - kb - kr, ma - mb - mr)?,
    };
    fit(dimension, nearest(over, under))
}

/// The value in base units of another dimension of the same kind (count as number).
fn same_base(quantity: Quantity, dimension: Dimension) -> Result<i128, Trouble> {
    let factor = if quantity.dimension == dimension { 1 } else { i128::from(BILLION) };
    i128::from(quantity.value).checked_mul(factor).ok_or(Trouble::Overflow)
}

/// `over / under` times powers of ten and eight, as a fraction.
fn scaled(over: i128, under: i128, tens: i32, eights: i32) -> Result<(i128, i128), Trouble> {
    let power = |base: i128, exponent: i32| base.checked_pow(exponent.unsigned_abs()).ok_or(Trouble::Overflow);
    let (mut over, mut under) = (over, under);
    for (base, exponent) in [(10, tens), (8, eights)] {
        let factor = power(base, exponent)?;
        let place = if exponent >= 0 { &mut over } else { &mut under };
        *place = place.checked_mul(factor).ok_or(Trouble::Overflow)?;
    }
    Ok((over, under))
}

/// The whole number nearest to a fraction, halves away from zero.
fn nearest(over: i128, under: i128) -> i128 {
    let (whole, rest) = (over / under, over % under);
    let up = rest.unsigned_abs() >= under.unsigned_abs() - rest.unsigned_abs();
    if rest != 0 && up { whole + if (over < 0) == (under < 0) { 1 } else { -1 } } else { whole }
}

/// A quantity if it fits.
fn fit(dimension: Dimension, value: i128) -> Result<Quantity, Trouble> {
    i64::try_from(value).map(|value| Quantity::new(dimension, value)).map_err(|_| Trouble::Overflow)
}

/// A number as a count; `None`: it is not whole.
#[must_use]
pub fn whole(number: i64) -> Option<Quantity> {
    (number % BILLION == 0).then(|| Quantity::new(Dimension::Count, number / BILLION))
}

/// Compares two quantities.
///
/// # Errors
/// When their dimensions differ (a count and a number may be compared).
pub fn compare(a: Quantity, b: Quantity) -> Result<Ordering, Trouble> {
    let dimension = result_dimension(BinaryOperator::Add, a.dimension, b.dimension).ok_or(Trouble::Dimensions)?;
    Ok(same_base(a, dimension)?.cmp(&same_base(b, dimension)?))
}

/// The truth of `ordering operator`.
#[must_use]
pub fn holds(operator: BinaryOperator, ordering: Ordering) -> bool {
    match operator {
        BinaryOperator::Equal => ordering.is_eq(),
        BinaryOperator::NotEqual => ordering.is_ne(),
        BinaryOperator::Less => ordering.is_lt(),
        BinaryOperator::LessEqual => ordering.is_le(),
        BinaryOperator::Greater => ordering.is_gt(),
        BinaryOperator::GreaterEqual => ordering.is_ge(),
        _ => false,
    }
}

/// `true` for the six comparisons.
#[must_use]
pub fn is_comparison(operator: BinaryOperator) -> bool {
    use BinaryOperator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(operator, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}

/// The operator as a verb of a message: "can't compare a rate and a duration".
#[must_use]
pub fn verb(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Add => "add",
        BinaryOperator::Subtract => "subtract",
        BinaryOperator::Multiply => "multiply",
        BinaryOperator::Divide => "divide",
        BinaryOperator::And | BinaryOperator::Or => "join",
        BinaryOperator::Matches => "match",
        _ => "compare",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn q(dimension: Dimension, value: i64) -> Quantity {
        Quantity::new(dimension, value)
    }

    #[test]
    fn dimensions_combine() {
        use BinaryOperator::{Add, Divide, Multiply};
        let table = [
            (Divide, q(Dimension::Size, 1000), q(Dimension::Duration, BILLION), Ok(q(Dimension::Bandwidth, 8000))),
            (Multiply, q(Dimension::Duration, 5), q(Dimension::Count, 3), Ok(q(Dimension::Duration, 15))),
            (Multiply, q(Dimension::Rate, 400 * BILLION), q(Dimension::Duration, 2 * BILLION), Ok(q(Dimension::Number, 800 * BILLION))),
            (Divide, q(Dimension::Duration, 30), q(Dimension::Duration, 20), Ok(q(Dimension::Number, 1_500_000_000))),
            (Multiply, q(Dimension::Count, 200), q(Dimension::Ratio, 500_000_000), Ok(q(Dimension::Number, 100 * BILLION))),
            (Divide, q(Dimension::Count, 10), q(Dimension::Rate, 5 * BILLION), Ok(q(Dimension::Duration, 2 * BILLION))),
            (Divide, q(Dimension::Size, 1 << 20), q(Dimension::Bandwidth, 8 << 20), Ok(q(Dimension::Duration, BILLION))),
            (Multiply, q(Dimension::Bandwidth, 8_000), q(Dimension::Duration, BILLION), Ok(q(Dimension::Size, 1000))),
            (Add, q(Dimension::Count, 1), q(Dimension::Number, BILLION / 2), Ok(q(Dimension::Number, 3 * BILLION / 2))),
            (Add, q(Dimension::Count, 1), q(Dimension::Size, 1), Err(Trouble::Dimensions)),
            (Add, q(Dimension::Count, i64::MAX), q(Dimension::Count, 1), Err(Trouble::Overflow)),
            (Divide, q(Dimension::Size, 1), q(Dimension::Count, 0), Err(Trouble::DivisionByZero)),
            (Divide, q(Dimension::Size, i64::MIN), q(Dimension::Count, -1), Err(Trouble::Overflow)),
        ];
        for (operator, a, b, expected) in table {
            assert_eq!(combine(operator, a, b), expected, "{a} {operator:?} {b}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(op in 0usize..4, da in 0usize..7, db in 0usize..7, a: i64, b: i64) {
            use Dimension::{Bandwidth, Count, Duration, Number, Rate, Ratio, Size};
            let dimensions = [Count, Number, Duration, Size, Bandwidth, Rate, Ratio];
            let operators = [BinaryOperator::Add, BinaryOperator::Subtract, BinaryOperator::Multiply, BinaryOperator::Divide];
            let _ = combine(operators[op], q(dimensions[da], a), q(dimensions[db], b));
            let _ = compare(q(dimensions[da], a), q(dimensions[db], b));
        }
    }
}
