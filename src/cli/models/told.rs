//! What a near model server tells of a model, put into words for whoever chooses or lists it. Pure but for the lines that
//! it prints.
use crate::clean::clean;
use crate::cli::Context;
use crate::cli::parse::nearest;
use crate::models::provider::Provider;
use crate::models::resolve;
use crate::models::window::{self, Refusal, Told};

/// What a server has told of the model, as far as it is worth a word; gives the window to be written.
pub fn window_told(context: &Context, provider: &Provider, own: Option<u64>, told: &Told) -> Option<u64> {
    let model = clean(&provider.model);
    if let Some(refusal) = told.refusal {
        context.out.warn(&format!("note: {}", refused(provider, refusal)));
        return None;
    }
    if told.models.is_empty() {
        context.out.warn(&format!(
            "note: {} has no list of its models; openclaw models test asks whether it has {model}",
            clean(&provider.base_url)
        ));
        return None;
    }
    if !told.models.iter().any(|served| window::same(served, &provider.model)) {
        let served = told.models.iter().map(String::as_str);
        let kin = nearest(family(&provider.model), served.clone().map(family));
        let near = kin.and_then(|kin| served.clone().find(|name| family(name) == kin));
        let hint = match near {
            Some(near) => format!("; did you mean {}/{}?", provider.id, clean(near)),
            None => format!("; it has {}", clean(&served.take(5).collect::<Vec<_>>().join(", "))),
        };
        context
            .out
            .warn(&format!("note: the server at {} has no model {model}{hint}", clean(&provider.base_url)));
        return None;
    }
    match (own, told.window) {
        (Some(own), Some(window)) if window.is_served && window.tokens < own => {
            context.out.warn(&format!(
                "note: its server gives {model} {} tokens, the configuration says {own}: set contextWindow to that",
                window.tokens
            ));
            None
        }
        (Some(_), _) => None,
        (None, Some(window)) if window.is_served => {
            context.out.warn(&format!("note: {model} takes {} tokens, as its server says", window.tokens));
            Some(window.tokens)
        }
        (None, Some(window)) => {
            context.out.warn(&format!("note: {}", unloaded(&model, window.tokens)));
            None
        }
        (None, None) => {
            context.out.warn(&format!(
                "note: nobody says how many tokens {model} takes, {} are assumed: set contextWindow beside it",
                resolve::CONTEXT_WINDOW
            ));
            None
        }
    }
}

/// What a server answered that gave no list, and what may help.
fn refused(provider: &Provider, refusal: Refusal) -> String {
    let (url, id) = (clean(&provider.base_url), &provider.id);
    match refusal {
        Refusal::Key(status) => {
            format!("the server at {url} refuses the key ({status}): correct models.providers.{id}.apiKey")
        }
        Refusal::Failed(status) => {
            format!(
                "the server at {url} answers with an error ({status}): look at its log, then do this again"
            )
        }
        Refusal::Strange => format!(
            "what answers at {url} does not speak as a model server does: correct models.providers.{id}.baseUrl"
        ),
    }
}

/// What is said of a model whose window its server makes up its mind about when it loads the model.
pub fn unloaded(model: &str, most: u64) -> String {
    format!(
        "{model} is not loaded: it could take {most} tokens, what its server gives it shows then and each turn asks; set contextWindow beside it to fix it"
    )
}

/// A model's name without what comes behind its colon.
fn family(model: &str) -> &str {
    model.split(':').next().unwrap_or(model)
}
