//! The system calls of live capture, each behind a safe function. With `mapping.rs` the only code that is not checked by the
//! compiler: every block says why it is sound.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_long, c_void, CStr, CString};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::filter::Instruction;

/// True: this is Linux. See `elsewhere.rs`.
pub const AVAILABLE: bool = true;

/// What a socket shows of each frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// With its link header.
    Link,
    /// From the network header on.
    Network,
}

/// Frames that the kernel took in and dropped since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Passed by the filter, dropped ones included.
    pub frames: u32,
    /// Dropped because the ring was full.
    pub dropped: u32,
    /// Times the ring was full.
    pub freezes: u32,
}

/// A packet socket that shows nothing yet.
pub fn packet_socket(view: View) -> io::Result<OwnedFd> {
    let kind = match view {
        View::Link => libc::SOCK_RAW,
        View::Network => libc::SOCK_DGRAM,
    };
    // SAFETY: takes numbers alone.
    let fd = unsafe { libc::socket(libc::AF_PACKET, kind | libc::SOCK_CLOEXEC, 0) };
    check(fd)?;
    // SAFETY: a descriptor that was just opened and that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Has the socket show frames of every protocol on the interface *index*.
pub fn bind(socket: &OwnedFd, index: i32) -> io::Result<()> {
    // SAFETY: an address of zeros is a valid one.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index;
    let octets = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address lives through the call and has the size told.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), octets) })
}

/// Sets a filter, in place of the one before.
pub fn attach(socket: &OwnedFd, program: &[Instruction]) -> io::Result<()> {
    set_program(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
}

fn set_program(socket: &OwnedFd, level: c_int, option: c_int, program: &[Instruction]) -> io::Result<()> {
    let mut filters: Vec<libc::sock_filter> = program
        .iter()
        .map(|each| libc::sock_filter {
            code: each.code,
            jt: each.if_true,
            jf: each.if_false,
            k: each.operand,
        })
        .collect();
    let program = libc::sock_fprog {
        len: u16::try_from(filters.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filters.as_mut_ptr(),
    };
    set(socket, level, option, &program)
}

/// Asks for frames to others too, until the socket is closed.
pub fn be_promiscuous(socket: &OwnedFd, index: i32) -> io::Result<()> {
    let wanted = libc::packet_mreq {
        mr_ifindex: index,
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set(socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &wanted)
}

/// Makes a ring of *blocks* blocks of *block_octets* octets; a block with frames is shown after *timeout* at the latest.
pub fn make_ring(socket: &OwnedFd, block_octets: u32, blocks: u32, timeout: Duration) -> io::Result<()> {
    /// Only a unit to count in with version 3: frames lie close together. Must divide the block.
    const FRAME_OCTETS: u32 = 2048;
    let version = libc::tpacket_versions::TPACKET_V3 as c_int;
    set(socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
    let ring = libc::tpacket_req3 {
        tp_block_size: block_octets,
        tp_block_nr: blocks,
        tp_frame_size: FRAME_OCTETS,
        tp_frame_nr: (block_octets / FRAME_OCTETS).saturating_mul(blocks),
        tp_retire_blk_tov: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
        tp_sizeof_priv: 0,
        tp_feature_req_word: 0,
    };
    set(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &ring)
}

/// Joins the *group* of sockets that share the frames of an interface by what *program* makes of each; none for a new one. Gives its
/// number.
///
/// IPv4 fragments are joined first, so that those behind the first, which name no ports, follow it.
pub fn join_fanout(socket: &OwnedFd, group: Option<u16>, program: &[Instruction]) -> io::Result<u16> {
    let flags = libc::PACKET_FANOUT_CBPF | libc::PACKET_FANOUT_FLAG_DEFRAG;
    let wanted = match group {
        Some(group) => u32::from(group) | flags << 16,
        None => (flags | libc::PACKET_FANOUT_FLAG_UNIQUEID) << 16,
    };
    set(socket, libc::SOL_PACKET, libc::PACKET_FANOUT, &wanted)?;
    if group.is_none() {
        // The group's own: who joins it later has it, too.
        set_program(socket, libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, program)?;
    }
    let joined: u32 = get(socket, libc::SOL_PACKET, libc::PACKET_FANOUT, 0)?;
    Ok((joined & 0xffff) as u16)
}

/// What was taken in and dropped since the last call: asking sets the kernel's counts back.
pub fn statistics(socket: &OwnedFd) -> io::Result<Statistics> {
    let none = libc::tpacket_stats_v3 {
        tp_packets: 0,
        tp_drops: 0,
        tp_freeze_q_cnt: 0,
    };
    let told = get(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, none)?;
    Ok(Statistics {
        frames: told.tp_packets,
        dropped: told.tp_drops,
        freezes: told.tp_freeze_q_cnt,
    })
}

/// The error that waits on the socket, which is thereby forgotten.
pub fn take_error(socket: &OwnedFd) -> io::Result<Option<io::Error>> {
    let number: c_int = get(socket, libc::SOL_SOCKET, libc::SO_ERROR, 0)?;
    Ok((number != 0).then(|| io::Error::from_raw_os_error(number)))
}

/// Waits until one of *sockets* has something, or *timeout* passed; true for each that has an error to tell.
pub fn wait(sockets: &[RawFd], timeout: Duration) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> = sockets
        .iter()
        .map(|&fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let timeout_ms = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    // SAFETY: the list lives through the call and has the length told.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout_ms) };
    match check(ready) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(vec![false; sockets.len()]),
        Err(error) => Err(error),
        Ok(()) => Ok(polled.iter().map(|each| each.revents & libc::POLLERR != 0).collect()),
    }
}

/// The number of the interface *name*; none if there is none of that name.
pub fn interface_index(name: &str) -> Option<i32> {
    let name = CString::new(name).ok()?;
    // SAFETY: a text that ends in NUL and lives through the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    i32::try_from(index).ok().filter(|&index| index > 0)
}

/// The names of all interfaces.
pub fn interface_names() -> Vec<String> {
    // SAFETY: takes nothing; what it gives is freed below and not used after that.
    let list = unsafe { libc::if_nameindex() };
    let mut names = Vec::new();
    let mut each = list;
    // SAFETY: the list, if there is one, ends with an entry whose name is null; names end in NUL.
    while let Some(entry) = unsafe { each.as_ref() }.filter(|entry| !entry.if_name.is_null()) {
        // SAFETY: as above.
        let name = unsafe { CStr::from_ptr(entry.if_name) };
        names.push(name.to_string_lossy().into_owned());
        each = each.wrapping_add(1);
    }
    if !list.is_null() {
        // SAFETY: given by if_nameindex, freed once.
        unsafe { libc::if_freenameindex(list) };
    }
    names
}

/// The kind of hardware of the interface *name*, an ARPHRD number.
pub fn hardware_type(socket: &OwnedFd, name: &str) -> io::Result<u16> {
    let told = ask_interface(socket, name, libc::SIOCGIFHWADDR as libc::Ioctl)?;
    // SAFETY: the kernel filled in this member of the union.
    Ok(unsafe { told.ifr_ifru.ifru_hwaddr.sa_family })
}

/// True if the interface *name* is up.
pub fn is_up(socket: &OwnedFd, name: &str) -> io::Result<bool> {
    let told = ask_interface(socket, name, libc::SIOCGIFFLAGS as libc::Ioctl)?;
    // SAFETY: the kernel filled in this member of the union.
    let flags = unsafe { told.ifr_ifru.ifru_flags };
    Ok(c_int::from(flags) & libc::IFF_UP != 0)
}

fn ask_interface(socket: &OwnedFd, name: &str, question: libc::Ioctl) -> io::Result<libc::ifreq> {
    // SAFETY: a request of zeros is a valid one.
    let mut request: libc::ifreq = unsafe { zeroed() };
    if name.len() >= request.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (place, octet) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = octet as libc::c_char;
    }
    // SAFETY: both questions take and fill one request, which lives through the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), question, &raw mut request) })?;
    Ok(request)
}

/// Gives up what this thread may do beside its user, but for the right to open packet sockets where it *keeps* that. Rights of other
/// threads stay.
pub fn give_up_rights(keeps_packet_sockets: bool) -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`: sets of 64 bits, each as two halves, low half first.
    const VERSION: u32 = 0x2008_0522;
    const CAP_NET_RAW: u32 = 13;
    let header: [u32; 2] = [VERSION, 0];
    // Of each half: effective, permitted, inheritable.
    let mut sets = [0_u32; 6];
    // SAFETY: header (version, and zero for this thread) and sets are as capget(2) has them, and live through the call.
    check_long(unsafe { libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()) })?;
    let kept = sets[1] & (u32::from(keeps_packet_sockets) << CAP_NET_RAW);
    let sets = [kept, kept, 0, 0, 0, 0];
    // SAFETY: as above, for capset(2), which only reads.
    check_long(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) })
}

/// Private, since *value* must be what the option takes.
fn set<T>(socket: &OwnedFd, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let octets = size_of::<T>() as libc::socklen_t;
    let value: *const c_void = (&raw const *value).cast();
    // SAFETY: the value, and what it points to, live through the call; it has the size told.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, octets) })
}

/// Private, since *value* must be of the type that the option gives; any octets must make a valid one.
fn get<T: Copy>(socket: &OwnedFd, level: c_int, option: c_int, mut value: T) -> io::Result<T> {
    let mut octets = size_of::<T>() as libc::socklen_t;
    let place: *mut c_void = (&raw mut value).cast();
    // SAFETY: the kernel writes at most as many octets as told; the types above are numbers alone.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, place, &raw mut octets) })?;
    Ok(value)
}

fn check(result: c_int) -> io::Result<()> {
    check_long(result.into())
}

fn check_long(result: c_long) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
