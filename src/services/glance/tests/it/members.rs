//! Sharing.

use serde_json::json;
use stackup_testing::golden;

use crate::*;

#[tokio::test]
async fn an_image_is_shared_seen_and_accepted() {
    let cloud = cloud().await;
    let (owner, friend) = (cloud.member(), cloud.as_("member@q"));
    let id = active(&owner, json!({"name": "shared"})).await;
    let members = format!("/v2/images/{id}/members");
    let own = format!("{members}/q");
    friend.get(&format!("/v2/images/{id}")).await.expect(404);
    let made = owner.post(&members, &json!({"member": "q"})).await.expect(200);
    golden("tests/it/golden/member.json", &made.json);
    owner.post(&members, &json!({"member": "q"})).await.expect(409);
    // By its id it can be seen at once; in lists only once it is accepted.
    friend.get(&format!("/v2/images/{id}")).await.expect(200);
    let count = |query: &'static str| {
        let friend = friend.clone();
        async move {
            let list = friend.get(&format!("/v2/images{query}")).await.expect(200).json;
            list["images"].as_array().unwrap().len()
        }
    };
    assert_eq!(count("").await, 0);
    assert_eq!(count("?member_status=pending&visibility=shared").await, 1);
    assert_eq!(count("?member_status=all").await, 1);
    // The owner cannot accept for the member.
    owner.put(&own, &json!({"status": "accepted"})).await.expect(403);
    friend.put(&own, &json!({"status": "maybe"})).await.expect(400);
    friend.put(&own, &json!({})).await.expect(400);
    let accepted = friend.put(&own, &json!({"status": "accepted"})).await.expect(200).json;
    assert_eq!(accepted["status"], "accepted");
    assert_eq!(count("").await, 1);
    friend.get(&format!("/v2/images/{id}/file")).await.expect(200);
    // A member may look, not touch.
    friend.delete(&format!("/v2/images/{id}")).await.expect(403);
    friend.post(&members, &json!({"member": "r"})).await.expect(403);
    friend.delete(&own).await.expect(403);
    owner.post(&members, &json!({"member": "r"})).await.expect(200);
    let all = owner.get(&members).await.expect(200).json;
    assert_eq!(all["members"].as_array().unwrap().len(), 2);
    let seen = friend.get(&members).await.expect(200).json;
    assert_eq!(seen["members"].as_array().unwrap().len(), 1, "a member sees itself");
    friend.get(&format!("{members}/r")).await.expect(404);
    owner.delete(&own).await.expect(204);
    owner.delete(&own).await.expect(404);
    friend.get(&format!("/v2/images/{id}")).await.expect(404);
}

#[tokio::test]
async fn only_shared_images_have_members() {
    let cloud = cloud().await;
    let owner = cloud.member();
    let id = active(&owner, json!({"visibility": "private"})).await;
    let members = format!("/v2/images/{id}/members");
    owner.get(&members).await.expect(403);
    owner.post(&members, &json!({"member": "q"})).await.expect(403);
    owner.get(&format!("{members}/q")).await.expect(404);
    owner.delete(&format!("{members}/q")).await.expect(403);
}

#[tokio::test]
async fn wrong_members_are_refused() {
    let cloud = cloud_with(|config, _| config.limits.members = 1).await;
    let owner = cloud.member();
    let id = queued(&owner).await;
    let members = format!("/v2/images/{id}/members");
    for body in [json!({}), json!({"member": ""}), json!({"member": 5}), json!([])] {
        owner.post(&members, &body).await.expect(400);
    }
    owner.post(&members, &json!({"member": "q"})).await.expect(200);
    owner.post(&members, &json!({"member": "r"})).await.expect(413);
    cloud.as_("reader@p").post(&members, &json!({"member": "s"})).await.expect(403);
    let absent = "/v2/images/11111111-2222-4333-8444-555555555555/members";
    owner.post(absent, &json!({"member": "q"})).await.expect(404);
    cloud.nobody.get(&members).await.expect(401);
}
