//! The JSON schema of `habitat.toml`, for editors.

use serde_json::{Map, Value, json};

use super::key::{KEYS, Kind, SECTIONS};

/// The schema, made of the same table that the file is read by.
pub(crate) fn schema() -> Value {
    let mut properties = section();
    properties.insert(
        "folders".to_owned(),
        json!({
            "description": "Folders of migrations, from the folder of this file; `migrations` if not set",
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        }),
    );
    properties.insert(
        "contexts".to_owned(),
        json!({
            "description": "Folders of migrations that are each a context of this name",
            "type": "object",
            "additionalProperties": { "type": "string" }
        }),
    );
    let mut environment = section();
    environment.remove("environment");
    properties.insert(
        "environments".to_owned(),
        json!({
            "description": "What is otherwise in an environment, by its name",
            "type": "object",
            "additionalProperties": { "type": "object", "properties": environment, "additionalProperties": false }
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "habitat.toml",
        "type": "object",
        "properties": properties,
        "additionalProperties": false
    })
}

fn section() -> Map<String, Value> {
    let mut sections: Map<String, Value> = Map::new();
    for name in [""].into_iter().chain(SECTIONS) {
        let mut properties = Map::new();
        for key in KEYS.iter().filter(|key| key.section == name) {
            let mut value = json!({ "description": key.help, "type": "string" });
            match key.kind {
                Kind::Text => value["minLength"] = json!(1),
                Kind::Word(words) => value["enum"] = json!(words),
                Kind::Count => value = json!({ "description": key.help, "type": "integer", "minimum": 0 }),
                Kind::List => {
                    let list = json!({ "type": "array", "items": { "type": "string", "minLength": 1 } });
                    value = json!({ "description": key.help, "anyOf": [{ "type": "string", "minLength": 1 }, list] });
                }
                Kind::Duration => value["pattern"] = json!("^[0-9]+ *(ms|s|min|h)$"),
            }
            properties.insert(key.name.to_owned(), value);
        }
        if name.is_empty() {
            sections = properties;
        } else {
            let table = json!({ "type": "object", "properties": properties, "additionalProperties": false });
            sections.insert(name.to_owned(), table);
        }
    }
    let placeholders = json!({
        "description": "Values of placeholders",
        "type": "object",
        "additionalProperties": { "type": "string" }
    });
    sections.insert("placeholders".to_owned(), placeholders);
    sections
}

#[cfg(test)]
mod tests {
    use super::schema;

    #[test]
    fn the_schema_for_editors_is_the_one_that_is_kept() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/habitat.schema.json");
        let made = serde_json::to_string_pretty(&schema()).unwrap_or_default() + "\n";
        if std::env::var_os("HABITAT_BLESS").is_some() {
            std::fs::write(path, &made).unwrap_or_default();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == made,
            "docs/habitat.schema.json is not what the table of keys says: run this test with HABITAT_BLESS=1"
        );
    }
}
