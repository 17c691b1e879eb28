//! What a real program told of a flow that it made: how much in which stretch of time, by its own reports, and how it was started and
//! ended. Echoes that it sent one by one stand among the flow's items instead.

use serde::{Deserialize, Serialize};

use super::columns;

/// The tool of one flow.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ToolRecord {
    /// `iperf3`.
    pub name: String,
    /// An instant of its reports may be this far from the truth on the run's clock, ns.
    pub error_ns: u64,
    /// Its reports, in the order of their beginnings.
    #[serde(with = "columns::reports")]
    pub reports: Vec<Report>,
    /// What may be lost, and may have come without being counted: the `lost` of these is a bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "columns::reports")]
    pub unsure: Vec<Report>,
    /// When something went wrong, in order, ns; what, stands among the flow's failures.
    pub errors_ns: Vec<i64>,
    /// How its programs were started and ended, in order.
    pub programs: Vec<ToolProgram>,
}

/// What one end told of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// First instant, ns.
    pub from_ns: i64,
    /// Last instant, ns.
    pub to_ns: i64,
    /// The payload went from server to client.
    pub back: bool,
    /// The receiving end tells it; otherwise the sending one.
    pub receiver: bool,
    /// It counts datagrams, not bytes of a stream.
    pub datagrams: bool,
    /// Payload sent or received, bytes.
    pub bytes: u64,
    /// Datagrams sent or received.
    pub packets: u64,
    /// Datagrams that the receiver misses; less than none where some came late that had been counted before.
    pub lost: i64,
    /// Datagrams that came after a later one.
    pub reordered: u64,
    /// Jitter of RFC 3550 at the last instant, ns; less than 0: it does not tell.
    pub jitter_ns: i64,
}

/// One program that a tool was, from its start to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolProgram {
    /// Its node: a position in the record's nodes.
    pub node: u32,
    /// Its command line.
    pub command: String,
    /// When it was started, ns.
    pub started_ns: i64,
    /// When it had ended, ns; `None`: nobody saw it.
    pub ended_ns: Option<i64>,
    /// Its exit status; of a signal 128 and the signal's number.
    pub status: Option<i32>,
    /// The last that it said on its error output.
    pub said: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_stored_as_columns() {
        let counts = Report {
            from_ns: 5,
            to_ns: 15,
            back: false,
            receiver: true,
            datagrams: true,
            bytes: 1000,
            packets: 2,
            lost: 1,
            reordered: 0,
            jitter_ns: -1,
        };
        let program = ToolProgram {
            node: 1,
            command: "iperf3 -s".to_owned(),
            started_ns: -7,
            ended_ns: Some(20),
            status: Some(137),
            said: vec!["ended".to_owned()],
        };
        let tool = ToolRecord {
            name: "iperf3".to_owned(),
            error_ns: 3,
            reports: vec![counts],
            unsure: Vec::new(),
            errors_ns: vec![9],
            programs: vec![program],
        };
        let text = serde_json::to_string(&tool).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"name":"iperf3","error_ns":3,"reports":{"rows":1,"columns":{"back":"AA","bytes":"0A8","datagrams":"Ag","from":"Cg","#,
                r#""jitter":"AQ","lost":"Ag","packets":"BA","receiver":"Ag","reordered":"AA","to":"Hg"}},"errors_ns":[9],"#,
                r#""programs":[{"node":1,"command":"iperf3 -s","started_ns":-7,"ended_ns":20,"status":137,"said":["ended"]}]}"#,
            )
        );
        assert_eq!(serde_json::from_str::<ToolRecord>(&text).unwrap(), tool);
        let unsure = ToolRecord { unsure: vec![counts], ..tool };
        let text = serde_json::to_string(&unsure).unwrap();
        assert_eq!(serde_json::from_str::<ToolRecord>(&text).unwrap(), unsure);
    }
}
