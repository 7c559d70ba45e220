//! SCRAM-SHA-256 verifiers: what the server keeps of a password, made and compared here.
//!
//! <https://www.postgresql.org/docs/current/catalog-pg-authid.html>, RFC 5803 and RFC 7677.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use stringprep::tables;
use zeroize::Zeroizing;

/// A verifier of this password, with a salt of its own. It holds nothing that would need a quote in SQL.
pub(super) fn verifier(password: &str) -> Zeroizing<String> {
    Zeroizing::new(postgres_protocol::password::scram_sha_256(password.as_bytes()))
}

/// Whether the server's verifier is one of this password. Of an MD5 hash it is not: that is to be replaced.
pub(super) fn accepts(verifier: &str, password: &str) -> bool {
    let Some(Parts { iterations, salt, stored, server }) = Parts::read(verifier) else { return false };
    let salted = salted(password, &salt, iterations);
    let client_key = keyed(&*salted, b"Client Key");
    let (stored_now, server_now) = (Sha256::digest(client_key), keyed(&*salted, b"Server Key"));
    same(&stored, &stored_now) & same(&server, &server_now)
}

/// The password as clients prepare it, by SASLprep where that is possible; as it is where not. So do the server and libpq.
pub(super) fn prepared(password: &str) -> Zeroizing<String> {
    Zeroizing::new(
        stringprep::saslprep(password).map_or_else(|_| password.to_owned(), std::borrow::Cow::into_owned),
    )
}

/// Whether libpq and the server on one side and Rust's drivers on the other prepare a password in the same way.
///
/// PostgreSQL looks for characters that SASLprep does not allow before it normalizes, `stringprep` behind that, so that they differ over
/// some three hundred characters (U+0340, U+1D2C), each alone or among others, and over what is empty when it is prepared.
pub(super) fn is_agreed(password: &str) -> bool {
    let space = |c: char| if tables::non_ascii_space_character(c) { ' ' } else { c };
    let mapped: String =
        password.chars().map(space).filter(|&c| !tables::commonly_mapped_to_nothing(c)).collect();
    match stringprep::saslprep(password) {
        Ok(prepared) => prepared == password || !is_refused_by_postgresql(&mapped),
        Err(_) => is_refused_by_postgresql(&mapped),
    }
}

/// `pg_saslprep`, behind its mapping: <https://github.com/postgres/postgres/blob/master/src/common/saslprep.c>.
fn is_refused_by_postgresql(mapped: &str) -> bool {
    let refused: [fn(char) -> bool; 11] = [
        tables::non_ascii_space_character,
        tables::ascii_control_character,
        tables::non_ascii_control_character,
        tables::private_use,
        tables::non_character_code_point,
        tables::surrogate_code,
        tables::inappropriate_for_plain_text,
        tables::inappropriate_for_canonical_representation,
        tables::change_display_properties_or_deprecated,
        tables::tagging_character,
        tables::unassigned_code_point,
    ];
    let mixed = mapped.contains(tables::bidi_r_or_al)
        && (mapped.contains(tables::bidi_l)
            || !mapped.starts_with(tables::bidi_r_or_al)
            || !mapped.ends_with(tables::bidi_r_or_al));
    mapped.is_empty() || mixed || mapped.contains(|c| refused.iter().any(|refused| refused(c)))
}

/// What stands in `SCRAM-SHA-256$4096:salt$stored:server`.
struct Parts {
    iterations: u32,
    salt: Vec<u8>,
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl Parts {
    fn read(verifier: &str) -> Option<Self> {
        let (head, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let ((iterations, salt), (stored, server)) = (head.split_once(':')?, keys.split_once(':')?);
        let bytes = |text| STANDARD.decode(text).ok();
        let iterations = iterations.parse().ok().filter(|n| (1..=MOST_ITERATIONS).contains(n))?;
        Some(Self { iterations, salt: bytes(salt)?, stored: bytes(stored)?, server: bytes(server)? })
    }
}

/// PBKDF2 with one block, which is what RFC 5802 calls `Hi`.
fn salted(password: &str, salt: &[u8], iterations: u32) -> Zeroizing<[u8; 32]> {
    let password = prepared(password);
    let mut last = keyed(password.as_bytes(), &[salt, &[0, 0, 0, 1]].concat());
    let mut sum = Zeroizing::new(last);
    for _ in 1..iterations {
        last = keyed(password.as_bytes(), &last);
        sum.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

fn keyed(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Compares in a time that tells nothing of where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// A cluster may ask for more work than the default of 4096; a verifier with more than this is no reason to compute for minutes.
const MOST_ITERATIONS: u32 = 10_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_verifier_of_rfc_7677_accepts_its_password() {
        // The example of section 3: user "user", password "pencil".
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let salted = salted("pencil", &salt, 4096);
        let auth = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = keyed(&keyed(&*salted, b"Server Key"), auth.as_bytes());
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn what_is_no_scram_verifier_accepts_nothing() {
        let broken = [
            "",
            "md5a3556571e93b0d20722ba62be61e8c2d",
            "SCRAM-SHA-256$",
            "SCRAM-SHA-256$0:YQ==$YQ==:YQ==",
            "SCRAM-SHA-256$4294967295:YQ==$YQ==:YQ==",
        ];
        for verifier in broken {
            assert!(!accepts(verifier, "pencil"), "{verifier}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn r47_a_verifier_accepts_its_password_and_no_other(password in "[^\0\r\n]{1,40}", other in "[ -~]{1,20}") {
            let verifier = verifier(&password);
            prop_assert!(accepts(&verifier, &password));
            prop_assert_eq!(accepts(&verifier, &other), prepared(&other) == prepared(&password));
            prop_assert!(!verifier.contains(['\'', '\\', '"']));
        }
    }
}
