"""Episodes: where they begin, what they keep, and what finds no room."""

from sensor.detect.base import DAY_MS
from sensor.detect.claim import MAX_DESTINATIONS
from sensor.detect.episode import episode_of
from tests.detect.forwards import MONDAY_MS, forward


def test_an_episode_is_named_after_its_first_forward() -> None:
    first, second = forward(MONDAY_MS), forward(MONDAY_MS + DAY_MS)
    episode = episode_of(episode_of(None, first, DAY_MS), second, DAY_MS)
    assert (episode.id, episode.first_ms, episode.last_ms, episode.count) == (
        first.id,
        first.at_ms,
        second.at_ms,
        2,
    )


def test_quiet_ends_an_episode() -> None:
    first, second = forward(MONDAY_MS), forward(MONDAY_MS + DAY_MS + 1)
    episode = episode_of(episode_of(None, first, DAY_MS), second, DAY_MS)
    assert (episode.id, episode.count) == (second.id, 1)


def test_a_forward_that_comes_late_moves_the_beginning_but_not_the_name() -> None:
    first, late = forward(MONDAY_MS), forward(MONDAY_MS - 1)
    episode = episode_of(episode_of(None, first, DAY_MS), late, DAY_MS)
    assert (episode.id, episode.first_ms, episode.last_ms) == (first.id, late.at_ms, first.at_ms)


def test_destinations_are_ranked_and_those_without_room_are_counted() -> None:
    outside = tuple(f"x{i:03}@dst.example" for i in range(MAX_DESTINATIONS + 8))
    episode = episode_of(None, forward(MONDAY_MS, outside=outside), DAY_MS)
    episode.take(forward(MONDAY_MS, to="x007@dst.example"))
    assert episode.by_count()[:3] == ("x007@dst.example", "x000@dst.example", "x001@dst.example")
    assert (len(episode.destinations), episode.other_destinations) == (MAX_DESTINATIONS, 8)


def test_only_automatic_forwards_speak_of_the_level() -> None:
    episode = episode_of(None, forward(MONDAY_MS, cell="visible_only"), DAY_MS)
    episode.take(forward(MONDAY_MS + 1, level="admin"))
    assert (episode.marks.user, episode.marks.admin) == (0, 1)


def test_asking_for_news_changes_nothing() -> None:
    episode = episode_of(None, forward(MONDAY_MS), DAY_MS)
    assert episode.has_news(MONDAY_MS)
    assert episode.has_news(MONDAY_MS)
    assert episode.told.is_due(episode.count, MONDAY_MS)
    assert not episode.has_news(MONDAY_MS)
