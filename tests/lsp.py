"""A client of `scn lsp`, made with pytest-lsp: every request on real files, and what no client should send. The environment names the
command (SCN) and the folder for files (PLACE). Run by `python -m pytest`; also measures answers in a long file when LONG is set."""

import asyncio
import json
import os
import pathlib
import statistics
import subprocess
import time

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

SCN = os.environ["SCN"]
PLACE = pathlib.Path(os.environ["PLACE"])

SCENARIO = """scn 1

use std.patterns (sym)
use std.failover
use "./more.scn" (ping)

## The longest silence that clients bear.
let budget = 1.5s

## Clients talk: ä𝄞.
scenario talk {
    topology {
        node client, server
        link wan: client <-> server { delay 20ms }
    }
    flow steady from client to server {
        pattern sym(1KiB)
        rate 100/s
    }
    flow other from client to server { pattern ping  total 3 }
    timeline {
        at 2s for 1s  silence wan  as failure
        at 5s         stop steady
    }
    expect {
        steady.outage.max < budget + 1s
        steady.latency.p99 < 200ms  before failure
        failover.survives(steady, failure, 3s)
        other.loss == 0%  note_here
    }
}
""".replace("  note_here", "")
MORE = "scn 1\n\n## Once there and back.\npattern ping(n: size = 1B) {\n    client sends n\n    server echoes\n}\n"


@pytest_lsp.fixture(config=ClientServerConfig(server_command=[SCN, "lsp"]))
async def client(lsp_client: LanguageClient):
    params = types.InitializeParams(
        capabilities=client_capabilities("visual-studio-code"),
        workspace_folders=[types.WorkspaceFolder(uri=PLACE.as_uri(), name="place")],
    )
    await lsp_client.initialize_session(params)
    yield
    await lsp_client.shutdown_session()


def document(name):
    return types.TextDocumentIdentifier(uri=(PLACE / name).as_uri())


def opened(client, name, text):
    (PLACE / name).write_text(text)
    item = types.TextDocumentItem(uri=document(name).uri, language_id="scn", version=1, text=text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(text_document=item))


def changed(client, name, version, *changes):
    identifier = types.VersionedTextDocumentIdentifier(uri=document(name).uri, version=version)
    client.text_document_did_change(types.DidChangeTextDocumentParams(text_document=identifier, content_changes=list(changes)))


def whole(text):
    return types.TextDocumentContentChangeWholeDocument(text=text)


async def codes(client, name, wanted):
    """Waits until the problems of a document are these."""
    for _ in range(100):
        found = [d.code for d in client.diagnostics.get(document(name).uri, [])]
        if wanted(found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{name}: {client.diagnostics}")


def position(text, words, offset=0):
    """Where words stand, `offset` characters into them, in UTF-16 units."""
    before = text[: text.index(words) + offset]
    line = before.count("\n")
    return types.Position(line=line, character=len(before.rsplit("\n", 1)[-1].encode("utf-16-le")) // 2)


async def hover(client, text, words, offset=1):
    params = types.HoverParams(text_document=document("a.scn"), position=position(text, words, offset))
    found = await client.text_document_hover_async(params)
    return found.contents.value


async def complete(client, text, words):
    """What is offered when `words` stand in the place of the flow's expectation."""
    changed(client, "a.scn", 7, whole(text))
    params = types.CompletionParams(text_document=document("a.scn"), position=position(text, words, len(words)))
    found = await client.text_document_completion_async(params)
    return [item.label for item in (found if isinstance(found, list) else found.items)]


@pytest.fixture
def ready(client):
    (PLACE / "more.scn").write_text(MORE)
    opened(client, "a.scn", SCENARIO)
    return client


@pytest.mark.asyncio
async def test_problems_come_and_go(client):
    (PLACE / "more.scn").write_text(MORE)
    broken = SCENARIO.replace("rate 100/s", "rate 100ms")
    opened(client, "a.scn", broken)
    found = await codes(client, "a.scn", bool)
    assert all(code.startswith("scn::") for code in found), found
    start = position(broken, "100ms")
    end = types.Position(line=start.line, character=start.character + 5)
    changed(client, "a.scn", 2, types.TextDocumentContentChangePartial(range=types.Range(start=start, end=end), text="100/s"))
    await codes(client, "a.scn", lambda found: not found)
    opened(client, "more.scn", MORE.replace("sends", "sendz"))
    await codes(client, "more.scn", bool)


@pytest.mark.asyncio
async def test_hover(ready):
    assert "silence that clients bear" in await hover(ready, SCENARIO, "budget + 1s")
    assert "`1500ms`" in await hover(ready, SCENARIO, "budget + 1s")
    assert "`1.5s` = `1500ms`" in await hover(ready, SCENARIO, "1.5s")
    assert "a metric: duration" in await hover(ready, SCENARIO, "p99")
    assert "arrives this much later" in await hover(ready, SCENARIO, "delay 20ms")
    assert "Once there and back" in await hover(ready, SCENARIO, "ping  total")


@pytest.mark.asyncio
async def test_definition_and_references(ready):
    params = types.DefinitionParams(text_document=document("a.scn"), position=position(SCENARIO, "survives", 2))
    found = await ready.text_document_definition_async(params)
    path = pathlib.Path(found.uri.removeprefix("file://"))
    line = path.read_text().splitlines()[found.range.start.line]
    assert path.name == "failover.scn" and line.startswith("check survives"), found
    params = types.DefinitionParams(text_document=document("a.scn"), position=position(SCENARIO, "ping  total", 2))
    found = await ready.text_document_definition_async(params)
    assert (found.uri, found.range.start.line) == (document("more.scn").uri, 3)
    params = types.ReferenceParams(text_document=document("a.scn"), position=position(SCENARIO, "steady from", 2),
                                   context=types.ReferenceContext(include_declaration=True))
    found = await ready.text_document_references_async(params)
    assert [place.range.start.line for place in found] == [15, 22, 25, 26, 27], found


@pytest.mark.asyncio
async def test_completion(ready):
    text = SCENARIO.replace("rate 100/s", "rate 100/s\n        conn")
    assert "connections" in await complete(ready, text, "conn")
    text = SCENARIO.replace("other.loss == 0%", "other.")
    offered = await complete(ready, text, "  other.")
    assert "outage.max" in offered and "connections" in offered, offered
    text = SCENARIO.replace("p99 < 200ms", "p99 < 200")
    offered = await complete(ready, text, "p99 < 200")
    assert "200ms" in offered and "200MiB" not in offered, offered


@pytest.mark.asyncio
async def test_rename(ready):
    params = types.RenameParams(text_document=document("a.scn"), position=position(SCENARIO, "ping  total", 2), new_name="pong")
    found = await ready.text_document_rename_async(params)
    assert {uri: len(edits) for uri, edits in found.changes.items()} == {document("a.scn").uri: 2, document("more.scn").uri: 1}
    for words, name in [("survives", "other_name"), ("ping  total", "no name"), ("steady from", "client")]:
        params = types.RenameParams(text_document=document("a.scn"), position=position(SCENARIO, words, 2), new_name=name)
        with pytest.raises(Exception) as refused:
            await ready.text_document_rename_async(params)
        assert "name" in str(refused.value) or "project" in str(refused.value), refused


@pytest.mark.asyncio
async def test_shape(ready):
    text = SCENARIO.replace("        rate 100/s", "  rate 100/s")
    changed(ready, "a.scn", 2, whole(text))
    options = types.FormattingOptions(tab_size=4, insert_spaces=True)
    edits = await ready.text_document_formatting_async(types.DocumentFormattingParams(text_document=document("a.scn"), options=options))
    assert len(edits) == 1 and "        rate 100/s\n" in edits[0].new_text
    symbols = await ready.text_document_document_symbol_async(types.DocumentSymbolParams(text_document=document("a.scn")))
    assert [symbol.name for symbol in symbols] == ["budget", "talk"]
    assert [symbol.name for symbol in symbols[1].children] == ["client", "server", "wan", "steady", "other", "failure"]
    folds = await ready.text_document_folding_range_async(types.FoldingRangeParams(text_document=document("a.scn")))
    assert len(folds) == 5, folds
    tokens = await ready.text_document_semantic_tokens_full_async(types.SemanticTokensParams(text_document=document("a.scn")))
    assert len(tokens.data) % 5 == 0 and len(tokens.data) > 300


@pytest.mark.asyncio
async def test_places_beyond_the_text(ready):
    far = types.Position(line=2_000_000_000, character=2_000_000_000)
    assert await ready.text_document_hover_async(types.HoverParams(text_document=document("a.scn"), position=far)) is None
    await ready.text_document_completion_async(types.CompletionParams(text_document=document("a.scn"), position=far))
    changed(ready, "a.scn", 3, types.TextDocumentContentChangePartial(range=types.Range(start=far, end=far), text="x"))
    await codes(ready, "a.scn", bool)


def frame(body):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_nonsense_does_not_end_it():
    uri = document("huge.scn").uri
    huge = "scn 1\n" + "scenario s { flow " * 40_000 + "\n" + "{" * 100_000
    sent = [
        b"rubbish without a head\r\n\r\n",
        frame(b"{not json"),
        frame(b"\xff\xfe\x00"),
        frame([1, 2, 3]),
        frame({"jsonrpc": "2.0", "id": 1, "method": "textDocument/hover", "params": {}}),
        frame({"jsonrpc": "2.0", "id": 2, "method": "initialize", "params": {"capabilities": {}}}),
        frame({"jsonrpc": "2.0", "id": 3, "method": "textDocument/hover", "params": {"position": {"line": -1}}}),
        frame({"jsonrpc": "2.0", "method": "textDocument/didOpen",
               "params": {"textDocument": {"uri": uri, "languageId": "scn", "version": 1, "text": huge}}}),
        frame({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"textDocument": 5}}),
        frame({"jsonrpc": "2.0", "id": 4, "method": "textDocument/semanticTokens/full", "params": {"textDocument": {"uri": uri}}}),
        frame({"jsonrpc": "2.0", "id": 5, "method": "shutdown"}),
        frame({"jsonrpc": "2.0", "method": "exit"}),
    ]
    ended = subprocess.run([SCN, "lsp"], input=b"".join(sent), capture_output=True, timeout=60)
    assert ended.returncode == 0, ended
    answers, rest = [], ended.stdout
    while rest:
        head, rest = rest.split(b"\r\n\r\n", 1)
        length = int(head.removeprefix(b"Content-Length: "))
        answers.append(json.loads(rest[:length]))
        rest = rest[length:]
    errors = {answer.get("id"): answer["error"]["code"] for answer in answers if "error" in answer}
    assert errors == {None: -32700, 1: -32002, 3: -32602}, answers
    assert {answer.get("id") for answer in answers if "result" in answer} == {2, 4, 5}, answers


@pytest.mark.asyncio
@pytest.mark.skipif("LONG" not in os.environ, reason="LONG names how many lines to measure with")
async def test_answers_come_at_once(client):
    count = int(os.environ["LONG"]) // 20
    one = SCENARIO[SCENARIO.index("## Clients"):].replace("flow other from client to server { pattern ping  total 3 }\n", "\n").replace(
        "other.loss == 0%", "steady.loss == 0%")
    text = "scn 1\n\nuse std.patterns (sym)\nuse std.failover\n\nlet budget = 1.5s\n\n" + "\n".join(
        one.replace("scenario talk", f"scenario talk{number}") for number in range(count))
    opened(client, "long.scn", text)
    await codes(client, "long.scn", lambda found: not found)
    place = position(text, "steady.outage", 0)
    for name, ask in [
        ("completion", lambda: client.text_document_completion_async(types.CompletionParams(text_document=document("long.scn"), position=place))),
        ("hover", lambda: client.text_document_hover_async(types.HoverParams(text_document=document("long.scn"), position=place))),
        ("tokens", lambda: client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(text_document=document("long.scn")))),
        ("tokens of 60 lines", lambda: client.text_document_semantic_tokens_range_async(types.SemanticTokensRangeParams(
            text_document=document("long.scn"), range=types.Range(start=types.Position(3000, 0), end=types.Position(3060, 0))))),
    ]:
        times = []
        for version in range(30):
            key = types.TextDocumentContentChangePartial(range=types.Range(start=place, end=place), text=" ")
            changed(client, "long.scn", version + 2, key)
            started = time.monotonic()
            await ask()
            times.append((time.monotonic() - started) * 1000)
        print(f"{text.count(chr(10))} lines, {name} after a key: median {statistics.median(times):.1f} ms, most {max(times):.1f} ms")
