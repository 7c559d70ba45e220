//! Writes a loaded catalog down as code that only has to be copied into the program.
//!
//! A crate may embed thousands of migrations, so each costs as few tokens as possible: short names are
//! brought into the block once, and a migration without directives is a call of a function that knows the rest.
//! Everything is named absolutely in those first lines, whatever the user's crate calls `Option` or `include_str`.

use std::collections::BTreeSet;
use std::time::Duration;

use habitat_migrate_catalog::{
    Backfill, Catalog, Compatibility, Kind, Migration, MigrationId, Need, Settings, Throttle, TransactionMode,
};
use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};
use syn::Path;

use crate::check::{Loaded, LoadedFolder};

/// An expression of type `Catalog`, usable in a constant.
pub(crate) fn catalog(loaded: &Loaded, library: &Path) -> TokenStream {
    let mut included = BTreeSet::new();
    let rows: Vec<TokenStream> =
        loaded.catalog.migrations().iter().map(|migration| row(migration, loaded, &mut included)).collect();
    let count = rows.len();
    let watched = loaded.files_except(&included).map(|file| &file.path);
    let contexts = contexts(&loaded.catalog);
    let folders = loaded.folders.iter().map(folder);
    let folder_count = loaded.folders.len();
    let imports = imports(library);
    quote! {{
        #imports
        // Down and verify scripts, and files of several sections: a change compiles the crate anew.
        const _: &[&[u8]] = &[#(__bytes!(#watched)),*];
        static __MIGRATIONS: [__m::Migration; #count] = [#(#rows),*];
        static __CONTEXTS: &[__m::Context] = &[#(#contexts),*];
        #[cfg(debug_assertions)]
        static __FOLDERS: [__m::Folder; #folder_count] = [#(#folders),*];
        #[cfg(not(debug_assertions))]
        static __FOLDERS: [__m::Folder; 0] = [];
        __m::Catalog::embedded(&__MIGRATIONS, __CONTEXTS, &__FOLDERS)
    }}
}

/// What stands in for the catalog beside an error, so that the error is the only one.
pub(crate) fn no_catalog(library: &Path) -> TokenStream {
    quote!(#library::__private::Catalog::embedded(&[], &[], &[]))
}

fn imports(library: &Path) -> TokenStream {
    quote! {
        #[allow(unused_imports)]
        use #library::__private as __m;
        #[allow(unused_imports)]
        use ::core::{include_bytes as __bytes, include_str as __text, option::Option as __o};
        #[allow(unused_imports)]
        use ::std::borrow::Cow as __c;
        #[allow(dead_code)]
        const fn __plain(
            context: &'static ::core::primitive::str,
            version: &'static ::core::primitive::str,
            path: &'static ::core::primitive::str,
            description: &'static ::core::primitive::str,
            script: &'static ::core::primitive::str,
            checksum: &'static [::core::primitive::u8; 32],
        ) -> __m::Migration {
            __m::Migration::embedded(
                context, version, __m::Kind::Versioned, path, description, script, checksum,
                __o::None, __o::None, &[], __m::Settings::DEFAULT,
            )
        }
    }
}

/// One migration, as a call that makes it.
fn row<'a>(migration: &Migration, loaded: &'a Loaded, included: &mut BTreeSet<&'a str>) -> TokenStream {
    let context = migration.context();
    let version = migration.version().as_str();
    let path = migration.path();
    let description = migration.description();
    let script = match loaded.file_of(migration) {
        Some(file) => {
            included.insert(&file.path);
            let path = &file.path;
            quote!(__text!(#path))
        }
        None => migration.script().to_token_stream(),
    };
    let checksum = Literal::byte_string(migration.checksum().as_bytes());
    let plain = migration.kind() == Kind::Versioned
        && migration.down().is_none()
        && migration.verify().is_none()
        && migration.requires().is_empty()
        && *migration.settings() == Settings::DEFAULT;
    if plain {
        return quote!(__plain(#context, #version, #path, #description, #script, #checksum));
    }
    let kind = match migration.kind() {
        Kind::Versioned => quote!(__m::Kind::Versioned),
        Kind::Repeatable => quote!(__m::Kind::Repeatable),
    };
    let down = option(migration.down());
    let verify = option(migration.verify());
    let requires = slice(migration.requires().iter().map(id));
    let settings = settings(migration.settings());
    quote! {
        __m::Migration::embedded(
            #context, #version, #kind, #path, #description, #script, #checksum,
            #down, #verify, #requires, #settings
        )
    }
}

fn id(id: &MigrationId) -> TokenStream {
    let (context, version) = (id.context(), id.version().as_str());
    quote!(__m::MigrationId::embedded(#context, #version))
}

fn settings(settings: &Settings) -> TokenStream {
    if *settings == Settings::DEFAULT {
        return quote!(__m::Settings::DEFAULT);
    }
    let transaction = match settings.transaction {
        TransactionMode::Wrapped => quote!(Wrapped),
        TransactionMode::None => quote!(None),
    };
    let compatibility = match settings.compatibility {
        Compatibility::Compatible => quote!(Compatible),
        Compatibility::Breaking => quote!(Breaking),
    };
    let role = option(settings.role.as_deref());
    let lock_timeout = option(settings.lock_timeout.map(duration));
    let statement_timeout = option(settings.statement_timeout.map(duration));
    let environments = slice(settings.environments.iter().map(|name| borrowed(name)));
    let accepts = slice(settings.accepts.iter().map(|checksum| {
        let bytes = Literal::byte_string(checksum.as_bytes());
        quote!(__m::Checksum::from_bytes(*#bytes))
    }));
    let needs = slice(settings.needs.iter().map(need));
    let backfill = option(settings.backfill.as_ref().map(backfill));
    let replaces = slice(settings.replaces.iter().map(|version| {
        let version = version.as_str();
        quote!(__m::Version::embedded(#version))
    }));
    let placeholders = slice(settings.placeholders.iter().map(|name| borrowed(name)));
    quote! {
        __m::Settings::embedded(
            __m::TransactionMode::#transaction, __m::Compatibility::#compatibility,
            #role, #lock_timeout, #statement_timeout, #environments, #accepts, #needs,
            #replaces, #placeholders, #backfill
        )
    }
}

fn need(need: &Need) -> TokenStream {
    match need {
        Need::Postgres(major) => quote!(__m::Need::Postgres(#major)),
        Need::Extension(name) => {
            let name = borrowed(name);
            quote!(__m::Need::Extension(#name))
        }
        // Both crates are released together, each pinned to the other's version.
        _ => unreachable!("this crate knows every need of its catalog"),
    }
}

fn backfill(backfill: &Backfill) -> TokenStream {
    let schema = option(backfill.schema.as_deref());
    let table = &backfill.table;
    let alias = option(backfill.alias.as_deref());
    let key = slice(backfill.key.iter().map(|column| borrowed(column)));
    let batch = backfill.batch;
    let throttle = match backfill.throttle {
        Throttle::None => quote!(None),
        Throttle::Pause(pause) => {
            let pause = duration(pause);
            quote!(Pause(#pause))
        }
        Throttle::Duty(percent) => quote!(Duty(#percent)),
        // As with the needs.
        _ => unreachable!("this crate knows every throttle of its catalog"),
    };
    quote!(__m::Backfill::embedded(#schema, #table, #alias, #key, #batch, __m::Throttle::#throttle))
}

fn contexts(catalog: &Catalog) -> impl Iterator<Item = TokenStream> {
    catalog.contexts().iter().map(|context| {
        let (name, count) = (context.name(), context.count());
        let digest = Literal::byte_string(context.digest().as_bytes());
        quote!(__m::Context::embedded(#name, #count, #digest))
    })
}

fn folder(folder: &LoadedFolder) -> TokenStream {
    let path = &folder.path;
    let files = slice(folder.files.iter().map(|name| borrowed(name)));
    quote!(__m::Folder::embedded(#path, #files))
}

fn duration(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanoseconds))
}

fn borrowed(text: &str) -> TokenStream {
    quote!(__c::Borrowed(#text))
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(__o::Some(#value)),
        None => quote!(__o::None),
    }
}

/// A slice that lives for ever, also where its items are made by calls.
fn slice(items: impl Iterator<Item = TokenStream>) -> TokenStream {
    let mut items = items.peekable();
    if items.peek().is_none() { quote!(&[]) } else { quote!(const { &[#(#items),*] }) }
}
