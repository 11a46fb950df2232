"""From a configuration to how files are fetched."""

from toolkit.config.schema import Config
from toolkit.fetch.options import FetchOptions


def fetch_options(config: Config) -> FetchOptions:
    """Returns what ``Global`` says of downloads; the environment fills what it leaves open."""
    section = config.Global
    return FetchOptions.from_environment(section.cache_dir, section.mirror, verify=section.verify)
