"""How even paced datagrams are, as an observer sees it who shares nothing with their sender but the wire: one that stands at the receiver and
asks the kernel when each came."""

import json
import pathlib
import shutil
import subprocess
import time

from running import cpu_of_children, run_record, shown

RATE = 10_000
GAP_NS = 1_000_000_000 // RATE
OBSERVER = pathlib.Path(__file__).with_name("arrivals.py")
# The observer is there before the first datagram, s.
AHEAD = 0.5


def spread(path):
    """The 99th percentile of the gaps' errors, us, how far their mean is from what was asked for, %, and the observer's CPU seconds."""
    told = json.loads(path.read_text())
    arrivals = told["ns"]
    # Without the first and the last of them: tools say hello and good-bye.
    arrivals = arrivals[len(arrivals) // 20:-len(arrivals) // 20]
    errors = sorted(abs(b - a - GAP_NS) for a, b in zip(arrivals, arrivals[1:]))
    mean = (arrivals[-1] - arrivals[0]) / (len(arrivals) - 1)
    return errors[len(errors) * 99 // 100] / 1e3, abs(mean / GAP_NS - 1) * 100, told["cpu"]


def scenario(seconds, path):
    return f"""scn 1
use std.patterns (stream)
scenario bench {{
    timeout 120s
    topology {{
        node a, b
        link a 10.1.0.1/24 <-> b 10.1.0.2/24
    }}
    process watch on b {{ run "python3 {OBSERVER} eth0 9000 {path}" }}
    flow f from a to b:9000 {{ over udp  pattern stream(64B)  rate {RATE}/s  duration {seconds}s }}
    timeline {{ at {int(AHEAD * 1000)}ms  start f }}
    expect {{ never f.corrupt > 0 }}
}}
"""


def sides(seconds):
    def ours(veth):
        # A scenario's programs have a /tmp of their own.
        path = OBSERVER.parents[2] / "target/arrivals.json"
        _, cpu, _ = run_record(scenario(seconds, path), veth.folder)
        p99, mean, observer = spread(path)
        path.unlink()
        return p99, mean, (cpu - observer) / seconds

    def peer(server, port, client, data_port, udp):
        def run(veth):
            path = pathlib.Path(veth.folder) / "arrivals.json"
            before = cpu_of_children()
            watching = subprocess.Popen(veth.inside("b", ["python3", OBSERVER, "eth0", data_port, path]))
            try:
                time.sleep(AHEAD)
                veth.against(server, port, client, udp)
            finally:
                watching.terminate()
                watching.wait(timeout=10)
            p99, mean, observer = spread(path)
            return p99, mean, (cpu_of_children() - before - observer) / seconds
        return run

    rate = ["-u", "-l", 64]
    sockperf = ["sockperf", "throughput", "-i", "10.1.0.2", "-m", 64, "-t", seconds, "--mps", RATE]
    peers = {
        "nuttcp": peer(["nuttcp", "-S", "--nofork"], 5000, ["nuttcp", "-u", "-l64", f"-R{RATE}p", f"-T{seconds}", "10.1.0.2"], 5001, False),
        "sockperf": peer(["sockperf", "server", "-i", "10.1.0.2"], 11111, sockperf, 11111, True),
        "iperf3": peer(["iperf3", "-s", "-1"], 5201, ["iperf3", "-c", "10.1.0.2", *rate, "-b", RATE * 64 * 8, "-t", seconds], 5201, False),
    }
    return {"scn": ours, **{name: run for name, run in peers.items() if shutil.which(name)}}


def table(veth, rounds, seconds):
    """Prints the table of scn and its peers, in turn."""
    runs = sides(seconds)
    told = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            told[name].append(run(veth))
    print(f"\nUDP of 64 B paced at {RATE} a second, the gaps between arrivals (goal: error of the 99th percentile at most 30 us, mean within 0.01 %,")
    print("at half a core for both ends)\n\n| by | error, p99, us | mean off by, % | cores |\n| --- | --- | --- | --- |")
    for name, rows in told.items():
        p99, mean, cores = (list(column) for column in zip(*rows))
        print(f"| {name} | {shown(p99)} | {shown(mean, 1, 4)} | {shown(cores, 1, 2)} |", flush=True)
