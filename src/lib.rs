//! `oplog`: an operation log and metrics for every DuckDB service, in SQL.
//!
//! This file is the table of everything that `LOAD oplog` adds. docs/architecture.md says how the rooms fit together.

#![deny(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

mod alerts;
mod calendar;
mod caller;
mod duckdb;
mod engine;
mod excerpt;
mod files;
mod functions;
mod journal;
mod json;
mod locks;
mod metrics;
mod queue;
mod record;
mod serve;
mod settings;
mod spans;
mod spool;
mod store;
mod system;

use duckdb::{ExtensionAccess, ExtensionInfo, Host, Interruption};
use functions::{
    active, alerts as alerting, describe, figures, finish, metrics as exposition, policy, publish,
    readings, record as recording, relations, serve as serving, start, version, Session,
};
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
    host.register_scalar(version::Version)?;
    host.register_scalar(recording::Record::new(&session))?;
    host.register_scalar(start::Start::new(&session))?;
    host.register_scalar(finish::Finish::new(&session))?;
    let table = |function| policy::register(host, &session, function);
    table(figures::FigureFunction::new(&session, &active::ACTIVE))?;
    host.register_scalar(exposition::PrometheusText::new(&session))?;
    host.register_scalar(exposition::OpenMetricsText::new(&session))?;
    host.register_scalar(describe::Describe::new(&session))?;
    host.register_scalar(publish::Publish::<publish::Counter>::new(&session))?;
    host.register_scalar(publish::Publish::<publish::Gauge>::new(&session))?;
    host.register_scalar(publish::Publish::<publish::Observe>::new(&session))?;
    for reading in readings::ALL {
        policy::register(
            host,
            &session,
            readings::ReadingFunction::new(&session, reading),
        )?;
    }
    for figure in figures::ALL.iter().chain(alerting::ALL) {
        table(figures::FigureFunction::new(&session, figure))?;
    }
    policy::register(host, &session, alerting::AlertSet::new(&session))?;
    table(figures::FigureFunction::new(&session, &figures::METRICS))?;
    policy::register(host, &session, serving::Serve::new(&session))?;
    table(figures::FigureFunction::new(&session, &serving::STOP))?;
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
