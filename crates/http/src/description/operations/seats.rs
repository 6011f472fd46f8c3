//! Who holds the organization's seats.

use crate::description::operation::{Operation, Tag, Who};

/// `GET /api/seats`
pub(crate) fn show() -> Operation {
    Operation::new(Tag::Organization, Who::Member, "getSeats", "Who holds seats, and how many there are")
        .text("Holders come from what the identity provider tells of members: each person once, by e-mail. Checkouts and changes never refuse because of holders.")
        .answers("Seats", "From our own database alone.")
        .looks_up()
}
