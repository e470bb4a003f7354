"""One declaration, many probes: templates and matrices."""

from pathlib import Path

from jsonschema import Draft7Validator

from sentinel.library.catalog import Catalog, check_alone, load
from sentinel.library.schema import printed_schema
from sentinel.monitor.probe import Probe
from sentinel.words import Outcome, Seconds, Severity
from tests.library.samples import Samples, workspace


def catalog(root: Path, text: str, **more: str) -> Catalog:
    files = {
        "probes/shop.yaml": text,
        **{f"probes/{name}.yaml": each for name, each in more.items()},
    }
    loaded = load(workspace(root, files), lookup=Samples())
    assert loaded.catalog is not None, "\n".join(map(str, loaded.problems))
    return loaded.catalog


def probes(root: Path, text: str, **more: str) -> dict[str, Probe]:
    return dict(catalog(root, text, **more).policy.probes)


def said(root: Path, text: str, **more: str) -> list[str]:
    files = {
        "probes/shop.yaml": text,
        **{f"probes/{name}.yaml": each for name, each in more.items()},
    }
    return [str(each) for each in load(workspace(root, files), lookup=Samples()).problems]


class TestMatrix:
    def test_every_combination_is_a_probe_of_its_own(self, tmp_path: Path) -> None:
        found = probes(
            tmp_path,
            "probes:\n  shop:\n    matrix: {country: [fi, se], page: [home, Cart 2]}\n"
            "    labels: {country: '${matrix.country}'}\n"
            "    page: {at: shop, path: [pages, '${matrix.page}']}\n",
        )

        assert {
            "shop-fi-home": ("fi", ("pages", "home")),
            "shop-fi-cart-2": ("fi", ("pages", "Cart 2")),
            "shop-se-home": ("se", ("pages", "home")),
            "shop-se-cart-2": ("se", ("pages", "Cart 2")),
        } == {
            name: (probe.labels["country"], probe.prober.path)  # type: ignore[attr-defined]
            for name, probe in found.items()
        }

    def test_combinations_are_left_out_and_added(self, tmp_path: Path) -> None:
        found = probes(
            tmp_path,
            "probes:\n  shop:\n    matrix:\n      country: [fi, se]\n      page: [home, cart]\n"
            "      exclude: [{country: se, page: cart}]\n"
            "      include: [{country: 'no', page: home}]\n"
            "    page: {at: shop}\n",
        )

        assert ["shop-fi-home", "shop-fi-cart", "shop-se-home", "shop-no-home"] == list(found)

    def test_a_value_may_be_a_mapping_and_a_host_be_its_address(self, tmp_path: Path) -> None:
        found = probes(
            tmp_path,
            "clients: {acme: {}, acme-sweden: {}}\n"
            "probes:\n  home:\n    matrix:\n      shop:\n"
            "        - {id: fi, client: acme, host: shop.fi}\n"
            "        - {id: se, client: acme-sweden, host: butik.se}\n"
            "    client: '${matrix.shop.client}'\n"
            '    page: {url: \'${"https://" + matrix.shop.host + "/"}\'}\n',
        )

        assert {
            "home-fi": ("acme", "https://shop.fi/"),
            "home-se": ("acme-sweden", "https://butik.se/"),
        } == {name: (probe.client, probe.prober.host()) for name, probe in found.items()}

    def test_numbers_keep_their_type(self, tmp_path: Path) -> None:
        found = probes(
            tmp_path,
            "probes:\n  shop:\n    matrix: {redirects: [0, 3]}\n"
            "    page: {at: shop, redirects: '${matrix.redirects}'}\n",
        )

        assert [0, 3] == [probe.prober.redirects for probe in found.values()]  # type: ignore[attr-defined]

    def test_an_expression_sees_a_value_and_never_code(self, tmp_path: Path) -> None:
        word = 'x") || true || body.contains("'
        found = probes(
            tmp_path,
            "probes:\n  shop:\n    matrix:\n"
            f"      word: [{{id: sly, text: '{word}', limit: -1}}]\n"
            "    page: {at: shop}\n"
            "    expect:\n"
            "      - 'body.contains(matrix.word.text) && status > matrix.word.limit'\n"
            "      - {that: 'body != \"matrix.word\"', else: warn, reason: matrix}\n",
        )

        first, second = found["shop-sly"].expect
        assert first.that.evaluate({"body": f"a {word} b", "status": 200}) is True
        assert first.that.evaluate({"body": "x", "status": 200}) is False
        assert 'body != "matrix.word"' == second.that.source
        assert (Outcome.warn, "matrix") == (second.otherwise, second.reason)

    def test_other_documents_know_the_ids_that_come_of_it(self, tmp_path: Path) -> None:
        found = probes(
            tmp_path,
            "probes:\n  dns: {matrix: {at: [fi]}, page: {at: shop}}\n"
            "  shop: {matrix: {at: [fi]}, page: {at: shop}, depends_on: ['${\"dns-\" + matrix.at}']}\n"
            "  cart: {page: {at: shop}, depends_on: [shop-fi]}\n",
        )

        assert (("dns-fi",), ("shop-fi",)) == (
            found["shop-fi"].depends_on,
            found["cart"].depends_on,
        )

    def test_the_declaring_line_is_the_declarations(self, tmp_path: Path) -> None:
        found = probes(tmp_path, "probes:\n\n  shop: {matrix: {n: [a, b]}, page: {at: shop}}\n")

        assert {"probes/shop.yaml:3:3"} == {str(probe.place) for probe in found.values()}

    def test_ten_thousand_probes_may_come_of_one_declaration_and_no_more(
        self, tmp_path: Path
    ) -> None:
        hundred = ", ".join(f"v{n}" for n in range(100))
        text = "probes:\n  shop: {{matrix: {{a: [{0}], b: [{0}{1}]}}, page: {{at: shop}}}}\n"

        assert 10_000 == len(probes(tmp_path, text.format(hundred, "")))
        assert [
            "probes/shop.yaml:2:10: this matrix comes to 10,100 probes, at most 10,000"
        ] == said(tmp_path, text.format(hundred, ", w"))

    def test_a_mistake_in_a_thousand_probes_is_said_once(self, tmp_path: Path) -> None:
        many = ", ".join(f"v{n}" for n in range(1000))
        text = f"probes:\n  shop: {{matrix: {{a: [{many}]}}, page: {{at: shop}}, evry: 5m}}\n"

        assert 1 == len(said(tmp_path, text))


TEMPLATES = """\
templates:
  slow: {every: 5m, page: {redirects: 3}}
  storefront:
    use: template/slow
    severity: critical
    retry: {times: 2, only_on: any}
    page: {at: shop, method: POST, query: {a: "1", b: "2"}}
    expect: ['status == 200', 'body != ""']
"""


class TestTemplate:
    def test_a_template_lies_under_the_probe_key_by_key(self, tmp_path: Path) -> None:
        probe = probes(
            tmp_path,
            "probes:\n  cart:\n    use: template/storefront\n    expect: ['status == 201']\n"
            "    retry: {times: 1}\n    page: {path: [cart], query: {b: '3'}}\n",
            base=TEMPLATES,
        )["cart"]

        assert (Seconds(300.0), Severity.critical) == (probe.every_s, probe.severity)
        assert (1, "any") == (probe.retry.times, probe.retry.only_on)
        assert ["status == 201"] == [each.that.source for each in probe.expect]
        page = probe.prober
        assert ("POST", ("cart",), {"a": "1", "b": "3"}, 3) == (
            page.method,  # type: ignore[attr-defined]
            page.path,  # type: ignore[attr-defined]
            page.query,  # type: ignore[attr-defined]
            page.redirects,  # type: ignore[attr-defined]
        )

    def test_null_takes_away_what_the_template_says(self, tmp_path: Path) -> None:
        probe = probes(
            tmp_path, "probes:\n  cart: {use: template/storefront, expect: null}\n", base=TEMPLATES
        )["cart"]

        assert () == probe.expect

    def test_defaults_lie_below_templates_and_the_last_template_on_top(
        self, tmp_path: Path
    ) -> None:
        probe = probes(
            tmp_path,
            "defaults: {probes: {every: 9m, timeout: 3s, use: [template/storefront, template/mild]}}\n"
            "templates: {mild: {severity: info}}\n"
            "probes:\n  cart:\n",
            base=TEMPLATES,
        )["cart"]

        assert (300.0, 3.0, Severity.info) == (probe.every_s, probe.timeout_s, probe.severity)

    def test_a_template_may_hold_the_matrix(self, tmp_path: Path) -> None:
        found = probes(
            tmp_path,
            "templates: {each: {matrix: {page: [a, b]}, page: {at: shop, path: ['${matrix.page}']}}}\n"
            "probes:\n  shop: {use: template/each}\n",
        )

        assert ["shop-a", "shop-b"] == list(found)

    def test_a_problem_points_where_it_was_written(self, tmp_path: Path) -> None:
        text = (
            "templates:\n  base:\n    client: nobody\n    page: {query: {a: 1}}\n"
            "probes:\n  one: {use: template/base, page: {at: shp}}\n"
            "  two: {use: template/base, page: {at: shop}}\n"
        )

        assert [
            "probes/shop.yaml:3:13: `nobody` is not one of the clients, declare it under `clients:`",
            'probes/shop.yaml:4:23: `1` must be text, put it in quotes: "1"',
            "probes/shop.yaml:6:40: `shp` is not one of the site's addresses, did you mean `shop`?",
        ] == said(tmp_path, text)


def test_what_is_printed_for_editors_takes_a_declaration_and_knows_typos() -> None:
    probe = {
        "use": "template/storefront",
        "matrix": {"country": ["fi", {"id": "se"}], "exclude": [{"country": "se"}]},
        "every": "${matrix.every}",
        "severity": "${matrix.severity}",
        "expect": None,
        "page": {"path": ["${matrix.page}"], "redirects": "${matrix.redirects}"},
    }
    validator = Draft7Validator(printed_schema("probes", Samples()))

    assert [] == list(validator.iter_errors(probe))
    assert 1 == len(list(validator.iter_errors({**probe, "evry": "5m"})))
    assert 1 == len(list(validator.iter_errors({**probe, "every": "5 minutes"})))
    assert 1 == len(list(validator.iter_errors({**probe, "severity": "bad"})))


def test_a_template_that_nothing_uses_is_read_all_the_same(tmp_path: Path) -> None:
    text = "templates: {base: {page: {at: shop}, evry: 5m}}\n"

    assert ["probes/shop.yaml:1:38: unknown key `evry`, did you mean `every`?"] == said(
        tmp_path, text
    )


def test_a_file_alone_may_use_what_is_declared_elsewhere() -> None:
    text = "probes:\n  a: {use: template/elsewhere}\n"

    assert () == check_alone("a.yaml", text.encode(), lookup=Samples())
