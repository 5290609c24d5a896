//! The empty image that a simulated guest's snapshot is.

use std::path::Path;

use stackup_system::files::write_atomic;

use crate::drivers::{DiskFormat, DriverError, Result};

const CLUSTER: u64 = 65_536;

/// Writes an image of 1 MiB that holds nothing: a snapshot is a real image file, whoever reads it.
pub(super) fn write_empty(to: &Path, format: DiskFormat) -> Result<()> {
    let bytes = match format {
        DiskFormat::Raw => vec![0; 1 << 20],
        DiskFormat::Qcow2 => empty_qcow2(1 << 20),
        _ => {
            return Err(DriverError::NotSupported { driver: "fake", verb: "write that format" });
        }
    };
    write_atomic(to, &bytes, 0o600)
        .map_err(|source| DriverError::failed(format!("writing {}", to.display()), source))
}

/// A version 2 image: header, refcount table, one refcount block, an empty L1 table.
fn empty_qcow2(size: u64) -> Vec<u8> {
    let mut image = Vec::with_capacity(4 * CLUSTER as usize);
    image.extend(b"QFI\xfb");
    image.extend(2_u32.to_be_bytes());
    image.extend(0_u64.to_be_bytes()); // no backing file
    image.extend(0_u32.to_be_bytes());
    image.extend(16_u32.to_be_bytes()); // cluster bits
    image.extend(size.to_be_bytes());
    image.extend(0_u32.to_be_bytes()); // no encryption
    image.extend(1_u32.to_be_bytes()); // L1 entries
    image.extend((3 * CLUSTER).to_be_bytes()); // L1 table
    image.extend(CLUSTER.to_be_bytes()); // refcount table
    image.extend(1_u32.to_be_bytes()); // its clusters
    image.extend(0_u32.to_be_bytes()); // snapshots
    image.extend(0_u64.to_be_bytes());
    image.resize(CLUSTER as usize, 0);
    image.extend((2 * CLUSTER).to_be_bytes());
    image.resize(2 * CLUSTER as usize, 0);
    for _ in 0..4 {
        image.extend(1_u16.to_be_bytes()); // each of the four clusters is in use once
    }
    image.resize(4 * CLUSTER as usize, 0);
    image
}
