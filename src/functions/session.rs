//! What the functions of one host instance share: the engine, and the host's settings as they were last seen.

use crate::calendar::{Interval, Zone};
use crate::duckdb::{
    ColumnMut, Context, Host, OptionDeclaration, Setting as HostSetting, TypeId, Value as HostValue,
};
use crate::engine::Engine;
use crate::locks::lock;
use crate::settings::{Setting, Type, Value};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a host's option says.
#[derive(Clone, Debug, Default, PartialEq)]
enum Given {
    #[default]
    Nothing,
    Value(Value),
    /// It makes no sense, and this is why.
    Refused(String),
}

/// The host's settings as they were last seen: a difference is somebody's SET or RESET.
#[derive(Default)]
struct Seen {
    given: [Given; Setting::ALL.len()],
    /// Those of which it was said that a session cannot have a value of its own.
    of_session: [bool; Setting::ALL.len()],
}

/// What the functions of one host instance share. Its last clone goes when the host closes, and the engine with it.
#[derive(Clone)]
pub struct Session {
    engine: Arc<Engine>,
    seen: Arc<Mutex<Seen>>,
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
        let Some(Ok(name)) = context.option("TimeZone").map(|name| name.value.text()) else {
            return Zone::utc();
        };
        let mut last = lock(&self.zone);
        if last.name() != name {
            *last = Zone::of_session(name);
        }
        last.clone()
    }

    /// How arguments are read. None where they can never be right: an error where we are strict, and else the caller's to
    /// count.
    pub fn accept<T>(&self, name: &str, read: Result<T, String>) -> Result<Option<T>, String> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(problem) if self.engine.strict() => Err(format!("{name}: {problem}")),
            Err(_) => Ok(None),
        }
    }

    /// Answers NULL for a chunk whose arguments were refused, and counts it.
    pub fn reject_all(&self, rows: usize, output: &mut ColumnMut<'_>) {
        self.engine.count_rejected(rows as u64);
        for row in 0..rows {
            output.set_null(row);
        }
    }

    /// Has the host's options show what is kept with the log, so that a RESET is a difference. Where the host's
    /// configuration is locked nobody can RESET either.
    pub fn show_settings(&self, host: &Host<'_>) -> Result<(), String> {
        let settings = self.engine.settings();
        let context = host.context()?;
        let mut seen = self.seen();
        for (index, setting) in Setting::ALL.iter().enumerate() {
            // An option that the host was opened with counts as SET.
            if !settings.is_set(*setting) || context.option(setting.name()).is_some() {
                continue;
            }
            let text = setting.shown(settings.get(*setting));
            let shown = host.query_text(&format!("SET GLOBAL {} = '{text}'", setting.name()));
            if shown.is_ok() {
                seen.given[index] = given(*setting, context.option(setting.name()));
            }
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }

    /// Applies what was SET since the last call. A value that makes no sense leaves the last good one in force and is
    /// noted, since an error here would abort somebody's transaction. The only error is that of a forked process.
    pub fn apply_settings(&self, context: &Context) -> Result<(), String> {
        self.engine.check_process()?;
        for (index, setting) in Setting::ALL.iter().enumerate() {
            let option = context.option(setting.name());
            let mut seen = self.seen();
            if option.as_ref().is_some_and(|option| option.of_session) {
                // One value holds for the log, and so for all sessions. What the host says besides cannot be seen from here.
                if !std::mem::replace(&mut seen.of_session[index], true) {
                    drop(seen);
                    self.engine.note(format!(
                        "{name} was set for a session, and is ignored there: one value holds for all sessions, SET GLOBAL \
                         {name}, after RESET SESSION {name} or in another session",
                        name = setting.name()
                    ));
                }
                continue;
            }
            let given = given(*setting, option);
            if seen.given[index] == given {
                continue;
            }
            seen.given[index] = given.clone();
            drop(seen);
            match given {
                Given::Value(value) => self.engine.set(*setting, value),
                // It had a value and is NULL again: somebody's RESET.
                Given::Nothing => self.engine.reset(*setting),
                Given::Refused(problem) => {
                    self.engine.note(format!("a setting is ignored: {problem}"));
                }
            }
        }
        Ok(())
    }
}

fn given(setting: Setting, option: Option<HostSetting>) -> Given {
    option.map_or(Given::Nothing, |option| {
        read_setting(setting, &option.value).map_or_else(Given::Refused, Given::Value)
    })
}

fn read_setting(setting: Setting, given: &HostValue) -> Result<Value, String> {
    let value = match setting.takes() {
        Type::Bytes | Type::Word(_) => return setting.parse(&given.text()?),
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
        type_id: match setting.takes() {
            Type::Interval => TypeId::Interval,
            Type::Bytes | Type::Word(_) => TypeId::Varchar,
            Type::Boolean => TypeId::Boolean,
            Type::UBigInt => TypeId::UBigInt,
        },
        description: setting.meaning(),
        default: None,
    }
}
