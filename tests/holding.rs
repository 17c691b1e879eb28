//! Labs that are held, as root and as an ordinary user: what is said, commands in nodes, how they are let go, and that nothing is left.

use std::io::{BufRead as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::built::{Ended, LIMIT, Place, User, collect};

/// A scenario that fails, with a program, a service that answers at the end and one that the timeline has stopped.
const FAILING: &str = r#"scn 1

pattern talk {
    client sends "hello\n"
    server expects "hello\n"
    server sends "good day\n"
    client expects "good day\n"
}

scenario failing {
    timeout 30s
    topology {
        node client, server, spare[1..2]
        bridge lan
        link client   10.1.0.10/24 <-> lan
        link server   10.1.0.1/24  <-> lan
        link spare[1] 10.1.0.21/24 <-> lan
        link spare[2] 10.1.0.22/24 <-> lan
    }
    process daemon on server {
        run "exec sleep 1000"
    }
    service echo on server { listen tcp :5000  serve talk }
    service gone on server { listen tcp :5001  serve talk }
    flow steady from client to echo { pattern talk  rate 50/s  duration 300ms }
    timeline { at 100ms  stop gone }
    expect { steady.transactions == 0   "nothing is done" }
}
"#;

/// Asks the service as the flow did, then whether the other one is there.
const ASK: &str = "import socket
with socket.create_connection(('server', 5000), 10) as s:
    s.sendall(b'hello\\n')
    print(s.makefile().readline(), end='')
try:
    socket.create_connection(('server', 5001), 10)
except ConnectionRefusedError:
    print('stopped')
";

/// `scn run` whose lab is held, and the folder in which what it writes is read.
struct Held<'a> {
    place: &'a Place,
    runner: Child,
}

impl<'a> Held<'a> {
    /// Starts a run and waits until its lab is held.
    fn begin(place: &'a Place, arguments: &[&str]) -> Self {
        let (out, err) = (place.path().join("out"), place.path().join("err"));
        let file = |path| std::fs::File::create(path).unwrap();
        let mut command = place.command(&[&["run", "failing.scn"], arguments].concat());
        let runner = command.stdout(file(out)).stderr(file(err)).spawn().unwrap();
        let mut held = Held { place, runner };
        let deadline = Instant::now() + LIMIT;
        while !held.said().contains("Ctrl-C ends it") {
            assert!(Instant::now() < deadline && held.runner.try_wait().unwrap().is_none(), "{}", held.said());
            std::thread::sleep(Duration::from_millis(10));
        }
        held
    }

    fn said(&self) -> String {
        self.place.read("err")
    }

    /// Runs a command in a node.
    fn exec(&self, node: &str, command: &[&str]) -> Ended {
        self.place.scn(&[&["exec", "--run", &self.runner.id().to_string(), node, "--"], command].concat())
    }

    /// Lets it go and gives the exit code.
    fn end(mut self, signal: nix::sys::signal::Signal) -> Option<i32> {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.runner.id().try_into().unwrap()), signal).unwrap();
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.runner.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // A test that fails leaves no run behind.
        let _ = self.runner.kill();
        let _ = self.runner.wait();
    }
}

fn places() -> Vec<Place> {
    [User::Own, User::Ordinary].into_iter().filter_map(Place::of).collect()
}

fn failing(place: &Place) -> &Place {
    place.write("failing.scn", FAILING)
}

#[test]
fn a_failed_run_stays_for_a_look_and_goes_when_told() {
    for place in &places() {
        // Where its results go says nothing of where it is found.
        let held = Held::begin(failing(place), &["--keep-on-failure", "--keep-for", "10m", "--out", "elsewhere"]);
        let run = held.runner.id().to_string();
        let said = held.said();
        for words in ["scn shell client", "scn exec client -- ip address", "nodes: client, server, spare[1], spare[2]", "nothing is done"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert!(said.contains("running still"), "the program was not stopped: {said}");
        // The reports are there while it is held.
        assert!(place.read("elsewhere/junit.xml").contains("failures=\"1\""));
        assert!(place.read("elsewhere/failing.failing.run.json").contains("\"verdict\""));

        let addresses = held.exec("client", &["ip", "-brief", "address", "show", "eth0"]);
        assert_eq!(addresses.code, Some(0), "{addresses:?}");
        assert!(addresses.stdout.contains("10.1.0.10/24"), "{addresses:?}");
        // By index and by host name, with all that belongs to it; the command's own status.
        for node in ["spare[2]", "spare-2"] {
            let words = held.exec(node, &["sh", "-c", "hostname; grep -c server /etc/hosts; ls /run/scn; exit 7"]);
            assert_eq!((words.code, words.stdout.as_str()), (Some(7), "spare-2\n1\n"), "{words:?}");
        }
        let asked = held.exec("client", &["python3", "-c", ASK]);
        assert_eq!((asked.code, asked.stdout.as_str()), (Some(0), "good day\nstopped\n"), "{asked:?}");
        // The program under test is among the processes that are seen.
        let process = held.exec("server", &["pgrep", "-f", "sleep 1000"]);
        assert_eq!((process.code, process.stdout.lines().count()), (Some(0), 1), "{process:?}");
        assert_eq!(held.exec("server", &["sh", "-c", "kill -9 $$"]).code, Some(137));
        for (command, status) in [("no-such-program", 127), ("/etc/passwd", 126)] {
            let ended = held.exec("client", &[command]);
            assert_eq!(ended.code, Some(status), "{ended:?}");
            assert!(ended.stderr.contains(&format!("`{command}` cannot be run on `client`")), "{ended:?}");
        }
        let unknown = held.exec("clinet", &["true"]);
        assert_eq!(unknown.code, Some(125), "{unknown:?}");
        let words = format!("run {run} has no node `clinet`; did you mean `client`? It has: client, server, spare[1], spare[2]");
        assert!(unknown.stderr.contains(&words), "{unknown:?}");

        let mut shell = place.command(&["shell", "--run", &run, "server"]);
        let mut shell = shell.env("SHELL", "/bin/sh").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        shell.stdin.take().unwrap().write_all(b"hostname\nexit 3\n").unwrap();
        let shell = collect(shell);
        assert_eq!((shell.code, shell.stdout.as_str()), (Some(3), "server\n"), "{shell:?}");

        // The scenario failed, and that is the exit.
        assert_eq!(held.end(nix::sys::signal::Signal::SIGTERM), Some(1));
        let gone = place.scn(&["exec", "--run", &run, "client", "--", "true"]);
        assert_eq!(gone.code, Some(125), "{gone:?}");
        assert!(gone.stderr.contains("is held"), "{gone:?}");
    }
}

#[test]
fn held_labs_are_told_apart_and_end_with_their_runner() {
    for place in &places() {
        let (one, other) = (Held::begin(failing(place), &["--keep", "--keep-for", "10m"]), Place::new());
        // Of the same user, in a folder of its own.
        let other = if place.is_own() { other } else { Place::of(User::Ordinary).unwrap() };
        let other = Held::begin(failing(&other), &["--keep-on-failure", "--keep-for", "10m"]);
        let (run, its) = (one.runner.id().to_string(), other.runner.id().to_string());
        let which = place.scn(&["exec", "client", "--", "true"]);
        assert_eq!(which.code, Some(125), "{which:?}");
        assert!(
            which.stderr.contains("more than one lab is held") && which.stderr.contains(&run) && which.stderr.contains(&its),
            "{which:?}"
        );

        // What runs in a node ends with the lab, and the lab with its runner, however that ends.
        let mut sleeper = place.command(&["exec", "--run", &run, "client", "--", "sh", "-c", "echo up; exec sleep 1000"]);
        let mut sleeper = sleeper.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut up = [0u8; 3];
        std::io::Read::read_exact(sleeper.stdout.as_mut().unwrap(), &mut up).unwrap();
        assert_eq!(one.end(nix::sys::signal::Signal::SIGKILL), None);
        assert_eq!(collect(sleeper).code, Some(137));
        let unknown = place.scn(&["exec", "--run", &run, "client", "--", "true"]);
        assert!(unknown.stderr.contains("is held") && !unknown.stderr.contains(&format!("{run} (failing")), "{unknown:?}");
        assert_eq!(other.exec("client", &["true"]).code, Some(0), "the other one stands");
        assert_eq!(other.end(nix::sys::signal::Signal::SIGINT), Some(1));
        // The next who looks has removed the note of the run that was killed.
        let user = if place.is_own() { nix::unistd::geteuid().as_raw() } else { crate::built::NOBODY };
        let notes = if user == 0 { "/run/scn/held".to_owned() } else { format!("/tmp/scn-{user}/held") };
        let left = [&run, &its].map(|run| std::path::Path::new(&notes).join(format!("{run}.json")).exists());
        assert_eq!(left, [false, false]);
    }
}

#[test]
fn what_does_not_fail_or_cannot_wait_is_not_held() {
    let place = Place::new();
    failing(&place).write("passing.scn", FAILING.replace("steady.transactions == 0", "steady.transactions > 0"));
    let refused = place.scn(&["run", "failing.scn", "--keep-on-failure"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("--keep-for 10m"), "{refused:?}");
    let parallel = place.scn(&["run", "failing.scn", "--keep", "--keep-for", "1s", "--jobs", "2"]);
    assert_eq!(parallel.code, Some(2), "{parallel:?}");
    // It would wait for longer than any test runs.
    let passed = place.scn(&["run", "passing.scn", "--keep-on-failure", "--keep-for", "10m"]);
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(passed.stdout.contains("ended with signal 15"), "its program was stopped in good order: {passed:?}");
    let kept = place.scn(&["run", "passing.scn", "--keep", "--keep-for", "100ms"]);
    assert_eq!(kept.code, Some(0), "{kept:?}");
    assert!(kept.stderr.contains("failing passed; its network and its programs stay"), "{kept:?}");
}

#[test]
fn a_program_that_never_got_ready_can_be_looked_at() {
    let place = Place::new();
    place.write("failing.scn", FAILING.replace("run \"exec sleep 1000\"", "run \"exec sleep 1000\"  ready udp 10.1.0.1:53 within 300ms"));
    let held = Held::begin(&place, &["--keep-on-failure", "--keep-for", "10m"]);
    assert!(held.said().contains("nothing bound 10.1.0.1:53 over udp"), "{}", held.said());
    assert_eq!(held.exec("server", &["test", "-d", "/run/scn/daemon"]).code, Some(0));
    assert_eq!(held.end(nix::sys::signal::Signal::SIGTERM), Some(5));
}

/// `scn` at a terminal of its own, as by hand. Dropped, it ends.
struct Seat {
    script: Child,
    keys: ChildStdin,
    lines: Receiver<String>,
    seen: String,
}

impl Seat {
    /// Runs a shell's command there; `None`, said as a skip, where no terminal can be made.
    fn begin(place: &Place, command: &str) -> Option<Self> {
        let asked = Command::new("script").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !asked.is_ok_and(|status| status.success()) {
            crate::built::skip("script (of util-linux) makes the terminal, and is not installed");
            return None;
        }
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", command, "/dev/null"]).current_dir(place.path()).env_remove("CI").process_group(0);
        script.env("SHELL", "/bin/sh").env("SCN", env!("CARGO_BIN_EXE_scn")).env("NO_COLOR", "1");
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (keys, screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(screen).split(b'\n').map_while(Result::ok) {
                let _ = tell.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Some(Seat { script, keys, lines, seen: String::new() })
    }

    /// Waits for a line with these words.
    fn wait_for(&mut self, words: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let line = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("{words} is not said: {}", self.seen));
            self.seen.push_str(&line);
            if line.contains(words) {
                return;
            }
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.keys.write_all(keys).unwrap();
    }

    /// The exit code, when it has ended by itself.
    fn end(mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.script.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it does not end: {}", self.seen);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // With its terminal goes what runs at it. It is not waited for before, so its number is no other's.
        if self.script.try_wait().is_ok_and(|status| status.is_none()) {
            let group = nix::unistd::Pid::from_raw(self.script.id().try_into().unwrap());
            let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            let _ = self.script.wait();
        }
    }
}

#[test]
fn enter_lets_a_lab_go_and_ctrl_d_too() {
    let place = Place::new();
    let (before, scenario) = FAILING.split_at(FAILING.find("scenario failing").unwrap());
    place.write("failing.scn", format!("{before}{scenario}\n{}", scenario.replace("scenario failing", "scenario second")));
    // For longer than this test waits.
    let Some(mut seat) = Seat::begin(&place, "exec \"$SCN\" run failing.scn --keep-on-failure --keep-for 2m") else { return };
    seat.wait_for("Enter lets it go; it goes after 120s; Ctrl-C");
    // The end of a file is not the end of a terminal.
    seat.press(b"\x04");
    seat.wait_for("Enter lets it go; it goes after 120s; Ctrl-C");
    seat.press(b"\n");
    assert_eq!(seat.end(), Some(1));
}

#[test]
fn a_run_in_the_background_is_not_stopped_by_its_terminal() {
    let place = Place::new();
    failing(&place);
    // As a shell at a terminal starts it: in a group of processes of its own, which does not have the terminal.
    let command = "set -m; \"$SCN\" run failing.scn --keep-on-failure --keep-for 1s & wait $!";
    let Some(mut seat) = Seat::begin(&place, command) else { return };
    seat.press(b"typed while it runs\n");
    seat.wait_for("Enter lets it go once `fg` has brought it to the front; it goes after 1s; `kill ");
    seat.press(b"\n");
    assert_eq!(seat.end(), Some(1));
}
