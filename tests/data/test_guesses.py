"""What is found out of tables and JSON, and what is refused: cases in which a wrong column was once taken."""

from __future__ import annotations

import io
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import seq2see
from seq2see.data import TableOptions, iterate_rows, read_pairs
from seq2see.data.given import as_pairs
from seq2see.data.layout import layout_of
from seq2see.doctor import check
from seq2see.errors import ConfigError, DataError
from seq2see.inference.checking import texts_of
from seq2see.text.choice import choose_text
from seq2see.text.options import TextOptions
from seq2see.text.tokenizers import are_spaced_tags

WORDS = [f"{first}{second}D" for first in "ABC" for second in "ABEF"]
FORMS = [(word.lower(), word.lower() + "te", tags) for word in WORDS for tags in ("V PST 3", "V PRS", "V PST 1", "V")]


def read(folder: Path, content: str, name: str, **options: object) -> list[tuple[str, str | None]]:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return [pair[:2] for pair in read_pairs([path], **options).pairs]  # type: ignore[arg-type]


def lines_of(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def table(*rows: tuple[str, ...], delimiter: str = "\t") -> str:
    return "".join(delimiter.join(row) + "\n" for row in rows)


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [{"lemma": "abc"}, {"a": {"x": "abc"}}])
def test_two_texts_in_other_places_are_no_pair_beside_a_third(first: dict[str, object], tmp_path: Path) -> None:
    rows = [{**first, "sounds": [{"ipa": f"x {n}"}], "meta": {"src": "web"}} for n in range(6)]
    with pytest.raises(DataError, match="the key 'source' is missing") as error:
        read(tmp_path, lines_of(*rows), "words.jsonl")
    name = "lemma" if "lemma" in first else "a.x"
    assert f"choose others: --source {name} --target sounds.1.ipa" in str(error.value)
    found = read(tmp_path, lines_of(*rows), "words.jsonl", table=TableOptions(source=name, target="sounds.1.ipa"))
    assert found[0] == ("abc", "x 0")


def test_no_other_columns_are_offered_where_a_few_lines_lack_one(tmp_path: Path) -> None:
    rows = [{"lemma": f"a{n}", "tags": "V", "form": f"b{n}"} for n in range(6)]
    bad = [
        {"lemma": "x", "form": "y"},
        {"lemma": "x", "tags": "V", "form": None},
        {"lemma": "x", "tags": "V", "form": ["y"]},
    ]
    with pytest.raises(DataError, match="3 of 9 lines") as error:
        read(tmp_path, lines_of(*rows, *bad), "forms.jsonl", table=TableOptions(("lemma", "tags"), "form"))
    said = str(error.value)
    assert "choose others" not in said
    assert "fix: add the key 'tags', or remove the line" in said
    assert "fix: write a text in quotation marks, or remove the line" in said
    assert "fix: name one of the list: --source or --target form.1, or remove the line" in said


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("forms.jsonl", lines_of({"lemma": "a", "tags": "V", "form": "b"}, {"lemma": " ", "tags": "", "form": "b"})),
        ("forms.csv", "lemma,tags,form\na,V,b\nc,N,d\n ,,e\n"),
    ],
)
def test_several_empty_sources_are_named_in_one(name: str, content: str, tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"the source \(lemma, tags\) is empty\n    fix: add a source \(lemma, tags\) or"
    ):
        read(tmp_path, content, name, table=TableOptions(("lemma", "tags"), "form"))


def test_the_keys_of_nested_texts_are_offered_and_work(tmp_path: Path) -> None:
    rows = [{"id": n, "entry": {"word_": f"a{n}", "say": f"b{n}"}, "meta": {"src": "web"}} for n in range(6)]
    with pytest.raises(DataError) as error:
        read(tmp_path, lines_of(*rows), "words.jsonl")
    assert "--source entry.word_ --target entry.say" in str(error.value)
    chosen = TableOptions(source="entry.word_", target="entry.say")
    assert read(tmp_path, lines_of(*rows), "words.jsonl", table=chosen)[1] == ("a1", "b1")
    found = read_pairs([tmp_path / "words.jsonl"], table=chosen)
    assert found.format is not None
    assert "left out: id and meta.src" in found.format.describe()


@pytest.mark.parametrize(
    ("rows", "source", "target"),
    [
        ([{"db": "AB"[n % 2], "ask": f"q {n}", "sql": f"a {n}"} for n in range(6)], "ask", "sql"),
        ([{"kind": "AB"[n % 2], "by": "me", "ask": f"q {n}"} for n in range(6)], "ask", "kind"),
        ([{"at": f"0.{n}", "ask": f"q {n}", "by": "me", "sql": f"a {n}"} for n in range(6)], "ask", "sql"),
    ],
    ids=[
        "a label",
        "a text and its label",
        "a number and a constant",
    ],
)
def test_the_keys_that_are_offered_are_texts_and_check_offers_those_of_training(
    rows: list[dict[str, object]], source: str, target: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, lines_of(*rows), "rows.jsonl")
    assert error.value.fix == f"choose others: --source {source} --target {target}"
    assert {finding.remedy for finding in check(tmp_path / "rows.jsonl").findings} == {error.value.fix}
    found = read(tmp_path, lines_of(*rows), "rows.jsonl", table=TableOptions(source=source, target=target))
    assert found[0] == ("q 0", "A" if target == "kind" else "a 0")


def chat(key: str, speaker: str, said: str, turns: list[tuple[str, str]], **others: object) -> dict[str, object]:
    return {**others, key: [{speaker: by, said: text} for by, text in turns]}


TWO_REPLIES = [("user", "hi"), ("assistant", "hello\nyou"), ("user", "why ?"), ("assistant", "so .")]
SHARE = [("human", "hi"), ("gpt", "hello\nyou"), ("human", "why ?"), ("gpt", "so .")]
PAIRS_OF_CHAT = [("\thi", "hello you"), ("hi ¶ hello you\twhy ?", "so .")]


@pytest.mark.parametrize(
    "row",
    [
        chat("messages", "role", "content", TWO_REPLIES),
        chat("messages", "role", "content", [("system", "Be kind"), *TWO_REPLIES, ("user", "and ?")], id="x"),
        chat("conversations", "from", "value", SHARE, id="x", source="web"),
        {"data": chat("messages", "role", "content", TWO_REPLIES)},
    ],
    ids=["OpenAI", "with a system message and a last one without a reply", "ShareGPT", "nested"],
)
def test_each_reply_of_a_chat_is_a_pair_with_what_was_said_before(row: dict[str, object], tmp_path: Path) -> None:
    assert read(tmp_path, lines_of(row, row), "chats.jsonl") == PAIRS_OF_CHAT * 2
    assert read(tmp_path, json.dumps([row] * 3), "chats.json") == PAIRS_OF_CHAT * 3
    assert check(tmp_path / "chats.jsonl").sets[0].pairs == 4
    of_recipe = TableOptions(("1", "2"), "3")
    assert read(tmp_path, lines_of(row), "chats.jsonl", table=of_recipe) == PAIRS_OF_CHAT
    alone = read_pairs([tmp_path / "chats.jsonl"], table=TableOptions("message", "reply"))
    assert [pair[:2] for pair in alone.pairs] == [("hi", "hello you"), ("why ?", "so .")]


def test_a_turn_of_a_chat_is_chosen_by_its_number(tmp_path: Path) -> None:
    rows = [chat("messages", "role", "content", TWO_REPLIES) for _ in range(3)]
    chosen = TableOptions("messages.3.content", "messages.4.content")
    assert read(tmp_path, lines_of(*rows), "chats.jsonl", table=chosen) == [("why ?", "so .")] * 3


@pytest.mark.parametrize(
    "turns", [[*TWO_REPLIES, ("user", "and ?")], [*TWO_REPLIES, ("user", "and ?"), ("assistant", "x")]]
)
def test_the_last_message_of_a_chat_is_the_text_to_answer(turns: list[tuple[str, str]]) -> None:
    """One for each line, so that line n of the output belongs to line n of the input."""
    content = lines_of(*[chat("messages", "role", "content", turns)] * 2).encode()
    known = TableOptions(("history", "message"), "reply")
    sources = [row.source for row in iterate_rows(io.BytesIO(content), "chats.jsonl", known=known)]
    assert sources == ["why ? ¶ so .\tand ?"] * 2


@pytest.mark.parametrize("name", ["chats.jsonl", "<stdin>"])
@pytest.mark.parametrize("num_chats", [1, 2])
@pytest.mark.parametrize("is_bare", [False, True])
def test_a_chat_of_one_message_is_a_text_to_answer(name: str, num_chats: int, is_bare: bool) -> None:
    turns = [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "hi"}]
    content = lines_of(*[turns if is_bare else {"id": "x", "messages": turns}] * num_chats).encode()
    known = TableOptions(("history", "message"), "reply")
    assert [row.source for row in iterate_rows(io.BytesIO(content), name, known=known)] == ["\thi"] * num_chats
    alone = TableOptions("message", "reply")
    assert [row.source for row in iterate_rows(io.BytesIO(content), name, known=alone)] == ["hi"] * num_chats


def test_chats_without_objects_around_them_are_read(tmp_path: Path) -> None:
    turns = chat("", "role", "content", TWO_REPLIES)[""]
    assert read(tmp_path, lines_of(turns), "chats.jsonl") == PAIRS_OF_CHAT
    assert read(tmp_path, lines_of(turns, turns), "chats.jsonl") == PAIRS_OF_CHAT * 2
    assert read(tmp_path, json.dumps([turns] * 3, indent=1), "chats.json") == PAIRS_OF_CHAT * 3
    assert read(tmp_path, json.dumps(turns, indent=1), "chats.json") == PAIRS_OF_CHAT
    found = read_pairs([tmp_path / "chats.json"])
    assert found.format is not None
    assert "a row for each reply in a chat, without" in found.format.describe()
    with pytest.raises(
        DataError, match=r"1 of 3 lines is invalid.*\n.*: the chat has no message of a user with a reply"
    ):
        read(tmp_path, lines_of(turns, [{"role": "user", "content": "hi"}], turns), "chats.jsonl")


def test_chats_are_found_where_the_first_has_no_reply(tmp_path: Path) -> None:
    rows = [chat("messages", "role", "content", turns) for turns in (TWO_REPLIES[:1], *[TWO_REPLIES] * 4)]
    with pytest.raises(DataError, match="1 of 5 lines is invalid"):
        read(tmp_path, lines_of(*rows), "chats.jsonl")
    assert [pair[:2] for pair in read_pairs([tmp_path / "chats.jsonl"], skip_bad=True).pairs] == PAIRS_OF_CHAT * 4


def test_calls_of_functions_are_no_replies(tmp_path: Path) -> None:
    """As LLaMA-Factory writes them."""
    turns = [("human", "hi"), ("function_call", "{}"), ("observation", "5"), ("gpt", "hello")]
    row = chat("conversations", "from", "value", turns)
    assert read(tmp_path, lines_of(row, row), "chats.jsonl") == [("\thi", "hello")] * 2


@pytest.mark.parametrize(
    ("table", "pair"),
    [
        (TableOptions(("lang", "message"), "reply"), ("en\thi", "hello you")),
        (TableOptions(("lang", "history", "message"), "reply"), ("en\t\thi", "hello you")),
        (TableOptions("message", "lang"), ("hi", "en")),
        (TableOptions(target="reply"), ("\thi", "hello you")),
        (TableOptions("message"), ("hi", "hello you")),
        (TableOptions("meta.by", "reply"), ("me", "hello you")),
    ],
)
def test_columns_of_a_chat_are_read_with_other_keys(table: TableOptions, pair: tuple[str, str], tmp_path: Path) -> None:
    row = chat("messages", "role", "content", TWO_REPLIES, lang="en", meta={"by": "me"})
    assert read(tmp_path, lines_of(row, row), "chats.jsonl", table=table)[0] == pair
    with pytest.raises(DataError, match="unknown key 'language'"):
        read(tmp_path, lines_of(row), "chats.jsonl", table=TableOptions(("language", "message"), "reply"))


def test_a_chat_without_a_reply_is_refused_and_can_be_skipped(tmp_path: Path) -> None:
    rows = [chat("messages", "role", "content", turns) for turns in (TWO_REPLIES, TWO_REPLIES[:1], TWO_REPLIES)]
    with pytest.raises(
        DataError, match=r"1 of 3 lines is invalid.*\n.*'messages' has no message of a user with a reply"
    ):
        read(tmp_path, lines_of(*rows), "chats.jsonl")
    assert read_pairs([tmp_path / "chats.jsonl"], skip_bad=True).skipped == 1


def test_prompt_and_completion_are_read_beside_a_chat(tmp_path: Path) -> None:
    row = chat("messages", "role", "content", TWO_REPLIES, prompt="hi", completion="hello")
    assert read(tmp_path, lines_of(row, row), "chats.jsonl") == [("hi", "hello")] * 2


LIST = ["room", "the room", "room"]


@pytest.mark.parametrize(
    ("row", "target"),
    [
        ({"context": "c", "question": "q", "answers": {"text": LIST, "answer_start": [3, 3, 3]}}, ""),
        ({"context": "c", "question": "q", "answers": {"text": LIST}}, "answers.text"),
        ({"context": "c", "question": "q", "answers": LIST}, ""),
        ({"context": "c", "question": "q", "answer": LIST}, ""),
        ({"context": "c", "question": "q", "gold": LIST}, "gold"),
    ],
)
def test_each_text_of_a_list_as_target_is_a_target(row: dict[str, object], target: str, tmp_path: Path) -> None:
    table = TableOptions(("context", "question"), target) if target else TableOptions()
    content = lines_of(row, {**row, "context": "d"})
    pairs = [("c\tq", "room"), ("c\tq", "the room"), ("d\tq", "room"), ("d\tq", "the room")]
    assert read(tmp_path, content, "questions.jsonl", table=table) == pairs
    found = read_pairs([tmp_path / "questions.jsonl"], table=table)
    assert [pair.origin for pair in found.pairs[1:3]] == [f"{tmp_path / 'questions.jsonl'}:{line}" for line in (1, 2)]
    assert found.format is not None
    assert "text.2" not in found.format.describe()
    again = TableOptions(**found.format.chosen())  # type: ignore[arg-type]
    assert read(tmp_path, content, "questions.jsonl", table=again) == pairs
    assert check(tmp_path / "questions.jsonl", table=again).sets[0].pairs == 4


def test_one_text_of_a_list_is_chosen_by_its_number(tmp_path: Path) -> None:
    row = {"question": "q", "answers": {"text": LIST}}
    table = TableOptions("question", "answers.text.2")
    assert read(tmp_path, lines_of(row, row), "questions.jsonl", table=table) == [("q", "the room")] * 2


def test_a_question_without_an_answer_is_refused_and_can_be_skipped(tmp_path: Path) -> None:
    rows = [{"context": "c", "question": "q", "answers": {"text": own}} for own in (LIST, [], LIST)]
    with pytest.raises(DataError, match=r"1 of 3 lines is invalid.*\n.*'answers.text' is an empty list"):
        read(tmp_path, lines_of(*rows), "questions.jsonl")
    assert len(read_pairs([tmp_path / "questions.jsonl"], skip_bad=True).pairs) == 4


JOINED = ' |= join(" ")'
"""The end of the command of jq that makes one string of each list."""


@pytest.mark.parametrize(
    ("rows", "table"),
    [
        ([{"word": "apple", "phonemes": ["A", "P", "P", "L", "E"]}], TableOptions()),
        ([{"word": "bee", "phonemes": ["B", "IY1"]}, {"word": "cat", "phonemes": ["K", "AE1", "T"]}], TableOptions()),
        ([{"source": "apple", "target": ["a", "p", "l"]}], TableOptions()),
        ([{"text": "Ann ran", "labels": ["B", "O"]}], TableOptions("text", "labels")),
        ([{"src": "a cat is a cat", "tgt": ["eine", "Katze", "ist", "eine", "Katze"]}], TableOptions()),
        ([{"entry": {"word": "bee", "phonemes": ["B", "IY1"]}}], TableOptions()),
    ],
)
def test_the_tokens_of_a_target_are_not_several_targets(
    rows: list[dict[str, object]], table: TableOptions, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="must be a string, found a list") as error:
        read(tmp_path, lines_of(*rows * 3), "words.jsonl", table=table)
    fix = error.value.fix
    assert fix.startswith("if they are tokens, write each list as one string: jq -c ")
    assert f"{JOINED}' < {tmp_path}/words.jsonl > {tmp_path}/words-joined.jsonl; or" in fix
    assert {finding.remedy for finding in check(tmp_path / "words.jsonl", table=table).findings} == {fix}
    if shutil.which("jq") is not None:
        subprocess.run(
            ["bash", "-c", fix.removeprefix("if they are tokens, write each list as one string: ").split("; or")[0]],
            check=True,
        )
        found = read_pairs([tmp_path / "words-joined.jsonl"], table=table)
        own = json.dumps(rows[0]).partition("[")[2].partition("]")[0].replace('", "', " ").strip('"')
        assert found.pairs[0].target == own
    words = iter(shlex.split(fix.rpartition(": ")[2]))
    of_first = {word.removeprefix("--"): next(words) for word in words}
    assert len(
        read(tmp_path, lines_of(*rows * 3), "words.jsonl", table=TableOptions(of_first["source"], of_first["target"]))
    ) == 3 * len(rows)


def test_the_tokens_of_words_in_a_dictionary_are_not_several_targets(tmp_path: Path) -> None:
    words = {"apple": ["A", "P", "P", "L"], "cat": ["K", "A", "T"], "dog": ["D", "O", "G"]}
    with pytest.raises(DataError, match="must be a string, found a list"):
        read(tmp_path, json.dumps(words, indent=1), "words.json")


def test_tokens_are_the_target_only_where_no_text_is(tmp_path: Path) -> None:
    row = {"word": "bee", "phonemes": ["B", "IY1"], "pron": "B IY1"}
    assert read(tmp_path, lines_of(row, row), "words.jsonl") == [("bee", "B IY1")] * 2


@pytest.mark.parametrize("key", ["answers", "translations", "target", "spellings"])
def test_other_texts_of_a_list_are_several_targets(key: str, tmp_path: Path) -> None:
    texts = ["a", "b"] if key in ("answers", "translations") else ["colour", "color"]
    table = TableOptions("question", key)
    row = {"question": "q", key: texts}
    assert read(tmp_path, lines_of(row), "questions.jsonl", table=table) == [("q", text) for text in texts]


@pytest.mark.parametrize("own", [["apfel", ""], [None, "apfel"], [" ", "apfel", None]])
def test_blank_texts_and_nulls_of_a_list_are_no_targets(own: list[str | None], tmp_path: Path) -> None:
    row = {"question": "q", "answers": own}
    assert read(tmp_path, lines_of(row, row), "questions.jsonl") == [("q", "apfel")] * 2
    with pytest.raises(DataError, match=r"1 of 3 lines is invalid.*\n.*'answers' has no text\n    fix: add a text, or"):
        read(tmp_path, lines_of(row, {**row, "answers": [None, " "]}, row), "questions.jsonl")
    words = {"apple": own, "bee": "biene", "cat": ["katze"]}
    pairs = [("apple", "apfel"), ("bee", "biene"), ("cat", "katze")]
    assert read(tmp_path, json.dumps(words, indent=1), "words.json") == pairs


def test_a_table_without_rows_is_called_so_by_check_as_by_training(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        read(tmp_path, "word,ipa\n", "words.csv")
    [finding] = check(tmp_path / "words.csv").findings
    assert (finding.detail, finding.remedy) == (error.value.what, error.value.fix)


@pytest.mark.parametrize("indent", [None, 2])
def test_nested_questions_of_squad_are_read(indent: int | None, tmp_path: Path) -> None:
    def paragraph(n: int) -> dict[str, object]:
        asked = [
            {"id": f"{n}{m}", "question": f"q{n}{m}", "answers": [{"text": f"{x}a{n}{m}"} for x in ("", "b", "")]}
            for m in range(2)
        ]
        return {"context": f"c{n}", "qas": asked}

    data = [{"title": f"t{n}", "paragraphs": [paragraph(n), paragraph(n + 5)]} for n in range(3)]
    found = read(tmp_path, json.dumps({"version": "1.1", "data": data}, indent=indent), "squad.json")
    pairs = [("c0\tq00", "a00"), ("c0\tq00", "ba00"), ("c0\tq01", "a01"), ("c0\tq01", "ba01"), ("c5\tq50", "a50")]
    assert (len(found), found[:5]) == (24, pairs)


def test_several_readings_of_a_dictionary_are_several_pairs(tmp_path: Path) -> None:
    words: dict[str, object] = {"read": ["ɹ iː d", "ɹ ɛ d"], "cat": ["k æ t"], "dog": "d ɒ ɡ"}
    pairs = [("read", "ɹ iː d"), ("read", "ɹ ɛ d"), ("cat", "k æ t"), ("dog", "d ɒ ɡ")]
    assert read(tmp_path, json.dumps(words, indent=1), "words.json") == pairs
    more = {f"w{n}": [f"v {n}"] for n in range(20)}
    assert read(tmp_path, json.dumps(words | more), "words.json")[:4] == pairs


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", ["", "# My words\n\n", "# My words\n\nSome words, and how they sound.\n\n"])
def test_text_above_a_table_in_markdown_is_no_pair(above: str, tmp_path: Path) -> None:
    rows = "".join(f"| {word} | {' '.join(word)} |\n" for word in WORDS)
    content = f"{above}| word | ipa |\n|------|:---:|\n{rows}"
    assert read(tmp_path, content, "words.md") == [(word, " ".join(word)) for word in WORDS]


def test_a_line_of_dashes_is_no_rule_below_other_rows(tmp_path: Path) -> None:
    rows = [(f"w{n}", f"v{n}") for n in range(10)]
    content = table(*rows, ("--", "--"), *rows, delimiter="|")
    assert read(tmp_path, content, "words.txt") == [*rows, ("--", "--"), *rows]


def test_a_table_in_markdown_inside_a_cell_is_text(tmp_path: Path) -> None:
    rows = "".join(f'"question {n}, what","answer {n}"\n' for n in range(10))
    cell = '"make a table, please","Here:\n\na | b\n--- | ---\nc | d\n"\n'
    found = read(tmp_path, f"source,target\n{rows}{cell}{rows}", "pairs.csv")
    assert len(found) == 21
    assert found[10] == ("make a table, please", "Here: a | b --- | --- c | d")


def test_text_above_a_table_hides_no_row_that_begins_with_it(tmp_path: Path) -> None:
    rows = [(f"{first}{n}", f"x{n}") for first in "AB" for n in range(6)]
    content = "A\n\nword | ipa\n--- | ---\n" + "".join(f"{one} | {other}\n" for one, other in rows)
    assert read(tmp_path, content, "words.md") == rows


def test_phones_in_several_rows_of_a_word_are_no_tags(tmp_path: Path) -> None:
    words = [(word, " ".join(word.upper()), f"0.{n}") for word in ("cat", "dog", "tin", "map") for n in range(2)]
    assert read(tmp_path, table(*words), "words.tsv")[0] == ("cat", "C A T")


def test_identifiers_are_no_third_text(tmp_path: Path) -> None:
    rows = [{"id": f"x{n}", "orig": f"abc{n}", "out": {"norm": f"z{n}"}} for n in range(6)]
    assert read(tmp_path, lines_of(*rows), "words.jsonl")[0] == ("abc0", "z0")


@pytest.mark.parametrize("names", [("word", "pron"), ("spelling", "sound")])
def test_a_header_that_comes_again_is_told_as_such(names: tuple[str, str], tmp_path: Path) -> None:
    rows = [(word, " ".join(word)) for word in WORDS]
    content = table(names, *rows, names, *rows, delimiter=",")
    with pytest.raises(DataError, match="the header again"):
        read(tmp_path, content, "words.csv")


def test_a_delimiter_that_is_not_there_is_called_so(tmp_path: Path) -> None:
    options = TableOptions(source="2", target="1", delimiter=";")
    with pytest.raises(DataError, match="most lines don't have the delimiter ';'") as error:
        read(tmp_path, table(*[(word, " ".join(word)) for word in WORDS]), "words.tsv", table=options)
    assert error.value.fix == "leave --delimiter out: it has 2 columns separated by TAB"


def test_a_column_can_not_be_source_and_target(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column word is source and target"):
        read(tmp_path, "word,ipa\na,b\nc,d\n", "words.csv", table=TableOptions(source="word", target="word"))
    with pytest.raises(DataError, match="column word is source and target"):
        read(tmp_path, lines_of({"word": "a"}), "words.jsonl", table=TableOptions(source="word", target="word"))


SAYINGS = [(f"the {word} is big", f"le {word[::-1]} est grand") for word in WORDS]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (("", "raw", "iso"), "{n},{one},{other}"),
        (("", "raw", "iso"), "{n}7{n},{one},{other}"),
        (("Begin Time - hh:mm:ss.ms", "End Time", "tx", "gl"), "00:00:0{n}.104,00:00:0{n}.9,{one},{other}"),
        (("Unnamed: 0", "raw", "iso"), "{n},{one},{other}"),
    ],
    ids=["row numbers", "numbers of chosen rows", "time codes", "a name of pandas"],
)
def test_what_stands_above_numbers_is_a_header_and_numbers_are_no_text(
    header: tuple[str, ...], row: str, tmp_path: Path
) -> None:
    rows = [row.format(n=n, one=one, other=other) for n, (one, other) in enumerate(SAYINGS)]
    for delimiter, name in ((",", "words.csv"), ("\t", "words.tsv")):
        content = "".join(f"{line}\n" for line in [",".join(header), *rows]).replace(",", delimiter)
        assert read(tmp_path, content, name) == SAYINGS
        found = read_pairs([tmp_path / name]).format
        assert found is not None
        if not header[0]:
            assert "left out: column 1 (choose" in found.describe()
            assert found.chosen()["names"] == header


@pytest.mark.parametrize(
    "first", [("cat", "N", "12"), ("sheep", "sheep", "1"), ("read", "V", "n/a"), ("read", "V", "")]
)
def test_a_row_is_no_header_where_its_number_is_one_or_missing(first: tuple[str, ...], tmp_path: Path) -> None:
    rows = [(word.lower(), "N" if n % 2 else "V", str(n * n)) for n, word in enumerate(WORDS)]
    options = TableOptions(source="1", target="2")
    assert read(tmp_path, table(first, *rows), "words.tsv", table=options)[0] == first[:2]


def test_a_name_of_two_columns_is_a_header_and_numbers_are_offered_that_work(tmp_path: Path) -> None:
    rows = [(one, other, "pos" if n % 2 else "neg") for n, (one, other) in enumerate(SAYINGS * 3)]
    with pytest.raises(DataError, match="columns 1 and 2 are both named 'text'; which are") as error:
        read(tmp_path, table(("text", "text", "label"), *rows, delimiter=","), "words.csv")
    assert "--source 1 --target 3, or several as source: --source 1,2 --target 3" in error.value.fix
    chosen = TableOptions(source="1", target="3")
    assert read(tmp_path, (tmp_path / "words.csv").read_text(), "words.csv", table=chosen)[0] == (rows[0][0], "neg")


def test_the_same_form_as_the_lemma_is_no_name_of_two_columns(tmp_path: Path) -> None:
    rows = [("sheep", "sheep", "noun plural"), *((word, word, f"{word} a") for word in WORDS)]
    assert read(tmp_path, table(*rows), "words.tsv", table=TableOptions(source="1", target="2"))[0] == rows[0][:2]


@pytest.mark.parametrize(
    ("names", "row", "fix"),
    [
        (("t0", "t1", "t2", "label"), ("0.{n}", "1.{n}", "2.{n}", "{label}"), "--source t0 --target label"),
        ((), ("tx", "{label}", "00:00:0{n}.1", "0.{n}", "{word}", "{phones}"), "--source 5 --target 6"),
        (("start", "by", "tx, raw", "gl"), ("{n}.5", "{label}", "{word}", "{phones}"), "--source 3 --target 4"),
    ],
    ids=["measurements", "time codes", "a name with a comma"],
)
def test_the_columns_that_are_offered_are_texts_or_labels_of_numbers(
    names: tuple[str, ...], row: tuple[str, ...], fix: str, tmp_path: Path
) -> None:
    rows = [
        tuple(cell.format(n=n, label="up" if n % 2 else "down", word=word, phones=" ".join(word)) for cell in row)
        for n, word in enumerate(WORDS)
    ]
    with pytest.raises(DataError, match="which are source and target") as error:
        read(tmp_path, table(*([names] if names else []), *rows), "words.tsv")
    assert f": {fix}, or several" in error.value.fix


def test_tags_may_be_separated_by_blanks(tmp_path: Path) -> None:
    assert read(tmp_path, table(*FORMS), "forms.tsv")[0] == (f"{FORMS[0][0]}\tV PST 3", FORMS[0][1])
    sources = [f"{lemma}\t{tags}" for lemma, _, tags in FORMS]
    chosen, _ = choose_text(TextOptions(), sources, [form for _, form, _ in FORMS])
    assert chosen.source is not None
    assert chosen.source[1] == "tags"


@pytest.mark.parametrize(
    ("texts", "first", "expected"),
    [
        (["V PST 3", "V PRS", "V PST 3", "V PRS", "V PRS", "V PRS"], "aabbcd", True),
        (["K AE1 T", "D AO1 G", "B AH1 G", "M AE1 P", "K AE1 T", "D AO1 G"], "aabbcd", False),  # as many as words
        (["V PRS", "V PRS", "V PST", "V PST", "V PRS", "V PRS", "V PST"], "aabbccd", False),  # each word has one
        (["K AE1 K", "V PRS", "K AE1 K", "V PRS", "V PRS", "V PRS"], "aabbcd", False),  # one part twice
        (["the cat", "the dog", "the cat", "the dog", "the dog", "the dog"], "aabbcd", False),
        (["1 2", "3 4", "1 2", "3 4", "3 4", "3 4"], "aabbcd", False),
        (["V", "N", "V", "N", "N", "N"], "aabbcd", False),  # no lists
        ([], "", False),
    ],
)
def test_spaced_tags_are_told_from_symbols_and_words(texts: list[str], first: str, expected: bool) -> None:
    assert are_spaced_tags(texts, first) == expected


# --- no tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [TableOptions(), TableOptions(source="1"), TableOptions(target="1")])
def test_text_of_one_column_is_told_the_command_of_a_language_model(table: TableOptions, tmp_path: Path) -> None:
    (tmp_path / "text.csv").write_text("a,b\n")
    path = tmp_path / "text.txt"
    with pytest.raises(DataError) as error:
        read(tmp_path, "".join(f"the {word} is big\n" for word in WORDS), "text.txt", table=table)
    assert error.value.fix.endswith(
        f"two parallel files{'; ' if table.given() else ', name both; '}if it is text for a language model: "
        f"seq2see train {path} --model language_model"
    )


def test_a_sign_that_texts_do_not_have_is_offered_as_the_delimiter(tmp_path: Path) -> None:
    content = table(*SAYINGS, delimiter="^")
    with pytest.raises(DataError) as error:
        read(tmp_path, content, "words.txt")
    assert error.value.fix == "if ^ separates the columns, say so: --delimiter '^'"
    assert read(tmp_path, content, "words.txt", table=TableOptions(delimiter="^")) == SAYINGS


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("<table>\n<tr><td>a</td></tr>\n</table>\n", "is HTML, and no table"),
        ("\\_sh v3.0  400  MDF\n\n\\lx vos\n\\ge fox\n", "has markers such as .*SFM"),
        ("\\lx vos\n\\ps n\n\\ge fox\n\n\\lx das\n", "has markers such as .*SFM"),
        ('File type = "ooTextFile"\nObject class = "TextGrid"\n', "is a TextGrid"),
    ],
)
def test_files_of_other_programs_are_called_what_they_are(content: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=what) as error:
        read(tmp_path, content, "words.txt")
    assert error.value.fix.startswith("export its pairs as a table in text")


def test_formulas_are_no_markers(tmp_path: Path) -> None:
    formulas = [r"\alpha + 1", r"\sin x", r"\ref", r"\tx"]
    (tmp_path / "a.txt").write_text("one\ntwo\nthree\nfour\n")
    (tmp_path / "b.txt").write_text("\n".join(formulas))
    assert [pair.target for pair in read_pairs([tmp_path / "a.txt", tmp_path / "b.txt"]).pairs] == formulas


# --- two files, and a model's ----------------------------------------------------------------------------------------


def test_dev_without_a_column_is_told_which_are_read(tmp_path: Path) -> None:
    rows = [(str(n), word, " ".join(word), "web") for n, word in enumerate(WORDS)]
    (tmp_path / "train.csv").write_text(table(("id", "word", "pron", "from"), *rows, delimiter=","))
    (tmp_path / "dev.csv").write_text(table(("word", "sense", "note"), *[row[1:] for row in rows], delimiter=","))
    settings = {"data.source": ["word"], "data.target": "pron", "training.max_updates": 1}
    with pytest.raises(DataError) as error:
        seq2see.train(
            tmp_path / "train.csv", dev=tmp_path / "dev.csv", out=tmp_path / "run", settings=settings, quiet=True
        )
    assert error.value.fix == "give dev pairs with the columns of the training pairs: word and pron"


def test_a_table_without_the_columns_of_a_model_is_told_which_it_reads(tmp_path: Path) -> None:
    known = TableOptions(source=("1", "3"), target="2")
    with pytest.raises(DataError, match=r"no column 3; found 2; the model .* \(source 1, 3, target 2\)") as error:
        read(tmp_path, table(*[(word, " ".join(word)) for word in WORDS]), "words.tsv", known=known)
    assert error.value.fix == "give a table with these columns"


def test_units_for_other_columns_are_refused_with_the_columns() -> None:
    with pytest.raises(ConfigError, match=r"units for 2 source columns \(characters, tags\), found 1"):
        choose_text(TextOptions(source=("characters", "tags")), ["a", "b"], ["c", "d"])


def test_the_columns_of_a_source_may_be_a_list() -> None:
    assert as_pairs([(["ab", "V;PST"], "c")], has_source=True) == as_pairs([(("ab", "V;PST"), "c")], has_source=True)
    assert list(texts_of([["ab", "c"], ("d", "e"), "f"])) == ["ab\tc", "d\te", "f"]
    with pytest.raises(DataError, match="is not a text"):
        list(texts_of([["ab", 1]]))


@pytest.mark.parametrize(
    ("options", "fix"),
    [
        (TableOptions(source="1"), "--source 1 --target 2"),
        (TableOptions(source="2,3"), "--source 2,3 --target 1"),
        (TableOptions(target="4"), "--source 1 --target 4"),
        (TableOptions(source="1,2,3,4"), "--source 1,2,3,4 --target …"),
    ],
)
def test_the_other_side_is_offered(options: TableOptions, fix: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the other could be any column") as error:
        read(tmp_path, table(("a", "b", "c", "d"), ("e", "f", "g", "h")), "four.tsv", table=options)
    assert error.value.fix == f"give both, such as {fix}"


def test_a_run_in_place_of_a_file_is_told_why_not(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(ConfigError, match=r"can't be created: .*run is a file"):
        seq2see.train([("a", "b"), ("c", "d")], out=tmp_path / "run", quiet=True)


@pytest.mark.parametrize("num", [3, 28])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
@pytest.mark.parametrize(
    ("delimiter", "sign"), [(",", ";"), (",", "|"), (", ", " ; "), ("  ", ";"), ("  ", "|"), (";", ","), ("|", ";")]
)
def test_tags_without_quotation_marks_are_no_columns(
    delimiter: str, sign: str, order: tuple[int, ...], num: int
) -> None:
    stems = ["vos", "beer", "wolf", "das", "uil", "hert", "gems"]
    endings = {("SG", "NOM"): "", ("SG", "ACC"): "en", ("PL", "NOM"): "s", ("PL", "ACC"): "as"}
    rows = [(stem, stem + ending, sign.join(["N", *tags])) for stem in stems for tags, ending in endings.items()]
    lines = [delimiter.join(row[at] for at in order) for row in rows[:num]]
    layout = layout_of(lines)
    assert layout and (layout.delimiter.strip(), layout.num_columns) == (delimiter.strip(), 3)


def test_texts_with_another_delimiter_inside_are_divided_as_by_that_with_more_columns() -> None:
    layout = layout_of([f"word{at},a{at};text {at}" for at in range(9)])
    assert layout and (layout.delimiter, layout.num_columns) == (";", 2)
