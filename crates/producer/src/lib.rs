//! Events into the queue, in order
