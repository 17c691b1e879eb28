//! What stands on the machine: attached to, journalled, and as before afterwards, however the run ends. The machine of these tests is a
//! network namespace of their own.

use std::process::Command;

use crate::built::{Ended, Place, User, finish, is_root, skip};

/// Nodes on a bridge of the machine, one linked to the machine itself, and an interface of the machine on a bridge of the run.
const ATTACHED: &str = r#"scn 1

scenario attached {
    topology {
        external bridge office { device "br0" }
        host here
        node a, b
        bridge lan
        link a 10.77.0.1/24 <-> office
        link b 10.77.0.2/24 <-> office { delay 1ms }
        link here 10.78.0.1/24 <-> b 10.78.0.2/24
        link here.up0 <-> lan
        link a 10.79.0.1/24 <-> lan
    }
    flow across from a to b { rate 20/s  duration 2s }
    flow out from here to b { total 20 }
    flow back from b to here:9000 { total 20 }
    timeline { at 500ms for 200ms  down b }
    expect {
        across.transactions > 0
        out.transactions == 20
        back.transactions == 20
    }
}
"#;

/// A machine with a bridge that has a port, one without, and an interface that goes out; what it looks like, without what changes by itself.
const MACHINE: &str = r#"
set -eu
mount -t tmpfs tmpfs /run
ip link set lo up
for bridge in br0 br1; do ip link add $bridge type bridge; ip link set $bridge up; done
ip link add keep0 type veth peer name keep1
ip link set keep0 master br0; ip link set keep0 up; ip link set keep1 up
ip link add up0 type veth peer name up1
ip addr add 192.0.2.1/24 dev up0
ip link set up0 up; ip link set up1 up
state() { ip -o link | sed -E 's/<[^>]*>//; s/ state [A-Z]+//'; ip route | sed 's, linkdown,,'; ip rule; cat /proc/sys/net/ipv4/ip_forward; }
# Waits until a condition holds.
await() { i=0; until eval "$1"; do i=$((i+1)); [ $i -lt 3000 ] || { echo "never: $1"; state; exit 9; }; sleep 0.01; done; }
attached() { ip -o link show up0 | grep -q 'master scn' && ip -o link show master br0 | grep -q scn; }
before=$(state)
"#;

/// Runs a script on such a machine.
fn on_machine(place: &Place, script: &str) -> Ended {
    let script = format!("{MACHINE}\n{script}");
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount", "sh", "-c", &script]).current_dir(place.path());
    finish(command.env("SCN", env!("CARGO_BIN_EXE_scn")).env_remove("CI").env("NO_COLOR", "1"))
}

/// A folder with the scenario; `None`, said as a skip: this is not root.
fn place() -> Option<Place> {
    if !is_root() {
        skip("only root may put something beside what stands on a machine, be it one of the test's own");
        return None;
    }
    let place = Place::new();
    place.write("attached.scn", ATTACHED);
    Some(place)
}

#[test]
fn the_machine_is_as_before_after_a_run() {
    let Some(place) = place() else { return };
    let ended = on_machine(
        &place,
        r#""$SCN" run attached.scn & run=$!
        await attached
        "$SCN" clean 2>&1
        wait $run
        [ "$(state)" = "$before" ] || { echo changed; echo "$before"; state; exit 8; }
        [ -z "$(ls -A /run/scn/journals)" ]
        "$SCN" clean"#,
    );
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("its journal stays: its run goes on"), "{}", ended.stdout);
    assert!(ended.stdout.contains("nothing to clean"), "{}", ended.stdout);
}

#[test]
fn clean_undoes_what_a_killed_run_left_and_nothing_else() {
    let Some(place) = place() else { return };
    let ended = on_machine(
        &place,
        r#"for round in 1 2 3; do
            "$SCN" run attached.scn >log 2>&1 & run=$!
            await attached
            kill -9 $run; wait $run || true
            # One that looks like the run's own, and is not.
            ip link add scn1 type bridge
            "$SCN" clean
            ip link del scn1
            await '[ "$(state)" = "$before" ]'
            [ -z "$(ls -A /run/scn/journals)" ]
        done"#,
    );
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout.matches("took up0 out of the bridge").count(), 3, "{}", ended.stdout);
    // The bridges; wires' ends go by themselves or are removed, whichever comes first.
    assert!(ended.stdout.matches("removed the interface scn").count() >= 3, "{}", ended.stdout);
}

/// How often a run with everything that could leave something is killed.
const KILLS: usize = 50;
/// When, at the latest after its start, ms: some are killed while they build, some in the middle, some at the end.
const LATEST_MS: u64 = 1500;

/// Programs that go to the background and are started again and again, and captures.
const BUSY: &str = r#"
    process daemon on a, b {
        run "for i in 1 2; do setsid sh -c 'sleep 1000 & sleep 1000' & done; echo up"
        ready log /up/
        stop SIGTERM within 1s
    }
    timeline {
        every 100ms from 100ms to 2s   restart daemon
        at 50ms for 900ms  capture b to "some.pcapng"
    }
"#;

#[test]
fn clean_undoes_what_a_run_left_that_was_killed_at_any_moment() {
    let Some(place) = place() else { return };
    let busy = ATTACHED.replace("    flow across", &format!("{BUSY}    flow across"));
    place.write("busy.scn", busy);
    // Other moments each time; a failure names them.
    let mut random = u64::from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos());
    let mut moment = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let ms = (random >> 33) % LATEST_MS;
        format!("{}.{:03}", ms / 1000, ms % 1000)
    };
    let moments: Vec<String> = (0..KILLS).map(|_| moment()).collect();
    let script = r#"mounts=$(cat /proc/self/mounts)
        marked() { grep -lzs '^SCN_TEST_MARK=busy$' /proc/[0-9]*/environ || true; }
        for moment in MOMENTS; do
            echo "killed after $moment s"
            env SCN_TEST_MARK=busy "$SCN" run busy.scn --capture all >log 2>&1 & run=$!
            sleep $moment
            kill -9 $run 2>/dev/null || { echo "it had ended:"; cat log; exit 7; }
            wait $run || true
            await '[ -z "$(marked)" ]'
            "$SCN" clean >>cleaned
            await '[ "$(state)" = "$before" ]'
            [ ! -e /run/scn/journals ] || [ -z "$(ls -A /run/scn/journals)" ]
            [ -z "$(ls -A /run/netns 2>/dev/null)" ]
            [ "$(cat /proc/self/mounts)" = "$mounts" ]
        done
        grep -c removed cleaned"#;
    // A command has a limit of its own, which all of them together might reach.
    for some in moments.chunks(KILLS / 5) {
        let ended = on_machine(&place, &script.replace("MOMENTS", &some.join(" ")));
        assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    }
}

#[test]
fn clean_leaves_what_is_no_longer_as_the_run_made_it() {
    let Some(place) = place() else { return };
    let ended = on_machine(
        &place,
        r#""$SCN" run attached.scn >log 2>&1 & run=$!
        await attached
        kill -9 $run; wait $run || true
        # Somebody has given both another use since.
        ip link set up0 master br1
        bridge=$(ip -o link show type bridge | grep -o 'scn[0-9]*' | head -1)
        ip link set $bridge alias "mine now"
        "$SCN" clean
        ip -o link show up0 | grep -q 'master br1'
        ip link show $bridge >/dev/null"#,
    );
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    assert!(!ended.stdout.contains("up0"), "{}", ended.stdout);
}

#[test]
fn what_is_not_there_is_refused_before_anything_is_made() {
    let Some(place) = place() else { return };
    place.write("absent.scn", ATTACHED.replace("\"br0\"", "\"br7\"")).write("port.scn", ATTACHED.replace("here.up0", "here.keep0"));
    place.write("clash.scn", ATTACHED.replace("10.78.0.", "192.0.2."));
    let ended = on_machine(
        &place,
        r#"for file in absent port clash; do "$SCN" run $file.scn 2>&1 && exit 7; done
        [ "$(state)" = "$before" ]; [ ! -e /run/scn ]"#,
    );
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
    for words in [
        "this machine has no interface `br7`; its bridges are: br0, br1",
        "`keep0` belongs to another bridge or bond already",
        "is of a subnet that this machine is on with 192.0.2.1/24",
    ] {
        assert!(ended.stdout.replace("\n  ", " ").contains(words), "`{words}` is missing in\n{}", ended.stdout);
    }
}

#[test]
fn an_ordinary_user_is_told_that_it_needs_root() {
    let Some(place) = Place::of(User::Ordinary) else { return };
    let ended = place.write("attached.scn", ATTACHED).scn(&["run", "attached.scn"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("`office` stands on this machine, and only root may put something beside it"), "{ended:?}");
    let ended = place.scn(&["clean"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("Run it as root; runs of ordinary users leave nothing behind"), "{ended:?}");
}
