"""Oscar's own addresses, and the few beside them that a monitored shop has."""

import breaking
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import include, path
from django.views.decorators.http import condition, require_POST
from django.views.static import serve
from shelf.file import tag, written_at

from examples.shop.catalogue import PRODUCTS
from examples.shop.pictures import picture


@condition(etag_func=tag, last_modified_func=written_at)
def feed(request: HttpRequest) -> FileResponse:
    """The file that the writer replaces, as it is."""
    return FileResponse(settings.SHOP_FEED.open("rb"), content_type="application/xml")


def healthz(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    return JsonResponse({"status": "ok"})


def show_picture(request: HttpRequest, sku: str) -> HttpResponse:
    if sku not in {product.sku for product in PRODUCTS}:
        raise Http404(sku)
    return HttpResponse(picture(sku), content_type="image/png")


@require_POST
def clear_basket(request: HttpRequest) -> HttpResponse:
    """Oscar has no such button; a check that filled a basket wants to leave none behind."""
    if request.basket.pk is not None:  # after an order the next basket is not stored yet
        request.basket.flush()
    return redirect("basket:summary")


urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("faults", breaking.switch),
    path("healthz", healthz),
    path("feed/google.xml", feed),
    path("pictures/<str:sku>.png", show_picture),
    path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}),
    path("basket/clear/", clear_basket),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
