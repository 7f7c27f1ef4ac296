import pytest

from portcall.policies import Source, Target
from portcall.secrets import MASK
from tests.fakes import FakeCollection

SOURCE = {"name": "one", "kind": "harbor", "auth": {"type": "bearer", "token": "planted"}}
TARGET = {"name": "one", "url": "https://ci.example/hook"}
POLICY = {"name": "one", "targets": ["known"]}
SPECS = {"sources": SOURCE, "targets": TARGET, "policies": POLICY}
CREATED = {"result": "created", "changed": [], "warnings": []}
CHANGE = {"enabled": False}


@pytest.fixture
async def known(backend):
    await backend.store.targets.put(Target(name="known", url="https://known.example"))


@pytest.fixture(params=SPECS)
def noun(request, known):
    """Each of the three, with a target that policies can name."""
    return request.param


async def made(api, noun, **changes):
    answer = await api.post(f"/api/v1/{noun}", json=SPECS[noun] | changes)
    assert answer.status_code == 201, answer.text
    return answer


async def test_creating_says_where_it_is_and_which_version(api, noun):
    answer = await made(api, noun)
    assert answer.headers["Location"] == f"/api/v1/{noun}/one"
    assert answer.headers["ETag"] == '"1"'
    found = await api.get(answer.headers["Location"])
    assert found.json() == answer.json()
    assert found.headers["ETag"] == '"1"'


async def test_an_answer_is_the_spec_with_its_version_and_times(api, noun):
    answer = (await made(api, noun)).json()
    assert answer.pop("version") == 1
    assert answer.pop("created_at") == answer.pop("updated_at")
    answer.pop("warnings", None)
    again = await api.put(f"/api/v1/{noun}/one", json=answer)
    assert (again.status_code, again.json()["version"]) == (200, 1)


async def test_a_name_in_use_is_a_conflict(api, noun):
    await made(api, noun)
    answer = await api.post(f"/api/v1/{noun}", json=SPECS[noun])
    assert answer.status_code == 409
    assert answer.json()["detail"].endswith("named one already.")


async def test_putting_creates_and_then_replaces(api, noun):
    body = {key: value for key, value in SPECS[noun].items() if key != "name"}
    created = await api.put(f"/api/v1/{noun}/one", json=body)
    assert (created.status_code, created.headers["ETag"]) == (201, '"1"')
    replaced = await api.put(f"/api/v1/{noun}/one", json=body | CHANGE)
    assert (replaced.status_code, replaced.headers["ETag"]) == (200, '"2"')
    assert replaced.json()["enabled"] is False


async def test_putting_the_same_again_changes_nothing(api, noun):
    first = await api.put(f"/api/v1/{noun}/one", json=SPECS[noun])
    second = await api.put(f"/api/v1/{noun}/one", json=SPECS[noun])
    assert second.status_code == 200
    assert second.json() == first.json()


async def test_the_name_in_the_body_may_not_be_another(api, noun):
    answer = await api.put(f"/api/v1/{noun}/other", json=SPECS[noun])
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "name", "message": "another name than in the path"}
    ]


@pytest.mark.parametrize("if_match", ['"1"', "*", '"7", "1"'])
async def test_a_change_of_the_version_that_was_read_is_done(api, noun, if_match):
    await made(api, noun)
    answer = await api.put(
        f"/api/v1/{noun}/one", json=SPECS[noun] | CHANGE, headers={"If-Match": if_match}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("if_match", ['"2"', 'W/"1"', "1", ""])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_change_of_another_version_fails_its_precondition(api, noun, if_match, method):
    await made(api, noun)
    body = SPECS[noun] | CHANGE if method == "PUT" else None
    answer = await api.request(
        method, f"/api/v1/{noun}/one", json=body, headers={"If-Match": if_match}
    )
    assert answer.status_code == 412
    assert (await api.get(f"/api/v1/{noun}/one")).json()["version"] == 1


async def test_a_change_of_what_is_not_there_fails_its_precondition(api, noun):
    answer = await api.put(f"/api/v1/{noun}/one", json=SPECS[noun], headers={"If-Match": "*"})
    assert answer.status_code == 412


async def test_a_creation_that_must_not_replace_does_not(api, noun):
    only_new = {"If-None-Match": "*"}
    created = await api.put(f"/api/v1/{noun}/one", json=SPECS[noun], headers=only_new)
    assert created.status_code == 201
    again = await api.put(f"/api/v1/{noun}/one", json=SPECS[noun] | CHANGE, headers=only_new)
    assert again.status_code == 412
    assert (await api.get(f"/api/v1/{noun}/one")).json()["enabled"] is True


async def test_what_is_deleted_is_gone(api, noun):
    await made(api, noun)
    answer = await api.delete(f"/api/v1/{noun}/one", headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await api.get(f"/api/v1/{noun}/one")).status_code == 404
    assert (await api.delete(f"/api/v1/{noun}/one")).status_code == 404


async def test_a_target_in_use_is_not_deleted_and_the_answer_names_the_policies(api, known):
    await made(api, "policies", name="deploy")
    await made(api, "policies", name="audit")
    answer = await api.delete("/api/v1/targets/known")
    assert answer.status_code == 409
    assert answer.json()["policies"] == ["audit", "deploy"]
    assert (await api.get("/api/v1/targets/known")).status_code == 200


async def test_a_list_comes_by_name_in_pages(api, noun, backend):
    if noun == "targets":
        await backend.store.targets.delete("known")
    for name in ("c", "a", "d", "b", "e"):
        await made(api, noun, name=name)
    names, params = [], {"limit": 2}
    for _ in range(3):
        page = (await api.get(f"/api/v1/{noun}", params=params)).json()
        names.append([item["name"] for item in page["items"]])
        params["cursor"] = page["next_cursor"]
    assert names == [["a", "b"], ["c", "d"], ["e"]]
    assert page["next_cursor"] is None


@pytest.mark.parametrize(
    ("params", "field"),
    [({"limit": 0}, "limit"), ({"limit": 201}, "limit"), ({"cursor": "A B"}, "cursor")],
)
async def test_a_page_that_cannot_be_is_invalid(api, noun, params, field):
    answer = await api.get(f"/api/v1/{noun}", params=params)
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_a_name_that_cannot_be_is_invalid(api, noun):
    answer = await api.get(f"/api/v1/{noun}/A%00")
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["name"]


async def test_a_dry_run_says_what_would_be_and_does_nothing(api, noun):
    dry = {"dry_run": "true"}
    posted = await api.post(f"/api/v1/{noun}", json=SPECS[noun], params=dry)
    put = await api.put(f"/api/v1/{noun}/one", json=SPECS[noun], params=dry)
    assert posted.status_code == put.status_code == 200
    assert posted.json() == put.json() == CREATED
    assert (await api.get(f"/api/v1/{noun}/one")).status_code == 404

    await made(api, noun)
    same = await api.put(f"/api/v1/{noun}/one", json=SPECS[noun], params=dry)
    assert same.json() == CREATED | {"result": "unchanged"}
    other = await api.put(f"/api/v1/{noun}/one", json=SPECS[noun] | CHANGE, params=dry)
    assert other.json() == CREATED | {"result": "updated", "changed": ["enabled"]}
    assert (await api.get(f"/api/v1/{noun}/one")).json()["version"] == 1


async def test_a_dry_run_is_refused_where_the_change_would_be(api, noun):
    dry = {"dry_run": "true"}
    await made(api, noun)
    taken = await api.post(f"/api/v1/{noun}", json=SPECS[noun], params=dry)
    assert taken.status_code == 409
    stale = await api.put(
        f"/api/v1/{noun}/one", json=SPECS[noun], params=dry, headers={"If-Match": '"2"'}
    )
    assert stale.status_code == 412
    wrong = await api.put(f"/api/v1/{noun}/one", json={"nonsense": 1}, params=dry)
    assert wrong.status_code == 422


async def test_a_dry_run_names_fields_with_dots_and_shows_no_value(api):
    await made(api, "sources", auth={"type": "bearer", "token": "planted-one"})
    answer = await api.put(
        "/api/v1/sources/one",
        json=SOURCE | {"auth": {"type": "basic", "username": "u", "password": "planted-two"}},
        params={"dry_run": "true"},
    )
    assert answer.json() == {
        "result": "updated",
        "changed": ["auth.password", "auth.token", "auth.type", "auth.username"],
        "warnings": [],
    }


async def test_a_dry_run_takes_a_condition_and_a_list_as_one_field_each(api, known):
    await made(api, "policies", match={"tag": {"in": ["a"]}, "sources": ["s"]})
    answer = await api.put(
        "/api/v1/policies/one",
        json=POLICY | {"match": {"tag": {"regex": "a"}, "sources": ["s", "t"]}},
        params={"dry_run": "true"},
    )
    assert answer.json()["changed"] == ["match.sources", "match.tag.in", "match.tag.regex"]


SECRET = "whsec_" + "A" * 32


async def test_secrets_are_never_answered(api):
    spec = TARGET | {"auth": {"type": "bearer", "token": "planted"}, "secrets": [SECRET]}
    answers = [
        await api.put("/api/v1/targets/one", json=spec),
        await api.get("/api/v1/targets/one"),
        await api.get("/api/v1/targets"),
    ]
    for answer in answers:
        assert "planted" not in answer.text
        assert SECRET not in answer.text
        assert MASK in answer.text


async def test_a_mask_that_is_sent_back_keeps_the_secret(api, backend):
    await made(api, "sources")
    shown = (await api.get("/api/v1/sources/one")).json()
    shown = {key: shown[key] for key in ("kind", "auth")} | {"description": "new"}
    answer = await api.put("/api/v1/sources/one", json=shown)
    assert answer.json()["version"] == 2
    stored = await backend.store.sources.get("one")
    assert stored.spec.auth.token.get_secret_value() == "planted"
    assert stored.spec.description == "new"


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_mask_for_which_nothing_is_stored_is_invalid(api, method):
    path = "/api/v1/sources" + ("/one" if method == "PUT" else "")
    spec = SOURCE | {"auth": {"type": "bearer", "token": MASK}}
    answer = await api.request(method, path, json=spec)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["auth.token"]


class RotatedMeanwhile(FakeCollection[Source]):
    """Sources whose secret somebody changes right after it was read."""

    async def get(self, name):
        read = await super().get(name)
        await self.put(Source.model_validate(SOURCE | {"auth": NEWER}))
        return read


NEWER = {"type": "bearer", "token": "newer"}


async def test_a_secret_that_is_kept_does_not_undo_a_newer_one(api, backend):
    backend.store.sources = RotatedMeanwhile("source", backend.store.switch)
    await backend.store.sources.create(Source.model_validate(SOURCE))
    body = SOURCE | {"auth": {"type": "bearer", "token": MASK}}
    answer = await api.put("/api/v1/sources/one", json=body)
    assert answer.status_code == 412
    stored = await backend.store.sources.get("one")
    assert stored.spec.auth.token.get_secret_value() == "newer"


async def test_what_another_version_has_stored_is_named_and_can_be_deleted(api, backend):
    assert (await api.put("/api/v1/targets/ci", json=TARGET | {"name": "ci"})).status_code == 201
    backend.store.targets.unreadable.add("ci")
    answer = await api.get("/api/v1/targets/ci")
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "The target ci is another version's.",
    )
    assert (await api.delete("/api/v1/targets/ci")).status_code == 204
    assert not backend.store.targets.rows
