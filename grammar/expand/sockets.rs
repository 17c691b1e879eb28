//! Options of sockets, of TLS and of HTTP, on both sides. In: options as said. Out: their types. Opens nothing.

use super::draft::Draft;
use super::error::ExpandError;
use super::net_error::NetError;
use super::options::{Found, Known, Said};
use super::reading::{Bounds, DAY_NS};
use super::transport_options::{TLS_ROWS, listed};
use crate::quantity::{BILLION, Dimension};
use crate::scenario::transport::{CIPHERS, Certificate, Socket, TlsClient, TlsServer, TlsVersion, Verify, Wire};
use crate::source::Span;

/// Sizes of buffers.
const BUFFER: Bounds = Bounds(Dimension::Size, 1_024, 1 << 30);
/// Times of a socket.
const SOCKET_TIME: Bounds = Bounds(Dimension::Duration, 1_000_000, DAY_NS);
/// The kernel's longest name of a congestion control.
const CONGESTION_LENGTH: usize = 15;
/// The longest name of a server.
const SERVER_NAME_LENGTH: usize = 253;
/// Names, protocols and ciphers of one end: at most so many.
const NAME_LIMIT: usize = 100;
/// The words of `wire`.
pub(crate) const WIRES: &[(&str, Wire)] = &[("own", Wire::Own), ("ctraffic", Wire::Ctraffic)];
/// The options of `tls` in HTTP.
pub(crate) const TLS_OPTIONS: Known = Known { what: "`tls`", once: TLS_ROWS, many: &[] };

impl Draft<'_, '_> {
    /// The options of a socket.
    pub(super) fn socket(&mut self, found: &Found<'_>) -> Socket {
        let buffer = |draft: &mut Self, name: &str| found.get(name).and_then(|said| draft.amount(said, BUFFER, &format!("{name} 1MiB")));
        let lasting =
            |draft: &mut Self, name: &str| found.get(name).and_then(|said| draft.amount(said, SOCKET_TIME, &format!("{name} 10s")));
        let switch = |draft: &mut Self, name: &str| found.get(name).and_then(|said| draft.switch(said));
        Socket {
            congestion: found.get("congestion").and_then(|said| self.congestion(said)),
            nodelay: switch(self, "nodelay"),
            ecn: switch(self, "ecn"),
            keepalive_ns: lasting(self, "keepalive"),
            mss: found.get("mss").and_then(|said| self.small(said, 88, 65_495, "mss 1400")),
            dscp: self.dscp(found),
            ttl: self.ttl(found),
            mark: self.mark(found),
            send_buffer: buffer(self, "send_buffer"),
            receive_buffer: buffer(self, "receive_buffer"),
            user_timeout_ns: lasting(self, "user_timeout"),
        }
    }

    pub(super) fn dscp(&mut self, found: &Found<'_>) -> Option<u8> {
        found.get("dscp").and_then(|said| self.small(said, 0, 63, "dscp 46"))
    }

    pub(super) fn ttl(&mut self, found: &Found<'_>) -> Option<u8> {
        found.get("ttl").and_then(|said| self.small(said, 1, 255, "ttl 64"))
    }

    pub(super) fn mark(&mut self, found: &Found<'_>) -> Option<u32> {
        found.get("mark").and_then(|said| self.small(said, 1, i64::from(u32::MAX), "mark 7"))
    }

    /// The form of messages.
    pub(super) fn wire(&mut self, found: &Found<'_>) -> Wire {
        found.get("wire").and_then(|said| self.choice(said, WIRES)).unwrap_or_default()
    }

    fn congestion(&mut self, said: &Said<'_>) -> Option<String> {
        let value = self.one(said, "congestion bbr")?;
        match self.word_of(value, &said.scope) {
            Some(name) if name.len() <= CONGESTION_LENGTH => Some(name),
            Some(name) => {
                let help = Some("write the kernel's name of it: cubic, reno, bbr, dctcp and so on".to_owned());
                self.context.raise(NetError::UnknownChoice { what: "`congestion`".into(), name, span: value.span, help });
                None
            }
            None => {
                if let Some(found) = self.context.evaluate(value, &said.scope) {
                    self.context.wrong_type("a word such as `cubic` or `bbr`", &found, value.span);
                }
                None
            }
        }
    }

    /// The client's side of TLS.
    pub(super) fn tls_client(&mut self, found: &Found<'_>) -> TlsClient {
        let name = found.get("name").and_then(|said| {
            let value = self.one(said, "name \"www.example.com\"")?;
            let name = self.text_of(value, &said.scope)?;
            self.is_server_name(&name, value.span).then_some(name)
        });
        TlsClient {
            name,
            verify: found.get("verify").and_then(|said| self.verify(said)).unwrap_or(Verify::On),
            versions: self.versions(found),
            alpn: self.names_of(found, "alpn", "alpn \"h2\""),
            ciphers: self.ciphers(found),
            resumption: found.get("resumption").and_then(|said| self.switch(said)).unwrap_or(false),
            certificate: found.get("certificate").and_then(|said| self.certificate(said)),
        }
    }

    /// The server's side of TLS.
    pub(super) fn tls_server(&mut self, found: &Found<'_>) -> TlsServer {
        let names = self.names_of(found, "name", "name \"www.example.com\"");
        if let Some(said) = found.get("name") {
            let span = said.option.values.first().map_or(said.option.span, |value| value.span);
            names.iter().all(|name| self.is_server_name(name, span));
        }
        let certificate = found.get("certificate").and_then(|said| self.certificate(said)).unwrap_or(Certificate::Auto);
        if let (Certificate::Files { .. }, Some(name), Some(file)) = (&certificate, found.get("name"), found.get("certificate")) {
            let message = "a certificate from a file has its own names".to_owned();
            let (span, other) = (name.span(), file.option.span);
            self.context.raise(ExpandError::OptionConflict { message, span, other, help: "leave `name` out".into() });
        }
        TlsServer {
            names,
            certificate,
            versions: self.versions(found),
            alpn: self.names_of(found, "alpn", "alpn \"h2\""),
            ciphers: self.ciphers(found),
            resumption: found.get("resumption").and_then(|said| self.switch(said)).unwrap_or(true),
            verify: found.get("verify").and_then(|said| self.verify(said)).unwrap_or(Verify::Off),
        }
    }

    fn names_of(&mut self, found: &Found<'_>, option: &str, form: &str) -> Vec<String> {
        let Some(said) = found.get(option) else { return Vec::new() };
        let names = self.texts(said, form).unwrap_or_default();
        if names.len() > NAME_LIMIT {
            let (count, limit) = (names.len() as u64, NAME_LIMIT as u64);
            self.context.raise(ExpandError::TooLarge { what: "names", count, limit, span: said.option.span });
            return Vec::new();
        }
        names
    }

    /// Cipher suites, each by a name that there is.
    fn ciphers(&mut self, found: &Found<'_>) -> Vec<String> {
        let form = "ciphers \"TLS_AES_128_GCM_SHA256\"";
        let names = self.names_of(found, "ciphers", form);
        let values = found.get("ciphers").and_then(|said| self.each_value(said, form)).unwrap_or_default();
        for (name, value) in names.iter().zip(values) {
            if !CIPHERS.contains(&name.as_str()) {
                self.unknown_choice("ciphers", name, value, CIPHERS);
            }
        }
        names
    }

    fn is_server_name(&mut self, name: &str, span: Span) -> bool {
        let label =
            |label: &str| !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_*".contains(c));
        let fine = name.len() <= SERVER_NAME_LENGTH && (name.parse::<std::net::IpAddr>().is_ok() || name.split('.').all(label));
        if !fine {
            let help = Some("write a name such as \"www.example.com\"".to_owned());
            self.context.raise(NetError::UnknownChoice { what: "the name of a server".into(), name: name.into(), span, help });
        }
        fine
    }

    /// `verify on`, `verify off`, `verify "ca.pem"`.
    fn verify(&mut self, said: &Said<'_>) -> Option<Verify> {
        let value = self.one(said, "verify on")?;
        if self.word_of(value, &said.scope).is_some_and(|word| matches!(word.as_str(), "on" | "off")) {
            return self.switch(said).map(|on| if on { Verify::On } else { Verify::Off });
        }
        match self.context.evaluate(value, &said.scope)? {
            super::value::Value::Text(file) => Some(Verify::File(file)),
            super::value::Value::Truth(on) => Some(if on { Verify::On } else { Verify::Off }),
            other => {
                self.context.wrong_type("`on`, `off` or the path of a file", &other, value.span);
                None
            }
        }
    }

    /// `certificate auto`, `certificate "chain.pem", "key.pem"`.
    fn certificate(&mut self, said: &Said<'_>) -> Option<Certificate> {
        let form = "certificate \"chain.pem\", \"key.pem\"";
        match said.option.values.as_slice() {
            [one] if self.word_of(one, &said.scope).as_deref() == Some("auto") => Some(Certificate::Auto),
            [certificate, key] if said.option.block.is_empty() => {
                let (certificate, key) = (self.text_of(certificate, &said.scope), self.text_of(key, &said.scope));
                Some(Certificate::Files { certificate: certificate?, key: key? })
            }
            _ => {
                self.wrong_form(said, &format!("certificate auto` or `{form}"));
                None
            }
        }
    }

    /// `versions [1.2, 1.3]`.
    fn versions(&mut self, found: &Found<'_>) -> Vec<TlsVersion> {
        let both = vec![TlsVersion::V12, TlsVersion::V13];
        let Some(said) = found.get("versions") else { return both };
        let mut versions = Vec::new();
        for value in self.each_value(said, "versions [1.3]").unwrap_or_default() {
            match self.context.base_units(value, Dimension::Number, &said.scope) {
                Some(number) if number == 12 * BILLION / 10 => versions.push(TlsVersion::V12),
                Some(number) if number == 13 * BILLION / 10 => versions.push(TlsVersion::V13),
                Some(_) => {
                    let name = self.context.words(value.span);
                    self.unknown_choice("versions", &name, value, &["1.2", "1.3"]);
                }
                None => {}
            }
        }
        versions.sort_unstable();
        versions.dedup();
        if versions.is_empty() { both } else { versions }
    }

    /// Reports an option that another transport has.
    pub(super) fn option_of_transport(&mut self, said: &Said<'_>, transport: &str, place: Option<Span>, have: &[&str]) {
        let (option, span) = (said.option.name.text.clone(), said.span());
        let help = format!("{} {} it", listed(have), if have.len() == 1 { "has" } else { "have" });
        self.context.raise(NetError::OptionOfTransport { option, transport: transport.into(), span, said: place, help });
    }
}
