# SPDX-License-Identifier: GPL-2.0-or-later
"""What the system tests have in common: guests of one small network, and what the manager says."""

import json
import os

from guest import client_nic
from process import ours
from wait import eventually

PORT = 12345


def mac(number):
    return f"52:54:00:00:00:{number:02x}"


def address(number):
    """The address of guest `number` in the tests' one subnet."""
    return f"10.9.0.{number}"


def v6_address(number):
    return f"fd00:9::{number:x}"


def addresses(number):
    """For nr.ethN: both families."""
    return f"{address(number)}/24,{v6_address(number)}/64"


def numbered(connection, number, nic, **details):
    """Guest `number` of a lab: its name, its address and one NIC."""
    return connection.guest(f"vm{number}", [nic], addresses=[addresses(number)], **details)


def start_all(guests):
    """Starts every guest of {number: guest}, in this order; they boot side by side."""
    for guest in guests.values():
        guest.start()


def all_meet(guests, deadline=15):
    """Every guest of {number: guest} pings every other one, once all are up."""
    for guest in guests.values():
        guest.wait_up()
    for guest in guests.values():
        for other in guests:
            if guests[other] is not guest:
                guest.reaches(address(other), deadline)


def two_guests(connection):
    """{1: guest, 2: guest}, which dial one address, and have met there."""
    guests = {n: numbered(connection, n, client_nic(PORT, mac(n))) for n in (1, 2)}
    start_all(guests)
    all_meet(guests)
    for number in guests:
        expect_row(connection, guest=f"vm{number}", state="connected")
    return guests


def nothing_lost(flow):
    """Ends the pings, once some more are answered: all of them were."""
    flow.wait_replies(5)
    sent, received = flow.stop()
    assert sent == received, f"{received} of {sent} pings answered"


def report(connection):
    """`netrelayctl status --json`, read."""
    return json.loads(connection.netrelayctl("status", "--json").stdout)


def rows(connection, **wanted):
    """The rows of the status that have these values."""
    return [row for row in report(connection)["rows"]
            if all(row.get(key) == value for key, value in wanted.items())]


def expect_row(connection, deadline=10, **wanted):
    """Waits for a row with these values, and returns it."""
    return eventually(lambda: (rows(connection, **wanted) or [None])[0], deadline,
                      f"a status row with {wanted}, in place of {rows(connection)}")


def expect_drops(connection, deadline=20, **wanted):
    """Waits until the one row with these values counts frames that it had to let go."""
    eventually(lambda: expect_row(connection, **wanted)["drops"] > 0, deadline,
               f"drops are counted in the row with {wanted}")


def no_relays(deadline=10):
    """Waits until no relay runs."""
    eventually(lambda: not ours("netrelay"), deadline, "the last relay has ended")


def relay_files(connection):
    """The control sockets of relays that there are."""
    try:
        return os.listdir(f"{connection.state_directory}/relays")
    except FileNotFoundError:
        return []


def expect_no_relay_files(connection, deadline=10):
    eventually(lambda: not relay_files(connection), deadline, "no relay's socket is left")


def metadata(*interfaces):
    """Our element for a guest's <metadata>, from the attributes of each interface."""
    inner = "".join(f"<netrelay:interface {attributes}/>" for attributes in interfaces)
    return f"<netrelay:domain xmlns:netrelay='urn:netrelay:domain:1'>{inner}</netrelay:domain>"


def findings(connection, level="fault"):
    """{(kind, about): finding} of this level; the exit code says whether there is any fault."""
    answer = connection.netrelayctl("doctor", "--json", check=False)
    found = json.loads(answer.stdout)["findings"]
    faults = [finding for finding in found if finding["level"] == "fault"]
    assert answer.returncode == (1 if faults else 0), answer
    for finding in found:
        assert finding["level"] in ("fault", "notice"), finding
        assert finding["text"] and not finding["text"].endswith("."), finding
        assert "\n" not in finding["text"] + finding["cure"], finding
    return {(finding["kind"], finding["about"]): finding for finding in found
            if finding["level"] == level}
