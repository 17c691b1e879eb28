//! Frames of every kind, byte by byte: lengths and checksums summed up anew as RFC 1071 says, and what of them passes the filter that is made for them.

use scn_grammar::scenario::frame::Frame;
use scn_grammar::scenario::transport::Transport;
use scn_reports::record::flow::{Item, ItemOutcome};

use super::mark::{MARK, Whose};
use super::template::Template;
use super::{ends, headers, sums};
use crate::plan::sample;
use crate::plan::types::Plan;
use crate::traffic::draw::Key;

/// Two nodes and a flow of these frames.
fn plan(frame: &str) -> Plan {
    plan_of("frames", frame, "total 9")
}

fn plan_of(over: &str, frame: &str, load: &str) -> Plan {
    let scenario = format!(
        "topology {{\n node a, b\n interface a.eth0 {{ mac 02:00:00:00:00:0a }}\n interface b.eth0 {{ mac 02:00:00:00:00:0b }}\n \
         link a.eth0 10.0.0.1/24, 2001:db8::1/64 <-> b.eth0 10.0.0.2/24, 2001:db8::2/64\n}}\n\
         flow f from a.eth0 to b.eth0 {{\n over {over}\n frame {{\n{frame}\n}}\n {load}\n}}\nexpect {{ f.received == 9 }}"
    );
    sample::plan(&scenario).expect("it can be planned")
}

fn frame_of(plan: &Plan) -> &Frame {
    let Transport::Frames(frame) = &plan.flows[0].transport else { panic!("it is a flow of frames") };
    frame
}

fn template(frame: &str) -> Template {
    template_of(&plan(frame))
}

/// The template of others' frames that are watched.
fn watched(frame: &str) -> Template {
    template_of(&plan_of("frames { watch on }", frame, "rate 5/s\n duration 1s"))
}

fn template_of(plan: &Plan) -> Template {
    let flow = &plan.flows[0];
    let (from, (_, to)) = (ends::from(plan, flow), ends::to(plan, flow));
    headers::template(frame_of(plan), (&from, &to), "a", Whose { run: 0x0102_0304, flow: 0 }, Key::of_seed(1))
}

#[test]
fn a_flow_that_sent_all_ran_until_the_last_arrived() {
    let plan = plan("ipv4 { ttl 9 }");
    let item = |at_ns: i64, outcome| Item {
        intended_ns: at_ns,
        sent_ns: at_ns,
        done_ns: at_ns + 200,
        lag_ns: 0,
        connection: 0,
        backend: 1,
        outcome,
        status: 0,
        forward_bytes: 64,
        back_bytes: 0,
    };
    let mut items: Vec<Item> = (0..9).map(|at| item(10 * at, ItemOutcome::Done)).collect();
    let ran = |items: &[Item], mut ran_ns: Vec<(i64, i64)>| {
        super::heed_the_last(&plan.flows[0], items, &mut ran_ns);
        ran_ns
    };
    assert_eq!(ran(&items, vec![(0, 80)]), [(0, 281)]);
    assert_eq!(ran(&items, vec![(0, 80), (100, 120)]), [(0, 100), (100, 120)], "not beyond its next start");
    items[8].outcome = ItemOutcome::Failed;
    assert_eq!(ran(&items, vec![(0, 80)]), [(0, 271)]);
    assert_eq!(ran(&items[..8], vec![(0, 75)]), [(0, 75)], "it was stopped");
}

/// The frames of the first items.
fn frames(template: &Template, count: u64) -> Vec<Vec<u8>> {
    let mut room = vec![0; template.longest];
    template.prepare(&mut room);
    // One room for all of them, as the sender has it.
    (0..count)
        .map(|item| {
            let length = template.write(item, 1, &mut room);
            room[..length].to_vec()
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every length and checksum is what it ought to be.
fn verify(frame: &[u8], network_at: usize) {
    let packet = &frame[network_at..];
    let word = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    let (protocol, addresses, header) = match packet[0] >> 4 {
        4 => {
            assert_eq!(word(2), packet.len(), "total length");
            assert_eq!(sums::checksum(sums::of_bytes(&packet[..20])), 0, "checksum of IPv4 in {}", hex(packet));
            (packet[9], &packet[12..20], 20)
        }
        _ => {
            assert_eq!(word(4), packet.len() - 40, "payload length");
            (packet[6], &packet[8..40], 40)
        }
    };
    let segment = &packet[header..];
    let pseudo = sums::of_bytes(addresses) + sums::Sum::from(protocol) + segment.len() as sums::Sum;
    let sum = match protocol {
        1 => sums::of_bytes(segment),
        6 | 17 | 58 => pseudo + sums::of_bytes(segment),
        _ => return,
    };
    assert_eq!(sums::checksum(sum), 0, "checksum of protocol {protocol} in {}", hex(packet));
    if protocol == 17 {
        assert_eq!(usize::from(u16::from_be_bytes([segment[4], segment[5]])), segment.len(), "length of UDP");
    }
}

#[test]
fn a_tagged_datagram_is_what_it_says() {
    let text = "ethernet { source 00:11:22:33:44:55  destination 66:77:88:99:aa:bb }\nvlan 123 { priority 5 }\n\
                ipv4 { source 192.0.2.1  destination 192.0.2.2  ttl 9 }\nudp { source 1000..1002  destination 7 }\npayload \"abc\"";
    let all = frames(&template(text), 5);
    // Both checksums are those that tshark calls correct.
    assert_eq!(hex(&all[0]), "66778899aabb0011223344558100a07b08004500001f0000000009112dcbc0000201c000020203e80007000bb382616263");
    assert_eq!(all[1][38..40], 1001u16.to_be_bytes());
    assert_eq!(all[3][38..40], 1000u16.to_be_bytes());
    all.iter().for_each(|frame| verify(frame, 18));
}

#[test]
fn checksums_hold_whatever_varies() {
    for (text, network_at) in [
        (
            "ipv4 { source 10.1.0.0/16  ttl random 1..255  dscp 0..63  ecn [1, 2]  identification 0..65535  df on }\nudp { source random 1..65535 }",
            14,
        ),
        ("ipv4 { destination random 10.0.0.1..10.255.255.255  protocol 100..110 }\npayload random 0B..1400B", 14),
        (
            "vlan [10, 20]\nipv4 { ttl 1..9 }\ntcp { sequence random 0..4294967295  acknowledgement 1..1000  flags syn, ack, cwr  window 1..9 }\npayload 40B..1000B",
            22,
        ),
        ("ipv4 { ttl 3 }\nicmp { type [8, 13]  code 0..3  identifier random 0..65535 }\npayload random 33B", 14),
        (
            "ipv6 { source 2001:db8:1::/64  destination random 2001:db8::2..2001:db8::ffff  hop_limit 1..255  flow_label 0..1048575  dscp 46  ecn 0..3 }\nudp { destination 1..9 }\npayload random 16B..99B",
            14,
        ),
        ("ipv6 { hop_limit 2 }\nicmpv6 { identifier 1..9 }\npayload \"odd\"", 14),
        ("ipv6 { next_header 59 }\npayload 1B..20B", 14),
        ("ipv4 { ttl 3 }\ntcp { source 1..9 }\npayload \"even\"", 14),
    ] {
        let template = template(text);
        for frame in frames(&template, 300) {
            verify(&frame, network_at);
            assert!(template.filter().passes(&received(&template, &frame).0, received(&template, &frame).1), "{text}");
        }
    }
}

/// A frame as the receiving kernel has it: without its first tag.
fn received(template: &Template, frame: &[u8]) -> (Vec<u8>, Option<u16>) {
    if template.tags.is_empty() {
        return (frame.to_vec(), None);
    }
    ([&frame[..12], &frame[16..]].concat(), Some(u16::from_be_bytes([frame[14], frame[15]])))
}

#[test]
fn what_lies_in_no_packet_has_its_own_form() {
    let request = frames(&template("arp { operation request }"), 1).remove(0);
    assert_eq!(hex(&request), "02000000000b02000000000a08060001080006040001 02000000000a 0a000001 000000000000 0a000002".replace(' ', ""));
    let lldp = frames(&template("lldp { ttl 20s  system \"sys\" }"), 1).remove(0);
    assert_eq!(hex(&lldp), "0180c200000e02000000000a88cc 02020761 0405056574 6830 0602 0014 0a03737973 0000".replace(' ', ""));
    let lacp = frames(&template("lacp { actor { key 1..2  state 5 } }"), 2).remove(1);
    assert_eq!(lacp.len(), 14 + 110);
    assert!(hex(&lacp).starts_with("0180c200000202000000000a880901010114ffff02000000000a000200ff000105000000"), "{}", hex(&lacp));
    assert_eq!(hex(&lacp[36..60]), "0214ffff000000000000000100ff00010000000003100000");
    let plain = frames(&template("vlan 1\npayload hex\"00ff\""), 1).remove(0);
    assert_eq!(hex(&plain), "02000000000b02000000000a8100000188b500ff");
}

#[test]
fn frames_are_known_by_their_identity_wherever_tags_were_taken_off() {
    let template = template("vlan [10, 20]\nipv4 { ttl 9 }\nudp { source 1..9 }\npayload random 18B");
    assert!(template.is_identified());
    let filter = template.filter();
    let whose = Whose { run: 0x0102_0304, flow: 0 };
    for (item, frame) in frames(&template, 20).into_iter().enumerate() {
        for taken in 0..=2 {
            let bytes = [&frame[..12], &frame[12 + 4 * taken..]].concat();
            assert!(filter.passes(&bytes, None), "{taken} tags taken off");
            let at = template.payload_places().find(|at| bytes.get(*at..).is_some_and(|bytes| whose.begins(bytes))).unwrap();
            assert_eq!(whose.read(&bytes[at..]), Some((1, item as u64)));
        }
        let mut other = frame.clone();
        *other.last_mut().unwrap() ^= 1;
        assert!(filter.passes(&other, None), "the filling is the receiver's to look at");
        other[50] ^= 1;
        assert!(!filter.passes(&other, None), "another's frame");
    }
    assert!(!filter.passes(&[0; 40], None), "too short");
}

#[test]
fn frames_without_room_are_known_by_what_does_not_vary() {
    let template = template("vlan 7\nipv4 { ttl 9 }\nudp { source 1..9  destination 7 }\npayload \"a text of more than 16 bytes\"");
    assert!(!template.is_identified());
    let filter = template.filter();
    let (mut bytes, tag) = received(&template, &frames(&template, 1)[0]);
    assert!(filter.passes(&bytes, tag) && filter.passes(&bytes, None) && !filter.passes(&bytes, Some(8)));
    // A router on the way: other hardware addresses, a hop less, another checksum.
    bytes[3] ^= 0xff;
    bytes[22] -= 1;
    bytes[24] ^= 1;
    assert!(filter.passes(&bytes, tag), "as a router sends it");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert!(!filter.passes(&bytes, tag), "another text");
    bytes[last] ^= 1;
    bytes[37] ^= 1;
    assert!(!filter.passes(&bytes, tag), "another port");
}

#[test]
fn frames_without_room_are_known_wherever_tags_were_taken_off() {
    let datagram = "ipv4 { ttl 9 }\nudp { destination 7 }\npayload \"the same text\"";
    for (tags, count) in [("vlan 10", 1), ("vlan [10, 20]", 2), ("vlan 10\nvlan 20\nvlan 30", 3)] {
        for inside in ["arp { operation request }", datagram] {
            let template = template(&format!("{tags}\n{inside}"));
            assert!(!template.is_identified());
            let filter = template.filter();
            let frame = frames(&template, 1).remove(0);
            for off in 0..=count {
                let bytes = [&frame[..12], &frame[12 + 4 * off..]].concat();
                assert!(filter.passes(&bytes, None), "{off} of {tags} gone");
                let number = 10 * off as u16;
                assert_eq!(filter.passes(&bytes, Some(number)), off > 0, "the last of {off} of {tags} taken off by the kernel");
                assert!(!filter.passes(&bytes, Some(number + 1)), "{off} of {tags}: another VLAN's");
                let mut other = bytes.clone();
                *other.last_mut().unwrap() ^= 1;
                assert!(!filter.passes(&other, None) && !filter.passes(&other, Some(number)), "{off} of {tags}: another frame");
                assert!(!filter.passes(&bytes[..bytes.len() - 1], None), "{off} of {tags}: too short");
            }
        }
    }
}

#[test]
fn the_longest_filter_is_one_that_the_kernel_takes() {
    // Of each tag only some bits are certain, which takes a step more; so much payload that all is compared that may be.
    let tags: Vec<String> = (1..=8).map(|number| format!("vlan {number} {{ priority 0..7 }}")).collect();
    let template = template(&format!("{}\npayload hex\"{}\"", tags.join("\n"), "5a".repeat(300)));
    let filter = template.filter();
    assert!(filter.0.len() <= 4096, "{} steps", filter.0.len());
    let frame = frames(&template, 1).remove(0);
    for off in 0..=8 {
        let bytes = [&frame[..12], &frame[12 + 4 * off..]].concat();
        assert!(filter.passes(&bytes, None), "{off} tags gone");
        let last = bytes.len().min(256) - 1;
        let mut other = bytes.clone();
        other[last] ^= 1;
        assert!(!filter.passes(&other, None), "{off} tags gone: another frame");
    }
}

#[test]
fn a_payload_has_an_identity_where_there_is_always_room() {
    for (text, identified) in [
        ("ipv4 { ttl 1 }", true),
        ("payload 16B", true),
        ("payload 15B..99B", false),
        ("payload random 20B..99B", true),
        ("payload \"sixteen bytes and more\"", false),
        ("arp { operation reply }", false),
    ] {
        assert_eq!(template(text).is_identified(), identified, "{text}");
    }
    assert_eq!(template("ipv4 { ttl 1 }").payload_bytes(0), MARK);
}

/// Whether the filter of what is watched lets the first frames of a flow pass, which are as they say.
fn sees(watch: &str, sent: &str) -> bool {
    let (watch, sent) = (watched(watch), template(sent));
    let all: Vec<bool> = frames(&sent, 20)
        .iter()
        .map(|frame| {
            let (bytes, tag) = received(&sent, frame);
            watch.filter().passes(&bytes, tag)
        })
        .collect();
    assert!(all.iter().all(|one| *one == all[0]), "all or none");
    all[0]
}

#[test]
fn of_others_frames_those_are_seen_that_have_what_is_said() {
    for (watch, sent, seen) in [
        ("ipv4 { protocol 112  destination 224.0.0.18 }", "ipv4 { protocol 112  destination 224.0.0.18  ttl 255 }\npayload 20B", true),
        ("ipv4 { protocol 112  destination 224.0.0.18 }", "ipv4 { protocol 112  destination 224.0.0.5 }\npayload 20B", false),
        ("ipv4 { protocol 112 }", "ipv4 { protocol 89 }\npayload 20B", false),
        ("ipv4 { protocol 112 }", "vlan 7\nipv4 { protocol 112 }\npayload 20B", false),
        ("vlan 7\nipv4 { protocol 112 }", "vlan 7\nipv4 { protocol 112 }\npayload 20B", true),
        ("vlan 7\nipv4 { protocol 112 }", "ipv4 { protocol 112 }\npayload 20B", false),
        ("vlan 1..6\nipv4 { protocol 112 }", "vlan 7\nipv4 { protocol 112 }\npayload 20B", false),
        ("vlan 5..9 { priority [2, 3] }", "vlan 7 { priority 3 }\nipv4 { ttl 9 }", true),
        ("vlan 5..9 { priority [2, 4] }", "vlan 7 { priority 3 }\nipv4 { ttl 9 }", false),
        ("vlan 7 { drop_eligible off }", "vlan 7 { drop_eligible on }\nipv4 { ttl 9 }", false),
        ("vlan 7 { drop_eligible on }", "vlan 7 { drop_eligible on }\nipv4 { ttl 9 }", true),
        ("vlan [7, 8]", "vlan 7\nipv4 { ttl 9 }", false),
        ("vlan [7, 8]\nipv6 { hop_limit 1..9 }", "vlan 7 { ethertype hex\"8100\" }\nvlan 8\nipv6 { hop_limit 9 }", true),
        ("ethernet { destination 02:00:00:00:00:00..02:00:00:00:00:ff }", "ipv4 { ttl 9 }", true),
        ("ethernet { destination 02:00:00:00:00:0c..02:00:00:00:00:ff }", "ipv4 { ttl 9 }", false),
        ("ethernet { source 02:00:00:00:00:0a  ethertype hex\"0800\" }", "ipv4 { ttl 9 }", true),
        ("ethernet { source 02:00:00:00:00:0b }", "ipv4 { ttl 9 }", false),
        ("arp { operation reply }", "arp { operation reply }", true),
        ("arp { operation reply }", "arp { operation request }", false),
        ("arp { sender_address 10.0.0.0/24 }", "arp { operation request }", true),
        ("arp { sender_address 10.0.1.0/24 }", "arp { operation request }", false),
        ("lldp { }", "lldp { ttl 9s }", true),
        ("lldp { }", "lacp { actor { key 1 } }", false),
        ("lacp { actor { key 1..2  state 61 } }", "lacp { actor { key 1..2 } }", true),
        ("lacp { partner { key 7 } }", "lacp { actor { key 7 } }", false),
        ("ipv6 { source 2001:db8::/64 }\nicmpv6 { type 128 }", "ipv6 { hop_limit 3 }\nicmpv6 { identifier 1..9 }", true),
        ("ipv6 { source 2001:db8::2..2001:db8::9 }", "ipv6 { hop_limit 3 }\nicmpv6 { identifier 1..9 }", false),
        ("ipv6 { flow_label 70000..80000  dscp 46 }", "ipv6 { flow_label 75000..75009  dscp 46 }\nudp { source 9 }", true),
        ("ipv6 { flow_label 70000..80000 }", "ipv6 { flow_label 69990..69999 }\nudp { source 9 }", false),
        ("ipv4 { df on }\nudp { destination 7 }", "ipv4 { df on }\nudp { source 1..99  destination 7 }", true),
        ("ipv4 { df off }\nudp { destination 7 }", "ipv4 { df on }\nudp { destination 7 }", false),
        ("ipv4 { ttl 9 }\nudp { destination 7 }", "ipv4 { ttl 9 }\ntcp { destination 7 }", false),
        ("ipv4 { ttl 1..64 }\ntcp { flags syn }", "ipv4 { ttl 9 }\ntcp { flags syn }", true),
        ("ipv4 { ttl 1..64 }\ntcp { flags syn }", "ipv4 { ttl 9 }\ntcp { flags syn, ack }", false),
        (
            "ipv4 { ttl 1..64 }\ntcp { window 1..9  sequence 65536..4294967295 }",
            "ipv4 { ttl 9 }\ntcp { window 1..9  sequence 70000 }",
            true,
        ),
        ("ipv4 { ttl 1..64 }\ntcp { sequence 65536..4294967295 }", "ipv4 { ttl 9 }\ntcp { sequence 65535 }", false),
        ("ipv4 { ttl 9 }\nudp { destination 7 }\npayload \"odd\"", "ipv4 { ttl 9 }\nudp { destination 7 }\npayload \"odd and more\"", true),
        ("ipv4 { ttl 9 }\nudp { destination 7 }\npayload \"odd\"", "ipv4 { ttl 9 }\nudp { destination 7 }\npayload \"oddly\"", true),
        (
            "ipv4 { ttl 9 }\nudp { destination 7 }\npayload \"odd\"",
            "ipv4 { ttl 9 }\nudp { destination 7 }\npayload \"ode and more\"",
            false,
        ),
        ("payload hex\"00ff\"", "payload hex\"00ff11\"", true),
        ("payload hex\"00ff\"", "vlan 1\npayload hex\"00ff11\"", false),
        ("ethernet { ethertype [2048, 34997] }", "payload 64B", true),
    ] {
        assert_eq!(sees(watch, sent), seen, "{watch} sees {sent}");
    }
}

#[test]
fn headers_of_any_length_are_looked_behind() {
    let watch = watched("ipv4 { ttl 9 }\ntcp { destination 80 }\npayload \"GET\"");
    let ethernet = [0; 12].into_iter().chain([0x08, 0x00]);
    // A header of 24 bytes with an option, a segment of TCP whose header has 32, then the payload and what Ethernet fills up.
    let ipv4 = [0x46, 0, 0, 61, 0, 0, 0x40, 0, 9, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x94, 4, 0, 0];
    let tcp = [0x80, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0x18, 1, 0, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
    let frame: Vec<u8> = ethernet.chain(ipv4).chain(tcp).chain(*b"GET /").chain([0; 9]).collect();
    assert!(watch.filter().passes(&frame, None));
    assert_eq!(watch.carried(watch.described.unwrap(), &frame, frame.len()), 5);
    let changed = |at: usize, byte: u8| {
        let mut other = frame.clone();
        other[at] = byte;
        watch.filter().passes(&other, None)
    };
    assert!(!changed(14 + 24 + 3, 81), "another port");
    assert!(!changed(14 + 24 + 32, b'P'), "another payload");
    assert!(!changed(14 + 7, 1), "a later fragment begins with no header");
    assert!(!watch.filter().passes(&frame[..60], None), "too short");
}

#[test]
fn what_watched_frames_carry_lies_behind_the_headers_that_are_said() {
    let sent = "vlan 7\nipv4 { ttl 9 }\nudp { destination 7 }\npayload 30B";
    for (watch, bytes) in [("vlan 7\nipv4 { ttl 9 }\nudp { destination 7 }", 30), ("vlan 7\nipv4 { ttl 9 }", 38), ("vlan 7", 58)] {
        let (sent, watch) = (template(sent), watched(watch));
        let (frame, _) = received(&sent, &frames(&sent, 1)[0]);
        assert_eq!(watch.carried(watch.described.unwrap(), &frame, frame.len()), bytes);
    }
    let (sent, watch) =
        (template("ipv6 { hop_limit 9 }\nicmpv6 { type 128 }\npayload 30B"), watched("ipv6 { hop_limit 9 }\nicmpv6 { code 0 }"));
    let frame = &frames(&sent, 1)[0];
    assert_eq!(watch.carried(watch.described.unwrap(), frame, frame.len()), 30);
    let watch = watched("lldp { }");
    assert_eq!(watch.carried(watch.described.unwrap(), frame, frame.len()), 0, "it is whole");
}
