//! Measured values in words: `353.2ms`, `99.8/s`, `0.13%`, `48.2Mbit/s`, `353.2ms ± 2.5ms`. In: a value in its natural unit. Out: text.
//! Never hides a violation by rounding: a value that differs from its limit is shown with the digits that show it.

use scn_grammar::quantity::Dimension;

/// Digits that a value is shown with when nothing asks for more.
const DIGITS: usize = 4;
/// More digits than a measurement has.
const MAX_DIGITS: usize = 15;
/// Digits of an error.
const ERROR_DIGITS: usize = 2;

/// The unit for a value: its name and its size in the natural unit.
fn unit(dimension: Dimension, value: f64) -> (&'static str, f64) {
    let table: &[(&str, f64)] = match dimension {
        Dimension::Duration => &[("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0)],
        Dimension::Size => &[("GB", 1e9), ("MB", 1e6), ("kB", 1e3), ("B", 1.0)],
        Dimension::Bandwidth => &[("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3), ("bit/s", 1.0)],
        Dimension::Rate => &[("/s", 1.0)],
        Dimension::Ratio => &[("%", 0.01)],
        Dimension::Count | Dimension::Number => &[("", 1.0)],
    };
    let fits = table.iter().find(|(_, size)| value.abs() >= *size);
    fits.or(table.last()).copied().unwrap_or(("", 1.0))
}

/// How many digits stand after the point so that at least `digits` are significant; never rounds before the point.
fn decimals(scaled: f64, digits: usize) -> usize {
    if scaled == 0.0 {
        return 0;
    }
    let magnitude = scaled.abs().log10().floor();
    let after = digits as f64 - 1.0 - magnitude;
    if after <= 0.0 { 0 } else { (after as usize).min(12) }
}

fn trim(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn rounded(value: f64, dimension: Dimension, digits: usize) -> (String, f64) {
    let (name, size) = unit(dimension, value);
    let scaled = value / size;
    let text = format!("{scaled:.*}", decimals(scaled, digits));
    let text = trim(&text);
    let text = if text == "-0" { "0" } else { text };
    (format!("{text}{name}"), text.parse::<f64>().unwrap_or(scaled) * size)
}

/// A value with its unit.
#[must_use]
pub fn value(value: f64, dimension: Dimension) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "without limit".to_owned() } else { "-without limit".to_owned() };
    }
    rounded(value, dimension, DIGITS).0
}

/// A value with its unit, with as many digits as it takes to tell it from a limit.
#[must_use]
pub fn value_beside(value: f64, dimension: Dimension, limit: Option<f64>) -> String {
    let Some(limit) = limit.filter(|limit| limit.is_finite() && value.is_finite()) else { return self::value(value, dimension) };
    for digits in DIGITS..=MAX_DIGITS {
        let (text, shown) = rounded(value, dimension, digits);
        // Two spellings of one number may differ in their last bit.
        let same = (shown - limit).abs() <= limit.abs() * 1e-14;
        let order = if same { std::cmp::Ordering::Equal } else { shown.total_cmp(&limit) };
        if order == value.total_cmp(&limit) || value == limit && same {
            return text;
        }
    }
    rounded(value, dimension, MAX_DIGITS).0
}

/// An error with its unit, rounded up.
fn side(error: f64, dimension: Dimension) -> String {
    if error == 0.0 {
        return "0".to_owned();
    }
    let (name, size) = unit(dimension, error);
    let scaled = error / size;
    let factor = 10f64.powi(i32::try_from(decimals(scaled, ERROR_DIGITS)).unwrap_or(0));
    let up = (scaled * factor - 1e-9).ceil() / factor;
    format!("{}{name}", trim(&format!("{up:.*}", decimals(scaled, ERROR_DIGITS))))
}

/// The error alone: `2.5ms`, `+0 −2.5ms`, empty when the value is exact.
#[must_use]
pub fn error(below: f64, above: f64, dimension: Dimension) -> String {
    match (below, above) {
        (0.0, 0.0) => String::new(),
        (below, above) if below.is_infinite() && above.is_infinite() => "unknown: the window was not seen whole".to_owned(),
        (_, above) if above.is_infinite() => "a lower limit".to_owned(),
        (below, _) if below.is_infinite() => "an upper limit".to_owned(),
        (below, above) if side(below, dimension) == side(above, dimension) => side(below, dimension),
        (below, above) => format!("+{} −{}", side(above, dimension), side(below, dimension)),
    }
}

/// A value with its error: `353.2ms ± 2.5ms`, `21.3ms (+0 −0.4ms)`, `at least 5s`.
#[must_use]
pub fn with_error(measured: f64, below: f64, above: f64, dimension: Dimension, limit: Option<f64>) -> String {
    let text = value_beside(measured, dimension, limit);
    match (below.is_infinite(), above.is_infinite()) {
        (true, true) => format!("{text} so far"),
        (false, true) => format!("at least {}", value_beside((measured - below).max(0.0), dimension, limit)),
        (true, false) => format!("at most {}", value_beside(measured + above, dimension, limit)),
        (false, false) if below == 0.0 && above == 0.0 => text,
        (false, false) => match error(below, above, dimension) {
            one if one.starts_with('+') => format!("{text} ({one})"),
            one => format!("{text} ± {one}"),
        },
    }
}

/// An instant after the timeline's start: `3.2s`, `-12ms`, to the microsecond.
#[must_use]
pub fn instant(at_ns: i64) -> String {
    let micros = (at_ns as f64 / 1e3).round() * 1e3;
    if micros == 0.0 { "0s".to_owned() } else { rounded(micros, Dimension::Duration, 7).0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_carry_a_fitting_unit() {
        assert_eq!(value(353_200_000.0, Dimension::Duration), "353.2ms");
        assert_eq!(value(99.8, Dimension::Rate), "99.8/s");
        assert_eq!(value(0.0013, Dimension::Ratio), "0.13%");
        assert_eq!(value(48_200_000.0, Dimension::Bandwidth), "48.2Mbit/s");
        assert_eq!(value(200.0, Dimension::Count), "200");
        assert_eq!(value(1_234_567.0, Dimension::Count), "1234567");
        assert_eq!(value(0.0, Dimension::Duration), "0ns");
        assert_eq!(value(0.0, Dimension::Ratio), "0%");
        assert_eq!(value(1.0, Dimension::Ratio), "100%");
        assert_eq!(value(850.0, Dimension::Duration), "850ns");
    }

    #[test]
    fn rounding_never_hides_a_violation() {
        assert_eq!(value(1_500_040_000.0, Dimension::Duration), "1.5s");
        assert_eq!(value_beside(1_500_040_000.0, Dimension::Duration, Some(1.5e9)), "1.50004s");
        assert_eq!(value_beside(1_500_400_000.0, Dimension::Duration, Some(1.5e9)), "1.5004s");
        assert_eq!(value_beside(379.999, Dimension::Rate, Some(380.0)), "379.999/s");
        assert_eq!(value_beside(380.0, Dimension::Rate, Some(380.0)), "380/s");
        assert_eq!(value_beside(0.001_000_1, Dimension::Ratio, Some(0.001)), "0.10001%");
        assert_eq!(value_beside(1_499_999_999.0, Dimension::Duration, Some(1.5e9)), "1.499999999s");
    }

    #[test]
    fn errors_stand_beside_their_value() {
        assert_eq!(with_error(353.2e6, 2.5e6, 2.5e6, Dimension::Duration, None), "353.2ms ± 2.5ms");
        assert_eq!(with_error(21.3e6, 0.4e6, 0.0, Dimension::Duration, None), "21.3ms (+0 −400us)");
        assert_eq!(with_error(5e9, 0.0, f64::INFINITY, Dimension::Duration, None), "at least 5s");
        assert_eq!(with_error(3.0, 0.0, 0.0, Dimension::Count, None), "3");
        assert_eq!(error(0.0, 0.0, Dimension::Duration), "");
        assert_eq!(error(2_500_100.0, 2_500_100.0, Dimension::Duration), "2.6ms");
    }

    #[test]
    fn instants_read_to_the_microsecond() {
        assert_eq!(instant(3_200_000_000), "3.2s");
        assert_eq!(instant(3_200_123_456), "3.200123s");
        assert_eq!(instant(-12_000_000), "-12ms");
        assert_eq!(instant(0), "0s");
    }
}
