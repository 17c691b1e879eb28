//! The emulated links as witnesses. In: a record's accounts. Out: why nothing that crossed links can be told, or why scn was too late or lost
//! packets itself. Which link a flow crossed changes with faults, so every flow is taken to have crossed every link.

use scn_grammar::quantity::Dimension;
use scn_reports::record::{LinkAccount, RunRecord, Verdict};

use crate::measure::show;

fn accounts(record: &RunRecord) -> impl Iterator<Item = (&str, &LinkAccount)> {
    record.links.iter().filter_map(|link| Some((link.name.as_str(), link.account.as_ref()?)))
}

fn ways(name: &str) -> [String; 2] {
    [format!("{name}, from its first end"), format!("{name}, from its second end")]
}

/// Why a verdict cannot stand whatever it measures; `None`: it can.
pub(super) fn spoiled(record: &RunRecord, verdict: Verdict) -> Option<String> {
    if !matches!(verdict, Verdict::Pass | Verdict::Fail) {
        return None;
    }
    for (name, account) in accounts(record) {
        for (way, words) in ways(name).iter().enumerate() {
            if !account.closes(way) {
                let (came, told) =
                    (account.entered[way] + account.duplicated[way], account.places(way).iter().map(|(_, n)| n).sum::<u64>());
                return Some(format!("the account of link {words}, does not close: {came} frames came, {told} are accounted for"));
            }
            if account.joined[way] > 0 {
                let joined = account.joined[way];
                return Some(format!("on link {words}, {joined} frames were several packets that should have been judged alone"));
            }
            // What scn lost can have made things worse, hardly better.
            if account.dropped[way] > 0 && verdict == Verdict::Fail {
                let lost = account.dropped[way];
                return Some(format!(
                    "scn itself or the machine lost {lost} frames on link {words}, which nothing in the scenario asked for"
                ));
            }
        }
    }
    None
}

/// Why the links were too late; `None`: they were in time.
pub(super) fn late(record: &RunRecord) -> Option<String> {
    let tolerance = record.tolerance_ns as f64;
    accounts(record).find(|(_, account)| account.late_p99_ns > record.tolerance_ns).map(|(name, account)| {
        let late = show::value_beside(account.late_p99_ns as f64, Dimension::Duration, Some(tolerance));
        let tolerance = show::value(tolerance, Dimension::Duration);
        format!("scn itself was late: the p99 of link {name}'s lateness was {late}, the tolerance is {tolerance}")
    })
}
