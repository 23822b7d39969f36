//! A map's memory, mapped: the only raw memory of user space.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use bytemuck::{AnyBitPattern, NoUninit};

/// An array map with `BPF_F_MMAPABLE`, as words that the program and other processes write as well.
#[derive(Debug)]
pub struct Mapped {
    words: NonNull<AtomicU64>,
    len: usize,
}

// SAFETY: the memory is shared by nature and reached through atomics only.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps `len` words of the map.
    ///
    /// # Errors
    /// It is shorter, or is none that can be mapped.
    pub fn new(map: &impl AsFd, len: usize) -> io::Result<Self> {
        // SAFETY: a new mapping of the kernel's choosing touches no memory of ours.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len * size_of::<u64>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                map.as_fd().as_raw_fd(),
                0,
            )
        };
        match NonNull::new(address.cast()) {
            Some(words) if address != libc::MAP_FAILED => Ok(Self { words, len }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// All words.
    #[must_use]
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: `len` words are mapped until drop, page-aligned; atomics may be shared with anyone.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.len) }
    }

    /// The value at a place of an array of such values; zero beyond the end.
    #[must_use]
    pub fn read<T: AnyBitPattern>(&self, place: usize) -> T {
        let mut bytes = Vec::with_capacity(size_of::<T>());
        for word in self.at::<T>(place) {
            bytes.extend_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        bytes.resize(size_of::<T>(), 0);
        bytemuck::pod_read_unaligned(&bytes)
    }

    /// Writes the value at a place, a word at a time.
    pub(super) fn write<T: NoUninit>(&self, place: usize, value: &T) {
        let bytes = bytemuck::bytes_of(value).chunks_exact(size_of::<u64>());
        for (word, bytes) in self.at::<T>(place).iter().zip(bytes) {
            word.store(u64::from_ne_bytes(bytes.try_into().unwrap_or_default()), Ordering::Relaxed);
        }
    }

    /// Writes the value at a place anew, a word at a time; nobody else writes it meanwhile.
    pub(super) fn edit<T: AnyBitPattern + NoUninit>(
        &self,
        place: usize,
        edit: impl FnOnce(&mut T),
    ) {
        let mut value = self.read(place);
        edit(&mut value);
        self.write(place, &value);
    }

    fn at<T>(&self, place: usize) -> &[AtomicU64] {
        const { assert!(size_of::<T>().is_multiple_of(size_of::<u64>())) };
        let len = size_of::<T>() / size_of::<u64>();
        self.words().get(place * len..(place + 1) * len).unwrap_or_default()
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length, and no borrow of it is left.
        unsafe { libc::munmap(self.words.as_ptr().cast(), self.len * size_of::<u64>()) };
    }
}
