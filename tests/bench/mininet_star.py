"""A star of N hosts by mininet with a Linux bridge, for comparison. Prints "up_s stop_s". Run by the Python that has mininet, as root."""

import sys
import time

from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo

began = time.monotonic()
net = Mininet(topo=SingleSwitchTopo(int(sys.argv[1])), switch=LinuxBridge, controller=None, autoSetMacs=True)
net.start()
up = time.monotonic()
net.stop()
print(up - began, time.monotonic() - up)
