//! Amazon SQS on one machine: the FIFO rules as a pure state machine, served over HTTP or in process
