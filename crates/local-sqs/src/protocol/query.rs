//! The query protocol that older SDKs speak (a form in, XML out), translated to the JSON protocol and back. Scalars, lists and
//! attribute maps are understood; batches and message attributes are not, and are refused.

use std::fmt::Write;

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::Reply;
use crate::engine::{ErrorKind, SqsError};

/// Content type of requests in the query protocol.
pub const QUERY_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

const INTEGERS: [&str; 5] = [
    "DelaySeconds",
    "MaxNumberOfMessages",
    "VisibilityTimeout",
    "WaitTimeSeconds",
    "MaxResults",
];

/// Lists: `Name.1`, `Name.2` in the form, a plural in JSON.
const LISTS: [(&str, &str); 4] = [
    ("AttributeName", "AttributeNames"),
    ("MessageAttributeName", "MessageAttributeNames"),
    ("MessageSystemAttributeName", "MessageSystemAttributeNames"),
    ("TagKey", "TagKeys"),
];

/// Maps: `Name.1.<key>`, `Name.1.Value` in the form, an object in JSON.
const MAPS: [(&str, &str, &str); 2] = [("Attribute", "Name", "Attributes"), ("Tag", "Key", "Tags")];

/// Name of one element of a list or map of the JSON protocol, and of the key of a map.
const ELEMENTS: [(&str, &str, &str); 6] = [
    ("Attributes", "Attribute", "Name"),
    ("MessageAttributes", "MessageAttribute", "Name"),
    ("Tags", "Tag", "Key"),
    ("Messages", "Message", ""),
    ("QueueUrls", "QueueUrl", ""),
    ("queueUrls", "QueueUrl", ""),
];

/// Translates a form to an action and the body of its JSON request. A request without `QueueUrl` means the queue in `path`.
pub fn read_query(path: &str, form: &[u8]) -> Result<(String, Vec<u8>), SqsError> {
    let (mut action, mut request) = (String::new(), Map::new());
    let mut keys: Map<String, Value> = Map::new();
    for (name, value) in form_urlencoded::parse(form) {
        let parts: Vec<&str> = name.split('.').collect();
        match parts[..] {
            ["Action"] => action = value.into_owned(),
            ["Version"] => {}
            [name] if INTEGERS.contains(&name) => {
                let number: i64 = value
                    .parse()
                    .map_err(|_| SqsError::invalid_value(&value, name, "Must be a number."))?;
                request.insert(name.to_owned(), number.into());
            }
            [name] => {
                request.insert(name.to_owned(), value.into());
            }
            [list, _] if let Some((_, member)) = LISTS.iter().find(|(name, _)| *name == list) => {
                let list = request
                    .entry(*member)
                    .or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(list) = list {
                    list.push(value.into());
                }
            }
            [map, number, part]
                if let Some((_, key, member)) = MAPS.iter().find(|(name, ..)| *name == map) =>
            {
                let slot = format!("{map}.{number}");
                if part == *key {
                    keys.insert(slot, value.into());
                } else if let Some(Value::String(key)) = keys.get(&slot) {
                    let map = request
                        .entry(*member)
                        .or_insert_with(|| Value::Object(Map::new()));
                    map[key] = value.into();
                }
            }
            _ => {
                let message = format!("local-sqs understands {name} in the JSON protocol only.");
                return Err(SqsError::new(ErrorKind::UnsupportedOperation, message));
            }
        }
    }
    if path.len() > 1 {
        request.entry("QueueUrl").or_insert_with(|| path.into());
    }
    Ok((action, Value::Object(request).to_string().into_bytes()))
}

/// Translates an answer to XML.
pub fn write_query(action: &str, reply: Reply) -> Reply {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let mut inner = String::new();
    let request_id = &reply.request_id;
    let xml = match &reply.query_error {
        None => {
            write_members(&mut inner, &body);
            format!(
                "<{action}Response xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><{action}Result>{inner}</{action}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
            )
        }
        Some(error) => {
            let code = error.split(';').next().unwrap_or_default();
            write_element(&mut inner, "Message", &body["message"]);
            format!(
                "<ErrorResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"><Error><Type>Sender</Type>\
                 <Code>{code}</Code>{inner}<Detail/></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        }
    };
    Reply {
        content_type: "text/xml",
        query_error: None,
        body: xml.into_bytes(),
        ..reply
    }
}

fn write_members(xml: &mut String, object: &Value) {
    for (name, value) in object.as_object().into_iter().flatten() {
        let Some((_, element, key_name)) = ELEMENTS.iter().find(|(member, ..)| member == name)
        else {
            write_element(xml, name, value);
            continue;
        };
        for item in value.as_array().into_iter().flatten() {
            write_element(xml, element, item);
        }
        for (key, item) in value.as_object().into_iter().flatten() {
            let mut pair = Map::new();
            pair.insert((*key_name).to_owned(), key.as_str().into());
            pair.insert("Value".to_owned(), item.clone());
            write_element(xml, element, &Value::Object(pair));
        }
    }
}

fn write_element(xml: &mut String, name: &str, value: &Value) {
    let _ = write!(xml, "<{name}>");
    match value {
        Value::String(text) => escape(xml, text),
        Value::Object(_) => write_members(xml, value),
        other => escape(xml, &other.to_string()),
    }
    let _ = write!(xml, "</{name}>");
}

fn escape(xml: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#xD;"),
            c => xml.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_a_json_request() {
        let form = b"Action=CreateQueue&Version=2012-11-05&QueueName=a.fifo&Attribute.1.Name=FifoQueue&Attribute.1.Value=true\
                     &AttributeName.1=All&AttributeName.2=QueueArn&WaitTimeSeconds=3";
        let (action, body) = read_query("/", form).unwrap();
        assert_eq!(action, "CreateQueue");
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            serde_json::json!({
                "QueueName": "a.fifo", "Attributes": {"FifoQueue": "true"}, "AttributeNames": ["All", "QueueArn"], "WaitTimeSeconds": 3
            })
        );
    }

    #[test]
    fn the_path_names_the_queue_when_the_form_does_not() {
        let (_, body) = read_query("/000000000000/q", b"Action=PurgeQueue").unwrap();
        assert_eq!(body, br#"{"QueueUrl":"/000000000000/q"}"#);
    }

    #[test]
    fn batches_and_bad_numbers_are_refused() {
        let kind = |form: &[u8]| read_query("/", form).unwrap_err().kind;
        assert_eq!(
            kind(b"SendMessageBatchRequestEntry.1.Id=a"),
            ErrorKind::UnsupportedOperation
        );
        assert_eq!(kind(b"DelaySeconds=x"), ErrorKind::InvalidParameterValue);
    }

    #[test]
    fn an_answer_becomes_xml() {
        let reply = |query_error: Option<&str>, body: &str| Reply {
            status: 200,
            content_type: "",
            request_id: "id".into(),
            query_error: query_error.map(str::to_owned),
            body: body.into(),
        };
        let xml = |reply| String::from_utf8(write_query("Act", reply).body).unwrap();
        let ok = xml(reply(
            None,
            r#"{"Attributes":{"a":"<&>"},"Messages":[{"Body":"x"}],"QueueUrls":["u"]}"#,
        ));
        assert!(
            ok.contains("<Attribute><Name>a</Name><Value>&lt;&amp;&gt;</Value></Attribute>"),
            "{ok}"
        );
        assert!(
            ok.contains("<Message><Body>x</Body></Message><QueueUrl>u</QueueUrl></ActResult>"),
            "{ok}"
        );
        let error = xml(reply(Some("Some.Code;Sender"), r#"{"message":"no"}"#));
        assert!(
            error.contains("<Code>Some.Code</Code><Message>no</Message>"),
            "{error}"
        );
    }
}
