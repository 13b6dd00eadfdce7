//! `[endpoint]`: which addresses the worker may talk to, and how.

use consumer::post::EndpointPolicy;

use super::reader::Reader;
use super::table::{ALLOW_HTTP, ALLOW_NETWORKS, REUSE_CONNECTIONS};

pub(super) fn read(reader: &mut Reader<'_>) -> Option<EndpointPolicy> {
    let reuse_connections = reader.or_default(&REUSE_CONNECTIONS);
    let allow_http = reader.or_default(&ALLOW_HTTP);
    let allow_networks = reader.or_default(&ALLOW_NETWORKS);
    Some(EndpointPolicy {
        reuse_connections: reuse_connections?,
        allow_http: allow_http?,
        allow_networks: allow_networks?,
    })
}
