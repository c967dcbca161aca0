"""The site: `make docs` builds it into docs/_build/html. Nothing here needs the network."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS.parent), str(DOCS / "extensions")]

import mine  # noqa: E402  # the checkout's, found by the line above

project = "MINE, measured"
author = "The MINE reference suite authors"
copyright = author  # noqa: A001  # Sphinx reads this name
version = release = mine.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings: list[str] = []

# In docstrings, `name` is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# Every other reference must have a target. Those of other projects have none here.
nitpick_ignore_regex = [("py:.*", r"(?!mine\b).*"), ("py:.*", r"mine\.(?!\w+$).*")]

html_math_renderer = "mathml"
html_theme = "furo"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_search_summary = False  # it is fetched, which a page in a folder may not do
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "monokai"
