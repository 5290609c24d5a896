//! SQL, one file per table's worth, and the picture of all providers that searches run over.

use std::sync::{Arc, Mutex, PoisonError};

use stackup_store::{Db, Migration, Reader, StoreConfig, StoreError, Tx};

use crate::model::candidates::Offer;

pub(crate) mod allocations;
pub(crate) mod inventories;
pub(crate) mod names;
pub(crate) mod providers;
mod snapshot;

const COUNT_WRITE: &str = "UPDATE revision SET writes = writes + 1 WHERE id = 1";
const WRITES: &str = "SELECT writes FROM revision WHERE id = 1";

/// The state, and the last picture of it.
pub(crate) struct Store {
    db: Db,
    picture: Mutex<Option<Picture>>,
}

/// Every provider with all that is known of it, after so many writes.
#[derive(Clone)]
struct Picture {
    writes: u64,
    offers: Arc<Vec<Offer>>,
}

impl Store {
    pub(crate) async fn open(
        config: &StoreConfig,
        migrations: &'static [Migration],
    ) -> Result<Self, StoreError> {
        let db = Db::open("placement", config, migrations).await?;
        Ok(Self { db, picture: Mutex::new(None) })
    }

    pub(crate) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let counted = move |tx: &mut Tx<'_>| {
            tx.execute(COUNT_WRITE, &[])?;
            work(tx)
        };
        self.db.write(counted).await
    }

    pub(crate) async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.db.read(work).await
    }

    /// Every provider with all that is known of it, oldest first.
    ///
    /// Reading them takes longer than the search that follows, so they are kept until the next
    /// write, by whomever it is.
    pub(crate) async fn offers(&self) -> Result<Arc<Vec<Offer>>, StoreError> {
        let known = self.picture.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = self.db.read(move |r| {
            let writes = r.scalar(WRITES, &[])?;
            match known.filter(|picture| picture.writes == writes) {
                Some(picture) => Ok(picture),
                None => Ok(Picture { writes, offers: Arc::new(snapshot::offers(r)?) }),
            }
        });
        let picture = read.await.map_err(|error: StoreError| error)?;
        let offers = Arc::clone(&picture.offers);
        *self.picture.lock().unwrap_or_else(PoisonError::into_inner) = Some(picture);
        Ok(offers)
    }
}
