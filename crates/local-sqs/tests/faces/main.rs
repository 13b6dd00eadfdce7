//! Both faces through the real SDK: the HTTP server on a socket, the in-process client on paused time.

mod http;
mod in_process;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{
    BehaviorVersion, Builder, Credentials, Region, StalledStreamProtectionConfig,
    retry::RetryConfig,
};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};

fn config(endpoint: &str) -> Builder {
    aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .endpoint_url(endpoint)
}

/// Creates `NAME.fifo` and returns its URL.
async fn create(client: &Client, name: &str, attributes: &[(&str, &str)]) -> String {
    let mut request = client
        .create_queue()
        .queue_name(format!("{name}.fifo"))
        .attributes("FifoQueue".into(), "true");
    for (name, value) in attributes {
        request = request.attributes((*name).into(), *value);
    }
    request.send().await.unwrap().queue_url.unwrap()
}

async fn send(client: &Client, url: &str, group: &str, body: &str) {
    client
        .send_message()
        .queue_url(url)
        .message_body(body)
        .message_group_id(group)
        .message_deduplication_id(body)
        .send()
        .await
        .unwrap();
}

async fn receive(client: &Client, url: &str, wait_s: i32) -> Vec<Message> {
    let answer = client
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .wait_time_seconds(wait_s)
        .message_system_attribute_names(MessageSystemAttributeName::All)
        .send()
        .await;
    answer.unwrap().messages.unwrap_or_default()
}

async fn hide(client: &Client, url: &str, message: &Message, seconds: i32) {
    client
        .change_message_visibility()
        .queue_url(url)
        .receipt_handle(message.receipt_handle.as_deref().unwrap())
        .visibility_timeout(seconds)
        .send()
        .await
        .unwrap();
}

async fn delete(client: &Client, url: &str, message: &Message) {
    client
        .delete_message()
        .queue_url(url)
        .receipt_handle(message.receipt_handle.as_deref().unwrap())
        .send()
        .await
        .unwrap();
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().filter_map(Message::body).collect()
}

fn receive_count(message: &Message) -> &str {
    &message.attributes.as_ref().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount]
}
