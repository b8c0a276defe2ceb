//! Doing once what is asked twice under one key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Authority;
use crate::error::{Error, Kind, Result};
use crate::kept::{Kept, LASTS, MOST};
use crate::store::Mode;
use crate::time::Span;

impl Authority {
    /// Takes a key for a request. Returns the answer that was given to the same request before.
    /// Decides nothing, so it stands on no record.
    ///
    /// # Errors
    /// Conflict when the key stands for another request, or for one that was cut off; unavailable
    /// when the caller has too many.
    pub fn take_key(&self, caller: &str, key: &str, request: &str) -> Result<Option<Vec<u8>>> {
        let tx = self.store.begin(Mode::Write)?;
        let now = self.trusted_now(tx.as_ref())?;
        tx.forget_kept(now.before(Span::from_secs(LASTS)?))?;
        if let Some(kept) = tx.kept(key)? {
            if kept.request != request {
                return Err(Error::new(Kind::Conflict, "this key was used for another request")
                    .next("Take a new Idempotency-Key for each request."));
            }
            let Some(answer) = kept.answer else {
                return Err(Error::new(
                    Kind::Conflict,
                    "the same request is being answered, or was cut off",
                )
                .next("Look whether it was done before asking with another key."));
            };
            tx.commit()?;
            let sealed =
                STANDARD.decode(answer).map_err(|_| Error::tampered("a kept answer is damaged"))?;
            let plain = self.vault.open(&purpose(key), &sealed)?;
            return Ok(Some(plain.expose().to_vec()));
        }
        if tx.count_kept(caller)? >= MOST {
            return Err(Error::unavailable("there are too many keys of one day")
                .next("Ask without Idempotency-Key, or later."));
        }
        tx.put_kept(&Kept {
            caller: caller.to_owned(),
            key: key.to_owned(),
            request: request.to_owned(),
            at: now,
            answer: None,
        })?;
        tx.commit()?;
        Ok(None)
    }

    /// Keeps the answer to the request that took the key. Answers may hold secrets that are shown
    /// once, so they are sealed.
    ///
    /// # Errors
    /// Unavailable.
    pub fn keep_answer(&self, key: &str, answer: &[u8]) -> Result<()> {
        let tx = self.store.begin(Mode::Write)?;
        if let Some(kept) = tx.kept(key)? {
            let sealed = self.vault.seal(&purpose(key), answer)?;
            tx.put_kept(&Kept { answer: Some(STANDARD.encode(sealed)), ..kept })?;
        }
        tx.commit()
    }

    /// Gives a key back whose request did nothing.
    ///
    /// # Errors
    /// Unavailable.
    pub fn give_key_back(&self, key: &str) -> Result<()> {
        let tx = self.store.begin(Mode::Write)?;
        tx.remove_kept(key)?;
        tx.commit()
    }
}

fn purpose(key: &str) -> String {
    format!("answer {key}")
}
