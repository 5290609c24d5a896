//! `/flavors`

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use stackup_core::{Ctx, Direction, Page, ids};
use stackup_policy::Target;
use stackup_web::{Cx, Json, Query};

use super::input::{Fields, text, wrong};
use super::{
    FLAVOR_DESCRIPTION, FLAVOR_SPECS, SLIM_FLAVORS, STRICT, known_parameters, links, next, page,
};
use crate::logic::flavors;
use crate::model::flavor::{Flavor, FlavorSize};
use crate::{Error, Nova};

type S = State<Arc<Nova>>;

const PARAMETERS: &[&str] =
    &["limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"];
/// The largest number that a column upstream holds.
const MOST: i64 = 2_147_483_647;

pub(super) async fn index(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    let (flavors, more) = select(&nova, &cx, &query).await?;
    let views: Vec<Value> = flavors.iter().map(|flavor| brief(&cx, flavor)).collect();
    Ok(Json(listing(&cx, "flavors", &views, &query, &flavors, more)))
}

pub(super) async fn detail(State(nova): S, Cx(cx): Cx, query: Query) -> Result<Json<Value>, Error> {
    let (flavors, more) = select(&nova, &cx, &query).await?;
    let specs = sees_specs(&nova, &cx);
    let views: Vec<Value> = flavors.iter().map(|flavor| full(&cx, flavor, specs)).collect();
    Ok(Json(listing(&cx, "flavors/detail", &views, &query, &flavors, more)))
}

async fn select(nova: &Nova, cx: &Ctx, query: &Query) -> Result<(Vec<Flavor>, bool), Error> {
    known_parameters(cx, query, PARAMETERS)?;
    let page = page(nova, query)?;
    let least = |name: &str| match query.get(name) {
        None => Ok(0),
        Some(text) => text
            .parse::<u64>()
            .map_err(|_| Error::invalid(format!("Invalid {name} filter [{text}]"))),
    };
    let (ram, disk) = (least("minRam")?, least("minDisk")?);
    let mut all = flavors::list(nova, cx, public(cx, query)?).await?;
    all.retain(|flavor| flavor.size.memory_mb >= ram && flavor.size.root_gb >= disk);
    sort(&mut all, &page)?;
    cut(all, &page)
}

/// Administrators see the public ones unless they ask for others; `None` is all.
fn public(cx: &Ctx, query: &Query) -> Result<Option<bool>, Error> {
    if !cx.is_admin() {
        return Ok(Some(true));
    }
    match query.get("is_public").map(str::to_ascii_lowercase).as_deref() {
        None => Ok(Some(true)),
        Some("none") => Ok(None),
        Some(text) => stackup_web::query::flag("is_public", text)
            .map(Some)
            .map_err(|_| Error::invalid(format!("Invalid is_public filter [{text}]"))),
    }
}

fn sort(flavors: &mut [Flavor], page: &Page) -> Result<(), Error> {
    // A later key is the weaker one, so they are applied from the last to the first.
    for key in page.sort.iter().rev() {
        let by: fn(&Flavor, &Flavor) -> std::cmp::Ordering = match key.key.as_str() {
            "flavorid" => |a, b| a.size.id.cmp(&b.size.id),
            "id" | "created_at" => |a, b| a.row.cmp(&b.row),
            "name" => |a, b| a.size.name.cmp(&b.size.name),
            "memory_mb" => |a, b| a.size.memory_mb.cmp(&b.size.memory_mb),
            "vcpus" => |a, b| a.size.vcpus.cmp(&b.size.vcpus),
            "root_gb" => |a, b| a.size.root_gb.cmp(&b.size.root_gb),
            "ephemeral_gb" => |a, b| a.size.ephemeral_gb.cmp(&b.size.ephemeral_gb),
            "swap" => |a, b| a.size.swap_mb.cmp(&b.size.swap_mb),
            "is_public" => |a, b| a.public.cmp(&b.public),
            "updated_at" => |a, b| a.updated_at.cmp(&b.updated_at),
            "description" => |a, b| a.description.cmp(&b.description),
            "disabled" | "rxtx_factor" | "vcpu_weight" => |_, _| std::cmp::Ordering::Equal,
            other => return Err(Error::invalid(format!("Invalid sort key: {other}"))),
        };
        flavors.sort_by(|a, b| match key.direction {
            Direction::Ascending => by(a, b),
            Direction::Descending => by(b, a),
        });
    }
    if page.sort.is_empty() {
        flavors.sort_by(|a, b| a.size.id.cmp(&b.size.id));
    }
    Ok(())
}

fn cut(mut all: Vec<Flavor>, page: &Page) -> Result<(Vec<Flavor>, bool), Error> {
    if let Some(marker) = &page.marker {
        let at = all.iter().position(|flavor| flavor.size.id == **marker);
        let at = at.ok_or_else(|| Error::invalid(format!("marker [{marker}] not found")))?;
        all.drain(..=at);
    }
    let more = all.len() > page.limit || (page.limited && all.len() == page.limit);
    all.truncate(page.limit);
    Ok((all, more))
}

fn listing(
    cx: &Ctx,
    path: &str,
    views: &[Value],
    query: &Query,
    flavors: &[Flavor],
    more: bool,
) -> Value {
    let mut body = json!({"flavors": views});
    if let Some(last) = flavors.last().filter(|_| more) {
        body["flavors_links"] = next(cx, path, query, &last.size.id);
    }
    body
}

pub(super) async fn show(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let flavor = flavors::usable(&nova, &cx, &id).await?;
    Ok(Json(json!({"flavor": full(&cx, &flavor, sees_specs(&nova, &cx))})))
}

pub(super) async fn create(
    State(nova): S,
    Cx(cx): Cx,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let flavor = read(&nova, &cx, &body)?;
    let flavor = flavors::create(&nova, flavor).await?;
    Ok(Json(json!({"flavor": full(&cx, &flavor, true)})))
}

fn read(nova: &Nova, cx: &Ctx, body: &Value) -> Result<Flavor, Error> {
    let mut fields = Fields::only(body, "flavor")?;
    let number = |fields: &mut Fields<'_>, key, least| {
        fields.integer(key, least, MOST).map(|n| n.and_then(|n| u64::try_from(n).ok()))
    };
    fields.need("ram")?;
    fields.need("vcpus")?;
    fields.need("disk")?;
    let vcpus = number(&mut fields, "vcpus", 1)?.unwrap_or(1);
    let size = FlavorSize {
        name: fields.need_name("name")?,
        id: id(&mut fields)?,
        memory_mb: number(&mut fields, "ram", 1)?.unwrap_or(1),
        vcpus: u32::try_from(vcpus).unwrap_or(u32::MAX),
        root_gb: number(&mut fields, "disk", 0)?.unwrap_or(0),
        ephemeral_gb: number(&mut fields, "OS-FLV-EXT-DATA:ephemeral", 0)?.unwrap_or(0),
        swap_mb: number(&mut fields, "swap", 0)?.unwrap_or(0),
        extra_specs: std::collections::BTreeMap::new(),
    };
    let rxtx_factor = if cx.since(SLIM_FLAVORS) { 1.0 } else { factor(&mut fields)? };
    let flavor = Flavor {
        row: 0,
        size,
        rxtx_factor,
        public: fields.flag("os-flavor-access:is_public")?.unwrap_or(true),
        description: match cx.since(FLAVOR_DESCRIPTION) {
            true => fields.nullable("description", 65535)?.flatten(),
            false => None,
        },
        created_at: nova.now(),
        updated_at: None,
    };
    fields.done()?;
    Ok(flavor)
}

/// An id of the operator's choice; `auto`, null and nothing let nova choose.
fn id(fields: &mut Fields<'_>) -> Result<stackup_core::FlavorId, Error> {
    match fields.raw("id") {
        None | Some(Value::Null) => Ok(ids::uuid().into()),
        Some(Value::Number(number)) => Ok(number.to_string().into()),
        Some(value) => {
            let id = text("id", value, 1, 255)?;
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_. ".contains(c);
            if id == "auto" {
                return Ok(ids::uuid().into());
            }
            match id.trim() == id && id.chars().all(plain) {
                true => Ok(id.into()),
                false => {
                    Err(wrong("id", value, "does not match '^(?! )[a-zA-Z0-9. _-]+(?<! )$'").into())
                }
            }
        }
    }
}

fn factor(fields: &mut Fields<'_>) -> Result<f64, Error> {
    let Some(value) = fields.raw("rxtx_factor") else { return Ok(1.0) };
    let factor = match value {
        Value::String(text) => text.parse::<f64>().ok(),
        other => other.as_f64(),
    };
    match factor.filter(|factor| *factor > 0.0 && *factor < 3.4e38) {
        Some(factor) => Ok(factor),
        None => Err(wrong("rxtx_factor", value, "is not a positive number").into()),
    }
}

pub(super) async fn update(
    State(nova): S,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, Error> {
    let mut fields = Fields::only(&body, "flavor")?;
    fields.need("description")?;
    let description = fields.nullable("description", 65535)?.flatten();
    fields.done()?;
    let flavor = flavors::describe(&nova, &id, description).await?;
    Ok(Json(json!({"flavor": full(&cx, &flavor, true)})))
}

pub(super) async fn delete(State(nova): S, Path(id): Path<String>) -> Result<Response, Error> {
    flavors::delete(&nova, &id).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn sees_specs(nova: &Nova, cx: &Ctx) -> bool {
    let rule = "os_compute_api:os-flavor-extra-specs:index";
    nova.policy.check(cx, rule, &Target::own(&cx.caller)).is_ok()
}

fn brief(cx: &Ctx, flavor: &Flavor) -> Value {
    let size = &flavor.size;
    let mut view = json!({
        "id": size.id, "name": size.name, "links": links(cx, "flavors", &size.id)
    });
    if cx.since(FLAVOR_DESCRIPTION) {
        view["description"] = json!(flavor.description);
    }
    view
}

fn full(cx: &Ctx, flavor: &Flavor, specs: bool) -> Value {
    let size = &flavor.size;
    let mut view = brief(cx, flavor);
    view["ram"] = json!(size.memory_mb);
    view["disk"] = json!(size.root_gb);
    view["vcpus"] = json!(size.vcpus);
    view["OS-FLV-EXT-DATA:ephemeral"] = json!(size.ephemeral_gb);
    view["os-flavor-access:is_public"] = json!(flavor.public);
    view["swap"] = match size.swap_mb {
        0 if !cx.since(STRICT) => json!(""),
        swap => json!(swap),
    };
    if !cx.since(SLIM_FLAVORS) {
        view["OS-FLV-DISABLED:disabled"] = json!(false);
        view["rxtx_factor"] = json!(flavor.rxtx_factor);
    }
    if cx.since(FLAVOR_SPECS) && specs {
        view["extra_specs"] = json!(size.extra_specs);
    }
    view
}
