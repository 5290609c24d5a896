//! With whom images are shared.

use stackup_core::{Reach, Time};
use stackup_store::{Reader, StoreError, Tx, params};

use crate::model::{Member, MemberStatus};

const INSERT: &str = "
INSERT INTO image_members (image_id, member_id, status, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5)";

/// `$2` is the caller's project, or NULL: an owner sees all members, a member itself.
const LIST: &str = "
SELECT image_id, member_id, image_members.status, image_members.created_at,
       image_members.updated_at
FROM image_members
JOIN images ON images.id = image_members.image_id
WHERE image_id = $1 AND (owner = $2 OR member_id = $2 OR $2 IS NULL)
ORDER BY image_members.created_at, member_id";

const COUNT: &str = "
SELECT COUNT(*)
FROM image_members
WHERE image_id = $1";

const SET_STATUS: &str = "
UPDATE image_members
SET status = $3, updated_at = $4
WHERE image_id = $1 AND member_id = $2";

const DELETE: &str = "
DELETE FROM image_members
WHERE image_id = $1 AND member_id = $2";

/// Fails with `Unique` when the project is a member already.
pub(crate) fn insert(tx: &mut Tx<'_>, member: &Member) -> Result<(), StoreError> {
    let row = params![
        member.image_id,
        member.member_id,
        member.status,
        member.created_at,
        member.updated_at
    ];
    tx.execute(INSERT, &row).map(drop)
}

/// The members that the caller may know of, oldest first.
pub(crate) fn list(r: &Reader<'_>, reach: &Reach, image: &str) -> Result<Vec<Member>, StoreError> {
    r.query(LIST, &params![image, reach.project()])
}

pub(crate) fn count(r: &Reader<'_>, image: &str) -> Result<i64, StoreError> {
    r.scalar(COUNT, &params![image])
}

pub(crate) fn set_status(
    tx: &mut Tx<'_>,
    image: &str,
    member: &str,
    status: MemberStatus,
    now: Time,
) -> Result<bool, StoreError> {
    Ok(tx.execute(SET_STATUS, &params![image, member, status, now])? == 1)
}

pub(crate) fn delete(tx: &mut Tx<'_>, image: &str, member: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &params![image, member])? == 1)
}
