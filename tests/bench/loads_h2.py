"""Load generators for HTTP/2 and TLS: h2load, and OpenSSL's s_time for one connection per request.

Each is bounded in time and says how many good answers came back. h2load prints no percentiles but writes a
line per request, from which they are taken. It exits with 0 whatever happened, so its counts are read. All
offer one cipher suite of TLS 1.3, so that every proxy does the same arithmetic.
"""

import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from loads import SIZE_TOLERANCE, Load

SUITE = "TLS_AES_128_GCM_SHA256"
CURL_TLS = ("-k", "--tlsv1.3", "--tls13-ciphers", SUITE)
GRACE = 30
AT_ONCE = 4  # s_time processes: enough to keep one worker busy
RESUMED_AT_LEAST = 0.98


def probe_by_curl(url: str, version: str, body: bytes, extra: Sequence[str] = (), tail: bytes = b"") -> str:
    """Return what is wrong with one answer, '' when nothing is; `tail` must stand in its trailers."""
    with tempfile.TemporaryDirectory(prefix="probe-") as directory:
        got, heads = Path(directory, "body"), Path(directory, "heads")
        command = ["curl", "-s", "--max-time", "10", *CURL_TLS, *extra, "-o", str(got), "-D", str(heads)]
        command += ["-w", "%{http_code} %{http_version}", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            return f"probe: curl ended with {done.returncode}"
        if done.stdout != f"200 {version}":
            return f"probe: status and version {done.stdout}"
        if got.read_bytes() != body:
            return f"probe: another body ({got.stat().st_size} bytes)"
        trailers = heads.read_bytes().partition(b"\r\n\r\n")[2]
        return "" if tail in trailers else f"probe: trailers {trailers!r}"


def percentiles(log: Path) -> tuple[float, float]:
    """Return the 50th and 99th percentile of the third column, µs until the end of each answer."""
    times = sorted(int(line.rsplit(b"\t", 1)[1]) for line in log.read_bytes().splitlines())
    return (float(times[len(times) // 2]), float(times[len(times) * 99 // 100])) if times else (0.0, 0.0)


def h2load(url: str, shape: tuple[int, int], seconds: int, body_size: int, extra: Sequence[str] = ()) -> Load:
    """Run h2load with one thread over `shape` connections and streams on each, for `seconds`."""
    clients, streams = shape
    with tempfile.TemporaryDirectory(prefix="h2load-") as directory:
        log = Path(directory, "requests")
        command = ["h2load", "-t1", f"-c{clients}", f"-m{streams}", f"-D{seconds}", f"--log-file={log}"]
        command += [f"--tls13-ciphers={SUITE}", *extra, url]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=seconds + GRACE, check=False
            )
        except subprocess.TimeoutExpired:
            return Load(0, seconds, 0, 0, 0, "h2load did not end")
        p50, p99 = percentiles(log) if log.exists() else (0.0, 0.0)
    found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
    codes = re.search(r"(\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", done.stdout)
    data = re.search(r"\((\d+)\) data", done.stdout)
    if not found or not codes or not data:
        return Load(0, seconds, 0, 0, 0, f"h2load: {(done.stderr or done.stdout).strip()[-200:]}")
    answers, size = int(found[1]), int(data[1])
    names = ("failed", "errored", "timed out")
    wrong = [
        f"{number} {name}" for number, name in zip(found.groups()[1:], names, strict=True) if int(number)
    ]
    wrong += [f"{number} of {n}xx" for n, number in enumerate(codes.groups()[1:], 3) if int(number)]
    if not answers:
        wrong.append("no answers")
    elif abs(size / answers / body_size - 1) > SIZE_TOLERANCE:
        wrong.append(f"{size / answers:.0f} body bytes per answer of {body_size}")
    if url.startswith("https:") and "TLS Protocol: TLSv1.3" not in done.stdout:
        wrong.append("not TLS 1.3")
    return Load(answers, float(seconds), size, p50, p99, ", ".join(wrong))


def s_time(port: int, path: str, seconds: int, body_size: int, resume: bool) -> Load:
    """Make one request on each new TLS connection, from several processes; `resume` reuses their sessions.

    s_time writes `GET path HTTP/1.0`; what follows a line end in the path makes HTTP/1.1 of it. It ends at
    the first connection that fails, and marks each that resumed a session with an `r`.
    """
    request = f"{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nX-Rest:"
    command = ["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-www", request]
    command += ["-ciphersuites", SUITE, "-time", str(seconds), "-reuse" if resume else "-new"]
    pipe = subprocess.PIPE
    began = time.monotonic()
    running = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(AT_ONCE)]
    answers, size, resumed, wrong = 0, 0, 0, list[str]()
    for one in running:
        try:
            out, err = one.communicate(timeout=seconds + GRACE)
        except subprocess.TimeoutExpired:
            one.kill()
            out, err = one.communicate()
            wrong.append("s_time did not end")
        found = re.findall(r"(\d+) connections in \d+ real seconds, (\d+) bytes", out)
        if one.returncode or not found:
            wrong.append(f"s_time: {(err or out).strip()[-100:]}")
            continue
        count, each = map(int, found[-1])
        if each < body_size:
            wrong.append(f"{each} bytes per answer of {body_size}")
        answers, size = answers + count, size + count * each
        resumed += max((len(row) for row in re.findall(r"^r+", out, re.MULTILINE)), default=0)
    took = time.monotonic() - began
    if answers and resume and resumed < answers * RESUMED_AT_LEAST:
        wrong.append(f"{resumed} of {answers} resumed")
    return Load(answers, took, size, 0, 0, ", ".join(dict.fromkeys(wrong)))
