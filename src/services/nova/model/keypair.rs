//! A key pair: the public half of it, and the whole once, when nova makes it.

use md5::{Digest, Md5};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};
use stackup_core::{Time, UserId};
use stackup_store::{FromRow, Row, StoreError};
use thiserror::Error;

stackup_core::wire_enum! {
    pub enum KeyKind { Ssh = "ssh", X509 = "x509" }
}

/// A key pair of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keypair {
    pub row: i64,
    pub user_id: UserId,
    pub name: String,
    pub kind: KeyKind,
    pub public_key: String,
    pub fingerprint: String,
    pub created_at: Time,
}

/// A key that was made here: the private half is shown once and kept nowhere.
pub struct Generated {
    pub public: String,
    pub private: String,
    pub fingerprint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    #[error("Keypair data is invalid: failed to generate fingerprint")]
    Invalid,
    #[error("the key could not be made")]
    NotMade,
}

/// Makes a key for ssh.
pub fn generate() -> Result<Generated, KeyError> {
    // nova makes ecdsa keys of 521 bits; ed25519 is what every guest of today takes.
    let mut key =
        PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(|_| KeyError::NotMade)?;
    key.set_comment("Generated-by-Nova");
    let public = key.public_key().to_openssh().map_err(|_| KeyError::NotMade)?;
    let private = key.to_openssh(LineEnding::LF).map_err(|_| KeyError::NotMade)?;
    Ok(Generated {
        fingerprint: fingerprint(KeyKind::Ssh, &public)?,
        public,
        private: private.to_string(),
    })
}

/// The fingerprint of a public key: MD5 of the key's bytes for ssh, SHA-1-like for x509.
///
/// Fails when the text is no key of that kind.
pub fn fingerprint(kind: KeyKind, public: &str) -> Result<String, KeyError> {
    let bytes = match kind {
        KeyKind::Ssh => ssh_bytes(public)?,
        KeyKind::X509 => x509_bytes(public)?,
    };
    let digest = Md5::digest(bytes);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(pairs.join(":"))
}

fn ssh_bytes(public: &str) -> Result<Vec<u8>, KeyError> {
    let key = PublicKey::from_openssh(public.trim()).map_err(|_| KeyError::Invalid)?;
    key.to_bytes().map_err(|_| KeyError::Invalid)
}

fn x509_bytes(public: &str) -> Result<Vec<u8>, KeyError> {
    use base64::Engine;
    let body = public
        .trim()
        .strip_prefix("-----BEGIN CERTIFICATE-----")
        .and_then(|text| text.strip_suffix("-----END CERTIFICATE-----"))
        .ok_or(KeyError::Invalid)?;
    let text: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = base64::engine::general_purpose::STANDARD.decode(text);
    // A certificate is one DER sequence.
    bytes.ok().filter(|der| der.first() == Some(&0x30)).ok_or(KeyError::Invalid)
}

impl FromRow for Keypair {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            row: row.get(0)?,
            user_id: row.get(1)?,
            name: row.get(2)?,
            kind: row.get(3)?,
            public_key: row.get(4)?,
            fingerprint: row.get(5)?,
            created_at: row.get(6)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_is_one_that_can_be_imported() {
        let key = generate().unwrap();
        assert!(key.private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
        assert!(
            key.public.starts_with("ssh-ed25519 ") && key.public.ends_with("Generated-by-Nova")
        );
        assert_eq!(fingerprint(KeyKind::Ssh, &key.public).unwrap(), key.fingerprint);
        assert_eq!(key.fingerprint.len(), 47);
    }

    #[test]
    fn a_known_fingerprint() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDx8nkQv/zgGgB4rMYmIf+6A4l6Rr+o/6lHBQdW5aYd44bd8JttDCE/F/pNRr0lRE+PiqSPO8nDPHw0010JeMH9gYgnnFlyY3/OcJ02RhIPyyxYpv9FhY+2YiUkpwFOcLImyrxEsYXpD/0d3ac30bNH6Sw9JD9UZHYcpSxsIbECHw== Generated-by-Nova";
        assert_eq!(
            fingerprint(KeyKind::Ssh, rsa).unwrap(),
            "1e:2c:9b:56:79:4b:45:77:f9:ca:7a:98:2c:b0:d5:3c"
        );
    }

    #[test]
    fn what_is_no_key_has_no_fingerprint() {
        for text in ["", "ssh-rsa", "ssh-rsa JUNK nova@ubuntu", "ssh-ed25519 AAAA x"] {
            assert_eq!(fingerprint(KeyKind::Ssh, text), Err(KeyError::Invalid), "{text}");
        }
        assert_eq!(fingerprint(KeyKind::X509, "ssh-rsa A"), Err(KeyError::Invalid));
    }
}
