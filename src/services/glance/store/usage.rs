//! How much a project has, counted where it is spent.

use stackup_store::{Reader, StoreError, params};

const USAGE: &str = "
SELECT
    COUNT(*),
    CAST(COALESCE(SUM(CASE WHEN status IN ('active', 'deactivated') THEN size END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN status IN ('uploading', 'importing') THEN size END), 0) AS BIGINT),
    CAST(COALESCE(SUM(CASE WHEN status IN ('saving', 'uploading', 'importing') THEN 1 END), 0)
        AS BIGINT)
FROM images
WHERE owner = $1";

/// A project's images and their data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) images: i64,
    /// Bytes.
    pub(crate) data: i64,
    /// Bytes.
    pub(crate) staged: i64,
    /// Images whose data is on its way.
    pub(crate) uploading: i64,
}

pub(crate) fn of(r: &Reader<'_>, project: &str) -> Result<Usage, StoreError> {
    let row: Option<(i64, i64, i64, i64)> = r.first(USAGE, &params![project])?;
    let (images, data, staged, uploading) = row.unwrap_or_default();
    Ok(Usage { images, data, staged, uploading })
}
