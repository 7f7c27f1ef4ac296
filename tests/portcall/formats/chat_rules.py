"""What Slack, Teams and Discord take: their published limits and the shape that we use of each."""

import json

from jsonschema import Draft202012Validator

HOSTILE = "`<!here> <https://bad.example|ok> @everyone [ok](https://bad.example) *x* _y_ <@U1>"


def text(longest):
    return {"type": "string", "minLength": 1, "maxLength": longest}


def closed(required, **optional):
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


def some(items, most):
    return {"type": "array", "items": items, "minItems": 1, "maxItems": most}


def mrkdwn(longest):
    verbatim = {"const": True}
    return closed({"type": {"const": "mrkdwn"}, "text": text(longest), "verbatim": verbatim})


SECTION = {"type": {"const": "section"}}
RULES = {
    # https://docs.slack.dev/reference/block-kit/blocks/section-block and context-block
    "slack": closed(
        {
            "text": text(3000),
            "unfurl_links": {"const": False},
            "unfurl_media": {"const": False},
            "blocks": some(
                {
                    "oneOf": [
                        closed(SECTION | {"text": mrkdwn(3000)}),
                        closed(SECTION | {"fields": some(mrkdwn(2000), 10)}),
                        closed(
                            {"type": {"const": "context"}, "elements": some(mrkdwn(3000), 10)}
                        ),
                    ]
                },
                50,
            ),
        }
    ),
    # https://adaptivecards.io/schemas/1.4.0/adaptive-card.json: what of it is used
    "teams": closed(
        {
            "type": {"const": "message"},
            "attachments": some(
                closed(
                    {
                        "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                        "contentUrl": {"type": "null"},
                        "content": closed(
                            {
                                "$schema": {
                                    "const": "http://adaptivecards.io/schemas/adaptive-card.json"
                                },
                                "type": {"const": "AdaptiveCard"},
                                "version": {"const": "1.4"},
                                "msteams": closed({"width": {"const": "Full"}}),
                                "body": some(
                                    closed(
                                        {
                                            "type": {"const": "RichTextBlock"},
                                            "spacing": {"const": "small"},
                                            "inlines": some(
                                                closed(
                                                    {
                                                        "type": {"const": "TextRun"},
                                                        "text": text(1000),
                                                    },
                                                    weight={"enum": ["bolder"]},
                                                    size={"enum": ["small", "medium"]},
                                                    color={
                                                        "enum": [
                                                            "default", "good", "warning",
                                                            "attention",
                                                        ]
                                                    },
                                                    fontType={"enum": ["monospace"]},
                                                    isSubtle={"const": True},
                                                ),
                                                6,
                                            ),
                                        }
                                    ),
                                    50,
                                ),
                            }
                        ),
                    }
                ),
                1,
            ),
        }
    ),
    # https://discord.com/developers/docs/resources/message#embed-object-embed-limits
    "discord": closed(
        {
            "embeds": some(
                closed(
                    {
                        "title": text(256),
                        "color": {"type": "integer", "minimum": 0, "maximum": 0xFFFFFF},
                        "fields": {
                            "type": "array",
                            "maxItems": 25,
                            "items": closed(
                                {
                                    "name": text(256),
                                    "value": text(1024),
                                    "inline": {"type": "boolean"},
                                }
                            ),
                        },
                        "footer": closed({"text": text(2048)}),
                        "timestamp": text(40),
                    },
                    description=text(4096),
                ),
                1,
            ),
            "allowed_mentions": {"const": {"parse": []}},
        }
    ),
}  # fmt: skip


def strings(value):
    """Give every text that a message shows, in order."""
    if isinstance(value, dict):
        shown = ("text", "title", "description", "name", "value")
        nested = (v for k, v in value.items() if k in shown or not isinstance(v, str))
        return [found for v in nested for found in strings(v)]
    if isinstance(value, list):
        return [found for item in value for found in strings(item)]
    return [value] if isinstance(value, str) else []


def checked(name, message):
    """Give the body of a message that the service takes."""
    assert message.content_type == "application/json"
    body = json.loads(message.body)
    Draft202012Validator(RULES[name]).validate(body)
    if name == "teams":
        assert len(message.body) < 20_000  # the limit is 28 KB; some saw a refusal from 21 KB on
    if name == "slack":  # undocumented (slackapi/bolt-js#2509)
        assert sum(map(len, strings(body["blocks"]))) <= 13_000
    if name == "discord":
        assert sum(len(shown.encode("utf-16-le")) // 2 for shown in strings(body)) <= 6000
    return body
