//! Notes of labs that are held: one file a run, in a folder that is its user's alone. In: a note. Out: the file; the notes of runs that live.
//! Removes those of dead runs, of this user only.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::journal;
use super::super::process::Numbers;

/// The version of the file. Others are not understood, and left to the program that wrote them.
pub(super) const VERSION: u32 = 1;
/// Where scn keeps what it knows of root's runs.
const OF_ROOT: &str = "/run/scn";
/// Where the machine keeps what users' programs know while they are logged in.
const OF_USERS: &str = "/run/user";
/// How a note's name ends.
const ENDING: &str = "json";
/// Whoever takes the last note away takes the folder too: it is made again so often.
const ATTEMPTS: usize = 5;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// [`VERSION`].
    pub(super) version: u32,
    /// What the run is called.
    pub(super) run: String,
    /// Its scenario.
    pub(super) scenario: String,
    /// Where its processes' numbers mean something.
    pub(super) here: Here,
    /// Who holds the lab.
    pub(super) runner: Process,
    /// The first process of the run, which has the rooms of the nodes open.
    pub(super) keeper: Process,
    /// The nodes that can be entered.
    pub(super) nodes: Vec<Noted>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Noted {
    /// As the scenario names it.
    pub(super) name: String,
    /// `/proc/KEEPER/fd/NUMBER` are its namespaces.
    pub(super) numbers: Numbers,
}

/// Where the numbers of processes mean something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Here {
    /// The machine's start.
    pub(super) boot: String,
    /// The PID namespace: others, such as those of containers, may share the folder of the notes.
    pub(super) processes: u64,
}

impl Here {
    /// That of this process.
    pub(super) fn now() -> io::Result<Self> {
        Ok(Here { boot: journal::boot()?, processes: fs::metadata("/proc/self/ns/pid")?.ino() })
    }
}

/// A process that no later one of the same number is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    /// Its number.
    pub(super) id: i32,
    /// When it was started, in the kernel's ticks since the machine's start.
    pub(super) started: u64,
}

impl Process {
    /// The one of this number.
    pub(super) fn now(id: i32) -> io::Result<Self> {
        Ok(Process { id, started: started(&fs::read_to_string(format!("/proc/{id}/stat"))?)? })
    }

    /// An error: the kernel does not say.
    fn is_alive(self) -> io::Result<bool> {
        Process::now(self.id).map(|now| now == self).or_else(|cause| match cause.raw_os_error() {
            // No such number, or it ended while it was read.
            Some(libc::ENOENT | libc::ESRCH) => Ok(false),
            _ => Err(cause),
        })
    }
}

/// When a process was started, from its `stat`: the 22nd word; the second is its name, in brackets, with whatever is in it.
pub(super) fn started(stat: &str) -> io::Result<u64> {
    let words = stat.rsplit_once(") ").and_then(|(_, words)| words.split_ascii_whitespace().nth(19)?.parse().ok());
    words.ok_or_else(|| io::Error::other("the kernel does not say when a process was started"))
}

impl Note {
    /// The run lives; an error: the kernel does not say.
    fn is_alive(&self, here: &Here) -> io::Result<bool> {
        Ok(self.here.boot == here.boot && self.runner.is_alive()? && self.keeper.is_alive()?)
    }
}

/// Writes a note whole, or not at all.
pub(super) fn put(note: &Note) -> io::Result<PathBuf> {
    let mut failure = io::Error::other("this user has no folder for it");
    for folder in folders()? {
        for _ in 0..ATTEMPTS {
            match put_into(&folder, note) {
                Ok(path) => return Ok(path),
                Err(cause) => failure = io::Error::new(cause.kind(), format!("{}: {cause}", folder.display())),
            }
            if failure.kind() != io::ErrorKind::NotFound {
                break;
            }
        }
    }
    Err(failure)
}

fn put_into(folder: &Path, note: &Note) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Not found: another run has taken the last note away, and the folder with it.
    if !is_safe(folder)? {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others may write there"));
    }
    let (hidden, path) = (folder.join(format!(".{}", note.run)), folder.join(format!("{}.{ENDING}", note.run)));
    // A run of the same number that is dead has left it.
    let _ = fs::remove_file(&hidden);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?;
    file.write_all(&serde_json::to_vec_pretty(note)?)?;
    fs::rename(&hidden, &path)?;
    Ok(path)
}

/// Removes a note, and its folders when they are empty then.
pub(super) fn take_away(path: &Path) {
    // What cannot be removed leads nowhere, and is removed by the next who looks.
    let _ = fs::remove_file(path);
    if let Some(folder) = path.parent() {
        let _ = fs::remove_dir(folder);
        // The folder of root's notes holds journals too.
        let _ = folder.parent().filter(|above| *above != Path::new(OF_ROOT)).map(fs::remove_dir);
    }
}

/// The notes of this user's runs that live, in the order of their numbers.
pub(super) fn living() -> Vec<Note> {
    // Who does not know where it is can tell no run that lives from a dead one.
    let Ok(here) = Here::now() else { return Vec::new() };
    let own = folders().unwrap_or_default().into_iter().filter(|folder| is_safe(folder).unwrap_or(false));
    let mut notes: Vec<Note> = own.flat_map(|folder| living_in(&folder, &here)).collect();
    notes.sort_by_key(|note| note.runner.id);
    notes.dedup_by(|one, other| one.run == other.run);
    notes
}

fn living_in(folder: &Path, here: &Here) -> Vec<Note> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == ENDING)).collect();
    let mut notes = Vec::new();
    for path in paths {
        let note = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Note>(&bytes).ok());
        // Only in its own PID namespace can be said what has become of a run.
        let Some(note) = note.filter(|note| note.version == VERSION && note.here.processes == here.processes) else { continue };
        match note.is_alive(here) {
            Ok(false) => take_away(&path),
            // In doubt it lives; whoever enters it learns the kernel's reason.
            Ok(true) | Err(_) => notes.push(note),
        }
    }
    notes
}

/// Where notes of this user may stand, best first.
fn folders() -> io::Result<Vec<PathBuf>> {
    let user = user(&fs::read_to_string("/proc/self/uid_map")?, nix::unistd::geteuid().as_raw());
    if user == 0 {
        return Ok(vec![Path::new(OF_ROOT).join("held"), PathBuf::from(format!("/tmp/scn-{user}/held"))]);
    }
    let said = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    Ok(of_user(said, Path::new(OF_USERS), user))
}

/// Of an ordinary user: what the environment says, and where the machine keeps it for those whose environment says nothing, such as a shell that
/// another program has opened; so that both find the same.
fn of_user(said: Option<PathBuf>, of_users: &Path, user: u32) -> Vec<PathBuf> {
    let private = |folder: &PathBuf| folder.is_absolute() && is_own(folder, 0o077).unwrap_or(false);
    let usual = of_users.join(user.to_string());
    let mut folders: Vec<PathBuf> = said.into_iter().chain([usual]).filter(private).map(|folder| folder.join("scn/held")).collect();
    folders.dedup();
    folders.push(PathBuf::from(format!("/tmp/scn-{user}/held")));
    folders
}

/// The number of this user outside of a user namespace of its own, by the map of its namespace.
fn user(map: &str, inside: u32) -> u32 {
    let ranges = map.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace().map_while(|word| word.parse::<u32>().ok());
        Some((words.next()?, words.next()?, words.next()?))
    });
    let mut found = ranges.filter(|(from, _, count)| (*from..from.saturating_add(*count)).contains(&inside));
    found.next().map_or(inside, |(from, to, _)| to + (inside - from))
}

/// A folder for notes: nobody else may look into it, nor put another in its place.
fn is_safe(folder: &Path) -> io::Result<bool> {
    let Some(above) = folder.parent() else { return Ok(false) };
    Ok(is_own(folder, 0o077)? && is_own(above, 0o022)?)
}

/// A folder of this user, to which these bits are closed.
fn is_own(folder: &Path, closed: u32) -> io::Result<bool> {
    let user = nix::unistd::geteuid().as_raw();
    let about = fs::symlink_metadata(folder)?;
    Ok(about.is_dir() && about.uid() == user && about.mode() & closed == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = Process::now(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.is_alive().unwrap());
        assert!(!Process { started: own.started + 1, ..own }.is_alive().unwrap(), "another process of the same number");
        assert!(!Process { id: i32::MAX, ..own }.is_alive().unwrap(), "no process has this number");
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0";
        assert_eq!(started(stat).unwrap(), 4711);
        assert!(started("7 (a) S 1").is_err());
    }

    #[test]
    fn the_user_is_the_same_inside_and_outside() {
        assert_eq!(user("         0          0 4294967295\n", 1001), 1001);
        assert_eq!(user("         0       1001          1\n", 0), 1001);
        assert_eq!(user("0 1001 1\n1 100000 65536\n", 5), 100_004);
    }

    #[test]
    fn a_user_without_an_environment_finds_what_one_with_it_has_noted() {
        let place = tempfile::tempdir().unwrap();
        let private = |folder: PathBuf| {
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
            folder
        };
        let (usual, other) = (private(place.path().join("7")), private(place.path().join("other")));
        let in_tmp = PathBuf::from("/tmp/scn-7/held");
        assert_eq!(of_user(None, place.path(), 7), [usual.join("scn/held"), in_tmp.clone()]);
        assert_eq!(of_user(Some(usual.clone()), place.path(), 7), [usual.join("scn/held"), in_tmp.clone()]);
        assert_eq!(of_user(Some(other.clone()), place.path(), 7), [other.join("scn/held"), usual.join("scn/held"), in_tmp.clone()]);
        fs::set_permissions(&usual, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(of_user(Some("relative".into()), place.path(), 7), [in_tmp], "others may look into it");
    }

    #[test]
    fn notes_stand_in_folders_of_their_user_alone_and_dead_ones_go() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("scn/held");
        let own = Process::now(i32::try_from(std::process::id()).unwrap()).unwrap();
        let here = Here::now().unwrap();
        let note = Note {
            version: VERSION,
            run: "7".into(),
            scenario: "s".into(),
            here: here.clone(),
            runner: own,
            keeper: own,
            nodes: Vec::new(),
        };
        let path = put_into(&folder, &note).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(living_in(&folder, &here), std::slice::from_ref(&note));
        put_into(&folder, &Note { run: "8".into(), runner: Process { started: 1, ..own }, ..note.clone() }).unwrap();
        assert_eq!(living_in(&folder, &here), std::slice::from_ref(&note), "that of a dead run is no note");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "and is gone");
        let elsewhere = Here { processes: here.processes + 1, boot: "another start of the machine".into() };
        assert_eq!(living_in(&folder, &elsewhere), []);
        assert!(path.exists(), "what lives in another PID namespace is not known here");
        assert_eq!(living_in(&folder, &Here { processes: here.processes, ..elsewhere }), []);
        assert!(!folder.exists(), "with the last note goes the folder");
        assert_eq!(is_safe(&folder).unwrap_err().kind(), io::ErrorKind::NotFound, "and it is made again");
        let path = put_into(&folder, &note).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(!is_safe(&folder).unwrap());
        assert_eq!(put_into(&folder, &note).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        take_away(&path);
        assert!(!place.path().join("scn").exists());
    }
}
