"""The origin behind every proxy: one nginx worker with a 66-byte answer and a 10 MB file.

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
SERVER = """\
server {
        listen 127.0.0.1:%d backlog=4096;
        root %s;
        location = / { return 200 "%s"; }
        location = /accepted { stub_status; }
    }"""


class Origin:
    """A started origin."""

    def __init__(self, fleet: Fleet, clients: int) -> None:
        program = PEERS["nginx"].path()
        if program is None:
            raise StartError("the origin needs nginx (Debian: nginx-light)")
        self.port = free_ports(1)[0]
        directory = fleet.directory / "origin"
        directory.mkdir()
        self.big = random.Random(66).randbytes(BIG_SIZE)
        (directory / BIG_PATH[1:]).write_bytes(self.big)
        servers = SERVER % (self.port, directory, SMALL.decode().replace("\n", "\\n"))
        command = nginx_command(program, Job(self.port, 0, clients, Path(directory)), servers)
        self.child: Child = fleet.start("origin", command.argv, self.port)
        self.asked = 0

    def accepted(self) -> int:
        """Return how many connections it ever accepted, those of this question left out."""
        self.asked += 1
        _, _, body = fetch(self.port, "/accepted")
        return int(body.split(b"\n")[2].split()[0]) - self.asked
