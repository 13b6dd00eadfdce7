//! Redrive policies: where a queue sends messages received too often, and which queues may send them here.

use serde_json::Value;

use super::error::SqsError;

/// `RedrivePolicy` of a source queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RedrivePolicy {
    /// As it was set; shown again unchanged.
    pub(super) text: String,
    pub(super) target_arn: String,
    /// 1 to 1,000: the receive after this many moves the message instead.
    pub(super) max_receive_count: u32,
}

/// `RedriveAllowPolicy` of a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RedriveAllowPolicy {
    pub(super) text: String,
    permission: Permission,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Permission {
    AllowAll,
    DenyAll,
    ByQueue(Vec<String>),
}

impl RedrivePolicy {
    pub(super) fn parse(text: &str) -> Result<Self, SqsError> {
        let refuse = |reason| SqsError::invalid_value(text, "RedrivePolicy", reason);
        let policy =
            object(text).ok_or_else(|| refuse("Redrive policy is not a valid JSON map."))?;
        let target_arn = policy
            .get("deadLetterTargetArn")
            .and_then(Value::as_str)
            .ok_or_else(|| {
                refuse("Redrive policy does not contain mandatory attribute: deadLetterTargetArn.")
            })?;
        let count = policy.get("maxReceiveCount").ok_or_else(|| {
            refuse("Redrive policy does not contain mandatory attribute: maxReceiveCount.")
        })?;
        // SDKs send the number as a JSON number or as text.
        let max_receive_count = match count {
            Value::Number(number) => number.as_u64(),
            Value::String(digits) => digits.parse().ok(),
            _ => None,
        }
        .and_then(|count| u32::try_from(count).ok())
        .filter(|count| (1..=1000).contains(count))
        .ok_or_else(|| {
            refuse("Invalid value for maxReceiveCount: must be an integer from 1 to 1000.")
        })?;
        Ok(Self {
            text: text.to_owned(),
            target_arn: target_arn.to_owned(),
            max_receive_count,
        })
    }
}

impl RedriveAllowPolicy {
    pub(super) fn parse(text: &str) -> Result<Self, SqsError> {
        let refuse = |reason| SqsError::invalid_value(text, "RedriveAllowPolicy", reason);
        let policy =
            object(text).ok_or_else(|| refuse("Redrive allow policy is not a valid JSON map."))?;
        let sources = policy.get("sourceQueueArns").and_then(Value::as_array);
        let permission = match (
            policy.get("redrivePermission").and_then(Value::as_str),
            sources,
        ) {
            (Some("allowAll"), None) => Permission::AllowAll,
            (Some("denyAll"), None) => Permission::DenyAll,
            (Some("byQueue"), Some(arns)) if (1..=10).contains(&arns.len()) => Permission::ByQueue(
                arns.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            ),
            (Some("byQueue"), _) => return Err(refuse("byQueue needs 1 to 10 sourceQueueArns.")),
            (Some("allowAll" | "denyAll"), _) => {
                return Err(refuse("sourceQueueArns is allowed with byQueue only."));
            }
            _ => {
                return Err(refuse(
                    "redrivePermission must be allowAll, denyAll or byQueue.",
                ));
            }
        };
        Ok(Self {
            text: text.to_owned(),
            permission,
        })
    }

    pub(super) fn allows(&self, source_arn: &str) -> bool {
        match &self.permission {
            Permission::AllowAll => true,
            Permission::DenyAll => false,
            Permission::ByQueue(arns) => arns.iter().any(|arn| arn == source_arn),
        }
    }
}

fn object(text: &str) -> Option<serde_json::Map<String, Value>> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redrive_policy_names_a_target_and_1_to_1000_receives() {
        let table = [
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":5}"#,
                Some(5),
            ),
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":"1000"}"#,
                Some(1000),
            ),
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":0}"#,
                None,
            ),
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":1001}"#,
                None,
            ),
            (
                r#"{"deadLetterTargetArn":"arn:x","maxReceiveCount":true}"#,
                None,
            ),
            (r#"{"deadLetterTargetArn":"arn:x"}"#, None),
            (r#"{"maxReceiveCount":5}"#, None),
            ("[]", None),
            ("not json", None),
        ];
        for (text, expected) in table {
            assert_eq!(
                RedrivePolicy::parse(text).ok().map(|p| p.max_receive_count),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn an_allow_policy_allows_all_none_or_those_named() {
        let table = [
            (r#"{"redrivePermission":"allowAll"}"#, Some((true, true))),
            (r#"{"redrivePermission":"denyAll"}"#, Some((false, false))),
            (
                r#"{"redrivePermission":"byQueue","sourceQueueArns":["a"]}"#,
                Some((true, false)),
            ),
            (r#"{"redrivePermission":"byQueue"}"#, None),
            (
                r#"{"redrivePermission":"byQueue","sourceQueueArns":[]}"#,
                None,
            ),
            (
                r#"{"redrivePermission":"denyAll","sourceQueueArns":["a"]}"#,
                None,
            ),
            (r#"{"redrivePermission":"some"}"#, None),
            ("", None),
        ];
        for (text, expected) in table {
            let found = RedriveAllowPolicy::parse(text)
                .ok()
                .map(|p| (p.allows("a"), p.allows("b")));
            assert_eq!(found, expected, "{text}");
        }
    }
}
