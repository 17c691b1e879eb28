//! The picture of a network: nodes as boxes in layers, links as lines with what they do to packets. In: nodes and links, as a record has
//! them. Out: SVG, or nothing when there are too many nodes to be read; the tables of the page then say it.

use std::collections::BTreeMap;

use super::svg::{Anchor, Look, Markup, Svg, at, text_width};
use crate::record::{LinkRecord, NodeRecord};
use crate::words;

/// More nodes than this are not drawn.
pub const MAX_NODES: usize = 40;
/// Addresses shown in a box.
const MAX_ADDRESSES: usize = 4;
/// Between two layers, px: room for the labels of links.
const GAP_X: f64 = 130.0;
/// Between two boxes of a layer, px.
const GAP_Y: f64 = 26.0;
const MARGIN: f64 = 14.0;

const INK: Look = Look::fill("ink", "#1b2330");
const FAINT: Look = Look::fill("faint", "#5b6675");
const LINE: Look = Look::line("link", "#8a94a3", 1.6);
const BAD: Look = Look::line("link-impaired", "#d08700", 2.0);

/// A box with its place.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    layer: usize,
}

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// Whose network: the scenario's name.
    pub name: &'a str,
    /// Its nodes.
    pub nodes: &'a [NodeRecord],
    /// Its links.
    pub links: &'a [LinkRecord],
    /// The node on the left, where the first flow begins.
    pub first: usize,
}

pub(super) fn draw(network: Network<'_>) -> Option<Markup> {
    if network.nodes.is_empty() || network.nodes.len() > MAX_NODES {
        return None;
    }
    let layers = layers(network);
    let (places, width, height) = places(network.nodes, &layers);
    let mut svg = Svg::default();
    let mut labels = Svg::default();
    let mut parallel: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    for link in network.links {
        let [a, b] = link.ends;
        let (Some(from), Some(to)) = (places.get(a as usize), places.get(b as usize)) else { continue };
        let nth = parallel.entry((a.min(b), a.max(b))).or_insert(0);
        draw_link(&mut svg, &mut labels, link, (from, to), *nth);
        *nth += 1;
    }
    for (node, place) in network.nodes.iter().zip(&places) {
        draw_node(&mut svg, node, *place);
    }
    let name = format!("the network of {}: {}", network.name, words::plural(network.nodes.len(), "node"));
    Some(svg.followed_by(labels).finish(width, height, &name))
}

/// Nodes by their distance from where the first flow begins; what is not connected to it follows with its own distances.
fn layers(network: Network<'_>) -> Vec<Vec<usize>> {
    let count = network.nodes.len();
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); count];
    for link in network.links {
        let [a, b] = link.ends.map(|end| end as usize);
        if a < count && b < count && a != b {
            neighbours[a].push(b);
            neighbours[b].push(a);
        }
    }
    let first = network.first.min(count - 1);
    let mut layer_of: Vec<Option<usize>> = vec![None; count];
    let mut layers: Vec<Vec<usize>> = Vec::new();
    for root in std::iter::once(first).chain(0..count) {
        if layer_of[root].is_some() {
            continue;
        }
        layer_of[root] = Some(0);
        let mut front = vec![root];
        let mut depth = 0;
        while !front.is_empty() {
            if layers.len() <= depth {
                layers.push(Vec::new());
            }
            layers[depth].extend(&front);
            depth += 1;
            let mut next = Vec::new();
            for node in front {
                for other in &neighbours[node] {
                    if layer_of[*other].is_none() {
                        layer_of[*other] = Some(depth);
                        next.push(*other);
                    }
                }
            }
            front = next;
        }
    }
    layers
}

/// Each node's box, and the size of the picture.
fn places(nodes: &[NodeRecord], layers: &[Vec<usize>]) -> (Vec<Place>, f64, f64) {
    let mut places = vec![Place::default(); nodes.len()];
    let height_of = |layer: &Vec<usize>| layer.iter().map(|node| box_height(&nodes[*node]) + GAP_Y).sum::<f64>() - GAP_Y;
    let tallest = layers.iter().map(height_of).fold(0.0, f64::max);
    let mut x = MARGIN;
    for (index, layer) in layers.iter().enumerate() {
        let width = layer.iter().map(|node| box_width(&nodes[*node])).fold(0.0, f64::max);
        let mut y = MARGIN + (tallest - height_of(layer)) / 2.0;
        for node in layer {
            let height = box_height(&nodes[*node]);
            places[*node] = Place { x, y, width, height, layer: index };
            y += height + GAP_Y;
        }
        x += width + GAP_X;
    }
    // Links within one layer bulge to its right: the last one needs room for that.
    (places, (x - GAP_X + MARGIN + 50.0).max(200.0), tallest + 2.0 * MARGIN)
}

fn addresses(node: &NodeRecord) -> Vec<String> {
    let mut list: Vec<String> = node.addresses.iter().take(MAX_ADDRESSES).map(|text| words::shortened(text, 40)).collect();
    if node.addresses.len() > MAX_ADDRESSES {
        list.push(format!("and {} more", node.addresses.len() - MAX_ADDRESSES));
    }
    list
}

fn box_width(node: &NodeRecord) -> f64 {
    let title = text_width(&words::shortened(&node.name, 30), 13.0) + text_width(&words::shortened(&node.kind, 12), 10.0) + 36.0;
    addresses(node).iter().map(|text| text_width(text, 11.0) + 24.0).fold(title, f64::max).max(96.0)
}

fn box_height(node: &NodeRecord) -> f64 {
    30.0 + addresses(node).len() as f64 * 15.0 + if node.addresses.is_empty() { 0.0 } else { 5.0 }
}

fn draw_node(svg: &mut Svg, node: &NodeRecord, place: Place) {
    let (class, fill, stroke) = match node.kind.as_str() {
        "router" => ("node router", "#fdf3e0", "#d08700"),
        "bridge" => ("node bridge", "#e9ecf1", "#8a94a3"),
        _ => ("node host", "#e5f0f8", "#0067a5"),
    };
    let round = if node.kind == "bridge" { 15.0 } else { 5.0 };
    let title = format!("{} {}: {}", node.kind, node.name, node.addresses.join(", "));
    let look = Look::fill(class, fill).outlined(stroke, 1.4);
    svg.rect((place.x, place.y), (place.width, place.height), round, look, &title);
    let name = Look::fill("ink strong", "#1b2330");
    svg.text((place.x + 11.0, place.y + 20.0), Anchor::Start, 13.0, name, &words::shortened(&node.name, 30));
    let kind = words::shortened(&node.kind, 12);
    svg.text((place.x + place.width - 10.0, place.y + 19.0), Anchor::End, 10.0, FAINT, &kind);
    for (at, text) in addresses(node).iter().enumerate() {
        svg.text((place.x + 11.0, place.y + 38.0 + at as f64 * 15.0), Anchor::Start, 11.0, INK, text);
    }
}

/// A link as a line, its name and impairment in its middle.
fn draw_link(svg: &mut Svg, labels: &mut Svg, link: &LinkRecord, (a, b): (&Place, &Place), nth: usize) {
    let look = if link.impairment.is_empty() { LINE } else { BAD };
    let shift = if nth == 0 { 0.0 } else { 14.0 * nth.div_ceil(2) as f64 * if nth.is_multiple_of(2) { 1.0 } else { -1.0 } };
    let (left, right) = if a.x <= b.x { (a, b) } else { (b, a) };
    let (y1, y2) = (left.y + left.height / 2.0 + shift, right.y + right.height / 2.0 + shift);
    let x1 = left.x + left.width;
    let title = match &link.account {
        None => format!("{} ({}) {}", link.name, link.engine, link.impairment),
        Some(account) => {
            let [there, back] = account.delivered;
            format!("{} ({}) {}: {there} frames there, {back} back", link.name, link.engine, link.impairment)
        }
    };
    let middle = if left.layer == right.layer {
        let out = x1 + 26.0 + (y1 - y2).abs() * 0.12;
        svg.path(&format!("M{} {}C{} {} {} {} {} {}", at(x1), at(y1), at(out), at(y1), at(out), at(y2), at(x1), at(y2)), look, &title);
        (out, f64::midpoint(y1, y2))
    } else {
        let (x2, half) = (right.x, f64::midpoint(x1, right.x));
        svg.path(&format!("M{} {}C{} {} {} {} {} {}", at(x1), at(y1), at(half), at(y1), at(half), at(y2), at(x2), at(y2)), look, &title);
        (half, f64::midpoint(y1, y2))
    };
    label(labels, link, middle);
}

fn label(svg: &mut Svg, link: &LinkRecord, (x, y): (f64, f64)) {
    let name = words::shortened(&link.name, 18);
    let wide = text_width(&name, 10.0) + 8.0;
    svg.rect((x - wide / 2.0, y - 8.0), (wide, 15.0), 3.0, Look::fill("paper", "#ffffff").faint(0.9), "");
    svg.text((x, y + 3.5), Anchor::Middle, 10.0, FAINT, &name);
    if !link.impairment.is_empty() {
        let text = words::shortened(&link.impairment, 22);
        let wide = text_width(&text, 10.5) + 8.0;
        svg.rect((x - wide / 2.0, y + 7.0), (wide, 14.0), 3.0, Look::fill("paper", "#ffffff").faint(0.9), "");
        svg.text((x, y + 18.0), Anchor::Middle, 10.5, Look::fill("impaired", "#8a5a00"), &text);
    }
}
