//! Values of parameters from outside. In: `-p NAME=VALUE` and files of `--params`. Out: texts by name, as the language writes them.
//! Does not know which parameters there are.

use std::collections::BTreeMap;
use std::fs;

use toml_edit::{Document, Value};

use crate::arguments::ParamArguments;

/// All of them. What `-p` says goes before what a file says.
///
/// # Errors
/// A mistake on the command line or in a file, as one sentence.
pub fn params(arguments: &ParamArguments) -> Result<BTreeMap<String, String>, String> {
    let mut params = BTreeMap::new();
    for path in &arguments.files {
        for (name, value) in from_file(path)? {
            if params.insert(name.clone(), value).is_some() {
                return Err(format!("the parameter `{name}` is set by `{path}` and by a file before it"));
            }
        }
    }
    let mut given = BTreeMap::new();
    for text in &arguments.given {
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("`-p {text}` lacks a value: write `-p {text}=VALUE`"));
        };
        if given.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(format!("the parameter `{}` is set twice", name.trim()));
        }
    }
    params.append(&mut given);
    Ok(params)
}

fn from_file(path: &str) -> Result<Vec<(String, String)>, String> {
    let text = fs::read_to_string(path).map_err(|cause| format!("can't read the parameters in `{path}`: {cause}"))?;
    let document = Document::parse(text.as_str()).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        format!("`{path}`, line {line}, is no TOML: {}", error.message().lines().next().unwrap_or_default())
    })?;
    let mut values = Vec::new();
    for (name, item) in document.as_table().iter() {
        let Some(value) = item.as_value().and_then(written) else {
            return Err(format!(
                "`{name}` in `{path}` is no value of a parameter: write a number, a text such as \"50ms\", true, false, or a list of these"
            ));
        };
        values.push((name.to_owned(), value));
    }
    Ok(values)
}

/// A value as `-p` would have it: a text stands for itself, so that `"50ms"` is a duration.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Float(number) => Some(number.value().to_string()),
        Value::Boolean(truth) => Some(truth.value().to_string()),
        Value::Array(values) => values.iter().map(written).collect::<Option<Vec<_>>>().map(|all| format!("[{}]", all.join(", "))),
        Value::Datetime(_) | Value::InlineTable(_) => None,
    }
}
