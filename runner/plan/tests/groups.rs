//! Flows to groups and broadcasts: by which interface they leave, who receives them, what is refused. And where datagrams may leave joined.

use crate::plan::datagrams::{is_dense, may_be_joined};
use crate::plan::sample;
use crate::plan::types::Plan;

/// Four nodes on one link and one behind a router.
const NET: &str = "node a, b, c, far\nbridge lan\nrouter r\nlink a 10.0.0.1/24, fd00::1/64 <-> lan\nlink b 10.0.0.2/24, fd00::2/64 <-> lan
    link c 10.0.0.3/24, fd00::3/64 <-> lan\nlink r 10.0.0.9/24, fd00::9/64 <-> lan\nlink r 10.1.0.1/24, fd01::1/64 <-> far 10.1.0.2/24, fd01::2/64";

fn planned(net: &str, rest: &str) -> Result<Plan, Vec<&'static str>> {
    sample::plan(&format!(
        "pattern one {{ client sends 64B }}\npattern two {{\n client sends 64B\n server sends 64B\n client sends 64B\n }}
         topology {{\n{net}\n}}\n{rest}\nexpect {{ f.loss == 0% }}"
    ))
}

/// By which interface a flow leaves and who receives it.
fn spread(listens: &str, on: &str, to: &str) -> Result<(String, Vec<String>), Vec<&'static str>> {
    let text =
        format!("service s on {on} {{ listen udp {listens}  serve one }}\nflow f from a to {to} over udp {{ pattern one  total 1 }}");
    let plan = planned(NET, &text)?;
    let flow = &plan.flows[0];
    let names = flow.backends.iter().map(|node| plan.nodes[node.index()].name.clone()).collect();
    Ok((flow.spread_by.clone().unwrap_or_default(), names))
}

#[test]
fn a_group_reaches_its_members_on_the_senders_link() {
    let by = |names: &[&str]| Ok(("eth0".to_owned(), names.iter().map(|name| (*name).to_owned()).collect()));
    assert_eq!(spread("239.1.1.1:5000", "c, b, far", "239.1.1.1:5000"), by(&["b", "c"]));
    assert_eq!(spread("239.1.1.1:5000", "c, b, far", "s"), by(&["b", "c"]), "a service on a group is a group");
    assert_eq!(spread("[ff05::5]:5000", "a, b, far", "[ff05::5]:5000"), by(&["a", "b"]), "its own node hears it too");
    assert_eq!(spread(":5000", "b, c, far", "255.255.255.255:5000"), by(&["b", "c"]));
    assert_eq!(spread(":5000", "b, far", "10.0.0.255:5000"), by(&["b"]));
    assert_eq!(spread("10.0.0.255:5000", "b", "10.0.0.255:5000"), by(&["b"]));
    assert_eq!(spread(":5000", "b", "224.0.0.1:5000"), by(&["b"]));
    assert_eq!(spread(":5000", "b", "[ff02::1]:5000"), by(&["b"]));
    assert_eq!(spread("10.0.0.2:5000", "b", "10.0.0.2:5000"), Ok((String::new(), vec!["b".to_owned()])), "one address is no group");
}

#[test]
fn what_nobody_receives_or_can_answer_is_refused() {
    let nobody = Err(vec!["scn::plan::nobody_receives"]);
    assert_eq!(spread(":5000", "b", "239.1.1.1:5000"), nobody, "nobody has joined");
    assert_eq!(spread("239.1.1.1:5000", "far", "239.1.1.1:5000"), nobody, "routers pass none on");
    assert_eq!(spread("239.1.1.1:5000", "b", "239.1.1.1:5001"), nobody);
    assert_eq!(spread(":5000", "far", "10.1.0.255:5000"), Err(vec!["scn::plan::no_such_address"]), "not of the sender's networks");
    let played = |pattern: &str| {
        let text = format!(
            "service s on b {{ listen udp 239.1.1.1:5000  serve {pattern} }}\nflow f from a to s over udp {{ pattern {pattern}  total 1 }}"
        );
        planned(NET, &text).map(|_| ())
    };
    assert_eq!((played("one"), played("two")), (Ok(()), Err(vec!["scn::plan::group_pattern"])));
    let tcp = "service s on b { listen tcp 239.1.1.1:5000  serve one }\nflow f from a to b { pattern one  total 1 }";
    assert_eq!(planned(NET, tcp).map(|_| ()), Err(vec!["scn::plan::listen_address"]));
}

#[test]
fn datagrams_are_joined_only_where_nothing_acts_on_single_ones() {
    let joined = |net: &str, rest: &str| {
        let plan = planned(net, &format!("flow f from a to b over udp {{ pattern one  {rest}")).unwrap();
        (may_be_joined(&plan), is_dense(&plan.flows[0]))
    };
    let plain = "node a, b\nlink l: a <-> b";
    assert_eq!(joined(plain, "duration 1s }"), (true, true));
    assert_eq!(joined(plain, "rate 20k/s  duration 1s }"), (true, true));
    assert_eq!(joined(plain, "rate 19k/s  duration 1s }"), (true, false));
    assert_eq!(joined("node a, b\nlink l: a <-> b { loss 1% }", "duration 1s }"), (false, true));
    assert_eq!(joined("node a, b\nlink l: a <-> b { offload off }", "duration 1s }"), (false, true));
    assert_eq!(joined(plain, "duration 1s }\ntimeline { at 0s  capture l to \"l.pcapng\" }"), (false, true));
    assert_eq!(joined(plain, "duration 1s }\ntimeline { at 1s for 1s  silence l }"), (false, true), "a link that is struck is a wire");
    assert_eq!(joined(plain, "duration 1s }\nexpect { a.eth0.tx_packets > 0 }"), (false, true));
}
