//! Nothing is left behind: `kill -9` of the runner at many moments, as root and as an ordinary user.

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
        place.write("failover.scn", scenario("failover.scn"));
        let before = machine();
        for round in 0..KILLS {
            let mark = format!("{MARK}={user:?}-{round}-{}", std::process::id());
            let mut command = place.command(&["run", "failover.scn", "--seed", "1"]);
            let (name, value) = mark.split_once('=').unwrap();
            let mut child = command.env(name, value).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Moments spread over building (tens of ms) and the run (seconds), the same in every run of this test.
            let moment = if round % 2 == 0 { 7 * u64::from(round) } else { 211 * u64::from(round) };
            std::thread::sleep(Duration::from_millis(moment));
            child.kill().unwrap();
            child.wait().unwrap();
            let deadline = Instant::now() + LIMIT;
            while !leftovers(&mark).is_empty() {
                assert!(Instant::now() < deadline, "left after kill -9 at {moment} ms: {:?}", leftovers(&mark));
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert_eq!(machine(), before, "as {user:?}");
        let files: BTreeSet<String> =
            fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        let allowed: BTreeSet<String> = ["failover.scn", "scn", "scn-results"].map(str::to_owned).into();
        assert!(files.is_subset(&allowed), "{files:?}");
    }
}
