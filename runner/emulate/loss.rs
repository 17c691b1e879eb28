//! Which packets are lost. In: packets in their order, the setting. Out: yes or no for each. Keeps what the setting counts: packets since
//! it was set, and for two-state loss the state of each flow.

use std::sync::Arc;

use scn_grammar::scenario::topology::{Loss, LossSpan};

use super::fate::{Draws, Place, Stage};
use super::flows::Flow;
use super::trace::Traces;

/// A loss as it is asked: files read, lists sorted by what they count.
#[derive(Debug, Clone)]
pub(super) enum Model {
    Random(u64),
    Every(u64),
    /// From good to bad, back, and the loss in each, all in 1e-9.
    TwoStates {
        p: u64,
        r: u64,
        good: u64,
        bad: u64,
    },
    /// Spans of numbers, both ends in; spans of times, the last not in.
    List {
        packets: Vec<(u64, u64)>,
        times: Vec<(u64, u64)>,
    },
    Trace(Arc<[bool]>),
}

impl Model {
    /// `None`: nothing is lost.
    pub(super) fn of(loss: &Loss, traces: &Traces) -> Option<Self> {
        Some(match loss {
            Loss::None => return None,
            Loss::Random { ratio_nano } => Model::Random(*ratio_nano),
            Loss::Every { n } => Model::Every((*n).max(1)),
            Loss::GilbertElliott { p_nano, r_nano, good_nano, bad_nano } => {
                Model::TwoStates { p: *p_nano, r: *r_nano, good: *good_nano, bad: *bad_nano }
            }
            Loss::List(spans) => {
                let packets = spans.iter().filter_map(|span| if let LossSpan::Packets(a, b) = span { Some((*a, *b)) } else { None });
                let times = spans.iter().filter_map(|span| if let LossSpan::Time(a, b) = span { Some((*a, *b)) } else { None });
                Model::List { packets: packets.collect(), times: times.collect() }
            }
            Loss::Trace(file) => Model::Trace(traces.losses(file)),
        })
    }
}

/// The losses of one way.
#[derive(Debug)]
pub(super) struct Losses {
    model: Option<Model>,
    since_ns: u64,
    /// Packets since it was set.
    count: u64,
    /// Raised with each setting, so that flows begin in the good state again.
    setting: u32,
}

impl Losses {
    pub(super) fn new(model: Option<Model>, now_ns: u64) -> Self {
        Losses { model, since_ns: now_ns, count: 0, setting: 1 }
    }

    /// Another setting, which counts from the start.
    pub(super) fn set(&mut self, model: Option<Model>, now_ns: u64) {
        *self = Losses { model, since_ns: now_ns, count: 0, setting: self.setting + 1 };
    }

    /// Other numbers of the same setting, which goes on counting.
    pub(super) fn adjust(&mut self, model: Option<Model>) {
        self.model = model;
    }

    /// The next packet is lost.
    pub(super) fn takes(&mut self, at_ns: u64, draws: &Draws, place: Place, flow: &mut Flow) -> bool {
        let Some(model) = &self.model else { return false };
        self.count += 1;
        match model {
            Model::Random(nano) => draws.happens(Stage::Loss, place, *nano),
            Model::Every(n) => self.count.is_multiple_of(*n),
            Model::TwoStates { p, r, good, bad } => {
                if flow.setting != self.setting {
                    (flow.setting, flow.bad) = (self.setting, false);
                }
                let change = if flow.bad { *r } else { *p };
                flow.bad ^= draws.happens(Stage::LossState, place, change);
                draws.happens(Stage::Loss, place, if flow.bad { *bad } else { *good })
            }
            Model::List { packets, times } => {
                let at = at_ns.saturating_sub(self.since_ns);
                let span = |spans: &[(u64, u64)], value: u64| spans.partition_point(|(from, _)| *from <= value).checked_sub(1);
                span(packets, self.count).is_some_and(|found| self.count <= packets[found].1)
                    || span(times, at).is_some_and(|found| at < times[found].1)
            }
            Model::Trace(lost) => usize::try_from((self.count - 1) % lost.len().max(1) as u64).is_ok_and(|at| lost.get(at) == Some(&true)),
        }
    }
}
