"""A plan depends only on its arguments, and every kind of fault can be carried out."""

from tests.chaos.faults import FAULTS
from tests.chaos.plan import ALL_KINDS, FAULTS_A_MINUTE, KINDS, SERIAL_FAULTS_A_MINUTE, SERIAL_KINDS, make_plan


def test_the_same_seed_makes_the_same_plan() -> None:
    assert make_plan(7, 2, 5) == make_plan(7, 2, 5)
    assert make_plan(7, 2, 5) != make_plan(8, 2, 5)


def test_faults_come_in_order_and_end_with_the_plan() -> None:
    for seed in range(50):
        plan = make_plan(seed, 1.5, 3)
        assert len(plan) == 1.5 * FAULTS_A_MINUTE
        assert [fault.at_s for fault in plan] == sorted(fault.at_s for fault in plan)
        assert all(fault.at_s + fault.lasts_s <= max(90, fault.at_s + fault.kind.shortest_s) for fault in plan)
        assert all(0 <= fault.console < 3 for fault in plan)
        assert all(fault.lasts_s <= fault.kind.longest_s for fault in plan)


def test_twenty_plans_have_every_kind() -> None:
    assert {fault.kind for seed in range(20) for fault in make_plan(seed, 2, 5)} == set(KINDS)


def test_boards_without_radio_have_their_own_faults_and_change_no_others() -> None:
    seen = set()
    for seed in range(20):
        plan = make_plan(seed, 2, 5, picos=2)
        of_picos = [fault for fault in plan if fault.kind in SERIAL_KINDS or fault.console >= 5]
        assert [fault for fault in plan if fault not in of_picos] == make_plan(seed, 2, 5)
        assert len(of_picos) == 2 * SERIAL_FAULTS_A_MINUTE
        assert all(5 <= fault.console < 7 and fault.kind.where != "radio console" for fault in of_picos)
        assert [fault.at_s for fault in plan] == sorted(fault.at_s for fault in plan)
        seen |= {fault.kind for fault in of_picos}
    assert seen >= set(SERIAL_KINDS)


def test_every_kind_can_be_carried_out() -> None:
    assert {kind.name for kind in ALL_KINDS} == set(FAULTS)
