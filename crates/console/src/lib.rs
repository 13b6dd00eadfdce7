//! Looks at dead letters in the internal queue
