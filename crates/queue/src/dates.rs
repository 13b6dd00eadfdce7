//! Listens to what time SQS says it is: every answer has a `Date`.

use std::time::UNIX_EPOCH;

use aws_sdk_sqs::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_sqs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sqs::error::BoxError;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use event::Timestamp;

use crate::{Clock, Uptime};

/// Tells a clock of the `Date` of every answer.
#[derive(Debug)]
pub(crate) struct Dates(pub(crate) Clock);

/// When the present try of a call began.
#[derive(Debug)]
struct Asked(Uptime);

impl Storable for Asked {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Dates {
    fn name(&self) -> &'static str {
        "Dates"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        bag.interceptor_state().store_put(Asked(self.0.uptime()));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        // What has no request id was said by somebody on the way, whose clock is nobody's business.
        let is_sqs = headers.get("x-amzn-requestid").is_some();
        let date = headers.get("date").and_then(parse);
        if let (true, Some(date), Some(Asked(asked))) = (is_sqs, date, bag.load::<Asked>()) {
            self.0.learn(date, *asked);
        }
        Ok(())
    }
}

fn parse(date: &str) -> Option<Timestamp> {
    let since_epoch = httpdate::parse_http_date(date)
        .ok()?
        .duration_since(UNIX_EPOCH);
    Some(Timestamp::from_millis(since_epoch.ok()?.as_millis() as u64))
}
