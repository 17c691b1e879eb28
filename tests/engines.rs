//! Links by the kernel (`--engine kernel`): what this kernel can do works, as root and as an ordinary user, and what it can't is refused by name
//! before anything is made. The guest has a kernel that can do all of it.

use crate::built::{Ended, Place, User, skip, until_told};

/// A link that only faults touch: the kernel redirects what comes, and needs no netem.
const CUT: &str = r#"scn 1
use std.patterns (request_reply)
scenario cut {
    topology {
        node a, b
        link wan: a <-> b
    }
    flow probe from a to b over udp { pattern request_reply(100B, 100B)  rate 100/s  duration 4s }
    timeline {
        at 1s for 500ms    down wan     as fall
        at 2500ms for 1s   silence wan  as hush
    }
    expect {
        probe.loss == 0%             before fall - 100ms
        probe.outage.max >= 400ms    during fall - 200ms..fall + 1s
        probe.outage.max >= 900ms    during hush - 200ms..hush + 1200ms
        probe.reordered == 0
    }
}
"#;

fn lossy(needs: &str) -> String {
    format!(
        "scn 1\nuse std.patterns (request_reply)\nscenario lossy {{\n{needs}\ntopology {{\nnode a, b\nlink wan: a <-> b {{ loss 20%  delay 5ms }}\n}}\n\
         flow probe from a to b over udp {{ pattern request_reply(100B, 100B)  rate 200/s  duration 1s }}\n\
         expect {{ probe.lost > 10 }}\n}}\n"
    )
}

/// The network of a record: the wide area link.
fn wan(place: &Place, name: &str) -> serde_json::Value {
    let record: serde_json::Value = serde_json::from_str(&place.read(&format!("scn-results/{name}"))).expect("a record is JSON");
    record["links"].as_array().unwrap().iter().find(|link| link["name"] == "wan").unwrap().clone()
}

fn told(ended: &Ended) -> String {
    format!("{:?}\nstdout:\n{}\nstderr:\n{}", ended.code, ended.stdout, ended.stderr)
}

#[test]
fn the_kernel_carries_and_cuts_links() {
    for place in [User::Own, User::Ordinary].into_iter().filter_map(Place::of) {
        place.write("cut.scn", CUT);
        let ended = until_told(|| place.scn(&["run", "--engine", "kernel", "cut.scn"]));
        if ended.code == Some(5) {
            let words = ["CONFIG_NET_ACT_MIRRED", "--engine wire"];
            assert!(words.iter().all(|word| ended.stderr.contains(word)), "{}", told(&ended));
            skip(&ended.stderr);
            continue;
        }
        assert_eq!(ended.code, Some(0), "{}", told(&ended));
        let link = wan(&place, "cut.cut.run.json");
        assert_eq!(link["engine"], "kernel");
        let count = |place: &str, way: usize| link["account"][place][way].as_u64().unwrap();
        for way in 0..2 {
            let told: u64 = ["delivered", "cut", "lost", "overflowed", "dropped", "queued"].iter().map(|place| count(place, way)).sum();
            assert_eq!(count("entered", way), told, "{link}");
        }
        // In silence the sender goes on: a second at 100/s.
        assert!(count("cut", 0) >= 50 && count("delivered", 0) > 100, "{link}");
        let untold = link["account"]["untold"].to_string();
        assert!(untold.contains("how late frames left") && untold.contains("what cuts took"), "{untold}");
        let page = place.read("scn-results/report.html");
        assert!(page.contains("the kernel does not tell how late frames left"), "the page says what the kernel does not tell");
    }
}

/// Either it runs, or nothing is made and the reason names the kernel's option and what to do; with `needs` it is skipped.
#[test]
fn a_kernel_without_netem_is_refused_by_name() {
    let place = Place::new();
    place.write("lossy.scn", lossy("")).write("needs.scn", lossy("needs kernel netem"));
    let ended = until_told(|| place.scn(&["run", "--engine", "kernel", "lossy.scn"]));
    let needs = until_told(|| place.scn(&["run", "--engine", "kernel", "needs.scn"]));
    if ended.code == Some(0) {
        assert_eq!(needs.code, Some(0), "{}", told(&needs));
        let link = wan(&place, "lossy.lossy.run.json");
        assert!(link["engine"] == "kernel" && link["account"]["lost"][0].as_u64() > Some(0), "{link}");
    } else {
        assert_eq!((ended.code, needs.code), (Some(5), Some(4)), "{}\n{}", told(&ended), told(&needs));
        for words in ["CONFIG_NET_SCH_NETEM", "sch_netem", "--engine wire", "needs kernel netem"] {
            assert!(ended.stderr.contains(words), "{words}: {}", told(&ended));
        }
        assert!(needs.stdout.contains("needs `netem` of the kernel"), "{}", told(&needs));
    }
    let by_wire = until_told(|| place.scn(&["run", "--engine", "wire", "lossy.scn"]));
    assert_eq!(by_wire.code, Some(0), "{}", told(&by_wire));
    assert_eq!(wan(&place, "lossy.lossy.run.json")["engine"], "wire");
}

#[test]
fn the_plan_says_the_engine_and_refuses_what_it_cannot() {
    let place = Place::new();
    place.write("lossy.scn", lossy("")).write("every.scn", lossy("").replace("loss 20%", "loss every 5"));
    let planned = place.scn(&["plan", "--engine", "kernel", "lossy.scn"]);
    for words in ["wan: a.eth0 <-> b.eth0  kernel", "forward: loss, then delay by the kernel's netem"] {
        assert!(planned.stdout.contains(words), "{words}: {}", told(&planned));
    }
    assert!(place.scn(&["plan", "lossy.scn"]).stdout.contains("wan: a.eth0 <-> b.eth0  wire"));
    for command in ["plan", "run"] {
        let refused = place.scn(&[command, "--engine", "kernel", "every.scn"]);
        assert_eq!(refused.code, Some(2), "{}", told(&refused));
        for words in ["scn::plan::kernel_engine", "`loss every`", "--engine wire"] {
            assert!(refused.stderr.contains(words), "{words}: {}", told(&refused));
        }
    }
}
