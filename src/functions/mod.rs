//! The SQL surface: what each function is called, takes and gives, declared once. Registration, the reference in docs/ and
//! the surface test come from these declarations.

pub mod active;
pub mod alerts;
mod answers;
pub mod describe;
pub mod figures;
pub mod finish;
mod labels;
pub mod metrics;
mod operation;
mod parameters;
pub mod publish;
mod question;
pub mod readings;
pub mod record;
#[cfg(test)]
mod reference;
pub mod relations;
pub mod serve;
pub mod start;
mod status;
pub mod version;

use crate::calendar::{Interval, Zone};
use crate::engine::Engine;
use crate::host::{ColumnMut, Context, Host, OptionDeclaration, TypeId, Value as HostValue};
use crate::settings::{Setting, Type, Value};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What the reference says of a scalar function.
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the reference reads them, and tests make it")
)]
pub struct Documentation {
    pub signatures: &'static [&'static str],
    pub summary: &'static str,
    pub example: &'static str,
}

/// What a host's option says.
#[derive(Clone, Debug, Default, PartialEq)]
enum Given {
    #[default]
    Nothing,
    Value(Value),
    /// It makes no sense, and this is why.
    Refused(String),
}

/// What the functions of one host instance share. Its last clone goes when the host closes, and the engine with it.
#[derive(Clone)]
pub struct Session {
    engine: Arc<Engine>,
    /// The host's settings as they were last seen: a difference is somebody's SET.
    seen: Arc<Mutex<[Given; Setting::ALL.len()]>>,
    /// The zone that a session had last, so that its rules are read once.
    zone: Arc<Mutex<Zone>>,
}

impl Session {
    pub fn open(host: &Host<'_>) -> Result<Self, String> {
        // The connection that LOAD uses has the host's own database as its default, whatever else is attached.
        let path = host.query_text(
            "SELECT path FROM duckdb_databases() WHERE database_name = current_database()",
        )?;
        // A database behind a URL has no directory beside it.
        let path = path.filter(|path| !path.is_empty() && !path.contains("://"));
        Ok(Self {
            engine: Engine::open(path.as_deref().map(Path::new))?,
            seen: Arc::default(),
            zone: Arc::default(),
        })
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The zone of the session that runs a statement, in which its times without a zone are meant. The setting is that of
    /// ICU: without it there is no zone but UTC.
    pub fn zone(&self, context: &Context) -> Zone {
        let Some(Ok(name)) = context.option("TimeZone").map(|name| name.text()) else {
            return Zone::utc();
        };
        let mut last = self
            .zone
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if last.name() != name {
            *last = Zone::of_session(name);
        }
        last.clone()
    }

    /// How arguments are read. None where they can never be right: an error where we are strict, and else the caller's to
    /// count.
    fn accept<T>(&self, name: &str, read: Result<T, String>) -> Result<Option<T>, String> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(problem) if self.engine.strict() => Err(format!("{name}: {problem}")),
            Err(_) => Ok(None),
        }
    }

    /// Answers NULL for a chunk whose arguments were refused, and counts it.
    fn reject_all(&self, rows: usize, output: &mut ColumnMut<'_>) {
        self.engine.count_rejected(rows as u64);
        for row in 0..rows {
            output.set_null(row);
        }
    }

    /// Applies what was SET since the last call. A value that makes no sense leaves the last good one in force and is
    /// noted, since an error here would abort somebody's transaction. The only error is that of a forked process.
    pub fn apply_settings(&self, context: &Context) -> Result<(), String> {
        self.engine.check_process()?;
        for (index, setting) in Setting::ALL.iter().enumerate() {
            let given = match context.option(setting.name()) {
                None => Given::Nothing,
                Some(given) => {
                    read_setting(*setting, &given).map_or_else(Given::Refused, Given::Value)
                }
            };
            let mut seen = self
                .seen
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            if seen[index] == given {
                continue;
            }
            seen[index] = given.clone();
            drop(seen);
            match given {
                Given::Value(value) => self.engine.set(*setting, value),
                // It was set in this session and is NULL again: somebody's RESET.
                Given::Nothing => self.engine.reset(*setting),
                Given::Refused(problem) => {
                    self.engine.note(format!("a setting is ignored: {problem}"));
                }
            }
        }
        Ok(())
    }
}

fn read_setting(setting: Setting, given: &HostValue) -> Result<Value, String> {
    let value = match setting.sql_type() {
        Type::Varchar => return setting.parse(&given.text()?),
        Type::Interval => {
            let (months, days, micros) = given.interval();
            Value::Interval(Interval {
                months,
                days,
                micros,
            })
        }
        Type::Boolean => Value::Boolean(given.boolean()),
        Type::UBigInt => Value::Count(given.uint64()),
    };
    setting.check(value)
}

/// The host's option for a setting.
pub fn option(setting: Setting) -> OptionDeclaration {
    OptionDeclaration {
        name: setting.name(),
        type_id: match setting.sql_type() {
            Type::Interval => TypeId::Interval,
            Type::Varchar => TypeId::Varchar,
            Type::Boolean => TypeId::Boolean,
            Type::UBigInt => TypeId::UBigInt,
        },
        description: setting.meaning(),
        default: None,
    }
}
