//! An image and its states.
//!
//! ```text
//!             upload                  data is in
//!  queued ─────────────▶ saving ─────────────────────┐
//!    │ ▲ ◀──── failed ────┘                          ▼      deactivate
//!    │ │                              import      active ◀─────────────▶ deactivated
//!    │ └──────── failed ─────────┐      │            ▲      reactivate
//!    │ stage                     │      ▼            │
//!    ├─────────▶ uploading ─── importing ────────────┘
//!    └── web-download ──────────────▲        data is in
//! ```
//!
//! `killed`, `pending_delete` and `deleted` are upstream's; an image here is gone once it is deleted.

use std::collections::BTreeMap;

use stackup_core::{Time, wire_enum};
use stackup_policy::Target;
use stackup_store::{FromRow, Row, StoreError};

use crate::Error;

wire_enum! {
    /// Where an image is in its life.
    pub(crate) enum Status {
        Queued = "queued",
        Saving = "saving",
        Uploading = "uploading",
        Importing = "importing",
        Active = "active",
        Deactivated = "deactivated",
    }
}

wire_enum! {
    /// Who may see an image besides its owner.
    pub(crate) enum Visibility {
        /// Everybody, and it is in everybody's list.
        Public = "public",
        /// Everybody who asks for it.
        Community = "community",
        /// The projects that are its members.
        Shared = "shared",
        Private = "private",
    }
}

/// An image with its properties and tags.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) status: Status,
    pub(crate) visibility: Visibility,
    pub(crate) owner: Option<String>,
    pub(crate) disk_format: Option<String>,
    pub(crate) container_format: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) virtual_size: Option<u64>,
    pub(crate) checksum: Option<String>,
    pub(crate) os_hash_algo: Option<String>,
    pub(crate) os_hash_value: Option<String>,
    pub(crate) min_disk: i64,
    pub(crate) min_ram: i64,
    pub(crate) protected: bool,
    pub(crate) os_hidden: bool,
    pub(crate) found_format: Option<String>,
    pub(crate) created_at: Time,
    pub(crate) updated_at: Time,
    /// The caller's project, when the image is shared with it. Depends on who reads.
    pub(crate) member: Option<String>,
    /// In order, without doubles.
    pub(crate) tags: Vec<String>,
    pub(crate) properties: BTreeMap<String, Option<String>>,
}

impl Status {
    /// Whether an image may go from here to `next`: upstream's table.
    pub(crate) fn allow(self, next: Status) -> Result<(), Error> {
        let allowed: &[Status] = match self {
            Status::Queued => {
                &[Status::Saving, Status::Uploading, Status::Importing, Status::Active]
            }
            Status::Saving => &[Status::Active, Status::Queued],
            Status::Uploading => &[Status::Importing, Status::Queued],
            Status::Importing => &[Status::Active, Status::Queued],
            Status::Active => &[Status::Deactivated],
            Status::Deactivated => &[Status::Active],
        };
        if allowed.contains(&next) {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "Image status transition from {self} to {next} is not allowed"
        )))
    }

    /// Whether there is data to be had.
    pub(crate) fn has_data(self) -> bool {
        match self {
            Status::Active | Status::Deactivated => true,
            Status::Queued | Status::Saving | Status::Uploading | Status::Importing => false,
        }
    }
}

impl Image {
    /// A new image in the queue, with upstream's defaults.
    pub(crate) fn queued(id: String, owner: Option<String>, now: Time) -> Self {
        Self {
            id,
            name: None,
            status: Status::Queued,
            visibility: Visibility::Shared,
            owner,
            disk_format: None,
            container_format: None,
            size: None,
            virtual_size: None,
            checksum: None,
            os_hash_algo: None,
            os_hash_value: None,
            min_disk: 0,
            min_ram: 0,
            protected: false,
            os_hidden: false,
            found_format: None,
            created_at: now,
            updated_at: now,
            member: None,
            tags: Vec::new(),
            properties: BTreeMap::new(),
        }
    }

    /// Data needs both formats first.
    pub(crate) fn require_formats(&self) -> Result<(), Error> {
        let missing = match (&self.disk_format, &self.container_format) {
            (Some(_), Some(_)) => return Ok(()),
            (None, Some(_)) => "Property disk_format",
            (Some(_), None) => "Property container_format",
            (None, None) => "Properties disk_format, container_format",
        };
        Err(Error::BadRequest(format!("{missing} must be set prior to saving data.")))
    }

    /// What rules are checked against.
    pub(crate) fn target(&self) -> Target {
        let target = Target::new()
            .with_opt("project_id", self.owner.as_deref())
            .with_opt("owner", self.owner.as_deref())
            .with("visibility", self.visibility.as_str());
        match &self.member {
            Some(member) => target.with("member_id", member),
            None => target,
        }
    }
}

impl FromRow for Image {
    /// The columns of `store::images::COLUMNS`; properties and tags are read apart.
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            status: row.get(2)?,
            visibility: row.get(3)?,
            owner: row.get(4)?,
            disk_format: row.get(5)?,
            container_format: row.get(6)?,
            size: row.get(7)?,
            virtual_size: row.get(8)?,
            checksum: row.get(9)?,
            os_hash_algo: row.get(10)?,
            os_hash_value: row.get(11)?,
            min_disk: row.get(12)?,
            min_ram: row.get(13)?,
            protected: row.get(14)?,
            os_hidden: row.get(15)?,
            found_format: row.get(16)?,
            created_at: row.get(17)?,
            updated_at: row.get(18)?,
            member: row.get(19)?,
            tags: Vec::new(),
            properties: BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_upstreams_transitions_are_allowed() {
        let allowed: Vec<String> = Status::ALL
            .iter()
            .flat_map(|from| Status::ALL.iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.allow(**to).is_ok())
            .map(|(from, to)| format!("{from}>{to}"))
            .collect();
        let expected = "queued>saving queued>uploading queued>importing queued>active \
                        saving>queued saving>active uploading>queued uploading>importing \
                        importing>queued importing>active active>deactivated deactivated>active";
        assert_eq!(allowed.join(" "), expected);
    }

    #[test]
    fn missing_formats_are_named() {
        let mut image = Image::queued("i".into(), None, Time::from_unix(0));
        let said = |image: &Image| image.require_formats().unwrap_err().to_string();
        assert!(said(&image).starts_with("Properties disk_format, container_format"));
        image.disk_format = Some("raw".into());
        assert!(said(&image).starts_with("Property container_format"));
        image.container_format = Some("bare".into());
        assert!(image.require_formats().is_ok());
    }
}
