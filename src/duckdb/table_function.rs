//! Table functions: bind parameters and columns, start, then hand out chunks.

use super::callback::{contain, drop_boxed, into_raw};
use super::{
    c_text, ffi, ColumnMut, Context, Host, Interruption, LogicalType, StructsMut, TypeId, Value,
};
use crate::locks::lock;
use std::sync::{Arc, Mutex};

/// A table function. The value itself lives as long as the host instance.
pub trait Table: Send + Sync + 'static {
    /// What `bind` works out from the parameters; a prepared statement binds once and starts often.
    type Bound: Send + Sync + 'static;
    /// The running scan. DuckDB calls it from one thread at a time.
    type Scan: Send + 'static;

    fn name(&self) -> &'static str;
    fn positional(&self) -> Vec<TypeId>;
    fn named(&self) -> Vec<(&'static str, TypeId)>;

    fn bind(&self, bind: &mut TableBind<'_>) -> Result<Self::Bound, String>;

    /// `columns` are the positions of the bound columns that the query needs. The context is that of the session as it is
    /// now, which may have changed since it was bound.
    fn start(
        &self,
        bound: &Self::Bound,
        columns: &[usize],
        context: &Context,
    ) -> Result<Self::Scan, String>;

    /// Fills the next chunk and returns its rows; zero ends the scan.
    fn next(&self, scan: &mut Self::Scan, output: &mut TableOutput) -> Result<usize, String>;
}

/// What DuckDB keeps for a bound call. It is used by the session that bound it, and by no other.
struct Bound<F: Table> {
    bound: F::Bound,
    context: Context,
    interruption: Option<Interruption>,
}

/// What is given and declared while a call is bound.
pub struct TableBind<'a> {
    info: ffi::duckdb_bind_info,
    context: &'a Context,
}

impl TableBind<'_> {
    pub fn context(&self) -> &Context {
        self.context
    }

    /// A positional parameter, none for NULL.
    pub fn positional(&self, index: usize) -> Option<Value> {
        // SAFETY: `info` is live during the callback; DuckDB gives NULL beyond the last parameter.
        Value::take(unsafe { ffi::duckdb_bind_get_parameter(self.info, index as u64) })
    }

    /// A named parameter, none where it is left out or NULL.
    pub fn named(&self, name: &str) -> Option<Value> {
        let name = c_text(name);
        // SAFETY: `info` is live during the callback.
        Value::take(unsafe { ffi::duckdb_bind_get_named_parameter(self.info, name.as_ptr()) })
    }

    /// A positional parameter as text, none for NULL. The name is for the error.
    pub fn positional_text(&self, index: usize, name: &str) -> Result<Option<String>, String> {
        text_of(self.positional(index), name)
    }

    /// A named parameter as text, none where it is left out or NULL.
    pub fn named_text(&self, name: &str) -> Result<Option<String>, String> {
        text_of(self.named(name), name)
    }

    pub fn add_column(&mut self, name: &str, logical: &LogicalType) {
        let name = c_text(name);
        // SAFETY: `info` is live during the callback; name and type are copied.
        unsafe { ffi::duckdb_bind_add_result_column(self.info, name.as_ptr(), logical.raw()) };
    }
}

fn text_of(value: Option<Value>, name: &str) -> Result<Option<String>, String> {
    let text = value.map(|value| value.text()).transpose();
    text.map_err(|problem| format!("{name} is {problem}"))
}

/// The chunk to fill.
pub struct TableOutput {
    raw: ffi::duckdb_data_chunk,
}

impl TableOutput {
    /// The column at a position among those that the query needs.
    pub fn column_mut(&mut self, index: usize) -> ColumnMut<'_> {
        // SAFETY: the chunk is live during the callback and written by us alone.
        unsafe { ColumnMut::new(self.vector(index)) }
    }

    /// The column of LISTs of STRUCTs of texts, or of MAPs of texts, at a position among those that the query needs.
    pub fn structs_mut(&mut self, index: usize) -> StructsMut<'_> {
        // SAFETY: as above; the caller declared the column with that type.
        unsafe { StructsMut::new(self.vector(index)) }
    }

    pub(super) fn vector(&self, index: usize) -> ffi::duckdb_vector {
        // SAFETY: as above; DuckDB checks the index and gives NULL beyond the last.
        let vector = unsafe { ffi::duckdb_data_chunk_get_vector(self.raw, index as u64) };
        assert!(!vector.is_null(), "no output column {index}");
        vector
    }
}

impl Host<'_> {
    pub fn register_table<F: Table>(&self, function: F) -> Result<(), String> {
        let name = function.name();
        let name_text = c_text(name);
        // SAFETY: every handle is live for the calls, which copy what they are given; DuckDB frees the function with
        // the instance.
        let state = unsafe {
            let mut raw = ffi::duckdb_create_table_function();
            ffi::duckdb_table_function_set_name(raw, name_text.as_ptr());
            for type_id in function.positional() {
                ffi::duckdb_table_function_add_parameter(raw, LogicalType::new(type_id).raw());
            }
            for (parameter, type_id) in function.named() {
                ffi::duckdb_table_function_add_named_parameter(
                    raw,
                    c_text(parameter).as_ptr(),
                    LogicalType::new(type_id).raw(),
                );
            }
            ffi::duckdb_table_function_set_extra_info(
                raw,
                into_raw(Arc::new(function)),
                Some(drop_boxed::<Arc<F>>),
            );
            ffi::duckdb_table_function_set_bind(raw, Some(bind::<F>));
            ffi::duckdb_table_function_set_init(raw, Some(init::<F>));
            ffi::duckdb_table_function_set_function(raw, Some(next::<F>));
            ffi::duckdb_table_function_supports_projection_pushdown(raw, true);
            let state = ffi::duckdb_register_table_function(self.connection(), raw);
            ffi::duckdb_destroy_table_function(&mut raw);
            state
        };
        self.registered("table function", name, state)
    }
}

unsafe extern "C" fn bind<F: Table>(info: ffi::duckdb_bind_info) {
    let outcome = contain("table function", || {
        // SAFETY: `info` is live during the callback; the extra info is what `register_table` set.
        unsafe {
            let function = &*ffi::duckdb_bind_get_extra_info(info).cast::<Arc<F>>();
            let mut raw_context = std::ptr::null_mut();
            ffi::duckdb_table_function_get_client_context(info, &mut raw_context);
            let context = Context::take(raw_context).ok_or("DuckDB gave no client context")?;
            let interruption = Interruption::of(&context);
            let bound = Interruption::during(interruption, || {
                function.bind(&mut TableBind {
                    info,
                    context: &context,
                })
            })?;
            let bound = Bound::<F> {
                bound,
                context,
                interruption,
            };
            ffi::duckdb_bind_set_bind_data(info, into_raw(bound), Some(drop_boxed::<Bound<F>>));
        }
        Ok(())
    });
    if let Err(error) = outcome {
        let error = c_text(&error);
        // SAFETY: `info` is live during the callback; the text is copied.
        unsafe { ffi::duckdb_bind_set_error(info, error.as_ptr()) };
    }
}

unsafe extern "C" fn init<F: Table>(info: ffi::duckdb_init_info) {
    let outcome = contain("table function", || {
        // SAFETY: `info` is live during the callback; the pointers are what registration and `bind` set.
        unsafe {
            let function = &*ffi::duckdb_init_get_extra_info(info).cast::<Arc<F>>();
            let bound = &*ffi::duckdb_init_get_bind_data(info).cast::<Bound<F>>();
            let columns: Vec<usize> = (0..ffi::duckdb_init_get_column_count(info))
                .map(|index| ffi::duckdb_init_get_column_index(info, index) as usize)
                .collect();
            let scan = Interruption::during(bound.interruption, || {
                function.start(&bound.bound, &columns, &bound.context)
            })?;
            ffi::duckdb_init_set_max_threads(info, 1);
            ffi::duckdb_init_set_init_data(
                info,
                into_raw(Mutex::new(scan)),
                Some(drop_boxed::<Mutex<F::Scan>>),
            );
        }
        Ok(())
    });
    if let Err(error) = outcome {
        let error = c_text(&error);
        // SAFETY: `info` is live during the callback; the text is copied.
        unsafe { ffi::duckdb_init_set_error(info, error.as_ptr()) };
    }
}

unsafe extern "C" fn next<F: Table>(
    info: ffi::duckdb_function_info,
    output: ffi::duckdb_data_chunk,
) {
    let outcome = contain("table function", || {
        // SAFETY: all are live during the callback; the pointers are what registration and `init` set.
        unsafe {
            let function = &*ffi::duckdb_function_get_extra_info(info).cast::<Arc<F>>();
            let scan = &*ffi::duckdb_function_get_init_data(info).cast::<Mutex<F::Scan>>();
            let mut scan = lock(scan);
            let bound = &*ffi::duckdb_function_get_bind_data(info).cast::<Bound<F>>();
            let rows = Interruption::during(bound.interruption, || {
                function.next(&mut scan, &mut TableOutput { raw: output })
            })?;
            ffi::duckdb_data_chunk_set_size(output, rows as u64);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        let error = c_text(&error);
        // SAFETY: `info` is live during the callback; the text is copied.
        unsafe {
            ffi::duckdb_data_chunk_set_size(output, 0);
            ffi::duckdb_function_set_error(info, error.as_ptr());
        }
    }
}
