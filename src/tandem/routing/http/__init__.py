"""The routing API over HTTP: `create_router(gateway, require)`."""

from tandem.routing.http.routes import create_router

__all__ = ["create_router"]
