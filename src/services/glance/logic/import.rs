//! Imports: work that goes on after the request was answered, told in a task.

use std::sync::Arc;

use serde_json::{Value, json};
use stackup_core::{Ctx, ids};
use stackup_store::Tx;
use tracing::Instrument;

use super::intake;
use crate::drivers::digest;
use crate::drivers::web::WebError;
use crate::model::{Image, Status, Task, TaskKind, TaskStatus};
use crate::{Error, Glance, quota, store};

/// On an image while an import is at work; says which task.
const LOCK: &str = "os_glance_import_task";
const IMPORTING: &str = "os_glance_importing_to_stores";
const FAILED: &str = "os_glance_failed_import";

/// From where the data comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Method {
    GlanceDirect,
    WebDownload { uri: String },
}

impl Method {
    /// The state that an image must be in.
    fn from(&self) -> Status {
        match self {
            Method::GlanceDirect => Status::Uploading,
            Method::WebDownload { .. } => Status::Queued,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Method::GlanceDirect => "glance-direct",
            Method::WebDownload { .. } => "web-download",
        }
    }
}

impl Glance {
    /// Begins to import data into an image, and answers when that is written down.
    #[tracing::instrument(skip_all, fields(image = id, method = method.name()))]
    pub(crate) async fn import_image(
        self: &Arc<Self>,
        cx: &Ctx,
        id: &str,
        method: Method,
        request: Value,
    ) -> Result<(), Error> {
        let image = self.visible_image(cx, id).await?;
        check_state(&image, &method)?;
        self.policy.check(cx, "modify_image", &image.target())?;
        if let Method::WebDownload { uri } = &method {
            self.web.allows(uri).map_err(|error| Error::BadRequest(error.to_string()))?;
        }
        let input = json!({
            "image_id": image.id, "import_req": request, "backend": [self.config.store_id],
        });
        let task = self.new_task(cx, TaskKind::ApiImageImport, input, Some(image.id.clone()));
        self.begin_import(&image, &method, &task).await?;
        let glance = Arc::clone(self);
        let work = async move { glance.run_import(task.id, image, method).await };
        self.supervisor.spawn("glance.import", work.instrument(tracing::Span::current()));
        Ok(())
    }

    /// A task that nobody works on yet.
    pub(crate) fn new_task(
        &self,
        cx: &Ctx,
        kind: TaskKind,
        input: Value,
        image_id: Option<String>,
    ) -> Task {
        let now = self.clock.now();
        Task {
            id: ids::uuid(),
            kind,
            status: TaskStatus::Pending,
            owner: cx.project_id().map(ToString::to_string).unwrap_or_default(),
            input,
            result: None,
            message: String::new(),
            image_id,
            request_id: cx.request_id.to_string(),
            user_id: cx.caller.user_id.to_string(),
            expires_at: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Fetches the data of an image that is importing, and makes it active with it.
    pub(crate) async fn fetch(&self, image: &Image, uri: &str) -> Result<(), Error> {
        let failed = |error: WebError| Error::BadRequest(format!("could not fetch {uri}: {error}"));
        let (announced, stream) = self.web.get(uri).await.map_err(failed)?;
        if announced.is_some_and(|size| size > self.config.size_cap) {
            return Err(intake::transfer(digest::ReceiveError::TooLarge(self.config.size_cap)));
        }
        let part = self.files.part(&image.id);
        let path = part.path().to_owned();
        let digests =
            digest::receive(path, stream, self.config.size_cap).await.map_err(intake::transfer)?;
        self.take_in(image, Status::Importing, part, digests).await
    }

    /// Writes the end of a task.
    pub(crate) fn ended(&self, result: Result<Value, &Error>) -> store::tasks::End {
        let keep = std::time::Duration::from_secs(self.config.task_hours.saturating_mul(3600));
        let expires_at = self.clock.now() + keep;
        match result {
            Ok(result) => store::tasks::End {
                status: TaskStatus::Success,
                result: Some(result),
                message: String::new(),
                expires_at,
            },
            Err(error) => store::tasks::End {
                status: TaskStatus::Failure,
                result: None,
                message: format!("Error: {error}"),
                expires_at,
            },
        }
    }

    /// Moves the image to importing, and adds the task and the lock, all at once.
    async fn begin_import(&self, image: &Image, method: &Method, task: &Task) -> Result<(), Error> {
        let (task, from, now) = (task.clone(), method.from(), self.clock.now());
        let (id, owner) = (image.id.clone(), image.owner.clone());
        let (limits, store_id) = (self.config.limits.clone(), self.config.store_id.clone());
        self.db
            .write(move |tx| {
                if let Some(owner) = &owner {
                    quota::more_data(&limits, &store::usage::of(tx, owner)?, 0)?;
                }
                if !store::images::set_status(tx, &id, from, Status::Importing, now)? {
                    return Err(Error::Conflict(format!(
                        "New operation on image '{id}' is not permitted as prior operation is \
                         still in progress"
                    )));
                }
                store::images::put_property(tx, &id, LOCK, Some(&task.id))?;
                store::images::put_property(tx, &id, IMPORTING, Some(&store_id))?;
                store::images::put_property(tx, &id, FAILED, Some(""))?;
                store::tasks::insert(tx, &task)?;
                Ok(())
            })
            .await
    }

    async fn run_import(&self, task: String, image: Image, method: Method) {
        let _busy = self.busy(&image.id);
        let (id, now) = (task.clone(), self.clock.now());
        let begun = self.db.write(move |tx| store::tasks::begin(tx, &id, now)).await;
        let done = match begun {
            Ok(_) => match &method {
                Method::GlanceDirect => self.take_staged(&image).await,
                Method::WebDownload { uri } => self.fetch(&image, uri).await,
            },
            Err(error) => Err(error.into()),
        };
        let end = self.ended(done.as_ref().map(|()| json!({"image_id": image.id})));
        if let Err(error) = &done {
            tracing::warn!(image = image.id, task, %error, "import failed");
            drop(std::fs::remove_file(self.files.staged(&image.id)));
        }
        let (key, store_id, now) = (image.id, self.config.store_id.clone(), self.clock.now());
        let failed = done.is_err();
        let written = self.db.write(move |tx| {
            if failed {
                store::images::requeue(tx, &key, Status::Importing, now)?;
            }
            unlock(tx, &key, failed.then_some(store_id.as_str()))?;
            store::tasks::end(tx, &task, &end, now)
        });
        if let Err(error) = written.await {
            tracing::error!(%error, "could not write the end of an import");
        }
    }

    async fn take_staged(&self, image: &Image) -> Result<(), Error> {
        let staged = self.files.staged(&image.id);
        let missing = |source| Error::io("read the staged data", source);
        let digests = digest::of_file(&staged).await.map_err(missing)?;
        let part = self.files.adopt(&image.id, staged).await.map_err(missing)?;
        self.take_in(image, Status::Importing, part, digests).await
    }
}

/// Removes the marks of an import from an image, if it is still there.
pub(crate) fn unlock(
    tx: &mut Tx<'_>,
    id: &str,
    failed: Option<&str>,
) -> Result<(), stackup_store::StoreError> {
    if !store::images::exists(tx, id)? {
        return Ok(());
    }
    store::images::drop_property(tx, id, LOCK)?;
    store::images::put_property(tx, id, IMPORTING, Some(""))?;
    store::images::put_property(tx, id, FAILED, Some(failed.unwrap_or_default()))
}

/// Upstream's refusals, in its order.
fn check_state(image: &Image, method: &Method) -> Result<(), Error> {
    let conflict = |why: &str| Err(Error::Conflict(why.to_owned()));
    match (method, image.status) {
        (_, Status::Active) => {
            return conflict("Image with status active cannot be target for import");
        }
        (Method::WebDownload { .. }, Status::Queued)
        | (Method::GlanceDirect, Status::Uploading) => {}
        (Method::WebDownload { .. }, _) => {
            return conflict("Image needs to be in 'queued' state to use 'web-download' method");
        }
        (Method::GlanceDirect, _) => {
            return conflict("Image needs to be staged before 'glance-direct' method can be used");
        }
    }
    if image.container_format.is_none() {
        return conflict("'container_format' needs to be set before import");
    }
    if image.disk_format.is_none() {
        return conflict("'disk_format' needs to be set before import");
    }
    Ok(())
}
