"""Where every console is out of service nobody is missed: neither the consoles nor a bridge."""

from tests.bridge.office import Office


def test_all_is_well_where_every_console_is_retired(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    office.do("console", "enroll", "demo/till-1", "demo/till-2")
    assert "! No bridge is running: start `trivox bridge`." in office.do("doctor")
    office.do("console", "retire", "demo/till-1")
    assert "! No bridge is running: start `trivox bridge`." in office.do("doctor")
    assert "till-2" in office.do("console", "list")
    office.do("console", "retire", "demo/till-2")
    told = office.do("doctor")
    assert "  No console is in service: 2 consoles retired." in told
    assert "  No bridge is running; none is needed, as no console is in service." in told
    assert told.endswith("All is well.\n")
    assert office.do("console", "list") == "No console is in service: give --all to list those that are retired.\n"
    office.do("console", "retire", "--undo", "demo/till-1")
    assert "! No bridge is running" in office.do("doctor")


def test_a_database_without_consoles_waits_for_one(office: Office) -> None:
    office.do("site", "set", "demo", "--timezone", "UTC")
    assert "! No console has been heard yet" in office.do("doctor")
    assert "No console has been heard yet" in office.do("console", "list")
