//! `[endpoint]`: which addresses the worker may talk to, and how.

use consumer::post::EndpointPolicy;
use ipnet::IpNet;

use super::reader::Reader;
use super::values::any;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<EndpointPolicy> {
    let reuse_connections = reader.or("endpoint.reuse_connections", true, any);
    let allow_http = reader.or("endpoint.allow_http", false, any);
    let allow_networks = reader.or("endpoint.allow_networks", Vec::<IpNet>::new(), any);
    Some(EndpointPolicy {
        reuse_connections: reuse_connections?,
        allow_http: allow_http?,
        allow_networks: allow_networks?,
    })
}
