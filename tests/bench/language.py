"""The language's tools against their limits: long files, large networks, an editor's keys, and texts that are made to blow up.

usage: tests/bench/language.py      (after `cargo build --release`; the editor's part needs target/python, which tests/all makes)

Prints tables of median (min..max); memory is the highest resident set. No test depends on them."""

import os
import pathlib
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCN = ROOT / "target/release/scn"
ROUNDS = 5


def measured(arguments, folder):
    """Wall seconds and megabytes of a command, whatever it says of its input."""
    start = time.monotonic()
    with open(os.devnull, "w") as nothing:
        child = subprocess.Popen([SCN, *map(str, arguments)], cwd=folder, stdout=nothing, stderr=nothing)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.monotonic() - start, usage.ru_maxrss / 1024, child.returncode


def row(name, goal, arguments, folder, codes=(0,)):
    runs = [measured(arguments, folder) for _ in range(ROUNDS)]
    assert all(code in codes for *_, code in runs), f"{name} exited with {[code for *_, code in runs]}"
    walls = sorted(wall * 1e3 for wall, *_ in runs)
    print(f"| {name} | {statistics.median(walls):.0f} ({walls[0]:.0f}..{walls[-1]:.0f}) | {max(memory for _, memory, _ in runs):.0f} | {goal} |")


def scenarios_of_lines(lines):
    """Many scenarios of the size that people write, so that nothing is one huge list."""
    one = (ROOT / "scenarios/failover.scn").read_text().split("## Two hundred", 1)[1]
    head, count = "scn 1\n\nuse std.patterns (sym)\n", lines // len(one.splitlines()) + 1
    return head + "".join(f"\n## Two hundred{one}".replace("vip_failover", f"vip_failover_{i}") for i in range(count))


def network_of_nodes(nodes):
    return f"""scn 1

scenario large {{
    topology {{
        bridge lan[1..{nodes // 100}]
        router core
        link lan[*] <-> core
        for i in 1..{nodes // 100} {{
            node n[(i * 100 - 99)..(i * 100)]
        }}
        for i in 1..{nodes // 100} {{
            for j in (i * 100 - 99)..(i * 100) {{
                link n[j] <-> lan[i]
            }}
        }}
    }}
    for i in 2..{nodes} {{
        flow f[i] from n[i] to n[1] {{ rate 1/s  total 1 }}
    }}
    expect {{ f[*].loss == 0% }}
}}
"""


def around(body, before=""):
    return (
        f"scn 1\n{before}\nscenario s {{\n    topology {{ node a, b\n link a <-> b }}\n    flow f from a to b {{ total 1 }}\n"
        f"    expect {{ f.loss == 0% }}\n{body}\n}}\n"
    )


def loops(depth, count):
    return f"for i in 1..{count} {{\n" * depth + "at 1s mark m\n" + "}\n" * depth


BLOW_UPS = {
    "parentheses, 100,000 deep": around("", "let a = " + "(" * 100_000 + "1" + ")" * 100_000),
    "blocks, 100,000 deep": around("if 1 == 1 {\n" * 100_000),
    "`for` in `for`, 10^12 rounds": around("timeline {\n" + loops(4, 1000) + "}"),
    "a matrix of 10^6": around("\n".join(f"    matrix m{i} in [{', '.join(map(str, range(100)))}]" for i in range(3))),
    "a text doubled 60 times": around("", 'let t0 = "aaaaaaaa"\n' + "\n".join(f'let t{i + 1} = "${{t{i}}}${{t{i}}}"' for i in range(60))),
    "functions that call twice, 60 deep": around(
        "param p: count = f60(1)", "fn f0(x: count) = x\n" + "\n".join(f"fn f{i + 1}(x: count) = f{i}(x) + f{i}(x)" for i in range(60))
    ),
    "topologies in topologies, 2^30": around("", "topology t0() { node a }\n" + "\n".join(
        f"topology t{i + 1}() {{ t{i}() as a\n t{i}() as b }}" for i in range(30)
    )).replace("topology { node a, b", "topology { t30() as t\n node a, b"),
    "a list of 300,000": around("", "let l = [" + ", ".join(["1"] * 300_000) + "]"),
    "a range of 10^18": around("topology { node z[1..1000000000000000000] }"),
    "a regex with (a{1000}){1000}": around("expect { f.loss == 0%\n f.error matches /((a{1000}){1000}){1000}/ }"),
    "2000 times `every 1ns`": around("timeline {\n" + "every 1ns from 0s to 1h mark m\n" * 2000 + "}"),
    "10 MB of braces": "scn 1\n" + "{" * 10_000_000,
    "10 MB in one line": "scn 1\nlet a = " + "1 + " * 2_500_000 + "1\n",
    "100,000 wrong lines": "scn 1\n" + "frobnicate all of it\n" * 100_000,
}


def main():
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "long.scn").write_text(scenarios_of_lines(10_000))
        (place / "large.scn").write_text(network_of_nodes(10_000))
        lines = len((place / "long.scn").read_text().splitlines())
        print("| what | wall ms | MB | goal |\n| --- | --- | --- | --- |")
        row(f"check of {lines:,} lines", "150 ms", ["check", "long.scn"], folder)
        row(f"layout of {lines:,} lines", "100 ms", ["fmt", "--check", "long.scn"], folder, (0, 1))
        row("plan of 10,000 nodes and as many flows", "2,000 ms, 500 MB", ["plan", "large.scn"], folder)
        print("\n| blow-up, refused | wall ms | MB | goal |\n| --- | --- | --- | --- |")
        for name, text in BLOW_UPS.items():
            (place / "blow.scn").write_text(text)
            row(name, "1,000 ms, 500 MB", ["check", "blow.scn"], folder, (2,))
        python = ROOT / "target/python/bin/python"
        if python.exists():
            command = [python, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "--asyncio-mode=auto", "-k", "come_at_once"]
            environment = os.environ | {"SCN": str(SCN), "PLACE": folder, "LONG": "5000", "PYTHONDONTWRITEBYTECODE": "1"}
            ended = subprocess.run([*command, ROOT / "tests/lsp.py"], env=environment, capture_output=True, text=True, timeout=120)
            print("\nanswers to an editor (goal: 50 ms)\n" + "".join(f"- {line}\n" for line in ended.stdout.splitlines() if "after a key" in line))


main()
