//! `stackup clouds`: entries for clouds.yaml, under DevStack's names.

use clap::Args;

use super::Globals;
use crate::credentials::Credentials;
use crate::profiles;
use crate::ui::{Printer, Problem};

#[derive(Debug, Args)]
pub struct CloudsArgs {}

pub fn run(globals: &Globals, printer: Printer, _: &CloudsArgs) -> Result<(), Problem> {
    let credentials = Credentials::read(&globals.state_dir)?;
    let text = profiles::clouds(&credentials);
    printer.answer(text.trim_end(), &stackup_profile::from_yaml(&text));
    Ok(())
}
