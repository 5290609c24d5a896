//! SQL and nothing else: one file per resource, free functions over a reader or a transaction.

pub(crate) mod actions;
pub(crate) mod aggregates;
pub(crate) mod facts;
pub(crate) mod flavors;
pub(crate) mod groups;
pub(crate) mod keypairs;
pub(crate) mod migrations;
pub(crate) mod quotas;
pub(crate) mod servers;
pub(crate) mod services;

use stackup_store::Migration;

/// Nova's schema, step by step.
pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration { name: "0001_init", sql: include_str!("../migrations/0001_init.sql") }];

/// The conditions of a statement that is put together: each with its parameters.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    terms: Vec<String>,
    pub(crate) params: Vec<stackup_core::Value>,
}

impl Conditions {
    /// A condition over one value; `{}` is its place.
    pub(crate) fn with(&mut self, condition: &str, value: impl stackup_core::ToValue) {
        self.params.push(value.to_value());
        let place = format!("${}", self.params.len());
        self.terms.push(condition.replace("{}", &place));
    }

    /// A condition without a value.
    pub(crate) fn plain(&mut self, condition: impl Into<String>) {
        self.terms.push(condition.into());
    }

    /// `column IN (…)`; nothing is in an empty list.
    pub(crate) fn any_of<'a>(&mut self, column: &str, values: impl IntoIterator<Item = &'a str>) {
        let mut places = Vec::new();
        for value in values {
            self.params.push(stackup_core::ToValue::to_value(value));
            places.push(format!("${}", self.params.len()));
        }
        self.terms.push(match places.is_empty() {
            true => "1 = 0".to_owned(),
            false => format!("{column} IN ({})", places.join(", ")),
        });
    }

    /// The `WHERE` clause, or nothing.
    pub(crate) fn clause(&self) -> String {
        match self.terms.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", self.terms.join("\n  AND ")),
        }
    }
}

#[cfg(test)]
mod tests;
