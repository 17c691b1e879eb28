"""scn beside the generators that people use for the same work, alternating, in one table. A peer that is not installed is left out, and said."""

import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

import pacing
from running import cpu_of_children, run_record, shown

ROUNDS = 5
SECONDS = 3
ALLOWED = pathlib.Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
# How long a server may take until it listens, seconds.
READY_LIMIT = 5.0


class Veth:
    """Two namespaces and a veth pair between them, as scn's direct link is."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.names = {side: f"scnp{os.getpid()}-{side}" for side in "ab"}

    def __enter__(self):
        # A namespace may choose only what the machine allows.
        self.allowed = ALLOWED.read_text()
        if "cubic" not in self.allowed.split():
            ALLOWED.write_text(f"{self.allowed.strip()} cubic")
        a, b = self.names["a"], self.names["b"]
        for name in (a, b):
            subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(f"ip link add eth0 netns {a} type veth peer name eth0 netns {b}".split(), check=True)
        for name, address in ((a, "10.1.0.1/24"), (b, "10.1.0.2/24")):
            for words in (f"addr add {address} dev eth0", "link set eth0 up", "link set lo up"):
                subprocess.run(["ip", "-n", name, *words.split()], check=True)
            for setting in ("ipv4.ip_local_port_range=1024 65535", "ipv4.tcp_tw_reuse=1", "core.somaxconn=65535", "ipv4.tcp_congestion_control=cubic"):
                subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", f"net.{setting}"], check=True)
        return self

    def __exit__(self, *_):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=True)
        ALLOWED.write_text(self.allowed)

    def inside(self, side, command):
        return ["ip", "netns", "exec", self.names[side], *map(str, command)]

    def listens(self, port, options):
        told = subprocess.run(self.inside("b", ["ss", "-Hln", *options, f"sport = :{port}"]), capture_output=True, text=True, check=True)
        return bool(told.stdout.strip())

    def against(self, server, port, client, udp=False):
        """The client's output, and the CPU seconds of both."""
        before = cpu_of_children()
        serving = subprocess.Popen(self.inside("b", server), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            limit = time.monotonic() + READY_LIMIT
            while not self.listens(port, ["-u"] if udp else ["-t"]):
                if time.monotonic() > limit:
                    raise RuntimeError(f"{server} does not listen")
                time.sleep(0.02)
            done = subprocess.run(self.inside("a", client), capture_output=True, text=True, timeout=120)
            if done.returncode != 0:
                raise RuntimeError(f"{client}: {done.stdout}{done.stderr}")
        finally:
            serving.terminate()
            serving.wait(timeout=10)
        return done.stdout + done.stderr, cpu_of_children() - before


def scenario(flow, more=""):
    return f"""scn 1
use std.patterns (stream, sym)
scenario bench {{
    timeout 120s
    topology {{
        node a, b {{ sysctl "net.ipv4.tcp_congestion_control" = "cubic" }}
        link a 10.1.0.1/24 <-> b 10.1.0.2/24
    }}
{more}
    flow f from a to {flow}
    expect {{ never f.corrupt > 0 }}
}}
"""


def rate_of(text, folder, seconds=None):
    """Transactions per second of a scenario, and CPU seconds."""
    _, cpu, record = run_record(text, folder)
    flow = record["flows"][0]
    ran = sum(to - start for start, to in flow["ran_ns"]) / 1e9
    return flow["items"]["rows"] / (seconds or ran), cpu


# ---- TCP bulk: Gbit/s and CPU seconds a GB

def bulk(streams):
    def ours(veth):
        text = scenario(f"b {{ pattern stream(1MiB)  connections {streams}  duration {SECONDS}s }}")
        chunks, cpu = rate_of(text, veth.folder, SECONDS)
        gigabytes = chunks * SECONDS * (1 << 20) / 1e9
        return gigabytes * 8 / SECONDS, cpu / gigabytes

    def iperf3(*options):
        def run(veth):
            client = ["iperf3", "-c", "10.1.0.2", "-J", "-C", "cubic", "-t", SECONDS, "-P", streams, *options]
            told, cpu = veth.against(["iperf3", "-s", "-1"], 5201, client)
            moved = json.loads(told)["end"]["sum_received"]["bytes"] / 1e9
            return moved * 8 / SECONDS, cpu / moved
        return run

    def nuttcp(veth):
        told, cpu = veth.against(["nuttcp", "-S", "--nofork"], 5000, ["nuttcp", "-fparse", f"-T{SECONDS}", f"-N{streams}", "10.1.0.2"])
        megabits = float(re.search(r"rate_Mbps=([\d.]+)", told)[1])
        return megabits / 1e3, cpu / (megabits / 8e3 * SECONDS)

    peers = {"iperf3": iperf3(), "iperf3 -l 1M": iperf3("-l", "1M"), "nuttcp": nuttcp}
    goal = {"iperf3 -l 1M": 1.0, "iperf3": 1.8}
    return "Gbit/s", "CPU s/GB", ours, peers, goal


# ---- transactions of one byte

def one_byte(connections):
    def ours(veth):
        rate, cpu = rate_of(scenario(f"b {{ pattern sym(1B)  connections {connections}  duration {SECONDS}s }}"), veth.folder, SECONDS)
        return rate / 1e3, cpu / (rate * SECONDS) * 1e6

    def sockperf(veth):
        client = ["sockperf", "ping-pong", "--tcp", "-i", "10.1.0.2", "-t", SECONDS, "--full-rtt"]
        told, cpu = veth.against(["sockperf", "server", "--tcp", "-i", "10.1.0.2"], 11111, client)
        done = int(re.search(r"ReceivedMessages=(\d+)", told)[1])
        seconds = float(re.search(r"RunTime=([\d.]+)", told)[1])
        return done / seconds / 1e3, cpu / done * 1e6

    def neper(veth):
        flows = ["-F", connections, "-l", SECONDS]
        told, cpu = veth.against(["tcp_rr", *flows], 12867, ["tcp_rr", "-c", "-H", "10.1.0.2", *flows])
        done = int(re.search(r"num_transactions=(\d+)", told)[1])
        return done / SECONDS / 1e3, cpu / done * 1e6

    peers = {"sockperf": sockperf, "tcp_rr": neper} if connections == 1 else {"tcp_rr": neper}
    return "1000 txn/s", "CPU us/txn", ours, peers, {"*": 5.0 if connections == 1 else 1.2}


# ---- nginx

def nginx_conf(folder, tls=False):
    listen = "listen 8443 ssl" if tls else "listen 8080; listen 8081 http2"
    paths = " ".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    full = "ssl_session_cache off; ssl_session_tickets off; ssl_protocols TLSv1.3;"
    certificate = f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; {full}" if tls else ""
    return f"""user root; daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{ access_log off; {paths} keepalive_requests 100000000; server {{ {listen}; {certificate}
location / {{ return 200 "hello"; }} }} }}
"""


def nginx(folder, tls=False):
    path = folder / "nginx.conf"
    path.write_text(nginx_conf(folder, tls))
    return ["nginx", "-e", "stderr", "-c", path]


def certificate(folder):
    if not (pathlib.Path(folder) / "cert.pem").exists():
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=b -days 2 -keyout key.pem -out cert.pem"
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


def by_wrk(veth, url, port, *options, tls=False):
    client = ["wrk", "-t1", "-c100", f"-d{SECONDS}", *options, url]
    told, cpu = veth.against(nginx(veth.folder, tls), port, client)
    done = int(re.search(r"(\d+) requests in", told)[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]) / 1e3, cpu / done * 1e6


def by_ab(veth, url, port, count, *options, tls=False):
    client = ["ab", "-q", "-n", count, "-c100", *options, url]
    told, cpu = veth.against(nginx(veth.folder, tls), port, client)
    return float(re.search(r"Requests per second:\s+([\d.]+)", told)[1]) / 1e3, cpu / count * 1e6


def by_h2load(veth, port, *options):
    count = 200_000
    client = ["h2load", "-t1", "-c100", "-n", count, *options, f"http://10.1.0.2:{port}/"]
    told, cpu = veth.against(nginx(veth.folder), 8080, client)
    return float(re.search(r"([\d.]+) req/s", told)[1]) / 1e3, cpu / count * 1e6


def http(version=1, streams=1):
    port, said = (8080, "") if version == 1 else (8081, f"  version 2  streams {streams}")

    def ours(veth):
        file = '        file "nginx.conf" = """\n' + nginx_conf("/run") + '        """\n'
        run = '        run "nginx -e stderr -c ${dir}/nginx.conf"\n        ready tcp 10.1.0.2:8080 within 5s\n'
        process = f"    process site on b {{\n{file}{run}    }}"
        flow = f'site:{port} {{ over http {{ path "/"{said} }}  connections 100  duration {SECONDS}s }}'
        rate, cpu = rate_of(scenario(flow, process), veth.folder, SECONDS)
        return rate / 1e3, cpu / (rate * SECONDS) * 1e6

    if version == 1:
        url = "http://10.1.0.2:8080/"
        peers = {
            "wrk": lambda veth: by_wrk(veth, url, 8080),
            "h2load --h1": lambda veth: by_h2load(veth, 8080, "--h1"),
            "ab -k": lambda veth: by_ab(veth, url, 8080, 200_000, "-k"),
        }
    else:
        peers = {"h2load": lambda veth: by_h2load(veth, 8081, "-m", streams)}
    return "1000 requests/s", "CPU us/request", ours, peers, {"*": 1.0}


# ---- connections per second

def connections():
    def ours(veth):
        count = 40_000
        rate, cpu = rate_of(scenario(f"b {{ pattern sym(1B)  connections 100  total {count} }}"), veth.folder)
        return rate / 1e3, cpu / count * 1e6

    def neper(veth):
        flows = ["-F", 100, "-l", SECONDS]
        told, cpu = veth.against(["tcp_crr", *flows], 12867, ["tcp_crr", "-c", "-H", "10.1.0.2", *flows])
        done = int(re.search(r"num_transactions=(\d+)", told)[1])
        return done / SECONDS / 1e3, cpu / done * 1e6

    url = "http://10.1.0.2:8080/"
    peers = {
        "tcp_crr": neper,
        "ab": lambda veth: by_ab(veth, url, 8080, 40_000),
        "wrk, close": lambda veth: by_wrk(veth, url, 8080, "-H", "Connection: close"),
    }
    return "1000 connections/s", "CPU us/connection", ours, peers, {"*": 1.4}


def handshakes():
    def ours(veth):
        count = 8000
        rate, cpu = rate_of(scenario(f"b {{ over tls {{ resumption off }}  pattern sym(1B)  connections 100  total {count} }}"), veth.folder)
        return rate / 1e3, cpu / count * 1e6

    url = "https://10.1.0.2:8443/"
    peers = {
        "ab, close": lambda veth: by_ab(veth, url, 8443, 4000, tls=True),
        "wrk, close": lambda veth: by_wrk(veth, url, 8443, "-H", "Connection: close", tls=True),
    }
    return "1000 handshakes/s", "CPU us/handshake", ours, peers, {"*": 2.0}


# ---- UDP

def datagrams(size, load, goal, offload=True):
    def ours(veth):
        text = scenario(f"b {{ over udp  pattern stream({size}B)  {load}  duration {SECONDS}s }}")
        if not offload:
            text = text.replace("10.1.0.2/24\n", "10.1.0.2/24 { offload off }\n")
        _, cpu, record = run_record(text, veth.folder)
        flow = record["flows"][0]
        said = {m["name"]: m["value"] for m in flow["summary"]}
        if said["forward.loss"] != "0%":
            raise RuntimeError(f"datagrams were lost: {said['forward.loss']}")
        done = flow["items"]["rows"]
        return float(said["rate"].removesuffix("/s")) / 1e3, cpu / done * 1e6

    def iperf3(veth):
        client = ["iperf3", "-c", "10.1.0.2", "-u", "-b", "0", "-l", size, "-w", "4M", "-t", SECONDS, "-J"]
        told, cpu = veth.against(["iperf3", "-s", "-1"], 5201, client)
        end = json.loads(told)["end"]["sum"]
        got = end["packets"] - end["lost_packets"]
        return got / SECONDS / 1e3, cpu / got * 1e6

    return "1000 datagrams/s received", "CPU us/datagram", ours, {"iperf3": iperf3}, {"*": goal}


CASES = {
    "bulk1": ("TCP bulk, 1 stream", bulk(1)),
    "bulk4": ("TCP bulk, 4 streams", bulk(4)),
    "byte1": ("1-byte transactions, 1 connection", one_byte(1)),
    "byte100": ("1-byte transactions, 100 connections", one_byte(100)),
    "byte1000": ("1-byte transactions, 1000 connections", one_byte(1000)),
    "http": ("HTTP/1.1 requests to nginx, 100 connections", http()),
    "http2": ("HTTP/2 requests to nginx, 100 connections", http(2)),
    "http2x32": ("HTTP/2 requests to nginx, 100 connections of 32 streams each", http(2, 32)),
    "connect": ("connect, one transaction, close, 100 at once", connections()),
    "tls": ("TLS 1.3 full handshakes, ECDSA P-256, 100 at once", handshakes()),
    # More than can be had: what is offered beyond the machine's speed is late, and the rate counts what came in time.
    "udp": ("UDP of 64 B, a call each, received without loss", datagrams(64, "", 1.05, offload=False)),
    "udp64": ("UDP of 64 B with offload, received without loss", datagrams(64, "", 25)),
    "udp1400": ("UDP of 1400 B with offload, received without loss", datagrams(1400, "", 15)),
}


def row(veth, work, unit, cost, ours, peers, goals):
    there = {name: run for name, run in peers.items() if shutil.which(name.split()[0].rstrip(","))}
    sides = {"scn": ours, **there}
    told = {name: [] for name in sides}
    for _ in range(ROUNDS):
        for name, run in sides.items():
            told[name].append(run(veth))
    values = {name: [value for value, _ in pairs] for name, pairs in told.items()}
    mine = statistics.median(values["scn"])
    for name in sides:
        costs = [spent for _, spent in told[name]]
        goal = goals.get(name, goals.get("*", "")) if name != "scn" else ""
        ratio = f"{mine / statistics.median(values[name]):.2f}" if name != "scn" else ""
        print(f"| {work} | {name} | {shown(values[name], 1, 2)} {unit} | {shown(costs, 1, 2)} {cost} | {ratio} | {goal} |", flush=True)
    missing = [name for name in peers if name not in there]
    if missing:
        print(f"| {work} | {', '.join(missing)} | not installed | | | |")


def table(wanted=()):
    """Prints the table of some cases; all of them if none is said."""
    print(f"\n## beside other generators: {ROUNDS} rounds in turn, both ends on this machine, plain veth, cubic\n")
    print("CPU: of both ends, from the first process to the last; scn's covers its set-up, its checks of every byte and its reports.\n")
    print("| work | by | measured | cost | scn to it | goal |\n| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder, Veth(folder) as veth:
        certificate(folder)
        names = wanted or [*CASES, "paced"]
        for name in (name for name in names if name != "paced"):
            work, case = CASES[name]
            row(veth, work, *case)
        if "paced" in names:
            pacing.table(veth, ROUNDS, SECONDS)
