import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portcall.cli.documents import read_documents
from portcall.cli.manifest import Manifest, read_manifest


def read(text: str, **environment: str) -> Manifest:
    return read_manifest({"f.yaml": text}, environment)


def faults(text: str, **environment: str) -> list[str]:
    return [str(fault) for fault in read(text, **environment).faults]


def spec(text: str, **environment: str) -> object:
    manifest = read(text, **environment)
    assert not manifest.faults
    return manifest.resources[0].spec


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("policy:\n\tname: x\n", "f.yaml:2:1: a tab; YAML is indented with spaces"),
        ("a: b: c\n", "f.yaml:1:5: mapping values are not allowed here"),
        (
            "policy: {name: x\n",
            (
                "f.yaml:2:1: expected ',' or '}', but got '<stream end>',"
                " while parsing a flow mapping begun in line 1"
            ),
        ),
        (
            "a: *nope\n",
            "f.yaml:1:4: found undefined alias 'nope'; put a text that begins with * in quotes",
        ),
        (
            "a: {semver: >=1.2}\n",
            (
                "f.yaml:1:13: found character '>' that cannot start any token, while scanning for"
                " the next token; put a text that begins so in quotes"
            ),
        ),
        (
            r'a: "v\d+"',
            (
                "f.yaml:1:7: found unknown escape character 'd', while scanning a double-quoted"
                r" scalar begun in line 1; between double quotes a backslash is written \\"
            ),
        ),
        ("x: \x01\n", r"f.yaml:1:4: the character '\x01' has no place in YAML"),
        ("a: &x\n  b: *x\n", "f.yaml:1:4: an alias inside what it names"),
        ("? [a]\n: 1\n", "f.yaml:1:3: a key that is no word"),
        ("a: !!int x\n", "f.yaml:1:4: 'x' is no int"),
        ("a: !!bool x\n", "f.yaml:1:4: 'x' is no bool"),
        ("a: !own x\n", "f.yaml:1:4: could not determine a constructor for the tag '!own'"),
        ("a: " + "[" * 1000, "f.yaml: nested too deeply"),
        (
            'source: {name: a, x: "\\ud800"}\n',
            "f.yaml:1:22: neither text nor a finite number nor true, false or null",
        ),
        ('"\\ud800": 1\n', "f.yaml:1:1: a key that is no word"),
        ("- a\n", "f.yaml:1:1: a document is a mapping"),
        (
            "polcy: {}\n",
            (
                "f.yaml:1:1: 'polcy' is not known here; a document holds"
                " source, sources, target, targets, policy, policies, managed_by"
            ),
        ),
        ("sources: 3\n", "f.yaml:1:1: sources is not a list"),
        ("source: 3\n", "f.yaml:1:1: this source is not a mapping"),
        ("targets:\n- {url: x}\n", "f.yaml:2:3: this target has no name"),
        (
            "policy: {name: off}\n",
            "f.yaml:1:1: this policy has a name that is no text: put it in quotes",
        ),
        (
            "source: {name: a}\n---\nsource: {name: a}\n",
            "f.yaml:3:1: source a stands already at f.yaml:1:1",
        ),
        (
            "source: {name: a, x: !!binary aGk=}\n",
            "f.yaml:1:22: neither text nor a finite number nor true, false or null",
        ),
        (
            "source: {name: a, x: .nan}\n",
            "f.yaml:1:22: neither text nor a finite number nor true, false or null",
        ),
    ],
)
def test_a_file_that_is_not_understood_says_where_and_why(text: str, fault: str):
    assert faults(text) == [fault]


def test_what_is_no_json_is_left_out_so_that_the_rest_can_be_judged():
    (resource,) = read("source: {name: a, x: .inf, y: !!binary aGk=}").resources
    assert resource.spec == {"name": "a", "x": None, "y": None}


def test_a_key_twice_names_both_places():
    text = "policy:\n  name: a\n  name: b\n  targets: [c]\n"
    assert faults(text) == ["f.yaml:3:3: the key 'name' stands already at f.yaml:2:3"]


def test_every_fault_of_every_document_is_told():
    text = "source: {}\n---\nfoo: 1\n---\ntargets: [1]\n"
    assert [line.split(": ")[0] for line in faults(text)] == [
        "f.yaml:1:1",
        "f.yaml:3:1",
        "f.yaml:5:11",
    ]


@pytest.mark.parametrize("text", ["", "---\n", "---\n...\n---\n", "# nothing\n", "null\n"])
def test_nothing_is_no_fault(text: str):
    assert read(text) == Manifest()


def test_variables_are_filled_in_and_can_be_escaped():
    text = "source: {name: a, token: 'x-${TOKEN}-$${TOKEN}-$5', '${K}': 1}"
    assert spec(text, TOKEN="t") == {"name": "a", "token": "x-t-${TOKEN}-$5", "${K}": 1}


def test_what_a_variable_holds_is_not_filled_in_again():
    assert spec("source: {name: '${A}'}", A="${B}", B="no") == {"name": "${B}"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("${TOKEN}", "the environment variable TOKEN is not set"),
        ("${TOKEN:-x}", "${TOKEN:-x} is no variable; write $${ for the characters ${"),
        ("${", "${ is no variable; write $${ for the characters ${"),
        ("${}", "${} is no variable; write $${ for the characters ${"),
    ],
)
def test_an_unset_or_odd_variable_is_named_with_its_place(value: str, message: str):
    text = f"source:\n  name: a\n  auth:\n    token: '{value}'\n"
    assert faults(text) == [f"f.yaml:4:12: {message}"]


def test_anchors_and_merge_keys_work():
    text = "targets:\n- &base {name: a, timeout: 5s}\n- {<<: *base, name: b}\n"
    manifest = read(text)
    assert not manifest.faults
    assert manifest.resources[1].spec == {"name": "b", "timeout": "5s"}


def test_a_date_stays_the_text_that_was_written():
    assert spec("source: {name: a, description: 2026-07-30}") == {
        "name": "a",
        "description": "2026-07-30",
    }


def test_a_policy_needs_no_heading():
    (resource,) = read("name: p\ntargets: [ci]\n").resources
    assert resource.title == "policy p"


def test_resources_come_in_the_order_of_their_dependence():
    text = "policy: {name: p}\ntargets: [{name: t}]\nsource: {name: s}\n"
    assert [resource.title for resource in read(text).resources] == [
        "source s",
        "target t",
        "policy p",
    ]


@pytest.mark.parametrize(
    ("field", "place"),
    [
        ("match.repository.regex", "f.yaml:4:18"),
        ("match.repository.glob", "f.yaml:4:5"),
        ("match.tag", "f.yaml:3:3"),
        ("targets.1", "f.yaml:5:16"),
        ("body.policy.targets.0", "f.yaml:5:13"),
        ("", "f.yaml:1:1"),
    ],
)
def test_a_field_is_found_or_what_it_lacks_in(field: str, place: str):
    text = "policy:\n  name: p\n  match:\n    repository: {regex: x}\n  targets: [a, b]\n"
    (resource,) = read(text).resources
    assert str(resource.place(field)) == place


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@`#,?<\n\t ${}0._~=")) | st.text())
def test_no_text_breaks_the_reader_and_what_is_read_is_json(text: str):
    for document in read_documents("f.yaml", text, {}):
        assert document.faults or json.dumps(document.content, allow_nan=False)


# A key of JSON may be longer than YAML's 1024 characters; a field's name never is.
PLAIN_TEXT = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=50)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | PLAIN_TEXT,
        lambda parts: st.lists(parts) | st.dictionaries(PLAIN_TEXT, parts),
    )
)
def test_json_reads_as_itself(value: object):
    text = json.dumps(value)
    assume("${" not in text)
    (document,) = read_documents("f.yaml", text, {})
    assert (document.faults, document.content) == ([], value)
