//! Shapes of load in real namespaces, as root and as an ordinary user: what was meant to start is in the packets, as tshark counts them.

use std::process::Command;

use crate::built::{finish, scenario, skip, until_told};
use crate::http::places;

#[test]
fn the_loads_scenario_passes_and_tshark_counts_the_same() {
    if !Command::new("tshark").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skip("there is no tshark");
        return;
    }
    for place in places() {
        place.write("loads.scn", scenario("loads.scn"));
        let ended = until_told(|| place.scn(&["run", "loads.scn", "--capture", "all"]));
        assert_eq!(ended.code, Some(0), "stdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
        let captures = place.path().join("scn-results/loads.loads.captures");
        let files: Vec<_> = std::fs::read_dir(captures).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [capture] = files.as_slice() else { panic!("one link has one file: {files:?}") };
        let count = |filter: &str| {
            let ended =
                finish(Command::new("tshark").args(["-n", "-r"]).arg(capture).args(["-Y", filter, "-T", "fields", "-e", "frame.number"]));
            assert_eq!(ended.code, Some(0), "{ended:?}");
            ended.stdout.lines().count()
        };
        // 20, 20, 50, 20 and 10 that are held, and 100 that the clock opens.
        let opened = "tcp.dstport == 8080 && tcp.flags.syn == 1 && tcp.flags.ack == 0 && !tcp.analysis.retransmission";
        assert_eq!(count(opened), 220);
        assert_eq!(count("udp.length == 168"), 100, "datagrams of 160 bytes");
    }
}
