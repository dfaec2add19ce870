# SPDX-License-Identifier: BSD-3-Clause
"""The parts of README.md that scripts write."""


def refresh(readme, script, text):
    """Replaces what stands between the markers of that script; ValueError where they are missing."""
    begin, end = f"<!-- {script} writes from here -->", f"<!-- {script}: to here -->"
    before, found, rest = readme.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{readme}: expected the lines {begin} and {end}, found none")
    readme.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")
