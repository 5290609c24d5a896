//! One `match` for each kind of driver, fakes included.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stackup_flow::Supervisor;
use stackup_neutron::drivers::linux::{LinuxDataplane, LinuxOptions};
use stackup_neutron::drivers::{Dataplane, NullDataplane};
use stackup_nova::drivers::fake::{FakeConfig, FakeDriver};
use stackup_nova::drivers::{ComputeDriver, PlugHook};
use stackup_profile::{ComputeDriver as Kind, Network, Profile};
use stackup_web::BootError;

/// What runs the guests.
pub async fn hypervisor(
    profile: &Profile,
    state_dir: &Path,
    plugger: Arc<dyn PlugHook>,
) -> Result<Arc<dyn ComputeDriver>, BootError> {
    match profile.compute.driver {
        Kind::Fake => {
            let hosts = usize::try_from(profile.compute.fake_hosts).unwrap_or(1).max(1);
            Ok(Arc::new(FakeDriver::new(FakeConfig::of(hosts, 64, 256 * 1024, 4096))))
        }
        Kind::Libvirt => libvirt(profile, state_dir, plugger).await,
    }
}

#[cfg(feature = "libvirt")]
async fn libvirt(
    profile: &Profile,
    state_dir: &Path,
    plugger: Arc<dyn PlugHook>,
) -> Result<Arc<dyn ComputeDriver>, BootError> {
    use stackup_nova::drivers::libvirt::{KvmUse, LibvirtConfig, LibvirtDriver};
    use stackup_profile::Virt;
    let config = LibvirtConfig {
        host: host_name(),
        host_ip: profile.listen.address.to_string(),
        state_dir: state_dir.join("nova"),
        uri: profile.compute.libvirt_uri.clone(),
        kvm: match profile.compute.virt {
            Virt::Auto => KvmUse::Auto,
            Virt::Kvm => KvmUse::Always,
            Virt::Qemu => KvmUse::Never,
        },
        ..LibvirtConfig::default()
    };
    Ok(Arc::new(LibvirtDriver::open(config, plugger).await?))
}

#[cfg(not(feature = "libvirt"))]
async fn libvirt(
    _: &Profile,
    _: &Path,
    _: Arc<dyn PlugHook>,
) -> Result<Arc<dyn ComputeDriver>, BootError> {
    Err("this stackup was built without libvirt; set compute.driver=fake".into())
}

/// What libvirt knows of QEMU. It takes long to find out and holds nothing of users.
pub fn lasting(state_dir: &Path) -> PathBuf {
    state_dir.join("nova/libvirt/cache")
}

/// What carries the networks: pretended where the guests are.
pub fn dataplane(profile: &Profile, supervisor: &Supervisor) -> Arc<dyn Dataplane> {
    match profile.compute.driver {
        Kind::Fake => Arc::new(NullDataplane::new()),
        Kind::Libvirt => Arc::new(LinuxDataplane::new(LinuxOptions::default(), supervisor.clone())),
    }
}

/// The host's name, as the services carry it.
pub fn host_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

/// Changes with every boot of the host.
pub fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

/// The first and the last floating address: all of the network but its ends and the gateway.
pub fn floating_pool(network: &Network) -> (IpAddr, IpAddr) {
    let mut hosts = network.public_cidr.hosts().filter(|ip| *ip != network.public_gateway);
    let first = hosts.next().unwrap_or(network.public_gateway);
    (first.into(), hosts.next_back().unwrap_or(first).into())
}
