//! Changes one dependency in the text of a `scn.toml` and keeps everything else: comments, order, spacing. In: the text and what is to
//! stand there. Out: the new text. Reads and writes no files.

use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::manifest::{At, Dependency, Origin};
use crate::problem::{Error, Problem};

fn no_toml(reason: impl ToString) -> Error {
    Problem::BadManifest {
        reason: format!("scn.toml cannot be changed: {}", reason.to_string()),
        help: "write the dependency by hand".into(),
    }
    .into()
}

/// The table of dependencies; made if there is none.
fn dependencies(document: &mut DocumentMut) -> Result<&mut dyn TableLike, Error> {
    let item = document.entry("dependencies").or_insert_with(|| Item::Table(Table::new()));
    item.as_table_like_mut().ok_or_else(|| no_toml("`dependencies` is no table"))
}

/// Writes a dependency; what stood under its name goes.
///
/// # Errors
/// The text is no TOML.
pub fn set(text: &str, dependency: &Dependency) -> Result<String, Error> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| no_toml(error.message()))?;
    let mut table = InlineTable::new();
    let mut say = |key: &str, value: &str| {
        table.insert(key, Value::from(value));
    };
    match &dependency.origin {
        Origin::Path(path) => say("path", path),
        Origin::Git { address, at } => {
            say("git", address.as_str());
            match at {
                At::Least => {}
                At::Tag(tag) => say("tag", tag),
                At::Revision(revision) => say("rev", revision.as_str()),
            }
        }
    }
    if let Some(requirement) = &dependency.requirement {
        say("version", &requirement.to_string());
    }
    let listed = dependencies(&mut document)?;
    match listed.get_mut(&dependency.name) {
        // What stands around a value, such as a comment behind it, is part of the value.
        Some(Item::Value(old)) => {
            let around = old.decor().clone();
            let mut new = Value::InlineTable(table);
            *new.decor_mut() = around;
            *old = new;
        }
        Some(other) => *other = Item::Value(Value::InlineTable(table)),
        None => {
            listed.insert(&dependency.name, Item::Value(Value::InlineTable(table)));
        }
    }
    Ok(document.to_string())
}

/// Changes one text of a dependency that is there.
///
/// # Errors
/// The text is no TOML, or has no such dependency.
pub fn change(text: &str, name: &str, key: &str, value: &str) -> Result<String, Error> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| no_toml(error.message()))?;
    let table = dependencies(&mut document)?.get_mut(name).and_then(Item::as_table_like_mut);
    let item = table.and_then(|table| table.get_mut(key)).and_then(Item::as_value_mut);
    let old = item.ok_or_else(|| no_toml(format!("`{name}` has no `{key}`")))?;
    let around = old.decor().clone();
    *old = Value::from(value);
    *old.decor_mut() = around;
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::manifest::Manifest;
    use crate::version::Requirement;

    fn dependency(name: &str, origin: Origin, version: &str) -> Dependency {
        Dependency { name: name.to_owned(), origin, requirement: Requirement::parse(version), span: 0..0 }
    }

    #[test]
    fn an_empty_file_gets_a_table() {
        let text = set("", &dependency("acme", Origin::Path("../acme".into()), "1.2")).unwrap();
        assert_eq!(text, "[dependencies]\nacme = { path = \"../acme\", version = \"1.2\" }\n");
        assert!(Manifest::parse("scn.toml", &text).is_ok());
    }

    #[test]
    fn everything_else_is_kept() {
        let old = "# ours\n[library] # here\nname = \"site\"\nversion = '1.0.0'\n\n[dependencies]\n# the lab\nacme = { path = \"../acme\" } # near\n\n# the end\n";
        let git = Origin::Git { address: Address::parse("https://e.org/acme").unwrap(), at: At::Tag("v1.2.0".into()) };
        let text = set(old, &dependency("acme", git, "")).unwrap();
        assert_eq!(text, old.replace("{ path = \"../acme\" }", "{ git = \"https://e.org/acme\", tag = \"v1.2.0\" }"));
        let text = set(&text, &dependency("b", Origin::Path("../b".into()), "")).unwrap();
        assert!(
            text.contains("# near\nb = { path = \"../b\" }\n") && text.ends_with("# the end\n") && text.contains("# the lab\n"),
            "{text}"
        );
        let raised = change(&text, "acme", "tag", "v1.3.0").unwrap();
        assert_eq!(raised, text.replace("v1.2.0", "v1.3.0"));
        assert!(change(&text, "acme", "version", "1").is_err() && change(&text, "nobody", "tag", "v1").is_err());
    }

    #[test]
    fn tables_of_other_forms_are_changed_too() {
        let old = "[dependencies.acme]\ngit = \"https://e.org/acme\" # there\nversion = \"1.2\" # least\n";
        assert_eq!(change(old, "acme", "version", "1.3.0").unwrap(), old.replace("1.2", "1.3.0"));
        let text = set(old, &dependency("acme", Origin::Path("../acme".into()), "")).unwrap();
        assert!(Manifest::parse("scn.toml", &text).unwrap().dependencies.contains_key("acme"), "{text}");
        let dotted = "dependencies.acme.path = \"../acme\"\n";
        let text = set(dotted, &dependency("b", Origin::Path("../b".into()), "")).unwrap();
        assert_eq!(Manifest::parse("scn.toml", &text).unwrap().dependencies.len(), 2, "{text}");
    }
}
