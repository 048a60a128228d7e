import results
from results import keep, load, table, write_section


def test_sections_leave_one_another_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "PAGE", tmp_path / "results.md")
    write_section("one", "first")
    write_section("two", "second")
    write_section("one", "again")
    text = results.PAGE.read_text()
    assert text.startswith("# Results\n")
    assert "first" not in text
    assert text.index("again") < text.index("second")
    assert text.count("<!-- ") == 4


def test_results_are_kept_beside_those_of_other_runs(tmp_path):
    path = tmp_path / "kept.json"
    keep(path, "a", {"x": 1})
    assert keep(path, "b", {"x": 2}) == load(path) == {"a": {"x": 1}, "b": {"x": 2}}
    assert load(tmp_path / "none.json") == {}


def test_tables():
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_the_machine_has_a_name():
    assert results.processor()
    assert "torch" in results.machine()
