//! What can be asked, and who answers. In: a method and its parameters. Out: the result as the protocol wants it, or why there is none.

use lsp_server::ErrorCode;
use lsp_types::{
    CompletionParams, DocumentFormattingParams, DocumentSymbolParams, FoldingRangeParams, GotoDefinitionParams, Hover, HoverContents,
    HoverParams, Location, MarkupContent, MarkupKind, Position, ReferenceParams, RenameParams, SemanticTokens, SemanticTokensParams,
    SemanticTokensRangeParams, TextDocumentIdentifier, TextDocumentPositionParams, TextEdit, Uri,
};
use scn_grammar::source::FileId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cursor::{cut, word_at};
use crate::places::{name_of, uri_of};
use crate::positions::Lines;
use crate::server::Server;
use crate::{colours, complete, hover, navigate, rename, symbols};

/// A result, or why there is none.
pub type Answer = Result<Value, (ErrorCode, String)>;

/// Parameters as their type.
///
/// # Errors
/// They are not of that type.
pub fn read<P: DeserializeOwned>(params: Value) -> Result<P, (ErrorCode, String)> {
    serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))
}

fn wrap(value: impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| (ErrorCode::InternalError, error.to_string()))
}

/// What the server can do, told at the beginning.
///
/// # Errors
/// Never; it is an answer like others.
pub fn capabilities() -> Answer {
    Ok(json!({
        "serverInfo": { "name": "scn", "version": env!("CARGO_PKG_VERSION") },
        "capabilities": {
            "positionEncoding": "utf-16",
            "textDocumentSync": { "openClose": true, "change": 2, "save": true },
            "hoverProvider": true,
            "definitionProvider": true,
            "referencesProvider": true,
            "completionProvider": { "triggerCharacters": [".", " ", ":", "("] },
            "renameProvider": { "prepareProvider": true },
            "documentFormattingProvider": true,
            "documentSymbolProvider": true,
            "foldingRangeProvider": true,
            "semanticTokensProvider": {
                "legend": { "tokenTypes": colours::SORTS, "tokenModifiers": colours::MODIFIERS },
                "full": true,
                "range": true,
            },
        },
    }))
}

/// Answers a request.
///
/// # Errors
/// The method is unknown, or its parameters are wrong, or what it asks for cannot be.
pub fn answer(server: &mut Server, method: &str, params: Value) -> Answer {
    match method {
        "textDocument/hover" => hovered(server, read(params)?),
        "textDocument/definition" => defined(server, read(params)?),
        "textDocument/references" => referred(server, read(params)?),
        "textDocument/completion" => completed(server, read(params)?),
        "textDocument/prepareRename" => renamable(server, read(params)?),
        "textDocument/rename" => renamed(server, read(params)?),
        "textDocument/formatting" => formatted(server, read(params)?),
        "textDocument/documentSymbol" => {
            let params: DocumentSymbolParams = read(params)?;
            of_text(server, &params.text_document, |text| wrap(symbols::symbols(text, &cut(text), &Lines::of(text))))
        }
        "textDocument/foldingRange" => {
            let params: FoldingRangeParams = read(params)?;
            of_text(server, &params.text_document, |text| wrap(symbols::folds(text, &cut(text), &Lines::of(text))))
        }
        "textDocument/semanticTokens/full" => {
            let params: SemanticTokensParams = read(params)?;
            of_text(server, &params.text_document, |text| coloured(text, None))
        }
        "textDocument/semanticTokens/range" => {
            let params: SemanticTokensRangeParams = read(params)?;
            of_text(server, &params.text_document, |text| coloured(text, Some(params.range)))
        }
        _ => Err((ErrorCode::MethodNotFound, format!("`{method}` is not known"))),
    }
}

/// What can be told from the text alone; of a document that is not open, nothing.
fn of_text(server: &Server, document: &TextDocumentIdentifier, tell: impl FnOnce(&str) -> Answer) -> Answer {
    server.documents.get(&name_of(&document.uri)).map_or(Ok(Value::Null), |open| tell(&open.text))
}

/// The colours of a text, or of a part of it.
fn coloured(text: &str, part: Option<lsp_types::Range>) -> Answer {
    let lines = Lines::of(text);
    let shown = part.map_or(0..text.len(), |part| lines.byte(text, part.start)..lines.byte(text, part.end));
    wrap(SemanticTokens { result_id: None, data: colours::tokens(text, &cut(text), &lines, &shown) })
}

/// An open document's name, text and byte.
fn place(server: &Server, uri: &Uri, position: Position) -> Option<(String, std::sync::Arc<str>, usize)> {
    let name = name_of(uri);
    let text = server.documents.get(&name)?.text.clone();
    let byte = Lines::of(&text).byte(&text, position);
    Some((name, text, byte))
}

fn hovered(server: &mut Server, params: HoverParams) -> Answer {
    let at = params.text_document_position_params;
    let Some((name, text, byte)) = place(server, &at.text_document.uri, at.position) else { return Ok(Value::Null) };
    let found = hover::hover(&text, &cut(&text), server.fresh(&name), byte);
    wrap(found.map(|(value, range)| Hover {
        contents: HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value }),
        range: Some(Lines::of(&text).range(&text, range.start, range.end)),
    }))
}

fn completed(server: &mut Server, params: CompletionParams) -> Answer {
    let at = params.text_document_position;
    let Some((name, text, byte)) = place(server, &at.text_document.uri, at.position) else { return Ok(Value::Null) };
    // The last check will do: what is being written just now is in the text.
    wrap(complete::complete(&text, &cut(&text), server.analyses.get(&name), byte))
}

fn defined(server: &mut Server, params: GotoDefinitionParams) -> Answer {
    let at = params.text_document_position_params;
    let Some((name, _, byte)) = place(server, &at.text_document.uri, at.position) else { return Ok(Value::Null) };
    server.fresh(&name);
    let Server { analyses, disk, .. } = server;
    wrap(analyses.get(&name).and_then(|analysis| navigate::definition(analysis, byte, &mut **disk)))
}

fn referred(server: &mut Server, params: ReferenceParams) -> Answer {
    let at = params.text_document_position;
    let Some((name, _, byte)) = place(server, &at.text_document.uri, at.position) else { return Ok(Value::Null) };
    server.fresh(&name);
    let Server { analyses, disk, documents, roots, .. } = server;
    let Some(analysis) = analyses.get(&name) else { return Ok(Value::Null) };
    let Some(target) = navigate::target(analysis, byte) else { return Ok(Value::Null) };
    let found = navigate::uses(&target, analysis, documents, roots, &mut **disk);
    let mut all: Vec<Location> = Vec::new();
    let mut add = |name: &str, range| all.extend(uri_of(name).map(|uri| Location { uri, range }));
    if let Some((name, range)) = found.declared.filter(|_| params.context.include_declaration) {
        add(&name, range);
    }
    found.places.iter().for_each(|(name, places)| places.iter().for_each(|(_, range)| add(name, *range)));
    wrap(all)
}

fn renamable(server: &mut Server, at: TextDocumentPositionParams) -> Answer {
    let Some((name, text, byte)) = place(server, &at.text_document.uri, at.position) else { return Ok(Value::Null) };
    server.fresh(&name);
    let Some(target) = server.analyses.get(&name).and_then(|analysis| navigate::target(analysis, byte)) else { return Ok(Value::Null) };
    rename::changeable(&target.text, &target.word, &*server.disk).map_err(|why| (ErrorCode::RequestFailed, why))?;
    let word = word_at(&text, byte);
    wrap(Lines::of(&text).range(&text, word.start, word.end))
}

fn renamed(server: &mut Server, params: RenameParams) -> Answer {
    let at = params.text_document_position;
    let Some((name, _, byte)) = place(server, &at.text_document.uri, at.position) else { return Ok(Value::Null) };
    server.fresh(&name);
    let Server { analyses, disk, documents, roots, .. } = server;
    let Some(analysis) = analyses.get(&name) else { return Ok(Value::Null) };
    let Some(target) = navigate::target(analysis, byte) else {
        return Err((ErrorCode::RequestFailed, "no name that a scenario declares stands here".to_owned()));
    };
    let changes = rename::rename(&target, &params.new_name, analysis, documents, roots, &mut **disk);
    let changes = changes.map_err(|why| (ErrorCode::RequestFailed, why))?;
    let mut by_uri = serde_json::Map::new();
    for (name, edits) in changes {
        // A client knows an open document by the URI that it gave.
        let uri = documents.get(&name).map(|open| open.uri.clone()).or_else(|| uri_of(&name));
        if let Some(uri) = uri {
            by_uri.insert(uri.as_str().to_owned(), wrap(edits)?);
        }
    }
    Ok(json!({ "changes": by_uri }))
}

/// One edit of the whole text, or none; a text that cannot be read stays as it is, and its problems say why.
fn formatted(server: &mut Server, params: DocumentFormattingParams) -> Answer {
    of_text(server, &params.text_document, |text| {
        let edits: Vec<TextEdit> = match scn_grammar::format::format(FileId(0), text) {
            Ok(formatted) if formatted != text => {
                vec![TextEdit { range: Lines::of(text).range(text, 0, text.len()), new_text: formatted }]
            }
            _ => Vec::new(),
        };
        wrap(edits)
    })
}
