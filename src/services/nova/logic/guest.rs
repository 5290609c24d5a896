//! From a server to what a driver needs: the plan of its disks and the definition of its guest.

use std::path::Path;

use async_trait::async_trait;
use stackup_contracts::{Hub, PortInfo};
use stackup_core::{Ctx, ImageId};

use crate::drivers::{
    Bus, DiskFormat, DiskPlan, DriverError, GuestFiles, GuestMetadata, GuestSpec, ImageRef,
    ImageSource, Nic, RootPlan,
};
use crate::model::server::{Server, ServerImage};
use crate::{Error, Nova};

/// Images from glance, for the driver's cache.
pub(crate) struct Glance<'a> {
    pub hub: &'a Hub,
    pub cx: &'a Ctx,
}

#[async_trait]
impl ImageSource for Glance<'_> {
    async fn fetch(&self, image_id: &str, to: &Path) -> crate::drivers::Result<()> {
        let failed = |error: &dyn std::fmt::Display| DriverError::Image {
            image: image_id.to_owned(),
            reason: error.to_string(),
        };
        let images = self.hub.images().map_err(|error| failed(&error))?;
        let data = images.data(self.cx, &ImageId::from(image_id)).await;
        let data = data.map_err(|error| failed(&error))?;
        let to = to.to_owned();
        tokio::task::spawn_blocking(move || std::fs::copy(&data.path, &to))
            .await
            .map_err(|error| failed(&error))?
            .map_err(|error| failed(&error))?;
        Ok(())
    }
}

/// The plan of the server's disks.
pub(crate) fn disk_plan(
    server: &Server,
    config_drive: Option<Vec<(String, Vec<u8>)>>,
) -> Result<DiskPlan, Error> {
    let root = server.image.as_ref().map(|image| {
        Ok::<_, Error>(RootPlan { image: image_ref(image)?, size_gb: server.flavor.root_gb })
    });
    Ok(DiskPlan {
        root: root.transpose()?,
        ephemeral_gb: server.flavor.ephemeral_gb,
        swap_mb: server.flavor.swap_mb,
        bus: property(server, "hw_disk_bus").and_then(Bus::parse).unwrap_or_default(),
        config_drive,
        rescue: false,
    })
}

/// An image as a driver needs it. Fails when no hypervisor here can start from its format.
pub(crate) fn image_ref(image: &ServerImage) -> Result<ImageRef, Error> {
    let format = DiskFormat::from_glance(&image.disk_format).ok_or_else(|| {
        Error::invalid(format!(
            "Image {} is unacceptable: disk format {} is not supported",
            image.id, image.disk_format
        ))
    })?;
    let part = |name: &str| image.properties.get(name).filter(|id| !id.is_empty()).cloned();
    Ok(ImageRef {
        id: image.id.to_string(),
        checksum: image.checksum.clone(),
        format,
        kernel: part("kernel_id"),
        ramdisk: part("ramdisk_id"),
    })
}

/// The definition of the server's guest.
pub(crate) fn spec(server: &Server, ports: &[PortInfo]) -> GuestSpec {
    spec_with(server, ports, &server.files.clone().unwrap_or_default())
}

/// As [`spec`], with other files: for a rescue.
pub(crate) fn spec_with(server: &Server, ports: &[PortInfo], files: &GuestFiles) -> GuestSpec {
    let cmdline = property(server, "os_command_line").map(str::to_owned);
    GuestSpec {
        uuid: server.id.to_string(),
        name: server.instance_name(),
        memory_mb: server.flavor.memory_mb,
        vcpus: server.flavor.vcpus,
        disks: files.disks.clone(),
        nics: ports.iter().map(|port| nic(server, port)).collect(),
        cmdline: files.kernel.as_ref().and(cmdline),
        kernel: files.kernel.clone(),
        ramdisk: files.ramdisk.clone(),
        console_log: files.console_log.clone(),
        metadata: GuestMetadata {
            server_name: server.name.clone(),
            flavor_name: server.flavor.name.clone(),
            project_id: server.project_id.to_string(),
            project_name: server.project_id.to_string(),
            user_id: server.user_id.to_string(),
            user_name: server.user_id.to_string(),
            image_id: server.image.as_ref().map(|image| image.id.to_string()),
            created_at: server.created_at.seconds_z(),
        },
        hw_rng: server.flavor.hw_rng(),
        machine: property(server, "hw_machine_type").map(str::to_owned),
        video: property(server, "hw_video_model").map(str::to_owned),
        smbios_serial: Some(server.id.to_string()),
    }
}

/// The card of a port.
pub(crate) fn nic(server: &Server, port: &PortInfo) -> Nic {
    Nic {
        port_id: port.id.to_string(),
        mac: port.mac.clone(),
        tap: port.tap.clone(),
        mtu: Some(port.network.mtu).filter(|mtu| *mtu > 0),
        model: property(server, "hw_vif_model").unwrap_or("virtio").to_owned(),
    }
}

fn property<'a>(server: &'a Server, name: &str) -> Option<&'a str> {
    server.image.as_ref()?.properties.get(name).map(String::as_str)
}

impl Nova {
    /// The definition of a server's guest with its ports as of now.
    pub(crate) async fn guest(&self, cx: &Ctx, server: &Server) -> Result<GuestSpec, Error> {
        let ports = super::networks::ports(self, cx, &server.id).await?;
        Ok(spec(server, &ports))
    }
}
