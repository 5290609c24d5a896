//! Credentials and EC2 keys.

use serde_json::{Value, json};

use super::{Cloud, golden, ids};

#[tokio::test]
async fn a_credential_is_encrypted_at_rest() {
    let cloud = Cloud::new().await;
    let user = cloud.id_of("users", "demo").await;
    let secret = "a very secret blob";
    let body = json!({"credential": {"user_id": user, "type": "cert", "blob": secret}});
    let made = cloud.admin.post("/v3/credentials", &body).await.expect(201);
    golden("credential", &made.json);
    let path = format!("/v3/credentials/{}", made.json["credential"]["id"].as_str().unwrap());
    let demo = cloud.user_on("demo", "demo").await;
    assert_eq!(demo.get(&path).await.expect(200).json["credential"]["blob"], secret);
    let other = cloud.user_on("alt_demo_member", "alt_demo").await;
    other.get(&path).await.expect(403);
    assert_eq!(ids(&other.get("/v3/credentials").await.expect(200), "credentials").len(), 0);
    assert_eq!(ids(&demo.get("/v3/credentials").await.expect(200), "credentials").len(), 1);
    for entry in std::fs::read_dir(cloud.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds the secret", path.display());
        }
    }
    demo.patch(&path, &json!({"credential": {"blob": "new"}})).await.expect(200);
    let alt = cloud.id_of("users", "alt_demo").await;
    demo.patch(&path, &json!({"credential": {"user_id": alt}})).await.expect(403);
    demo.delete(&path).await.expect(204);
    cloud.admin.get(&path).await.expect(404);
}

#[tokio::test]
async fn ec2_keys_sign_for_tokens() {
    let cloud = Cloud::new().await;
    let (user, project) =
        (cloud.id_of("users", "demo").await, cloud.id_of("projects", "demo").await);
    let demo = cloud.user_on("demo", "demo").await;
    let path = format!("/v3/users/{user}/credentials/OS-EC2");
    let made = demo.post(&path, &json!({"tenant_id": project})).await.expect(201).json;
    let key = &made["credential"];
    let (access, secret) = (key["access"].as_str().unwrap(), key["secret"].as_str().unwrap());
    assert_eq!(key["tenant_id"], json!(project));
    let one = format!("{path}/{access}");
    assert_eq!(demo.get(&one).await.expect(200).json, made);
    let listed = demo.get(&path).await.expect(200).json;
    assert_eq!(listed["credentials"], json!([key]));
    demo.post(&path, &json!({})).await.expect(400);
    cloud.admin.post(&path, &json!({"tenant_id": "gone"})).await.expect(404);
    let other = cloud.user_on("alt_demo_member", "alt_demo").await;
    other.get(&one).await.expect(403);

    let signed = sign(access, secret);
    let token = cloud.admin.post("/v3/s3tokens", &signed).await.expect(200).json;
    assert_eq!(token["token"]["project"]["id"], json!(project));
    assert_eq!(token["token"]["methods"], json!(["ec2credential"]));
    cloud.admin.post("/v3/s3tokens", &sign(access, "wrong")).await.expect(401);
    cloud.admin.post("/v3/s3tokens", &sign("unknown", secret)).await.expect(404);
    cloud.admin.post("/v3/s3tokens", &json!({"credentials": {}})).await.expect(401);
    demo.post("/v3/s3tokens", &signed).await.expect(403);
    demo.delete(&one).await.expect(204);
    demo.get(&one).await.expect(404);
}

/// What swift sends for a request that was signed with the old scheme.
fn sign(access: &str, secret: &str) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use hmac::{Hmac, KeyInit, Mac};
    let text = "GET\n\n\nThu, 17 Nov 2025 18:49:58 GMT\n/bucket/";
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let token = URL_SAFE.encode(text);
    json!({"credentials": {"access": access, "token": token, "signature": signature}})
}
