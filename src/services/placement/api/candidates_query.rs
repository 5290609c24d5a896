//! The little languages of the query: `resources`, `required`, `member_of`.

use std::collections::BTreeSet;

use stackup_contracts::Resources;
use stackup_core::{Ctx, Mv};

use crate::error::Error;
use crate::model::inventory::MAX;
use crate::model::names::is_name;
use crate::model::request::Group;

/// `member_of=!…` and `in:`.
const FORBIDDEN_AGGREGATES: Mv = Mv(1, 32);
/// `required=!TRAIT`.
const FORBIDDEN_TRAITS: Mv = Mv(1, 22);
/// `required=in:A,B`.
const ANY_TRAITS: Mv = Mv(1, 39);

/// `VCPU:1,MEMORY_MB:512`
pub(super) fn resources(text: &str) -> Result<Resources, Error> {
    let wrong = || {
        Error::BadQuery(format!(
            "Badly formed resources parameter. Expected resources query string parameter in form: \
             ?resources=VCPU:2,MEMORY_MB:1024. Got: {text}."
        ))
    };
    let mut all = Resources::new();
    for part in text.split(',') {
        let (class, amount) = part.split_once(':').ok_or_else(wrong)?;
        let amount: u64 = amount.parse().map_err(|_| wrong())?;
        if !is_name(class) || !(1..=MAX).contains(&amount) {
            return Err(wrong());
        }
        all.insert(class.to_owned(), amount);
    }
    Ok(all)
}

/// `A,!B`, or `in:A,B` for one of several.
pub(super) fn traits(cx: &Ctx, text: &str, group: &mut Group) -> Result<(), Error> {
    let wrong = || {
        Error::BadQuery(format!(
            "Invalid query string parameters: Expected 'required' parameter value of the form: HW_CPU_X86_VMX,!CUSTOM_MAGIC. Got: {text}"
        ))
    };
    if let Some(any) = text.strip_prefix("in:") {
        let set: BTreeSet<String> = any.split(',').map(str::to_owned).collect();
        if !cx.since(ANY_TRAITS) || set.iter().any(|name| !is_name(name)) {
            return Err(wrong());
        }
        group.required.push(set);
        return Ok(());
    }
    for part in text.split(',') {
        let forbidden = part.strip_prefix('!');
        let name = forbidden.unwrap_or(part);
        if !is_name(name) || (forbidden.is_some() && !cx.since(FORBIDDEN_TRAITS)) {
            return Err(wrong());
        }
        if forbidden.is_some() {
            group.forbidden.insert(name.to_owned());
        } else {
            group.required.push([name.to_owned()].into());
        }
    }
    Ok(())
}

/// `UUID`, `in:UUID,UUID`, and both with a `!` before them.
pub(super) fn aggregates(cx: &Ctx, text: &str, group: &mut Group) -> Result<(), Error> {
    let (forbidden, rest) = match text.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let set: BTreeSet<String> = match rest.strip_prefix("in:") {
        Some(list) => list.split(',').map(str::to_owned).collect(),
        None => [rest.to_owned()].into(),
    };
    let sound = set.iter().all(|id| stackup_core::ids::is_uuid_like(id));
    if !sound || (forbidden && !cx.since(FORBIDDEN_AGGREGATES)) {
        return Err(Error::BadQuery(format!(
            "Invalid query string parameters: Expected 'member_of' parameter to contain valid \
             UUID(s). Got: {text}"
        )));
    }
    if forbidden {
        group.not_member_of.extend(set);
    } else {
        group.member_of.push(set);
    }
    Ok(())
}
