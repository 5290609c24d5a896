//! HTTP and nothing else: the table of routes, request and view types, short handlers.

mod image_data;
mod images;
mod import;
mod info;
mod members;
mod schemas;
mod tasks;
mod versions;

use stackup_web::{Access, Route, delete, get, patch, post, put};

use crate::Glance;

const IMAGE: &str = "/v2/images/{image_id}";
const MEMBER: &str = "/v2/images/{image_id}/members/{member_id}";
const TAG: &str = "/v2/images/{image_id}/tags/{tag}";

/// The table. Rules that ask for more than the caller's own project – an owner, a member, places of
/// data – are checked when the thing is known.
pub(crate) fn routes() -> Vec<Route<Glance>> {
    let mut routes = vec![
        get("/", Access::Open, versions::choices),
        get("/versions", Access::Open, versions::list),
        get("/versions/", Access::Open, versions::list),
        get("/v2/images", "get_images", images::list),
        post("/v2/images", Access::Token, images::create),
        get(IMAGE, "get_image", images::show),
        patch(IMAGE, "modify_image", images::update),
        delete(IMAGE, "delete_image", images::delete),
        get("/v2/images/{image_id}/file", "download_image", image_data::download),
        put("/v2/images/{image_id}/file", "upload_image", image_data::upload),
        put("/v2/images/{image_id}/stage", "modify_image", image_data::stage),
        post("/v2/images/{image_id}/import", "modify_image", import::begin),
        get("/v2/images/{image_id}/tasks", "get_image", tasks::of_image),
        post("/v2/images/{image_id}/actions/deactivate", "deactivate", images::deactivate),
        post("/v2/images/{image_id}/actions/reactivate", "reactivate", images::reactivate),
        put(TAG, "modify_image", images::add_tag),
        delete(TAG, "modify_image", images::remove_tag),
        get("/v2/images/{image_id}/members", Access::Token, members::list),
        post("/v2/images/{image_id}/members", Access::Token, members::create),
        get(MEMBER, Access::Token, members::show),
        put(MEMBER, Access::Token, members::update),
        delete(MEMBER, Access::Token, members::delete),
        get("/v2/images/{image_id}/locations", Access::Token, image_data::locations),
        post("/v2/images/{image_id}/locations", Access::Token, image_data::add_location),
        delete("/v2/stores/{store_id}/{image_id}", Access::Token, image_data::remove_from_store),
        get("/v2/info/import", Access::Token, info::import),
        get("/v2/info/stores", Access::Token, info::stores),
        get("/v2/info/stores/detail", "stores_info_detail", info::stores_detail),
        get("/v2/info/usage", Access::Token, info::usage),
        get("/v2/tasks", "tasks_api_access", tasks::list),
        post("/v2/tasks", "tasks_api_access", tasks::create),
        get("/v2/tasks/{task_id}", "tasks_api_access", tasks::show),
        delete("/v2/tasks/{task_id}", "tasks_api_access", tasks::delete),
    ];
    routes.extend(schemas::routes());
    routes
}
