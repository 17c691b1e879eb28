//! Arguments that a scenario gives a tool beside those that scn gives it. In: both. Out: those of the scenario that would take the place of
//! one that scn gives, or spoil the tool's output. Knows an option by all its names, also where several letters stand together.

/// The options of a tool, as far as they matter.
pub(super) struct Options {
    /// Letters that stand alone: none takes a value, so that the letter behind one is an option too.
    pub(super) flags: &'static str,
    /// Names of one and the same option, or of options that exclude each other; scn writes the first.
    pub(super) same: &'static [&'static [&'static str]],
    /// Options that are never the scenario's to give, and why.
    pub(super) never: &'static [(&'static [&'static str], &'static str)],
    /// Options with which it lasts longer than its duration says.
    pub(super) longer: &'static [&'static str],
}

impl Options {
    /// The arguments of the scenario that clash, each with the reason.
    pub(super) fn clashes(&self, own: &[String], said: &[String]) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for name in self.all_names(said) {
            if let Some((_, why)) = self.never.iter().find(|(names, _)| names.contains(&name.as_str())) {
                found.push((name, (*why).to_owned()));
                continue;
            }
            let group = self.same.iter().find(|names| names.contains(&name.as_str()));
            if let Some(given) = group.and_then(|names| own.iter().find(|word| names.contains(&word.as_str()))) {
                let why = if *given == name { "scn gives it already".to_owned() } else { format!("scn gives `{given}` already") };
                found.push((name, why));
            }
        }
        found.dedup();
        found
    }

    /// These arguments of the scenario hold one of the options, however it is written.
    pub(super) fn says(&self, said: &[String], names: &[&str]) -> bool {
        self.all_names(said).any(|name| names.contains(&name.as_str()))
    }

    /// With these arguments of the scenario it may last longer than its duration says.
    pub(super) fn lengthen(&self, said: &[String]) -> bool {
        self.says(said, self.longer)
    }

    /// The options of the tool among the scenario's arguments: what stands behind two strokes is of the test itself.
    fn all_names(&self, said: &[String]) -> impl Iterator<Item = String> {
        said.iter().take_while(|word| *word != "--").flat_map(move |word| self.names(word))
    }

    /// The options that a word holds: `--port=5` is `--port`, `-RJ` is `-R` and `-J`, `-p5` is `-p`.
    fn names(&self, word: &str) -> Vec<String> {
        if let Some(long) = word.strip_prefix("--") {
            return vec![format!("--{}", long.split('=').next().unwrap_or(long))];
        }
        let Some(letters) = word.strip_prefix('-') else { return Vec::new() };
        let mut names = Vec::new();
        for letter in letters.chars() {
            names.push(format!("-{letter}"));
            if !self.flags.contains(letter) {
                break;
            }
        }
        // A number below zero is no option.
        if letters.starts_with(|c: char| c.is_ascii_digit()) && !self.flags.contains(&letters[..1]) { Vec::new() } else { names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: Options = Options {
        flags: "RJ6",
        same: &[&["-p", "--port"], &["-t", "--time", "-n"], &["-J", "--json"]],
        never: &[(&["-s", "--server"], "scn starts the server")],
        longer: &["-w", "--wait"],
    };

    fn clashes(own: &[&str], said: &[&str]) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        OPTIONS.clashes(&owned(own), &owned(said)).into_iter().map(|(name, why)| format!("{name}: {why}")).collect()
    }

    #[test]
    fn an_option_is_known_by_all_its_names() {
        let own = ["-p", "5201", "-J", "-t", "2"];
        for said in ["-p", "-p5", "--port", "--port=5"] {
            assert_eq!(clashes(&own, &[said]).len(), 1, "{said}");
        }
        assert_eq!(clashes(&own, &["-RJ"]), ["-J: scn gives it already"]);
        assert_eq!(clashes(&own, &["-n", "1M"]), ["-n: scn gives `-t` already"], "two ends of one test");
        assert_eq!(clashes(&own, &["-s"]), ["-s: scn starts the server"]);
        for fine in [&["--parallel", "2"][..], &["-R"], &["-6"], &["-w", "-5"], &["--", "-p", "5"], &[]] {
            assert_eq!(clashes(&own, fine), Vec::<String>::new(), "{fine:?}");
        }
        assert_eq!(clashes(&["-p", "1"], &["-t", "2"]), Vec::<String>::new(), "what scn does not give the scenario may");
    }

    #[test]
    fn options_that_make_it_last_longer() {
        let longer = |said: &[&str]| OPTIONS.lengthen(&said.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>());
        for said in [&["-w", "5"][..], &["-w5"], &["-Rw", "5"], &["--wait=5"]] {
            assert!(longer(said), "{said:?}");
        }
        for said in [&["-p", "5"][..], &["--", "-w", "5"], &[]] {
            assert!(!longer(said), "{said:?}");
        }
    }
}
