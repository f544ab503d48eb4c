"""The stack's configuration: what it may say, what is refused, and in which words."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from fleet.errors import CatalogueError, Finding
from infra.manifests.topology import DeletionPolicy
from infra.platform import PlatformPart, Provision
from stacks.settings import Settings, load_settings
from tests.stacks.programs import ROOT, VARIABLES


def settings(config: Mapping[str, str] | None = None, *, stack: str = "local", **variables: str) -> Settings:
    """The settings of a stack in a shell of the sandbox with some variables changed."""
    return load_settings(config or {}, {**VARIABLES, **variables}, stack=stack, root=ROOT)


def findings(config: Mapping[str, str], *, variables: Mapping[str, str] | None = None) -> list[Finding]:
    """What is wrong with a configuration."""
    with pytest.raises(CatalogueError) as raised:
        load_settings(config, VARIABLES if variables is None else variables, stack="local", root=ROOT)
    return raised.value.findings


@pytest.mark.parametrize(
    ("key", "text", "path", "hint"),
    [
        pytest.param("nmae", "x", "celery-fleet:nmae", "`name`", id="misspelt-key"),
        pytest.param("target", "moon", "celery-fleet:target", "existing", id="unknown-target"),
        pytest.param("name", "Not A Label", "celery-fleet:name", "match", id="name-that-is-no-label"),
        pytest.param("images", '{"registri": "r"}', "celery-fleet:images.registri", "`registry`", id="misspelt-inside"),
        pytest.param("images", "nonsense", "celery-fleet:images", "images come from", id="text-for-an-object"),
        pytest.param(
            "images",
            '{"prebuilt": {"web": "w:1"}}',
            "celery-fleet:images.prebuilt.worker",
            "Add it",
            id="half-prebuilt",
        ),
        pytest.param(
            "platform", '{"keda": "instal"}', "celery-fleet:platform.keda", "'install' or 'existing'", id="provision"
        ),
        pytest.param("deletionPolicy", "keep", "celery-fleet:deletionPolicy", "'retain' or 'delete'", id="deletion"),
        pytest.param("protect", "maybe", "celery-fleet:protect", "boolean", id="protect-is-yes-or-no"),
        pytest.param(
            "environment", '{"startpu": "5s"}', "celery-fleet:environment.startpu", "`startup`", id="environment-key"
        ),
        pytest.param("spotNodes", '{"taints": []}', "celery-fleet:spotNodes.taints", "tolerations", id="spot-nodes"),
        pytest.param("web", '{"maxBody": "1 MB"}', "celery-fleet:web.maxBody", "Mi", id="a-size-that-is-none"),
        pytest.param("web", '{"rate": 20}', "celery-fleet:web.rate", "one client", id="a-rate-without-its-time"),
        pytest.param(
            "monitoring",
            '{"mode": "yes"}',
            "celery-fleet:monitoring.mode",
            "'operator', 'plain' or 'none'",
            id="monitoring",
        ),
        pytest.param(
            "monitoring", '{"labels": {"a": "b"}}', "celery-fleet:monitoring", "metrics", id="labels-that-nobody-reads"
        ),
        pytest.param("web", '{"burst": 5}', "celery-fleet:web", "How much", id="a-burst-without-a-rate"),
    ],
)
def test_every_finding_names_its_key_and_what_is_right(key: str, text: str, path: str, hint: str) -> None:
    """The key as it stands in the file, and the nearest thing that may stand there."""
    found = findings({f"celery-fleet:{key}": text})
    assert [finding.path for finding in found] == [path]
    assert hint in found[0].fix
    assert found[0].file == "Pulumi.local.yaml"


def test_all_findings_come_in_one_run() -> None:
    """Nobody runs a preview for each mistake."""
    found = findings({"celery-fleet:nmae": "x", "celery-fleet:target": "moon", "celery-fleet:platform": '{"kedda": 1}'})
    assert {finding.path for finding in found} == {
        "celery-fleet:nmae",
        "celery-fleet:target",
        "celery-fleet:platform.kedda",
    }


def test_keys_of_others_are_not_ours() -> None:
    """A provider's own configuration is not looked at."""
    assert settings({"aws:region": "us-east-1", "kubernetes:context": "x"}).spec.name == "celery-fleet"


def test_both_registry_and_prebuilt_is_one_too_many() -> None:
    """One of them would be ignored."""
    both = '{"registry": "r.example", "prebuilt": {"web": "w:1", "worker": "w:1"}}'
    found = findings({"celery-fleet:images": both})
    assert [finding.path for finding in found] == ["celery-fleet:images"]


def test_a_cache_of_builds_is_of_no_use_where_nothing_is_built() -> None:
    """Whoever asks for it expects something of it."""
    both = '{"cache": true, "prebuilt": {"web": "w:1", "worker": "w:1"}}'
    assert [finding.path for finding in findings({"celery-fleet:images": both})] == ["celery-fleet:images"]


def test_a_cluster_of_ones_own_needs_images_that_it_can_pull() -> None:
    """Outside the sandbox nobody loads them into the nodes; the commands that help stand in the message."""
    found = findings({}, variables={"FLEET_RESULTS_PASSWORD": "a-password-of-a-test"})
    assert [finding.path for finding in found] == ["celery-fleet:images"]
    for command in ("docker login", "images.registry", "kind load docker-image"):
        assert command in found[0].fix


@pytest.mark.parametrize(
    "images",
    [
        pytest.param('{"registry": "registry.example/team"}', id="registry"),
        pytest.param('{"prebuilt": {"web": "web:1", "worker": "worker:1"}}', id="prebuilt"),
    ],
)
def test_either_of_two_origins_will_do(images: str) -> None:
    """A registry to push to, or images that are there."""
    config = {"celery-fleet:images": images}
    found = load_settings(config, {"FLEET_RESULTS_PASSWORD": "a-password-of-a-test"}, stack="local", root=ROOT)
    assert found.stack == "local"


DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("stack", "images", "paths"),
    [
        pytest.param("prod", (f"r.example/web@{DIGEST}", f"r.example/worker:7@{DIGEST}"), [], id="by-digest"),
        pytest.param("prod", (f"r.example/web@{DIGEST}", "r.example/worker:7"), ["worker"], id="a-tag-in-prod"),
        pytest.param(
            "staging", ("web:1", "worker@sha256:12"), ["web", "worker"], id="a-tag-and-half-a-digest-in-staging"
        ),
        pytest.param("dev", ("web:1", "worker:1"), [], id="tags-where-everything-may-change"),
    ],
)
def test_an_environment_that_is_kept_runs_images_by_digest(
    stack: str, images: tuple[str, str], paths: list[str]
) -> None:
    """What was tried in one environment is what the next one runs."""
    config = {"celery-fleet:images": json.dumps({"prebuilt": dict(zip(("web", "worker"), images, strict=True))})}
    found: list[Finding] = []
    try:
        load_settings(config, VARIABLES, stack=stack, root=ROOT)
    except CatalogueError as error:
        found = error.findings
    assert [finding.path for finding in found] == [f"celery-fleet:images.prebuilt.{role}" for role in paths]
    assert all("@sha256:" in finding.fix for finding in found)


@pytest.mark.parametrize(
    ("password", "word"),
    [
        pytest.param(None, "is missing", id="none"),
        pytest.param("fifteen-letters", "right form", id="too-short-for-a-managed-store"),
        pytest.param("an_underscore_in_between", "right form", id="a-character-that-elasticache-refuses"),
        pytest.param("x" * 129, "right form", id="too-long"),
        pytest.param("sixteen-letters-and-a-newline\n", "right form", id="a-newline-at-the-end"),
        pytest.param('quotes"and spaces', "right form", id="needs-quoting"),
    ],
)
def test_a_password_that_will_not_do_is_refused_without_being_shown(password: str | None, word: str) -> None:
    """The message says how to set one and never repeats it."""
    variables = {"FLEET_IMAGES": "local"} | ({} if password is None else {"FLEET_RESULTS_PASSWORD": password})
    found = findings({}, variables=variables)
    assert [finding.path for finding in found] == ["celery-fleet:resultsPassword"]
    assert word in found[0].problem
    assert "pulumi config set --secret celery-fleet:resultsPassword" in found[0].fix
    assert password is None or password not in str(found[0])


def test_no_setting_shows_the_password() -> None:
    """Neither where the settings are printed nor where they are refused."""
    config = {"celery-fleet:resultsPassword": "a-password-of-a-test"}
    assert "a-password-of-a-test" not in repr(settings(config))
    assert all("a-password" not in str(item) for item in findings({**config, "celery-fleet:nmae": "x"}))


@pytest.mark.parametrize(
    ("tokens", "word"),
    [
        pytest.param("", "is empty", id="none"),
        pytest.param("a-token-without-its-client", "1. of 1", id="without-a-client"),
        pytest.param("shop:too-short", "1. of 1", id="too-short"),
        pytest.param("shop:long-enough-for-a-token,till:a-token-of-it-$", "2. of 2", id="a-character-too-many"),
    ],
)
def test_tokens_that_will_not_do_are_refused_without_being_shown(tokens: str, word: str) -> None:
    """By their place: the pods of the web layer would not start with them."""
    found = findings({"celery-fleet:webTokens": tokens})
    assert [finding.path for finding in found] == ["celery-fleet:webTokens"]
    assert word in found[0].problem
    assert not tokens or tokens.rsplit(":", maxsplit=1)[-1] not in str(found[0])


def test_tokens_are_taken_and_shown_nowhere() -> None:
    config = {"celery-fleet:webTokens": "shop:long-enough-for-a-token, shop:another-one-of-the-shop"}
    assert settings(config).spec.web_tokens == config["celery-fleet:webTokens"]
    assert "long-enough" not in repr(settings(config))
    assert all("long-enough" not in str(item) for item in findings({**config, "celery-fleet:nmae": "x"}))


@pytest.mark.parametrize(
    ("stack", "deletion", "protect"),
    [
        pytest.param("local", DeletionPolicy.DELETE, False, id="local-leaves-nothing"),
        pytest.param("dev", DeletionPolicy.RETAIN, False, id="dev-keeps-messages"),
        pytest.param("staging", DeletionPolicy.RETAIN, True, id="staging-is-protected"),
        pytest.param("prod", DeletionPolicy.RETAIN, True, id="prod-is-protected"),
    ],
)
def test_safety_depends_on_the_environment(stack: str, deletion: DeletionPolicy, protect: bool) -> None:
    """The default is the safe one wherever somebody may rely on it."""
    found = settings(stack=stack)
    assert (found.deletion, found.protect) == (deletion, protect)


def test_safety_can_be_stated() -> None:
    """What the file says counts."""
    found = settings({"celery-fleet:deletionPolicy": "retain", "celery-fleet:protect": "true"})
    assert (found.deletion, found.protect) == (DeletionPolicy.RETAIN, True)


def test_variables_override_a_committed_file() -> None:
    """So that working against another cluster leaves the work tree as it is."""
    config = {"celery-fleet:context": "of-the-file", "celery-fleet:images": '{"base": "base-of-the-file"}'}
    assert (settings(config).context, settings(config).base_image) == ("of-the-file", "base-of-the-file")
    found = settings(config, FLEET_CONTEXT="mine", FLEET_BASE_IMAGE="my-base")
    assert (found.context, found.base_image) == ("mine", "my-base")


def test_every_part_of_the_platform_exists_unless_it_is_installed() -> None:
    """Each key of the configuration reaches its own part."""
    assert set(settings().platform.values()) == {Provision.EXISTING}
    for part in PlatformPart:
        platform = settings({"celery-fleet:platform": f'{{"{part.value}": "install"}}'}).platform
        assert [other for other, provision in platform.items() if provision is Provision.INSTALL] == [part]


def test_the_environment_of_a_stack_is_its_own(tmp_path: Path) -> None:
    """Stated values count, the rest comes from the environment of that name."""
    config = {"celery-fleet:environment": '{"startup": "12s", "broker": {"nodes": 3}}'}
    environment = settings(config).environment
    assert (environment.startup_seconds, environment.broker_nodes, environment.cpu_scale) == (12.0, 3, 0.05)


def test_a_wrong_environment_is_found_at_its_line(tmp_path: Path) -> None:
    """Where the stack's own file says it, the finding points there."""
    (tmp_path / "Pulumi.local.yaml").write_text("config:\n  celery-fleet:environment:\n    loadFactor: 5000\n")
    with pytest.raises(CatalogueError) as raised:
        load_settings({"celery-fleet:environment": '{"loadFactor": 5000}'}, VARIABLES, stack="local", root=tmp_path)
    assert [(finding.file, finding.line) for finding in raised.value.findings] == [("Pulumi.local.yaml", 3)]


BOTH = '{"certManager": "install", "rabbitmqTopologyOperator": "install"}'


@pytest.mark.parametrize(
    ("config", "variables", "issuer"),
    [
        pytest.param({}, {}, None, id="off-on-a-cluster-of-ones-own"),
        pytest.param(
            {}, {"FLEET_BROKER_ISSUER": "of-the-shell"}, None, id="an-issuer-of-the-shell-switches-nothing-on"
        ),
        pytest.param({"broker": '{"tls": true}', "platform": BOTH}, {}, "celery-fleet-broker", id="made-here"),
        pytest.param({"broker": '{"tls": true, "issuer": "mine"}'}, {}, "mine", id="named"),
        pytest.param(
            {"broker": '{"tls": true}'}, {"FLEET_BROKER_ISSUER": "of-the-shell"}, "of-the-shell", id="of-the-shell"
        ),
        pytest.param(
            {"broker": '{"tls": true, "issuer": "mine"}'}, {"FLEET_BROKER_ISSUER": "other"}, "mine", id="the-file-first"
        ),
    ],
)
def test_one_key_has_the_broker_speak_tls(
    config: dict[str, str], variables: dict[str, str], issuer: str | None
) -> None:
    """Signed by whoever is named, or by an authority of the stack's own where it installs what has to believe it."""
    found = settings({f"celery-fleet:{key}": value for key, value in config.items()}, **variables)
    assert found.broker_issuer == issuer


@pytest.mark.parametrize(
    ("config", "made_here"),
    [
        pytest.param({"broker": '{"tls": true}', "platform": BOTH}, True, id="made-here"),
        pytest.param({"broker": '{"tls": true, "issuer": "mine"}', "platform": BOTH}, False, id="named"),
        pytest.param({"broker": '{"tls": true, "issuer": "mine"}'}, None, id="the-operator-is-there-already"),
        pytest.param({"platform": BOTH}, None, id="without-tls"),
    ],
)
def test_an_operator_that_is_installed_is_given_the_authority(config: dict[str, str], made_here: bool | None) -> None:
    """One that exists believes whom its owner told it to."""
    found = settings({f"celery-fleet:{key}": value for key, value in config.items()}).broker_authority
    assert (None if found is None else found.made_here) == made_here


@pytest.mark.parametrize(
    ("broker", "problem", "fix"),
    [
        pytest.param('{"tls": true}', "is missing", "docs/how-to/tls.md", id="nobody-to-sign"),
        pytest.param('{"issuer": "mine"}', "broker.tls is false", "broker.tls true", id="nothing-to-sign"),
    ],
)
def test_tls_without_its_authority_is_refused(broker: str, problem: str, fix: str) -> None:
    """Before the first resource: a broker without a certificate would never start."""
    [found] = findings({"celery-fleet:broker": broker})
    assert found.path == "celery-fleet:broker.issuer"
    assert problem in found.problem
    assert fix in found.fix
