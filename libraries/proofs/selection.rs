//! Which versions are selected: a table of libraries on paper.

use std::collections::BTreeMap;

use crate::address::{Address, Revision};
use crate::content::Hash;
use crate::lock::From;
use crate::manifest::{At, Dependency, Manifest, Origin};
use crate::problem::{Error, Errors, Problem};
use crate::select::{Catalog, Found, select};
use crate::version::{self, Version};

/// Libraries on paper: `NAME VERSION` with what each depends on, as `NAME REQUIREMENT`.
struct Paper {
    libraries: BTreeMap<String, Vec<(Version, Vec<String>)>>,
    looked: usize,
}

/// A manifest that asks for these, each `NAME REQUIREMENT [host]` or `NAME @REVISION-LETTER`.
fn manifest(own: Option<(&str, &Version)>, asks: &[String]) -> Manifest {
    let library = own.map_or_else(String::new, |(name, version)| format!("[library]\nname = \"{name}\"\nversion = \"{version}\"\n"));
    let lines = asks.iter().map(|ask| {
        let mut words = ask.split(' ');
        let (name, asked, host) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or("host"));
        let git = format!("https://{host}.org/{name}");
        match asked.strip_prefix('@') {
            Some(letter) => format!("{name} = {{ git = \"{git}\", rev = \"{}\" }}\n", letter.repeat(40)),
            None => format!("{name} = {{ git = \"{git}\", version = \"{asked}\" }}\n"),
        }
    });
    let text = format!("{library}[dependencies]\n{}", lines.collect::<String>());
    Manifest::parse("scn.toml", &text).unwrap()
}

impl Paper {
    fn new(libraries: &[(&str, &[&str])]) -> Self {
        let mut paper = Paper { libraries: BTreeMap::new(), looked: 0 };
        for (title, asks) in libraries {
            let (name, version) = title.split_once(' ').unwrap();
            let asks = asks.iter().map(ToString::to_string).collect();
            paper.libraries.entry(name.into()).or_default().push((version::parse(version).unwrap(), asks));
        }
        paper.libraries.values_mut().for_each(|versions| versions.sort());
        paper
    }

    fn select(&mut self, asks: &[&str]) -> Result<Vec<String>, Errors> {
        self.select_for(None, asks)
    }

    fn select_for(&mut self, own: Option<&str>, asks: &[&str]) -> Result<Vec<String>, Errors> {
        let one = Version::new(1, 0, 0);
        let asks: Vec<String> = asks.iter().map(ToString::to_string).collect();
        let chosen = select(&manifest(own.map(|name| (name, &one)), &asks), self)?;
        Ok(chosen.values().map(|found| format!("{} {}", found.name, found.version)).collect())
    }
}

impl Catalog for Paper {
    fn find(&mut self, dependency: &Dependency, _: Option<&From>) -> Result<Found, Error> {
        self.looked += 1;
        let Origin::Git { address, at } = &dependency.origin else { unreachable!("all on paper is git") };
        let nothing = || Problem::NoVersion { name: dependency.name.clone(), reason: "none".into(), help: String::new() };
        let versions = self.libraries.get(&dependency.name).ok_or_else(nothing)?;
        let fits = |v: &Version| dependency.requirement.as_ref().is_none_or(|asked| asked.admits(v));
        let (version, asks) = versions.iter().find(|(v, _)| fits(v)).ok_or_else(nothing)?;
        let revision = match at {
            At::Revision(revision) => revision.clone(),
            _ => Revision::parse(&Hash::of(format!("{} {version}", dependency.name).as_bytes()).to_string()[..40]).unwrap(),
        };
        let from = From::Git { address: Address::parse(address.as_str()).unwrap(), revision };
        let manifest = manifest(Some((&dependency.name, version)), asks);
        Ok(Found { name: dependency.name.clone(), version: version.clone(), from, manifest })
    }
}

/// The one problem, by its code and its text.
fn problem(selected: Result<Vec<String>, Errors>) -> (&'static str, String) {
    let Errors(found) = selected.unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].place.is_some(), "{found:?}");
    (found[0].problem.code(), found[0].problem.to_string())
}

#[test]
fn the_least_version_that_satisfies_is_taken() {
    let mut paper = Paper::new(&[("a 1.0.0", &[]), ("a 1.2.0", &[]), ("a 1.3.0", &[]), ("a 2.0.0", &[])]);
    assert_eq!(paper.select(&["a 1.1"]).unwrap(), ["a 1.2.0"]);
    assert_eq!(paper.select(&["a 2"]).unwrap(), ["a 2.0.0"]);
    assert_eq!(paper.select(&[]).unwrap(), Vec::<String>::new());
}

#[test]
fn of_several_minimums_the_highest_wins_and_no_later_one() {
    let mut paper = Paper::new(&[
        ("a 1.0.0", &["c 1.1"]),
        ("b 1.0.0", &["c 1.3"]),
        ("c 1.1.0", &[]),
        ("c 1.2.0", &[]),
        ("c 1.3.0", &[]),
        ("c 1.4.0", &[]),
    ]);
    assert_eq!(paper.select(&["a 1", "b 1"]).unwrap(), ["a 1.0.0", "b 1.0.0", "c 1.3.0"]);
    assert_eq!(paper.select(&["a 1"]).unwrap(), ["a 1.0.0", "c 1.1.0"]);
    assert_eq!(paper.select(&["b 1", "c 1.2"]).unwrap(), ["b 1.0.0", "c 1.3.0"]);
    assert_eq!(paper.select(&["b 1", "c 1.4"]).unwrap(), ["b 1.0.0", "c 1.4.0"]);
}

#[test]
fn below_one_the_minor_version_is_the_line() {
    let mut paper = Paper::new(&[("a 0.2.0", &[]), ("a 0.2.5", &[]), ("a 0.3.0", &[]), ("b 1.0.0", &["a 0.3"]), ("c 1.0.0", &["a 0.2.5"])]);
    assert_eq!(paper.select(&["a 0.2", "c 1"]).unwrap(), ["a 0.2.5", "c 1.0.0"]);
    assert_eq!(problem(paper.select(&["a 0.2", "b 1"])).0, "scn::libraries::conflict");
}

#[test]
fn a_conflict_shows_both_ways() {
    let mut paper =
        Paper::new(&[("a 1.0.0", &["c 1.0"]), ("b 1.0.0", &["d 1"]), ("d 1.5.0", &["c 2.0"]), ("c 1.0.0", &[]), ("c 2.0.0", &[])]);
    let (code, text) = problem(paper.select_for(Some("site"), &["a 1", "b 1"]));
    assert_eq!(code, "scn::libraries::conflict");
    for words in ["`c`", "version 1.0", "site -> a 1.0.0 -> c", "version 2.0", "site -> b 1.0.0 -> d 1.5.0 -> c"] {
        assert!(text.contains(words), "`{words}` is missing in {text}");
    }
}

#[test]
fn two_sources_of_one_name_are_a_conflict() {
    let mut paper = Paper::new(&[("a 1.0.0", &["c 1.0 mirror"]), ("c 1.0.0", &[])]);
    let (code, text) = problem(paper.select(&["a 1", "c 1.0"]));
    assert_eq!(code, "scn::libraries::conflict");
    assert!(
        text.contains("https://mirror.org/c") && text.contains("https://host.org/c") && text.contains("scn.toml -> a 1.0.0 -> c"),
        "{text}"
    );
}

#[test]
fn two_revisions_of_one_version_are_a_conflict() {
    let mut paper = Paper::new(&[("a 1.0.0", &["c @a"]), ("b 1.0.0", &["c @b"]), ("c 1.0.0", &[])]);
    assert_eq!(problem(paper.select(&["a 1", "b 1"])).0, "scn::libraries::conflict");
    assert_eq!(paper.select(&["a 1", "c @a"]).unwrap(), ["a 1.0.0", "c 1.0.0"]);
}

#[test]
fn what_only_a_superseded_version_asked_for_is_left_out() {
    let mut paper = Paper::new(&[
        ("a 1.0.0", &["old 1"]),
        ("a 1.1.0", &["c 2"]),
        ("old 1.0.0", &["c 1"]),
        ("b 1.0.0", &["a 1.1"]),
        ("c 1.0.0", &[]),
        ("c 2.0.0", &[]),
    ]);
    assert_eq!(paper.select(&["a 1.0", "b 1"]).unwrap(), ["a 1.1.0", "b 1.0.0", "c 2.0.0"]);
}

#[test]
fn a_circle_is_shown_with_the_way_to_it() {
    let mut paper = Paper::new(&[("a 1.0.0", &["b 1"]), ("b 1.0.0", &["c 1"]), ("c 1.0.0", &["b 1"])]);
    let (code, text) = problem(paper.select_for(Some("site"), &["a 1"]));
    assert_eq!(code, "scn::libraries::cycle");
    assert!(text.contains("b 1.0.0 -> c 1.0.0 -> b") && text.contains("site -> a 1.0.0 -> b 1.0.0"), "{text}");
}

#[test]
fn a_library_that_comes_back_to_the_project_is_a_circle() {
    let mut paper = Paper::new(&[("a 1.0.0", &["site 1"]), ("site 1.0.0", &[])]);
    let (code, text) = problem(paper.select_for(Some("site"), &["a 1"]));
    assert_eq!((code, text.contains("site -> a 1.0.0 -> site")), ("scn::libraries::cycle", true), "{text}");
}

#[test]
fn what_cannot_be_had_is_told_at_the_line_that_led_there() {
    let mut paper = Paper::new(&[("a 1.0.0", &["gone 1"]), ("b 1.0.0", &[])]);
    let Errors(found) = paper.select(&["a 1", "b 3"]).unwrap_err();
    let lines: Vec<usize> = found.iter().map(|e| e.place.as_ref().unwrap().line()).collect();
    assert_eq!(lines, [2, 3], "{found:?}");
}

#[test]
fn versions_that_chase_each_other_end() {
    // Every version of `a` asks for a later `b`, and the other way round.
    let names: Vec<(String, String)> = (0..3_000).map(|n| (format!("a 1.{n}.0"), format!("b 1.{n}.0"))).collect();
    let asks: Vec<(String, String)> = (0..3_000).map(|n| (format!("b 1.{}", n + 1), format!("a 1.{}", n + 1))).collect();
    let mut paper = Paper::new(&[]);
    for ((a, b), (to_b, to_a)) in names.iter().zip(&asks) {
        for (title, ask) in [(a, to_b), (b, to_a)] {
            let (name, version) = title.split_once(' ').unwrap();
            paper.libraries.entry(name.into()).or_default().push((version::parse(version).unwrap(), vec![ask.clone()]));
        }
    }
    let Errors(found) = paper.select(&["a 1"]).unwrap_err();
    assert_eq!(found[0].problem.code(), "scn::libraries::too_large");
}

#[test]
fn too_many_libraries_are_refused_and_two_hundred_are_not() {
    let title = |n: usize| format!("a{n} 1.0.0");
    let chain = |length: usize| {
        let mut paper = Paper::new(&[]);
        for n in 0..length {
            let asks = if n + 1 < length { vec![format!("a{} 1", n + 1)] } else { Vec::new() };
            let (name, version) = (format!("a{n}"), Version::new(1, 0, 0));
            paper.libraries.insert(name, vec![(version, asks)]);
        }
        paper
    };
    assert_eq!(chain(200).select(&["a0 1"]).unwrap().len(), 200);
    assert!(chain(200).select(&["a0 1"]).unwrap().contains(&title(199)));
    let Errors(found) = chain(201).select(&["a0 1"]).unwrap_err();
    assert_eq!(found[0].problem.code(), "scn::libraries::too_large");
}

#[test]
fn each_version_is_looked_at_once() {
    // Twenty layers of two, each asking for both of the next: a million ways, forty libraries.
    let mut paper = Paper::new(&[]);
    for layer in 0..20 {
        for side in ["l", "r"] {
            let asks = if layer < 19 { vec![format!("l{} 1", layer + 1), format!("r{} 1", layer + 1)] } else { Vec::new() };
            paper.libraries.insert(format!("{side}{layer}"), vec![(Version::new(1, 0, 0), asks)]);
        }
    }
    assert_eq!(paper.select(&["l0 1", "r0 1"]).unwrap().len(), 40);
    assert!(paper.looked < 100, "{}", paper.looked);
}
