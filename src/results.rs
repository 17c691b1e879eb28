//! Records and reports on disk: written beside their place and renamed, so that a reader sees a whole file or none.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use scn_reports::record::{self, RunRecord};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Writes a file as a whole.
///
/// # Errors
/// One sentence with the path, the cause and what to do.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    write_atomically(path, text.as_bytes(), |_| Ok(())).map_err(|error| {
        let advice = match error.kind() {
            io::ErrorKind::StorageFull => "free some space, or choose another place with --out",
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "choose a place that can be written with --out",
            _ => "choose another place with --out",
        };
        format!("{} could not be written: {error}; {advice}", path.display())
    })
}

/// Puts a text in place of a file's. The file keeps its permissions and its owner; a link goes on pointing to it. If that
/// cannot be done, the file is as it was.
///
/// # Errors
/// One sentence with the path and the cause.
pub fn replace(path: &Path, text: &str) -> Result<(), String> {
    replace_whole(path, text.as_bytes()).map_err(|error| format!("{} could not be written: {error}; it is as it was", path.display()))
}

fn replace_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let old = fs::metadata(&path)?;
    if !old.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an ordinary file"));
    }
    // A file that may not be written may not be replaced either, though its folder would allow it.
    fs::OpenOptions::new().write(true).open(&path)?;
    write_atomically(&path, bytes, |new| {
        let made = new.metadata()?;
        if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
            fchown(new, Some(old.uid()), Some(old.gid()))?;
        }
        new.set_permissions(old.permissions())
    })
}

/// `prepare` gets the new file before anything is in it.
fn write_atomically(path: &Path, bytes: &[u8], prepare: impl FnOnce(&fs::File) -> io::Result<()>) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file"))?;
    // Two runs at once differ in their process, two scenarios of one run in their file.
    let temporary = folder.join(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = fs::File::create(&temporary).and_then(|mut file| {
        prepare(&file)?;
        file.write_all(bytes)?;
        file.sync_data()
    });
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        // The first error is the one that tells; the leftover may not even exist.
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

/// The name of a scenario's record: letters, digits and `-_.` of the file's and scenario's names.
#[must_use]
pub fn record_name(file: &str, scenario: &str) -> String {
    let stem = Path::new(file).file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_=,".contains(c) { c } else { '-' }).take(80).collect()
    };
    format!("{}.{}.run.json", plain(&stem), plain(scenario).trim_end_matches('-'))
}

/// Writes what programs and commands of a run wrote, each to a file of its own in a folder beside the record.
///
/// # Errors
/// One sentence with the path, the cause and what to do.
pub fn write_logs(record: &RunRecord, results: &Path) -> Result<(), String> {
    let name = record_name(&record.scenario.file, &record.scenario.name);
    let folder = results.join(format!("{}.logs", name.trim_end_matches(".run.json")));
    if folder.is_dir() {
        // Those of an earlier run would be taken for this one's.
        fs::remove_dir_all(&folder).map_err(|error| format!("{} could not be emptied: {error}", folder.display()))?;
    }
    scn_reports::text::logs(record).into_iter().try_for_each(|(name, text)| write(&folder.join(name), &text))
}

/// The folder below the results where the captures of a scenario's run go.
#[must_use]
pub fn captures_name(file: &str, scenario: &str) -> String {
    format!("{}.captures", record_name(file, scenario).trim_end_matches(".run.json"))
}

/// Removes the captures of an earlier run, which would be taken for those of the one that begins.
///
/// # Errors
/// One sentence with the path and the cause.
pub fn forget_captures(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(format!("{} could not be emptied: {error}", folder.display())),
        _ => Ok(()),
    }
}

/// Reads records from files and folders.
///
/// # Errors
/// One sentence with the path and the cause.
pub fn read_records(paths: &[PathBuf]) -> Result<Vec<(PathBuf, RunRecord)>, String> {
    let mut records = Vec::new();
    for path in paths {
        let mut files = Vec::new();
        if path.is_dir() {
            let entries = fs::read_dir(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
            files.extend(entries.filter_map(Result::ok).map(|e| e.path()).filter(|p| p.to_string_lossy().ends_with(".run.json")));
            files.sort();
            if files.is_empty() {
                return Err(format!("{} holds no run record (*.run.json); `scn run` writes them", path.display()));
            }
        } else {
            files.push(path.clone());
        }
        for file in files {
            let bytes = fs::read(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
            let record =
                record::read(&bytes).map_err(|error| format!("{} is not a run record that can be read: {error}", file.display()))?;
            records.push((file, record));
        }
    }
    Ok(records)
}

/// A wall-clock time as RFC 3339 in UTC.
#[must_use]
pub fn timestamp(at: SystemTime) -> String {
    OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_else(|_| "1970-01-01T00:00:00Z".to_owned())
}

/// The machine's name, for reports that ask for it.
#[must_use]
pub fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
