//! Links by the kernel: which are, what their ways are ever to do, and what is refused.

use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::timeline::{Action, Cut, Target};
use scn_grammar::scenario::topology::{
    Codel, Delay, DropKind, DropRule, Impairment, Loss, LossSpan, Queue, QueueLimit, Reorder, ReorderBy,
};

use super::build::{Build, build};
use crate::plan::print;
use crate::plan::types::{Engine, Stages};

const MS: u64 = 1_000_000;

fn impair(target: Target, forward: Option<Impairment>, back: Option<Impairment>, over_ns: u64) -> Action {
    Action::Impair { targets: vec![target], forward, back, over_ns }
}

fn losing(nano: u64) -> Impairment {
    Impairment { loss: Loss::Random { ratio_nano: nano }, ..Impairment::default() }
}

fn pair(does: Impairment) -> Build {
    let mut lab = build("host a, b", "a - b");
    lab.scenario.topology.links[0].forward = does;
    lab
}

/// What the kernel can't carry out, in the first words of each message.
fn refused(lab: &Build) -> Vec<String> {
    let problems = lab.by_kernel().map_or_else(|problems| problems, |planned| panic!("{:#?}", planned.plan.links));
    assert!(problems.iter().all(|problem| problem.code == "scn::plan::kernel_engine"), "{problems:#?}");
    assert!(problems.iter().all(|problem| problem.help.as_deref().unwrap_or("").contains("--engine wire")), "{problems:#?}");
    assert!(lab.plan().is_ok(), "the wire can do everything");
    let between =
        |text: &str| text.split_once("carry out ").and_then(|(_, rest)| rest.split_once(" on `")).map(|(what, _)| what.to_owned());
    problems.iter().map(|problem| between(&problem.message).unwrap_or_else(|| panic!("{}", problem.message))).collect()
}

#[test]
fn the_kernel_gets_what_the_wire_would_carry() {
    let mut lab = build("host a, b, c; bridge lan", "a - b; b - c; c - lan");
    lab.scenario.topology.links[0].forward = Impairment::delaying(MS);
    let node = Target::Node(lab.id("c"));
    // What `c` sends and what it hears: it is the second end of its first link.
    let lab = lab.at(0, impair(node, Some(losing(7)), None, 0)).at(1, Action::Isolate(vec![NodeId(1)]));
    let plan = lab.by_kernel().unwrap().plan;
    assert_eq!(plan.links.iter().map(|link| link.engine).collect::<Vec<_>>(), [Engine::Kernel; 3]);
    let only = |loss, delay| Stages { loss, rate: false, delay };
    let none = Stages::default();
    assert_eq!(
        plan.links.iter().map(|link| link.stages).collect::<Vec<_>>(),
        [[only(false, true), none], [none, only(true, false)], [only(true, false), none]]
    );
    let printed = print::text(&plan);
    assert!(printed.contains("a.eth0 <-> b.eth0  kernel\n") && printed.contains("back: loss by the kernel's netem\n"), "{printed}");
    let by_wire = lab.good();
    assert!(by_wire.links.iter().all(|link| link.engine == Engine::Wire && link.stages == [none; 2]));
}

#[test]
fn all_that_netem_does_passes() {
    let queue = Queue { limit: QueueLimit::Packets(50), ..Queue::default() };
    let varying = [
        Varying::Uniform(MS, 9 * MS),
        Varying::Normal(20 * MS, 2 * MS),
        Varying::Exponential(5 * MS),
        Varying::Pareto(10 * MS, 3_000_000_000),
        Varying::Choice(vec![MS, 2 * MS]),
    ];
    let mut all: Vec<Impairment> = varying.map(|delay| Impairment { delay: Delay::Drawn(delay), ..losing(9) }).into();
    all.push(Impairment { keep_order: false, ..all[0].clone() });
    let burst = Loss::GilbertElliott { p_nano: 1, r_nano: 2, good_nano: 3, bad_nano: 4 };
    all.push(Impairment { loss: burst, rate_bps: Some(1_000), overhead_bytes: 24, queue, ..Impairment::delaying(MS) });
    for does in all {
        let planned = pair(does.clone()).by_kernel();
        assert!(planned.is_ok_and(|planned| planned.plan.links[0].engine == Engine::Kernel), "{does:?}");
    }
}

#[test]
fn what_netem_does_not_is_refused_by_name() {
    let base = Impairment::default;
    let rate = || Impairment { rate_bps: Some(1_000_000), ..Impairment::default() };
    let loss = |loss| Impairment { loss, ..Impairment::default() };
    let drawn = |delay| Impairment { delay: Delay::Drawn(delay), ..Impairment::default() };
    let codel = Some(Codel { target_ns: 1, interval_ns: 2, ecn: false });
    let queue = |limit, codel| Impairment { queue: Queue { limit, codel, ..Queue::default() }, ..rate() };
    for (does, what) in [
        (Impairment { drops: vec![DropRule { kind: DropKind::Arp, ports: None }], ..base() }, "`drop`"),
        (Impairment { mtu_black_hole: Some(1400), ..base() }, "`mtu_black_hole`"),
        (loss(Loss::Every { n: 10 }), "`loss every`"),
        (loss(Loss::List(vec![LossSpan::Packets(1, 1)])), "`loss list`"),
        (loss(Loss::Trace("x".into())), "`loss trace`"),
        (Impairment { corrupt_nano: 1, ..base() }, "`corrupt`"),
        (Impairment { duplicate_nano: 1, ..base() }, "`duplicate`"),
        (Impairment { rate_bps: Some(999), ..base() }, "a `rate` below 1kbit/s"),
        (queue(QueueLimit::Bytes(64_000), None), "a `queue` in bytes"),
        (queue(QueueLimit::Packets(9), codel), "`codel`"),
        (Impairment { delay: Delay::Drawn(Varying::Uniform(1, MS)), ..rate() }, "a delay that varies beside a `rate`"),
        (Impairment { delay: Delay::Trace("x".into()), ..base() }, "`delay trace`"),
        (drawn(Varying::Pareto(MS, 1_900_000_000)), "a Pareto delay of a shape below 2"),
        (drawn(Varying::Uniform(0, 20_000 * MS)), "a delay that varies so much"),
        (Impairment { reorder: Some(Reorder { ratio_nano: 1, by: ReorderBy::Packets(1) }), ..base() }, "`reorder`"),
    ] {
        assert_eq!(refused(&pair(does)), [what]);
    }
    // Once for both ways, and again where the timeline says it.
    let mut lab = pair(loss(Loss::Every { n: 10 }));
    lab.scenario.topology.links[0].back = loss(Loss::Every { n: 9 });
    let link = || Target::Link(scn_grammar::scenario::LinkId(0));
    let lab = lab.at(0, impair(link(), Some(loss(Loss::Every { n: 8 })), None, 0));
    assert_eq!(refused(&lab), ["`loss every`", "`loss every`"]);
}

#[test]
fn what_changes_in_ways_that_netem_does_not_is_refused() {
    let rate = |bps, loss| Impairment { rate_bps: Some(bps), ..losing(loss) };
    let link = || Target::Link(scn_grammar::scenario::LinkId(0));
    let changing = |does: Impairment, over_ns| pair(rate(1_000_000, 1)).at(0, impair(link(), Some(does), None, over_ns));
    assert!(changing(rate(1_000_000, 5), 0).by_kernel().is_ok());
    assert_eq!(refused(&changing(rate(2_000_000, 1), 0)), ["another `rate`"]);
    assert_eq!(refused(&changing(losing(5), 0)), ["another `rate`"]);
    assert_eq!(refused(&changing(rate(1_000_000, 5), MS)), ["`over`"]);
    let apart = Cut { from: vec![NodeId(0)], to: vec![NodeId(1)], one_way: true };
    assert_eq!(refused(&pair(losing(1)).at(0, Action::Partition(apart))), ["`partition`"]);
}
