//! Making a queue pair and checking one: `queues create` and `queues check`.
