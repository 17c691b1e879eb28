//! What this machine can do. In: nothing. Out: findings with advice. Tries things in namespaces that are gone when it returns; the
//! calling process is as before.

use std::fs;
use std::io;

use nix::sys::resource::{Resource, getrlimit};

use super::enter;
use super::features::{self, FEATURES};
use super::messages::{self, VethEnd};
use super::namespace::Namespace;
use super::netlink::Netlink;
use super::packet;
use super::process;

/// Fewer descriptors than this are worth a word.
const MODEST_DESCRIPTORS: u64 = 4096;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, with a limit.
    Warn,
    /// Scenarios that need it cannot run.
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What to do; empty: nothing.
    pub advice: String,
}

impl Finding {
    fn new(name: &str, state: State, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Finding { name: name.to_owned(), state, detail: detail.into(), advice: advice.into() }
    }
}

/// Looks at everything a lab needs. Without privilege (see [`super::enter`]) what needs it is told from the machine's settings;
/// after `enter` it is tried.
#[must_use]
pub fn doctor() -> Vec<Finding> {
    let mut findings = vec![kernel(), namespaces()];
    findings.extend(trials());
    findings.extend(features());
    findings.extend(programs());
    findings.extend([descriptors(), cores(), clock(), settings()]);
    findings
}

fn kernel() -> Finding {
    match nix::sys::utsname::uname() {
        Ok(name) => Finding::new("kernel", State::Ok, name.release().to_string_lossy(), ""),
        Err(cause) => Finding::new("kernel", State::Warn, cause.to_string(), ""),
    }
}

fn namespaces() -> Finding {
    let name = "privilege";
    if enter::privileged() {
        return Finding::new(name, State::Ok, enter::current().words(), "");
    }
    match enter::forbidding_setting() {
        Some((reason, advice)) => Finding::new(name, State::Missing, reason, advice),
        None => Finding::new(name, State::Ok, "ordinary user; no setting forbids user namespaces", ""),
    }
}

/// Makes one of each on a thread of its own, in a namespace that goes with it.
fn trials() -> Vec<Finding> {
    if !enter::privileged() {
        let detail = "not tried: the process has no privilege";
        return vec![Finding::new("veth, bridge, packet sockets", State::Warn, detail, "Run `scn doctor` as root to try them")];
    }
    let tried = std::thread::Builder::new().name("scn-doctor".to_owned()).spawn(|| {
        let first = Namespace::create()?;
        let second = Namespace::create()?;
        let mut socket = Netlink::open()?;
        let near = VethEnd { name: "try0".into(), index: 11, namespace: second.fd(), mac: [2, 0, 0, 0, 0, 1], mtu: None };
        let far = VethEnd { name: "try1".into(), index: 12, namespace: first.fd(), mac: [2, 0, 0, 0, 0, 2], mtu: None };
        let pair = socket.run(vec![messages::veth(&near, None, &far)]).map_err(|refusal| refusal.to_string());
        let bridge = socket.run(vec![messages::bridge("try2", 13, None, None)]).map_err(|refusal| refusal.to_string());
        let tap = packet::tap(11, 1 << 16).map(drop).map_err(|cause| cause.to_string());
        Ok::<_, io::Error>([("veth pairs", pair), ("bridges", bridge), ("packet sockets", tap)])
    });
    let outcome = tried.map(std::thread::JoinHandle::join);
    match outcome {
        Ok(Ok(Ok(results))) => {
            let advice = "Load or build the kernel module (CONFIG_VETH, CONFIG_BRIDGE, CONFIG_PACKET)";
            let finding = |(name, result): (&str, Result<(), String>)| match result {
                Ok(()) => Finding::new(name, State::Ok, "tried: works", ""),
                Err(cause) => Finding::new(name, State::Missing, cause, advice),
            };
            results.into_iter().map(finding).collect()
        }
        Ok(Ok(Err(cause))) => {
            vec![Finding::new("network namespaces", State::Missing, cause.to_string(), "Run as root, or raise user.max_net_namespaces")]
        }
        Ok(Err(_)) | Err(_) => {
            vec![Finding::new("network namespaces", State::Missing, "the trial's thread broke", "Report it: a bug in scn")]
        }
    }
}

/// Sorts of interface that some scenarios need.
fn features() -> Vec<Finding> {
    if !enter::privileged() {
        return Vec::new();
    }
    let finding = |(feature, what, option, _, name): &features::Known| match features::works(*feature) {
        Ok(()) => Finding::new(name, State::Ok, format!("tried: {what} can be made"), ""),
        Err(cause) => Finding::new(name, State::Warn, cause, format!("Scenarios with {what} can't run: the kernel needs {option}")),
    };
    FEATURES.iter().map(finding).collect()
}

/// Starts the first process of a namespace for programs under test.
fn programs() -> Option<Finding> {
    let name = "programs under test";
    let advice = "Run outside of the container, or give it an unmasked /proc (docker: --security-opt systempaths=unconfined)";
    enter::privileged().then(|| match process::try_out() {
        Ok(()) => Finding::new(name, State::Ok, "tried: works", ""),
        Err(cause) => Finding::new(name, State::Warn, cause, advice),
    })
}

fn descriptors() -> Finding {
    let name = "open files";
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if hard < MODEST_DESCRIPTORS => {
            Finding::new(name, State::Warn, format!("soft {soft}, hard {hard}"), "Raise the hard limit: every connection needs two")
        }
        Ok((soft, hard)) => Finding::new(name, State::Ok, format!("soft {soft} (raised to the hard one by a run), hard {hard}"), ""),
        Err(cause) => Finding::new(name, State::Warn, cause.to_string(), ""),
    }
}

fn cores() -> Finding {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let state = if count < 2 { State::Warn } else { State::Ok };
    let advice = if count < 2 { "Use a machine with two cores or more for scenarios that measure time" } else { "" };
    Finding::new("cores", state, count.to_string(), advice)
}

fn clock() -> Finding {
    let source = fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource").unwrap_or_default();
    let source = source.trim();
    let fast = matches!(source, "tsc" | "kvm-clock" | "arch_sys_counter" | "hyperv_clocksource_tsc_page" | "");
    let state = if fast { State::Ok } else { State::Warn };
    let advice = if fast { "" } else { "Every look at this clock is a system call or slower; prefer tsc or kvm-clock" };
    Finding::new("clock", state, if source.is_empty() { "unknown" } else { source }, advice)
}

fn settings() -> Finding {
    let name = "/proc/sys";
    let path = "/proc/sys/net/ipv4/ip_forward";
    match fs::OpenOptions::new().write(true).open(path) {
        Ok(_) => Finding::new(name, State::Ok, "writable", ""),
        Err(_) if !enter::privileged() => Finding::new(name, State::Ok, "not tried: the process has no privilege", ""),
        Err(cause) => Finding::new(name, State::Missing, cause.to_string(), "Give the container a writable /proc/sys"),
    }
}
