//! Whether KVM works: only a guest that ran under it tells.
//!
//! `/dev/kvm` may be there and hang every guest (nested virtualisation that is half there). The
//! probe is a boot sector that enters long mode, computes with SSE and writes to QEMU's exit port.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stackup_system::files::{make_dir, remove_if_there, write_atomic};
use stackup_system::{ExecError, Program};

use crate::drivers::{DriverError, Result};

const QEMU: &str = "qemu-system-x86_64";
const DEVICE: &str = "/dev/kvm";
/// A guest that works is done in well under a second.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The guest writes 0x21 to the exit port, which QEMU turns into 2 * 0x21 + 1.
const SUCCESS: i32 = 67;

/// Real mode to long mode with one 2 MiB page, 20 million rounds of `add`, a store, `movq` and
/// `paddq`, then `out 0xf4`. Assembled from AT&T syntax:
///
/// ```text
/// cli; cld; xorw %ax,%ax; movw %ax,%ds; movw %ax,%es
/// movl $0x1000,%edi; movl %edi,%cr3; xorl %eax,%eax; movw $0xc00,%cx; rep stosl
/// movl $0x2003,0x1000; movl $0x3003,0x2000; movl $0x83,0x3000
/// movl %cr4,%eax; orl $0x220,%eax; movl %eax,%cr4
/// movl $0xc0000080,%ecx; rdmsr; orl $0x100,%eax; wrmsr
/// movl %cr0,%eax; andl $~4,%eax; orl $0x80000003,%eax; movl %eax,%cr0
/// lgdtw gdtr; ljmpw $8,$long
/// long: movl $20000000,%ecx
/// 1: addq %rcx,%rax; movq %rax,0x5000; movq 0x5000,%xmm0; paddq %xmm0,%xmm1; decl %ecx; jnz 1b
/// movl $0xf4,%edx; movb $0x21,%al; outb %al,%dx
/// 2: hlt; jmp 2b
/// gdt: .quad 0, 0x00209a0000000000
/// gdtr: .word 15; .long gdt
/// ```
const CODE: [u8; 174] = [
    0xfa, 0xfc, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x66, 0xbf, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22,
    0xdf, 0x66, 0x31, 0xc0, 0xb9, 0x00, 0x0c, 0x66, 0xf3, 0xab, 0x66, 0xc7, 0x06, 0x00, 0x10, 0x03,
    0x20, 0x00, 0x00, 0x66, 0xc7, 0x06, 0x00, 0x20, 0x03, 0x30, 0x00, 0x00, 0x66, 0xc7, 0x06, 0x00,
    0x30, 0x83, 0x00, 0x00, 0x00, 0x0f, 0x20, 0xe0, 0x66, 0x0d, 0x20, 0x02, 0x00, 0x00, 0x0f, 0x22,
    0xe0, 0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f, 0x32, 0x66, 0x0d, 0x00, 0x01, 0x00, 0x00, 0x0f,
    0x30, 0x0f, 0x20, 0xc0, 0x66, 0x83, 0xe0, 0xfb, 0x66, 0x0d, 0x03, 0x00, 0x00, 0x80, 0x0f, 0x22,
    0xc0, 0x0f, 0x01, 0x16, 0xa8, 0x7c, 0xea, 0x6b, 0x7c, 0x08, 0x00, 0xb9, 0x00, 0x2d, 0x31, 0x01,
    0x48, 0x01, 0xc8, 0x48, 0x89, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00, 0xf3, 0x0f, 0x7e, 0x04, 0x25,
    0x00, 0x50, 0x00, 0x00, 0x66, 0x0f, 0xd4, 0xc8, 0xff, 0xc9, 0x75, 0xe4, 0xba, 0xf4, 0x00, 0x00,
    0x00, 0xb0, 0x21, 0xee, 0xf4, 0xeb, 0xfd, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x9a, 0x20, 0x00, 0x0f, 0x00, 0x98, 0x7c, 0x00, 0x00,
];

/// How the probe guest is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accelerator {
    Kvm,
    #[cfg(test)]
    Tcg,
}

/// What an earlier probe found, good until the host boots anew or QEMU changes.
#[derive(Debug, Serialize, Deserialize)]
struct Verdict {
    boot_id: String,
    qemu: String,
    works: bool,
}

/// True when a guest ran under KVM on this host. The verdict is kept beside `state_dir`, so that it
/// outlives what users made. Fails only when there is no QEMU or the directory cannot be written.
pub(super) async fn kvm_works(state_dir: &Path) -> Result<bool> {
    if !Path::new(DEVICE).exists() {
        return Ok(false);
    }
    let qemu = Program::new(QEMU).arg("--version").run().await.map_err(failed)?.stdout;
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let file = state_dir.parent().unwrap_or(state_dir).join("kvm-probe.json");
    if let Some(verdict) = read(&file)
        && verdict.boot_id == boot_id
        && verdict.qemu == qemu
    {
        return Ok(verdict.works);
    }
    let works = run(state_dir, Accelerator::Kvm).await?;
    tracing::info!(works, "kvm probed");
    let verdict = serde_json::to_vec(&Verdict { boot_id, qemu, works }).unwrap_or_default();
    write_atomic(&file, &verdict, 0o600).map_err(failed)?;
    Ok(works)
}

fn read(file: &Path) -> Option<Verdict> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Runs the probe guest. QEMU that hangs, or ends in any other way, is a no.
async fn run(state_dir: &Path, accelerator: Accelerator) -> Result<bool> {
    make_dir(state_dir, 0o711).map_err(failed)?;
    let disk = state_dir.join("kvm-probe.img");
    let mut sector = CODE.to_vec();
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    sector.resize(65_536, 0);
    write_atomic(&disk, &sector, 0o600).map_err(failed)?;
    let machine = match accelerator {
        Accelerator::Kvm => "pc,accel=kvm",
        #[cfg(test)]
        Accelerator::Tcg => "pc,accel=tcg",
    };
    let mut drive = std::ffi::OsString::from("format=raw,if=ide,file=");
    drive.push(&disk);
    let ended = Program::new(QEMU)
        .args(["-machine", machine, "-m", "32", "-nodefaults", "-no-user-config", "-no-reboot"])
        .args(["-display", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-drive"])
        .arg(drive)
        .timeout(TIMEOUT)
        .status()
        .await;
    remove_if_there(&disk).map_err(failed)?;
    match ended {
        Ok(output) => Ok(output.code == SUCCESS),
        Err(ExecError::Timeout { .. }) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn failed(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> DriverError {
    DriverError::failed("probing kvm", source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_probe_guest_runs_where_it_must() {
        let dir = tempfile::tempdir().unwrap();
        match run(dir.path(), Accelerator::Tcg).await {
            Ok(works) => assert!(works, "the probe guest does not run under emulation"),
            Err(error) => println!("skipped: {error}"),
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
