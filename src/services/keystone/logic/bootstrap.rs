//! Day one: the domain, the projects, users, roles and endpoints that every script expects.
//!
//! Run at every start. What is there stays as it is, passwords included; what is missing is made.

use serde_json::json;
use stackup_core::{ProjectId, UserId, ids};
use stackup_store::{Reader, Tx};
use stackup_web::BootError;

use crate::error::Error;
use crate::model::Extra;
use crate::model::assignment::{ActorKind, Assignment, SYSTEM, TargetKind};
use crate::model::catalog::{Endpoint, Interface, Region, Service};
use crate::model::group::Group;
use crate::model::project::Project;
use crate::model::role::Role;
use crate::model::user::{Password, User};
use crate::store::{Where, assignments, catalog, groups, projects, roles, users};
use crate::{CatalogEntry, Keystone};

const DOMAIN: &str = "default";

/// Name, and whether it is protected against changes.
const ROLES: &[(&str, bool)] = &[
    ("admin", true),
    ("manager", true),
    ("member", true),
    ("reader", true),
    ("service", true),
    ("ResellerAdmin", false),
    ("anotherrole", false),
];
/// Prior and implied.
const IMPLIED: &[(&str, &str)] =
    &[("admin", "manager"), ("manager", "member"), ("member", "reader")];
const PROJECTS: &[(&str, &str)] = &[
    ("admin", "Bootstrap project for initializing the cloud."),
    ("demo", ""),
    ("alt_demo", ""),
    ("invisible_to_admin", ""),
    ("service", ""),
];
const USERS: &[(&str, Option<&str>)] = &[
    ("admin", None),
    ("demo", Some("demo@example.com")),
    ("demo_reader", Some("demo_reader@example.com")),
    ("alt_demo", Some("alt_demo@example.com")),
    ("alt_demo_member", Some("alt_demo_member@example.com")),
    ("alt_demo_reader", Some("alt_demo_reader@example.com")),
    ("system_member", Some("system_member@example.com")),
    ("system_reader", Some("system_reader@example.com")),
];
/// The users of services that are there on every cloud; others come with their catalog entry.
const SERVICE_USERS: &[(&str, &[&str])] = &[
    ("nova", &["service", "admin"]),
    ("glance", &["service", "admin"]),
    ("cinder", &["service"]),
    ("neutron", &["service"]),
    ("placement", &["service", "admin"]),
];
const GROUPS: &[(&str, &str)] =
    &[("admins", "openstack admin group"), ("nonadmins", "non-admin group")];

/// Actor, role, and where.
type Seed = (&'static str, &'static str, Place);

#[derive(Clone, Copy)]
enum Place {
    Project(&'static str),
    Domain,
    System,
}

const USER_GRANTS: &[Seed] = &[
    ("admin", "admin", Place::Project("admin")),
    ("admin", "admin", Place::Project("demo")),
    ("admin", "admin", Place::Domain),
    ("admin", "admin", Place::System),
    ("demo", "member", Place::Project("demo")),
    ("demo", "anotherrole", Place::Project("demo")),
    ("demo", "member", Place::Project("invisible_to_admin")),
    ("demo_reader", "reader", Place::Project("demo")),
    ("alt_demo", "admin", Place::Project("alt_demo")),
    ("alt_demo", "anotherrole", Place::Project("alt_demo")),
    ("alt_demo_member", "member", Place::Project("alt_demo")),
    ("alt_demo_reader", "reader", Place::Project("alt_demo")),
    ("system_member", "member", Place::System),
    ("system_reader", "reader", Place::System),
];
const GROUP_GRANTS: &[Seed] = &[
    ("admins", "admin", Place::Project("admin")),
    ("nonadmins", "member", Place::Project("demo")),
    ("nonadmins", "anotherrole", Place::Project("demo")),
    ("nonadmins", "member", Place::Project("alt_demo")),
    ("nonadmins", "anotherrole", Place::Project("alt_demo")),
];

/// The passwords at rest, of users and of services; none when every user is there.
type Hashes = Option<(Password, Password)>;

pub(crate) async fn run(keystone: &Keystone) -> Result<(), BootError> {
    seed(keystone).await.map_err(|error| {
        let fault = error.fault();
        BootError::from(fault.cause.unwrap_or(fault.message))
    })
}

async fn seed(keystone: &Keystone) -> Result<(), Error> {
    let services = service_users(&keystone.config.catalog);
    let wanted: Vec<String> =
        USERS.iter().map(|(name, _)| (*name).to_owned()).chain(names(&services)).collect();
    let complete = keystone.read(move |r| all_there(r, &wanted)).await?;
    // One hash for all: it costs a quarter of a second.
    let hashes = if complete {
        None
    } else {
        let config = &keystone.config;
        Some(tokio::try_join!(
            keystone.new_password(config.admin_password.expose(), false),
            keystone.new_password(config.service_password.expose(), false),
        )?)
    };
    let (entries, region) = (keystone.config.catalog.clone(), keystone.config.region.clone());
    keystone
        .write(move |tx| {
            seed_domain(tx)?;
            seed_roles(tx)?;
            seed_users(tx, &hashes, &services)?;
            seed_grants(tx, &services)?;
            seed_catalog(tx, &region, &entries)
        })
        .await
}

/// The service users of this cloud, with their roles.
fn service_users(entries: &[CatalogEntry]) -> Vec<(String, Vec<&'static str>)> {
    let mut all: Vec<(String, Vec<&'static str>)> =
        SERVICE_USERS.iter().map(|(name, roles)| ((*name).to_owned(), roles.to_vec())).collect();
    for entry in entries {
        let known = all.iter().any(|(name, _)| *name == entry.name);
        if !known && !matches!(entry.name.as_str(), "keystone" | "nova_legacy" | "s3") {
            all.push((entry.name.clone(), vec!["service", "admin"]));
        }
    }
    all
}

fn names(services: &[(String, Vec<&'static str>)]) -> Vec<String> {
    services.iter().map(|(name, _)| name.clone()).collect()
}

fn all_there(r: &Reader<'_>, wanted: &[String]) -> Result<bool, Error> {
    for name in wanted {
        if users::named(r, DOMAIN, name)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The id that a seeded thing always has, so that two clouds agree.
fn seeded_id(kind: &str, name: &str) -> String {
    ids::named(&format!("{kind}.{name}")).replace('-', "")
}

fn seed_domain(tx: &mut Tx<'_>) -> Result<(), Error> {
    if projects::get(tx, DOMAIN)?.is_none() {
        projects::insert(tx, &project(DOMAIN.into(), "Default", "The default domain", None))?;
    }
    for (name, description) in PROJECTS {
        if projects::named(tx, DOMAIN, name)?.is_none() {
            let id = seeded_id("project", name).into();
            projects::insert(tx, &project(id, name, description, Some(DOMAIN)))?;
        }
    }
    Ok(())
}

fn project(id: ProjectId, name: &str, description: &str, domain: Option<&str>) -> Project {
    Project {
        id,
        name: name.to_owned(),
        domain_id: domain.map(Into::into),
        parent_id: domain.map(Into::into),
        is_domain: domain.is_none(),
        enabled: true,
        description: Some(description.to_owned()),
        options: Extra::new(),
        extra: Extra::new(),
        revoked_before: None,
        tags: Vec::new(),
    }
}

fn seed_roles(tx: &mut Tx<'_>) -> Result<(), Error> {
    for (name, immutable) in ROLES {
        if roles::named(tx, name)?.is_some() {
            continue;
        }
        let mut options = Extra::new();
        if *immutable {
            options.insert("immutable".to_owned(), json!(true));
        }
        let role = Role {
            id: seeded_id("role", name),
            name: (*name).to_owned(),
            domain_id: None,
            description: None,
            options,
            extra: Extra::new(),
        };
        roles::insert(tx, &role)?;
    }
    for (prior, implied) in IMPLIED {
        roles::imply(tx, &role_id(tx, prior)?, &role_id(tx, implied)?)?;
    }
    Ok(())
}

fn role_id(r: &Reader<'_>, name: &str) -> Result<String, Error> {
    let found = roles::named(r, name)?;
    found.map(|role| role.id).ok_or_else(|| Error::not_found("role", name))
}

fn seed_users(
    tx: &mut Tx<'_>,
    hashes: &Hashes,
    services: &[(String, Vec<&'static str>)],
) -> Result<(), Error> {
    let Some((own, service)) = hashes else {
        return Ok(());
    };
    for (name, email) in USERS {
        seed_user(tx, name, *email, own)?;
    }
    for (name, _) in services {
        seed_user(tx, name, None, service)?;
    }
    for (name, description) in GROUPS {
        let condition = Where::new().eq("domain_id", DOMAIN).eq("name", name);
        if groups::list(tx, &condition)?.is_empty() {
            let group = Group {
                id: seeded_id("group", name),
                name: (*name).to_owned(),
                domain_id: DOMAIN.into(),
                description: Some((*description).to_owned()),
                extra: Extra::new(),
            };
            groups::insert(tx, &group)?;
        }
    }
    Ok(())
}

fn seed_user(
    tx: &mut Tx<'_>,
    name: &str,
    email: Option<&str>,
    password: &Password,
) -> Result<(), Error> {
    if users::named(tx, DOMAIN, name)?.is_some() {
        return Ok(());
    }
    let email = email.map(|email| ("email".to_owned(), json!(email)));
    let user = User {
        id: UserId::from(seeded_id("user", name)),
        name: name.to_owned(),
        domain_id: DOMAIN.into(),
        enabled: true,
        default_project_id: None,
        options: Extra::new(),
        extra: email.into_iter().collect(),
        revoked_before: None,
        failed_count: 0,
        failed_at: None,
        password: Some(Password { id: ids::hex(), ..password.clone() }),
    };
    Ok(users::insert(tx, &user)?)
}

/// Makes the assignments of those who are there; somebody may have deleted a seeded user.
fn seed_grants(tx: &mut Tx<'_>, services: &[(String, Vec<&'static str>)]) -> Result<(), Error> {
    for (user, role, place) in USER_GRANTS {
        let id = users::named(tx, DOMAIN, user)?.map(|user| user.id.to_string());
        grant(tx, ActorKind::User, id, role, *place)?;
    }
    for (group, role, place) in GROUP_GRANTS {
        let condition = Where::new().eq("domain_id", DOMAIN).eq("name", group);
        let id = groups::list(tx, &condition)?.pop().map(|group| group.id);
        grant(tx, ActorKind::Group, id, role, *place)?;
    }
    for (user, own) in services {
        let id = users::named(tx, DOMAIN, user)?.map(|user| user.id.to_string());
        for role in own {
            grant(tx, ActorKind::User, id.clone(), role, Place::Project("service"))?;
        }
    }
    Ok(())
}

fn grant(
    tx: &mut Tx<'_>,
    actor_kind: ActorKind,
    actor: Option<String>,
    role: &str,
    place: Place,
) -> Result<(), Error> {
    let target = match place {
        Place::System => Some((TargetKind::System, SYSTEM.to_owned())),
        Place::Domain => Some((TargetKind::Domain, DOMAIN.to_owned())),
        Place::Project(name) => {
            let project = projects::named(tx, DOMAIN, name)?;
            project.map(|project| (TargetKind::Project, project.id.into()))
        }
    };
    let (Some(actor_id), Some((target_kind, target_id))) = (actor, target) else {
        return Ok(());
    };
    let assignment = Assignment {
        actor_kind,
        actor_id,
        target_kind,
        target_id,
        role_id: role_id(tx, role)?,
        inherited: false,
    };
    Ok(assignments::insert(tx, &assignment)?)
}

fn seed_catalog(tx: &mut Tx<'_>, region: &str, entries: &[CatalogEntry]) -> Result<(), Error> {
    if catalog::region(tx, region)?.is_none() {
        let region = Region {
            id: region.to_owned(),
            parent_id: None,
            description: String::new(),
            extra: Extra::new(),
        };
        catalog::insert_region(tx, &region)?;
    }
    for entry in entries {
        let service = seed_service(tx, entry)?;
        seed_endpoint(tx, region, &service, &entry.url)?;
    }
    Ok(())
}

/// The service of an entry: the one with its type and name.
fn seed_service(tx: &mut Tx<'_>, entry: &CatalogEntry) -> Result<Service, Error> {
    let found = catalog::services(tx, &Where::new().eq("type", &entry.kind))?;
    let named = |service: &Service| service.extra.get("name") == Some(&json!(entry.name));
    if let Some(service) = found.into_iter().find(named) {
        return Ok(service);
    }
    let service = Service {
        id: seeded_id("service", &format!("{}.{}", entry.kind, entry.name)),
        kind: entry.kind.clone(),
        enabled: true,
        extra: [("name".to_owned(), json!(entry.name))].into_iter().collect(),
    };
    catalog::insert_service(tx, &service)?;
    Ok(service)
}

/// The public endpoint of a seeded service. One that somebody has written over stays; one that was
/// seeded follows the composition.
fn seed_endpoint(tx: &mut Tx<'_>, region: &str, service: &Service, url: &str) -> Result<(), Error> {
    let condition = Where::new()
        .eq("service_id", &service.id)
        .eq("interface", Interface::Public)
        .eq("region_id", region);
    match catalog::endpoints(tx, &condition)?.into_iter().next() {
        Some(mut endpoint) if endpoint.url.starts_with('/') && endpoint.url != url => {
            endpoint.url = url.to_owned();
            catalog::update_endpoint(tx, &endpoint)?;
        }
        Some(_) => {}
        None => {
            let endpoint = Endpoint {
                id: seeded_id("endpoint", &format!("{}.{region}", service.id)),
                service_id: service.id.clone(),
                region_id: Some(region.to_owned()),
                interface: Interface::Public,
                url: url.to_owned(),
                enabled: true,
                extra: Extra::new(),
            };
            catalog::insert_endpoint(tx, &endpoint)?;
        }
    }
    Ok(())
}
