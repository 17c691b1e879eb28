//! What links do to packets, as a model without a kernel: packets and the time in, packets and the time at which they leave out. The
//! lab's pump drives it with real frames, tests drive it with made ones. Reads no clock and no file, draws nothing but by its key.
//!
//! ```text
//! arrive --> cut, partition --> drop --> black hole --> loss --> corrupt --> duplicate --> queue --> rate --> delay --> reorder --> leave
//! ```
//!
//! **Fate.** Every chance is a function of a key and nothing else: run seed, link (its name), way, stage, flow, and the packet's place
//! in its flow. The function is a counter-based generator: one step of the finaliser of SplitMix64 (Steele, Lea, Flood: *Fast
//! splittable pseudorandom number generators*, OOPSLA 2014, with the constants of Stafford's thirteenth variant) for each part of the
//! key, as `Key` of `traffic` does it. So the same packets of a flow meet the same fate under the same seed, whatever other
//! flows do and however threads are scheduled. A flow is protocol, addresses and ports; a port that the plan does not name is the
//! kernel's choice and differs from run to run, so it counts by the order in which such ports appear.

mod barrier;
mod checksum;
mod codel;
mod compiled;
mod counts;
mod fate;
mod filter;
mod flows;
mod headers;
mod loss;
mod quantiles;
mod ramp;
mod shaper;
#[cfg(test)]
mod tests;
mod told;
mod trace;
mod transit;
mod way;

pub use barrier::{Barrier, Owners, Side};
pub use checksum::complete;
pub use counts::Counts;
pub use fate::Draws;
pub use quantiles::quantiles;
pub use shaper::Waiting;
pub use told::{Mark, Taken};
pub use trace::{Trace, TraceError, Traces};
pub use way::{Leaving, Nature, Packet, Way};
