//! `/os-migrations` and `/servers/{id}/migrations`

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use stackup_core::{Ctx, Reach, Time};
use stackup_web::{Cx, Json, Query};

use super::{
    CHANGES_BEFORE, MIGRATION_OWNERS, MIGRATION_PAGES, SERVER_MIGRATIONS, next, page, time,
};
use crate::logic::flows::resize::shown_status;
use crate::model::migration::Migration;
use crate::store::{flavors, migrations, servers};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    let text = |name: &str| query.get(name).map(str::to_owned);
    if query.has("host") || query.has("source_compute") {
        nova.policy.check_own(&cx, "os_compute_api:os-migrations:index:host")?;
    }
    let mut filter = migrations::Filter {
        server: text("instance_uuid"),
        status: text("status"),
        kind: text("migration_type"),
        host: text("host").or(text("source_compute")),
        limit: nova.config.max_limit,
        ..migrations::Filter::default()
    };
    let everybody = nova.policy.check_own(&cx, "os_compute_api:os-migrations:index:all_projects");
    filter.project = match everybody {
        Ok(()) => text("project_id").filter(|_| cx.since(MIGRATION_OWNERS)),
        Err(_) => cx.project_id().map(ToString::to_string),
    };
    filter.user = text("user_id").filter(|_| cx.since(MIGRATION_OWNERS));
    let mut full = false;
    if cx.since(MIGRATION_PAGES) {
        let page = page(&nova, &query)?;
        filter.limit = page.limit;
        filter.since = time(&query, "changes-since")?;
        if cx.since(CHANGES_BEFORE) {
            filter.before = time(&query, "changes-before")?;
        }
        if let Some(marker) = page.marker.clone() {
            let found =
                nova.db.read(move |r| migrations::get(r, &marker).map_err(Error::from)).await?;
            filter.below = Some(found.ok_or_else(|| Error::invalid("marker not found"))?.row);
        }
        full = page.limited;
    }
    let limit = filter.limit;
    let found = nova.db.read(move |r| migrations::list(r, &filter).map_err(Error::from)).await?;
    let mut views = Vec::with_capacity(found.len());
    for migration in &found {
        views.push(view(&nova, &cx, migration).await?);
    }
    let mut body = json!({"migrations": views});
    if let Some(last) = found.last().filter(|_| full && found.len() == limit) {
        body["migrations_links"] = next(&cx, "os-migrations", &query, &last.uuid);
    }
    Ok(Json(body))
}

/// Migrations of one server that go on: none does that can be shown, as they are over quickly and
/// live ones are not there.
pub(super) async fn of_server(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    nova.server(&cx, &id).await?;
    Ok(Json(json!({"migrations": []})))
}

pub(super) async fn one_of_server(
    State(nova): S,
    Cx(cx): Cx,
    Path((id, migration)): Path<(String, String)>,
) -> Result<Response, Error> {
    nova.server(&cx, &id).await?;
    Err(Error::NotFound(format!(
        "In-progress live migration {migration} is not found for server {id}."
    )))
}

async fn view(nova: &Nova, cx: &Ctx, migration: &Migration) -> Result<Value, Error> {
    let id = migration.server_id.to_string();
    let (old, new) = (migration.old_flavor.clone(), migration.new_flavor.clone());
    let (server, rows) = nova
        .db
        .read(move |r| {
            let mut rows: HashMap<String, i64> = HashMap::new();
            for id in [old, new] {
                let flavor = flavors::get(r, &id)?;
                rows.insert(id, flavor.map_or(0, |flavor| flavor.row));
            }
            Ok::<_, Error>((servers::get(r, &Reach::All, &id, true)?, rows))
        })
        .await?;
    let mut view = json!({
        "id": migration.row,
        "instance_uuid": migration.server_id,
        "status": shown_status(migration, server.as_ref()),
        "source_compute": migration.source,
        "source_node": migration.source,
        "dest_compute": migration.target,
        "dest_node": migration.target,
        "dest_host": migration.target,
        "old_instance_type_id": rows.get(&migration.old_flavor),
        "new_instance_type_id": rows.get(&migration.new_flavor),
        "created_at": migration.created_at.micros(),
        "updated_at": migration.updated_at.map(Time::micros),
    });
    if cx.since(SERVER_MIGRATIONS) {
        view["migration_type"] = json!(migration.kind);
    }
    if cx.since(MIGRATION_PAGES) {
        view["uuid"] = json!(migration.uuid);
    }
    if cx.since(MIGRATION_OWNERS) {
        view["project_id"] = json!(migration.project_id);
        view["user_id"] = json!(migration.user_id);
    }
    Ok(view)
}
