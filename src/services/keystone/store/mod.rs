//! SQL and nothing else: free functions over a reader or a transaction, one file a resource.

pub(crate) mod application_credentials;
pub(crate) mod assignments;
pub(crate) mod catalog;
pub(crate) mod credentials;
pub(crate) mod groups;
pub(crate) mod limits;
pub(crate) mod policies;
pub(crate) mod projects;
pub(crate) mod roles;
pub(crate) mod tokens;
pub(crate) mod trusts;
pub(crate) mod users;

use stackup_store::{Migration, StoreError, ToValue, Value};

use crate::model::Extra;

pub(crate) const MIGRATIONS: &[Migration] =
    &[Migration { name: "0001_init", sql: include_str!("../migrations/0001_init.sql") }];

/// The conditions of a list, joined by AND.
#[derive(Debug, Clone, Default)]
pub(crate) struct Where {
    clauses: Vec<String>,
    params: Vec<Value>,
}

impl Where {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds `column = value`.
    #[must_use]
    pub(crate) fn eq(self, column: &str, value: impl ToValue) -> Self {
        self.compare(column, "=", value)
    }

    #[must_use]
    pub(crate) fn compare(mut self, column: &str, operator: &str, value: impl ToValue) -> Self {
        self.params.push(value.to_value());
        let n = self.params.len();
        self.clauses.push(format!("{column} {operator} ${n}"));
        self
    }

    /// Adds a condition without parameters.
    #[must_use]
    pub(crate) fn raw(mut self, clause: &str) -> Self {
        self.clauses.push(clause.to_owned());
        self
    }

    /// Adds a condition in which `{}` stands for the value's placeholder.
    #[must_use]
    pub(crate) fn with(mut self, clause: &str, value: impl ToValue) -> Self {
        self.params.push(value.to_value());
        let placeholder = format!("${}", self.params.len());
        self.clauses.push(clause.replace("{}", &placeholder));
        self
    }

    /// Adds `column IN (values)`; without values nothing passes.
    #[must_use]
    pub(crate) fn among(
        mut self,
        column: &str,
        values: impl IntoIterator<Item = impl ToValue>,
    ) -> Self {
        let mut placeholders = Vec::new();
        for value in values {
            self.params.push(value.to_value());
            placeholders.push(format!("${}", self.params.len()));
        }
        self.clauses.push(match placeholders.is_empty() {
            true => "1 = 0".to_owned(),
            false => format!("{column} IN ({})", placeholders.join(", ")),
        });
        self
    }

    /// The statement: `select`, the conditions, `order`.
    pub(crate) fn sql(&self, select: &str, order: &str) -> String {
        if self.clauses.is_empty() {
            return format!("{select}\nORDER BY {order}");
        }
        format!("{select}\nWHERE {}\nORDER BY {order}", self.clauses.join("\n  AND "))
    }

    pub(crate) fn params(&self) -> &[Value] {
        &self.params
    }
}

/// An object's text in a column.
pub(crate) fn json(extra: &Extra) -> String {
    serde_json::to_string(extra).unwrap_or_else(|_| "{}".to_owned())
}

/// The object in a column.
pub(crate) fn extra(value: serde_json::Value) -> Extra {
    match value {
        serde_json::Value::Object(map) => map,
        _ => Extra::new(),
    }
}

pub(crate) type Result<T> = std::result::Result<T, StoreError>;
