//! The store: a directory with one file an image, and one with what is staged.
//!
//! ```text
//! <data_dir>/images/<id>            the data of an image, never changed
//! <data_dir>/images/.<id>.<n>.part  data that is coming in
//! <data_dir>/staging/<id>           data that waits for its import
//! ```

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, stream};
use stackup_system::files::{make_dir, remove_if_there, sync_parent};
use tokio::task::spawn_blocking;

use crate::model::inspect::{Found, Refusal, Source, inspect};

const PART: &str = ".part";
/// Bytes read at once for a download.
const CHUNK: u64 = 1 << 20;

/// The directories. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    images: PathBuf,
    staging: PathBuf,
}

/// A file that is removed unless it is kept.
#[derive(Debug)]
pub(crate) struct Part {
    path: PathBuf,
    kept: bool,
}

impl Files {
    /// Makes the directories, and removes what an earlier process left half written.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let files = Self { images: root.join("images"), staging: root.join("staging") };
        make_dir(&files.images, 0o750)?;
        make_dir(&files.staging, 0o750)?;
        for directory in [&files.images, &files.staging] {
            for name in names(directory)? {
                if name.ends_with(PART) {
                    remove_if_there(&directory.join(name))?;
                }
            }
        }
        Ok(files)
    }

    /// Where the data of an image is.
    pub(crate) fn image(&self, id: &str) -> PathBuf {
        self.images.join(id)
    }

    /// Where the staged data of an image is.
    pub(crate) fn staged(&self, id: &str) -> PathBuf {
        self.staging.join(id)
    }

    /// A place for data that comes in.
    pub(crate) fn part(&self, id: &str) -> Part {
        part_in(&self.images, id)
    }

    /// A place for data that will be staged.
    pub(crate) fn staging_part(&self, id: &str) -> Part {
        part_in(&self.staging, id)
    }

    /// Removes the data of an image, and what is staged; what is not there is fine.
    pub(crate) fn remove(&self, id: &str) -> io::Result<()> {
        remove_if_there(&self.image(id))?;
        remove_if_there(&self.staged(id))
    }

    /// Takes a file of somebody else's as incoming data: renamed, or copied where the two are on
    /// different file systems, and then removed.
    pub(crate) async fn adopt(&self, id: &str, file: PathBuf) -> io::Result<Part> {
        let part = self.part(id);
        let to = part.path.clone();
        blocking(move || match fs::rename(&file, &to) {
            Ok(()) => File::open(&to)?.sync_all(),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                copy(&file, &to)?;
                fs::remove_file(&file)
            }
            Err(error) => Err(error),
        })
        .await?;
        Ok(part)
    }

    /// Takes a file as incoming data and leaves it where it is: linked, else copied.
    pub(crate) async fn link(&self, id: &str, file: PathBuf) -> io::Result<Part> {
        let part = self.part(id);
        let to = part.path.clone();
        blocking(move || fs::hard_link(&file, &to).or_else(|_| copy(&file, &to))).await?;
        Ok(part)
    }

    /// The names in the store: the ids of images with data, and of those with staged data.
    pub(crate) fn ids(&self) -> io::Result<(Vec<String>, Vec<String>)> {
        let whole = |directory: &Path| -> io::Result<Vec<String>> {
            let mut names = names(directory)?;
            names.retain(|name| !name.ends_with(PART));
            Ok(names)
        };
        Ok((whole(&self.images)?, whole(&self.staging)?))
    }

    /// Removes a file that was written longer ago than `grace`; says whether it did.
    pub(crate) fn remove_older(path: &Path, grace: Duration) -> io::Result<bool> {
        let modified = fs::metadata(path)?.modified()?;
        // A time that lies ahead is no age.
        let age = modified.elapsed().unwrap_or_default();
        if age < grace {
            return Ok(false);
        }
        remove_if_there(path).map(|()| true)
    }
}

impl Part {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file at its place, for good.
    pub(crate) fn keep(mut self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)?;
        self.kept = true;
        sync_parent(place)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = remove_if_there(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "could not remove unfinished data");
        }
    }
}

impl Source for File {
    fn size(&self) -> u64 {
        self.metadata().map_or(0, |data| data.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

/// Looks into a file.
pub(crate) async fn look(path: &Path) -> Result<Found, Refusal> {
    let path = path.to_owned();
    let looked = spawn_blocking(move || inspect(&File::open(path)?)).await;
    looked.map_err(io::Error::other)?
}

/// A part of a file as a stream. The file is opened before, so that its removal does not matter.
pub(crate) fn stream(
    file: File,
    offset: u64,
    count: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let begin = (Arc::new(file), offset, count);
    stream::try_unfold(begin, |(file, offset, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let reader = Arc::clone(&file);
        let bytes = blocking(move || chunk(&reader, offset, left)).await?;
        let count = bytes.len() as u64;
        Ok(Some((bytes, (file, offset + count, left - count))))
    })
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

fn chunk(file: &File, offset: u64, left: u64) -> io::Result<Bytes> {
    let count = usize::try_from(left.min(CHUNK)).unwrap_or(0);
    let mut buffer = vec![0; count];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(Bytes::from(buffer))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

fn part_in(directory: &Path, id: &str) -> Part {
    let unique = stackup_core::ids::hex();
    Part { path: directory.join(format!(".{id}.{unique}{PART}")), kept: false }
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn unfinished_data_goes_and_finished_data_stays() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(dir.path()).unwrap();
        let part = files.part("i");
        File::create(part.path()).unwrap();
        drop(part);
        let part = files.part("i");
        File::create(part.path()).unwrap();
        part.keep(&files.image("i")).unwrap();
        File::create(files.part("left").path()).unwrap();
        let files = Files::open(dir.path()).unwrap();
        assert_eq!(names(&files.images).unwrap(), ["i"]);
        files.remove("i").unwrap();
        files.remove("i").unwrap();
        assert!(files.ids().unwrap().0.is_empty());
    }

    #[tokio::test]
    async fn a_part_of_a_file_is_streamed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        stackup_system::files::write_atomic(&path, b"0123456789", 0o600).unwrap();
        let chunks = stream(File::open(&path).unwrap(), 3, 4);
        let chunks: Vec<Bytes> = chunks.try_collect().await.unwrap();
        assert_eq!(chunks.concat(), b"3456");
    }

    #[tokio::test]
    async fn somebody_elses_file_is_taken_or_linked() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::open(&dir.path().join("store")).unwrap();
        let own = dir.path().join("own");
        stackup_system::files::write_atomic(&own, b"x", 0o600).unwrap();
        files.link("a", own.clone()).await.unwrap().keep(&files.image("a")).unwrap();
        assert!(own.exists());
        files.adopt("b", own.clone()).await.unwrap().keep(&files.image("b")).unwrap();
        assert!(!own.exists());
        assert_eq!(fs::read(files.image("b")).unwrap(), b"x");
    }
}
