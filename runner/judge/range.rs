//! Values with error as ranges, and comparisons with three answers. In: ranges. Out: ranges, and yes, no or unknown. Knows no metrics.

use scn_grammar::quantity::Dimension;
use scn_grammar::scenario::expect::{BinaryOperator, Fold};

/// Numbers and ratios are kept as multiples of this.
const KEPT: f64 = 1e-9;
/// Beyond it a double is coarser than that.
const MOST_KEPT: f64 = 4e6;

/// What a comparison of values with error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Surely true.
    Yes,
    /// Surely false.
    No,
    /// It cannot be told.
    Unknown,
}

impl Truth {
    pub(super) fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::No, _) | (_, Truth::No) => Truth::No,
            (Truth::Yes, Truth::Yes) => Truth::Yes,
            _ => Truth::Unknown,
        }
    }

    pub(super) fn not(self) -> Truth {
        match self {
            Truth::Yes => Truth::No,
            Truth::No => Truth::Yes,
            Truth::Unknown => Truth::Unknown,
        }
    }
}

/// Where a value truly lies, in natural units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// As measured; not a number when there is no measurement.
    pub value: f64,
    /// Not less than this.
    pub low: f64,
    /// Not more than this.
    pub high: f64,
}

impl Range {
    /// An exact value.
    pub(super) fn exact(value: f64) -> Self {
        Range { value, low: value, high: value }
    }

    /// Nothing is known.
    pub(super) fn unknown() -> Self {
        Range { value: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY }
    }

    /// As exact as the language keeps numbers and ratios, so that what was computed of counts equals what a scenario says of them.
    fn as_kept(self) -> Self {
        let kept = |limit: f64| if limit.abs() < MOST_KEPT { (limit / KEPT).round() * KEPT } else { limit };
        Range { value: self.value, low: kept(self.low), high: kept(self.high) }
    }

    /// Limits that could not be computed are no limits.
    fn sane(self) -> Self {
        Range {
            value: self.value,
            low: if self.low.is_nan() { f64::NEG_INFINITY } else { self.low },
            high: if self.high.is_nan() { f64::INFINITY } else { self.high },
        }
    }
}

/// Compares two ranges.
pub(super) fn compare(operator: BinaryOperator, left: Range, right: Range) -> Truth {
    let answer = |yes: bool, no: bool| match (yes, no) {
        (true, _) => Truth::Yes,
        (_, true) => Truth::No,
        _ => Truth::Unknown,
    };
    let (left, right) = (left.as_kept(), right.as_kept());
    let point = left.low == left.high && right.low == right.high && left.low == right.low;
    let apart = left.high < right.low || right.high < left.low;
    match operator {
        BinaryOperator::Less => answer(left.high < right.low, left.low >= right.high),
        BinaryOperator::LessEqual => answer(left.high <= right.low, left.low > right.high),
        BinaryOperator::Greater => answer(left.low > right.high, left.high <= right.low),
        BinaryOperator::GreaterEqual => answer(left.low >= right.high, left.high < right.low),
        BinaryOperator::Equal => answer(point, apart),
        BinaryOperator::NotEqual => answer(apart, point),
        _ => Truth::Unknown,
    }
}

/// How far a comparison is from holding: the larger, the worse.
pub(super) fn badness(operator: BinaryOperator, left: f64, right: f64) -> f64 {
    match operator {
        BinaryOperator::Less | BinaryOperator::LessEqual => left - right,
        BinaryOperator::Greater | BinaryOperator::GreaterEqual => right - left,
        BinaryOperator::Equal => (left - right).abs(),
        _ => -(left - right).abs(),
    }
}

/// One natural unit in seconds, bits, or pieces, as a fraction of whole numbers: products and quotients of any two dimensions then
/// have the right unit, and whole results stay whole.
fn scale(dimension: Dimension) -> (f64, f64) {
    match dimension {
        Dimension::Duration => (1.0, 1e9),
        Dimension::Size => (8.0, 1.0),
        Dimension::Count | Dimension::Number | Dimension::Bandwidth | Dimension::Rate | Dimension::Ratio => (1.0, 1.0),
    }
}

/// `left operator right`, the result in the natural unit of `result`.
pub(super) fn arithmetic(
    operator: BinaryOperator,
    (left, of_left): (Range, Dimension),
    (right, of_right): (Range, Dimension),
    result: Dimension,
) -> Range {
    match operator {
        BinaryOperator::Add => Range { value: left.value + right.value, low: left.low + right.low, high: left.high + right.high }.sane(),
        BinaryOperator::Subtract => {
            Range { value: left.value - right.value, low: left.low - right.high, high: left.high - right.low }.sane()
        }
        BinaryOperator::Multiply => {
            let (l, r, to) = (scale(of_left), scale(of_right), scale(result));
            let (up, down) = (l.0 * r.0 * to.1, l.1 * r.1 * to.0);
            corners(left, right, |a, b| if a == 0.0 || b == 0.0 { 0.0 } else { a * b * up / down })
        }
        BinaryOperator::Divide if right.low <= 0.0 && right.high >= 0.0 => Range::unknown(),
        BinaryOperator::Divide => {
            let (l, r, to) = (scale(of_left), scale(of_right), scale(result));
            let (up, down) = (l.0 * r.1 * to.1, l.1 * r.0 * to.0);
            corners(left, right, |a, b| a * up / (b * down))
        }
        _ => Range::unknown(),
    }
}

/// The range of a monotone operation: it lies between its values at the corners.
fn corners(left: Range, right: Range, of: impl Fn(f64, f64) -> f64) -> Range {
    let at = [of(left.low, right.low), of(left.low, right.high), of(left.high, right.low), of(left.high, right.high)];
    if at.iter().any(|corner| corner.is_nan()) {
        return Range::unknown();
    }
    let (low, high) = at.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    Range { value: of(left.value, right.value), low, high }
}

/// Several ranges as one; at least one.
pub(super) fn fold(how: Fold, ranges: &[Range]) -> Range {
    let each = |of: &dyn Fn(f64, f64) -> f64| {
        let combine = |a: Range, b: Range| Range { value: of(a.value, b.value), low: of(a.low, b.low), high: of(a.high, b.high) }.sane();
        ranges.iter().copied().reduce(combine).unwrap_or(Range::unknown())
    };
    match how {
        Fold::Min => each(&f64::min),
        Fold::Max => each(&f64::max),
        Fold::Sum => each(&|a, b| a + b),
        Fold::Mean => {
            let (sum, n) = (each(&|a, b| a + b), ranges.len().max(1) as f64);
            Range { value: sum.value / n, low: sum.low / n, high: sum.high / n }
        }
        // Each bound of the median is the median of the bounds: it only moves up when one of them does.
        Fold::Median => {
            Range { value: median(ranges, |r| r.value), low: median(ranges, |r| r.low), high: median(ranges, |r| r.high) }.sane()
        }
    }
}

/// The middle of several numbers, of an even number of them the mean of the two in the middle.
fn median(ranges: &[Range], of: impl Fn(&Range) -> f64) -> f64 {
    let mut numbers: Vec<f64> = ranges.iter().map(of).collect();
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => numbers[odd / 2],
        even => f64::midpoint(numbers[even / 2 - 1], numbers[even / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(value: f64, error: f64) -> Range {
        Range { value, low: value - error, high: value + error }
    }

    #[test]
    fn what_is_computed_equals_what_is_said() {
        let (third, said) = (Range::exact(1.0 / 3.0), Range::exact(0.333_333_333));
        for operator in [BinaryOperator::Equal, BinaryOperator::LessEqual, BinaryOperator::GreaterEqual] {
            assert_eq!(compare(operator, third, said), Truth::Yes);
            assert_eq!(compare(operator, Range::exact(2.0 / 3.0), Range::exact(0.666_666_667)), Truth::Yes);
        }
        assert_eq!(compare(BinaryOperator::Less, third, Range::exact(0.333_333_334)), Truth::Yes);
        assert_eq!(compare(BinaryOperator::Equal, third, Range::exact(0.333_333_332)), Truth::No);
    }

    #[test]
    fn comparisons_have_three_answers() {
        let limit = Range::exact(100.0);
        let table = [
            (BinaryOperator::Less, about(90.0, 5.0), Truth::Yes),
            (BinaryOperator::Less, about(98.0, 5.0), Truth::Unknown),
            (BinaryOperator::Less, about(106.0, 5.0), Truth::No),
            (BinaryOperator::Less, about(95.0, 5.0), Truth::Unknown),
            (BinaryOperator::LessEqual, about(95.0, 5.0), Truth::Yes),
            (BinaryOperator::Less, Range::exact(100.0), Truth::No),
            (BinaryOperator::GreaterEqual, Range::exact(100.0), Truth::Yes),
            (BinaryOperator::Greater, Range::exact(100.0), Truth::No),
            (BinaryOperator::Equal, Range::exact(100.0), Truth::Yes),
            (BinaryOperator::Equal, about(100.0, 1.0), Truth::Unknown),
            (BinaryOperator::Equal, about(90.0, 1.0), Truth::No),
            (BinaryOperator::NotEqual, about(90.0, 1.0), Truth::Yes),
            (BinaryOperator::NotEqual, Range::unknown(), Truth::Unknown),
            (BinaryOperator::GreaterEqual, Range::unknown(), Truth::Unknown),
        ];
        for (operator, left, answer) in table {
            assert_eq!(compare(operator, left, limit), answer, "{left:?} {operator:?} 100");
        }
    }

    #[test]
    fn arithmetic_knows_units() {
        let of = |operator, l: (f64, Dimension), r: (f64, Dimension), result| {
            arithmetic(operator, (Range::exact(l.0), l.1), (Range::exact(r.0), r.1), result).value
        };
        use Dimension::{Bandwidth, Count, Duration, Rate, Size};
        assert_eq!(of(BinaryOperator::Divide, (1000.0, Size), (1e9, Duration), Bandwidth), 8000.0);
        assert_eq!(of(BinaryOperator::Multiply, (400.0, Rate), (2e9, Duration), Count), 800.0);
        assert_eq!(of(BinaryOperator::Divide, (10.0, Count), (2e9, Duration), Rate), 5.0);
        assert!((of(BinaryOperator::Multiply, (8e6, Bandwidth), (1e9, Duration), Size) - 1e6).abs() < 1e-3);
        assert_eq!(arithmetic(BinaryOperator::Divide, (Range::exact(1.0), Count), (about(0.0, 1.0), Count), Count).high, f64::INFINITY);
    }

    #[test]
    fn an_unknown_value_spoils_a_sum_but_not_a_settled_minimum() {
        let known = Range::exact(5.0);
        assert_eq!(fold(Fold::Sum, &[known, Range::unknown()]).low, f64::NEG_INFINITY);
        assert_eq!(fold(Fold::Min, &[known, Range::unknown()]).high, 5.0);
        assert_eq!(fold(Fold::Mean, &[known, Range::exact(7.0)]), Range::exact(6.0));
    }
}
