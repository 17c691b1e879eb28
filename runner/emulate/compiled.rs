//! An impairment as a way carries it out: files read, kinds told apart once and not for each packet. In: an impairment of the scenario and
//! the traces. Out: the same, ready to be asked. Keeps no state but for that.

use std::sync::Arc;

use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::{Delay, Impairment};

use super::loss::Model;
use super::trace::Traces;

/// How long a packet is under way.
#[derive(Debug, Clone)]
pub(super) enum Delays {
    Drawn(Varying),
    Trace(Arc<[u64]>),
}

/// An impairment, ready.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    /// As the scenario says it.
    pub(super) said: Impairment,
    pub(super) loss: Option<Model>,
    pub(super) delays: Delays,
    /// It never does anything but delay by a fixed time.
    pub(super) only_delays: bool,
}

impl Compiled {
    pub(super) fn new(said: Impairment, traces: &Traces) -> Self {
        let delays = match &said.delay {
            Delay::Drawn(varying) => Delays::Drawn(varying.clone()),
            Delay::Trace(file) => Delays::Trace(traces.delays(file)),
        };
        let loss = Model::of(&said.loss, traces);
        let only_delays = said.fixed_delay_ns().is_some_and(|ns| said == Impairment::delaying(ns));
        Compiled { said, loss, delays, only_delays }
    }

    /// Packets pass at once.
    pub(super) fn is_nothing(&self) -> bool {
        self.only_delays && matches!(self.delays, Delays::Drawn(Varying::Fixed(0)))
    }
}
