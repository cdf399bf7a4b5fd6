//! Why an interface can't be captured, and what would help.

use std::io;

/// Why an interface can't be captured, in words for a person.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The user lacks the right.
    #[error(
        "{interface}: this user may not capture: it takes CAP_NET_RAW. Run as root, give a copy of the Python \
         interpreter the right (`setcap cap_net_raw+ep /path/to/python3`), or run as a service whose unit file has \
         `AmbientCapabilities=CAP_NET_RAW`; a service that gave it up after its start keeps it with `run.keep_net_raw = true`"
    )]
    NotPermitted {
        /// Which was asked for.
        interface: String,
    },
    /// There is no interface of that name.
    #[error("{interface}: no such interface; there are: {}", others.join(", "))]
    NoSuchInterface {
        /// Which was asked for.
        interface: String,
        /// Those there are.
        others: Vec<String>,
    },
    /// Its frames carry no IP that we could read.
    #[error(
        "{interface}: interfaces of its kind (ARPHRD {hardware_type}) are not read; Ethernet, loopback, tunnels and others that \
         carry IP are"
    )]
    UnsupportedLink {
        /// Which was asked for.
        interface: String,
        /// What Linux calls its kind.
        hardware_type: u16,
    },
    /// The kernel has no memory for the ring.
    #[error("{interface}: a ring of {octets} octets does not fit into memory; make it smaller (ring_octets)")]
    NoMemory {
        /// Which was asked for.
        interface: String,
        /// How large the ring was to be.
        octets: usize,
    },
    /// Any other refusal.
    #[error("{interface}: {step}: {error}")]
    System {
        /// Which was asked for.
        interface: String,
        /// What was being done.
        step: &'static str,
        /// What the operating system said.
        error: io::Error,
    },
    /// Live capture is there for Linux alone.
    #[error(
        "live capture works on Linux alone so far; here, read capture files: `tcpdump -i {interface} -w - | mailsensor \
         replay -`"
    )]
    NotLinux {
        /// Which was asked for.
        interface: String,
    },
}

impl LiveError {
    /// The error of *step* on *interface*, by what the operating system said.
    pub(super) fn of(interface: &str, step: &'static str, error: io::Error) -> Self {
        let interface = interface.to_owned();
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NotPermitted { interface },
            _ => Self::System { interface, step, error },
        }
    }
}
