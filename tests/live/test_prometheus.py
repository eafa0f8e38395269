"""A real Prometheus scrapes a real proxy, by TCP with the token, and finds the numbers."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.kit.peers import free_port, need
from tests.kit.running import edge, wait_for

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: meshctl
    authorization: {{credentials_file: {home}/token}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def query(port: int, expression: str) -> list[Any]:
    """Give the samples of an expression."""
    words = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{words}", timeout=5) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


def test_prometheus_scrapes_it(tmp_path: Path) -> None:
    """Counts by status, the state of breakers, and no complaint about the format."""
    need("prometheus", "promtool")
    port, own = free_port(), free_port()
    (tmp_path / "token").write_text("t" * 40)
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(home=tmp_path, port=port))
    stats = f', listen: "127.0.0.1:{port}", token_file: token'
    with edge(tmp_path, stats) as running, (tmp_path / "prometheus.log").open("wb") as log:
        running.get("/well", 7)
        running.get("/ill", 12)
        process = subprocess.Popen(
            [
                "prometheus", f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{own}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:

            def scraped() -> bool:
                try:
                    found = query(own, 'meshctl_route_requests_total{route="ill"}')
                except OSError:
                    return False
                return bool(found) and found[0]["value"][1] == "12"

            wait_for(scraped, process)
            (up,) = query(own, "up")
            assert up["value"][1] == "1"
            (well,) = query(own, 'meshctl_route_requests_total{route="well"}')
            assert (well["metric"]["code"], well["value"][1]) == ("2xx", "7")
            assert len(query(own, 'meshctl_breaker_state{state="open"} == 1')) == 2
            share = query(own, "histogram_quantile(0.9, meshctl_route_request_duration_seconds_bucket)")
            assert all(float(row["value"][1]) > 0 for row in share)
            assert len(query(own, "meshctl_resident_memory_bytes > 1e7")) == 1
        finally:
            process.terminate()
            process.wait(30)
    assert "level=error" not in (tmp_path / "prometheus.log").read_text()
