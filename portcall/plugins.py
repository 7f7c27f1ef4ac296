"""Loads what other packages bring through entry points, beside what is built in."""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from portcall.errors import ConfigurationError

PluginT = TypeVar("PluginT")


def load_plugins(
    group: str,
    built_in: Iterable[PluginT],
    name_of: Callable[[PluginT], str],
    is_usable: Callable[[PluginT], Any],
) -> dict[str, PluginT]:
    """Give the plug-ins by name; raise ConfigurationError naming an entry point that is broken.

    An entry point names an instance, or a class without arguments.
    """
    plugins = {name_of(plugin): plugin for plugin in built_in}
    for entry_point in entry_points(group=group):
        plugin = _load(entry_point, is_usable)
        if name_of(plugin) in plugins:
            raise _broken(entry_point, f"the name {name_of(plugin)!r} is taken already")
        plugins[name_of(plugin)] = plugin
    return plugins


def _load(entry_point: EntryPoint, is_usable: Callable[[PluginT], Any]) -> PluginT:
    try:
        loaded = entry_point.load()
        plugin: PluginT = loaded() if isinstance(loaded, type) else loaded
        usable = is_usable(plugin)
    except Exception as error:  # other people's code
        raise _broken(entry_point, f"{type(error).__name__}: {error}") from error
    if not usable:
        raise _broken(entry_point, "its attributes are not as the protocol says")
    return plugin


def _broken(entry_point: EntryPoint, why: str) -> ConfigurationError:
    package = f" of the package {entry_point.dist.name}" if entry_point.dist else ""
    return ConfigurationError(
        f"The entry point {entry_point.name!r} in {entry_point.group!r}{package} "
        f"cannot be used: {why}."
    )
