"""The real server as programs ask it that know nothing of this one: curl, GDAL, a browser behind a proxy."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest
import rasterio

from tests.service.conftest import ServiceProcess, free_port, npy, wait_until
from tests.service.reverse_proxy import reverse_proxy

FRAMES = {"force": "true", "product": "RY", "grid": "radolan", "valid_time": "2017-08-16T01:15:00Z"}
GDAL = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_CHUNK_SIZE": "16384", "VSI_CACHE": "NO"}


@pytest.fixture(scope="module")
def server(repository: Path) -> Iterator[ServiceProcess]:
    """With a run of RY over Germany, below /radar."""
    environment = {
        "RAINCELL_MODEL_REPOSITORY": str(repository),
        "RAINCELL_RUN_LEAD_MINUTES": "10",
        "RAINCELL_ROOT_PATH": "/radar/",
        "RAINCELL_TRUSTED_PROXIES": "127.0.0.1",
    }
    process = ServiceProcess(environment)
    try:
        process.wait_ready()
        rows, columns = np.mgrid[:900, :900]
        field = 5 + 4 * np.sin(rows / 40) * np.cos(columns / 30)
        body = npy(np.stack([field + k for k in range(5)]).astype(np.float32))
        sent = httpx.post(
            f"{process.url}/frames?force=true",
            params=FRAMES,
            content=body,
            headers={"Content-Type": "application/x-npy"},
        )
        assert sent.status_code == 201, sent.text
        wait_until(lambda: run_of(process.url).get("method") == "model", "the run")
        yield process
    finally:
        process.stop()


def run_of(base: str) -> dict[str, str]:
    """The index of the latest run, or a problem."""
    told: dict[str, str] = httpx.get(f"{base}/nowcast").json()
    return told


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_asks_for_the_headers_alone(server: ServiceProcess) -> None:
    url = f"{server.url}{run_of(server.url)['url']}?format=tiff"
    told = subprocess.run(["curl", "-sSI", url], capture_output=True, text=True, check=True, timeout=60).stdout.lower()
    size = len(httpx.get(url).content)
    assert told.startswith("http/1.1 200")
    for line in (f"content-length: {size}", "accept-ranges: bytes", "content-type: image/tiff", "etag: "):
        assert f"\n{line}" in told


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_curl_resumes_a_download(server: ServiceProcess, tmp_path: Path) -> None:
    url = f"{server.url}{run_of(server.url)['url']}?format=nc"
    whole, path = httpx.get(url).content, tmp_path / "run.nc"
    path.write_bytes(whole[: len(whole) // 3])
    subprocess.run(["curl", "-sSf", "-C", "-", "-o", str(path), url], check=True, timeout=60)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("asks", ["Accept", "format"])
@pytest.mark.parametrize("head", ["YES", "NO"])
def test_gdal_opens_a_run_in_place_and_reads_only_what_it_needs(server: ServiceProcess, asks: str, head: str) -> None:
    url = f"{server.url}{run_of(server.url)['url']}"
    values = np.load(io.BytesIO(httpx.get(f"{url}?format=npy").content))
    options = {**GDAL, "CPL_VSIL_CURL_USE_HEAD": head, "GDAL_HTTP_HEADERS": "Accept: image/tiff"}
    if asks == "format":
        url += "?format=tiff"
        del options["GDAL_HTTP_HEADERS"]
    with rasterio.Env(**options), rasterio.open(f"/vsicurl/{url}") as file:
        assert (file.count, file.shape, file.overviews(1)) == (2, (900, 900), [2, 4])
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.crs is not None
        corner = file.read(1, window=((800, 900), (700, 900)))
        small = file.read(2, out_shape=(225, 225))
    np.testing.assert_array_equal(corner, values[0, 800:900, 700:900])
    assert np.isin(small, values[1]).all()


def test_gdal_finds_no_other_files_beside_a_run(server: ServiceProcess) -> None:
    """Without being told that there are none: it looks for .aux.xml, .ovr and the folder's list."""
    url = f"/vsicurl/{server.url}{run_of(server.url)['url']}/frames/5?format=tiff"
    with rasterio.Env(CPL_VSIL_CURL_CHUNK_SIZE="16384"), rasterio.open(url) as file:
        assert file.files == [url]
        assert file.read(1).shape == (900, 900)


@contextmanager
def nginx(backend: str, folder: Path) -> Iterator[str]:
    """Where it is installed: it takes /weather/ away, and says so."""
    port = free_port()
    (folder / "nginx.conf").write_text(f"""
pid {folder}/pid; error_log stderr; daemon off; events {{}}
http {{
    access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port};
        location /weather/ {{ proxy_pass {backend}/; proxy_set_header X-Forwarded-Prefix /weather; }}
    }}
}}""")
    process = subprocess.Popen(["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}/weather/livez"), "nginx to listen")
        yield f"http://127.0.0.1:{port}/weather"
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def use_as_a_browser_does(base: str) -> None:
    """Follow every link from the front door on; none of them leads out of the proxy's path."""
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(f"{base}/")
        assert str(page.url) == f"{base}/docs"
        for link in re.findall(r"""(?:href|src)="(/[^"]*)\"""", page.text):
            assert browser.get(urljoin(base, link)).status_code == 200, link
        document = browser.get(urljoin(base, re.findall(r"url: '([^']*)'", page.text)[0])).json()
        assert urljoin(base, document["servers"][0]["url"]) == base
        told = browser.get(f"{base}/nowcast/").json()
        for link in (told["url"], told["forecast"][0]["url"], told["forecast"][0]["probability_url"]):
            assert browser.get(urljoin(base, link)).status_code == 200
        head = browser.head(urljoin(base, told["url"]), params={"format": "tiff"})
        assert (head.status_code, head.headers["accept-ranges"]) == (200, "bytes")
        with (
            rasterio.Env(**GDAL),
            rasterio.open(f"/vsicurl/{urljoin(base, told['url'])}?format=tiff") as file,
        ):
            assert file.overviews(1) == [2, 4]


@pytest.mark.parametrize("strips", [True, False])
@pytest.mark.parametrize("prefix", ["/radar", "/maps/rain"])
def test_behind_a_proxy(server: ServiceProcess, prefix: str, strips: bool) -> None:
    """The operator has named the first path; of the other the proxy tells."""
    with reverse_proxy(server.url, prefix, strips=strips, says=prefix != "/radar") as base:
        use_as_a_browser_does(base)
        assert httpx.get(f"{base}/nowcast").json()["url"].startswith(f"{prefix}/nowcast/")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx")
def test_behind_nginx(server: ServiceProcess, tmp_path: Path) -> None:
    with nginx(server.url, tmp_path) as base:
        use_as_a_browser_does(base)
