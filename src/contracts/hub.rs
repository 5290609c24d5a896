//! Where services find one another, filled while the process is composed.

use std::sync::{Arc, OnceLock};

use stackup_core::ErrorKind;

use crate::{CallError, Compute, Identity, Images, Networks, Placement};

/// Handles to the services of this process. Cheap to clone.
///
/// A profile may leave services out; a call to one that is not there fails as it would if its
/// endpoint were not in the catalog.
#[derive(Clone, Default)]
pub struct Hub(Arc<Slots>);

#[derive(Default)]
struct Slots {
    identity: OnceLock<Arc<dyn Identity>>,
    images: OnceLock<Arc<dyn Images>>,
    placement: OnceLock<Arc<dyn Placement>>,
    networks: OnceLock<Arc<dyn Networks>>,
    compute: OnceLock<Arc<dyn Compute>>,
}

macro_rules! slots {
    ($($slot:ident $set:ident $contract:ident $codename:literal),*) => {
        impl Hub {$(
            #[doc = concat!("The handle to ", $codename, ". Fails when the profile leaves it out.")]
            pub fn $slot(&self) -> Result<&Arc<dyn $contract>, CallError> {
                self.0.$slot.get().ok_or_else(|| absent($codename))
            }

            #[doc = concat!("Puts ", $codename, " in; the first one stays.")]
            pub fn $set(&self, service: Arc<dyn $contract>) {
                let first = self.0.$slot.set(service).is_ok();
                debug_assert!(first, "a service was composed twice");
            }
        )*}
    };
}

slots!(
    identity set_identity Identity "keystone",
    images set_images Images "glance",
    placement set_placement Placement "placement",
    networks set_networks Networks "neutron",
    compute set_compute Compute "nova"
);

fn absent(codename: &str) -> CallError {
    let message = format!("{codename} is not part of this cloud");
    CallError::new(ErrorKind::Unavailable, "EndpointNotFound", message)
}
