//! Runs one plan: one event loop, one closed enum of events, the only clock, cancel, recorder.

pub mod clock;
