//! `oplog_serve` and `oplog_serve_stop`: the HTTP endpoint, which is off until it is called for.

use super::engine_function::{Arguments, EngineFunction, Parameter, Type, BASE};
use super::policy::Effect;
use super::rows::{Answer, Value};
use crate::engine::Engine;
use crate::functions::http::Answers;
use crate::serve::Options;
use std::sync::Arc;

pub const ALL: &[EngineFunction] = &[SERVE, STOP];

const SERVE: EngineFunction = EngineFunction {
    name: "oplog_serve",
    summary: "Serves metrics, health and operations over HTTP, until `oplog_serve_stop()` or the end of the database: [what it \
        answers](http.md). With the same parameters it can be called again.",
    example: "CALL oplog_serve(port := 0);",
    named: &[
        Parameter {
            name: "address",
            takes: Type::Varchar,
            default: "'127.0.0.1'",
            meaning: "the IP address to listen on; other machines reach it at '0.0.0.0' or '::'",
        },
        Parameter {
            name: "port",
            takes: Type::BigInt,
            default: "9464",
            meaning: "the port to listen on; 0 for any free one",
        },
        Parameter {
            name: "token",
            takes: Type::Varchar,
            default: "",
            meaning: "what requests must bring along as `Authorization: Bearer …`; required where other machines can reach the address",
        },
    ],
    columns: &[
        ("address", Type::Varchar, "where it listens"),
        ("port", Type::BigInt, "its port"),
        ("url", Type::Varchar, "both, to put a path behind"),
    ],
    effects: &[Effect::Configures, Effect::Listens],
    check: |arguments| options(arguments).map(drop),
    answer: serve,
    ..BASE
};

const STOP: EngineFunction = EngineFunction {
    name: "oplog_serve_stop",
    summary: "Stops the server of `oplog_serve`; what it is answering gets half a second.",
    example: "CALL oplog_serve_stop();",
    columns: &[
        ("stopped", Type::Boolean, "whether one was running"),
        ("url", Type::Varchar, "where it listened"),
    ],
    effects: &[Effect::Configures],
    answer: |engine, _| {
        let address = engine.stop_serving();
        Ok(vec![vec![
            Value::Boolean(address.is_some()),
            address.map_or(Value::Null, |address| {
                Value::text(format!("http://{address}"))
            }),
        ]])
    },
    ..BASE
};

fn options(arguments: &Arguments) -> Result<Options, String> {
    let address = arguments.text("address");
    let port = arguments.integer("port");
    Options::parse(
        address.as_deref().unwrap_or(Options::ADDRESS_DEFAULT),
        port.unwrap_or(Options::PORT_DEFAULT),
        arguments.text("token"),
    )
}

fn serve(engine: &Engine, arguments: &Arguments) -> Answer {
    let source = |shared| Arc::new(Answers::new(shared)) as Arc<_>;
    let address = engine.serve(options(arguments)?, source)?;
    Ok(vec![vec![
        Value::text(address.ip().to_string()),
        Value::Integer(address.port().into()),
        Value::text(format!("http://{address}")),
    ]])
}
