//! JSON schemas: what clients may read about the shapes of things.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};
use stackup_web::{Access, Json, Route, get};

use crate::Glance;

/// The schemas that depend on no setting, as one document: name to schema.
const FIXED: &str = include_str!("schemas.json");

macro_rules! fixed {
    ($($path:literal $name:literal),* $(,)?) => {
        vec![$(get($path, Access::Token, || async { fixed($name) })),*]
    };
}

pub(super) fn routes() -> Vec<Route<Glance>> {
    let mut routes = fixed![
        "/v2/schemas/member" "member",
        "/v2/schemas/members" "members",
        "/v2/schemas/task" "task",
        "/v2/schemas/tasks" "tasks",
        "/v2/schemas/metadefs/namespace" "metadefs/namespace",
        "/v2/schemas/metadefs/namespaces" "metadefs/namespaces",
        "/v2/schemas/metadefs/object" "metadefs/object",
        "/v2/schemas/metadefs/objects" "metadefs/objects",
        "/v2/schemas/metadefs/property" "metadefs/property",
        "/v2/schemas/metadefs/properties" "metadefs/properties",
        "/v2/schemas/metadefs/resource_type" "metadefs/resource_type",
        "/v2/schemas/metadefs/resource_types" "metadefs/resource_types",
        "/v2/schemas/metadefs/tag" "metadefs/tag",
        "/v2/schemas/metadefs/tags" "metadefs/tags",
    ];
    routes.push(get("/v2/schemas/image", Access::Token, image));
    routes.push(get("/v2/schemas/images", Access::Token, images));
    routes
}

async fn image(State(glance): State<Arc<Glance>>) -> Json<Value> {
    Json(image_schema(&glance))
}

async fn images(State(glance): State<Arc<Glance>>) -> Json<Value> {
    Json(json!({
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": image_schema(&glance)},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }))
}

/// The formats are a setting; the rest is fixed.
fn image_schema(glance: &Glance) -> Value {
    let Json(mut schema) = fixed("image");
    for (name, words) in [
        ("disk_format", &glance.config.disk_formats),
        ("container_format", &glance.config.container_formats),
    ] {
        let null = std::iter::once(Value::Null);
        let words: Vec<Value> = null.chain(words.iter().map(|word| json!(word))).collect();
        schema["properties"][name]["enum"] = json!(words);
    }
    schema
}

fn fixed(name: &str) -> Json<Value> {
    let all: Value = serde_json::from_str(FIXED).unwrap_or_default();
    Json(all[name].clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixed_schema_is_there() {
        for path in routes().iter().map(|route| route.path) {
            let name = path.trim_start_matches("/v2/schemas/");
            let Json(schema) = fixed(if name == "images" { "image" } else { name });
            assert!(schema["properties"].is_object(), "{name}");
        }
    }
}
