//! The facade's promises, on every engine.

use std::sync::Arc;

use stackup_core::Direction;
use tempfile::TempDir;

use crate::{Db, Keyset, Migration, Order, StoreError, Value, params, testing};

const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001_init",
        sql: "CREATE TABLE owner (id TEXT PRIMARY KEY);
              CREATE TABLE thing (
                  id TEXT PRIMARY KEY,
                  owner_id TEXT REFERENCES owner (id),
                  size INTEGER,
                  ratio REAL,
                  data BLOB
              ) STRICT;",
    },
    Migration { name: "0002_index", sql: "CREATE INDEX thing_size ON thing (size);" },
];
const INSERT: &str = "INSERT INTO thing (id, size, ratio, data) VALUES ($1, $2, $3, $4)";
const COUNT: &str = "SELECT COUNT(*) FROM thing";

async fn each(test: impl AsyncFn(Db)) {
    let dir = TempDir::new().unwrap();
    for db in testing::engines(dir.path(), MIGRATIONS).await.unwrap() {
        test(db).await;
    }
}

async fn insert(db: &Db, id: &str, size: Option<i64>) -> Result<usize, StoreError> {
    let id = id.to_owned();
    db.write(move |tx| tx.execute(INSERT, &params![id, size, 0.5, [1u8, 2].as_slice()])).await
}

async fn count(db: &Db) -> i64 {
    db.read(|r| r.scalar::<i64>(COUNT, &[])).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_as_they_went() {
    each(async |db| {
        insert(&db, "a", None).await.unwrap();
        let sql = "SELECT id, size, ratio, data FROM thing";
        let rows: Vec<(String, Option<i64>, f64, Vec<u8>)> =
            db.read(move |r| r.query(sql, &[])).await.map_err(|e: StoreError| e).unwrap();
        assert_eq!(rows, [("a".to_owned(), None, 0.5, vec![1, 2])]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_placeholder_is_known_by_its_number() {
    each(async |db| {
        insert(&db, "a", Some(1)).await.unwrap();
        insert(&db, "b", Some(1)).await.unwrap();
        let update = |params: Vec<Value>| {
            let sql = "UPDATE thing SET size = $3 WHERE size = $2 AND id = $1";
            db.write(move |tx| tx.execute(sql, &params))
        };
        assert_eq!(update(params!["a", 1, 7].to_vec()).await.unwrap(), 1);
        let sql = "SELECT id FROM thing WHERE size = $2 AND id = $1";
        let rows: Vec<(String,)> = db
            .read(move |r| r.query(sql, &params!["a", 7]))
            .await
            .map_err(|e: StoreError| e)
            .unwrap();
        assert_eq!(rows, [("a".to_owned(),)]);
        assert!(update(params!["a", 1].to_vec()).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_write_leaves_nothing_and_hurts_no_neighbour() {
    each(async |db| {
        let failing = db.write(|tx| {
            tx.execute(INSERT, &params!["x", 1, 0.0, Value::Null])?;
            Err::<(), _>(StoreError::Closed)
        });
        let (failed, fine) = tokio::join!(failing, insert(&db, "y", Some(2)));
        assert!(failed.is_err());
        fine.unwrap();
        assert_eq!(count(&db).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_keys_and_references_are_told_apart() {
    each(async |db| {
        insert(&db, "a", None).await.unwrap();
        assert!(insert(&db, "a", None).await.unwrap_err().is_unique());
        let orphan = "INSERT INTO thing (id, owner_id) VALUES ('o', 'nobody')";
        let error = db.write(move |tx| tx.execute(orphan, &[])).await.unwrap_err();
        assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn read_then_write_never_loses_an_update() {
    each(async |db| {
        insert(&db, "counter", Some(0)).await.unwrap();
        let db = Arc::new(db);
        let tasks = (0..8).map(|_| {
            let db = Arc::clone(&db);
            async move {
                for _ in 0..5 {
                    db.write(|tx| {
                        let size: i64 =
                            tx.scalar("SELECT size FROM thing WHERE id = 'counter'", &[])?;
                        let sql = "UPDATE thing SET size = $1 WHERE id = 'counter'";
                        tx.execute(sql, &params![size + 1])
                    })
                    .await
                    .unwrap();
                }
            }
        });
        futures::future::join_all(tasks).await;
        let sql = "SELECT size FROM thing WHERE id = 'counter'";
        assert_eq!(db.read(move |r| r.scalar::<i64>(sql, &[])).await.unwrap(), 40);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_join_to_the_whole_in_any_order() {
    each(async |db| {
        for (id, size) in [("a", None), ("b", Some(2)), ("c", Some(1)), ("d", None), ("e", Some(2))]
        {
            insert(&db, id, size).await.unwrap();
        }
        for directions in [Direction::Ascending, Direction::Descending] {
            let order =
                ["size", "id"].map(|column| Order { column, direction: directions }).to_vec();
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let keyset = Keyset { order: order.clone(), after: after.take() };
                let mut values = Vec::new();
                let condition = keyset.condition(&mut values).unwrap_or("1 = 1".into());
                let sql = format!(
                    "SELECT id, size FROM thing WHERE {condition} ORDER BY {} LIMIT 2",
                    keyset.order_by()
                );
                let rows: Vec<(String, Option<i64>)> = db
                    .read(move |r| r.query(&sql, &values))
                    .await
                    .map_err(|e: StoreError| e)
                    .unwrap();
                let Some((id, size)) = rows.last().cloned() else {
                    break;
                };
                seen.extend(rows.into_iter().map(|(id, _)| id));
                after = Some(params![size, id].to_vec());
            }
            let mut expected = ["a", "d", "c", "b", "e"];
            if directions == Direction::Descending {
                expected.reverse();
            }
            assert_eq!(seen, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn migrations_apply_once_and_a_newer_store_is_refused() {
    let dir = TempDir::new().unwrap();
    drop(testing::sqlite(dir.path(), MIGRATIONS).await.unwrap());
    drop(testing::sqlite(dir.path(), MIGRATIONS).await.unwrap());
    let older = testing::sqlite(dir.path(), &MIGRATIONS[..1]).await;
    assert!(matches!(older.err(), Some(StoreError::Newer { found: 2, known: 1, .. })));
}
