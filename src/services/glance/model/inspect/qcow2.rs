//! qcow2, versions 2 and 3.

use super::{Bytes, Format, Found, Refusal, Source, unsafe_because};

const EXTERNAL_DATA_FILE: u64 = 1 << 2;
/// Dirty, corrupt, external data, compression type, extended L2: what QEMU knows today.
const KNOWN_FEATURES: u64 = 0b1_1111;

pub(super) fn inspect(source: &dyn Source) -> Result<Found, Refusal> {
    let header = Bytes::read(source, 0, 112)?;
    let version = header.u32_be(4)?;
    if !matches!(version, 2 | 3) {
        return Err(unsafe_because(format!("qcow version {version} is not supported")));
    }
    if header.u64_be(8)? != 0 {
        return Err(unsafe_because("qcow2 has a backing file"));
    }
    let cluster_bits = header.u32_be(20)?;
    if !(9..=21).contains(&cluster_bits) {
        return Err(unsafe_because("qcow2 has clusters of an impossible size"));
    }
    if version == 3 {
        let features = header.u64_be(72)?;
        if features & EXTERNAL_DATA_FILE != 0 {
            return Err(unsafe_because("qcow2 has an external data file"));
        }
        if features & !KNOWN_FEATURES != 0 {
            return Err(unsafe_because("qcow2 has unknown incompatible features"));
        }
    }
    Ok(Found { format: Format::Qcow2, virtual_size: header.u64_be(24)?, flat: false })
}
