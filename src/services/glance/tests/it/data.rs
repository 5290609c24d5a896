//! Upload and download.

use std::convert::Infallible;

use bytes::Bytes;
use futures::stream;
use serde_json::json;

use crate::*;

#[tokio::test]
async fn data_comes_back_whole_and_in_parts() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    let file = format!("/v2/images/{id}/file");
    member.get(&file).await.expect(204);
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    upload(&member, &id, &data).await.expect(204);
    let whole = member.get(&file).await.expect(200);
    assert!(whole.bytes == data);
    let view = show(&member, &id).await;
    assert_eq!(whole.header("content-md5"), view["checksum"].as_str());
    assert_eq!(whole.header("content-length"), Some("3000000"));
    assert_eq!(whole.header("content-type"), Some("application/octet-stream"));
    assert_eq!((&view["size"], &view["virtual_size"]), (&json!(3_000_000), &json!(3_000_000)));
    assert_eq!(view["os_hash_algo"], "sha512");
    let part = member.with_header("range", "bytes=2-1500000").get(&file).await.expect(206);
    assert!(part.bytes == data[2..=1_500_000]);
    assert_eq!(part.header("content-range"), Some("bytes 2-1500000/3000000"));
    let tail = member.with_header("range", "bytes=-5").get(&file).await.expect(206);
    assert_eq!(tail.bytes, data[data.len() - 5..]);
    member.with_header("range", "bytes=3000000-").get(&file).await.expect(416);
    member.with_header("range", "bytes=0-1,4-5").get(&file).await.expect(416);
}

#[tokio::test]
async fn known_digests() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    upload(&member, &id, b"abc").await.expect(204);
    let view = show(&member, &id).await;
    assert_eq!(view["checksum"], "900150983cd24fb0d6963f7d28e17f72");
    let sha512 = view["os_hash_value"].as_str().unwrap();
    assert!(sha512.starts_with("ddaf35a193617abacc417349ae204131"), "{sha512}");
}

#[tokio::test]
async fn data_comes_once_and_only_when_the_formats_are_known() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = active(&member, json!({})).await;
    upload(&member, &id, b"again").await.expect(409);
    let bare = member.post("/v2/images", &json!({"disk_format": "raw"})).await.expect(201);
    let bare = crate::id(&bare.json);
    let refused = upload(&member, &bare, b"x").await.expect(400);
    assert!(String::from_utf8(refused.bytes).unwrap().contains("container_format"));
    assert_eq!(show(&member, &bare).await["status"], "queued");
    let path = format!("/v2/images/{bare}/file");
    let json = member.with_header("content-type", "application/json");
    json.send(Method::PUT, &path, Body::from("x")).await.expect(415);
}

#[tokio::test]
async fn data_that_is_not_what_it_claims_is_refused() {
    let cloud = cloud().await;
    let member = cloud.member();
    let cases = [
        ("qcow2", qcow2(0), 204),
        ("qcow2", b"no header".to_vec(), 415),
        ("qcow2", qcow2(512), 415),
        ("raw", qcow2(0), 415),
        ("aki", qcow2(0), 415),
        ("aki", b"a kernel".to_vec(), 204),
        ("vmdk", b"# Disk DescriptorFile\nversion=1\nRW 1 FLAT \"/etc/passwd\" 0\n".to_vec(), 415),
    ];
    for (format, data, status) in cases {
        let body = json!({"disk_format": format, "container_format": "bare"});
        let id = id(&member.post("/v2/images", &body).await.expect(201).json);
        let answer = upload(&member, &id, &data).await;
        assert_eq!(answer.status, status, "{format}");
        let view = show(&member, &id).await;
        if status == 204 {
            assert_eq!(view["status"], "active");
        } else {
            assert_eq!((&view["status"], &view["size"]), (&json!("queued"), &json!(null)));
        }
    }
    assert_eq!(cloud.files("images").len(), 2);
}

#[tokio::test]
async fn the_disk_in_a_qcow2_is_larger_than_the_file() {
    let cloud = cloud().await;
    let member = cloud.member();
    let body = json!({"disk_format": "qcow2", "container_format": "bare"});
    let id = id(&member.post("/v2/images", &body).await.expect(201).json);
    upload(&member, &id, &qcow2(0)).await.expect(204);
    let view = show(&member, &id).await;
    assert_eq!((&view["size"], &view["virtual_size"]), (&json!(4096), &json!(1 << 30)));
}

#[tokio::test]
async fn what_other_containers_hold_is_not_judged_but_must_be_safe() {
    let cloud = cloud().await;
    let member = cloud.member();
    for (data, status) in [(&b"a tar archive"[..], 204), (&qcow2(512), 415)] {
        let body = json!({"disk_format": "vmdk", "container_format": "ova"});
        let id = id(&member.post("/v2/images", &body).await.expect(201).json);
        assert_eq!(upload(&member, &id, data).await.status, status);
    }
}

#[tokio::test]
async fn too_large_cut_short_and_miscounted_data_leaves_the_image_queued() {
    let cloud = cloud_with(|config, _| config.size_cap = 100).await;
    let member = cloud.member();
    let id = queued(&member).await;
    upload(&member, &id, &[0; 101]).await.expect(413);
    let path = format!("/v2/images/{id}/file");
    let bytes = member.with_header("content-type", "application/octet-stream");
    bytes
        .with_header("x-openstack-image-size", "1000")
        .send(Method::PUT, &path, Body::from("x"))
        .await
        .expect(413);
    bytes
        .with_header("x-openstack-image-size", "9")
        .send(Method::PUT, &path, Body::from("x"))
        .await
        .expect(400);
    bytes
        .with_header("x-openstack-image-size", "many")
        .send(Method::PUT, &path, Body::from("x"))
        .await
        .expect(400);
    let cut = stream::iter([Ok(Bytes::from_static(b"x")), Err(std::io::Error::other("gone"))]);
    bytes.send(Method::PUT, &path, Body::from_stream(cut)).await.expect(400);
    assert_eq!(show(&member, &id).await["status"], "queued");
    assert!(cloud.files("images").is_empty());
    upload(&member, &id, &[0; 100]).await.expect(204);
}

#[tokio::test]
async fn an_image_deleted_while_its_data_comes_is_gone() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    let path = format!("/v2/images/{id}");
    let (deleter, own) = (member.clone(), path.clone());
    // The second piece of the data deletes the image.
    let pieces = stream::unfold(0, move |n| {
        let (deleter, own) = (deleter.clone(), own.clone());
        async move {
            if n == 1 {
                assert_eq!(deleter.get(&own).await.json["status"], "saving");
                deleter.delete(&own).await.expect(204);
            }
            (n < 3).then(|| (Ok::<_, Infallible>(Bytes::from_static(b"piece")), n + 1))
        }
    });
    let bytes = member.with_header("content-type", "application/octet-stream");
    let body = Body::from_stream(pieces);
    bytes.send(Method::PUT, &format!("{path}/file"), body).await.expect(410);
    member.get(&path).await.expect(404);
    assert!(cloud.files("images").is_empty());
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_trace() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = queued(&member).await;
    let path = format!("/v2/images/{id}/file");
    let (sender, receiver) = futures::channel::mpsc::unbounded::<std::io::Result<Bytes>>();
    sender.unbounded_send(Ok(Bytes::from_static(b"x"))).unwrap();
    let bytes = member.with_header("content-type", "application/octet-stream");
    let request = bytes.send(Method::PUT, &path, Body::from_stream(receiver));
    let waited = tokio::time::timeout(std::time::Duration::from_millis(50), request).await;
    assert!(waited.is_err(), "the request was dropped in the middle");
    sender.unbounded_send(Err(std::io::Error::other("reset"))).unwrap();
    drop(sender);
    stackup_testing::wait_for("the image in its queue", 5, || async {
        (show(&member, &id).await["status"] == "queued").then_some(())
    })
    .await;
    assert!(cloud.files("images").is_empty());
}

#[tokio::test]
async fn quotas_on_data() {
    let cloud = cloud_with(|config, _| config.limits.image_size_total = 1).await;
    let member = cloud.member();
    let id = queued(&member).await;
    upload(&member, &id, &vec![0; 2 << 20]).await.expect(413);
    upload(&member, &id, &vec![0; 1 << 20]).await.expect(204);
    let next = queued(&member).await;
    upload(&member, &next, &vec![0; 1 << 20]).await.expect(413);
}

#[tokio::test]
async fn the_places_of_data_are_for_other_services() {
    let cloud = cloud().await;
    let member = cloud.member();
    let id = active(&member, json!({})).await;
    let path = format!("/v2/images/{id}/locations");
    member.get(&path).await.expect(403);
    let places = cloud.admin().get(&path).await.expect(200).json;
    assert!(places[0]["url"].as_str().unwrap().ends_with(&id));
    member.post(&path, &json!({"url": "http://h/x"})).await.expect(409);
    let empty = queued(&member).await;
    let path = format!("/v2/images/{empty}/locations");
    member.post(&path, &json!({})).await.expect(400);
    member.post(&path, &json!({"url": "file:///etc/passwd"})).await.expect(403);
    member.delete(&format!("/v2/stores/file/{id}")).await.expect(403);
    cloud.admin().delete(&format!("/v2/stores/file/{id}")).await.expect(403);
    cloud.admin().delete(&format!("/v2/stores/other/{id}")).await.expect(409);
}
