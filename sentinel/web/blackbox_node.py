"""``/probe`` on a node's own port, where the site allows it: `site.blackbox`.

The same answers as ``sentinel blackbox``, to whoever may read this node's metrics, about whomever the
site names: networks, hosts and unix sockets, checked after resolution and on every redirect.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sentinel.engine.node import Node
from sentinel.library.catalog import Catalog
from sentinel.metrics.packing import gzipped, takes_gzip
from sentinel.metrics.scrape import CONTENT_TYPE
from sentinel.web.auth import caller, foreign
from sentinel.web.blackbox import read_file
from sentinel.web.blackbox_allow import AllowList
from sentinel.web.blackbox_history import History
from sentinel.web.blackbox_probing import TIMEOUT_HEADER, Prober


class NodeProbes:
    """The prober of a node's present documents; made anew when they are replaced."""

    def __init__(self) -> None:
        self._of: Catalog | None = None
        self._prober: Prober | None = None

    def prober(self, node: Node) -> Prober | None:
        """None where the site has no `blackbox`."""
        if self._of is not node.catalog:
            self._of, self._prober = node.catalog, _prober(node)
        return self._prober


def _prober(node: Node) -> Prober | None:
    blackbox = node.catalog.site.blackbox
    if blackbox is None:
        return None
    allow = AllowList.of(blackbox.allow)
    root: Path = node.catalog.root
    return Prober(
        node.transport,
        allow.allows,
        lambda path: read_file(str(root / path)),
        path_allowed=allow.allows_path,
        modules=node.catalog.modules,
        history=History(0),
        before=allow.refresh,
    )


async def probe(request: Request) -> Response:
    """``GET /probe?target=&module=&hostname=&debug=``: a page of metrics, as blackbox_exporter's."""
    node: Node = request.app.state.node
    if caller(request, await node.site(), via="api") is None:
        return PlainTextResponse("who are you?\n", 401)
    if foreign(request, node.url):
        return PlainTextResponse("a page of another site sent this\n", 403)
    probes: NodeProbes = request.app.state.blackbox
    prober = probes.prober(node)
    if prober is None:
        return PlainTextResponse("the site has no `blackbox:`\n", 404)
    header = request.headers.get(TIMEOUT_HEADER.decode(), "")
    answer = await prober.answer(request.scope["query_string"], header)
    body = answer.text.encode()
    headers = {"content-type": answer.content_type, **dict(answer.headers)}
    if answer.content_type == CONTENT_TYPE and takes_gzip(
        request.headers.get("accept-encoding", "")
    ):
        body, headers["content-encoding"] = gzipped(body), "gzip"
    return Response(body, answer.status, headers)
