//! Whole runs in real namespaces, as root and as an ordinary user.

use std::fs;

use crate::built::{Ended, Place, User, scenario, skip, until_told};

/// Both users, where they can be had.
fn places() -> Vec<Place> {
    [User::Own, User::Ordinary].into_iter().filter_map(Place::of).collect()
}

fn assert_passes(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
}

/// The record that a run left, as JSON.
fn record(place: &Place, name: &str) -> serde_json::Value {
    serde_json::from_str(&place.read(&format!("scn-results/{name}"))).expect("a record is JSON")
}

#[test]
fn two_nodes_pass() {
    for place in places() {
        place.write("two_nodes.scn", scenario("two_nodes.scn"));
        assert_passes(&until_told(|| place.scn(&["run", "two_nodes.scn"])));
        for file in ["two_nodes.two_nodes.run.json", "junit.xml", "report.html", "scn-report.css", "results.json"] {
            assert!(place.path().join("scn-results").join(file).exists(), "{file}");
        }
    }
}

#[test]
fn the_failover_passes_and_a_tight_budget_fails_with_the_measured_outage() {
    for place in places() {
        place.write("failover.scn", scenario("failover.scn"));
        assert_passes(&until_told(|| place.scn(&["run", "failover.scn"])));
        let failed = until_told(|| place.scn(&["run", "failover.scn", "-p", "budget=1ms", "-p", "clients=20"]));
        assert_eq!(failed.code, Some(1), "{failed:?}");
        for words in ["steady.outage.max", "< 1ms", "clients notice the failover for less than 1ms", "failover.scn:"] {
            assert!(failed.stdout.contains(words), "`{words}` is missing in\n{}", failed.stdout);
        }
    }
}

#[test]
fn without_the_move_nobody_recovers() {
    let place = Place::new();
    let text: String =
        scenario("failover.scn").lines().filter(|line| !line.contains("move 10.0.0.100/24")).map(|l| format!("{l}\n")).collect();
    place.write("failover.scn", text);
    let ended = until_told(|| place.scn(&["run", "failover.scn"]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let junit = place.read("scn-results/junit.xml");
    let document = roxmltree::Document::parse(&junit).unwrap();
    let failed: Vec<&str> = document
        .descendants()
        .filter(|n| n.has_tag_name("testcase") && n.children().any(|c| c.has_tag_name("failure")))
        .filter_map(|n| n.attribute("name"))
        .collect();
    assert!(failed.iter().any(|name| name.contains("clients notice the failover")), "{failed:?}");
    assert!(failed.iter().any(|name| name.contains("backends")), "{failed:?}");
    assert!(!failed.iter().any(|name| name.contains("corrupt") || name.contains("before failure")), "{failed:?}");
}

#[test]
fn the_mail_session_passes() {
    for place in places() {
        place.write("mail_session.scn", scenario("mail_session.scn"));
        let ended = until_told(|| place.scn(&["run", "mail_session.scn"]));
        assert_passes(&ended);
        let rude = record(&place, "mail_session.rude_server.run.json");
        let failure = &rude["flows"][0]["failures"][0];
        assert_eq!(failure["count"], 5, "{failure}");
        assert!(failure["what"].as_str().unwrap().contains("554 go away"), "{failure}");
        assert!(failure["step"].as_str().unwrap().contains("client expects \"220\""), "{failure}");
    }
}

#[test]
fn the_impaired_wan_passes_and_its_accounts_close() {
    for place in places() {
        place.write("branch_office.scn", scenario("branch_office.scn"));
        assert_passes(&until_told(|| place.scn(&["run", "branch_office.scn"])));
        let record = record(&place, "branch_office.branch_office.run.json");
        let links = record["links"].as_array().unwrap();
        let wan = &links.iter().find(|link| link["name"] == "wan").unwrap()["account"];
        let count = |place: &str, way: usize| wan[place][way].as_u64().unwrap();
        for way in 0..2 {
            let places = ["delivered", "cut", "filtered", "oversized", "lost", "overflowed", "managed", "dropped", "queued"];
            let told: u64 = places.iter().map(|place| count(place, way)).sum();
            assert_eq!(count("entered", way) + count("duplicated", way), told, "{wan}");
            assert_eq!(count("joined", way), 0, "each packet crossed alone: {wan}");
        }
        assert!(count("lost", 0) > 0 && count("lost", 1) == 0, "{wan}");
        let warnings = record["warnings"].as_array().unwrap();
        assert!(!warnings.iter().any(|warning| warning.to_string().contains("had no effect")), "{warnings:?}");
        let page = place.read("scn-results/report.html");
        assert!(page.contains(&format!("{} lost", count("lost", 0))), "the page shows the account");
    }
}

#[test]
fn a_trace_that_cannot_be_used_is_refused_before_anything_is_made() {
    let place = Place::new();
    place.write("scenario.scn", "scn 1\nscenario traced {\n    topology {\n        node a, b\n        link a <-> b { loss trace \"drops.txt\" }\n    }\n    flow f from a to b { total 1 }\n    expect { f.errors == 0 }\n}\n");
    let absent = place.scn(&["run", "scenario.scn"]);
    assert_eq!(absent.code, Some(2), "{absent:?}");
    place.write("drops.txt", "0 0\n2\n");
    let wrong = place.scn(&["run", "scenario.scn"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("drops.txt") && wrong.stderr.contains("line 2 has `2`"), "{}", wrong.stderr);
    assert!(!place.path().join("scn-results").exists());
    place.write("drops.txt", "# nothing is lost\n0 0\n");
    assert_passes(&until_told(|| place.scn(&["run", "scenario.scn"])));
}

#[test]
fn scenarios_run_at_the_same_time() {
    let place = Place::new();
    place.write("two_nodes.scn", scenario("two_nodes.scn"));
    place.write("mail_session.scn", scenario("mail_session.scn"));
    assert_passes(&until_told(|| place.scn(&["run", ".", "--jobs", "3", "--timing", "ci"])));
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let place = Place::new();
    place.write("two_nodes.scn", scenario("two_nodes.scn"));
    let runs: Vec<Ended> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| place.scn(&["run", "two_nodes.scn"]))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    runs.iter().for_each(assert_passes);
    let record = record(&place, "two_nodes.two_nodes.run.json");
    assert_eq!(record["verdict"], "pass");
}

#[test]
fn a_stored_record_is_judged_and_reported_again() {
    let place = Place::new();
    place.write("two_nodes.scn", scenario("two_nodes.scn"));
    let first = place.scn(&["run", "two_nodes.scn", "--seed", "7"]);
    assert_passes(&first);
    fs::remove_file(place.path().join("two_nodes.scn")).unwrap();
    let judged = place.scn(&["judge", "scn-results"]);
    assert_passes(&judged);
    assert_eq!(judged.stdout, first.stdout, "the same record gives the same text");
    assert_passes(&place.scn(&["report", "scn-results", "--html", "again/page.html", "--junit", "again/junit.xml"]));
    assert_eq!(place.read("again/page.html"), place.read("scn-results/report.html"));
    assert_eq!(place.read("again/junit.xml"), place.read("scn-results/junit.xml"));
}

#[test]
fn a_damaged_record_is_refused() {
    let place = Place::new();
    place.write("two_nodes.scn", scenario("two_nodes.scn"));
    assert_passes(&place.scn(&["run", "two_nodes.scn"]));
    let whole = place.read("scn-results/two_nodes.two_nodes.run.json");
    for damaged in [&whole[..whole.len() / 2], "", "{}", &whole.replace("\"version\":1", "\"version\":99")] {
        place.write("damaged.run.json", damaged);
        let ended = place.scn(&["judge", "damaged.run.json"]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("damaged.run.json"), "{ended:?}");
    }
}

#[test]
fn an_interrupted_run_reports_and_exits_130() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let place = Place::new();
    place.write("failover.scn", scenario("failover.scn"));
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let child = place
            .command(&["run", "failover.scn"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(1500));
        kill(pid, signal).unwrap();
        let ended = crate::built::collect(child);
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let record = record(&place, "failover.vip_failover.run.json");
        assert_eq!(record["ended"]["how"], "interrupted", "{}", record["ended"]);
        assert_ne!(record["verdict"], "pass");
        roxmltree::Document::parse(&place.read("scn-results/junit.xml")).unwrap();
    }
}

#[test]
fn a_server_that_never_answers_does_not_hang_the_run() {
    let place = Place::new();
    place.write(
        "silent.scn",
        "scn 1\nscenario silent {\n timeout 20s\n topology {\n  node a, b\n  link a <-> b\n }\n pattern mute {\n  client sends \"hello\\n\"\n  \
         server expects \"hello\\n\"\n  pause 5s\n  server sends \"late\\n\"\n  client expects \"late\\n\" within 300ms\n }\n \
         flow f from a to b { pattern mute  total 2 }\n expect {\n  f.failed_transactions == 2\n  f.timeouts == 2\n }\n}\n",
    );
    assert_passes(&place.scn(&["run", "silent.scn"]));
}

#[test]
fn a_run_cut_by_its_timeout_is_inconclusive() {
    let place = Place::new();
    let text = scenario("two_nodes.scn")
        .replace("scenario two_nodes {", "scenario two_nodes {\n timeout 1s")
        .replace("total 10", "total 10  interval 1s");
    place.write("two_nodes.scn", text);
    let ended = place.scn(&["run", "two_nodes.scn"]);
    assert!(matches!(ended.code, Some(1 | 3)), "{ended:?}");
    assert!(ended.stdout.contains("timeout"), "{}", ended.stdout);
}

#[test]
fn too_few_descriptors_are_counted_before_anything_is_made() {
    let place = Place::new();
    place.write("failover.scn", scenario("failover.scn"));
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -n 100; exec {} run failover.scn", env!("CARGO_BIN_EXE_scn"))).current_dir(place.path());
    let ended = crate::built::finish(&mut shell);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("descriptors") && ended.stderr.contains("100"), "{ended:?}");
}

#[test]
fn a_results_folder_that_cannot_be_written_loses_no_verdict() {
    let place = Place::new();
    place.write("two_nodes.scn", scenario("two_nodes.scn"));
    place.write("occupied", "a file where the folder should be");
    let ended = place.scn(&["run", "two_nodes.scn", "--out", "occupied"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("two_nodes"), "{ended:?}");
    assert!(ended.stderr.contains("occupied") && ended.stderr.contains("--out"), "{ended:?}");
}

#[test]
fn a_full_disk_loses_no_verdict() {
    let place = Place::new();
    place.write("two_nodes.scn", scenario("two_nodes.scn"));
    let script =
        format!("mkdir full && mount -t tmpfs -o size=4k full full && exec {} run two_nodes.scn --out full", env!("CARGO_BIN_EXE_scn"));
    let mut shell = std::process::Command::new("unshare");
    shell.args(["-Urm", "sh", "-c", &script]).current_dir(place.path());
    let ended = crate::built::finish(&mut shell);
    if ended.stderr.contains("unshare:") || ended.stderr.contains("mount:") {
        return skip("a small file system cannot be mounted here");
    }
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("space") && ended.stdout.contains("two_nodes"), "{ended:?}");
}

#[test]
fn forbidden_user_namespaces_are_named() {
    let place = Place::new();
    place.write("two_nodes.scn", scenario("two_nodes.scn"));
    let script = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --bounding-set=-all {} run two_nodes.scn",
        env!("CARGO_BIN_EXE_scn")
    );
    let mut shell = std::process::Command::new("unshare");
    shell.args(["-Ur", "sh", "-c", &script]).current_dir(place.path());
    let ended = crate::built::finish(&mut shell);
    if ended.stderr.contains("unshare:") || ended.stderr.contains("setpriv:") {
        return skip("user namespaces cannot be forbidden for a test here");
    }
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("max_user_namespaces"), "{ended:?}");
    roxmltree::Document::parse(&place.read("scn-results/junit.xml")).unwrap();
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let place = Place::new();
    place.write("failover.scn", scenario("failover.scn"));
    for format in ["text", "json"] {
        let plan = || place.scn(&["plan", "failover.scn", "--seed", "5", "--format", format]);
        let (first, second) = (plan(), plan());
        assert_passes(&first);
        assert_eq!(first.stdout, second.stdout);
    }
}
