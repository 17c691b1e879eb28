//! The journal of what a run changes on the machine itself: written, and on the disk, before anything of it is made. In: changes. Out: a
//! file that the run holds locked while it lives. Undoes nothing.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::error::LabError;

/// Where journals stand. What they tell of does not outlive the machine's next start, nor does this folder.
pub(crate) const FOLDER: &str = "/run/scn/journals";
/// How a journal's name ends.
pub(crate) const ENDING: &str = "json";
/// The version of the file.
pub(crate) const VERSION: u32 = 1;

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Journal {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The run's own word, which it also writes at every interface that it makes.
    pub(crate) run: String,
    /// The scenario, for people.
    pub(crate) scenario: String,
    /// The machine's start that the run belongs to.
    pub(crate) boot: String,
    /// The network namespace that was changed, as the inode of its file.
    pub(crate) network: u64,
    /// In the order in which they were made.
    pub(crate) changes: Vec<Change>,
}

/// One change of the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// An interface that the run makes.
    Made {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// Its hardware address.
        mac: [u8; 6],
    },
    /// An interface that stands already becomes a port.
    Joined {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// Its hardware address.
        mac: [u8; 6],
        /// The bridge's index.
        bridge: u32,
    },
    /// A bridge that stands already gets ports: without any others it would lose its hardware address with them.
    Ports {
        /// Its name.
        name: String,
        /// Its index.
        index: u32,
        /// Its hardware address.
        mac: [u8; 6],
    },
}

/// A journal of this run.
pub(crate) struct Open {
    /// What it says.
    pub(crate) journal: Journal,
    path: PathBuf,
    /// Locked as long as the run lives, however it ends.
    _file: Flock<File>,
}

impl Open {
    /// Writes a journal; when it returns the file is on the disk and locked.
    pub(crate) fn write(scenario: &str, run: String, changes: Vec<Change>) -> Result<Self, LabError> {
        let failed = |cause: io::Error| LabError::system(FOLDER, "write the journal of what is changed on this machine", &cause);
        let journal = Journal {
            version: VERSION,
            run,
            scenario: scenario.to_owned(),
            boot: boot().map_err(failed)?,
            network: network().map_err(failed)?,
            changes,
        };
        let (path, file) = put(Path::new(FOLDER), &journal).map_err(failed)?;
        Ok(Open { journal, path, _file: file })
    }

    /// Everything is undone: nobody needs it any more.
    pub(crate) fn forget(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// A word that no other run of this machine has.
pub(crate) fn fresh_run() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", std::process::id(), now.as_nanos())
}

/// Writes under a hidden name, locks, and only then shows it: a journal that can be seen unlocked is that of a dead run.
fn put(folder: &Path, journal: &Journal) -> io::Result<(PathBuf, Flock<File>)> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let (hidden, path) = (folder.join(format!(".{}", journal.run)), folder.join(format!("{}.{ENDING}", journal.run)));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&hidden)?;
    let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, cause)| io::Error::from(cause))?;
    file.write_all(&serde_json::to_vec_pretty(journal)?)?;
    file.sync_all()?;
    fs::rename(&hidden, &path)?;
    File::open(folder)?.sync_all()?;
    Ok((path, file))
}

/// The machine's start.
pub(crate) fn boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// The network namespace of the calling thread.
pub(crate) fn network() -> io::Result<u64> {
    Ok(fs::metadata("/proc/thread-self/ns/net")?.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_whole_and_locked_before_it_can_be_seen() {
        let folder = tempfile::tempdir().unwrap();
        let changes = vec![Change::Made { name: "scn7".into(), index: 7, mac: [2, 0, 0, 0, 0, 1] }];
        let (run, scenario, boot) = ("1-2".into(), "s".into(), "b".into());
        let journal = Journal { version: VERSION, run, scenario, boot, network: 5, changes };
        let (path, held) = put(&folder.path().join("deep/er"), &journal).unwrap();
        assert_eq!(serde_json::from_str::<Journal>(&fs::read_to_string(&path).unwrap()).unwrap(), journal);
        let again = || Flock::lock(File::open(&path).unwrap(), FlockArg::LockExclusiveNonblock);
        assert!(again().is_err());
        drop(held);
        assert!(again().is_ok());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
