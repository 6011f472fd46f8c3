//! Generated ids: unpredictable enough to look real, and the same again for the same seed.

/// A stream of numbers from a seed (SplitMix64). Never for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    state: u64,
}

const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// `prefix` and `length` letters and digits.
    pub(crate) fn alphanumeric(&mut self, prefix: &str, length: usize) -> String {
        let mut id = String::with_capacity(prefix.len() + length);
        id.push_str(prefix);
        for _ in 0..length {
            let index = usize::try_from(self.next() % 62).expect("a number below 62 fits");
            id.push(char::from(ALPHANUMERIC[index]));
        }
        id
    }

    /// `prefix` and 18 digits, as Scalekit's ids look.
    pub(crate) fn numeric(&mut self, prefix: &str) -> String {
        format!("{prefix}{:018}", 100_000_000_000_000_000 + self.next() % 900_000_000_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut one, mut two) = (Ids::new(7), Ids::new(7));
        assert_eq!(one.alphanumeric("ev_", 16), two.alphanumeric("ev_", 16));
        assert_eq!(one.numeric("org_").len(), 22);
        assert_ne!(one.numeric("org_"), one.numeric("org_"));
    }
}
