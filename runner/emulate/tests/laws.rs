//! What holds whatever a way does: the account closes at every moment, nothing leaves early, and everything leaves in the end.

use proptest::prelude::*;
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::topology::{Codel, Delay, DropKind, DropRule, Impairment, Loss, Queue, QueueLimit, Reorder, ReorderBy};

use super::{Bench, MS, ports};

fn impairment() -> impl Strategy<Value = Impairment> {
    let share = || prop_oneof![Just(0u64), 0..1_000_000_000u64];
    let loss = prop_oneof![
        Just(Loss::None),
        share().prop_map(|ratio_nano| Loss::Random { ratio_nano }),
        (1..9u64).prop_map(|n| Loss::Every { n }),
        (share(), share()).prop_map(|(p_nano, r_nano)| Loss::GilbertElliott { p_nano, r_nano, good_nano: 0, bad_nano: 1_000_000_000 }),
    ];
    let codel = prop_oneof![
        Just(None),
        (MS..9 * MS, any::<bool>()).prop_map(|(target_ns, ecn)| Some(Codel { target_ns, interval_ns: 10 * target_ns, ecn })),
    ];
    let limit = prop_oneof![(1..50u64).prop_map(QueueLimit::Packets), (64..50_000u64).prop_map(QueueLimit::Bytes)];
    let delay = prop_oneof![
        (0..20 * MS).prop_map(Varying::Fixed),
        (0..20 * MS).prop_map(|most| Varying::Uniform(0, most)),
        (0..20 * MS).prop_map(Varying::Exponential),
    ];
    let by = prop_oneof![(1..5u64).prop_map(ReorderBy::Packets), (1..9 * MS).prop_map(ReorderBy::Time)];
    let reorder = proptest::option::of((share(), by).prop_map(|(ratio_nano, by)| Reorder { ratio_nano, by }));
    let rate = proptest::option::of(100_000..1_000_000_000u64);
    let first = (any::<bool>(), proptest::option::of(100..1400u32), loss, share(), share());
    (first, rate, 0..30u32, limit, codel, delay, any::<bool>(), reorder).prop_map(
        |(
            (drops, mtu_black_hole, loss, corrupt_nano, duplicate_nano),
            rate_bps,
            overhead_bytes,
            limit,
            codel,
            delay,
            keep_order,
            reorder,
        )| {
            let rule = DropRule { kind: DropKind::Udp, ports: Some((50, 60)) };
            Impairment {
                drops: if drops { vec![rule] } else { vec![] },
                mtu_black_hole,
                loss,
                corrupt_nano,
                duplicate_nano,
                rate_bps,
                overhead_bytes,
                queue: Queue { limit, said: true, codel },
                delay: Delay::Drawn(delay),
                keep_order,
                reorder,
            }
        },
    )
}

#[derive(Debug, Clone)]
enum Deed {
    Packet { port: u16, length: usize },
    Change(Box<Impairment>, u64),
    Cut(bool),
    Look,
    Begin,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        20 => (45..65u16, 60..1514usize).prop_map(|(port, length)| Deed::Packet { port, length }),
        1 => (impairment(), prop_oneof![Just(0), 0..50 * MS]).prop_map(|(does, over)| Deed::Change(Box::new(does), over)),
        1 => any::<bool>().prop_map(Deed::Cut),
        3 => Just(Deed::Look),
        1 => Just(Deed::Begin),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_account_always_closes(does in impairment(), deeds in proptest::collection::vec((0..3 * MS, deed()), 1..150)) {
        let mut bench = Bench::new(does);
        let (mut now, mut came) = (0, 0usize);
        for (after, deed) in deeds {
            now += after;
            match deed {
                Deed::Packet { port, length } => {
                    bench.give(now, ports(17, port, 5000, length));
                    came += 1;
                }
                Deed::Change(does, over_ns) => bench.way.set(*does, over_ns, now),
                Deed::Cut(cut) => bench.way.set_cut(cut),
                Deed::Look => bench.until(now),
                Deed::Begin => bench.way.begin(now),
            }
            let queued = bench.way.queued() as u64;
            prop_assert!(bench.way.counts().closes(queued), "{queued} queued, {:?}", bench.way.counts());
            prop_assert!(bench.out.iter().all(|(due, _)| *due <= now));
        }
        bench.drain();
        prop_assert!(bench.way.counts().closes(0));
        prop_assert!(bench.out.len() <= 2 * came);
        prop_assert!(bench.way.next_ns().is_none());
    }
}
