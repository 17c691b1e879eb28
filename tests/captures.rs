//! Captures of whole runs, read by tshark, as root and as an ordinary user: every packet that the record counts is there with its fate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::built::{Ended, LIMIT, Place, User, collect, finish, scenario, skip, until_told};

/// Says so and gives `None` where there is no tshark.
fn tshark() -> Option<()> {
    if Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Some(());
    }
    skip("there is no tshark");
    None
}

/// What tshark prints of a file, a line a packet; it must have nothing to complain of.
fn read(file: &Path, arguments: &[&str]) -> Vec<String> {
    let ended = finish(Command::new("tshark").args(["-n", "-r"]).arg(file).args(arguments));
    let complaints: Vec<&str> = ended.stderr.lines().filter(|line| !line.starts_with("Running as user")).collect();
    assert!(ended.code == Some(0) && complaints.is_empty(), "{}: {ended:?}", file.display());
    ended.stdout.lines().map(str::to_owned).collect()
}

fn count(file: &Path, filter: &str) -> u64 {
    read(file, &["-Y", filter]).len() as u64
}

fn record(place: &Place, name: &str) -> serde_json::Value {
    serde_json::from_str(&place.read(&format!("scn-results/{name}.run.json"))).expect("a record is JSON")
}

/// The file of a capture, which holds as many packets as its record says and lacks none.
fn file(place: &Place, capture: &serde_json::Value) -> PathBuf {
    let path = place.path().join("scn-results").join(capture["file"].as_str().unwrap());
    assert_eq!(capture["packets"].as_u64().unwrap(), read(&path, &[]).len() as u64, "{capture}");
    assert_eq!(capture["came"], capture["packets"], "{capture}");
    assert_eq!(capture["bytes"].as_u64().unwrap(), fs::metadata(&path).unwrap().len());
    path
}

#[test]
fn a_scenario_with_captures_passes_and_tshark_finds_every_packet() {
    if tshark().is_none() {
        return;
    }
    for place in [User::Own, User::Ordinary].into_iter().filter_map(Place::of) {
        place.write("captured_link.scn", scenario("captured_link.scn"));
        let ended = until_told(|| place.scn(&["run", "captured_link.scn"]));
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let record = record(&place, "captured_link.captured_link");
        let captures = record["captures"].as_array().unwrap();
        let named = |name: &str| captures.iter().find(|capture| capture["file"].as_str().unwrap().ends_with(name)).unwrap();
        let [line, phone, cut] =
            ["captures/line.pcapng", "captures/phone.pcapng", "cut/phone.pcapng"].map(|name| file(&place, named(name)));

        let counts = record["flows"][0]["summary"].as_array().unwrap();
        let sent = counts.iter().find(|metric| metric["name"] == "sent").unwrap()["value"].as_str().unwrap();
        let account = &record["links"].as_array().unwrap().iter().find(|link| link["name"] == "line").unwrap()["account"];
        let of = |place: &str| account[place][0].as_u64().unwrap();
        let from_office = "frame.interface_id == 0";
        let own = count(&line, &format!("udp && {from_office} && !(frame.comment contains \"copy\")"));
        assert_eq!(own, count(&phone, &format!("udp && {from_office}")), "each datagram of the phone came to the line");
        assert_eq!(own.to_string(), sent, "and is in the record");
        let fated = ["lost", "cut", "delivered", "overflowed"].map(|fate| {
            count(&line, &format!("udp && {from_office} && frame.comment contains \"{fate}\" && !(frame.comment contains \"copy\")"))
        });
        assert_eq!(fated.iter().sum::<u64>(), own, "each has one fate: {fated:?}");
        for (fate, place) in
            [("lost", "lost"), ("cut", "cut"), ("copy", "duplicated"), ("delivered", "delivered"), ("overflowed", "overflowed")]
        {
            // The account begins with the timeline, the capture a little later: a frame in between is in one of them only.
            let told = count(&line, &format!("{from_office} && frame.comment contains \"{fate}\""));
            assert!(told <= of(place) && (told > 0 || fate == "overflowed"), "{fate}: {told}, {account}");
        }
        assert!(of("lost") > 0 && of("cut") > 0 && of("duplicated") > 0, "{account}");
        let bad = ["-o", "udp.check_checksum:TRUE", "-Y", "udp.checksum.status == \"Bad\" || _ws.malformed"];
        assert_eq!([&line, &phone, &cut].map(|file| read(file, &bad).len()), [0; 3], "frames stand there whole, with their checksums");
        assert!(count(&cut, "udp") < own / 2 && count(&cut, "udp") > 0);

        // Reports name the files.
        assert!(ended.stdout.contains("captures/line.pcapng: ") && ended.stdout.contains("of link line"), "{}", ended.stdout);
        assert!(place.read("scn-results/report.html").contains("captures/line.pcapng"));
        assert!(
            place.read("scn-results/junit.xml").contains("[[ATTACHMENT|scn-results/captured_link.captured_link.captures/line.pcapng]]")
        );
        let results: serde_json::Value = serde_json::from_str(&place.read("scn-results/results.json")).unwrap();
        assert_eq!(results["scenarios"][0]["run"]["captures"], record["captures"]);
    }
}

/// Two runs over a plain link, of which one fails.
const TWO: &str = r#"scn 1

scenario good {
    topology {
        node a, b
        link wan: a <-> b
    }
    flow f from a to b { total 20 }
    expect { f.errors == 0 }
}

scenario bad {
    topology {
        node a, b
        link wan: a <-> b
    }
    flow f from a to b { total 20 }
    expect { f.errors > 0 }
}
"#;

#[test]
fn captures_of_whole_runs_are_kept_where_they_are_wanted() {
    if tshark().is_none() {
        return;
    }
    let place = Place::new();
    place.write("two.scn", TWO);
    let run = |runs: &str| until_told(|| place.scn(&["run", "two.scn", "--capture", runs]));
    let there = |name: &str| place.path().join(format!("scn-results/two.{name}.captures/link-wan.pcapng"));
    assert_eq!(run("all").code, Some(1));
    for name in ["good", "bad"] {
        let record = record(&place, &format!("two.{name}"));
        assert_eq!(file(&place, &record["captures"][0]), there(name));
        assert!(count(&there(name), "tcp.flags.syn == 1 && tcp.flags.ack == 0 && frame.interface_name == \"a.eth0\"") >= 1);
        assert_eq!(count(&there(name), "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment"), 0, "both ways are there, in order");
    }
    let ended = run("failed");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(there("bad").exists() && !there("good").parent().unwrap().exists());
    assert!(record(&place, "two.good").get("captures").is_none());
    file(&place, &record(&place, "two.bad")["captures"][0]);
    assert_eq!(place.scn(&["run", "two.scn"]).code, Some(1));
    assert!(!there("bad").exists(), "those of an earlier run are not taken for this one's");
}

#[test]
fn a_folder_that_cannot_be_written_is_told_and_the_run_goes_on() {
    let place = Place::new();
    place.write("captured_link.scn", scenario("captured_link.scn"));
    fs::create_dir(place.path().join("scn-results")).unwrap();
    place.write("scn-results/captured_link.captured_link.captures", "in the way");
    let ended = until_told(|| place.scn(&["run", "captured_link.scn"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let text = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("captures/line.pcapng is incomplete: ") && text.contains("could not be written"), "{text}");
    let record = record(&place, "captured_link.captured_link");
    let captures = record["captures"].as_array().unwrap();
    assert!(
        captures.len() == 3 && captures.iter().all(|capture| capture["packets"] == 0 && capture["trouble"].is_string()),
        "{captures:?}"
    );
}

#[test]
fn a_killed_runner_leaves_what_can_be_read() {
    if tshark().is_none() {
        return;
    }
    let place = Place::new();
    place.write("captured_link.scn", scenario("captured_link.scn"));
    let mut command = place.command(&["run", "captured_link.scn"]);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let path = place.path().join("scn-results/captured_link.captured_link.captures/line.pcapng");
    let until = Instant::now() + LIMIT;
    while fs::metadata(&path).map_or(0, |facts| facts.len()) < 20_000 {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none(), "nothing was captured");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let Ended { code, .. } = collect(child);
    assert_eq!(code, None, "it was killed");
    let ended = finish(Command::new("tshark").args(["-n", "-r"]).arg(&path).args(["-Y", "udp"]));
    assert!(ended.code == Some(0) || ended.stderr.contains("cut short"), "{ended:?}");
    assert!(ended.stdout.lines().count() > 50, "{ended:?}");
}
