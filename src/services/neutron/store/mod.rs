//! SQL and nothing else. [`records`] keeps every resource by its table of attributes; the other
//! files ask what only they need.

pub(crate) mod addresses;
pub(crate) mod groups;
pub(crate) mod links;
pub(crate) mod parts;
pub(crate) mod quotas;
pub(crate) mod records;
pub(crate) mod sql;
pub(crate) mod tags;
pub(crate) mod topology;

pub(crate) use records::{Filter, Listing};
pub(crate) use sql::Scope;

use stackup_store::Migration;

/// In the order they are applied; never changed once released.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { name: "0001_init", sql: include_str!("../migrations/0001_init.sql") },
    Migration { name: "0002_metering", sql: include_str!("../migrations/0002_metering.sql") },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_what_the_migrations_make() {
        let migrations: String = MIGRATIONS.iter().map(|migration| migration.sql).collect();
        assert_eq!(migrations, include_str!("../schema.sql"));
    }
}
