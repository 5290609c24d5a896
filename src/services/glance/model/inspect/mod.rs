//! What a file really is, read from its headers alone: nothing is believed that a user says.
//!
//! Guests' disks are opened by QEMU, which follows what a header points to. So a header that points
//! outside its file – a backing file, a data file, another extent – is refused, and so is one with
//! features that this reader does not know.

mod containers;
mod disks;
mod qcow2;
mod vhdx;
mod vmdk;

use std::io;

use stackup_core::wire_enum;

wire_enum! {
    /// The formats told apart, as `disk_format` spells them.
    pub(crate) enum Format {
        Raw = "raw",
        Qcow2 = "qcow2",
        Qed = "qed",
        Vmdk = "vmdk",
        Vdi = "vdi",
        Vhd = "vhd",
        Vhdx = "vhdx",
        Iso = "iso",
        Gpt = "gpt",
        Luks = "luks",
    }
}

/// A file to look into.
pub(crate) trait Source {
    fn size(&self) -> u64;

    /// Fills as much of `buffer` as there is from `offset` on.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) format: Format,
    /// Bytes of the disk described.
    pub(crate) virtual_size: u64,
    /// Whether the bytes are a disk even when nobody reads the header: partition tables, ISO.
    pub(crate) flat: bool,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It would make a guest read something else, or says what cannot be checked.
    #[error("Image failed safety checks: {0}")]
    Unsafe(String),
    #[error("Image disk_format {claimed} does not match stream data {found}")]
    Mismatch { claimed: String, found: Format },
    #[error("the file could not be read")]
    Unreadable(#[from] io::Error),
}

/// Decides the format of a file, and that it is whole in itself.
pub(crate) fn inspect(source: &dyn Source) -> Result<Found, Refusal> {
    let start = Bytes::read(source, 0, 1024)?;
    let found = match start {
        _ if start.has(0, b"QFI\xfb") => qcow2::inspect(source)?,
        _ if start.has(0, b"QED\0") => {
            return Err(unsafe_because("QED is not supported"));
        }
        _ if vmdk::is(&start) => vmdk::inspect(source)?,
        _ if start.has(0, b"vhdxfile") => vhdx::inspect(source)?,
        _ if start.has(0, b"conectix") => disks::vhd(&start)?,
        _ if start.has(0x40, &0xbeda_107f_u32.to_le_bytes()) => disks::vdi(&start)?,
        _ => flat(source, &start)?,
    };
    // QEMU counts a disk's bytes in a signed integer.
    if i64::try_from(found.virtual_size).is_err() {
        return Err(unsafe_because("the disk's size is not possible"));
    }
    Ok(found)
}

/// Formats whose bytes are the disk, or nothing known.
fn flat(source: &dyn Source, start: &Bytes) -> Result<Found, Refusal> {
    if let Some(found) = containers::luks(source, start) {
        return Ok(found);
    }
    if let Some(found) = disks::fixed_vhd(source)? {
        return Ok(found);
    }
    if let Some(found) = containers::iso(source)? {
        return Ok(found);
    }
    let format = match containers::is_partitioned(start) {
        true => Format::Gpt,
        false => Format::Raw,
    };
    Ok(Found { format, virtual_size: source.size(), flat: true })
}

impl Found {
    /// Whether the file may be called `claimed`, and how large its disk is under that name.
    ///
    /// Raw is what can be read as it is. The formats of direct kernel boot, and others without a
    /// header of their own, are taken unless the data has one.
    pub(crate) fn as_claimed(self, claimed: &str) -> Result<Option<u64>, Refusal> {
        let taken = match Format::parse(claimed) {
            Some(format) if format == self.format => return Ok(Some(self.virtual_size)),
            Some(Format::Raw) => self.flat,
            Some(_) => false,
            None => self.flat,
        };
        if taken {
            return Ok(Some(self.virtual_size).filter(|_| claimed == "raw"));
        }
        Err(Refusal::Mismatch { claimed: claimed.to_owned(), found: self.format })
    }
}

fn unsafe_because(why: impl Into<String>) -> Refusal {
    Refusal::Unsafe(why.into())
}

/// A piece of the file; what lies beyond its end reads as absent, never as a panic.
struct Bytes(Vec<u8>);

impl Bytes {
    fn read(source: &dyn Source, offset: u64, count: usize) -> Result<Self, Refusal> {
        let mut buffer = vec![0; count];
        let mut filled = 0;
        while filled < count {
            match source.read_at(offset.saturating_add(filled as u64), &mut buffer[filled..])? {
                0 => break,
                more => filled += more,
            }
        }
        buffer.truncate(filled);
        Ok(Self(buffer))
    }

    fn has(&self, offset: usize, magic: &[u8]) -> bool {
        self.slice(offset, magic.len()) == Some(magic)
    }

    fn slice(&self, offset: usize, count: usize) -> Option<&[u8]> {
        self.0.get(offset..offset.checked_add(count)?)
    }

    fn array<const N: usize>(&self, offset: usize) -> Result<[u8; N], Refusal> {
        let slice = self.slice(offset, N).and_then(|slice| slice.try_into().ok());
        slice.ok_or_else(|| unsafe_because("the header is cut short"))
    }

    fn u16_le(&self, offset: usize) -> Result<u16, Refusal> {
        self.array(offset).map(u16::from_le_bytes)
    }

    fn u32_le(&self, offset: usize) -> Result<u32, Refusal> {
        self.array(offset).map(u32::from_le_bytes)
    }

    fn u32_be(&self, offset: usize) -> Result<u32, Refusal> {
        self.array(offset).map(u32::from_be_bytes)
    }

    fn u64_le(&self, offset: usize) -> Result<u64, Refusal> {
        self.array(offset).map(u64::from_le_bytes)
    }

    fn u64_be(&self, offset: usize) -> Result<u64, Refusal> {
        self.array(offset).map(u64::from_be_bytes)
    }
}

#[cfg(test)]
mod tests;
