//! The network of a plan for GraphViz. In: a plan. Out: a graph in the DOT language: nodes with their addresses, links with their names,
//! engines and impairments. Names stand in labels only, escaped.

use std::fmt::Write as _;

use super::picture;
use super::types::Plan;

/// The network as a graph. Ends with a newline.
#[must_use]
pub fn dot(plan: &Plan) -> String {
    let mut out = format!("graph {} {{\n  node [shape=box];\n", quoted(&[&plan.scenario]));
    for (at, node) in picture::nodes(plan).iter().enumerate() {
        let shape = match node.kind.as_str() {
            "router" => ", style=rounded",
            "bridge" => ", shape=oval",
            _ => "",
        };
        let mut lines = vec![node.name.as_str()];
        lines.extend(node.addresses.iter().map(String::as_str));
        // Writing into a string does not fail.
        _ = writeln!(out, "  n{at} [label={}{shape}];", quoted(&lines));
    }
    for link in &plan.links {
        let [a, b] = link.ends.map(|(node, _)| node.0);
        let does = picture::does(link);
        let mut lines = vec![link.name.as_str(), picture::engine(link.engine)];
        lines.extend((!does.is_empty()).then_some(does.as_str()));
        _ = writeln!(out, "  n{a} -- n{b} [label={}];", quoted(&lines));
    }
    out.push_str("}\n");
    out
}

/// Lines as a string of DOT: nothing in them ends it or is taken for an escape.
fn quoted(lines: &[&str]) -> String {
    let escaped = |line: &&str| {
        line.chars().fold(String::new(), |mut out, c| {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if c.is_control() => out.push(' '),
                c => out.push(c),
            }
            out
        })
    };
    format!("\"{}\"", lines.iter().map(escaped).collect::<Vec<_>>().join("\\n"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::build::build;
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_labels() {
        let mut lab = build("host a, b; bridge lan; router r", "a 10.0.0.1/24 - lan; b - lan; r - lan");
        lab.scenario.name = "x\"; n9 [evil]; \\".to_owned();
        lab.scenario.topology.nodes[0].name = "a\\".to_owned();
        lab.scenario.topology.nodes[1].name = "\"]; } graph {\n".to_owned();
        let text = dot(&lab.good());
        // Outside of its strings a graph consists of a few words only.
        let mut outside = String::new();
        let (mut inside, mut escaped) = (false, false);
        for c in text.chars() {
            match (inside, escaped, c) {
                (true, true, _) => escaped = false,
                (true, false, '\\') => escaped = true,
                (_, false, '"') => inside = !inside,
                (false, false, c) => outside.push(c),
                _ => assert!(c != '\n', "a string goes over the end of its line"),
            }
        }
        assert!(!inside, "{text}");
        let nodes = "  n0 [label=];\n  n1 [label=];\n  n2 [label=, shape=oval];\n  n3 [label=, style=rounded];\n";
        let links = "  n0 -- n2 [label=];\n  n1 -- n2 [label=];\n  n3 -- n2 [label=];\n";
        assert_eq!(outside, format!("graph  {{\n  node [shape=box];\n{nodes}{links}}}\n"));
        assert!(text.contains("[label=\"a\\\\\\neth0 10.0.0.1/24\"]"), "{text}");
    }
}
