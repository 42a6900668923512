//! What is installed in a container image.
//!
//! [`Scanner::layer`] reads one layer as a stream (gzip, zstd or a plain tar) and keeps what a [`Scan`] needs:
//! names, sizes and digests of files, deletions, and what package databases and Go programs contain.
//! [`FileTree`] applies scans on each other as a container runtime does. [`Inventory`] lists the packages of a
//! tree; [`compare_files`] and [`compare_packages`] list what differs between two.
//!
//! Nothing is written to disk. Sizes, counts and depths are limited ([`limits`]), whatever the input claims, and
//! what was found and could not be read is listed as a [`Note`].

mod bytes;
mod compare;
mod compression;
mod database;
mod entry;
mod go;
mod inventory;
mod kept;
pub mod limits;
mod memory;
mod os_release;
mod package;
mod scan;
mod tar;
mod tree;
mod version;

pub use compare::{
    ChangedFile, ChangedPackage, FileChanges, FileState, PackageChanges, PlacedPackage,
    compare_files, compare_packages,
};
pub use entry::{File, Note};
pub use go::{GoModule, GoProgram};
pub use inventory::{InstalledProgram, Inventory};
pub use os_release::OsRelease;
pub use package::{Package, PackageKind};
pub use scan::{LayerError, Scan, Scanner};
pub use tar::TarError;
pub use tree::FileTree;
