//! `/hosted_pages`. Source: Chargebee API docs, "Hosted pages".

use super::filter::{Attribute, Columns};
use super::list::List;
use super::{Answer, Form, options, read};
use crate::chargebee::refusal::Refusal;
use crate::chargebee::render;
use crate::chargebee::site::checkout::PageInput;
use crate::chargebee::site::model::{HostedPage, PageTask};
use crate::chargebee::site::{Act, Site};

type Answered = Result<Answer, Refusal>;

pub(super) fn checkout_new(site: &mut Site, form: &Form, act: Act) -> Answered {
    let task = PageTask::New {
        subscription_id: read::text(form, "subscription[id]", 50)?,
        trial_end: read::instant(form, "subscription[trial_end]")?,
        items: read::items(form)?,
        customer_id: read::text(form, "customer[id]", 50)?,
        customer: Box::new(read::customer(form, "customer")?),
    };
    create(site, task, form, act)
}

pub(super) fn checkout_existing(site: &mut Site, form: &Form, act: Act) -> Answered {
    let task = PageTask::Existing {
        subscription_id: read::required(form, "subscription[id]", 50)?,
        change: Box::new(options::change(form, "subscription")?),
    };
    create(site, task, form, act)
}

/// Ad-hoc charges (`charges[amount]`) are not sold here.
pub(super) fn checkout_one_time(site: &mut Site, form: &Form, act: Act) -> Answered {
    let task = PageTask::Once {
        items: read::rows(form, "item_prices")?,
        currency: read::text(form, "currency_code", 3)?,
        customer_id: read::text(form, "customer[id]", 50)?,
        customer: Box::new(read::customer(form, "customer")?),
    };
    create(site, task, form, act)
}

pub(super) fn manage_payment_sources(site: &mut Site, form: &Form, act: Act) -> Answered {
    create(site, PageTask::ManageCard { customer_id: read::required(form, "customer[id]", 50)? }, form, act)
}

pub(super) fn collect_now(site: &mut Site, form: &Form, act: Act) -> Answered {
    create(site, PageTask::CollectNow { customer_id: read::required(form, "customer[id]", 50)? }, form, act)
}

fn create(site: &mut Site, task: PageTask, form: &Form, act: Act) -> Answered {
    let input = PageInput {
        redirect_url: read::web_address(form, "redirect_url")?,
        cancel_url: read::web_address(form, "cancel_url")?,
        pass_thru_content: read::text(form, "pass_thru_content", 2_048)?,
        gateway_account_id: read::text(form, "card[gateway_account_id]", 50)?,
    };
    let position = site.new_checkout(task, input, act)?;
    Ok(Answer::resource("hosted_page", render::hosted_page(site, position)))
}

fn find(site: &Site, id: &str) -> Result<usize, Refusal> {
    site.hosted_pages.position(id).ok_or_else(|| Refusal::not_found("hosted_page_id", id))
}

pub(super) fn retrieve(site: &Site, id: &str) -> Answered {
    let position = find(site, id)?;
    Ok(Answer::resource("hosted_page", render::hosted_page(site, position)))
}

pub(super) fn acknowledge(site: &mut Site, id: &str, act: Act) -> Answered {
    let position = find(site, id)?;
    site.acknowledge_page(position, act)?;
    Ok(Answer::resource("hosted_page", render::hosted_page(site, position)))
}

const COLUMNS: Columns<HostedPage> = &[
    ("id", |_, row| Attribute::Text(&row.id)),
    ("type", |_, row| Attribute::Text(row.task.kind())),
    ("state", |_, row| Attribute::Text(row.state.as_str())),
    ("created_at", |_, row| Attribute::Number(row.created_at)),
    ("updated_at", |_, row| Attribute::Number(row.stamp.updated_at)),
];

pub(super) fn list(site: &Site, query: &Form) -> Answered {
    List {
        site,
        table: &site.hosted_pages,
        columns: COLUMNS,
        sorts: &["created_at", "updated_at"],
        within: None,
        is_deleted: |_| false,
        render: |site, position| format!("{{\"hosted_page\":{}}}", render::hosted_page(site, position)),
    }
    .page(query)
}
