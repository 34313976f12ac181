"""What the front server's container finds: its configuration, and the static files of this version."""

import subprocess
from pathlib import Path

from deploy.problem import DeployProblem
from deploy.settings import TownSettings
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
        city_file=folder / "city.yaml",
        front_https_port=int(ports.get("ATELIER_FRONT_HTTPS_PORT", 443)),
        front_http_port=int(ports.get("ATELIER_FRONT_HTTP_PORT", 80)),
        front_proxy=f"127.0.0.1:{ports.get('ATELIER_PROXY_PORT', 8000)}",
        front_certificate=Path("/run/certificate/certificate.pem"),
        front_certificate_key=Path("/run/certificate/key.pem"),
        front_static_dir=Path("/srv/static"),
        front_run_dir=Path("/run/front"),
        front_acme_dir=Path("/srv/acme"),
        front_user="atelier",
    )
    (folder / "front").mkdir(mode=0o755, exist_ok=True)
    (folder / "front" / "nginx.conf").write_text(render(front), encoding="utf-8")


def publish_static(folder: Path, tag: str, parts: dict[str, str] | None = None) -> None:
    """Publish every part from the image that has it; what is there already stays. Raises DeployProblem."""
    static = folder / "static"
    for part, image in (PARTS if parts is None else parts).items():
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
    """Put brotli's form beside each file that has gzip's only; the images have no brotli. Return how many."""
    wanted = [path.with_suffix("") for path in static.rglob("*.gz")]
    missing = [path for path in wanted if not path.with_name(f"{path.name}.br").exists()]
    try:
        for path in missing:
            subprocess.run(["brotli", f"--quality={BROTLI_QUALITY}", "--keep", str(path)], check=True)
    except FileNotFoundError as absent:
        raise DeployProblem("brotli is not installed", "apt-get install brotli") from absent
    return len(missing)
