//! Mixes of random streams on a terminal: their numbers, and what went wrong in them. In: a record. Out: tables for [`super::render`]. Measures nothing.

use super::{Style, Tone, flow};
use crate::record::RunRecord;
use crate::words;

/// Each stress with its numbers.
pub(super) fn table(out: &mut String, record: &RunRecord, style: Style) {
    for stress in &record.stresses {
        let about = format!("{}  {}", words::visible(&stress.name), words::visible(&stress.description));
        out.push('\n');
        for (at, part) in words::wrap(&style.plain(&about), style.width() - 2).iter().enumerate() {
            out.push_str(&format!("  {}\n", style.paint(if at == 0 { Tone::Strong } else { Tone::Faint }, part)));
        }
        let number = |row: &crate::record::flow::Measurement| {
            (row.name.clone(), format!("{}{}", words::visible(&row.value), words::error(&row.error)))
        };
        flow::grid(out, &stress.summary.iter().map(number).collect::<Vec<_>>(), style);
    }
}

/// What went wrong, stress by stress.
pub(super) fn failures(out: &mut String, record: &RunRecord, style: Style) {
    for stress in record.stresses.iter().filter(|stress| !stress.failures.is_empty()) {
        out.push_str(&format!("\n  {}\n", style.paint(Tone::Strong, &format!("what went wrong in {}", words::visible(&stress.name)))));
        flow::kinds(out, &stress.failures, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::example;
    use crate::record::flow::{Failure, Measurement};
    use crate::record::stress::StressRecord;

    #[test]
    fn a_stress_shows_its_numbers_and_what_went_wrong() {
        let mut record = example::failover();
        let row = Measurement { name: "sent".to_owned(), value: "702".to_owned(), error: String::new(), definition: String::new() };
        let failure = Failure {
            step: "connect to 10.0.0.1:20000".to_owned(),
            what: "connection refused".to_owned(),
            line: 7,
            count: 3,
            first_ns: 1_000_000_000,
            last_ns: 2_000_000_000,
        };
        record.stresses = vec![StressRecord {
            name: "mix".to_owned(),
            description: "from client to sut, 10 streams over tcp".to_owned(),
            summary: vec![row],
            failures: vec![failure],
            ..StressRecord::default()
        }];
        let (mut out, style) = (String::new(), Style { colour: false, width: 100, unicode: true });
        failures(&mut out, &record, style);
        table(&mut out, &record, style);
        let said = [
            "what went wrong in mix",
            "3× ",
            "connect to 10.0.0.1:20000: connection refused (line 7), from 1.000s to 2.000s",
            "sent",
            "702",
        ];
        said.iter().for_each(|said| assert!(out.contains(said), "{said}:\n{out}"));
    }
}
