//! Images: uploaded, shared, read back; a file that lies is refused.

use serde_json::{Value, json};
use stackup_tests::{Cloud, Session};

async fn queued(session: &Session, format: &str) -> String {
    let body = json!({"name": "image", "disk_format": format, "container_format": "bare"});
    session.post("image", "/v2/images", &body).await.expect(201).text("/id")
}

#[tokio::test]
async fn data_comes_back_as_it_went_with_its_checksum() {
    let cloud = Cloud::shared().await;
    let alice = cloud.newcomer("member").await;
    let id = queued(&alice, "raw").await;
    let path = format!("/v2/images/{id}");
    let before = alice.get("image", &path).await.expect(200);
    assert_eq!((&before.json["status"], &before.json["size"]), (&json!("queued"), &Value::Null));
    alice.get("image", &format!("{path}/file")).await.expect(204);

    let data: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    alice.upload("image", &format!("{path}/file"), data.clone()).await.expect(204);
    let after = alice.get("image", &path).await.expect(200);
    assert_eq!(after.json["status"], "active");
    assert_eq!(after.json["size"], data.len());
    assert_eq!(after.json["os_hash_algo"], "sha512");
    let back = alice.get("image", &format!("{path}/file")).await.expect(200);
    assert!(back.bytes == data, "{} bytes came back", back.bytes.len());
    assert_eq!(back.header("content-md5"), after.text("/checksum"));

    // Data is uploaded once.
    alice.upload("image", &format!("{path}/file"), vec![1]).await.expect(409);
    alice.delete("image", &path).await.expect(204);
    alice.get("image", &path).await.expect(404);
    alice.get("image", &format!("{path}/file")).await.expect(404);
}

#[tokio::test]
async fn an_image_is_shared_with_one_project_and_no_other() {
    let cloud = Cloud::shared().await;
    let (alice, bob) = (cloud.newcomer("member").await, cloud.newcomer("member").await);
    let eve = cloud.newcomer("member").await;
    let id = alice.make_image("shared").await;
    let path = format!("/v2/images/{id}");
    bob.get("image", &path).await.expect(404);
    let member = json!({"member": bob.project_id()});
    alice.post("image", &format!("{path}/members"), &member).await.expect(200);
    bob.get("image", &path).await.expect(200);
    eve.get("image", &path).await.expect(404);

    let listed = async || {
        let answer = bob.get("image", "/v2/images?visibility=shared").await.expect(200);
        answer.json["images"].as_array().unwrap().iter().any(|image| image["id"] == json!(id))
    };
    assert!(!listed().await, "not before it is accepted");
    let own = format!("{path}/members/{}", bob.project_id());
    bob.put("image", &own, &json!({"status": "accepted"})).await.expect(200);
    assert!(listed().await);
    // A member may look, not change.
    assert!(matches!(bob.delete("image", &path).await.status, 403 | 404));
    alice.delete("image", &own).await.expect(204);
    bob.get("image", &path).await.expect(404);
}

#[tokio::test]
async fn a_protected_image_stays_and_a_public_one_is_the_administrators() {
    let cloud = Cloud::shared().await;
    let alice = cloud.newcomer("member").await;
    let id = alice.make_image("kept").await;
    let path = format!("/v2/images/{id}");
    let patch = |value: Value| {
        alice
            .request(reqwest::Method::PATCH, "image", &path)
            .header("content-type", "application/openstack-images-v2.1-json-patch")
            .body(json!([value]).to_string())
    };
    let protect = |on: bool| json!({"op": "replace", "path": "/protected", "value": on});
    alice.send(patch(protect(true))).await.expect(200);
    alice.delete("image", &path).await.expect(403);
    alice.send(patch(protect(false))).await.expect(200);
    let public = json!({"op": "replace", "path": "/visibility", "value": "public"});
    alice.send(patch(public)).await.expect(403);
    alice.delete("image", &path).await.expect(204);
}

#[tokio::test]
async fn a_disk_that_points_elsewhere_is_refused() {
    let cloud = Cloud::shared().await;
    let alice = cloud.newcomer("member").await;
    // A qcow2 header, version 3, whose backing file is the host's password file.
    let mut disk = vec![0_u8; 65536];
    disk[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    let name = b"/etc/shadow";
    disk[8..16].copy_from_slice(&0x200_u64.to_be_bytes());
    disk[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
    disk[20..24].copy_from_slice(&16_u32.to_be_bytes());
    disk[24..32].copy_from_slice(&(1_u64 << 20).to_be_bytes());
    disk[100..104].copy_from_slice(&104_u32.to_be_bytes());
    disk[0x200..0x200 + name.len()].copy_from_slice(name);
    for format in ["qcow2", "raw"] {
        let id = queued(&alice, format).await;
        let path = format!("/v2/images/{id}");
        let answer = alice.upload("image", &format!("{path}/file"), disk.clone()).await;
        assert!((400..500).contains(&answer.status), "{format}: {}", answer.status);
        let shown = alice.get("image", &path).await.expect(200);
        assert_ne!(shown.json["status"], "active", "{format}");
    }
}
