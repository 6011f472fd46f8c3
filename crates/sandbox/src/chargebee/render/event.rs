//! Events, whose contents are texts already.

use serde_json::Value;

use crate::chargebee::site::model::Event;

/// The text of an event as it is now: what the API wraps in `event`.
pub(crate) fn event(row: &Event) -> String {
    event_as(row, row.webhook_status)
}

/// The text of an event with a `webhook_status`: the body of its webhook.
pub(crate) fn event_as(row: &Event, webhook_status: &str) -> String {
    let text = |value: &str| Value::from(value).to_string();
    let user = row.user.as_deref().map(|user| format!(",\"user\":{}", text(user))).unwrap_or_default();
    let webhooks = if webhook_status == "not_configured" {
        String::new()
    } else {
        format!(r#"{{"id":"whv2_sandbox","webhook_status":"{webhook_status}","object":"webhook"}}"#)
    };
    format!(
        r#"{{"id":{id},"occurred_at":{at},"source":"{source}"{user},"object":"event","api_version":"v2","content":{content},"event_type":"{event_type}","webhook_status":"{status}","webhooks":[{webhooks}]}}"#,
        id = text(&row.id),
        at = row.occurred_at,
        source = row.source,
        content = row.content.get(),
        event_type = row.event_type,
        status = webhook_status,
    )
}
