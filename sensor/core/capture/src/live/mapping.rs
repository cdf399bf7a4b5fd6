//! The ring's memory, shared with the kernel block by block.
//!
//! A block belongs to the kernel until it sets the status word's "user" bit, then to us until we clear it. The kernel
//! writes nothing into a block of ours, and [`Mapping::block`] gives none that is not ours. [`Mapping::give_back`] borrows the mapping
//! mutably, so that nothing still reads a block when it goes back.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where the status word lies in a block (`struct tpacket_block_desc`).
const STATUS: usize = 8;

/// Memory of a ring: *blocks* blocks of `block_octets` octets each.
#[derive(Debug)]
pub struct Mapping {
    start: NonNull<u8>,
    block_octets: usize,
    blocks: usize,
}

// SAFETY: the mapping is memory of the whole process, and has one owner, who may be any thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps the ring of *socket*.
    pub fn new(socket: &OwnedFd, block_octets: usize, blocks: usize) -> io::Result<Self> {
        let octets = block_octets.checked_mul(blocks).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: a new mapping at an address that the kernel picks, over nothing of ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                octets,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            start,
            block_octets,
            blocks,
        })
    }

    /// How many blocks there are.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Block *number*, if the kernel has handed it over.
    #[inline]
    #[must_use]
    pub fn block(&self, number: usize) -> Option<&[u8]> {
        let start = self.start_of(number)?;
        // Acquire: what the kernel wrote before it set the bit is seen.
        if self.status(number)?.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the octets lie in the mapping; the block is ours, so nothing writes them until `give_back`, which can't be
        // called while this borrow lives.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), self.block_octets) })
    }

    /// Gives block *number* back to the kernel.
    pub fn give_back(&mut self, number: usize) {
        if let Some(status) = self.status(number) {
            // Release: whatever was read of the block was read before.
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
    }

    fn start_of(&self, number: usize) -> Option<NonNull<u8>> {
        (number < self.blocks).then(|| {
            // SAFETY: `number < blocks`, so the place lies in the mapping.
            unsafe { self.start.add(number * self.block_octets) }
        })
    }

    fn status(&self, number: usize) -> Option<&AtomicU32> {
        let place = self.start_of(number)?;
        // SAFETY: a block begins at a page and is at least one long, so the word lies in it and is aligned. Kernel and we
        // write it as a whole; nobody of ours writes it but by this reference.
        Some(unsafe { AtomicU32::from_ptr(place.add(STATUS).as_ptr().cast()) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the very range that was mapped; no borrow of it outlives this.
        let _ = unsafe { libc::munmap(self.start.as_ptr().cast(), self.block_octets * self.blocks) };
    }
}
