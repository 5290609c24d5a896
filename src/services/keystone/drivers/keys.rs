//! Fernet keys in a directory, laid out as keystone's: `0` is staged, the highest number is the
//! primary, those between are secondaries.
//!
//! A rotation makes the staged key the primary, stages a new one, and drops the oldest secondaries.
//! What an older key signed can be read until its key is dropped.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fernet::Fernet;
use stackup_core::Time;
use stackup_system::files;

const STAGED: u64 = 0;

/// The keys of one purpose.
pub(crate) struct KeyRing {
    dir: PathBuf,
    /// Primary first.
    keys: RwLock<Arc<Vec<Fernet>>>,
}

impl KeyRing {
    /// Reads the keys of `dir`, and makes the first ones when it has none.
    ///
    /// Fails when the directory cannot be used or a key in it is damaged.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        if !dir.is_dir() {
            files::make_dir(dir, 0o700)?;
        }
        let ring = Self { dir: dir.to_owned(), keys: RwLock::default() };
        if ring.numbers()?.iter().all(|number| *number == STAGED) {
            ring.write(STAGED)?;
            ring.write(1)?;
        }
        ring.reload()?;
        Ok(ring)
    }

    /// Signs and encrypts with the primary key.
    pub(crate) fn seal(&self, bytes: &[u8]) -> Option<String> {
        let keys = self.current();
        let sealed = keys.first()?.encrypt(bytes);
        Some(sealed.trim_end_matches('=').to_owned())
    }

    /// What was sealed, if one of the keys did it.
    pub(crate) fn unseal(&self, text: &str) -> Option<Vec<u8>> {
        let keys = self.current();
        keys.iter().find_map(|key| key.decrypt(text).ok())
    }

    /// Makes the staged key the primary, and keeps at most `keep` keys, the staged one included.
    pub(crate) fn rotate(&self, keep: usize) -> io::Result<()> {
        let numbers = self.numbers()?;
        let primary = numbers.last().copied().unwrap_or(STAGED) + 1;
        std::fs::rename(self.path(STAGED), self.path(primary))?;
        self.write(STAGED)?;
        let mut old: Vec<u64> = numbers.into_iter().filter(|n| *n != STAGED).collect();
        while old.len() + 2 > keep.max(2) {
            files::remove_if_there(&self.path(old.remove(0)))?;
        }
        self.reload()
    }

    /// How long the primary key has been in use: since its successor was staged.
    pub(crate) fn age(&self, now: Time) -> io::Result<Duration> {
        let staged = std::fs::metadata(self.path(STAGED))?.modified()?;
        let since = staged.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Ok(now.since(Time::from_unix(seconds)))
    }

    fn current(&self) -> Arc<Vec<Fernet>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(number.to_string())
    }

    fn write(&self, number: u64) -> io::Result<()> {
        files::write_atomic(&self.path(number), Fernet::generate_key().as_bytes(), 0o600)
    }

    /// The numbers of the keys that are there, ascending.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            if let Some(number) = name.to_str().and_then(|name| name.parse().ok()) {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn reload(&self) -> io::Result<()> {
        let mut keys = BTreeMap::new();
        for number in self.numbers()? {
            let path = self.path(number);
            let text = std::fs::read_to_string(&path)?;
            let damaged = || io::Error::other(format!("{} holds no key", path.display()));
            keys.insert(number, Fernet::new(text.trim()).ok_or_else(damaged)?);
        }
        // The staged key, 0, comes last: nothing is sealed with it yet.
        let keys: Vec<Fernet> = keys.into_values().rev().collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_rotation_keeps_what_was_sealed_readable_for_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::open(&dir.path().join("keys")).unwrap();
        let sealed = ring.seal(b"hello").unwrap();
        assert!(!sealed.ends_with('='));
        ring.rotate(3).unwrap();
        assert_eq!(ring.unseal(&sealed).as_deref(), Some(&b"hello"[..]));
        let again = KeyRing::open(&dir.path().join("keys")).unwrap();
        assert_eq!(again.unseal(&sealed).as_deref(), Some(&b"hello"[..]));
        ring.rotate(3).unwrap();
        assert_eq!(ring.unseal(&sealed), None);
        assert_eq!(ring.unseal("gAAAAA"), None);
    }

    #[test]
    fn keys_are_for_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        drop(KeyRing::open(&path).unwrap());
        for (file, mode) in [("", 0o700), ("0", 0o600), ("1", 0o600)] {
            let found = std::fs::metadata(path.join(file)).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode, "{file}");
        }
    }

    #[test]
    fn a_damaged_key_is_found_at_start() {
        let dir = tempfile::tempdir().unwrap();
        drop(KeyRing::open(dir.path()).unwrap());
        files::write_atomic(&dir.path().join("1"), b"no key", 0o600).unwrap();
        assert!(KeyRing::open(dir.path()).is_err());
    }
}
