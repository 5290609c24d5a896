//! What was there before the process, and what it must clean up.

use std::collections::BTreeMap;

use serde_json::json;
use stackup_core::ids;
use stackup_glance::SeedImage;
use stackup_store::{Db, params};

use crate::*;

fn seeds(dir: &Path) -> Vec<SeedImage> {
    let seed = |name: &str, format: &str| SeedImage {
        name: name.into(),
        path: dir.join(name),
        disk_format: format.into(),
        container_format: "bare".into(),
        ..SeedImage::default()
    };
    vec![
        seed("tiny-kernel", "aki"),
        SeedImage {
            kernel: Some("tiny-kernel".into()),
            properties: BTreeMap::from([("hw_rng_model".into(), "virtio".into())]),
            ..seed("tiny-direct", "raw")
        },
        seed("tiny", "qcow2"),
        seed("absent", "raw"),
    ]
}

async fn again(cloud: Cloud) -> Cloud {
    let Cloud { dir, glance, .. } = cloud;
    drop(glance);
    let config = Config {
        data_dir: dir.path().join("glance"),
        images: seeds(dir.path()),
        reap_after: 0,
        ..Config::default()
    };
    start(dir, config).await
}

#[tokio::test]
async fn configured_images_are_registered_once() {
    let cloud = cloud_with(|config, dir| {
        config.images = seeds(dir);
        for (name, data) in [
            ("tiny-kernel", b"kernel".to_vec()),
            ("tiny-direct", b"root".to_vec()),
            ("tiny", qcow2(0)),
        ] {
            stackup_system::files::write_atomic(&dir.join(name), &data, 0o600).unwrap();
        }
    })
    .await;
    let member = cloud.member();
    let list = member.get("/v2/images?sort=name:asc").await.expect(200).json;
    let images = list["images"].as_array().unwrap();
    assert_eq!(images.len(), 3, "the one without a file is left out");
    let direct = &images[1];
    assert_eq!(direct["kernel_id"], images[2]["id"]);
    assert_eq!((&direct["visibility"], &direct["status"]), (&json!("public"), &json!("active")));
    assert_eq!(direct["owner"], "admin");
    let tiny = ids::named("tiny.image");
    assert_eq!(images[0]["id"], json!(tiny));
    assert!(cloud.dir.path().join("tiny").exists());
    cloud.admin().delete(&format!("/v2/images/{tiny}")).await.expect(204);
    let cloud = again(cloud).await;
    let list = cloud.member().get("/v2/images").await.expect(200).json;
    assert_eq!(list["images"].as_array().unwrap().len(), 2, "what was deleted stays away");
}

#[tokio::test]
async fn what_was_half_way_is_queued_again() {
    let cloud = cloud().await;
    let member = cloud.member();
    let (saving, importing) = (queued(&member).await, queued(&member).await);
    let (staged, lost) = (queued(&member).await, queued(&member).await);
    for id in [&staged, &lost] {
        put_bytes(&member, &format!("/v2/images/{id}/stage"), b"staged").await.expect(204);
    }
    std::fs::remove_file(cloud.dir.path().join("glance/staging").join(&lost)).unwrap();
    let store = StoreConfig::Sqlite { path: cloud.dir.path().join("glance.db") };
    let db = Db::open("glance", &store, stackup_glance::MIGRATIONS).await.unwrap();
    for (id, status) in [(&saving, "saving"), (&importing, "importing")] {
        let values = params![id, status];
        let sql = "UPDATE images SET status = $2, size = 5 WHERE id = $1";
        db.write(move |tx| tx.execute(sql, &values)).await.unwrap();
    }
    let half = cloud.dir.path().join("glance/images").join(format!(".{saving}.x.part"));
    stackup_system::files::write_atomic(&half, b"half", 0o600).unwrap();
    let cloud = again(cloud).await;
    let member = cloud.member();
    for id in [&saving, &importing, &lost] {
        let view = show(&member, id).await;
        assert_eq!((&view["status"], &view["size"]), (&json!("queued"), &json!(null)));
    }
    assert_eq!(show(&member, &staged).await["status"], "uploading");
    assert!(cloud.files("images").is_empty());
    upload(&member, &saving, b"now").await.expect(204);
}

#[tokio::test]
async fn files_without_an_image_are_removed() {
    let cloud = cloud().await;
    let member = cloud.member();
    let kept = active(&member, json!({})).await;
    let staged = queued(&member).await;
    put_bytes(&member, &format!("/v2/images/{staged}/stage"), b"staged").await.expect(204);
    for orphan in ["images/orphan", "staging/orphan"] {
        let path = cloud.dir.path().join("glance").join(orphan);
        stackup_system::files::write_atomic(&path, b"x", 0o600).unwrap();
    }
    let mut reaper = Arc::clone(&cloud.glance).tasks().remove(0).reconciler;
    let report = reaper.activate().await;
    assert_eq!((report.repaired, report.failed.len()), (2, 0), "{report:?}");
    assert_eq!((cloud.files("images"), cloud.files("staging")), (vec![kept.clone()], vec![staged]));
    std::fs::remove_file(cloud.dir.path().join("glance/images").join(&kept)).unwrap();
    let report = reaper.activate().await;
    assert!(report.failed[0].contains(&kept), "{report:?}");
}
