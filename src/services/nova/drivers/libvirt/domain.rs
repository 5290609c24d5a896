//! Blocking work on one guest. Everything here runs on a blocking thread.

use std::time::{Duration, Instant};

use virt::connect::Connect;
use virt::domain::Domain;
use virt::domain_snapshot::DomainSnapshot;
use virt::error::{Error, ErrorNumber};
use virt_sys as sys;

use super::raw::Merge;
use super::{guest, look, raw};
use crate::drivers::{
    Diagnostics, DiskStats, DriverError, GuestInfo, MemoryStats, NicStats, Owner, PowerState,
    Result,
};

const LIVE: u32 = sys::VIR_DOMAIN_AFFECT_LIVE;
const CONFIG: u32 = sys::VIR_DOMAIN_AFFECT_CONFIG;
const POLL: Duration = Duration::from_millis(200);

/// A failure of libvirt while `doing` something.
pub(super) fn failed(doing: &str) -> impl Fn(Error) -> DriverError + '_ {
    move |source| DriverError::failed(doing, source)
}

/// The guest with this UUID, if it is there and ours.
pub(super) fn find(connect: &Connect, uuid: &str) -> Result<Option<Domain>> {
    if uuid.contains('\0') {
        return Ok(None);
    }
    let domain = match Domain::lookup_by_uuid_string(connect, uuid) {
        Ok(domain) => domain,
        // What is no UUID at all names no guest either.
        Err(error) if matches!(error.code(), ErrorNumber::NoDomain | ErrorNumber::InvalidArg) => {
            return Ok(None);
        }
        Err(error) => return Err(failed("looking the guest up")(error)),
    };
    Ok((owner(&domain) == Owner::Ours).then_some(domain))
}

pub(super) fn get(connect: &Connect, uuid: &str) -> Result<Domain> {
    find(connect, uuid)?.ok_or_else(|| DriverError::GuestNotFound { uuid: uuid.to_owned() })
}

fn owner(domain: &Domain) -> Owner {
    let kind = sys::VIR_DOMAIN_METADATA_ELEMENT as i32;
    match domain.get_metadata(kind, Some(guest::MARK), 0) {
        Ok(_) => Owner::Ours,
        Err(_) => Owner::Foreign,
    }
}

/// The power state; a guest that is off with its memory saved is suspended.
pub(super) fn power(domain: &Domain) -> Result<PowerState> {
    let (state, _) = domain.get_state().map_err(failed("asking for the power state"))?;
    Ok(match state {
        // Blocked is Xen's word for idle; one that shuts down runs until it is off.
        sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED | sys::VIR_DOMAIN_SHUTDOWN => {
            PowerState::Running
        }
        sys::VIR_DOMAIN_PAUSED => PowerState::Paused,
        sys::VIR_DOMAIN_SHUTOFF if domain.has_managed_save(0).unwrap_or(false) => {
            PowerState::Suspended
        }
        sys::VIR_DOMAIN_SHUTOFF => PowerState::Shutdown,
        sys::VIR_DOMAIN_CRASHED => PowerState::Crashed,
        sys::VIR_DOMAIN_PMSUSPENDED => PowerState::Suspended,
        _ => PowerState::NoState,
    })
}

pub(super) fn info(domain: &Domain) -> Result<GuestInfo> {
    Ok(GuestInfo {
        uuid: domain.get_uuid_string().map_err(failed("reading the guest's uuid"))?,
        name: domain.get_name().map_err(failed("reading the guest's name"))?,
        power: power(domain)?,
        owner: owner(domain),
    })
}

pub(super) fn list(connect: &Connect) -> Result<Vec<GuestInfo>> {
    let domains = connect.list_all_domains(0).map_err(failed("listing guests"))?;
    let mut guests = Vec::with_capacity(domains.len());
    for domain in &domains {
        match info(domain) {
            Ok(info) => guests.push(info),
            // It went away meanwhile.
            Err(error) => tracing::debug!(%error, "guest not listed"),
        }
    }
    Ok(guests)
}

/// Defines the guest and starts it with its vCPUs still stopped. One that is started already is
/// left as it is. With `saved`, memory that was saved is taken up again, if it can be.
pub(super) fn start_paused(connect: &Connect, uuid: &str, xml: &str, saved: bool) -> Result<()> {
    if let Some(domain) = find(connect, uuid)? {
        if active(&domain)? {
            return Ok(());
        }
        if domain.has_managed_save(0).unwrap_or(false) {
            if saved && domain.create_with_flags(sys::VIR_DOMAIN_START_PAUSED).is_ok() {
                return Ok(());
            }
            domain.managed_save_remove(0).map_err(failed("dropping saved memory"))?;
        }
    }
    let domain = Domain::define_xml(connect, xml).map_err(failed("defining the guest"))?;
    domain
        .create_with_flags(sys::VIR_DOMAIN_START_PAUSED)
        .map(drop)
        .map_err(failed("starting the guest"))
}

fn active(domain: &Domain) -> Result<bool> {
    domain.is_active().map_err(failed("asking whether the guest runs"))
}

pub(super) fn run(domain: &Domain) -> Result<()> {
    match power(domain)? {
        PowerState::Running => Ok(()),
        PowerState::Paused => domain.resume().map(drop).map_err(failed("letting the guest run")),
        state => Err(wrong(domain, "unpause", state)),
    }
}

pub(super) fn pause(domain: &Domain) -> Result<()> {
    match power(domain)? {
        PowerState::Paused => Ok(()),
        PowerState::Running => domain.suspend().map(drop).map_err(failed("pausing the guest")),
        state => Err(wrong(domain, "pause", state)),
    }
}

pub(super) fn save(domain: &Domain) -> Result<()> {
    match power(domain)? {
        PowerState::Suspended => Ok(()),
        PowerState::Running | PowerState::Paused => {
            domain.managed_save(0).map(drop).map_err(failed("saving the guest's memory"))
        }
        state => Err(wrong(domain, "suspend", state)),
    }
}

/// Ends the guest at once; saved memory goes too.
pub(super) fn stop(domain: &Domain) -> Result<()> {
    if active(domain)?
        && let Err(error) = domain.destroy()
        && active(domain)?
    {
        return Err(failed("ending the guest")(error));
    }
    if domain.has_managed_save(0).unwrap_or(false) {
        domain.managed_save_remove(0).map_err(failed("dropping saved memory"))?;
    }
    Ok(())
}

/// Presses the power button and waits for the guest to be off. False when it was not in time.
pub(super) fn shut_down(domain: &Domain, grace: Duration) -> Result<bool> {
    if power(domain)? != PowerState::Running {
        return Ok(!active(domain)?);
    }
    let button = sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN;
    let mut pressed: Option<Instant> = None;
    let until = Instant::now() + grace;
    while Instant::now() < until {
        // A guest that still boots misses the button; nova too presses it again now and then.
        if pressed.is_none_or(|at| at.elapsed() > Duration::from_secs(10)) {
            drop(domain.shutdown_flags(button));
            pressed = Some(Instant::now());
        }
        std::thread::sleep(POLL);
        if !active(domain)? {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn remove(domain: &Domain) -> Result<()> {
    stop(domain)?;
    let flags = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | sys::VIR_DOMAIN_UNDEFINE_NVRAM;
    match domain.undefine_flags(flags) {
        Err(error) if error.code() != ErrorNumber::NoDomain => {
            Err(failed("undefining the guest")(error))
        }
        _ => Ok(()),
    }
}

/// What identifies a device: the target of a disk, the MAC address of an interface.
#[derive(Debug, Clone)]
pub(super) enum Device {
    Disk(String),
    Interface(String),
}

impl Device {
    fn find<'a>(&self, xml: &'a str) -> Option<&'a str> {
        match self {
            Self::Disk(target) => look::disk(xml, target),
            Self::Interface(mac) => look::interface(xml, mac),
        }
    }
}

/// Adds a device to the running guest and to its definition. One that is there already is fine
/// when it is the same, as `same` says.
pub(super) fn attach(
    domain: &Domain,
    device: &Device,
    xml: &str,
    same: impl Fn(&str) -> bool,
) -> Result<()> {
    for scope in scopes(domain)? {
        match device.find(&describe(domain, scope)?) {
            Some(held) if same(held) => {}
            Some(_) => {
                return Err(DriverError::failed(
                    "attaching a device",
                    format!("{device:?} is taken"),
                ));
            }
            None => {
                domain.attach_device_flags(xml, scope).map_err(failed("attaching a device"))?;
            }
        }
    }
    Ok(())
}

/// Removes a device from the running guest, then from its definition. The guest has to agree:
/// libvirt only asks it.
pub(super) fn detach(domain: &Domain, device: &Device, patience: Duration) -> Result<()> {
    for scope in scopes(domain)? {
        let until = Instant::now() + patience;
        let mut asked: Option<Instant> = None;
        loop {
            let xml = describe(domain, scope)?;
            let Some(held) = device.find(&xml) else { break };
            if Instant::now() > until {
                let what = format!("removal of {device:?}");
                return Err(DriverError::Timeout { what, seconds: patience.as_secs() });
            }
            if asked.is_none_or(|at| at.elapsed() > Duration::from_secs(5)) {
                match domain.detach_device_flags(held, scope) {
                    Err(error) if asked.is_none() && error.code() != ErrorNumber::DeviceMissing => {
                        return Err(failed("detaching a device")(error));
                    }
                    // Asked again while the guest still thinks about it, QEMU may refuse.
                    _ => asked = Some(Instant::now()),
                }
            }
            std::thread::sleep(POLL);
        }
    }
    Ok(())
}

fn scopes(domain: &Domain) -> Result<Vec<u32>> {
    Ok(if active(domain)? { vec![LIVE, CONFIG] } else { vec![CONFIG] })
}

fn describe(domain: &Domain, scope: u32) -> Result<String> {
    let flags = if scope == CONFIG { sys::VIR_DOMAIN_XML_INACTIVE } else { 0 };
    domain.get_xml_desc(flags).map_err(failed("describing the guest"))
}

pub(super) fn extend(domain: &Domain, device: &str, bytes: u64) -> Result<()> {
    if !active(domain)? {
        return Ok(());
    }
    if look::disk(&describe(domain, LIVE)?, device).is_none() {
        let uuid = domain.get_uuid_string().unwrap_or_default();
        return Err(DriverError::DeviceNotFound { uuid, device: device.to_owned() });
    }
    let in_bytes = sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES;
    domain.block_resize(device, bytes, in_bytes).map(drop).map_err(failed("resizing a disk"))
}

/// The TCP port of the screen; none while the guest is off.
pub(super) fn vnc_port(domain: &Domain) -> Result<u16> {
    let port = look::attribute(&describe(domain, LIVE)?, "graphics", "port");
    match port.and_then(|port| port.parse::<u16>().ok()) {
        Some(port) if active(domain)? => Ok(port),
        _ => Err(wrong(domain, "show its screen", power(domain)?)),
    }
}

/// Where the root disk of a running guest is: its device name and the file it writes to.
pub(super) fn root_disk(
    domain: &Domain,
    candidates: &[String; 2],
) -> Result<Option<(String, String)>> {
    if !active(domain)? {
        return Ok(None);
    }
    let xml = describe(domain, LIVE)?;
    for disk in look::elements(&xml, "disk") {
        if let Some(source) = look::source(disk)
            && candidates.contains(&source)
            && let Some(device) = look::attribute(disk, "target", "dev")
        {
            return Ok(Some((device, source)));
        }
    }
    Ok(None)
}

/// Makes a running guest write to `overlay`, so that its disk stands still.
pub(super) fn freeze(domain: &Domain, device: &str, overlay: &str) -> Result<()> {
    let xml = describe(domain, LIVE)?;
    let mut disks = String::new();
    for disk in look::elements(&xml, "disk") {
        let Some(target) = look::attribute(disk, "target", "dev") else {
            continue;
        };
        disks.push_str(&if target == device {
            format!("<disk name='{target}' snapshot='external'><source file='{overlay}'/></disk>")
        } else {
            format!("<disk name='{target}' snapshot='no'/>")
        });
    }
    let snapshot = format!("<domainsnapshot><disks>{disks}</disks></domainsnapshot>");
    let flags = sys::VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
        | sys::VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
        | sys::VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC;
    DomainSnapshot::create_xml(domain, &snapshot, flags)
        .map(drop)
        .map_err(failed("freezing the disk"))
}

/// Merges the overlay of [`freeze`] back and makes the guest write to its disk again.
pub(super) fn thaw(domain: &Domain, device: &str, patience: Duration) -> Result<()> {
    let what = failed("merging the overlay");
    // A merge that an earlier call began and gave up is gone on with.
    if raw::merge_state(domain, device).map_err(&what)? == Merge::None {
        raw::begin_commit(domain, device).map_err(&what)?;
    }
    let until = Instant::now() + patience;
    while Instant::now() < until {
        match raw::merge_state(domain, device).map_err(&what)? {
            Merge::None => {
                return Err(DriverError::failed("merging the overlay", "the merge was given up"));
            }
            Merge::Busy => {}
            Merge::CaughtUp => match raw::pivot(domain, device) {
                Err(error) if error.code() == ErrorNumber::BlockCopyActive => {}
                result => return result.map_err(failed("returning to the disk")),
            },
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let what = "merge of the overlay".to_owned();
    Err(DriverError::Timeout { what, seconds: patience.as_secs() })
}

pub(super) fn diagnostics(domain: &Domain) -> Result<Diagnostics> {
    let state = power(domain)?;
    if !active(domain)? {
        return Err(wrong(domain, "be measured", state));
    }
    let what = failed("measuring the guest");
    let info = domain.get_info().map_err(&what)?;
    let xml = describe(domain, LIVE)?;
    let count = usize::try_from(info.nr_virt_cpu).unwrap_or(0);
    let mut disks = Vec::new();
    for disk in look::elements(&xml, "disk") {
        let Some(device) = look::attribute(disk, "target", "dev") else {
            continue;
        };
        let stats = domain.get_block_stats(&device).map_err(&what)?;
        disks.push(DiskStats {
            device,
            read_bytes: count_of(stats.rd_bytes),
            read_requests: count_of(stats.rd_req),
            write_bytes: count_of(stats.wr_bytes),
            write_requests: count_of(stats.wr_req),
            errors: count_of(stats.errs),
        });
    }
    let mut nics = Vec::new();
    for interface in look::elements(&xml, "interface") {
        let tap = look::attribute(interface, "target", "dev").unwrap_or_default();
        let mac = look::attribute(interface, "mac", "address").unwrap_or_default();
        // libvirt already turns the host's view of a tap into the guest's.
        let stats = domain.interface_stats(&tap).map_err(&what)?;
        nics.push(NicStats {
            mac,
            rx_octets: count_of(stats.rx_bytes),
            rx_packets: count_of(stats.rx_packets),
            rx_errors: count_of(stats.rx_errs),
            rx_drop: count_of(stats.rx_drop),
            tx_octets: count_of(stats.tx_bytes),
            tx_packets: count_of(stats.tx_packets),
            tx_errors: count_of(stats.tx_errs),
            tx_drop: count_of(stats.tx_drop),
        });
    }
    Ok(Diagnostics {
        state,
        driver: "libvirt".to_owned(),
        hypervisor: look::attribute(&xml, "domain", "type").unwrap_or_default(),
        uptime: None,
        cpu_time_ns: raw::vcpu_times(domain, count).map_err(&what)?,
        memory: MemoryStats { maximum_mb: info.max_mem / 1024, used_mb: info.memory / 1024 },
        disks,
        nics,
    })
}

/// libvirt says -1 for what it does not count.
fn count_of(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn wrong(domain: &Domain, verb: &'static str, state: PowerState) -> DriverError {
    DriverError::WrongState { uuid: domain.get_uuid_string().unwrap_or_default(), verb, state }
}
