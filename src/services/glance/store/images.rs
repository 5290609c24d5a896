//! Images with their properties and tags.

use std::collections::{BTreeMap, HashMap};

use stackup_core::{Direction, Page, Reach, Time};
use stackup_store::{FromRow, Keyset, Order, Reader, StoreError, Tx, Value, params};

use crate::model::filter::{Condition, Filter, Wanted};
use crate::model::{Image, Status};

/// `$1` is the caller's project, or NULL for whoever sees everything.
const COLUMNS: &str = "
    id, name, status, visibility, owner, disk_format, container_format, size, virtual_size,
    checksum, os_hash_algo, os_hash_value, min_disk, min_ram, protected, os_hidden,
    found_format, created_at, updated_at,
    (SELECT member_id FROM image_members WHERE image_id = images.id AND member_id = $1)";

/// Whether the project of `$1` may see a row, if it knows its id. The column comes first, since
/// PostgreSQL learns the type of a NULL parameter where it first stands.
const VISIBLE: &str = "
    (owner = $1
     OR $1 IS NULL
     OR owner IS NULL
     OR visibility IN ('public', 'community')
     OR visibility = 'shared'
        AND EXISTS (SELECT 1 FROM image_members WHERE image_id = images.id AND member_id = $1))";

const INSERT: &str = "
INSERT INTO images (
    id, name, status, visibility, owner, disk_format, container_format, size, virtual_size,
    checksum, os_hash_algo, os_hash_value, min_disk, min_ram, protected, os_hidden,
    found_format, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";

const UPDATE: &str = "
UPDATE images
SET name = $2, visibility = $3, owner = $4, disk_format = $5, container_format = $6,
    min_disk = $7, min_ram = $8, protected = $9, os_hidden = $10, updated_at = $11
WHERE id = $1";

const SET_STATUS: &str = "
UPDATE images
SET status = $3, updated_at = $4
WHERE id = $1 AND status = $2";

/// Back into the queue, without what is known of data that is not there.
const REQUEUE: &str = "
UPDATE images
SET status = 'queued', size = NULL, virtual_size = NULL, updated_at = $3
WHERE id = $1 AND status = $2";

const SET_SIZE: &str = "
UPDATE images
SET size = $2, updated_at = $3
WHERE id = $1";

const ACTIVATE: &str = "
UPDATE images
SET status = 'active', size = $3, virtual_size = $4, checksum = $5, os_hash_algo = $6,
    os_hash_value = $7, found_format = $8, updated_at = $9
WHERE id = $1 AND status = $2";

const DELETE: &str = "
DELETE FROM images
WHERE id = $1 AND protected = 0";

const EXISTS: &str = "
SELECT COUNT(*)
FROM images
WHERE id = $1";

const IDS: &str = "
SELECT id, status
FROM images";

const PUT_PROPERTY: &str = "
INSERT INTO image_properties (image_id, name, value)
VALUES ($1, $2, $3)
ON CONFLICT (image_id, name) DO UPDATE SET value = excluded.value";
const CLEAR_PROPERTIES: &str = "
DELETE FROM image_properties
WHERE image_id = $1";
const DROP_PROPERTY: &str = "
DELETE FROM image_properties
WHERE image_id = $1 AND name = $2";
const PUT_TAG: &str = "
INSERT INTO image_tags (image_id, tag)
VALUES ($1, $2)
ON CONFLICT (image_id, tag) DO NOTHING";
const CLEAR_TAGS: &str = "
DELETE FROM image_tags
WHERE image_id = $1";

const IS_SEEDED: &str = "
SELECT COUNT(*)
FROM seeded
WHERE image_id = $1";
const SET_SEEDED: &str = "
INSERT INTO seeded (image_id)
VALUES ($1)
ON CONFLICT (image_id) DO NOTHING";

/// What is known of data once it is in.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    pub(crate) size: u64,
    pub(crate) virtual_size: Option<u64>,
    pub(crate) checksum: String,
    pub(crate) sha512: String,
    pub(crate) found_format: String,
}

/// Fails with `Unique` when the id is taken.
pub(crate) fn insert(tx: &mut Tx<'_>, image: &Image) -> Result<(), StoreError> {
    let row = params![
        image.id,
        image.name,
        image.status,
        image.visibility,
        image.owner,
        image.disk_format,
        image.container_format,
        image.size,
        image.virtual_size,
        image.checksum,
        image.os_hash_algo,
        image.os_hash_value,
        image.min_disk,
        image.min_ram,
        image.protected,
        image.os_hidden,
        image.found_format,
        image.created_at,
        image.updated_at
    ];
    tx.execute(INSERT, &row)?;
    put_extras(tx, image)
}

/// An image that the caller may see.
pub(crate) fn get(r: &Reader<'_>, reach: &Reach, id: &str) -> Result<Option<Image>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM images WHERE {VISIBLE} AND id = $2");
    let Some(image) = r.first(&sql, &params![reach.project(), id])? else {
        return Ok(None);
    };
    let mut images = vec![image];
    add_extras(r, &mut images)?;
    Ok(images.pop())
}

/// A page of the images in the caller's lists. `None` when the marker is not one the caller sees.
pub(crate) fn list(
    r: &Reader<'_>,
    reach: &Reach,
    filter: &Filter,
    page: &Page,
) -> Result<Option<Vec<Image>>, StoreError> {
    let order = order(page);
    let after = match &page.marker {
        None => None,
        Some(marker) => match marker_values(r, reach, marker, &order)? {
            Some(values) => Some(values),
            None => return Ok(None),
        },
    };
    let mut values = params![reach.project()].to_vec();
    let mut conditions = vec![listed(reach, filter, &mut values)];
    for condition in &filter.columns {
        conditions.push(sql_of(condition, &mut values));
    }
    for (name, value) in &filter.properties {
        let (name, value) = (bind(&mut values, name), bind(&mut values, value));
        conditions.push(format!(
            "EXISTS (SELECT 1 FROM image_properties
             WHERE image_id = images.id AND name = {name} AND value = {value})"
        ));
    }
    for tag in &filter.tags {
        let tag = bind(&mut values, tag);
        conditions.push(format!(
            "EXISTS (SELECT 1 FROM image_tags WHERE image_id = images.id AND tag = {tag})"
        ));
    }
    let keyset = Keyset { order, after };
    conditions.extend(keyset.condition(&mut values));
    let limit = bind(&mut values, i64::try_from(page.limit).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT {COLUMNS} FROM images WHERE {} ORDER BY {} LIMIT {limit}",
        conditions.join(" AND "),
        keyset.order_by(),
    );
    let mut images = r.query(&sql, &values)?;
    add_extras(r, &mut images)?;
    Ok(Some(images))
}

/// Writes what users may change, and the properties and tags.
pub(crate) fn update(tx: &mut Tx<'_>, image: &Image) -> Result<(), StoreError> {
    let row = params![
        image.id,
        image.name,
        image.visibility,
        image.owner,
        image.disk_format,
        image.container_format,
        image.min_disk,
        image.min_ram,
        image.protected,
        image.os_hidden,
        image.updated_at
    ];
    tx.execute(UPDATE, &row)?;
    tx.execute(CLEAR_PROPERTIES, &params![image.id])?;
    tx.execute(CLEAR_TAGS, &params![image.id])?;
    put_extras(tx, image)
}

/// Moves an image from one state to another; false when it is not in the first one any more.
pub(crate) fn set_status(
    tx: &mut Tx<'_>,
    id: &str,
    from: Status,
    to: Status,
    now: Time,
) -> Result<bool, StoreError> {
    Ok(tx.execute(SET_STATUS, &params![id, from, to, now])? == 1)
}

/// Gives an image up to its queue again.
pub(crate) fn requeue(
    tx: &mut Tx<'_>,
    id: &str,
    from: Status,
    now: Time,
) -> Result<bool, StoreError> {
    Ok(tx.execute(REQUEUE, &params![id, from, now])? == 1)
}

pub(crate) fn set_size(tx: &mut Tx<'_>, id: &str, size: u64, now: Time) -> Result<(), StoreError> {
    tx.execute(SET_SIZE, &params![id, size, now]).map(drop)
}

/// Makes an image active with its data; false when it is not in state `from` any more.
pub(crate) fn activate(
    tx: &mut Tx<'_>,
    id: &str,
    from: Status,
    data: &Data,
    now: Time,
) -> Result<bool, StoreError> {
    let row = params![
        id,
        from,
        data.size,
        data.virtual_size,
        data.checksum,
        "sha512",
        data.sha512,
        data.found_format,
        now
    ];
    Ok(tx.execute(ACTIVATE, &row)? == 1)
}

/// False when it is not there, or protected.
pub(crate) fn delete(tx: &mut Tx<'_>, id: &str) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &params![id])? == 1)
}

pub(crate) fn exists(r: &Reader<'_>, id: &str) -> Result<bool, StoreError> {
    Ok(r.scalar::<i64>(EXISTS, &params![id])? > 0)
}

/// Every image's state, for those who look after the files.
pub(crate) fn states(r: &Reader<'_>) -> Result<BTreeMap<String, Status>, StoreError> {
    let rows: Vec<(String, Status)> = r.query(IDS, &[])?;
    Ok(rows.into_iter().collect())
}

pub(crate) fn put_property(
    tx: &mut Tx<'_>,
    id: &str,
    name: &str,
    value: Option<&str>,
) -> Result<(), StoreError> {
    tx.execute(PUT_PROPERTY, &params![id, name, value]).map(drop)
}

pub(crate) fn drop_property(tx: &mut Tx<'_>, id: &str, name: &str) -> Result<(), StoreError> {
    tx.execute(DROP_PROPERTY, &params![id, name]).map(drop)
}

/// Whether the image was registered from the configuration once.
pub(crate) fn is_seeded(r: &Reader<'_>, id: &str) -> Result<bool, StoreError> {
    Ok(r.scalar::<i64>(IS_SEEDED, &params![id])? > 0)
}

pub(crate) fn set_seeded(tx: &mut Tx<'_>, id: &str) -> Result<(), StoreError> {
    tx.execute(SET_SEEDED, &params![id]).map(drop)
}

fn put_extras(tx: &mut Tx<'_>, image: &Image) -> Result<(), StoreError> {
    for (name, value) in &image.properties {
        tx.execute(PUT_PROPERTY, &params![image.id, name, value])?;
    }
    for tag in &image.tags {
        tx.execute(PUT_TAG, &params![image.id, tag])?;
    }
    Ok(())
}

/// Reads the properties and tags of a page at once.
fn add_extras(r: &Reader<'_>, images: &mut [Image]) -> Result<(), StoreError> {
    if images.is_empty() {
        return Ok(());
    }
    let mut values = Vec::new();
    let ids: Vec<String> = images.iter().map(|image| bind(&mut values, &image.id)).collect();
    let ids = ids.join(", ");
    let sql =
        format!("SELECT image_id, name, value FROM image_properties WHERE image_id IN ({ids})");
    let mut properties: HashMap<String, BTreeMap<String, Option<String>>> = HashMap::new();
    for (id, name, value) in rows::<(String, String, Option<String>)>(r, &sql, &values)? {
        properties.entry(id).or_default().insert(name, value);
    }
    let sql =
        format!("SELECT image_id, tag FROM image_tags WHERE image_id IN ({ids}) ORDER BY tag");
    let mut tags: HashMap<String, Vec<String>> = HashMap::new();
    for (id, tag) in rows::<(String, String)>(r, &sql, &values)? {
        tags.entry(id).or_default().push(tag);
    }
    for image in images {
        image.properties = properties.remove(&image.id).unwrap_or_default();
        image.tags = tags.remove(&image.id).unwrap_or_default();
    }
    Ok(())
}

fn rows<T: FromRow>(r: &Reader<'_>, sql: &str, values: &[Value]) -> Result<Vec<T>, StoreError> {
    r.query(sql, values)
}

/// What is in the caller's lists: upstream's rules, by visibility asked for.
fn listed(reach: &Reach, filter: &Filter, values: &mut Vec<Value>) -> String {
    let mut conditions = Vec::new();
    if *reach != Reach::All {
        let member = match filter.member_status {
            None => String::new(),
            Some(status) => format!(" AND status = {}", bind(values, status)),
        };
        conditions.push(format!(
            "(visibility IN ('public', 'community')
              OR owner = $1
              OR visibility = 'shared'
                 AND EXISTS (SELECT 1 FROM image_members
                             WHERE image_id = images.id AND member_id = $1{member}))"
        ));
    }
    match filter.visibility {
        Wanted::All => {}
        Wanted::One(one) => conditions.push(format!("visibility = {}", bind(values, one))),
        Wanted::Usual => conditions.push("(visibility <> 'community' OR owner = $1)".to_owned()),
    }
    if conditions.is_empty() {
        return "1 = 1".to_owned();
    }
    conditions.join(" AND ")
}

fn sql_of(condition: &Condition, values: &mut Vec<Value>) -> String {
    let Condition { column, op, values: wanted } = condition;
    let places: Vec<String> = wanted.iter().map(|value| bind(values, value)).collect();
    match places.as_slice() {
        [one] => format!("{column} {op} {one}"),
        many => format!("{column} IN ({})", many.join(", ")),
    }
}

/// Adds a parameter and gives its placeholder.
fn bind(values: &mut Vec<Value>, value: impl stackup_store::ToValue) -> String {
    values.push(value.to_value());
    format!("${}", values.len())
}

/// The order asked for, made total by the time of creation and the id.
fn order(page: &Page) -> Vec<Order> {
    let first = page.sort.first().map_or(Direction::Descending, |sort| sort.direction);
    let mut order: Vec<Order> = page
        .sort
        .iter()
        .filter_map(|sort| {
            column(&sort.key).map(|column| Order { column, direction: sort.direction })
        })
        .collect();
    for column in ["created_at", "id"] {
        if !order.iter().any(|order| order.column == column) {
            order.push(Order { column, direction: first });
        }
    }
    order
}

fn column(key: &str) -> Option<&'static str> {
    let columns = [
        "name",
        "status",
        "container_format",
        "disk_format",
        "size",
        "id",
        "created_at",
        "updated_at",
    ];
    columns.into_iter().find(|column| *column == key)
}

fn marker_values(
    r: &Reader<'_>,
    reach: &Reach,
    marker: &str,
    order: &[Order],
) -> Result<Option<Vec<Value>>, StoreError> {
    let columns: Vec<&str> = order.iter().map(|order| order.column).collect();
    let columns = columns.join(", ");
    let sql = format!("SELECT {columns} FROM images WHERE {VISIBLE} AND id = $2");
    let row: Option<stackup_store::Row> = r.first(&sql, &params![reach.project(), marker])?;
    let Some(row) = row else { return Ok(None) };
    let values = (0..order.len()).map(|index| row.get(index));
    values.collect::<Result<_, _>>().map(Some)
}
