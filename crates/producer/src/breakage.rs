//! Deliberate mistakes, which the simulation must catch, each of them.

::breakage::breakages! {
    /// A mistake that a producer could make.
    pub enum Breakage {
        /// The deduplication clock runs ahead of the wall clock.
        ClockAhead,
        /// More than one event of a group is in a batch.
        GroupInOneBatch,
        /// An event that failed is sent again with a new deduplication id.
        FreshIdOnRetry,
        /// A line is not noted in the checkpoint before it is sent.
        NotedAfterwards,
    }
}
