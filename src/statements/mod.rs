//! Statements of SQL without what makes each of them special: their literals, comments and secrets.
//!
//! Pure. A maintained tokenizer (`sqlparser`'s) says what is a literal; a text that it cannot read is known by its kind only.

mod comments;
mod kind;
mod normalize;
mod secrets;
mod tokens;

pub use normalize::{normalize, Normalized};
