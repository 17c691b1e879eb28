"""Reads scenarios as editors do. Arguments: `tree-sitter`, `textmate` or `vim`; the repository; a folder of scenarios that scn reads without a
syntax error and of `problems.txt`, what `scn check --message-format short` says of a broken one. Says what is wrong, one line each, and ends
with 1 if anything is; otherwise prints how much it read."""

import ctypes
import hashlib
import json
import logging
import pathlib
import re
import subprocess
import sys
import tempfile

# Texts that scn refuses for what a parser of any editor must see: the error is expected.
BROKEN = [
    'scn 1\nlet a = "open\n',
    "scn 1\nscenario s {\n    timeout 1s\n",
    "scn 1\nscenario s {\n}\n}\n",
    "scn 1\nlet a = (1 + 2\nlet b = 3\n",
    "scn 1\nlet a = [1, 2\nlet b = 3\n",
    "scn 1\nlet a = 1 +\n",
    'scn 1\nlet a = """open\n',
]

# A text, and what each of its words is to the tree-sitter queries: (line, word, capture).
SHOWN = """scn 1
## What it is.
use std.patterns (sym)
pattern talk(size: size = 1KiB) {
    client sends size   # a comment
    server expects line /^250 #(?<who>.)/
    choose { 70% { server echoes }  30% { server sends "a ${who} # b\\r\\n" } }
}
scenario s {
    topology {
        node a, `node`
        link wan: a 2001:db8::1/64 <-> b 10.0.0.1/24 { delay 20ms  loss 0.1% }
    }
    flow f from a to b:5060 over udp { pattern talk(1KiB)  rate 50/s }
    timeline { at 3s for 2s   down wan   as failure }
    expect {
        always f.latency.p99 < 20ms before failure and stays
        check.loss / 2 == 0%
        f.output matches /a/
    }
}
"""
TREE = [
    (1, "scn", "keyword"), (2, "## What it is.", "comment.documentation"), (3, "use", "keyword.import"), (4, "pattern", "keyword"),
    (4, "talk", "function"), (4, "1KiB", "number"), (4, "KiB", "type"), (5, "client", "variable.builtin"), (5, "sends", "keyword"),
    (5, "# a comment", "comment"), (6, "line", "keyword"), (6, "/^250 #(?<who>.)/", "string.regexp"), (7, "choose", "keyword"),
    (7, "${", "punctuation.special"), (7, "\\r", "string.escape"), (9, "s", "function"), (11, "node", "keyword"), (12, "link", "keyword"),
    (12, "2001:db8::1/64", "constant"), (12, "10.0.0.1/24", "constant"), (12, "<->", "operator"), (12, "delay", "attribute"),
    (14, "flow", "keyword"), (14, "over", "keyword"), (14, "udp", "constant.builtin"), (14, "5060", "number"), (14, "rate", "attribute"),
    (15, "at", "keyword"), (15, "for", "keyword"), (15, "down", "keyword"), (15, "as", "keyword"), (17, "always", "keyword"),
    (17, "p99", "property"), (17, "before", "keyword"), (17, "stays", "keyword"), (18, "/", "operator"), (18, "loss", "property"),
    (19, "matches", "keyword.operator"), (19, "/a/", "string.regexp"),
]
# The same for TextMate: the beginning of the innermost scope.
SCOPES = [
    (1, "scn", "keyword.control.version"), (2, "## What it is.", "comment.line.documentation"), (3, "use", "keyword.control.import"),
    (3, "std.patterns", "entity.name.namespace"), (4, "pattern", "keyword.declaration"), (4, "talk", "entity.name.function"),
    (4, "KiB", "keyword.other.unit"), (5, "client", "variable.language.side"), (5, "sends", "keyword.other.step"),
    (5, "# a comment", "comment.line"), (6, "250 #", "string.regexp"), (6, "who", "variable.other.capture"), (7, "choose", "keyword.control"),
    (7, "${", "punctuation.section.embedded"), (7, "\\r\\n", "constant.character.escape"), (7, " # b", "string.quoted.double"),
    (9, "scenario", "keyword.declaration"), (9, "s", "entity.name.type"), (11, "node", "keyword.other.topology"),
    (11, "`node`", "variable.other.quoted"), (12, "2001:db8::1/64", "constant.other.address"), (12, "10.0.0.1/24", "constant.other.address"),
    (12, "<->", "keyword.operator.link"), (12, "delay", "keyword.other.option"), (12, "%", "keyword.other.unit"),
    (14, "flow", "keyword.declaration"), (14, "udp", "support.constant.transport"), (14, "5060", "constant.numeric"),
    (14, "/s", "keyword.other.unit"), (15, "at", "keyword.control.when"), (15, "down", "keyword.other.verb"),
    (15, "failure", "entity.name.tag.event"), (17, "always", "keyword.control.expect"), (17, "p99", "support.variable.metric"),
    (17, "before", "keyword.other.clause"), (18, "check", None), (18, "/", "keyword.operator.arithmetic"), (19, "matches", "keyword.operator.word"),
    (19, "a", "string.regexp"),
]
# The same for Vim: the group without `scn`, at the word's first character; none: not coloured as anything.
GROUPS = [
    (1, "scn", "Version"), (2, "## What", "Doc"), (3, "use", "Import"), (4, "pattern", "Pattern"), (4, "talk", "PatternName"),
    (4, "size: size", "Label"), (4, "size = ", "Type"), (4, "1KiB", "Number"), (4, "KiB", "Unit"), (5, "client", "Side"), (5, "sends", "Step"),
    (5, "# a", "Comment"), (6, "line", "Step"), (6, "/^250", "Regex"), (6, "#(", "Regex"), (6, "who", "Capture"), (7, "choose", "Step"),
    (7, "server", "Side"), (7, "${", "HoleSign"), (7, "# b", "Text"), (7, "\\r", "Escape"), (9, "scenario", "Declare"), (9, "s {", "Declared"),
    (10, "topology", "Topology"), (11, "node", "TopologyWord"), (11, "`node`", "Quoted"), (12, "link", "TopologyWord"),
    (12, "2001:", "Address"), (12, "10.0.0.1/24", "Address"), (12, "<->", "Operator"), (12, "delay", "Option"), (12, "%", "Unit"),
    (14, "flow", "Declare"), (14, "from", "Clause"), (14, "udp", "Transport"), (14, "5060", "Number"), (14, "rate", "Option"), (14, "/s", "Unit"),
    (15, "at", "When"), (15, "down", "Verb"), (15, "wan", None), (15, "as", "Clause"), (17, "always", "Judge"), (17, "p99", "Metric"),
    (17, "stays", "Clause"), (18, "check", None), (18, "/", "Operator"), (19, "matches", "OperatorWord"), (19, "/a/", "Regex"),
]
# What Vim must indent so: braces that are none, texts over lines, parentheses over lines, `else`.
INDENTED = """scn 1
scenario s {
    process lb on a {
        file "{" = \"""
              kept {
           as it is
            \"""
        run "lb"    # {
    }
    pattern p {
        server expects /^{$/
        choose {
            70% { client sends "(" }
            30% {
                client sends max(
                    1KiB,
                    2KiB
                )
            }
        }
    }
    if a {
        tags x
    } else {
        tags y
    }
}
"""
# Opens each file of a list, writes what it sees as JSON.
VIM = """
set nocompatible nomore
let &runtimepath = '{place},' . &runtimepath
filetype plugin indent on
syntax on
function! Groups() abort
  return map(range(1, line('$')), {{_, l -> map(range(1, col([l, '$']) - 1), {{_, c -> synIDattr(synID(l, c, 1), 'name')}})}})
endfunction
let s:seen = []
for s:file in readfile('{list}')
  execute 'edit!' fnameescape(s:file)
  let s:one = {{'file': s:file, 'type': &filetype, 'text': getline(1, '$'), 'groups': Groups()}}
  if s:file =~# 'reindent'
    normal! gg=G
    let s:one.indented = getline(1, '$')
  endif
  call add(s:seen, s:one)
endfor
compiler scn
cgetfile {problems}
let s:told = map(getqflist(), {{_, q -> [fnamemodify(bufname(q.bufnr), ':t'), q.lnum, q.col, q.type, q.valid]}})
call writefile([json_encode({{'files': s:seen, 'told': s:told, 'make': &makeprg}})], '{out}')
qall!
"""
# What TextMate must mark as wrong: a text and the words so marked.
ILLEGAL = [('let a = "open', "open"), ("timeout 5sec", "5sec"), ('let a = "\\q"', "\\q"), ('let a = hex"0g"', "0g"), ("}", "}")]


def scenarios(folder):
    """The scenarios to read, in a fixed order."""
    files = sorted(pathlib.Path(folder).glob("*.scn"))
    assert len(files) >= 40, f"only {len(files)} scenarios to read"
    return files


def tree_sitter_language(source):
    """Compiles the committed parser."""
    import tree_sitter

    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/scn.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-I", source, "-o", library, source / "parser.c"], check=True, timeout=120)
        function = ctypes.CDLL(library).tree_sitter_scn
    function.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return tree_sitter.Language(capsule(function(), b"tree_sitter.Language", None))


def first_error(node):
    """The first place that could not be read, if there is one."""
    if not node.has_error:
        return None
    if node.is_error or node.is_missing:
        return node
    return next((found for found in map(first_error, node.children) if found), node)


def tree_sitter(repository, folder):
    import tree_sitter as ts

    place = repository / "editors/tree-sitter"
    said = (place / "src/grammar.sha256").read_text().split()[0]
    if hashlib.sha256((place / "grammar.js").read_bytes()).hexdigest() != said:
        yield "editors/tree-sitter/grammar.js was changed, but src/ was not made anew: run editors/tree-sitter/generate"
    language = tree_sitter_language(place / "src")
    parser = ts.Parser(language)
    for file in scenarios(folder):
        error = first_error(parser.parse(file.read_bytes()).root_node)
        if error:
            row, column = error.start_point
            line = file.read_text().splitlines()[row : row + 1]
            yield f"{file.name}:{row + 1}:{column + 1}: scn reads this, editors/tree-sitter/grammar.js does not: {line}"
    for text in BROKEN:
        if not parser.parse(text.encode()).root_node.has_error:
            yield f"no error is seen in {text!r}"
    for name in json.loads((repository / "editors/vscode/snippets/scn.json").read_text()).items():
        text = plain(name[1]["body"])
        if parser.parse(text.encode()).root_node.has_error:
            yield f"the snippet `{name[0]}` cannot be read:\n{text}"
    tree, source, found = parser.parse(SHOWN.encode()), SHOWN.encode(), set()
    for name in ("highlights", "locals", "folds"):
        query = ts.Query(language, (place / f"queries/{name}.scm").read_text())
        for capture, nodes in ts.QueryCursor(query).captures(tree.root_node).items():
            found |= {(node.start_point.row + 1, source[node.start_byte : node.end_byte].decode(), capture) for node in nodes}
    yield from (f"line {line} of SHOWN: `{word}` is not captured as @{capture}" for line, word, capture in TREE if (line, word, capture) not in found)
    for line, word, capture in [(11, "`node`", "keyword"), (18, "check", "keyword"), (14, "f", "local.reference")]:
        if (line, word, capture) in found:
            yield f"line {line} of SHOWN: `{word}` is captured as @{capture}"
    blocks = {line for line, word, capture in found if capture == "fold" and word.startswith("{")}
    if not {4, 9, 10, 16} <= blocks:
        yield f"blocks fold at the lines {sorted(blocks)} of SHOWN"


def plain(body):
    """A snippet's text with what is proposed in it."""
    text, said = "\n".join(body), {}
    for number, default in re.findall(r"\$\{(\d+):([^{}]*)\}", text):
        said[number] = default
    text = re.sub(r"\$\{(\d+):([^{}]*)\}", r"\2", text)
    return re.sub(r"\$(\d+)", lambda found: said.get(found[1], ""), text)


def textmate(repository, folder):
    from textmate_grammar.parsers.base import LanguageParser

    logging.getLogger("textmate_grammar").setLevel(logging.CRITICAL)
    grammar = json.loads((repository / "editors/vscode/syntaxes/scn.tmLanguage.json").read_text())

    def tokens(text):
        """(line from 1, column, words, innermost scope) of everything that has one."""
        for (line, column), words, scopes in LanguageParser(grammar).parse_string(text).flatten():
            own = [scope for scope in scopes if scope and not scope.startswith(("source.", "meta."))]
            yield line + 1, column, words, own[-1] if own else None

    for file in scenarios(folder):
        for line, column, words, scope in tokens(file.read_text()):
            if scope and scope.startswith("invalid."):
                yield f"{file.name}:{line}:{column + 1}: scn reads this, the TextMate grammar marks `{words}` as {scope}"
    shown = list(tokens(SHOWN))
    for line, word, scope in SCOPES:
        of_word = [found for at, _, words, found in shown if at == line and words.strip() == word.strip()]
        if not any((found or "").startswith(scope) if scope else found is None for found in of_word):
            yield f"line {line} of SHOWN: `{word}` should be {scope}, is {of_word}"
    yield from problem_matcher(repository, folder)
    for text, wrong in ILLEGAL:
        if not any(words == wrong and (scope or "").startswith("invalid.") for _, _, words, scope in tokens(f"scn 1\n{text}\n")):
            yield f"`{wrong}` is not marked as wrong in {text!r}"


PROBLEM = re.compile(r"^(.+?):(\d+):(\d+): (error|warning)\[([^\]]+)\]: (.*)$")


def problems(folder):
    """What `scn check --message-format short` said, as (file, line, column, `e` or `w`)."""
    said = (pathlib.Path(folder) / "problems.txt").read_text().splitlines()
    return [(found[1].rsplit("/", 1)[-1], int(found[2]), int(found[3]), found[4][0]) for found in map(PROBLEM.match, said) if found]


def problem_matcher(repository, folder):
    """Whether Visual Studio Code's pattern reads the lines of problems."""
    pattern = json.loads((repository / "editors/vscode/package.json").read_text())["contributes"]["problemPatterns"][0]
    for line in (pathlib.Path(folder) / "problems.txt").read_text().splitlines():
        found = re.match(pattern["regexp"], line)
        parts = found and [found[pattern[part]] for part in ("line", "column", "severity", "code")]
        if not found or parts[2] not in ("error", "warning") or not parts[3].startswith("scn::"):
            yield f"the problem matcher of editors/vscode/package.json does not read {line!r}: {parts}"


def flat(text):
    """A text without the blanks at the beginning of its lines, but for those inside a text over lines."""
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        lines.append(line if inside else line.lstrip(" "))
        inside ^= line.count('"""') % 2 == 1
    return "".join(lines)


def vim(repository, folder):
    folder = pathlib.Path(folder)
    place = repository / "editors/vim"
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "shown.scn").write_text(SHOWN)
        (work / "indented.scn").write_text(INDENTED)
        formatted = sorted([*(repository / "scenarios").rglob("*.scn"), *(repository / "stdlib").rglob("*.scn"), work / "indented.scn"])
        for at, file in enumerate(formatted):
            (work / f"reindent{at}.scn").write_text(file.read_text())
            (work / f"reindent{at}-flat.scn").write_text(flat(file.read_text()))
        (work / "list").write_text("\n".join(map(str, [work / "shown.scn", *sorted(work.glob("reindent*")), *scenarios(folder)])))
        script = VIM.format(place=place, list=work / "list", problems=folder / "problems.txt", out=work / "out.json")
        (work / "script.vim").write_text(script)
        command = ["vim", "-u", "NONE", "-i", "NONE", "-n", "-es", "-S", work / "script.vim"]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50)
        if not (work / "out.json").exists():
            yield f"vim ended with {ended.returncode}: {ended.stdout} {ended.stderr}"
            return
        seen = json.loads((work / "out.json").read_text())
        shown = seen["files"][0]
        if shown["type"] != "scn":
            yield f"the type of a .scn file is {shown['type']!r}"
        for line, word, group in GROUPS:
            found = shown["groups"][line - 1][shown["text"][line - 1].index(word)].removeprefix("scn")
            if found != group and not (group is None and (not found or found.endswith("Block"))):
                yield f"line {line} of SHOWN: `{word}` should be {group}, is {found}"
        for one in seen["files"]:
            for line, groups in enumerate(one["groups"], 1):
                if "scnBadUnit" in groups:
                    yield f"{one['file']}:{line}: scn reads this, Vim marks a unit as wrong: {one['text'][line - 1]}"
            if "indented" in one:
                original = formatted[int(re.search(r"reindent(\d+)", one["file"])[1])]
                pairs = enumerate(zip(one["indented"], original.read_text().splitlines(), strict=True), 1)
                yield from (f"{original}:{line}: Vim indents {is_!r}, not {should!r}" for line, (is_, should) in pairs if is_ != should)
        told = [tuple(entry[:4]) for entry in seen["told"] if entry[4]]
        if told != problems(folder) or not told or not seen["make"].startswith("scn check"):
            yield f"`:compiler scn` reads {told}, not {problems(folder)}"


def main():
    kind, repository, folder = sys.argv[1:]
    wrong = list({"tree-sitter": tree_sitter, "textmate": textmate, "vim": vim}[kind](pathlib.Path(repository), folder))
    print("\n".join(wrong) or f"{len(scenarios(folder))} scenarios")
    sys.exit(bool(wrong))


main()
