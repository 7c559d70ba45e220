//! Whatever a crate calls its own things, and however it names the library, generated code means the library's.

#![no_implicit_prelude]
#![deny(warnings)]

extern crate habitat_migrate as library;

mod reexport {
    pub(crate) use ::library as migrations;
}

#[allow(dead_code)]
mod shadows {
    pub struct Option;
    pub struct Cow;
    pub struct Some;
    pub struct None;
    pub struct Settings;
    pub struct Catalog;
    pub mod core {}
    pub mod std {}

    #[allow(unused_macros)]
    macro_rules! include_str {
        ($($any:tt)*) => {
            compile_error!("not the standard library's")
        };
    }

    #[derive(::library::Migrations)]
    #[migrations(dir = "tests/ui/fixtures/sound", crate = crate::reexport::migrations)]
    pub struct Schema;
}

fn main() {
    use ::library::Migrations;
    ::std::assert_eq!(shadows::Schema::CATALOG.migrations().len(), 4);
    let value = ::library::migrate!("tests/ui/fixtures/sound", crate = ::library);
    ::std::assert_eq!(value.migrations().len(), 4);
}
