//! What can go wrong in the lab. In: facts from the place that failed. Out: one error type whose text names the place, the cause
//! and what to do. Decides nothing.

use std::io;

use super::netlink::Refusal;

/// A failure of the lab. Its text is a whole message for people: place, cause, what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabError {
    /// Namespaces cannot be made by this user.
    #[error("no network namespaces for this user: {reason}. {advice}")]
    Forbidden {
        /// The setting or limit that forbids it.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// `enter` was called after another thread had begun.
    #[error("a user namespace can only be entered before any thread starts: call enter() first thing in the program")]
    TooLate,
    /// The kernel refused something.
    #[error("{place}: could not {doing}: {cause}{}", advice_after(.advice))]
    Kernel {
        /// Node, link or interface, by the names of the scenario.
        place: String,
        /// What was tried: `add address 10.0.0.1/24 to eth0`.
        doing: String,
        /// The kernel's own words.
        cause: String,
        /// What to do; empty: nothing known.
        advice: String,
    },
    /// Too few file descriptors.
    #[error(
        "the run needs {needed} file descriptors at once, this process may have {limit}. \
         Raise the hard limit (`ulimit -Hn {needed}`, or LimitNOFILE= of the service), or lower the connections of the flows"
    )]
    Descriptors {
        /// By the plan.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// A file that the lab must write is read-only.
    #[error("{path} cannot be written: {cause}. Give the container a writable /proc/sys (docker: --privileged, or run rootless)")]
    ReadOnly {
        /// Which.
        path: String,
        /// The kernel's own words.
        cause: String,
    },
    /// The kernel lacks what its engine is made of.
    #[error(
        "{what} can't be made here: {cause}. The kernel needs {option}; load the module `{module}` if there is one, run with \
         `--engine wire`, which needs none of it, or write `needs kernel {need}` to skip the scenario where it is missing"
    )]
    Engine {
        /// `a link that the kernel impairs`.
        what: &'static str,
        /// `CONFIG_NET_SCH_NETEM`.
        option: &'static str,
        /// `sch_netem`.
        module: &'static str,
        /// `netem`.
        need: &'static str,
        /// The kernel's own words.
        cause: String,
    },
    /// The kernel can't make something that the scenario asks for.
    #[error(
        "{what} can't be made here: {cause}. The kernel needs {option}; load the module `{module}` if there is one, \
         or write `needs kernel {need}` to skip the scenario where it is missing"
    )]
    Feature {
        /// `a bond`.
        what: &'static str,
        /// `CONFIG_BONDING`.
        option: &'static str,
        /// `8021q`.
        module: &'static str,
        /// `vlan`.
        need: &'static str,
        /// The kernel's own words.
        cause: String,
    },
    /// What stands on the machine is root's to touch.
    #[error(
        "`{node}` stands on this machine, and only root may put something beside it. \
         Run as root, or make it a `node` or a `bridge` of the run, which needs no root"
    )]
    NeedsRoot {
        /// The node.
        node: String,
    },
    /// What stands on the machine is not as the scenario says.
    #[error("{what}: {why}")]
    Outside {
        /// The node or interface as written.
        what: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A setting that the file says does not hold.
    #[error("{place}: `sysctl \"{key}\" = {value}` can't be set: {why}. Take it out, or run where the kernel has it")]
    Setting {
        /// The node.
        place: String,
        /// Which.
        key: String,
        /// The value.
        value: String,
        /// Why not.
        why: String,
    },
    /// The plan does not fit together; a mistake of ours.
    #[error("the plan is inconsistent (a bug in scn): {what}")]
    Plan {
        /// What does not fit.
        what: String,
    },
    /// A fault names an interface that the node does not have.
    #[error("node `{node}` has no interface `{interface}`; it has: {known}")]
    NoInterface {
        /// The node.
        node: String,
        /// The name that was looked for.
        interface: String,
        /// Those that exist.
        known: String,
    },
    /// An address fits no interface.
    #[error("node `{node}` has no interface whose subnet holds {address}; name the interface")]
    NoSubnet {
        /// The node.
        node: String,
        /// The address.
        address: String,
    },
    /// An address is not where it should be taken from.
    #[error("node `{node}` does not have the address {address}; it has: {known}")]
    NoAddress {
        /// The node.
        node: String,
        /// The address.
        address: String,
        /// Those it has.
        known: String,
    },
    /// A fault on a plain link between two nodes.
    #[error("link `{link}` is a plain veth pair between two nodes: it cannot be struck. The plan must make it a wire (a bug in scn)")]
    CannotStrike {
        /// The link.
        link: String,
    },
    /// An action that is none of the lab's.
    #[error("the lab was asked for what is not its work (a bug in scn): {action}")]
    NotTheLabs {
        /// The action.
        action: String,
    },
    /// A program under test did not do what it should.
    #[error("process `{process}` on `{node}` {why}")]
    Program {
        /// Its name.
        process: String,
        /// Where it runs.
        node: String,
        /// What happened, with its own words.
        why: String,
    },
    /// A program that the scenario starts is not on this machine.
    #[error(
        "{what} starts `{program}`, which is not on this machine's search path. Install it, or let the scenario say `needs tool {program}`: \
         it is then skipped where it is missing"
    )]
    NoProgram {
        /// What starts it.
        what: String,
        /// Its name.
        program: String,
    },
    /// A program stands where programs under test have folders of their own.
    #[error("{what} starts `{program}`: nodes have a `/run` and a `/tmp` of their own, so it cannot be seen there. Put it elsewhere")]
    HiddenProgram {
        /// What starts it.
        what: String,
        /// Its path.
        program: String,
    },
    /// A secret has no value.
    #[error("the secret `{name}` is read from the environment variable {variable}, which is not set: {variable}=... scn run ...")]
    NoSecret {
        /// Its name in the file.
        name: String,
        /// The variable.
        variable: String,
    },
    /// A thread of the lab is gone.
    #[error("the lab's {thread} thread has ended{}", advice_after(.why))]
    Closed {
        /// Which.
        thread: String,
        /// Why, if known.
        why: String,
    },
}

/// The advice as a sentence of its own.
fn advice_after(advice: &str) -> String {
    if advice.is_empty() { String::new() } else { format!(". {advice}") }
}

impl LabError {
    /// A system call that failed.
    pub(crate) fn system(place: impl Into<String>, doing: impl Into<String>, cause: &io::Error) -> Self {
        LabError::Kernel { place: place.into(), doing: doing.into(), cause: cause.to_string(), advice: advice(cause.raw_os_error()) }
    }

    /// A netlink request that failed.
    pub(crate) fn netlink(place: impl Into<String>, doing: impl Into<String>, refusal: &Refusal) -> Self {
        LabError::Kernel { place: place.into(), doing: doing.into(), cause: refusal.to_string(), advice: advice(Some(refusal.errno)) }
    }
}

/// What usually helps.
fn advice(errno: Option<i32>) -> String {
    let text = match errno {
        Some(libc::EMFILE | libc::ENFILE) => "Raise the limit of open files (`ulimit -n`)",
        Some(libc::ENOSPC | libc::EUSERS) => "Raise /proc/sys/user/max_net_namespaces",
        Some(libc::EPERM | libc::EACCES) => "Run `scn doctor` to see which privilege is missing",
        Some(libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT) => "This kernel lacks it; run `scn doctor`",
        Some(libc::ENOMEM | libc::ENOBUFS) => "The machine is out of memory for it; use fewer nodes",
        _ => "",
    };
    text.to_owned()
}
