//! Who asks, why, and in which version: the second argument of every logic and store function.

use std::sync::Arc;

use crate::ids::{DomainId, ProjectId, UserId};
use crate::{Mv, Time};

/// The circumstances of one piece of work. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// `req-<uuid>`: one id for everything a request causes, in every service.
    pub request_id: Arc<str>,
    pub caller: Arc<Caller>,
    pub origin: Origin,
    /// The microversion asked for; the service's lowest when none was.
    pub version: Mv,
    /// `http://host[:port]` as the caller sees this server; the catalog is built on it.
    pub base_url: Arc<str>,
    /// Where the caller reaches the service that answers: `http://host/compute`, or
    /// `http://host:8774`; links are built on it.
    pub self_url: Arc<str>,
}

/// Why a piece of work is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A request from outside.
    Api,
    /// A call from another service of this process.
    Service,
    /// A reconciler.
    Task,
    Test,
}

/// Whoever holds the token, and what the token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub user_id: UserId,
    pub user_name: String,
    pub user_domain: DomainRef,
    pub scope: Scope,
    /// Names of the roles in this scope, implied ones included.
    pub roles: Vec<String>,
    pub expires_at: Time,
    /// When the token was issued; what was revoked after this moment does not work.
    pub issued_at: Time,
    pub audit_ids: Vec<String>,
    pub methods: Vec<String>,
    /// The application credential behind the token, if one is.
    pub application_credential_id: Option<String>,
    /// False for a restricted application credential: it may not make others.
    pub unrestricted: bool,
    /// The trust by which another user's roles are used, if one is.
    pub trust_id: Option<String>,
}

/// A domain, by id and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainRef {
    pub id: DomainId,
    pub name: String,
}

/// What a token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Unscoped,
    Project { id: ProjectId, name: String, domain: DomainRef },
    Domain(DomainRef),
    System,
}

/// Whose rows a query may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// An administrator's, or the process's own.
    All,
    /// A project's, and what is shared with it.
    Project(ProjectId),
    /// Nobody's: a token without a project.
    Nothing,
}

impl Ctx {
    /// Work that one service does for another, or a task for itself, with every right.
    pub fn service(service: &str, request_id: Arc<str>, now: Time) -> Self {
        let domain = DomainRef { id: "default".into(), name: "Default".into() };
        Self {
            request_id,
            origin: Origin::Service,
            version: Mv::ZERO,
            base_url: Arc::from(""),
            self_url: Arc::from(""),
            caller: Arc::new(Caller {
                user_id: service.into(),
                user_name: service.to_owned(),
                user_domain: domain.clone(),
                scope: Scope::Project { id: "service".into(), name: "service".into(), domain },
                roles: ["admin", "service"].map(str::to_owned).to_vec(),
                expires_at: now,
                issued_at: now,
                audit_ids: Vec::new(),
                methods: Vec::new(),
                application_credential_id: None,
                unrestricted: true,
                trust_id: None,
            }),
        }
    }

    /// Work of a reconciler, under a request id of its own.
    pub fn task(service: &str, now: Time) -> Self {
        let request_id = format!("req-{}", crate::ids::uuid());
        Self { origin: Origin::Task, ..Self::service(service, request_id.into(), now) }
    }

    /// The same request, continued with the process's own rights: what one service does in
    /// another on behalf of a caller who could not do it alone.
    #[must_use]
    pub fn elevated(&self, service: &str) -> Self {
        let own = Self::service(service, self.request_id.clone(), self.caller.issued_at);
        Self { version: self.version, base_url: self.base_url.clone(), ..own }
    }

    /// The same circumstances in another microversion.
    #[must_use]
    pub fn at(&self, version: Mv) -> Self {
        Self { version, ..self.clone() }
    }

    /// Whether the answer may use what `version` brought.
    pub fn since(&self, version: Mv) -> bool {
        self.version >= version
    }

    /// The project of the token, if it has one.
    pub fn project_id(&self) -> Option<&ProjectId> {
        self.caller.project_id()
    }

    pub fn is_admin(&self) -> bool {
        self.caller.has_role("admin")
    }

    /// Whose rows this work may see.
    pub fn reach(&self) -> Reach {
        match self.project_id() {
            _ if self.is_admin() => Reach::All,
            Some(id) => Reach::Project(id.clone()),
            None => Reach::Nothing,
        }
    }
}

impl Caller {
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r.eq_ignore_ascii_case(role))
    }

    pub fn project_id(&self) -> Option<&ProjectId> {
        match &self.scope {
            Scope::Project { id, .. } => Some(id),
            Scope::Unscoped | Scope::Domain(_) | Scope::System => None,
        }
    }

    pub fn domain_id(&self) -> Option<&DomainId> {
        match &self.scope {
            Scope::Domain(domain) => Some(&domain.id),
            Scope::Unscoped | Scope::Project { .. } | Scope::System => None,
        }
    }
}

impl Reach {
    /// The project to filter by, as a nullable parameter: `project_id = $1 OR $1 IS NULL`, the
    /// column first, for PostgreSQL takes the type of a NULL from where it stands first.
    /// `Nothing` gives an id that no row has.
    pub fn project(&self) -> Option<&str> {
        match self {
            Reach::All => None,
            Reach::Project(id) => Some(id),
            Reach::Nothing => Some(""),
        }
    }

    /// Whether a row of `project` is in reach.
    pub fn covers(&self, project: &str) -> bool {
        match self {
            Reach::All => true,
            Reach::Project(id) => id == project,
            Reach::Nothing => false,
        }
    }
}
