//! How early a worker stops sleeping before a paced datagram is due. In: a plan and one of its flows. Out: a time. An idle core takes longer to
//! wake than a datagram may be late.

use crate::plan::datagrams;
use crate::plan::types::{Plan, PlannedFlow};

/// So long before a start a worker sleeps no more, if that is not most of its time: an idle core takes as long to wake, ns.
const AWAKE_NS: i64 = 60_000;

/// How long before a start of a flow a worker sleeps no more, ns: for all flows together at most half of the time.
pub(super) fn awake(plan: &Plan, planned: &PlannedFlow) -> i64 {
    let of = |flow: &PlannedFlow| AWAKE_NS.min(i64::try_from(flow.interval_ns / 2).unwrap_or(AWAKE_NS));
    let paced = |flow: &&PlannedFlow| super::carries(flow) && flow.interval_ns > 0 && !datagrams::is_dense(flow);
    let part = |flow: &PlannedFlow| of(flow) as f64 / flow.interval_ns as f64;
    if !paced(&planned) {
        return 0;
    }
    let all: f64 = plan.flows.iter().filter(paced).map(part).sum();
    (of(planned) as f64 * (0.5 / all).min(1.0)) as i64
}
