//! An extension on oplog's layer over DuckDB whose functions panic, each in the callback that its name says. The tests load it
//! and see that every panic is an SQL error and that the session goes on.

#[allow(dead_code, unused_imports)]
#[path = "../../../src/duckdb/mod.rs"]
mod duckdb;
#[allow(dead_code)]
#[path = "../../../src/excerpt.rs"]
mod excerpt;
#[allow(dead_code)]
#[path = "../../../src/json.rs"]
mod json;
#[allow(dead_code)]
#[path = "../../../src/locks.rs"]
mod locks;

use duckdb::{
    Chunk, ColumnMut, Context, ExtensionAccess, ExtensionInfo, Host, LogicalType, Overload, Scalar,
    Table, TableBind, TableOutput, TypeId,
};

/// A state whose destructor panics, where the function is about destructors.
struct State {
    panics: bool,
}

impl Drop for State {
    fn drop(&mut self) {
        assert!(!self.panics, "panicked in drop");
    }
}

macro_rules! scalar {
    ($type:ident, $name:literal, $callback:literal) => {
        struct $type;

        impl Scalar for $type {
            type Plan = State;
            type Local = State;

            const NAME: &'static str = $name;
            const OVERLOADS: &'static [Overload] = &[Overload {
                parameters: &[],
                returns: TypeId::BigInt,
            }];

            fn start(&self, _: &Context) -> Result<State, String> {
                assert!($callback != "start", "panicked in start");
                Ok(State {
                    panics: $callback == "drop",
                })
            }

            fn plan(&self, _: &[LogicalType]) -> Result<State, String> {
                assert!($callback != "plan", "panicked in plan");
                Ok(State {
                    panics: $callback == "drop",
                })
            }

            fn call(
                &self,
                _: &State,
                _: &mut State,
                arguments: &Chunk<'_>,
                output: &mut ColumnMut<'_>,
            ) -> Result<(), String> {
                assert!($callback != "call", "panicked in call");
                for row in 0..arguments.rows() {
                    output.set_i64(row, 1);
                }
                Ok(())
            }
        }
    };
}

scalar!(ScalarInStart, "scalar_start", "start");
scalar!(ScalarInPlan, "scalar_plan", "plan");
scalar!(ScalarInCall, "scalar_call", "call");
scalar!(ScalarInDrop, "scalar_drop", "drop");

/// A table function of one row.
struct TableIn {
    name: &'static str,
    callback: &'static str,
}

impl Table for TableIn {
    type Bound = State;
    type Scan = (State, usize);

    fn name(&self) -> &'static str {
        self.name
    }

    fn positional(&self) -> Vec<TypeId> {
        Vec::new()
    }

    fn named(&self) -> Vec<(&'static str, TypeId)> {
        Vec::new()
    }

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<State, String> {
        assert!(self.callback != "bind", "panicked in bind");
        bind.add_column("one", &LogicalType::new(TypeId::BigInt));
        Ok(State {
            panics: self.callback == "drop",
        })
    }

    fn start(&self, _: &State, _: &[usize], _: &Context) -> Result<(State, usize), String> {
        assert!(self.callback != "start", "panicked in start");
        let state = State {
            panics: self.callback == "drop",
        };
        Ok((state, 1))
    }

    fn next(&self, scan: &mut (State, usize), output: &mut TableOutput) -> Result<usize, String> {
        assert!(self.callback != "next", "panicked in next");
        output.column_mut(0).set_i64(0, 1);
        Ok(std::mem::take(&mut scan.1))
    }
}

fn register(host: &Host<'_>) -> Result<(), String> {
    host.register_scalar(ScalarInStart)?;
    host.register_scalar(ScalarInPlan)?;
    host.register_scalar(ScalarInCall)?;
    host.register_scalar(ScalarInDrop)?;
    assert!(
        std::env::var_os("HOST_PANICS_IN_LOAD").is_none(),
        "panicked in load"
    );
    for (name, callback) in [
        ("table_bind", "bind"),
        ("table_start", "start"),
        ("table_next", "next"),
        ("table_drop", "drop"),
    ] {
        host.register_table(TableIn { name, callback })?;
    }
    host.register_replacement(Box::new(|name| {
        assert!(name != "replacement", "panicked in replacement");
        None
    }));
    Ok(())
}

/// # Safety
/// For DuckDB only, which passes what its extension loader documents.
#[no_mangle]
pub unsafe extern "C" fn host_panics_init_c_api(
    info: ExtensionInfo,
    access: *const ExtensionAccess,
) -> bool {
    // SAFETY: called by DuckDB as the entry point, with its own arguments.
    unsafe { duckdb::load(info, access, register) }
}
