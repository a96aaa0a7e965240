//! The signature of Standard Webhooks: HMAC-SHA256 over id, time and body, by each secret that is good.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use domain::webhooks::secret::Secret;
use ring::hmac;

/// The value of `webhook-signature`: `v1,` and base64, for each secret.
pub fn signature(secrets: &[Secret], id: &str, timestamp: i64, body: &str) -> String {
    let signed = format!("{id}.{timestamp}.{body}");
    let by = |secret: &Secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.bytes());
        format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
    };
    secrets.iter().map(by).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_openssl_makes_of_it() {
        // printf '%s' "msg_7.1614265330.{\"test\": 2432232314}" |
        //     openssl dgst -sha256 -mac HMAC -macopt hexkey:"$(echo MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | od -An -tx1 | tr -d " \n")" -binary | base64
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let one = signature(std::slice::from_ref(&secret), "msg_7", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(one, "v1,KKK1SikcGu/XNPE1+mzvalJOZEOD1n7py0wniAFp+vU=");
        let two = signature(&[secret.clone(), secret], "msg_7", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(two, format!("{one} {one}"));
    }
}
