//! Drawn values: sizes and pauses. In: a key (seed, flow, connection, transaction, step) and a [`Varying`]. Out: a number. The
//! same key gives the same number, whenever and wherever it is asked for.

use scn_grammar::scenario::pattern::Varying;

/// Drawn values end here: 2^62, so that sums stay in range.
const MOST: f64 = 4.611_686_018_427_388e18;

/// What a draw depends on; never the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Key(u64);

impl Key {
    /// The run's.
    pub fn of_seed(seed: u64) -> Key {
        Key(mix(seed ^ 0x73_63_6e_31))
    }

    /// The key of a part: a flow, a connection, a transaction, a step.
    #[must_use]
    pub fn part(self, number: u64) -> Key {
        Key(mix(self.0 ^ mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15))))
    }

    /// The key as a number, to be handed to the other side.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// The inverse of [`Key::bits`].
    pub fn from_bits(bits: u64) -> Key {
        Key(bits)
    }

    /// Evenly distributed in `0 <= x < 1`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub fn unit(self, number: u64) -> f64 {
        (self.part(number).0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Exponentially distributed with a mean of 1.
    pub fn gap(self) -> f64 {
        -(1.0 - self.unit(1)).ln()
    }

    /// A value of this distribution.
    pub fn draw(self, varying: &Varying) -> u64 {
        match varying {
            Varying::Fixed(value) => *value,
            Varying::Uniform(a, b) => {
                let (low, high) = (*a.min(b), *a.max(b));
                let span = u128::from(high - low) + 1;
                low + u64::try_from((u128::from(self.part(1).0) * span) >> 64).unwrap_or(0)
            }
            Varying::Exponential(mean) => whole(real(*mean) * self.gap()),
            Varying::Normal(mean, deviation) => {
                let radius = (-2.0 * (1.0 - self.unit(1)).ln()).sqrt();
                whole(real(*mean) + real(*deviation) * radius * (std::f64::consts::TAU * self.unit(2)).cos())
            }
            Varying::Pareto(scale, shape_nano) => whole(real(*scale) * (1.0 - self.unit(1)).powf(-1e9 / real((*shape_nano).max(1)))),
            Varying::Choice(values) if values.is_empty() => 0,
            Varying::Choice(values) => values[(self.part(1).0 % values.len() as u64) as usize],
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a drawn value needs no more than 53 bits")]
fn real(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range before")]
fn whole(value: f64) -> u64 {
    value.clamp(0.0, MOST).round() as u64
}

/// The finaliser of splitmix64.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_draws_the_same() {
        let key = Key::of_seed(7).part(1).part(2);
        for varying in [Varying::Uniform(64, 1024), Varying::Exponential(1000), Varying::Normal(100, 10), Varying::Pareto(5, 2_000_000_000)]
        {
            assert_eq!(key.draw(&varying), Key::of_seed(7).part(1).part(2).draw(&varying));
        }
    }

    #[test]
    fn uniform_reaches_both_ends_and_never_leaves() {
        let key = Key::of_seed(3);
        let drawn: Vec<u64> = (0..1000).map(|n| key.part(n).draw(&Varying::Uniform(1, 4))).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&1), Some(&4)));
    }

    #[test]
    fn means_are_near() {
        let key = Key::of_seed(9);
        for varying in [Varying::Exponential(1000), Varying::Normal(1000, 100), Varying::Uniform(0, 2000)] {
            let sum: u64 = (0..10_000).map(|n| key.part(n).draw(&varying)).sum();
            assert!((950..1050).contains(&(sum / 10_000)), "{varying:?} has a mean of {}", sum / 10_000);
        }
    }
}
