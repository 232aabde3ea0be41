import pytest

from mixer.memo import public, shared_work


def test_work_is_shared_only_while_somebody_asks_for_it():
    calls = []

    @public
    def squared(number):
        calls.append(number)
        return number * number

    assert squared(3) == squared(3) == 9
    assert calls == [3, 3]
    with shared_work():
        assert squared(3) == 9
        with shared_work():
            assert squared(3) == 9
        assert squared(3) == 9
    assert calls == [3, 3, 3]
    assert squared(3) == 9
    with shared_work():
        squared(3)
    assert calls == [3, 3, 3, 3, 3]


def test_what_is_refused_is_refused_again():
    @public
    def refusing(number):
        raise ValueError(number)

    with shared_work():
        for _ in range(2):
            with pytest.raises(ValueError, match="1"):
                refusing(1)
