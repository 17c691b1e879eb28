//! Scenarios whose network the kernel at hand may not have (VLAN tags, bonds, netem) run in a guest with a stock Debian kernel under qemu, which needs no
//! help from the processor. In: `tests/guest/`. Out: every scenario there passes; those about
//! engines with each engine.

use std::fs;
use std::process::{Command, Stdio};

use crate::built::{repository, skip};

/// What a guest may take, seconds: it runs some ten times slower than the machine. Three attempts of 60 s for each of four runs, and the start.
const LIMIT: &str = "780";

/// A command succeeds quietly.
fn must(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn what_this_kernel_may_lack_works_where_it_is() {
    if let Some(missing) = ["qemu-system-x86_64", "/bin/busybox", "apt-get", "strip"].iter().find(|program| !is_there(program)) {
        return skip(&format!("a guest needs {missing}"));
    }
    let guest = repository("target/guest");
    let program = env!("CARGO_BIN_EXE_scn");
    let built = Command::new(repository("tests/guest/build")).arg(&guest).arg(program).output().unwrap();
    if !built.status.success() {
        return skip(&format!("a guest cannot be made: {}", String::from_utf8_lossy(&built.stderr).trim_end()));
    }

    let disk = tempfile::tempdir().unwrap();
    let inside = disk.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let mut scenarios: Vec<String> = Vec::new();
    for entry in fs::read_dir(repository("tests/guest")).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".scn") {
            fs::copy(entry.path(), inside.join(&name)).unwrap();
            scenarios.push(name);
        }
    }
    assert!(scenarios.len() >= 2, "{scenarios:?}");
    must(Command::new("strip").arg("-o").arg(inside.join("scn")).arg(program));
    let image = disk.path().join("disk.tar");
    must(Command::new("tar").arg("-cf").arg(&image).arg("-C").arg(&inside).arg("."));

    let mut qemu = Command::new("timeout");
    qemu.args([LIMIT, "qemu-system-x86_64"]);
    // The pc of microvm cannot tell how fast its clock is while the machine is busy.
    qemu.args(
        "-accel tcg,thread=single -cpu max -M q35 -m 512 -smp 1 -nodefaults -no-user-config -nographic -serial stdio -no-reboot".split(' '),
    );
    qemu.arg("-kernel").arg(guest.join("vmlinuz")).arg("-initrd").arg(guest.join("initrd"));
    qemu.args(["-append", "console=ttyS0 quiet panic=-1", "-device", "virtio-blk-pci,drive=disk", "-drive"]);
    qemu.arg(format!("if=none,id=disk,format=raw,readonly=on,file={}", image.display()));
    let output = qemu.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let about = || format!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    for name in scenarios {
        let engines: &[&str] = if name.starts_with("engine_") { &["wire", "kernel"] } else { &["auto"] };
        for engine in engines {
            assert!(said.lines().any(|line| line.trim_end() == format!("guest: end {name} {engine} 0")), "{name} {engine}:\n{}", about());
        }
    }
    let kernel = said.lines().find(|line| line.starts_with("guest: record engine_wan.scn kernel"));
    let kernel = kernel.unwrap_or_else(|| panic!("{}", about()));
    assert!(kernel.matches("\"engine\":\"kernel\"").count() == 2, "{kernel}");
}
