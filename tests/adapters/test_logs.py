import json
import logging

import pytest
import structlog

from portcall.adapters.logs import QUIET, configure_logging

SECRET = "planted-secret"


@pytest.fixture
def configured(capsys):
    """Configure logging for one test, and put everything back."""
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, QUIET)]
    handlers, levels = root.handlers, [logger.level for logger in loggers]

    def configure(form):
        configure_logging(form)
        return lambda: capsys.readouterr().err

    yield configure
    root.handlers = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    structlog.reset_defaults()


def fail(authorization):
    raise RuntimeError(f"nothing to do with {len(authorization)} characters")


def log_a_failure():
    try:
        fail(SECRET)
    except RuntimeError as error:
        structlog.get_logger("a.name").error("unexpected", path="/x", exc_info=error)
        logging.getLogger("another").exception("foreign")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_says_where_it_failed_and_not_with_which_values(configured, form):
    written = configured(form)
    log_a_failure()
    text = written()
    assert text.count("nothing to do with 14 characters") >= 2
    assert text.count("log_a_failure") >= 2
    assert SECRET not in text


def test_json_is_one_object_a_line_whoever_logs(configured):
    written = configured("json")
    log_a_failure()
    own, foreign = map(json.loads, written().splitlines())
    assert (own["event"], own["logger"], own["level"], own["path"]) == (
        "unexpected",
        "a.name",
        "error",
        "/x",
    )
    assert (foreign["event"], foreign["logger"]) == ("foreign", "another")
