//! A read-only OCI registry straight from the bundle file.
