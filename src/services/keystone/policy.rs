//! Who may do what: upstream's rules of 2026.2, by upstream's names.

use stackup_policy::{Rule, ScopeKind};

const ANY: &[ScopeKind] = &[];
const SP: &[ScopeKind] = &[ScopeKind::System, ScopeKind::Project];
const SDP: &[ScopeKind] = &[ScopeKind::System, ScopeKind::Domain, ScopeKind::Project];
const P: &[ScopeKind] = &[ScopeKind::Project];

const ADMIN: &str = "rule:admin_required";
const ADMIN_OR_SYSTEM_READER: &str = "rule:admin_required or (role:reader and system_scope:all)";
const MANAGED_ROLE: &str = "'manager':%(target.role.name)s or 'member':%(target.role.name)s or \
     'reader':%(target.role.name)s";
const ACCESS_RULE_READER: &str = "(role:reader and system_scope:all) or user_id:%(target.user.id)s";
const ACCESS_RULE_OWNER: &str = "(role:admin and system_scope:all) or user_id:%(target.user.id)s";
const OWNER_READER: &str =
    "(rule:admin_required) or (role:reader and system_scope:all) or rule:owner";
const CREDENTIAL_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all) or \
     user_id:%(target.credential.user_id)s";
const CREDENTIAL_OWNER: &str = "(rule:admin_required) or user_id:%(target.credential.user_id)s";
const DOMAIN_READER: &str = "rule:admin_required or (role:reader and system_scope:all) or \
     token.domain.id:%(target.domain.id)s or token.project.domain.id:%(target.domain.id)s";
const DOMAINS_READER: &str = "rule:admin_required or (role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.domain.id)s)";
const EC2_OWNER: &str =
    "(rule:admin_required) or (role:member and user_id:%(target.credential.user_id)s)";
const CHECK_GRANT: &str = "(rule:admin_required) or ((role:reader and system_scope:all) or ((role:reader and \
     domain_id:%(target.user.domain_id)s and domain_id:%(target.project.domain_id)s) or \
     (role:reader and domain_id:%(target.user.domain_id)s and \
     domain_id:%(target.domain.id)s) or (role:reader and \
     domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or \
     (role:reader and domain_id:%(target.group.domain_id)s and \
     domain_id:%(target.domain.id)s)) and (domain_id:%(target.role.domain_id)s or \
     None:%(target.role.domain_id)s))";
const LIST_GRANTS: &str = "(rule:admin_required) or ((role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.user.domain_id)s and domain_id:%(target.project.domain_id)s) or \
     (role:reader and domain_id:%(target.user.domain_id)s and \
     domain_id:%(target.domain.id)s) or (role:reader and \
     domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or \
     (role:reader and domain_id:%(target.group.domain_id)s and \
     domain_id:%(target.domain.id)s))";
const MANAGE_GRANT: &str = "(rule:admin_required) or ((role:admin and domain_id:%(target.user.domain_id)s and \
     domain_id:%(target.project.domain_id)s) or (role:admin and \
     domain_id:%(target.user.domain_id)s and domain_id:%(target.domain.id)s) or (role:admin \
     and domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) \
     or (role:admin and domain_id:%(target.group.domain_id)s and \
     domain_id:%(target.domain.id)s)) and (domain_id:%(target.role.domain_id)s or \
     None:%(target.role.domain_id)s) or ((role:manager and \
     domain_id:%(target.user.domain_id)s and domain_id:%(target.project.domain_id)s) or \
     (role:manager and domain_id:%(target.user.domain_id)s and \
     domain_id:%(target.domain.id)s) or (role:manager and \
     domain_id:%(target.group.domain_id)s and domain_id:%(target.project.domain_id)s) or \
     (role:manager and domain_id:%(target.group.domain_id)s and \
     domain_id:%(target.domain.id)s)) and rule:domain_managed_target_role";
const GROUP_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.group.domain_id)s)";
const USER_GROUPS_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.user.domain_id)s) or user_id:%(user_id)s";
const GROUP_MANAGER: &str =
    "(rule:admin_required) or (role:manager and domain_id:%(target.group.domain_id)s)";
const MEMBERSHIP_MANAGER: &str = "(rule:admin_required) or (role:manager and domain_id:%(target.group.domain_id)s and \
     domain_id:%(target.user.domain_id)s)";
const MEMBERSHIP_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)";
const LIMIT_READER: &str = "rule:admin_required or (role:reader and system_scope:all) or \
     (domain_id:%(target.limit.domain.id)s or domain_id:%(target.limit.project.domain_id)s) \
     or (project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)";
const PROJECT_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s) or \
     project_id:%(target.project.id)s";
const LIST_IN_DOMAIN: &str = "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.domain_id)s)";
const USER_PROJECTS_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s";
const PROJECT_MANAGER: &str = "(rule:admin_required) or (role:manager and domain_id:%(target.project.domain_id)s and \
     not None:%(target.project.domain_id)s)";
const ROLE_READER: &str = "(rule:admin_required or (role:reader and system_scope:all)) or (role:manager and \
     rule:domain_managed_target_role)";
const ROLES_READER: &str = "(rule:admin_required or (role:reader and system_scope:all)) or (role:manager and not \
     domain_id:None)";
const ASSIGNMENTS_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and \
     domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)";
const TOKEN_CHECKER: &str =
    "rule:admin_required or (role:reader and system_scope:all) or rule:token_subject";
const TOKEN_READER: &str = "rule:admin_required or (role:reader and system_scope:all) or rule:service_role or \
     rule:token_subject";
const TRUST_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all or \
     user_id:%(target.trust.trustor_user_id)s or user_id:%(target.trust.trustee_user_id)s)";
const USER_READER: &str = "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and \
     token.domain.id:%(target.user.domain_id)s) or user_id:%(target.user.id)s";
const USER_MANAGER: &str =
    "(rule:admin_required) or (role:manager and token.domain.id:%(target.user.domain_id)s)";

const fn rule(name: &'static str, check: &'static str, scopes: &'static [ScopeKind]) -> Rule {
    Rule { name, check, scopes, description: "" }
}

/// The table.
pub(crate) const RULES: &[Rule] = &[
    rule("admin_required", "role:admin or is_admin:1", ANY),
    rule("service_role", "role:service", ANY),
    rule("service_or_admin", "rule:admin_required or rule:service_role", ANY),
    rule("owner", "user_id:%(user_id)s", ANY),
    rule("admin_or_owner", "rule:admin_required or rule:owner", ANY),
    rule("token_subject", "user_id:%(target.token.user_id)s", ANY),
    rule("domain_managed_target_role", MANAGED_ROLE, ANY),
    rule("identity:get_access_rule", ACCESS_RULE_READER, SP),
    rule("identity:list_access_rules", ACCESS_RULE_READER, SP),
    rule("identity:delete_access_rule", ACCESS_RULE_OWNER, SP),
    rule("identity:get_application_credential", OWNER_READER, SP),
    rule("identity:list_application_credentials", OWNER_READER, SP),
    rule("identity:create_application_credential", "user_id:%(user_id)s", P),
    rule("identity:delete_application_credential", "rule:admin_or_owner", SP),
    rule("identity:get_auth_catalog", "", ANY),
    rule("identity:get_auth_projects", "", ANY),
    rule("identity:get_auth_domains", "", ANY),
    rule("identity:get_auth_system", "", ANY),
    rule("identity:get_credential", CREDENTIAL_READER, SDP),
    rule("identity:list_credentials", CREDENTIAL_READER, SDP),
    rule("identity:create_credential", CREDENTIAL_OWNER, SDP),
    rule("identity:update_credential", CREDENTIAL_OWNER, SDP),
    rule("identity:delete_credential", CREDENTIAL_OWNER, SDP),
    rule("identity:get_domain", DOMAIN_READER, SDP),
    rule("identity:list_domains", DOMAINS_READER, SDP),
    rule("identity:create_domain", ADMIN, SP),
    rule("identity:update_domain", ADMIN, SP),
    rule("identity:delete_domain", ADMIN, SP),
    rule("identity:ec2_get_credential", CREDENTIAL_READER, SP),
    rule("identity:ec2_list_credentials", OWNER_READER, SP),
    rule("identity:ec2_create_credential", EC2_OWNER, SP),
    rule("identity:ec2_delete_credential", EC2_OWNER, SP),
    rule("identity:get_endpoint", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:list_endpoints", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:create_endpoint", ADMIN, SP),
    rule("identity:update_endpoint", ADMIN, SP),
    rule("identity:delete_endpoint", ADMIN, SP),
    rule("identity:check_grant", CHECK_GRANT, SDP),
    rule("identity:list_grants", LIST_GRANTS, SDP),
    rule("identity:create_grant", MANAGE_GRANT, SDP),
    rule("identity:revoke_grant", MANAGE_GRANT, SDP),
    rule("identity:list_system_grants_for_user", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:check_system_grant_for_user", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:create_system_grant_for_user", ADMIN, SP),
    rule("identity:revoke_system_grant_for_user", ADMIN, SP),
    rule("identity:list_system_grants_for_group", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:check_system_grant_for_group", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:create_system_grant_for_group", ADMIN, SP),
    rule("identity:revoke_system_grant_for_group", ADMIN, SP),
    rule("identity:get_group", GROUP_READER, SDP),
    rule("identity:list_groups", GROUP_READER, SDP),
    rule("identity:list_groups_for_user", USER_GROUPS_READER, SDP),
    rule("identity:create_group", GROUP_MANAGER, SDP),
    rule("identity:update_group", GROUP_MANAGER, SDP),
    rule("identity:delete_group", GROUP_MANAGER, SDP),
    rule("identity:list_users_in_group", GROUP_READER, SDP),
    rule("identity:remove_user_from_group", MEMBERSHIP_MANAGER, SDP),
    rule("identity:check_user_in_group", MEMBERSHIP_READER, SDP),
    rule("identity:add_user_to_group", MEMBERSHIP_MANAGER, SDP),
    rule("identity:get_implied_role", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:list_implied_roles", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:create_implied_role", ADMIN, SP),
    rule("identity:delete_implied_role", ADMIN, SP),
    rule("identity:list_role_inference_rules", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:check_implied_role", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:get_limit_model", "", SDP),
    rule("identity:get_limit", LIMIT_READER, SDP),
    rule("identity:list_limits", "", SDP),
    rule("identity:create_limits", ADMIN, SP),
    rule("identity:update_limit", ADMIN, SP),
    rule("identity:delete_limit", ADMIN, SP),
    rule("identity:get_policy", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:list_policies", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:create_policy", ADMIN, SP),
    rule("identity:update_policy", ADMIN, SP),
    rule("identity:delete_policy", ADMIN, SP),
    rule("identity:get_project", PROJECT_READER, SDP),
    rule("identity:list_projects", LIST_IN_DOMAIN, SDP),
    rule("identity:list_user_projects", USER_PROJECTS_READER, SDP),
    rule("identity:create_project", PROJECT_MANAGER, SDP),
    rule("identity:update_project", PROJECT_MANAGER, SDP),
    rule("identity:delete_project", PROJECT_MANAGER, SDP),
    rule("identity:list_project_tags", PROJECT_READER, SDP),
    rule("identity:get_project_tag", PROJECT_READER, SDP),
    rule("identity:update_project_tags", PROJECT_MANAGER, SDP),
    rule("identity:create_project_tag", PROJECT_MANAGER, SDP),
    rule("identity:delete_project_tags", PROJECT_MANAGER, SDP),
    rule("identity:delete_project_tag", PROJECT_MANAGER, SDP),
    rule("identity:get_region", "", SDP),
    rule("identity:list_regions", "", SDP),
    rule("identity:create_region", ADMIN, SP),
    rule("identity:update_region", ADMIN, SP),
    rule("identity:delete_region", ADMIN, SP),
    rule("identity:get_registered_limit", "", SDP),
    rule("identity:list_registered_limits", "", SDP),
    rule("identity:create_registered_limits", ADMIN, SP),
    rule("identity:update_registered_limit", ADMIN, SP),
    rule("identity:delete_registered_limit", ADMIN, SP),
    rule("identity:get_role", ROLE_READER, SDP),
    rule("identity:list_roles", ROLES_READER, SDP),
    rule("identity:create_role", ADMIN, SP),
    rule("identity:update_role", ADMIN, SP),
    rule("identity:delete_role", ADMIN, SP),
    rule("identity:get_domain_role", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:list_domain_roles", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:create_domain_role", ADMIN, SP),
    rule("identity:update_domain_role", ADMIN, SP),
    rule("identity:delete_domain_role", ADMIN, SP),
    rule("identity:list_role_assignments", ASSIGNMENTS_READER, SDP),
    rule("identity:list_role_assignments_for_tree", ASSIGNMENTS_READER, SDP),
    rule("identity:s3tokens_validate", "rule:service_or_admin", SDP),
    rule("identity:ec2tokens_validate", "rule:service_or_admin", SDP),
    rule("identity:get_service", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:list_services", ADMIN_OR_SYSTEM_READER, SP),
    rule("identity:create_service", ADMIN, SP),
    rule("identity:update_service", ADMIN, SP),
    rule("identity:delete_service", ADMIN, SP),
    rule("identity:check_token", TOKEN_CHECKER, SDP),
    rule("identity:validate_token", TOKEN_READER, SDP),
    rule("identity:revoke_token", "rule:admin_required or rule:token_subject", SDP),
    rule("identity:create_trust", "user_id:%(target.trust.trustor_user_id)s", P),
    rule("identity:list_trusts", ADMIN_OR_SYSTEM_READER, SP),
    rule(
        "identity:list_trusts_for_trustor",
        "(rule:admin_required) or (role:reader and system_scope:all or user_id:%(target.trust.trustor_user_id)s)",
        SP,
    ),
    rule(
        "identity:list_trusts_for_trustee",
        "(rule:admin_required) or (role:reader and system_scope:all or user_id:%(target.trust.trustee_user_id)s)",
        SP,
    ),
    rule("identity:list_roles_for_trust", TRUST_READER, SP),
    rule("identity:get_role_for_trust", TRUST_READER, SP),
    rule(
        "identity:delete_trust",
        "rule:admin_required or user_id:%(target.trust.trustor_user_id)s",
        SP,
    ),
    rule("identity:get_trust", TRUST_READER, SP),
    rule("identity:get_user", USER_READER, SDP),
    rule("identity:list_users", LIST_IN_DOMAIN, SDP),
    rule("identity:create_user", USER_MANAGER, SDP),
    rule("identity:update_user", USER_MANAGER, SDP),
    rule("identity:delete_user", USER_MANAGER, SDP),
];
