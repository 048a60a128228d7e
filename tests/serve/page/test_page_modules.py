"""Modules of the page by themselves, in a real Chromium: tables, observations, and what a stream survives."""

from __future__ import annotations

import base64
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser

import recurra.serve

PAGE = Path(recurra.serve.__file__).parent / "page"
Run = Callable[..., Any]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files, without a word on each."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def run(chromium: Browser) -> Iterator[Run]:
    """Runs the body of an async function that is given a module and some values."""
    handler = functools.partial(Quiet, directory=str(PAGE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        chromium.open(url + "icon.svg")
        chromium.driver.set_script_timeout(30)

        def body(module: str, text: str, *given: Any) -> Any:
            found = chromium.driver.execute_async_script(
                "const [url, text, given, done] = arguments;"
                "import(url).then((module) => (new (async () => {}).constructor('module', 'given', text))"
                "(module, given)).then((value) => done({value}), (error) => done({error: String(error)}));",
                url + module,
                text,
                given,
            )
            assert "error" not in found, found["error"]
            return found["value"]

        yield body
        server.shutdown()


@pytest.mark.parametrize(
    ("text", "columns", "rows"),
    [
        ("a,b\n1,2\n", ["a", "b"], [["1", "2"]]),
        ("\ufeffa;b\r\n1,5;x\r\n", ["a", "b"], [["1,5", "x"]]),
        ("a\tb\n1\t\n", ["a", "b"], [["1", ""]]),
        ('a,b\n"x, ""y""\nz",2', ["a", "b"], [['x, "y"\nz', "2"]]),
        ("a\n1\n\n2\n", ["a"], [["1"], ["2"]]),
        ('{"a": 1}\n{"b": null}\n', ["a", "b"], [[1, None], [None, None]]),
        ('[{"a": "x"}]', ["a"], [["x"]]),
    ],
)
def test_tables_as_text(run: Run, text: str, columns: list[str], rows: list[list[Any]]) -> None:
    found = run("delimited.js", "return module.parse(given[0])", text)
    assert found["columns"] == columns
    assert [[row.get(name) for name in columns] for row in found["rows"]] == rows


def test_no_table(run: Run) -> None:
    assert run("delimited.js", "return [' \\n', '{broken', '[1'].map(module.parse)") == [None, None, None]


def test_csv_is_read_as_it_was_written(run: Run) -> None:
    columns, rows = ["a", "b"], [{"a": 'x,"y"', "b": "1"}, {"a": " z\n", "b": ""}]
    text = run("delimited.js", "return module.toCsv(...given)", columns, rows)
    assert run("delimited.js", "return module.parse(given[0])", text)["rows"] == rows


@pytest.mark.parametrize(
    ("schema", "row", "observation"),
    [
        ({"x": {"type": "number"}}, {"x": " 2.5 "}, {"x": 2.5}),
        ({"x": {"type": ["number", "null"]}}, {"x": ""}, {"x": None}),
        ({"x": {"type": "number"}}, {"x": "many"}, {"x": "many"}),
        ({"t": {"type": ["string", "number"]}}, {"t": "007"}, {"t": "007"}),
        ({"t": {"type": ["string", "number"]}}, {"t": "7"}, {"t": 7}),
        ({"t": {"type": "string"}}, {"t": "1949-01", "other": "1"}, {"t": "1949-01"}),
        ({"v": {"type": "object", "properties": {"x": {"type": "number"}}}}, {"x": "1"}, {"v": {"x": 1}}),
    ],
)
def test_observations(run: Run, schema: Any, row: Any, observation: Any) -> None:
    text = "return module.observationOf(given[1], module.fieldsOf(given[0]))"
    whole = {"properties": schema, "required": list(schema)}
    assert run("observations.js", text, whole, row) == observation


def test_numbers_with_a_decimal_comma(run: Run) -> None:
    text = "return [module.asNumber('3,5', true), module.asNumber('1,234', false)]"
    assert run("delimited.js", text) == [3.5, None]  # NaN comes as null


def test_the_widest_interval_and_the_one_next_to_eighty(run: Run) -> None:
    names = ["forecast", "q0.025", "q0.1", "q0.25", "q0.5", "q0.75", "q0.9", "q0.975"]
    found = run("fan.js", "return module.intervals(given[0])", names)
    assert [one["name"] for one in found] == ["95 % interval", "80 % interval"]
    assert run("fan.js", "return module.intervals(['q0.5'])") == []


# A session whose server is a script: its sockets are opened, answered and lost at will.
STREAM = """
const sockets = [];
const states = [];
const api = {
  socket(path) {
    const socket = new EventTarget();
    Object.assign(socket, { path, sent: [], readyState: 1 });
    socket.send = (text) => socket.sent.push(JSON.parse(text));
    socket.close = () => {};
    const tell = (event) => socket.dispatchEvent(event);
    socket.say = (frame) => tell(new MessageEvent("message", { data: JSON.stringify(frame) }));
    socket.lose = (code = 1006, reason = "") => tell(new CloseEvent("close", { code, reason }));
    sockets.push(socket);
    return socket;
  },
  json: async () => ({ stream: {} }),
};
const session = new module.Session(api, "b", (state) => states.push(state));
const until = async (true_) => { while (!true_()) await new Promise((done) => setTimeout(done, 10)); };
const open = (n, steps, resent = 0) => sockets[n].say({ open: { steps, resent } });
const answered = (promise) => promise.then((one) => one.answer, (error) => `${error.type}: ${error.message}`);
"""


def test_one_frame_is_under_way_at_a_time(run: Run) -> None:
    text = """
    const both = [answered(session.observe("a")), answered(session.observe("b"))];
    open(0, 0);
    const first = sockets[0].sent.length;
    sockets[0].say({ id: 1, step: 1, answer: "A" });
    sockets[0].say({ id: 2, step: 2, answer: "B" });
    return [first, sockets[0].sent.map((one) => one.observation), await Promise.all(both), session.steps];
    """
    assert run("session.js", STREAM + text) == [1, ["a", "b"], ["A", "B"], 2]


@pytest.mark.parametrize(
    ("opened", "then", "sent", "answer"),
    [
        ("open(1, 0)", 'sockets[1].say({ id: 1, step: 1, answer: "A" })', ["a"], "A"),  # was not taken: again
        (
            "open(1, 1, 1)",
            'sockets[1].say({ id: 1, step: 1, answer: "A" })',
            [],
            "A",
        ),  # its answer is sent again
        ("open(1, 1)", "", [], None),  # was taken, its answer is gone
    ],
)
def test_a_lost_connection(run: Run, opened: str, then: str, sent: list[str], answer: str | None) -> None:
    text = f"""
    const one = answered(session.observe("a"));
    open(0, 0);
    sockets[0].lose();
    await until(() => sockets.length === 2);
    {opened};
    {then};
    const found = await one;
    const names = sockets.map((socket) => new URLSearchParams(socket.path.split("?")[1]).get("session"));
    return [sockets[1].sent.map((frame) => frame.observation), found, session.steps, names[0] === names[1]];
    """
    assert run("session.js", STREAM + text) == [sent, answer, 1, True]


def test_a_server_that_has_forgotten_the_stream(run: Run) -> None:
    text = """
    const one = session.observe("a");
    open(0, 0);
    sockets[0].say({ id: 1, step: 1, answer: "A" });
    await one;
    const two = answered(session.observe("b"));
    sockets[0].lose();
    await until(() => sockets.length === 2);
    open(1, 0);
    return [await two, session.state, session.steps];
    """
    told = "ended: The server no longer has this stream. Start over."
    assert run("session.js", STREAM + text) == [told, "ended", 0]


def test_an_overloaded_server_is_asked_again(run: Run) -> None:
    text = """
    const one = answered(session.observe("a"));
    open(0, 0);
    sockets[0].say({ id: 1, step: 0, error: { type: "overloaded", message: "Too much." }, retry: 0.05 });
    await until(() => sockets[0].sent.length === 2);
    sockets[0].say({ id: 1, step: 1, answer: "A" });
    return [await one, sockets[0].sent.map((frame) => frame.id), states.includes("lost")];
    """
    assert run("session.js", STREAM + text) == ["A", [1, 1], True]


def test_what_the_stream_cannot_take_and_an_end_for_good(run: Run) -> None:
    text = """
    const one = answered(session.observe("a"));
    open(0, 0);
    sockets[0].say({ id: 1, step: 0, error: { type: "bad_data", message: "expected b." } });
    const two = answered(session.observe("b"));
    sockets[0].lose(4001, "the session is open elsewhere now");
    return [await one, await two, session.state];
    """
    told = ["bad_data: expected b.", "ended: the session is open elsewhere now", "ended"]
    assert run("session.js", STREAM + text) == told


@pytest.mark.parametrize(
    ("texts", "pairs", "unit", "marked"),
    [
        (("a  b c", "x y"), [[2, 0], [0, 1]], "words", ["c", "a"]),
        ((" ab ", "y x"), [[1, 0], [0, 1], [1, 2]], "characters", ["b", "a", "b"]),
        (("a b", "x y"), [[7, 0], [0, 1]], "words", None),  # words that are not there
        (("a b", "x y z"), [[0, 0], [1, 1]], "words", None),  # words that come from nowhere
        (("", ""), [], "bpe", None),
    ],
)
def test_a_word_marks_the_one_that_it_comes_from(
    run: Run, texts: tuple[str, str], pairs: Any, unit: str, marked: list[str] | None
) -> None:
    found = run(
        "aligned.js",
        "const [source, text, pairs, unit] = given;"
        "const pair = module.aligned({source, text, pairs, units: [unit, unit]});"
        "document.documentElement.append(pair);"
        "const words = [...pair.querySelectorAll('button')];"
        "const seen = words.map((word) => {"
        "  word.dispatchEvent(new PointerEvent('pointerenter'));"
        "  return pair.querySelector('span.marked').textContent;"
        "});"
        "words[0]?.dispatchEvent(new PointerEvent('pointerleave'));"
        "const left = pair.querySelectorAll('.marked').length;"
        "const said = [...pair.querySelectorAll('p')].map((line) => line.textContent);"
        "pair.remove();"
        "return {seen, left, said};",
        *texts,
        pairs,
        unit,
    )
    assert found["left"] == 0
    assert found["seen"] == (marked or [])
    if marked is not None:
        assert found["said"][1] == texts[1]
    else:
        assert found["said"][1] == f"Translation: {texts[1] or '(nothing)'}"


# Sound.


def test_sound_as_a_stream_takes_it(run: Run) -> None:
    samples = [0, 1 / 32768, -1, 1, 2, 0.5]
    text = run("sound.js", "return module.base64(Float32Array.from(given[0]))", samples)
    assert list(np.frombuffer(base64.b64decode(text), "<i2")) == [0, 1, -32768, 32767, 32767, 16384]
    many = "const text = module.base64(new Float32Array(50000)); return text.length"
    assert run("sound.js", many) == len(base64.b64encode(bytes(100_000)))


@pytest.mark.parametrize(("loudest", "level"), [(0, 0), (1e-4, 0), (0.001, 0), (0.1, 2 / 3), (1, 1), (3, 1)])
def test_how_loud_sound_is(run: Run, loudest: float, level: float) -> None:
    text = "return module.level(Float32Array.from([0, -given[0]]))"
    assert run("sound.js", text, loudest) == pytest.approx(level, abs=1e-6)


PIECES = """
const sent = [];
const gates = [];
let late = 0;
const send = (samples) => new Promise((done, fail) => {
  sent.push([...samples]);
  gates.push({ done, fail });
});
const pieces = new module.Pieces({ rate: 4, frame: 256 + 16, send, late: () => { late += 1; } });
const give = (...samples) => pieces.give(Float32Array.from(samples));
const soon = () => new Promise((done) => setTimeout(done, 0));
"""


def test_pieces_go_out_in_order_one_at_a_time(run: Run) -> None:
    text = """
    const all = give(1, 2, 3);
    give(4);
    give(5, 6, 7, 8, 9);
    const first = sent.length;
    for (let n = 0; n < 3; n += 1) { gates[n].done(); await soon(); }
    await all;
    const end = pieces.end();
    await soon();
    gates[3].done();
    await end;
    return [first, sent];
    """
    # As much as is there, up to the four that a second holds and the six that a frame has room for.
    assert run("pieces.js", PIECES + text) == [1, [[1, 2, 3], [4, 5, 6, 7], [8, 9], []]]


def test_frames_are_not_too_large_for_the_server(run: Run) -> None:
    text = (
        "return [65536, 1000, 100].map((frame) => new module.Pieces({ rate: 48000, frame, send() {} }).most)"
    )
    found = run("pieces.js", text)
    assert found == [24480, 279, 1]
    assert len(base64.b64encode(bytes(2 * found[0]))) + len('{"observation":"","id":123456789}') < 65_536


def test_what_the_server_refuses_ends_the_sound(run: Run) -> None:
    text = """
    const told = give(1, 2).catch((error) => error.message);
    give(3).catch(() => {});
    gates[0].fail(new Error("no"));
    const said = await told;
    give(4);
    await soon();
    return [said, sent];
    """
    assert run("pieces.js", PIECES + text) == ["no", [[1, 2], [4]]]


def test_a_server_that_is_a_minute_behind(run: Run) -> None:
    text = "give(1); for (let n = 0; n < 70; n += 1) give(1, 2, 3, 4); return late > 0 && sent.length"
    assert run("pieces.js", PIECES + text) == 1


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {"text": "lo mi", "times": "0.31-0.52 1.00-1.10"},
            [{"text": "lo", "begin": 0.31, "end": 0.52}, {"text": "mi", "begin": 1.0, "end": 1.1}],
        ),
        ({"text": "", "times": ""}, []),
    ],
)
def test_words_of_a_whole_answer(run: Run, row: dict[str, str], words: list[dict[str, Any]]) -> None:
    assert run("predict_sound.js", "return module.wordsOf(given[0])", row) == words


# Pictures.


def one_of(rows: int, columns: int, row: int, column: int, share: float) -> list[list[float]]:
    """Weights of which one part has a share, and the others the rest."""
    left = (1 - share) / (rows * columns - 1)
    return [[share if (r, c) == (row, column) else left for c in range(columns)] for r in range(rows)]


@pytest.mark.parametrize(
    ("weights", "where"),
    [
        (one_of(4, 4, 0, 0, 0.5), "upper left"),
        (one_of(4, 4, 0, 3, 0.5), "upper right"),
        (one_of(4, 4, 2, 1, 0.9), "middle"),
        (one_of(4, 4, 3, 2, 0.5), "bottom"),
        (one_of(7, 7, 3, 6, 0.5), "right"),
        (one_of(2, 2, 1, 0, 0.7), "lower left"),
        (one_of(3, 2, 1, 0, 0.5), "left"),
        (one_of(4, 4, 0, 0, 0.07), "all over"),
        ([[1.0]], "all over"),
    ],
)
def test_where_a_word_looked(run: Run, weights: list[list[float]], where: str) -> None:
    assert run("looking.js", "return module.whereOf(given[0]).where", weights) == where


def test_the_share_of_where_a_word_looked(run: Run) -> None:
    weights = [[0.0, 0.3, 0.2, 0.0], *[[0.0, 0.1, 0.0, 0.0]] * 2, [0.1, 0.1, 0.1, 0.0]]
    found = run("looking.js", "return module.whereOf(given[0])", weights)
    assert found == {"where": "top", "share": pytest.approx(0.5)}


@pytest.mark.parametrize(
    ("weights", "dark"),
    [
        ([[0.7, 0.1], [0.1, 0.1]], [0, 0.8, 0.8, 0.8]),
        ([[0.25, 0.25], [0.25, 0.25]], [0, 0, 0, 0]),
        ([[0.26, 0.24], [0.25, 0.25]], [0, 0.8 * 0.16, 0.8 * 0.08, 0.8 * 0.08]),
    ],
)
def test_what_was_looked_at_stays_bright(run: Run, weights: list[list[float]], dark: list[float]) -> None:
    assert run("looking.js", "return module.darkness(given[0])", weights) == pytest.approx(dark)


def test_a_shade_has_no_edges(run: Run) -> None:
    text = (
        "const shade = module.shaded(given[0], 2);"
        "return [...shade.getContext('2d').getImageData(0, 48, 96, 1).data].filter((_, i) => i % 4 === 3)"
    )
    line = np.array(run("looking.js", text, [0, 0.8, 0, 0.8]))
    assert (np.diff(line) >= 0).all()
    assert np.diff(line).max() < 12
    assert line[0] < 40
    assert line[-1] > 165


def test_the_score_that_counts(run: Run) -> None:
    text = "return [module.headline(given[0]) ?? null, module.headline(given[1]) ?? null]"
    judged = {"task": "caption", "scores": [{"metrics": {"bleu1": 1.0, "cider": 0.5}}]}
    assert run("metrics.js", text, judged, {"task": "caption", "scores": []}) == ["cider", None]


def test_words_of_a_caption_stand_as_in_its_text(run: Run) -> None:
    text = "return given.map(([text, words]) => module.gaps(text, words))"
    given = [["a dog, a cat.", ["a", "dog", "a", "cat"]], ["ab", ["a", "b"]], ["x", ["a", "b"]]]
    assert run("captioned.js", text, *given) == [
        ["", " ", ", ", " ", "."],
        ["", "", ""],
        ["", " ", ""],
    ]
