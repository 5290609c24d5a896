//! Types and state machines; no async, no SQL, no HTTP.
#![deny(clippy::wildcard_enum_match_arm)]

pub(crate) mod filter;
pub(crate) mod image;
pub(crate) mod inspect;
pub(crate) mod member;
pub(crate) mod patch;
pub(crate) mod property;
pub(crate) mod task;

pub(crate) use image::{Image, Status, Visibility};
pub(crate) use member::{Member, MemberStatus};
pub(crate) use task::{Task, TaskKind, TaskStatus};
