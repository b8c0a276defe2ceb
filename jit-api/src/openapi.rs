//! The description of the endpoints (OpenAPI 3.1), from the table and the very types.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::endpoint::{Entry, Method, Schemas};
use crate::problem::{Code, Problem};
use crate::table::ENDPOINTS;

pub(crate) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = SchemaGenerator::new(settings);
    let problem = generator.subschema_for::<Problem>();
    let mut paths = Map::new();
    for entry in ENDPOINTS {
        let operation = operation(entry, &mut generator, &problem);
        let path = paths.entry(entry.path).or_insert_with(|| json!({}));
        path[entry.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Just-in-time access",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0 OR MIT" },
            "description": "Times and durations are in seconds. Every request with a token or by a \
                host is signed: header Jit-Proof. So is every answer to a host: header Jit-Answer.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`JIT TOKEN`, with the header Jit-Proof",
                },
                "host": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`JIT-Host NAME`, with the header Jit-Proof",
                },
            },
        },
    })
}

fn operation(entry: &Entry, generator: &mut SchemaGenerator, problem: &Schema) -> Value {
    let Schemas { path, query, body, answer } = (entry.schemas)(generator);
    let mut parameters = self::parameters(&path, "path");
    parameters.extend(self::parameters(&query, "query"));
    let content = json!({ "application/problem+json": { "schema": problem } });
    let mut responses = Map::new();
    let answered = json!({ "application/json": { "schema": answer } });
    responses.insert("200".into(), json!({ "description": "Done", "content": answered }));
    for code in Code::ALL {
        let status = code.status().to_string();
        let described = json!({ "description": code.as_str(), "content": content });
        responses.entry(status).or_insert(described);
    }
    let mut operation = json!({
        "operationId": entry.name,
        "summary": entry.summary,
        "x-access": entry.access,
        "security": match entry.access {
            crate::Access::Public => json!([]),
            crate::Access::Host => json!([{ "host": [] }]),
            _ => json!([{ "token": [] }]),
        },
        "parameters": parameters,
        "responses": responses,
    });
    if entry.method != Method::Get {
        operation["requestBody"] = json!({
            "required": false, "content": { "application/json": { "schema": body } },
        });
    }
    operation
}

fn parameters(schema: &Schema, place: &str) -> Vec<Value> {
    let schema = schema.as_value();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let Some(properties) = schema["properties"].as_object() else { return Vec::new() };
    properties
        .iter()
        .map(|(name, schema)| {
            json!({
                "name": name, "in": place, "schema": schema,
                "required": required.iter().any(|required| required == name),
            })
        })
        .collect()
}
