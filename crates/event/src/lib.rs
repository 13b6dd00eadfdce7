//! What is delivered: the parameters of an event, event setups and the deduplication clock
