//! Versions and what is asked of them. In: `1.2.3`, `1.2`, a tag `v1.2.3`. Out: versions that compare. Chooses nothing.

use std::fmt;

pub use semver::Version;

/// A longer version is refused.
const LONGEST: usize = 64;

/// Versions of one line can stand for each other: the same major version, below 1.0 the same minor one.
pub type Line = (u64, u64);

/// The line of a version.
#[must_use]
pub fn line(version: &Version) -> Line {
    if version.major > 0 { (version.major, 0) } else { (0, version.minor) }
}

/// Reads a library's own version: all three parts, and no build metadata, which does not compare.
#[must_use]
pub fn parse(text: &str) -> Option<Version> {
    let version = (text.len() <= LONGEST).then(|| Version::parse(text).ok()).flatten()?;
    version.build.is_empty().then_some(version)
}

/// The version that a tag of the form `v1.2.3` names.
#[must_use]
pub fn of_tag(tag: &str) -> Option<Version> {
    parse(tag.strip_prefix('v')?)
}

/// What is asked of a version: at least this one, of its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    least: Version,
    written: String,
}

impl Requirement {
    /// Reads `1`, `1.2` or `1.2.3`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = !text.is_empty() && text.len() <= LONGEST && text.chars().all(|c| c.is_ascii_digit() || c == '.');
        let missing = 2usize.checked_sub(text.matches('.').count())?;
        let least = plain.then(|| parse(&format!("{text}{}", ".0".repeat(missing)))).flatten()?;
        Some(Requirement { least, written: text.to_owned() })
    }

    /// At least this version.
    #[must_use]
    pub fn of(version: &Version) -> Self {
        Requirement { least: version.clone(), written: version.to_string() }
    }

    /// The least version that satisfies.
    #[must_use]
    pub fn least(&self) -> &Version {
        &self.least
    }

    /// Whether a version satisfies.
    #[must_use]
    pub fn admits(&self, version: &Version) -> bool {
        line(version) == line(&self.least) && *version >= self.least
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(asked: &str, version: &str) -> bool {
        Requirement::parse(asked).unwrap().admits(&parse(version).unwrap())
    }

    #[test]
    fn a_requirement_is_a_minimum_within_its_line() {
        assert!(admits("1.2", "1.2.0") && admits("1.2", "1.9.4") && admits("1", "1.0.0") && admits("0.3", "0.3.7"));
        assert!(!admits("1.2", "1.1.9") && !admits("1.2", "2.0.0") && !admits("0.3", "0.4.0") && !admits("1.2.3", "1.2.2"));
        assert!(!admits("1.2.0", "1.2.0-rc.1"), "a version before a release is less than it");
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in [
            "",
            "v1",
            "^1.2",
            ">=1",
            "1.2.3.4",
            "1..2",
            ".1",
            "1.",
            "1.x",
            "*",
            "01.2",
            "1.2.3-rc.1",
            &"1".repeat(65),
            "99999999999999999999",
        ] {
            assert!(Requirement::parse(bad).is_none(), "{bad}");
        }
        for bad in ["1.2", "1.2.3+build", "v1.2.3", "", "1.2.3 "] {
            assert!(parse(bad).is_none(), "{bad}");
        }
        assert_eq!(of_tag("v1.2.3"), parse("1.2.3"));
        assert!(of_tag("1.2.3").is_none() && of_tag("v1.2").is_none() && of_tag("vv1.2.3").is_none());
    }
}
