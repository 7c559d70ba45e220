//! What the user typed, with its places: [`Request`].

use habitat_migrate_catalog::Layout;
use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitStr, Path, Token, parenthesized, token};

/// Everything that one use of a macro asks for.
pub(crate) struct Request {
    pub(crate) folders: Vec<FolderRequest>,
    /// Contexts whose migrations are known elsewhere.
    pub(crate) external: Vec<LitStr>,
    /// Where generated code finds the library.
    pub(crate) library: Path,
}

/// One folder to embed.
pub(crate) struct FolderRequest {
    pub(crate) dir: LitStr,
    pub(crate) context: Option<LitStr>,
    /// How its files are named, unless that is to be recognised.
    pub(crate) layout: Option<Layout>,
}

impl Request {
    /// The `#[migrations(…)]` among a struct's attributes.
    ///
    /// What could be read is always there, so that code can be generated beside the errors.
    pub(crate) fn from_attributes(attributes: &[Attribute], whole: Span) -> (Self, Option<syn::Error>) {
        let mut request = Self::empty();
        let mut errors = Vec::new();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("migrations")) {
            let options = attribute.meta.require_list().and_then(|list| list.parse_args::<Options>());
            match options {
                Ok(options) => request.add(options),
                Err(error) => errors.push(error),
            }
        }
        // Attributes that only name `external` or `crate` mean the usual folder, as none at all does.
        if request.folders.is_empty() && errors.is_empty() {
            let dir = LitStr::new(USUAL_FOLDER, whole);
            request.folders.push(FolderRequest { dir, context: None, layout: None });
        }
        let error = errors.into_iter().reduce(|mut all, error| {
            all.combine(error);
            all
        });
        (request, error)
    }

    /// The arguments of `migrate!(…)`.
    pub(crate) fn from_arguments(tokens: proc_macro2::TokenStream) -> (Self, Option<syn::Error>) {
        let mut request = Self::empty();
        match syn::parse2::<Options>(tokens) {
            Ok(mut options) => {
                options.dir.get_or_insert_with(|| LitStr::new(USUAL_FOLDER, Span::call_site()));
                request.add(options);
                (request, None)
            }
            Err(error) => (request, Some(error)),
        }
    }

    /// One folder, by its usual meaning.
    pub(crate) fn of_folder(dir: LitStr) -> Self {
        let folder = FolderRequest { dir, context: None, layout: None };
        Self { folders: vec![folder], ..Self::empty() }
    }

    fn empty() -> Self {
        let library = syn::parse_quote!(::habitat_migrate);
        Self { folders: Vec::new(), external: Vec::new(), library }
    }

    fn add(&mut self, options: Options) {
        let Options { dir, context, layout, external, library } = options;
        self.external.extend(external);
        if let Some(library) = library {
            self.library = library;
        }
        let said = context.as_ref().or(layout.as_ref().map(|(text, _)| text)).map(LitStr::span);
        let dir = dir.or_else(|| Some(LitStr::new(USUAL_FOLDER, said?)));
        let layout = layout.map(|(_, layout)| layout);
        self.folders.extend(dir.map(|dir| FolderRequest { dir, context, layout }));
    }
}

/// The folder that is meant where none is named.
const USUAL_FOLDER: &str = "migrations";

/// The comma-separated options of one attribute or one macro call.
#[derive(Default)]
struct Options {
    dir: Option<LitStr>,
    context: Option<LitStr>,
    layout: Option<(LitStr, Layout)>,
    external: Vec<LitStr>,
    library: Option<Path>,
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut options = Self::default();
        if input.peek(LitStr) {
            options.dir = Some(filled("a folder", input.parse()?)?);
        } else if !input.is_empty() {
            options.option(input)?;
        }
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            if input.peek(LitStr) {
                let message = "one call embeds one folder; derive `Migrations` with one `#[migrations(dir = \"…\")]` \
                               for each folder to embed several";
                return Err(input.error(message));
            }
            options.option(input)?;
        }
        Ok(options)
    }
}

impl Options {
    /// Reads one `key = value` or `external("a", "b")`.
    fn option(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        let key = Ident::parse_any(input).map_err(|error| {
            syn::Error::new(error.span(), format!("expected a folder or a key; {KEYS_ARE}"))
        })?;
        let name = key.to_string();
        match name.as_str() {
            "dir" => once(&key, &mut self.dir, filled("a folder", value(input)?)?),
            "context" => once(&key, &mut self.context, filled("a context", value(input)?)?),
            "layout" => {
                let text = value(input)?;
                let layout = text.value().parse().map_err(|error| syn::Error::new(text.span(), error))?;
                once(&key, &mut self.layout, (text, layout))
            }
            "crate" => {
                input.parse::<Token![=]>()?;
                once(&key, &mut self.library, Path::parse_mod_style(input)?)
            }
            "external" if input.peek(token::Paren) => {
                let names;
                parenthesized!(names in input);
                for name in Punctuated::<LitStr, Token![,]>::parse_terminated(&names)? {
                    self.external.push(filled("a context", name)?);
                }
                Ok(())
            }
            "external" => {
                self.external.push(filled("a context", value(input)?)?);
                Ok(())
            }
            _ => Err(syn::Error::new(key.span(), unknown(&name))),
        }
    }
}

pub(crate) fn value(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    input.parse()
}

pub(crate) fn once<T>(key: &Ident, place: &mut Option<T>, value: T) -> syn::Result<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) if key == "dir" => Err(syn::Error::new(
            key.span(),
            "`dir` is given twice; write a `#[migrations(…)]` of its own for each folder",
        )),
        Some(_) => Err(syn::Error::new(key.span(), format!("`{key}` is given twice"))),
    }
}

pub(crate) fn filled(what: &str, text: LitStr) -> syn::Result<LitStr> {
    if text.value().trim().is_empty() {
        return Err(syn::Error::new(text.span(), format!("{what} has a name that is not empty")));
    }
    Ok(text)
}

/// Says that there is no such key, and which one was probably meant.
fn unknown(name: &str) -> String {
    let meant = match name {
        "path" | "folder" | "directory" | "source" => Some("dir"),
        "module" | "name" | "schema" => Some("context"),
        "library" | "krate" => Some("crate"),
        "format" | "tool" | "style" => Some("layout"),
        _ => KEYS.into_iter().find(|key| resembles(name, key)),
    };
    match meant {
        Some(meant) => format!("unknown key `{name}`; did you mean `{meant}`?"),
        None => format!("unknown key `{name}`; {KEYS_ARE}"),
    }
}

const KEYS: [&str; 5] = ["dir", "context", "layout", "external", "crate"];
const KEYS_ARE: &str = "the keys are `dir`, `context`, `layout`, `external` and `crate`";

/// Whether a few slips of the finger lie between two words.
pub(crate) fn resembles(typed: &str, meant: &str) -> bool {
    let (mut letters, meant): (Vec<char>, Vec<char>) = (typed.chars().collect(), meant.chars().collect());
    let mut swapped = meant.clone();
    letters.sort_unstable();
    swapped.sort_unstable();
    if letters == swapped {
        return true;
    }
    let mut above: Vec<usize> = (0..=meant.len()).collect();
    for (row, character) in typed.chars().enumerate() {
        let mut here = vec![row + 1];
        for (column, &other) in meant.iter().enumerate() {
            let replaced = above[column] + usize::from(character != other);
            here.push(replaced.min(above[column + 1] + 1).min(here[column] + 1));
        }
        above = here;
    }
    above[meant.len()] <= meant.len().div_ceil(3)
}
