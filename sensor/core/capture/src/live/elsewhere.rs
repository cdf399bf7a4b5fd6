//! In place of `sys.rs` and `mapping.rs` where there is no Linux: nothing can be opened, and so nothing read.

/// What `sys.rs` offers; everything is unsupported.
pub mod sys {
    use std::io;
    use std::os::fd::{OwnedFd, RawFd};
    use std::time::Duration;

    use super::super::filter::Instruction;

    /// False: live capture is there for Linux alone.
    pub const AVAILABLE: bool = false;

    /// What a socket shows of each frame.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum View {
        /// With its link header.
        Link,
        /// From the network header on.
        Network,
    }

    /// Frames taken in and dropped.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Statistics {
        /// Dropped because the ring was full.
        pub dropped: u32,
        /// Times the ring was full.
        pub freezes: u32,
    }

    /// Declares functions that answer that they are not supported.
    macro_rules! unsupported {
        ($($name:ident($($argument:ty),*) -> $given:ty;)+) => {
            $(#[doc = "Not supported here."]
            pub fn $name($(_: $argument),*) -> io::Result<$given> {
                Err(io::ErrorKind::Unsupported.into())
            })+
        };
    }

    unsupported! {
        packet_socket(View) -> OwnedFd;
        bind(&OwnedFd, i32) -> ();
        attach(&OwnedFd, &[Instruction]) -> ();
        be_promiscuous(&OwnedFd, i32) -> ();
        make_ring(&OwnedFd, u32, u32, Duration) -> ();
        join_fanout(&OwnedFd, Option<u16>, &[Instruction]) -> u16;
        statistics(&OwnedFd) -> Statistics;
        take_error(&OwnedFd) -> Option<io::Error>;
        wait(&[RawFd], Duration) -> Vec<bool>;
        hardware_type(&OwnedFd, &str) -> u16;
        is_up(&OwnedFd, &str) -> bool;
        give_up_rights(bool) -> ();
    }

    /// None.
    pub fn interface_index(_name: &str) -> Option<i32> {
        None
    }

    /// None.
    pub fn interface_names() -> Vec<String> {
        Vec::new()
    }
}

/// What `mapping.rs` offers; there is no memory to be mapped.
pub mod mapping {
    use std::io;
    use std::os::fd::OwnedFd;

    /// Memory of a ring: there is none.
    #[derive(Debug)]
    pub enum Mapping {}

    impl Mapping {
        /// Not supported here.
        pub fn new(_socket: &OwnedFd, _block_octets: usize, _blocks: usize) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        /// None.
        pub fn blocks(&self) -> usize {
            match *self {}
        }

        /// None.
        pub fn block(&self, _number: usize) -> Option<&[u8]> {
            match *self {}
        }

        /// Nothing to give back.
        pub fn give_back(&mut self, _number: usize) {
            match *self {}
        }
    }
}
