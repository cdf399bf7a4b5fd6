//! Interfaces by their name: their number, and how their frames are to be read.

use std::os::fd::OwnedFd;

use wire::frame::LinkType;

use super::error::LiveError;
use super::sys::{self, View};

/// An interface as it stands now. A removed one that is made again has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The number the kernel knows it by.
    pub index: i32,
    /// True for loopback, where every frame passes twice.
    pub is_loopback: bool,
    /// What its frames begin with, and how a socket is to show them.
    pub link: (LinkType, View),
}

/// The longest interface name (`IFNAMSIZ` less the closing NUL).
const NAME_OCTETS: usize = 15;

mod arphrd {
    pub const ETHER: u16 = 1;
    pub const LOOPBACK: u16 = 772;
    /// PPP, IP in IP (v4, v6), SIT, GRE (v4, v6), raw IP, none (tun, WireGuard), InfiniBand.
    pub const CARRY_IP: [u16; 9] = [512, 768, 769, 776, 778, 823, 519, 0xfffe, 32];
}

impl Interface {
    /// The interface *name*.
    ///
    /// # Errors
    /// There is none of that name, or its frames can't be read, or this user may not capture.
    pub fn find(name: &str) -> Result<Self, LiveError> {
        let known = (1..=NAME_OCTETS).contains(&name.len());
        let Some(index) = known.then(|| sys::interface_index(name)).flatten() else {
            return Err(LiveError::NoSuchInterface {
                interface: name.to_owned(),
                others: sys::interface_names(),
            });
        };
        let socket = socket(name, View::Network)?;
        let hardware_type =
            sys::hardware_type(&socket, name).map_err(|error| LiveError::of(name, "asking for its kind", error))?;
        let link = link_of(hardware_type).ok_or_else(|| LiveError::UnsupportedLink {
            interface: name.to_owned(),
            hardware_type,
        })?;
        Ok(Self {
            index,
            is_loopback: hardware_type == arphrd::LOOPBACK,
            link,
        })
    }
}

/// A packet socket for the interface *name*.
pub(super) fn socket(name: &str, view: View) -> Result<OwnedFd, LiveError> {
    sys::packet_socket(view).map_err(|error| LiveError::of(name, "opening a packet socket", error))
}

/// How frames of this kind of hardware are read. Of all that is not Ethernet only the IP packets are asked for, since the kernel
/// knows where they begin.
fn link_of(hardware_type: u16) -> Option<(LinkType, View)> {
    match hardware_type {
        arphrd::ETHER | arphrd::LOOPBACK => Some((LinkType::ETHERNET, View::Link)),
        kind if arphrd::CARRY_IP.contains(&kind) => Some((LinkType::RAW, View::Network)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_by_the_kind_of_hardware() {
        for (kind, expected) in [
            (1, Some(LinkType::ETHERNET)),
            (772, Some(LinkType::ETHERNET)),
            (0xfffe, Some(LinkType::RAW)),
            (801, None), // 802.11
            (824, None), // netlink
        ] {
            assert_eq!(link_of(kind).map(|(link, _)| link), expected, "{kind}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        for name in ["nothing-here", "", "a-name-longer-than-any", "a\0b"] {
            let error = Interface::find(name).unwrap_err();
            assert!(
                matches!(&error, LiveError::NoSuchInterface { others, .. } if others.iter().any(|each| each == "lo")),
                "{error}"
            );
        }
    }
}
