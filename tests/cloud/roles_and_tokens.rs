//! What a token may, and when it ends.

use serde_json::{Value, json};
use stackup_tests::{Cloud, Session, fresh};

/// An administrator, a user of theirs, and the project they meet in.
struct Office {
    admin: Session,
    user: String,
    user_id: String,
    project: String,
    project_id: String,
}

impl Office {
    async fn new(cloud: &Cloud) -> Self {
        let admin = cloud.admin().await;
        let (user, project) = (fresh("user"), fresh("project"));
        let user_id = admin.make_user(&user, "opensesame").await;
        let project_id = admin.make_project(&project).await;
        admin.grant(&user_id, &project_id, "member").await;
        Self { admin, user, user_id, project, project_id }
    }

    async fn login(&self, cloud: &Cloud) -> Session {
        let session = cloud.login(&self.user, "opensesame", &self.project).await;
        session.get("compute", "/servers").await.expect(200);
        session
    }
}

#[tokio::test]
async fn a_token_ends_within_a_second_of_what_it_stood_on() {
    let cloud = Cloud::shared().await;
    let off = |kind: &str| json!({kind: {"enabled": false}});
    for case in ["role", "user", "project", "password", "token"] {
        let office = Office::new(cloud).await;
        let session = office.login(cloud).await;
        let Office { admin, user_id, project_id, .. } = &office;
        let user = format!("/v3/users/{user_id}");
        match case {
            "role" => admin.revoke(user_id, project_id, "member").await,
            "user" => drop(admin.patch("identity", &user, &off("user")).await.expect(200)),
            "project" => {
                let path = format!("/v3/projects/{project_id}");
                admin.patch("identity", &path, &off("project")).await.expect(200);
            }
            "password" => {
                let body =
                    json!({"user": {"password": "another", "original_password": "opensesame"}});
                session.post("identity", &format!("{user}/password"), &body).await.expect(204);
            }
            _ => {
                let request = session
                    .request(reqwest::Method::DELETE, "identity", "/v3/auth/tokens")
                    .header("x-subject-token", &session.token);
                session.send(request).await.expect(204);
            }
        }
        session.wait_until_refused(1).await;
        // Nothing that is not the user's own comes back.
        let again = cloud.try_login(&office.user, "opensesame", &office.project).await;
        assert_eq!(again.status == 201, case == "token", "{case}: {}", again.json);
    }
}

#[tokio::test]
async fn another_users_token_is_not_touched() {
    let cloud = Cloud::shared().await;
    let (one, two) = (Office::new(cloud).await, Office::new(cloud).await);
    let (gone, stays) = (one.login(cloud).await, two.login(cloud).await);
    one.admin.revoke(&one.user_id, &one.project_id, "member").await;
    gone.wait_until_refused(1).await;
    stays.get("compute", "/servers").await.expect(200);
    two.admin.get("compute", "/servers").await.expect(200);
}

#[tokio::test]
async fn a_role_may_what_it_says() {
    let cloud = Cloud::shared().await;
    let member = cloud.newcomer("member").await;
    let admin = cloud.admin().await;
    for (service, path) in [
        ("identity", "/v3/users"),
        ("identity", "/v3/projects"),
        ("compute", "/os-hypervisors"),
        ("compute", "/os-services"),
        ("placement", "/resource_providers"),
    ] {
        member.get(service, path).await.expect(403);
        admin.get(service, path).await.expect(200);
    }
    let flavor = json!({"flavor": {"name": "x", "ram": 64, "vcpus": 1, "disk": 0}});
    member.post("compute", "/flavors", &flavor).await.expect(403);
}

#[tokio::test]
async fn an_application_credential_speaks_for_its_user() {
    let cloud = Cloud::shared().await;
    let office = Office::new(cloud).await;
    let session = office.login(cloud).await;
    let path = format!("/v3/users/{}/application_credentials", office.user_id);
    let body = json!({"application_credential": {"name": "robot"}});
    let made = session.post("identity", &path, &body).await.expect(201);
    let (id, secret) =
        (made.text("/application_credential/id"), made.text("/application_credential/secret"));
    let login = json!({"auth": {"identity": {
        "methods": ["application_credential"],
        "application_credential": {"id": id, "secret": secret},
    }}});
    let answer = session.post("identity", "/v3/auth/tokens", &login).await.expect(201);
    assert_eq!(answer.text("/token/project/id"), office.project_id);
    session.delete("identity", &format!("{path}/{id}")).await.expect(204);
    session.post("identity", "/v3/auth/tokens", &login).await.expect(401);
}

#[tokio::test]
async fn wrong_names_and_passwords_sound_alike() {
    let cloud = Cloud::shared().await;
    let office = Office::new(cloud).await;
    let said = async |user: &str, password: &str| -> Value {
        cloud.try_login(user, password, &office.project).await.expect(401).json
    };
    assert_eq!(said(&office.user, "wrong").await, said("nobody-at-all", "wrong").await);
}
