"""The store of what was answered before."""

from tandem.routing.cache.aging import AgingStore


def test_age_is_told() -> None:
    """An entry says how old it is; storing it again makes it young."""
    store: AgingStore[str, int] = AgingStore(2)
    store.put("a", 1, 10.0)
    assert store.get("a", 15.0) == (1, 5.0)
    store.put("a", 2, 15.0)
    assert store.get("a", 15.0) == (2, 0.0)
    assert store.get("b", 15.0) is None


def test_the_least_used_goes() -> None:
    """Beyond its bound the store forgets what was not asked for longest."""
    store: AgingStore[str, int] = AgingStore(2)
    store.put("a", 1, 0.0)
    store.put("b", 2, 0.0)
    store.get("a", 1.0)
    store.put("c", 3, 2.0)
    assert store.get("b", 2.0) is None
    assert store.get("a", 2.0) is not None
    assert len(store) == 2
    store.discard("a")
    store.discard("never")
    assert len(store) == 1
