//! What a scenario says it needs of the machine. In: needs. Out: why the scenario can't run here, or nothing. Looks, and tries the sorts
//! of interface that a kernel may have without a word about it; starts no program.

use std::fs;
use std::path::Path;

use scn_grammar::scenario::{Need, NeedKind};

use super::features;
use super::process;

/// Why the needs are not met, in words; `None`: they are.
#[must_use]
pub fn unmet(needs: &[Need]) -> Option<String> {
    let reason = |need: &Need| match need.kind {
        NeedKind::Tool if process::find(&need.what).is_some() => None,
        NeedKind::Tool => Some(format!("needs the tool `{}`, which is not on the search path", need.what)),
        NeedKind::Kernel if has_feature(Path::new("/"), &need.what) || features::has(&need.what) => None,
        NeedKind::Kernel => Some(format!("needs `{}` of the kernel, which has no such feature or module", need.what)),
    };
    let reasons: Vec<String> = needs.iter().filter_map(reason).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The kernel whose files stand under this root has a module of this name, loaded, built in or ready to be loaded, or a folder of network
/// settings of this name.
fn has_feature(root: &Path, name: &str) -> bool {
    let plain = name.replace('-', "_");
    if name.is_empty() || name.contains('/') || name.starts_with('.') {
        return false;
    }
    if root.join("sys/module").join(&plain).is_dir() || root.join("proc/sys/net").join(&plain).is_dir() {
        return true;
    }
    let release = fs::read_to_string(root.join("proc/sys/kernel/osrelease")).unwrap_or_default();
    let modules = root.join("lib/modules").join(release.trim());
    ["modules.builtin", "modules.dep"].iter().any(|list| {
        let list = fs::read_to_string(modules.join(list)).unwrap_or_default();
        list.lines().any(|line| module_of(line).is_some_and(|module| module == plain))
    })
}

/// `kernel/net/sctp/sctp.ko.xz: ...`: `sctp`.
fn module_of(line: &str) -> Option<String> {
    let file = line.split(':').next()?.rsplit('/').next()?;
    let (module, _) = file.split_once(".ko")?;
    Some(module.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(kind: NeedKind, what: &str) -> Need {
        Need { kind, what: what.to_owned(), span: Default::default() }
    }

    #[test]
    fn says_each_thing_that_is_missing() {
        assert_eq!(unmet(&[]), None);
        assert_eq!(unmet(&[need(NeedKind::Tool, "sh")]), None);
        let reasons =
            unmet(&[need(NeedKind::Tool, "sh"), need(NeedKind::Tool, "no-such-tool"), need(NeedKind::Kernel, "no_such")]).unwrap();
        assert_eq!(
            reasons,
            "needs the tool `no-such-tool`, which is not on the search path; needs `no_such` of the kernel, which has no such feature or module"
        );
    }

    #[test]
    fn features_are_found_where_kernels_tell_them() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("proc/sys/kernel/osrelease", "6.1.0\n");
        put("sys/module/veth/refcnt", "0");
        put("proc/sys/net/mptcp/enabled", "1");
        put("lib/modules/6.1.0/modules.builtin", "kernel/net/802/garp.ko\n");
        put("lib/modules/6.1.0/modules.dep", "kernel/net/sched/sch-netem.ko.xz: kernel/lib/x.ko\n");
        for name in ["veth", "mptcp", "garp", "sch_netem", "sch-netem"] {
            assert!(has_feature(root.path(), name), "{name}");
        }
        for name in ["netem", "x", "", "../module", "sctp"] {
            assert!(!has_feature(root.path(), name), "{name}");
        }
    }
}
