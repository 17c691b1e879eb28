"""The corpus of a fuzz target between a folder, as libFuzzer wants it, and one file of JSON strings, as it is kept.

    corpus.py unpack TARGET FOLDER    the kept inputs and the project's own texts into a folder
    corpus.py pack TARGET FOLDER      the shortest inputs of a folder into the kept file
"""

import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
# The kept file is replayed by every test run: no more than this, the shortest first.
MOST_BYTES = 1_000_000
LONGEST = 8_192
# Where the project has texts for a target.
SEEDS = {
    "language": ["scenarios/*.scn", "stdlib/**/*.scn", "tests/**/*.scn"],
    "lock": ["tests/**/scn.lock", "libraries/**/scn.lock"],
    "manifest": ["tests/**/scn.toml", "libraries/**/scn.toml", "Cargo.toml"],
    "record": ["tests/reports/*.run.json"],
}


def kept(target):
    return HERE / "corpus" / f"{target}.jsonl"


def unpack(target, folder):
    texts = [path.read_bytes() for pattern in SEEDS[target] for path in ROOT.glob(pattern)]
    if kept(target).exists():
        texts += [json.loads(line).encode() for line in kept(target).read_text().splitlines()]
    for text in texts:
        (folder / hashlib.sha256(text).hexdigest()[:16]).write_bytes(text)


def pack(target, folder):
    texts = set()
    for path in folder.iterdir():
        try:
            texts.add(path.read_bytes().decode())
        except UnicodeDecodeError:
            continue
    lines, total = [], 0
    for text in sorted(texts, key=lambda text: (len(text), text)):
        line = json.dumps(text, ensure_ascii=True)
        total += len(line)
        if len(text) > LONGEST or total > MOST_BYTES:
            break
        lines.append(line)
    kept(target).write_text("".join(line + "\n" for line in lines))
    print(f"{target}: {len(lines)} of {len(texts)} inputs kept")


{"unpack": unpack, "pack": pack}[sys.argv[1]](sys.argv[2], pathlib.Path(sys.argv[3]))
