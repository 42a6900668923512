//! Settings of the C library's allocator, so that freed memory goes back to the system.
//!
//! By default glibc adapts to a program that allocates and frees large blocks: it keeps up to 64 MiB of freed memory in
//! each of its arenas, of which there are eight for each core. Rebuilding large layers on many threads then takes several
//! times the memory that is in use.

/// Blocks from this size on are mapped and unmapped by themselves, and so much freed memory is kept at the end of an arena,
/// in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const THRESHOLD: libc::c_int = 1 << 20;
/// Threads share so many arenas.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 4;

/// Makes the allocator return freed memory soon. Does nothing where the C library is not glibc; what its environment
/// variables set is overridden.
pub fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, THRESHOLD),
        (libc::M_TRIM_THRESHOLD, THRESHOLD),
        (libc::M_ARENA_MAX, ARENAS),
    ] {
        // SAFETY: mallopt takes two integers, locks the allocator itself, and refuses values that are not valid.
        #[expect(unsafe_code, reason = "no library offers this call")]
        let _ = unsafe { libc::mallopt(parameter, value) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn freed_blocks_go_back_to_the_system() {
        super::return_freed_memory();
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
            let pages = status
                .split(' ')
                .nth(1)
                .and_then(|pages| pages.parse().ok());
            pages.unwrap_or(0u64)
        };
        let before = resident();
        let blocks: Vec<Vec<u8>> = (0..64).map(|number| vec![number + 1; 2 << 20]).collect();
        let during = resident();
        drop(blocks);
        let after = resident();
        assert!(during > before + 20_000, "{before} {during} pages");
        assert!(after < before + 4_000, "{before} {after} pages");
    }
}
