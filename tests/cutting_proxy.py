"""A connection that breaks when the answer is on its way: the request has arrived, the receipt has not."""

import contextlib
import socket
import threading


class CuttingProxy:
    """Passes bytes to the service and cuts the first answers off: the request arrives, the receipt does
    not."""

    def __init__(self, port: int, cuts: int) -> None:
        self._target, self.cuts = port, cuts
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._target))
        threading.Thread(target=_copy, args=(client, server), daemon=True).start()
        # Either end may break the connection, and the other thread or a cut may have closed it.
        with client, server, contextlib.suppress(OSError):
            while piece := server.recv(65536):
                if self.cuts > 0:
                    self.cuts -= 1
                    # Closing alone would not reach the peer while the other thread reads.
                    client.shutdown(socket.SHUT_RDWR)
                    server.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(piece)

    def close(self) -> None:
        self._listening.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            target.sendall(piece)
    except OSError:
        return
