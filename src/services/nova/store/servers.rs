//! Servers.

use serde::Serialize;
use serde::de::DeserializeOwned;
use stackup_core::{Direction, FromValue, Reach, ServerId, SortKey, Time, ToValue, Value};
use stackup_store::{FromRow, Keyset, Order, Reader, Row, StoreError, Tx, params};

use super::Conditions;
use crate::model::power::PowerState;
use crate::model::server::Server;
use crate::model::state::VmState;

const COLUMNS: &str = "id, row, project_id, user_id, name, hostname, description, vm_state,
    task_state, power_state, progress, host, zone, pinned_zone, flavor_id, vcpus, memory_mb,
    disk_gb, flavor, image_id, image, key_pair, user_data, config_drive, metadata, tags,
    reservation_id, launch_index, access_ipv4, access_ipv6, disk_config, locked, fault, boot,
    files, old_size, password, created_at, updated_at, launched_at, terminated_at, deleted_at";
const COUNT: usize = 42;

const NEXT_ROW: &str = "
SELECT COALESCE(MAX(row), 0) + 1
FROM servers";

/// Which servers to list. Every condition that SQL can answer; `logic` adds the others.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// `Some("")` is nobody's.
    pub project: Option<String>,
    /// False: the living; true: the deleted; none: both.
    pub deleted: Option<bool>,
    pub vm_states: Option<Vec<VmState>>,
    pub host: Option<String>,
    pub user: Option<String>,
    pub flavor: Option<String>,
    pub image: Option<String>,
    pub reservation: Option<String>,
    pub ids: Option<Vec<String>>,
    pub changes_since: Option<Time>,
    pub changes_before: Option<Time>,
    pub with_task: bool,
}

/// What the servers of a project, or on a host, add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub instances: u64,
    pub cores: u64,
    pub ram: u64,
    pub disk: u64,
}

/// Where a server is that should have a guest: what the power states are compared with.
#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub id: ServerId,
    pub vm_state: VmState,
    pub power_state: PowerState,
    pub busy: bool,
}

const PRESENT: &str = "
SELECT id, vm_state, power_state, CASE WHEN task_state IS NULL THEN 0 ELSE 1 END
FROM servers
WHERE deleted_at IS NULL
  AND host IS NOT NULL
  AND files IS NOT NULL
  AND vm_state NOT IN ('building', 'shelved_offloaded')
ORDER BY row";

/// Every server that should have a guest; only what is cheap to read.
pub(crate) fn present(r: &Reader<'_>) -> Result<Vec<Present>, StoreError> {
    r.query(PRESENT, &[])
}

/// The next server's row number.
pub(crate) fn next_row(r: &Reader<'_>) -> Result<i64, StoreError> {
    r.scalar(NEXT_ROW, &[])
}

pub(crate) fn insert(tx: &mut Tx<'_>, server: &Server) -> Result<(), StoreError> {
    let places: Vec<String> = (1..=COUNT).map(|n| format!("${n}")).collect();
    let sql = format!("INSERT INTO servers ({COLUMNS})\nVALUES ({})", places.join(", "));
    tx.execute(&sql, &values(server)?).map(drop)
}

/// Writes every column back. The caller read the row in the same transaction, so that nothing is
/// lost between the two.
pub(crate) fn save(tx: &mut Tx<'_>, server: &Server) -> Result<(), StoreError> {
    let names = COLUMNS.split(',').map(str::trim).enumerate();
    let sets: Vec<String> = names.skip(1).map(|(n, name)| format!("{name} = ${}", n + 1)).collect();
    let sql = format!("UPDATE servers\nSET {}\nWHERE id = $1", sets.join(", "));
    tx.execute(&sql, &values(server)?).map(drop)
}

/// A server in reach; a deleted one only if asked for.
pub(crate) fn get(
    r: &Reader<'_>,
    reach: &Reach,
    id: &str,
    deleted: bool,
) -> Result<Option<Server>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS}
FROM servers
WHERE id = $1
  AND (CAST($2 AS TEXT) IS NULL OR project_id = $2)
  AND ($3 = 1 OR deleted_at IS NULL)"
    );
    r.first(&sql, &params![id, reach.project().map(str::to_owned), deleted])
}

/// A page of servers, in order.
pub(crate) fn list(
    r: &Reader<'_>,
    filter: &Filter,
    keyset: &Keyset,
    limit: usize,
) -> Result<Vec<Server>, StoreError> {
    let mut conditions = conditions(filter);
    if let Some(after) = keyset.condition(&mut conditions.params) {
        conditions.plain(after);
    }
    conditions.params.push(limit.min(1_000_000).to_value());
    let sql = format!(
        "SELECT {COLUMNS}\nFROM servers\n{}\nORDER BY {}\nLIMIT ${}",
        conditions.clause(),
        keyset.order_by(),
        conditions.params.len(),
    );
    r.query(&sql, &conditions.params)
}

/// Every server that the filter matches, oldest first.
pub(crate) fn all(r: &Reader<'_>, filter: &Filter) -> Result<Vec<Server>, StoreError> {
    let keyset = Keyset {
        order: vec![Order { column: "row", direction: Direction::Ascending }],
        after: None,
    };
    list(r, filter, &keyset, usize::MAX)
}

/// The order that was asked for, ended by a unique column.
pub(crate) fn keyset(sort: &[SortKey], marker: Option<&Server>) -> Result<Keyset, StoreError> {
    let mut order: Vec<Order> = sort
        .iter()
        .filter_map(|key| {
            let column = sort_column(&key.key)?;
            Some(Order { column, direction: key.direction })
        })
        .collect();
    if order.is_empty() {
        order.push(Order { column: "created_at", direction: Direction::Descending });
    }
    let last = order.last().map_or(Direction::Descending, |order| order.direction);
    order.push(Order { column: "row", direction: last });
    let after = marker.map(|server| after(&order, server)).transpose()?;
    Ok(Keyset { order, after })
}

/// The column behind a sort key; none for one that nobody may sort by.
pub(crate) fn sort_column(key: &str) -> Option<&'static str> {
    Some(match key {
        "access_ip_v4" => "access_ipv4",
        "access_ip_v6" => "access_ipv6",
        "auto_disk_config" => "disk_config",
        "availability_zone" => "zone",
        "config_drive" => "config_drive",
        "created_at" => "created_at",
        "display_description" => "description",
        "display_name" => "name",
        "host" | "node" => "host",
        "hostname" => "hostname",
        "image_ref" => "image_id",
        "instance_type_id" => "flavor_id",
        "key_name" => "key_pair",
        "launch_index" => "launch_index",
        "launched_at" => "launched_at",
        "locked" | "locked_by" => "locked",
        "power_state" => "power_state",
        "progress" => "progress",
        "project_id" => "project_id",
        "task_state" => "task_state",
        "terminated_at" => "terminated_at",
        "updated_at" => "updated_at",
        "user_id" => "user_id",
        "uuid" => "id",
        "vm_state" => "vm_state",
        "kernel_id" | "ramdisk_id" | "root_device_name" => "row",
        _ => return None,
    })
}

/// What the living servers of a project add up to.
pub(crate) fn usage(r: &Reader<'_>, project: &str) -> Result<Usage, StoreError> {
    r.first(USAGE_OF_PROJECT, &params![project]).map(Option::unwrap_or_default)
}

/// What the servers on a host add up to.
pub(crate) fn usage_of_host(r: &Reader<'_>, host: &str) -> Result<Usage, StoreError> {
    r.first(USAGE_OF_HOST, &params![host]).map(Option::unwrap_or_default)
}

const USAGE_OF_PROJECT: &str = "
SELECT COUNT(*), CAST(COALESCE(SUM(vcpus), 0) AS BIGINT), CAST(COALESCE(SUM(memory_mb), 0) AS BIGINT), CAST(COALESCE(SUM(disk_gb), 0) AS BIGINT)
FROM servers
WHERE project_id = $1
  AND deleted_at IS NULL";
const USAGE_OF_HOST: &str = "
SELECT COUNT(*), CAST(COALESCE(SUM(vcpus), 0) AS BIGINT), CAST(COALESCE(SUM(memory_mb), 0) AS BIGINT), CAST(COALESCE(SUM(disk_gb), 0) AS BIGINT)
FROM servers
WHERE host = $1
  AND deleted_at IS NULL";

fn conditions(filter: &Filter) -> Conditions {
    let mut all = Conditions::default();
    let equal = [
        ("project_id = {}", &filter.project),
        ("host = {}", &filter.host),
        ("user_id = {}", &filter.user),
        ("flavor_id = {}", &filter.flavor),
        ("image_id = {}", &filter.image),
        ("reservation_id = {}", &filter.reservation),
    ];
    for (condition, value) in equal {
        if let Some(value) = value {
            all.with(condition, value);
        }
    }
    match filter.deleted {
        Some(true) => all.plain("deleted_at IS NOT NULL"),
        Some(false) => all.plain("deleted_at IS NULL"),
        None => {}
    }
    if let Some(states) = &filter.vm_states {
        all.any_of("vm_state", states.iter().map(|state| state.as_str()));
    }
    if let Some(ids) = &filter.ids {
        all.any_of("id", ids.iter().map(String::as_str));
    }
    if let Some(time) = filter.changes_since {
        all.with("COALESCE(updated_at, created_at) >= {}", time);
    }
    if let Some(time) = filter.changes_before {
        all.with("COALESCE(updated_at, created_at) <= {}", time);
    }
    if filter.with_task {
        all.plain("task_state IS NOT NULL");
    }
    all
}

/// The marker's values of the columns that a list is ordered by.
fn after(order: &[Order], server: &Server) -> Result<Vec<Value>, StoreError> {
    let values = values(server)?;
    let names: Vec<&str> = COLUMNS.split(',').map(str::trim).collect();
    let value = |order: &Order| {
        let at = names.iter().position(|name| *name == order.column);
        at.and_then(|at| values.get(at)).cloned().unwrap_or(Value::Null)
    };
    Ok(order.iter().map(value).collect())
}

fn values(server: &Server) -> Result<[Value; COUNT], StoreError> {
    let s = server;
    let image_id = s.image.as_ref().map(|image| image.id.clone());
    Ok(params![
        s.id,
        s.row,
        s.project_id,
        s.user_id,
        s.name,
        s.hostname,
        s.description,
        s.vm_state,
        s.task_state,
        s.power_state.code(),
        s.progress,
        s.host,
        s.zone,
        s.pinned_zone,
        s.flavor.id,
        s.flavor.vcpus,
        s.flavor.memory_mb,
        s.flavor.disk_gb(s.image.is_some()),
        json(&s.flavor)?,
        image_id,
        json_opt(s.image.as_ref())?,
        json_opt(s.key.as_ref())?,
        s.user_data,
        s.config_drive,
        json(&s.metadata)?,
        json(&s.tags)?,
        s.reservation_id,
        s.launch_index,
        s.access_ipv4,
        s.access_ipv6,
        s.disk_config,
        json_opt(s.lock.as_ref())?,
        json_opt(s.fault.as_ref())?,
        json(&s.boot)?,
        json_opt(s.files.as_ref())?,
        json_opt(s.old.as_ref())?,
        s.password,
        s.created_at,
        s.updated_at,
        s.launched_at,
        s.terminated_at,
        s.deleted_at,
    ])
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Engine(Box::new(error)))
}

fn json_opt<T: Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    value.map(json).transpose()
}

/// A JSON column, parsed straight from its text.
struct Parsed<T>(T);

impl<T: DeserializeOwned> FromValue for Parsed<T> {
    fn from_value(value: &Value) -> Result<Self, stackup_core::ValueError> {
        match value {
            Value::Text(text) => serde_json::from_str(text)
                .map(Parsed)
                .map_err(|_| value.unexpected("JSON of another shape")),
            other => Err(other.unexpected("JSON")),
        }
    }
}

fn parsed<T: DeserializeOwned>(row: &Row, at: usize) -> Result<T, StoreError> {
    row.get::<Parsed<T>>(at).map(|Parsed(value)| value)
}

fn parsed_opt<T: DeserializeOwned>(row: &Row, at: usize) -> Result<Option<T>, StoreError> {
    Ok(row.get::<Option<Parsed<T>>>(at)?.map(|Parsed(value)| value))
}

impl FromRow for Server {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get::<ServerId>(0)?,
            row: row.get(1)?,
            project_id: row.get(2)?,
            user_id: row.get(3)?,
            name: row.get(4)?,
            hostname: row.get(5)?,
            description: row.get(6)?,
            vm_state: row.get(7)?,
            task_state: row.get(8)?,
            power_state: PowerState::from_code(row.get(9)?).unwrap_or_default(),
            progress: row.get(10)?,
            host: row.get(11)?,
            zone: row.get(12)?,
            pinned_zone: row.get(13)?,
            flavor: parsed(row, 18)?,
            image: parsed_opt(row, 20)?,
            key: parsed_opt(row, 21)?,
            user_data: row.get(22)?,
            config_drive: row.get(23)?,
            metadata: parsed(row, 24)?,
            tags: parsed(row, 25)?,
            reservation_id: row.get(26)?,
            launch_index: row.get(27)?,
            access_ipv4: row.get(28)?,
            access_ipv6: row.get(29)?,
            disk_config: row.get(30)?,
            lock: parsed_opt(row, 31)?,
            fault: parsed_opt(row, 32)?,
            boot: parsed(row, 33)?,
            files: parsed_opt(row, 34)?,
            old: parsed_opt(row, 35)?,
            password: row.get(36)?,
            created_at: row.get(37)?,
            updated_at: row.get(38)?,
            launched_at: row.get(39)?,
            terminated_at: row.get(40)?,
            deleted_at: row.get(41)?,
        })
    }
}

impl FromRow for Present {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get(0)?,
            vm_state: row.get(1)?,
            power_state: PowerState::from_code(row.get(2)?).unwrap_or_default(),
            busy: row.get(3)?,
        })
    }
}

impl FromRow for Usage {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { instances: row.get(0)?, cores: row.get(1)?, ram: row.get(2)?, disk: row.get(3)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::server::sample;
    use crate::store::MIGRATIONS;

    #[tokio::test]
    async fn a_server_comes_back_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        for db in stackup_store::testing::engines(dir.path(), MIGRATIONS).await.unwrap() {
            let mut server = sample("s1");
            db.write({
                let server = server.clone();
                move |tx| insert(tx, &server)
            })
            .await
            .unwrap();
            server.name = "other".into();
            server.tags = vec!["a".into()];
            let back: Option<Server> = db
                .write({
                    let server = server.clone();
                    move |tx| {
                        save(tx, &server)?;
                        get(tx, &Reach::Project("p".into()), "s1", false)
                    }
                })
                .await
                .unwrap();
            assert_eq!(back, Some(server));
            let none: Option<Server> =
                db.read(|r| get(r, &Reach::Project("q".into()), "s1", true)).await.unwrap();
            assert_eq!(none, None);
            let sums: Usage = db.read(|r| usage(r, "p")).await.unwrap();
            assert_eq!(sums, Usage { instances: 1, cores: 1, ram: 192, disk: 0 });
        }
    }

    #[tokio::test]
    async fn pages_follow_one_another() {
        let dir = tempfile::tempdir().unwrap();
        let db = stackup_store::testing::sqlite(dir.path(), MIGRATIONS).await.unwrap();
        db.write(|tx| {
            for row in 1..=5 {
                let mut server = sample(&format!("s{row}"));
                server.row = row;
                insert(tx, &server)?;
            }
            Ok::<_, StoreError>(())
        })
        .await
        .unwrap();
        let ids = db
            .read(|r| {
                let filter = Filter { deleted: Some(false), ..Filter::default() };
                let marker = get(r, &Reach::All, "s4", false)?;
                let keyset = keyset(&[], marker.as_ref())?;
                let page = list(r, &filter, &keyset, 2)?;
                Ok::<_, StoreError>(page.into_iter().map(|s| s.id.to_string()).collect::<Vec<_>>())
            })
            .await
            .unwrap();
        assert_eq!(ids, ["s3", "s2"]);
    }
}
