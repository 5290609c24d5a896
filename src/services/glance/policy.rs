//! Who may do what: upstream's rules with upstream's new defaults.

use stackup_policy::{Rule, ScopeKind};

const PROJECT: &[ScopeKind] = &[ScopeKind::Project];

/// Every rule; the first three are what others are built on.
pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "default",
        check: "",
        scopes: &[],
        description: "Whoever has a token; the default of rules that have none of their own.",
    },
    Rule {
        name: "context_is_admin",
        check: "role:admin",
        scopes: &[],
        description: "Who counts as an administrator.",
    },
    Rule {
        name: "service_api",
        check: "role:service or role:admin",
        scopes: &[],
        description: "Other services.",
    },
    Rule {
        name: "add_image",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
        scopes: PROJECT,
        description: "Create an image.",
    },
    Rule {
        name: "delete_image",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "Delete an image.",
    },
    Rule {
        name: "get_image",
        check: "rule:context_is_admin or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))",
        scopes: PROJECT,
        description: "Show an image.",
    },
    Rule {
        name: "get_images",
        check: "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "List images.",
    },
    Rule {
        name: "modify_image",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "Change an image's properties and tags, stage and import its data.",
    },
    Rule {
        name: "publicize_image",
        check: "rule:context_is_admin",
        scopes: PROJECT,
        description: "Make an image public.",
    },
    Rule {
        name: "communitize_image",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "Make an image a community image.",
    },
    Rule {
        name: "download_image",
        check: "rule:context_is_admin or (role:member and (project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or 'public':%(visibility)s or 'shared':%(visibility)s))",
        scopes: PROJECT,
        description: "Download an image's data.",
    },
    Rule {
        name: "upload_image",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "Upload an image's data.",
    },
    Rule {
        name: "delete_image_location",
        check: "rule:context_is_admin",
        scopes: PROJECT,
        description: "Remove an image's data from one store.",
    },
    Rule {
        name: "get_image_location",
        check: "rule:context_is_admin or (role:reader and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "See where an image's data is.",
    },
    Rule {
        name: "fetch_image_location",
        check: "rule:service_api",
        scopes: PROJECT,
        description: "List the places of an image's data.",
    },
    Rule {
        name: "add_image_location",
        check: "rule:service_api or (role:member and project_id:%(project_id)s and project_id:%(owner)s)",
        scopes: PROJECT,
        description: "Register data that is elsewhere.",
    },
    Rule {
        name: "add_member",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "Share an image with a project.",
    },
    Rule {
        name: "delete_member",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "Stop sharing an image with a project.",
    },
    Rule {
        name: "get_member",
        check: "rule:context_is_admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)",
        scopes: PROJECT,
        description: "Show with whom an image is shared.",
    },
    Rule {
        name: "get_members",
        check: "rule:context_is_admin or role:reader and (project_id:%(project_id)s or project_id:%(member_id)s)",
        scopes: PROJECT,
        description: "List with whom an image is shared.",
    },
    Rule {
        name: "modify_member",
        check: "rule:context_is_admin or (role:member and project_id:%(member_id)s)",
        scopes: PROJECT,
        description: "Accept or reject an image shared with one's project.",
    },
    Rule {
        name: "deactivate",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "Deactivate an image.",
    },
    Rule {
        name: "reactivate",
        check: "rule:context_is_admin or (role:member and project_id:%(project_id)s)",
        scopes: PROJECT,
        description: "Reactivate an image.",
    },
    Rule {
        name: "tasks_api_access",
        check: "rule:context_is_admin",
        scopes: PROJECT,
        description: "Use the tasks API.",
    },
    Rule {
        name: "stores_info_detail",
        check: "rule:context_is_admin or rule:service_api",
        scopes: PROJECT,
        description: "See the stores in detail.",
    },
];
