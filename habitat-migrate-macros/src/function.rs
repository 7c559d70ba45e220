//! A function as the attribute `migration` finds it: [`Function`]. Its body is nobody's business.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::quote;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Generics, Token, Type, Visibility, parenthesized};

/// A function and what of it matters.
pub(crate) struct Function {
    /// What is said of the constant: its documentation, and where it is compiled.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) name: Ident,
    /// The type of its only argument.
    pub(crate) argument: Option<Type>,
    /// What it returns.
    pub(crate) result: Option<Type>,
    /// The whole function, as private as it can be.
    pub(crate) tokens: TokenStream,
    asynchronous: Option<Token![async]>,
    errors: Vec<syn::Error>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let all = Attribute::parse_outer(input)?;
        let visibility: Visibility = input.parse()?;
        let mut errors = Vec::new();
        let asynchronous = loop {
            if input.peek(Token![async]) || input.peek(Token![fn]) {
                break input.parse::<Option<Token![async]>>()?;
            }
            if !is_qualifier(input) {
                return Err(syn::Error::new(
                    input.span(),
                    "a migration in Rust is a function: `async fn name(tx: &mut tokio_postgres::Transaction<'_>)`, \
                     or `fn name(tx: &mut postgres::Transaction<'_>)`",
                ));
            }
            let qualifier: TokenTree = input.parse()?;
            errors
                .push(syn::Error::new(qualifier.span(), format!("a migration is no `{qualifier}` function")));
            let _: Option<syn::LitStr> = input.parse()?;
        };
        let keyword: Token![fn] = input.parse()?;
        let name: Ident = input.parse()?;
        let generics: Generics = input.parse()?;
        if let Some(parameter) = generics.type_params().next() {
            let message = "a migration has no parameters of types: nobody could say which ones are meant";
            errors.push(syn::Error::new(parameter.span(), message));
        }
        if let Some(parameter) = generics.const_params().next() {
            let message = "a migration has no constant parameters: nobody could say which ones are meant";
            errors.push(syn::Error::new(parameter.span(), message));
        }
        let arguments;
        let parentheses = parenthesized!(arguments in input);
        let inside: TokenStream = arguments.parse()?;
        let argument = argument.parse2(inside.clone()).ok();
        if argument.is_none() {
            let place = if inside.is_empty() { parentheses.span.join() } else { inside.span() };
            errors.push(syn::Error::new(place, TAKES));
        }
        let arrow: Option<Token![->]> = input.parse()?;
        let result: Option<Type> = if arrow.is_some() { Some(input.parse()?) } else { None };
        if result.is_none() {
            let message = "a migration can fail: return a `Result<(), E>`";
            errors.push(syn::Error::new(name.span(), message));
        }
        let rest: TokenStream = input.parse()?;
        let (attributes, inner): (Vec<_>, Vec<_>) = all.into_iter().partition(is_the_constants);
        let tokens = quote! {
            #(#inner)* #asynchronous #keyword #name #generics (#inside) #arrow #result #rest
        };
        Ok(Self { attributes, visibility, name, argument, result, tokens, asynchronous, errors })
    }
}

impl Function {
    pub(crate) fn is_async(&self) -> bool {
        self.asynchronous.is_some()
    }

    /// What keeps it from being a migration.
    pub(crate) fn check(&self) -> Vec<syn::Error> {
        let mut errors = self.errors.clone();
        let Some(argument) = &self.argument else { return errors };
        let path = match argument {
            Type::Reference(reference) if reference.mutability.is_some() => match &*reference.elem {
                Type::Path(path) => path.path.segments.iter().map(|s| s.ident.to_string()).collect(),
                _ => Vec::new(),
            },
            _ => {
                errors.push(syn::Error::new(argument.span(), TAKES));
                return errors;
            }
        };
        // Only what is certain from the words: the type may have been given another name.
        let krate = path.iter().rev().nth(1).map(String::as_str);
        let other = match (self.is_async(), krate) {
            (true, Some("postgres")) => "an `async fn` takes a `&mut tokio_postgres::Transaction<'_>`",
            (false, Some("tokio_postgres")) => "what takes a `tokio_postgres::Transaction` is an `async fn`",
            _ if path.last().is_some_and(|last| last.ends_with("Client")) => TAKES,
            _ => return errors,
        };
        errors.push(syn::Error::new(argument.span(), other));
        errors
    }
}

/// `tx: &mut Transaction<'_>`, however the argument is called.
fn argument(input: ParseStream<'_>) -> syn::Result<Type> {
    Attribute::parse_outer(input)?;
    let _: Option<Token![mut]> = input.parse()?;
    if input.peek(Token![_]) {
        input.parse::<Token![_]>()?;
    } else {
        input.parse::<Ident>()?;
    }
    input.parse::<Token![:]>()?;
    let argument = input.parse()?;
    let _: Option<Token![,]> = input.parse()?;
    Ok(argument)
}

/// Whether a word stands before `fn` that only some functions have.
fn is_qualifier(input: ParseStream<'_>) -> bool {
    let is_one = input.peek(Token![const]) || input.peek(Token![unsafe]) || input.peek(Token![extern]);
    let leads_on = input.peek2(Token![fn])
        || input.peek2(Token![async])
        || input.peek2(Token![unsafe])
        || input.peek2(Token![extern])
        || input.peek2(syn::LitStr);
    is_one && leads_on
}

/// Whether an attribute is about the item, not about the code in it.
fn is_the_constants(attribute: &Attribute) -> bool {
    ["doc", "cfg", "cfg_attr", "deprecated"].iter().any(|name| attribute.path().is_ident(name))
}

const TAKES: &str = "a migration takes one argument, its transaction: `&mut tokio_postgres::Transaction<'_>` for an `async fn`, \
                     `&mut postgres::Transaction<'_>` otherwise";
