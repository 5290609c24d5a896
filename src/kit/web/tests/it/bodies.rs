//! Bodies: what is read, and what is refused.

use axum::body::Body;
use http::Method;
use serde_json::json;
use stackup_web::body::MAX_JSON;

use crate::member;

#[tokio::test]
async fn a_sound_body_is_read() {
    let answer = member().post("/things", &json!({"size": 3})).await;
    assert_eq!(answer.expect(202).json, json!({"size": 3}));
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let cases = [
        ("", "empty"),
        ("{", "Malformed request body"),
        (r#"{"size": "three"}"#, "invalid type"),
        (r#"{"size": 300}"#, "expected u8"),
        (r#"{"size": 1, "colour": 2}"#, "unknown field `colour`"),
        ("{}", "missing field `size`"),
        ("[]", "invalid"),
    ];
    for (body, said) in cases {
        let client = member();
        let answer = client.send(Method::POST, "/things", Body::from(body));
        let answer = answer.await.expect(400);
        let message = answer.json["badRequest"]["message"].as_str().unwrap();
        assert!(message.contains(said), "{body}: {message}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_no_json() {
    let body = Body::from(&b"{\"size\xff\": 1}"[..]);
    member().send(Method::POST, "/things", body).await.expect(400);
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let mut text = r#"{"size": 1"#.to_owned();
    text.extend(std::iter::repeat_n(' ', MAX_JSON - text.len() - 1));
    text.push('}');
    assert_eq!(text.len(), MAX_JSON);
    let send = |text: String| async {
        let client = member();
        client.send(Method::POST, "/things", Body::from(text)).await
    };
    send(text.clone()).await.expect(202);
    let answer = send(text + " ").await.expect(413);
    assert_eq!(answer.json["overLimit"]["code"], 413);
    // Actions are read by the kit itself.
    let (client, long) = (member(), Body::from(" ".repeat(MAX_JSON + 1)));
    let action = client.send(Method::POST, "/things/7/action", long);
    action.await.expect(413);
}
