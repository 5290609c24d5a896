//! The contract of a driver, as the fake one keeps it.

use super::*;
use crate::drivers::{ImageRef, RootPlan};
use stackup_system::Program;

const HOST: &str = "fake-host-1";
const UUID: &str = "6a3d8c1e-9d51-4e53-8a5c-5a3b8b1d6f10";

struct NoImages;

#[async_trait]
impl ImageSource for NoImages {
    async fn fetch(&self, image_id: &str, _to: &Path) -> Result<()> {
        Err(DriverError::Image { image: image_id.to_owned(), reason: "not asked for".to_owned() })
    }
}

async fn spec(driver: &FakeDriver) -> GuestSpec {
    let plan = DiskPlan {
        root: Some(RootPlan {
            image: ImageRef {
                id: "i".to_owned(),
                checksum: "c".to_owned(),
                format: DiskFormat::Qcow2,
                kernel: None,
                ramdisk: None,
            },
            size_gb: 1,
        }),
        config_drive: Some(Vec::new()),
        ..DiskPlan::default()
    };
    let files = driver.prepare(HOST, UUID, &plan, &NoImages).await.unwrap();
    let mut spec = crate::drivers::spec::sample(UUID);
    spec.disks = files.disks;
    spec.console_log = files.console_log;
    spec
}

async fn power(driver: &FakeDriver) -> PowerState {
    driver.info(HOST, UUID).await.unwrap().power
}

#[tokio::test]
async fn a_guest_goes_through_its_states_and_tells_so() {
    let driver = FakeDriver::new(FakeConfig::default());
    let mut events = driver.events();
    let spec = spec(&driver).await;
    driver.spawn(HOST, &spec).await.unwrap();
    driver.spawn(HOST, &spec).await.unwrap();
    driver.pause(HOST, UUID).await.unwrap();
    assert_eq!(power(&driver).await, PowerState::Paused);
    driver.unpause(HOST, UUID).await.unwrap();
    driver.suspend(HOST, UUID).await.unwrap();
    assert_eq!(power(&driver).await, PowerState::Suspended);
    driver.resume(HOST, &spec).await.unwrap();
    driver.power_off(HOST, UUID, Duration::from_secs(1)).await.unwrap();
    assert_eq!(power(&driver).await, PowerState::Shutdown);
    assert!(matches!(driver.pause(HOST, UUID).await, Err(DriverError::WrongState { .. })));
    driver.power_on(HOST, &spec).await.unwrap();
    driver.destroy(HOST, UUID, true).await.unwrap();
    driver.destroy(HOST, UUID, true).await.unwrap();
    assert!(matches!(driver.info(HOST, UUID).await, Err(DriverError::GuestNotFound { .. })));
    let mut told = Vec::new();
    while let Ok(event) = events.try_recv() {
        told.push(event.event);
    }
    use Event::{Paused, Resumed, Started, Stopped, Suspended};
    assert_eq!(told, [Started, Paused, Resumed, Suspended, Resumed, Stopped, Started, Stopped]);
}

#[tokio::test(start_paused = true)]
async fn the_console_grows_only_while_the_guest_runs() {
    let config = FakeConfig { boot_ms: 10_000, ..FakeConfig::default() };
    let driver = FakeDriver::new(config);
    let spec = spec(&driver).await;
    driver.spawn(HOST, &spec).await.unwrap();
    let read = async || {
        let bytes = driver.console_log(HOST, UUID, 1 << 20).await.unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let first = read().await;
    assert!(first.contains("Linux version") && !first.contains("login:"));
    driver.pause(HOST, UUID).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(read().await, first);
    driver.unpause(HOST, UUID).await.unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(read().await.ends_with("vm1 login: "));
    driver.reboot(HOST, &spec, RebootKind::Soft).await.unwrap();
    let after = read().await;
    assert!(after.contains("Power down") && !after.ends_with("login: "));
    assert_eq!(driver.console_log(HOST, UUID, 5).await.unwrap().len(), 5);
}

#[tokio::test]
async fn failures_and_delays_are_as_configured() {
    let failures = vec![(Verb::Spawn, "doomed".to_owned())];
    let driver = FakeDriver::new(FakeConfig { failures, ..FakeConfig::default() });
    let mut doomed = spec(&driver).await;
    doomed.metadata.server_name = "a-doomed-one".to_owned();
    assert!(driver.spawn(HOST, &doomed).await.is_err());
    assert!(driver.list(HOST).await.unwrap().is_empty());
    assert!(matches!(driver.list("elsewhere").await, Err(DriverError::HostNotFound { .. })));
}

#[tokio::test]
async fn devices_come_and_go() {
    let driver = FakeDriver::new(FakeConfig::default());
    let spec = spec(&driver).await;
    driver.spawn(HOST, &spec).await.unwrap();
    let mut volume = spec.disks[0].clone();
    volume.path = PathBuf::from("/dev/loop7");
    assert!(driver.attach_volume(HOST, UUID, &volume).await.is_err());
    volume.device = "vdz".to_owned();
    driver.attach_volume(HOST, UUID, &volume).await.unwrap();
    driver.attach_volume(HOST, UUID, &volume).await.unwrap();
    let nic = Nic::virtio("ce531f90-199f-48c0-816c-13e38010b442", "fa:16:3e:00:00:09", None);
    driver.attach_interface(HOST, UUID, &nic).await.unwrap();
    let seen = driver.diagnostics(HOST, UUID).await.unwrap();
    assert_eq!((seen.disks.len(), seen.nics.len()), (3, 2));
    driver.extend_volume(HOST, UUID, "vdz", 1 << 30).await.unwrap();
    driver.detach_volume(HOST, UUID, "vdz").await.unwrap();
    driver.detach_interface(HOST, UUID, &nic).await.unwrap();
    let gone = driver.extend_volume(HOST, UUID, "vdz", 1 << 30).await;
    assert!(matches!(gone, Err(DriverError::DeviceNotFound { .. })));
}

#[tokio::test]
async fn guests_are_told_after_a_restart_and_move_between_hosts() {
    let driver = FakeDriver::new(FakeConfig::of(2, 4, 4096, 40));
    let spec = spec(&driver).await;
    driver.restore(HOST, vec![(spec.clone(), PowerState::Running)]).await.unwrap();
    assert_eq!(power(&driver).await, PowerState::Running);
    assert!(driver.migrate(UUID, HOST, "fake-host-2").await.is_err());
    driver.power_off(HOST, UUID, Duration::ZERO).await.unwrap();
    driver.migrate(UUID, HOST, "fake-host-2").await.unwrap();
    driver.migrate(UUID, HOST, "fake-host-2").await.unwrap();
    driver.power_on("fake-host-2", &spec).await.unwrap();
    assert!(driver.list(HOST).await.unwrap().is_empty());
    driver.crash(UUID);
    let info = driver.info("fake-host-2", UUID).await.unwrap();
    assert_eq!(info.power, PowerState::Crashed);
}

#[tokio::test]
async fn a_snapshot_is_an_image_that_qemu_accepts() {
    let driver = FakeDriver::new(FakeConfig::default());
    driver.spawn(HOST, &spec(&driver).await).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let to = dir.path().join("snap");
    driver.snapshot(HOST, UUID, &to, DiskFormat::Qcow2).await.unwrap();
    let check = Program::new("qemu-img").args(["check", "-f", "qcow2"]).arg(&to).status().await;
    match check {
        Ok(output) => assert_eq!(output.code, 0, "{} {}", output.stdout, output.stderr),
        Err(_) => println!("skipped the check: no qemu-img"),
    }
}
