//! Bodies of answers, handed out in pieces, so that what a client has not taken is known and limited.

use super::limits::ANSWERS_BYTES_MAX;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};

/// hyper asks for the next piece when it has written most of the last one.
const PIECE_BYTES: usize = 64 * 1024;

/// Memory for answers that are on their way.
#[derive(Clone, Default)]
pub struct Budget {
    used: Arc<AtomicUsize>,
}

/// A part of the budget, given back on drop.
pub struct Share {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub fn take(&self, bytes: usize) -> Option<Share> {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // Dropping the share gives back what is too much.
        let share = Share {
            budget: self.clone(),
            bytes,
        };
        (used <= ANSWERS_BYTES_MAX).then_some(share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The body of an answer. `ended` is called when it has been taken, or given up.
pub struct Body {
    rest: Bytes,
    _share: Option<Share>,
    ended: Box<dyn Fn() + Send>,
}

impl Body {
    pub fn new(content: String, share: Option<Share>, ended: impl Fn() + Send + 'static) -> Self {
        Self {
            rest: content.into(),
            _share: share,
            ended: Box::new(ended),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        (self.ended)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_its_way_is_limited() {
        let budget = Budget::default();
        let most = budget.take(ANSWERS_BYTES_MAX - 10);
        assert!(most.is_some());
        assert!(budget.take(11).is_none());
        let rest = budget.take(10);
        assert!(rest.is_some());
        assert!(budget.take(1).is_none());
        drop(most);
        assert!(budget.take(ANSWERS_BYTES_MAX - 10).is_some());
    }

    #[test]
    fn a_body_comes_whole_in_pieces() {
        let content: String = ('a'..='z').cycle().take(PIECE_BYTES * 2 + 7).collect();
        let mut body = Box::pin(Body::new(content.clone(), None, || ()));
        let mut pieces = Vec::new();
        let mut context = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
            pieces.push(frame.into_data().unwrap());
        }
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces.concat(), content.into_bytes());
        assert!(body.is_end_stream());
    }
}
