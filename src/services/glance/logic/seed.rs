//! The images that are there from the first day.

use stackup_core::{Ctx, ids};

use crate::config::SeedImage;
use crate::drivers::digest;
use crate::model::{Image, Status, Visibility};
use crate::{Error, Glance, store};

impl Glance {
    /// Registers the configured images that were not registered before. One whose file is missing
    /// is left for the next start; one that a user deleted stays away.
    pub(crate) async fn seed(&self) -> Result<(), Error> {
        for seed in &self.config.images {
            let id = seed_id(&seed.name);
            let key = id.clone();
            if self.db.read(move |r| store::images::is_seeded(r, &key)).await? {
                continue;
            }
            match self.register(seed, &id).await {
                Ok(()) => tracing::info!(image = seed.name, id, "image registered"),
                Err(error) => {
                    tracing::warn!(
                        image = seed.name, path = %seed.path.display(),
                        %error, "could not register an image"
                    );
                }
            }
        }
        Ok(())
    }

    async fn register(&self, seed: &SeedImage, id: &str) -> Result<(), Error> {
        let _busy = self.busy(id);
        let cannot = |source| Error::io("read the file", source);
        let part = self.files.link(id, seed.path.clone()).await.map_err(cannot)?;
        let digests = digest::of_file(part.path()).await.map_err(cannot)?;
        let cx = Ctx::task("glance", self.clock.now());
        let image = self.seed_image(seed, id).await?;
        // Whatever an earlier start left of it goes first.
        let key = id.to_owned();
        self.db.write(move |tx| store::images::delete(tx, &key)).await?;
        let image = self.add_image(&cx, image).await?;
        self.take_in(&image, Status::Saving, part, digests).await?;
        let key = id.to_owned();
        Ok(self.db.write(move |tx| store::images::set_seeded(tx, &key)).await?)
    }

    async fn seed_image(&self, seed: &SeedImage, id: &str) -> Result<Image, Error> {
        let admin = match self.hub.identity() {
            Ok(identity) => identity.project_named("admin").await?,
            Err(_) => None,
        };
        let owner = admin.map(|project| project.id.to_string());
        let mut image = Image::queued(id.to_owned(), owner, self.clock.now());
        image.name = Some(seed.name.clone());
        image.status = Status::Saving;
        image.visibility = Visibility::Public;
        image.disk_format = Some(seed.disk_format.clone());
        image.container_format = Some(seed.container_format.clone());
        image.min_disk = i64::try_from(seed.min_disk).unwrap_or(i64::MAX);
        image.min_ram = i64::try_from(seed.min_ram).unwrap_or(i64::MAX);
        for (name, value) in &seed.properties {
            image.properties.insert(name.clone(), Some(value.clone()));
        }
        for (name, other) in [("kernel_id", &seed.kernel), ("ramdisk_id", &seed.ramdisk)] {
            if let Some(other) = other {
                image.properties.insert(name.to_owned(), Some(seed_id(other)));
            }
        }
        Ok(image)
    }
}

/// The id that an image registered from the configuration always has.
fn seed_id(name: &str) -> String {
    ids::named(&format!("{name}.image"))
}
