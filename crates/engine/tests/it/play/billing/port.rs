//! The played provider as the engine sees it.

use std::sync::{Arc, atomic::Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tollkeeper_core::{
    ids::{
        OrganizationId, Provider, ProviderCustomerId, ProviderInvoiceId, ProviderSubscriptionId, Source, SubscriptionId,
    },
    ports::{
        Billing, CancelWhen, ChangeRequest, ChangeWhen, Changed, CheckoutPage, CheckoutRequest, CheckoutState, Content,
        CustomerPatch, CustomerRecord, DecodeError, ErrorKind, Hint, HostedChange, Inbound, Invoice, InvoiceStatus,
        Listed, NewCustomer, Pace, Page, PaymentRequest, ProviderError, Quote, Subject, Verified, VerifyError,
    },
    snapshot::{Phase, Snapshot},
    time::{Clock as _, MachineTime, Timestamp},
};

use super::{
    PAGE, PlayedBilling,
    books::{aged, end},
    failure,
};

/// Reads `{id, type, at, subscription? | customer?}`.
fn read(body: &Bytes) -> Result<Hint, DecodeError> {
    let value: Value = serde_json::from_slice(body).map_err(|error| DecodeError(error.to_string()))?;
    let text = |field: &str| value[field].as_str().ok_or_else(|| DecodeError(format!("no {field}")));
    let subject = match (value["subscription"].as_str(), value["customer"].as_str()) {
        (Some(id), _) => Subject::Subscription(id.into()),
        (None, Some(id)) => Subject::Customer(id.into()),
        (None, None) => Subject::Other,
    };
    Ok(Hint {
        event_id: text("id")?.into(),
        event_type: text("type")?.into(),
        occurred_at: value["at"].as_i64().map(Timestamp::from_unix_seconds),
        subject,
        content: None,
    })
}

impl Inbound for PlayedBilling {
    fn source(&self) -> Source {
        "chargebee".into()
    }
    fn verify(&self, _headers: &HeaderMap, body: Bytes, _now: MachineTime) -> Result<Verified, VerifyError> {
        Ok(Verified::vouched(self.source(), body))
    }
    fn envelope(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        read(verified.body())
    }
    fn decode(&self, verified: &Verified) -> Result<Hint, DecodeError> {
        let mut hint = read(verified.body())?;
        let books = self.books();
        if books.poison.contains(&hint.event_id) {
            return Err(DecodeError("poison".into()));
        }
        hint.content = books.contents.get(&hint.event_id).cloned().map(|it| Content::Subscription(Box::new(it)));
        Ok(hint)
    }
}

impl PlayedBilling {
    /// The rows behind `page`, and where the next page begins.
    fn paged<T>(&self, rows: impl Iterator<Item = (String, T)>, page: Option<&str>) -> Page<T> {
        let most = self.page_rows.load(Ordering::Relaxed);
        let mut rows: Vec<_> = rows.filter(|(id, _)| page.is_none_or(|page| id.as_str() > page)).collect();
        let more = rows.len() > most;
        rows.truncate(most);
        let next = rows.last().filter(|_| more).map(|(id, _)| id.clone());
        Page { rows: rows.into_iter().map(|(_, row)| row).collect(), next }
    }
}

#[async_trait]
impl Billing for PlayedBilling {
    fn provider(&self) -> Provider {
        "chargebee".into()
    }
    fn rows_of_a_page(&self) -> Option<usize> {
        self.cheap_lists.load(Ordering::Relaxed).then(|| self.page_rows.load(Ordering::Relaxed))
    }
    fn set_pace(&self, pace: Arc<dyn Pace>) {
        // Several engines share this one, and its budget.
        let _ = self.pace.set(pace);
    }
    fn customer_id_for(&self, organization: &OrganizationId, attempt: u32) -> Option<ProviderCustomerId> {
        if self.books().names_customers {
            return None;
        }
        Some(if attempt == 0 { organization.as_str().into() } else { format!("{organization}-{}", attempt + 1).into() })
    }
    async fn customer(&self, id: &ProviderCustomerId) -> Result<Option<CustomerRecord>, ProviderError> {
        self.answer("customer", id.as_str(), |books| Ok(books.customers.get(id).cloned())).await
    }
    async fn create_customer(
        &self,
        chosen: Option<&ProviderCustomerId>,
        new: &NewCustomer,
        key: &str,
    ) -> Result<CustomerRecord, ProviderError> {
        let about = chosen.map_or(key, ProviderCustomerId::as_str);
        let now = self.clock.now();
        self.answer("create_customer", about, |books| {
            let named = || format!("cus_{}", books.keys.len() + 1).into();
            let id = chosen.or_else(|| books.keys.get(key)).cloned().unwrap_or_else(named);
            books.keys.insert(key.to_owned(), id.clone());
            let made = || CustomerRecord {
                id: id.clone(),
                organization_id: Some(new.organization_id.clone()),
                display_name: Some(new.display_name.clone()),
                email: new.email.clone(),
                deleted: false,
            };
            books.touched.entry(id.to_string()).or_insert(now);
            Ok(books.customers.entry(id.clone()).or_insert_with(made).clone())
        })
        .await
    }
    async fn find_customer(
        &self,
        organization_id: &OrganizationId,
        _not_before: Timestamp,
    ) -> Result<Option<CustomerRecord>, ProviderError> {
        self.answer("find_customer", organization_id.as_str(), |books| {
            let ours = |it: &&CustomerRecord| !it.deleted && it.organization_id.as_ref() == Some(organization_id);
            Ok(books.customers.values().find(ours).cloned())
        })
        .await
    }
    async fn update_customer(&self, id: &ProviderCustomerId, patch: &CustomerPatch) -> Result<(), ProviderError> {
        let now = self.clock.now();
        self.answer("update_customer", id.as_str(), |books| {
            let record = books.customers.get_mut(id).filter(|it| !it.deleted);
            let record = record.ok_or_else(|| failure("update_customer", ErrorKind::NotFound, None))?;
            record.email = patch.email.clone().or(record.email.take());
            record.display_name = patch.display_name.clone().or(record.display_name.take());
            books.touched.insert(id.to_string(), now);
            Ok(())
        })
        .await
    }
    async fn start_checkout(&self, request: &CheckoutRequest) -> Result<CheckoutPage, ProviderError> {
        let expires_at = self.clock.now().plus(PAGE);
        self.answer("start_checkout", request.subscription_id.as_str(), |books| {
            let known = books.customers.get(&request.customer_id).is_some_and(|it| !it.deleted);
            // Whoever is not known there becomes somebody new.
            let customer = if known {
                request.customer_id.clone()
            } else {
                books.strangers += 1;
                format!("new_{}", books.strangers).into()
            };
            let reference = format!("hp_{}", books.pages.len() + 1);
            let page = CheckoutPage {
                url: Some(format!("https://pay.example.com/{reference}")),
                reference: reference.clone(),
                expires_at,
                state: CheckoutState::Open,
                subscription_id: Some(request.subscription_id.clone()),
                customer_id: Some(customer),
                provider_subscription_id: None,
            };
            books.pages.insert(reference, (page.clone(), request.clone()));
            Ok(page)
        })
        .await
    }
    async fn start_payment(&self, request: &PaymentRequest) -> Result<String, ProviderError> {
        self.answer("start_payment", request.organization_id.as_str(), |books| {
            books.payments.push(request.clone());
            Ok(format!("https://pay.example.com/once_{}", books.payments.len()))
        })
        .await
    }
    async fn find_checkout(
        &self,
        id: &SubscriptionId,
        _customer: &ProviderCustomerId,
        _not_before: Timestamp,
    ) -> Result<Option<CheckoutPage>, ProviderError> {
        let now = self.clock.now();
        self.answer("find_checkout", id.as_str(), |books| {
            let found = books.pages.values().find(|(_, request)| request.subscription_id == *id);
            Ok(found.map(|(page, _)| aged(page, now)))
        })
        .await
    }
    async fn checkout(&self, reference: &str) -> Result<Option<CheckoutPage>, ProviderError> {
        let now = self.clock.now();
        self.answer("checkout", reference, |books| {
            let hosted = books.hosted.get(reference).map(|(page, _)| page);
            Ok(books.pages.get(reference).map(|(page, _)| page).or(hosted).map(|page| aged(page, now)))
        })
        .await
    }
    async fn expire_checkout(&self, reference: &str) -> Result<(), ProviderError> {
        self.answer("expire_checkout", reference, |books| {
            let page = books.pages.get_mut(reference).map(|(page, _)| page);
            if let Some(page) = page.filter(|page| page.state == CheckoutState::Open) {
                page.state = CheckoutState::Dead;
            }
            Ok(())
        })
        .await
    }
    async fn subscription(&self, id: &ProviderSubscriptionId) -> Result<Option<Snapshot>, ProviderError> {
        self.answer("subscription", id.as_str(), |books| Ok(books.subscriptions.get(id).cloned())).await
    }
    fn subscription_id_for(&self, id: &SubscriptionId) -> Option<ProviderSubscriptionId> {
        (!self.books().proposes_nothing).then(|| id.as_str().into())
    }
    async fn subscriptions_of(&self, id: &ProviderCustomerId) -> Result<Vec<Snapshot>, ProviderError> {
        self.answer("subscriptions_of", id.as_str(), |books| {
            Ok(books.subscriptions.values().filter(|it| it.customer_id == *id).cloned().collect())
        })
        .await
    }
    async fn cancel(
        &self,
        id: &ProviderSubscriptionId,
        when: CancelWhen,
        _key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let now = self.clock.now();
        self.answer("cancel", id.as_str(), |books| {
            let missing = || failure("cancel", ErrorKind::NotFound, None);
            let snapshot = books.subscriptions.get_mut(id).ok_or_else(missing)?;
            if when == CancelWhen::NowCredited && snapshot.phase != Phase::Ended {
                books.credited.push(id.clone());
            }
            books.touched.insert(id.to_string(), now);
            match when {
                CancelWhen::Now | CancelWhen::NowCredited => end(snapshot, now),
                CancelWhen::PeriodEnd => {
                    snapshot.cancel_at = snapshot.trial_end.filter(|end| *end > now).or(snapshot.period_end);
                    snapshot.cancelled_at = Some(now);
                    snapshot.provider_status = "non_renewing".into();
                    snapshot.version = snapshot.version.map(|version| version + 1);
                }
            }
            Ok(snapshot.clone())
        })
        .await
    }
    async fn undo_cancellation(&self, id: &ProviderSubscriptionId, _key: &str) -> Result<Snapshot, ProviderError> {
        let now = self.clock.now();
        self.answer("undo_cancellation", id.as_str(), |books| {
            let scheduled = books.subscriptions.get(id).is_some_and(|it| it.cancel_at.is_some());
            let undone = books.edit(id, now, |it| {
                (it.cancel_at, it.cancelled_at) = (None, None);
                it.provider_status = "active".into();
            });
            undone.filter(|_| scheduled).ok_or_else(|| failure("undo_cancellation", ErrorKind::Conflict, None))
        })
        .await
    }
    async fn preview(&self, id: &ProviderSubscriptionId, change: &ChangeRequest) -> Result<Quote, ProviderError> {
        let now = self.clock.now();
        self.answer("preview", id.as_str(), |books| {
            let snapshot = books.running("preview", id)?.clone();
            Ok(books.quote(&snapshot, change, now))
        })
        .await
    }
    async fn change(
        &self,
        id: &ProviderSubscriptionId,
        change: &ChangeRequest,
        _key: &str,
    ) -> Result<Changed, ProviderError> {
        let now = self.clock.now();
        self.answer("change", id.as_str(), |books| {
            let (snapshot, charged) = books.make(id, change, now)?;
            Ok(Changed { snapshot, charged: Some(charged) })
        })
        .await
    }
    async fn undo_change(&self, id: &ProviderSubscriptionId, _key: &str) -> Result<Snapshot, ProviderError> {
        let now = self.clock.now();
        self.answer("undo_change", id.as_str(), |books| {
            if books.subscriptions.get(id).is_none_or(|it| it.scheduled.is_none()) {
                return Err(failure("undo_change", ErrorKind::Conflict, None));
            }
            Ok(books.edit(id, now, |it| it.scheduled = None).unwrap())
        })
        .await
    }
    async fn hosted_change(&self, change: &HostedChange) -> Result<CheckoutPage, ProviderError> {
        let expires_at = self.clock.now().plus(PAGE);
        self.answer("hosted_change", change.id.as_str(), |books| {
            books.running("hosted_change", &change.id)?;
            let reference = format!("hc_{}", books.hosted.len() + 1);
            let page = CheckoutPage {
                url: Some(format!("https://pay.example.com/{reference}")),
                reference: reference.clone(),
                expires_at,
                state: CheckoutState::Open,
                subscription_id: Some(change.subscription_id.clone()),
                customer_id: Some(change.customer_id.clone()),
                provider_subscription_id: Some(change.id.clone()),
            };
            books.hosted.insert(reference, (page.clone(), change.clone()));
            Ok(page)
        })
        .await
    }
    async fn pause(
        &self,
        id: &ProviderSubscriptionId,
        when: ChangeWhen,
        until: Option<Timestamp>,
        _key: &str,
    ) -> Result<Snapshot, ProviderError> {
        let now = self.clock.now();
        self.answer("pause", id.as_str(), |books| {
            let running = books.running("pause", id)?;
            if running.phase == Phase::Trialing || running.pause_at.is_some() {
                return Err(failure("pause", ErrorKind::Conflict, None));
            }
            books.resumptions.insert(id.clone(), until);
            let paused = books.edit(id, now, |it| match when {
                ChangeWhen::Now => pause(it),
                ChangeWhen::PeriodEnd => it.pause_at = it.period_end,
            });
            Ok(paused.unwrap())
        })
        .await
    }
    async fn resume(&self, id: &ProviderSubscriptionId, _key: &str) -> Result<Snapshot, ProviderError> {
        let now = self.clock.now();
        self.answer("resume", id.as_str(), |books| {
            let known = books.subscriptions.get(id);
            if known.is_none_or(|it| it.phase != Phase::Paused && it.pause_at.is_none()) {
                return Err(failure("resume", ErrorKind::Conflict, None));
            }
            let resumed = books.edit(id, now, |it| {
                (it.phase, it.pause_at) = (Phase::Active, None);
                it.provider_status = "active".into();
            });
            Ok(resumed.unwrap())
        })
        .await
    }
    async fn subscriptions(&self, since: Option<Timestamp>, page: Option<&str>) -> Result<Page<Listed>, ProviderError> {
        self.answer("subscriptions", &format!("page {}", page.unwrap_or_default()), |books| {
            let rows =
                books.subscriptions.values().filter(|it| since.is_none_or(|at| books.touched[it.id.as_str()] >= at));
            let rows = rows.map(|it| {
                // What is beside it must be asked for.
                let is_complete = it.dues.is_none() && it.scheduled.is_none();
                let snapshot = Snapshot { dues: None, scheduled: None, ..it.clone() };
                (it.id.to_string(), Listed { snapshot, is_complete })
            });
            Ok(self.paged(rows, page))
        })
        .await
    }
    async fn customers(
        &self,
        since: Option<Timestamp>,
        page: Option<&str>,
    ) -> Result<Page<CustomerRecord>, ProviderError> {
        self.answer("customers", &format!("page {}", page.unwrap_or_default()), |books| {
            let old = |it: &CustomerRecord| books.touched.get(it.id.as_str()).copied();
            let rows = books.customers.values().filter(|it| since.is_none_or(|at| old(it).is_some_and(|it| it >= at)));
            Ok(self.paged(rows.map(|it| (it.id.to_string(), it.clone())), page))
        })
        .await
    }
    async fn invoices(
        &self,
        customer: &ProviderCustomerId,
        page: Option<&str>,
    ) -> Result<Page<Invoice>, ProviderError> {
        self.answer("invoices", customer.as_str(), |books| {
            // Behind the invoice that names the page, as a list of everybody's would go on.
            let begin = match page {
                None => 0,
                Some(page) => {
                    let place = books.invoices.iter().position(|it| it.id.as_str() == page);
                    place.ok_or_else(|| failure("invoices", ErrorKind::Rejected, None))? + 1
                }
            };
            let most = self.page_rows.load(Ordering::Relaxed);
            let of_this = |it: &&Invoice| it.customer_id == *customer || books.mixes_invoices;
            let mut rows: Vec<_> = books.invoices[begin..].iter().filter(of_this).cloned().collect();
            let more = rows.len() > most;
            rows.truncate(most);
            let next = rows.last().filter(|_| more).map(|it| it.id.to_string());
            Ok(Page { rows, next })
        })
        .await
    }
    async fn invoice(&self, id: &ProviderInvoiceId) -> Result<Option<Invoice>, ProviderError> {
        self.answer("invoice", id.as_str(), |books| Ok(books.invoices.iter().find(|it| it.id == *id).cloned())).await
    }
    async fn invoice_pdf(&self, id: &ProviderInvoiceId) -> Result<Option<String>, ProviderError> {
        self.answer("invoice_pdf", id.as_str(), |books| {
            let known = books.invoices.iter().find(|it| it.id == *id && it.status != InvoiceStatus::Draft);
            let number = books.calls.iter().filter(|(call, _)| *call == "invoice_pdf").count();
            Ok(known.map(|it| format!("https://pay.example.com/{}/{number}.pdf", it.id)))
        })
        .await
    }
    async fn portal(&self, customer: &ProviderCustomerId, back: &str) -> Result<String, ProviderError> {
        self.answer("portal", customer.as_str(), |_| Ok(format!("https://portal.example.com/{customer}?back={back}")))
            .await
    }
}

fn pause(it: &mut Snapshot) {
    (it.phase, it.pause_at) = (Phase::Paused, None);
    it.provider_status = "paused".into();
}
