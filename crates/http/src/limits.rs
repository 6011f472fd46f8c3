//! How much is taken on at once, and how fast: whoever comes beyond it is told to come back, before memory grows.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// The most bytes that the body of a delivery may have, unless [`Limits::body_bytes`] says otherwise: 1 MiB.
pub const WEBHOOK_BODY_BYTES: usize = 1024 * 1024;

/// The most bytes that the body of an API request may have: 64 KiB.
pub const API_BODY_BYTES: usize = 64 * 1024;

/// Sizes, times and rates; every one has a default.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections that are open at once; more wait to be accepted.
    pub connections: usize,
    /// How long a connection may take to send the head of a request, and how long it may be idle between two.
    pub header_time: Duration,
    /// The most bytes of the head of a request: beyond, 431.
    pub header_bytes: usize,
    /// Requests that are answered at once: beyond, 503. Health and figures are always answered.
    pub requests: usize,
    /// Streams of events that are open at once: beyond, 503. Each keeps a connection.
    pub streams: usize,
    /// Streams of events that are open at once, for each organization: beyond, 429.
    pub streams_each: usize,
    /// How often something is sent on a stream when nothing happens, so that nobody in between takes it for dead. Whether
    /// something happened that nobody told of is looked at as often.
    pub heartbeat: Duration,
    /// The most bytes of a delivery. API requests may have [`API_BODY_BYTES`], or this where it is less.
    pub body_bytes: usize,
    /// Bytes of bodies that are in memory at once, of all requests together: beyond, 503.
    pub bodies_bytes: usize,
    /// How long a body may take to arrive: beyond, 408.
    pub body_time: Duration,
    /// How long a request may take: beyond, 503. A reconciliation may take longer.
    pub request_time: Duration,
    /// How long a caller waits for the report of a reconciliation before it gets a job to ask for: 202.
    pub report_time: Duration,
    /// Requests that may call a provider, for each organization: beyond, 429. Deliveries are not counted. Each costs a
    /// few calls, and one organization must not spend what a provider allows us for all.
    pub provider_calls: Rate,
    /// Bearers that prove nothing, from one address: beyond, whoever comes from there waits for a turn, or gets 429.
    /// Gates are not counted: a proxy asks them for everybody.
    pub failed_bearers: Rate,
    /// Ways back from a sign-in that the browser has not under way, from one address: beyond, 429. Those that it has are
    /// counted one by one.
    pub sign_ins: Rate,
    /// How many proxies stand before us and add to `x-forwarded-for`. Without any, the address is the connection's own.
    pub proxies: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            header_time: Duration::from_secs(30),
            header_bytes: 32 * 1024,
            requests: 4096,
            streams: 1024,
            streams_each: 20,
            heartbeat: Duration::from_secs(15),
            body_bytes: WEBHOOK_BODY_BYTES,
            bodies_bytes: 64 * 1024 * 1024,
            body_time: Duration::from_secs(15),
            request_time: Duration::from_secs(30),
            report_time: Duration::from_secs(30),
            provider_calls: Rate { per_minute: 30, burst: 100 },
            failed_bearers: Rate { per_minute: 300, burst: 300 },
            sign_ins: Rate { per_minute: 30, burst: 60 },
            proxies: 0,
        }
    }
}

impl Limits {
    pub(crate) fn api_body_bytes(&self) -> usize {
        self.body_bytes.min(API_BODY_BYTES)
    }
}

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// In the long run; 0 is as often as anybody likes.
    pub per_minute: u32,
    /// At once, after a while of nothing.
    pub burst: u32,
}

/// Something of which there is only so much.
#[derive(Debug)]
pub(crate) struct Room {
    taken: AtomicUsize,
    most: usize,
}

/// A part of a [`Room`], until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    room: &'a Room,
    size: usize,
}

impl Room {
    pub(crate) const fn new(most: usize) -> Self {
        Self { taken: AtomicUsize::new(0), most }
    }

    /// Takes a place, if there is one.
    pub(crate) fn enter(&self, size: usize) -> Option<Place<'_>> {
        let mut place = Place { room: self, size: 0 };
        place.grow(size).then_some(place)
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Place<'_> {
    /// Makes it larger; `false` when there is no room for that.
    pub(crate) fn grow(&mut self, size: usize) -> bool {
        let before = self.room.taken.fetch_add(size, Ordering::Relaxed);
        if before.saturating_add(size) > self.room.most {
            self.room.taken.fetch_sub(size, Ordering::Relaxed);
            return false;
        }
        self.size += size;
        true
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.taken.fetch_sub(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_full_and_empties_again() {
        let room = Room::new(3);
        let mut one = room.enter(1).unwrap();
        assert!(one.grow(1));
        assert!(!one.grow(2));
        assert!(room.enter(2).is_none());
        let two = room.enter(1).unwrap();
        assert_eq!(room.taken(), 3);
        drop(one);
        assert!(room.enter(2).is_some());
        drop(two);
        assert_eq!(room.taken(), 0);
    }
}
