"""What the front server's container finds: its configuration, and the static files of this version."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.problem import DeployProblem
from deploy.settings import TownSettings, write_private
from front.publish import BROTLI_QUALITY, publish_front
from front.render import render
from front.settings import FrontSettings
from images.catalog import REPOSITORY, name_tag

# Which image has which part installed: what is published must be what that image asks for.
PARTS = {"lab": "workspace", "hub": "hub", "pages": "service"}
_PUBLISH = "import sys, pathlib, front.publish as p; p.PARTS[sys.argv[1]](pathlib.Path('/srv/static'))"


def render_front(folder: Path, settings: TownSettings) -> None:
    """Write nginx's configuration. Paths in it are the container's."""
    ports = settings.extra
    front = FrontSettings(
        public_url=settings.public_url,
        front_https_port=int(ports.get("ATELIER_FRONT_HTTPS_PORT", 443)),
        front_http_port=int(ports.get("ATELIER_FRONT_HTTP_PORT", 80)),
        front_proxy=f"127.0.0.1:{ports.get('ATELIER_PROXY_PORT', 8000)}",
        front_certificate=Path("/run/certificate/certificate.pem"),
        front_certificate_key=Path("/run/certificate/key.pem"),
        front_static_dir=Path("/srv/static"),
        front_run_dir=Path("/run/front"),
        front_user="atelier",
    )
    (folder / "front").mkdir(mode=0o755, exist_ok=True)
    write_private(folder / "front" / "nginx.conf", render(front))  # nginx's master, who reads it, is root


def publish_static(folder: Path, tag: str) -> None:
    """Publish every part from the image that has it; what is there already stays. Raises DeployProblem."""
    static = folder / "static"
    for part, image in PARTS.items():
        command = [
            *("docker", "run", "--rm", "--network=none", "--user=0:0", "--entrypoint=python"),
            *("--env=PYTHONPATH=/opt/front", f"--volume={REPOSITORY / 'front'}:/opt/front/front:ro"),
            *(f"--volume={static}:/srv/static", name_tag(image, tag), "-c", _PUBLISH, part),
        ]
        if subprocess.run(command, check=False).returncode:
            raise DeployProblem(f"the static files of {image} were not published (see above)", "make deploy")
    publish_front(static)
    compress_more(static)


def compress_more(static: Path) -> int:
    """Put brotli's form beside each file that has gzip's only; the images have no brotli. Return how many.

    Each gets its name when it is whole: browsers keep what they were given for a year.
    """
    for draft in static.rglob("*.br.part"):
        draft.unlink()
    wanted = [path.with_suffix("") for path in static.rglob("*.gz")]
    missing = [path for path in wanted if not path.with_name(f"{path.name}.br").exists()]
    try:
        # Half a minute of CPU at a town's first start.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_compress, missing))
    except subprocess.CalledProcessError as failed:
        raise DeployProblem("brotli failed (see above)", "is the disk full? then: make deploy") from failed
    except FileNotFoundError as absent:
        raise DeployProblem("brotli is not installed", "apt-get install brotli") from absent
    return len(missing)


def _compress(path: Path) -> None:
    draft = path.with_name(f"{path.name}.br.part")
    command = ["brotli", f"--quality={BROTLI_QUALITY}", "--keep", f"--output={draft}", str(path)]
    subprocess.run(command, check=True)
    draft.rename(path.with_name(f"{path.name}.br"))
