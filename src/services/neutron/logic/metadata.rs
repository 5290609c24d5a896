//! Guests' questions to 169.254.169.254: which server asks, then nova answers.

use std::net::IpAddr;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use stackup_contracts::{Hub, MetadataRequest};
use stackup_store::Db;

use crate::drivers::{MetadataHandler, MetadataOrigin};
use crate::error::{Error, Result};
use crate::store::topology;

/// The door from the dataplane to nova.
pub(crate) struct Door {
    pub(crate) db: Db,
    pub(crate) hub: Hub,
}

impl Door {
    /// The server with the address, if one has it.
    async fn server(&self, origin: MetadataOrigin, source: IpAddr) -> Result<Option<String>> {
        let devices = self
            .db
            .read(move |r| {
                let address = source.to_string();
                Ok::<_, Error>(match origin {
                    MetadataOrigin::Network(network) => {
                        topology::behind_network(r, &network.to_string(), &address)?
                    }
                    MetadataOrigin::Router(router) => {
                        topology::behind_router(r, &router.to_string(), &address)?
                    }
                })
            })
            .await?;
        let mut servers = devices.into_iter().filter(|(_, owner)| owner.starts_with("compute:"));
        Ok(servers.next().map(|(server, _)| server))
    }
}

#[async_trait]
impl MetadataHandler for Door {
    async fn serve(
        &self,
        origin: MetadataOrigin,
        source: IpAddr,
        request: Request<Bytes>,
    ) -> Response<Bytes> {
        let server = match self.server(origin, source).await {
            Ok(Some(server)) => server,
            Ok(None) => return plain(StatusCode::NOT_FOUND),
            Err(error) => {
                tracing::error!(%source, %error, "the asker of metadata is not known");
                return plain(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let Ok(compute) = self.hub.compute() else {
            return plain(StatusCode::SERVICE_UNAVAILABLE);
        };
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let answer = compute
            .metadata(MetadataRequest {
                server: server.into(),
                source,
                method: parts.method.to_string(),
                path,
                body,
            })
            .await;
        let status = StatusCode::from_u16(answer.status);
        let mut response = Response::new(answer.body);
        *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Ok(kind) = answer.content_type.parse() {
            response.headers_mut().insert(CONTENT_TYPE, kind);
        }
        response
    }
}

fn plain(status: StatusCode) -> Response<Bytes> {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Bytes::from_static(reason.as_bytes()));
    *response.status_mut() = status;
    response
}
