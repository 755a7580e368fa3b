//! Answers that are made once and kept as bytes: each with a strong ETag, in a content coding that the client accepts, and
//! 304 for a client that has the bytes already. Whether the bytes are still right is not known here: whatever decides the
//! bytes is part of their key.

use super::coding::{Coding, SHORTEST_COMPRESSED};
use crate::error::{Error, Fault, Result};
use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use lru::LruCache;
use std::{
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// An answer as bytes.
#[derive(Clone, Debug)]
pub struct Stored {
    bytes: Bytes,
    coding: Coding,
    etag: HeaderValue,
}

impl Stored {
    fn new(bytes: Vec<u8>, coding: Coding) -> Result<Self> {
        let etag = tag([bytes.as_slice()])?;
        Ok(Self { bytes: bytes.into(), coding, etag })
    }

    fn coded(&self, coding: Coding) -> Result<Self> {
        match coding {
            Coding::Gzip | Coding::Zstd if self.bytes.len() >= SHORTEST_COMPRESSED => {
                let encoded = coding.encode(&self.bytes).map_err(internal)?;
                if encoded.len() < self.bytes.len() { Self::new(encoded, coding) } else { Ok(self.clone()) }
            }
            Coding::Identity | Coding::Gzip | Coding::Zstd => Ok(self.clone()),
        }
    }

    /// The answer to a GET or HEAD with these headers: 304 for a client that has it. `Content-Type` and `Vary` are the
    /// caller's.
    pub fn answer(&self, method: &Method, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if self.is_had(request) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.extend(self.coding.token().map(|token| (header::CONTENT_ENCODING, token)));
        if *method != Method::HEAD {
            *response.body_mut() = Body::from(self.bytes.clone());
        }
        response
    }

    /// Whether `If-None-Match` names these bytes.
    fn is_had(&self, request: &HeaderMap) -> bool {
        is_named(request.get_all(header::IF_NONE_MATCH).iter(), &self.etag)
    }
}

/// A strong entity tag of bytes that come in these parts.
pub fn tag<'b>(parts: impl IntoIterator<Item = &'b [u8]>) -> Result<HeaderValue> {
    let mut hash = Context::new(&SHA256);
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            // No header has this byte, so that no two lists of parts are the same bytes.
            hash.update(&[0]);
        }
        hash.update(part);
    }
    let tag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(hash.finish()));
    HeaderValue::try_from(tag).map_err(internal)
}

/// Whether the fields of `If-None-Match` name this tag, compared weakly (RFC 9110, section 13.1.2).
pub fn is_named<'h>(fields: impl Iterator<Item = &'h HeaderValue>, etag: &HeaderValue) -> bool {
    let weak = |tag: &[u8]| tag.strip_prefix(b"W/").unwrap_or(tag).to_vec();
    let mut listed = fields.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    listed.any(|tag| {
        let tag = tag.trim_ascii();
        tag == b"*" || weak(tag) == weak(etag.as_bytes())
    })
}

/// Answers by what decides them. Together they hold a bounded number of bytes; the least recently used go first.
pub struct Store<K> {
    kept: Mutex<Kept<K>>,
    /// Held while an answer is made, so that many clients that ask for the same have it made once.
    making: tokio::sync::Mutex<()>,
    most_bytes: usize,
}

struct Kept<K> {
    answers: LruCache<(K, Coding), Arc<Stored>>,
    bytes: usize,
}

impl<K> fmt::Debug for Store<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Store").field("most_bytes", &self.most_bytes).finish_non_exhaustive()
    }
}

impl<K: Clone + Eq + Hash> Store<K> {
    /// A store that keeps no more bytes than this.
    pub fn new(most_bytes: usize) -> Self {
        let kept = Kept { answers: LruCache::unbounded(), bytes: 0 };
        Self { kept: Mutex::new(kept), making: tokio::sync::Mutex::new(()), most_bytes }
    }

    /// The answer of this key in this coding; `make` makes its bytes where they are not kept. It runs beside the requests,
    /// one at a time.
    pub async fn get(
        &self,
        key: K,
        coding: Coding,
        make: impl FnOnce() -> Result<Vec<u8>> + Send + 'static,
    ) -> Result<Arc<Stored>> {
        let coded = (key.clone(), coding);
        if let Some(found) = self.found(&coded) {
            return Ok(found);
        }
        let _alone = self.making.lock().await;
        if let Some(found) = self.found(&coded) {
            return Ok(found);
        }
        let plain = (key, Coding::Identity);
        let known = self.found(&plain);
        let made = tokio::task::spawn_blocking(move || {
            let plain = match known {
                Some(known) => known,
                None => Arc::new(Stored::new(make()?, Coding::Identity)?),
            };
            let coded = Arc::new(plain.coded(coding)?);
            Result::Ok((plain, coded))
        });
        let (as_it_is, answer) = made.await.map_err(internal)??;
        self.keep(plain, as_it_is);
        self.keep(coded, answer.clone());
        Ok(answer)
    }

    fn found(&self, key: &(K, Coding)) -> Option<Arc<Stored>> {
        self.kept().answers.get(key).cloned()
    }

    fn keep(&self, key: (K, Coding), answer: Arc<Stored>) {
        let mut kept = self.kept();
        if answer.bytes.len() > self.most_bytes {
            return;
        }
        kept.bytes += answer.bytes.len();
        if let Some(former) = kept.answers.put(key, answer) {
            kept.bytes -= former.bytes.len();
        }
        while kept.bytes > self.most_bytes {
            let Some((_, oldest)) = kept.answers.pop_lru() else { return };
            kept.bytes -= oldest.bytes.len();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn internal(error: impl fmt::Display) -> Box<Error> {
    Error::new(Fault::Internal, "Internal error").cause(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let stored = Stored::new(b"text".to_vec(), Coding::Identity).unwrap();
        let etag = stored.etag.to_str().unwrap();
        for (sent, status) in [
            (etag.to_owned(), 304),
            (format!("\"other\", W/{etag}"), 304),
            ("*".to_owned(), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, HeaderValue::try_from(&sent).unwrap());
            let answer = stored.answer(&Method::GET, &request);
            assert_eq!(answer.status(), status, "{sent}");
            assert_eq!(answer.headers()[header::ETAG], etag);
        }
    }

    #[tokio::test]
    async fn an_answer_is_made_once_for_all_codings_and_each_coding_has_its_own_tag() {
        let (store, made) = (Store::new(1 << 20), Arc::new(AtomicUsize::new(0)));
        let mut tags = Vec::new();
        for coding in [Coding::Identity, Coding::Gzip, Coding::Zstd, Coding::Gzip] {
            let made = made.clone();
            let make = move || {
                made.fetch_add(1, Ordering::Relaxed);
                Ok(vec![b'a'; 10_000])
            };
            let answer = store.get("key", coding, make).await.unwrap();
            assert_eq!(answer.coding, coding);
            tags.push(answer.etag.clone());
        }
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert_eq!(tags[1], tags[3]);
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2]);
    }

    #[tokio::test]
    async fn the_bytes_kept_are_bounded_and_the_least_recently_used_go() {
        let store = Store::new(2500);
        let made = Arc::new(AtomicUsize::new(0));
        let ask = async |key: u32, length: usize| {
            let made = made.clone();
            let make = move || {
                made.fetch_add(1, Ordering::Relaxed);
                Ok(vec![b'a'; length])
            };
            store.get(key, Coding::Identity, make).await.unwrap()
        };
        for key in [1, 2, 1, 3, 1] {
            ask(key, 1000).await;
        }
        assert_eq!(made.load(Ordering::Relaxed), 3, "2 had to go, 1 had not");
        ask(2, 1000).await;
        assert_eq!(made.load(Ordering::Relaxed), 4);
        ask(9, 3000).await;
        ask(9, 3000).await;
        assert_eq!(made.load(Ordering::Relaxed), 6, "too large to be kept");
        assert!(store.kept().bytes <= 2500);
    }
}
