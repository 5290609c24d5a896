//! `/os-availability-zone`

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};
use stackup_web::Json;

use crate::logic::hosts;
use crate::{Error, Nova};

pub(super) async fn index(State(nova): State<Arc<Nova>>) -> Result<Json<Value>, Error> {
    let zones = hosts::zones(&nova).await?;
    let view = |(name, available): (&String, &bool)| json!({"zoneName": name, "zoneState": {"available": available}, "hosts": null});
    let views: Vec<Value> = zones.iter().map(view).collect();
    Ok(Json(json!({"availabilityZoneInfo": views})))
}

pub(super) async fn detail(State(nova): State<Arc<Nova>>) -> Result<Json<Value>, Error> {
    let mut zones: std::collections::BTreeMap<String, (bool, Value)> = Default::default();
    for (service, zone) in hosts::services(&nova).await? {
        let up = hosts::is_up(&nova, &service);
        let entry = zones.entry(zone).or_insert_with(|| (false, json!({})));
        entry.0 |= up && !service.disabled;
        entry.1[&service.host][&service.binary] = json!({
            "available": up,
            "active": !service.disabled,
            "updated_at": service.seen_at.micros(),
        });
    }
    let view = |(name, (available, hosts)): (&String, &(bool, Value))| json!({"zoneName": name, "zoneState": {"available": available}, "hosts": hosts});
    let views: Vec<Value> = zones.iter().map(view).collect();
    Ok(Json(json!({"availabilityZoneInfo": views})))
}
