//! `[endpoint]`: which addresses the worker may talk to.

use consumer::post::EndpointPolicy;
use ipnet::IpNet;

use super::reader::Reader;
use super::values::any;

pub(super) fn read(reader: &mut Reader<'_>) -> Option<EndpointPolicy> {
    let allow_http = reader.or("endpoint.allow_http", false, any);
    let allow_networks = reader.or("endpoint.allow_networks", Vec::<IpNet>::new(), any);
    Some(EndpointPolicy {
        allow_http: allow_http?,
        allow_networks: allow_networks?,
    })
}
