//! VHD and VDI.

use super::{Bytes, Format, Found, Refusal, Source, unsafe_because};

const VHD_FIXED: u32 = 2;
const VHD_DYNAMIC: u32 = 3;
const VDI_DYNAMIC: u32 = 1;
const VDI_FIXED: u32 = 2;

/// A dynamic VHD: a copy of the footer comes first.
pub(super) fn vhd(start: &Bytes) -> Result<Found, Refusal> {
    match start.u32_be(60)? {
        VHD_DYNAMIC => {}
        4 => return Err(unsafe_because("VHD has a parent")),
        kind => return Err(unsafe_because(format!("VHD type {kind} is not allowed"))),
    }
    Ok(Found { format: Format::Vhd, virtual_size: start.u64_be(48)?, flat: false })
}

/// A fixed VHD: the disk, and then a footer.
pub(super) fn fixed_vhd(source: &dyn Source) -> Result<Option<Found>, Refusal> {
    let Some(at) = source.size().checked_sub(512) else {
        return Ok(None);
    };
    let footer = Bytes::read(source, at, 512)?;
    if !footer.has(0, b"conectix") || footer.u32_be(60)? != VHD_FIXED {
        return Ok(None);
    }
    Ok(Some(Found { format: Format::Vhd, virtual_size: footer.u64_be(48)?, flat: true }))
}

pub(super) fn vdi(start: &Bytes) -> Result<Found, Refusal> {
    let kind = start.u32_le(0x4c)?;
    if !matches!(kind, VDI_DYNAMIC | VDI_FIXED) {
        return Err(unsafe_because(format!("VDI type {kind} is not allowed")));
    }
    // The UUID of the parent image.
    if start.array::<16>(0x1a8)? != [0; 16] {
        return Err(unsafe_because("VDI has a parent"));
    }
    Ok(Found { format: Format::Vdi, virtual_size: start.u64_le(0x170)?, flat: false })
}
