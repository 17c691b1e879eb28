//! What a `scn.toml` may say and what it may not.

use crate::manifest::{At, Manifest, Origin};
use crate::problem::Errors;

const WHOLE: &str = r#"# a comment
[library]
name = "site"
version = "1.2.0"
scn = 1
description = "Ours."

[dependencies]
acme = { git = "https://example.org/acme.git", version = "1.2" }
fixed = { git = "/srv/fixed", rev = "0123456789abcdef0123456789abcdef01234567" }
near = { path = "../near" }
tagged = { git = "git@example.org:tagged", tag = "v2.0.1", version = "2.0" }
"#;

fn problems(text: &str) -> Vec<(&'static str, usize, String)> {
    let Err(Errors(found)) = Manifest::parse("scn.toml", text) else { return Vec::new() };
    found
        .iter()
        .map(|e| (e.problem.code(), e.place.as_ref().map_or(0, |p| p.line()), format!("{} {}", e.problem, e.problem.help())))
        .collect()
}

/// The one problem of a text stands in this line and says this.
fn assert_one(text: &str, line: usize, words: &[&str]) {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    assert_eq!(found[0].1, line, "{found:?}");
    for word in words {
        assert!(found[0].2.contains(word), "`{word}` is missing in {found:?}");
    }
}

#[test]
fn a_whole_manifest_is_read() {
    let manifest = Manifest::parse("scn.toml", WHOLE).unwrap();
    let own = manifest.library.clone().unwrap();
    assert_eq!((own.name.as_str(), own.version.to_string().as_str()), ("site", "1.2.0"));
    let origin = |name: &str| manifest.dependencies[name].origin.clone();
    assert!(matches!(origin("acme"), Origin::Git { at: At::Least, .. }));
    assert!(matches!(origin("fixed"), Origin::Git { at: At::Revision(_), .. }));
    assert!(matches!(origin("near"), Origin::Path(path) if path == "../near"));
    assert_eq!(manifest.dependencies["tagged"].to_string(), "git git@example.org:tagged tag v2.0.1 version 2.0");
    assert_eq!(manifest.place(&manifest.dependencies["near"]).line(), 11);
}

#[test]
fn a_project_may_have_no_library_and_no_dependencies() {
    assert!(Manifest::parse("scn.toml", "").unwrap().library.is_none());
    assert!(Manifest::parse("scn.toml", "[dependencies]\n").unwrap().dependencies.is_empty());
}

#[test]
fn an_unknown_key_names_the_nearest() {
    assert_one("[dependencies]\na = { path = \"../a\", verison = \"1\" }\n", 2, &["`verison`", "did you mean `version`?"]);
    assert_one(
        "[library]\nname = \"a\"\nversion = \"1.0.0\"\nauthor = \"x\"\n",
        4,
        &["`author`", "`name`, `version`, `scn`, `description`"],
    );
    assert_one("[dependecies]\n", 1, &["did you mean `dependencies`?"]);
    assert_one("name = \"a\"\n", 1, &["scn.toml has no key `name`"]);
}

#[test]
fn what_cannot_stand_is_told_with_what_can() {
    let library = |body: &str| format!("[library]\n{body}");
    let dependency = |value: &str| format!("[dependencies]\nacme = {value}\n");
    for (text, line, words) in [
        (library("name = \"std\"\nversion = \"1.0.0\"\n"), 2, "standard library"),
        (library("name = \"a-b\"\nversion = \"1.0.0\"\n"), 2, "a letter, then letters"),
        (library("name = 3\nversion = \"1.0.0\"\n"), 2, "name = \"acme\""),
        (library("name = \"a\"\nversion = \"1.0\"\n"), 3, "three numbers"),
        (library("name = \"a\"\nversion = 1\n"), 3, "three numbers"),
        (library("name = \"a\"\n"), 1, "lacks `version`"),
        (library("name = \"a\"\nversion = \"1.0.0\"\nscn = 2\n"), 4, "later scn"),
        (library("name = \"a\"\nversion = \"1.0.0\"\nscn = \"1\"\n"), 4, "scn = 1"),
        (library("name = \"a\"\nversion = \"1.0.0\"\ndescription = 1\n"), 4, "quotes"),
        ("library = 3\n".into(), 1, "[library]"),
        ("dependencies = []\n".into(), 1, "[dependencies]"),
        (dependency("\"1.2\""), 2, "path = \"../acme\""),
        (dependency("{}"), 2, "path = \"../acme\""),
        (dependency("{ git = \"https://e.org/a\" }"), 2, "version = \"1.2\""),
        (dependency("{ git = \"ext::sh -c id\", version = \"1\" }"), 2, "`git` is an address"),
        (dependency("{ git = \"http://e.org/a\", version = \"1\" }"), 2, "https://"),
        (dependency("{ git = \"https://e.org/a\", path = \"../a\" }"), 2, "both `git` and `path`"),
        (
            dependency("{ git = \"https://e.org/a\", tag = \"v1.0.0\", rev = \"0123456789abcdef0123456789abcdef01234567\" }"),
            2,
            "both `tag` and `rev`",
        ),
        (dependency("{ path = \"../a\", tag = \"v1.0.0\" }"), 2, "both `path` and `tag`"),
        (dependency("{ git = \"https://e.org/a\", tag = \"--x\" }"), 2, "no tag"),
        (dependency("{ git = \"https://e.org/a\", rev = \"main\" }"), 2, "40 hexadecimal digits"),
        (dependency("{ path = \"../a\", version = \"^1.2\" }"), 2, "without signs"),
        (dependency("{ path = \"../a\", version = 1 }"), 2, "quotes"),
        (dependency("{ path = \"/srv/a\" }"), 2, "each machine"),
        (dependency("{ path = \".\" }"), 2, "itself"),
        (dependency("{ path = \"\" }"), 2, "1 to"),
        ("[dependencies]\nstd = { path = \"../a\" }\n".into(), 2, "standard library"),
        ("[dependencies]\n\"../x\" = { path = \"../a\" }\n".into(), 2, "no name"),
        ("[dependencies]\na = { path = \"../a\" }\na = { path = \"../b\" }\n".into(), 3, "no TOML"),
        ("[dependencies\n".into(), 1, "no TOML"),
    ] {
        assert_one(&text, line, &[words]);
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "[library]\nname = \"std\"\nversion = \"x\"\n[dependencies]\na = 1\nb = { pth = \"../b\" }\n";
    let lines: Vec<usize> = problems(text).iter().map(|p| p.1).collect();
    assert_eq!(lines, [2, 3, 5, 6]);
}

#[test]
fn too_much_is_refused() {
    let many: String = (0..300).map(|n| format!("a{n} = {{ path = \"../a\" }}\n")).collect();
    assert_eq!(problems(&format!("[dependencies]\n{many}"))[0].0, "scn::libraries::too_large");
    assert_eq!(problems(&"#".repeat((1 << 20) + 1))[0].0, "scn::libraries::too_large");
    for text in [
        (0..60_000).map(|n| format!("k{n}=1\n")).collect::<String>(),
        (0..60_000).map(|n| format!("[t{n}]\n")).collect(),
        format!("[library]\n{}", (0..60_000).map(|n| format!("k{n}=1\n")).collect::<String>()),
        format!("[dependencies]\n{}", (0..60_000).map(|n| format!("a.k{n}=1\n")).collect::<String>()),
    ] {
        let count = problems(&text).len();
        assert!((1..=60).contains(&count), "{count} problems are told");
    }
}
