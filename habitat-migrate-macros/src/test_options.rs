//! What `#[habitat_migrate::test(…)]` and an argument's `#[database(…)]` say: [`TestOptions`], [`DatabaseOptions`].

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, LitBool, LitInt, LitStr, Path, Token, Type, parenthesized, token};

use crate::attr::{filled, once, resembles, value};

/// Everything that the attribute of a test says.
#[derive(Default)]
pub(crate) struct TestOptions {
    pub(crate) database: DatabaseOptions,
    pub(crate) flavor: Option<LitStr>,
    pub(crate) worker_threads: Option<LitInt>,
    pub(crate) library: Option<Path>,
}

/// What one database of a test is made of.
#[derive(Default)]
pub(crate) struct DatabaseOptions {
    pub(crate) schema: Option<Schema>,
    pub(crate) to: Option<LitStr>,
    pub(crate) before: Option<LitStr>,
    pub(crate) fixtures: Vec<LitStr>,
    pub(crate) environment: Option<LitStr>,
    pub(crate) role: Option<LitStr>,
    pub(crate) server: Option<LitStr>,
    pub(crate) placeholders: Vec<(LitStr, Expr)>,
}

/// Where the migrations come from.
pub(crate) enum Schema {
    /// `migrations = false`.
    None,
    /// `migrations = Schema`: a type that derives `Migrations`.
    Type(Box<Type>),
    /// `migrations = "folder"`.
    Folder(LitStr),
    /// `catalog = expression`.
    Catalog(Box<Expr>),
}

impl Parse for TestOptions {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        each(input, |key, input| match key.to_string().as_str() {
            "flavor" => once(key, &mut options.flavor, value(input)?),
            "worker_threads" => {
                input.parse::<Token![=]>()?;
                once(key, &mut options.worker_threads, input.parse()?)
            }
            "crate" => {
                input.parse::<Token![=]>()?;
                once(key, &mut options.library, Path::parse_mod_style(input)?)
            }
            _ => options.database.option(key, input, &KEYS),
        })?;
        Ok(options)
    }
}

impl Parse for DatabaseOptions {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        each(input, |key, input| options.option(key, input, &KEYS[..DATABASE_KEYS]))?;
        Ok(options)
    }
}

/// Reads comma-separated options.
fn each(
    input: ParseStream<'_>,
    mut read: impl FnMut(&Ident, ParseStream<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    while !input.is_empty() {
        if input.peek(LitStr) {
            return Err(input.error("say what this is: `migrations = \"folder\"`, for one"));
        }
        let key = Ident::parse_any(input)
            .map_err(|error| syn::Error::new(error.span(), format!("expected a key; {}", keys_are(&KEYS))))?;
        read(&key, input)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

impl DatabaseOptions {
    fn option(&mut self, key: &Ident, input: ParseStream<'_>, keys: &[&str]) -> syn::Result<()> {
        match key.to_string().as_str() {
            "migrations" => {
                input.parse::<Token![=]>()?;
                let schema = migrations(input)?;
                self.schema(key, schema)
            }
            "catalog" => {
                input.parse::<Token![=]>()?;
                let schema = Schema::Catalog(Box::new(input.parse()?));
                self.schema(key, schema)
            }
            "to" => {
                once(key, &mut self.to, filled("a migration", value(input)?)?)?;
                either(key, self.before.is_some())
            }
            "before" => {
                once(key, &mut self.before, filled("a migration", value(input)?)?)?;
                either(key, self.to.is_some())
            }
            "environment" => once(key, &mut self.environment, environment(value(input)?)?),
            "role" => once(key, &mut self.role, filled("a role", value(input)?)?),
            "server" => once(key, &mut self.server, server(value(input)?)?),
            "fixtures" => {
                for name in listed::<LitStr>(key, input, "fixtures(\"members\", \"events\")")? {
                    self.fixtures.push(filled("a fixture", name)?);
                }
                Ok(())
            }
            "placeholders" => {
                for pair in listed::<Pair>(key, input, "placeholders(name = \"value\")")? {
                    if self.placeholders.iter().any(|(name, _)| name.value() == pair.name.value()) {
                        let message = format!("`{}` is given twice", pair.name.value());
                        return Err(syn::Error::new(pair.name.span(), message));
                    }
                    self.placeholders.push((pair.name, pair.value));
                }
                Ok(())
            }
            name => Err(syn::Error::new(key.span(), unknown(name, keys))),
        }
    }

    fn schema(&mut self, key: &Ident, schema: Schema) -> syn::Result<()> {
        let was_catalog = matches!(&self.schema, Some(Schema::Catalog(_)));
        match &self.schema {
            Some(_) if was_catalog != (key == "catalog") => Err(syn::Error::new(
                key.span(),
                "`migrations` and `catalog` both say what the database gets; keep one of them",
            )),
            _ => once(key, &mut self.schema, schema),
        }
    }

    /// Whether migrations stop at one of them, and which.
    pub(crate) fn target(&self) -> Option<&LitStr> {
        self.to.as_ref().or(self.before.as_ref())
    }
}

/// `name = value` of a placeholder.
struct Pair {
    name: LitStr,
    value: Expr,
}

impl Parse for Pair {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = if input.peek(LitStr) {
            input.parse()?
        } else {
            let name = Ident::parse_any(input)?;
            LitStr::new(&name.unraw().to_string(), name.span())
        };
        input.parse::<Token![=]>()?;
        Ok(Self { name, value: input.parse()? })
    }
}

/// `key(a, b)`.
fn listed<T: Parse>(
    key: &Ident,
    input: ParseStream<'_>,
    usage: &str,
) -> syn::Result<Punctuated<T, Token![,]>> {
    if !input.peek(token::Paren) {
        return Err(syn::Error::new(key.span(), format!("`{key}` is a list; write `{usage}`")));
    }
    let list;
    parenthesized!(list in input);
    Punctuated::parse_terminated(&list)
}

fn migrations(input: ParseStream<'_>) -> syn::Result<Schema> {
    if input.peek(LitStr) {
        return Ok(Schema::Folder(filled("a folder", input.parse()?)?));
    }
    if !input.peek(LitBool) {
        return Ok(Schema::Type(Box::new(input.parse()?)));
    }
    let answer: LitBool = input.parse()?;
    if answer.value() {
        let message = "`migrations` is a type that derives `Migrations`, a folder in quotes, or `false` for an empty database; \
                       without it the database gets the folder `migrations`";
        return Err(syn::Error::new(answer.span(), message));
    }
    Ok(Schema::None)
}

fn either(key: &Ident, other: bool) -> syn::Result<()> {
    let message = "`to` stops behind a migration, `before` in front of one; keep one of them";
    if other { Err(syn::Error::new(key.span(), message)) } else { Ok(()) }
}

fn environment(name: LitStr) -> syn::Result<LitStr> {
    let name = filled("an environment", name)?;
    if name.value().chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
        return Ok(name);
    }
    let message = "an environment's name has letters, digits, `_` and `-`: `development`, for one";
    Err(syn::Error::new(name.span(), message))
}

/// `pg17` or `17`, as its number alone.
fn server(text: LitStr) -> syn::Result<LitStr> {
    let typed = text.value();
    let number = typed.strip_prefix("pg").unwrap_or(&typed);
    match number.parse::<u8>() {
        Ok(major @ 10..=99) => Ok(LitStr::new(&major.to_string(), text.span())),
        _ => {
            let message =
                format!("`{typed}` is no version of PostgreSQL; write its first number, as \"pg17\"");
            Err(syn::Error::new(text.span(), message))
        }
    }
}

/// Says that there is no such key, and which one was probably meant.
fn unknown(name: &str, keys: &[&str]) -> String {
    let meant = match name {
        "schema" | "migrator" | "migration" => Some("migrations"),
        "up_to" | "until" | "target" => Some("to"),
        "seeds" | "seed" | "data" | "scripts" => Some("fixtures"),
        "env" => Some("environment"),
        "user" | "login" => Some("role"),
        "version" | "postgres" | "pg" => Some("server"),
        "values" | "variables" => Some("placeholders"),
        "library" | "krate" => Some("crate"),
        _ => keys.iter().find(|key| resembles(name, key)).copied(),
    };
    match meant.filter(|meant| keys.contains(meant)) {
        Some(meant) => format!("unknown key `{name}`; did you mean `{meant}`?"),
        None if KEYS.contains(&name) => {
            format!(
                "`{name}` is said of the whole test, in `#[habitat_migrate::test(…)]`; {}",
                keys_are(keys)
            )
        }
        None => format!("unknown key `{name}`; {}", keys_are(keys)),
    }
}

fn keys_are(keys: &[&str]) -> String {
    let (last, others) = keys.split_last().expect("there are several");
    format!("the keys are `{}` and `{last}`", others.join("`, `"))
}

/// The keys that also an argument's `#[database(…)]` has come first.
const KEYS: [&str; 12] = [
    "migrations",
    "catalog",
    "to",
    "before",
    "fixtures",
    "environment",
    "role",
    "server",
    "placeholders",
    "flavor",
    "worker_threads",
    "crate",
];
const DATABASE_KEYS: usize = 9;

impl TestOptions {
    /// Where generated code finds the library.
    pub(crate) fn take_library(&mut self) -> Path {
        self.library.take().unwrap_or_else(|| syn::parse_quote!(::habitat_migrate))
    }

    /// What the runtime is, if it is said; it is for `async` tests that no other attribute drives.
    pub(crate) fn check_runtime(&self, driven: Driven) -> syn::Result<()> {
        let threads = self.worker_threads.as_ref();
        let said = self.flavor.as_ref().map(LitStr::span).or(threads.map(LitInt::span));
        let fail = |span: Span, message: &str| Err(syn::Error::new(span, message));
        let flavor = self.flavor.as_ref().map(LitStr::value);
        match (said, driven) {
            (None, _) => return Ok(()),
            (Some(span), Driven::Blocking) => {
                return fail(
                    span,
                    "only an `async fn` has a runtime; remove this, or make the test an `async fn`",
                );
            }
            (Some(span), Driven::Elsewhere) => {
                return fail(span, "another attribute makes the runtime of this test; say it there");
            }
            (Some(_), Driven::Here) => {}
        }
        match (flavor.as_deref(), threads) {
            (Some("current_thread"), None) | (Some("multi_thread"), None) => Ok(()),
            (Some("multi_thread"), Some(threads)) if threads.base10_parse::<usize>()? > 0 => Ok(()),
            (Some("multi_thread"), Some(threads)) => {
                fail(threads.span(), "a runtime has at least one thread")
            }
            (Some("current_thread") | None, Some(threads)) => {
                fail(threads.span(), "`worker_threads` is for `flavor = \"multi_thread\"`; say that, too")
            }
            (Some(_), _) => {
                let span = said.unwrap_or_else(Span::call_site);
                fail(span, "no such flavor; write \"current_thread\" or \"multi_thread\"")
            }
            (None, None) => Ok(()),
        }
    }
}

/// Who drives a test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driven {
    /// Nobody: it is no `async fn`.
    Blocking,
    /// The runtime that the library makes.
    Here,
    /// The attribute of a runtime, `#[tokio::test]`.
    Elsewhere,
}
