"""django-oscar as small as it goes with everything that a customer meets; for loopback only.

Everything that differs between two shops comes from the environment, set by ``shop.py``:
SHOP_DIR (data), SHOP_ADDRESS (its own), SHOP_VENDOR (payment, may be empty), SHOP_SECRET_KEY.
"""

import os
from pathlib import Path

from oscar.defaults import *  # noqa: F403  # how oscar wants to be set up

FOLDER = Path(os.environ["SHOP_DIR"])
PROJECT = Path(__file__).parent
SHOP_ADDRESS = os.environ["SHOP_ADDRESS"]
SHOP_VENDOR = os.environ["SHOP_VENDOR"]
SHOP_FEED = FOLDER / "google.xml"
SHOP_FAULTS = FOLDER / "faults.json"

SECRET_KEY = os.environ["SHOP_SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "urls"
SITE_ID = 1
USE_TZ, TIME_ZONE, LANGUAGE_CODE = True, "UTC", "en-gb"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL, MEDIA_URL = "/static/", "/media/"
MEDIA_ROOT = FOLDER / "media"
WHITENOISE_USE_FINDERS = True
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = FOLDER / "mail"

# Each statement is a transaction of its own, and what must hold together says so: a long
# transaction that reads and then writes would be refused by SQLite when another wrote meanwhile.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": FOLDER / "oscar.sqlite3",
        "OPTIONS": {
            "timeout": 5,
            "transaction_mode": "IMMEDIATE",
            "init_command": "pragma journal_mode = wal",
        },
    }
}

# The catalogue is listed from the search index; with the backend "simple" it lists nothing.
HAYSTACK_CONNECTIONS = {
    "default": {
        "ENGINE": "haystack.backends.whoosh_backend.WhooshEngine",
        "PATH": str(FOLDER / "index"),
    }
}

_DJANGO = ["auth", "contenttypes", "sessions", "messages", "staticfiles", "sites", "flatpages"]
_OSCAR = {
    "analytics": "Analytics",
    "address": "Address",
    "shipping": "Shipping",
    "catalogue": "Catalogue",
    "catalogue.reviews": "CatalogueReviews",
    "communication": "Communication",
    "partner": "Partner",
    "basket": "Basket",
    "payment": "Payment",
    "offer": "Offer",
    "order": "Order",
    "customer": "Customer",
    "search": "Search",
    "voucher": "Voucher",
    "wishlists": "Wishlists",
    "dashboard": "Dashboard",
}
_DASHBOARDS = ["reports", "users", "orders", "catalogue", "offers", "partners", "pages", "ranges"]
_DASHBOARDS += ["reviews", "vouchers", "communications", "shipping"]
INSTALLED_APPS = [
    *(f"django.contrib.{name}" for name in _DJANGO),
    "oscar.config.Shop",
    "checkout.apps.CheckoutConfig",
    "shelf",
    *(f"oscar.apps.{path}.apps.{name}Config" for path, name in _OSCAR.items()),
    *(
        f"oscar.apps.dashboard.{name}.apps.{name.capitalize()}DashboardConfig"
        for name in _DASHBOARDS
    ),
    *("widget_tweaks", "haystack", "treebeard", "sorl.thumbnail", "django_tables2"),
]

MIDDLEWARE = [
    "breaking.Breaking",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
]

_CONTEXT = [
    *(f"django.template.context_processors.{name}" for name in ("request", "i18n", "media")),
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
    "oscar.apps.search.context_processors.search_form",
    "oscar.apps.checkout.context_processors.checkout",
    "oscar.apps.communication.notifications.context_processors.notifications",
    "oscar.core.context_processors.metadata",
    "breaking.show_faults",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PROJECT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": _CONTEXT},
    }
]

AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]

OSCAR_SHOP_NAME = "Kettle & Thread"
OSCAR_DEFAULT_CURRENCY = "EUR"
OSCAR_ALLOW_ANON_CHECKOUT = True
OSCAR_INITIAL_ORDER_STATUS = OSCAR_INITIAL_LINE_STATUS = "Pending"
OSCAR_ORDER_STATUS_PIPELINE = {"Pending": ("Cancelled",), "Cancelled": ()}
