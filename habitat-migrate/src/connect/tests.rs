//! What a connection string means, without a server.

use std::time::Duration;

use proptest::prelude::*;
use tokio_postgres::config::{SslNegotiation, TargetSessionAttrs};

use super::settings::{Place, Settings, SslMode};
use super::{ConnectErrorKind, Connector};

fn settings(text: &str) -> Settings {
    Settings::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    let error = Connector::new(text).expect_err(text);
    assert_eq!(error.kind(), ConnectErrorKind::Invalid, "{text}: {error}");
    error.to_string().strip_prefix("invalid connection string: ").expect("its own layer").to_owned()
}

#[test]
fn both_spellings_mean_the_same() {
    let uri = settings(
        "postgresql://ap%70:se%20cret@db.internal:6432/my%2Fapp?options=-c%20a%3Db&connect_timeout=3\
         &target_session_attrs=read-write&application_name=boot",
    );
    let pairs = settings(
        "host=db.internal port = 6432 user='app' password='se cret' dbname=my/app options='-c a=b' \
         connect_timeout=3 target_session_attrs=read-write application_name=boot",
    );
    assert_eq!(uri.base, pairs.base);
    assert_eq!(uri.endpoints, pairs.endpoints);
    assert_eq!(uri.base.get_user(), Some("app"));
    assert_eq!(uri.base.get_password(), Some(&b"se cret"[..]));
    assert_eq!(uri.base.get_options(), Some("-c a=b"));
    assert_eq!(uri.base.get_connect_timeout(), Some(&Duration::from_secs(3)));
    assert_eq!(uri.base.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    assert_eq!(uri.base.get_application_name(), Some("boot"));
}

#[test]
fn quotes_and_backslashes_are_those_of_libpq() {
    let settings = settings(r"host=h user = 'it\'s \\ me' password=a\ b\'c dbname='' application_name='x y'");
    assert_eq!(settings.base.get_user(), Some(r"it's \ me"));
    assert_eq!(settings.base.get_password(), Some(&b"a b'c"[..]));
    assert_eq!(settings.base.get_dbname(), None, "an empty value is none");
    assert_eq!(settings.base.get_application_name(), Some("x y"));
}

#[test]
fn a_password_may_be_any_bytes() {
    assert_eq!(settings("postgres://a:%ff%fe@h/d").base.get_password(), Some(&[0xff, 0xfe][..]));
}

#[test]
fn a_newline_at_the_end_of_a_secret_file_is_no_part_of_the_database() {
    assert_eq!(settings("postgres://a@h/app\n").base.get_dbname(), Some("app"));
}

#[test]
fn targets_name_whom_it_asks() {
    for (text, target) in [
        ("postgresql://app:pw@db.internal/app", "app@db.internal:5432/app"),
        ("postgresql://db1:1,db2,db3:3/app", "db1:1,db2:5432,db3:3/app"),
        ("postgresql://app@[::1]:6543/app", "app@[::1]:6543/app"),
        ("postgresql://%2Frun%2Fpg:6543/app", "/run/pg:6543/app"),
        ("postgresql:///app?host=/run/pg&port=6543", "/run/pg:6543/app"),
        ("host=/run/pg,db port=1,2 user=me", "me@/run/pg:1,db:2"),
        ("hostaddr=10.0.0.1,::1 dbname=a", "10.0.0.1:5432,[::1]:5432/a"),
        ("host=db hostaddr=10.0.0.1 user='a\nb'", "a\\nb@db:5432"),
    ] {
        assert_eq!(Connector::new(text).expect(text).target(), target);
    }
}

#[test]
fn debug_shows_the_target_only() {
    let connector = Connector::new("postgresql://app:secret@db/app?options=-c%20x=y").expect("it is valid");
    let debug = format!("{connector:?}");
    assert_eq!(debug, r#"Connector { target: "app@db:5432/app", deadline: 30s }"#);
}

#[test]
fn hosts_addresses_and_ports_are_paired() {
    let settings = settings("host=a,b hostaddr=1.1.1.1,::2 port=1,");
    let places: Vec<_> =
        settings.endpoints.iter().map(|endpoint| (endpoint.place.clone(), endpoint.port)).collect();
    let address = |text: &str| text.parse().expect("an address");
    assert_eq!(
        places,
        [
            (Place::Address(address("1.1.1.1"), Some("a".into())), 1),
            (Place::Address(address("::2"), Some("b".into())), 5432)
        ],
    );
    assert_eq!(
        refusal("host=a,b hostaddr=1.1.1.1"),
        "`host` and `hostaddr` list different numbers of servers"
    );
    assert_eq!(refusal("host=a,b port=1,2,3"), "`port` lists neither one port nor one for each host");
    assert_eq!(refusal("host=a,,b"), "the host list has an empty entry");
    assert!(refusal("postgresql:///app").starts_with("no host is named"));
}

#[test]
fn what_cannot_be_read_is_refused_by_the_name_of_its_key() {
    for (text, message) in [
        ("host=h port=x", "the value of `port` is not 1 to 65535"),
        ("host=h port=0", "the value of `port` is not 1 to 65535"),
        ("host=h port=65536", "the value of `port` is not 1 to 65535"),
        ("hostaddr=db", "the value of `hostaddr` is not a numeric IP address"),
        ("host=h connect_timeout=soon", "the value of `connect_timeout` is not a whole number"),
        (
            "host=h target_session_attrs=primary",
            "the value of `target_session_attrs` is not any, read-write or read-only",
        ),
        ("host=h sslcrl=x", "the parameter `sslcrl` is not supported yet"),
        ("host=h passfile=/x", "the parameter `passfile` is not supported yet"),
        ("service=x", "the parameter `service` is not supported yet"),
        ("host=h statement_timeout=5", "unknown parameter `statement_timeout`"),
        ("postgres://u:p@h/d?schema=public", "unknown parameter `schema`"),
        ("postgres://u:p@h/d?schema", "a parameter of the URI has no `=`"),
        ("postgres://u:p@h/d%2", "a `%` in the database's name is not followed by two hexadecimal digits"),
        ("postgres://u%ff:p@h/d", "user is not UTF-8"),
        ("postgres://u:p@[::1/d", "a host in brackets is not closed before its port"),
        ("host=h user='x", "a quoted value has no closing quote"),
        ("host=h user=a%00b dbname='a\0b'", "the value of `dbname` has a zero byte"),
        ("host=h client_encoding=LATIN1", "the value of `client_encoding` is not UTF8 or auto"),
    ] {
        assert_eq!(refusal(text), message, "{text}");
    }
}

#[test]
fn nothing_behind_a_password_is_named() {
    for text in [
        "postgres://u:pw@half@h/d",
        "postgres://u:pw/half@h/d",
        "postgres://u:pw?half=half@h/d",
        "postgres://u:half",
        "postgres://h/d?password=pw&half=half",
        "host=h password=pw half=half",
        "host=h password=pw half",
        "half half half",
        "postgress://u:half@h/d?sslmode=require",
    ] {
        assert!(!refusal(text).contains("half"), "{text}: {}", refusal(text));
    }
}

#[test]
fn defaults_notice_a_server_that_is_gone() {
    let base = settings("host=h").base;
    assert_eq!(base.get_application_name(), Some("habitat-migrate"));
    assert_eq!(base.get_connect_timeout(), Some(&Duration::from_secs(10)));
    assert_eq!(base.get_tcp_user_timeout(), Some(&Duration::from_secs(60)));
    assert!(base.get_keepalives());
    assert_eq!(base.get_keepalives_idle(), Duration::from_secs(30));
    assert_eq!(base.get_keepalives_interval(), Some(Duration::from_secs(10)));
    assert_eq!(base.get_keepalives_retries(), Some(3));
}

#[test]
fn what_the_user_sets_is_kept() {
    let base = settings(
        "host=h keepalives=0 keepalives_idle=7 keepalives_interval=8 keepalives_count=9 tcp_user_timeout=1500 \
         fallback_application_name=mine",
    )
    .base;
    assert!(!base.get_keepalives());
    assert_eq!(base.get_keepalives_idle(), Duration::from_secs(7));
    assert_eq!(base.get_keepalives_interval(), Some(Duration::from_secs(8)));
    assert_eq!(base.get_keepalives_retries(), Some(9));
    assert_eq!(base.get_tcp_user_timeout(), Some(&Duration::from_millis(1500)), "milliseconds, as in libpq");
    assert_eq!(base.get_application_name(), Some("mine"));
    assert_eq!(settings("host=h tcp_user_timeout=0").base.get_tcp_user_timeout(), None);
    assert!(
        settings("host=h connect_timeout=0").base.get_connect_timeout() > Some(&Duration::from_secs(86_400))
    );
}

#[test]
fn prefer_is_the_default_mode_and_the_system_store_makes_it_verify_full() {
    assert_eq!(settings("host=h").mode, SslMode::Prefer);
    assert_eq!(settings("host=h sslmode=''").mode, SslMode::Prefer);
    assert_eq!(settings("host=/run sslrootcert=system").mode, SslMode::VerifyFull);
    assert_eq!(settings("host=/run sslmode=verify-ca").mode, SslMode::VerifyCa);
    for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
        assert!(
            refusal(&format!("host=h sslrootcert=system sslmode={mode}")).contains("verify-full"),
            "{mode}"
        );
    }
    assert!(refusal("host=h sslmode=no-verify").contains("`sslmode`"));
}

#[test]
fn direct_negotiation_needs_a_mode_that_requires_tls() {
    assert!(refusal("host=h sslnegotiation=direct").contains("needs sslmode=require"));
    let direct = settings("host=/run sslnegotiation=direct sslmode=require");
    assert_eq!(direct.base.get_ssl_negotiation(), SslNegotiation::Direct);
}

#[test]
fn sockets_never_use_tls() {
    assert!(!settings("host=/run sslmode=require").may_use_tls());
    assert!(!settings("host=db sslmode=disable").may_use_tls());
    assert!(settings("host=/run,db").may_use_tls());
}

#[cfg(not(feature = "tls"))]
#[test]
fn without_the_feature_tls_only_what_requires_it_is_refused() {
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = Connector::new(&format!("host=h sslmode={mode}")).expect_err(mode);
        assert_eq!(error.kind(), ConnectErrorKind::Tls);
        assert!(error.to_string().contains("enable the feature `tls`"), "{error}");
    }
    for mode in ["disable", "allow", "prefer"] {
        assert!(Connector::new(&format!("host=h sslmode={mode}")).is_ok(), "{mode}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_verified_name_has_to_be_given() {
    assert!(refusal("hostaddr=127.0.0.1 sslmode=verify-full").contains("`host`"));
    assert_eq!(settings("postgres://u:p@h/d?ssl=true").mode, SslMode::Require);
}

#[cfg(feature = "tls")]
#[test]
fn certificate_files_that_are_named_must_be_usable() {
    for (text, part) in [
        ("host=h sslmode=prefer sslrootcert=/nowhere/ca.pem", "/nowhere/ca.pem cannot be read"),
        ("host=h sslmode=require sslcert=/nowhere/client.crt", "/nowhere/client.crt cannot be read"),
    ] {
        let error = Connector::new(text).expect(text).tls().err().expect(text);
        assert_eq!(error.kind(), ConnectErrorKind::Tls);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn versions_of_tls_can_be_narrowed() {
    assert!(settings("host=h ssl_min_protocol_version=TLSv1.3").tls.load(SslMode::Require).is_ok());
    assert!(settings("host=h ssl_max_protocol_version=TLSv1.2").tls.load(SslMode::Require).is_ok());
    assert!(refusal("host=h ssl_max_protocol_version=TLSv1.1").contains("holds neither"));
    assert!(refusal("host=h ssl_min_protocol_version=SSLv3").contains("`ssl_min_protocol_version`"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,60}") {
        let _ = Connector::new(&text);
        let _ = Connector::new(&format!("postgres://{text}"));
    }

    #[test]
    fn a_password_arrives_as_it_was_written(password in "\\PC{1,20}") {
        let quoted = password.replace('\\', "\\\\").replace('\'', "\\'");
        let pairs = settings(&format!("host=h password='{quoted}' user=u"));
        prop_assert_eq!(pairs.base.get_password(), Some(password.as_bytes()));
        let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let uri = settings(&format!("postgres://u:{encoded}@h"));
        prop_assert_eq!(uri.base.get_password(), Some(password.as_bytes()));
    }
}
