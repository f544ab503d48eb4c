"""The reference of a stack's settings, written from their model: `python -m stacks.reference` writes `docs/reference/stack.md`.

Invariant: what is said of a key is the docstring that its error message shows too.
"""

from collections.abc import Callable, Iterator

from fleet.reference import FOLDER, sections, write_anew
from stacks.aws_settings import AWS_ENVIRONMENTS, AwsEnvironment
from stacks.settings import KEPT_ENVIRONMENTS
from stacks.spec import PROJECT, StackSpec

PAGE = FOLDER / "stack.md"


def stack_page() -> str:
    """The page of the settings of a stack."""
    lines = [
        "<!-- Written by `python -m stacks.reference` from the model in stacks/spec.py; change that. -->\n",
        "# The settings of a stack\n",
        f"They stand in `Pulumi.<stack>.yaml`, each key with `{PROJECT}:` in front; `pulumi config set --path` writes them. A key that is not listed",
        "here is refused, with the nearest one that is, and nothing is registered while there is a finding.\n",
        "Variables override the file, or stand in for what it leaves out, so that working against another cluster leaves no change in it:",
        "`FLEET_CONTEXT` (`context`), `FLEET_BASE_IMAGE` (`images.base`), `FLEET_RESULTS_PASSWORD` (where `resultsPassword` is not set),",
        "`FLEET_MONITORING` (`monitoring.mode`), `FLEET_BROKER_ISSUER` (`broker.issuer`), `FLEET_IMAGES=local` (images are loaded into the node where",
        "they are built).\n",
        *sections(StackSpec),
        "\n## Defaults on EKS\n",
        "What an environment decides where its file does not; another name starts from the column `dev`. What it runs on is the table at the end of",
        "[the environment's settings](environment.md#defaults).\n",
        "| | " + " | ".join(AWS_ENVIRONMENTS) + " |",
        "|---|" + "---|" * len(AWS_ENVIRONMENTS),
        *_default_rows(),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _default_rows() -> Iterator[str]:
    shown: dict[str, Callable[[str, AwsEnvironment], str]] = {
        "protect": lambda name, _: str(name in KEPT_ENVIRONMENTS).lower(),
        "aws.compute": lambda _, item: item.compute,
        "aws.network.flowLogs": lambda _, item: str(item.flow_logs).lower(),
        "aws.logTypes": lambda _, item: ", ".join(item.log_types),
        "aws.logRetentionDays": lambda _, item: str(item.log_retention_days),
    }
    for key, show in shown.items():
        yield f"| `{key}` | " + " | ".join(show(name, item) for name, item in AWS_ENVIRONMENTS.items()) + " |"


def main() -> None:
    """Writes the page, naming it if it changed."""
    write_anew(PAGE, stack_page())


if __name__ == "__main__":
    main()
