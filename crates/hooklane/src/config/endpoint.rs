//! `[endpoint]`: which addresses the worker may talk to.

use ipnet::IpNet;

use super::reader::Reader;
use super::values::any;

/// Which addresses the worker may talk to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointConfig {
    /// Whether callbacks may be plain http.
    pub allow_http: bool,
    /// Private networks that may be talked to all the same.
    pub allow_networks: Vec<IpNet>,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<EndpointConfig> {
    let allow_http = reader.or("endpoint.allow_http", false, any);
    let allow_networks = reader.or("endpoint.allow_networks", Vec::<IpNet>::new(), any);
    Some(EndpointConfig {
        allow_http: allow_http?,
        allow_networks: allow_networks?,
    })
}
