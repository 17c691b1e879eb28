//! `scn add`: names a library in `scn.toml` and locks it. In: a name and where it comes from. Out: both files, changed together or not at
//! all, and what changed in words.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::address::{Address, Revision, is_tag};
use crate::catalog::{Remote, Tools, manifest_of, no_version};
use crate::content::MANIFEST;
use crate::edit;
use crate::folder::{read_text, shown, way_between, write};
use crate::home::Home;
use crate::lock::Lock;
use crate::manifest::{At, Dependency, MAX_MANIFEST, Manifest, Origin};
use crate::name::{is_name, why_not};
use crate::problem::{Error, Errors, Problem};
use crate::relock::{Accept, changes, with_git};
use crate::version::{Requirement, Version};

/// What is to be added.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The library's name.
    pub name: String,
    /// Where it comes from.
    pub source: WantedSource,
    /// The least version, as typed.
    pub version: Option<String>,
}

/// Where it is to come from.
#[derive(Debug, Clone)]
pub enum WantedSource {
    /// A folder.
    Path(PathBuf),
    /// A repository, with a tag or a revision as typed.
    Git {
        /// The address.
        address: String,
        /// A tag.
        tag: Option<String>,
        /// A commit.
        revision: Option<String>,
    },
}

/// Adds a library to the project of a folder; without a project there, the folder becomes one.
///
/// # Errors
/// What cannot be had or does not go together; nothing was changed then.
pub fn add(folder: &Path, wanted: &Wanted, tools: &Tools) -> Result<Vec<String>, Errors> {
    let found = Home::find(folder);
    let is_new = found.is_none();
    let home = found.map_or_else(|| Home::new(folder), Ok)?;
    let text = if is_new { String::new() } else { read_text(&home.manifest_path(), MAX_MANIFEST)? };
    Manifest::parse(&shown(&home.manifest_path()), &text)?;
    let old = home.lock()?;
    let mut remote = Remote::new(&home, old.as_ref(), tools);
    let dependency = dependency(&home, folder, wanted, &mut remote)?;
    let text = edit::set(&text, &dependency)?;
    let manifest = Manifest::parse(&shown(&home.manifest_path()), &text)?;
    let accepted = BTreeSet::from([wanted.name.clone()]);
    let lock = with_git(&mut remote, &manifest, &Accept::Only(&accepted))?;
    let mut lines = Vec::new();
    if is_new {
        lines.push(format!("{} made", shown(&home.manifest_path())));
    }
    lines.extend(store(&home, &text, old.as_ref(), &lock)?);
    Ok(lines)
}

/// Writes the manifest and the lock, and tells what changed.
///
/// # Errors
/// One of them could not be written.
pub fn store(home: &Home, manifest: &str, old: Option<&Lock>, lock: &Lock) -> Result<Vec<String>, Error> {
    write(&home.manifest_path(), manifest.as_bytes())?;
    write(&home.lock_path(), lock.to_text().as_bytes())?;
    let mut lines = changes(old, lock);
    if !lines.is_empty() && home.vendor().is_dir() {
        lines.push("vendor/ holds what was: run `scn vendor`".to_owned());
    }
    Ok(lines)
}

fn bad(reason: impl Into<String>, help: impl Into<String>) -> Error {
    Problem::BadManifest { reason: reason.into(), help: help.into() }.into()
}

/// The entry of the manifest.
fn dependency(home: &Home, from: &Path, wanted: &Wanted, remote: &mut Remote<'_>) -> Result<Dependency, Error> {
    if !is_name(&wanted.name) {
        return Err(bad(why_not(&wanted.name), "the name is the one that the library gives itself"));
    }
    let requirement = wanted.version.as_deref().map(|text| {
        let help = "write the least version that will do, such as 1.2 or 1.2.3, without signs";
        Requirement::parse(text).ok_or_else(|| bad(format!("`{text}` is no version"), help))
    });
    let mut dependency =
        Dependency { name: wanted.name.clone(), origin: Origin::Path(String::new()), requirement: requirement.transpose()?, span: 0..0 };
    match &wanted.source {
        WantedSource::Path(path) => path_dependency(&mut dependency, home, &from.join(path))?,
        WantedSource::Git { address, tag, revision } => {
            let address = address_of(from, address)?;
            let at = match (tag, revision) {
                (Some(tag), _) if !is_tag(tag) => return Err(bad(format!("`{tag}` can be no tag"), "write a tag such as v1.2.0")),
                (Some(tag), _) => At::Tag(tag.clone()),
                (None, Some(text)) => {
                    let help = "write all 40 digits; `git rev-parse NAME^{commit}` prints them";
                    At::Revision(
                        Revision::parse(&text.to_ascii_lowercase())
                            .ok_or_else(|| bad(format!("`{text}` is no whole name of a commit"), help))?,
                    )
                }
                (None, None) => At::Least,
            };
            if at == At::Least && dependency.requirement.is_none() {
                let versions = remote.versions(&address)?;
                let newest = versions.last().ok_or_else(|| no_version(&dependency, &address, &versions))?;
                dependency.requirement = Some(Requirement::of(newest));
            }
            dependency.origin = Origin::Git { address, at };
        }
    }
    Ok(dependency)
}

/// The entry for a folder, counted from the project's; without a version, the one that is there is the least.
fn path_dependency(dependency: &mut Dependency, home: &Home, folder: &Path) -> Result<(), Error> {
    let unreadable = |error: std::io::Error| Problem::Unreadable { file: shown(folder), reason: error.to_string() };
    let folder = folder.canonicalize().map_err(unreadable)?;
    let way = way_between(home.folder(), &folder);
    let way = way.to_str().ok_or_else(|| bad(format!("the way to {} is not UTF-8", folder.display()), "rename the folder"))?;
    if way.is_empty() {
        return Err(bad("a project does not depend on itself", "inside it, write `use \"./FILE.scn\"`"));
    }
    dependency.origin = Origin::Path(way.to_owned());
    if dependency.requirement.is_none() {
        let file = folder.join(MANIFEST);
        let text = read_text(&file, MAX_MANIFEST)?;
        let contents = [(MANIFEST.to_owned(), text.into_bytes())].into();
        let manifest = manifest_of(&shown(&folder), &contents);
        // What is wrong with it is told by the selection, with its place.
        let own = manifest.ok().and_then(|manifest| manifest.library);
        let released = own.filter(|own| own.version.pre.is_empty());
        dependency.requirement = released.and_then(|own| Requirement::parse(&least_of(&own.version)));
    }
    Ok(())
}

/// `1.2` of 1.2.7: what a path dependency asks for, since its author raises the last part at will.
fn least_of(version: &Version) -> String {
    format!("{}.{}", version.major, version.minor)
}

/// An address; a folder of this machine is taken with its whole path.
fn address_of(from: &Path, text: &str) -> Result<Address, Error> {
    let is_folder = !text.starts_with('-') && !text.contains("://") && from.join(text).is_dir();
    let whole = if is_folder { from.join(text).canonicalize().ok().and_then(|path| path.to_str().map(str::to_owned)) } else { None };
    let text = whole.as_deref().unwrap_or(text);
    Address::parse(text)
        .map_err(|why| bad(format!("`{text}` is no address of a repository: {why}"), "such as https://example.org/acme.git"))
}
