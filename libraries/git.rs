//! Asks `git`, the only program that this room starts. In: an address, a tag, a revision. Out: tags, and the files of a commit as git
//! holds them: no checkout, so no hooks, no filters, no links, no submodules, and the same bytes on every machine. Believes nothing that
//! git prints without looking at it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::address::{Address, Revision};
use crate::content::{MAX_FILE, MAX_LIBRARY, that_count};
use crate::folder::{Contents, too_many_files, unwritable};
use crate::problem::{Error, Problem};
use crate::store::Store;

/// One call of git takes at most so long.
const LIMIT: Duration = Duration::from_secs(300);
/// How often it is looked whether git has ended.
const LOOK: Duration = Duration::from_millis(5);
/// How long git may clean up after it was told to end.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes that git may print.
const MAX_OUTPUT: u64 = MAX_LIBRARY + (64 << 20);
/// Characters of what git says against it that are told.
const MAX_REASON: usize = 2_000;
/// Protocols that git may use.
const PROTOCOLS: &str = "file:https:ssh";
/// Variables by which a caller of ours, such as a hook of git, would lead git elsewhere.
const MISLEADING: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// How git is called.
#[derive(Debug, Clone)]
pub struct Git {
    program: OsString,
    limit: Duration,
}

impl Default for Git {
    fn default() -> Self {
        Git { program: "git".into(), limit: LIMIT }
    }
}

/// A file of a commit.
pub(crate) struct Blob {
    /// Its path.
    pub(crate) path: String,
    /// The name of what it holds.
    pub(crate) object: String,
}

impl Git {
    /// The tags of a repository, each with the commit that it names.
    ///
    /// # Errors
    /// git could not list them.
    pub fn tags(&self, address: &Address) -> Result<BTreeMap<String, Revision>, Error> {
        let doing = format!("list the tags of {address}");
        let folder = tempfile::tempdir().map_err(|error| unwritable(&std::env::temp_dir(), error))?;
        let output = self.call(folder.path(), &["ls-remote", "--quiet", "--tags", "--", address.as_str()], None, &doing)?;
        let mut tags = BTreeMap::new();
        for line in String::from_utf8_lossy(&output).lines() {
            let Some((revision, name)) = line.split_once('\t') else { continue };
            let (Some(revision), Some(tag)) = (Revision::parse(revision), name.strip_prefix("refs/tags/")) else { continue };
            // An annotated tag is told twice; the second line, with `^{}`, names the commit.
            match tag.strip_suffix("^{}") {
                Some(tag) => tags.insert(tag.to_owned(), revision),
                None => tags.insert(tag.to_owned(), revision),
            };
        }
        Ok(tags)
    }

    /// The files of a commit that count for a library.
    ///
    /// # Errors
    /// git could not fetch it, or it holds what a library may not.
    pub fn library(&self, address: &Address, revision: &Revision, store: &Store) -> Result<Contents, Error> {
        let workplace = store.workplace()?;
        let folder = workplace.path();
        let doing = format!("fetch {revision} of {address}");
        let format = if revision.as_str().len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
        self.call(folder, &["init", "--quiet", "--bare", "--template=", format, "."], None, &doing)?;
        self.fetch(folder, address, revision, &doing)?;
        let tree = format!("{revision}^{{tree}}");
        let listing = self.call(folder, &["ls-tree", "-r", "-z", "--full-tree", &tree], None, &doing)?;
        let blobs = counted_blobs(&listing, &format!("{address} {revision}"))?;
        self.read_blobs(folder, &blobs, &doing)
    }

    /// Brings a commit into a repository: alone where the server allows that, otherwise with all branches and tags.
    fn fetch(&self, folder: &Path, address: &Address, revision: &Revision, doing: &str) -> Result<(), Error> {
        let options = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"];
        let alone = [&options[..], &["--depth=1", "--", address.as_str(), revision.as_str()]].concat();
        if self.call(folder, &alone, None, doing).is_ok() {
            return Ok(());
        }
        let whole = [&options[..], &["--", address.as_str(), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]].concat();
        self.call(folder, &whole, None, doing)?;
        let commit = format!("{revision}^{{commit}}");
        let there = self.call(folder, &["cat-file", "-e", &commit], None, doing);
        there.map(|_| ()).map_err(|_| {
            let reason = "the repository has no such commit in its branches and tags".into();
            Problem::GitFailed { doing: doing.to_owned(), reason }.into()
        })
    }

    /// The bytes of files.
    pub(crate) fn read_blobs(&self, folder: &Path, blobs: &[Blob], doing: &str) -> Result<Contents, Error> {
        let wanted: String = blobs.iter().map(|blob| format!("{}\n", blob.object)).collect();
        let mut input = tempfile::tempfile().map_err(|error| unwritable(&std::env::temp_dir(), error))?;
        let written = input.write_all(wanted.as_bytes()).and_then(|()| input.seek(SeekFrom::Start(0)));
        written.map_err(|error| unwritable(&std::env::temp_dir(), error))?;
        let output = self.call(folder, &["cat-file", "--batch"], Some(input), doing)?;
        let broken = || Error::from(Problem::GitFailed { doing: doing.to_owned(), reason: "its answer is cut short".into() });
        if output.len() as u64 > MAX_LIBRARY {
            let what = format!("bytes of {} files, to {doing}", blobs.len());
            return Err(Problem::TooLarge { what, count: output.len() as u64, limit: MAX_LIBRARY }.into());
        }
        let mut rest = output.as_slice();
        let mut found = Contents::new();
        for blob in blobs {
            let end = rest.iter().position(|byte| *byte == b'\n').ok_or_else(broken)?;
            let header = String::from_utf8_lossy(&rest[..end]).into_owned();
            let size = header.strip_prefix(&format!("{} blob ", blob.object)).and_then(|size| size.parse::<usize>().ok());
            let size = size.ok_or_else(broken)?;
            if size as u64 > MAX_FILE {
                return Err(Problem::TooLarge { what: format!("bytes of {}", blob.path), count: size as u64, limit: MAX_FILE }.into());
            }
            let bytes = rest.get(end + 1..end + 1 + size).ok_or_else(broken)?;
            found.insert(blob.path.clone(), bytes.to_vec());
            rest = rest.get(end + 2 + size..).ok_or_else(broken)?;
        }
        Ok(found)
    }

    /// Calls git in a folder and gives what it printed.
    pub(crate) fn call(&self, folder: &Path, arguments: &[&str], input: Option<File>, doing: &str) -> Result<Vec<u8>, Error> {
        let failed = |reason: String| Error::from(Problem::GitFailed { doing: doing.to_owned(), reason });
        let scratch = || tempfile::tempfile().map_err(|error| unwritable(&std::env::temp_dir(), error));
        // Into files, not pipes: whatever git leaves behind when it is ended cannot keep us waiting.
        let (mut out, mut said) = (scratch()?, scratch()?);
        let stdout = out.try_clone().map_err(|error| failed(error.to_string()))?;
        let stderr = said.try_clone().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(&self.program);
        for variable in MISLEADING {
            command.env_remove(variable);
        }
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", PROTOCOLS).env("LC_ALL", "C").current_dir(folder);
        command.args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "core.fsmonitor=false"]).args(arguments);
        command.stdin(input.map_or_else(Stdio::null, Stdio::from)).stdout(stdout).stderr(stderr);
        let child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => failed("the program `git` is not installed".into()),
            _ => failed(format!("the program `git` could not be started: {error}")),
        })?;
        let status = self.wait(child, &out).map_err(&failed)?;
        if !status.success() {
            return Err(failed(reason(&mut said, status)));
        }
        let mut bytes = Vec::new();
        let read = out.seek(SeekFrom::Start(0)).and_then(|_| out.read_to_end(&mut bytes));
        read.map_err(|error| failed(error.to_string()))?;
        Ok(bytes)
    }

    /// Waits for git within the limits of time and output.
    fn wait(&self, mut child: Child, output: &File) -> Result<ExitStatus, String> {
        let deadline = Instant::now() + self.limit;
        loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                return Ok(status);
            }
            let printed = output.metadata().map_or(0, |meta| meta.len());
            let late = Instant::now() > deadline;
            if late || printed > MAX_OUTPUT {
                end(&mut child);
                return Err(if late {
                    format!("it did not end within {} seconds", self.limit.as_secs())
                } else {
                    format!("it printed more than {} MiB", MAX_OUTPUT >> 20)
                });
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Tells git to end, so that it ends its own helpers, and ends it.
fn end(child: &mut Child) {
    if let Ok(id) = i32::try_from(child.id()) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGTERM);
    }
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(LOOK);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// What git said against it, in one line.
fn reason(said: &mut File, status: ExitStatus) -> String {
    let mut bytes = Vec::new();
    let read = said.seek(SeekFrom::Start(0)).and_then(|_| said.take(MAX_OUTPUT).read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if read.is_err() || lines.is_empty() {
        return format!("it ended with {status} and said nothing");
    }
    let line: String = lines.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.chars().take(MAX_REASON).collect()
}

/// Of the listing of a tree, the files that count.
fn counted_blobs(listing: &[u8], what: &str) -> Result<Vec<Blob>, Error> {
    let mut objects: BTreeMap<String, (String, bool)> = BTreeMap::new();
    for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        // A path that is not UTF-8 cannot be used, and does not count.
        let Some((about, path)) = std::str::from_utf8(entry).ok().and_then(|entry| entry.split_once('\t')) else { continue };
        let mut about = about.split(' ');
        let (mode, _, object) = (about.next().unwrap_or(""), about.next(), about.next().unwrap_or(""));
        if Revision::parse(object).is_some() && crate::content::is_plain_path(path) {
            objects.insert(path.to_owned(), (object.to_owned(), mode.starts_with("100")));
        }
    }
    let paths: BTreeSet<String> = objects.keys().cloned().collect();
    let counted = that_count(&paths);
    too_many_files(what, counted.len())?;
    let mut blobs = Vec::new();
    for path in counted {
        let Some((object, is_file)) = objects.remove(&path) else { continue };
        if !is_file {
            let reason = "it is a link or a submodule; a library holds plain files".to_owned();
            return Err(Problem::Unreadable { file: format!("{path} of {what}"), reason }.into());
        }
        blobs.push(Blob { path, object });
    }
    Ok(blobs)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn pretend(script: &str, limit: Duration) -> (tempfile::TempDir, Git) {
        let place = tempfile::tempdir().unwrap();
        let program = place.path().join("git");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let git = Git { program: program.into_os_string(), limit };
        (place, git)
    }

    fn tags(script: &str, limit: Duration) -> Result<BTreeMap<String, Revision>, Error> {
        let (_place, git) = pretend(script, limit);
        git.tags(&Address::parse("https://example.org/acme").unwrap())
    }

    #[test]
    fn a_git_that_hangs_is_ended() {
        let before = Instant::now();
        let error = tags("sleep 60", Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("did not end within"), "{error}");
        assert!(before.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_git_says_is_told() {
        let error = tags("echo 'fatal: no such host' >&2; exit 128", LIMIT).unwrap_err();
        assert!(error.to_string().contains("fatal: no such host") && error.to_string().contains("list the tags"), "{error}");
        let error = Git { program: "/nowhere/git".into(), limit: LIMIT }.tags(&Address::parse("/x").unwrap()).unwrap_err();
        assert!(error.to_string().contains("not installed"), "{error}");
    }

    #[test]
    fn tags_are_read_and_noise_is_not() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let script =
            format!("printf '{a}\\trefs/tags/v1.0.0\\n{b}\\trefs/tags/v1.0.0^{{}}\\nnoise\\nzz\\trefs/tags/x\\n{a}\\trefs/heads/main\\n'");
        let found = tags(&script, LIMIT).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("v1.0.0".to_owned(), Revision::parse(&b).unwrap())]);
    }

    #[test]
    fn git_is_called_without_prompts_hooks_and_other_protocols() {
        let script = "echo \"$GIT_TERMINAL_PROMPT $GIT_ALLOW_PROTOCOL [$GIT_DIR] $*\" >&2; exit 1";
        let error = tags(script, LIMIT).unwrap_err().to_string();
        assert!(error.contains("0 file:https:ssh []") && error.contains("core.hooksPath=/dev/null"), "{error}");
        assert!(error.contains("-- https://example.org/acme"), "{error}");
    }

    #[test]
    fn links_and_submodules_of_a_tree_are_refused_where_they_count() {
        let hash = "a".repeat(40);
        let listing = |mode: &str, path: &str| format!("100644 blob {hash}\tscn.toml\0{mode} blob {hash}\t{path}\0").into_bytes();
        assert_eq!(counted_blobs(&listing("100755", "a.scn"), "x").unwrap().len(), 2);
        assert!(counted_blobs(&listing("120000", "a.scn"), "x").is_err());
        assert!(counted_blobs(&listing("160000", "files/x"), "x").is_err());
        assert_eq!(counted_blobs(&listing("120000", "notes"), "x").unwrap().len(), 1);
        for path in ["../a.scn", "/a.scn", "a//b.scn", "a\n.scn"] {
            assert_eq!(counted_blobs(&listing("100644", path), "x").unwrap().len(), 1, "{path}");
        }
    }
}
