//! What outlives a worker: the attempt ledger
