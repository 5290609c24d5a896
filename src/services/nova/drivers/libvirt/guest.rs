//! The XML of a guest and its devices. Pure.

use std::fmt::Write;

use crate::drivers::{Bus, Disk, DiskDevice, GuestSpec, Nic};

/// The namespace of our mark in a guest's metadata: what carries it is ours.
pub(super) const MARK: &str = "urn:stackup:guest:1";
const NOVA: &str = "http://openstack.org/xmlns/libvirt/nova/1.1";

/// How guests run on this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Virt {
    Kvm,
    /// Emulation, where KVM is missing or broken.
    Tcg,
}

/// The whole domain, as libvirt takes it.
pub(super) fn domain(spec: &GuestSpec, virt: Virt) -> String {
    let machine = spec.machine.as_deref().unwrap_or("pc");
    let q35 = machine.contains("q35");
    let mut xml = Xml::default();
    xml.open(match virt {
        Virt::Kvm => "domain type='kvm'",
        Virt::Tcg => "domain type='qemu'",
    });
    xml.text("name", &spec.name);
    xml.text("uuid", &spec.uuid);
    metadata(&mut xml, spec);
    xml.line(&format!("<memory unit='MiB'>{}</memory>", spec.memory_mb));
    xml.line(&format!("<vcpu>{}</vcpu>", spec.vcpus));
    sysinfo(&mut xml, spec);
    os(&mut xml, spec, machine);
    xml.open("features");
    xml.lines(&["<acpi/>", "<apic/>"]);
    if virt == Virt::Tcg {
        // QEMU's own default is a gigabyte a guest.
        xml.line("<tcg><tb-cache unit='MiB'>128</tb-cache></tcg>");
    }
    xml.close("features");
    cpu(&mut xml, spec, virt);
    xml.open("clock offset='utc'");
    xml.lines(&[
        "<timer name='pit' tickpolicy='delay'/>",
        "<timer name='rtc' tickpolicy='catchup'/>",
        "<timer name='hpet' present='no'/>",
    ]);
    xml.close("clock");
    xml.lines(&[
        "<on_poweroff>destroy</on_poweroff>",
        "<on_reboot>restart</on_reboot>",
        "<on_crash>destroy</on_crash>",
    ]);
    xml.open("devices");
    for device in &spec.disks {
        xml.block(&disk(device, q35));
    }
    for nic in &spec.nics {
        xml.block(&interface(nic, virt));
    }
    others(&mut xml, spec, q35);
    xml.close("devices");
    xml.close("domain");
    xml.0
}

/// A disk; also what attaches one. On q35, which has no IDE, IDE disks become SCSI ones.
pub(super) fn disk(disk: &Disk, q35: bool) -> String {
    let mut xml = Xml::default();
    let block = disk.path.starts_with("/dev");
    let (kind, attribute) = if block { ("block", "dev") } else { ("file", "file") };
    let device = match disk.kind {
        DiskDevice::Disk => "disk",
        DiskDevice::Cdrom => "cdrom",
    };
    xml.open(&format!("disk type='{kind}' device='{device}'"));
    // A block device is written to directly. For a file the page cache is faster, and as safe:
    // the guest's flushes are kept.
    let cache = if block { "cache='none' io='native'" } else { "cache='writeback'" };
    let format = disk.format.as_str();
    xml.line(&format!("<driver name='qemu' type='{format}' {cache} discard='unmap'/>"));
    xml.line(&format!("<source {attribute}='{}'/>", escape(&disk.path.to_string_lossy())));
    let (bus, target) = match disk.bus {
        Bus::Ide if q35 => (Bus::Scsi, disk.device.replacen("hd", "sd", 1)),
        bus => (bus, disk.device.clone()),
    };
    xml.line(&format!("<target dev='{}' bus='{}'/>", escape(&target), bus.as_str()));
    if let Some(index) = disk.boot_index {
        xml.line(&format!("<boot order='{}'/>", index + 1));
    }
    if let Some(serial) = &disk.serial {
        xml.text("serial", serial);
    }
    if disk.readonly {
        xml.line("<readonly/>");
    }
    if disk.shareable {
        xml.line("<shareable/>");
    }
    xml.close("disk");
    xml.0
}

/// A NIC on a tap that libvirt makes and puts on no bridge; neutron wires it.
pub(super) fn interface(nic: &Nic, virt: Virt) -> String {
    let mut xml = Xml::default();
    xml.open("interface type='ethernet'");
    xml.line(&format!("<mac address='{}'/>", escape(&nic.mac)));
    xml.line(&format!("<target dev='{}'/>", escape(&nic.tap)));
    xml.line(&format!("<model type='{}'/>", escape(&nic.model)));
    if virt == Virt::Tcg && nic.model == "virtio" {
        // vhost would gain nothing under emulation, and hosts without KVM may lack it.
        xml.line("<driver name='qemu'/>");
    }
    if let Some(mtu) = nic.mtu {
        xml.line(&format!("<mtu size='{mtu}'/>"));
    }
    xml.close("interface");
    xml.0
}

fn metadata(xml: &mut Xml, spec: &GuestSpec) {
    let data = &spec.metadata;
    xml.open("metadata");
    xml.line(&format!("<stackup:guest xmlns:stackup='{MARK}'/>"));
    xml.open(&format!("nova:instance xmlns:nova='{NOVA}'"));
    xml.text("nova:name", &data.server_name);
    xml.text("nova:creationTime", &data.created_at);
    xml.line(&format!("<nova:flavor name='{}'/>", escape(&data.flavor_name)));
    xml.open("nova:owner");
    for (tag, id, name) in [
        ("user", &data.user_id, &data.user_name),
        ("project", &data.project_id, &data.project_name),
    ] {
        xml.line(&format!("<nova:{tag} uuid='{}'>{}</nova:{tag}>", escape(id), escape(name)));
    }
    xml.close("nova:owner");
    if let Some(image) = &data.image_id {
        xml.line(&format!("<nova:root type='image' uuid='{}'/>", escape(image)));
    }
    xml.open("nova:ports");
    for nic in &spec.nics {
        xml.line(&format!("<nova:port uuid='{}'/>", escape(&nic.port_id)));
    }
    xml.close("nova:ports");
    xml.close("nova:instance");
    xml.close("metadata");
}

/// What cloud-init reads to know where it runs.
fn sysinfo(xml: &mut Xml, spec: &GuestSpec) {
    let serial = spec.smbios_serial.as_deref().unwrap_or(&spec.uuid);
    xml.open("sysinfo type='smbios'");
    xml.open("system");
    for (name, value) in [
        ("manufacturer", "OpenStack Foundation"),
        ("product", "OpenStack Nova"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("serial", serial),
        ("uuid", &spec.uuid),
        ("family", "Virtual Machine"),
    ] {
        xml.line(&format!("<entry name='{name}'>{}</entry>", escape(value)));
    }
    xml.close("system");
    xml.close("sysinfo");
}

fn os(xml: &mut Xml, spec: &GuestSpec, machine: &str) {
    xml.open("os");
    xml.line(&format!("<type arch='x86_64' machine='{}'>hvm</type>", escape(machine)));
    if let Some(kernel) = &spec.kernel {
        xml.text("kernel", &kernel.to_string_lossy());
        if let Some(ramdisk) = &spec.ramdisk {
            xml.text("initrd", &ramdisk.to_string_lossy());
        }
        xml.text("cmdline", spec.cmdline.as_deref().unwrap_or(GuestSpec::DIRECT_CMDLINE));
    }
    xml.line("<smbios mode='sysinfo'/>");
    xml.close("os");
}

/// Under emulation all that QEMU emulates (x86-64-v2 and more, as today's distributions need),
/// without the vector units that are slow to emulate. DevStack's Nehalem boots a quarter slower:
/// for an Intel CPU of that age Linux switches on mitigations that emulation pays dearly for.
fn cpu(xml: &mut Xml, spec: &GuestSpec, virt: Virt) {
    let topology = format!("<topology sockets='{}' dies='1' cores='1' threads='1'/>", spec.vcpus);
    match virt {
        Virt::Kvm => {
            xml.open("cpu mode='host-passthrough' check='none'");
            xml.line(&topology);
        }
        Virt::Tcg => {
            xml.open("cpu mode='maximum' check='none'");
            xml.line(&topology);
            for feature in ["avx", "avx2", "fma", "f16c"] {
                xml.line(&format!("<feature policy='disable' name='{feature}'/>"));
            }
        }
    }
    xml.close("cpu");
}

fn others(xml: &mut Xml, spec: &GuestSpec, q35: bool) {
    if q35 {
        // Only a root port takes a device while the guest runs.
        for _ in 0..16 {
            xml.line("<controller type='pci' model='pcie-root-port'/>");
        }
    }
    if spec.disks.iter().any(|disk| disk.bus == Bus::Scsi || (q35 && disk.bus == Bus::Ide)) {
        xml.line("<controller type='scsi' index='0' model='virtio-scsi'/>");
    }
    xml.line("<controller type='usb' model='none'/>");
    xml.open("serial type='pty'");
    // Appended to, or each start would wipe the log.
    let log = escape(&spec.console_log.to_string_lossy());
    xml.line(&format!("<log file='{log}' append='on'/>"));
    xml.line("<target port='0'/>");
    xml.close("serial");
    xml.line("<input type='tablet' bus='virtio'/>");
    xml.line("<graphics type='vnc' autoport='yes' listen='127.0.0.1'/>");
    let video = escape(spec.video.as_deref().unwrap_or("vga"));
    xml.line(&format!("<video><model type='{video}'/></video>"));
    if spec.hw_rng {
        xml.line("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>");
    }
    xml.line("<memballoon model='virtio'><stats period='10'/></memballoon>");
}

/// Lines with an indent for every open element.
#[derive(Default)]
struct Xml(String, usize);

impl Xml {
    fn line(&mut self, line: &str) {
        let indent = self.1 * 2;
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{:indent$}{line}", "");
    }

    fn lines(&mut self, lines: &[&str]) {
        for line in lines {
            self.line(line);
        }
    }

    fn block(&mut self, block: &str) {
        for line in block.lines() {
            self.line(line);
        }
    }

    fn open(&mut self, tag: &str) {
        self.line(&format!("<{tag}>"));
        self.1 += 1;
    }

    fn close(&mut self, name: &str) {
        self.1 = self.1.saturating_sub(1);
        self.line(&format!("</{name}>"));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.line(&format!("<{name}>{}</{name}>", escape(text)));
    }
}

/// Text that users chose, safe inside XML. Characters that XML cannot hold are left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&apos;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' => escaped.push(c),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::{DiskFormat, spec};
    use std::path::PathBuf;

    fn sample() -> GuestSpec {
        let root = Disk {
            path: PathBuf::from("/state/disk"),
            format: DiskFormat::Qcow2,
            bus: Bus::Virtio,
            device: "vda".to_owned(),
            kind: DiskDevice::Disk,
            boot_index: Some(0),
            serial: None,
            readonly: false,
            shareable: false,
        };
        let drive = Disk {
            path: PathBuf::from("/state/disk.config"),
            format: DiskFormat::Raw,
            bus: Bus::Ide,
            device: "hda".to_owned(),
            kind: DiskDevice::Cdrom,
            boot_index: None,
            readonly: true,
            ..root.clone()
        };
        let mut spec = spec::sample("6a3d8c1e-9d51-4e53-8a5c-5a3b8b1d6f10");
        spec.disks = vec![root, drive];
        spec.metadata.server_name = "a <b> & 'c'".to_owned();
        spec
    }

    fn golden(name: &str, xml: &str) {
        let xml = xml.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("drivers/libvirt/golden").join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            stackup_system::files::write_atomic(&path, xml.as_bytes(), 0o644).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        assert_eq!(xml, expected, "differs from {name}; UPDATE_GOLDEN=1 rewrites it");
    }

    #[test]
    fn an_emulated_guest() {
        golden("tcg.xml", &domain(&sample(), Virt::Tcg));
    }

    #[test]
    fn a_guest_on_kvm_with_q35_and_its_own_kernel() {
        let mut spec = sample();
        spec.machine = Some("q35".to_owned());
        spec.kernel = Some(PathBuf::from("/base/vmlinuz"));
        spec.ramdisk = Some(PathBuf::from("/base/initrd"));
        golden("kvm-q35.xml", &domain(&spec, Virt::Kvm));
    }

    #[test]
    fn a_volume_on_a_block_device() {
        let mut volume = sample().disks.remove(0);
        volume.path = PathBuf::from("/dev/loop3");
        volume.format = DiskFormat::Raw;
        volume.boot_index = None;
        volume.serial = Some("vol-1".to_owned());
        let xml = disk(&volume, false);
        assert!(xml.contains("type='block'") && xml.contains("<source dev='/dev/loop3'/>"));
        assert!(xml.contains("io='native'") && xml.contains("<serial>vol-1</serial>"));
        assert!(!xml.contains("<boot"));
    }

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(escape("a'b<c>&\"\u{1}"), "a&apos;b&lt;c&gt;&amp;&quot;");
    }
}
