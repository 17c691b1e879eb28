//! Quantities: integers in the base unit of their dimension. In: literals and arithmetic. Out: checked values and their
//! canonical spelling. Knows no syntax and no names.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a quantity measures. Arithmetic and comparison are checked against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
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
        Dimension::Size => &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("kB", 1_000), ("B", 1)],
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

/// Why a number with a unit is no quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiteralError {
    /// No digits, or something else than digits and a unit.
    NotANumber {
        /// As written.
        written: String,
    },
    /// A unit that does not exist.
    UnknownUnit {
        /// The digits; empty if they stand elsewhere.
        number: String,
        /// The unit.
        unit: String,
    },
    /// A unit that people read in two ways.
    AmbiguousUnit {
        /// The digits.
        number: String,
        /// The unit.
        unit: String,
        /// The two ways to write it.
        ways: [&'static str; 2],
    },
    /// More than the base unit can hold.
    TooLarge {
        /// As written.
        written: String,
    },
    /// A fraction of the smallest unit.
    TooFine {
        /// As written.
        written: String,
        /// What cannot be divided further: `1ns`.
        least: &'static str,
    },
}

impl fmt::Display for LiteralError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LiteralError::NotANumber { written } => write!(f, "`{written}` is not a number with a unit"),
            LiteralError::UnknownUnit { unit, .. } => write!(f, "`{unit}` is not a unit"),
            LiteralError::AmbiguousUnit { unit, .. } => write!(f, "`{unit}` can be read in two ways"),
            LiteralError::TooLarge { written } => write!(f, "`{written}` is too large"),
            LiteralError::TooFine { written, least } => write!(f, "`{written}` is finer than {least}"),
        }
    }
}

impl std::error::Error for LiteralError {}

impl LiteralError {
    /// What stands there, in a few words.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            LiteralError::NotANumber { .. } => "not a number",
            LiteralError::UnknownUnit { .. } => "unknown unit",
            LiteralError::AmbiguousUnit { .. } => "bits or bytes? thousands or 1024s?",
            LiteralError::TooLarge { .. } => "too large",
            LiteralError::TooFine { .. } => "too fine",
        }
    }

    /// What to write instead.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            LiteralError::NotANumber { .. } => "write a number such as `3`, `0.5`, `10ms`, `1KiB`, `10Mbit/s`, `50/s` or `1%`".to_owned(),
            LiteralError::UnknownUnit { number, unit } => {
                let shown: Vec<String> = likely_dimensions(unit).iter().map(|d| format!("{}: {}", d.word(), unit_words(*d))).collect();
                let example = nearest_unit(unit).map(|near| format!("did you mean `{number}{near}`? ")).unwrap_or_default();
                format!("{example}units of a {}", shown.join("; of a "))
            }
            LiteralError::AmbiguousUnit { number, ways: [one, other], .. } => format!("write `{number}{one}` or `{number}{other}`"),
            LiteralError::TooLarge { .. } => "the largest quantity is about 9.2e18 of its base unit (ns, byte, bit/s)".to_owned(),
            LiteralError::TooFine { least, .. } => format!("write a multiple of {least}"),
        }
    }
}

/// Reads a number with its unit, without blanks: `200`, `1.5s`, `10k/s`, `0.1%`. A leading `-` is taken. A bare whole number
/// is a count, a bare decimal a number. Exact, but for rates by the minute and hour, which are rounded to 1e-9/s.
///
/// # Errors
/// When it is no number, its unit is unknown or ambiguous, or the base unit cannot hold it.
pub fn parse_literal(written: &str) -> Result<Quantity, LiteralError> {
    let not_a_number = || LiteralError::NotANumber { written: written.to_owned() };
    let (negative, digits) = written.strip_prefix('-').map_or((false, written), |rest| (true, rest));
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
    let (number, unit) = digits.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return Err(not_a_number());
    }
    let (dimension, size, per) = unit_size(unit, !fraction.is_empty()).ok_or_else(|| unit_error(number, unit))?;
    let too_large = || LiteralError::TooLarge { written: written.to_owned() };
    let fraction = fraction.trim_end_matches('0');
    // 10^18 times the largest unit fits an i128; more digits than these are out of every range anyway.
    let too_fine = || LiteralError::TooFine { written: written.to_owned(), least: least_unit(dimension) };
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok().filter(|n| *n <= 15).ok_or_else(too_fine)?);
    let whole = whole.trim_start_matches('0');
    if whole.len() > 19 {
        return Err(too_large());
    }
    let part = |digits: &str| if digits.is_empty() { Ok(0) } else { digits.parse::<i128>() };
    let value = part(whole).and_then(|w| Ok(w * scale + part(fraction)?)).map_err(|_| not_a_number())?;
    let (over, under) = (value.checked_mul(size).ok_or_else(too_large)?, scale * per);
    if per == 1 && over % under != 0 {
        return Err(too_fine());
    }
    let base = (over + under / 2) / under;
    let base = i64::try_from(if negative { -base } else { base }).map_err(|_| too_large())?;
    Ok(Quantity::new(dimension, base))
}

/// Sizes that stand only in a bandwidth: alone people read them in two ways.
const LARGE_SIZES: [(&str, i64); 2] = [("MB", 1_000_000), ("GB", BILLION)];

/// Dimension of a unit and its size in base units, as a fraction.
fn unit_size(unit: &str, decimal: bool) -> Option<(Dimension, i128, i128)> {
    const SECONDS: [(&str, i128); 3] = [("s", 1), ("m", 60), ("h", 3_600)];
    let billion = i128::from(BILLION);
    if unit.is_empty() {
        return Some(if decimal { (Dimension::Number, billion, 1) } else { (Dimension::Count, 1, 1) });
    }
    for dimension in [Dimension::Duration, Dimension::Size, Dimension::Bandwidth, Dimension::Ratio] {
        if let Some((_, size)) = units(dimension).iter().find(|(name, _)| *name == unit) {
            return Some((dimension, i128::from(*size), 1));
        }
    }
    match unit {
        "k" => return Some((Dimension::Count, 1_000, 1)),
        "M" => return Some((Dimension::Count, 1_000_000, 1)),
        "bps" => return Some((Dimension::Bandwidth, 1, 1)),
        "kbps" => return Some((Dimension::Bandwidth, 1_000, 1)),
        "Mbps" => return Some((Dimension::Bandwidth, 1_000_000, 1)),
        "Gbps" => return Some((Dimension::Bandwidth, billion, 1)),
        _ => {}
    }
    let (amount, time) = unit.split_once('/')?;
    let (_, seconds) = SECONDS.into_iter().find(|(name, _)| *name == time)?;
    let many = match amount {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        _ => {
            let (_, bytes) = units(Dimension::Size).iter().chain(&LARGE_SIZES).find(|(name, _)| *name == amount)?;
            return (seconds == 1).then_some((Dimension::Bandwidth, 8 * i128::from(*bytes), 1));
        }
    };
    Some((Dimension::Rate, many * billion, seconds))
}

/// The units of a dimension as they are written, the canonical ones first.
#[must_use]
pub fn units_of(dimension: Dimension) -> Vec<&'static str> {
    let canonical = units(dimension).iter().map(|(unit, _)| *unit).filter(|unit| !unit.is_empty());
    let others: &[&str] = match dimension {
        Dimension::Count => &["k", "M"],
        Dimension::Bandwidth => &["kB/s", "KiB/s", "MB/s", "MiB/s", "GB/s", "GiB/s"],
        Dimension::Rate => &["/m", "/h"],
        _ => &[],
    };
    canonical.chain(others.iter().copied()).collect()
}

/// A quantity in every unit of its dimension that says it without a rest, the largest first: `1500ms`, `1500000us`.
#[must_use]
pub fn spellings(quantity: Quantity) -> Vec<String> {
    let exact = units(quantity.dimension).iter().filter(|(_, size)| quantity.value % size == 0);
    exact.map(|(unit, size)| format!("{}{unit}", quantity.value / size)).collect()
}

/// What cannot be divided further.
fn least_unit(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Count => "1",
        Dimension::Number => "0.000000001",
        Dimension::Duration => "1ns",
        Dimension::Size => "1B",
        Dimension::Bandwidth => "1bit/s",
        Dimension::Rate => "0.000000001/s",
        Dimension::Ratio => "0.0000001%",
    }
}

fn unit_error(number: &str, unit: &str) -> LiteralError {
    let ways = match unit {
        "b" => Some(["bit/s", "B"]),
        "Kb" | "kb" => Some(["kbit/s", "kB"]),
        "Mb" => Some(["Mbit/s", "MB/s"]),
        "Gb" => Some(["Gbit/s", "GB/s"]),
        "MB" => Some(["MiB", "MB/s"]),
        "GB" => Some(["GiB", "GB/s"]),
        "KB" => Some(["kB", "KiB"]),
        "K" => Some(["k", "KiB"]),
        "b/s" => Some(["bit/s", "B/s"]),
        "Kb/s" | "kb/s" => Some(["kbit/s", "kB/s"]),
        "Mb/s" => Some(["Mbit/s", "MB/s"]),
        "Gb/s" => Some(["Gbit/s", "GB/s"]),
        "KB/s" => Some(["kB/s", "KiB/s"]),
        "MBps" => Some(["MB/s", "Mbit/s"]),
        _ => None,
    };
    let (number, unit) = (number.to_owned(), unit.to_owned());
    match ways {
        Some(ways) => LiteralError::AmbiguousUnit { number, unit, ways },
        None => LiteralError::UnknownUnit { number, unit },
    }
}

/// Units of a dimension as people read them.
fn unit_words(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Count | Dimension::Number => "k, M",
        Dimension::Duration => "ns, us, ms, s, m, h",
        Dimension::Size => "B, kB, KiB, MiB, GiB",
        Dimension::Bandwidth => "bit/s, kbit/s, Mbit/s, Gbit/s, kB/s, KiB/s, MB/s, MiB/s",
        Dimension::Rate => "/s, k/s, M/s, /m, /h",
        Dimension::Ratio => "%",
    }
}

/// What a wrong unit was probably meant to measure.
fn likely_dimensions(unit: &str) -> &'static [Dimension] {
    let lower = unit.to_lowercase();
    if lower.contains("sec")
        || lower.contains("min")
        || lower.contains("hour")
        || lower.contains("day")
        || lower.ends_with(['s', 'h']) && lower.len() <= 3
    {
        &[Dimension::Duration]
    } else if lower.contains("bit") || lower.contains("bps") {
        &[Dimension::Bandwidth]
    } else if lower.contains("byte") || lower.ends_with('b') {
        &[Dimension::Size, Dimension::Bandwidth]
    } else if lower.contains('/') {
        &[Dimension::Rate, Dimension::Bandwidth]
    } else if lower.contains("percent") {
        &[Dimension::Ratio]
    } else {
        &[Dimension::Duration, Dimension::Size, Dimension::Bandwidth, Dimension::Rate, Dimension::Ratio]
    }
}

/// The unit that a wrong one is another spelling of: `s` of `sec`.
#[must_use]
pub fn nearest_unit(unit: &str) -> Option<&'static str> {
    Some(match unit.to_lowercase().as_str() {
        "sec" | "secs" | "second" | "seconds" => "s",
        "msec" | "msecs" | "millisecond" | "milliseconds" => "ms",
        "usec" | "usecs" | "µs" | "μs" | "microsecond" | "microseconds" => "us",
        "nsec" | "nanosecond" | "nanoseconds" => "ns",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "/sec" | "/second" => "/s",
        "/min" | "/minute" => "/m",
        "/hour" => "/h",
        "byte" | "bytes" => "B",
        "kbyte" | "kbytes" => "kB",
        "mbyte" | "mbytes" => "MiB",
        "kib" => "KiB",
        "mib" => "MiB",
        "gib" => "GiB",
        "kbit" | "kbits" | "kbit/s" | "kbits/s" | "kbps" => "kbit/s",
        "mbit" | "mbits" | "mbit/s" | "mbits/s" | "mbps" => "Mbit/s",
        "gbit" | "gbits" | "gbit/s" | "gbits/s" | "gbps" => "Gbit/s",
        "percent" => "%",
        _ => return None,
    })
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

    #[test]
    fn reads_what_people_write() {
        use Dimension::{Bandwidth, Count, Duration, Number, Rate, Ratio, Size};
        for (written, dimension, value) in [
            ("200", Count, 200),
            ("100k", Count, 100_000),
            ("1.5k", Count, 1_500),
            ("2M", Count, 2_000_000),
            ("0.5", Number, 500_000_000),
            ("250us", Duration, 250_000),
            ("1.5s", Duration, 1_500_000_000),
            ("2m", Duration, 120 * BILLION),
            ("6h", Duration, 21_600 * BILLION),
            ("1500B", Size, 1_500),
            ("1kB", Size, 1_000),
            ("1KiB", Size, 1_024),
            ("1MB/s", Bandwidth, 8_000_000),
            ("100Mbit/s", Bandwidth, 100_000_000),
            ("10Mbps", Bandwidth, 10_000_000),
            ("100KiB/s", Bandwidth, 819_200),
            ("50/s", Rate, 50 * BILLION),
            ("10k/s", Rate, 10_000 * BILLION),
            ("3/m", Rate, 50_000_000),
            ("0.1%", Ratio, 1_000_000),
            ("-5ms", Duration, -5_000_000),
        ] {
            assert_eq!(parse_literal(written), Ok(Quantity::new(dimension, value)), "{written}");
        }
    }

    #[test]
    fn what_is_printed_reads_back() {
        for dimension in [
            Dimension::Count,
            Dimension::Number,
            Dimension::Duration,
            Dimension::Size,
            Dimension::Bandwidth,
            Dimension::Rate,
            Dimension::Ratio,
        ] {
            for value in [1, 7, 1_000, 1_024, 90 * BILLION, 1_234_567_890_123, -1_500_000_001] {
                let quantity = Quantity::new(dimension, value);
                let written = quantity.to_string();
                let read = parse_literal(&written).unwrap();
                // A whole number is printed without its point and reads as a count.
                let value = if dimension == Dimension::Number && !written.contains('.') { value / BILLION } else { value };
                assert_eq!(read.value, value, "{written}");
            }
        }
    }

    #[test]
    fn refuses_with_what_to_write() {
        let help = |written: &str| parse_literal(written).unwrap_err().help();
        assert_eq!(help("10Mb"), "write `10Mbit/s` or `10MB/s`");
        assert_eq!(help("10MB"), "write `10MiB` or `10MB/s`");
        assert_eq!(help("10mbit/s"), help("10Mbits"));
        assert_eq!(help("5sec"), "did you mean `5s`? units of a duration: ns, us, ms, s, m, h");
        assert!(help("10mb").contains("KiB, MiB"), "{}", help("10mb"));
        assert!(help("10parsecs").contains("units of a duration"));
        assert!(matches!(parse_literal("1.5ns"), Err(LiteralError::TooFine { .. })));
        assert!(matches!(parse_literal("99999999999999999999"), Err(LiteralError::TooLarge { .. })));
        assert!(matches!(parse_literal("9999999999999999999"), Err(LiteralError::TooLarge { .. })));
        for broken in ["", "-", "ms", "1.", ".5", "1..5", "1.2.3"] {
            assert!(matches!(parse_literal(broken), Err(LiteralError::NotANumber { .. })), "{broken}");
        }
    }
}
