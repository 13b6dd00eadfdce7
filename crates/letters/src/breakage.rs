//! Deliberate mistakes, which the simulation must catch, each of them.

::breakage::breakages! {
    /// A mistake that a replay or a drop could make.
    pub enum Breakage {
        /// A letter is deleted before it is in its new place.
        DeleteFirst,
        /// A letter gets a new deduplication id each time it is sent.
        FreshReplayId,
        /// The next letter of a group goes while one ahead of it has to be tried again.
        NextAfterFailed,
        /// `Failed` of a batch of sends is not read.
        FailedSendsIgnored,
        /// `Failed` of a batch of deletes is not read.
        FailedDeletesIgnored,
        /// Letters go back in the order in which they died.
        OrderOfDeath,
        /// Two letters of one event are both sent.
        CopiesSent,
    }
}
