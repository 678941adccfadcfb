"""Times that a message names."""

from datetime import UTC, datetime

import pytest

from memory import times

NOW = datetime(2024, 6, 12, 15, tzinfo=UTC)  # a Wednesday


def named(text: str, now: datetime | None = NOW) -> list[tuple[str, str]]:
    def day(at: int) -> str:
        return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d}"

    return [(day(one.since), day(one.until)) for one in times.windows(text, now)]


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("in May 2023", "2023-05-01", "2023-06-01"),
        ("in December 2023", "2023-12-01", "2024-01-01"),
        ("on 8 May, 2023", "2023-05-08", "2023-05-09"),
        ("on July 3rd, 2022", "2022-07-03", "2022-07-04"),
        ("the 3rd of July 2022", "2022-07-03", "2022-07-04"),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
        ("back in 2021", "2021-01-01", "2022-01-01"),
        ("yesterday", "2024-06-11", "2024-06-12"),
        ("this morning", "2024-06-12", "2024-06-13"),
        ("last night", "2024-06-11", "2024-06-13"),
        ("last Friday", "2024-06-07", "2024-06-08"),
        ("last Wednesday", "2024-06-05", "2024-06-06"),
        ("this Wednesday", "2024-06-12", "2024-06-13"),
        ("last week", "2024-06-03", "2024-06-10"),
        ("this week", "2024-06-10", "2024-06-13"),
        ("last weekend", "2024-06-08", "2024-06-10"),
        ("last month", "2024-05-01", "2024-06-01"),
        ("last year", "2023-01-01", "2024-01-01"),
        ("three days ago", "2024-06-09", "2024-06-10"),
        ("a couple of weeks ago", "2024-05-25", "2024-06-02"),
        ("2 months ago", "2024-03-29", "2024-04-29"),
    ],
)
def test_a_time_is_a_window(text: str, since: str, until: str):
    assert named(f"What did we say {text}?") == [(since, until)]


@pytest.mark.parametrize("text", ["May I ask?", "It may rain", "some days ago", "2023-02-30x", "room 20233", "mayor"])
def test_what_is_no_time_is_none(text: str):
    assert named(text) in ([], [("2023-01-01", "2024-01-01")])


def test_without_a_year_it_is_that_part_of_every_year():
    (may,) = times.windows("in May?")
    (day,) = times.windows("on 8 May")
    for year in (2022, 2024):
        assert may.holds(round(datetime(year, 5, 20, tzinfo=UTC).timestamp() * 1000))
        assert not may.holds(round(datetime(year, 6, 8, tzinfo=UTC).timestamp() * 1000))
        assert day.holds(round(datetime(year, 5, 8, 23, tzinfo=UTC).timestamp() * 1000))
        assert not day.holds(round(datetime(year, 5, 9, tzinfo=UTC).timestamp() * 1000))


def test_yesterday_says_nothing_where_today_is_unknown():
    assert list(times.windows("yesterday, last week, two days ago")) == []


def test_of_a_day_that_no_calendar_has_the_month_stays():
    assert named("on 31 June 2023") == [("2023-06-01", "2023-07-01")]
