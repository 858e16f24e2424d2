//! Lua as Argo CD offers it to health checks and actions.
//!
//! In: a script and an object. Out: what the script returns. Never: more than Argo CD opens (`util/lua/lua.go`: base, package, table, and of
//! `os` only `time` and `date`, by `require`): no string library, no coroutines, no files.

use std::{fs, path::Path};

use mlua::serde::SerializeOptions;
use mlua::{Lua, LuaOptions, LuaSerdeExt as _, StdLib, Value as LuaValue};
use serde_json::Value;

/// The time that `os.date` tells.
pub(crate) const NOW: &str = "2026-11-24T12:30:05Z";

/// One of the scripts that the chart ships.
pub(crate) fn script(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/uko-operator/files/argocd");
    fs::read_to_string(folder.join(format!("{name}.lua"))).unwrap()
}

/// Status and message of the shipped health check.
pub(crate) fn health(object: &Value) -> (String, String) {
    let told = run(&script("health"), object).unwrap();
    let member = |name: &str| told[name].as_str().unwrap_or_else(|| panic!("no {name} in {told}")).to_owned();
    (member("status"), member("message"))
}

/// Runs a script with the global `obj`.
pub(crate) fn run(script: &str, object: &Value) -> mlua::Result<Value> {
    let lua = Lua::new_with(StdLib::PACKAGE | StdLib::TABLE, LuaOptions::default())?;
    let globals = lua.globals();
    globals.set("coroutine", LuaValue::Nil)?; // C Lua 5.1 opens it with the base library, Argo CD's Lua does not
    let os = lua.create_table()?;
    os.set("date", lua.create_function(|_, format: String| Ok(date(&format)))?)?;
    let preload: mlua::Table = globals.get::<mlua::Table>("package")?.get("preload")?;
    preload.set("os", lua.create_function(move |_, ()| Ok(os.clone()))?)?;
    let plain =
        SerializeOptions::new().set_array_metatable(false).serialize_none_to_null(false).serialize_unit_to_null(false);
    globals.set("obj", lua.to_value_with(object, plain)?)?;
    lua.from_value(lua.load(script).eval()?)
}

/// The letters that both C and Argo CD's own `os.date` (`util/lua/oslib_safe.go`) know; it leaves `%T` as it stands, for one.
fn date(format: &str) -> String {
    let mut text = format.strip_prefix('!').expect("without `!` it is the local time of a pod").to_owned();
    for (letter, value) in [("%Y", "2026"), ("%m", "11"), ("%d", "24"), ("%H", "12"), ("%M", "30"), ("%S", "05")] {
        text = text.replace(letter, value);
    }
    assert!(!text.contains('%'), "Argo CD's os.date does not know all of {format}");
    text
}
