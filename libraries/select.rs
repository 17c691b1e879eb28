//! Which version of each library a project gets: of all that anyone in the graph asks for, the highest of the minimums, and never a
//! later one. In: the project's manifest and a catalog of libraries. Out: one version of each, or conflicts and circles with the ways to
//! them. Pure: the catalog does the looking up.

use std::collections::{BTreeMap, BTreeSet};

use crate::lock::{From, MAX_LIBRARIES};
use crate::manifest::{Dependency, Manifest};
use crate::problem::{Error, Errors, Problem};
use crate::version::{Line, Version, line};

/// Versions that are looked at while selecting.
const MAX_SEEN: usize = 2_000;

/// A library at one version.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Where exactly it comes from.
    pub from: From,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Looks libraries up.
pub trait Catalog {
    /// The library that a dependency means by itself. `asker`: whose dependency it is; `None`: the project's own.
    ///
    /// # Errors
    /// Why it cannot be had.
    fn find(&mut self, dependency: &Dependency, asker: Option<&From>) -> Result<Found, Error>;
}

/// What can stand for each other: one source, one line of versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    name: String,
    source: String,
    line: Line,
}

/// Exactly one content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    kind: Kind,
    version: Version,
    revision: String,
}

impl Id {
    fn of(found: &Found) -> Self {
        let (source, revision) = match &found.from {
            From::Git { address, revision } => (format!("git {}", address.key()), revision.to_string()),
            From::Path(path) => (format!("path {path}"), String::new()),
        };
        let kind = Kind { name: found.name.clone(), source, line: line(&found.version) };
        Id { kind, version: found.version.clone(), revision }
    }
}

/// Everything that was looked at, and who asks for what.
#[derive(Default)]
struct Graph {
    seen: BTreeMap<Id, Found>,
    /// By asker (`None`: the project) its dependencies, each with what it means by itself.
    asks: BTreeMap<Option<Id>, Vec<(Dependency, Id)>>,
    /// The highest minimum of each kind.
    highest: BTreeMap<Kind, Id>,
}

/// Selects a version of each library.
///
/// # Errors
/// What cannot be had, conflicts, circles.
pub fn select(project: &Manifest, catalog: &mut dyn Catalog) -> Result<BTreeMap<String, Found>, Errors> {
    let graph = explore(project, catalog)?;
    let mut walk = Walk { graph: &graph, project, reached: BTreeMap::new(), open: Vec::new(), done: BTreeSet::new(), problems: Vec::new() };
    walk.asks_of(None, None);
    let (reached, mut problems) = (walk.reached, walk.problems);
    problems.extend(conflicts(project, &graph, &reached));
    if reached.len() > MAX_LIBRARIES {
        problems.push(
            Problem::TooLarge { what: "libraries of a project".into(), count: reached.len() as u64, limit: MAX_LIBRARIES as u64 }.into(),
        );
    }
    if let Some(errors) = Errors::of(problems) {
        return Err(errors);
    }
    let chosen = reached.into_iter().filter_map(|(name, asked)| {
        let id = graph.highest.get(&asked.first()?.id.kind)?;
        Some((name, graph.seen.get(id)?.clone()))
    });
    Ok(chosen.collect())
}

/// Looks at everything that anyone asks for.
fn explore(project: &Manifest, catalog: &mut dyn Catalog) -> Result<Graph, Errors> {
    let mut graph = Graph::default();
    let mut problems = Vec::new();
    // Each with the project's own dependency that led to it, for the place.
    let mut open: Vec<(Option<Id>, Dependency, Dependency)> =
        project.dependencies.values().rev().map(|d| (None, d.clone(), d.clone())).collect();
    while let Some((asker, dependency, through)) = open.pop() {
        let from = asker.as_ref().and_then(|id| graph.seen.get(id)).map(|found| &found.from);
        let found = match catalog.find(&dependency, from) {
            Ok(found) => found,
            Err(error) => {
                problems.push(error.or_at(project.place(&through)));
                continue;
            }
        };
        let id = Id::of(&found);
        graph.asks.entry(asker).or_default().push((dependency, id.clone()));
        if graph.seen.contains_key(&id) {
            continue;
        }
        if graph.seen.len() == MAX_SEEN {
            let what = "versions of libraries looked at".into();
            problems.push(Problem::TooLarge { what, count: MAX_SEEN as u64 + 1, limit: MAX_SEEN as u64 }.into());
            break;
        }
        open.extend(found.manifest.dependencies.values().rev().map(|d| (Some(id.clone()), d.clone(), through.clone())));
        let highest = graph.highest.entry(id.kind.clone()).or_insert_with(|| id.clone());
        if id.version > highest.version {
            *highest = id.clone();
        }
        graph.seen.insert(id, found);
    }
    match Errors::of(problems) {
        Some(errors) => Err(errors),
        None => Ok(graph),
    }
}

/// One asking for a library, by one that was selected.
struct Asked {
    id: Id,
    what: String,
    way: Vec<String>,
    through: Dependency,
}

/// A walk from the project through what was selected.
struct Walk<'a> {
    graph: &'a Graph,
    project: &'a Manifest,
    reached: BTreeMap<String, Vec<Asked>>,
    open: Vec<Id>,
    done: BTreeSet<Id>,
    problems: Vec<Error>,
}

impl Walk<'_> {
    /// The way from the project to the library being looked at.
    fn way(&self) -> Vec<String> {
        let own = self.project.library.as_ref().map_or_else(|| "scn.toml".to_owned(), |own| own.name.clone());
        std::iter::once(own).chain(self.open.iter().map(|id| format!("{} {}", id.kind.name, id.version))).collect()
    }

    fn asks_of(&mut self, asker: Option<&Id>, through: Option<&Dependency>) {
        let graph = self.graph;
        for (dependency, id) in graph.asks.get(&asker.cloned()).into_iter().flatten() {
            let through = through.unwrap_or(dependency);
            let mut way = self.way();
            way.push(dependency.name.clone());
            if self.project.library.as_ref().is_some_and(|own| own.name == dependency.name) {
                let problem = Problem::Cycle { circle: way.join(" -> "), way: "scn.toml".into() };
                self.problems.push(problem.at(self.project.place(through)));
                continue;
            }
            let chosen = graph.highest.get(&id.kind).unwrap_or(id);
            let asked = Asked { id: id.clone(), what: dependency.to_string(), way, through: through.clone() };
            self.reached.entry(dependency.name.clone()).or_default().push(asked);
            self.enter(chosen, through);
        }
    }

    fn enter(&mut self, chosen: &Id, through: &Dependency) {
        if let Some(start) = self.open.iter().position(|open| open == chosen) {
            let way = self.way();
            // The project stands first in the way, so the circle begins one later.
            let mut circle = way[start + 1..].to_vec();
            circle.push(chosen.kind.name.clone());
            let problem = Problem::Cycle { circle: circle.join(" -> "), way: way[..=start + 1].join(" -> ") };
            self.problems.push(problem.at(self.project.place(through)));
        } else if self.done.insert(chosen.clone()) && self.open.len() <= MAX_LIBRARIES {
            self.open.push(chosen.clone());
            self.asks_of(Some(chosen), Some(through));
            self.open.pop();
        }
    }
}

/// Names that are asked for in ways that do not go together.
fn conflicts(project: &Manifest, graph: &Graph, reached: &BTreeMap<String, Vec<Asked>>) -> Vec<Error> {
    let mut found = Vec::new();
    for (name, asked) in reached {
        let Some(first) = asked.iter().find(|a| graph.highest.get(&a.id.kind) == Some(&a.id)).or(asked.first()) else { continue };
        let clashes = |other: &&Asked| {
            let same_version = other.id.version == first.id.version;
            other.id.kind != first.id.kind || (same_version && other.id.revision != first.id.revision)
        };
        let Some(other) = asked.iter().find(clashes) else { continue };
        let problem = Problem::Conflict {
            name: name.clone(),
            one: first.what.clone(),
            one_way: first.way.join(" -> "),
            other: other.what.clone(),
            other_way: other.way.join(" -> "),
        };
        found.push(problem.at(project.place(&other.through)));
    }
    found
}
