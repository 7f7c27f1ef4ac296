"""Values for property tests: sources, targets and policies as odd as the models allow."""

import base64
from datetime import UTC, timedelta

from hypothesis import strategies as st

from portcall.auth import (
    BasicAuth,
    BearerAuth,
    HeaderAuth,
    HmacAuth,
    NoAuth,
    OAuth2Auth,
    OidcAuth,
    QueryAuth,
)
from portcall.conditions.block import Conditions, Match
from portcall.conditions.details import ScanConditions
from portcall.conditions.numbers import CountCondition, SeverityCondition
from portcall.conditions.text import TextCondition
from portcall.gathering import Group
from portcall.policies import (
    Ignore,
    Policy,
    RegistryAccess,
    RetiringSecret,
    RetryPolicy,
    Source,
    Target,
)
from portcall.receiving import Breaker, Proxy

names = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,48}[a-z0-9])?", fullmatch=True)
words = st.from_regex(r"[a-z0-9_-]{1,50}", fullmatch=True)
header_names = st.from_regex(r"[A-Za-z-]{1,30}", fullmatch=True)
texts = st.text(max_size=100)
secrets = st.text(min_size=1, max_size=200)
header_secrets = (
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=200)
    .map(str.strip)
    .filter(bool)
)
signing_secrets = st.binary(min_size=24, max_size=64).map(
    lambda key: "whsec_" + base64.b64encode(key).decode()
)
_fates = st.sampled_from(["skip", "hold"])
durations = st.integers(0, 86_400_000).map(lambda ms: timedelta(milliseconds=ms))

_auths = (
    st.builds(NoAuth)
    | st.builds(BearerAuth, token=header_secrets)
    | st.builds(BasicAuth, username=st.text(min_size=1, max_size=50), password=secrets)
    | st.builds(HeaderAuth, name=header_names, value=header_secrets)
)
_proofs = (
    st.builds(QueryAuth, name=words, value=secrets)
    | st.builds(HmacAuth, secret=secrets, header=st.none() | header_names, prefix=st.just("a="))
    | st.builds(OidcAuth, audience=words, email=st.none() | st.just("a@b.test"))
)
_conditions = (
    st.builds(TextCondition, regex=st.sampled_from(["prod/.+", r"v\d+", "a|b"]))
    | st.builds(TextCondition, glob=st.sampled_from(["prod/**", "v1.*", "{a,b}"]))
    | st.builds(TextCondition, in_=st.lists(st.text(min_size=1), min_size=1, max_size=3))
    | st.builds(TextCondition, semver=st.just(">=1.2 <2"), prereleases=st.booleans())
    | st.builds(TextCondition, not_=st.just(TextCondition(glob="*-rc*")))
    | st.just(TextCondition.model_validate([{"glob": "v*"}, "latest"]))
)
_counts = st.builds(CountCondition, gte=st.integers(0, 9), lt=st.none() | st.integers(10, 19))
_severities = st.just(SeverityCondition(at_least="high"))
_blocks = {
    "sources": st.none() | st.lists(names, min_size=1, max_size=3),
    "repository": st.none() | _conditions,
    "tag": st.none() | _conditions,
    "scan": st.none()
    | st.builds(
        ScanConditions,
        severity=_severities,
        counts=st.dictionaries(st.just("high"), _counts, min_size=1),
    ),
    "attributes": st.none() | st.dictionaries(words, _conditions, max_size=2),
}

sources = st.builds(
    Source,
    name=names,
    kind=words,
    description=texts,
    enabled=st.booleans(),
    auth=_auths | _proofs,
    strict=st.booleans(),
    ignore=st.builds(Ignore, media_types=st.lists(texts, max_size=3)),
    verify=st.none()
    | st.builds(
        RegistryAccess,
        url=st.just("https://registry.example"),
        auth=st.builds(BasicAuth, username=words, password=secrets),
    ),
)
_oauth2 = st.builds(
    OAuth2Auth,
    token_url=st.sampled_from(["https://login.example/token", "https://login.example/?key=a"]),
    client_id=words,
    client_secret=secrets,
    scope=st.none() | words,
    client_auth=st.sampled_from(["header", "body"]),
)
_retiring = st.builds(
    RetiringSecret, secret=signing_secrets, until=st.datetimes(timezones=st.just(UTC))
)
_proxies = st.builds(
    Proxy,
    url=st.just("http://proxy.example:3128"),
    auth=st.builds(BasicAuth, username=words, password=secrets),
)
_urls = st.sampled_from(
    [
        "https://ci.example/hook",
        "https://ci.example/hook?token=a%2Fb&tag=latest",
        "https://hooks.slack.com/services/T0/B0/abcdef",
    ]
)

targets = st.builds(
    Target,
    name=names,
    url=_urls,
    description=texts,
    enabled=st.booleans(),
    headers=st.dictionaries(header_names, st.from_regex(r"[!-~]{1,20}", fullmatch=True)),
    auth=_auths | _oauth2,
    secrets=st.lists(signing_secrets, max_size=5),
    retiring_secrets=st.lists(_retiring, max_size=3),
    hub_secret=st.none() | secrets,
    proxy=st.none() | _proxies,
    timeout=st.integers(1, 300_000).map(lambda ms: timedelta(milliseconds=ms)),
    skip_cert_verify=st.booleans(),
    while_disabled=_fates,
    max_concurrent=st.none() | st.integers(1, 1000),
    rate=st.none() | st.just("10/s"),
    breaker=st.none() | st.builds(Breaker, failures=st.integers(1, 20)),
    disable_after=st.none() | st.just(timedelta(days=14)) | st.just(timedelta(days=5)),
)
policies = st.builds(
    Policy,
    name=names,
    description=texts,
    enabled=st.booleans(),
    match=st.builds(
        Match,
        **_blocks,
        tagged=st.sampled_from((None, True, "any")),
        expression=st.none() | st.just("size > 5 && 'v1' in tags"),
    ),
    exclude=st.lists(st.builds(Conditions, **_blocks, actor=_conditions), max_size=1),
    targets=st.lists(names, min_size=1, max_size=3, unique=True),
    format=words,
    retry=st.builds(RetryPolicy, initial_interval=durations, maximum_interval=st.just("365d"))
    | st.builds(RetryPolicy, schedule=st.lists(durations, min_size=1, max_size=3)),
    while_disabled=_fates,
    ordered=st.booleans(),
    group=st.none() | st.builds(Group, by=st.just(["source", "repository"]), max=st.integers(2, 9)),
)
