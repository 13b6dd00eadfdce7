//! Identifiers without randomness: the same seed gives the same ids, so a seeded simulation repeats exactly.

use std::fmt;

/// The finaliser of SplitMix64: spreads neighbouring numbers over all 64 bits.
pub(super) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A message, task or request id, shaped like a version 4 UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id(u128);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let v = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            v >> 96,
            (v >> 80) & 0xffff,
            (v >> 64) & 0xffff,
            (v >> 48) & 0xffff,
            v & 0xffff_ffff_ffff
        )
    }
}

/// Source of ids: a seed and a counter.
#[derive(Debug)]
pub(super) struct Ids {
    seed: u64,
    drawn: u64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed: mix(seed),
            drawn: 0,
        }
    }

    pub(super) fn next(&mut self) -> Id {
        self.drawn += 1;
        let high = mix(self.seed ^ self.drawn);
        let low = mix(high ^ self.seed);
        let bits = (u128::from(high) << 64) | u128::from(low);
        let version = 0x4 << 76;
        let variant = 0x8 << 60;
        Id((bits & !(0xf << 76) & !(0xc << 60)) | version | variant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_repeat_with_the_seed_and_never_within_it() {
        let draw = |seed| {
            let mut ids = Ids::new(seed);
            (0..10_000).map(|_| ids.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1)[..10], draw(2)[..10]);
        assert_eq!(
            draw(7)
                .into_iter()
                .collect::<std::collections::HashSet<_>>()
                .len(),
            10_000
        );
    }

    #[test]
    fn an_id_is_shaped_like_a_uuid() {
        let text = Ids::new(3).next().to_string();
        let lengths: Vec<_> = text.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&text[14..15], "4");
        assert!("89ab".contains(&text[19..20]), "{text}");
    }
}
