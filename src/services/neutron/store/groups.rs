//! Which ports are in which security groups.

use stackup_contracts::SecurityGroupInfo;
use stackup_store::{Reader, StoreError, Tx, params};

use super::sql::Sql;

const DEFAULT: &str = "
SELECT id, name
FROM security_groups
WHERE default_of = $1";
const JOIN: &str = "
INSERT INTO port_security_groups (port_id, security_group_id)
VALUES ($1, $2)
ON CONFLICT DO NOTHING";
const LEAVE: &str = "
DELETE FROM port_security_groups
WHERE port_id = $1";
const MEMBERS: &str = "
SELECT COUNT(*)
FROM port_security_groups
WHERE security_group_id = $1";

/// The default group of a project.
pub(crate) fn default_of(r: &Reader<'_>, project: &str) -> Result<Option<String>, StoreError> {
    let row: Option<(String, String)> = r.first(DEFAULT, &params![project])?;
    Ok(row.map(|(id, _)| id))
}

/// Puts a port into these groups and no others.
pub(crate) fn set(tx: &mut Tx<'_>, port: &str, groups: &[String]) -> Result<(), StoreError> {
    tx.execute(LEAVE, &params![port])?;
    for group in groups {
        tx.execute(JOIN, &params![port, group])?;
    }
    Ok(())
}

pub(crate) fn members(r: &Reader<'_>, group: &str) -> Result<i64, StoreError> {
    r.scalar(MEMBERS, &params![group])
}

const OF_PORTS: &str = "
SELECT m.port_id, g.id, g.name, g.description, g.project_id
FROM port_security_groups m
JOIN security_groups g ON g.id = m.security_group_id
WHERE m.port_id IN ";

/// The groups of ports, with the port of each.
pub(crate) fn of_ports(
    r: &Reader<'_>,
    ports: &[String],
) -> Result<Vec<(String, SecurityGroupInfo)>, StoreError> {
    let mut sql = Sql::new(OF_PORTS);
    sql.bind_list(ports);
    sql.push("\nORDER BY g.name, g.id");
    let rows: Vec<(String, String, String, String, String)> = r.query(&sql.text, &sql.params)?;
    let infos = rows.into_iter().map(|(port, id, name, description, project)| {
        let info =
            SecurityGroupInfo { id: id.into(), name, description, project_id: project.into() };
        (port, info)
    });
    Ok(infos.collect())
}
