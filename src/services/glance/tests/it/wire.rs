//! Over a real socket, where clients break off as they please.

use std::net::SocketAddr;

use serde_json::json;
use stackup_testing::wait_for;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::*;

async fn served(cloud: &Cloud) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Arc::clone(&cloud.glance).router();
    cloud.supervisor.spawn("served", async move {
        axum::serve(listener, router).await.unwrap();
    });
    address
}

fn head(verb: &str, path: &str, more: &str) -> String {
    format!("{verb} {path} HTTP/1.1\r\nhost: h\r\nx-auth-token: member@p\r\n{more}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_in_the_middle_leaves_the_image_queued() {
    let cloud = cloud().await;
    let address = served(&cloud).await;
    let member = cloud.member();
    for framing in ["content-length: 1000000\r\n", "transfer-encoding: chunked\r\n"] {
        let id = queued(&member).await;
        let path = format!("/v2/images/{id}/file");
        let more = format!("content-type: application/octet-stream\r\n{framing}");
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(head("PUT", &path, &more).as_bytes()).await.unwrap();
        socket.write_all(b"5\r\nhello\r\n").await.unwrap();
        wait_for("the upload to begin", 5, || async {
            (show(&member, &id).await["status"] == "saving").then_some(())
        })
        .await;
        drop(socket);
        wait_for("the image in its queue", 5, || async {
            (show(&member, &id).await["status"] == "queued").then_some(())
        })
        .await;
        assert!(cloud.files("images").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upload_is_answered_before_all_of_it_is_sent() {
    let cloud = cloud_with(|config, _| config.size_cap = 10).await;
    let address = served(&cloud).await;
    let id = queued(&cloud.member()).await;
    let path = format!("/v2/images/{id}/file");
    let more = "content-type: application/octet-stream\r\ncontent-length: 1000000\r\n";
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(head("PUT", &path, more).as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_is_broken_off_hurts_nobody() {
    let cloud = cloud().await;
    let address = served(&cloud).await;
    let member = cloud.member();
    let id = active(&member, json!({})).await;
    let path = format!("/v2/images/{id}/file");
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(head("GET", &path, "").as_bytes()).await.unwrap();
    let mut some = [0; 15];
    socket.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"HTTP/1.1 200 OK");
    drop(socket);
    // HEAD tells the length without the data.
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = head("HEAD", &path, "connection: close\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("content-length: 9\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}
