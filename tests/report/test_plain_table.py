from samssl_cli.report.plain_table import PlainTable, table_lines

ROWS = [["largest-component", "organ", "79.30 [70.00, 85.00]", "2"], ["raw", "vessel", "8.00", "2"]]


def lines(rows=ROWS, width=120, names=("prediction", "class"), title="student on cases"):
    table = PlainTable(title, names, ("Dice (%)", "n"), [rows])
    return list(table_lines(table, width))


def test_names_stand_left_and_numbers_right():
    assert lines() == [
        "student on cases",
        "prediction         class               Dice (%)  n",
        "--------------------------------------------------",
        "largest-component  organ   79.30 [70.00, 85.00]  2",
        "raw                vessel                  8.00  2",
    ]


def test_where_it_is_narrow_names_give_way_and_numbers_do_not():
    assert lines(width=44) == [  # 6 less: taken from the widest column
        "student on cases",
        "prediction   class               Dice (%)  n",
        "--------------------------------------------",
        "largest-com  organ   79.30 [70.00, 85.00]  2",
        "ponent",
        "raw          vessel                  8.00  2",
    ]


def test_names_are_never_narrower_than_can_be_read():
    assert lines(width=1)[-5:] == [  # 4 cells each: what is wider is for the terminal to break
        "comp",
        "onen",
        "t",
        "raw   vess                  8.00  2",
        "      el",
    ]


def test_a_rule_parts_blocks_and_cells_may_be_left_out():
    table = PlainTable("a\nb", ("model",), ("mean", "n"), [[["one", "1.00"]], [["two", "2", "3"]]])
    assert list(table_lines(table, 80)) == [
        *("a", "b"),
        "model  mean  n",
        "--------------",
        "one    1.00",
        "--------------",
        "two       2  3",
    ]


def test_a_table_without_rows_has_its_headings():
    assert lines([]) == [
        "student on cases",
        "prediction  class  Dice (%)  n",
        "------------------------------",
    ]


def test_names_are_shown_as_they_are_but_never_steer_the_terminal():
    shown = lines([["a [/b]", "\x1b[2Jx\n", "1", "2"]], title="[x]\x07")
    assert shown[0] == "[x]?"
    assert shown[3] == "a [/b]      ?[2Jx?         1  2"


def test_wide_characters_take_two_cells():
    shown = lines([["肝脏", "a", "1", "2"], ["liver", "e\u0301", "1", "2"]])
    assert shown[3:] == [
        "肝脏        a             1  2",
        "liver       e\u0301             1  2",
    ]
