//! Tokens, and what the holder of one can reach.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::header::VARY;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use stackup_core::{Ctx, Scope};
use stackup_web::context::Visit;
use stackup_web::{Cx, Json, Query, answer};

use super::fields::Body;
use super::list::Listing;
use super::{domains, projects};
use crate::Keystone;
use crate::error::Error;
use crate::logic::auth::{Proof, UserName};
use crate::logic::scope::ScopeRequest;
use crate::model::catalog::{Endpoint, Service};
use crate::model::token::{Token, method_names};
use crate::store::Where;

const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");

pub(super) async fn issue(
    State(keystone): State<Arc<Keystone>>,
    visit: Visit,
    query: Query,
    Body(mut body): Body,
) -> Result<Response, Error> {
    let missing = |attribute, target| Error::Expecting { attribute, target };
    let Some(Value::Object(auth)) = body.remove("auth") else {
        return Err(missing("auth", "request body"));
    };
    let identity = auth.get("identity").and_then(Value::as_object);
    let identity = identity.ok_or_else(|| missing("identity", "auth"))?;
    let proofs = proofs(identity)?;
    let scope = auth.get("scope").map(ScopeRequest::read).transpose()?;
    let (text, token) = keystone.authenticate(proofs, scope).await?;
    let with_catalog = !query.has("nocatalog");
    let view = token_view(&keystone, &token, &visit.base_url, with_catalog).await?;
    Ok(with_subject(answer(StatusCode::CREATED, &view), &text))
}

pub(super) async fn show(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    query: Query,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let text = subject(&headers);
    let found = keystone.subject(&cx, "identity:validate_token", text).await?;
    let with_catalog = !query.has("nocatalog");
    let view = token_view(&keystone, &found.token, &cx.base_url, with_catalog).await?;
    Ok(with_subject(answer(StatusCode::OK, &view), text.unwrap_or_default()))
}

pub(super) async fn check(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let text = subject(&headers);
    keystone.subject(&cx, "identity:check_token", text).await?;
    Ok(with_subject(answer(StatusCode::OK, &json!({})), text.unwrap_or_default()))
}

pub(super) async fn revoke(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    headers: HeaderMap,
) -> Result<StatusCode, Error> {
    keystone.revoke_token(&cx, subject(&headers)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn catalog(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let project = cx.project_id().map(|id| &**id);
    if cx.caller.scope == Scope::Unscoped {
        return Err(Error::Forbidden(
            "You are not authorized to perform the requested action.".to_owned(),
        ));
    }
    let services = keystone.catalog().await?;
    let view = catalog_view(&services, &cx.base_url, &cx.caller.user_id, project);
    let links = json!({"next": null, "self": listing.self_link(&cx), "previous": null});
    Ok(Json(json!({"catalog": view, "links": links})))
}

pub(super) async fn projects(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let user = cx.caller.user_id.clone();
    let enabled = Where::new().eq("enabled", true);
    let found = keystone.reachable_projects(user, enabled).await?;
    let views = found.iter().map(|project| projects::view(project, &cx)).collect();
    listing.wrap(&cx, "projects", views, &[], None).map(Json)
}

pub(super) async fn domains(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let found = keystone.reachable_domains(cx.caller.user_id.clone()).await?;
    let enabled = found.iter().filter(|domain| domain.enabled);
    let views = enabled.map(|domain| domains::view(domain, &cx)).collect();
    listing.wrap(&cx, "domains", views, &[], None).map(Json)
}

pub(super) async fn system(
    State(keystone): State<Arc<Keystone>>,
    Cx(cx): Cx,
    listing: Listing,
) -> Result<Json<Value>, Error> {
    let reached = keystone.reaches_system(cx.caller.user_id.clone()).await?;
    let system = if reached { json!([{"all": true}]) } else { json!([]) };
    Ok(Json(json!({"system": system, "links": {"self": listing.self_link(&cx)}})))
}

fn subject(headers: &HeaderMap) -> Option<&str> {
    headers.get(SUBJECT).and_then(|value| value.to_str().ok())
}

fn with_subject(mut response: Response, text: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(SUBJECT, value);
    }
    headers.insert(VARY, HeaderValue::from_static("X-Auth-Token"));
    response
}

/// What the methods of a request bring.
fn proofs(identity: &Map<String, Value>) -> Result<Vec<Proof>, Error> {
    let methods: Vec<String> = identity
        .get("methods")
        .and_then(|methods| serde_json::from_value(methods.clone()).ok())
        .ok_or(Error::Expecting { attribute: "methods", target: "identity" })?;
    let mut seen: Vec<&String> = Vec::new();
    let mut proofs = Vec::new();
    for method in &methods {
        if seen.contains(&method) {
            continue;
        }
        seen.push(method);
        let proof = identity.get(method).ok_or_else(|| {
            let wanted = format!("Expecting to find {method} in identity.");
            Error::invalid(format!(
                "{wanted} The server could not comply with the request since it is either \
                 malformed or otherwise incorrect. The client is assumed to be in error."
            ))
        })?;
        proofs.push(proof_of(method, proof)?);
    }
    Ok(proofs)
}

fn proof_of(method: &str, proof: &Value) -> Result<Proof, Error> {
    let text = |value: &Value, attribute, target| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or(Error::Expecting { attribute, target })
    };
    let user = || {
        let user = proof
            .get("user")
            .ok_or(Error::Expecting { attribute: "user", target: method_name(method) })?;
        user_name(user)
    };
    Ok(match method {
        "password" => Proof::Password {
            user: user()?,
            password: text(&proof["user"]["password"], "password", "user")?,
        },
        "totp" => Proof::Totp {
            user: user()?,
            passcode: text(&proof["user"]["passcode"], "passcode", "user")?,
        },
        "token" => Proof::Token(text(&proof["id"], "id", "token")?),
        "application_credential" => Proof::ApplicationCredential {
            id: proof["id"].as_str().map(str::to_owned),
            name: proof["name"].as_str().map(str::to_owned),
            user: proof.get("user").map(user_name).transpose()?,
            secret: text(&proof["secret"], "secret", "application_credential")?,
        },
        _ => return Err(Error::UnsupportedMethod),
    })
}

fn method_name(method: &str) -> &'static str {
    if method == "totp" { "totp" } else { "password" }
}

fn user_name(value: &Value) -> Result<UserName, Error> {
    serde_json::from_value(value.clone())
        .map_err(|error| Error::invalid(format!("Invalid input for field 'user': {error}")))
}

/// The body of a token. Only a token with a scope has a catalog.
pub(super) async fn token_view(
    keystone: &Keystone,
    token: &Token,
    base_url: &str,
    with_catalog: bool,
) -> Result<Value, Error> {
    let payload = &token.payload;
    let mut view = json!({
        "methods": method_names(&payload.methods),
        "user": {
            "domain": {"id": token.user_domain.id, "name": token.user_domain.name},
            "id": token.user.id,
            "name": token.user.name,
            "password_expires_at": token.user.password_expires_at().map(|at| at.micros()),
        },
        "audit_ids": payload.audit_ids,
        "expires_at": payload.expires_at.micros_z(),
        "issued_at": payload.issued_at.micros_z(),
    });
    match &token.scope {
        Scope::Unscoped => return Ok(json!({"token": view})),
        Scope::Project { id, name, domain } => {
            let domain = json!({"id": domain.id, "name": domain.name});
            view["project"] = json!({"domain": domain, "id": id, "name": name});
            view["is_domain"] = json!(false);
        }
        Scope::Domain(domain) => view["domain"] = json!({"id": domain.id, "name": domain.name}),
        Scope::System => view["system"] = json!({"all": true}),
    }
    let role = |role: &crate::model::role::RoleRef| json!({"id": role.id, "name": role.name});
    view["roles"] = token.roles.iter().map(role).collect();
    if with_catalog {
        let project = match &token.scope {
            Scope::Project { id, .. } => Some(&**id),
            Scope::Unscoped | Scope::Domain(_) | Scope::System => None,
        };
        let services = keystone.catalog().await?;
        view["catalog"] = catalog_view(&services, base_url, &token.user.id, project);
    }
    if let Some(trust) = &token.trust {
        view["OS-TRUST:trust"] = json!({
            "id": trust.id,
            "impersonation": trust.impersonation,
            "trustee_user": {"id": trust.trustee_user_id},
            "trustor_user": {"id": trust.trustor_user_id},
        });
    }
    if let Some(credential) = &token.application_credential {
        view["application_credential"] = json!({
            "id": credential.id,
            "name": credential.name,
            "restricted": !credential.unrestricted,
        });
    }
    Ok(json!({"token": view}))
}

/// The catalog for a token: endpoints that need a project it has not are left out.
fn catalog_view(
    services: &[(Service, Vec<Endpoint>)],
    base_url: &str,
    user: &str,
    project: Option<&str>,
) -> Value {
    let endpoint = |endpoint: &Endpoint| {
        let url = endpoint.rendered(base_url, user, project)?;
        Some(json!({
            "id": endpoint.id,
            "interface": endpoint.interface,
            "region_id": endpoint.region_id,
            "region": endpoint.region_id,
            "url": url,
        }))
    };
    let service = |(service, endpoints): &(Service, Vec<Endpoint>)| {
        let endpoints: Vec<Value> = endpoints.iter().filter_map(endpoint).collect();
        let name = service.extra.get("name").cloned().unwrap_or_else(|| json!(""));
        json!({"endpoints": endpoints, "id": service.id, "type": service.kind, "name": name})
    };
    services.iter().map(service).collect()
}

/// For the tokens of signed requests, which show no text.
pub(super) async fn signed_view(
    keystone: &Keystone,
    token: &Token,
    cx: &Ctx,
) -> Result<Json<Value>, Error> {
    token_view(keystone, token, &cx.base_url, true).await.map(Json)
}
