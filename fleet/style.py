"""The colours of every page that the project writes, light and dark as the reader's machine has it.

Each of a text's colours stands out from the page by 4.5 to 1 at least (WCAG 2.2, success criterion 1.4.3); lines of a chart by 3 to 1 (1.4.11).
"""

PALETTE = """
:root { color-scheme: light dark; --text: #1c2024; --page: #ffffff; --line: #d9dde2; --soft: #606770; --band: #f5f6f8;
  --one: #1f6feb; --two: #9a6700; --limit: #cf222e; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --page: #16191d; --line: #363c44; --soft: #98a1ab; --band: #1e2228;
  --one: #6cb6ff; --two: #e3b341; --limit: #ff7b72; --good: #56d364; } }
"""
