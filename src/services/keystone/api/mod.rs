//! HTTP and nothing else: the table.
//!
//! Rules that ask about the thing itself (its domain, its owner) are checked in `logic`, where it
//! is known; their rows say [`Access::Token`]. The others are checked before the handler.

mod application_credentials;
mod assignments;
mod auth;
mod catalog;
mod credentials;
mod domains;
mod ec2;
mod fields;
mod grants;
mod groups;
mod limits;
mod list;
mod policies;
mod projects;
mod roles;
mod trusts;
mod users;
mod versions;

use stackup_web::context::Access::{Open, Token};
use stackup_web::{Route, delete, get, head, patch, post, put};

use crate::Keystone;

/// Every route.
pub(crate) fn routes() -> Vec<Route<Keystone>> {
    let mut all = Vec::new();
    all.extend(entry());
    all.extend(people());
    all.extend(roles_and_limits());
    all.extend(places());
    all.extend(grants::routes());
    all.extend(secrets());
    all
}

/// Versions and tokens.
fn entry() -> Vec<Route<Keystone>> {
    vec![
        get("/", Open, versions::list),
        get("/v3", Open, versions::show),
        post("/v3/auth/tokens", Open, auth::issue),
        get("/v3/auth/tokens", Token, auth::show),
        head("/v3/auth/tokens", Token, auth::check),
        delete("/v3/auth/tokens", Token, auth::revoke),
        get("/v3/auth/catalog", "identity:get_auth_catalog", auth::catalog),
        get("/v3/auth/projects", "identity:get_auth_projects", auth::projects),
        get("/v3/auth/domains", "identity:get_auth_domains", auth::domains),
        get("/v3/auth/system", "identity:get_auth_system", auth::system),
        post("/v3/ec2tokens", "identity:ec2tokens_validate", ec2::ec2tokens),
        post("/v3/s3tokens", "identity:s3tokens_validate", ec2::s3tokens),
    ]
}

/// Domains, projects, users and groups.
fn people() -> Vec<Route<Keystone>> {
    vec![
        get("/v3/domains", Token, domains::list),
        post("/v3/domains", Token, domains::create),
        get("/v3/domains/{id}", Token, domains::show),
        patch("/v3/domains/{id}", Token, domains::update),
        delete("/v3/domains/{id}", Token, domains::delete),
        get("/v3/projects", Token, projects::list),
        post("/v3/projects", Token, projects::create),
        get("/v3/projects/{id}", Token, projects::show),
        patch("/v3/projects/{id}", Token, projects::update),
        delete("/v3/projects/{id}", Token, projects::delete),
        get("/v3/projects/{id}/tags", Token, projects::list_tags),
        put("/v3/projects/{id}/tags", Token, projects::replace_tags),
        delete("/v3/projects/{id}/tags", Token, projects::clear_tags),
        get("/v3/projects/{id}/tags/{tag}", Token, projects::check_tag),
        put("/v3/projects/{id}/tags/{tag}", Token, projects::add_tag),
        delete("/v3/projects/{id}/tags/{tag}", Token, projects::remove_tag),
        get("/v3/users", Token, users::list),
        post("/v3/users", Token, users::create),
        get("/v3/users/{id}", Token, users::show),
        patch("/v3/users/{id}", Token, users::update),
        delete("/v3/users/{id}", Token, users::delete),
        post("/v3/users/{id}/password", Open, users::change_password),
        get("/v3/users/{id}/groups", Token, users::groups),
        get("/v3/users/{id}/projects", Token, users::projects),
        get("/v3/groups", Token, groups::list),
        post("/v3/groups", Token, groups::create),
        get("/v3/groups/{id}", Token, groups::show),
        patch("/v3/groups/{id}", Token, groups::update),
        delete("/v3/groups/{id}", Token, groups::delete),
        get("/v3/groups/{id}/users", Token, groups::members),
        get("/v3/groups/{id}/users/{user_id}", Token, groups::check_member),
        put("/v3/groups/{id}/users/{user_id}", Token, groups::add_member),
        delete("/v3/groups/{id}/users/{user_id}", Token, groups::remove_member),
    ]
}

/// Roles, what they imply, and limits. Grants have a table of their own.
fn roles_and_limits() -> Vec<Route<Keystone>> {
    const IMPLIES: &str = "/v3/roles/{id}/implies";
    const IMPLIED: &str = "/v3/roles/{id}/implies/{implied_id}";
    vec![
        get("/v3/roles", Token, roles::list),
        post("/v3/roles", Token, roles::create),
        get("/v3/roles/{id}", Token, roles::show),
        patch("/v3/roles/{id}", Token, roles::update),
        delete("/v3/roles/{id}", Token, roles::delete),
        get(IMPLIES, "identity:list_implied_roles", roles::list_implied),
        head(IMPLIED, "identity:check_implied_role", roles::check_implied),
        get(IMPLIED, "identity:get_implied_role", roles::show_implied),
        put(IMPLIED, "identity:create_implied_role", roles::imply),
        delete(IMPLIED, "identity:delete_implied_role", roles::unimply),
        get("/v3/role_inferences", "identity:list_role_inference_rules", roles::inferences),
        get("/v3/role_assignments", Token, assignments::list),
        get("/v3/limits", "identity:list_limits", limits::list),
        post("/v3/limits", "identity:create_limits", limits::create),
        get("/v3/limits/model", "identity:get_limit_model", limits::model),
        get("/v3/limits/{id}", Token, limits::show),
        patch("/v3/limits/{id}", "identity:update_limit", limits::update),
        delete("/v3/limits/{id}", "identity:delete_limit", limits::delete),
        get("/v3/registered_limits", "identity:list_registered_limits", limits::list_registered),
        post(
            "/v3/registered_limits",
            "identity:create_registered_limits",
            limits::create_registered,
        ),
        get("/v3/registered_limits/{id}", "identity:get_registered_limit", limits::show_registered),
        patch(
            "/v3/registered_limits/{id}",
            "identity:update_registered_limit",
            limits::update_registered,
        ),
        delete(
            "/v3/registered_limits/{id}",
            "identity:delete_registered_limit",
            limits::delete_registered,
        ),
    ]
}

/// Regions, services, endpoints; and policies.
fn places() -> Vec<Route<Keystone>> {
    vec![
        get("/v3/regions", "identity:list_regions", catalog::list_regions),
        post("/v3/regions", "identity:create_region", catalog::create_region),
        get("/v3/regions/{id}", "identity:get_region", catalog::show_region),
        put("/v3/regions/{id}", "identity:create_region", catalog::put_region),
        patch("/v3/regions/{id}", "identity:update_region", catalog::update_region),
        delete("/v3/regions/{id}", "identity:delete_region", catalog::delete_region),
        get("/v3/services", "identity:list_services", catalog::list_services),
        post("/v3/services", "identity:create_service", catalog::create_service),
        get("/v3/services/{id}", "identity:get_service", catalog::show_service),
        patch("/v3/services/{id}", "identity:update_service", catalog::update_service),
        delete("/v3/services/{id}", "identity:delete_service", catalog::delete_service),
        get("/v3/endpoints", "identity:list_endpoints", catalog::list_endpoints),
        post("/v3/endpoints", "identity:create_endpoint", catalog::create_endpoint),
        get("/v3/endpoints/{id}", "identity:get_endpoint", catalog::show_endpoint),
        patch("/v3/endpoints/{id}", "identity:update_endpoint", catalog::update_endpoint),
        delete("/v3/endpoints/{id}", "identity:delete_endpoint", catalog::delete_endpoint),
        get("/v3/policies", "identity:list_policies", policies::list),
        post("/v3/policies", "identity:create_policy", policies::create),
        get("/v3/policies/{id}", "identity:get_policy", policies::show),
        patch("/v3/policies/{id}", "identity:update_policy", policies::update),
        delete("/v3/policies/{id}", "identity:delete_policy", policies::delete),
    ]
}

/// Credentials of all kinds, and trusts.
fn secrets() -> Vec<Route<Keystone>> {
    const OF_USER: &str = "/v3/users/{id}/application_credentials";
    const ONE: &str = "/v3/users/{id}/application_credentials/{credential_id}";
    vec![
        get("/v3/OS-TRUST/trusts", Token, trusts::list),
        post("/v3/OS-TRUST/trusts", Token, trusts::create),
        get("/v3/OS-TRUST/trusts/{id}", Token, trusts::show),
        delete("/v3/OS-TRUST/trusts/{id}", Token, trusts::delete),
        get("/v3/OS-TRUST/trusts/{id}/roles", Token, trusts::list_roles),
        get("/v3/OS-TRUST/trusts/{id}/roles/{role_id}", Token, trusts::show_role),
        get("/v3/credentials", Token, credentials::list),
        post("/v3/credentials", Token, credentials::create),
        get("/v3/credentials/{id}", Token, credentials::show),
        patch("/v3/credentials/{id}", Token, credentials::update),
        delete("/v3/credentials/{id}", Token, credentials::delete),
        get("/v3/users/{id}/credentials/OS-EC2", Token, ec2::list),
        post("/v3/users/{id}/credentials/OS-EC2", Token, ec2::create),
        get("/v3/users/{id}/credentials/OS-EC2/{access}", Token, ec2::show),
        delete("/v3/users/{id}/credentials/OS-EC2/{access}", Token, ec2::delete),
        get(OF_USER, Token, application_credentials::list),
        post(OF_USER, Token, application_credentials::create),
        get(ONE, Token, application_credentials::show),
        delete(ONE, Token, application_credentials::delete),
        get("/v3/users/{id}/access_rules", Token, application_credentials::list_rules),
        get("/v3/users/{id}/access_rules/{rule_id}", Token, application_credentials::show_rule),
        delete(
            "/v3/users/{id}/access_rules/{rule_id}",
            Token,
            application_credentials::delete_rule,
        ),
    ]
}

/// Adds extra attributes to a view; none may replace one of its own.
fn add_extra(view: &mut serde_json::Value, extra: &crate::model::Extra) {
    if let serde_json::Value::Object(map) = view {
        for (key, value) in extra {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}
