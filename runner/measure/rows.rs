//! Tables of metrics: a name, or the name of a family that ends in `*`, and how it is measured. In: a table, a metric's name. Out: its row.

/// A metric's row of a table, and which statistic of the row's family it is; a family's name ends in `*`.
pub(super) fn row<'n, H: Copy>(rows: &[(&str, H)], name: &'n str) -> Option<(H, &'n str)> {
    rows.iter().find_map(|(row, how)| match row.strip_suffix('*') {
        Some(family) => Some((*how, name.strip_prefix(family)?)),
        None => (*row == name).then_some((*how, "")),
    })
}
