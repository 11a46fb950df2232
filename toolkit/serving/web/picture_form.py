"""A request with pictures in any form: JSON with base64 or addresses, a form, a bare picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from toolkit.serving.problems import Kind, Problem
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client
from toolkit.serving.web.json_body import read_object

_Options = TypeVar("_Options", bound=BaseModel)
_MOST_FIELDS = 32
_BARE = "application/octet-stream"


@dataclass(frozen=True)
class PictureForm:
    """What a request says.

    Attributes:
        values: everything but the pictures.
        pictures: name -> bytes that were uploaded, or text that names the picture.
        is_text: values are texts, as forms and addresses have them.
    """

    values: Mapping[str, Any]
    pictures: Mapping[str, object]
    is_text: bool

    def options(self, model: type[_Options]) -> _Options:
        """Returns the values, checked.

        Raises:
            Problem: one is missing, unknown or of another type.
        """
        values = dict(self.values)
        if self.is_text:
            values = {name: _plain(name, text, model) for name, text in values.items()}
        try:
            return model.model_validate(values, strict=not self.is_text)
        except ValidationError as error:
            raise Problem(Kind.WRONG_VALUE, said(error)) from error

    def uploaded(self, name: str) -> bytes | None:
        """Returns the bytes of a picture that came as such."""
        given = self.pictures.get(name)
        return given if isinstance(given, bytes) else None

    def picture(self, name: str, service: Service, client: Client) -> bytes:
        """Returns the bytes of a picture.

        Raises:
            Problem: it is missing, or cannot be had.
        """
        if name not in self.pictures:
            raise Problem(Kind.MISSING_PARAMETER, f"The request has no {name}.")
        given = self.pictures[name]
        return given if isinstance(given, bytes) else service.reader.read(given, client.home, name)


async def read_form(request: Request, names: Sequence[str] = ("image",)) -> PictureForm:
    """Reads a request.

    Args:
        request: whose body the gate has read.
        names: of the pictures.

    Raises:
        Problem: it is of another type, or cannot be read.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return _split(read_object(await request.body()), names, is_text=False)
    if kind == "multipart/form-data":
        form = await request.form(max_files=_MOST_FIELDS, max_fields=_MOST_FIELDS)
        parts = {
            name: await value.read() if isinstance(value, UploadFile) else value
            for name, value in form.multi_items()
        }
        await form.close()
        return _split({**request.query_params, **parts}, names, is_text=True)
    if len(names) == 1 and (kind.startswith("image/") or kind == _BARE):
        query = {**request.query_params, names[0]: await request.body()}
        return _split(query, names, is_text=True)
    raise Problem(
        Kind.WRONG_CONTENT_TYPE,
        f"Content-Type is {kind[:80]!r}; expected application/json, multipart/form-data"
        + (", or that of a picture." if len(names) == 1 else "."),
    )


def said(error: ValidationError) -> str:
    """Says what is wrong with which value; values themselves are not repeated."""
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'the body'}: {one['msg']}" for one in error.errors()
    )


def body_of(model: type[BaseModel], names: Sequence[str] = ("image",)) -> dict[str, Any]:
    """Returns what OpenAPI says of a request that `read_form` reads."""
    schema = model.model_json_schema()
    properties = schema.get("properties", {})
    required = [*names, *schema.get("required", [])]

    def with_pictures(picture: dict[str, Any]) -> dict[str, Any]:
        own = {**dict.fromkeys(names, picture), **properties}
        return {
            "type": "object",
            "properties": own,
            "required": required,
            "additionalProperties": False,
        }

    said_text = {"type": "string", "description": "Base64, a data URI, oss://bucket/key or a URL."}
    upload = {"type": "string", "format": "binary"}
    example = {**dict.fromkeys(names, "<base64>"), **_examples(properties)}
    content: dict[str, Any] = {
        "application/json": {"schema": with_pictures(said_text), "example": example},
        "multipart/form-data": {"schema": with_pictures(upload)},
    }
    if len(names) == 1:
        content["image/*"] = {"schema": upload}
    return {"requestBody": {"required": True, "content": content}}


def _examples(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: its["examples"][0] for name, its in properties.items() if its.get("examples")}


def _split(values: Mapping[str, Any], names: Sequence[str], *, is_text: bool) -> PictureForm:
    pictures = {name: values[name] for name in names if name in values}
    others = {name: value for name, value in values.items() if name not in names}
    return PictureForm(others, pictures, is_text)


def _plain(name: str, text: object, model: type[BaseModel]) -> object:
    """Returns the object that a text in JSON stands for, where an object is expected."""
    field = model.model_fields.get(name)
    if field is None or not isinstance(text, str) or "dict" not in str(field.annotation):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(Kind.WRONG_VALUE, f"{name} is no JSON: {str(error)[:200]}.") from error
