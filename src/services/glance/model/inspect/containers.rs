//! What lies on a disk without describing one: partition tables, ISO 9660, LUKS.

use super::{Bytes, Format, Found, Refusal, Source};

const ISO_DESCRIPTOR: u64 = 32 * 1024;
const PARTITIONS: usize = 446;

pub(super) fn luks(source: &dyn Source, start: &Bytes) -> Option<Found> {
    if !start.has(0, b"LUKS\xba\xbe") {
        return None;
    }
    // Version 1 says where the data begins; version 2 keeps that in JSON.
    let sectors = match start.array::<2>(6).ok()? {
        [0, 1] => u64::from(start.u32_be(104).ok()?),
        _ => 0,
    };
    Some(Found {
        format: Format::Luks,
        virtual_size: source.size().saturating_sub(sectors * 512),
        flat: true,
    })
}

pub(super) fn iso(source: &dyn Source) -> Result<Option<Found>, Refusal> {
    let descriptor = Bytes::read(source, ISO_DESCRIPTOR, 256)?;
    if !descriptor.has(1, b"CD001") || descriptor.0.len() < 256 {
        return Ok(None);
    }
    let blocks = u64::from(descriptor.u32_le(80)?);
    let block = u64::from(descriptor.u16_le(128)?);
    Ok(Some(Found {
        format: Format::Iso,
        virtual_size: match blocks * block {
            0 => source.size(),
            size => size,
        },
        flat: true,
    }))
}

/// A partition table, MBR or the MBR that protects a GPT: the signature, and four entries of which
/// each is empty or plausible and one is not empty. A kernel's boot sector has the signature alone.
pub(super) fn is_partitioned(start: &Bytes) -> bool {
    if !start.has(510, &[0x55, 0xaa]) {
        return false;
    }
    let mut used = 0;
    for index in 0..4 {
        let Some(entry) = start.slice(PARTITIONS + index * 16, 16) else {
            return false;
        };
        let (flag, kind) = (entry[0], entry[4]);
        if !matches!(flag, 0x00 | 0x80) {
            return false;
        }
        used += usize::from(kind != 0);
    }
    used > 0
}
