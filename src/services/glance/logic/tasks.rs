//! The tasks API: an old way to import, for administrators.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use stackup_core::{Ctx, Page, ids};
use tracing::Instrument;

use crate::model::{Image, Status, Task, TaskKind, property};
use crate::store::tasks::TaskFilter;
use crate::{Error, Glance, store};

impl Glance {
    pub(crate) async fn task(&self, cx: &Ctx, id: &str) -> Result<Task, Error> {
        let (reach, key) = (cx.reach(), id.to_owned());
        let found = self.db.read(move |r| store::tasks::get(r, &reach, &key)).await?;
        found.ok_or_else(|| Error::NotFound(format!("Task with the given id {id} was not found")))
    }

    pub(crate) async fn tasks(
        &self,
        cx: &Ctx,
        filter: TaskFilter,
        page: Page,
    ) -> Result<Vec<Task>, Error> {
        let reach = cx.reach();
        let found = self.db.scan(move |r| store::tasks::list(r, &reach, &filter, &page)).await?;
        found.ok_or_else(|| Error::BadRequest("Invalid marker".to_owned()))
    }

    /// What was done for an image, for whoever may see it.
    pub(crate) async fn tasks_of(&self, cx: &Ctx, image: &str) -> Result<Vec<Task>, Error> {
        let id = self.visible_image(cx, image).await?.id;
        Ok(self.db.read(move |r| store::tasks::of_image(r, &id)).await?)
    }

    /// Begins a task of type `import`: an image is made of what a URL gives.
    pub(crate) async fn create_task(
        self: &Arc<Self>,
        cx: &Ctx,
        input: Value,
    ) -> Result<Task, Error> {
        let empty = Map::new();
        let properties = input["image_properties"].as_object().unwrap_or(&empty);
        let uri = match input["import_from"].as_str() {
            Some(uri) => uri.to_owned(),
            None => return Err(required("import_from")),
        };
        if !input["import_from_format"].is_string() {
            return Err(required("import_from_format"));
        }
        self.web.allows(&uri).map_err(|error| Error::BadRequest(error.to_string()))?;
        let owner = cx.project_id().map(ToString::to_string);
        let mut image = Image::queued(ids::uuid(), owner, self.clock.now());
        for (name, value) in properties {
            property::may_write(name)?;
            property::set(&mut image, name, value, &self.config)?;
        }
        image.require_formats()?;
        let task = self.new_task(cx, TaskKind::Import, input, None);
        let row = task.clone();
        self.db.write(move |tx| store::tasks::insert(tx, &row)).await?;
        let (glance, cx, id) = (Arc::clone(self), cx.clone(), task.id.clone());
        let work = async move { glance.run_task(&cx, id, image, uri).await };
        self.supervisor.spawn("glance.task", work.instrument(tracing::Span::current()));
        Ok(task)
    }

    async fn run_task(&self, cx: &Ctx, task: String, image: Image, uri: String) {
        let _busy = self.busy(&image.id);
        let (id, now) = (task.clone(), self.clock.now());
        let begun = self.db.write(move |tx| store::tasks::begin(tx, &id, now)).await;
        let image_id = image.id.clone();
        let done = match begun {
            Ok(_) => self.make_image(cx, image, &uri).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = &done {
            tracing::warn!(task, %error, "task failed");
        }
        let end = self.ended(done.as_ref().map(|()| json!({"image_id": image_id})));
        let now = self.clock.now();
        let written = self.db.write(move |tx| store::tasks::end(tx, &task, &end, now));
        if let Err(error) = written.await {
            tracing::error!(%error, "could not write the end of a task");
        }
    }

    /// An image without data is of no use to whoever asked: it goes when the data does not come.
    async fn make_image(&self, cx: &Ctx, image: Image, uri: &str) -> Result<(), Error> {
        let mut image = image;
        image.status = Status::Importing;
        let image = self.add_image(cx, image).await?;
        let fetched = self.fetch(&image, uri).await;
        if fetched.is_err() {
            let id = image.id.clone();
            self.db.write(move |tx| store::images::delete(tx, &id)).await?;
        }
        fetched
    }
}

fn required(what: &str) -> Error {
    Error::BadRequest(format!("Input does not contain '{what}' field"))
}
