"""Pages of lists: how many items, from which cursor on, and where the next page begins."""

from collections.abc import Sequence
from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel

ItemT = TypeVar("ItemT")

Limit = Annotated[int, Query(ge=1, le=200, description="items on a page")]
LIMIT = 50


class Page(BaseModel, Generic[ItemT]):
    """Some items of a list; `next_cursor` asks for those that follow, null at the end."""

    items: Sequence[ItemT]
    next_cursor: str | None = None
