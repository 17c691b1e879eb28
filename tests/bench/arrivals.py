"""Writes down when datagrams to a port of this namespace arrive, by the kernel's own stamps, until it is told to end; then how long it computed.

usage: arrivals.py INTERFACE PORT FILE (needs CAP_NET_RAW)"""

import json
import resource
import signal
import socket
import struct
import sys

SO_TIMESTAMPNS = 35
# Room for a second of datagrams in which it does not run, bytes.
ROOM = 64 << 20


def main(interface, port, path):
    arrivals = []

    def end(*_):
        used = resource.getrusage(resource.RUSAGE_SELF)
        with open(path, "w") as file:
            json.dump({"ns": arrivals, "cpu": used.ru_utime + used.ru_stime}, file)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    packets.bind((interface, 0x0800))
    packets.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_RCVBUFFORCE", 33), ROOM)
    packets.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    while True:
        head, told, _, _ = packets.recvmsg(64, 64)
        if len(head) >= 28 and head[9] == socket.IPPROTO_UDP and struct.unpack("!H", head[22:24])[0] == port:
            seconds, ns = struct.unpack("qq", told[0][2])
            arrivals.append(seconds * 1_000_000_000 + ns)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
