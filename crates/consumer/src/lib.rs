//! Poll, lanes, deliver, settle: the worker
