"""The plugins that a configuration names: made, and everything that is wrong with them."""

import re

from sidecar.configuration import Configuration, InvalidConfiguration, Problem
from sidecar.guard import Guard
from sidecar.host import Host, Loaded, Unusable, find
from sidecar.watchdog import Watchdog

#: What is wrong with a plugin's own settings, and not with the list of plugins, stands there.
_OWN_SETTINGS = re.compile(r"plugins\[\d+\]\.config\b")


def plugins(configuration: Configuration, watchdog: Watchdog) -> tuple[Loaded, ...]:
    """The plugins that *configuration* names, made but not started.

    Raises:
        InvalidConfiguration: with everything that is wrong with any of them.
    """
    loaded: list[Loaded] = []
    problems: list[Problem] = []
    for index, settings in enumerate(configuration.settings.plugins):
        try:
            kind = find(settings.use)
            config = configuration.convert_plugin(index, kind.Config)  # type: ignore[attr-defined]
            plugin = kind(config)
        except Unusable as error:
            problems.append(configuration.problem(("plugins", index, "use"), str(error)))
        except InvalidConfiguration as error:
            problems.extend(error.problems)
        except Exception as error:
            message = f"{settings.label} cannot be made: {type(error).__name__}: {error}"
            problems.append(configuration.problem(("plugins", index), message))
        else:
            guard = Guard(
                settings.label,
                watchdog=watchdog,
                budget_seconds=settings.budget,
                on_fault=settings.on_fault,
                quarantine_after=settings.quarantine.after,
                quarantine_seconds=settings.quarantine.lasting,
            )
            loaded.append(Loaded(settings.label, plugin, settings.operations, guard))
    if problems:
        raise InvalidConfiguration(tuple(problems))
    return tuple(loaded)


def with_those_of_plugins(configuration: Configuration, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """*problems*, and what is wrong with the plugins that *configuration* names and with their own settings.

    Those are not looked at if *problems* have it that nobody knows which plugins are meant.
    """
    if any(problem.path.startswith("plugins") and not _OWN_SETTINGS.match(problem.path) for problem in problems):
        return problems
    found: tuple[Problem, ...] = ()
    try:
        Host(plugins(configuration, Watchdog()))
    except InvalidConfiguration as error:
        found = error.problems
    except Unusable as error:
        found = (configuration.problem(("plugins",), str(error)),)
    return tuple(dict.fromkeys((*problems, *found)))  # what is wrong with a reference is found by both
