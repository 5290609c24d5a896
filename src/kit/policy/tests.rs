use stackup_core::{DomainRef, Time};

use super::*;

const RULES: &[Rule] = &[
    rule("admin_api", "role:admin", &[]),
    rule("member", "role:member and project_id:%(project_id)s", &[]),
    rule("member_or_admin", "rule:member or rule:admin_api", &[ScopeKind::Project]),
    rule("shared", "field:networks:shared=True", &[]),
    rule("compute_port", "field:port:device_owner=~^compute:", &[]),
    rule("public", "'public':%(visibility)s and not role:reader", &[]),
    rule("system", "role:admin and system_scope:all", &[ScopeKind::System]),
    rule("global_role", "None:%(target.role.domain_id)s", &[]),
    rule("nested", "((role:a or role:b) and not (role:c))", &[]),
    rule("open", "", &[]),
    rule("shut", "!", &[]),
];

const fn rule(name: &'static str, check: &'static str, scopes: &'static [ScopeKind]) -> Rule {
    Rule { name, check, scopes, description: "" }
}

fn caller(scope: Scope, roles: &[&str]) -> Caller {
    Caller {
        user_id: "u".into(),
        user_name: "u".into(),
        user_domain: domain(),
        scope,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        expires_at: Time::from_unix(0),
        issued_at: Time::from_unix(0),
        audit_ids: Vec::new(),
        methods: Vec::new(),
        application_credential_id: None,
        unrestricted: true,
        trust_id: None,
    }
}

fn domain() -> DomainRef {
    DomainRef { id: "default".into(), name: "Default".into() }
}

fn in_project(roles: &[&str]) -> Caller {
    caller(Scope::Project { id: "p".into(), name: "p".into(), domain: domain() }, roles)
}

fn allows(caller: &Caller, rule: &str, target: &Target) -> bool {
    let policy = Policy::new(&[RULES], &BTreeMap::new()).unwrap();
    policy.check_caller(caller, rule, target).is_ok()
}

#[test]
fn roles_and_projects() {
    let own = Target::project("p");
    let foreign = Target::project("q");
    assert!(allows(&in_project(&["Member"]), "member_or_admin", &own));
    assert!(!allows(&in_project(&["member"]), "member_or_admin", &foreign));
    assert!(!allows(&in_project(&["member"]), "member_or_admin", &Target::new()));
    assert!(allows(&in_project(&["admin"]), "member_or_admin", &foreign));
    assert!(!allows(&in_project(&["reader"]), "member_or_admin", &own));
}

#[test]
fn scopes_come_first() {
    let admin = caller(Scope::System, &["admin"]);
    assert!(allows(&admin, "system", &Target::new()));
    assert!(!allows(&admin, "member_or_admin", &Target::new()));
    assert!(!allows(&in_project(&["admin"]), "system", &Target::new()));
    assert!(!allows(&caller(Scope::Unscoped, &["admin"]), "member_or_admin", &Target::new()));
}

#[test]
fn attributes_of_the_thing() {
    let anyone = in_project(&[]);
    let target = Target::new()
        .with("shared", "True")
        .with("device_owner", "compute:nova")
        .with("visibility", "public")
        .with_opt("target.role.domain_id", None);
    for rule in ["shared", "compute_port", "public", "global_role", "open"] {
        assert!(allows(&anyone, rule, &target), "{rule}");
        assert_eq!(allows(&anyone, rule, &Target::new()), rule == "open", "{rule}");
    }
    assert!(!allows(&in_project(&["reader"]), "public", &target));
    assert!(!allows(&anyone, "shut", &target));
    assert!(!allows(&anyone, "no such rule", &target));
}

#[test]
fn precedence() {
    assert!(allows(&in_project(&["b"]), "nested", &Target::new()));
    assert!(!allows(&in_project(&["b", "c"]), "nested", &Target::new()));
}

#[test]
fn broken_tables_are_found_at_start() {
    let broken = |check| Policy::new(&[&[rule("r", check, &[])]], &BTreeMap::new());
    assert!(matches!(broken("role:a or"), Err(PolicyError::Parse { .. })));
    assert!(matches!(broken("(role:a"), Err(PolicyError::Parse { .. })));
    assert!(matches!(broken("role:a role:b"), Err(PolicyError::Parse { .. })));
    assert!(matches!(broken("rule:gone"), Err(PolicyError::Missing { .. })));
}

#[test]
fn an_operator_can_change_a_check() {
    let file = BTreeMap::from([("member".to_owned(), "!".to_owned())]);
    let policy = Policy::new(&[RULES], &file).unwrap();
    let target = Target::project("p");
    assert!(policy.check_caller(&in_project(&["member"]), "member", &target).is_err());
}
