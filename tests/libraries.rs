//! Libraries as a project meets them: real repositories of git, the built command, one folder for everything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::built::{Ended, Place, finish, skip};

/// A folder with repositories, projects and a store in it.
struct World {
    place: Place,
}

/// The manifest of a library.
fn library(name: &str, version: &str, dependencies: &str) -> String {
    format!("[library]\nname = \"{name}\"\nversion = \"{version}\"\n\n[dependencies]\n{dependencies}")
}

/// A scenario that uses what `use` lines bring: a pattern called `talk`.
fn scenario(uses: &str) -> String {
    format!(
        "scn 1\n{uses}\nscenario s {{\n topology {{\n  node a, b\n  link a <-> b\n }}\n flow f from a to b {{ pattern talk(64B)  total 3 }}\n \
         expect {{ f.loss == 0% }}\n}}\n"
    )
}

/// A file of a library: a pattern called `talk`.
const LAB: &str = "scn 1\n\npattern talk(amount: size = 64B) {\n    client sends amount\n    server sends amount\n}\n";

impl World {
    /// `None`, said as a skip, where there is no git.
    fn new() -> Option<Self> {
        if Command::new("git").arg("--version").output().is_err() {
            skip("git is not installed; tests/all installs it");
            return None;
        }
        let world = World { place: Place::new() };
        world.write("site/a.scn", &scenario("use acme.lab (talk)"));
        Some(world)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.place.path().join(below)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        self.place.read(file)
    }

    /// The command in a folder, with a store and a git of its own.
    fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.current_dir(self.path(folder)).env("SCN_HOME", self.path("store")).env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
    }

    fn scn(&self, folder: &str, arguments: &[&str]) -> Ended {
        finish(&mut self.command(folder, arguments))
    }

    /// Runs the command where it must succeed.
    fn fine(&self, folder: &str, arguments: &[&str]) -> Ended {
        let ended = self.scn(folder, arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended
    }

    /// Runs the command where it must be refused with these words.
    fn refused(&self, folder: &str, arguments: &[&str], words: &[&str]) -> Ended {
        let ended = self.scn(folder, arguments);
        assert_refused(&ended, words);
        ended
    }

    fn git(&self, repository: &str, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]).args(arguments);
        let ended = finish(command.current_dir(self.path(repository)).env("GIT_CONFIG_GLOBAL", "/dev/null"));
        assert_eq!(ended.code, Some(0), "git {arguments:?}: {ended:?}");
    }

    /// Commits files to a repository, made if need be, and tags them.
    fn publish(&self, name: &str, version: &str, dependencies: &str, files: &[(&str, &str)]) {
        let repository = format!("remote/{name}");
        if !self.path(&repository).exists() {
            fs::create_dir_all(self.path(&repository)).unwrap();
            self.git(&repository, &["init", "--quiet"]);
        }
        self.write(&format!("{repository}/scn.toml"), &library(name, version, dependencies));
        for (file, text) in files {
            self.write(&format!("{repository}/{file}"), text);
        }
        self.git(&repository, &["add", "--all"]);
        self.git(&repository, &["commit", "--quiet", "--message", version]);
        self.git(&repository, &["tag", "--annotate", "--message", version, &format!("v{version}")]);
    }

    fn address(&self, name: &str) -> String {
        self.path(&format!("remote/{name}")).display().to_string()
    }

    /// `NAME = { git = ..., version = ... }`.
    fn ask(&self, name: &str, version: &str) -> String {
        format!("{name} = {{ git = \"file://{}\", version = \"{version}\" }}\n", self.address(name))
    }

    /// A library `acme` at 1.0.0, and a project that has added it.
    fn with_acme() -> Option<Self> {
        let world = World::new()?;
        world.publish("acme", "1.0.0", "", &[("lab.scn", LAB)]);
        world.fine("site", &["add", "acme", "--git", &world.address("acme")]);
        Some(world)
    }

    /// A library `acme` in a folder, and a project that has added it.
    fn with_folder() -> Option<Self> {
        let world = World::new()?;
        world.write("acme/scn.toml", &library("acme", "1.0.0", ""));
        world.write("acme/lab.scn", LAB);
        world.fine("site", &["add", "acme", "--path", "../acme"]);
        Some(world)
    }

    /// The one folder of the store, with this name in front.
    fn stored(&self, name: &str) -> PathBuf {
        let entries = fs::read_dir(self.path("store/git")).unwrap().map(|entry| entry.unwrap().path());
        let found: Vec<PathBuf> =
            entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-"))).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }
}

fn assert_refused(ended: &Ended, words: &[&str]) {
    assert!(ended.code == Some(2) || ended.code == Some(5), "{ended:?}");
    // A drawn message is broken into lines.
    let said = format!("{} {}", ended.stdout, ended.stderr).replace(['│', '╰', '├', '─', '▶'], " ");
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(said.contains(word), "`{word}` is missing in {said}");
    }
}

fn change_one_byte(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let last = bytes.len() - 3;
    bytes[last] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn the_whole_story_of_a_library_and_two_dependents() {
    let Some(world) = World::new() else { return };
    world.publish("acme", "1.0.0", "", &[("lab.scn", LAB)]);
    world.publish("acme", "1.1.0", "", &[("lab.scn", &LAB.replace("64B", "128B"))]);
    let wraps = "scn 1\nuse acme.lab (talk)\npattern twice { repeat 2 { client sends 1B } }\n";
    world.publish("bird", "1.0.0", &world.ask("acme", "1.0"), &[("bird.scn", wraps)]);
    world.publish("cat", "2.0.0", &world.ask("acme", "1.1"), &[("cat.scn", wraps)]);
    world.write("site/a.scn", &scenario("use bird\nuse cat\nuse acme.lab (talk)"));
    for name in ["bird", "cat"] {
        let ended = world.fine("site", &["add", name, "--git", &world.address(name)]);
        assert!(ended.stdout.contains(&format!("{name} ")), "{ended:?}");
    }
    world.fine("site", &["add", "acme", "--git", &world.address("acme"), "--version", "1.0"]);
    // Each asks for its minimum: the highest of them is taken, and it is a version that somebody asked for.
    let lock = world.read("site/scn.lock");
    assert!(lock.contains("name = \"acme\"\nversion = \"1.1.0\"") && lock.contains("name = \"cat\"\nversion = \"2.0.0\""), "{lock}");
    assert!(world.read("site/scn.toml").contains("version = \"1.0\""));
    world.fine("site", &["check"]);
    world.fine("site", &["verify"]);

    world.publish("acme", "1.2.0", "", &[("lab.scn", &LAB.replace("64B", "256B"))]);
    world.publish("cat", "2.1.0", &world.ask("acme", "1.2"), &[]);
    world.publish("cat", "3.0.0", "", &[]);
    let before = (world.read("site/scn.toml"), world.read("site/scn.lock"));
    world.fine("site", &["check", "--locked"]);
    let ended = world.fine("site", &["update", "cat", "--dry-run"]);
    for words in ["cat 2.0.0 -> 2.1.0", "acme 1.1.0 -> 1.2.0", "there is 3.0.0"] {
        assert!(ended.stdout.contains(words), "{ended:?}");
    }
    assert_eq!(before, (world.read("site/scn.toml"), world.read("site/scn.lock")), "a dry run writes nothing");
    world.fine("site", &["update", "cat"]);
    assert!(world.read("site/scn.lock").contains("name = \"acme\"\nversion = \"1.2.0\""));
    assert!(world.read("site/scn.toml").contains("version = \"2.1.0\""));
    world.fine("site", &["check", "--locked"]);
    assert!(world.fine("site", &["plan", "--locked"]).stdout.contains("64B"));

    let acme = fs::read_dir(world.path("store/git")).unwrap().map(|e| e.unwrap().path()).find(|p| {
        p.file_name().unwrap().to_str().unwrap().starts_with("acme-") && fs::read_to_string(p.join("lab.scn")).unwrap().contains("256B")
    });
    change_one_byte(&acme.unwrap().join("lab.scn"));
    world.refused("site", &["run"], &["acme 1.2.0 is not what scn.lock holds", "lab.scn has changed"]);
    assert!(!world.path("site/scn-results").exists(), "nothing ran");
}

#[test]
fn a_changed_byte_is_refused_wherever_the_library_lies() {
    let Some(world) = World::with_acme() else { return };
    world.fine("site", &["vendor"]);
    change_one_byte(&world.path("site/vendor/acme/lab.scn"));
    world.refused("site", &["check"], &["lab.scn has changed", "in vendor/", "scn vendor"]);
    world.refused("site", &["verify"], &["lab.scn has changed"]);
    world.fine("site", &["vendor"]);
    world.fine("site", &["check"]);
    fs::remove_dir_all(world.path("site/vendor")).unwrap();
    let stored = world.stored("acme");
    change_one_byte(&stored.join("scn.toml"));
    fs::write(stored.join("more.scn"), "scn 1\n").unwrap();
    fs::remove_file(stored.join("lab.scn")).unwrap();
    world.refused("site", &["check"], &["scn.toml has changed", "lab.scn is missing", "more.scn was added", "scn fetch"]);
    world.refused("site", &["verify"], &["scn.toml has changed", "lab.scn is missing", "more.scn was added"]);
    assert!(world.fine("site", &["fetch"]).stdout.contains("acme 1.0.0 fetched"));
    world.fine("site", &["check"]);
}

#[test]
fn a_changed_folder_is_refused_until_it_is_taken_in() {
    let Some(world) = World::with_folder() else { return };
    world.fine("site", &["check"]);
    change_one_byte(&world.path("acme/lab.scn"));
    world.write("acme/lab.scn", &format!("{LAB}\n# more\n"));
    for arguments in [&["check"][..], &["run"], &["plan"], &["list"], &["fetch"], &["verify"], &["vendor"]] {
        world.refused("site", arguments, &["lab.scn has changed"]);
    }
    let ended = world.fine("site", &["update", "acme"]);
    assert!(ended.stdout.contains("acme 1.0.0: lab.scn has changed"), "{ended:?}");
    world.fine("site", &["check", "--locked"]);
    world.write("acme/notes.txt", "not part of the library");
    world.fine("site", &["check", "--locked"]);
}

#[test]
fn a_run_needs_neither_git_nor_the_repository() {
    let Some(world) = World::with_acme() else { return };
    let nowhere = |world: &World, arguments: &[&str]| {
        let ended = finish(world.command("site", arguments).env("PATH", "/nonexistent"));
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    };
    fs::rename(world.path("remote"), world.path("gone")).unwrap();
    for arguments in [&["check"][..], &["plan"], &["list"], &["verify"], &["fetch"]] {
        nowhere(&world, arguments);
    }
    let ended = crate::built::until_told(|| finish(world.command("site", &["run"]).env("PATH", "/nonexistent")));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let records = fs::read_dir(world.path("site/scn-results")).unwrap().map(|entry| entry.unwrap().path());
    let record = records.filter(|path| path.to_string_lossy().ends_with(".run.json")).max().unwrap();
    let record = fs::read_to_string(record).unwrap();
    assert!(record.contains("\"library acme\"") && record.contains("\"1.0.0, commit "), "a record says which library it was");
    world.fine("site", &["vendor"]);
    fs::remove_dir_all(world.path("store")).unwrap();
    nowhere(&world, &["check"]);
    nowhere(&world, &["fetch", "--locked"]);
    nowhere(&world, &["verify"]);
    fs::remove_dir_all(world.path("site/vendor")).unwrap();
    world.refused("site", &["check"], &["acme 1.0.0 is not on this machine", "scn fetch"]);
    world.refused("site", &["verify"], &["acme 1.0.0 is not on this machine"]);
    world.refused("site", &["fetch"], &["git could not fetch"]);
}

#[test]
fn vendored_scenarios_are_not_run_as_the_projects_own() {
    let Some(world) = World::new() else { return };
    world.publish("acme", "1.0.0", "", &[("lab.scn", LAB), ("try.scn", &scenario("use \"./lab.scn\" as lab\nuse \"./lab.scn\" (talk)"))]);
    world.fine("site", &["add", "acme", "--git", &world.address("acme")]);
    world.fine("site", &["vendor"]);
    assert_eq!(world.fine("site", &["list"]).stdout.lines().count(), 1);
    assert!(world.path("site/vendor/acme/try.scn").exists());
}

#[test]
fn a_fresh_machine_fetches_what_the_lock_says() {
    let Some(world) = World::with_acme() else { return };
    world.publish("acme", "1.0.1", "", &[("lab.scn", "scn 1\n")]);
    fs::remove_dir_all(world.path("store")).unwrap();
    let lock = world.read("site/scn.lock");
    world.fine("site", &["fetch", "--locked"]);
    assert_eq!(lock, world.read("site/scn.lock"));
    world.fine("site", &["check", "--locked"]);
    world.stored("acme");
}

#[test]
fn several_fetch_at_once_into_one_store() {
    let Some(world) = World::with_acme() else { return };
    fs::remove_dir_all(world.path("store")).unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| world.scn("site", &["fetch"]))).collect();
        for thread in threads {
            let ended = thread.join().unwrap();
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
    });
    world.stored("acme");
    assert_eq!(fs::read_dir(world.path("store/git")).unwrap().count(), 1, "nothing is left behind");
    world.fine("site", &["check"]);
}

#[test]
fn a_conflict_shows_both_ways() {
    let Some(world) = World::with_acme() else { return };
    world.publish("acme", "2.0.0", "", &[]);
    world.publish("bird", "1.0.0", &world.ask("acme", "2.0"), &[]);
    let before = (world.read("site/scn.toml"), world.read("site/scn.lock"));
    let words = ["`acme`", "scn.toml -> acme", "scn.toml -> bird 1.0.0 -> acme", "version 2.0"];
    world.refused("site", &["add", "bird", "--git", &world.address("bird")], &words);
    assert_eq!(before, (world.read("site/scn.toml"), world.read("site/scn.lock")), "what cannot be had changes nothing");
}

#[test]
fn a_circle_shows_the_way() {
    let Some(world) = World::new() else { return };
    world.write("acme/scn.toml", &library("acme", "1.0.0", "bird = { path = \"../bird\" }\n"));
    world.write("bird/scn.toml", &library("bird", "1.0.0", "acme = { path = \"../acme\" }\n"));
    world.refused("site", &["add", "acme", "--path", "../acme"], &["circle", "acme 1.0.0 -> bird 1.0.0 -> acme"]);
}

#[test]
fn where_ci_is_set_the_lock_must_be_there_and_fit() {
    let Some(world) = World::with_folder() else { return };
    let ci = |arguments: &[&str]| finish(world.command("site", arguments).env("CI", "1"));
    assert_eq!(ci(&["check"]).code, Some(0));
    let lock = world.read("site/scn.lock");
    fs::remove_file(world.path("site/scn.lock")).unwrap();
    for arguments in [&["check"][..], &["run"], &["plan"], &["list"], &["fetch"]] {
        assert_refused(&ci(arguments), &["there is no scn.lock", "scn fetch"]);
    }
    world.refused("site", &["check", "--locked"], &["there is no scn.lock"]);
    // Otherwise what is here stands in for it, and that is told.
    let ended = world.fine("site", &["check"]);
    assert!(ended.stdout.contains("there is no scn.lock"), "{ended:?}");
    assert!(!world.path("site/scn.lock").exists(), "a check writes nothing");
    world.fine("site", &["fetch"]);
    assert_eq!(lock, world.read("site/scn.lock"));

    let manifest = world.read("site/scn.toml").replace("version = \"1.0\"", "version = \"1.0.0\"");
    world.write("site/scn.toml", &manifest);
    assert_refused(&ci(&["check"]), &["scn.lock does not fit scn.toml", "`acme` was asked for as"]);
    assert!(world.fine("site", &["check"]).stdout.contains("does not fit"));
    world.refused("site", &["vendor"], &["does not fit"]);
    world.fine("site", &["fetch"]);
    assert_eq!(ci(&["check"]).code, Some(0));
}

#[test]
fn a_damaged_lock_is_refused_with_its_place() {
    let Some(world) = World::with_folder() else { return };
    let lock = world.read("site/scn.lock");
    for (text, words) in [
        (lock[..lock.len() / 2].to_owned(), "damaged"),
        (lock.replace("version = 1\n", "version = 7\n"), "version 7"),
        (lock.replace("\"lab.scn\"", "\"../lab.scn\""), "../lab.scn"),
        (String::new(), "version = 1"),
    ] {
        world.write("site/scn.lock", &text);
        world.refused("site", &["check"], &[words, "scn.lock"]);
        world.refused("site", &["fetch"], &[words]);
    }
    fs::write(world.path("site/scn.lock"), b"\xff\xfe").unwrap();
    world.refused("site", &["check"], &["not UTF-8"]);
    fs::remove_file(world.path("site/scn.lock")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", world.path("site/scn.lock")).unwrap();
    world.refused("site", &["check"], &["no regular file"]);
}

#[test]
fn a_wrong_manifest_is_told_once_with_its_places() {
    let Some(world) = World::with_folder() else { return };
    world.write("site/b.scn", &scenario("use std.patterns (sym)").replace("talk", "sym"));
    world.write("site/scn.toml", "[dependencies]\nacme = { pth = \"../acme\" }\n[libary]\n");
    let ended = world.refused("site", &["check", "--message-format", "short"], &["did you mean `path`?", "did you mean `library`?"]);
    assert_eq!(ended.stdout.matches("`pth`").count(), 1, "{ended:?}");
    assert!(ended.stdout.contains("scn.toml:2:10"), "{ended:?}");
}

#[test]
fn a_moved_tag_is_refused() {
    let Some(world) = World::with_acme() else { return };
    world.write("remote/acme/lab.scn", "scn 1\n");
    world.git("remote/acme", &["commit", "--quiet", "--all", "--message", "other"]);
    world.git("remote/acme", &["tag", "--force", "v1.0.0"]);
    world.refused("site", &["update"], &["acme", "another revision than scn.lock holds"]);
    world.fine("site", &["check"]);
}

#[test]
fn files_of_a_library_reach_only_what_is_theirs() {
    let Some(world) = World::new() else { return };
    let deep = "scn 1\nuse \"../lab.scn\" as lab\npattern two { client sends 2B }\n";
    let out = "scn 1\nuse \"../../secret.scn\" as secret\n";
    let absolute = "scn 1\nuse \"/etc/passwd\" as secret\n";
    let foreign = "scn 1\nuse bird\n";
    world.write("secret.scn", LAB);
    world.write("acme/scn.toml", &library("acme", "1.0.0", ""));
    for (file, text) in [("acme.scn", LAB), ("lab.scn", LAB), ("deep/two.scn", deep), ("deep/out.scn", out), ("abs.scn", absolute)] {
        world.write(&format!("acme/{file}"), text);
    }
    world.write("acme/foreign.scn", foreign);
    world.write("bird/scn.toml", &library("bird", "1.0.0", ""));
    world.write("bird/bird.scn", LAB);
    world.fine("site", &["add", "acme", "--path", "../acme"]);
    world.fine("site", &["add", "bird", "--path", "../bird"]);
    let check = |uses: &str| {
        world.write("site/a.scn", &scenario(&format!("use acme (talk)\n{uses}")));
        world.scn("site", &["check", "a.scn"])
    };
    assert_eq!(check("use acme.deep.two").code, Some(0), "{:?}", check("use acme.deep.two"));
    assert_refused(&check("use acme.deep.out"), &["`../../secret.scn` leads out of acme 1.0.0"]);
    assert_refused(&check("use acme.abs"), &["`/etc/passwd` leads out of acme 1.0.0"]);
    assert_refused(&check("use acme.foreign"), &["acme 1.0.0/foreign.scn", "names no dependency `bird`"]);
    assert_refused(&check("use acme.lob"), &["acme 1.0.0 has no file lob.scn", "did you mean `lab.scn`?"]);
    assert_refused(&check("use acne.lab"), &["did you mean `acme`?"]);
    assert_refused(&check("use zebra"), &["names no dependency `zebra`", "there are `acme`, `bird`"]);
    std::os::unix::fs::symlink(world.path("secret.scn"), world.path("acme/link.scn")).unwrap();
    assert_refused(&check(""), &["link.scn", "it is a link"]);
}

#[test]
fn only_what_scn_toml_names_can_be_used() {
    let Some(world) = World::new() else { return };
    world.write("acme/scn.toml", &library("acme", "1.0.0", "bird = { path = \"../bird\" }\n"));
    world.write("acme/lab.scn", &format!("{LAB}\n").replacen("scn 1\n", "scn 1\nuse bird\n", 1));
    world.write("bird/scn.toml", &library("bird", "0.3.0", ""));
    world.write("bird/bird.scn", LAB);
    world.fine("site", &["add", "acme", "--path", "../acme"]);
    world.fine("site", &["check"]);
    assert!(world.read("site/scn.lock").contains("path = \"../bird\""), "what libraries use is locked too");
    world.write("site/a.scn", &scenario("use acme.lab (talk)\nuse bird"));
    world.refused("site", &["check"], &["because another library uses it"]);
    change_one_byte(&world.path("bird/bird.scn"));
    world.write("site/a.scn", &scenario("use acme.lab (talk)"));
    world.refused("site", &["check"], &["bird 0.3.0", "bird.scn has changed"]);
}

#[test]
fn without_a_project_it_is_said_how_to_make_one() {
    let Some(world) = World::new() else { return };
    world.refused("site", &["check"], &["no scn.toml that names it", "scn add acme"]);
    for arguments in [&["update"][..], &["fetch"], &["verify"], &["vendor"]] {
        world.refused("site", arguments, &["scn.toml"]);
    }
}

#[test]
fn hostile_addresses_start_nothing() {
    let Some(world) = World::new() else { return };
    for address in
        ["--upload-pack=touch pwned", "ext::touch pwned", "-cprotocol.ext.allow=always", "http://127.0.0.1/acme", "https://u:secret@h/x"]
    {
        world.refused("site", &["add", "acme", &format!("--git={address}")], &["is no address of a repository"]);
    }
    let address = world.address("acme");
    world.refused("site", &["add", "acme", "--git", &address, "--tag=--help"], &["can be no tag"]);
    world.refused("site", &["add", "acme", "--git", &address, "--rev", "main"], &["40 digits"]);
    world.refused("site", &["add", "../acme", "--path", "../acme"], &["no name of a library"]);
    world.refused("site", &["add", "std", "--path", "../acme"], &["standard library"]);
    assert!(!world.path("site/pwned").exists() && !world.path("site/scn.toml").exists() && !world.path("site/scn.lock").exists());
}

#[test]
fn a_repository_cannot_make_git_do_anything() {
    let Some(world) = World::new() else { return };
    let mark = world.path("pwned").display().to_string();
    world.publish("acme", "1.0.0", "", &[("lab.scn", LAB), (".gitattributes", "*.scn filter=evil eol=crlf ident\n")]);
    world.write("remote/acme/.git/hooks/post-checkout", &format!("#!/bin/sh\ntouch {mark}\n"));
    world.write("config", &format!("[filter \"evil\"]\n smudge = \"touch {mark}; cat\"\n required = true\n[core]\n autocrlf = true\n"));
    let mut command = world.command("site", &["add", "acme", "--git", &world.address("acme")]);
    let ended =
        finish(command.env("GIT_CONFIG_GLOBAL", world.path("config")).env("GIT_DIR", "/nowhere").env("GIT_INDEX_FILE", "/nowhere/x"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!Path::new(&mark).exists());
    assert_eq!(fs::read_to_string(world.stored("acme").join("lab.scn")).unwrap(), LAB, "the bytes are those of the commit");

    std::os::unix::fs::symlink("/etc/passwd", world.path("remote/acme/secret.scn")).unwrap();
    world.publish("acme", "1.1.0", "", &[]);
    world.refused("site", &["update"], &["secret.scn", "link"]);
}

#[test]
fn a_library_that_is_not_the_one_asked_for_is_refused() {
    let Some(world) = World::with_acme() else { return };
    let address = world.address("acme");
    world.refused("site", &["add", "bird", "--git", &address], &["it calls itself `acme`"]);
    world.refused("site", &["add", "acme", "--git", &address, "--version", "1.7"], &["has 1.0.0, and 1.7 was asked for"]);
    world.refused("site", &["add", "acme", "--git", &address, "--tag", "v9.9.9"], &["has no tag v9.9.9"]);
    world.refused("site", &["add", "acme", "--git", &world.address("nothing")], &["git could not list the tags"]);
    world.refused("site", &["add", "acme", "--git", &address, "--rev", &"ab".repeat(20)], &["git could not fetch"]);
    world.write("remote/acme/scn.toml", "");
    world.git("remote/acme", &["commit", "--quiet", "--all", "--message", "no library"]);
    world.git("remote/acme", &["tag", "v1.5.0"]);
    world.refused("site", &["update"], &["its scn.toml has no [library]"]);
    world.write("remote/acme/scn.toml", &library("acme", "1.4.0", ""));
    world.git("remote/acme", &["commit", "--quiet", "--all", "--message", "wrong version"]);
    world.git("remote/acme", &["tag", "--force", "v1.5.0"]);
    world.refused("site", &["update"], &["the tag v1.5.0 holds version 1.4.0"]);
}

#[test]
fn a_library_from_git_has_no_paths() {
    let Some(world) = World::new() else { return };
    world.publish("acme", "1.0.0", "bird = { path = \"../bird\" }\n", &[]);
    world.refused("site", &["add", "acme", "--git", &world.address("acme")], &["depends on `bird` by a path"]);
}

#[test]
fn a_commit_is_taken_by_its_name_or_its_tag() {
    let Some(world) = World::new() else { return };
    world.publish("acme", "1.0.0", "", &[("lab.scn", LAB)]);
    let revision = finish(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(world.path("remote/acme"))).stdout.trim().to_owned();
    world.publish("acme", "1.1.0", "", &[("lab.scn", "scn 1\n")]);
    world.fine("site", &["add", "acme", "--git", &world.address("acme"), "--rev", &revision]);
    assert!(world.read("site/scn.lock").contains(&revision) && world.read("site/scn.toml").contains(&revision));
    world.fine("site", &["check"]);
    assert!(world.fine("site", &["update"]).stdout.contains("stays at"));
    world.fine("site", &["add", "acme", "--git", &world.address("acme"), "--tag", "v1.0.0"]);
    assert!(world.read("site/scn.toml").contains("tag = \"v1.0.0\""));
    world.fine("site", &["check", "--locked"]);
    world.fine("site", &["update"]);
    assert!(world.read("site/scn.toml").contains("tag = \"v1.1.0\""));
}

#[test]
fn comments_of_scn_toml_stay() {
    let Some(world) = World::with_folder() else { return };
    let text = "# ours\n[dependencies] # all of them\n# the lab\nacme = { path = \"../acme\" } # near\n";
    world.write("site/scn.toml", text);
    world.write("bird/scn.toml", &library("bird", "1.2.3", ""));
    world.fine("site", &["add", "bird", "--path", "../bird"]);
    assert_eq!(world.read("site/scn.toml"), format!("{text}bird = {{ path = \"../bird\", version = \"1.2\" }}\n"));
    // From a folder below, the same project.
    fs::create_dir(world.path("site/deep")).unwrap();
    world.fine("site/deep", &["add", "bird", "--path", "../../bird", "--version", "1"]);
    assert!(world.read("site/scn.toml").contains("bird = { path = \"../bird\", version = \"1\" }\n"));
    world.refused("site", &["update", "brid"], &["did you mean `bird`?"]);
}

#[test]
fn a_store_that_cannot_be_had_is_told() {
    let Some(world) = World::new() else { return };
    world.publish("acme", "1.0.0", "", &[("lab.scn", LAB)]);
    let add = |change: &dyn Fn(&mut Command)| {
        let mut command = world.command("site", &["add", "acme", "--git", &world.address("acme")]);
        change(&mut command);
        finish(&mut command)
    };
    let homeless = add(&|c| {
        c.env_remove("SCN_HOME").env_remove("XDG_CACHE_HOME").env_remove("HOME");
    });
    assert_refused(&homeless, &["neither SCN_HOME nor XDG_CACHE_HOME nor HOME is set"]);
    assert_refused(
        &add(&|c| {
            c.env("SCN_HOME", "/proc/scn");
        }),
        &["/proc/scn", "cannot be written"],
    );
    assert_refused(
        &add(&|c| {
            c.env("SCN_HOME", "here");
        }),
        &["no whole path"],
    );
    assert_refused(
        &add(&|c| {
            c.env("PATH", "/nonexistent");
        }),
        &["`git` is not installed"],
    );
    assert!(!world.path("site/scn.toml").exists(), "nothing was written");
}

#[test]
fn a_vendor_folder_of_others_is_left_alone() {
    let Some(world) = World::with_folder() else { return };
    world.write("site/vendor/precious.txt", "mine");
    world.refused("site", &["vendor"], &["was not made by `scn vendor`"]);
    assert_eq!(world.read("site/vendor/precious.txt"), "mine");
    fs::remove_dir_all(world.path("site/vendor")).unwrap();
    world.fine("site", &["vendor"]);
    fs::create_dir(world.path("site/vendor/stranger")).unwrap();
    world.refused("site", &["verify"], &["vendor/stranger is not in scn.lock"]);
    world.fine("site", &["vendor"]);
    assert!(!world.path("site/vendor/stranger").exists());
    world.fine("site", &["verify"]);
}

/// The blocks of a page marked as shell.
fn blocks(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_page_about_libraries_is_true() {
    let codes: Vec<&str> = scn_grammar::diagnostics::codes().filter(|code| code.starts_with("scn::libraries::")).collect();
    assert!(codes.len() >= 20, "{codes:?}");
    for code in codes {
        let page = scn_grammar::diagnostics::page(code).unwrap();
        let blocks = blocks(page);
        assert_eq!(blocks.len(), 2, "{code}");
        for (block, triggers) in blocks.iter().zip([true, false]) {
            let Some(world) = World::new() else { return };
            world.publish("acme", "1.0.0", "", &[("lab.scn", LAB)]);
            world.publish("acme", "2.0.0", "", &[]);
            fs::rename(world.path("remote/acme"), world.path("site/repository")).unwrap();
            world.write("site/acme/scn.toml", "[library]\nname = \"acme\"\nversion = \"1.0.0\"\n");
            world.write("site/acme/lab.scn", LAB);
            world.write("site/run.sh", block);
            let mut command = Command::new("sh");
            command
                .arg("run.sh")
                .env("SCN_HOME", world.path("store"))
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("NO_COLOR", "1")
                .env_remove("CI");
            for (name, value) in [("NAME", "A"), ("EMAIL", "a@example.org")] {
                command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
            }
            let folder = Path::new(env!("CARGO_BIN_EXE_scn")).parent().unwrap().display().to_string();
            command.env("PATH", format!("{folder}:{}", std::env::var("PATH").unwrap()));
            let ended = finish(command.current_dir(world.path("site")));
            let raised = ended.stderr.contains(code) || ended.stdout.contains(code);
            assert_eq!(raised, triggers, "{code}: {ended:?}");
            assert_eq!(ended.code == Some(0), !triggers, "{code}: {ended:?}");
        }
    }
}
