"""Each command that the documents show is one that there is, with options that there are."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from typer.main import get_command

from doc_blocks import ROOT, Command, all_commands, spans
from groundcam.command_line import UsageProblem, app
from helm import chart

GROUP = get_command(app)
NUMBERS = {"PORT": "8080"}
"""What stands for a number; any other placeholder may be any word."""
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def parsed(words: Sequence[str]) -> None:
    """Have the command line read these words, and call nothing. Raises UsageProblem."""
    command: Any = GROUP
    name, context, left = "groundcam", None, list(words)
    while True:
        context = command.make_context(name, [NUMBERS.get(word, word) for word in left], parent=context)
        left = [*context.args] if not hasattr(command, "commands") else [*context._protected_args, *context.args]
        if not left:
            return
        name, command, left = command.resolve_command(context, left)


@pytest.mark.parametrize("command", all_commands("groundcam"), ids=str)
def test_a_command_of_ours_is_read_by_the_command_line(command: Command) -> None:
    try:
        parsed(command.words[1:])
    except UsageProblem as problem:
        pytest.fail(f"{command}: {problem.format_message()}")


@pytest.mark.parametrize(
    "words", [["work", "--bogus"], ["nonsense"], ["zones", "sett"], ["detect"], ["size", "--fps", "x"]]
)
def test_what_the_command_line_does_not_know_is_found(words: list[str]) -> None:
    with pytest.raises(UsageProblem):
        parsed(words)


def unknown(words: Sequence[str]) -> list[str]:
    """The options and subcommands of a command, or of a part of one, that there are not."""
    command: Any = GROUP
    context = command.make_context("groundcam", list(words), resilient_parsing=True)
    options, missing = set[str](), []
    for before, word in zip(["", *words], words, strict=False):
        if hasattr(command, "commands") and not before.startswith("-") and not word.startswith("-"):
            found = command.get_command(context, word)
            if found is None:
                return [word]
            command = found
        options |= {one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts)}
        if word.startswith("--") and word.partition("=")[0] not in options | {"--help"}:
            missing.append(word)
    return missing


@pytest.mark.parametrize("command", spans(), ids=str)
def test_a_part_of_a_command_in_the_text_has_options_that_there_are(command: Command) -> None:
    assert unknown(command.words[1:]) == []


def test_a_part_of_a_command_that_there_is_not_is_found() -> None:
    assert unknown(["watch", "--jsn"]) == ["--jsn"]
    assert unknown(["wach", "--json"]) == ["wach"]
    assert unknown(["zones", "sett"]) == ["sett"]


@pytest.mark.parametrize("command", all_commands("make"), ids=str)
def test_a_recipe_of_make_is_in_the_makefile_with_its_variables(command: Command) -> None:
    for word in command.words[1:]:
        name, is_variable, _ = word.partition("=")
        assert f"$({name})" in MAKEFILE or f"$(if $({name})" in MAKEFILE if is_variable else name in TARGETS, word


@pytest.mark.parametrize("command", all_commands("docker"), ids=str)
def test_a_profile_of_compose_is_in_its_file(command: Command) -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    there = {profile for service in services for profile in service.get("profiles", ())}
    assert command.words[1] == "compose"
    assert {
        word for before, word in zip(command.words, command.words[1:], strict=False) if before == "--profile"
    } <= there


@pytest.mark.parametrize("command", all_commands("helm"), ids=str)
def test_a_release_that_helm_installs_is_rendered_with_its_values(command: Command) -> None:
    assert command.words[1] in {"install", "test", "pull"}
    if command.words[1] != "install":
        return
    if reason := chart.missing():
        pytest.skip(reason)
    pairs = list(zip(command.words, command.words[1:], strict=False))
    words = [re.sub(r"^groundcam-.+\.tgz$", "helm/groundcam", word) for word in command.words]
    (folder,) = (word for word in words if (ROOT / word / "Chart.yaml").is_file())
    # A path in a checkout, or the name of an example that somebody has beside the chart.
    named = [
        name if "/" in name else f"helm/groundcam/examples/{name}" for option, name in pairs if option == "--values"
    ]
    files = [yaml.safe_load((ROOT / name).read_text()) for name in named]
    sets = [word.replace("\\,", ",") for option, word in pairs if option == "--set"]
    assert chart.objects({}, *files, *sets) != []
    assert ROOT / folder == chart.CHART


@pytest.mark.parametrize("command", all_commands("curl"), ids=str)
def test_an_address_of_curl_is_one_that_the_tests_send(command: Command) -> None:
    """Of which each is sent, in test_curl.py, or in test_readme_on_kafka.py."""
    (address,) = (word for word in command.words if re.match(r"(http://)?(localhost|127\.0\.0\.1|POD):", word))
    path = re.sub(r"^.*?:\d+|\?.*", "", address)
    assert path in {"/v1/detect", "/v1/events", "/v1/session", "/v1/cameras/gate/zones", "/status"}, path
