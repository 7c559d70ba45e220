//! A test as its attribute finds it: [`TestFunction`]. Its body is nobody's business.

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Generics, LitStr, Meta, Token, Type, Visibility, parenthesized};

use crate::test_options::{DatabaseOptions, Driven};

/// A function and what of it matters.
pub(crate) struct TestFunction {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) asynchronous: Option<Token![async]>,
    pub(crate) keyword: Token![fn],
    pub(crate) name: Ident,
    pub(crate) parameters: Vec<Parameter>,
    /// What it returns, if it says so and it is not `()`.
    pub(crate) result: Option<Type>,
    pub(crate) body: TokenStream,
    pub(crate) errors: Vec<syn::Error>,
}

/// One argument.
pub(crate) struct Parameter {
    pub(crate) from: Giver,
    /// Attributes for the compiler, as `allow`.
    pub(crate) lints: Vec<Attribute>,
    /// What stands before the colon.
    pub(crate) pattern: TokenStream,
    /// The name in it, `client` in `mut client`.
    pub(crate) name: Option<Ident>,
    pub(crate) kind: Type,
}

/// Who gives an argument.
pub(crate) enum Giver {
    /// The database of the test.
    Test,
    /// A database of its own.
    Own(Box<DatabaseOptions>),
    /// Another attribute's macro: it carries `#[case]`, `#[values]` and the like.
    Other(Vec<Attribute>),
}

impl Parse for TestFunction {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = Attribute::parse_outer(input)?;
        let visibility: Visibility = input.parse()?;
        let mut errors = Vec::new();
        let asynchronous = loop {
            if input.peek(Token![async]) && input.peek2(Token![fn]) || input.peek(Token![fn]) {
                break input.parse::<Option<Token![async]>>()?;
            }
            let known = ["const", "unsafe", "extern", "async"];
            match input.parse::<TokenTree>() {
                Ok(TokenTree::Ident(word)) if known.iter().any(|known| word == known) => {
                    if word == "async" {
                        continue;
                    }
                    errors.push(syn::Error::new(word.span(), format!("a test is no `{word}` function")));
                    let _: Option<LitStr> = input.parse()?;
                }
                Ok(other) => return Err(syn::Error::new(other.span(), IS_A_FUNCTION)),
                Err(_) => return Err(input.error(IS_A_FUNCTION)),
            }
        };
        let keyword: Token![fn] = input.parse()?;
        let name: Ident = input.parse()?;
        let generics: Generics = input.parse()?;
        if !generics.params.is_empty() {
            let message = "a test has no generic parameters: nobody could say what they are";
            errors.push(syn::Error::new(generics.span(), message));
        }
        let arguments;
        parenthesized!(arguments in input);
        let mut parameters = Vec::new();
        while !arguments.is_empty() {
            match Parameter::read(&arguments, &mut errors)? {
                Some(parameter) => parameters.push(parameter),
                None => errors.push(syn::Error::new(
                    name.span(),
                    "a test is a function, and no method; it has no `self`",
                )),
            }
            let _: Option<Token![,]> = arguments.parse()?;
        }
        let arrow: Option<Token![->]> = input.parse()?;
        let result: Option<Type> = if arrow.is_some() { Some(input.parse()?) } else { None };
        let result = result.filter(|result| !matches!(result, Type::Tuple(tuple) if tuple.elems.is_empty()));
        let body = input.parse()?;
        Ok(Self { attributes, visibility, asynchronous, keyword, name, parameters, result, body, errors })
    }
}

const IS_A_FUNCTION: &str =
    "a test is a function: `#[habitat_migrate::test] fn name(client: postgres::Client) { … }`";

impl Parameter {
    /// `None` where it is a `self`.
    fn read(input: ParseStream<'_>, errors: &mut Vec<syn::Error>) -> syn::Result<Option<Self>> {
        let attributes = Attribute::parse_outer(input)?;
        let mut pattern = TokenStream::new();
        let mut names = Vec::new();
        while !input.is_empty()
            && !input.peek(Token![,])
            && (!input.peek(Token![:]) || input.peek(Token![::]))
        {
            if input.peek(Token![::]) {
                input.parse::<Token![::]>()?.to_tokens(&mut pattern);
                continue;
            }
            let token: TokenTree = input.parse()?;
            if let TokenTree::Ident(word) = &token {
                if word != "mut" && word != "ref" {
                    names.push(word.clone());
                }
            }
            pattern.extend([token]);
        }
        let is_self = names.iter().any(|name| name == "self");
        if !input.peek(Token![:]) && is_self {
            return Ok(None);
        }
        input.parse::<Token![:]>()?;
        let kind = input.parse()?;
        if is_self {
            return Ok(None);
        }
        let plain = names.len() == 1 && pattern.clone().into_iter().count() <= 2;
        let (from, lints) = giver(attributes, errors);
        let name = names.into_iter().next().filter(|_| plain);
        Ok(Some(Self { from, lints, pattern, name, kind }))
    }
}

/// Sorts an argument's attributes by whom they are for.
fn giver(attributes: Vec<Attribute>, errors: &mut Vec<syn::Error>) -> (Giver, Vec<Attribute>) {
    let (mut own, mut lints, mut others) = (None, Vec::new(), Vec::new());
    for attribute in attributes {
        let is = |name: &&str| attribute.path().is_ident(*name);
        if attribute.path().is_ident("database") {
            let options = match &attribute.meta {
                Meta::Path(_) => Ok(DatabaseOptions::default()),
                Meta::List(list) => list.parse_args(),
                Meta::NameValue(_) => {
                    Err(syn::Error::new(attribute.span(), "write `#[database(migrations = Schema)]`"))
                }
            };
            let options = options.unwrap_or_else(|error| {
                errors.push(error);
                DatabaseOptions::default()
            });
            if own.replace(options).is_some() {
                errors.push(syn::Error::new(
                    attribute.span(),
                    "an argument is of one database; keep one `#[database]`",
                ));
            }
        } else if ["allow", "warn", "deny", "forbid", "expect"].iter().any(is) {
            lints.push(attribute);
        } else if ["cfg", "cfg_attr"].iter().any(is) {
            let message = "an argument of a test is always there; write `#[cfg]` on a test for each case";
            errors.push(syn::Error::new(attribute.span(), message));
        } else {
            others.push(attribute);
        }
    }
    match own {
        Some(_) if !others.is_empty() => {
            let message = "the argument is of a database, so that no other attribute can give it";
            errors.push(syn::Error::new(others[0].span(), message));
            (Giver::Test, lints)
        }
        Some(options) => (Giver::Own(Box::new(options)), lints),
        None if others.is_empty() => (Giver::Test, lints),
        None => (Giver::Other(others), lints),
    }
}

impl TestFunction {
    /// Whether another attribute makes the test of it.
    pub(crate) fn is_made_elsewhere(&self) -> bool {
        self.attributes
            .iter()
            .any(|attribute| last(attribute).is_some_and(|name| RUNNERS.iter().any(|runner| name == runner)))
    }

    /// Who drives it.
    pub(crate) fn driven(&self) -> Driven {
        let runtime = |attribute: &Attribute| {
            attribute.path().segments.len() > 1 && last(attribute).is_some_and(|name| name == "test")
        };
        match self.asynchronous {
            None => Driven::Blocking,
            Some(_) if self.attributes.iter().any(runtime) => Driven::Elsewhere,
            Some(_) => Driven::Here,
        }
    }

    /// Whether it is to panic, and with which words.
    pub(crate) fn should_panic(&self) -> Option<Option<LitStr>> {
        let attribute = self.attributes.iter().find(|attribute| attribute.path().is_ident("should_panic"))?;
        let expected = |input: ParseStream<'_>| {
            input.parse::<Ident>()?;
            crate::attr::value(input)
        };
        Some(match &attribute.meta {
            Meta::Path(_) => None,
            // Other forms are the compiler's to refuse.
            Meta::List(list) => expected.parse2(list.tokens.clone()).ok(),
            Meta::NameValue(pair) => syn::parse2(pair.value.to_token_stream()).ok(),
        })
    }

    /// What keeps it from being a test.
    pub(crate) fn check(&self) -> Vec<syn::Error> {
        let mut errors = self.errors.clone();
        for attribute in &self.attributes {
            if last(attribute).is_some_and(|name| name == "test")
                && attribute.path().segments.iter().any(|part| part.ident == "habitat_migrate")
            {
                errors.push(syn::Error::new(attribute.span(), "the attribute stands here twice; keep one"));
            }
        }
        for parameter in &self.parameters {
            match (&parameter.from, &parameter.kind) {
                (_, Type::ImplTrait(kind)) if !matches!(parameter.from, Giver::Other(_)) => {
                    let message = "name the type: what is made for an argument depends on it";
                    errors.push(syn::Error::new(kind.span(), message));
                }
                (Giver::Other(_), _) if parameter.name.is_none() => {
                    let message = "an argument that another attribute gives has a plain name";
                    errors.push(syn::Error::new(parameter.pattern.span(), message));
                }
                _ => {}
            }
        }
        let is_block = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
        if !self.body.clone().into_iter().next().is_some_and(|tree| is_block(&tree)) {
            errors.push(syn::Error::new(self.name.span(), "a test has a body"));
        }
        errors
    }
}

/// The last name of an attribute's path: `test` of `tokio::test`.
fn last(attribute: &Attribute) -> Option<&Ident> {
    attribute.path().segments.last().map(|part| &part.ident)
}

/// Attributes that make tests of the function that they find.
const RUNNERS: [&str; 5] = ["test", "rstest", "apply", "test_case", "test_matrix"];
