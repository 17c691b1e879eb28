//! Nothing is left behind: `kill -9` of the runner at many moments, as root and as an ordinary user, with programs that go to the background
//! and are started again and again.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::built::{LIMIT, Place, User, scenario};

/// Marks every process of a run by its environment.
const MARK: &str = "SCN_TEST_MARK";
/// How often the runner is killed, for each user.
const KILLS: u32 = 10;

/// Programs that leave their session, their parent and their group.
const DAEMONS: &str = r#"scn 1

scenario daemons {
    timeout 30s
    topology {
        node a, b
        link a <-> b
    }
    process daemon on a, b {
        run "for i in 1 2 3; do setsid sh -c 'sleep 1000 & sleep 1000' & done; touch /run/lock/daemon; echo up"
        ready log /up/
        stop SIGTERM within 1s
    }
    flow steady from a to b { rate 10/s  duration 20s }
    timeline {
        every 100ms from 100ms to 3s   restart daemon
    }
    expect { steady.failed_transactions == 0 }
}
"#;

/// What of the machine a run could leave changed.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    interfaces: BTreeSet<String>,
    mounts: Vec<String>,
    named_namespaces: BTreeSet<String>,
}

fn machine() -> Machine {
    let names = |folder: &str| -> BTreeSet<String> {
        fs::read_dir(folder)
            .map(|e| e.filter_map(Result::ok).map(|e| e.file_name().to_string_lossy().into_owned()).collect())
            .unwrap_or_default()
    };
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap().lines().map(str::to_owned).collect();
    Machine { interfaces: names("/sys/class/net"), mounts, named_namespaces: names("/run/netns") }
}

/// Processes that carry the mark, and network namespaces that any process is in or holds open, other than ours.
fn leftovers(mark: &str) -> Vec<String> {
    let own = fs::metadata("/proc/self/ns/net").unwrap().ino();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let path = process.path();
        let Ok(environment) = fs::read(path.join("environ")) else { continue };
        if !environment.split(|b| *b == 0).any(|word| word == mark.as_bytes()) {
            continue;
        }
        // A zombie of ours that is not waited for yet has no environment, so this one lives.
        let namespace = fs::metadata(path.join("ns/net")).map_or(own, |m| m.ino());
        found.push(format!("process {} (namespace {namespace})", path.display()));
    }
    found
}

#[test]
fn kill_leaves_nothing() {
    for user in [User::Own, User::Ordinary] {
        let Some(place) = Place::of(user) else { continue };
        place.write("failover.scn", scenario("failover.scn")).write("daemons.scn", DAEMONS);
        let before = machine();
        for (file, round) in (0..KILLS).flat_map(|round| [("failover.scn", round), ("daemons.scn", round)]) {
            let mark = format!("{MARK}={user:?}-{file}-{round}-{}", std::process::id());
            let mut command = place.command(&["run", file, "--seed", "1"]);
            let (name, value) = mark.split_once('=').unwrap();
            let mut child = command.env(name, value).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Moments spread over building (tens of ms) and the run (seconds), the same in every run of this test.
            let moment = if round % 2 == 0 { 7 * u64::from(round) } else { 211 * u64::from(round) };
            std::thread::sleep(Duration::from_millis(moment));
            child.kill().unwrap();
            child.wait().unwrap();
            let deadline = Instant::now() + LIMIT;
            while !leftovers(&mark).is_empty() {
                assert!(Instant::now() < deadline, "left of {file} after kill -9 at {moment} ms: {:?}", leftovers(&mark));
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert_eq!(machine(), before, "as {user:?}");
        let files: BTreeSet<String> =
            fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        let allowed: BTreeSet<String> = ["failover.scn", "daemons.scn", "scn", "scn-results"].map(str::to_owned).into();
        assert!(files.is_subset(&allowed), "{files:?}");
    }
}
