"""Hold many idle keep-alive connections: `python idle.py PORT COUNT`, a process of its own.

Opens them one after the other, one GET on each, and prints what it has as JSON; holds them until its
standard input ends or says a line; then prints how many the proxy still held open, and goes. Each hundred
connections share a client address of 127.0.1.x, so neither ports nor a limit per address run out.
"""

import json
import resource
import signal
import socket
import sys

PER_ADDRESS = 100
LIVES_AT_MOST = 300
IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: choose the port at connect, when the whole 4-tuple is known


def address(number: int) -> str:
    high, low = divmod(number // PER_ADDRESS, 250)
    return f"127.0.{1 + high}.{1 + low}"


def visit(port: int, number: int) -> tuple[socket.socket | None, str]:
    """Open a connection and make one request on it; return the socket, or None and what went wrong."""
    sock = socket.socket()
    try:
        sock.settimeout(10)
        sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((address(number), 0))
        sock.connect(("127.0.0.1", port))
        sock.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        data = sock.recv(65536)
        if not data.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(f"answered {data[:12]!r}")
        if b"connection: close" in data.lower():
            raise ConnectionError("answered with connection: close")
    except OSError as error:
        sock.close()
        return None, str(error)
    return sock, ""


def still_open(sock: socket.socket) -> bool:
    try:
        sock.setblocking(False)
        return bool(sock.recv(65536))
    except BlockingIOError:
        return True
    except OSError:
        return False


def main() -> None:
    port, count = int(sys.argv[1]), int(sys.argv[2])
    signal.alarm(LIVES_AT_MOST)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held, wrong = [], ""
    for number in range(count):
        sock, wrong = visit(port, number)
        if sock is None:
            break
        held.append(sock)
    print(json.dumps({"held": len(held), "wrong": wrong}), flush=True)
    sys.stdin.readline()
    print(json.dumps({"open": sum(map(still_open, held))}), flush=True)


if __name__ == "__main__":
    main()
