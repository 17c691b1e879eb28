//! What crossed the links, as it was counted there. In: a record. Out: a row for each way of each link. Counts nothing itself.

use serde::Serialize;

use crate::record::{LinkAccount, LinkRecord, RunRecord};
use crate::words;

/// Links whose account is on the page.
const MAX_LINKS: usize = 200;

#[derive(Serialize)]
pub(super) struct Accounts {
    rows: Vec<Way>,
    more: usize,
    /// Something about them is wrong.
    odd: bool,
}

/// One way of a link.
#[derive(Serialize)]
struct Way {
    link: String,
    way: String,
    entered: String,
    delivered: String,
    /// Everything that was not delivered, by cause.
    rest: String,
    /// What else happened to frames.
    also: String,
    late: String,
    odd: Option<&'static str>,
}

/// The accounts of a record; `None`: no link has one.
pub(super) fn view(record: &RunRecord) -> Option<Accounts> {
    let counted: Vec<(&LinkRecord, &LinkAccount)> = record.links.iter().filter_map(|link| Some((link, link.account.as_ref()?))).collect();
    if counted.is_empty() {
        return None;
    }
    let ways = |(link, account): &(&LinkRecord, &LinkAccount)| [0, 1].map(|at| way(record, link, account, at));
    let odd = counted.iter().any(|(_, account)| (0..2).any(|way| trouble(account, way).is_some()));
    Some(Accounts { rows: counted.iter().take(MAX_LINKS).flat_map(ways).collect(), more: counted.len().saturating_sub(MAX_LINKS), odd })
}

fn way(record: &RunRecord, link: &LinkRecord, account: &LinkAccount, way: usize) -> Way {
    let name = |at: u32| record.nodes.get(at as usize).map_or("?", |node| node.name.as_str());
    let told = |(word, count): (&str, u64)| (count > 0).then(|| format!("{} {word}", words::count(count)));
    let rest: Vec<String> = account.places(way).into_iter().skip(1).filter_map(told).collect();
    let also: Vec<String> = account.marks(way).into_iter().filter_map(told).collect();
    let late = [account.late_p50_ns, account.late_p99_ns, account.late_max_ns].map(words::duration);
    let late = if account.untold.is_empty() { late.join(" · ") } else { words::visible(&account.untold.join(", ")) };
    Way {
        link: words::visible(&link.name),
        way: words::visible(&format!("{} to {}", name(link.ends[way]), name(link.ends[1 - way]))),
        entered: words::count(account.entered[way]),
        delivered: words::count(account.delivered[way]),
        rest: rest.join(", "),
        also: also.join(", "),
        late,
        odd: trouble(account, way),
    }
}

/// What is wrong with a way's account, if anything.
fn trouble(account: &LinkAccount, way: usize) -> Option<&'static str> {
    if !account.closes(way) {
        return Some("does not add up");
    }
    (account.dropped[way] > 0).then_some("which nothing in the scenario asked for")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;

    #[test]
    fn each_way_says_what_became_of_its_frames() {
        let mut record = example::failover();
        let accounts = view(&record).unwrap();
        assert_eq!(accounts.rows.len(), 2, "the other links are direct");
        let there = &accounts.rows[0];
        assert_eq!((there.link.as_str(), there.way.as_str(), there.entered.as_str()), ("backup-lan", "backup to lan", "5210"));
        assert!(
            there.rest.starts_with("11 lost, 1 over the queue") && there.also.starts_with("3 duplicated"),
            "{} {}",
            there.rest,
            there.also
        );
        assert_eq!(accounts.rows[1].way, "lan to backup");
        assert_eq!(there.odd, Some("which nothing in the scenario asked for"));
        assert!(accounts.odd);
        let account = record.links[2].account.as_mut().unwrap();
        (account.dropped, account.overflowed[0]) = ([0, 0], account.overflowed[0] + 2);
        assert!(!view(&record).unwrap().odd);
        record.links[2].account.as_mut().unwrap().entered[1] += 1;
        assert_eq!(view(&record).unwrap().rows[1].odd, Some("does not add up"));
        record.links[2].account = None;
        assert!(view(&record).is_none());
    }
}
