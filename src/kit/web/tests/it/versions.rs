//! Microversions, asked for and told.

use crate::{anyone, member};

const HEADER: &str = "openstack-api-version";
const LEGACY: &str = "x-openstack-nova-api-version";

#[tokio::test]
async fn the_answer_tells_its_version_in_both_headers() {
    let answer = member().get("/things").await.expect(200);
    assert_eq!(answer.header(HEADER), Some("compute 2.1"));
    assert_eq!(answer.header(LEGACY), Some("2.1"));
    let vary: Vec<&str> =
        answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(vary, ["OpenStack-API-Version", LEGACY]);
}

#[tokio::test]
async fn the_handler_sees_what_was_asked_for() {
    let cases = [
        (HEADER, "compute 2.5", "2.5"),
        (LEGACY, "2.4", "2.4"),
        (HEADER, "compute latest", "2.9"),
        (HEADER, "volume 3.59, compute 2.2", "2.2"),
        (HEADER, "volume 3.59", "2.1"),
    ];
    for (name, value, expected) in cases {
        let answer = member().with_header(name, value).get("/things").await;
        assert_eq!(answer.expect(200).json["version"], expected, "{value}");
    }
}

#[tokio::test]
async fn a_version_out_of_range_is_406_even_without_a_token() {
    let answer = anyone().with_header(HEADER, "compute 2.10").get("/things").await.expect(406);
    let message = answer.json["notAcceptable"]["message"].as_str().unwrap();
    assert!(message.contains("Minimum is 2.1 and maximum is 2.9"));
}

#[tokio::test]
async fn text_that_is_no_version_is_400() {
    for wrong in ["compute two", "compute 2", "compute 2.01", "compute"] {
        let client = member().with_header(HEADER, wrong);
        client.get("/things").await.expect(400);
    }
}

#[tokio::test]
async fn faults_tell_the_version_too() {
    let answer = anyone().get("/things").await.expect(401);
    assert_eq!(answer.header(HEADER), Some("compute 2.1"));
}
