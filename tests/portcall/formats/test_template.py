import contextlib
import json
import re
import time
import tracemalloc
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from portcall.formats.known import load_formats
from portcall.formats.sample import SAMPLE
from portcall.formats.template import Template, of_policy
from portcall.formats.template_language import _FILTERS, _OWN_FILTERS, TemplateError
from portcall.policies import Policy
from tests.portcall.formats.events import PUSH, RECORDED, anything, but

TEXT = "text/plain"
DOCS = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()


def made(body, event=PUSH, content_type=TEXT):
    return Template(body, content_type).render(event).body.decode()


def fault(body, content_type=TEXT, event=None):
    template = Template(body, content_type)
    with pytest.raises(TemplateError) as caught:
        template.render(event) if event else template.check()
    return str(caught.value)


def test_without_a_text_the_message_is_the_event():
    message = Template().render(PUSH)
    assert json.loads(message.body) == PUSH.model_dump(mode="json", exclude={"raw"})


def test_a_text_is_filled_in_under_its_content_type():
    body = "{{ event.repository }}:{{ event.tags[0] }} by {{ event.actor | upper }}\n"
    assert made(body) == "prj/api/web:1.4.2 by ALICE\n"
    assert Template(body, TEXT).render(PUSH).content_type == TEXT


def test_there_are_conditions_and_loops():
    body = """{% for tag in event.tags %}
{% if not loop.first %}, {% endif %}{{ loop.index }} {{ tag }}{% else %}none{% endfor %}"""
    assert made(body, but(tags=("a", "b"))) == "1 a, 2 b"
    assert made(body, but(tags=())) == "none"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("event.tags | join(', ')", "a, b"),
        ("event.actor | join(', ')", "alice"),
        ("event.platforms.x | join", ""),
        ("event.project | join", ""),
        ("event.repository | split('/') | last", "web"),
        ("event.project | split('/') | length", "1"),
        ("event.project", ""),
        ("event.scan.severity", ""),
        ("event.scan.deeper.still", ""),
        ("event.project | default('none', true)", "none"),
        ("event.project | tojson", "null"),
        ("event.scan.severity | tojson", "null"),
        ("event.repository ~ ':' ~ event.tags[0]", "prj/api/web:a"),
        ("'yes' if event.scan is undefined or not event.scan else 'no'", "yes"),
        ("event['repository']", "prj/api/web"),
    ],
)
def test_expressions_are_jinjas(expression, text):
    assert made("{{ " + expression + " }}", but(tags=("a", "b"))) == text


@given(st.text(), st.sampled_from(["application/json", "application/vnd.x+json; charset=utf-8"]))
def test_no_text_breaks_out_of_its_place_in_json(text, content_type):
    body = '{"a": "{{ event.actor }}", "b": {{ event.actor | tojson }}, "c": {{ event.size }}}'
    message = json.loads(made(body, but(actor=text, size=5), content_type))
    assert message == {"a": text, "b": text, "c": 5}


@given(st.text())
def test_no_text_breaks_out_of_its_place_in_a_form(text):
    form = made("a={{ event.actor }}&b=1", but(actor=text), "application/x-www-form-urlencoded")
    assert parse_qs(form, keep_blank_values=True) == {"a": [text], "b": ["1"]}


def test_html_is_escaped():
    assert made("{{ event.actor }}", but(actor="<a>"), "text/html") == "&lt;a&gt;"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("a\n{{ event.repositry }}", "line 2: event has no repositry, did you mean repository?"),
        ("{{ event.raw }}", "line 1: event has no raw"),
        ("a\n\n{{ evnt.type }}", "line 3: there is no evnt, only event"),
        ("a\n{% if %}", "line 2: Expected an expression"),
        ("a\n{{ event.type | nosuch }}", "line 2: No filter named 'nosuch'"),
        ("a\n{% if event.size < event.actor %}{% endif %}", "line 2: '<' not supported"),
        ("a\n{% set x = 1 %}", "line 2: templates have no assign"),
        ("{{ 10 ** 10 ** 10 }}", "line 1: templates have no pow"),
        ("{{ event.type * 9 }}", "line 1: templates have no mul"),
        ("{{ range(9) }}", "line 1: templates have no call"),
        ("{% macro a() %}{% endmacro %}", "line 1: templates have no macro"),
        ("{% include '/etc/passwd' %}", "line 1: templates have no include"),
        ("{{ event.__class__ }}", "line 1: event has no __class__"),
        ("{{ event | tojson | trim | trim | trim | trim | trim }}", "line 1: more than 5 filters"),
        ("{% for a in event.tags recursive %}{% endfor %}", "line 1: a loop cannot be recursive"),
        ("{% for a in [event.type ~ 1] %}{% endfor %}", "line 1: a loop goes over a member"),
        ("{{ event.tags | join('" + "x" * 101 + "') }}", "line 1: a separator has at most 100"),
        ("{{ (event.tags | tojson ~ 'x') | tojson }}", "line 1: tojson of what is JSON already"),
        ("{{ " + "not " * 3000 + "1 }}", "it is nested too deeply"),
        ("{{ " + " or ".join(["event.type"] * 500) + " }}", "it is nested too deeply"),
        ("{% for a in event.tags %}" * 25 + "{% endfor %}" * 25, "it is nested too deeply"),
        ("{% if 1 %}" * 400 + "{% endif %}" * 400, "it is nested too deeply"),
        ("{{ " + "1" * 5000 + " }}", "it has a number that is too long"),
        ("{{ 0x" + "f" * 9000 + " }}", "it has a number that is too long"),
    ],
)
def test_a_template_that_cannot_be_used_says_in_which_line_and_why(body, message):
    assert fault(body).startswith(message)


def test_what_is_to_be_json_is_json():
    said = fault('{"a": 1}, 1}', "application/json")
    assert said.startswith("what it makes of a sample event is no JSON: Extra data")
    Template("no json", TEXT).check()
    Template('{"a": {{ event.project | tojson }}}').check()


def test_a_template_cannot_see_what_the_sandbox_hides():
    assert made("{{ ''.__class__.__mro__ }}{{ event.tags.__class__ }}") == ""


def test_each_value_once_is_a_list_like_any_other():
    event = but(tags=("b", "a", "b"))
    assert made("{{ event.tags | unique | join(', ') }}", event=event) == "b, a"
    assert made("{{ event.tags | unique | tojson }}", event=event) == '["b", "a"]'


def test_loops_end():
    nested = "{% for a in event.tags %}" * 9 + "{% endfor %}" * 9
    said = fault(nested, event=but(tags=tuple("abcdefgh")))
    assert said == "its loops take more than 10000 steps"


def test_a_message_does_not_become_too_large():
    body = "{% for a in event.tags %}{{ event | tojson }}{% endfor %}"
    said = fault(body, event=but(tags=("x" * 2000,) * 50))
    assert said == "it makes more than 262144 characters"


LARGE = but(
    attributes={"a": "x" * 60_000, "q": '"\\' * 30_000}, tags=tuple(f"t{n}" for n in range(500))
)
LOOPS = "{% for a in event.tags %}{% for b in event.tags %}BODY{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    "body",
    [
        "{% if event | tojson | length > 9 %}{% endif %}",
        "{% if event.attributes.a | upper | lower | upper | title | length %}{% endif %}",
        "{% if (" + "event.attributes.q ~ " * 100 + "1) | length == 1 %}{% endif %}",
        "{% if 'xy' in event.attributes.a or 'xz' in event.attributes.a %}{% endif %}",
        "{% if event.tags | sort | unique | join | length == 1 %}{% endif %}",
        "{% if event.attributes.a == event.attributes.a ~ 'x' %}{% endif %}",
    ],
)
def test_a_template_that_makes_little_of_much_takes_a_bounded_time(body):
    begin = time.thread_time()
    assert fault(LOOPS.replace("BODY", body), event=LARGE) in (
        "it takes longer than 300ms",
        "its loops take more than 10000 steps",
        "line 1: ~ makes more than 262144 characters",
    )
    assert time.thread_time() - begin < 2


HEAVY = "event.attributes.q | urlencode | urlencode | urlencode | urlencode | length"


@pytest.mark.parametrize(
    "body",
    [
        "{% for a in event.tags if " + HEAVY + " == a %}{% endfor %}",
        LOOPS.replace(" %}BODY", " if event.attributes.a ~ event.attributes.a == a %}"),
        "{% if [" + ", ".join([HEAVY] * 50) + "] %}{% endif %}",
    ],
    ids=["a loop that filters all out", "within a loop", "many filters at once"],
)
def test_what_comes_to_no_step_takes_a_bounded_time_too(body):
    begin = time.thread_time()
    assert fault(body, event=LARGE) in (
        "it takes longer than 300ms",
        "it copies more than 4194304 characters in one step",
    )
    assert time.thread_time() - begin < 2


LONG = "x" * 100_000 + "\N{PARTY POPPER}"  # each character of which now takes four bytes


@pytest.mark.parametrize(
    "expression",
    [
        "a" + " ~ a" * 1900,
        "[" + "a ~ a," * 900 + "]",
        "[" + "a," * 1900 + "]",
        "[" + "a," * 1900 + "] | string",
        "[" + "a," * 1900 + "] | sort",
        "[" + "a," * 1900 + "] | join",
        "[" + "a[1:]," * 450 + "]",
        "[" + "a | upper," * 600 + "]",
        "'a' if [" + "a," * 1900 + "] is lower",
        "'a' if '%0999999999d' is odd",
        "'a' if '%0999999999d' is even",
        "'a' if '%0999999999d' is divisibleby 7",
    ],
    ids=lambda expression: expression[:5] + expression[-30:],
)
@pytest.mark.parametrize("content_type", [TEXT, "application/json"])
def test_a_template_takes_a_bounded_memory(expression, content_type):
    body = "{% for a in event.tags %}{{ " + expression + " }}{% endfor %}"
    made(body, but(tags=("a",)), content_type)
    tracemalloc.start()
    try:
        with contextlib.suppress(TemplateError):
            Template(body, content_type).render(but(tags=(LONG,)))
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_only_numbers_are_even():
    body = (
        "{{ 1 if 2 is even }}{{ 2 if 3 is odd }}{{ 3 if 9 is divisibleby 3 }}{{ 4 if '4' is even }}"
    )
    assert made(body) == "123"


def test_slices_and_texts_put_together_may_stand_as_deep_as_anything_else():
    within = "{{ (event.tags[:1] ~ 'a')[:1] ~ event.tags[:1][0] }}"
    assert made("{% if 1 %}" * 18 + within + "{% endif %}" * 18) == "[1.4.2"
    deep = "{{ " + "(" * 44 + "'a'" + " ~ 'b')" * 44 + " }}"
    assert made(deep) == "a" + "b" * 44


def test_a_slice_is_put_together_like_anything_else():
    assert made("{{ event.repository[:3] ~ event.tags[:1] ~ event.actor[1:2] }}") == "prj['1.4.2']l"
    assert made("{{ event.registry.nothing[:3] | default('none') }}") == "none"


def test_one_pass_over_a_large_event_is_bounded():
    concatenated = "{{ (" + "event ~ " * 1900 + "1) | length }}"
    said = fault(concatenated, event=LARGE)
    assert re.fullmatch("it has too many parts for [0-9]+ characters of events", said)
    twice = "{{ event.attributes.a | split('x') | join('" + "y" * 99 + "') | length }}"
    assert fault(twice, event=LARGE) == "line 1: join makes more than 262144 characters"


SNIPPETS = st.sampled_from(
    ["{{", "}}", "{% for a in event.tags %}", "{% endfor %}", "{% if a %}", "{% endif %}",
     "event", ".tags", "|tojson", " ~ ", "a", "{#", "'", "[0]", "\n", "(", "loop.index"]
)  # fmt: skip


@given(st.lists(SNIPPETS | st.text(max_size=3), max_size=12).map("".join), anything)
def test_any_template_makes_a_message_or_says_what_is_wrong(body, event):
    template = Template(body, TEXT)
    try:
        template.check()
    except TemplateError:
        return
    with contextlib.suppress(TemplateError):  # this event is another than the sample
        assert len(template.render(event).body) < 4 * 262_144


def test_every_recorded_event_fills_in_the_template_of_the_documentation():
    [body] = re.findall(r"    body: \|\n((?:      .*\n)+)", DOCS)
    template = Template(re.sub("^      ", "", body, flags=re.MULTILINE))
    template.check()
    for event in RECORDED:
        assert json.loads(template.render(event).body)["tags"] == list(event.tags)
    assert json.loads(template.render(SAMPLE).body)["by"] == SAMPLE.actor


def test_every_filter_is_documented():
    section = DOCS.split("\n## `template`\n")[1].split("\n## ")[0]
    assert [name for name in (*_FILTERS, *_OWN_FILTERS) if f"`{name}`" not in section] == []


def test_a_policy_has_its_own_template_in_that_format_alone():
    formats = load_formats()
    own = Policy(name="p", targets=["ci"], format="template", template={"body": "x"})
    assert of_policy(formats["template"], own).render(PUSH).body == b"x"
    plain = Policy(name="p", targets=["ci"], format="template")
    assert of_policy(formats["template"], plain) is formats["template"]
    assert of_policy(formats["raw"], plain) is formats["raw"]
    with pytest.raises(ValidationError, match="belongs to the format template"):
        Policy(name="p", targets=["ci"], template={"body": "x"})
