//! What a resource is made of: one const table each drives bodies, columns, filters, views.

use serde_json::{Value as Json, json};

use super::shape::Shape;

/// One attribute of a resource, as the API knows it and as the store keeps it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attr {
    /// The name at the API.
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) post: Post,
    /// Whether an update may set it.
    pub(crate) put: bool,
    pub(crate) source: Source,
}

/// What a create does with an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Post {
    /// Refuses it.
    Never,
    /// Fails without it.
    Required,
    /// Takes this instead of nothing.
    Default(Literal),
    /// Leaves it open; `logic` decides.
    Open,
}

/// A default that fits into a const table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literal {
    Null,
    Flag(bool),
    Text(&'static str),
    EmptyList,
}

/// Where a shown value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A column.
    Column(&'static str),
    /// An expression over the row `t`; `{me}` is the caller's project.
    Sql(&'static str),
    /// Other tables, read for a whole page at once: `store/parts.rs`.
    Parts,
    /// A column that the API never shows or takes.
    Hidden(&'static str),
    /// Nowhere: requests only.
    Request,
}

/// Which resource a table describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AddressScope,
    DefaultRule,
    FloatingIp,
    MeteringLabel,
    MeteringLabelRule,
    Network,
    Port,
    RbacPolicy,
    Router,
    SecurityGroup,
    SecurityGroupRule,
    Subnet,
    SubnetPool,
}

/// A resource: its names, its table, its attributes.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) kind: Kind,
    /// `security_group`: the key of a body, and the rules' name for it.
    pub(crate) name: &'static str,
    /// `security_groups`: the key of a list.
    pub(crate) plural: &'static str,
    pub(crate) table: &'static str,
    /// Which rows a caller who is no administrator sees: SQL over the row `t` and `{me}`.
    pub(crate) visible: &'static str,
    /// Whether `service` users see every row.
    pub(crate) service_sees: bool,
    /// The quota that counts it.
    pub(crate) quota: Option<&'static str>,
    pub(crate) attrs: &'static [&'static [Attr]],
}

impl Resource {
    /// Every attribute, in the order of a [`super::Record`]'s values.
    pub(crate) fn attrs(&self) -> impl Iterator<Item = &'static Attr> {
        self.attrs.iter().copied().flatten()
    }

    /// The attribute called `name`, under its older name too.
    pub(crate) fn attr(&self, name: &str) -> Option<&'static Attr> {
        let name = modern(name);
        self.attrs().find(|attr| attr.name == name)
    }

    /// Whether rows carry the standard attributes, tags among them.
    pub(crate) fn is_standard(&self) -> bool {
        self.attr("revision_number").is_some()
    }
}

/// `tenant_id` is the older name of `project_id`.
pub(crate) fn modern(name: &str) -> &str {
    if name == "tenant_id" { "project_id" } else { name }
}

impl Attr {
    const fn new(name: &'static str, shape: Shape, source: Source) -> Self {
        Self { name, shape, post: Post::Never, put: false, source }
    }

    /// Kept in the column of the same name.
    pub(crate) const fn stored(name: &'static str, shape: Shape) -> Self {
        Self::new(name, shape, Source::Column(name))
    }

    /// Kept in a column of another name.
    pub(crate) const fn column(name: &'static str, column: &'static str, shape: Shape) -> Self {
        Self::new(name, shape, Source::Column(column))
    }

    /// Computed from the row.
    pub(crate) const fn sql(name: &'static str, sql: &'static str, shape: Shape) -> Self {
        Self::new(name, shape, Source::Sql(sql))
    }

    /// Read from other tables.
    pub(crate) const fn parts(name: &'static str, shape: Shape) -> Self {
        Self::new(name, shape, Source::Parts)
    }

    /// Kept, never shown.
    pub(crate) const fn hidden(name: &'static str, shape: Shape) -> Self {
        Self::new(name, shape, Source::Hidden(name))
    }

    /// Taken, never shown.
    pub(crate) const fn request(name: &'static str, shape: Shape) -> Self {
        Self::new(name, shape, Source::Request)
    }

    pub(crate) const fn required(self) -> Self {
        Self { post: Post::Required, ..self }
    }

    pub(crate) const fn or(self, literal: Literal) -> Self {
        Self { post: Post::Default(literal), ..self }
    }

    pub(crate) const fn open(self) -> Self {
        Self { post: Post::Open, ..self }
    }

    pub(crate) const fn put(self) -> Self {
        Self { put: true, ..self }
    }

    /// What a list filters and sorts by, if it can.
    pub(crate) fn expression(&self) -> Option<&'static str> {
        match self.source {
            Source::Column(sql) | Source::Sql(sql) if !self.shape.is_structured() => Some(sql),
            Source::Column(_)
            | Source::Sql(_)
            | Source::Parts
            | Source::Hidden(_)
            | Source::Request => None,
        }
    }
}

impl Literal {
    pub(crate) fn json(self) -> Json {
        match self {
            Literal::Null => Json::Null,
            Literal::Flag(flag) => json!(flag),
            Literal::Text(text) => json!(text),
            Literal::EmptyList => json!([]),
        }
    }
}

/// Whom a row belongs to.
pub(crate) const OWNED: &[Attr] =
    &[Attr::stored("id", Shape::Uuid), Attr::stored("project_id", Shape::Text(255)).open()];

/// A name that may be empty and may change.
pub(crate) const NAMED: &[Attr] =
    &[Attr::stored("name", Shape::Text(255)).or(Literal::Text("")).put()];

/// A name that stays.
pub(crate) const NAMED_ONCE: &[Attr] =
    &[Attr::stored("name", Shape::Text(255)).or(Literal::Text(""))];

/// What upstream calls the standard attributes.
pub(crate) const STANDARD: &[Attr] = &[
    Attr::stored("description", Shape::Text(255)).or(Literal::Text("")).put(),
    Attr::parts("tags", Shape::Tags).open(),
    Attr::stored("created_at", Shape::Time),
    Attr::stored("updated_at", Shape::Time),
    Attr::stored("revision_number", Shape::Int(0, i64::MAX)),
];

/// Rows of the caller's own project only.
pub(crate) const OWN: &str = "t.project_id = {me}";

/// Own rows, and those that an RBAC policy opens to the caller.
pub(crate) const OWN_OR_SHARED: &str = "(t.project_id = {me} OR t.id IN (
    SELECT p.object_id FROM rbac_policies p WHERE p.target_tenant IN ('*', {me})))";

/// Whether an RBAC policy shares the row with the caller's project.
pub(crate) const SHARED: &str = "CASE WHEN EXISTS (
    SELECT 1 FROM rbac_policies p WHERE p.object_id = t.id
    AND p.action = 'access_as_shared' AND p.target_tenant IN ('*', {me})) THEN 1 ELSE 0 END";
