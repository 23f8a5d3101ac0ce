"""`wardhouse serve`."""

from typing import Annotated

import typer
from rich.console import Console

from wardhouse import settings
from wardhouse.commands.options import Audience
from wardhouse.commands.printing import fail, print_line
from wardhouse.publish.versions import PublishError


def serve_command(
    host: Annotated[
        str | None, typer.Option(help="Address; by default WARDHOUSE_SERVE_HOST, or loopback.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="By default WARDHOUSE_SERVE_PORT, or 8000."),
    ] = None,
    audience: Annotated[
        Audience | None,
        typer.Option(help="Whose answers; by default internal on loopback, shared elsewhere."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="What readers elsewhere call it, where a proxy with TLS on this machine passes "
            "their requests on; by default WARDHOUSE_SERVE_NAME. Asks for --audience."
        ),
    ] = None,
    insecure_local: Annotated[
        bool, typer.Option("--insecure-local", help="Ask nobody for a key; on loopback alone.")
    ] = False,
    rate: Annotated[float, typer.Option(min=0.1, help="Requests a second, of each key.")] = 100,
    burst: Annotated[int, typer.Option(min=1, help="Requests at once, of each key.")] = 200,
) -> None:
    """Answer over HTTP from the newest published version, and from the next when there is one.

    GET /docs says what can be asked. Exits with 1 when nothing can be served.
    """
    from wardhouse.api.application import LOOPBACK, Application, Limits
    from wardhouse.api.keys import Doorkeeper, KeysError
    from wardhouse.api.server import ServeError, check_name, is_loopback, listen, routes, run

    try:
        address, number = host or settings.serve_host(), port or settings.serve_port()
        is_local = is_loopback(address)
        doorkeeper = Doorkeeper(None if insecure_local else settings.keys_file())
        public = name or settings.serve_name()
        if public:
            public = check_name(public, doorkeeper, audience is not None)
        listening = listen(address, number, doorkeeper)
        named = (audience or (Audience.internal if is_local else Audience.shared)).value
        hosts = (*LOOPBACK, address, *([public] if public else [])) if is_local else None
        limits = Limits(rate, burst, hosts, bool(public) or not is_local, public)
        application = Application(
            settings.publish_directory(), named, routes(), doorkeeper, settings.memory(), limits
        )
    except (PublishError, KeysError, ServeError, settings.SettingError) as error:
        fail(error)
    version = application.editions.current[0].version
    told = f"version {version} for {named} readers, at http://{address}:{number}/docs"
    print_line(Console(), f"{told}; ctrl-c ends")
    run(application, listening)
