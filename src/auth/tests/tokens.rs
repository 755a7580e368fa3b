//! Keys and tokens made with other software than pgduet's: Python's `hmac` and `cryptography`.
//! All claim `{"role":"author","sub":"ada"}`.

/// The secret of the HS tokens.
pub(super) const SECRET: &str = "reallyreallyreallyreallyverysafe";

/// The keys of the other tokens.
pub(super) const JWKS: &str = r#"{"keys":[{"kty":"RSA","kid":"r","use":"sig","n":"r8CLLBv4N0dTKrrhV6Q3xAfRf3tlZk_beoW_x1eAdoAaLSINBP3172VgPRXwWdfvy_eUPXZYLForaEezVwX1ESq3ogKFt6nTFDIQ61_LYOdfI2ngYIYduks7PTpVQ9tgBux_E-F9RJ4Oh8uGC8ckngv_1KAyP5IQB7kQUkhj-oVScnZKSE7rHTrKittKpcQ8W_V3J67TRkmRCNsjXJpLKThmJpPAm0ISZn4AM3x7mAx4G7PacaNJhSpFdTtvE8cubSY_kWndtuhdqYOkr41D1f080KnLHVBiNSjrMOv83tMYGRxv4n8-vg-ErpLix1NODT8qoGL4nCKOEdwhjes50Q","e":"AQAB"},{"kty":"EC","crv":"P-256","x":"hF8aYKui6IasdbNZ1yHN1oDnLu_9PstbfF1noeOTIWo","y":"9eSLv44Fwsr6GZ9wUKdO3de_H4KrwZfMrfxm3IP5IAM"},{"kty":"EC","crv":"P-384","x":"HUBveVFKimuSEOHA-MgjfRiqzWD3X7FPV3lwyjaxfBw7K8NRSbY26SUnoGD1EpB8","y":"XllKD7kxk_HgGwnt-kc4AL10Rb1BnKvAcpWOZo_fx0A5fPWPBOUz9wwhq8Tc8ySG"},{"kty":"OKP","crv":"Ed25519","x":"NURoJTlSNWDcMGWi2XTWytMTfie1LA03kRuFU4Wr64Y","alg":"EdDSA"}]}"#;

pub(super) const HS256: &str = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.HgO8pIIeAn2pVIQWY61g8zUXDrdMvUWbIc8obH0EyPo";

pub(super) const HS384: &str = "eyJhbGciOiJIUzM4NCJ9.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.6LOLCQ3QJGInLVH-u0t8eusUUEuA1_k713iYCzwELStQXfBhxRuyTyJfg3d2GvLL";

pub(super) const HS512: &str = "eyJhbGciOiJIUzUxMiJ9.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.JNTTDfYnCBUodUc6XRl6IiHvRe8in_GlV2b5XE39iodKWV41G_0hIcbiYRIS2Z4pgMbSE9Cuv2vRNY2u4JP5Ew";

pub(super) const RS256: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.czeeorUlKuioQ3WNTGUlRKnwglTx_pFdzgkJEDrzm_zQYHvfpk-ZgJG_3N5EqXPXCPSnEQrX9O-Mz63l4anLD4V5nPxQICD-tY0E01CP4TznRQWmTJ_qHxUpCyZmwwMHANrV1-fUe0yPNoc9PaDhPNzWKO05foXHuZ1qbD7gBglZl-YJ7d2xH4CKSU9XTAkEJ1L19ixcLbsTxjyQDuWBX27QNEL56wN8bctkjdCV1U6qCJkyfxgDKpMbvqbKZe5k6CKeSaWW6t6rhfGeHfhcAC5qIVORY-sHAo3AUTyfJU1NXKXU3Sdp02AO6nLcstE_2sWhH-YlVZvbuHyyrSEHyw";

pub(super) const PS256: &str = "eyJhbGciOiJQUzI1NiIsImtpZCI6InIifQ.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.J5_xJNmzwb9wE0bP50RbGM8OQJpPaTPgfy9UfW2nKGfyswTCZ_AvH6a2rhvIFeoT6xzRqGgFaPmJ2DtN9Ikl69QxUCP7RSpfyAOsAy8Ngsl8FO7A3aC_Ovb8i0eT2LJra58Bj3N8BjOTVIyiGIH06yLXBpxcDHyQZ733WXvs8fVshrCOrLkGAg21R_MtR-S2aT3Uo6iDemZ_CjOK5KESih7EHVMB9A0qnYsnCABPSafDDpiTHh646oFEKbRVjFTXVYoGKUWV5fOttU3uvXA91Jdqe83UuSXIf_sEGQMBpd968kz5vr7JkGiM_NiPPR4fpJdzOh08hVGcBmnwOMcP8A";

pub(super) const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.PNz6muJ1evYI_XkHglKRkds_wCSnomQDonagUaowh8Vs6DnSPwcKN555CMO6vwUWXyweyZE08pw_tQ94WhTBWg";

pub(super) const ES384: &str = "eyJhbGciOiJFUzM4NCJ9.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.IM2QcpNq8flOYBouD1BCCjX48tSE-NSObDkEMlxxUzhwoYY1NeiCFBy7AD3vzr1QMYZ6zUrXxqye-ZGFRTsynp2sxOQX1M_cE_TutFRPhuwOCNGKPn4bk6KjYwi1U3N3";

pub(super) const EDDSA: &str = "eyJhbGciOiJFZERTQSJ9.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.tMcIncu2wiyIP_K85BAR9QnZr9Yaa0H4MNakP44YClbx-MK5mhLY5UYbZhYVKnAuskixGXsawqlNqLah8CfSBw";

pub(super) const CONFUSED: &str = "eyJhbGciOiJIUzI1NiIsImtpZCI6InIifQ.eyJyb2xlIjoiYXV0aG9yIiwic3ViIjoiYWRhIn0.92hdmRSK6qzPfkEQ8bniuo6BqinEe_KEIuuI-r8EIR0";
