"""A catalogue of several files and its environment: one run tells everything, each finding in its own file, in file order."""

from pathlib import Path

import pytest

from fleet.environment import default_environment, load_environment
from fleet.errors import CatalogueError, Finding
from fleet.files import parse_catalogue, read_catalogue
from fleet.loading import draft_stack_plan, finish, load_plan, plan_from_source
from fleet.reading import validate_catalogue

DEV = default_environment("dev")

MAIN = """\
application: shop.celery:app
defaults: {wait: {promise: 30s}, shards: 2}
queues:
  mail:
    tasks: [shop.mail.*]
    profile: io
    runtime: {mean: 200ms, p99: 1s, limit: 10s}
    load: {peak: 10/s}
"""

ORDERS = """\
defaults: {wait: {promise: 60s}}
queues:
  orders:
    tasks: [shop.orders.*]
    profile: io
    runtime: &short {mean: 200ms, p99: 1s, limit: 10s}
    load: {peak: 10/s}
  refunds:
    tasks: [shop.refunds.*]
    profile: cpu
    runtime: {<<: *short, limit: 30s}
    load: {peak: 1/s}
"""


def write(folder: Path, **texts: str) -> Path:
    """`main` becomes `queues.yaml`, any other name a file in `queues.d`."""
    (folder / "queues.d").mkdir(exist_ok=True)
    for name, text in texts.items():
        path = folder / "queues.yaml" if name == "main" else folder / "queues.d" / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
    return folder / "queues.yaml"


def findings(folder: Path, **texts: str) -> list[Finding]:
    """What a catalogue of several files is refused with."""
    with pytest.raises(CatalogueError) as caught:
        load_plan(write(folder, **texts), DEV, shown_as="queues.yaml")
    return caught.value.findings


def lines(found: list[Finding]) -> list[str]:
    return [f"{item.file}:{item.line}:{item.column}: {item.path}" for item in found]


def test_queues_of_every_file_are_one_fleet(tmp_path: Path) -> None:
    """The main file first, then the others by name; a file's own defaults lie over the main file's."""
    plan = load_plan(write(tmp_path, main=MAIN, orders=ORDERS), DEV)
    assert [queue.name for queue in plan.queues] == ["mail", "orders", "refunds"]
    assert [queue.promise.wait_seconds for queue in plan.queues] == [30, 60, 60]
    assert [len(queue.topology.shards) for queue in plan.queues] == [2, 2, 2]
    assert [queue.promise.limit_seconds for queue in plan.queues] == [10, 10, 30]


def test_a_main_file_may_hold_no_queue(tmp_path: Path) -> None:
    """Application and defaults alone, the queues beside it."""
    path = write(tmp_path, main="application: shop.celery:app\n", orders=ORDERS)
    assert [queue.name for queue in load_plan(path, DEV).queues] == ["orders", "refunds"]


def test_the_same_from_texts_as_from_files(tmp_path: Path) -> None:
    """A revision of a repository is read without being checked out."""
    from_texts = parse_catalogue({"queues.yaml": MAIN, "queues.d/orders.yaml": ORDERS})
    assert plan_from_source(from_texts, DEV) == load_plan(write(tmp_path, main=MAIN, orders=ORDERS), DEV)
    assert from_texts.files == ("queues.yaml", "queues.d/orders.yaml")


@pytest.mark.parametrize(
    ("orders", "place", "problem"),
    [
        pytest.param(
            ORDERS.replace("  orders:", "  mail:"),
            "queues.d/orders.yaml:3:3: queues.mail",
            "stands in queues.yaml:4:3 already",
            id="a-queue-in-two-files",
        ),
        pytest.param(
            "application: a:b\n" + ORDERS,
            "queues.d/orders.yaml:1:1: application",
            "may stand only in queues.yaml",
            id="a-second-application",
        ),
        pytest.param(
            "queus: {}\n" + ORDERS, "queues.d/orders.yaml:1:1: queus", "is no known key", id="a-misspelt-key-at-the-top"
        ),
        pytest.param(
            ORDERS.replace("60s", "60"),
            "queues.d/orders.yaml:1:19: defaults.wait.promise",
            "has no unit",
            id="a-wrong-default-once-for-all-queues",
        ),
        pytest.param(
            ORDERS.replace("limit: 10s", "limit: 10"),
            "queues.d/orders.yaml:6:44: queues.orders.runtime.limit",
            "has no unit",
            id="a-field-in-an-anchor-that-others-override",
        ),
        pytest.param(
            ORDERS.replace("limit: 30s", "limit: 800ms"),
            "queues.d/orders.yaml:6:35: queues.refunds.runtime.p99",
            "is 1s, above runtime.limit (800ms)",
            id="across-fields-at-the-merged-anchor",
        ),
        pytest.param(
            ORDERS.replace("shop.orders.*", "shop.*"),
            "queues.d/orders.yaml:4:13: queues.orders.tasks[0]",
            "meets 'shop.mail.*' of queue 'mail'",
            id="a-task-with-queues-in-two-files",
        ),
        pytest.param("queues: [", "queues.d/orders.yaml:2:1: ", "is no YAML", id="a-file-that-is-no-yaml"),
        pytest.param("- a", "queues.d/orders.yaml:1:1: ", "has no queues", id="a-file-that-is-a-list"),
        pytest.param(
            "queues: 3", "queues.d/orders.yaml:1:1: queues", "is no mapping of queue", id="queues-as-a-number"
        ),
    ],
)
def test_a_finding_names_the_file_it_is_in(tmp_path: Path, orders: str, place: str, problem: str) -> None:
    """File, line and column of what has to change, whichever file it is."""
    found = findings(tmp_path, main=MAIN, orders=orders)
    assert place in lines(found)
    assert problem in found[lines(found).index(place)].problem


def test_a_wrong_default_of_the_main_file_is_told_once_and_there(tmp_path: Path) -> None:
    """Not once for each queue of each file."""
    assert lines(findings(tmp_path, main=MAIN.replace("shards: 2", "shards: 99"), orders=ORDERS)) == [
        "queues.yaml:2:34: defaults.shards"
    ]


def test_a_default_that_breaks_a_rule_is_found_where_it_stands(tmp_path: Path) -> None:
    """The queue is named by the path; the place is the default's."""
    main = MAIN.replace("shards: 2", "runtime: {limit: 500ms}").replace(", limit: 10s", "")
    assert "queues.yaml:2:44: queues.mail.runtime.limit" in lines(findings(tmp_path, main=main))


def test_findings_of_all_files_come_in_file_order(tmp_path: Path) -> None:
    """Main file, then the others by name, then the environment's: a broken file hides nothing of the others."""
    (tmp_path / "Pulumi.dev.yaml").write_text(
        "config:\n  celery-fleet:environment: {startpu: 5s, minimums: {mial: 1}}\n"
    )
    path = write(
        tmp_path,
        main=MAIN.replace("mean: 200ms", "mean: 2s"),
        b="queues: {x: {profile: iox}}\n",
        a=ORDERS.replace("shop.refunds.*", "shop.orders.x"),
        c="queues: &c {x: *d}\n",
    )
    with pytest.raises(CatalogueError) as caught:
        finish(draft_stack_plan(path, "dev", root=tmp_path, shown_as="queues.yaml"))
    assert lines(caught.value.findings) == [
        "queues.yaml:7:15: queues.mail.runtime.mean",
        "queues.d/a.yaml:9:13: queues.refunds.tasks[0]",
        "queues.d/b.yaml:1:10: queues.x.load",
        "queues.d/b.yaml:1:10: queues.x.runtime",
        "queues.d/b.yaml:1:10: queues.x.tasks",
        "queues.d/b.yaml:1:14: queues.x.profile",
        "queues.d/c.yaml:1:16: ",
        "Pulumi.dev.yaml:2:30: config.celery-fleet:environment.startpu",
    ]


def test_a_misspelt_queue_in_an_environment_gets_the_nearest(tmp_path: Path) -> None:
    """It would otherwise be a minimum that nobody keeps."""
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  celery-fleet:environment: {minimums: {mial: 1}}\n")
    with pytest.raises(CatalogueError) as caught:
        finish(draft_stack_plan(write(tmp_path, main=MAIN, orders=ORDERS), "dev", root=tmp_path))
    (finding,) = caught.value.findings
    assert str(finding).startswith(
        "Pulumi.dev.yaml:2:41: config.celery-fleet:environment.minimums.mial is no queue\n"
        "  Did you mean `mail`? Known here: mail, orders, refunds."
    )
    with pytest.raises(CatalogueError, match=r"^Pulumi.dev.yaml: .*minimums.mial is no queue"):
        load_plan(tmp_path / "queues.yaml", load_environment(tmp_path, "dev"))


def test_a_mistake_in_one_field_does_not_hide_what_is_wrong_with_the_rest_of_its_queue(tmp_path: Path) -> None:
    """Rules across fields are checked with what is right."""
    wrong = MAIN.replace("profile: io", "profile: io\n    memory: 60MB").replace("mean: 200ms", "mean: 2s")
    assert lines(findings(tmp_path, main=wrong)) == [
        "queues.yaml:7:5: queues.mail.memory",
        "queues.yaml:8:15: queues.mail.runtime.mean",
    ]


@pytest.mark.parametrize("name", ["orders.yml", "orders.json", "orders.YAML"])
def test_a_file_that_would_be_passed_over_is_told(tmp_path: Path, name: str) -> None:
    """A queue that nobody reads would be a queue without workers."""
    path = write(tmp_path, main=MAIN)
    (tmp_path / "queues.d" / name).write_text(ORDERS)
    with pytest.raises(CatalogueError, match=rf"^queues.d/{name}: is not read"):
        load_plan(path, DEV, shown_as="queues.yaml")


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    """What editors leave is no part of the catalogue."""
    path = write(tmp_path, main=MAIN)
    (tmp_path / "queues.d" / ".orders.yaml").write_text("[")
    (tmp_path / "queues.d" / "old.yaml").mkdir()
    assert read_catalogue(path).parts == ()


def test_a_catalogue_of_another_name_has_its_own_folder(tmp_path: Path) -> None:
    """Two catalogues in one folder do not mix."""
    write(tmp_path, main=MAIN, orders=ORDERS).rename(tmp_path / "shop.yaml")
    catalogue, found = validate_catalogue(read_catalogue(tmp_path / "shop.yaml"))
    assert catalogue is not None
    assert (list(catalogue.queues), found) == (["mail"], [])
