//! Distributions as tables, for engines that draw from a table. In: a [`Varying`] and how many values. Out: so many values in ascending order,
//! each as likely as the others. Draws nothing. The ends of a distribution without ends are cut: the table holds the middle of each share.

use scn_grammar::scenario::pattern::Varying;

/// Steps in which the normal distribution is added up, in standard deviations.
const STEP: f64 = 1.0 / 8192.0;

/// The values that lie in the middle of `count` equal shares of a distribution; none is below 0.
#[must_use]
pub fn quantiles(of: &Varying, count: usize) -> Vec<f64> {
    let share = |at: usize| (real(at as u64) + 0.5) / real(count.max(1) as u64);
    let by = |value: &dyn Fn(f64) -> f64| (0..count).map(|at| value(share(at)).max(0.0)).collect::<Vec<f64>>();
    match of {
        Varying::Fixed(value) => by(&|_| real(*value)),
        Varying::Uniform(a, b) => {
            let (low, high) = (real(*a.min(b)), real(*a.max(b)));
            by(&|share| low + (high - low) * share)
        }
        Varying::Exponential(mean) => by(&|share| -real(*mean) * (1.0 - share).ln()),
        Varying::Pareto(scale, shape_nano) => by(&|share| real(*scale) * (1.0 - share).powf(-1e9 / real((*shape_nano).max(1)))),
        Varying::Normal(mean, deviation) => {
            let upper = upper_half_of_normal(count);
            // Its halves mirror each other.
            let both = upper.iter().rev().map(|value| -value).chain(upper.iter().skip(count % 2).copied());
            both.map(|value| (real(*mean) + real(*deviation) * value).max(0.0)).collect()
        }
        Varying::Choice(values) => {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let last = sorted.len().saturating_sub(1);
            by(&|share| sorted.get(((share * sorted.len() as f64) as usize).min(last)).map_or(0.0, |value| real(*value)))
        }
    }
}

/// The upper half of the standard normal distribution's values, the middle one included if their number is odd.
fn upper_half_of_normal(count: usize) -> Vec<f64> {
    let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let (mut x, mut below) = (0.0, 0.5);
    let mut values = Vec::with_capacity(count.div_ceil(2));
    for at in count / 2..count {
        let wanted = (real(at as u64) + 0.5) / real(count as u64);
        loop {
            let more = density(x + STEP / 2.0) * STEP;
            if below + more > wanted {
                break;
            }
            (x, below) = (x + STEP, below + more);
        }
        values.push(x + (wanted - below) / density(x));
    }
    values
}

#[expect(clippy::cast_precision_loss, reason = "a table's values need no more than 53 bits")]
fn real(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: usize = 1000;

    fn mean_and_deviation(of: &Varying) -> (f64, f64) {
        let values = quantiles(of, COUNT);
        assert!(values.len() == COUNT && values.is_sorted(), "{of:?}");
        let mean = values.iter().sum::<f64>() / COUNT as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / COUNT as f64;
        (mean, variance.sqrt())
    }

    #[test]
    fn tables_have_the_moments_of_their_distributions() {
        // What the cut ends take away is less than 1 %, for an exponential less than 2 %.
        for (of, mean, deviation, share) in [
            (Varying::Fixed(5_000), 5_000.0, 0.0, 0.0),
            (Varying::Uniform(1_000, 3_000), 2_000.0, 2_000.0 / 12f64.sqrt(), 0.01),
            (Varying::Normal(10_000, 1_000), 10_000.0, 1_000.0, 0.01),
            (Varying::Exponential(10_000), 10_000.0, 10_000.0, 0.02),
            (Varying::Pareto(1_000, 4_000_000_000), 4_000.0 / 3.0, 1_000.0 * (2.0f64 / 9.0).sqrt(), 0.05),
            (Varying::Choice(vec![30, 10]), 20.0, 10.0, 0.01),
        ] {
            let (got_mean, got_deviation) = mean_and_deviation(&of);
            assert!((got_mean - mean).abs() <= share * mean, "{of:?}: mean {got_mean}, not {mean}");
            assert!((got_deviation - deviation).abs() <= share * deviation, "{of:?}: deviation {got_deviation}, not {deviation}");
        }
    }

    #[test]
    fn a_normal_table_mirrors_itself_and_never_goes_below_nothing() {
        for count in [7, 8] {
            let values = quantiles(&Varying::Normal(1_000_000, 1_000), count);
            assert_eq!(values.len(), count);
            for (low, high) in values.iter().zip(values.iter().rev()) {
                assert!((low + high - 2_000_000.0).abs() < 1e-3, "{values:?}");
            }
        }
        // 97.5 % of a normal distribution lie below 1.95996 deviations.
        let high = quantiles(&Varying::Normal(0, 1_000_000), 20)[19];
        assert!((high - 1_959_964.0).abs() < 100.0, "{high}");
        assert_eq!(quantiles(&Varying::Normal(0, 1_000_000), 20)[0], 0.0);
    }
}
