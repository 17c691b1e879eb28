#!/usr/bin/env python3
"""Benchmarks of the whole program beside peers, in one run, alternating. Prints tables of median (min..max) and ratios.

usage: tests/bench/all.py [check] [lab] [traffic] [start] [wire] [frames] [soak [SECONDS]] [peers [CASE...]]
(needs root, iproute2 and gcc; mininet, bridge-utils netsniff-ng for `frames`, and the peers of peers.py if there; builds scn in release mode)

Compare only figures of one run: machines are noisy. No test depends on them."""

import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime

import peers
import soak
from running import ROOT, SCN, built, run_record, shown, timed

ROUNDS = 5


def scenario_of_lines(lines):
    """Many scenarios of the size that people write, so that nothing is one huge list."""
    one = (ROOT / "scenarios/failover.scn").read_text().split("## Two hundred", 1)[1]
    head, count = "scn 1\n\nuse std.patterns (sym)\n", lines // len(one.splitlines())
    return head + "".join(f"\n## Two hundred{one}".replace("vip_failover", f"vip_failover_{i}") for i in range(count))


def check():
    print("\n## parse + check + plan (goal: 10,000 lines under 300 ms)\n")
    print("| lines | wall ms | lines/s |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for lines in (1_000, 10_000):
            path = pathlib.Path(folder) / f"{lines}.scn"
            path.write_text(scenario_of_lines(lines))
            real = len(path.read_text().splitlines())
            walls = [timed([SCN, "check", path])[0] for _ in range(ROUNDS)]
            print(f"| {real} | {shown(walls, 1e3)} | {real / statistics.median(walls):,.0f} |")


def star(nodes):
    return f"""scn 1
scenario star {{
    timeout 60s
    topology {{
        node n[1..{nodes}]
        bridge lan
        link n[*] <-> lan
    }}
    flow f from n[1] to n[2] {{ total 1 }}
    expect {{ f.loss == 0% }}
}}
"""


def ip_batch(nodes):
    """The same star by iproute2: namespaces and links in one batch, then one batch a namespace. Seconds up and down."""
    prefix = f"scnb{os.getpid()}"
    names = [f"{prefix}-{i}" for i in range(nodes)]
    hub = f"{prefix}-lan"

    def batch(lines, *options):
        subprocess.run(["ip", *options, "-batch", "-"], input="\n".join(lines), text=True, check=True, timeout=120)

    start = time.monotonic()
    try:
        batch([f"netns add {name}" for name in [hub, *names]])
        batch(["link add lan type bridge", "link set lan up", "link set lo up"], "-n", hub)
        batch([f"link add p{i} netns {hub} type veth peer name eth0 netns {name}" for i, name in enumerate(names)])
        batch([line for i in range(nodes) for line in (f"link set p{i} master lan", f"link set p{i} up")], "-n", hub)
        for i, name in enumerate(names):
            batch([f"addr add 10.1.{i // 250}.{i % 250 + 1}/16 dev eth0", "link set eth0 up", "link set lo up"], "-n", name)
        up = time.monotonic() - start
    finally:
        start = time.monotonic()
        batch([f"netns del {name}" for name in [hub, *names]])
    return up, time.monotonic() - start


def by_mininet(nodes):
    """Seconds up and down, or None without mininet (Debian: mininet, bridge-utils)."""
    program = ["/usr/bin/python3", pathlib.Path(__file__).with_name("mininet_star.py"), str(nodes)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300)
    return tuple(map(float, done.stdout.split())) if done.returncode == 0 else None


def lab():
    print("\n## set-up and clean-up of a star, ms (goals: no more than 1.3 times a bare netlink loop, 10 times faster than mininet)\n")
    print("Up: from the first namespace to the last link. Gone: from the first handle closed until the kernel has freed all.\n")
    print("| nodes | scn up | scn gone | netlink.c up | netlink.c gone | ip -batch up | ip -batch down | mininet up | mininet down "
          "| up, scn to netlink.c | up, ip -batch to scn | up, mininet to scn |")
    print("|" + " --- |" * 12)
    with tempfile.TemporaryDirectory() as folder:
        netlink = built(folder, "netlink")
        for nodes, rounds in ((50, 5), (200, 5), (500, 3), (1000, 3)):
            sides = {"scn": [], "netlink": [], "ip": [], "mininet": []}
            for _ in range(rounds):
                record = run_record(star(nodes), folder)[2]
                after = float(timed([netlink, "fence"])[2]) / 1e3
                sides["scn"].append((record["setup_ns"] / 1e9, record["cleanup_ns"] / 1e9 + after))
                up, _, gone = map(float, timed([netlink, "star", str(nodes)])[2].split())
                sides["netlink"].append((up / 1e3, gone / 1e3))
                sides["ip"].append(ip_batch(nodes))
                # It takes minutes for large ones.
                if nodes < 1000 or not sides["mininet"]:
                    sides["mininet"].append(by_mininet(nodes))
                timed([netlink, "fence"])
            cells, ups = [], {}
            for name, pairs in sides.items():
                if None in pairs:
                    cells += ["not here", "not here"]
                    continue
                cells += [shown([pair[i] for pair in pairs], 1e3) for i in (0, 1)]
                ups[name] = statistics.median(pair[0] for pair in pairs)
            ratios = [ups["scn"] / ups["netlink"], ups["ip"] / ups["scn"], ups.get("mininet", float("nan")) / ups["scn"]]
            print(f"| {nodes} | {' | '.join(cells)} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |", flush=True)


def closed_loop(connections, seconds):
    return f"""scn 1
use std.patterns (sym)
scenario closed {{
    timeout 120s
    topology {{
        node a, b
        link a <-> b
    }}
    flow f from a to b {{ pattern sym(1KiB)  connections {connections}  duration {seconds}s }}
    expect {{ never f.corrupt > 0 }}
}}
"""


class Peer:
    """The echo loop of echo.c over a veth pair between two namespaces."""

    def __init__(self, folder):
        self.program = built(folder, "echo")
        self.a, self.b = (f"scnb{os.getpid()}-{side}" for side in "ab")

    def __enter__(self):
        for name in (self.a, self.b):
            subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(f"ip link add eth0 netns {self.a} type veth peer name eth0 netns {self.b}".split(), check=True)
        for name, address in ((self.a, "10.1.0.1/24"), (self.b, "10.1.0.2/24")):
            for words in (f"addr add {address} dev eth0", "link set eth0 up", "link set lo up"):
                subprocess.run(["ip", "-n", name, *words.split()], check=True)
        self.server = subprocess.Popen(["ip", "netns", "exec", self.b, self.program, "server", "5003"])
        time.sleep(0.2)
        return self

    def __exit__(self, *_):
        self.server.kill()
        self.server.wait()
        for name in (self.a, self.b):
            subprocess.run(["ip", "netns", "del", name], check=True)

    def cpu_of_server(self):
        fields = pathlib.Path(f"/proc/{self.server.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self, connections, seconds):
        before = self.cpu_of_server()
        _, cpu, out = timed(["ip", "netns", "exec", self.a, self.program, "client", "10.1.0.2", "5003", str(connections), str(seconds)])
        done, p50, p99 = out.split()
        return int(done), float(p50), float(p99), cpu + self.cpu_of_server() - before


def traffic():
    seconds = 3
    print(f"\n## the 1 KiB pattern in a closed loop, {seconds} s, veth, both ends on this machine\n")
    print("| connections | scn txn/s | p50 | p99 | CPU us/txn | echo.c txn/s | p50 us | p99 us | CPU us/txn | txn ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, Peer(folder) as peer:
        for connections in (1, 100, 1000):
            rates, costs, records, theirs = [], [], [], []
            for _ in range(3):
                _, cpu, record = run_record(closed_loop(connections, seconds), folder)
                flow = record["flows"][0]
                done = flow["items"]["rows"]
                rates.append(done / seconds)
                costs.append(cpu / done * 1e6)
                records.append(record)
                theirs.append(peer.run(connections, seconds))
            peer_rates = [t[0] / seconds for t in theirs]
            last = records[-1]
            print(f"| {connections} | {shown(rates, 1, 0)} | {show(last, 'latency.p50')} | {show(last, 'latency.p99')} | {shown(costs)} "
                  f"| {shown(peer_rates, 1, 0)} | {shown([t[1] for t in theirs])} | {shown([t[2] for t in theirs])} "
                  f"| {shown([t[3] / t[0] * 1e6 for t in theirs])} | {statistics.median(rates) / statistics.median(peer_rates):.2f} |")
    print("\nscn's CPU covers everything from the start of the process to the written reports; its content is verified, echo.c's is not.")


FRAMES = """scn 1
scenario frames {{
    timeout 120s
    topology {{
        node a, b
        link a.eth0 <-> b.eth0
    }}
    flow f from a.eth0 to b.eth0 over frames {{
        frame {{
            ethernet {{ source 00:11:22:33:44:55  destination 66:77:88:99:aa:bb }}
            ipv4 {{ source 192.0.2.1  destination 192.0.2.2  ttl 9 }}
            udp {{ source 1000..1999  destination 7 }}
            payload random 18B
        }}
        {load}
    }}
    expect {{ f.sent > 0 }}
}}
"""

# The same frame for trafgen, which sends it unchanged: with a field that counts it sends a third of that.
TRAFGEN = """{ eth(da=66:77:88:99:aa:bb, sa=00:11:22:33:44:55), ipv4(sa=192.0.2.1, da=192.0.2.2, ttl=9), udp(sp=1000, dp=7), fill(0x42, 18) }
"""


def trafgen(folder, count):
    """Frames per second by trafgen's own clock, and CPU us for each frame."""
    config = pathlib.Path(folder) / "frame.cfg"
    config.write_text(TRAFGEN)
    shell = f"ip link add va type veth peer name vb && ip link set va up && ip link set vb up && trafgen --dev va --conf {config} -n {count} -P1 -q"
    _, cpu, out = timed(["unshare", "-n", "sh", "-c", shell + " 2>&1"])
    seconds, more = re.search(r"(\d+) sec, (\d+) usec on CPU", out).groups()
    return count / (int(seconds) + int(more) / 1e6), cpu / count * 1e6


def frames():
    print("\n## raw frames of 60 bytes over veth (goals: 1.15 of trafgen on one core, nobody counting; all of 400k per second counted)\n")
    print("| scn frames/s | CPU us/frame | trafgen frames/s | CPU us/frame | ratio | ratio of CPU | scn at 400k/s: sent | counted | CPU us/frame |")
    print("|" + " --- |" * 9)
    seconds, ours, theirs, paced = 3, [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            _, cpu, record = run_record(FRAMES.format(load=f"duration {seconds}s  peer none"), folder)
            sent = record["flows"][0]["items"]["rows"]
            ours.append((sent / seconds, cpu / sent * 1e6))
            theirs.append(trafgen(folder, 1_000_000))
            _, cpu, record = run_record(FRAMES.format(load=f"rate 400k/s  duration {seconds}s"), folder)
            told = [float(show(record, name)) for name in ("sent", "received")]
            paced.append((*told, cpu / told[0] * 1e6))
    columns = [[row[i] for row in rows] for rows in (ours, theirs) for i in (0, 1)]
    ratios = [statistics.median(columns[i]) / statistics.median(columns[i + 2]) for i in (0, 1)]
    cells = [shown(columns[0], 1, 0), shown(columns[1], 1, 2), shown(columns[2], 1, 0), shown(columns[3], 1, 2), *(f"{ratio:.2f}" for ratio in ratios)]
    cells += [shown([row[i] for row in paced], 1, 2 * (i == 2)) for i in (0, 1, 2)]
    print(f"| {' | '.join(cells)} |")
    print("\nscn's CPU covers everything from the start of the process to the written reports.")


def show(record, name):
    return next(m["value"] for m in record["flows"][0]["summary"] if m["name"] == name)


def start():
    print("\n## from the command to the first packet of two_nodes.scn (goal: under 100 ms)\n")
    with tempfile.TemporaryDirectory() as folder:
        text = (ROOT / "scenarios/two_nodes.scn").read_text()
        firsts, walls = [], []
        for _ in range(ROUNDS):
            began = time.time()
            wall, _, record = run_record(text, folder)
            moment = record["started"].replace("Z", "+00:00")
            firsts.append(datetime.fromisoformat(moment[:26].rstrip("+") + "+00:00").timestamp() - began)
            walls.append(wall)
        print(f"first packet after {shown(firsts, 1e3)} ms; the whole command took {shown(walls, 1e3)} ms")


# What the wire is to reach, by case and column: at least (True) or at most (False).
WIRE_GOALS = {
    ("tcp over wire, delay 1ms", "gbit_s"): (7.0, True),
    ("64 B over wire, loss 1%", "carried_kpps"): (150.0, True),
    ("rate 1 Mbit/s, frames of 1514 bytes", "error_percent"): (2.0, False),
    ("rate 10 Mbit/s, frames of 1514 bytes", "error_percent"): (2.0, False),
    ("rate 100 Mbit/s, frames of 1514 bytes", "error_percent"): (2.0, False),
    ("rate 1000 Mbit/s, frames of 1514 bytes", "error_percent"): (2.0, False),
    ("1 link at 200 packets/s, delay 10ms", "late_p99_us"): (500.0, False),
    ("100 links at 1000 packets/s each, delay 10ms, loss 1%", "sent_kpps"): (100.0, True),
}


def wire():
    seconds, rounds = 3, 3
    print(f"\n## the wire beside plain veth, {seconds} s a case, {rounds} rounds, everything on this machine\n")
    command = ["cargo", "run", "--release", "--locked", "--quiet", "-p", "scn-runner", "--example", "wire_rate", "--", str(seconds)]
    cases = {}
    for _ in range(rounds):
        for line in timed(command, cwd=ROOT)[2].splitlines():
            row = json.loads(line)
            case = cases.setdefault(row.pop("case"), {})
            for name, value in row.items():
                case.setdefault(name, []).append(value)
    print("| case | measured | goal |\n| --- | --- | --- |")
    for case, columns in cases.items():
        told = ", ".join(f"{name} {shown(values, 1, 2)}" for name, values in columns.items())
        goals = []
        for name, values in columns.items():
            if (case, name) in WIRE_GOALS:
                goal, at_least = WIRE_GOALS[case, name]
                median = abs(statistics.median(values))
                reached = median >= goal if at_least else median <= goal
                goals.append(f"{name} {'>=' if at_least else '<='} {goal:g}: {'reached' if reached else 'missed'}")
        print(f"| {case} | {told} | {', '.join(goals)} |")


def main():
    wanted = sys.argv[1:] or ["start", "check", "lab", "traffic", "wire", "frames", "peers"]
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    for place, name in enumerate(wanted):
        if name == "peers":
            peers.table(wanted[place + 1:])
            return
        if name == "soak":
            soak.soak(*map(int, wanted[place + 1:]))
            return
        {"start": start, "check": check, "lab": lab, "traffic": traffic, "wire": wire, "frames": frames}[name]()


main()
