//! VHDX: the disk's size and its parent lie behind two tables.

use super::{Bytes, Format, Found, Refusal, Source, unsafe_because};

const REGION_TABLE: u64 = 192 * 1024;
const MOST_REGIONS: u32 = 2047;
const MOST_ITEMS: u16 = 2047;
const METADATA_TABLE: usize = 64 * 1024;

/// The GUIDs as they lie in the file.
const METADATA_REGION: [u8; 16] = guid(0x8b7c_a206, 0x4790, 0x4b9a, 0xb8fe_575f_050f_886e);
const FILE_PARAMETERS: [u8; 16] = guid(0xcaa1_6737, 0xfa36, 0x4d43, 0xb3b6_33f0_aa44_e76b);
const DISK_SIZE: [u8; 16] = guid(0x2fa5_4224, 0xcd1b, 0x4876, 0xb211_5dbe_d83b_f4b8);
const PARENT_LOCATOR: [u8; 16] = guid(0xa8d3_5f2d, 0xb30b, 0x454d, 0xabf7_d3d8_4834_ab0c);

const HAS_PARENT: u32 = 1 << 1;

pub(super) fn inspect(source: &dyn Source) -> Result<Found, Refusal> {
    let metadata = metadata_offset(source)?;
    let table = Bytes::read(source, metadata, METADATA_TABLE)?;
    if !table.has(0, b"metadata") {
        return Err(unsafe_because("VHDX has no metadata where its header says"));
    }
    let count = table.u16_le(10)?.min(MOST_ITEMS);
    let mut size = None;
    for index in 0..usize::from(count) {
        let entry = 32 + index * 32;
        let id: [u8; 16] = table.array(entry)?;
        let at = metadata.saturating_add(table.u32_le(entry + 16)?.into());
        match id {
            PARENT_LOCATOR => return Err(unsafe_because("VHDX has a parent")),
            FILE_PARAMETERS if Bytes::read(source, at, 8)?.u32_le(4)? & HAS_PARENT != 0 => {
                return Err(unsafe_because("VHDX has a parent"));
            }
            DISK_SIZE => size = Some(Bytes::read(source, at, 8)?.u64_le(0)?),
            _ => {}
        }
    }
    Ok(Found {
        format: Format::Vhdx,
        virtual_size: size.ok_or_else(|| unsafe_because("VHDX does not say its size"))?,
        flat: false,
    })
}

fn metadata_offset(source: &dyn Source) -> Result<u64, Refusal> {
    let table = Bytes::read(source, REGION_TABLE, 64 * 1024)?;
    if !table.has(0, b"regi") {
        return Err(unsafe_because("VHDX has no region table"));
    }
    let count = table.u32_le(8)?.min(MOST_REGIONS);
    for index in 0..count as usize {
        let entry = 16 + index * 32;
        if table.array::<16>(entry)? == METADATA_REGION {
            return table.u64_le(entry + 16);
        }
    }
    Err(unsafe_because("VHDX has no metadata"))
}

const fn guid(a: u32, b: u16, c: u16, d: u64) -> [u8; 16] {
    let (a, b, c, d) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes(), d.to_be_bytes());
    [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]
}
