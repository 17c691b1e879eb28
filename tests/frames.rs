//! Flows of raw frames in real namespaces, as root and as an ordinary user: what was sent is what tshark reads, and what a link did to frames is what
//! the flows tell.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::built::{Place, finish, is_root, scenario, until_told};
use crate::http::places;
use crate::loads::{captured, fields, there_is_tshark};

#[test]
fn the_frames_scenario_passes_and_tshark_counts_the_same() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        let capture = captured(&place, "frames", &scenario("frames.scn"));
        let ports = fields(&capture, "vlan.id == 123 && ip.ttl == 9 && udp.dstport == 7 && udp.length == 72", &["udp.srcport"]);
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        ports.into_iter().for_each(|port| *times.entry(port).or_default() += 1);
        let expected: BTreeMap<String, usize> = (1000..2000).map(|port| (port.to_string(), 10)).collect();
        assert_eq!(times, expected);
    }
}

/// Frames of every kind over one link.
const KINDS: &str = r#"scn 1

scenario kinds {
    timeout 30s
    topology {
        node a, b
        link a.eth0 10.0.0.1/24, 2001:db8::1/64 <-> b.eth0 10.0.0.2/24, 2001:db8::2/64
    }
    flow plain from a.eth0 to b.eth0 over frames { frame { payload random 46B..1500B }  rate 500/s  total 100 }
    flow stack from a.eth0 to b.eth0 over frames {
        frame { vlan [10, 20] { priority 0..7 }  ipv4 { source 10.9.0.0/24  dscp 0..63 }  tcp { sequence random 0..4294967295  window 1..9 }  payload 33B..99B }
        rate 500/s
        total 100
    }
    flow echo4 from a.eth0 to b.eth0 over frames { frame { ipv4 { ttl 1..9 }  icmp { identifier 77 }  payload 17B }  rate 500/s  total 100 }
    flow echo6 from a.eth0 to b.eth0 over frames { frame { ipv6 { flow_label 1..9 }  icmpv6 { identifier 78 }  payload random 16B..1400B }  rate 500/s  total 100 }
    flow six   from a.eth0 to b.eth0 over frames { frame { ipv6 { hop_limit 3 }  udp { source 1..9  destination 4000 }  payload random 18B }  rate 500/s  total 100 }
    flow bare  from a.eth0 to b.eth0 over frames { frame { ipv4 { protocol 200..209 } }  rate 500/s  total 100 }
    flow way4  from a to b over frames { frame { ipv4 { ttl 9  identification 1..9 }  udp { source 1..9  destination 4001 }  payload 18B }  rate 500/s  total 100 }
    flow way6  from a to b over frames { frame { ipv6 { hop_limit 9 }  udp { destination 4002 }  payload 18B }  rate 500/s  total 100 }
    flow ask   from a.eth0 to b.eth0 over frames { frame { arp { sender_address 10.0.0.77 } }  rate 50/s  total 10 }
    flow tell  from a.eth0 to b.eth0 over frames { frame { lldp { system "sys"  description "described" } }  rate 50/s  total 10 }
    flow group from a.eth0 to b.eth0 over frames { frame { lacp { actor { port 1..9 } } }  rate 50/s  total 10 }
    flow text  from a.eth0 to b.eth0 over frames { frame { ipv4 { ttl 9 }  udp { destination 4003 }  payload "the same text" }  rate 50/s  total 10 }
    flow away  from a.eth0 to b.eth0 over frames { frame { ipv4 { ttl 9 }  udp { destination 4004 } }  peer none  rate 50/s  total 10 }

    # What the kernel lets pass of all these.
    flow saw_stack from a to b.eth0 { over frames { watch on }  frame { vlan [10, 20]  ipv4 { source 10.9.0.0/24 }  tcp { window 1..9 } }  duration 1500ms }
    flow saw_half  from a to b.eth0 { over frames { watch on }  frame { vlan [10, 20] { priority 4..7 }  ipv4 { source 10.9.0.0/24 } }  duration 1500ms }
    flow saw_echo  from a to b      { over frames { watch on }  frame { ipv4 { ttl 1..9 }  icmp { identifier 77 } }  duration 1500ms }
    flow saw_six   from a to b      { over frames { watch on }  frame { ipv6 { source 2001:db8::/64 }  udp { source [1, 2, 3]  destination 4000 } }  duration 1500ms }
    flow saw_bare  from a to b.eth0 { over frames { watch on }  frame { ipv4 { protocol 200..204 } }  duration 1500ms }
    flow saw_ask   from a to b.eth0 { over frames { watch on }  frame { arp { operation request  sender_address 10.0.0.77 } }  duration 1500ms }
    flow saw_tell  from a to b.eth0 { over frames { watch on }  frame { lldp { } }  duration 1500ms }
    flow saw_group from a to b.eth0 { over frames { watch on }  frame { lacp { actor { port 1..9  key 1 } } }  duration 1500ms }
    flow saw_text  from a to b.eth0 { over frames { watch on }  frame { ipv4 { ttl 9 }  udp { destination 4003 }  payload "the same" }  duration 1500ms }
    flow saw_none  from a to b.eth0 { over frames { watch on }  frame { ipv4 { ttl 9 }  udp { destination 4003 }  payload "the samba" }  rate 1k/s  duration 1500ms }
    expect {
        saw_stack.received == 100
        saw_echo.received == 100
        saw_ask.received == 10
        saw_tell.received == 10
        saw_group.received == 10
        saw_text.received == 10
        saw_text.goodput.forward > 0bit/s
        saw_none.received == 0
        saw_none.outage.max > 0s
        plain.received == 100
        stack.received == 100
        echo4.received == 100
        echo6.received == 100
        six.received == 100
        bare.received == 100
        way4.received == 100
        way6.received == 100
        ask.received == 10
        tell.received == 10
        group.received == 10
        text.received == 10
        away.sent == 10
        stack.loss == 0%
        text.loss == 0%
        way4.duplicates == 0
        way6.corrupt == 0
        six.owd.max < 1s
    }
}
"#;

/// What a flow of a record received.
fn received(record: &Value, flow: &str) -> usize {
    let flows = record["flows"].as_array().expect("a record has flows");
    let found = flows.iter().find(|one| one["name"] == flow).expect("the flow is there");
    let rows = found["summary"].as_array().expect("a flow has numbers");
    let row = rows.iter().find(|row| row["name"] == "received").expect("it received something");
    row["value"].as_str().expect("a number is in words").parse().expect("it is a count")
}

/// What of a capture tshark, which sums up every checksum, finds wrong.
fn wrong(capture: &Path) -> String {
    let mut tshark = Command::new("tshark");
    tshark.args(["-n", "-r"]).arg(capture);
    for protocol in ["ip", "udp", "tcp"] {
        tshark.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    let bad = ["ip", "udp", "tcp", "icmp", "icmpv6"].map(|protocol| format!("{protocol}.checksum.status == \"Bad\""));
    tshark.args(["-Y", &format!("{} || _ws.malformed", bad.join(" || "))]);
    let ended = finish(&mut tshark);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

#[test]
fn frames_of_every_kind_are_whole_and_all_arrive() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        let capture = captured(&place, "kinds", KINDS);
        assert_eq!(wrong(&capture), "");
        let count = |filter: &str| fields(&capture, filter, &["frame.number"]).len();
        for (filter, expected) in [
            ("eth.type == 0x88b5", 100),
            ("ip.src == 10.9.0.0/24 && vlan.id == 20 && eth.type == 0x88a8 && tcp", 100),
            ("icmp.type == 8 && icmp.ident == 77", 100),
            ("icmpv6.type == 128 && icmpv6.echo.identifier == 78", 100),
            ("ipv6.hlim == 3 && udp.dstport == 4000 && !icmpv6", 100),
            ("ip.proto >= 200 && ip.proto <= 209 && !icmp", 100),
            ("ip.ttl == 9 && udp.dstport == 4001 && !icmp", 100),
            ("ipv6.hlim == 9 && udp.dstport == 4002 && !icmpv6", 100),
            ("arp.opcode == 1 && arp.src.proto_ipv4 == 10.0.0.77", 10),
            ("lldp.tlv.system.name == \"sys\" && lldp.chassis.subtype == 7", 10),
            ("lacp.version == 1 && lacp.actor.port <= 9", 10),
            ("udp.dstport == 4003 && data.data == \"the same text\" && !icmp", 10),
            ("udp.dstport == 4004 && !icmp", 10),
        ] {
            assert_eq!(count(filter), expected, "{filter}");
        }
        let record: Value = serde_json::from_str(&place.read("scn-results/kinds.kinds.run.json")).expect("a record is JSON");
        for (flow, filter) in [
            ("saw_half", "eth.type == 0x88a8 && vlan.priority >= 4 && tcp"),
            ("saw_six", "ipv6.hlim == 3 && udp.dstport == 4000 && udp.srcport <= 3 && !icmpv6"),
            ("saw_bare", "ip.proto >= 200 && ip.proto <= 204 && !icmp"),
        ] {
            assert_eq!(received(&record, flow), count(filter), "{flow}: {filter}");
        }
    }
}

/// What links do to frames, by hop and by routing. Where a link's list of losses counts packets nothing else crosses it.
const WAYS: &str = r#"scn 1

scenario ways {
    timeout 30s
    topology {
        node a, b
        router r
        interface a.lossy { sysctl "net.ipv6.conf.lossy.disable_ipv6" = 1 }
        interface a.alike { sysctl "net.ipv6.conf.alike.disable_ipv6" = 1 }
        link a.lossy 10.1.0.1/24 <-> b.lossy 10.1.0.2/24 { loss list [20, 30..32, 50] }
        link a.alike 10.2.0.1/24 <-> b.alike 10.2.0.2/24 { loss list [10..12] }
        link a.twice 10.3.0.1/24 <-> b.twice 10.3.0.2/24 { duplicate 100% }
        link a.mixed 10.4.0.1/24 <-> b.mixed 10.4.0.2/24 { reorder 10% after 5ms }
        link a.wrong 10.5.0.1/24 <-> b.wrong 10.5.0.2/24 { corrupt 100% }
        link a.slow 10.6.0.1/24 <-> b.slow 10.6.0.2/24 { delay 50ms }
        link a.far 10.7.0.1/24, 2001:db8:7::1/64 <-> r 10.7.0.2/24, 2001:db8:7::2/64
        link r 10.8.0.1/24, 2001:db8:8::1/64 <-> b.far 10.8.0.2/24, 2001:db8:8::2/64
    }
    # From an address to which there is no way back: an answer would be asked for by ARP, which takes a place in the list.
    flow lossy from a.lossy to b.lossy over frames { frame { ipv4 { ttl 9  source 192.0.2.9 }  udp { source 1..9 }  payload random 100B }  rate 1k/s  total 100 }
    flow alike from a.alike to b.alike over frames { frame { arp { operation reply } }  rate 100/s  total 20 }
    flow twice from a.twice to b.twice over frames { frame { vlan 7  payload 64B }  rate 1k/s  total 100 }
    flow mixed from a.mixed to b.mixed over frames { frame { payload 64B }  rate 1k/s  total 200 }
    flow wrong from a.wrong to b.wrong over frames { frame { payload random 1400B }  rate 1k/s  total 100 }
    flow slow  from a.slow to b.slow over frames { frame { payload 64B }  rate 1k/s  total 100 }
    flow far4  from a to b.far over frames { frame { ipv4 { ttl 5 }  udp { source 1..9 }  payload 64B }  rate 1k/s  total 100 }
    flow far6  from a to 2001:db8:8::2 over frames { frame { ipv6 { hop_limit 5 }  udp { source 1..9 } }  rate 1k/s  total 100 }
    flow dies  from a to b.far over frames { frame { ipv4 { ttl 1 }  udp { source 1..9 } }  rate 1k/s  total 20 }
    expect {
        lossy.sent == 100
        lossy.received == 95
        lossy.lost == 5
        lossy.loss == 5%
        alike.received == 17
        alike.lost == 3
        twice.received == 100
        twice.duplicates == 100
        twice.loss == 0%
        mixed.received == 200
        mixed.reordered > 0
        wrong.corrupt > 50
        wrong.received == 0
        slow.owd.min >= 50ms
        slow.loss == 0%
        far4.received == 100
        far6.received == 100
        dies.loss == 100%
    }
}
"#;

#[test]
fn what_a_link_does_to_frames_is_told() {
    for place in places() {
        place.write("ways.scn", WAYS);
        let ended = until_told(|| place.scn(&["run", "ways.scn"]));
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
    }
}

/// Nothing passes for what nobody could see.
const UNSEEN: &str = "scn 1

scenario unseen {
    topology {
        node a, b
        link a.eth0 10.1.0.1/24 <-> b.eth0 10.1.0.2/24
    }
    flow alike from a.eth0 to b.eth0 over frames { frame { arp { operation reply } }  rate 100/s  total 10 }
    flow away  from a.eth0 to b.eth0 over frames { frame { payload 64B }  peer none  rate 100/s  total 10 }
    expect {
        alike.duplicates == 0
        always alike.reordered == 0
        away.lost == 0
        away.received == 0
        away.corrupt == 0
    }
}
";

#[test]
fn what_nobody_could_see_is_inconclusive() {
    let place = Place::new();
    place.write("unseen.scn", UNSEEN);
    let ended = place.scn(&["run", "unseen.scn"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stdout.contains("have no room for an identity"), "{ended:?}");
    assert!(ended.stdout.contains("nobody of scn's looks"), "{ended:?}");
    assert!(!ended.stdout.contains('✓'), "{ended:?}");
}

/// Frames that go the short way: as many as can be, and some that a program looks at where they arrive. To the address that they come from there is no
/// way: an answer would be asked for by ARP, which is counted too. Tshark ends by a signal where it may not read its settings, as an ordinary user in the
/// home of root.
const MANY: &str = r#"scn 1

scenario many {
    timeout 60s
    topology {
        node a, b
        interface a.eth0 { sysctl "net.ipv6.conf.eth0.disable_ipv6" = 1 }
        link a.eth0 10.0.0.1/24 <-> b.eth0 10.0.0.2/24
    }
    process looks on b {
        run "exec dumpcap -q -i eth0 -B 64 -f 'udp dst port 7' -w /tmp/seen.pcapng"
        ready log /File:/ within 20s
        stop SIGINT within 5s
    }
    flow some from a.eth0 to b.eth0 over frames {
        frame { ipv4 { source 192.0.2.9  ttl 9  identification 0..65535 }  udp { source 1000..1999  destination 7 }  payload random 16B..1400B }
        rate 25k/s
        total 10000
    }
    flow most from a.eth0 to b.eth0 over frames { frame { ipv4 { source 192.0.2.9  ttl 9 }  udp { destination 9 }  payload 18B }  peer none  total 400000 }
    flow long from a.eth0 to b.eth0 over frames { frame { ipv4 { source 192.0.2.9  ttl 9 }  udp { destination 9 }  payload random 18B..1472B }  rate 50k/s  total 20000 }
    timeline {
        at 0s  run on b "awk '/eth0:/ {print $3}' /proc/net/dev > /tmp/before"
        at 500ms  start some
        at 3s  start long
        at 6s  stop looks
        at 6s  start most
        at 9s  run on b "awk -v before=$(cat /tmp/before) '/eth0:/ {print $3 - before}' /proc/net/dev"  as counted
        at 9s  run on b "HOME=/tmp tshark -n -r /tmp/seen.pcapng -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -Y 'ip.checksum.status == 1 && udp.checksum.status == 1' -T fields -e udp.srcport | sort | uniq -c | awk '$1 == 10' | wc -l"  as looked
    }
    expect {
        some.sent == 10000
        some.received == 10000
        some.duplicates == 0
        some.reordered == 0
        some.corrupt == 0
        long.received == 20000
        long.corrupt == 0
        most.sent == 400000
        most.dropped == 0
        counted.output matches /^430000\n/
        looked.output matches /^1000\n/
    }
}
"#;

/// The kernel is Linux 6.17 or later.
fn is_new_kernel() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(17))
}

/// Frames must go the short way here; otherwise the same is asked of the long one, and that is said.
fn goes_short() -> bool {
    let goes_short = is_new_kernel() && is_root();
    if !goes_short {
        println!("the short way of frames is not asked for: it needs root and Linux 6.17");
    }
    goes_short
}

/// The flows of a run that went the short way, one line each.
fn short_ways(stderr: &str) -> usize {
    stderr.lines().filter(|line| line.contains("frames go the short way")).count()
}

#[test]
fn what_goes_the_short_way_is_whole_and_all_of_it_arrives() {
    if !there_is_tshark() {
        return;
    }
    for place in places() {
        place.write("many.scn", MANY);
        let run = || finish(place.command(&["run", "many.scn"]).env("SCN_LOG", "scn_runner::traffic=debug"));
        let ended = until_told(run);
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        // An older kernel has no such way, and may let an ordinary user keep no memory for it: the same holds of the long one.
        let ways = short_ways(&ended.stderr);
        assert!(ways == 3 || ways == 0 && !goes_short(), "each flow begins it anew: {}", ended.stderr);
    }
}

/// A link that loses its carrier while frames are sent; a program at the sender keeps them from the short way. Until the sender's kernel has heard of it,
/// some frames are refused: they are told, each once.
const CUT: &str = r#"scn 1

scenario cut {
    timeout 60s
    topology {
        node a, b
        bridge lan
        link near: a.eth0 10.0.0.1/24 <-> lan
        link lan <-> b.eth0 10.0.0.2/24
    }
    PROGRAM
    flow f from a.eth0 to b.eth0 over frames { frame { ipv4 { ttl 9 }  udp { source 1..9 }  payload 64B }  rate 25k/s  duration 3s }
    timeline {
        at 0s  start f
        at 1s for 500ms  down near
    }
    expect {
        f.sent + f.dropped == 75000
        f.dropped < 100
        f.lost > 11000
        f.lost < 14000
        f.duplicates == 0
        f.outage.max > 450ms
        f.outage.max < 600ms
    }
}
"#;

#[test]
fn a_link_that_is_cut_loses_the_same_whichever_way_frames_go() {
    for (program, short) in [("", 1), ("process looks on a { run \"exec sleep 99\" }", 0)] {
        let place = Place::new();
        place.write("cut.scn", CUT.replace("PROGRAM", program));
        let ended = until_told(|| finish(place.command(&["run", "cut.scn"]).env("SCN_LOG", "scn_runner::traffic=debug")));
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        let short = if goes_short() { short } else { 0 };
        assert_eq!(short_ways(&ended.stderr), short, "{}", ended.stderr);
    }
}

/// The same link, cut again and again while it has as many frames as can be, so that some are refused amid others of one call.
const FLAPPING: &str = r#"scn 1

scenario flapping {
    timeout 60s
    topology {
        node a, b
        bridge lan
        link near: a.eth0 10.0.0.1/24 <-> lan
        link lan <-> b.eth0 10.0.0.2/24
    }
    flow f from a.eth0 to b.eth0 over frames { frame { ipv4 { ttl 9 }  udp { source 1..9 }  payload 64B }  total 1000000 }
    timeline {
        at 0s  start f
        every 100ms from 100ms to 900ms  down near for 20ms
    }
    expect {
        f.sent + f.dropped == 1000000
        f.dropped < 1000
        f.duplicates == 0
    }
}
"#;

#[test]
fn a_frame_that_is_refused_amid_others_is_neither_lost_count_of_nor_sent_twice() {
    for place in places() {
        place.write("flapping.scn", FLAPPING);
        let ended = until_told(|| finish(place.command(&["run", "flapping.scn"]).env("SCN_LOG", "scn_runner::traffic=debug")));
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        assert!(short_ways(&ended.stderr) == 1 || !goes_short(), "{}", ended.stderr);
    }
}
