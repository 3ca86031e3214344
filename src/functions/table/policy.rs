//! What the host's own settings let a session do through oplog: `enable_external_access`, `allowed_directories`,
//! `allowed_paths` and `lock_configuration`. Every table function says what it does beyond reading the log and adding to
//! it, and is asked for here each time it starts.

use crate::duckdb::{Context, Host, Table, TableBind, TableOutput, TypeId};
use crate::functions::Session;

/// What a function does beyond reading the log and adding to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes what holds for every session.
    Configures,
    /// It writes the file or folder that it is told, and reads what that holds; nothing where it is told none.
    WritesFile,
    /// It reads the file that it is told, if it is told one.
    ReadsFile,
    /// It opens a port.
    Listens,
}

/// A table function that says what it does.
pub trait Effects: Table {
    fn effects(&self) -> &'static [Effect];

    /// The file of [`Effect::WritesFile`] and of [`Effect::ReadsFile`]; "" for none.
    fn file(&self, _: &Self::Bound) -> String {
        String::new()
    }
}

/// A table function as it is registered: settings are applied before it does anything, and the policy is asked.
pub struct Permitted<F> {
    session: Session,
    function: F,
}

pub fn register<F: Effects>(host: &Host<'_>, session: &Session, function: F) -> Result<(), String> {
    host.register_table(Permitted {
        session: session.clone(),
        function,
    })
}

impl<F: Effects> Table for Permitted<F> {
    type Bound = F::Bound;
    type Scan = F::Scan;

    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn positional(&self) -> Vec<TypeId> {
        self.function.positional()
    }

    fn named(&self) -> Vec<(&'static str, TypeId)> {
        self.function.named()
    }

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<F::Bound, String> {
        self.session.apply_settings(bind.context())?;
        self.function.bind(bind)
    }

    fn start(
        &self,
        bound: &F::Bound,
        columns: &[usize],
        context: &Context,
    ) -> Result<F::Scan, String> {
        // A prepared statement may have been bound under another policy, and before a SET.
        self.session.apply_settings(context)?;
        for effect in self.function.effects() {
            let file = self.function.file(bound);
            permit(context, *effect, &file)
                .map_err(|error| format!("{}: {error}", self.function.name()))?;
        }
        self.function.start(bound, columns, context)
    }

    fn next(&self, scan: &mut F::Scan, output: &mut TableOutput) -> Result<usize, String> {
        self.function.next(scan, output)
    }
}

/// Refuses what the session may not do. What cannot be found out is refused.
fn permit(context: &Context, effect: Effect, file: &str) -> Result<(), String> {
    match effect {
        Effect::Configures if context.is_on("lock_configuration") => Err(
            "the configuration has been locked (lock_configuration), and this would change it for all sessions: call it \
             before that"
                .into(),
        ),
        Effect::WritesFile if !file.is_empty() => permit_file(context, "write", file),
        Effect::ReadsFile if !file.is_empty() => permit_file(context, "read", file),
        Effect::Listens if !context.is_on("enable_external_access") => Err(
            "this session may not open a port (enable_external_access is off): call it before external access is \
             switched off"
                .into(),
        ),
        _ => Ok(()),
    }
}

fn permit_file(context: &Context, verb: &str, file: &str) -> Result<(), String> {
    if context.is_on("enable_external_access") {
        return Ok(());
    }
    // The engine reads some beginnings of a path as something else than a name.
    let path = std::path::absolute(file).unwrap_or_else(|_| file.into());
    context.check_file(&path.to_string_lossy()).map_err(|error| {
        format!(
            "this session may not {verb} {} (enable_external_access is off): give a path that allowed_directories or \
             allowed_paths let pass ({error})",
            path.display()
        )
    })
}
