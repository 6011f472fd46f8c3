//! What the identity provider tells about organizations and their members.

use tollkeeper_core::{
    ids::{OrganizationId, UserId},
    member::MemberChange,
    ports::{Content, Hint, OrganizationRecord},
    reduce,
};
use tollkeeper_store::{
    Cause,
    member::{self, MemberApplied},
};

use crate::{Error, Tollkeeper, decide::cause, failpoint::failpoint};

impl Tollkeeper {
    /// Takes in an organization as an operator or another identity system tells of it: as its webhook would.
    ///
    /// # Errors
    /// As the provider and the database fail; repeating it does no harm.
    pub async fn upsert_organization(&self, record: &OrganizationRecord, who: &str) -> Result<(), Error> {
        self.organization_changed(record, &cause::operator(who)).await
    }

    /// Ends an organization, as its webhook would: cancels what it pays for, then marks it as deleted.
    ///
    /// # Errors
    /// As the provider and the database fail; nothing is lost then, and repeating it goes on.
    pub async fn delete_organization(&self, id: &OrganizationId, who: &str) -> Result<(), Error> {
        self.organization_deleted(id, &cause::operator(who)).await
    }

    /// Takes in that somebody belongs to an organization from now on (`email` given), or does not any more.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn upsert_member(
        &self,
        organization: &OrganizationId,
        user: &UserId,
        email: Option<String>,
    ) -> Result<(), Error> {
        let change = MemberChange {
            organization_id: organization.clone(),
            user_id: user.clone(),
            active: email.is_some(),
            email,
            occurred_at: self.now(),
        };
        self.member_changed(&change).await.map(drop)
    }

    /// Takes in every delivery that waits about one organization; repeating it does no harm.
    pub(crate) async fn answer_organization(&self, id: &OrganizationId, hints: &[&Hint]) -> Result<(), Error> {
        let mut hints = hints.to_vec();
        hints.sort_by_key(|hint| hint.occurred_at);
        // What an organization was called does not matter once it is gone, and must not stand in the way of its end.
        let ends = hints.iter().any(|hint| matches!(hint.content, Some(Content::OrganizationDeleted(_))));
        let mut outcome = Ok(());
        for hint in hints {
            let cause = cause::inbox(hint.event_id.as_str());
            let one = match &hint.content {
                Some(Content::OrganizationChanged(_)) if ends => Ok(()),
                Some(Content::OrganizationChanged(record)) => self.organization_changed(record, &cause).await,
                Some(Content::OrganizationDeleted(id)) => self.organization_deleted(id, &cause).await,
                Some(Content::Member(change)) => self.member_changed(change).await.map(drop),
                Some(Content::Subscription(_) | Content::Customer(_)) | None => {
                    tracing::debug!(organization.id = %id, event.kind = %hint.event_type, "told about, not modelled");
                    Ok(())
                }
            };
            // One that fails does not hold up the others; all of them come again, and repeating does no harm.
            outcome = outcome.and(one);
        }
        outcome
    }

    pub(crate) async fn organization_changed(&self, record: &OrganizationRecord, cause: &Cause) -> Result<(), Error> {
        let new = self.insert_organization(&record.id, Some(record), None).await?;
        failpoint("provisioning.organization");
        let transition = self.decide(&record.id, cause, |account, _, _| Ok(reduce::identify(account, record))).await?;
        if transition.after.organization.is_leaving() {
            return Ok(());
        }
        self.ensure_customer(&record.id, cause).await?;
        if !new {
            // Also when nothing changed here: an earlier try may have failed between our row and the customer, or somebody
            // made the customer under an older name meanwhile.
            self.push_name(&record.id).await?;
        }
        Ok(())
    }

    /// Says whether it was news, and counts.
    pub(crate) async fn member_changed(&self, change: &MemberChange) -> Result<bool, Error> {
        // A person may be told of before the organization is.
        self.insert_organization(&change.organization_id, None, None).await?;
        let applied = self.inner.db.write(|tx| Box::pin(member::apply(tx, change))).await?;
        // Older news may still tell since when somebody is known.
        Ok(match applied {
            MemberApplied::Changed(member) => {
                member.ids.iter().any(|it| it.id == change.user_id && it.active == change.active)
            }
            MemberApplied::Unchanged(_) | MemberApplied::Unknown => false,
        })
    }
}
