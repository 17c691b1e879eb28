//! Undoes what journals tell of: at the end of a run, and for runs that died. In: journals. Out: what was undone, in words. Touches
//! nothing but what it recognises as made by that run; finds nothing by its name alone.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::fcntl::{Flock, FlockArg};

use super::enter::{self, Privilege};
use super::error::LabError;
use super::journal::{self, Change, ENDING, FOLDER, Journal};
use super::machine::{Standing, standing};
use super::messages;
use super::netlink::Netlink;

/// What became of one journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaned {
    /// The run's own word, or the file.
    pub run: String,
    /// What was undone, in words, in order.
    pub undone: Vec<String>,
    /// Why the journal stays; `None`: it is gone.
    pub kept: Option<String>,
    /// It stays because its run goes on, which is no fault.
    pub alive: bool,
}

/// Undoes the journals of dead runs.
///
/// # Errors
/// Without the privilege, or when the folder can't be read.
pub fn clean() -> Result<Vec<Cleaned>, LabError> {
    if !enter::privileged() || enter::current() != Privilege::Root {
        return Err(LabError::Forbidden {
            reason: "`scn clean` undoes what runs of root changed on this machine".to_owned(),
            advice: "Run it as root; runs of ordinary users leave nothing behind".to_owned(),
        });
    }
    let failed = |cause: io::Error| LabError::system(FOLDER, "read the journals", &cause);
    let entries = match fs::read_dir(FOLDER) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(failed(cause)),
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths.iter().filter_map(|path| clean_one(path)).collect())
}

/// One file of the folder; `None`: there is nothing to tell.
fn clean_one(path: &Path) -> Option<Cleaned> {
    let run = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let keep = |why: String| Some(Cleaned { run: run.clone(), undone: Vec::new(), kept: Some(why), alive: false });
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return None,
        Err(cause) => return keep(format!("it can't be opened: {cause}")),
    };
    let Ok(_locked) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
        return Some(Cleaned { run, undone: Vec::new(), kept: Some("its run goes on".to_owned()), alive: true });
    };
    if path.extension().is_none_or(|ending| ending != ENDING) {
        // A run that died while it wrote this had made nothing.
        let _ = fs::remove_file(path);
        return None;
    }
    let read = fs::read(path).map_err(|cause| cause.to_string());
    let journal: Journal = match read.and_then(|bytes| serde_json::from_slice(&bytes).map_err(|cause| cause.to_string())) {
        Ok(journal) => journal,
        Err(why) => return keep(format!("it can't be read: {why}")),
    };
    if journal.version != journal::VERSION {
        return keep(format!("it is of version {}, and this scn knows {}", journal.version, journal::VERSION));
    }
    let mut cleaned = Cleaned { run: format!("{} ({})", journal.run, journal.scenario), undone: Vec::new(), kept: None, alive: false };
    // What was there before the machine's last start is gone by itself.
    if journal::boot().is_ok_and(|boot| boot == journal.boot) {
        if journal::network().ok() != Some(journal.network) {
            let place = format!("net:[{}]", journal.network);
            cleaned.kept = Some(format!("it tells of another network namespace: run `scn clean` inside {place}"));
            return Some(cleaned);
        }
        let (undone, wrong) = undo(&journal);
        cleaned.undone = undone;
        if !wrong.is_empty() {
            cleaned.kept = Some(wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
            return Some(cleaned);
        }
    }
    if let Err(cause) = fs::remove_file(path) {
        cleaned.kept = Some(format!("it can't be removed: {cause}"));
    }
    Some(cleaned)
}

/// Undoes the changes of a journal in reverse, from a thread in the network that they were made in. Out: what was undone, and what went
/// wrong.
pub(crate) fn undo(journal: &Journal) -> (Vec<String>, Vec<LabError>) {
    let (mut undone, mut wrong) = (Vec::new(), Vec::new());
    let mut socket = match Netlink::open() {
        Ok(socket) => socket,
        Err(cause) => return (undone, vec![LabError::system("this machine", "open a netlink socket", &cause)]),
    };
    for change in journal.changes.iter().rev() {
        match undo_one(&mut socket, change, &journal.run) {
            Ok(words) => undone.extend(words),
            Err(error) => wrong.push(error),
        }
    }
    (undone, wrong)
}

fn undo_one(socket: &mut Netlink, change: &Change, run: &str) -> Result<Option<String>, LabError> {
    match change {
        Change::Made { name, index, mac } => {
            let Some((link, there)) = found(socket, *index)? else { return Ok(None) };
            if there.name != *name || there.mac != *mac || !is_of(&link, run) {
                return Ok(None);
            }
            remove(socket, &there).map(|gone| gone.then(|| format!("removed the interface {name}")))
        }
        Change::Joined { name, index, mac, bridge } => {
            let Some((_, there)) = found(socket, *index)? else { return Ok(None) };
            if there.name != *name || there.mac != *mac || there.master() != Some(*bridge) {
                return Ok(None);
            }
            ask(socket, messages::set_bridge(*index, 0), name, "take it out of the bridge")?;
            Ok(Some(format!("took {name} out of the bridge")))
        }
        Change::Ports { name, index, mac } => {
            let Some((_, there)) = found(socket, *index)? else { return Ok(None) };
            if there.name != *name || there.mac == *mac || ports(socket, *index)? > 0 {
                return Ok(None);
            }
            ask(socket, messages::set_address(*index, *mac), name, "give it its hardware address back")?;
            Ok(Some(format!("gave {name} its hardware address back")))
        }
    }
}

/// The interface of this index, if there is one.
fn found(socket: &mut Netlink, index: u32) -> Result<Option<(LinkMessage, Standing)>, LabError> {
    match socket.link(index) {
        Ok(link) => Ok(Some((link.clone(), standing(&link)))),
        Err(refusal) if refusal.errno == libc::ENODEV => Ok(None),
        Err(refusal) => Err(LabError::netlink("this machine", "look at an interface", &refusal)),
    }
}

/// The run's word stands at an interface, or none yet.
fn is_of(link: &LinkMessage, run: &str) -> bool {
    let alias = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfAlias(alias) => Some(alias.as_str()),
        _ => None,
    });
    alias.is_none_or(|alias| alias == words(run))
}

/// What is written at an interface of a run.
pub(crate) fn words(run: &str) -> String {
    format!("scn run {run}")
}

/// Removes an interface; false: it went by itself meanwhile, as one does whose other end goes.
fn remove(socket: &mut Netlink, there: &Standing) -> Result<bool, LabError> {
    let mut message = LinkMessage::default();
    message.header.interface_family = AddressFamily::Unspec;
    message.header.index = there.index;
    match socket.run(vec![RouteNetlinkMessage::DelLink(message)]) {
        Ok(()) => Ok(true),
        Err(refusal) if refusal.errno == libc::ENODEV => Ok(false),
        Err(refusal) => Err(LabError::netlink(&there.name, "remove it", &refusal)),
    }
}

/// How many ports a bridge has.
fn ports(socket: &mut Netlink, bridge: u32) -> Result<usize, LabError> {
    let all = socket.links().map_err(|refusal| LabError::netlink("this machine", "look at its interfaces", &refusal))?;
    Ok(all.iter().filter(|link| standing(link).master() == Some(bridge)).count())
}

fn ask(socket: &mut Netlink, message: RouteNetlinkMessage, place: &str, doing: &str) -> Result<(), LabError> {
    socket.run(vec![message]).map_err(|refusal| LabError::netlink(place, doing, &refusal))
}
