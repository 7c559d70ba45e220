//! The attribute `test`: a function around the user's, which makes its databases and ends them.

use habitat_migrate_catalog::Catalog;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{LitStr, Path, Type};

use crate::attr::Request;
use crate::test_function::{Giver, Parameter, TestFunction};
use crate::test_options::{DatabaseOptions, Driven, Schema, TestOptions};
use crate::test_target::{check_target, const_check};
use crate::{check, expand};

/// The test, or errors at what the user typed.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Vec::new();
    let mut options = syn::parse2::<TestOptions>(arguments).unwrap_or_else(|error| {
        errors.push(error);
        TestOptions::default()
    });
    let function = match syn::parse2::<TestFunction>(item) {
        Ok(function) => function,
        Err(error) => {
            errors.push(error);
            return compile_errors(&errors);
        }
    };
    errors.extend(function.check());
    errors.extend(options.check_runtime(function.driven()).err());
    let mut test = Test {
        function: &function,
        library: options.take_library(),
        databases: Vec::new(),
        checks: Vec::new(),
    };
    let places = test.databases(&options.database, &mut errors);
    if errors.is_empty() { test.write(&options, &places) } else { compile_errors(&errors) }
}

/// Errors alone: what else there was to say would follow from them.
fn compile_errors(errors: &[syn::Error]) -> TokenStream {
    errors.iter().map(syn::Error::to_compile_error).collect()
}

/// A test that is being written down.
struct Test<'a> {
    function: &'a TestFunction,
    library: Path,
    /// An expression for each database, `Result<TestDatabase, TestError>`.
    databases: Vec<TokenStream>,
    /// What can be checked while the user's crate is compiled, and not before.
    checks: Vec<TokenStream>,
}

impl Test<'_> {
    /// Writes down the databases; tells for each argument which one it is of.
    fn databases(&mut self, options: &DatabaseOptions, errors: &mut Vec<syn::Error>) -> Vec<Option<usize>> {
        let function = self.function;
        let shared = function.parameters.iter().any(|parameter| matches!(parameter.from, Giver::Test));
        let own = function.parameters.iter().any(|parameter| matches!(parameter.from, Giver::Own(_)));
        // Also without any argument: that the migrations apply is a test.
        if shared || !own {
            let catalog = self.catalog(options, Some(USUAL_FOLDER));
            self.database(options, None, catalog, errors);
        } else if !is_default(options) {
            let message =
                "every argument has a `#[database]` of its own, so that this describes none; say it there";
            errors.push(syn::Error::new(Span::call_site(), message));
        }
        let mut places = Vec::new();
        for parameter in &function.parameters {
            places.push(match &parameter.from {
                Giver::Test => Some(0),
                Giver::Other(_) => None,
                Giver::Own(own) => {
                    let place = self.databases.len();
                    let catalog = self.catalog(own, None);
                    self.database(own, Some((parameter, options)), catalog, errors);
                    Some(place)
                }
            });
        }
        places
    }

    /// The catalog's expression, and the catalog if it is known by now.
    fn catalog(
        &self,
        options: &DatabaseOptions,
        usual: Option<&str>,
    ) -> syn::Result<(TokenStream, Option<Catalog>)> {
        let library = &self.library;
        let folder = match &options.schema {
            Some(Schema::Type(kind)) => {
                let span = at(kind);
                return Ok((quote_spanned!(span=> <#kind as #library::Migrations>::CATALOG), None));
            }
            Some(Schema::Catalog(expression)) => return Ok((expression.to_token_stream(), None)),
            Some(Schema::Folder(folder)) => Some(LitStr::new(&folder.value(), folder.span())),
            Some(Schema::None) => None,
            None => usual
                .filter(|folder| check::manifest_dir().is_ok_and(|root| has_folder(&root, folder)))
                .map(at_call),
        };
        let Some(folder) = folder else {
            return Ok((expand::no_catalog(library), Some(Catalog::from_checked(Vec::new(), Vec::new()))));
        };
        let loaded = check::load(&Request::of_folder(folder))?;
        Ok((expand::catalog(&loaded, library), Some(loaded.catalog)))
    }

    fn database(
        &mut self,
        options: &DatabaseOptions,
        own: Option<(&Parameter, &DatabaseOptions)>,
        catalog: syn::Result<(TokenStream, Option<Catalog>)>,
        errors: &mut Vec<syn::Error>,
    ) {
        let library = &self.library;
        let (catalog, known) = match catalog {
            Ok(catalog) => catalog,
            Err(error) => return errors.push(error),
        };
        if let Some(target) = options.target() {
            match (&known, &options.schema) {
                (Some(known), _) => errors.extend(check_target(known, target).err()),
                (None, Some(Schema::Type(kind))) => self.checks.push(const_check(library, kind, target)),
                // An expression is not known before the test runs.
                (None, _) => {}
            }
        }
        let span = match &options.schema {
            Some(Schema::Catalog(expression)) => at(expression),
            _ => Span::call_site(),
        };
        let name = self.function.name.unraw().to_string();
        let name = match own.and_then(|(parameter, _)| parameter.name.as_ref()) {
            Some(parameter) => format!("{name}::{}", parameter.unraw()),
            None => name,
        };
        let main = own.map(|(_, main)| main);
        let mut settings = TokenStream::new();
        let texts = [
            (quote!(to), options.to.as_ref()),
            (quote!(before), options.before.as_ref()),
            (quote!(role), options.role.as_ref()),
            (
                quote!(environment),
                options.environment.as_ref().or(main.and_then(|main| main.environment.as_ref())),
            ),
            (quote!(server_version), options.server.as_ref().or(main.and_then(|main| main.server.as_ref()))),
        ];
        for (method, text) in texts {
            settings.extend(text.map(|text| quote!(.#method(#text))));
        }
        for (name, value) in &options.placeholders {
            settings.extend(quote_spanned!(at(value)=> .placeholder(#name, #value)));
        }
        for fixture in &options.fixtures {
            let path = fixture_path(fixture);
            // The macro's own words about a missing file stand at the literal by its place.
            let text = quote_spanned!(fixture.span()=> ::core::include_str!(#path));
            settings
                .extend(quote!(.fixture(#library::__private::test::beside(::core::file!(), #path), #text)));
        }
        let borrowed = quote_spanned!(span=> #library::__private::test::catalog(&(#catalog)));
        self.databases.push(quote! {
            #library::testing::TestDatabase::builder(#borrowed)
                .named(::core::concat!(::core::module_path!(), "::", #name)) #settings .create()
        });
    }

    fn write(&self, options: &TestOptions, places: &[Option<usize>]) -> TokenStream {
        let Self { function, library, databases, checks } = self;
        let TestFunction {
            attributes,
            visibility,
            asynchronous,
            keyword,
            name,
            parameters,
            result,
            body,
            ..
        } = function;
        let driven = function.driven();
        let marker = (!function.is_made_elsewhere()).then(|| quote!(#[::core::prelude::v1::test]));
        let arguments = parameters
            .iter()
            .map(|Parameter { lints, pattern, kind, .. }| quote!(#(#lints)* #pattern: #kind));
        let passed = parameters.iter().filter_map(|parameter| match (&parameter.from, &parameter.name) {
            (Giver::Other(attributes), Some(name)) => {
                let kind = &parameter.kind;
                Some(quote!(#(#attributes)* #name: #kind))
            }
            _ => None,
        });
        let arrow = result.as_ref().map(|result| quote!(-> #result));
        let outer_arrow = result.as_ref().map(|_| quote!(-> ::std::process::ExitCode));
        let end = result.is_none().then(|| quote!(;));
        let outer_async = (driven == Driven::Elsewhere).then_some(asynchronous);
        let (made, given): (Vec<_>, Vec<_>) = parameters
            .iter()
            .zip(places)
            .enumerate()
            .map(|(n, (parameter, place))| self.argument(n, parameter, *place, driven))
            .unzip();
        let ending = ending(function, library);
        let create = quote!(|| ::core::result::Result::Ok(::std::vec![#(#databases?),*]));
        // The names are the macro's own: what the user's arguments are called does not matter.
        let all = format_ident!("__databases", span = Span::mixed_site());
        let result_type = result.as_ref().map_or(quote!(()), |_| quote!(_));
        let ok = quote!(::core::result::Result::<#result_type, #library::__private::test::Failure>::Ok);
        let call = quote!(#name(#(#given),*));
        let test = quote!(#library::__private::test);
        let run = match driven {
            Driven::Blocking => quote! {
                #test::blocking(#ending, #create, move |#all: &[#library::testing::TestDatabase]| {
                    #(#made)* #ok(#call)
                })
            },
            Driven::Here => {
                let flavor = flavor(options, library);
                quote! {
                    #test::on_runtime(#flavor, #ending, #create, async move |#all: &[#library::testing::TestDatabase]| {
                        #(#made)* #ok(#call.await)
                    })
                }
            }
            Driven::Elsewhere => quote! {
                #test::within(#ending, #create, async move |#all: &[#library::testing::TestDatabase]| {
                    #(#made)* #ok(#call.await)
                }).await
            },
        };
        quote! {
            #marker
            #(#attributes)*
            #visibility #outer_async #keyword #name(#(#passed),*) #outer_arrow {
                // What the arguments are is not the user's choice, nor is whether there is something to wait for.
                #[allow(clippy::needless_pass_by_value, clippy::trivially_copy_pass_by_ref, clippy::unused_async)]
                #asynchronous #keyword #name(#(#arguments),*) #arrow #body
                #(#checks)*
                #run #end
            }
        }
    }

    /// How an argument is made, and how it is given to the user's function.
    fn argument(
        &self,
        n: usize,
        parameter: &Parameter,
        place: Option<usize>,
        driven: Driven,
    ) -> (TokenStream, TokenStream) {
        let library = &self.library;
        let (Some(place), kind) = (place, &parameter.kind) else {
            return (TokenStream::new(), parameter.name.to_token_stream());
        };
        let all = format_ident!("__databases", span = Span::mixed_site());
        let variable = format_ident!("__argument{n}", span = Span::mixed_site());
        let text =
            parameter.name.as_ref().map_or_else(|| format!("{}", n + 1), |name| name.unraw().to_string());
        let test = quote!(#library::__private::test);
        let made = match kind {
            Type::Reference(reference) => {
                let inner = &reference.elem;
                quote_spanned!(inner.span()=> <#inner as #test::Lent>::Made)
            }
            kind => kind.to_token_stream(),
        };
        // What cannot be made is told at the argument's type, and once: so this is written as if the user had.
        let quiet = quote!(#[allow(unused_qualifications)]);
        let value = if driven == Driven::Blocking {
            quote_spanned!(kind.span()=> #test::argument(<#made as #library::testing::FromTestDatabase>::from_test_database(&#all[#place]), #text)?)
        } else {
            quote_spanned!(kind.span()=> #test::argument(<#made as #library::testing::FromTestDatabaseAsync>::from_test_database(&#all[#place]).await, #text)?)
        };
        match kind {
            Type::Reference(reference) if reference.mutability.is_some() => {
                let given = quote_spanned!(at(kind)=> ::core::borrow::BorrowMut::borrow_mut(&mut #variable));
                (quote!(#quiet let mut #variable = #value;), given)
            }
            Type::Reference(_) => {
                let given = quote_spanned!(at(kind)=> ::core::borrow::Borrow::borrow(&#variable));
                (quote!(#quiet let #variable = #value;), given)
            }
            _ => (quote!(#quiet let #variable = #value;), quote!(#variable)),
        }
    }
}

fn ending(function: &TestFunction, library: &Path) -> TokenStream {
    let ending = match function.should_panic() {
        None => quote!(Returns),
        Some(None) => quote!(Panics(::core::option::Option::None)),
        Some(Some(expected)) => quote!(Panics(::core::option::Option::Some(#expected))),
    };
    quote!(#library::__private::test::Ending::#ending)
}

fn flavor(options: &TestOptions, library: &Path) -> TokenStream {
    let flavor = match (&options.flavor, &options.worker_threads) {
        (Some(flavor), Some(threads)) if flavor.value() == "multi_thread" => {
            quote!(MultiThread(::core::option::Option::Some(#threads)))
        }
        (Some(flavor), None) if flavor.value() == "multi_thread" => {
            quote!(MultiThread(::core::option::Option::None))
        }
        _ => quote!(CurrentThread),
    };
    quote!(#library::__private::test::Flavor::#flavor)
}

/// The place of what the user typed, for code that is the macro's own: no lint is to blame the user for it.
fn at(typed: &impl Spanned) -> Span {
    typed.span().resolved_at(Span::call_site())
}

fn at_call(folder: &str) -> LitStr {
    LitStr::new(folder, Span::call_site())
}

/// Whether a crate has migrations where they usually are. Without any, its tests get empty databases.
fn has_folder(root: &std::path::Path, folder: &str) -> bool {
    root.join(folder).is_dir()
}

/// `members` is `fixtures/members.sql` beside the test's file; what ends with `.sql` is a path from there.
fn fixture_path(fixture: &LitStr) -> LitStr {
    let name = fixture.value();
    let path = if name.ends_with(".sql") { name } else { format!("fixtures/{name}.sql") };
    LitStr::new(&path, fixture.span())
}

fn is_default(options: &DatabaseOptions) -> bool {
    let DatabaseOptions { schema, to, before, fixtures, role, placeholders, .. } = options;
    matches!(schema, None | Some(Schema::None))
        && to.is_none()
        && before.is_none()
        && fixtures.is_empty()
        && role.is_none()
        && placeholders.is_empty()
}

/// The folder that is meant where nothing is said, if it is there.
const USUAL_FOLDER: &str = "migrations";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_usual_folder_is_taken_where_it_is() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(!has_folder(here, USUAL_FOLDER));
        assert!(has_folder(here.parent().expect("a workspace"), USUAL_FOLDER));
    }

    #[test]
    fn a_fixture_lies_beside_its_test_unless_a_path_says_otherwise() {
        let path = |name: &str| fixture_path(&LitStr::new(name, Span::call_site())).value();
        assert_eq!(path("members"), "fixtures/members.sql");
        assert_eq!(path("people/members"), "fixtures/people/members.sql");
        assert_eq!(path("../seeds/members.sql"), "../seeds/members.sql");
        assert_eq!(path("/srv/members.sql"), "/srv/members.sql");
    }
}
