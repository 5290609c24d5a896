//! `stackup clouds`: entries for clouds.yaml, under DevStack's names.

use clap::Args;
use serde_json::{Map, Value, json};

use super::Globals;
use crate::credentials::Credentials;
use crate::ui::{Printer, Problem};

#[derive(Debug, Args)]
pub struct CloudsArgs {}

pub fn run(globals: &Globals, printer: Printer, _: &CloudsArgs) -> Result<(), Problem> {
    let credentials = Credentials::read(&globals.state_dir)?;
    let data = entries(&credentials);
    printer.answer(stackup_profile::to_yaml(&data).trim_end(), &data);
    Ok(())
}

/// Cloud, user, and project; `None` is the system scope.
const CLOUDS: &[(&str, &str, Option<&str>)] = &[
    ("devstack", "demo", Some("demo")),
    ("devstack-admin", "admin", Some("admin")),
    ("devstack-admin-demo", "admin", Some("demo")),
    ("devstack-alt", "alt_demo", Some("alt_demo")),
    ("devstack-alt-member", "alt_demo_member", Some("alt_demo")),
    ("devstack-alt-reader", "alt_demo_reader", Some("alt_demo")),
    ("devstack-reader", "demo_reader", Some("demo")),
    ("devstack-system-admin", "admin", None),
    ("devstack-system-member", "system_member", None),
    ("devstack-system-reader", "system_reader", None),
];

/// The document: `{"clouds": {…}}`.
pub fn entries(credentials: &Credentials) -> Value {
    let clouds = CLOUDS.iter().map(|(name, user, project)| {
        let mut auth = json!({
            "auth_url": credentials.auth_url,
            "username": user,
            "user_domain_id": "default",
            "password": credentials.password,
        });
        match project {
            Some(project) => {
                auth["project_name"] = json!(project);
                auth["project_domain_id"] = json!("default");
            }
            None => auth["system_scope"] = json!("all"),
        }
        let cloud = json!({"region_name": credentials.region, "auth": auth});
        ((*name).to_owned(), cloud)
    });
    json!({"clouds": Value::Object(clouds.collect::<Map<_, _>>())})
}
