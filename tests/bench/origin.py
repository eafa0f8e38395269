"""The origin behind every proxy: one nginx worker with a 66-byte answer and a 10 MB file.

It speaks HTTP/1.1 on one port and HTTP/2 without TLS on another. A test of long bodies may ask for a file of
100 MB as well.

Its count of accepted connections tells whether a proxy truly kept its upstream connections alive.
"""

import random
from pathlib import Path

from loads import fetch
from peers import PEERS, Job, nginx_command
from procs import Child, Fleet, StartError, free_ports

SMALL = b"All happy benchmarks are alike; each noisy one is noisy by itself\n"
BIG_SIZE = 10_000_000
BIG_PATH = "/big.bin"
HUGE_SIZE = 10 * BIG_SIZE
HUGE_PATH = "/huge.bin"
SERVER = """\
server {
        listen 127.0.0.1:%d backlog=4096;
        listen 127.0.0.1:%d http2 backlog=4096;
        root %s;
        location = / { return 200 "%s"; }
        location = /accepted { stub_status; }
    }"""


class Origin:
    """A started origin."""

    def __init__(self, fleet: Fleet, clients: int, huge: bool = False) -> None:
        program = PEERS["nginx"].path()
        if program is None:
            raise StartError("the origin needs nginx (Debian: nginx-light)")
        self.port, self.port_h2 = free_ports(2)
        directory = fleet.directory / "origin"
        directory.mkdir()
        self.big = random.Random(66).randbytes(BIG_SIZE)
        (directory / BIG_PATH[1:]).write_bytes(self.big)
        if huge:
            (directory / HUGE_PATH[1:]).write_bytes(self.big * (HUGE_SIZE // BIG_SIZE))
        servers = SERVER % (self.port, self.port_h2, directory, SMALL.decode().replace("\n", "\\n"))
        command = nginx_command(program, Job(self.port, 0, clients, Path(directory)), servers)
        self.child: Child = fleet.start("origin", command.argv, self.port)
        self.asked = 0

    def accepted(self) -> int:
        """Return how many connections it ever accepted, those of this question left out."""
        self.asked += 1
        _, _, body = fetch(self.port, "/accepted")
        return int(body.split(b"\n")[2].split()[0]) - self.asked
