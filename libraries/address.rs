//! Where libraries come from: git addresses, revisions, tags. In: texts of a manifest or a lock. Out: forms that git takes for nothing
//! else than they are. Calls no git.

use std::fmt;

use crate::content::is_hex;

/// A longer address or tag is refused.
const LONGEST: usize = 1_000;

/// An address that git fetches from: https, ssh or a folder of this machine, and no password in it.
#[derive(Debug, Clone)]
pub struct Address(String);

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Why git is not given this, as half a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(format!("an address has 1 to {LONGEST} characters"));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return Err("an address holds no spaces, backslashes or control characters".to_owned());
        }
        if text.starts_with('-') || text.contains("::") && !text.contains("://") {
            return Err("it is no address".to_owned());
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Address::without_scheme(text);
        };
        if !["https", "ssh", "file"].contains(&scheme) {
            return Err(format!("`{scheme}://` is not used: write https://, ssh:// or file://"));
        }
        let host = rest.split('/').next().unwrap_or("");
        if host.starts_with('-') || host.contains("@-") || (scheme != "file" && host.is_empty()) {
            return Err("it names no host".to_owned());
        }
        if scheme == "file" && !rest.starts_with('/') {
            return Err("a file:// address has a whole path: file:///srv/acme".to_owned());
        }
        if host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
            return Err("it holds a password, which everybody would read: let git's credential helper know it".to_owned());
        }
        Ok(Address(text.to_owned()))
    }

    /// `/srv/acme` and `git@host:acme.git`.
    fn without_scheme(text: &str) -> Result<Self, String> {
        let is_folder = text.starts_with('/');
        let is_ssh = text.split_once(':').is_some_and(|(host, path)| {
            !host.is_empty() && !path.is_empty() && !path.starts_with('-') && !host.contains('/') && !host.contains("@-")
        });
        if is_folder || is_ssh {
            Ok(Address(text.to_owned()))
        } else {
            Err("write https://..., ssh://..., git@host:path, file:///... or a whole path; for a folder beside this one there is `path`"
                .to_owned())
        }
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same for addresses that differ only in a closing `/` or `.git`, or in `file://`.
    #[must_use]
    pub fn key(&self) -> &str {
        let short = self.0.strip_prefix("file://").unwrap_or(&self.0).trim_end_matches('/');
        short.strip_suffix(".git").unwrap_or(short)
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Address {}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(other.key())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a commit: 40 or 64 hexadecimal digits, never a short or a moving name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(String);

impl Revision {
    /// Reads a revision.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (is_hex(text, 40) || is_hex(text, 64)).then(|| Revision(text.to_owned()))
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text can be a tag's name.
#[must_use]
pub fn is_tag(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._/+-".contains(c));
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let odd = text.contains("..") || text.contains("//") || text.contains("/.") || text.ends_with(['/', '.']) || text.ends_with(".lock");
    plain && starts && !odd && text.len() <= LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_taken() {
        for good in [
            "https://example.org/acme.git",
            "ssh://git@example.org:22/acme",
            "git@example.org:lab/acme.git",
            "file:///srv/acme",
            "/srv/acme",
        ] {
            assert!(Address::parse(good).is_ok(), "{good}: {:?}", Address::parse(good));
        }
        assert_eq!(Address::parse("https://e.org/a.git").unwrap(), Address::parse("https://e.org/a/").unwrap());
        assert_eq!(Address::parse("file:///srv/a.git").unwrap(), Address::parse("/srv/a").unwrap());
        assert_ne!(Address::parse("https://e.org/a").unwrap(), Address::parse("https://e.org/b").unwrap());
    }

    #[test]
    fn addresses_that_git_would_take_for_something_else_are_refused() {
        for bad in [
            "",
            "--upload-pack=touch /tmp/x",
            "-oProxyCommand=x",
            "ext::sh -c id",
            "ext::sh",
            "ssh://-oProxyCommand=x/y",
            "ssh://u@-oProxyCommand=x/y",
            "-x@host:path",
            "u@-x:path",
            "git@host:-x",
            "http://example.org/acme",
            "git://example.org/acme",
            "ftp://example.org/acme",
            "https:///acme",
            "https://user:secret@example.org/acme",
            "../acme",
            "acme",
            "file://acme",
            "https://e.org/a b",
            "https://e.org/a\nb",
            "https://e.org/\u{0}",
            &format!("https://e.org/{}", "a".repeat(1_000)),
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_and_revisions_are_names_only() {
        for good in ["v1.2.3", "release/1", "a"] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", "-v1", "--x", "a..b", "a b", "a~1", "a^{}", "a:b", "/a", "a/", "a.lock", "a@{1}", "*"] {
            assert!(!is_tag(bad), "{bad}");
        }
        assert!(Revision::parse(&"0a".repeat(20)).is_some() && Revision::parse(&"0a".repeat(32)).is_some());
        for bad in ["", "main", "0a0a0a0", &"0A".repeat(20), &"0g".repeat(20)] {
            assert!(Revision::parse(bad).is_none(), "{bad}");
        }
    }
}
