//! Passwords: slow at rest, quick when the same one comes again.
//!
//! bcrypt costs a quarter of a second by design. A login that was verified is remembered as a keyed
//! digest, under the id of the stored password: it is forgotten when the password changes (another
//! id), and with the process (another key).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::error::Error;

/// Logins remembered.
const REMEMBERED: u64 = 10_000;
/// Bytes that bcrypt looks at.
const BCRYPT_BYTES: usize = 72;

pub(crate) struct Passwords {
    rounds: u32,
    max_length: usize,
    /// bcrypt may fill the machine's cores, not its threads.
    slots: Arc<Semaphore>,
    proven: Cache<String, [u8; 32]>,
    key: [u8; 32],
}

impl Passwords {
    pub(crate) fn new(rounds: u32, max_length: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            rounds: rounds.clamp(4, 31),
            max_length,
            slots: Arc::new(Semaphore::new(cores)),
            proven: Cache::new(REMEMBERED),
            key: rand::random(),
        }
    }

    /// Fails when the password is longer than the setting allows.
    pub(crate) fn check_length(&self, password: &str) -> Result<(), Error> {
        if password.len() <= self.max_length {
            return Ok(());
        }
        let size = self.max_length;
        Err(Error::Forbidden(format!(
            "The password length must be less than or equal to {size}. The server could not comply \
             with the request because the password is invalid."
        )))
    }

    /// The password as it is kept.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, Error> {
        let (input, rounds) = (material(password), self.rounds);
        self.work(move || bcrypt::hash(input, rounds)).await
    }

    /// Whether `password` is the one kept as `hash` under `id`.
    pub(crate) async fn verify(&self, id: &str, hash: &str, password: &str) -> Result<bool, Error> {
        if password.len() > self.max_length {
            return Ok(false);
        }
        let digest = self.digest(id, password);
        if self.proven.get(id).is_some_and(|proven| same(&proven, &digest)) {
            return Ok(true);
        }
        let (input, kept) = (material(password), hash.to_owned());
        let good = self.work(move || bcrypt::verify(input, &kept)).await?;
        if good {
            self.proven.insert(id.to_owned(), digest);
        }
        Ok(good)
    }

    /// Whether `password` is one of those kept.
    pub(crate) async fn is_among(&self, hashes: &[String], password: &str) -> Result<bool, Error> {
        for hash in hashes {
            let (input, kept) = (material(password), hash.clone());
            if self.work(move || bcrypt::verify(input, &kept)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, bcrypt::BcryptError> + Send + 'static,
    ) -> Result<T, Error> {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let done = tokio::task::spawn_blocking(move || {
            let result = job();
            drop(slot);
            result
        });
        match done.await {
            Ok(result) => result.map_err(|error| Error::internal("bcrypt", error)),
            Err(error) => Err(Error::internal("bcrypt", error)),
        }
    }

    fn digest(&self, id: &str, password: &str) -> [u8; 32] {
        keyed(&self.key, &[id.as_bytes(), &[0], password.as_bytes()])
    }
}

/// HMAC-SHA256 of the parts, one after the other.
pub(crate) fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        // An HMAC takes keys of any length.
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Compares without telling by its time where the difference is.
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// What bcrypt is given: it would silently ignore all but the first bytes of a long password.
fn material(password: &str) -> String {
    if password.len() <= BCRYPT_BYTES {
        return password.to_owned();
    }
    STANDARD.encode(Sha256::digest(password.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn right_and_wrong_and_long_ones() {
        let passwords = Passwords::new(4, 4096);
        let long = "x".repeat(100);
        let hash = passwords.hash(&long).await.unwrap();
        assert!(passwords.verify("1", &hash, &long).await.unwrap());
        // The same first 72 bytes are another password.
        assert!(!passwords.verify("1", &hash, &"x".repeat(101)).await.unwrap());
        assert!(!passwords.verify("1", &hash, &"x".repeat(5000)).await.unwrap());
    }

    #[tokio::test]
    async fn a_remembered_login_does_not_outlive_its_password() {
        let passwords = Passwords::new(4, 4096);
        let old = passwords.hash("old").await.unwrap();
        assert!(passwords.verify("1", &old, "old").await.unwrap());
        let new = passwords.hash("new").await.unwrap();
        assert!(!passwords.verify("2", &new, "old").await.unwrap());
        assert!(passwords.verify("1", "not read again", "old").await.unwrap());
    }
}
