"""docs/deploy: every file agrees with the code, as far as that can be seen without running it."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit.config.load import load_config
from toolkit.config.schema import Config

REPOSITORY = Path(__file__).parents[2]
DEPLOY = REPOSITORY / "docs" / "deploy"
CONFIG = "configs/service/retrieval.yaml"
# In expressions of the dashboard, names of metrics are the words with these beginnings.
METRIC = re.compile(r"\b(?:toolkit|process)_\w+")


def _overrides(words: list[str]) -> list[str]:
    return [word for before, word in pairwise(words) if before == "-o"]


def _instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = lines.replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2]) for line in joined.splitlines() if line]


def _one(name: str) -> str:
    (found,) = [rest for instruction, rest in _instructions() if instruction == name]
    return found


def _entry() -> list[str]:
    words: list[str] = json.loads(_one("ENTRYPOINT"))
    return words


def _configured(words: list[str]) -> Config:
    return load_config(REPOSITORY / words[words.index("-c") + 1], _overrides(words))


def _compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return document


def test_what_the_image_copies_is_there_and_enough() -> None:
    copied = [rest.split()[:-1] for name, rest in _instructions() if name == "COPY"]
    names = {name for group in copied for name in group}
    assert all((REPOSITORY / name).exists() for name in names)
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    (readme,) = re.findall(r'^readme = "(.+)"$', project, re.MULTILINE)
    entry = _entry()
    assert {"pyproject.toml", "toolkit", readme, entry[1]} <= names
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == names
    assert "*" in sent
    assert Path(entry[entry.index("-c") + 1]).parts[0] in names


def test_the_image_installs_extras_that_exist() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    installed = re.findall(r"\.\[(.+?)\]", _one("RUN"))
    assert installed
    for extra in installed[0].split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE), extra


def test_the_image_starts_a_server_that_its_health_check_finds() -> None:
    config = _configured(_entry())
    assert config.Global.mode == "serve"
    assert config.Serve.host == "0.0.0.0"  # noqa: S104 - it is a container's own address
    assert _one("EXPOSE") == str(config.Serve.port)
    assert f"127.0.0.1:{config.Serve.port}/healthz" in _one("HEALTHCHECK")
    assert _one("VOLUME") == config.Serve.root


def test_compose_names_what_it_has() -> None:
    document = _compose()
    services = document["services"]
    build = services["retrieval"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == REPOSITORY.resolve()
    assert (context / build["dockerfile"]) == REPOSITORY.resolve() / "docs/deploy/Dockerfile"
    for service in services.values():
        assert set(service.get("depends_on", [])) <= set(services)
        assert set(service.get("secrets", [])) <= set(document["secrets"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in document["volumes"] or (DEPLOY / source).is_file()
    assert "/docs/deploy/tokens.txt" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8")


def test_compose_starts_the_server_that_prometheus_asks() -> None:
    service = _compose()["services"]["retrieval"]
    config = _configured([*_entry(), *service["command"]])
    assert config.Serve.open_metrics is True
    assert config.Serve.token_file == f"/run/secrets/{service['secrets'][0]}"
    (published,) = service["ports"]
    assert published.split(":")[-1] == str(config.Serve.port)
    # The file system is read-only: everything is written to a volume or to memory.
    written = [str(config.Serve.root), str(config.Global.output)]
    assert any(volume.endswith(f":{written[0]}") for volume in service["volumes"])
    assert written[1].startswith(service["tmpfs"][0])
    assert int(service["stop_grace_period"].rstrip("s")) > config.Serve.stop_timeout
    asked = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = asked["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"retrieval:{config.Serve.port}"]}]


def test_the_unit_starts_the_server_and_gives_it_time() -> None:
    text = (DEPLOY / "image-retrieval.service").read_text(encoding="utf-8").replace("\\\n", " ")
    keys = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))
    words = shlex.split(keys["ExecStart"])
    config = _configured(words)
    state = f"/var/lib/{keys['StateDirectory']}/"
    assert str(config.Serve.root).startswith(state)
    assert str(config.Global.output).startswith(state)
    assert int(keys["TimeoutStopSec"]) > config.Serve.stop_timeout
    assert (REPOSITORY / words[1]).is_file()


def test_every_metric_of_the_dashboard_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("prometheus_client")
    from toolkit.serving import metrics as module
    from toolkit.serving.databases import Folders, Model, Quota, Schema

    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '0, 17, 100, 1000'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(module.shutil, "which", lambda _: str(program))
    folders = Folders(tmp_path / "root", Model(4, "f"), Quota(1, 1))
    folders.at(tmp_path / "root" / "default").create("a", Schema())
    numbers = module.Metrics()
    numbers.watch(folders, lambda: 0, lambda: 0, lambda: 0)
    numbers.answered("/v1", "", 200, 0.1)
    numbers.batch(1)
    printed = {line.split("{")[0].split(" ")[0] for line in numbers.text().decode().splitlines()}
    folders.close()
    dashboard = json.loads((DEPLOY / "grafana_dashboard.json").read_text(encoding="utf-8"))
    expressions = [
        target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])
    ]
    asked = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(asked) > 10
    assert asked - printed == set()
