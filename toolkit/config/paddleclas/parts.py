"""A part of the recipe whose name both toolkits have: its options, moved one by one."""

from collections.abc import Mapping
from typing import Any

from toolkit.config.paddleclas.translation import Source
from toolkit.config.yaml_core import Path
from toolkit.errors import nearest
from toolkit.registry import Registry


def move_options(
    source: Source,
    registry: Registry,
    name: str,
    target: Path,
    *,
    renamed: Mapping[str, str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Moves what is left in a mapping of PaddleClas to a part of ours.

    Args:
        source: the options that no one has read yet.
        registry: where our part is.
        name: our part.
        target: the mapping of our document that holds its options.
        renamed: PaddleClas's name of an option -> ours.
        defaults: PaddleClas's own defaults of options, under our names, where ours differ.
    """
    if name not in registry:
        # The schema names the part with the nearest and all known names.
        source.give_up()
        return
    options = [option.name for option in registry.options(name) if not option.handed_in]
    ours = {**{option: option for option in options}, **(renamed or {})}
    for theirs, option in ours.items():
        if theirs in source and option in options:
            source.move(theirs, (*target, option), keep_null=True)
        elif option in (defaults or {}):
            source.translation.put((*target, option), (defaults or {})[option], source.path)
    for key in source.unread():
        value = source.take(key)
        source.refuse(
            key,
            f"{value!r} is not supported: {registry.kind} {name} has no such option here."
            f"{nearest(key, ours)} Its options: {', '.join(options) or 'none'}.",
        )
