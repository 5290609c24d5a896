//! Lists of assignments.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};
use stackup_core::Ctx;
use stackup_web::{Cx, Json, Query};

use super::list::Listing;
use crate::Keystone;
use crate::error::Error;
use crate::logic::assignments::Names;
use crate::model::assignment::{ActorKind, Assignment, AssignmentQuery, Effective, TargetKind};

pub(super) async fn list(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let query = read(&listing)?;
    let with_names = listing.is_set("include_names");
    let (found, names) = keystone.list_assignments(&cx, query, with_names).await?;
    let names = with_names.then_some(&names);
    let views: Vec<Value> = found.iter().map(|effect| view(effect, names, &cx)).collect();
    let links = json!({"next": null, "self": listing.self_link(&cx), "previous": null});
    Ok(Json(json!({"role_assignments": views, "links": links})))
}

fn read(listing: &Listing) -> Result<AssignmentQuery, Error> {
    let query = &listing.query;
    let text = |name: &str| query.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let inherited = query.get("scope.OS-INHERIT:inherited_to").map(|to| to == "projects");
    let read = AssignmentQuery {
        role_id: text("role.id"),
        user_id: text("user.id").map(Into::into),
        group_id: text("group.id"),
        project_id: text("scope.project.id").map(Into::into),
        domain_id: text("scope.domain.id").map(Into::into),
        system: text("scope.system").is_some(),
        inherited,
        effective: listing.is_set("effective"),
        subtree: listing.is_set("include_subtree"),
    };
    check(&read, query)?;
    Ok(read)
}

/// Refuses what contradicts itself.
fn check(read: &AssignmentQuery, query: &Query) -> Result<(), Error> {
    let (project, domain) = (read.project_id.is_some(), read.domain_id.is_some());
    let wrong = [
        (project && domain, "Specify a domain or project, not both"),
        (read.system && domain, "Specify system or domain, not both"),
        (read.system && project, "Specify system or project, not both"),
        (read.user_id.is_some() && read.group_id.is_some(), "Specify a user or group, not both"),
        (
            read.effective && query.has("group.id"),
            "Combining effective and group filter will always result in an empty list.",
        ),
        (
            read.effective && read.inherited == Some(true) && domain,
            "Combining effective, domain and inherited filters will always result in an empty \
             list.",
        ),
    ];
    match wrong.iter().find(|(is, _)| *is) {
        Some((_, message)) => Err(Error::invalid(*message)),
        None => Ok(()),
    }
}

fn view(effect: &Effective, names: Option<&Names>, cx: &Ctx) -> Value {
    let holds = &effect.holds;
    let mut scope = match holds.target_kind {
        TargetKind::Project => json!({"project": named(&holds.target_id, names, true)}),
        TargetKind::Domain => json!({"domain": named(&holds.target_id, names, false)}),
        TargetKind::System => json!({"system": {"all": true}}),
    };
    if holds.inherited {
        scope["OS-INHERIT:inherited_to"] = json!("projects");
    }
    let mut links = json!({"assignment": assignment_link(effect, cx)});
    if effect.source.actor_kind != holds.actor_kind {
        let (group, user) = (&effect.source.actor_id, &holds.actor_id);
        links["membership"] = json!(format!("{}/v3/groups/{group}/users/{user}", cx.self_url));
    }
    if let Some(prior) = &effect.implied_by {
        let role = &holds.role_id;
        links["prior_role"] =
            json!(format!("{}/v3/prior_role/{prior}/implies/{role}", cx.self_url));
    }
    json!({
        "links": links,
        "role": named(&holds.role_id, names, true),
        "scope": scope,
        holds.actor_kind.as_str(): named(&holds.actor_id, names, true),
    })
}

/// Where the assignment was made that has this effect.
fn assignment_link(effect: &Effective, cx: &Ctx) -> String {
    let Assignment { actor_kind, actor_id, target_kind, target_id, role_id, inherited } =
        &effect.source;
    let actor = match actor_kind {
        ActorKind::User => format!("users/{actor_id}"),
        ActorKind::Group => format!("groups/{actor_id}"),
    };
    let target = match target_kind {
        TargetKind::Project => format!("projects/{target_id}"),
        TargetKind::Domain => format!("domains/{target_id}"),
        TargetKind::System => "system".to_owned(),
    };
    let (before, after) = match inherited {
        true => ("OS-INHERIT/", "/inherited_to_projects"),
        false => ("", ""),
    };
    format!("{}/v3/{before}{target}/{actor}/roles/{role_id}{after}", cx.self_url)
}

/// The id, with the name where names are wanted, and the domain where there is one.
fn named(id: &str, names: Option<&Names>, with_domain: bool) -> Value {
    let mut view = json!({"id": id});
    let Some((name, domain)) = names.and_then(|names| names.of.get(id)) else {
        return view;
    };
    view["name"] = json!(name);
    if let Some(domain) = domain.as_ref().filter(|_| with_domain) {
        let known = names.and_then(|names| names.of.get(domain)).map(|(name, _)| name);
        view["domain"] = json!({"id": domain, "name": known});
    }
    view
}
