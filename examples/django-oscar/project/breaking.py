"""The faults of `examples.shop.faults`, done to django-oscar."""

import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict
from ipaddress import ip_address

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseServerError, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from shelf.stock import reprice

from examples.shop.catalogue import PRODUCTS
from examples.shop.faults import WRONG_PRICE, FaultFile, Faults, read_faults

FAULTS = FaultFile(settings.SHOP_FAULTS)
MOST_FAULT_BYTES = 4096
NOT_A_PAGE = ("/faults", "/feed/", "/pictures/", "/static/", "/media/")


class Breaking:
    """Middleware: the page views fail or wait as the faults have it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(NOT_A_PAGE):
            return self._get_response(request)
        faults = FAULTS.load()
        if request.path != "/healthz" and random.random() < faults.errors:
            return HttpResponseServerError("<h1>Server Error (500)</h1>")
        if faults.slow_database_s:
            _wait_for_a_query(faults.slow_database_s)
        return self._get_response(request)


def _wait_for_a_query(seconds: float) -> None:
    """Keep a query busy for so long: the database is slow, the shop only waits for it."""
    connection.ensure_connection()
    connection.connection.create_function("slow", 1, time.sleep)
    with connection.cursor() as cursor:
        cursor.execute("select slow(%s)", [seconds])
        cursor.fetchone()


def show_faults(request: HttpRequest) -> dict[str, Faults]:
    """For the templates: the missing button is a matter of the page."""
    return {"faults": FAULTS.load()}


@csrf_exempt
@require_http_methods(["GET", "POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """Show the faults, or replace them all. Only who sits at this machine may."""
    if not ip_address(request.META["REMOTE_ADDR"]).is_loopback:
        return JsonResponse({"refused": "from loopback only"}, status=403)
    if request.method == "GET":
        return JsonResponse(asdict(FAULTS.load()))
    if request.content_type != "application/json":
        return JsonResponse({"refused": "Content-Type: application/json"}, status=415)
    try:
        wanted = read_faults(json.loads(request.read(MOST_FAULT_BYTES)))
    except ValueError as refused:
        return JsonResponse({"refused": str(refused)}, status=400)
    reprice(WRONG_PRICE if wanted.wrong_price else str(PRODUCTS[0].price))
    FAULTS.save(wanted)
    return JsonResponse(asdict(wanted))
