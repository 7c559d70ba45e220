//! The attribute `migration`: a function becomes a constant of its name, which a catalog takes.

use habitat_migrate_catalog::{check_requirement, check_version, verify_problems};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{LitStr, Path, Token, bracketed};

use crate::attr::{filled, once, resembles, value};
use crate::function::Function;

/// The constant, or errors at what the user typed and a constant of that name in its place.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let options = syn::parse2::<Options>(arguments);
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.to_compile_error();
            return quote!(#error #item);
        }
    };
    let (options, mut errors) = match options {
        Ok(options) => {
            let errors = options.check();
            (options, errors)
        }
        Err(error) => (Options::default(), vec![error]),
    };
    errors.extend(function.check());
    if errors.is_empty() { constant(&options, &function) } else { stand_in(&options, &function, errors) }
}

/// What `#[migration(…)]` says.
#[derive(Default)]
struct Options {
    version: Option<LitStr>,
    context: Option<LitStr>,
    requires: Vec<LitStr>,
    description: Option<LitStr>,
    breaking: Option<()>,
    down: Option<Path>,
    revision: Option<LitStr>,
    verify: Option<LitStr>,
    library: Option<Path>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            options.option(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        match options.version {
            Some(_) => Ok(options),
            None => Err(syn::Error::new(
                Span::call_site(),
                "the migration has no version; write `version = \"0007_name\"`, as its file would be named",
            )),
        }
    }
}

impl Options {
    fn option(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if input.peek(LitStr) {
            return Err(input.error("say what this is: `version = \"0007_name\"`, for one"));
        }
        let key = Ident::parse_any(input)
            .map_err(|error| syn::Error::new(error.span(), format!("expected a key; {}", keys_are())))?;
        let name = key.to_string();
        match name.as_str() {
            "version" => once(&key, &mut self.version, filled("a version", value(input)?)?),
            "context" => once(&key, &mut self.context, filled("a context", value(input)?)?),
            "description" => once(&key, &mut self.description, value(input)?),
            "revision" => once(&key, &mut self.revision, value(input)?),
            "verify" => once(&key, &mut self.verify, value(input)?),
            "breaking" => once(&key, &mut self.breaking, ()),
            "requires" => self.requires(&key, input),
            "down" => {
                input.parse::<Token![=]>()?;
                once(&key, &mut self.down, Path::parse_mod_style(input)?)
            }
            "crate" => {
                input.parse::<Token![=]>()?;
                once(&key, &mut self.library, Path::parse_mod_style(input)?)
            }
            _ => Err(syn::Error::new(key.span(), unknown(&name))),
        }
    }

    /// One text, or a list of them.
    fn requires(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        if !self.requires.is_empty() {
            return Err(syn::Error::new(
                key.span(),
                "`requires` is given twice; write a list: `[\"…\", \"…\"]`",
            ));
        }
        input.parse::<Token![=]>()?;
        if !input.peek(syn::token::Bracket) {
            self.requires.push(input.parse()?);
            return Ok(());
        }
        let list;
        bracketed!(list in input);
        self.requires.extend(Punctuated::<LitStr, Token![,]>::parse_terminated(&list)?);
        Ok(())
    }

    /// What a file of this name and with these directives would be refused for.
    fn check(&self) -> Vec<syn::Error> {
        let mut errors = Vec::new();
        let mut fail = |at: &LitStr, (message, help): (String, String)| {
            errors.push(syn::Error::new(at.span(), format!("{message}; {help}")));
        };
        if let Some(version) = &self.version {
            check_version(&version.value()).unwrap_or_else(|fault| fail(version, fault));
        }
        for required in &self.requires {
            check_requirement(&required.value()).unwrap_or_else(|fault| fail(required, fault));
        }
        if let Some(verify) = &self.verify {
            for problem in verify_problems("verify", &verify.value()) {
                fail(verify, (problem.message().to_owned(), problem.help().unwrap_or_default().to_owned()));
            }
        }
        errors
    }

    /// Where generated code finds the library.
    fn library(&self) -> TokenStream {
        match &self.library {
            Some(path) => quote!(#path),
            None => quote!(::habitat_migrate),
        }
    }
}

/// The constant that stands for the function, which lives inside of it.
fn constant(options: &Options, function: &Function) -> TokenStream {
    let library = options.library();
    let Function { attributes, visibility, name, tokens, .. } = function;
    let up = wrapper(&quote!(__up), &quote!(#name), function, &library);
    let down = options.down.as_ref().map(|path| wrapper(&quote!(__down), &quote!(#path), function, &library));
    let variant = if function.is_async() { quote!(Async) } else { quote!(Blocking) };
    let version = &options.version;
    let text = name.unraw().to_string();
    let mut more = TokenStream::new();
    if !options.requires.is_empty() {
        let requires = &options.requires;
        more.extend(quote!(.requires(&[#(#requires),*])));
    }
    let texts = [
        (quote!(context), &options.context),
        (quote!(description), &options.description),
        (quote!(revision), &options.revision),
        (quote!(verify), &options.verify),
    ];
    for (method, text) in texts {
        more.extend(text.as_ref().map(|text| quote!(.#method(#text))));
    }
    more.extend(options.breaking.map(|()| quote!(.breaking())));
    more.extend(down.as_ref().map(|_| quote!(.down(&__m::Function::#variant(__down)))));
    quote! {
        #(#attributes)*
        #[allow(non_upper_case_globals)]
        #visibility const #name: #library::CodeMigration = {
            #tokens
            #up
            #down
            #[allow(unused_imports)]
            use #library::__private as __m;
            __m::CodeMigration::embedded(
                #version, #text, &__m::Function::#variant(__up), ::core::file!(), ::core::line!(),
            ) #more
        };
    }
}

/// A function of the type that the library calls, around the user's.
fn wrapper(
    name: &TokenStream,
    inner: &TokenStream,
    function: &Function,
    library: &TokenStream,
) -> TokenStream {
    // What does not fit is told where the user wrote the type.
    let argument = function.argument.as_ref().map_or(Span::call_site(), Spanned::span);
    let transaction = quote_spanned!(argument=> transaction);
    let call = quote_spanned!(argument=> #inner(#transaction));
    let result = function.result.as_ref().map_or(Span::call_site(), Spanned::span);
    let converted = |done: TokenStream| quote_spanned!(result=> ::core::result::Result::map_err(#done, ::core::convert::Into::into));
    if function.is_async() {
        let done = converted(quote!(#call.await));
        return quote! {
            fn #name<'a>(
                #transaction: &'a mut #library::__private::AsyncTransaction<'_>,
            ) -> #library::__private::Work<'a, #library::__private::Outcome> {
                ::std::boxed::Box::pin(async move { #done })
            }
        };
    }
    let done = converted(call);
    quote! {
        fn #name(
            #transaction: &mut #library::__private::BlockingTransaction<'_>,
        ) -> #library::__private::Outcome {
            #done
        }
    }
}

/// A constant of the name beside an error, so that the error is the only one.
fn stand_in(options: &Options, function: &Function, errors: Vec<syn::Error>) -> TokenStream {
    let library = options.library();
    let Function { visibility, name, .. } = function;
    let errors = errors.iter().map(syn::Error::to_compile_error);
    quote! {
        #(#errors)*
        #[allow(non_upper_case_globals, dead_code)]
        #visibility const #name: #library::CodeMigration =
            #library::__private::CodeMigration::embedded("", "", &(), "", 0);
    }
}

/// Says that there is no such key, and which one was probably meant.
fn unknown(name: &str) -> String {
    let meant = match name {
        "name" | "id" | "number" => Some("version"),
        "module" | "schema" => Some("context"),
        "after" | "depends_on" | "depends" | "needs" => Some("requires"),
        "undo" | "revert" | "rollback" => Some("down"),
        "checksum" => Some("revision"),
        _ => KEYS.into_iter().find(|key| resembles(name, key)),
    };
    match meant {
        Some(meant) => format!("unknown key `{name}`; did you mean `{meant}`?"),
        None => format!("unknown key `{name}`; {}", keys_are()),
    }
}

fn keys_are() -> String {
    let (last, others) = KEYS.split_last().expect("there are several");
    format!("the keys are `{}` and `{last}`", others.join("`, `"))
}

const KEYS: [&str; 9] =
    ["version", "context", "requires", "description", "breaking", "down", "revision", "verify", "crate"];
