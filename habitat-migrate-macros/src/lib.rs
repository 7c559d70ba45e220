//! Macros of `habitat-migrate`, which exports them; depend on `habitat-migrate` instead.
//!
//! `attr` turns what the user typed into plain values, `check` loads the folders that they name,
//! `expand` writes the catalog down.

#![forbid(unsafe_code)]

mod attr;
mod check;
mod expand;
mod function;
mod migration_fn;
mod test_expand;
mod test_function;
mod test_options;
mod test_target;

use proc_macro::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, parse_macro_input};

use crate::attr::Request;

/// Makes a unit struct a set of migrations that is part of the program, checked while it is compiled.
///
/// ```
/// use habitat_migrate::Migrations;
///
/// #[derive(Migrations)]
/// #[migrations(dir = "../migrations/habitat")]
/// struct Habitat;
///
/// let migrator = Habitat::migrator();
/// assert!(Habitat::CATALOG.contexts().iter().any(|context| context.name() == "treasury"));
/// ```
///
/// It implements the trait `Migrations`: the constant `CATALOG`, of which nothing is parsed, hashed or
/// allocated when the program starts, and `migrator()`.
///
/// # Attributes
/// Each `#[migrations(…)]` names one folder; without any, it is `migrations`. Write several to embed several:
/// their migrations may require each other.
///
/// | key | meaning |
/// |---|---|
/// | `dir = "migrations/habitat"` | the folder, relative to the crate's `Cargo.toml`. It holds scripts, or one folder of scripts for each context |
/// | `context = "treasury"` | the context of scripts that lie directly in the folder; it is the folder's name otherwise |
/// | `layout = "sqlx"` | how the files are named and what is in them: `habitat`, `sqlx`, `golang-migrate`, `refinery`, `flyway`, `diesel`, `dbmate` or `goose`; it is recognised otherwise |
/// | `external = "people"`, `external("people", "billing")` | contexts whose migrations are embedded elsewhere: they may be required although they are not here; `external = "shop:0007_backfill_slugs"` is one migration, a function that `Catalog::with_code` adds |
/// | `crate = path::to::habitat_migrate` | where the library is, if the crate knows it by another name |
///
/// ```
/// use habitat_migrate::Migrations;
///
/// #[derive(Migrations)]
/// #[migrations(dir = "../migrations/habitat/treasury")]
/// #[migrations(dir = "../migrations/habitat/people")]
/// #[migrations(dir = "../migrations/habitat/agreements")]
/// struct Habitat;
/// # assert_eq!(Habitat::CATALOG.contexts().len(), 3);
/// ```
///
/// # Errors
/// Every mistake is a compile error with the file, the line and what to do: two files with one number, a
/// file that is no script, an unknown directive, a requirement that is missing or goes round in a circle, a
/// down or verify script without its migration, an empty script, a statement that cannot run in the
/// migration's transaction or would end it, a command of psql, a quote or comment without an end, text that is not UTF-8,
/// a placeholder that is not declared, a migration that replaces one whose file is still there.
///
/// ```compile_fail
/// # use habitat_migrate::Migrations;
/// #[derive(Migrations)]
/// #[migrations(dir = "../migrations/no-such-folder")]
/// struct Missing;
/// ```
///
/// # New files
/// A change of an embedded file compiles the crate anew. Cargo does not notice a file that is *added*:
/// write the one-line build script of `habitat_migrate::build::watch`. A program built with debug assertions finds
/// out for itself that it lacks a file which is in the folder, and refuses to migrate.
#[proc_macro_derive(Migrations, attributes(migrations))]
pub fn derive_migrations(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    let (request, typed) = Request::from_attributes(&input.attrs, input.ident.span());
    let errors = match (typed, unit_struct(&input)) {
        (Some(mut all), Err(error)) => {
            all.combine(error);
            Err(all)
        }
        (Some(error), Ok(())) | (None, Err(error)) => Err(error),
        (None, Ok(())) => Ok(()),
    };
    let library = &request.library;
    let (catalog, errors) = catalog(&request, errors);
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    quote! {
        #errors
        #[automatically_derived]
        impl #impl_generics #library::Migrations for #name #type_generics #where_clause {
            const CATALOG: #library::__private::Catalog = #catalog;
        }
    }
    .into()
}

/// Gives the checked migrations of a folder as a constant value of type `Catalog`, part of the program.
///
/// ```
/// use habitat_migrate::{Catalog, Migrator, migrate};
///
/// const SCHEMA: Catalog = migrate!("../migrations/habitat");
///
/// let migrator = Migrator::new(SCHEMA);
/// ```
///
/// It is an expression, for a `const`, a `static` or wherever a value may stand. The folder is relative to
/// the crate's `Cargo.toml`; `migrate!()` means `migrations`. The keys of [`derive(Migrations)`](macro@Migrations)
/// may follow:
///
/// ```
/// use habitat_migrate::migrate;
///
/// let catalog = migrate!("../migrations/habitat/agreements", context = "agreements", external("treasury", "people"));
/// # assert_eq!(catalog.contexts().len(), 1);
/// ```
///
/// # Errors
/// Every mistake is a compile error with the file and the line, as for [`derive(Migrations)`](macro@Migrations#errors).
#[proc_macro]
pub fn migrate(input: TokenStream) -> TokenStream {
    expression(input)
}

/// Gives the checked migrations of a folder as a constant value: [`migrate!`] by the name that users of refinery and diesel know.
///
/// ```
/// use habitat_migrate::{Catalog, embed_migrations};
///
/// const SCHEMA: Catalog = embed_migrations!("../migrations/habitat");
/// # assert_eq!(SCHEMA.contexts().len(), 3);
/// ```
#[proc_macro]
pub fn embed_migrations(input: TokenStream) -> TokenStream {
    expression(input)
}

/// Makes a function a migration: a constant of its name, for `Catalog::with_code`.
///
/// | key | meaning |
/// |---|---|
/// | `version = "0007_backfill_slugs"` | its number and name, as its file would be named |
/// | `requires = "0006_slugs"`, `requires = ["0006_slugs", "people:04_people_core"]` | what must be applied before it, besides what is before it in its own context |
/// | `context = "shop"` | the context that it belongs to; the catalog's only one otherwise |
/// | `description = "…"` | one line on what it does; made of its version otherwise |
/// | `breaking` | an older program must not run on what it leaves |
/// | `down = unfill` | a function of the same kind that takes it back; only a program that has it can |
/// | `verify = "SELECT …"` | what must hold before it commits, as in a verify script |
/// | `revision = "2"` | says that it does something else now: a database that has an earlier revision refuses the program |
/// | `crate = path::to::habitat_migrate` | where the library is, if the crate knows it by another name |
#[proc_macro_attribute]
pub fn migration(arguments: TokenStream, item: TokenStream) -> TokenStream {
    migration_fn::expand(arguments.into(), item.into()).into()
}

/// Gives a test function a migrated database of its own.
///
/// | key | meaning |
/// |---|---|
/// | `migrations = Schema` | what the database gets: the migrations of a type that derives `Migrations` |
/// | `migrations = "db/migrations"` | those of a folder, relative to the crate's `Cargo.toml`; they are embedded once for each test that says so, so a type is better for many |
/// | `migrations = false` | nothing: the database is empty |
/// | `catalog = expression` | those of a `Catalog` or `&Catalog` that is made when the test runs |
/// | none of these | those of the folder `migrations` beside the crate's `Cargo.toml`, if it is there |
/// | `to = "04_people_core"` | stops behind a migration: it, those before it in its context and what they require are applied. Where several contexts have it, `"people:04_people_core"` |
/// | `before = "04_people_core"` | stops in front of a migration, to test it on a database as it will find it |
/// | `fixtures("members", "events")` | SQL that fills the database behind the migrations, in this order: the files `fixtures/members.sql` and `fixtures/events.sql` beside the file of the test; a name that ends with `.sql` is a path from there |
/// | `environment = "development"` | what kind of database it is: migrations for certain environments, as seeds, are applied only then |
/// | `role = "app"` | who the test is: all of its connections act as this role |
/// | `server = "pg17"` | the major version of the server |
/// | `placeholders(schema = "app")` | values for migrations that declare placeholders; any expression of a text |
/// | `flavor = "multi_thread"`, `worker_threads = 2` | the runtime of an `async` test; one thread otherwise |
/// | `crate = path::to::habitat_migrate` | where the library is, if the crate knows it by another name |
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    test_expand::expand(arguments.into(), item.into()).into()
}

fn expression(input: TokenStream) -> TokenStream {
    let (request, typed) = Request::from_arguments(input.into());
    let (catalog, errors) = catalog(&request, typed.map_or(Ok(()), Err));
    quote!({ #errors #catalog }).into()
}

/// The catalog's expression, and the errors that stand beside it.
fn catalog(
    request: &Request,
    typed: syn::Result<()>,
) -> (proc_macro2::TokenStream, Option<proc_macro2::TokenStream>) {
    match typed.and_then(|()| check::load(request)) {
        Ok(loaded) => (expand::catalog(&loaded, &request.library), None),
        Err(error) => (expand::no_catalog(&request.library), Some(error.to_compile_error())),
    }
}

/// A struct that only names a set of migrations; anything it held could not be made from them.
fn unit_struct(input: &DeriveInput) -> syn::Result<()> {
    let usage = "write `struct Migrations;`";
    match &input.data {
        Data::Struct(data) if !matches!(data.fields, Fields::Unit) => Err(syn::Error::new(
            data.fields.span(),
            format!("`Migrations` is derived for a struct without fields; {usage}"),
        )),
        Data::Struct(_) if !input.generics.params.is_empty() => Err(syn::Error::new(
            input.generics.span(),
            format!("`Migrations` is derived for a struct without generics; {usage}"),
        )),
        Data::Struct(_) => Ok(()),
        Data::Enum(_) | Data::Union(_) => Err(syn::Error::new(
            input.ident.span(),
            format!("`Migrations` is derived for a struct without fields; {usage}"),
        )),
    }
}
