//! VMDK: only whole files of one extent, their own.

use super::{Bytes, Format, Found, Refusal, Source, unsafe_because};

const SECTOR: u64 = 512;
const DESCRIPTOR_TEXT: &[u8] = b"# Disk DescriptorFile";
/// Larger descriptors than QEMU writes by far.
const LONGEST_DESCRIPTOR: u64 = 1 << 20;
const TYPES: &[&str] = &["monolithicSparse", "streamOptimized"];

/// Whether the file begins as some VMDK does: sparse, of ESX, or a descriptor alone.
pub(super) fn is(start: &Bytes) -> bool {
    start.has(0, b"KDMV") || start.has(0, b"COWD") || is_text(start)
}

pub(super) fn inspect(source: &dyn Source) -> Result<Found, Refusal> {
    let header = Bytes::read(source, 0, 512)?;
    if is_text(&header) {
        // The data is in other files, wherever the text says.
        return Err(unsafe_because("VMDK is a descriptor of other files"));
    }
    if !header.has(0, b"KDMV") {
        return Err(unsafe_because("this kind of VMDK is not supported"));
    }
    let version = header.u32_le(4)?;
    if !(1..=3).contains(&version) {
        return Err(unsafe_because(format!("VMDK version {version} is not supported")));
    }
    let capacity = header.u64_le(12)?;
    if capacity == 0 {
        // QEMU takes such a file for a descriptor alone.
        return Err(unsafe_because("VMDK has no capacity"));
    }
    let at = header.u64_le(28)?.saturating_mul(SECTOR);
    let count = header.u64_le(36)?.saturating_mul(SECTOR);
    if at == 0 || count == 0 || count > LONGEST_DESCRIPTOR || at >= source.size() {
        return Err(unsafe_because("VMDK has no descriptor where its header says"));
    }
    let count = usize::try_from(count).unwrap_or(0);
    check_descriptor(&Bytes::read(source, at, count)?)?;
    Ok(Found { format: Format::Vmdk, virtual_size: capacity.saturating_mul(SECTOR), flat: false })
}

fn is_text(start: &Bytes) -> bool {
    let head = start.slice(0, DESCRIPTOR_TEXT.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(DESCRIPTOR_TEXT))
}

/// The embedded descriptor must speak of one extent in this very file, and of no parent.
fn check_descriptor(raw: &Bytes) -> Result<(), Refusal> {
    let end = raw.0.iter().position(|byte| *byte == 0).unwrap_or(raw.0.len());
    let text = std::str::from_utf8(&raw.0[..end])
        .map_err(|_| unsafe_because("VMDK has an unreadable descriptor"))?;
    let mut kind = None;
    let mut extents = 0;
    for line in text.lines().map(str::trim) {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "createtype" => kind = Some(value),
            "parentcid" if !value.eq_ignore_ascii_case("ffffffff") => {
                return Err(unsafe_because("VMDK has a parent"));
            }
            "parentfilenamehint" => return Err(unsafe_because("VMDK has a parent")),
            _ if is_extent(line) => {
                extents += 1;
                check_extent(line)?;
            }
            _ => {}
        }
    }
    match kind {
        Some(kind) if TYPES.contains(&kind) => {}
        Some(kind) => return Err(unsafe_because(format!("VMDK type {kind} is not allowed"))),
        None => return Err(unsafe_because("VMDK does not say its type")),
    }
    if extents != 1 {
        return Err(unsafe_because(format!("VMDK has {extents} extents")));
    }
    Ok(())
}

fn is_extent(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    ["RW", "RDONLY", "NOACCESS"].iter().any(|access| first.eq_ignore_ascii_case(access))
}

/// `RW 4192256 SPARSE "disk.vmdk"`
fn check_extent(line: &str) -> Result<(), Refusal> {
    let kind = line.split_whitespace().nth(2).unwrap_or_default();
    let name = line.split('"').nth(1).unwrap_or_default();
    if kind != "SPARSE" || name.is_empty() || name.contains('/') || name.contains('\\') {
        return Err(unsafe_because("VMDK has an extent outside itself"));
    }
    Ok(())
}
