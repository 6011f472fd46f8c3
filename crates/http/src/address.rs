//! Where requests come from, and who from there proves nothing again and again.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::request::Parts;
use tokio::time::{Instant, sleep};

use crate::{problem::Problem, router::App};

/// How long somebody stands in line for being proven, where too much was presented that proves nothing.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(1);

/// Proves somebody. An address with too many failures is slowed down and not shut out: whoever else comes from there
/// waits for a turn, and only when the line is long hears 429.
pub(crate) async fn carefully<T>(
    app: &App,
    parts: &Parts,
    prove: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    let Some(address) = of(app, parts) else { return prove.await };
    let failures = &app.failed_bearers;
    let mut counted = false;
    if failures.is_empty(&address, Instant::now()) {
        let wait = failures.take(address, Instant::now(), PATIENCE);
        let wait = wait.map_err(|wait| Problem::too_often("Too many tokens from this address were not valid", wait))?;
        counted = true;
        sleep(wait).await;
    }
    let proven = prove.await;
    if let Err(problem) = &proven
        && problem.is_unauthenticated()
        && !counted
    {
        // Found empty meanwhile: this one is told what it was told, the next one waits.
        let _ = failures.take(address, Instant::now(), PATIENCE);
    }
    proven
}

/// The address that a request is counted for; `None` where none is known, and for gates, which a proxy asks for
/// everybody.
pub(crate) fn of(app: &App, parts: &Parts) -> Option<IpAddr> {
    if parts.uri.path().starts_with("/gate/") {
        return None;
    }
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip();
    Some(neighbourhood(forwarded(app.config.limits.proxies, parts).unwrap_or(peer)))
}

/// What the first of our proxies saw. Every one of them adds an address on the right; what stands further left was said
/// by whoever asked.
fn forwarded(proxies: usize, parts: &Parts) -> Option<IpAddr> {
    let lines = parts.headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let addresses: Vec<_> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    addresses.get(addresses.len().checked_sub(proxies.max(1))?).filter(|_| proxies > 0)?.parse().ok()
}

/// One subscriber has a whole /64 of IPv6 (RFC 6177).
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(lines: &[&str]) -> Parts {
        let mut request = http::Request::builder();
        for line in lines {
            request = request.header("x-forwarded-for", *line);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_what_our_proxies_add_is_believed() {
        for (proxies, lines, wanted) in [
            (0, &["192.0.2.1"][..], None),
            (1, &[], None),
            (1, &["192.0.2.1"], Some("192.0.2.1")),
            (1, &["10.0.0.1, 192.0.2.1"], Some("192.0.2.1")),
            (1, &["10.0.0.1", "192.0.2.1"], Some("192.0.2.1")),
            (2, &["10.0.0.1, 192.0.2.1, 198.51.100.7"], Some("192.0.2.1")),
            (2, &["192.0.2.1"], None),
            (1, &["nonsense"], None),
            (1, &["2001:db8::1"], Some("2001:db8::1")),
        ] {
            let found = forwarded(proxies, &parts(lines)).map(|address| address.to_string());
            assert_eq!(found.as_deref(), wanted, "{proxies} {lines:?}");
        }
    }

    #[test]
    fn a_network_of_one_subscriber_is_one_address() {
        let of = |text: &str| neighbourhood(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }
}
