//! Which node of which lab is meant. In: notes, what was asked for. Out: one node, or an error that names what there is. Pure.

use scn_grammar::syntax::nearest::nearest;

use super::HeldError;
use super::note::{Note, Noted};
use crate::lab::process::plain;

/// The node; a run must be named where several are held.
pub(super) fn choose<'a>(notes: &'a [Note], run: Option<&str>, node: &str) -> Result<(&'a Note, &'a Noted), HeldError> {
    let note = match (notes, run) {
        ([], _) => return Err(HeldError::None),
        (_, Some(run)) => notes.iter().find(|note| note.run == run).ok_or_else(|| HeldError::NoSuchRun {
            run: run.to_owned(),
            near: nearest(run, notes.iter().map(|note| note.run.as_str())).map(str::to_owned),
            held: list(notes),
        })?,
        ([only], None) => only,
        (_, None) => return Err(HeldError::Which { held: list(notes) }),
    };
    // `web-1` is the host name of `web[1]`, and means nothing else to a shell.
    let found = note.nodes.iter().find(|noted| noted.name == node || plain(&noted.name) == node);
    let names = || note.nodes.iter().map(|noted| noted.name.as_str());
    let none = || HeldError::NoSuchNode {
        run: note.run.clone(),
        node: node.to_owned(),
        near: nearest(node, names()).map(str::to_owned),
        nodes: names().collect::<Vec<_>>().join(", "),
    };
    found.map(|noted| (note, noted)).ok_or_else(none)
}

/// `4711 (failing: client, server), 4800 (other: a, b)`.
fn list(notes: &[Note]) -> String {
    let nodes = |note: &Note| note.nodes.iter().map(|noted| noted.name.as_str()).collect::<Vec<_>>().join(", ");
    notes.iter().map(|note| format!("{} ({}: {})", note.run, note.scenario, nodes(note))).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::note::{Here, Process, VERSION};
    use super::*;
    use crate::lab::process::Numbers;

    fn note(run: &str, nodes: &[&str]) -> Note {
        let process = Process { id: 1, started: 1 };
        let numbers = Numbers { network: 3, mounts: 4, name: 5 };
        let nodes = nodes.iter().map(|name| Noted { name: (*name).to_owned(), numbers }).collect();
        Note {
            version: VERSION,
            run: run.into(),
            scenario: format!("s{run}"),
            here: Here { boot: String::new(), processes: 2 },
            runner: process,
            keeper: process,
            nodes,
        }
    }

    fn error(notes: &[Note], run: Option<&str>, node: &str) -> String {
        choose(notes, run, node).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_what_there_is() {
        let one = [note("4711", &["client", "web[1]"])];
        assert!(error(&[], None, "client").starts_with("no lab of this user is held: `scn run --keep-on-failure`"));
        assert_eq!(error(&one, None, "clinet"), "run 4711 has no node `clinet`; did you mean `client`? It has: client, web[1]");
        assert_eq!(error(&one, None, "x"), "run 4711 has no node `x`. It has: client, web[1]");
        assert_eq!(
            error(&one, Some("4712"), "client"),
            "no run `4712` is held; did you mean `4711`? Held are: 4711 (s4711: client, web[1])"
        );
        let two = [note("4711", &["client"]), note("80", &["client", "b"])];
        assert_eq!(
            error(&two, None, "client"),
            "more than one lab is held, say which with --run: 4711 (s4711: client); 80 (s80: client, b)"
        );
        assert_eq!(choose(&two, Some("80"), "b").unwrap().0.run, "80");
    }

    #[test]
    fn nodes_with_an_index_are_found_by_their_host_name_too() {
        let one = [note("1", &["web[1]", "web[11]"])];
        for word in ["web[11]", "web-11"] {
            assert_eq!(choose(&one, None, word).unwrap().1.name, "web[11]");
        }
    }
}
