//! SQL and nothing else: one file per resource, each query a named constant.

pub(crate) mod images;
pub(crate) mod members;
pub(crate) mod tasks;
pub(crate) mod usage;

use stackup_store::Migration;

/// The schema's history; its sum is `schema.sql`.
pub const MIGRATIONS: &[Migration] =
    &[Migration { name: "0001_init", sql: include_str!("../migrations/0001_init.sql") }];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use stackup_core::{Page, Reach, Time, Value};
    use stackup_store::{Db, StoreError, testing};

    use super::*;
    use crate::model::filter::{Condition, Filter, Wanted};
    use crate::model::{
        Image, Member, MemberStatus, Status, Task, TaskKind, TaskStatus, Visibility,
    };

    #[test]
    fn the_schema_is_the_sum_of_its_migrations() {
        let sum: String = MIGRATIONS.iter().map(|migration| migration.sql).collect();
        assert_eq!(sum, include_str!("../schema.sql"));
    }

    async fn each(test: impl AsyncFn(Db)) {
        let dir = tempfile::tempdir().unwrap();
        for db in testing::engines(dir.path(), MIGRATIONS).await.unwrap() {
            test(db).await;
        }
    }

    fn image(id: &str, seconds: i64) -> Image {
        let mut image = Image::queued(id.into(), Some("p".into()), Time::from_unix(seconds));
        image.tags = vec!["t".into()];
        image.properties.insert("colour".into(), Some("red".into()));
        image.properties.insert("kernel_id".into(), None);
        image
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn images_on_every_engine() {
        each(async |db| {
            let data = images::Data {
                size: 3 << 20,
                virtual_size: None,
                checksum: "c".into(),
                sha512: "s".into(),
                found_format: "raw".into(),
            };
            let later = Time::from_unix(9);
            db.write(move |tx| {
                images::insert(tx, &image("a", 1))?;
                images::insert(tx, &image("b", 2))?;
                assert!(images::set_status(tx, "a", Status::Queued, Status::Saving, later)?);
                assert!(!images::set_status(tx, "a", Status::Queued, Status::Saving, later)?);
                assert!(images::activate(tx, "a", Status::Saving, &data, later)?);
                images::put_property(tx, "b", "colour", Some("blue"))?;
                images::drop_property(tx, "b", "kernel_id")?;
                images::set_seeded(tx, "a")?;
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
            let twice = db.write(|tx| images::insert(tx, &image("a", 3))).await;
            assert!(twice.unwrap_err().is_unique());
            let filter = Filter {
                columns: vec![Condition {
                    column: "status",
                    op: "=",
                    values: ["active", "queued"].map(|s| Value::Text(s.into())).to_vec(),
                }],
                properties: vec![("colour".into(), "red".into())],
                tags: vec!["t".into()],
                visibility: Wanted::One(Visibility::Shared),
                member_status: Some(MemberStatus::Accepted),
            };
            let page = Page { marker: Some("b".into()), ..Page::all() };
            let (owner, other) = (Reach::Project("p".into()), Reach::Project("q".into()));
            db.read(move |r| {
                let listed = images::list(r, &owner, &filter, &page)?.unwrap();
                assert_eq!(listed.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["a"]);
                assert_eq!(listed[0].properties.len(), 2);
                assert_eq!(listed[0].size, Some(3 << 20));
                assert!(images::get(r, &other, "a")?.is_none());
                assert!(images::get(r, &Reach::All, "a")?.is_some());
                let all = images::list(r, &Reach::All, &Filter::default(), &page)?;
                assert_eq!(all.map(|all| all.len()), Some(1));
                assert_eq!(images::list(r, &other, &filter, &page)?, None);
                assert_eq!(usage::of(r, "p")?.data, 3 << 20);
                assert_eq!(usage::of(r, "nobody")?, usage::Usage::default());
                assert!(images::is_seeded(r, "a")? && !images::is_seeded(r, "b")?);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn members_go_with_their_image() {
        each(async |db| {
            let now = Time::from_unix(1);
            let member = Member {
                image_id: "a".into(),
                member_id: "q".into(),
                status: MemberStatus::Pending,
                created_at: now,
                updated_at: now,
            };
            db.write(move |tx| {
                images::insert(tx, &image("a", 1))?;
                members::insert(tx, &member)?;
                assert!(members::set_status(tx, "a", "q", MemberStatus::Accepted, now)?);
                let reach = Reach::Project("q".into());
                let seen = images::get(tx, &reach, "a")?.unwrap();
                assert_eq!(seen.member.as_deref(), Some("q"));
                assert_eq!(members::list(tx, &reach, "a")?.len(), 1);
                assert_eq!(members::list(tx, &Reach::All, "a")?.len(), 1);
                assert!(images::delete(tx, "a")?);
                assert_eq!(members::count(tx, "a")?, 0);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn tasks_begin_end_and_expire() {
        each(async |db| {
            let now = Time::from_unix(1);
            let task = Task {
                id: "t".into(),
                kind: TaskKind::Import,
                status: TaskStatus::Pending,
                owner: "p".into(),
                input: serde_json::json!({"a": 1}),
                result: None,
                message: String::new(),
                image_id: Some("a".into()),
                request_id: "req".into(),
                user_id: "u".into(),
                expires_at: None,
                created_at: now,
                updated_at: now,
            };
            db.write(move |tx| {
                tasks::insert(tx, &task)?;
                assert_eq!(tasks::unfinished(tx)?, ["t"]);
                assert!(tasks::begin(tx, "t", now)?);
                let end = tasks::End {
                    status: TaskStatus::Success,
                    result: Some(serde_json::json!({})),
                    message: String::new(),
                    expires_at: now + Duration::from_secs(5),
                };
                assert!(tasks::end(tx, "t", &end, now)? && !tasks::end(tx, "t", &end, now)?);
                let filter = tasks::TaskFilter { status: Some("success".into()), kind: None };
                let listed = tasks::list(tx, &Reach::All, &filter, &Page::all())?;
                assert_eq!(listed.map(|tasks| tasks.len()), Some(1));
                assert_eq!(tasks::of_image(tx, "a")?.len(), 1);
                assert!(tasks::get(tx, &Reach::Project("q".into()), "t")?.is_none());
                assert_eq!(tasks::expire(tx, now)?, 0);
                assert_eq!(tasks::expire(tx, Time::from_unix(6))?, 1);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        })
        .await;
    }
}
