//! Organizations, people, and who belongs where. Every change leaves a notice for the webhooks.
//!
//! Source: Scalekit docs, "Organizations", "Users", and the webhook catalogue of its OpenAPI document.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::render;
use crate::ids::Ids;
use crate::moment::Moment;

#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) display_name: String,
    pub(crate) external_id: Option<String>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) create_time: String,
    pub(crate) update_time: String,
    pub(crate) deleted_at: Option<String>,
    pub(crate) members: Vec<Member>,
}

#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) user_id: String,
    pub(crate) roles: Vec<String>,
    pub(crate) join_time: String,
    /// False once the membership ended; the row stays.
    pub(crate) active: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) profile_id: String,
    pub(crate) email: String,
    pub(crate) create_time: String,
    pub(crate) update_time: String,
    /// Positions of the organizations that have a row about this user.
    pub(crate) organizations: Vec<usize>,
}

/// A webhook that is to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) event_id: String,
    pub(crate) event_type: &'static str,
    /// Events about roles and permissions have none.
    pub(crate) organization_id: Option<String>,
    pub(crate) body: Arc<str>,
}

/// Why the directory did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The named member is missing or malformed.
    Invalid(String),
    /// There is no such organization or user.
    NotFound(String),
    /// An id or an external id is taken.
    Taken(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Refused::Invalid(message) | Refused::NotFound(message) | Refused::Taken(message)) = self;
        f.write_str(message)
    }
}

/// What a request says about an organization.
#[derive(Debug, Clone, Default)]
pub(crate) struct OrganizationInput {
    pub(crate) display_name: Option<String>,
    pub(crate) external_id: Option<String>,
    /// Replaces what is there.
    pub(crate) metadata: Option<BTreeMap<String, String>>,
}

/// The e-mail address in a text.
pub(super) fn address(text: &str) -> Result<&str, Refused> {
    let email = text.trim();
    let is_address = email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if !is_address || email.len() > 254 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Refused::Invalid("the email is not an e-mail address".into()));
    }
    Ok(email)
}

#[derive(Debug)]
pub(crate) struct Directory {
    environment_id: String,
    pub(crate) ids: Ids,
    organizations: Vec<Organization>,
    organization_positions: HashMap<String, usize>,
    /// External id to position, of organizations that were not deleted.
    external_ids: HashMap<String, usize>,
    deleted_organizations: usize,
    users: Vec<User>,
    user_positions: HashMap<String, usize>,
    /// Lower-cased e-mail to position.
    emails: HashMap<String, usize>,
    /// The last three digits of nanosecond times, so that two changes in a microsecond stay in order.
    nanos: u16,
    fresh: Vec<Notice>,
}

impl Directory {
    pub(crate) fn new(environment_id: &str, ids: Ids) -> Self {
        Self {
            environment_id: environment_id.to_owned(),
            ids,
            organizations: Vec::new(),
            organization_positions: HashMap::new(),
            external_ids: HashMap::new(),
            deleted_organizations: 0,
            users: Vec::new(),
            user_positions: HashMap::new(),
            emails: HashMap::new(),
            nanos: 0,
            fresh: Vec::new(),
        }
    }

    pub(crate) fn environment_id(&self) -> &str {
        &self.environment_id
    }

    pub(crate) fn organizations(&self) -> &[Organization] {
        &self.organizations
    }

    pub(crate) fn users(&self) -> &[User] {
        &self.users
    }

    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.user_positions.get(id).map(|position| &self.users[*position])
    }

    /// An organization that was not deleted.
    pub(crate) fn organization(&self, id: &str) -> Option<&Organization> {
        self.any_organization(id).filter(|organization| organization.deleted_at.is_none())
    }

    /// An organization, deleted or not.
    pub(crate) fn any_organization(&self, id: &str) -> Option<&Organization> {
        self.organization_positions.get(id).map(|position| &self.organizations[*position])
    }

    pub(crate) fn organization_by_external_id(&self, external_id: &str) -> Option<&Organization> {
        self.external_ids.get(external_id).map(|position| &self.organizations[*position])
    }

    /// How many organizations were not deleted.
    pub(crate) fn live_organizations(&self) -> usize {
        self.organizations.len() - self.deleted_organizations
    }

    fn time(&mut self, now: Moment) -> String {
        self.nanos = (self.nanos + 1) % 1_000;
        now.rfc3339_nanos(self.nanos)
    }

    fn live_position(&self, id: &str) -> Result<usize, Refused> {
        self.organization_positions
            .get(id)
            .copied()
            .filter(|position| self.organizations[*position].deleted_at.is_none())
            .ok_or_else(|| Refused::NotFound(format!("there is no organization {id}")))
    }

    fn check(&self, input: &OrganizationInput, own_id: Option<&str>) -> Result<(), Refused> {
        if let Some(name) = &input.display_name
            && !(1..=200).contains(&name.chars().count())
        {
            return Err(Refused::Invalid("the display name must have 1 to 200 characters".into()));
        }
        if let Some(external_id) = &input.external_id {
            if external_id.chars().count() > 255 {
                return Err(Refused::Invalid("the external id must have at most 255 characters".into()));
            }
            let holder = self.organization_by_external_id(external_id);
            if holder.is_some_and(|holder| Some(holder.id.as_str()) != own_id) {
                return Err(Refused::Taken(format!("the external id {external_id} belongs to another organization")));
            }
        }
        if let Some(metadata) = &input.metadata {
            let sizes_fit =
                metadata.iter().all(|(key, value)| key.chars().count() <= 25 && value.chars().count() <= 256);
            if metadata.len() > 10 || !sizes_fit {
                let message = "metadata holds at most 10 pairs, keys of 25 and values of 256 characters";
                return Err(Refused::Invalid(message.into()));
            }
        }
        Ok(())
    }

    pub(crate) fn create_organization(
        &mut self,
        id: Option<String>,
        input: OrganizationInput,
        now: Moment,
    ) -> Result<String, Refused> {
        self.check(&input, None)?;
        let Some(display_name) = input.display_name else {
            return Err(Refused::Invalid("the display name is missing".into()));
        };
        if let Some(id) = &id {
            if id.is_empty() || id.len() > 255 || id.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') {
                return Err(Refused::Invalid("the id must have 1 to 255 characters, no spaces and no slashes".into()));
            }
            if self.organization_positions.contains_key(id) {
                return Err(Refused::Taken(format!("the organization {id} exists already")));
            }
        }
        let id = id.unwrap_or_else(|| self.ids.numeric("org_"));
        let time = self.time(now);
        let organization = Organization {
            id: id.clone(),
            display_name,
            external_id: input.external_id.filter(|external_id| !external_id.is_empty()),
            metadata: input.metadata.unwrap_or_default(),
            create_time: time.clone(),
            update_time: time,
            deleted_at: None,
            members: Vec::new(),
        };
        self.organization_positions.insert(id.clone(), self.organizations.len());
        if let Some(external_id) = &organization.external_id {
            self.external_ids.insert(external_id.clone(), self.organizations.len());
        }
        self.organizations.push(organization);
        self.tell_of_organization("organization.created", self.organizations.len() - 1, now);
        Ok(id)
    }

    pub(crate) fn update_organization(
        &mut self,
        id: &str,
        input: OrganizationInput,
        now: Moment,
    ) -> Result<(), Refused> {
        let position = self.live_position(id)?;
        self.check(&input, Some(id))?;
        let time = self.time(now);
        let row = &mut self.organizations[position];
        if let Some(display_name) = input.display_name {
            row.display_name = display_name;
        }
        if let Some(external_id) = input.external_id {
            if let Some(former) = row.external_id.take() {
                self.external_ids.remove(&former);
            }
            row.external_id = Some(external_id).filter(|external_id| !external_id.is_empty());
            if let Some(external_id) = &row.external_id {
                self.external_ids.insert(external_id.clone(), position);
            }
        }
        if let Some(metadata) = input.metadata {
            row.metadata = metadata;
        }
        row.update_time = time;
        self.tell_of_organization("organization.updated", position, now);
        Ok(())
    }

    /// Deletes an organization. Its memberships end with it, without a webhook of their own.
    pub(crate) fn delete_organization(&mut self, id: &str, now: Moment) -> Result<(), Refused> {
        let position = self.live_position(id)?;
        let time = self.time(now);
        let row = &mut self.organizations[position];
        row.deleted_at = Some(time);
        self.deleted_organizations += 1;
        if let Some(external_id) = &row.external_id {
            self.external_ids.remove(external_id);
        }
        for member in &mut row.members {
            member.active = false;
        }
        self.tell_of_organization("organization.deleted", position, now);
        Ok(())
    }

    /// The user with an e-mail address, made where there is none.
    pub(crate) fn ensure_user(&mut self, email: &str, now: Moment) -> Result<String, Refused> {
        let email = address(email)?;
        let key = email.to_lowercase();
        if let Some(position) = self.emails.get(&key) {
            return Ok(self.users[*position].id.clone());
        }
        let time = self.time(now);
        let user = User {
            id: self.ids.numeric("usr_"),
            profile_id: self.ids.numeric("usp_"),
            email: email.to_owned(),
            create_time: time.clone(),
            update_time: time,
            organizations: Vec::new(),
        };
        let id = user.id.clone();
        self.emails.insert(key, self.users.len());
        self.user_positions.insert(id.clone(), self.users.len());
        self.users.push(user);
        Ok(id)
    }

    /// The user with an e-mail address, where there is one.
    pub(crate) fn user_by_email(&self, email: &str) -> Option<&User> {
        self.emails.get(&email.trim().to_lowercase()).map(|position| &self.users[*position])
    }

    /// The organizations that a user is an active member of, oldest first, with the roles.
    pub(crate) fn memberships<'a>(&'a self, user: &'a User) -> impl Iterator<Item = (&'a Organization, &'a [String])> {
        user.organizations.iter().filter_map(|position| {
            let row = &self.organizations[*position];
            let member = row.members.iter().find(|member| member.active && member.user_id == user.id)?;
            Some((row, member.roles.as_slice()))
        })
    }

    /// The roles of an active member.
    pub(crate) fn roles(&self, organization_id: &str, user_id: &str) -> Option<&[String]> {
        let organization = self.any_organization(organization_id)?;
        let member = organization.members.iter().find(|member| member.active && member.user_id == user_id)?;
        Some(&member.roles)
    }

    /// Makes the user a member, or changes the roles of a member; returns the roles.
    ///
    /// Without roles the first member becomes `admin` and later ones `member`, and a member's roles stay.
    pub(crate) fn ensure_member(
        &mut self,
        organization_id: &str,
        user_id: &str,
        roles: Option<Vec<String>>,
        now: Moment,
    ) -> Result<Vec<String>, Refused> {
        let position = self.live_position(organization_id)?;
        let time = self.time(now);
        let row = &mut self.organizations[position];
        let is_first = !row.members.iter().any(|member| member.active);
        let default_roles = vec![if is_first { "admin" } else { "member" }.to_owned()];
        let (event, roles) = match row.members.iter_mut().find(|member| member.user_id == user_id) {
            Some(member) if member.active => match roles {
                Some(roles) if roles != member.roles => {
                    member.roles = roles;
                    ("user.organization_membership_updated", member.roles.clone())
                }
                _ => return Ok(member.roles.clone()),
            },
            Some(member) => {
                member.active = true;
                member.join_time = time;
                member.roles = roles.unwrap_or(default_roles);
                ("user.organization_membership_created", member.roles.clone())
            }
            None => {
                let roles = roles.unwrap_or(default_roles);
                let member =
                    Member { user_id: user_id.to_owned(), roles: roles.clone(), join_time: time, active: true };
                row.members.push(member);
                if let Some(user) = self.user_positions.get(user_id) {
                    self.users[*user].organizations.push(position);
                }
                ("user.organization_membership_created", roles)
            }
        };
        self.tell_of_member(event, position, user_id, now);
        Ok(roles)
    }

    /// Ends a membership.
    pub(crate) fn remove_member(&mut self, organization_id: &str, user_id: &str, now: Moment) -> Result<(), Refused> {
        let position = self.live_position(organization_id)?;
        let members = &mut self.organizations[position].members;
        let Some(member) = members.iter_mut().find(|member| member.active && member.user_id == user_id) else {
            return Err(Refused::NotFound(format!("{user_id} is no member of {organization_id}")));
        };
        member.active = false;
        self.tell_of_member("user.organization_membership_deleted", position, user_id, now);
        Ok(())
    }

    /// Webhooks since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.fresh)
    }

    fn tell_of_organization(&mut self, event_type: &'static str, position: usize, now: Moment) {
        let data = render::organization_data(&self.organizations[position]);
        let organization_id = self.organizations[position].id.clone();
        self.tell(event_type, "Organization", Some(organization_id), data, now);
    }

    /// Tells that somebody signed up and made an organization.
    pub(super) fn tell_of_signup(&mut self, organization_id: &str, user_id: &str, now: Moment) {
        if let Some(position) = self.organization_positions.get(organization_id).copied() {
            self.tell_of_member("user.signup", position, user_id, now);
        }
    }

    fn tell_of_member(&mut self, event_type: &'static str, position: usize, user_id: &str, now: Moment) {
        let organization = &self.organizations[position];
        let organization_id = organization.id.clone();
        let user = self.user(user_id).map(render::user_data);
        let data = json!({ "organization": render::organization_data(organization), "user": user });
        self.tell(event_type, "OrgMembership", Some(organization_id), data, now);
    }

    /// Leaves a notice, and returns the id of its event.
    pub(crate) fn tell(
        &mut self,
        event_type: &'static str,
        object: &str,
        organization_id: Option<String>,
        data: Value,
        now: Moment,
    ) -> String {
        let event_id = self.ids.numeric("evt_");
        let mut body = json!({
            "spec_version": "1",
            "id": event_id,
            "type": event_type,
            "object": object,
            "occurred_at": self.time(now),
            "environment_id": self.environment_id,
            "data": data,
            "display_name": render::event_title(event_type),
        });
        if let Some(id) = &organization_id {
            body["organization_id"] = id.as_str().into();
        }
        let body = body.to_string().into();
        self.fresh.push(Notice { event_id: event_id.clone(), event_type, organization_id, body });
        event_id
    }
}
