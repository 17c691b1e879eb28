//! The built `scn` as users meet it: runs it in a folder of its own, as root or as an ordinary user, within a limit of time.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The numeric user `nobody` of every Linux.
pub const NOBODY: u32 = 65_534;
/// No test runs `scn` longer than this.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Who runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Whoever runs the tests.
    Own,
    /// An ordinary user, which needs root to become.
    Ordinary,
}

/// A folder in which `scn` is run.
pub struct Place {
    folder: tempfile::TempDir,
    user: User,
}

/// What a run left.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None`: a signal.
    pub code: Option<i32>,
    /// Data.
    pub stdout: String,
    /// Everything else.
    pub stderr: String,
}

/// Says why a test does not test here; with `SCN_NO_SKIP` set that is a failure.
pub fn skip(why: &str) {
    println!("skipped: {why}");
    assert!(std::env::var_os("SCN_NO_SKIP").is_none(), "a test was skipped where none may be: {why}");
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of one of the scenarios that come with scn.
pub fn scenario(name: &str) -> String {
    fs::read_to_string(repository("scenarios").join(name)).expect("the scenario is in the repository")
}

impl Place {
    /// An empty folder for whoever runs the tests.
    pub fn new() -> Self {
        Place { folder: tempfile::tempdir().expect("a temporary folder can be made"), user: User::Own }
    }

    /// An empty folder of an ordinary user with the command in it; `None`, said as a skip, where that user cannot be had.
    pub fn of(user: User) -> Option<Self> {
        let mut place = Place::new();
        if user == User::Ordinary {
            if !is_root() {
                skip("becoming an ordinary user needs root; as an ordinary user every other test shows the same");
                return None;
            }
            place.user = user;
            let folder = place.folder.path();
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("own folder");
            fs::copy(env!("CARGO_BIN_EXE_scn"), folder.join("scn")).expect("the command can be copied");
            std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
        }
        Some(place)
    }

    /// It is that of whoever runs the tests.
    pub fn is_own(&self) -> bool {
        self.user == User::Own
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path().join(name), bytes).expect("own folder");
        self
    }

    /// Reads a file that a run left.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The command, ready to be started here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.user {
            User::Own => Command::new(env!("CARGO_BIN_EXE_scn")),
            User::Ordinary => Command::new(self.path().join("scn")),
        };
        if self.user == User::Ordinary {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.args(arguments).current_dir(self.path()).env_remove("CI").env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs the command to its end.
    pub fn scn(&self, arguments: &[&str]) -> Ended {
        finish(&mut self.command(arguments))
    }
}

/// How often a run is asked again that could not tell.
const ATTEMPTS: u32 = 3;

/// Runs until scn can tell: on a machine that is busy with other things it says *inconclusive* (exit 3) because it was late itself,
/// which is right, and nothing that a test is after. The last answer stands.
pub fn until_told(run: impl Fn() -> Ended) -> Ended {
    let mut ended = run();
    for _ in 1..ATTEMPTS {
        if ended.code != Some(3) {
            break;
        }
        println!("inconclusive, asked again:\n{}", ended.stdout);
        ended = run();
    }
    ended
}

/// Runs a command to its end, within [`LIMIT`].
pub fn finish(command: &mut Command) -> Ended {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command can be started");
    collect(child)
}

/// Waits for a child with piped output.
pub fn collect(mut child: Child) -> Ended {
    let stdout = reader(child.stdout.take().expect("stdout is piped"));
    let stderr = reader(child.stderr.take().expect("stderr is piped"));
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().expect("it is our child");
            let _ = child.wait();
            panic!("scn did not end within {LIMIT:?}; it said:\n{}", stderr.join().unwrap_or_default());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Ended { code: status.code(), stdout: stdout.join().expect("the reader ends"), stderr: stderr.join().expect("the reader ends") }
}

/// Reads a pipe to its end, so that the child never waits for us.
fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
