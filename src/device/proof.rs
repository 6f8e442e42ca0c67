//! The proof a connecting client gives that it holds a device's key: the text it signs, and the check of it.
//!
//! Pure; the server's connection thread checks, the CLI uses the same text to sign. Says who the device is,
//! not what it may do: that is `pairing`.
use super::encoding::{base64url, from_base64};
use super::keys;
use crate::error::{Error, Kind, Result};
use ring::signature::{ED25519, UnparsedPublicKey};

/// How far the client's clock may be from ours, in milliseconds.
pub const MAX_SKEW_MS: u64 = 600_000;

/// What of a connect request is signed, besides the device's own members.
#[derive(Clone, Copy)]
pub struct Claims<'a> {
    pub client_id: &'a str,
    pub client_mode: &'a str,
    /// The resolved role.
    pub role: &'a str,
    /// The scopes as sent, in the order sent; empty when none were.
    pub scopes: &'a [String],
    /// `auth.token`, else `auth.deviceToken`, else `auth.bootstrapToken`, else empty.
    pub token: &'a str,
    pub platform: &'a str,
    pub device_family: &'a str,
}

/// The `device` object of a connect request.
#[derive(Debug, Clone, Copy)]
pub struct Proof<'a> {
    pub id: &'a str,
    pub public_key: &'a str,
    pub signature: &'a str,
    /// Epoch milliseconds.
    pub signed_at: u64,
    pub nonce: Option<&'a str>,
}

/// What the server holds against it.
#[derive(Debug, Clone, Copy)]
pub struct Challenge<'a> {
    /// The nonce sent on this connection.
    pub nonce: &'a str,
    /// Epoch milliseconds.
    pub now: u64,
    /// The client is on this host; only then may it leave out the nonce.
    pub is_local: bool,
}

/// A device that has proved to hold its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub device_id: String,
    /// The raw key as base64url without padding, whatever form was sent.
    pub public_key: String,
}

/// The versions of the signed text. Later ones bind more; a text with a nonce is never version 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
    V3,
}

/// The text a device signs. `nonce` is ignored by version 1.
pub fn signed_text(
    version: Version,
    device_id: &str,
    claims: &Claims,
    signed_at: u64,
    nonce: &str,
) -> String {
    let Claims { client_id, client_mode, role, token, .. } = claims;
    let scopes = claims.scopes.join(",");
    let common = format!("{device_id}|{client_id}|{client_mode}|{role}|{scopes}|{signed_at}|{token}");
    let plain = |text: &str| text.trim().to_ascii_lowercase();
    match version {
        Version::V1 => format!("v1|{common}"),
        Version::V2 => format!("v2|{common}|{nonce}"),
        Version::V3 => {
            format!("v3|{common}|{nonce}|{}|{}", plain(claims.platform), plain(claims.device_family))
        }
    }
}

/// Checks a proof; the error names the first check that failed and says nothing else.
pub fn verify(proof: &Proof, claims: &Claims, challenge: &Challenge) -> Result<Verified> {
    let key = keys::public_key_bytes(proof.public_key).filter(|key| keys::device_id(key) == proof.id);
    let key =
        key.ok_or_else(|| refused("device identity mismatch", "DEVICE_ID_MISMATCH", "device-id-mismatch"))?;
    if !keys::is_sound(&key) {
        return Err(refused("device public key invalid", "PUBLIC_KEY_INVALID", "device-public-key"));
    }
    if challenge.now.abs_diff(proof.signed_at) > MAX_SKEW_MS {
        return Err(expired(challenge.now, proof.signed_at));
    }
    let nonce = proof.nonce.map(str::trim).filter(|nonce| !nonce.is_empty());
    let versions: &[Version] = match nonce {
        Some(nonce) if nonce != challenge.nonce => {
            return Err(refused("device nonce mismatch", "NONCE_MISMATCH", "device-nonce-mismatch"));
        }
        Some(_) => &[Version::V3, Version::V2],
        None if challenge.is_local => &[Version::V1],
        None => return Err(refused("device nonce required", "NONCE_REQUIRED", "device-nonce-missing")),
    };
    let signature = from_base64(proof.signature.trim()).unwrap_or_default();
    let signer = UnparsedPublicKey::new(&ED25519, &key);
    let fits = |version: &Version| {
        let text = signed_text(*version, proof.id, claims, proof.signed_at, nonce.unwrap_or_default());
        signer.verify(text.as_bytes(), &signature).is_ok()
    };
    if !versions.iter().any(fits) {
        return Err(refused("device signature invalid", "SIGNATURE_INVALID", "device-signature"));
    }
    Ok(Verified { device_id: proof.id.to_string(), public_key: base64url(&key) })
}

/// Says by how much the two clocks differ: that is the cause, and a waiting client does not cure it.
fn expired(now: u64, signed_at: u64) -> Error {
    let side = if signed_at < now { "behind" } else { "ahead of" };
    let minutes = now.abs_diff(signed_at) / 60_000;
    let difference = match minutes {
        0..120 => format!("{minutes} min"),
        120..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    };
    let text = format!("device signature expired: the device's clock is {difference} {side} the gateway's");
    refused(&text, "SIGNATURE_EXPIRED", "device-signature-stale")
        .with("skewMs", i64::try_from(i128::from(signed_at) - i128::from(now)).unwrap_or(i64::MAX))
        .with("remediationHint", "set the clocks of both machines, by NTP for instance")
}

fn refused(message: &str, code: &str, reason: &str) -> Error {
    Error::new(Kind::Unauthorized, message).with("code", format!("DEVICE_AUTH_{code}")).with("reason", reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::encoding::base64;
    use crate::device::testing::strings;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    const NOW: u64 = 1_795_224_814_661;

    /// A connect as sent, which each test bends in one place.
    struct Sent {
        pair: Ed25519KeyPair,
        id: String,
        public_key: String,
        signed_at: u64,
        nonce: Option<&'static str>,
        version: Version,
        platform: &'static str,
        is_local: bool,
        change: fn(&mut String),
    }

    impl Sent {
        fn new(version: Version) -> Sent {
            let (pair, _) = keys::generate().unwrap();
            let id = keys::device_id(pair.public_key().as_ref());
            let public_key = keys::public_key_text(&pair);
            let nonce = (version != Version::V1).then_some("n-1");
            let (platform, change): (_, fn(&mut String)) = ("linux", |_| ());
            Sent {
                pair,
                id,
                public_key,
                signed_at: NOW,
                nonce,
                version,
                platform,
                is_local: version == Version::V1,
                change,
            }
        }

        fn verify(&self) -> Result<Verified> {
            let scopes = strings(&["operator.read", "x"]);
            let claims = Claims {
                client_id: "cli",
                client_mode: "cli",
                role: "operator",
                scopes: &scopes,
                token: "tok",
                platform: " Linux ",
                device_family: "",
            };
            let text =
                signed_text(self.version, &self.id, &claims, self.signed_at, self.nonce.unwrap_or_default());
            let mut signature = base64url(self.pair.sign(text.as_bytes()).as_ref());
            (self.change)(&mut signature);
            let proof = Proof {
                id: &self.id,
                public_key: &self.public_key,
                signature: &signature,
                signed_at: self.signed_at,
                nonce: self.nonce,
            };
            let claims = Claims { platform: self.platform, ..claims };
            verify(&proof, &claims, &Challenge { nonce: "n-1", now: NOW, is_local: self.is_local })
        }

        fn refused(&self, message: &str, code: &str, reason: &str) {
            let wire = self.verify().unwrap_err().to_wire(4);
            assert_eq!(wire["code"], "INVALID_REQUEST");
            assert_eq!(wire["message"], message);
            assert_eq!(wire["details"]["code"], code);
            assert_eq!(wire["details"]["reason"], reason);
        }
    }

    #[test]
    fn the_signed_texts_are_those_of_the_protocol() {
        let scopes = strings(&["b", "a"]);
        let claims = Claims {
            client_id: "cli",
            client_mode: "ui",
            role: "operator",
            scopes: &scopes,
            token: "",
            platform: " MacOS 15 ",
            device_family: "Mac",
        };
        let check = |version, want: &str| assert_eq!(signed_text(version, "d", &claims, 7, "n"), want);
        check(Version::V1, "v1|d|cli|ui|operator|b,a|7|");
        check(Version::V2, "v2|d|cli|ui|operator|b,a|7||n");
        check(Version::V3, "v3|d|cli|ui|operator|b,a|7||n|macos 15|mac");
    }

    #[test]
    fn each_version_and_form_of_key_and_signature_is_accepted() {
        for version in [Version::V1, Version::V2, Version::V3] {
            let mut sent = Sent::new(version);
            let raw = sent.pair.public_key().as_ref().to_vec();
            let want = Verified { device_id: sent.id.clone(), public_key: base64url(&raw) };
            for key in [base64url(&raw), base64(&raw), keys::public_key_pem(&raw)] {
                sent.public_key = key;
                assert_eq!(sent.verify().unwrap(), want, "{version:?}");
            }
            sent.change = |signature| *signature = base64(&from_base64(signature).unwrap());
            assert_eq!(sent.verify().unwrap(), want);
            sent.signed_at = NOW - MAX_SKEW_MS;
            assert!(sent.verify().is_ok());
        }
    }

    #[test]
    fn each_failure_has_its_own_text_and_code() {
        let with = |bend: fn(&mut Sent)| {
            let mut sent = Sent::new(Version::V2);
            bend(&mut sent);
            sent
        };
        let id = ("device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH", "device-id-mismatch");
        with(|s| s.id = "0".repeat(64)).refused(id.0, id.1, id.2);
        with(|s| s.id = s.id.to_uppercase()).refused(id.0, id.1, id.2);
        with(|s| s.public_key = "?".into()).refused(id.0, id.1, id.2);
        let short_key = with(|s| (s.public_key, s.id) = ("AAAA".into(), keys::device_id(&[0, 0, 0])));
        short_key.refused("device public key invalid", "DEVICE_AUTH_PUBLIC_KEY_INVALID", "device-public-key");
        // S-L4: a signature of zeros, the identity as its first half, is good for any text under the key 1.
        let nobody = with(|s| {
            let key = [&[1u8][..], &[0; 31]].concat();
            (s.public_key, s.id) = (base64url(&key), keys::device_id(&key));
            s.change = |signature| *signature = base64url(&[&[1u8][..], &[0; 63]].concat());
        });
        nobody.refused("device public key invalid", "DEVICE_AUTH_PUBLIC_KEY_INVALID", "device-public-key");
        // B-F44: by how much the clocks differ is said.
        type Skew = (fn(&mut Sent), &'static str);
        let skews: [Skew; 4] = [
            (|s| s.signed_at = NOW - MAX_SKEW_MS - 1, "10 min behind"),
            (|s| s.signed_at = NOW - 14 * 60_000, "14 min behind"),
            (|s| s.signed_at = NOW + 3 * 3_600_000, "3 h ahead of"),
            (|s| s.signed_at = 0, "20778 days behind"),
        ];
        for (bend, difference) in skews {
            with(bend).refused(
                &format!("device signature expired: the device's clock is {difference} the gateway's"),
                "DEVICE_AUTH_SIGNATURE_EXPIRED",
                "device-signature-stale",
            );
        }
        let error = with(|s| s.signed_at = NOW - 14 * 60_000).verify().unwrap_err();
        assert_eq!(error.details().unwrap()["skewMs"], -840_000);
        assert!(with(|s| s.signed_at = u64::MAX).verify().is_err());
        for bend in [(|s: &mut Sent| s.nonce = None) as fn(&mut Sent), |s| s.nonce = Some("  ")] {
            with(bend).refused("device nonce required", "DEVICE_AUTH_NONCE_REQUIRED", "device-nonce-missing");
        }
        with(|s| s.nonce = Some("n-2")).refused(
            "device nonce mismatch",
            "DEVICE_AUTH_NONCE_MISMATCH",
            "device-nonce-mismatch",
        );
        let invalid = ("device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature");
        with(|s| s.change = |signature| signature.clear()).refused(invalid.0, invalid.1, invalid.2);
        with(|s| s.change = |signature| signature.insert(3, '!')).refused(invalid.0, invalid.1, invalid.2);
        with(|s| s.pair = keys::generate().unwrap().0).refused(invalid.0, invalid.1, invalid.2);
        // A text without the nonce does not stand in for one with it, nor the other way round.
        with(|s| s.version = Version::V1).refused(invalid.0, invalid.1, invalid.2);
        with(|s| (s.is_local, s.nonce) = (true, None)).refused(invalid.0, invalid.1, invalid.2);
    }

    #[test]
    fn version_3_binds_the_platform() {
        let mut sent = Sent::new(Version::V3);
        sent.platform = "ios";
        sent.refused("device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID", "device-signature");
    }
}
