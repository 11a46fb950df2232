"""Who asks, and whether they may."""

from fastapi import Request

from toolkit.serving.problems import Kind, Problem
from toolkit.serving.tokens import Client


def asker(request: Request) -> Client:
    """Returns whom the gate has let in."""
    client: Client = request.state.client
    return client


def writer(request: Request) -> Client:
    """Returns whom the gate has let in.

    Raises:
        Problem: their token reads only.
    """
    client = asker(request)
    if client.access != "write":
        raise Problem(Kind.FORBIDDEN, "This token reads; changes need one that writes.")
    return client
