//! The door for other services: guests' metadata, and what neutron tells.

use async_trait::async_trait;
use bytes::Bytes;
use stackup_contracts::{CallError, Compute, MetadataAnswer, MetadataRequest};
use stackup_core::{Ctx, ErrorKind, ServerId};

use super::{metadata, networks};
use crate::model::metadata::render;
use crate::store::servers;
use crate::{Error, Nova};

/// A guest's encrypted password is at most so long: four of nova's metadata values.
const MOST_PASSWORD: usize = 1020;

#[async_trait]
impl Compute for Nova {
    async fn metadata(&self, request: MetadataRequest) -> MetadataAnswer {
        match self.answer(&request).await {
            Ok(answer) => answer,
            Err(Error::ServerNotFound(_)) => plain(404, "404 Not Found"),
            Err(error) => {
                tracing::error!(server = %request.server, %error, "metadata failed");
                plain(500, "An unknown error has occurred. Please try your request again.")
            }
        }
    }

    async fn network_changed(&self, _: &Ctx, server: &ServerId) -> Result<(), CallError> {
        // Addresses are read from neutron at every look: nothing here goes stale.
        tracing::debug!(%server, "network changed");
        Ok(())
    }

    async fn exists(&self, cx: &Ctx, server: &ServerId) -> Result<bool, CallError> {
        let (reach, id) = (cx.reach(), server.clone());
        let found =
            self.db.read(move |r| servers::get(r, &reach, &id, false).map_err(Error::from)).await;
        match found {
            Ok(found) => Ok(found.is_some()),
            Err(error) => Err(CallError::new(ErrorKind::Internal, "", error.to_string())),
        }
    }
}

impl Nova {
    async fn answer(&self, request: &MetadataRequest) -> Result<MetadataAnswer, Error> {
        let cx = self.task_cx();
        let server = self.server(&cx, &request.server).await?;
        let path = request.path.split('?').next().unwrap_or_default();
        if request.method.eq_ignore_ascii_case("POST") {
            return self.keep_password(&server.id, path, &request.body).await;
        }
        let ports = networks::ports(self, &cx, &server.id).await?;
        let told = metadata::gather(self, &server, &ports, None);
        Ok(match render(path, &told) {
            Some(body) => MetadataAnswer {
                status: 200,
                content_type: body.content_type.to_owned(),
                body: body.bytes.into(),
            },
            None => plain(404, "404 Not Found"),
        })
    }

    /// `POST /openstack/<version>/password`, once.
    async fn keep_password(
        &self,
        id: &ServerId,
        path: &str,
        body: &Bytes,
    ) -> Result<MetadataAnswer, Error> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if !matches!(parts.as_slice(), ["openstack", _, "password"]) {
            return Ok(plain(405, "405 Method Not Allowed"));
        }
        let Ok(text) = String::from_utf8(body.to_vec()) else {
            return Ok(plain(400, "The request is invalid."));
        };
        if text.len() > MOST_PASSWORD {
            return Ok(plain(400, "The request is invalid."));
        }
        let kept = self
            .change_own(id, move |_, server| {
                if !server.password.is_empty() {
                    return Err(Error::Conflict("a password is set".to_owned()));
                }
                server.password.clone_from(&text);
                Ok(())
            })
            .await;
        match kept {
            Ok(_) => Ok(plain(200, "")),
            Err(Error::Conflict(_)) => Ok(plain(409, "409 Conflict")),
            Err(error) => Err(error),
        }
    }
}

fn plain(status: u16, text: &'static str) -> MetadataAnswer {
    MetadataAnswer {
        status,
        content_type: "text/plain; charset=UTF-8".to_owned(),
        body: Bytes::from_static(text.as_bytes()),
    }
}
