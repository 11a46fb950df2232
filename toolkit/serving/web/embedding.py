"""The vector of a request's picture, and what a route makes of it."""

from collections.abc import Callable
from typing import TypeVar

from toolkit.serving.embedding import Vector
from toolkit.serving.service import Service
from toolkit.serving.tokens import Client
from toolkit.serving.web.picture_form import PictureForm
from toolkit.serving.web.working import Workers

_Answer = TypeVar("_Answer")


async def with_vector(
    form: PictureForm,
    service: Service,
    client: Client,
    workers: Workers,
    go_on: Callable[[Vector], _Answer],
) -> _Answer:
    """Returns what `go_on` makes of the vector of the request's ``image``.

    A picture that was uploaded goes straight to the network; one that has to be decoded from text,
    read or fetched goes by a thread that does so.

    Args:
        form: the request.
        service: has the network.
        client: who asks.
        workers: threads.
        go_on: takes the vector of length 1; brief.

    Raises:
        Problem: there is no picture, it cannot be used, or it takes too long.
    """
    if (picture := form.uploaded("image")) is not None:
        return await workers.answer(service.embedder.embed_then(picture, go_on))

    def work() -> _Answer:
        (vector,) = service.embedder.embed(form.picture("image", service, client))
        return go_on(vector)

    return await workers.run(work)
