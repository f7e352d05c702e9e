"""The least that any service does to move the same bytes: a FastAPI route with a form in and buffers out.

Started by benchmarks/predict.py and benchmarks/load.py in a process of its own; what Raincell takes beyond its
forecaster is held against it.
"""

from __future__ import annotations

import sys
from typing import Annotated

import uvicorn
from fastapi import FastAPI, File, Response, UploadFile

app = FastAPI()


@app.get("/readyz")
async def ready() -> dict[str, bool]:
    """As the real service's."""
    return {"ready": True}


@app.get("/bytes")
async def give(size: int) -> Response:
    """As many bytes as are asked for, as benchmarks/load.py does."""
    return Response(bytes(size), media_type="application/octet-stream")


@app.post("/predict")
async def move(frames: Annotated[list[UploadFile], File()], size: int) -> Response:
    """Read the files, and answer as many bytes as were asked for."""
    for file in frames:
        await file.read()
    return Response(bytes(size), media_type="application/octet-stream")


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), server_header=False, log_level="warning")
