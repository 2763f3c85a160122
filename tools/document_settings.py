"""Write the connector's settings into the files that tell users of them: `python -m tools.document_settings`.

`Settings` in the connector's utils is the one definition. From it come the table in docs/configuration.md and the lines
in conf_templates/conf/connectors, as Hummingbot itself writes them; what else stands in those files is left as it is.
"""

import sys
from pathlib import Path

from hummingbot.connector.derivative.paradex_perpetual import (
    paradex_perpetual_constants as CONSTANTS,
    paradex_perpetual_utils as utils,
)

ROOT = Path(__file__).resolve().parents[1]
DOMAINS = (CONSTANTS.DEFAULT_DOMAIN, *utils.OTHER_DOMAINS)
GUIDE = ROOT / "docs" / "configuration.md"
TABLE = ("<!-- settings: written by python -m tools.document_settings -->\n", "<!-- end of settings -->\n")
TEMPLATE_LINES = "# Settings. A line that is left out or empty has its default, which is the one here.\n"


def template(domain: str) -> Path:
    # Hummingbot takes every file in that folder for a connector's keys, unless its name begins with _ or a dot.
    return ROOT / "conf_templates" / "conf" / "connectors" / f"_{domain}.yml.template"


def table() -> str:
    """The settings as a Markdown table."""
    rows = ["| setting | default | what it does |", "| --- | --- | --- |"]
    for name, field in utils.Settings.model_fields.items():
        default = _value(field.default)
        rows.append(f"| `{name}` | {f'`{default}`' if default else '(empty)'} | {field.description} |")
    return "\n".join(rows) + "\n"


def template_lines(domain: str) -> str:
    """The settings as the lines of a domain's file, each under a comment."""
    return "".join(
        f"\n# {field.description}\n{domain}_{name}: {_value(field.default)}".rstrip() + "\n"
        for name, field in utils.Settings.model_fields.items()
    )


def documents() -> dict[Path, str]:
    """What each file should say."""
    guide = GUIDE.read_text(encoding="utf-8")
    before, rest = guide.split(TABLE[0])
    _, after = rest.split(TABLE[1])
    texts = {GUIDE: before + TABLE[0] + table() + TABLE[1] + after}
    for domain in DOMAINS:
        head, _ = template(domain).read_text(encoding="utf-8").split(TEMPLATE_LINES)
        texts[template(domain)] = head + TEMPLATE_LINES + template_lines(domain)
    return texts


def _value(default: object) -> str:
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def main() -> int:
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
