//! Every resource, kept by its table of attributes.

use serde_json::{Map, Value as Json};
use stackup_core::{Direction, Page, SortKey, Time, Value};
use stackup_store::{Keyset, Order, Reader, Row, StoreError, Tx};

use super::parts;
use super::sql::{Scope, Sql};
use crate::error::Result;
use crate::model::attribute::Source;
use crate::model::{Record, Resource};

/// What a list is narrowed to.
#[derive(Debug, Clone)]
pub(crate) enum Filter {
    /// The expression has one of the values; `null` lets NULL pass too.
    OneOf { expression: &'static str, values: Vec<Value>, null: bool },
    /// A condition over the row `t`, with `{}` where the value goes.
    Matches { condition: &'static str, value: Value },
    /// One of these at least.
    Any(Vec<Filter>),
    /// What cannot be.
    Nothing,
}

/// Which rows, in which order.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) filters: Vec<Filter>,
    pub(crate) page: Page,
    /// The page before the marker.
    pub(crate) reverse: bool,
}

impl Listing {
    /// All rows that pass.
    pub(crate) fn of(filters: Vec<Filter>) -> Self {
        Self { filters, page: Page::all(), reverse: false }
    }
}

/// `column = value`, for code.
pub(crate) fn equals(expression: &'static str, value: &str) -> Filter {
    Filter::OneOf { expression, values: vec![Value::Text(value.to_owned())], null: false }
}

/// The row with this id, if the scope sees it.
pub(crate) fn find(
    r: &Reader<'_>,
    resource: &'static Resource,
    scope: &Scope,
    id: &str,
) -> Result<Option<Record>> {
    let listing = Listing::of(vec![equals("t.id", id)]);
    Ok(list(r, resource, scope, &listing)?.pop())
}

/// The rows that pass, each with its parts.
pub(crate) fn list(
    r: &Reader<'_>,
    resource: &'static Resource,
    scope: &Scope,
    listing: &Listing,
) -> Result<Vec<Record>> {
    let Some(keyset) = keyset(r, resource, listing)? else {
        return Ok(Vec::new());
    };
    let mut sql = select(resource, scope);
    narrow(&mut sql, resource, scope, &listing.filters);
    let mut params = std::mem::take(&mut sql.params);
    if let Some(condition) = keyset.condition(&mut params) {
        sql.push("\nAND ");
        sql.push(&condition);
    }
    sql.params = params;
    sql.push("\nORDER BY ");
    sql.push(&keyset.order_by());
    if let Ok(limit) = i64::try_from(listing.page.limit) {
        sql.push("\nLIMIT ");
        sql.bind(&limit);
    }
    let rows: Vec<Row> = r.query(&sql.text, &sql.params)?;
    let mut records =
        rows.iter().map(|row| record(resource, row)).collect::<Result<Vec<_>, StoreError>>()?;
    if listing.reverse {
        records.reverse();
    }
    parts::fill(r, resource, scope, &mut records)?;
    Ok(records)
}

/// How many rows of a project there are.
pub(crate) fn count(r: &Reader<'_>, resource: &Resource, project: &str) -> Result<i64> {
    let mut sql = Sql::new("SELECT COUNT(*)\nFROM ");
    sql.push(resource.table);
    sql.push("\nWHERE project_id = ");
    sql.bind(&project);
    Ok(r.scalar(&sql.text, &sql.params)?)
}

/// Writes a row of the attributes that have columns. Times and revision are the store's own.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    resource: &Resource,
    values: &Map<String, Json>,
    now: Time,
) -> Result<(), StoreError> {
    let mut columns = Sql::new("INSERT INTO ");
    columns.push(resource.table);
    columns.push(" (");
    let mut row: Vec<Value> = Vec::new();
    for attr in resource.attrs() {
        let (Source::Column(column) | Source::Hidden(column)) = attr.source else {
            continue;
        };
        let value = match attr.name {
            "created_at" | "updated_at" => Value::Text(now.micros_z()),
            "revision_number" => Value::Int(1),
            name => match values.get(name) {
                Some(value) => attr.shape.column(value),
                None => continue,
            },
        };
        if !row.is_empty() {
            columns.push(", ");
        }
        columns.push(column);
        row.push(value);
    }
    columns.push(")\nVALUES (");
    for (index, value) in row.iter().enumerate() {
        if index > 0 {
            columns.push(", ");
        }
        columns.bind(value);
    }
    columns.push(")");
    tx.execute(&columns.text, &columns.params).map(drop)
}

/// Changes columns of a row. With a time, a standard one becomes a new revision, even when nothing
/// else changes.
pub(crate) fn update(
    tx: &mut Tx<'_>,
    resource: &Resource,
    id: &str,
    values: &Map<String, Json>,
    revised: Option<Time>,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE ");
    sql.push(resource.table);
    sql.push("\nSET ");
    let mut first = true;
    let mut separate = |sql: &mut Sql| {
        if !std::mem::take(&mut first) {
            sql.push(", ");
        }
    };
    if let Some(now) = revised.filter(|_| resource.is_standard()) {
        separate(&mut sql);
        sql.push("revision_number = revision_number + 1, updated_at = ");
        sql.bind(&now.micros_z());
    }
    for attr in resource.attrs() {
        let (Source::Column(column) | Source::Hidden(column)) = attr.source else {
            continue;
        };
        if let Some(value) = values.get(attr.name) {
            separate(&mut sql);
            sql.push(column);
            sql.push(" = ");
            sql.bind(&attr.shape.column(value));
        }
    }
    if first {
        return Ok(());
    }
    sql.push("\nWHERE id = ");
    sql.bind(&id);
    tx.execute(&sql.text, &sql.params).map(drop)
}

/// Removes a row, its tags, and what was shared of it.
pub(crate) fn delete(tx: &mut Tx<'_>, resource: &Resource, id: &str) -> Result<(), StoreError> {
    const TAGS: &str = "
DELETE FROM tags
WHERE resource_id = $1";
    const SHARES: &str = "
DELETE FROM rbac_policies
WHERE object_id = $1";
    let id = [Value::Text(id.to_owned())];
    tx.execute(TAGS, &id)?;
    tx.execute(SHARES, &id)?;
    let sql = format!("DELETE FROM {}\nWHERE id = $1", resource.table);
    tx.execute(&sql, &id).map(drop)
}

fn select(resource: &Resource, scope: &Scope) -> Sql {
    let mut sql = Sql::new("SELECT ");
    let mut first = true;
    for attr in resource.attrs() {
        let column = match attr.source {
            Source::Column(column) | Source::Hidden(column) => format!("t.{column}"),
            Source::Sql(expression) => expression.to_owned(),
            Source::Parts | Source::Request => continue,
        };
        if !std::mem::take(&mut first) {
            sql.push(", ");
        }
        sql.template(&column, scope);
    }
    sql.push("\nFROM ");
    sql.push(resource.table);
    sql.push(" t");
    sql
}

fn narrow(sql: &mut Sql, resource: &Resource, scope: &Scope, filters: &[Filter]) {
    sql.push("\nWHERE ");
    sql.template(if scope.all { "1 = 1" } else { resource.visible }, scope);
    for filter in filters {
        sql.push("\nAND ");
        condition(sql, scope, filter);
    }
}

fn condition(sql: &mut Sql, scope: &Scope, filter: &Filter) {
    match filter {
        Filter::Nothing => sql.push("1 = 0"),
        Filter::Any(any) => {
            sql.push("(1 = 0");
            for filter in any {
                sql.push(" OR ");
                condition(sql, scope, filter);
            }
            sql.push(")");
        }
        Filter::Matches { condition, value } => {
            let (before, after) = condition.split_once("{}").unwrap_or((condition, ""));
            sql.template(before, scope);
            sql.bind(value);
            sql.template(after, scope);
        }
        Filter::OneOf { expression, values, null } => {
            sql.push("(");
            sql.template(expression, scope);
            sql.push(" IN ");
            sql.bind_list(values);
            if *null {
                sql.push(" OR ");
                sql.template(expression, scope);
                sql.push(" IS NULL");
            }
            sql.push(")");
        }
    }
}

fn record(resource: &'static Resource, row: &Row) -> Result<Record, StoreError> {
    let mut values = Vec::with_capacity(40);
    let mut index = 0;
    for attr in resource.attrs() {
        if matches!(attr.source, Source::Parts | Source::Request) {
            values.push(Json::Null);
            continue;
        }
        values.push(attr.shape.show(row.get(index)?));
        index += 1;
    }
    Ok(Record::new(resource, values))
}

/// The order of the list and where it begins; `None` when the marker's row is gone.
fn keyset(
    r: &Reader<'_>,
    resource: &'static Resource,
    listing: &Listing,
) -> Result<Option<Keyset>, StoreError> {
    let mut order: Vec<Order> =
        listing.page.sort.iter().filter_map(|key| sort_column(resource, key)).collect();
    if !order.iter().any(|order| order.column == "id") {
        order.push(Order { column: "id", direction: Direction::Ascending });
    }
    if listing.reverse {
        for order in &mut order {
            order.direction = match order.direction {
                Direction::Ascending => Direction::Descending,
                Direction::Descending => Direction::Ascending,
            };
        }
    }
    let Some(marker) = &listing.page.marker else {
        return Ok(Some(Keyset { order, after: None }));
    };
    let columns: Vec<&str> = order.iter().map(|order| order.column).collect();
    let mut sql = Sql::new(&format!(
        "SELECT {}\nFROM {} t\nWHERE t.id = ",
        columns.join(", "),
        resource.table
    ));
    sql.bind(marker);
    let row: Option<Row> = r.first(&sql.text, &sql.params)?;
    let Some(row) = row else {
        return Ok(None);
    };
    let after: Result<Vec<Value>, StoreError> =
        (0..order.len()).map(|index| row.get(index)).collect();
    Ok(Some(Keyset { order, after: Some(after?) }))
}

/// Only real columns sort: an expression would need the caller in the marker's statement too.
fn sort_column(resource: &'static Resource, key: &SortKey) -> Option<Order> {
    let attr = resource.attr(&key.key)?;
    let column = match attr.source {
        Source::Column(column) if !attr.shape.is_structured() => column,
        _ => return None,
    };
    Some(Order { column, direction: key.direction })
}
