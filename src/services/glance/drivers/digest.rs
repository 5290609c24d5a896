//! Data on its way to the disk: written, and hashed by two threads beside.
//!
//! A batch of buffers goes to three blocking threads, which never wait for one another beyond the
//! few batches that a channel holds; so an upload runs at the speed of the slowest of disk, MD5 and
//! SHA-512, and not of their sum.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use md5::Md5;
use sha2::{Digest, Sha512};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

/// Bytes that go to the threads at once.
const BATCH: usize = 1 << 20;
/// Batches that may wait for a thread.
const WAITING: usize = 8;

/// What is known of data that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) size: u64,
    /// In hex.
    pub(crate) md5: String,
    /// In hex.
    pub(crate) sha512: String,
}

/// Why data did not arrive.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    /// More than the limit.
    #[error("the data is larger than {0} bytes")]
    TooLarge(u64),
    /// The sender went away, or broke the protocol.
    #[error("the data ended early: {0}")]
    Broken(String),
    #[error("the data could not be written")]
    Write(#[source] io::Error),
}

type Batch = Arc<[Bytes]>;

/// Writes a stream to a new file at `path`, synced, and hashes it. After a failure the file may be
/// there in part.
pub(crate) async fn receive<S, E>(
    path: PathBuf,
    source: S,
    limit: u64,
) -> Result<Digests, ReceiveError>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: std::fmt::Display,
{
    let (file_tx, file) = worker(move |batches| write(&path, batches));
    let (md5_tx, md5) = worker(|batches| Ok(hash::<Md5>(batches)));
    let (sha_tx, sha) = worker(|batches| Ok(hash::<Sha512>(batches)));
    let fed = feed(source, limit, &[file_tx, md5_tx, sha_tx]).await;
    // A thread that ended early closed its channel; its own error says why.
    finished(file).await?;
    Ok(Digests { md5: finished(md5).await?, sha512: finished(sha).await?, size: fed? })
}

/// Hashes a file that is there.
pub(crate) async fn of_file(path: &Path) -> io::Result<Digests> {
    fn whole<D: Digest>(path: &Path) -> io::Result<(u64, String)> {
        let mut file = File::open(path)?;
        let mut digest = D::new();
        let mut buffer = vec![0; BATCH];
        let mut size = 0;
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok((size, hex::encode(digest.finalize()))),
                count => {
                    digest.update(&buffer[..count]);
                    size += count as u64;
                }
            }
        }
    }
    let (first, second) = (path.to_owned(), path.to_owned());
    let md5 = spawn_blocking(move || whole::<Md5>(&first));
    let sha = spawn_blocking(move || whole::<Sha512>(&second));
    let (size, md5) = md5.await.map_err(io::Error::other)??;
    let (_, sha512) = sha.await.map_err(io::Error::other)??;
    Ok(Digests { size, md5, sha512 })
}

async fn feed<S, E>(
    source: S,
    limit: u64,
    channels: &[mpsc::Sender<Batch>],
) -> Result<u64, ReceiveError>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: std::fmt::Display,
{
    let mut source = std::pin::pin!(source);
    let mut size = 0;
    let mut waiting = Vec::new();
    let mut weight = 0;
    while let Some(next) = source.next().await {
        let bytes = next.map_err(|error| ReceiveError::Broken(error.to_string()))?;
        size += bytes.len() as u64;
        if size > limit {
            return Err(ReceiveError::TooLarge(limit));
        }
        weight += bytes.len();
        waiting.push(bytes);
        if weight >= BATCH {
            weight = 0;
            if !send(channels, std::mem::take(&mut waiting)).await {
                return Ok(size);
            }
        }
    }
    send(channels, waiting).await;
    Ok(size)
}

/// False when a thread takes no more.
async fn send(channels: &[mpsc::Sender<Batch>], buffers: Vec<Bytes>) -> bool {
    let batch: Batch = buffers.into();
    for channel in channels {
        if channel.send(Arc::clone(&batch)).await.is_err() {
            return false;
        }
    }
    true
}

/// A thread that works on every batch that is sent to it.
fn worker<T: Send + 'static>(
    work: impl FnOnce(mpsc::Receiver<Batch>) -> io::Result<T> + Send + 'static,
) -> (mpsc::Sender<Batch>, JoinHandle<io::Result<T>>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (sender, spawn_blocking(move || work(receiver)))
}

async fn finished<T>(thread: JoinHandle<io::Result<T>>) -> Result<T, ReceiveError> {
    let joined = thread.await.map_err(io::Error::other);
    joined.and_then(|result| result).map_err(ReceiveError::Write)
}

fn write(path: &Path, mut batches: mpsc::Receiver<Batch>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path)?;
    while let Some(batch) = batches.blocking_recv() {
        for buffer in batch.iter() {
            file.write_all(buffer)?;
        }
    }
    file.sync_all()
}

fn hash<D: Digest>(mut batches: mpsc::Receiver<Batch>) -> String {
    let mut digest = D::new();
    while let Some(batch) = batches.blocking_recv() {
        for buffer in batch.iter() {
            digest.update(buffer);
        }
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream;

    use super::*;

    fn chunks(count: usize) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::iter((0..count).map(|_| Ok(Bytes::from_static(&[b'a'; 1000]))))
    }

    #[tokio::test]
    async fn a_stream_and_its_file_have_the_same_digests() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let digests = receive(path.clone(), chunks(3000), 1 << 30).await.unwrap();
        assert_eq!(digests.size, 3_000_000);
        assert_eq!(of_file(&path).await.unwrap(), digests);
        // md5sum of a million times "aaa"
        let one = dir.path().join("one");
        let empty = receive(one, chunks(0), 0).await.unwrap();
        assert_eq!(empty.md5, "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[tokio::test]
    async fn too_much_and_too_little_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let over = receive(dir.path().join("a"), chunks(2), 1999).await;
        assert!(matches!(over, Err(ReceiveError::TooLarge(1999))));
        let cut = stream::iter([Ok(Bytes::from_static(b"x")), Err("gone")]);
        let broken = receive(dir.path().join("b"), cut, 10).await;
        assert!(matches!(broken, Err(ReceiveError::Broken(_))));
        let nowhere = receive(dir.path().join("no/where"), chunks(2), 9999).await;
        assert!(matches!(nowhere, Err(ReceiveError::Write(_))));
    }
}
