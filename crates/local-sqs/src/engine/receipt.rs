//! Receipt handles: the right to settle one receive of one message.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::Seq;
use super::error::{ErrorKind, SqsError};
use super::ids::mix;

/// What a receipt handle says, in the clear to us and opaque to everybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Which queue (names can be used again after a delete, this number is not).
    pub(super) queue: u64,
    /// Which message.
    pub(super) seq: Seq,
    /// Which receive; a later one makes this handle stale.
    pub(super) receive: u64,
}

impl Receipt {
    pub(super) fn encode(self) -> String {
        let mut bytes = [0; 32];
        for (slot, word) in
            bytes
                .chunks_exact_mut(8)
                .zip([self.queue, self.seq, self.receive, self.check()])
        {
            slot.copy_from_slice(&word.to_be_bytes());
        }
        STANDARD.encode(bytes)
    }

    /// Reads a handle; whatever [`Receipt::encode`] did not write is `ReceiptHandleIsInvalid`.
    pub(super) fn decode(handle: &str) -> Result<Self, SqsError> {
        let mut bytes = [0; 32];
        let read = STANDARD.decode_slice(handle, &mut bytes);
        let word = |n: usize| u64::from_be_bytes(std::array::from_fn(|i| bytes[n * 8 + i]));
        let receipt = Self {
            queue: word(0),
            seq: word(1),
            receive: word(2),
        };
        if read.is_ok_and(|n| n == 32) && word(3) == receipt.check() {
            return Ok(receipt);
        }
        Err(Self::invalid(handle))
    }

    pub(super) fn invalid(handle: &str) -> SqsError {
        let message =
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        SqsError::new(ErrorKind::ReceiptHandleIsInvalid, message)
    }

    /// Tells a handle from garbage; it is no protection against forgery, which a local queue does not need.
    fn check(self) -> u64 {
        mix(self.queue ^ mix(self.seq ^ mix(self.receive)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_survives_the_round_trip() {
        let receipt = Receipt {
            queue: 3,
            seq: u64::MAX,
            receive: 42,
        };
        assert_eq!(Receipt::decode(&receipt.encode()), Ok(receipt));
    }

    #[test]
    fn garbage_is_no_handle() {
        let good = Receipt {
            queue: 1,
            seq: 2,
            receive: 3,
        }
        .encode();
        let flipped = format!("B{}", &good[1..]);
        for garbage in [
            "",
            "garbage",
            "é",
            &good[..40],
            &flipped,
            &format!("{good}AAAA"),
        ] {
            let error = Receipt::decode(garbage).unwrap_err();
            assert_eq!(error.kind, ErrorKind::ReceiptHandleIsInvalid, "{garbage}");
        }
    }
}
