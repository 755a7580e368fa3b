//! Memory that is free, for the system. It frees nothing itself.

/// Gives free memory back to the system. The C library of GNU keeps what lies below memory that is in use: after a load of
/// a large catalog that is as much as the catalog. Others give back what is free by themselves.
pub(super) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[allow(unsafe_code, reason = "no library offers it otherwise")]
    // SAFETY: it takes no pointer, and changes nothing that is in use; threads may call it at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
