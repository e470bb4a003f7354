"""``sentinel import``."""

from pathlib import Path

from tests.cli.running import run


def test_it_prints_documents_and_says_what_it_could_not_carry_over(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        "endpoints:\n"
        "  - {name: a, url: 'http://shop.fi', conditions: ['[STATUS] == 200', '[X] == 1']}\n"
    )
    done = run("import", "gatus", str(file))

    assert 3 == done.exit_code
    assert done.stdout.startswith("# From config.yaml, by `sentinel import gatus`.\n\nprobes:\n")
    assert "'status == 200'" in done.stdout
    assert "probes/a: the condition `[X] == 1` is not carried over\n" in done.stderr
    assert done.stderr.endswith("1 probes and 0 templates\n")


def test_a_file_that_is_carried_over_whole_ends_well(tmp_path: Path) -> None:
    file, prometheus = tmp_path / "blackbox.yml", tmp_path / "prometheus.yml"
    file.write_text("modules: {http_2xx: {prober: http}}\n")
    prometheus.write_text(
        "scrape_configs:\n  - job_name: shops\n    metrics_path: /probe\n"
        "    static_configs: [{targets: ['https://shop.fi']}]\n"
    )
    done = run("import", "blackbox", str(file), "--prometheus", str(prometheus))

    assert 0 == done.exit_code, done.stderr
    assert "  shops-shop-fi:\n    use: template/http-2xx\n" in done.stdout


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "backup.json"
    file.write_text("{}")
    done = run("import", "uptime-kuma", str(file))

    assert (1, "") == (done.exit_code, done.stdout)
    assert "backup.json:1:1: there is no `monitorList` in this file\n" == done.stderr


def test_a_prometheus_file_goes_with_blackbox_alone(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("{}")

    assert 2 == run("import", "gatus", str(file), "--prometheus", str(file)).exit_code
