//! SQL and nothing else: one file per resource, each query a named constant.

pub(crate) mod images;
pub(crate) mod members;
pub(crate) mod tasks;
pub(crate) mod usage;

use stackup_store::Migration;

/// The schema's history; its sum is `schema.sql`.
pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "0001_init", sql: include_str!("../migrations/0001_init.sql") }];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_the_sum_of_its_migrations() {
        let sum: String = MIGRATIONS.iter().map(|migration| migration.sql).collect();
        assert_eq!(sum, include_str!("../schema.sql"));
    }
}
