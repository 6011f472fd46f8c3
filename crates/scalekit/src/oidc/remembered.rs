//! Tokens that were proven a moment ago.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};
use tollkeeper_core::{ports::Session, time::MachineTime};

/// SHA-256 of a token. The token itself is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }
}

#[derive(Debug)]
struct Proof {
    session: Arc<Session>,
    /// Expiry with leeway.
    good_until: MachineTime,
    /// The keys it was proven with.
    generation: u64,
}

/// A bounded memory of proven tokens.
#[derive(Debug)]
pub(super) struct Remembered {
    proofs: Mutex<HashMap<Fingerprint, Proof>>,
    capacity: usize,
}

impl Remembered {
    pub(super) fn new(capacity: usize) -> Self {
        Self { proofs: Mutex::default(), capacity }
    }

    /// The session of a token that was proven with these keys and has not expired.
    pub(super) fn get(&self, token: Fingerprint, generation: u64, now: MachineTime) -> Option<Arc<Session>> {
        let proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        let proof = proofs.get(&token)?;
        (proof.generation == generation && now < proof.good_until).then(|| proof.session.clone())
    }

    /// Remembers a session. When there is no room, what is of no use any more goes; then, everything.
    pub(super) fn put(
        &self,
        token: Fingerprint,
        session: Arc<Session>,
        good_until: MachineTime,
        generation: u64,
        now: MachineTime,
    ) {
        if self.capacity == 0 {
            return;
        }
        let mut proofs = self.proofs.lock().unwrap_or_else(PoisonError::into_inner);
        if proofs.len() >= self.capacity {
            proofs.retain(|_, proof| proof.generation == generation && now < proof.good_until);
        }
        if proofs.len() >= self.capacity {
            proofs.clear();
        }
        proofs.insert(token, Proof { session, good_until, generation });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> MachineTime {
        MachineTime::from_unix_seconds(seconds)
    }

    fn session(seconds: i64) -> Arc<Session> {
        Arc::new(Session {
            user_id: "usr_1".into(),
            organization_id: None,
            session_id: None,
            roles: vec![],
            permissions: vec![],
            email: None,
            expires_at: at(seconds),
            is_own_organization: false,
        })
    }

    #[test]
    fn a_proof_is_good_for_its_keys_and_until_it_expires() {
        let remembered = Remembered::new(4);
        let token = Fingerprint::of("a");
        remembered.put(token, session(10), at(10), 1, at(0));
        assert!(remembered.get(token, 1, at(9)).is_some());
        assert!(remembered.get(token, 1, at(10)).is_none());
        assert!(remembered.get(token, 2, at(9)).is_none());
        assert!(remembered.get(Fingerprint::of("b"), 1, at(9)).is_none());
    }

    #[test]
    fn the_memory_is_bounded_and_drops_the_useless_first() {
        let remembered = Remembered::new(2);
        remembered.put(Fingerprint::of("old"), session(5), at(5), 1, at(0));
        remembered.put(Fingerprint::of("good"), session(50), at(50), 1, at(0));
        remembered.put(Fingerprint::of("new"), session(50), at(50), 1, at(6));
        assert!(remembered.get(Fingerprint::of("good"), 1, at(6)).is_some());
        assert!(remembered.get(Fingerprint::of("new"), 1, at(6)).is_some());
        remembered.put(Fingerprint::of("newer"), session(50), at(50), 1, at(6));
        assert_eq!(remembered.proofs.lock().unwrap().len(), 1);
    }
}
