"""What every section of a configuration is: frozen, strict, and forgiving in two places only."""

from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator


class Section(BaseModel):
    """A frozen, strict section.

    ``None``, as PaddleX writes it, is null where null is legal. A section that is written without
    a key below it (all of them commented out, say) has its defaults.
    """

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, protected_namespaces=(), allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _read_none(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        read = {}
        for key, value in raw.items():
            field = cls.model_fields.get(key) if value is None or value == "None" else None
            if field is None:
                read[key] = value
            elif type(None) in get_args(field.annotation):
                read[key] = None
            elif not _is_section(field.annotation) or field.is_required():
                read[key] = value
        return read


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _empty_is_null(value: Any) -> Any:
    return None if value == "" else value


OptionalPath = Annotated[str | None, BeforeValidator(_empty_is_null)]
"""A path that may be left open; PaddleX's files leave it open with an empty text."""
