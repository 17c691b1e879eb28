//! Series as compact columns: each column is the differences of its values, as zigzag varints, in base64. In and out: the row
//! types of [`super::flow`]. Knows nothing of their meaning.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::flow::{Connection, ConnectionEnd, Item, ItemOutcome, TcpSample};
use super::packet::{Packet, PacketFate, PacketWay};
use super::tool::Report;

/// Differences of neighbours as zigzag varints, in base64.
fn encode(values: impl Iterator<Item = i64>) -> String {
    let mut bytes = Vec::new();
    let mut last = 0i64;
    for value in values {
        let difference = value.wrapping_sub(last);
        last = value;
        let mut rest = ((difference << 1) ^ (difference >> 63)) as u64;
        while rest >= 0x80 {
            bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    STANDARD_NO_PAD.encode(bytes)
}

/// The inverse of [`encode`]. A damaged column is an error, never a guess.
fn decode(text: &str) -> Result<Vec<i64>, String> {
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|e| format!("a column is not base64: {e}"))?;
    let (mut values, mut last) = (Vec::new(), 0i64);
    let (mut rest, mut shift) = (0u64, 0u32);
    for byte in bytes {
        if shift > 63 || (shift == 63 && byte > 1) {
            return Err("a column holds a number of more than 64 bits".to_owned());
        }
        rest |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            let difference = (rest >> 1) as i64 ^ -((rest & 1) as i64);
            last = last.wrapping_add(difference);
            values.push(last);
            (rest, shift) = (0, 0);
        }
    }
    if shift == 0 { Ok(values) } else { Err("a column ends in the middle of a number".to_owned()) }
}

/// Columns by name, all of the same length, and texts that columns refer to.
#[derive(Serialize, Deserialize)]
struct Table {
    rows: usize,
    columns: std::collections::BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    texts: Vec<String>,
}

impl Table {
    fn new(rows: usize) -> Self {
        Table { rows, columns: std::collections::BTreeMap::new(), texts: Vec::new() }
    }

    fn put(&mut self, name: &str, values: impl Iterator<Item = i64>) {
        self.columns.insert(name.to_owned(), encode(values));
    }

    /// How many rows there are. The column that every version writes must be there and have as many, so that a damaged number
    /// never asks for more memory than the file itself would fill.
    fn rows_of(&self, first: &str) -> Result<usize, String> {
        if self.rows == 0 || self.columns.contains_key(first) {
            self.take(first).map(|values| values.len())
        } else {
            Err(format!("column `{first}` is missing"))
        }
    }

    /// The values of a column; a column that an older version did not write is all zero.
    fn take(&self, name: &str) -> Result<Vec<i64>, String> {
        let Some(text) = self.columns.get(name) else { return Ok(vec![0; self.rows]) };
        let values = decode(text).map_err(|e| format!("column `{name}`: {e}"))?;
        if values.len() == self.rows { Ok(values) } else { Err(format!("column `{name}` has {} rows, not {}", values.len(), self.rows)) }
    }
}

/// Numbers of a column as a narrower type.
fn narrow<T: TryFrom<i64>>(value: i64, name: &str) -> Result<T, String> {
    T::try_from(value).map_err(|_| format!("column `{name}` holds {value}, which is out of range"))
}

/// 64-bit counters as the same bits.
fn signed(value: u64) -> i64 {
    value as i64
}

/// The inverse of [`signed`].
fn unsigned(value: i64) -> u64 {
    value as u64
}

/// `serde(with)` for [`Item`]s.
pub mod items {
    use super::*;

    /// Writes columns.
    pub fn serialize<S: Serializer>(rows: &[Item], serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = Table::new(rows.len());
        table.put("intended", rows.iter().map(|r| r.intended_ns));
        table.put("sent", rows.iter().map(|r| r.sent_ns));
        table.put("done", rows.iter().map(|r| r.done_ns));
        table.put("lag", rows.iter().map(|r| i64::from(r.lag_ns)));
        table.put("connection", rows.iter().map(|r| i64::from(r.connection)));
        table.put("backend", rows.iter().map(|r| i64::from(r.backend)));
        table.put("outcome", rows.iter().map(|r| r.outcome as i64));
        if rows.iter().any(|r| r.status != 0) {
            table.put("status", rows.iter().map(|r| i64::from(r.status)));
        }
        table.put("forward_bytes", rows.iter().map(|r| i64::from(r.forward_bytes)));
        table.put("back_bytes", rows.iter().map(|r| i64::from(r.back_bytes)));
        table.serialize(serializer)
    }

    /// Reads columns.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Item>, D::Error> {
        rows(&Table::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    fn rows(table: &Table) -> Result<Vec<Item>, String> {
        table.rows_of("intended")?;
        let (intended, sent, done) = (table.take("intended")?, table.take("sent")?, table.take("done")?);
        let (lag, connection, backend) = (table.take("lag")?, table.take("connection")?, table.take("backend")?);
        let (outcome, forward, back) = (table.take("outcome")?, table.take("forward_bytes")?, table.take("back_bytes")?);
        let status = table.take("status")?;
        (0..table.rows)
            .map(|i| {
                Ok(Item {
                    intended_ns: intended[i],
                    sent_ns: sent[i],
                    done_ns: done[i],
                    lag_ns: narrow(lag[i], "lag")?,
                    connection: narrow(connection[i], "connection")?,
                    backend: narrow(backend[i], "backend")?,
                    outcome: match outcome[i] {
                        0 => ItemOutcome::Done,
                        1 => ItemOutcome::Failed,
                        2 => ItemOutcome::Dropped,
                        3 => ItemOutcome::Unfinished,
                        other => return Err(format!("column `outcome` holds {other}, which this version does not know")),
                    },
                    status: narrow(status[i], "status")?,
                    forward_bytes: narrow(forward[i], "forward_bytes")?,
                    back_bytes: narrow(back[i], "back_bytes")?,
                })
            })
            .collect()
    }
}

/// `serde(with)` for [`Connection`]s.
pub mod connections {
    use super::*;

    const ENDS: [ConnectionEnd; 11] = [
        ConnectionEnd::Open,
        ConnectionEnd::Closed,
        ConnectionEnd::Refused,
        ConnectionEnd::ConnectTimeout,
        ConnectionEnd::Unreachable,
        ConnectionEnd::Reset,
        ConnectionEnd::EarlyClose,
        ConnectionEnd::Timeout,
        ConnectionEnd::Mismatch,
        ConnectionEnd::Other,
        ConnectionEnd::Tls,
    ];

    /// Writes columns; addresses go to a list of texts.
    pub fn serialize<S: Serializer>(rows: &[Connection], serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = Table::new(rows.len());
        table.put("opened", rows.iter().map(|r| r.opened_ns));
        table.put("established", rows.iter().map(|r| r.established_ns));
        if rows.iter().any(|r| r.handshake_ns != 0) {
            table.put("handshake", rows.iter().map(|r| r.handshake_ns));
        }
        table.put("closed", rows.iter().map(|r| r.closed_ns));
        table.put("end", rows.iter().map(|r| r.end as i64));
        table.put("successor_of", rows.iter().map(|r| i64::from(r.successor_of)));
        table.put("backend", rows.iter().map(|r| i64::from(r.backend)));
        table.put("transactions", rows.iter().map(|r| i64::from(r.transactions)));
        let mut places = std::collections::BTreeMap::new();
        let mut texts = Vec::new();
        let mut place = |text: &String| -> i64 {
            let next = places.len();
            let at = *places.entry(text.clone()).or_insert_with(|| {
                texts.push(text.clone());
                next
            });
            i64::try_from(at).unwrap_or(i64::MAX)
        };
        let local: Vec<i64> = rows.iter().map(|r| place(&r.local)).collect();
        let remote: Vec<i64> = rows.iter().map(|r| place(&r.remote)).collect();
        table.put("local", local.into_iter());
        table.put("remote", remote.into_iter());
        table.texts = texts;
        table.serialize(serializer)
    }

    /// Reads columns.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Connection>, D::Error> {
        rows(&Table::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    fn rows(table: &Table) -> Result<Vec<Connection>, String> {
        table.rows_of("opened")?;
        let (opened, established, closed) = (table.take("opened")?, table.take("established")?, table.take("closed")?);
        let handshake = table.take("handshake")?;
        let (end, successor, backend) = (table.take("end")?, table.take("successor_of")?, table.take("backend")?);
        let (transactions, local, remote) = (table.take("transactions")?, table.take("local")?, table.take("remote")?);
        let text = |at: i64| -> Result<String, String> {
            let found = usize::try_from(at).ok().and_then(|at| table.texts.get(at));
            found.cloned().ok_or_else(|| format!("a connection refers to text {at}, which is not there"))
        };
        (0..table.rows)
            .map(|i| {
                Ok(Connection {
                    opened_ns: opened[i],
                    established_ns: established[i],
                    handshake_ns: handshake[i],
                    closed_ns: closed[i],
                    end: usize::try_from(end[i])
                        .ok()
                        .and_then(|at| ENDS.get(at))
                        .copied()
                        .ok_or_else(|| format!("column `end` holds {}, which this version does not know", end[i]))?,
                    successor_of: narrow(successor[i], "successor_of")?,
                    backend: narrow(backend[i], "backend")?,
                    transactions: narrow(transactions[i], "transactions")?,
                    local: text(local[i])?,
                    remote: text(remote[i])?,
                })
            })
            .collect()
    }
}

/// `serde(with)` for [`TcpSample`]s.
pub mod tcp {
    use super::*;

    /// Writes columns, sorted by connection and end so that neighbours differ little.
    pub fn serialize<S: Serializer>(rows: &[TcpSample], serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows: Vec<&TcpSample> = rows.iter().collect();
        rows.sort_by_key(|r| (r.connection, r.server, r.at_ns));
        let mut table = Table::new(rows.len());
        let mut put = |name: &str, of: &dyn Fn(&TcpSample) -> i64| table.put(name, rows.iter().map(|r| of(r)));
        put("at", &|r| r.at_ns);
        put("connection", &|r| i64::from(r.connection));
        put("server", &|r| i64::from(r.server));
        put("rtt", &|r| i64::from(r.rtt_us));
        put("rttvar", &|r| i64::from(r.rttvar_us));
        put("min_rtt", &|r| i64::from(r.min_rtt_us));
        put("cwnd", &|r| i64::from(r.cwnd));
        put("ssthresh", &|r| i64::from(r.ssthresh));
        put("retransmits", &|r| i64::from(r.retransmits));
        put("lost", &|r| i64::from(r.lost));
        put("unacked", &|r| i64::from(r.unacked));
        put("reordering", &|r| i64::from(r.reordering));
        put("bytes_acked", &|r| signed(r.bytes_acked));
        put("bytes_received", &|r| signed(r.bytes_received));
        put("delivery_rate", &|r| signed(r.delivery_rate));
        put("pacing_rate", &|r| signed(r.pacing_rate));
        put("ca_state", &|r| i64::from(r.ca_state));
        put("state", &|r| i64::from(r.state));
        table.serialize(serializer)
    }

    /// Reads columns, in the order of the instants.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<TcpSample>, D::Error> {
        let mut rows = rows(&Table::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
        rows.sort_by_key(|r| (r.at_ns, r.connection, r.server));
        Ok(rows)
    }

    fn rows(table: &Table) -> Result<Vec<TcpSample>, String> {
        let mut rows = vec![TcpSample::default(); table.rows_of("at")?];
        let rows_of = rows.as_mut_slice();
        fill(table, rows_of, "at", |r| &mut r.at_ns)?;
        fill(table, rows_of, "connection", |r| &mut r.connection)?;
        fill(table, rows_of, "rtt", |r| &mut r.rtt_us)?;
        fill(table, rows_of, "rttvar", |r| &mut r.rttvar_us)?;
        fill(table, rows_of, "min_rtt", |r| &mut r.min_rtt_us)?;
        fill(table, rows_of, "cwnd", |r| &mut r.cwnd)?;
        fill(table, rows_of, "ssthresh", |r| &mut r.ssthresh)?;
        fill(table, rows_of, "retransmits", |r| &mut r.retransmits)?;
        fill(table, rows_of, "lost", |r| &mut r.lost)?;
        fill(table, rows_of, "unacked", |r| &mut r.unacked)?;
        fill(table, rows_of, "reordering", |r| &mut r.reordering)?;
        fill(table, rows_of, "ca_state", |r| &mut r.ca_state)?;
        fill(table, rows_of, "state", |r| &mut r.state)?;
        fill_bits(table, rows_of, "bytes_acked", |r| &mut r.bytes_acked)?;
        fill_bits(table, rows_of, "bytes_received", |r| &mut r.bytes_received)?;
        fill_bits(table, rows_of, "delivery_rate", |r| &mut r.delivery_rate)?;
        fill_bits(table, rows_of, "pacing_rate", |r| &mut r.pacing_rate)?;
        for (row, server) in rows.iter_mut().zip(table.take("server")?) {
            row.server = server != 0;
        }
        Ok(rows)
    }

    /// One column into its field, checked for range.
    fn fill<T: TryFrom<i64>>(
        table: &Table,
        rows: &mut [TcpSample],
        name: &str,
        field: impl Fn(&mut TcpSample) -> &mut T,
    ) -> Result<(), String> {
        for (value, row) in table.take(name)?.into_iter().zip(rows) {
            *field(row) = narrow(value, name)?;
        }
        Ok(())
    }

    /// One column of 64-bit counters into its field.
    fn fill_bits(table: &Table, rows: &mut [TcpSample], name: &str, field: impl Fn(&mut TcpSample) -> &mut u64) -> Result<(), String> {
        for (value, row) in table.take(name)?.into_iter().zip(rows) {
            *field(row) = unsigned(value);
        }
        Ok(())
    }
}

/// `serde(with)` for [`Packet`]s.
pub mod packets {
    use super::*;

    const WAYS: [PacketWay; 3] = [PacketWay::Forward, PacketWay::Back, PacketWay::Round];
    const FATES: [PacketFate; 5] = [PacketFate::Arrived, PacketFate::Copy, PacketFate::Late, PacketFate::Lost, PacketFate::Unseen];

    /// Writes columns.
    pub fn serialize<S: Serializer>(rows: &[Packet], serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = Table::new(rows.len());
        table.put("sent", rows.iter().map(|r| r.sent_ns));
        table.put("received", rows.iter().map(|r| r.received_ns));
        table.put("asked", rows.iter().map(|r| r.asked_ns));
        table.put("way", rows.iter().map(|r| r.way as i64));
        table.put("fate", rows.iter().map(|r| r.fate as i64));
        table.put("connection", rows.iter().map(|r| i64::from(r.connection)));
        table.serialize(serializer)
    }

    /// Reads columns.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Packet>, D::Error> {
        rows(&Table::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    fn rows(table: &Table) -> Result<Vec<Packet>, String> {
        table.rows_of("sent")?;
        let (sent, received, asked) = (table.take("sent")?, table.take("received")?, table.take("asked")?);
        let (way, fate, connection) = (table.take("way")?, table.take("fate")?, table.take("connection")?);
        let unknown = |name: &str, value: i64| format!("column `{name}` holds {value}, which this version does not know");
        (0..table.rows)
            .map(|i| {
                Ok(Packet {
                    way: usize::try_from(way[i]).ok().and_then(|at| WAYS.get(at)).copied().ok_or_else(|| unknown("way", way[i]))?,
                    fate: usize::try_from(fate[i]).ok().and_then(|at| FATES.get(at)).copied().ok_or_else(|| unknown("fate", fate[i]))?,
                    connection: narrow(connection[i], "connection")?,
                    sent_ns: sent[i],
                    received_ns: received[i],
                    asked_ns: asked[i],
                })
            })
            .collect()
    }
}

/// `serde(with)` for [`Report`]s of tools.
pub mod reports {
    use super::*;

    /// Writes columns.
    pub fn serialize<S: Serializer>(rows: &[Report], serializer: S) -> Result<S::Ok, S::Error> {
        let mut table = Table::new(rows.len());
        table.put("from", rows.iter().map(|r| r.from_ns));
        table.put("to", rows.iter().map(|r| r.to_ns));
        table.put("back", rows.iter().map(|r| i64::from(r.back)));
        table.put("receiver", rows.iter().map(|r| i64::from(r.receiver)));
        table.put("datagrams", rows.iter().map(|r| i64::from(r.datagrams)));
        table.put("bytes", rows.iter().map(|r| signed(r.bytes)));
        table.put("packets", rows.iter().map(|r| signed(r.packets)));
        table.put("lost", rows.iter().map(|r| r.lost));
        table.put("reordered", rows.iter().map(|r| signed(r.reordered)));
        table.put("jitter", rows.iter().map(|r| r.jitter_ns));
        table.serialize(serializer)
    }

    /// Reads columns.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Report>, D::Error> {
        rows(&Table::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }

    fn rows(table: &Table) -> Result<Vec<Report>, String> {
        table.rows_of("from")?;
        let (from, to, back, receiver) = (table.take("from")?, table.take("to")?, table.take("back")?, table.take("receiver")?);
        let (datagrams, bytes, packets) = (table.take("datagrams")?, table.take("bytes")?, table.take("packets")?);
        let (lost, reordered, jitter) = (table.take("lost")?, table.take("reordered")?, table.take("jitter")?);
        let row = |i: usize| Report {
            from_ns: from[i],
            to_ns: to[i],
            back: back[i] != 0,
            receiver: receiver[i] != 0,
            datagrams: datagrams[i] != 0,
            bytes: unsigned(bytes[i]),
            packets: unsigned(packets[i]),
            lost: lost[i],
            reordered: unsigned(reordered[i]),
            jitter_ns: jitter[i],
        };
        Ok((0..table.rows).map(row).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_round_trip() {
        let values = vec![0, 5, -3, i64::MIN, i64::MAX, 7, 7, 1 << 40];
        assert_eq!(decode(&encode(values.iter().copied())).unwrap(), values);
    }

    #[test]
    fn packets_keep_their_way_and_fate() {
        use crate::record::flow::NEVER;
        let row = |way, fate, received_ns| Packet { way, fate, connection: 3, sent_ns: 5, received_ns, asked_ns: NEVER };
        let rows = vec![
            row(PacketWay::Forward, PacketFate::Arrived, 9),
            row(PacketWay::Back, PacketFate::Copy, 10),
            row(PacketWay::Round, PacketFate::Late, 11),
            row(PacketWay::Forward, PacketFate::Lost, NEVER),
            row(PacketWay::Forward, PacketFate::Unseen, NEVER),
        ];
        let datagrams = crate::record::packet::Datagrams { limit_ns: 7, packets: rows, late_ns: vec![12], ..Default::default() };
        let text = serde_json::to_string(&datagrams).unwrap();
        // The form in the file: a change of it needs another version.
        assert_eq!(
            text,
            concat!(
                r#"{"limit_ns":7,"packets":{"rows":5,"columns":{"asked":"////////////AQAAAAA","#,
                r#""connection":"BgAAAAA","fate":"AAICAgI","received":"EgIC6v//////////AQA","sent":"CgAAAAA","#,
                r#""way":"AAICAwA"}},"late_ns":[12]}"#,
            )
        );
        assert_eq!(serde_json::from_str::<crate::record::packet::Datagrams>(&text).unwrap(), datagrams);
        let unknown = text.replace("\"fate\":\"AAICAgI\"", "\"fate\":\"AAICAgg\"");
        assert!(serde_json::from_str::<crate::record::packet::Datagrams>(&unknown).unwrap_err().to_string().contains("`fate` holds 7"));
    }

    #[test]
    fn handshakes_stand_in_a_column_of_their_own_where_there_are_any() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Rows(#[serde(with = "super::connections")] Vec<Connection>);
        let plain = Connection {
            opened_ns: 1,
            established_ns: 5,
            handshake_ns: 0,
            closed_ns: 9,
            end: ConnectionEnd::Closed,
            successor_of: u32::MAX,
            backend: 1,
            transactions: 2,
            local: "10.0.0.1:5".to_owned(),
            remote: "10.0.0.2:443".to_owned(),
        };
        let text = serde_json::to_string(&Rows(vec![plain.clone()])).unwrap();
        // As versions wrote it that had none.
        assert_eq!(
            text,
            concat!(
                r#"{"rows":1,"columns":{"backend":"Ag","closed":"Eg","end":"Ag","established":"Cg","local":"AA","opened":"Ag","remote":"Ag","#,
                r#""successor_of":"/v///x8","transactions":"BA"},"texts":["10.0.0.1:5","10.0.0.2:443"]}"#,
            )
        );
        assert_eq!(serde_json::from_str::<Rows>(&text).unwrap().0, std::slice::from_ref(&plain));
        let refused = Connection { end: ConnectionEnd::Tls, ..plain.clone() };
        let rows = Rows(vec![plain.clone(), Connection { handshake_ns: 3, ..plain }, refused]);
        let text = serde_json::to_string(&rows).unwrap();
        assert!(text.contains(r#""end":"AgAS""#) && text.contains(r#""handshake":"AAYF""#), "{text}");
        assert_eq!(serde_json::from_str::<Rows>(&text).unwrap(), rows);
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_an_error() {
        let text = STANDARD_NO_PAD.encode([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]);
        assert!(decode(&text).unwrap_err().contains("64 bits"));
    }

    #[test]
    fn a_huge_row_count_without_rows_is_an_error() {
        let table = Table { rows: usize::MAX, columns: std::collections::BTreeMap::new(), texts: Vec::new() };
        assert_eq!(table.rows_of("at").unwrap_err(), "column `at` is missing");
    }

    #[test]
    fn a_cut_column_is_an_error() {
        let text = encode([1_000_000_i64].into_iter());
        assert!(decode(&text[..text.len() - 2]).is_err());
    }
}
