"""The least that any service does to move the same bytes: FastAPI routes with a form in, or nothing, and buffers out.

Started by benchmarks/predict.py and load.py in a process of its own; what Raincell takes is held against it.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Annotated

import uvicorn
from fastapi import FastAPI, File, Response, UploadFile

app = FastAPI()


@app.get("/readyz")
async def ready() -> dict[str, bool]:
    """As the real service's."""
    return {"ready": True}


@app.post("/predict")
async def move(frames: Annotated[list[UploadFile], File()], size: int) -> Response:
    """Read the files, and answer as many bytes as were asked for."""
    for file in frames:
        await file.read()
    return Response(bytes(size), media_type="application/octet-stream")


@app.get("/bytes")
async def give(size: int) -> Response:
    """As many bytes as are asked for, made once."""
    return Response(_made(size), media_type="application/octet-stream")


@lru_cache(maxsize=8)
def _made(size: int) -> bytes:
    return bytes(size)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), server_header=False, log_level="warning")
