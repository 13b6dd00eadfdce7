//! Whether two queues are one. A queue has several addresses (endpoints, local names, an emulator's port that changes with
//! each start) and one ARN, of region, account and name.

use crate::Queue;

impl Queue {
    /// Whether both are the same queue, by whatever address each was opened.
    pub fn is_same(&self, other: &Self) -> bool {
        is_same(
            (self.url(), &self.attributes().arn),
            (other.url(), &other.attributes().arn),
        )
    }
}

/// The same of a URL and an ARN each; an ARN that is not known is empty.
pub(crate) fn is_same(one: (&str, &str), other: (&str, &str)) -> bool {
    let ((url, arn), (other_url, other_arn)) = (one, other);
    if arn.is_empty() || other_arn.is_empty() {
        is_same_url(url, other_url)
    } else {
        arn == other_arn
    }
}

/// Whether two URLs name one queue, as far as they tell: account and name are the same, and the regions where both hosts say
/// one.
pub fn is_same_url(one: &str, other: &str) -> bool {
    let (one, other) = (Named::of(one), Named::of(other));
    let regions = one.region.zip(other.region);
    one.name == other.name && regions.is_none_or(|(one, other)| one == other)
}

/// What a queue's URL says of its ARN.
struct Named<'u> {
    region: Option<&'u str>,
    /// Account and name, as the end of the path.
    name: (Option<&'u str>, Option<&'u str>),
}

impl<'u> Named<'u> {
    fn of(url: &'u str) -> Self {
        let address = url.split_once("://").map_or(url, |(_, address)| address);
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let mut parts = path.trim_end_matches('/').rsplit('/');
        Self {
            region: region(host),
            name: (parts.next(), parts.next()),
        }
    }
}

/// The region that a host of SQS stands in: the label after `sqs`, or before `queue` in the older names ([SQS endpoints]).
///
/// [SQS endpoints]: https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
fn region(host: &str) -> Option<&str> {
    let labels: Vec<_> = host.split('.').collect();
    labels.windows(2).find_map(|pair| match *pair {
        ["sqs" | "sqs-fips", region] | [region, "queue"] => Some(region),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_queue_has_many_addresses() {
        let aws = "https://sqs.eu-central-1.amazonaws.com/123456789012/events.fifo";
        for other in [
            aws,
            "https://sqs.eu-central-1.amazonaws.com/123456789012/events.fifo/",
            "https://eu-central-1.queue.amazonaws.com/123456789012/events.fifo",
            "https://vpce-0a1b-c2d3.sqs.eu-central-1.vpce.amazonaws.com/123456789012/events.fifo",
            "http://localhost:4566/123456789012/events.fifo",
            "http://127.0.0.1:9324/123456789012/events.fifo",
            "http://sqs:9324/123456789012/events.fifo",
            "https://sqs-fips.eu-central-1.amazonaws.com/123456789012/events.fifo",
            "http://my-host-1.example.com/123456789012/events.fifo",
            "http://sqs.eu-central-1.localhost.localstack.cloud:4566/123456789012/events.fifo",
            "http://localhost:4566/queue/eu-central-1/123456789012/events.fifo",
        ] {
            assert!(
                is_same_url(aws, other) && is_same_url(other, aws),
                "{other}"
            );
        }
    }

    #[test]
    fn another_name_account_or_region_is_another_queue() {
        let aws = "https://sqs.eu-central-1.amazonaws.com/123456789012/events.fifo";
        for other in [
            "https://sqs.eu-central-1.amazonaws.com/123456789012/events",
            "https://sqs.eu-central-1.amazonaws.com/210987654321/events.fifo",
            "https://sqs.us-gov-west-1.amazonaws.com/123456789012/events.fifo",
            "https://us-east-1.queue.amazonaws.com/123456789012/events.fifo",
            "events.fifo",
            "",
        ] {
            assert!(
                !is_same_url(aws, other) && !is_same_url(other, aws),
                "{other}"
            );
        }
    }

    #[test]
    fn what_both_arns_say_counts_more_than_the_addresses() {
        let (url, other_url) = ("http://localhost:4566/1/a", "http://10.0.0.7/queues/a");
        let (arn, other_arn) = ("arn:aws:sqs:us-east-1:1:a", "arn:aws:sqs:us-west-1:1:a");
        assert!(is_same((url, arn), (other_url, arn)));
        assert!(!is_same((url, arn), (url, other_arn)));
        assert!(!is_same((url, arn), (other_url, "")));
        assert!(is_same((url, arn), (url, "")));
    }
}
