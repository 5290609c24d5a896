//! A server's root disk as an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use stackup_contracts::NewImage;
use stackup_core::{Ctx, ImageId};

use crate::drivers::DiskFormat;
use crate::logic::work::{Begun, Ended, Job};
use crate::model::server::Server;
use crate::model::state::{Action, TaskState};
use crate::{Error, Nova};

const JOB: Job = Job {
    action: Action::CreateImage,
    task: TaskState::ImageSnapshotPending,
    log: "createImage",
    event: "compute_snapshot_instance",
    fatal: false,
};

/// Properties of the source image that a snapshot does not inherit.
const OWN: &[&str] =
    &["cache_in_nova", "bittorrent", "img_signature", "os_hash_algo", "os_hash_value"];

/// What a snapshot or a backup is called and how.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    pub name: String,
    pub metadata: BTreeMap<String, String>,
    /// `snapshot`, or `backup` with its type and how many to keep.
    pub backup: Option<(String, usize)>,
}

/// Makes the queued image and begins to fill it.
pub(crate) async fn begin(
    nova: &Arc<Nova>,
    cx: &Ctx,
    id: &str,
    snapshot: Snapshot,
) -> Result<ImageId, Error> {
    let server = nova.server(cx, id).await?;
    let action = if snapshot.backup.is_some() { Action::Backup } else { Action::CreateImage };
    server.allows(action, cx.is_admin())?;
    let image = nova.hub.images()?.create(cx, describe(&server, &snapshot)).await?;
    let job = match snapshot.backup {
        Some(_) => Job { action, log: "createBackup", event: "compute_backup_instance", ..JOB },
        None => JOB,
    };
    let begun = match nova.begin(cx, id, job, |_, _| Ok(())).await {
        Ok(begun) => begun,
        Err(error) => {
            nova.hub.images()?.delete(cx, &image.id).await?;
            return Err(error);
        }
    };
    let id = image.id.clone();
    nova.run(begun, move |nova, begun| run(nova, begun, id, snapshot));
    Ok(image.id)
}

fn describe(server: &Server, snapshot: &Snapshot) -> NewImage {
    let base = server.image.as_ref();
    let mut properties: BTreeMap<String, String> =
        base.map(|image| image.properties.clone()).unwrap_or_default();
    properties.retain(|name, _| !OWN.iter().any(|own| name.starts_with(own)));
    let own = [
        ("instance_uuid", server.id.to_string()),
        ("user_id", server.user_id.to_string()),
        ("owner_project_id", server.project_id.to_string()),
        ("image_location", "snapshot".to_owned()),
        ("image_type", "snapshot".to_owned()),
        ("base_image_ref", base.map(|image| image.id.to_string()).unwrap_or_default()),
    ];
    properties.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if let Some((kind, _)) = &snapshot.backup {
        properties.insert("image_type".to_owned(), "backup".to_owned());
        properties.insert("backup_type".to_owned(), kind.clone());
    }
    properties.extend(snapshot.metadata.clone());
    NewImage {
        name: snapshot.name.clone(),
        disk_format: Some("qcow2".to_owned()),
        container_format: Some("bare".to_owned()),
        min_disk: server.flavor.root_gb,
        min_ram: base.map_or(0, |image| image.min_ram),
        visibility: Some("private".to_owned()),
        properties,
    }
}

async fn run(
    nova: Arc<Nova>,
    begun: Begun,
    image: ImageId,
    snapshot: Snapshot,
) -> Result<Ended, Error> {
    let filled = fill(&nova, &begun, &image).await;
    if let Err(error) = filled {
        // A queued image that nothing will fill is of no use to anybody.
        nova.hub.images()?.delete(&begun.cx, &image).await?;
        return Err(error);
    }
    if let Some((kind, keep)) = &snapshot.backup {
        rotate(&nova, &begun, kind, *keep).await?;
    }
    Ok(Box::new(|server| server.task_state = None))
}

/// Copies the disk out and hands it to the image service.
pub(crate) async fn fill(nova: &Nova, begun: &Begun, image: &ImageId) -> Result<(), Error> {
    let server = &begun.server;
    let host = server.host.clone().unwrap_or_default();
    let file = nova.config.spool.join(format!("{image}.part"));
    let io = |error: std::io::Error| {
        Error::Driver(crate::drivers::DriverError::failed("spool a snapshot", error))
    };
    tokio::fs::create_dir_all(&nova.config.spool).await.map_err(io)?;
    let taken = nova.driver.snapshot(&host, &server.id, &file, DiskFormat::Qcow2).await;
    let sent = match taken {
        Ok(()) => {
            task(nova, begun, TaskState::ImageUploading).await?;
            let images = nova.hub.images()?;
            images.upload_file(&begun.cx, image, file.clone()).await.map_err(Error::from)
        }
        Err(error) => Err(error.into()),
    };
    // Gone already when the image service moved it.
    drop(tokio::fs::remove_file(&file).await);
    sent
}

async fn task(nova: &Nova, begun: &Begun, task: TaskState) -> Result<(), Error> {
    nova.change_own(&begun.server.id, move |_, server| {
        if server.task_state == Some(TaskState::Deleting) {
            return Err(Error::Overtaken(server.id.clone()));
        }
        // A shelve says so all the way.
        if server.task_state != Some(TaskState::Shelving) {
            server.task_state = Some(task);
        }
        Ok(())
    })
    .await
    .map(drop)
}

/// Of the backups of one kind only the newest are kept.
async fn rotate(nova: &Nova, begun: &Begun, kind: &str, keep: usize) -> Result<(), Error> {
    let query = stackup_contracts::ImageQuery {
        properties: BTreeMap::from([
            ("image_type".to_owned(), "backup".to_owned()),
            ("backup_type".to_owned(), kind.to_owned()),
            ("instance_uuid".to_owned(), begun.server.id.to_string()),
        ]),
        ..stackup_contracts::ImageQuery::default()
    };
    let images = nova.hub.images()?;
    for image in images.images(&begun.cx, &query).await?.iter().skip(keep) {
        images.delete(&begun.cx, &image.id).await?;
    }
    Ok(())
}

/// The image of a shelved server, queued.
pub(crate) async fn shelf(nova: &Nova, cx: &Ctx, server: &Server) -> Result<ImageId, Error> {
    let snapshot = Snapshot { name: format!("{}-shelved", server.name), ..Snapshot::default() };
    let image = nova.hub.images()?.create(cx, describe(server, &snapshot)).await?;
    Ok(image.id)
}
