//! A real guest under the embedded driver: started by a process that is then killed, found again
//! by the next one, put through the verbs, and removed without a trace.
//!
//! Skipped, with the reason, where it cannot run. With `STACKUP_TEST_GUEST` naming a directory
//! with `vmlinuz`, `initrd.img` and `rootfs.ext4`, the guest is Linux and devices are plugged too;
//! else it is a boot sector that says hello.

use super::*;
use crate::drivers::{Bus, DiskDevice, Event, ImageRef, RootPlan, spec};
use stackup_system::Program;
use stackup_system::files::write_atomic;
use std::time::Instant;

const HOST: &str = "testhost";
const UUID: &str = "6a3d8c1e-9d51-4e53-8a5c-5a3b8b1d6f10";
const ROOT_ENV: &str = "STACKUP_TEST_LIBVIRT_ROOT";
const GUEST_ENV: &str = "STACKUP_TEST_GUEST";

/// Writes `hello` to the first serial port and stops: `xor ax,ax; mov ds,ax; mov si,msg;
/// 1: lodsb; test al,al; jz 2f; mov dx,0x3f8; out dx,al; jmp 1b; 2: hlt; jmp 2b`.
const HELLO: &[u8] = b"\x31\xc0\x8e\xd8\xbe\x15\x7c\xac\x84\xc0\x74\x06\xba\xf8\x03\xee\xeb\xf5\
                       \xf4\xeb\xfdhello\r\n\0";

struct Taps(std::sync::Mutex<Vec<String>>);

#[async_trait]
impl PlugHook for Taps {
    async fn plugged(&self, _port_id: &str, tap: &str) {
        // The tap must be there by now.
        assert!(Path::new("/sys/class/net").join(tap).exists(), "{tap} is missing");
        self.0.lock().unwrap().push(tap.to_owned());
    }
}

/// Images by their id: files of the guest directory, or the boot sector.
struct Files(Option<PathBuf>);

#[async_trait]
impl ImageSource for Files {
    async fn fetch(&self, image_id: &str, to: &Path) -> Result<()> {
        let failed = |error| DriverError::failed("copying a test image", error);
        if let Some(dir) = &self.0 {
            return std::fs::copy(dir.join(image_id), to).map(drop).map_err(failed);
        }
        let mut sector = HELLO.to_vec();
        sector.resize(510, 0);
        sector.extend([0x55, 0xaa]);
        sector.resize(1 << 20, 0);
        write_atomic(to, &sector, 0o600).map_err(failed)
    }
}

fn linux() -> Option<PathBuf> {
    std::env::var_os(GUEST_ENV).map(PathBuf::from)
}

async fn open(root: &Path) -> (LibvirtDriver, Arc<Taps>) {
    let taps = Arc::new(Taps(std::sync::Mutex::default()));
    let config = LibvirtConfig {
        host: HOST.to_owned(),
        state_dir: root.to_owned(),
        kvm: KvmUse::Never,
        detach_seconds: 60,
        ..LibvirtConfig::default()
    };
    (LibvirtDriver::open(config, taps.clone()).await.unwrap(), taps)
}

async fn sample(driver: &LibvirtDriver) -> GuestSpec {
    let guest = linux();
    let image = ImageRef {
        id: "rootfs.ext4".to_owned(),
        checksum: "c".to_owned(),
        format: DiskFormat::Raw,
        kernel: guest.as_ref().map(|_| "vmlinuz".to_owned()),
        ramdisk: guest.as_ref().map(|_| "initrd.img".to_owned()),
    };
    let metadata = crate::model::metadata::InstanceMetadata {
        uuid: UUID.to_owned(),
        row: 1,
        name: "drivetest".to_owned(),
        hostname: "drivetest.novalocal".to_owned(),
        ..Default::default()
    };
    let plan = DiskPlan {
        root: Some(RootPlan { image, size_gb: 1 }),
        config_drive: Some(crate::model::metadata::config_drive(&metadata)),
        ..DiskPlan::default()
    };
    let files = driver.prepare(HOST, UUID, &plan, &Files(guest)).await.unwrap();
    let mut spec = spec::sample(UUID);
    (spec.disks, spec.kernel, spec.ramdisk) = (files.disks, files.kernel, files.ramdisk);
    spec.console_log = files.console_log;
    spec
}

/// Waits until the console holds a text; the greeting of either guest by default.
async fn console_says(driver: &LibvirtDriver, text: &str, times: usize) {
    let begun = Instant::now();
    loop {
        let log = driver.console_log(HOST, UUID, 1 << 20).await.unwrap();
        let log = String::from_utf8_lossy(&log).into_owned();
        if log.matches(text).count() >= times {
            println!("{text:?} x{times} on the console after {:?}", begun.elapsed());
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "no {text:?} in: {log}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn greeting() -> &'static str {
    if linux().is_some() { "drivetest login:" } else { "hello" }
}

/// Ends what a failed test leaves running, by the pid files of its own root.
struct Sweep(PathBuf);

impl Drop for Sweep {
    fn drop(&mut self) {
        let Ok(files) = std::fs::read_dir(self.0.join("libvirt/run/qemu")) else {
            return;
        };
        for file in files.flatten().filter(|f| f.file_name() == "instance-00000001.pid") {
            let pid = std::fs::read_to_string(file.path()).unwrap_or_default();
            if let Ok(pid) = pid.trim().parse() {
                let kill = nix::sys::signal::Signal::SIGKILL;
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), kill);
            }
        }
    }
}

/// Why the test cannot run here.
async fn obstacle() -> Option<&'static str> {
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root");
    }
    if Program::new("qemu-system-x86_64").arg("--version").run().await.is_err() {
        return Some("no qemu-system-x86_64");
    }
    if !link::default_user_exists() {
        return Some("no user libvirt-qemu");
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("no /dev/net/tun");
    }
    None
}

/// Not a test by itself: the process that starts the guest and dies.
#[tokio::test]
#[ignore = "run by the test below in a process of its own"]
async fn child_that_starts_a_guest_and_dies() {
    let Some(root) = std::env::var_os(ROOT_ENV) else {
        return;
    };
    let (driver, taps) = open(Path::new(&root)).await;
    let mut events = driver.events();
    let spec = sample(&driver).await;
    driver.spawn(HOST, &spec).await.unwrap();
    driver.spawn(HOST, &spec).await.unwrap();
    assert_eq!(*taps.0.lock().unwrap(), ["tapce531f90-19"]);
    let mut seen = Vec::new();
    while !seen.contains(&Event::Resumed) {
        seen.push(events.recv().await.unwrap().event);
    }
    assert!(seen.contains(&Event::Started), "{seen:?}");
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_outlives_the_process_that_started_it() {
    if let Some(reason) = obstacle().await {
        println!("skipped: {reason}");
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let _sweep = Sweep(root.path().to_owned());
    let child = Program::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "child_that_starts_a_guest_and_dies"])
        .env(ROOT_ENV, root.path())
        .timeout(Duration::from_secs(120))
        .status()
        .await
        .unwrap();
    assert_eq!(child.code, 137, "{} {}", child.stdout, child.stderr);

    let (driver, _taps) = open(root.path()).await;
    let found = driver.list(HOST).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].uuid.as_str(), found[0].power), (UUID, PowerState::Running));
    assert_eq!(found[0].owner, crate::drivers::Owner::Ours);
    console_says(&driver, greeting(), 1).await;

    life(&driver).await;
    if linux().is_some() {
        devices(&driver).await;
    }
    end(&driver, root.path()).await;
}

async fn power(driver: &LibvirtDriver) -> PowerState {
    driver.info(HOST, UUID).await.unwrap().power
}

async fn life(driver: &LibvirtDriver) {
    let spec = sample(driver).await;
    let host = driver.hosts().await.unwrap().remove(0);
    assert!(host.version > 5_000_000 && host.memory_mb > 0 && host.local_gb > 0, "{host:?}");
    driver.pause(HOST, UUID).await.unwrap();
    assert_eq!(power(driver).await, PowerState::Paused);
    driver.unpause(HOST, UUID).await.unwrap();
    let seen = driver.diagnostics(HOST, UUID).await.unwrap();
    assert_eq!((seen.disks.len(), seen.nics.len(), seen.cpu_time_ns.len()), (2, 1, 1));
    assert_eq!((seen.hypervisor.as_str(), seen.memory.maximum_mb), ("qemu", 192));
    let screen = driver.vnc_console(HOST, UUID).await.unwrap();
    tokio::net::TcpStream::connect((screen.host.as_str(), screen.port)).await.unwrap();

    let copy = driver.images.of(UUID).join("copy");
    driver.snapshot(HOST, UUID, &copy, DiskFormat::Qcow2).await.unwrap();
    assert!(!driver.images.snap(UUID).exists());
    let check = Program::new("qemu-img").args(["check", "-f", "qcow2"]).arg(&copy).run().await;
    check.unwrap();

    driver.suspend(HOST, UUID).await.unwrap();
    assert_eq!(power(driver).await, PowerState::Suspended);
    driver.resume(HOST, &spec).await.unwrap();
    assert_eq!(power(driver).await, PowerState::Running);
    driver.reboot(HOST, &spec, RebootKind::Hard).await.unwrap();
    console_says(driver, greeting(), 2).await;
}

async fn devices(driver: &LibvirtDriver) {
    let path = driver.images.of(UUID).join("volume");
    std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let volume = Disk {
        path,
        format: DiskFormat::Raw,
        bus: Bus::Virtio,
        device: "vdb".to_owned(),
        kind: DiskDevice::Disk,
        boot_index: None,
        serial: Some("vol-1".to_owned()),
        readonly: false,
        shareable: false,
    };
    driver.attach_volume(HOST, UUID, &volume).await.unwrap();
    driver.attach_volume(HOST, UUID, &volume).await.unwrap();
    std::fs::File::options().write(true).open(&volume.path).unwrap().set_len(128 << 20).unwrap();
    driver.extend_volume(HOST, UUID, "vdb", 128 << 20).await.unwrap();
    let nic = Nic::virtio("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "fa:16:3e:00:00:02", None);
    driver.attach_interface(HOST, UUID, &nic).await.unwrap();
    assert_eq!(driver.diagnostics(HOST, UUID).await.unwrap().nics.len(), 2);
    driver.detach_interface(HOST, UUID, &nic).await.unwrap();
    driver.detach_volume(HOST, UUID, "vdb").await.unwrap();
    driver.detach_volume(HOST, UUID, "vdb").await.unwrap();
    let spec = sample(driver).await;
    driver.reboot(HOST, &spec, RebootKind::Soft).await.unwrap();
    console_says(driver, "Power down", 1).await;
    console_says(driver, greeting(), 3).await;
}

async fn end(driver: &LibvirtDriver, root: &Path) {
    let mut events = driver.events();
    driver.power_off(HOST, UUID, Duration::ZERO).await.unwrap();
    driver.power_off(HOST, UUID, Duration::ZERO).await.unwrap();
    assert_eq!(events.recv().await.unwrap().event, Event::Stopped);
    assert_eq!(power(driver).await, PowerState::Shutdown);
    driver.resize_root(HOST, UUID, 2).await.unwrap();
    let mut spec = sample(driver).await;
    spec.memory_mb = 256;
    driver.power_on(HOST, &spec).await.unwrap();
    assert_eq!(driver.diagnostics(HOST, UUID).await.unwrap().memory.maximum_mb, 256);
    driver.destroy(HOST, UUID, true).await.unwrap();
    driver.destroy(HOST, UUID, true).await.unwrap();
    assert!(driver.list(HOST).await.unwrap().is_empty());
    assert!(!Path::new("/sys/class/net/tapce531f90-19").exists());
    let left: Vec<_> = std::fs::read_dir(root.join("instances"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != "_base")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
