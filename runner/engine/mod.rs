//! Runs one plan: one event loop, one closed enum of events, the only clock, cancel, recorder. In: a plan. Out: a judged record.

pub mod clock;
pub mod hold;
mod kind;
pub mod parts;
pub mod recorder;
pub mod run;
pub mod schedule;
mod streams;
pub mod timeline;
mod tools;
pub mod watch;

#[cfg(test)]
mod tests;
