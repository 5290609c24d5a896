//! Key pairs.

use stackup_core::{Ctx, UserId};
use stackup_store::StoreError;

use super::quotas;
use crate::model::keypair::{KeyKind, Keypair, fingerprint, generate};
use crate::store::keypairs;
use crate::{Error, Nova};

/// A key to keep; without a public half, one is made.
pub(crate) struct NewKeypair {
    pub user_id: UserId,
    pub name: String,
    pub kind: KeyKind,
    pub public_key: Option<String>,
}

/// Keeps a key; the second is the private half of one that was made.
pub(crate) async fn create(
    nova: &Nova,
    new: NewKeypair,
) -> Result<(Keypair, Option<String>), Error> {
    let (public_key, fingerprint, private) = match new.public_key {
        Some(public) => {
            let fingerprint = fingerprint(new.kind, &public)?;
            (public, fingerprint, None)
        }
        None if new.kind == KeyKind::X509 => {
            return Err(Error::invalid("Certificates cannot be made here: import one."));
        }
        None => {
            let key = generate()?;
            (key.public, key.fingerprint, Some(key.private))
        }
    };
    let keypair = Keypair {
        row: 0,
        user_id: new.user_id,
        name: new.name,
        kind: new.kind,
        public_key,
        fingerprint,
        created_at: nova.now(),
    };
    let configured = nova.config.quota.clone();
    let kept = nova
        .db
        .write(move |tx| {
            let most = quotas::defaults(tx, &configured)?["key_pairs"];
            if quotas::exceeds(most, keypairs::count(tx, &keypair.user_id)? + 1) {
                return Err(Error::OverQuota("Quota exceeded, too many key pairs.".to_owned()));
            }
            keypairs::insert(tx, &keypair).map_err(|error| match error {
                StoreError::Unique(_) => {
                    Error::Conflict(format!("Key pair '{}' already exists.", keypair.name))
                }
                other => other.into(),
            })
        })
        .await?;
    Ok((kept, private))
}

/// A user's key, if it is there.
pub(crate) async fn find(nova: &Nova, user: &str, name: &str) -> Result<Option<Keypair>, Error> {
    let (user, name) = (user.to_owned(), name.to_owned());
    nova.db.read(move |r| keypairs::get(r, &user, &name).map_err(Error::from)).await
}

pub(crate) async fn get(nova: &Nova, user: &str, name: &str) -> Result<Keypair, Error> {
    let found = find(nova, user, name).await?;
    found.ok_or_else(|| missing(user, name))
}

pub(crate) async fn delete(nova: &Nova, user: &str, name: &str) -> Result<(), Error> {
    let (user, name) = (user.to_owned(), name.to_owned());
    nova.db
        .write(move |tx| match keypairs::delete(tx, &user, &name)? {
            0 => Err(missing(&user, &name)),
            _ => Ok(()),
        })
        .await
}

/// A user's keys by name, after a marker. Fails when the marker is not there.
pub(crate) async fn list(
    nova: &Nova,
    user: &str,
    marker: Option<String>,
    limit: usize,
) -> Result<Vec<Keypair>, Error> {
    let user = user.to_owned();
    nova.db
        .read(move |r| {
            let after = marker.unwrap_or_default();
            if !after.is_empty() && keypairs::get(r, &user, &after)?.is_none() {
                return Err(Error::invalid(format!("Marker {after} could not be found.")));
            }
            Ok(keypairs::list(r, &user, &after, limit)?)
        })
        .await
}

/// Whose keys a request is about: the caller's, or for administrators anybody's.
pub(crate) fn owner(cx: &Ctx, asked: Option<&str>) -> UserId {
    match asked {
        Some(user) => user.into(),
        None => cx.caller.user_id.clone(),
    }
}

fn missing(user: &str, name: &str) -> Error {
    Error::NotFound(format!("Keypair {name} not found for user {user}"))
}
