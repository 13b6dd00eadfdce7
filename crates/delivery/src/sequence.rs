//! SQS sequence numbers, as text.

use std::cmp::Ordering;

/// The longest that 128 bits can be ([SequenceNumber]).
///
/// [SequenceNumber]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
const MOST_DIGITS: usize = 39;

/// Orders two sequence numbers of one queue as numbers, whatever zeros they begin with: the earlier message of a group
/// has the smaller one.
pub fn sequence_order(one: &str, other: &str) -> Ordering {
    let [one, other] = [one, other].map(|number| number.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// Whether a text is a sequence number: what a message attribute says of one may be anything.
pub fn is_sequence_number(text: &str) -> bool {
    (1..=MOST_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn more_digits_are_a_larger_number_and_zeros_in_front_are_none() {
        assert_eq!(sequence_order("9", "10"), Ordering::Less);
        assert_eq!(sequence_order("0009", "10"), Ordering::Less);
        assert_eq!(sequence_order("18870000", "018869999"), Ordering::Greater);
        assert_eq!(sequence_order("007", "7"), Ordering::Equal);
        assert_eq!(sequence_order("0", "00"), Ordering::Equal);
    }

    #[test]
    fn only_digits_and_no_more_than_128_bits_need_are_a_sequence_number() {
        assert!(is_sequence_number("18849496460467696128"));
        assert!(is_sequence_number(&u128::MAX.to_string()));
        for text in ["", "-1", "1.0", "1 ", "١", &"9".repeat(40)] {
            assert!(!is_sequence_number(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_numbers(one: u128, other: u128, zeros in 0..3_usize) {
            let padded = format!("{}{one}", "0".repeat(zeros));
            prop_assert_eq!(sequence_order(&padded, &other.to_string()), one.cmp(&other));
        }
    }
}
