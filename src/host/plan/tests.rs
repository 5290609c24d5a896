//! Plans as text, one a kind of machine, and what is found to be in the way.

use std::fs;
use std::path::Path;

use stackup_flow::Step;
use stackup_profile::resolve;

use super::*;
use crate::facts::{Link, Listener, Route};

fn facts(name: &str) -> Facts {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{name}.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn profile(sets: &[&str]) -> Profile {
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    resolve("test", "", &sets).unwrap().profile
}

fn inputs() -> Inputs {
    Inputs {
        program: PathBuf::from("/usr/local/bin/stackup"),
        credentials: "{}".to_owned(),
        password: "secret".to_owned(),
        auth_url: "http://127.0.0.1/identity".to_owned(),
        ports: vec![80],
    }
}

fn text_of(plan: &Plan) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let described = step.describe();
        text.push_str(&format!(
            "+ {}\n  {}\n  undo: {}\n",
            step.name(),
            described.change,
            described.inverse
        ));
    }
    for note in &plan.notes {
        text.push_str(&format!("! {} {}\n", note.id, note.text));
    }
    text
}

/// Compares with the golden file; a new text is left beside it as `.new`.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/plan-{name}.txt"));
    let known = fs::read_to_string(&path).unwrap_or_default();
    let new = path.with_extension("txt.new");
    if known == text {
        drop(fs::remove_file(new));
        return;
    }
    stackup_system::files::write_atomic(&new, text.as_bytes(), 0o644).unwrap();
    panic!("the plan for {name} changed: compare {} with the golden file", new.display());
}

#[test]
fn the_plan_of_each_kind_of_machine() {
    for name in ["debian-12", "debian-13", "ubuntu-24.04", "container"] {
        let plan = plan(&profile(&[]), &facts(name), &inputs()).unwrap();
        golden(name, &text_of(&plan));
    }
}

#[test]
fn a_cloud_of_pretended_guests_leaves_the_networks_alone() {
    let plan = plan(&profile(&["compute.driver=fake"]), &facts("debian-12"), &inputs()).unwrap();
    let names: Vec<String> = plan.steps.iter().map(Step::name).collect();
    assert!(
        !names.iter().any(|name| name.starts_with("bridge") || name == "packages"),
        "{names:?}"
    );
    assert!(names.iter().any(|name| name == "service:stackup"));
}

#[test]
fn every_step_comes_back_from_the_ledger_as_it_was() {
    let plan = plan(&profile(&[]), &facts("debian-12"), &inputs()).unwrap();
    for step in &plan.steps {
        let again: AnyStep = serde_json::from_value(step.params()).unwrap();
        assert_eq!(again.name(), step.name());
        assert_eq!(again.params(), step.params());
    }
}

#[test]
fn the_passwords_are_not_in_the_ledger() {
    let mut inputs = inputs();
    inputs.password = "hunter2".to_owned();
    inputs.credentials = "{\"password\": \"hunter2\"}".to_owned();
    let plan = plan(&profile(&["password=hunter2"]), &facts("debian-12"), &inputs).unwrap();
    for step in &plan.steps {
        assert!(!step.params().to_string().contains("hunter2"), "{}", step.name());
    }
}

fn problems(sets: &[&str], change: impl FnOnce(&mut Facts)) -> Vec<(&'static str, Kind)> {
    let mut facts = facts("debian-12");
    change(&mut facts);
    match plan(&profile(sets), &facts, &inputs()) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert!(error.0.iter().all(|problem| !problem.hint.is_empty()));
            error.0.iter().map(|problem| (problem.id, problem.kind)).collect()
        }
    }
}

fn link(name: &str, alias: Option<&str>) -> Link {
    let alias = alias.map(str::to_owned);
    Link { name: name.to_owned(), kind: "bridge".to_owned(), alias, addresses: Vec::new() }
}

#[test]
fn what_is_in_the_way_is_found_before_anything_is_changed() {
    let conflict = |id| vec![(id, Kind::Conflict)];
    assert_eq!(problems(&[], |f| f.root = false), [("STK-PERM-001", Kind::Permission)]);
    assert_eq!(problems(&[], |f| f.state = StateDir::Foreign), conflict("STK-STATE-002"));
    assert_eq!(problems(&[], |f| f.links.push(link("br-ex", None))), conflict("STK-NET-001"));
    assert_eq!(problems(&[], |f| f.free_mib = 100), [("STK-RES-002", Kind::Resources)]);
    assert_eq!(problems(&[], |f| f.memory_mib = 500), [("STK-RES-001", Kind::Resources)]);
    let vpn = Route {
        destination: "172.16.0.0/12".parse().unwrap(),
        device: "tun0".to_owned(),
        gateway: None,
    };
    assert_eq!(problems(&[], |f| f.routes.push(vpn)), conflict("STK-NET-002"));
    let group = crate::facts::VolumeGroup {
        name: "stack-volumes-lvmdriver-1".to_owned(),
        tags: Vec::new(),
    };
    assert_eq!(problems(&[], |f| f.volume_groups.push(group)), conflict("STK-VOL-001"));
    let web =
        Listener { address: "0.0.0.0".parse().unwrap(), port: 80, program: None, ours: false };
    assert_eq!(problems(&[], |f| f.listeners.push(web)), conflict("STK-PORT-001"));
    assert_eq!(problems(&["listen.address=198.51.100.1"], |_| {}), conflict("STK-PORT-002"));
    assert_eq!(
        problems(&["volumes.backend=lvm"], |f| f.device_mapper = false),
        [("STK-VOL-004", Kind::Preflight)]
    );
    assert_eq!(
        problems(&[], |f| f.distro.id = "arch".to_owned()),
        [("STK-OS-001", Kind::Preflight)]
    );
    assert_eq!(problems(&["ephemeral=true"], |_| {}), [("STK-PROFILE-006", Kind::Usage)]);
}

#[test]
fn what_is_ours_is_not_in_the_way() {
    let found = problems(&[], |facts| {
        facts.state = StateDir::Ours;
        facts.links.push(link("br-ex", Some("stackup")));
        facts.routes.push(Route {
            destination: "172.24.4.0/24".parse().unwrap(),
            device: "br-ex".to_owned(),
            gateway: None,
        });
        facts.volume_groups.push(crate::facts::VolumeGroup {
            name: "stack-volumes-lvmdriver-1".to_owned(),
            tags: vec!["stackup".to_owned()],
        });
        let address = "127.0.0.1".parse().unwrap();
        facts.listeners.push(Listener { address, port: 80, program: None, ours: true });
    });
    assert_eq!(found, []);
}

#[test]
fn the_most_basic_problem_gives_the_exit_code() {
    let mut facts = facts("debian-12");
    facts.root = false;
    facts.links.push(link("br-ex", None));
    let error = plan(&profile(&[]), &facts, &inputs()).unwrap_err();
    assert_eq!((error.0.len(), error.kind()), (2, Kind::Permission));
}
