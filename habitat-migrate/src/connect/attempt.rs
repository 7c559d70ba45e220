//! One loop for both clients: try every address, pause, try again, until it works, cannot work or is too late.
//!
//! It is written once over [`Dial`]; for the blocking client every future is ready and is polled once.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio_postgres::Config;
use tokio_postgres::config::{LoadBalanceHosts, SslMode as DriverMode};

use super::Tls;
use super::error::{ConnectError, ConnectErrorKind, Effort};
use super::failure::{Failure, Verdict};
use super::settings::{Endpoint, Place, Settings, SslMode};

/// What a client does in its own way.
pub(super) trait Dial: Sync {
    type Client: Send;

    /// Looks a name up.
    fn resolve(
        &self,
        name: &str,
        limit: Duration,
    ) -> impl Future<Output = Result<Vec<IpAddr>, Failure>> + Send;

    /// Opens a session with the one address in `config`.
    fn open(
        &self,
        config: Config,
        tls: &Tls,
        limit: Duration,
    ) -> impl Future<Output = Result<Self::Client, Failure>> + Send;

    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// Connects, or tells why not after `patience`.
pub(super) async fn connect<D: Dial>(
    settings: &Settings,
    tls: &Tls,
    patience: Duration,
    dial: &D,
) -> Result<D::Client, ConnectError> {
    let clock = Clock { started: Instant::now(), patience };
    let mut attempts = 0;
    loop {
        attempts += 1;
        let failure = match every_host(settings, tls, &clock, dial).await {
            Ok(client) => return Ok(client),
            Err(failure) => failure,
        };
        let pause = pause_after(attempts, random());
        let elapsed = clock.started.elapsed();
        let kind = match failure.verdict() {
            Verdict::Final(kind) => kind,
            Verdict::Retry if elapsed + pause >= patience => ConnectErrorKind::Unavailable,
            Verdict::Retry => {
                tracing::warn!(target: "habitat_migrate", server = settings.target(), attempts, "no connection yet: {failure}");
                dial.pause(pause).await;
                continue;
            }
        };
        return Err(ConnectError::failed(
            kind,
            Effort { target: settings.target(), attempts, elapsed },
            failure,
        ));
    }
}

struct Clock {
    started: Instant,
    patience: Duration,
}

impl Clock {
    /// What an attempt that begins now may take: at least a moment, so that a deadline of zero tries once.
    fn limit(&self, settings: &Settings) -> Duration {
        let left = self.patience.saturating_sub(self.started.elapsed()).max(SHORTEST_ATTEMPT);
        settings.base.get_connect_timeout().map_or(left, |timeout| left.min(*timeout))
    }
}

/// Tries the hosts in their order. As in libpq, a server that answers and refuses ends the search.
async fn every_host<D: Dial>(
    settings: &Settings,
    tls: &Tls,
    clock: &Clock,
    dial: &D,
) -> Result<D::Client, Failure> {
    let mut last = Failure::NoAddress;
    for endpoint in ordered(settings.endpoints.clone(), settings.order) {
        let addresses = match &endpoint.place {
            Place::Unix(_) => vec![None],
            Place::Address(address, _) => vec![Some(*address)],
            Place::Name(name) => match dial.resolve(name, clock.limit(settings)).await {
                Ok(addresses) => ordered(addresses, settings.order).into_iter().map(Some).collect(),
                Err(failure) => {
                    last = failure;
                    continue;
                }
            },
        };
        for address in addresses {
            match one_address(settings, tls, &endpoint, address, clock, dial).await {
                Ok(client) => return Ok(client),
                Err(failure) if failure.verdict() == Verdict::Retry => last = failure,
                Err(failure) => return Err(failure),
            }
        }
    }
    Err(last)
}

/// Tries one address with and without TLS, in the order that `sslmode` asks for.
async fn one_address<D: Dial>(
    settings: &Settings,
    tls: &Tls,
    endpoint: &Endpoint,
    address: Option<IpAddr>,
    clock: &Clock,
    dial: &D,
) -> Result<D::Client, Failure> {
    let (first, second) = modes(settings.mode, endpoint, tls.is_there());
    let open = |mode| {
        let limit = clock.limit(settings);
        dial.open(config(settings, endpoint, address, mode, limit), tls, limit)
    };
    match (open(first).await, second) {
        (Err(failure), Some(second)) if deserves_other_mode(&failure, first) => open(second).await,
        (outcome, _) => outcome,
    }
}

/// The driver's mode to try first, and the one to fall back to.
fn modes(mode: SslMode, endpoint: &Endpoint, tls: bool) -> (DriverMode, Option<DriverMode>) {
    if endpoint.is_unix() || !tls {
        return (DriverMode::Disable, None);
    }
    match mode {
        SslMode::Disable => (DriverMode::Disable, None),
        // The server said that it wants TLS, or has no rule for us at all. Prefer and not Require: if it then
        // turns out to have no TLS, its first answer is the better one to hear again.
        SslMode::Allow => (DriverMode::Disable, Some(DriverMode::Prefer)),
        SslMode::Prefer => (DriverMode::Prefer, Some(DriverMode::Disable)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (DriverMode::Require, None),
    }
}

/// Stricter than libpq, which falls back after any refusal: a password that was wrong is not sent again in plain.
fn deserves_other_mode(failure: &Failure, tried: DriverMode) -> bool {
    let tls_failed = failure.verdict() == Verdict::Final(ConnectErrorKind::Tls);
    failure.is_refused_by_rule() || (tls_failed && tried == DriverMode::Prefer)
}

fn config(
    settings: &Settings,
    endpoint: &Endpoint,
    address: Option<IpAddr>,
    mode: DriverMode,
    limit: Duration,
) -> Config {
    let mut config = settings.base.clone();
    config.port(endpoint.port).ssl_mode(mode).connect_timeout(limit);
    match (&endpoint.place, address) {
        (Place::Name(name) | Place::Address(_, Some(name)), _) => config.host(name),
        (Place::Unix(path), _) => config.host(path),
        // The driver refuses TLS without a name, even where the name is not looked at.
        (Place::Address(address, None), _) => config.host(address.to_string()),
    };
    if let Some(address) = address {
        config.hostaddr(address);
    }
    config
}

/// Doubles from 50 ms to 2 s, and takes between half of that and all of it, lest a hundred services that lost
/// one server come back in step.
fn pause_after(attempt: u32, random: u64) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
    full / 2 + (full / 2).mul_f64(random as f64 / u64::MAX as f64)
}

fn ordered<T>(mut items: Vec<T>, order: LoadBalanceHosts) -> Vec<T> {
    if order == LoadBalanceHosts::Random {
        for end in (1..items.len()).rev() {
            items.swap(end, (random() % (end as u64 + 1)) as usize);
        }
    }
    items
}

/// Random enough to spread load: the standard library seeds its maps with it.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_two_seconds_and_differ_by_half() {
        assert_eq!(pause_after(1, 0), Duration::from_millis(25));
        assert_eq!(pause_after(1, u64::MAX), Duration::from_millis(50));
        assert_eq!(pause_after(3, 0), Duration::from_millis(100));
        assert_eq!(pause_after(7, u64::MAX), Duration::from_secs(2));
        assert_eq!(pause_after(u32::MAX, 0), Duration::from_secs(1));
    }

    #[test]
    fn modes_are_tried_in_the_order_of_the_documentation() {
        let tcp = Endpoint { place: Place::Name("db".into()), port: 5432 };
        let unix = Endpoint { place: Place::Unix("/run".into()), port: 5432 };
        use DriverMode::{Disable, Prefer, Require};
        assert_eq!(modes(SslMode::Disable, &tcp, true), (Disable, None));
        assert_eq!(modes(SslMode::Allow, &tcp, true), (Disable, Some(Prefer)));
        assert_eq!(modes(SslMode::Prefer, &tcp, true), (Prefer, Some(Disable)));
        assert_eq!(modes(SslMode::Prefer, &tcp, false), (Disable, None));
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            assert_eq!(modes(mode, &tcp, true), (Require, None));
            assert_eq!(modes(mode, &unix, true), (Disable, None), "{mode:?} does not matter to a socket");
        }
    }

    #[test]
    fn a_random_order_keeps_every_host() {
        let mut hosts = ordered((0..20).collect(), LoadBalanceHosts::Random);
        hosts.sort_unstable();
        assert_eq!(hosts, (0..20).collect::<Vec<_>>());
        assert_eq!(ordered(vec![3, 1, 2], LoadBalanceHosts::Disable), [3, 1, 2]);
    }
}
