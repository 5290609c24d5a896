//! Every statement runs on every engine that is offered.

use std::collections::BTreeMap;

use stackup_core::{Ctx, Direction, Reach, SortKey, Time};
use stackup_store::{StoreError, Tx};

use super::*;
use crate::model::action::ActionEvent;
use crate::model::aggregate::Aggregate;
use crate::model::flavor::{self, Flavor};
use crate::model::group::{Policy, Rules, ServerGroup};
use crate::model::keypair::{KeyKind, Keypair};
use crate::model::migration::{Migration, MigrationKind, MigrationStatus};
use crate::model::server::sample;

#[test]
fn the_schema_is_the_sum_of_its_migrations() {
    let steps: String = MIGRATIONS.iter().map(|step| step.sql).collect();
    assert_eq!(steps, include_str!("../schema.sql"));
}

#[tokio::test]
async fn statements_run() {
    let dir = tempfile::tempdir().unwrap();
    let engines = stackup_store::testing::engines(dir.path(), MIGRATIONS).await;
    for db in engines.unwrap() {
        db.write(servers_and_their_log).await.unwrap();
        db.write(flavors_and_keys).await.unwrap();
        db.write(groups_and_quotas).await.unwrap();
        db.write(hosts).await.unwrap();
    }
}

fn now() -> Time {
    Time::from_unix(1_700_000_000)
}

fn servers_and_their_log(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let mut server = sample("s1");
    server.files = Some(crate::drivers::GuestFiles::default());
    server.row = servers::next_row(tx)?;
    servers::insert(tx, &server)?;
    servers::save(tx, &server)?;
    assert!(servers::get(tx, &Reach::All, "s1", true)?.is_some());
    assert_eq!(servers::usage(tx, "p")?.instances, 1);
    assert_eq!(servers::usage_of_host(tx, "h1")?.ram, 192);
    assert_eq!(servers::present(tx)?.len(), 1);
    let filter = servers::Filter {
        project: Some("p".into()),
        deleted: Some(false),
        vm_states: Some(vec![server.vm_state]),
        host: Some("h1".into()),
        user: Some("u".into()),
        flavor: Some("42".into()),
        reservation: Some(server.reservation_id.clone()),
        ids: Some(vec!["s1".into()]),
        changes_since: Some(now()),
        changes_before: Some(now()),
        ..servers::Filter::default()
    };
    assert_eq!(servers::all(tx, &filter)?.len(), 1);
    for key in ["display_name", "host", "key_name", "power_state", "terminated_at"] {
        for direction in [Direction::Ascending, Direction::Descending] {
            let sort = [SortKey { key: key.into(), direction }];
            let keyset = servers::keyset(&sort, Some(&server))?;
            assert!(servers::list(tx, &filter, &keyset, 10)?.is_empty(), "{key}");
        }
    }
    let cx = Ctx::task("nova", now());
    let row = actions::begin(tx, &cx, &server.id, "create", now())?;
    let event = ActionEvent {
        event: "e".into(),
        started_at: now().micros_z(),
        finished_at: None,
        result: Some("Error".into()),
        traceback: None,
        details: None,
        host: None,
    };
    actions::add_event(tx, row, &event, now())?;
    let found = actions::by_request(tx, "s1", &cx.request_id)?.unwrap();
    assert_eq!((found.events.len(), found.message.as_deref()), (1, Some("Error")));
    let filter = actions::Filter {
        since: Some(now()),
        before: Some(now()),
        below: Some(row + 1),
        limit: Some(5),
    };
    assert_eq!(actions::list(tx, "s1", &filter)?.len(), 1);
    assert!(actions::last(tx, "s1")?.is_some());
    migrations_of(tx)
}

fn migrations_of(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let migration = Migration {
        row: 0,
        uuid: "m".into(),
        server_id: "s1".into(),
        kind: MigrationKind::Resize,
        status: MigrationStatus::Migrating,
        source: "h1".into(),
        target: "h2".into(),
        old_flavor: "1".into(),
        new_flavor: "2".into(),
        project_id: "p".into(),
        user_id: "u".into(),
        created_at: now(),
        updated_at: None,
    };
    migrations::insert(tx, &migration)?;
    migrations::set_status(tx, "m", MigrationStatus::Confirmed, now())?;
    assert_eq!(migrations::get(tx, "m")?.unwrap().status, MigrationStatus::Confirmed);
    let filter = migrations::Filter {
        project: Some("p".into()),
        server: Some("s1".into()),
        status: Some("confirmed".into()),
        kind: Some("resize".into()),
        host: Some("h2".into()),
        user: Some("u".into()),
        since: Some(now()),
        before: Some(now()),
        below: Some(99),
        limit: 5,
    };
    assert_eq!(migrations::list(tx, &filter)?.len(), 1);
    Ok(())
}

fn flavors_and_keys(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let flavor = Flavor {
        row: 0,
        size: flavor::sample(),
        rxtx_factor: 1.0,
        public: false,
        description: None,
        created_at: now(),
        updated_at: None,
    };
    flavors::insert(tx, &flavor)?;
    flavors::grant(tx, "42", "p")?;
    flavors::describe(tx, "42", Some("d"), now())?;
    flavors::set_specs(tx, "42", &BTreeMap::from([("a".into(), "b".into())]), now())?;
    let usable = |project: &str| flavors::Filter { public: None, usable_by: Some(project.into()) };
    assert_eq!(flavors::list(tx, &usable("p"))?.len(), 1);
    assert!(flavors::list(tx, &usable("q"))?.is_empty());
    let public = flavors::Filter { public: Some(true), usable_by: None };
    assert!(flavors::list(tx, &public)?.is_empty());
    assert_eq!(flavors::access(tx, "42")?, ["p"]);
    assert_eq!(flavors::by_name(tx, "m1.nano")?.unwrap().size.extra_specs["a"], "b");
    assert_eq!(flavors::revoke(tx, "42", "p")?, 1);
    assert_eq!(flavors::delete(tx, "42")?, 1);
    let key = Keypair {
        row: 0,
        user_id: "u".into(),
        name: "k".into(),
        kind: KeyKind::Ssh,
        public_key: "x".into(),
        fingerprint: "y".into(),
        created_at: now(),
    };
    keypairs::insert(tx, &key)?;
    assert!(keypairs::get(tx, "u", "k")?.is_some());
    assert_eq!(keypairs::list(tx, "u", "", usize::MAX)?.len(), 1);
    assert_eq!((keypairs::count(tx, "u")?, keypairs::delete(tx, "u", "k")?), (1, 1));
    Ok(())
}

fn groups_and_quotas(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let group = ServerGroup {
        row: 0,
        id: "g".into(),
        project_id: "p".into(),
        user_id: "u".into(),
        name: "g".into(),
        policy: Policy::AntiAffinity,
        rules: Rules { max_server_per_host: Some(2) },
        created_at: now(),
        members: Vec::new(),
    };
    groups::insert(tx, &group)?;
    groups::add(tx, "g", &"s1".into())?;
    assert_eq!(groups::get(tx, Some("p"), "g")?.unwrap().members.len(), 1);
    assert_eq!(groups::of_server(tx, "s1")?.unwrap().rules, group.rules);
    assert_eq!(groups::list(tx, None, usize::MAX, 0)?.len(), 1);
    assert!(groups::list(tx, Some("q"), 1, 0)?.is_empty());
    groups::remove(tx, &"s1".into())?;
    assert_eq!((groups::count(tx, "p")?, groups::delete(tx, "g")?), (1, 1));
    for limit in [5, 6] {
        quotas::set(tx, "p", "cores", limit)?;
        quotas::set_class(tx, "default", "ram", limit)?;
    }
    assert_eq!(quotas::of_project(tx, "p")?["cores"], 6);
    assert_eq!(quotas::of_class(tx, "default")?["ram"], 6);
    quotas::clear(tx, "p")?;
    assert!(quotas::of_project(tx, "p")?.is_empty());
    Ok(())
}

fn hosts(tx: &mut Tx<'_>) -> Result<(), StoreError> {
    services::seen(tx, "nova-compute", "h1", now())?;
    services::seen(tx, "nova-compute", "h1", now())?;
    let mut service = services::list(tx)?.remove(0);
    service.disabled = true;
    services::save(tx, &service)?;
    assert!(services::list(tx)?[0].disabled);
    assert_eq!(services::delete(tx, &service.id)?, 1);
    let aggregate = Aggregate {
        row: 0,
        uuid: "a".into(),
        name: "a".into(),
        metadata: BTreeMap::new(),
        hosts: vec!["h1".into()],
        created_at: now(),
        updated_at: None,
    };
    let mut aggregate = aggregates::insert(tx, &aggregate)?;
    aggregate.name = "b".into();
    aggregates::save(tx, &aggregate)?;
    assert_eq!(aggregates::get(tx, aggregate.row)?.unwrap().name, "b");
    assert_eq!(aggregates::list(tx)?.len(), 1);
    assert_eq!(aggregates::delete(tx, aggregate.row)?, 1);
    facts::set(tx, "boot", "1")?;
    facts::set(tx, "boot", "2")?;
    assert_eq!(facts::get(tx, "boot")?.as_deref(), Some("2"));
    Ok(())
}
