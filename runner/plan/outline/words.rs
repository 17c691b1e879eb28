//! Amounts, texts and lists in words, as they would be written in a scenario. In: values. Out: words. Shortens nothing: the print does.

use scn_grammar::quantity::{Dimension, Quantity};
use scn_grammar::scenario::NodeId;
use scn_grammar::scenario::pattern::Varying;
use scn_grammar::scenario::text::{Text, TextPart};

use super::super::types::Plan;
use super::Line;

/// A time in ns for people.
pub(super) fn duration(ns: u64) -> String {
    if ns == 0 {
        return "0s".to_owned();
    }
    quantity(Dimension::Duration, ns)
}

/// A number in its base unit for people.
pub(super) fn quantity(dimension: Dimension, value: u64) -> String {
    Quantity::new(dimension, i64::try_from(value).unwrap_or(i64::MAX)).to_string()
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    quantity(Dimension::Size, bytes)
}

/// A share in 1e-9 for people.
pub(super) fn ratio(nano: u64) -> String {
    quantity(Dimension::Ratio, nano)
}

/// A value that may vary.
pub(super) fn varying(value: &Varying, dimension: Dimension) -> String {
    let one = |value: u64| if dimension == Dimension::Duration { duration(value) } else { quantity(dimension, value) };
    match value {
        Varying::Fixed(value) => one(*value),
        Varying::Uniform(low, high) => format!("uniform({}, {})", one(*low), one(*high)),
        Varying::Exponential(mean) => format!("exponential({})", one(*mean)),
        Varying::Normal(mean, deviation) => format!("normal({}, {})", one(*mean), one(*deviation)),
        Varying::Pareto(scale, shape) => format!("pareto({}, {})", one(*scale), quantity(Dimension::Number, *shape)),
        Varying::Choice(values) => format!("choice({})", values.iter().map(|value| one(*value)).collect::<Vec<_>>().join(", ")),
    }
}

/// A text between quotation marks, on one line.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

/// A text with holes between quotation marks, on one line; a secret as `***`.
pub(super) fn text(text: &Text) -> String {
    let part = |part: &TextPart| match part {
        TextPart::Literal(literal) => literal.escape_debug().to_string(),
        TextPart::Dir => "${dir}".to_owned(),
        TextPart::NodeName => "${node.name}".to_owned(),
        TextPart::Secret(_) => "***".to_owned(),
    };
    format!("\"{}\"", text.0.iter().map(part).collect::<String>())
}

/// Bytes as they are written.
pub(super) fn hex(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("hex\"{}\"", shown.join(" "))
}

/// The first and the last of some ports.
pub(super) fn ports((first, last): (u16, u16)) -> String {
    if first == last { first.to_string() } else { format!("{first}..{last}") }
}

/// A switch.
pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// `3 lines`, `1 line`.
pub(super) fn count(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Names, those of one replica that follow each other as a range: `client[1..3], sut`.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut runs: Vec<(&str, Option<(u64, u64)>)> = Vec::new();
    for name in names {
        let (stem, index) = indexed(name);
        match (runs.last_mut(), index) {
            (Some((last, Some((_, to)))), Some(index)) if *last == stem && to.checked_add(1) == Some(index) => *to = index,
            _ => runs.push((stem, index.map(|index| (index, index)))),
        }
    }
    let word = |(stem, range): &(&str, Option<(u64, u64)>)| match range {
        None => (*stem).to_owned(),
        Some((from, to)) if from == to => format!("{stem}[{from}]"),
        Some((from, to)) => format!("{stem}[{from}..{to}]"),
    };
    runs.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A name and its index at the end; a name without one stays whole.
fn indexed(name: &str) -> (&str, Option<u64>) {
    let parts = name.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
    let found = parts.and_then(|(stem, index)| Some((stem, index.parse().ok().filter(|number: &u64| number.to_string() == index)?)));
    found.map_or((name, None), |(stem, index)| (stem, Some(index)))
}

/// Names of nodes.
pub(super) fn nodes(plan: &Plan, nodes: &[NodeId]) -> String {
    names(nodes.iter().map(|node| super::name(plan, *node)))
}

/// A line for an option that is said.
pub(super) fn option<T>(lines: &mut Vec<Line>, key: &str, value: Option<T>, words: impl Fn(T) -> String) {
    lines.extend(value.map(|value| Line::pair(key, words(value))));
}

/// The `##` lines over a declaration.
pub(super) fn doc(doc: &str) -> impl Iterator<Item = Line> {
    doc.lines().map(|line| Line::computed(format!("## {line}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_replicas_become_ranges() {
        assert_eq!(names(["c[1]", "c[2]", "c[3]", "sut", "c[5]"]), "c[1..3], sut, c[5]");
        assert_eq!(names(["x[a=1]", "x[01]", "x[18446744073709551615]", "x[0]"]), "x[a=1], x[01], x[18446744073709551615], x[0]");
        assert_eq!(names([]), "");
    }

    #[test]
    fn a_secret_is_never_told() {
        let secret = Text(vec![TextPart::Literal("a\n".into()), TextPart::Secret("token".into()), TextPart::Dir]);
        assert_eq!(text(&secret), "\"a\\n***${dir}\"");
    }
}
