//! Headers made by hand, and whatever a generator thinks of.

use proptest::prelude::*;

use super::*;

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let part = &self[from..];
        let count = part.len().min(buffer.len());
        buffer[..count].copy_from_slice(&part[..count]);
        Ok(count)
    }
}

fn found(bytes: &[u8]) -> Found {
    inspect(&bytes).unwrap()
}

fn refused(bytes: &[u8]) -> String {
    match inspect(&bytes) {
        Err(Refusal::Unsafe(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn qcow2(version: u32) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    put(&mut bytes, 0, b"QFI\xfb");
    put(&mut bytes, 4, &version.to_be_bytes());
    put(&mut bytes, 20, &16_u32.to_be_bytes());
    put(&mut bytes, 24, &(1_u64 << 30).to_be_bytes());
    bytes
}

fn vmdk(descriptor: &str) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    put(&mut bytes, 0, b"KDMV");
    put(&mut bytes, 4, &1_u32.to_le_bytes());
    put(&mut bytes, 12, &2048_u64.to_le_bytes());
    put(&mut bytes, 28, &1_u64.to_le_bytes());
    put(&mut bytes, 36, &2_u64.to_le_bytes());
    put(&mut bytes, 512, descriptor.as_bytes());
    bytes
}

fn descriptor(kind: &str, extent: &str) -> String {
    format!(
        "# Disk DescriptorFile\nversion=1\nparentCID=ffffffff\ncreateType=\"{kind}\"\n{extent}\n"
    )
}

#[test]
fn qcow2_alone_is_taken() {
    for version in [2, 3] {
        let found = found(&qcow2(version));
        assert_eq!((found.format, found.virtual_size), (Format::Qcow2, 1 << 30));
        assert!(found.as_claimed("qcow2").is_ok());
        for lie in ["raw", "vmdk", "ami", "aki", "iso"] {
            assert!(found.as_claimed(lie).is_err(), "{lie}");
        }
    }
}

#[test]
fn qcow2_that_points_outside_is_refused() {
    let mut backed = qcow2(2);
    put(&mut backed, 8, &512_u64.to_be_bytes());
    assert!(refused(&backed).contains("backing file"));
    let mut external = qcow2(3);
    put(&mut external, 72, &4_u64.to_be_bytes());
    assert!(refused(&external).contains("data file"));
    let mut unknown = qcow2(3);
    put(&mut unknown, 72, &(1_u64 << 5).to_be_bytes());
    assert!(refused(&unknown).contains("unknown"));
    let mut huge = qcow2(3);
    put(&mut huge, 24, &u64::MAX.to_be_bytes());
    assert!(refused(&huge).contains("size"));
    assert!(refused(&qcow2(1)).contains("version"));
    assert!(refused(&qcow2(3)[..30]).contains("cut short"));
}

#[test]
fn vmdk_of_one_extent_is_taken() {
    for kind in ["monolithicSparse", "streamOptimized"] {
        let found = found(&vmdk(&descriptor(kind, "RW 2048 SPARSE \"disk.vmdk\"")));
        assert_eq!((found.format, found.virtual_size), (Format::Vmdk, 1 << 20));
    }
}

#[test]
fn vmdk_that_points_outside_is_refused() {
    let sparse = |extent| vmdk(&descriptor("monolithicSparse", extent));
    assert!(refused(&sparse("RW 2048 SPARSE \"/etc/passwd\"")).contains("outside"));
    assert!(refused(&sparse("RW 2048 FLAT \"disk-flat.vmdk\" 0")).contains("outside"));
    let two = "RW 1 SPARSE \"a.vmdk\"\nRDONLY 1 SPARSE \"b.vmdk\"";
    assert!(refused(&sparse(two)).contains("2 extents"));
    assert!(refused(&sparse("")).contains("0 extents"));
    let flat = vmdk(&descriptor("monolithicFlat", "RW 1 FLAT \"x\" 0"));
    assert!(refused(&flat).contains("outside"));
    let parent = descriptor("monolithicSparse", "parentFileNameHint=\"/etc/shadow\"");
    assert!(refused(&vmdk(&parent)).contains("parent"));
    let text = descriptor("monolithicFlat", "RW 1 FLAT \"/etc/passwd\" 0");
    assert!(refused(text.as_bytes()).contains("descriptor of other files"));
    let mut empty = sparse("RW 2048 SPARSE \"disk.vmdk\"");
    put(&mut empty, 12, &[0; 8]);
    assert!(refused(&empty).contains("capacity"));
    let mut esx = vec![0; 600];
    put(&mut esx, 0, b"COWD");
    assert!(refused(&esx).contains("not supported"));
}

#[test]
fn vhd_dynamic_fixed_and_differencing() {
    let mut footer = vec![0; 512];
    put(&mut footer, 0, b"conectix");
    put(&mut footer, 48, &(5_u64 << 20).to_be_bytes());
    put(&mut footer, 60, &3_u32.to_be_bytes());
    let dynamic = found(&[footer.clone(), vec![0; 2048]].concat());
    assert_eq!((dynamic.format, dynamic.virtual_size), (Format::Vhd, 5 << 20));
    assert!(dynamic.as_claimed("raw").is_err());
    put(&mut footer, 60, &4_u32.to_be_bytes());
    assert!(refused(&[footer.clone(), vec![0; 2048]].concat()).contains("parent"));
    put(&mut footer, 60, &2_u32.to_be_bytes());
    let fixed = found(&[vec![7; 2048], footer].concat());
    assert_eq!((fixed.format, fixed.flat), (Format::Vhd, true));
    assert!(fixed.as_claimed("raw").is_ok() && fixed.as_claimed("vhd").is_ok());
}

#[test]
fn vdi_with_and_without_a_parent() {
    let mut bytes = vec![0; 1024];
    put(&mut bytes, 0x40, &0xbeda_107f_u32.to_le_bytes());
    put(&mut bytes, 0x4c, &1_u32.to_le_bytes());
    put(&mut bytes, 0x170, &(3_u64 << 20).to_le_bytes());
    let vdi = found(&bytes);
    assert_eq!((vdi.format, vdi.virtual_size), (Format::Vdi, 3 << 20));
    put(&mut bytes, 0x1a8, &[1]);
    assert!(refused(&bytes).contains("parent"));
    put(&mut bytes, 0x4c, &4_u32.to_le_bytes());
    assert!(refused(&bytes).contains("type 4"));
}

#[test]
fn vhdx_size_and_parent() {
    let mut bytes = vec![0; 512 * 1024];
    put(&mut bytes, 0, b"vhdxfile");
    let regions = 192 * 1024;
    put(&mut bytes, regions, b"regi");
    put(&mut bytes, regions + 8, &1_u32.to_le_bytes());
    let metadata_guid: [u8; 16] = [
        0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88,
        0x6e,
    ];
    put(&mut bytes, regions + 16, &metadata_guid);
    let table = 256 * 1024;
    put(&mut bytes, regions + 32, &(table as u64).to_le_bytes());
    put(&mut bytes, table, b"metadata");
    put(&mut bytes, table + 10, &2_u16.to_le_bytes());
    let parameters: [u8; 16] = [
        0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7,
        0x6b,
    ];
    let size: [u8; 16] = [
        0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4,
        0xb8,
    ];
    put(&mut bytes, table + 32, &parameters);
    put(&mut bytes, table + 48, &65536_u32.to_le_bytes());
    put(&mut bytes, table + 64, &size);
    put(&mut bytes, table + 80, &65544_u32.to_le_bytes());
    put(&mut bytes, table + 65544, &(9_u64 << 20).to_le_bytes());
    let vhdx = found(&bytes);
    assert_eq!((vhdx.format, vhdx.virtual_size), (Format::Vhdx, 9 << 20));
    put(&mut bytes, table + 65536 + 4, &2_u32.to_le_bytes());
    assert!(refused(&bytes).contains("parent"));
    put(&mut bytes, regions, b"none");
    assert!(refused(&bytes).contains("region table"));
}

#[test]
fn flat_disks_may_be_called_raw() {
    let mut mbr = vec![0; 2048];
    put(&mut mbr, 510, &[0x55, 0xaa]);
    assert_eq!(found(&mbr).format, Format::Raw, "no partition");
    put(&mut mbr, 446 + 4, &[0x83]);
    assert_eq!(found(&mbr).format, Format::Gpt);
    let mut iso = vec![0; 40 * 1024];
    put(&mut iso, 32 * 1024 + 1, b"CD001");
    put(&mut iso, 32 * 1024 + 80, &20_u32.to_le_bytes());
    put(&mut iso, 32 * 1024 + 128, &2048_u16.to_le_bytes());
    assert_eq!((found(&iso).format, found(&iso).virtual_size), (Format::Iso, 40960));
    let mut luks = vec![0; 4096];
    put(&mut luks, 0, b"LUKS\xba\xbe\0\x01");
    put(&mut luks, 104, &2_u32.to_be_bytes());
    assert_eq!((found(&luks).format, found(&luks).virtual_size), (Format::Luks, 3072));
    for bytes in [&mbr, &iso, &luks, &b"anything".to_vec(), &Vec::new()] {
        assert!(found(bytes).as_claimed("raw").is_ok());
        assert!(found(bytes).as_claimed("aki").is_ok());
        assert!(found(bytes).as_claimed("qcow2").is_err());
    }
}

#[test]
fn qed_is_refused() {
    assert!(refused(b"QED\0 and so on").contains("QED"));
}

proptest! {
    #[test]
    fn whatever_comes_nothing_panics(
        magic in prop::sample::select(vec![
            &b"QFI\xfb\0\0\0\x03"[..], b"KDMV\x01\0\0\0", b"vhdxfile", b"conectix", b"LUKS\xba\xbe\0\x01",
            b"# Disk DescriptorFile", b"COWD", b"",
        ]),
        tail in prop::collection::vec(any::<u8>(), 0..4096),
        claimed in prop::sample::select(vec!["raw", "qcow2", "vmdk", "vhd", "iso", "aki"]),
    ) {
        let bytes = [magic, &tail].concat();
        if let Ok(found) = inspect(&bytes.as_slice()) {
            drop(found.as_claimed(claimed));
        }
    }

    #[test]
    fn tables_that_lead_anywhere_do_not_panic(
        regions in prop::collection::vec(any::<u8>(), 0..512),
        metadata in prop::collection::vec(any::<u8>(), 0..512),
    ) {
        let mut bytes = vec![0; 300 * 1024];
        put(&mut bytes, 0, b"vhdxfile");
        put(&mut bytes, 192 * 1024, b"regi");
        put(&mut bytes, 192 * 1024 + 8, &regions);
        put(&mut bytes, 256 * 1024, b"metadata");
        put(&mut bytes, 256 * 1024 + 8, &metadata);
        drop(inspect(&bytes.as_slice()));
    }
}
