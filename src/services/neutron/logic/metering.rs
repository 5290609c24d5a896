//! Metering labels and their rules.

use super::Work;
use crate::error::{Error, Result};
use crate::model::{Fields, METERING_LABEL, METERING_LABEL_RULE, metering};
use crate::store::records::equals;

pub(crate) fn create_label(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    w.insert(&METERING_LABEL, &mut fields)
}

pub(crate) fn create_rule(w: &mut Work<'_, '_>, mut fields: Fields) -> Result<String> {
    metering::check(&fields)?;
    let label = fields.text("metering_label_id").unwrap_or_default();
    let others = w.all(&METERING_LABEL_RULE, vec![equals("t.metering_label_id", label)])?;
    if others.iter().any(|other| metering::overlaps(&fields, other)) {
        let prefix = fields.text("remote_ip_prefix").unwrap_or_default().to_owned();
        return Err(Error::MeteringLabelRuleOverlaps(prefix));
    }
    w.insert(&METERING_LABEL_RULE, &mut fields)
}
