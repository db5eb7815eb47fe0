"""Cuts the wires between a client and a real plane, after a number of bytes."""

import random
import socket
import threading


class Proxy:
    """Unix sockets at ``path`` and ``path.fast`` before those of a plane.

    Every connection dies after some bytes in one of its directions, in the middle of
    whatever that is; so many as ``cuts`` in all. ``seed`` decides where.
    """

    def __init__(self, path, behind, seed, cuts, most=4000):
        self.path, self.address = path, "unix:" + path
        self._random, self.left, self._most = random.Random(seed), cuts, most
        self._lock, self._socks = threading.Lock(), []
        self.broken = 0
        for suffix in ("", ".fast"):
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path + suffix)
            listener.listen(16)
            self._socks.append(listener)
            threading.Thread(target=self._accept, args=(listener, behind + suffix), daemon=True).start()

    def close(self):
        for s in list(self._socks):
            self._end(s)

    @staticmethod
    def _end(s):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        s.close()

    def _accept(self, listener, behind):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(behind)
            except OSError:
                self._end(near)
                continue
            with self._lock:
                self._socks += [near, far]
                budgets = [None, None]
                if self.left > 0:
                    self.left -= 1
                    budgets[self._random.randrange(2)] = self._random.randrange(self._most)
            for a, b, budget in ((near, far, budgets[0]), (far, near, budgets[1])):
                threading.Thread(target=self._pump, args=(a, b, budget), daemon=True).start()

    def _pump(self, source, to, budget):
        try:
            while data := source.recv(65536):
                if budget is not None and len(data) > budget:
                    to.sendall(data[:budget])
                    self.broken += 1
                    return
                budget = None if budget is None else budget - len(data)
                to.sendall(data)
        except OSError:
            pass
        finally:
            self._end(source)
            self._end(to)
