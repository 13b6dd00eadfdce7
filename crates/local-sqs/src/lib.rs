//! Amazon SQS on one machine: the FIFO rules as a pure state machine, served over HTTP or in process.
//!
//! A local default and a test rig, never a production queue: everything is in memory, nothing is checked but the rules.
//!
//! - [`engine`] decides: every rule of SQS, with time as an argument.
//! - [`protocol`] speaks the AWS JSON protocol: [`protocol::handle`] takes an action, the body of its request and the time, and
//!   answers or says how long to wait. It is a plain function, so a simulation can put faults around it.
//! - [`LocalSqs`] is the shell: a lock, a clock and waiting, with two faces. [`LocalSqs::serve`] listens on a socket;
//!   [`LocalSqs::http_client`] is an HTTP client for the AWS SDK that never leaves the process and follows tokio's clock, paused
//!   or not.
//!
//! ```
//! # async fn example() -> Result<(), aws_sdk_sqs::Error> {
//! use local_sqs::{Limits, LocalSqs};
//!
//! let sqs = LocalSqs::new(Limits::default());
//! let config = aws_sdk_sqs::Config::builder()
//!     .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
//!     .region(aws_sdk_sqs::config::Region::new("us-east-1"))
//!     .allow_no_auth()
//!     .endpoint_url("http://local-sqs")
//!     .http_client(sqs.http_client())
//!     .build();
//! let client = aws_sdk_sqs::Client::from_conf(config);
//! client.create_queue().queue_name("events.fifo").attributes("FifoQueue".into(), "true").send().await?;
//! # Ok(()) }
//! ```

pub mod engine;
mod http;
mod in_process;
pub mod protocol;
mod service;

pub use engine::Limits;
pub use service::LocalSqs;
