//! `scn lsp` as an editor meets it. What speaks to it is `lsp.py`, made with pytest-lsp.

use std::process::Command;

use crate::built::{Place, finish, repository, skip};

#[test]
fn the_language_server_answers_a_client() {
    let python = repository("target/python/bin/python");
    let ready = python.exists() && finish(Command::new(&python).args(["-c", "import pytest_lsp"])).code == Some(0);
    if !ready {
        return skip("the Python package pytest_lsp is not installed; tests/all installs it");
    }
    let place = Place::new();
    let mut client = Command::new(python);
    client.args(["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--asyncio-mode=auto"]).arg(repository("tests/lsp.py"));
    client.env("SCN", env!("CARGO_BIN_EXE_scn")).env("PLACE", place.path()).env("SCN_HOME", place.path().join("home"));
    client.env("PYTHONDONTWRITEBYTECODE", "1");
    let ended = finish(&mut client);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.stdout, ended.stderr);
}
