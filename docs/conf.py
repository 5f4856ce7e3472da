"""Sphinx configuration: MyST pages, autodoc for the reference, warnings as errors (see the Makefile)."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from cli_reference import make_page

project = "sql-env"
author = "the sql-env authors"
release = metadata.version("sql-env")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"sql-env {release}"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
napoleon_use_ivar = True
default_role = "code"


def add_cli_reference(app, docname, source):
    """Add the options of all commands to their page."""
    if docname == "cli":
        source[0] += "\n" + make_page()


def setup(app):
    """Extend Sphinx."""
    app.connect("source-read", add_cli_reference)
