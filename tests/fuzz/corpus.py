"""The corpus of a fuzz target between a folder, as libFuzzer wants it, and one file of JSON strings, as it is kept.

    corpus.py unpack TARGET FOLDER    the kept inputs and the project's own texts into a folder
    corpus.py pack TARGET FOLDER      a fair share of a folder's inputs into the kept file
"""

import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent
# The kept file is replayed by every test run: no more than this, and nothing long. Which inputs, their hashes decide, so that what is
# kept stays the same from one packing to the next.
MOST_BYTES = 400_000
LONGEST = 4_096
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
    texts = {}
    for path in folder.iterdir():
        data = path.read_bytes()
        try:
            texts[hashlib.sha256(data).hexdigest()] = data.decode()
        except UnicodeDecodeError:
            continue
    lines, total = [], 0
    for _, text in sorted(texts.items()):
        line = json.dumps(text, ensure_ascii=True) + "\n"
        if len(text) <= LONGEST and total + len(line) <= MOST_BYTES:
            total += len(line)
            lines.append(line)
    kept(target).write_text("".join(lines))
    print(f"{target}: {len(lines)} of {len(texts)} inputs kept")


{"unpack": unpack, "pack": pack}[sys.argv[1]](sys.argv[2], pathlib.Path(sys.argv[3]))
