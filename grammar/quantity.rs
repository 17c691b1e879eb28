//! Quantities: integers in the base unit of their dimension. In: literals and arithmetic. Out: checked values and their
//! canonical spelling. Knows no syntax and no names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a quantity measures. Arithmetic and comparison are checked against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// How many. Base unit 1.
    Count,
    /// A plain number. Base unit 1e-9.
    Number,
    /// Time. Base unit 1 ns.
    Duration,
    /// Amount of data. Base unit 1 byte.
    Size,
    /// Data per time. Base unit 1 bit/s.
    Bandwidth,
    /// Events per time. Base unit 1e-9 /s.
    Rate,
    /// A share of a whole. Base unit 1e-9.
    Ratio,
}

/// Base units in one of `Number`, `Ratio` (1 = 100 %) and `Rate` (1/s).
pub const BILLION: i64 = 1_000_000_000;

impl Dimension {
    /// How many base units make the natural unit (count 1, second... see [`Quantity::natural`]).
    #[must_use]
    pub fn base_per_natural(self) -> f64 {
        match self {
            Dimension::Number | Dimension::Ratio | Dimension::Rate => 1e9,
            Dimension::Count | Dimension::Duration | Dimension::Size | Dimension::Bandwidth => 1.0,
        }
    }

    /// The word users read in messages and write as a parameter's type.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Dimension::Count => "count",
            Dimension::Number => "number",
            Dimension::Duration => "duration",
            Dimension::Size => "size",
            Dimension::Bandwidth => "bandwidth",
            Dimension::Rate => "rate",
            Dimension::Ratio => "ratio",
        }
    }
}

/// An exact value with its dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Quantity {
    /// What it measures.
    pub dimension: Dimension,
    /// In the dimension's base unit.
    pub value: i64,
}

impl Quantity {
    /// A quantity from base units.
    #[must_use]
    pub fn new(dimension: Dimension, value: i64) -> Self {
        Quantity { dimension, value }
    }

    /// The value in natural units, as measured values are kept: count 1, number 1, duration **ns**, size **bytes**,
    /// bandwidth **bit/s**, rate **1/s**, ratio **1 = 100 %**.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "measured values are compared as f64; 53 bits are more than any measurement has")]
    pub fn natural(self) -> f64 {
        self.value as f64 / self.dimension.base_per_natural()
    }
}

/// Units of each dimension from the largest to the smallest, with their size in base units. Printing takes the largest
/// unit that divides the value, so what is printed parses back to the same value.
fn units(dimension: Dimension) -> &'static [(&'static str, i64)] {
    match dimension {
        Dimension::Duration => &[("h", 3_600 * BILLION), ("m", 60 * BILLION), ("s", BILLION), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)],
        Dimension::Size => {
            &[("GiB", 1 << 30), ("GB", BILLION), ("MiB", 1 << 20), ("MB", 1_000_000), ("KiB", 1 << 10), ("kB", 1_000), ("B", 1)]
        }
        Dimension::Bandwidth => &[("Gbit/s", BILLION), ("Mbit/s", 1_000_000), ("kbit/s", 1_000), ("bit/s", 1)],
        Dimension::Rate => &[("M/s", 1_000_000 * BILLION), ("k/s", 1_000 * BILLION), ("/s", BILLION)],
        Dimension::Ratio => &[("%", 10_000_000)],
        Dimension::Count => &[("", 1)],
        Dimension::Number => &[("", BILLION)],
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = units(self.dimension);
        let exact = table.iter().find(|(_, size)| self.value != 0 && self.value % size == 0);
        let (unit, size) = exact.or(table.last()).copied().unwrap_or(("", 1));
        let (whole, rest) = (self.value / size, (self.value % size).unsigned_abs());
        if rest == 0 {
            return write!(f, "{whole}{unit}");
        }
        // Only dimensions whose smallest unit is larger than the base unit (number, ratio, rate) come here.
        let digits = size.ilog10() as usize;
        let fraction = format!("{rest:0digits$}");
        let sign = if self.value < 0 && whole == 0 { "-" } else { "" };
        write!(f, "{sign}{whole}.{}{unit}", fraction.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_largest_exact_unit() {
        let shown = |d, v| Quantity::new(d, v).to_string();
        assert_eq!(shown(Dimension::Duration, 1_500_000_000), "1500ms");
        assert_eq!(shown(Dimension::Duration, 0), "0ns");
        assert_eq!(shown(Dimension::Size, 1024), "1KiB");
        assert_eq!(shown(Dimension::Size, 1500), "1500B");
        assert_eq!(shown(Dimension::Ratio, 1_000_000), "0.1%");
        assert_eq!(shown(Dimension::Rate, 400 * BILLION), "400/s");
        assert_eq!(shown(Dimension::Rate, 50_000_000), "0.05/s");
        assert_eq!(shown(Dimension::Number, -500_000_000), "-0.5");
    }
}
