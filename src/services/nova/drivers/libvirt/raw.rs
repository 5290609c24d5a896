//! The calls that the `virt` crate does not wrap: closing, events, block jobs, vCPU times.
//!
//! The only unsafe code of nova. Every function here is safe to call.
#![allow(unsafe_code, reason = "libvirt is a C library; each block says why it is sound")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::Once;
use std::time::Duration;

use tokio::sync::broadcast;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;
use virt_sys as sys;

use crate::drivers::{Event, LifecycleEvent};

/// A connection that is closed when dropped, with its events.
pub(super) struct Handle {
    connect: Connect,
    callback: c_int,
}

/// What the event callback owns.
struct Sink {
    host: String,
    events: broadcast::Sender<LifecycleEvent>,
}

impl Handle {
    /// Opens the hypervisor and sends its lifecycle events, under the name `host`, to `events`.
    pub(super) fn open(
        uri: &str,
        host: &str,
        events: broadcast::Sender<LifecycleEvent>,
    ) -> Result<Self, Error> {
        start_event_loop()?;
        let connect = Connect::open(Some(uri))?;
        let sink = Box::into_raw(Box::new(Sink { host: host.to_owned(), events }));
        // SAFETY: for VIR_DOMAIN_EVENT_ID_LIFECYCLE libvirt calls the callback with the signature
        // of `on_lifecycle`; passing it as the generic type is how the C API is meant to be used.
        // `sink` stays valid until libvirt calls `free_sink`, once, after the last callback.
        let callback = unsafe {
            let generic = std::mem::transmute::<
                unsafe extern "C" fn(
                    sys::virConnectPtr,
                    sys::virDomainPtr,
                    c_int,
                    c_int,
                    *mut c_void,
                ) -> c_int,
                unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void),
            >(on_lifecycle);
            sys::virConnectDomainEventRegisterAny(
                connect.as_ptr(),
                std::ptr::null_mut(),
                sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE as c_int,
                Some(generic),
                sink.cast(),
                Some(free_sink),
            )
        };
        let handle = Self { connect, callback };
        if callback < 0 {
            // SAFETY: libvirt took no ownership when it refused; the box is ours again.
            drop(unsafe { Box::from_raw(sink) });
            return Err(Error::last_error());
        }
        Ok(handle)
    }

    pub(super) fn connect(&self) -> &Connect {
        &self.connect
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the connection is open, as nothing but this closes it, and the callback id is
        // the one it gave. Failures leave nothing to do.
        unsafe {
            if self.callback >= 0 {
                sys::virConnectDomainEventDeregisterAny(self.connect.as_ptr(), self.callback);
            }
        }
        if let Err(error) = self.connect.close() {
            tracing::warn!(%error, "libvirt connection could not be closed");
        }
    }
}

/// Registers libvirt's event loop and runs it on its own thread, once a process. It must be there
/// before the first connection.
fn start_event_loop() -> Result<(), Error> {
    static LOOP: Once = Once::new();
    let mut result = Ok(());
    LOOP.call_once(|| {
        // Else libvirt prints every error to stderr.
        virt::error::clear_error_callback();
        result = virt::event::event_register_default_impl();
        if result.is_err() {
            return;
        }
        let spawned = std::thread::Builder::new().name("libvirt-events".to_owned()).spawn(|| {
            loop {
                if let Err(error) = virt::event::event_run_default_impl() {
                    tracing::warn!(%error, "libvirt event loop");
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "no thread for libvirt events");
        }
    });
    result
}

unsafe extern "C" fn on_lifecycle(
    _connect: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    let Some(event) = event_of(event, detail) else {
        return 0;
    };
    let mut uuid = [0 as c_char; sys::VIR_UUID_STRING_BUFLEN as usize];
    // SAFETY: libvirt hands in a valid domain, and the buffer has the length it documents; on
    // success it holds a terminated string. `opaque` is the `Sink` given at registration, which
    // libvirt frees only after the last call.
    let (uuid, sink) = unsafe {
        if sys::virDomainGetUUIDString(domain, uuid.as_mut_ptr()) < 0 {
            return 0;
        }
        (CStr::from_ptr(uuid.as_ptr()), &*opaque.cast::<Sink>())
    };
    // Nobody listening is fine: events are hints.
    drop(sink.events.send(LifecycleEvent {
        host: sink.host.clone(),
        uuid: uuid.to_string_lossy().into_owned(),
        event,
    }));
    0
}

unsafe extern "C" fn free_sink(opaque: *mut c_void) {
    // SAFETY: the pointer came from `Box::into_raw` in `open`, and libvirt calls this once.
    drop(unsafe { Box::from_raw(opaque.cast::<Sink>()) });
}

fn event_of(event: c_int, detail: c_int) -> Option<Event> {
    match (event as sys::virDomainEventType, detail as sys::virDomainEventStoppedDetailType) {
        (sys::VIR_DOMAIN_EVENT_STARTED, _) => Some(Event::Started),
        (sys::VIR_DOMAIN_EVENT_SUSPENDED, _) => Some(Event::Paused),
        (sys::VIR_DOMAIN_EVENT_RESUMED, _) => Some(Event::Resumed),
        (sys::VIR_DOMAIN_EVENT_STOPPED, sys::VIR_DOMAIN_EVENT_STOPPED_SAVED) => {
            Some(Event::Suspended)
        }
        (
            sys::VIR_DOMAIN_EVENT_STOPPED,
            sys::VIR_DOMAIN_EVENT_STOPPED_CRASHED | sys::VIR_DOMAIN_EVENT_STOPPED_FAILED,
        )
        | (sys::VIR_DOMAIN_EVENT_CRASHED, _) => Some(Event::Crashed),
        (sys::VIR_DOMAIN_EVENT_STOPPED, _) => Some(Event::Stopped),
        _ => None,
    }
}

/// Starts to merge the active overlay of a running guest's disk into what lies below it.
pub(super) fn begin_commit(domain: &Domain, device: &str) -> Result<(), Error> {
    let device = c_string(device);
    // SAFETY: the domain is alive while borrowed, the name is terminated; null base and top mean
    // the whole chain.
    let result = unsafe {
        sys::virDomainBlockCommit(
            domain.as_ptr(),
            device.as_ptr(),
            std::ptr::null(),
            std::ptr::null(),
            0,
            sys::VIR_DOMAIN_BLOCK_COMMIT_ACTIVE,
        )
    };
    check(result)
}

/// How far the merge of an overlay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    None,
    Busy,
    /// It has caught up with the guest. libvirt may learn so a moment later than the numbers show.
    CaughtUp,
}

pub(super) fn merge_state(domain: &Domain, device: &str) -> Result<Merge, Error> {
    let device = c_string(device);
    let mut info = std::mem::MaybeUninit::<sys::virDomainBlockJobInfo>::zeroed();
    // SAFETY: the domain is alive, the name is terminated, and the struct may be all zeros, which
    // is how it stays when libvirt answers 0 (no job).
    let (result, info) = unsafe {
        let result =
            sys::virDomainGetBlockJobInfo(domain.as_ptr(), device.as_ptr(), info.as_mut_ptr(), 0);
        (result, info.assume_init())
    };
    check(result)?;
    Ok(match result {
        0 => Merge::None,
        _ if info.end > 0 && info.cur == info.end => Merge::CaughtUp,
        _ => Merge::Busy,
    })
}

/// Lets the guest write to the merged disk again.
pub(super) fn pivot(domain: &Domain, device: &str) -> Result<(), Error> {
    let device = c_string(device);
    // SAFETY: the domain is alive while borrowed and the name is terminated.
    let result = unsafe {
        sys::virDomainBlockJobAbort(
            domain.as_ptr(),
            device.as_ptr(),
            sys::VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT,
        )
    };
    check(result)
}

/// Nanoseconds that each vCPU of a running guest has run.
pub(super) fn vcpu_times(domain: &Domain, count: usize) -> Result<Vec<u64>, Error> {
    let mut infos = Vec::with_capacity(count);
    // SAFETY: virVcpuInfo is plain numbers, so zeros are a value of it.
    infos.resize_with(count, || unsafe { std::mem::zeroed::<sys::virVcpuInfo>() });
    // SAFETY: the array has as many elements as is said; no CPU maps are asked for.
    let filled = unsafe {
        sys::virDomainGetVcpus(
            domain.as_ptr(),
            infos.as_mut_ptr(),
            c_int::try_from(count).unwrap_or(c_int::MAX),
            std::ptr::null_mut(),
            0,
        )
    };
    check(filled)?;
    Ok(infos.iter().take(usize::try_from(filled).unwrap_or(0)).map(|info| info.cpuTime).collect())
}

/// Device names are ours and hold no NUL; one that did would name no device.
fn c_string(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn check(result: c_int) -> Result<(), Error> {
    if result < 0 { Err(Error::last_error()) } else { Ok(()) }
}
