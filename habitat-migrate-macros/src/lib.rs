//! Macros of `habitat-migrate`, which exports them; depend on `habitat-migrate` instead.
//!
//! [`attr`] turns what the user typed into plain values, [`check`] loads the folders that they name,
//! [`expand`] writes the catalog down.

#![forbid(unsafe_code)]

mod attr;
mod check;
mod expand;

use proc_macro::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, parse_macro_input};

use crate::attr::Request;

/// Embeds folders of migrations in a unit struct, checked while it is compiled.
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

/// Embeds a folder of migrations as a constant value, checked while it is compiled.
#[proc_macro]
pub fn migrate(input: TokenStream) -> TokenStream {
    expression(input)
}

/// Embeds a folder of migrations as a constant value: [`migrate!`](crate::migrate!) under the name that refinery's and diesel's users know.
#[proc_macro]
pub fn embed_migrations(input: TokenStream) -> TokenStream {
    expression(input)
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
