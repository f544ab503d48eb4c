"""The executable `pulumi-language-python` of the sandbox: how the Pulumi CLI runs programs and policy packs in Python.

The invariant: a program runs in a process of its own, in its own folder, with nothing of this file in its way; the
engine hears of its end by the exit code alone, because the program has reported its failure itself.

Source: pulumi v3.259 `sdk/python/cmd/pulumi-language-python/main.go` (Run, RunPlugin, GetRequiredPackages) and
`sdk/proto/pulumi/language.proto`.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import platform
import signal
import sys
import sysconfig
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from sandbox.standins.plugin_server import Call, Context, Message, engine_address, serve_plugin, servicer
from sandbox.standins.program_runner import SHOWN_TO_THE_USER

RUNNER: Final = Path(__file__).with_name("program_runner.py")
TERMINATION_SECONDS: Final = 3.0
"""How long a cancelled program may take to end by itself; the engine kills this host after five."""

CHUNK_BYTES: Final = 16 * 1024


def project_python(root: Path) -> str:
    """The Python of the project's own environment; this host's own where the project has none.

    As with `toolchain: uv`, so that the program of one checkout never runs with the packages of another that started the sandbox.
    Source: pulumi sdk/python/toolchain/uv.go, `newUv` (the environment `.venv` beside the project).
    """
    own = root / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


@dataclass(slots=True)
class PythonLanguageHost:
    """What the engine asks of a language."""

    engine: str
    _running: set[asyncio.subprocess.Process] = field(default_factory=set)

    def calls(self) -> dict[str, Call]:
        """What answers each RPC that has one response."""
        return {
            "Handshake": self.handshake,
            "GetPluginInfo": self.plugin_info,
            "GetRequiredPlugins": self.required_plugins,
            "GetRequiredPackages": self.required_packages,
            "GetProgramDependencies": self.program_dependencies,
            "RuntimeOptionsPrompts": self.runtime_options,
            "About": self.about,
            "Run": self.run,
            "Cancel": self.cancel,
        }

    async def handshake(self, request: Message) -> Message:
        """Take note of where the engine is."""
        self.engine = request.engine_address or self.engine
        return language_pb2.LanguageHandshakeResponse()

    async def plugin_info(self, _request: Message) -> Message:
        """The version of the SDK that runs the programs."""
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    async def required_plugins(self, _request: Message) -> Message:
        """Nothing: the engine asks for packages instead."""
        return language_pb2.GetRequiredPluginsResponse()

    async def required_packages(self, _request: Message) -> Message:
        """The plugin of every installed Pulumi package."""
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(name=name, kind="resource", version=f"v{version}")
                for name, version in sorted(installed_plugins(os.environ).items())
            ]
        )

    async def program_dependencies(self, _request: Message) -> Message:
        """The installed distributions, for `pulumi about`."""
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=found.name, version=found.version)
                for found in importlib.metadata.distributions()
                if found.name.startswith("pulumi")
            ]
        )

    async def runtime_options(self, _request: Message) -> Message:
        """No questions: the toolchain is the environment that this host runs in."""
        return language_pb2.RuntimeOptionsResponse()

    async def about(self, _request: Message) -> Message:
        """Which Python runs the programs."""
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    async def run(self, request: Message) -> Message:
        """Run a program to its end."""
        environment = dict(os.environ)
        if request.config:
            environment["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        if request.configSecretKeys:
            environment["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        python = project_python(Path(request.info.root_directory))
        process = await asyncio.create_subprocess_exec(
            python, "-u", "-P", str(RUNNER), *program_arguments(request, self.engine), env=environment
        )
        code = await self._ended(process)
        if code == SHOWN_TO_THE_USER:
            return language_pb2.RunResponse(bail=True)
        error = f"program exited with non-zero exit code: {code}" if code else ""
        return language_pb2.RunResponse(error=error)

    async def run_plugin(self, request: Message, _context: Context) -> AsyncIterator[Message]:
        """Run a policy pack, or a plugin written in Python, and pass on what it prints."""
        folder = request.info.program_directory
        is_pack = request.kind == "analyzer"
        command = ["-m", "pulumi.policy", *request.args, folder] if is_pack else [folder, *request.args]
        environment = dict(os.environ)
        environment.update(entry.split("=", 1) for entry in request.env if "=" in entry)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-u",
            *command,
            cwd=folder if is_pack else request.pwd,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        outputs: asyncio.Queue[Message | None] = asyncio.Queue()
        forwards = [
            asyncio.create_task(_forward(process.stdout, "stdout", outputs)),
            asyncio.create_task(_forward(process.stderr, "stderr", outputs)),
        ]
        try:
            for _ in forwards:
                while (output := await outputs.get()) is not None:
                    yield output
            code = await self._ended(process)
            yield language_pb2.RunPluginResponse(exitcode=code)
        finally:
            for forward in forwards:
                forward.cancel()
            await self._stop(process)

    async def install_dependencies(self, _request: Message, _context: Context) -> AsyncIterator[Message]:
        """Nothing to install: `make` has made the environment."""
        yield language_pb2.InstallDependenciesResponse(stdout=b"The environment is made by `make`; nothing to do.\n")

    async def cancel(self, _request: Message) -> Message:
        """End what runs."""
        await self.stop_all()
        return empty_pb2.Empty()

    async def stop_all(self) -> None:
        """End every program and plugin that still runs."""
        await asyncio.gather(*(self._stop(process) for process in list(self._running)))

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        self._running.add(process)
        code = await process.wait()
        self._running.discard(process)
        return code

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), TERMINATION_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _forward(stream: asyncio.StreamReader | None, channel: str, outputs: asyncio.Queue[Message | None]) -> None:
    while stream is not None and (chunk := await stream.read(CHUNK_BYTES)):
        is_stdout = channel == "stdout"
        response = (
            language_pb2.RunPluginResponse(stdout=chunk) if is_stdout else language_pb2.RunPluginResponse(stderr=chunk)
        )
        await outputs.put(response)
    await outputs.put(None)


def program_arguments(request: Message, engine: str) -> list[str]:
    """The runner's command line for a request: empty options are left out, the entry point comes last but one."""
    options = {
        "monitor": request.monitor_address,
        "engine": engine,
        "project": request.project,
        "root_directory": request.info.root_directory,
        "stack": request.stack,
        "pwd": request.info.program_directory or request.pwd,
        "dry_run": "true" if request.dryRun else "false",
        "parallel": str(request.parallel),
        "organization": request.organization,
    }
    flags = [text for name, value in options.items() if value for text in (f"--{name}", value)]
    return [*flags, request.info.entry_point or ".", *request.args]


def installed_plugins(environment: Mapping[str, str]) -> dict[str, str]:
    """Name and version of the plugin behind every installed Pulumi package.

    Where plugins may not be downloaded, one that is not there is left out: the engine would refuse a program that does
    not even use it, and names it clearly when one does.
    """
    plugins: dict[str, str] = {}
    # By the file, as the real host does: asking every installed distribution takes a third of a second.
    for folder in dict.fromkeys(sysconfig.get_path(name) for name in ("purelib", "platlib")):
        for file in sorted(Path(folder).glob("pulumi_*/pulumi-plugin.json")):
            stated = json.loads(file.read_text())
            if stated.get("resource") and stated.get("version"):
                plugins[stated.get("name") or file.parent.name.removeprefix("pulumi_")] = stated["version"]
    if environment.get("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION") != "true":
        return plugins
    home = Path(environment.get("PULUMI_HOME") or "~/.pulumi").expanduser()
    return {
        name: version
        for name, version in plugins.items()
        if (home / "plugins" / f"resource-{name}-v{version}").is_dir()
    }


def main() -> None:
    """Serve the language to the engine whose address is the first argument."""
    host = PythonLanguageHost(engine_address(sys.argv[1:]))
    implementation = servicer(
        language_pb2_grpc.LanguageRuntimeServicer,
        host.calls(),
        {"RunPlugin": host.run_plugin, "InstallDependencies": host.install_dependencies},
    )

    async def serve() -> None:
        try:
            await serve_plugin(
                lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(implementation, server)
            )
        finally:
            await host.stop_all()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
