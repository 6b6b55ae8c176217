"""Scripts and stylesheets lose their comments and white space, and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from seq2see.markup.compact import compact_script, compact_style

SCRIPT = r"""
// a comment with "quotes" and `ticks`
const a = 4, b = 2; /* and
another */
const f = (x) => {
  if (x) return x - -b + +a;
  return /[/"'] \/\/ x/g.test("a // b") ? `kept   ${a / b}  /* text */` : "  two  spaces  ";
};
class C { static #own = 1; get it() { return C.#own in [0, 1] ? typeof a : void 0; } }
console.log(JSON.stringify([f(0), f(1), a / b / 2,
  "it's // \" here".replace(/ +/g, "_"), new C().it, [..."ab"].map((x) => /b/.test(x))]));
"""


def test_comments_and_white_space_outside_of_texts_are_removed() -> None:
    assert compact_script("// x\nconst a = 1;\n  f( a, 'b  c' ); /* y */") == "const a=1;f(a,'b  c');"
    assert compact_script("return /a b/.test(x) - -y;") == "return/a b/.test(x)- -y;"
    assert compact_script("a = b / c / d;") == "a=b/c/d;"
    with pytest.raises(AssertionError, match="a template in a template"):
        compact_script("f(`${a ? `x` : 1}`);")


def test_a_compact_script_does_the_same() -> None:
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        pytest.skip("there is no Node.js: apt-get install nodejs")
    said = [
        subprocess.run([node, "-e", each], capture_output=True, text=True, check=True, timeout=60).stdout
        for each in (SCRIPT, compact_script(SCRIPT))
    ]
    assert said[0] == said[1]
    assert json.loads(said[0])[2] == 1


def test_a_compact_stylesheet_keeps_what_separates() -> None:
    style = (
        "/* x */ a :hover > b,\n c { margin: 0 1px; width: calc(1px + 2 * var(--w)) }\n@media (x: 1) { d { e: f; } }"
    )
    assert compact_style(style) == ("a :hover>b,c{margin:0 1px;width:calc(1px + 2 * var(--w))}@media (x:1){d{e:f}}")
