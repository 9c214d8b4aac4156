"""What answers the requests to a gateway: the API with the pages beside it, and the metrics, which may have a port."""

from signalpost.api.app import Api
from signalpost.api.routes import (
    CONSENT_ROUTES,
    CONTACT_ROUTES,
    HEALTH_ROUTES,
    LINK_ROUTES,
    METRICS_ROUTES,
    OPEN_ROUTES,
    ROUTES,
)
from signalpost.api.routing.services import Services
from signalpost.console.pages_beside_api import PagesBesideApi
from signalpost.listener.application import App
from signalpost.settings import Settings
from signalpost.start_settings import identity_provider


def apps_of(services: Services, settings: Settings) -> tuple[App, App | None]:
    """The application for the gateway's port, and the one for METRICS_PORT; None if the first has the metrics, too."""
    if settings.metrics_port is None:
        return _with_pages(Api(services, ROUTES, OPEN_ROUTES), services, settings), None
    api = Api(services, ROUTES, (*LINK_ROUTES, *CONSENT_ROUTES, *CONTACT_ROUTES, *HEALTH_ROUTES))
    return _with_pages(api, services, settings), Api(services, (), METRICS_ROUTES)


def _with_pages(api: Api, services: Services, settings: Settings) -> App:
    clock, transport = services.clock, services.engine.connectors.transport
    provider = identity_provider(settings, transport, clock.steady, clock.wall)
    origins = () if settings.public_url is None else (settings.public_url,)
    return PagesBesideApi(api, services, provider, origins)
