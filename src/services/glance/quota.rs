//! What a project may have: upstream's unified limits, from the configuration.

use serde_json::{Value, json};

use crate::config::Limits;
use crate::error::Error;
use crate::store::usage::Usage;

const MIB: i64 = 1 << 20;

/// Refuses one image more.
pub(crate) fn another_image(limits: &Limits, usage: &Usage) -> Result<(), Error> {
    check("image_count_total", limits.image_count_total, usage.images, 1)
}

/// Refuses data that does not fit; `size` in bytes, 0 when nobody knows yet. Gives the bytes for
/// which there is room.
pub(crate) fn more_data(limits: &Limits, usage: &Usage, size: u64) -> Result<u64, Error> {
    let limit = limits.image_size_total;
    check("image_size_total", limit, usage.data / MIB, mib(size))?;
    Ok(room(limit, usage.data))
}

/// As [`more_data`], for data that is staged.
pub(crate) fn more_staged(limits: &Limits, usage: &Usage, size: u64) -> Result<u64, Error> {
    let limit = limits.image_stage_total;
    check("image_stage_total", limit, usage.staged / MIB, mib(size))?;
    Ok(room(limit, usage.staged))
}

/// Refuses one upload more at the same time.
pub(crate) fn another_upload(limits: &Limits, usage: &Usage) -> Result<(), Error> {
    check("image_count_uploading", limits.image_count_uploading, usage.uploading, 1)
}

/// Refuses more things on one image than it may have.
pub(crate) fn on_image(what: &str, limit: i64, count: usize) -> Result<(), Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if limit < 0 || count <= limit {
        return Ok(());
    }
    Err(Error::TooLarge(format!(
        "The limit has been exceeded on the number of allowed image {what}. Attempted: {count}, \
         Maximum: {limit}"
    )))
}

/// `GET /v2/info/usage`
pub(crate) fn report(limits: &Limits, usage: &Usage) -> Value {
    let row = |limit: i64, usage: i64| json!({"usage": usage, "limit": limit});
    json!({"usage": {
        "image_size_total": row(limits.image_size_total, usage.data / MIB),
        "image_stage_total": row(limits.image_stage_total, usage.staged / MIB),
        "image_count_total": row(limits.image_count_total, usage.images),
        "image_count_uploading": row(limits.image_count_uploading, usage.uploading),
    }})
}

fn check(name: &str, limit: i64, usage: i64, more: i64) -> Result<(), Error> {
    if limit < 0 || usage.saturating_add(more) <= limit {
        return Ok(());
    }
    Err(Error::TooLarge(format!(
        "Project is over a limit for [Resource {name} is over limit of {limit} due to current \
         usage {usage} and delta {more}]"
    )))
}

/// Bytes that are left of a limit in MiB.
fn room(limit: i64, used: i64) -> u64 {
    match limit {
        i64::MIN..0 => u64::MAX,
        _ => u64::try_from(limit.saturating_mul(MIB).saturating_sub(used)).unwrap_or(0),
    }
}

fn mib(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX) / MIB
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_bound_and_negative_ones_do_not() {
        let mut limits = Limits::default();
        let usage = Usage { images: 2, data: 10 * MIB, staged: 0, uploading: 1 };
        assert!(another_image(&limits, &usage).is_ok());
        limits.image_count_total = 2;
        limits.image_size_total = 11;
        limits.image_count_uploading = 2;
        assert!(another_image(&limits, &usage).is_err());
        assert!(more_data(&limits, &usage, 1 << 20).is_ok());
        assert!(more_data(&limits, &usage, 2 << 20).is_err());
        assert!(another_upload(&limits, &usage).is_ok());
        assert!(on_image("tags", 3, 4).is_err() && on_image("tags", -1, 4000).is_ok());
    }
}
