//! `scn update`: raises what `scn.toml` asks for to the newest version of the same line, and takes changed path dependencies in. In: names,
//! or all. Out: both files, changed together or not at all, and what changed in words.

use std::collections::BTreeSet;

use crate::add::store;
use crate::address::Address;
use crate::catalog::{Remote, Tools};
use crate::edit;
use crate::folder::{read_text, shown};
use crate::home::Home;
use crate::lock::Lock;
use crate::manifest::{At, Dependency, MAX_MANIFEST, Manifest, Origin};
use crate::name::suggest;
use crate::problem::{Error, Errors, Problem};
use crate::relock::{Accept, changes, with_git};
use crate::version::{self, line};

/// Raises the dependencies of these names, or all. With `dry_run` nothing is written.
///
/// # Errors
/// What cannot be had or does not go together; nothing was changed then.
pub fn update(home: &Home, names: &[String], dry_run: bool, tools: &Tools) -> Result<Vec<String>, Errors> {
    let mut text = read_text(&home.manifest_path(), MAX_MANIFEST)?;
    let file = shown(&home.manifest_path());
    let manifest = Manifest::parse(&file, &text)?;
    let old = home.lock()?;
    let wanted: BTreeSet<String> = names.iter().cloned().collect();
    if let Some(name) = names.iter().find(|name| !is_known(name, &manifest, old.as_ref())) {
        let help = suggest(name, manifest.dependencies.keys().map(String::as_str), "it names none at all");
        return Err(Problem::UnknownLibrary { name: name.clone(), asker: file, help }.into());
    }
    let mut remote = Remote::new(home, old.as_ref(), tools);
    let mut lines = Vec::new();
    for dependency in manifest.dependencies.values().filter(|d| wanted.is_empty() || wanted.contains(&d.name)) {
        if let Origin::Git { address, at } = &dependency.origin {
            text = raise(&text, dependency, address, at, &mut remote, &mut lines)?;
        }
    }
    let only_there = |name: &&String| !manifest.dependencies.contains_key(*name);
    for name in wanted.iter().filter(only_there) {
        lines.push(format!("{name}: only other libraries ask for it; to raise it, name it in {file} too"));
    }
    let manifest = Manifest::parse(&file, &text)?;
    let accept = if wanted.is_empty() { Accept::All } else { Accept::Only(&wanted) };
    let lock = with_git(&mut remote, &manifest, &accept)?;
    lines.extend(if dry_run { changes(old.as_ref(), &lock) } else { store(home, &text, old.as_ref(), &lock)? });
    Ok(lines)
}

fn is_known(name: &str, manifest: &Manifest, lock: Option<&Lock>) -> bool {
    manifest.dependencies.contains_key(name) || lock.is_some_and(|lock| lock.libraries.contains_key(name))
}

/// The text with a dependency raised to the newest version of its line.
fn raise(
    text: &str,
    dependency: &Dependency,
    address: &Address,
    at: &At,
    remote: &mut Remote<'_>,
    lines: &mut Vec<String>,
) -> Result<String, Error> {
    let name = &dependency.name;
    let current = match at {
        At::Revision(revision) => {
            lines.push(format!("{name}: stays at {revision}, as scn.toml says"));
            return Ok(text.to_owned());
        }
        At::Tag(tag) => match version::of_tag(tag) {
            Some(version) => version,
            None => {
                lines.push(format!("{name}: stays at {tag}, which is no version"));
                return Ok(text.to_owned());
            }
        },
        At::Least => match &dependency.requirement {
            Some(requirement) => requirement.least().clone(),
            None => return Ok(text.to_owned()),
        },
    };
    let versions = remote.versions(address)?;
    if let Some(next) = versions.last().filter(|newest| **newest > current && line(newest) != line(&current)) {
        lines.push(format!("{name}: there is {next}, which may break what worked; ask for it in scn.toml if you want it"));
    }
    let newest = versions.iter().rev().find(|version| line(version) == line(&current) && **version > current);
    match (newest, at) {
        (Some(newest), At::Tag(_)) => edit::change(text, name, "tag", &format!("v{newest}")),
        (Some(newest), _) => edit::change(text, name, "version", &newest.to_string()),
        (None, _) => Ok(text.to_owned()),
    }
}
