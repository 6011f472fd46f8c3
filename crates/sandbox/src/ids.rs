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

    /// A number below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether something that happens with this probability happens now. Always takes one number.
    #[expect(clippy::float_arithmetic, reason = "a probability, not money")]
    pub(crate) fn happens(&mut self, rate: f64) -> bool {
        let draw = u32::try_from(self.next() >> 32).expect("32 bits fit");
        f64::from(draw) < rate * 4_294_967_296.0
    }

    /// `prefix` and `length` letters and digits.
    pub(crate) fn alphanumeric(&mut self, prefix: &str, length: usize) -> String {
        let mut id = String::with_capacity(prefix.len() + length);
        id.push_str(prefix);
        for _ in 0..length {
            let index = usize::try_from(self.below(62)).expect("a number below 62 fits");
            id.push(char::from(ALPHANUMERIC[index]));
        }
        id
    }

    /// `prefix` and 18 digits, as Scalekit's ids look.
    pub(crate) fn numeric(&mut self, prefix: &str) -> String {
        format!("{prefix}{:018}", 100_000_000_000_000_000 + self.below(900_000_000_000_000_000))
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

    #[test]
    fn a_rate_is_the_share_of_what_happens() {
        let mut draws = Ids::new(3);
        assert!((0..1_000).all(|_| draws.happens(1.0)));
        assert!(!(0..1_000).any(|_| draws.happens(0.0)));
        let quarter = (0..10_000).filter(|_| draws.happens(0.25)).count();
        assert!((2_300..2_700).contains(&quarter), "{quarter}");
    }
}
