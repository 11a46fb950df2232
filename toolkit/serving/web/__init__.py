"""The service on a socket: FastAPI and uvicorn, from the extra ``service``."""
