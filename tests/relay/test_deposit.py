#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeper and forwarder die together: what the manager has of them makes another relay go on."""

import array
import contextlib
import fcntl
import os
import random
import select
import signal
import socket
import tempfile

import kit
import tap
from ctlproto import DEADLINE, UP, Control, decode, encode
from frames import BROADCAST, FRAME_MAX, enclose, frame, mac
from peers import Server, StreamPeer, dial, exchange, meet, talk
from relayproc import Relay, forwarder_of
from test_slow import pile_up, whole_numbers
from traffic import Traffic, complete
from wait import eventually

KILLS = int(os.environ.get("KILLS", "30"))
REGISTER, MEMORY, PORT = range(3)
CONTROL_FD = 500                    # what was deposited comes behind it


class Manager(Control):
    """A client that keeps: the register, the memory, and {port id: connection}.

    What it has of the relay before stays until this one has deposited the same.
    """

    def __init__(self, path, files, kept):
        self.files, self.kept, self.told = files, kept, set()
        super().__init__(path, keeps=1)

    def next(self, deadline=DEADLINE):
        """As Control has it, and a descriptor that comes along is kept."""
        self.sock.settimeout(max(0.001, deadline))
        data, extra, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(4))
        self.sock.settimeout(DEADLINE)
        if not data:
            return None
        kind, serial, found = decode(data)
        if kind == "EVENT_DEPOSIT":
            fd = array.array("i", extra[0][2][:4])[0]
            place = self.kept if found["deposit"] == PORT else self.files
            key = found["port_id"] if found["deposit"] == PORT else found["deposit"]
            assert (found["deposit"], key) not in self.told, f"{found} is deposited twice"
            self.told.add((found["deposit"], key))
            if key in place:
                os.close(place[key])
            place[key] = fd
        if kind == "EVENT_PORT_GONE":
            self.let_go(found["port_id"])
        return kind, serial, found

    def let_go(self, number):
        self.told.discard((PORT, number))
        if number in self.kept:
            os.close(self.kept.pop(number))

    def keeps(self, count):
        """Waits until so many connections are deposited."""
        def look():
            for number in set(self.kept) - set(self.ports()):
                self.let_go(number)         # it went when nobody could be told
            return len(self.told) == 2 + count == 2 + len(self.kept)
        return eventually(look, 15, f"{count} connections are kept")


class Lab:
    """A managed relay, and the manager that starts it again."""

    def __init__(self, stack):
        self.stack = stack
        self.directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="netrelay-"))
        self.path = os.path.join(self.directory, "control")
        self.relay = self.manager = None
        self.start({}, {})

    def start(self, files, kept, program=None):
        """Starts it, or another program, with what is deposited."""
        deposited = [files[REGISTER], files[MEMORY], *kept.values()] if files else []
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.bind(self.path)
            placed = [CONTROL_FD + i for i in range(1 + len(deposited))]
            for fd, place in zip((sock.fileno(), *deposited), placed):
                os.dup2(fd, place)
            words = ["--deposited", str(len(deposited))] if deposited else []
            self.relay = self.stack.enter_context(
                Relay("--managed", "--network", "lab", "--control-fd", CONTROL_FD, *words,
                      pass_fds=placed, program=program))
            for place in placed:
                os.close(place)
        self.manager = Manager(self.path, files, kept)

    def killed(self, program=None):
        """Both its processes at once; another relay begins, maybe before the forwarder is dead."""
        was = self.manager
        keeper, forwarder = self.relay.keeper, forwarder_of(self.relay.keeper)
        for pid in filter(None, (keeper, forwarder)):
            with contextlib.suppress(ProcessLookupError):   # it went with its keeper
                os.kill(pid, signal.SIGKILL)
        self.relay.process.wait(DEADLINE)
        with contextlib.suppress(ConnectionResetError):
            while was.next():
                pass                # its last words
        was.close()
        self.start(was.files, was.kept, program)

    def begin(self, endpoint="listen:127.0.0.1:12345", **details):
        return self.manager.attach(endpoint, **details)


@contextlib.contextmanager
def a_lab():
    with contextlib.ExitStack() as stack:
        yield Lab(stack)


def guests_of(lab, count):
    lab.begin()
    guests = [dial(12345) for _ in range(count)]
    lab.manager.keeps(count)
    return guests


def test_kept_and_let_go():
    """A port is deposited once it is one, and until it is gone; datagrams and TAPs are not"""
    with a_lab() as lab:
        guests = guests_of(lab, 3)
        lab.begin("udp:127.0.0.1:7001:127.0.0.1:7002")
        meet(*guests)
        assert os.path.samestat(os.fstat(lab.manager.files[MEMORY]),
                                os.stat(f"/proc/{lab.relay.forwarder()}/fd/4"))
        guests[0].close()
        lab.manager.keeps(2)
        number = next(iter(lab.manager.kept))
        lab.manager.must("CLOSE_PORT", port_id=number)
        assert number not in lab.manager.kept, "its end was told before the answer"
        lab.manager.keeps(1)


def test_an_end_is_heard_while_somebody_holds_on():
    """A manager that is slow to let go does not keep a far end from hearing of it"""
    with a_lab() as lab:
        one, other = guests_of(lab, 2)
        held = [os.dup(fd) for fd in lab.manager.kept.values()]
        number = next(n for n, port in lab.manager.ports().items()
                      if port["peer"] == "%s:%d" % one.sock.getsockname())
        lab.manager.must("CLOSE_PORT", port_id=number)
        one.closed()
        other.send_raw(b"\xff" * 8)         # no frame: it is closed by the forwarder
        other.closed()
        lab.manager.keeps(0)
        for fd in held:
            os.close(fd)


def test_killed_together():
    """Guests meet again; their names, limits and ids are what they were"""
    with a_lab() as lab:
        guests = guests_of(lab, 3)
        meet(*guests)
        ports = lab.manager.ports()
        for number in ports:
            lab.manager.must("LABEL_PORT", port_id=number, label=f"guest/{number}")
            lab.manager.must("SET_OPTIONS", port_id=number, options=f",storm={700 + number}")
        before = lab.manager.ports()
        lab.killed()
        talk(*guests[:2])
        after = lab.manager.ports()
        for key in ("label", "options", "peer", "local", "since", "state"):
            assert {n: p[key] for n, p in after.items()} == \
                {n: p[key] for n, p in before.items()}, key
        lab.begin()
        fourth = dial(12345)
        meet(fourth, *guests)
        assert max(lab.manager.ports()) > max(before), "a new port's id is new"
        lab.manager.keeps(4)


def killed_again_and_again(lab, traffic, seed):
    moments = random.Random(seed)
    for _ in range(KILLS):
        traffic.flow(moments.randrange(1, 200))
        lab.killed()
        lab.begin()
    traffic.flow(1000)
    complete(traffic.finish())


@tap.timeout(60 + 2 * KILLS)
def test_30_kills_under_load():
    """Four guests, frames as fast as it goes: none lost, repeated, torn, and no link ends"""
    with a_lab() as lab:
        guests = guests_of(lab, 4)
        with Traffic(*guests, rate=0, window=96 << 10, broadcast=8) as traffic:
            killed_again_and_again(lab, traffic, 1)


@tap.timeout(60 + 2 * KILLS)
def test_30_kills_large_frames():
    """The same with frames up to the largest, which are cut and queued"""
    with a_lab() as lab:
        guests = guests_of(lab, 3)
        with Traffic(*guests, rate=0, window=600 << 10, sizes=(60, FRAME_MAX)) as traffic:
            killed_again_and_again(lab, traffic, 2)


def test_what_is_queued_survives():
    """For a guest that does not read: it gets what lay in the relay, in order"""
    with a_lab() as lab:
        sleeper, source = meet(*guests_of(lab, 2))
        for turn in range(5):
            pile_up(source, 1000 * turn, 1000)
            lab.killed()
        numbers = whole_numbers(sleeper)
        assert numbers[:300] == list(range(300)), f"the first are {numbers[:20]}"


@tap.timeout(90)
def test_programs_of_other_versions():
    """A later program goes on under load with what one of today left, and the other way round

    All but what was learned, so for a moment frames go to everybody.
    """
    with a_lab() as lab:
        guests = guests_of(lab, 4)
        with Traffic(*guests, rate=0, window=96 << 10, sizes=(60, 9000), hub=True) as traffic:
            for turn in range(6):
                traffic.flow(100)
                lab.killed(None if turn % 2 else kit.built("tests/relay/netrelay-later"))
                lab.begin()
            traffic.flow(1000)
            complete(traffic.finish())


def test_half_a_frame_survives():
    """Begun before the end of both, ended after it"""
    with a_lab() as lab:
        one, other = meet(*guests_of(lab, 2))
        for cut in (3, 4, 5, 1500, 3003):
            said = frame(BROADCAST, mac(1), bytes([cut & 255]), size=3000)
            data = enclose(said)
            one.send_raw(data[:cut])
            lab.killed()
            one.send_raw(data[cut:])
            other.expect(said)


def test_who_leaves_meanwhile():
    """A guest that ends while there is no relay is not missed, and what it said last arrives"""
    with a_lab() as lab:
        leaver, one, other = meet(*guests_of(lab, 3))
        word = frame(BROADCAST, mac(1), b"farewell")
        os.kill(lab.relay.forwarder(), signal.SIGSTOP)
        leaver.send(word)
        leaver.close()
        lab.killed()
        one.expect(word)
        other.expect(word)
        lab.manager.keeps(2)
        talk(one, other)


def test_a_dialled_one_is_not_dialled_again():
    """Its endpoint has it again as soon as it is attached, with what that may now"""
    server = Server(2001)
    with a_lab() as lab:
        guest = guests_of(lab, 1)[0]
        lab.begin("127.0.0.1:2001")
        far = server.accept()
        lab.manager.keeps(2)
        meet(far, guest)
        lab.killed()
        talk(far, guest)
        endpoint = lab.begin("127.0.0.1:2001,storm=777")
        port = lab.manager.port_of(endpoint)
        assert port["options"] == ",storm=777", port
        assert lab.manager.dump()[0][endpoint]["state"] == UP
        talk(far, guest)
        assert not select.select([server.sock], [], [], 0)[0], "it is dialled once more"
        lab.killed()
        lab.begin("127.0.0.1:2001")
        talk(far, guest)
        far.close()
        far = server.accept(10)
        meet(far, guest)


def test_unix_streams():
    """They stay, too, and talk on"""
    with a_lab() as lab, tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "sock")
        lab.begin(f"unix-listen:{path}")
        guests = [StreamPeer(socket.socket(socket.AF_UNIX)) for _ in range(2)]
        for guest in guests:
            guest.sock.connect(path)
        lab.manager.keeps(2)
        meet(*guests)
        for _ in range(3):
            lab.killed()
            talk(*guests)
            lab.begin(f"unix-listen:{path}")


def test_one_that_is_being_moved():
    """Offered to another relay, it is not gone on with: never have two of them one connection"""
    with a_lab() as lab:
        one, other = meet(*guests_of(lab, 2))
        number = next(n for n, port in lab.manager.ports().items()
                      if port["peer"] == "%s:%d" % one.sock.getsockname())
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            ours.settimeout(DEADLINE)
            lab.manager.must("MOVE_PORT", fd=theirs.fileno(), port_id=number)
            assert decode(ours.recv(4096))[0] == "HELLO"
            ours.send(encode("WELCOME", 0))
            _, fds, _, _ = socket.recv_fds(ours, 4096, 1)
            lab.killed()
            assert number not in lab.manager.ports(), "both relays have it"
            other.silent()
            os.close(lab.manager.kept.pop(number))
            taken = StreamPeer(socket.socket(fileno=fds[0]))
            word = frame(BROADCAST, mac(1), b"elsewhere")
            taken.send(word)
            one.expect(word)


def test_the_old_forwarder_lives_on_for_a_while():
    """No other one moves a frame before it is dead"""
    with a_lab() as lab:
        one, other = meet(*guests_of(lab, 2))
        was = lab.manager
        memory = os.dup(was.files[MEMORY])
        holder = os.fork()
        if not holder:              # as a forwarder that is slow to die has it
            fcntl.lockf(memory, fcntl.LOCK_EX)
            signal.pause()
        lab.relay.kill()
        eventually(lambda: blocked(memory), 5, "the memory is the child's")
        lab.start(was.files, was.kept)
        word = frame(BROADCAST, mac(1), b"patience")
        one.send(word)
        other.silent(0.3)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
        os.close(memory)
        other.expect(word)


def blocked(fd):
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.lockf(fd, fcntl.LOCK_UN)
    return False


def begins_anew(spoil):
    """What a killed relay leaves is changed by `spoil`: the next one says so, and works."""
    with a_lab() as lab:
        one, other = meet(*guests_of(lab, 2))
        was = lab.manager
        lab.relay.kill()
        spoil(was.files)
        lab.start(was.files, was.kept)
        eventually(lambda: "connections end" in lab.relay.text(), 10, "it says so")
        for fd in was.kept.values():
            os.close(fd)
        was.kept.clear()
        one.closed()
        other.closed()
        meet(*guests_of(lab, 2))


def test_another_networks_deposit():
    """Or one of another version: the relay begins anew, and says so"""
    def rename(files):
        page = os.pread(files[REGISTER], 4096, 0)
        os.pwrite(files[REGISTER], page.replace(b"lab\0", b"bal\0"), 0)
    begins_anew(rename)


def test_memory_of_another_version():
    """No forwarder could go on with it: the relay begins anew, and says so"""
    begins_anew(lambda files: os.pwrite(files[MEMORY], b"\xff" * 4, 8))


def test_a_program_that_does_not_know_the_memory():
    """It begins anew, and has not ended the connections: another one may go on with them"""
    with a_lab() as lab:
        one, other = meet(*guests_of(lab, 2))
        was = lab.manager
        files, kept = ({key: os.dup(fd) for key, fd in place.items()}
                       for place in (was.files, was.kept))
        lab.killed(kit.built("tests/relay/netrelay-foreign"))
        eventually(lambda: "connections end" in lab.relay.text(), 10, "it says so")
        lab.relay.kill()
        lab.start(files, kept)
        talk(one, other)


def test_memory_cut_off():
    """It ends before its ports' queues do, or is no such memory at all"""
    for size in (0, 1 << 20):
        def replace(files, size=size):
            head = os.pread(files[MEMORY], size, 0)
            os.close(files[MEMORY])
            files[MEMORY] = os.memfd_create("short")
            os.pwrite(files[MEMORY], head, 0)
        begins_anew(replace)


def test_thousand_comings_and_goings():
    """Neither the relay nor the manager holds more afterwards"""
    with a_lab() as lab:
        guests_of(lab, 0)
        exchange(*meet(dial(12345), dial(12345)))
        lab.manager.keeps(0)
        held = lab.relay.holds()
        for _ in range(50):
            guests = [dial(12345) for _ in range(20)]
            lab.manager.keeps(20)
            for guest in guests:
                guest.close()
            lab.manager.keeps(0)
        lab.relay.holds_again(held)
        blocks = os.fstat(lab.manager.files[REGISTER]).st_blocks
        assert blocks <= 2 * 8, f"the register has {blocks} blocks for no port"


if __name__ == "__main__":
    kit.main()
