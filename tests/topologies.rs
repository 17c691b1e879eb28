//! Topologies as users write them, with traffic: as root and as an ordinary user.

use crate::built::{Place, User, scenario, until_told};

/// Each passes wherever namespaces can be had, but for those that say what they need.
const MANY: &str = r#"scn 1

use std.patterns (sym)

scenario on_one_wire {
    topology {
        node a { mtu 9000  sysctl "net.ipv4.tcp_ecn" = 1 }
        node b
        bridge x, y { mac 02:aa:00:00:00:01 }
        link a 10.0.0.1/24 <-> x
        link x <-> y
        link y <-> b
        macvlan b.m 10.0.0.9/24 on b.eth0 { mac 02:00:00:00:99:99 }
        interface b.eth0 { mac 02:11:22:33:44:55  mtu 9000 }
    }
    service s on b { listen tcp 10.0.0.9:80  serve sym(8kB) }
    flow f from a to s { pattern sym(8kB)  total 20 }
    expect { f.transactions == 20 }
}

scenario six_only {
    topology {
        node a, c
        node b { forwarding on }
        link a 2001:db8::1/64 <-> b
        link b <-> c 2001:db8:1::2/64 { mtu 1280 }
        link spare: a <-> b
    }
    flow f from a to c { total 20 }
    expect { f.transactions == 20 }
}

scenario both_ways {
    topology {
        node a, b
        router r
        link a <-> r
        link r <-> b
    }
    service s on b { listen tcp :80  serve sym(64B) }
    flow f from a to s { total 20 }
    expect { f.transactions == 20 }
}

scenario no_effect {
    topology {
        node a, b
        router r
        link a 10.1.0.2/24 <-> r 10.1.0.1/24
        link r <-> b
        route a 0.0.0.0/0 via 10.1.0.1
    }
    flow f from a to b { rate 20/s  duration 300ms }
    timeline { at 100ms  route a 0.0.0.0/0 via 10.1.0.1 }
    expect { f.failed_transactions == 0 }
}
"#;

#[test]
fn every_topology_carries_traffic() {
    for place in [User::Own, User::Ordinary].into_iter().filter_map(Place::of) {
        place.write("many.scn", MANY).write("overlay.scn", scenario("overlay.scn"));
        let ended = until_told(|| place.scn(&["run", "many.scn"]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.stdout.contains("route a 0.0.0.0/0 via 10.1.0.1 had no effect: it was so already"), "{ended:?}");
        let ended = until_told(|| place.scn(&["run", "overlay.scn"]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
}

/// What some kernels lack: either it runs, or nothing is made and the reason names the kernel's option; with `needs` it is skipped.
#[test]
fn what_the_kernel_lacks_is_refused_by_name() {
    let cases = [
        ("link a <-> b { vlan [10, 20] }", "vlan", "CONFIG_VLAN_8021Q"),
        ("link a <-> b\nlink a <-> b\nbond a.bond0 on a.eth0, a.eth1\nbond b.bond0 on b.eth0, b.eth1", "bonding", "CONFIG_BONDING"),
    ];
    for (links, need, option) in cases {
        let place = Place::new();
        let text = |needs: &str| {
            let expect = "flow f from a to b { total 5 }\nexpect { f.transactions == 5 }";
            format!("scn 1\nscenario s {{\n{needs}\ntopology {{\nnode a, b\n{links}\n}}\n{expect}\n}}\n")
        };
        let ended = place.write("without.scn", text("")).scn(&["run", "without.scn"]);
        let skipped = place.write("needs.scn", text(&format!("needs kernel {need}"))).scn(&["run", "needs.scn"]);
        if ended.code == Some(0) {
            assert_eq!(skipped.code, Some(0), "{skipped:?}");
        } else {
            assert_eq!((ended.code, skipped.code), (Some(5), Some(4)), "{ended:?}\n{skipped:?}");
            assert!(ended.stderr.contains(option) && ended.stderr.contains(&format!("needs kernel {need}")), "{ended:?}");
            assert!(skipped.stdout.contains(&format!("needs `{need}` of the kernel")), "{skipped:?}");
        }
    }
}
