"""Exchanges a target's signing secret: the new one signs alone, older ones as well for a while.

Pure: the new secret and the time come in as arguments.
"""

from datetime import datetime, timedelta

from pydantic import SecretStr

from portcall.policies import RetiringSecret, Target

KEPT = 10
"""Retiring secrets at most; those that retire first go first."""


def rotated(target: Target, secret: SecretStr, now: datetime, grace: timedelta) -> Target:
    """Give the target with the new secret; no older one signs for longer than `grace`."""
    until = now + grace
    ends = dict.fromkeys(target.secrets, until)
    for older in target.retiring_secrets:
        ends.setdefault(older.secret, min(older.until, until))
    ends.pop(secret, None)
    retiring = [RetiringSecret(secret=old, until=end) for old, end in ends.items() if end > now]
    retiring.sort(key=lambda old: old.until, reverse=True)
    return target.model_copy(update={"secrets": [secret], "retiring_secrets": retiring[:KEPT]})


def with_retiring(target: Target, stored: Target | None) -> Target:
    """Give a target whose writer said nothing of retiring secrets those that are stored.

    So a file that has never heard of a rotation does not cut its grace short. A secret that the
    file still names as one in use is not retiring.
    """
    if stored is None or "retiring_secrets" in target.model_fields_set:
        return target
    kept = [old for old in stored.retiring_secrets if old.secret not in target.secrets]
    return target.model_copy(update={"retiring_secrets": kept})
