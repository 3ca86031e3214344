//! Panic containment: nothing that we do may unwind into DuckDB, whose frames cannot be unwound from Rust.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// Runs a callback's body; a panic becomes an error text like any other.
///
/// State that the body shares with later calls must stay consistent when it unwinds. oplog's does: its locks guard
/// values that are replaced whole, and outlive a panic, see [`crate::locks`].
pub fn contain<T>(what: &str, body: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => Err(format!(
            "{what}: internal error in oplog (contained, please report it): {}",
            describe(payload)
        )),
    }
}

/// The text of a panic. A payload of another kind is leaked, since its destructor might panic again.
fn describe(payload: Box<dyn Any + Send>) -> String {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        return (*text).to_owned();
    }
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => {
            std::mem::forget(other);
            "a panic without a text".to_owned()
        }
    }
}

/// Moves a value into a pointer that DuckDB keeps and gives back to [`drop_boxed`].
pub fn into_raw<T>(value: T) -> *mut c_void {
    Box::into_raw(Box::new(value)).cast()
}

/// The destructor that DuckDB calls for a pointer made by [`into_raw`].
///
/// # Safety
/// `pointer` came from [`into_raw`] with the same `T` and is dropped once.
pub unsafe extern "C" fn drop_boxed<T>(pointer: *mut c_void) {
    if pointer.is_null() {
        return;
    }
    // A destructor has no way to report an error; a panic in it ends here.
    let _ = contain("drop", || {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(pointer.cast::<T>()) });
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_passes_through() {
        assert_eq!(contain("f", || Ok(7)), Ok(7));
        assert_eq!(contain::<()>("f", || Err("no".into())), Err("no".into()));
    }

    #[test]
    fn a_panic_becomes_an_error_that_names_the_function_and_the_text() {
        let text = contain::<()>("oplog_x", || panic!("at {}", 5)).unwrap_err();
        assert!(text.starts_with("oplog_x: internal error"), "{text}");
        assert!(text.ends_with("at 5"), "{text}");
    }

    #[test]
    fn a_payload_whose_destructor_panics_is_contained_too() {
        struct Hostile;
        impl Drop for Hostile {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let text = contain::<()>("f", || std::panic::panic_any(Hostile)).unwrap_err();
        assert!(text.ends_with("a panic without a text"), "{text}");
    }

    #[test]
    fn a_destructor_that_panics_is_contained() {
        struct Hostile;
        impl Drop for Hostile {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        // SAFETY: made by `into_raw` with the same type, dropped once.
        unsafe { drop_boxed::<Hostile>(into_raw(Hostile)) };
        // SAFETY: NULL is allowed.
        unsafe { drop_boxed::<Hostile>(std::ptr::null_mut()) };
    }
}
