//! Amazon SQS through aws-sdk-sqs: send, receive, settle
