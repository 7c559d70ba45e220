//! Whether a catalog has the migration that a test's `to` or `before` names.

use habitat_migrate_catalog::Catalog;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{LitStr, Path, Type};

use crate::attr::resembles;

/// Whether a catalog that is known has the migration to stop at.
pub(crate) fn check_target(catalog: &Catalog, target: &LitStr) -> syn::Result<()> {
    let wanted = target.value();
    let fits = |version: &str, id: &str| wanted == version || wanted == id;
    let found: Vec<String> = catalog
        .migrations()
        .iter()
        .filter(|migration| fits(migration.version().as_str(), &migration.id().to_string()))
        .map(|migration| migration.id().to_string())
        .collect();
    let message = match &found[..] {
        [_] => return Ok(()),
        [] => {
            let versions = catalog.migrations().iter().map(|migration| migration.version().as_str());
            match versions.into_iter().find(|version| resembles(&wanted, version)) {
                Some(version) => format!("there is no migration `{wanted}`; did you mean `{version}`?"),
                None => {
                    format!("there is no migration `{wanted}`; write the name of its file without `.sql`")
                }
            }
        }
        several => {
            format!("there are {} migrations `{wanted}`: write `{}`", several.len(), several.join("` or `"))
        }
    };
    Err(syn::Error::new(target.span(), message))
}

/// The same for the catalog of a type, which the compiler knows.
pub(crate) fn const_check(library: &Path, kind: &Type, target: &LitStr) -> TokenStream {
    let wanted = target.value();
    let missing =
        format!("there is no migration `{wanted}` among these; write the name of its file without `.sql`");
    let several = format!(
        "there are several migrations `{wanted}` among these: write its context before it, `context:{wanted}`"
    );
    // The message stands where the literal does.
    let fail = |condition: TokenStream, message: String| quote_spanned!(target.span()=> if #condition { ::core::panic!("{}", #message) });
    let missing = fail(quote!(::core::matches!(COUNT, 0)), missing);
    let several = fail(quote!(!::core::matches!(COUNT, 0 | 1)), several);
    quote! {
        const _: () = {
            const CATALOG: &#library::Catalog = &<#kind as #library::Migrations>::CATALOG;
            const COUNT: ::core::primitive::usize = #library::__private::test::matching(CATALOG, #wanted);
            #missing
            #several
        };
    }
}
