//! Projects and their tags.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use serde_json::{Map, Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, Query, answer};

use super::fields::{Body, Fields, IMMUTABLE, required};
use super::list::{Filter, Listing, by, flag};
use crate::Keystone;
use crate::error::Error;
use crate::logic::projects::ProjectFields;
use crate::model::project::Project;

const FILTERS: &[Filter] = &[
    by("name", "name"),
    by("domain_id", "domain_id"),
    by("parent_id", "parent_id"),
    flag("enabled", "enabled"),
    flag("is_domain", "is_domain"),
];

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let mut condition = listing.conditions(FILTERS, "id");
    if !listing.query.has("is_domain") {
        condition = condition.eq("is_domain", false);
    }
    let mut found = keystone.list_projects(&cx, condition).await?;
    found.retain(|project| has_tags(project, &listing.query));
    let views = found.iter().map(|project| view(project, &cx)).collect();
    listing.wrap(&cx, "projects", views, FILTERS, keystone.config.list_limit).map(Json)
}

/// The four filters on tags.
fn has_tags(project: &Project, query: &Query) -> bool {
    let wanted = |name: &str| -> Option<BTreeSet<String>> {
        Some(query.get(name)?.split(',').map(str::to_owned).collect())
    };
    let own: BTreeSet<String> = project.tags.iter().cloned().collect();
    wanted("tags").is_none_or(|tags| tags.is_subset(&own))
        && wanted("tags-any").is_none_or(|tags| !tags.is_disjoint(&own))
        && wanted("not-tags").is_none_or(|tags| !tags.is_subset(&own))
        && wanted("not-tags-any").is_none_or(|tags| tags.is_disjoint(&own))
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let project = keystone.project_for(&cx, "identity:get_project", &id).await?;
    let mut shown = view(&project, &cx);
    add_relatives(&keystone, &cx, &project, &listing, &mut shown).await?;
    Ok(Json(json!({"project": shown})))
}

/// Adds what lies above and below, where the query asks for it.
async fn add_relatives(
    keystone: &Keystone,
    cx: &Ctx,
    project: &Project,
    listing: &Listing,
    shown: &mut Value,
) -> Result<(), Error> {
    for kind in ["parents", "subtree"] {
        let as_list = listing.is_set(&format!("{kind}_as_list"));
        let as_ids = listing.is_set(&format!("{kind}_as_ids"));
        if as_list && as_ids {
            return Err(Error::invalid(format!(
                "Cannot use {kind}_as_list and {kind}_as_ids query params at the same time."
            )));
        }
        if !as_list && !as_ids {
            continue;
        }
        let (relatives, visible) = keystone.relatives(cx, project, kind == "parents").await?;
        shown[kind] = if as_list {
            let seen = relatives.iter().filter(|relative| visible.contains(&relative.id));
            seen.map(|relative| json!({"project": view(relative, cx)})).collect()
        } else if kind == "parents" {
            above_as_ids(&relatives)
        } else {
            below_as_ids(&relatives, &project.id)
        };
    }
    Ok(())
}

/// `{"parent": {"grandparent": null}}`
fn above_as_ids(above: &[Project]) -> Value {
    above.iter().rev().fold(Value::Null, |inner, project| json!({ project.id.as_str(): inner }))
}

/// `{"child": {"grandchild": null}}`
fn below_as_ids(below: &[Project], id: &str) -> Value {
    let mut map = Map::new();
    for project in below {
        if project.parent_id.as_deref() == Some(id) {
            map.insert(project.id.to_string(), below_as_ids(below, &project.id));
        }
    }
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

pub(super) async fn create(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    body: Body,
) -> Result<Response, Error> {
    let fields = read(body.member("project")?)?;
    required(fields.name.as_ref(), "name")?;
    let project = keystone.create_project(&cx, fields).await?;
    Ok(answer(StatusCode::CREATED, &json!({"project": view(&project, &cx)})))
}

pub(super) async fn update(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<Value>, Error> {
    let mut given = body.member("project")?;
    given.same_id(&id)?;
    let project = keystone.update_project(&cx, &id, read(given)?).await?;
    Ok(Json(json!({"project": view(&project, &cx)})))
}

pub(super) async fn delete(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    keystone.delete_project(&cx, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn list_tags(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let project = keystone.project_for(&cx, "identity:list_project_tags", &id).await?;
    Ok(Json(tags_view(&project, &cx)))
}

pub(super) async fn replace_tags(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
    Body(mut body): Body,
) -> Result<Json<Value>, Error> {
    let tags = required(body.remove("tags"), "tags")?;
    let tags: Vec<String> = serde_json::from_value(tags.clone())
        .map_err(|_| Error::invalid(format!("{tags} is not of type 'array'")))?;
    let change = move |own: &mut Vec<String>| {
        own.clone_from(&tags);
        Ok(())
    };
    let project = keystone.set_tags(&cx, "identity:update_project_tags", &id, change).await?;
    Ok(Json(tags_view(&project, &cx)))
}

pub(super) async fn clear_tags(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path(id): Path<String>,
) -> Result<StatusCode, Error> {
    let change = |own: &mut Vec<String>| {
        own.clear();
        Ok(())
    };
    keystone.set_tags(&cx, "identity:delete_project_tags", &id, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn check_tag(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, tag)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let project = keystone.project_for(&cx, "identity:get_project_tag", &id).await?;
    if project.tags.contains(&tag) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Error::not_found("project tag", &tag))
}

pub(super) async fn add_tag(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, tag)): Path<(String, String)>,
) -> Result<Response, Error> {
    let added = tag.clone();
    let change = move |own: &mut Vec<String>| {
        if !own.contains(&added) {
            own.push(added.clone());
        }
        Ok(())
    };
    keystone.set_tags(&cx, "identity:create_project_tag", &id, change).await?;
    let tag = stackup_web::query::encode(&tag);
    let url = format!("{}/v3/projects/{id}/tags/{tag}", cx.self_url);
    Ok((StatusCode::CREATED, [(LOCATION, url)]).into_response())
}

pub(super) async fn remove_tag(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    Path((id, tag)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let change = move |own: &mut Vec<String>| {
        let before = own.len();
        own.retain(|other| *other != tag);
        if own.len() < before {
            return Ok(());
        }
        Err(Error::not_found("project tag", &tag))
    };
    keystone.set_tags(&cx, "identity:delete_project_tag", &id, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn read(mut fields: Fields) -> Result<ProjectFields, Error> {
    Ok(ProjectFields {
        name: fields.name("name", 64)?,
        domain_id: fields.nullable_id("domain_id")?,
        parent_id: fields.nullable_id("parent_id")?,
        is_domain: fields.flag("is_domain")?,
        enabled: fields.flag("enabled")?,
        description: fields.nullable("description")?,
        tags: fields.texts("tags")?,
        options: fields.options(IMMUTABLE)?,
        extra: fields.rest(),
    })
}

pub(super) fn view(project: &Project, cx: &Ctx) -> Value {
    let mut view = json!({
        "id": project.id,
        "name": project.name,
        "domain_id": project.domain_id,
        "description": project.description,
        "enabled": project.enabled,
        "parent_id": project.parent_id,
        "is_domain": project.is_domain,
        "tags": project.tags,
        "options": project.options,
        "links": {"self": format!("{}/v3/projects/{}", cx.self_url, project.id)},
    });
    super::add_extra(&mut view, &project.extra);
    view
}

fn tags_view(project: &Project, cx: &Ctx) -> Value {
    let link = format!("{}/v3/projects/{}/tags", cx.self_url, project.id);
    json!({"tags": project.tags, "links": {"self": link}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Extra;

    fn project(id: &str, parent: &str) -> Project {
        Project {
            id: id.into(),
            name: id.to_owned(),
            domain_id: Some("default".into()),
            parent_id: Some(parent.into()),
            is_domain: false,
            enabled: true,
            description: None,
            options: Extra::new(),
            extra: Extra::new(),
            revoked_before: None,
            tags: vec!["blue".to_owned(), "old".to_owned()],
        }
    }

    #[test]
    fn relatives_by_id() {
        let above = [project("b", "a"), project("a", "default")];
        assert_eq!(above_as_ids(&above), json!({"b": {"a": null}}));
        let below = [project("y", "x"), project("z", "y"), project("w", "x")];
        assert_eq!(below_as_ids(&below, "x"), json!({"y": {"z": null}, "w": null}));
        assert_eq!(below_as_ids(&[], "x"), Value::Null);
    }

    #[test]
    fn filters_on_tags() {
        let passes = |text: &str| has_tags(&project("p", "default"), &Query::parse(text));
        assert!(passes("") && passes("tags=blue,old") && passes("tags-any=blue,new"));
        assert!(!passes("tags=blue,new") && !passes("tags-any=new"));
        assert!(passes("not-tags=blue,new") && !passes("not-tags=blue,old"));
        assert!(passes("not-tags-any=new") && !passes("not-tags-any=blue,new"));
    }
}
