"""A long run under disturbance: 5000 connections, 20,000 transactions a second, a link that flaps, servers that start anew. Memory and
descriptors are watched from outside; afterwards the bytes that both kernels counted are compared with the transactions that scn counted."""

import base64
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

from running import SCN

SECONDS = 1200
SIZE = 64
HELD = range(1, 5)
SAMPLE_S = 5


def scenario(seconds):
    held = "\n".join(f"    flow held{n} from client to store {{ connections 1200  rate 4500/s  reconnect after 20ms  duration {seconds}s }}"
                     for n in HELD)
    clean = "\n".join(f"        never held{n}.corrupt > 0\n        never held{n}.misdelivered > 0" for n in HELD)
    return f"""scn 1
use std.patterns (sym)
scenario soak {{
    timeout {seconds + 60}s
    topology {{
        node client, server
        link wire: client 10.1.0.1/24 <-> server 10.1.0.2/24
    }}
    service store on server {{ listen tcp :5000  serve sym({SIZE}B) }}
    service echo on server {{ listen udp :5001  serve sym({SIZE}B) }}
{held}
    flow opened from client to store {{ connections 200  opens 500/s  duration {seconds}s }}
    flow grams from client to echo over udp {{ rate 1500/s  duration {seconds}s }}
    timeline {{
        every 20s from 10s to {seconds - 10}s  down wire for 500ms
        every 60s from 25s to {seconds - 10}s  restart server
    }}
    expect {{
{clean}
        never opened.corrupt > 0
        never opened.misdelivered > 0
        never grams.corrupt > 0
    }}
}}
"""


def column(text):
    """A record's column: differences as zigzag varints in base64."""
    values, last, rest, shift = [], 0, 0, 0
    for byte in base64.b64decode(text + "=" * (-len(text) % 4)):
        rest |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            last += (rest >> 1) ^ -(rest & 1)
            values.append(last)
            rest = shift = 0
    return values


def table(rows):
    return {name: column(text) for name, text in rows["columns"].items()}


def process_of(runner):
    """The runner is the child that works in the namespaces, which is the newest of its descendants."""
    pid = runner
    while True:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            return pid
        pid = int(children[0])


def watch(runner):
    """Of each sample: seconds, resident memory in bytes, open descriptors."""
    samples, start = [], time.monotonic()
    while runner.poll() is None:
        try:
            proc = pathlib.Path(f"/proc/{process_of(runner.pid)}")
            resident = next(line for line in (proc / "status").read_text().splitlines() if line.startswith("VmRSS"))
            samples.append((time.monotonic() - start, int(resident.split()[1]) * 1024, len(list((proc / "fd").iterdir()))))
        except (OSError, StopIteration):
            pass
        try:
            runner.wait(SAMPLE_S)
        except subprocess.TimeoutExpired:
            pass
    return samples


def agreement(flow):
    """Connections whose bytes were compared at both ends, and those where they differ. What broke may have been under way."""
    connections, tcp = table(flow["connections"]), table(flow["tcp"])
    orderly = {0, 1}
    last = {}
    for at, number in enumerate(tcp["connection"]):
        last[number, tcp["server"][at]] = tcp["bytes_received"][at]
    compared = differ = 0
    for number, (end, done) in enumerate(zip(connections["end"], connections["transactions"])):
        ends = [last.get((number, server)) for server in (0, 1)]
        if end in orderly and None not in ends:
            compared += 1
            differ += any(bytes_received not in (done * SIZE, done * SIZE + 1) for bytes_received in ends)
    return compared, differ


def soak(seconds=SECONDS):
    print(f"\n## soak of {seconds} s\n")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "soak.scn"
        path.write_text(scenario(seconds))
        runner = subprocess.Popen([SCN, "run", path, "--out", pathlib.Path(folder) / "out"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        samples = watch(runner)
        verdict = runner.communicate()[0].splitlines()[0]
        record = json.loads(next((pathlib.Path(folder) / "out").glob("*.run.json")).read_text())
    print(verdict)
    inside = [sample for sample in samples if 0.1 * seconds < sample[0] < 0.95 * seconds]
    items = sum(flow["items"]["rows"] for flow in record["flows"])
    grown = (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])
    print(f"transactions: {items} ({items / seconds:,.0f}/s)")
    print(f"memory: {inside[0][1] / 1e6:.0f} MB at {inside[0][0]:.0f} s, {inside[-1][1] / 1e6:.0f} MB at {inside[-1][0]:.0f} s: "
          f"{grown * seconds / items:.0f} bytes a transaction, which the record keeps")
    descriptors = [sample[2] for sample in inside]
    half = len(descriptors) // 2
    print(f"descriptors: median {statistics.median(descriptors[:half]):.0f} in the first half, {statistics.median(descriptors[half:]):.0f} in the second")
    for flow in record["flows"]:
        if flow["tcp"]["rows"]:
            compared, differ = agreement(flow)
            print(f"{flow['name']}: bytes at both ends are those of the transactions on {compared - differ} of {compared} connections compared")
