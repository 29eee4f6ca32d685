from samssl_cli.checkup.finding import gb, one_line


def test_sizes_are_in_thousands():
    assert gb(1_550_000_000) == "1.6 GB"
    assert gb(0) == "0.0 GB"


def test_an_error_is_one_line():
    assert one_line(ValueError("first\nsecond")) == "ValueError: first"
    assert one_line(ValueError()) == "ValueError"
    assert one_line("a\n  b") == "a b"
