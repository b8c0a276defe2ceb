//! SSH_AUTH_INFO_0, certificates in it, and key IDs: whatever comes in, no panic; and a certificate
//! that is not signed by our CA is never taken for one of ours.
#![no_main]

use jit_core::certificate::{FirstFactor, KeyId, check, parse_auth_info};
use jit_core::host::Host;
use jit_core::name::{HostName, Login};
use jit_core::time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(Some(FirstFactor::Certificate(certificate))) = parse_auth_info(text) {
        let host = Host {
            name: HostName::parse("web-1").expect("a name"),
            labels: [].into(),
            created_at: Timestamp::from_unix(0).expect("a time"),
            key: None,
        };
        let login = Login::parse("deploy").expect("a login");
        let now = Timestamp::from_unix(1_800_000_000).expect("a time");
        assert!(check(&certificate, &[], &login, &host, now).is_err());
    }
    if let Ok(key_id) = KeyId::parse(text) {
        assert_eq!(key_id.to_string(), text);
    }
});
