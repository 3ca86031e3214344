//! `oplog`: an operation log and metrics for every DuckDB service, in SQL.
//!
//! This file is the table of everything that `LOAD oplog` adds. docs/architecture.md says how the rooms fit together.

#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

mod alerts;
mod calendar;
mod caller;
mod capacity;
mod duckdb;
mod engine;
mod excerpt;
mod files;
mod functions;
mod history;
mod journal;
mod json;
mod locks;
mod metrics;
mod nearest;
mod pattern;
mod queue;
mod record;
mod retention;
mod rollup;
#[cfg(test)]
mod rooms;
mod serve;
mod settings;
mod spans;
mod spool;
mod statements;
mod statistics;
mod store;
mod system;

use duckdb::{ExtensionAccess, ExtensionInfo, Host, Interruption};
use functions::{relations, surface, Session};
use std::sync::Arc;

fn register(host: &Host<'_>) -> Result<(), String> {
    system::process::watch();
    caller::ask(|| {
        Interruption::current().map(|query| Arc::new(move || query.is_set()) as caller::GivesUp)
    });
    let session = Session::open(host)?;
    for setting in settings::Setting::ALL {
        host.register_option(&functions::option(*setting))?;
    }
    session.show_settings(host)?;
    surface::register(host, &session)?;
    host.register_replacement(Box::new(relations::answer));
    host.register_option(&relations::shown(&session))?;
    Ok(())
}

/// Called by DuckDB on `LOAD oplog`.
///
/// # Safety
/// For DuckDB only, which passes what its extension loader documents.
#[allow(unsafe_code)]
#[no_mangle]
pub unsafe extern "C" fn oplog_init_c_api(
    info: ExtensionInfo,
    access: *const ExtensionAccess,
) -> bool {
    // SAFETY: called by DuckDB as the entry point, with its own arguments.
    unsafe { duckdb::load(info, access, register) }
}
