//! The door for other services.

use std::collections::BTreeMap;

use serde_json::json;
use stackup_contracts::{ImageQuery, Images, NewImage};
use stackup_core::{Ctx, ErrorKind, ImageId, Origin, Time};
use stackup_testing::caller;

use crate::*;

fn of(token: &str) -> Ctx {
    Ctx {
        caller: Arc::new(caller(token).unwrap()),
        origin: Origin::Api,
        ..Ctx::service("test", "req-1".into(), Time::from_unix(0))
    }
}

#[tokio::test]
async fn nova_boots_from_an_image() {
    let cloud = cloud().await;
    let made = active(&cloud.member(), json!({"hw_disk_bus": "virtio"})).await;
    let id = ImageId::from(made);
    let image = cloud.glance.image(&of("member@p"), &id).await.unwrap();
    assert_eq!(image.properties["hw_disk_bus"], "virtio");
    let data = cloud.glance.data(&of("member@p"), &id).await.unwrap();
    assert_eq!(
        (data.format.as_str(), std::fs::read(data.path).unwrap()),
        ("raw", b"some data".to_vec())
    );
    let hidden = cloud.glance.image(&of("member@q"), &id).await.unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    let empty = ImageId::from(queued(&cloud.member()).await);
    let none = cloud.glance.data(&of("member@p"), &empty).await.unwrap_err();
    assert_eq!(none.kind, ErrorKind::Conflict);
    let query = ImageQuery { status: Some("active".into()), ..ImageQuery::default() };
    let found = Images::images(&*cloud.glance, &of("member@p"), &query).await.unwrap();
    assert_eq!(found.len(), 1);
}

#[tokio::test]
async fn nova_makes_an_image_of_a_server() {
    let cloud = cloud().await;
    let cx = of("member@p");
    let new = NewImage {
        name: "snap".into(),
        disk_format: Some("qcow2".into()),
        container_format: Some("bare".into()),
        properties: BTreeMap::from([("image_type".into(), "snapshot".into())]),
        ..NewImage::default()
    };
    let image = cloud.glance.create(&cx, new).await.unwrap();
    assert_eq!((image.status.as_str(), image.visibility.as_str()), ("queued", "shared"));
    let wrong = cloud.dir.path().join("wrong");
    stackup_system::files::write_atomic(&wrong, b"not a qcow2", 0o600).unwrap();
    let refused = cloud.glance.upload_file(&cx, &image.id, wrong).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::UnsupportedMediaType);
    assert_eq!(cloud.glance.image(&cx, &image.id).await.unwrap().status, "queued");
    let file = cloud.dir.path().join("snapshot");
    stackup_system::files::write_atomic(&file, &qcow2(0), 0o600).unwrap();
    cloud.glance.upload_file(&cx, &image.id, file.clone()).await.unwrap();
    assert!(!file.exists());
    let image = cloud.glance.image(&cx, &image.id).await.unwrap();
    assert_eq!((image.status.as_str(), image.virtual_size), ("active", Some(1 << 30)));
    let changes = BTreeMap::from([("a".into(), Some("1".into())), ("image_type".into(), None)]);
    let changed = cloud.glance.set_properties(&cx, &image.id, changes).await.unwrap();
    assert_eq!(changed.properties, BTreeMap::from([("a".into(), "1".into())]));
    cloud.glance.delete(&cx, &image.id).await.unwrap();
    assert!(cloud.files("images").is_empty());
}
